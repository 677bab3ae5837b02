//! What a value is.

use crate::data::{Args, DType, Form, Value};
use crate::op;
use crate::op::{Kind, Op};
use crate::text::Result;

/// A predicate on one value.
macro_rules! is {
    ($usage:literal, $doc:literal, $code:literal => $result:literal, |$x:ident| $test:expr) => {
        op!(
            Kind::Lazy(|args| {
                let $x = &args.values[0];
                Ok(Value::Bool($test))
            }),
            $usage,
            $doc,
            [$code => $result],
            ["type"]
        )
    };
}

/// The same of a number: a plain one, or an array of no dimensions. A lazy one is asked when it is computed.
macro_rules! is_number {
    ($usage:literal, $doc:literal, $code:literal => $result:literal, |$x:ident, $args:ident| $test:expr) => {
        op!(
            Kind::Now(|$args| {
                let $x = $args.values[0].clone().plain();
                $test.map(Value::Bool)
            }),
            $usage,
            $doc,
            [$code => $result],
            []
        )
    };
}

pub static OPS: &[Op] = &[
    op!(Kind::Lazy(kind), "(type x)",
        "The type of a value: `:nil :bool :int :float :complex :string :keyword :regex :slice :list :map :symbol :task \
         :function :array :graph`, or `:lazy` for what is not computed yet. What `eval --json` calls it.",
        ["(type 1)" => ":int", "(type \"a\")" => ":string", "(map type [nil 1.5 [] {}])" => "[:nil :float :list :map]"], ["dtype"]),
    is!("(nil? x)", "Whether it is nil.", "(nil? nil)" => "true", |x| matches!(x, Value::Nil)),
    is!("(some? x)", "Whether it is anything but nil.", "(some? false)" => "true", |x| !matches!(x, Value::Nil)),
    is!("(true? x)", "Whether it is `true`.", "(true? 1)" => "false", |x| matches!(x.clone().plain(), Value::Bool(true))),
    is!("(false? x)", "Whether it is `false`.", "(false? nil)" => "false", |x| matches!(x.clone().plain(), Value::Bool(false))),
    is!("(bool? x)", "Whether it is `true` or `false`.", "(bool? true)" => "true", |x| matches!(x, Value::Bool(_))),
    is!("(number? x)", "Whether it is a plain number.", "(number? 1.5)" => "true",
        |x| matches!(x, Value::Int(_) | Value::Float(_) | Value::Complex(_))),
    is!("(int? x)", "Whether it is an integer.", "(int? 1.0)" => "false", |x| matches!(x, Value::Int(_))),
    is!("(float? x)", "Whether it is a float.", "(float? 1.0)" => "true", |x| matches!(x, Value::Float(_))),
    is!("(complex? x)", "Whether it is a complex number.", "(complex? 1j)" => "true", |x| matches!(x, Value::Complex(_))),
    is!("(string? x)", "Whether it is a string.", "(string? \"a\")" => "true", |x| matches!(x, Value::Str(_))),
    is!("(keyword? x)", "Whether it is a keyword.", "(keyword? :a)" => "true", |x| matches!(x, Value::Keyword(_))),
    is!("(symbol? x)", "Whether it is a quoted symbol.", "(symbol? 'a)" => "true",
        |x| matches!(x, Value::Code(task) if matches!(task.form, Form::Key(_)))),
    is!("(task? x)", "Whether it is a quoted call.", "(task? '(f 1))" => "true",
        |x| matches!(x, Value::Code(task) if matches!(task.form, Form::Call(_)))),
    is!("(list? x)", "Whether it is a list.", "(list? [1])" => "true", |x| matches!(x, Value::List(_))),
    is!("(map? x)", "Whether it is a map.", "(map? {})" => "true", |x| matches!(x, Value::Map(_))),
    is!("(regex? x)", "Whether it is a regular expression.", "(regex? #\"a\")" => "true", |x| matches!(x, Value::Regex(_))),
    is!("(slice? x)", "Whether it is a slice.", "(slice? 1:2)" => "true", |x| matches!(x, Value::Slice(_))),
    is!("(function? x)", "Whether it is a function.", "(function? count)" => "true", |x| matches!(x, Value::Function(_))),
    is!("(array? x)", "Whether it is an array, concrete or lazy.", "(array? (ones [2]))" => "true",
        |x| matches!(x, Value::Block(_) | Value::Array(_))),
    is!("(graph? x)", "Whether it is a graph.", "(graph? 1)" => "false", |x| matches!(x, Value::Graph(_))),
    is!("(lazy? x)", "Whether it is a lazy value, which `compute` computes.", "(lazy? (ones [4] :chunks 2))" => "true",
        |x| x.is_lazy()),
    is_number!("(zero? x)", "Whether a number is 0.", "(zero? 0.0)" => "true", |x, args| {
        x.as_complex().map(|c| c.re == 0.0 && c.im == 0.0).ok_or_else(|| args.wrong("x", "a number"))
    }),
    is_number!("(pos? x)", "Whether a number is above 0.", "(pos? 2)" => "true", |x, args| {
        x.as_float().map(|x| x > 0.0).ok_or_else(|| args.wrong("x", "a number"))
    }),
    is_number!("(neg? x)", "Whether a number is below 0.", "(neg? -2)" => "true", |x, args| {
        x.as_float().map(|x| x < 0.0).ok_or_else(|| args.wrong("x", "a number"))
    }),
    is_number!("(even? n)", "Whether an integer is even.", "(even? 2)" => "true", |_x, args| args.int("n").map(|n| n % 2 == 0)),
    is_number!("(odd? n)", "Whether an integer is odd.", "(odd? 2)" => "false", |_x, args| args.int("n").map(|n| n % 2 != 0)),
    op!(Kind::Now(same), "(same? a b)",
        "Whether two values are the same data: never element by element; `1` is not the same as `1.0`, and `nan` is the same \
         as `nan`.",
        ["(same? [1 nan] [1 nan])" => "true", "(same? 1 1.0)" => "false"], ["equal"]),
    op!(Kind::Now(compare), "(compare a b)", "-1, 0 or 1 as `a` comes before, with or after `b`.",
        ["(compare 1 2)" => "-1", "(compare \"b\" \"a\")" => "1"], ["sort", "less"]),
    op!(Kind::Now(hash), "(hash x)", "A number that is equal for equal values, and the same in every process.",
        ["(= (hash :a) (hash \"a\"))" => "true"], ["equal"]),
];

fn kind(args: Args) -> Result<Value> {
    let x = &args.values[0];
    Ok(Value::keyword(match x {
        Value::Block(b) if b.ndim() == 0 => match b.dtype() {
            DType::Bool => "bool",
            d if d.is_integer() => "int",
            d if d.is_float() => "float",
            _ => "complex",
        },
        Value::Delayed(_) => "lazy",
        Value::Array(_) => "array",
        other => other.type_name(),
    }))
}

fn same(args: Args) -> Result<Value> {
    Ok(Value::Bool(args.values[0].same(&args.values[1])))
}

fn compare(args: Args) -> Result<Value> {
    let (a, b) = (&args.values[0], &args.values[1]);
    let order = op::number::compare(a, b).ok_or_else(|| op::sequence::unordered(a, b))?;
    Ok(Value::Int(order as i64))
}

fn hash(args: Args) -> Result<Value> {
    use std::hash::Hasher;
    let x = &args.values[0];
    if !x.is_hashable() {
        return Err(args.wrong("x", "what can be the key of a map"));
    }
    let mut state = rustc_hash::FxHasher::default();
    x.hash_into(&mut state);
    Ok(Value::Int(state.finish() as i64))
}
