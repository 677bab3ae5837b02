//! Functions on code, and on the interpreter itself.

use crate::data::{Args, Cost, Form, Map, Task, Value};
use crate::err;
use crate::op::args::described;
use crate::op::{Kind, Op};
use crate::ops::options::interpreter;
use crate::text::{Result, Span};
use std::sync::Arc;
use std::time::Instant;

const fn op(
    usage: &'static str,
    doc: &'static str,
    run: fn(Args) -> Result<Value>,
    examples: &'static [(&'static str, &'static str)],
    see: &'static [&'static str],
) -> Op {
    Op { usage, doc, examples, see, cost: Cost::Unknown, kind: Kind::Lazy(run) }
}

pub static OPS: &[Op] = &[
    op("(eval form)", "Evaluates a form.", eval, &[("(eval '(+ 1 2))", "3")], &["quote"]),
    op(
        "(expand form)",
        "What the call of a macro expands to, in one step; other forms as they are.",
        expand,
        &[("(expand '(when a b))", "(if a (do b))")],
        &["defmacro"],
    ),
    op(
        "(form-kind form)",
        "What a quoted form is: `:symbol`, `:call`, `:list`, `:map`, or `:data`.",
        form_kind,
        &[("(form-kind '(f x))", ":call"), ("(form-kind 'x)", ":symbol"), ("(form-kind '[x])", ":list")],
        &["quote"],
    ),
    op(
        "(gensym name?)",
        "A symbol that nobody else has.",
        gensym,
        &[("(= (gensym) (gensym))", "false")],
        &["defmacro"],
    ),
    op("(apropos text)", "The names that have the text in them, or in their documentation.", apropos, &[], &["doc"]),
    op(
        "(timed f)",
        "Calls a function without arguments, prints how long it took, and answers with its value.",
        timed,
        &[],
        &["time"],
    ),
    op(
        "(configured options f)",
        "Calls a function without arguments with other options for the computations in it.",
        configured,
        &[("(configured {:scheduler :sync} (fn [] 1))", "1")],
        &["with-config"],
    ),
];

fn form(args: &Args) -> Task {
    Task::from_quoted(args.value("form"), args.span)
}

fn eval(args: Args) -> Result<Value> {
    interpreter(&args)?.eval(&form(&args))
}

fn expand(args: Args) -> Result<Value> {
    Ok(interpreter(&args)?.expand(&form(&args))?.quoted())
}

fn form_kind(args: Args) -> Result<Value> {
    let kind = match args.value("form") {
        Value::Code(task) => match &task.form {
            Form::Key(_) => "symbol",
            Form::Call(_) => "call",
            Form::List(_) => "list",
            Form::Map(_) => "map",
            Form::Data(_) | Form::Input(_) | Form::Index(_) => "data",
        },
        Value::List(_) => "list",
        Value::Map(_) => "map",
        _ => "data",
    };
    Ok(Value::keyword(kind))
}

fn gensym(args: Args) -> Result<Value> {
    let name = match args.value("name") {
        Value::Code(task) => task.as_symbol().cloned(),
        other => other.as_text().map(Into::into),
    };
    let symbol = interpreter(&args)?.fresh(name.as_deref().unwrap_or("g"));
    Ok(Value::Code(Arc::new(Task::symbol(symbol).with_span(Span::NONE))))
}

fn apropos(args: Args) -> Result<Value> {
    let names = interpreter(&args)?.apropos(&args.name("text")?);
    Ok(Value::list(names.into_iter().map(Value::symbol).collect()))
}

fn timed(args: Args) -> Result<Value> {
    let start = Instant::now();
    let value = args.apply(args.value("f"), [])?;
    args.host.print(&format!("{:.3} ms\n", start.elapsed().as_secs_f64() * 1e3))?;
    Ok(value)
}

fn configured(args: Args) -> Result<Value> {
    let interpreter = interpreter(&args)?;
    let none = Map::new();
    let options = match args.value("options") {
        Value::Map(map) => map,
        Value::Nil => &none,
        // Users know it as what `with-config` expands to.
        other => {
            return Err(err!(Type, "with-config: expected a map of options, found {}", described(other))
                .label(args.span, "in this call")
                .help("usage: (with-config options & body)")
                .parameter("options", 0));
        }
    };
    let config = interpreter.config().with(options).map_err(|e| e.at(args.span))?;
    interpreter.with_config(config, || args.apply(args.value("f"), []))
}
