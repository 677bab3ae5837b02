//! `dsk FILE`, `dsk -`, `dsk -e EXPR`.

use super::Options;
use super::job::Job;
use crate::data::{Task, Value};
use crate::engine::Engine;
use crate::err;
use crate::text::{Result, Span};
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Runs a program: a file, or standard input where it is `-`. The program prints what it wants to be seen.
pub fn program(options: &Options, mut program: Vec<String>) -> ExitCode {
    let file = program.remove(0);
    let job = match Job::start(options) {
        Ok(job) => job,
        Err(status) => return status,
    };
    let done = set_args(&job, program).and_then(|()| {
        if file == "-" {
            job.engine.eval_named("<stdin>", &standard_input()?)
        } else {
            job.engine.run_file(Path::new(&file))
        }
    });
    job.end(done.map(drop))
}

/// Evaluates an expression, and prints its value, computed; `nil` prints nothing.
pub fn expression(options: &Options, expr: &str, args: Vec<String>) -> ExitCode {
    let job = match Job::start(options) {
        Ok(job) => job,
        Err(status) => return status,
    };
    let value = set_args(&job, args).and_then(|()| job.engine.read("-e", expr)).and_then(|forms| {
        let value = forms.iter().try_fold(Value::Nil, |_, form| job.engine.eval_form(form))?;
        let last = forms.last().cloned();
        let span = last.as_ref().map_or(Span::NONE, |form| form.span);
        Ok((last, job.engine.compute(&value).map_err(|e| e.at(span))?))
    });
    let done = value.and_then(|(form, value)| match value {
        Value::Nil => Ok(()),
        value => print_line(&shown(&job.engine, form.as_ref(), &value)?),
    });
    job.end(done)
}

/// A form's value as text. What `doc` and `source` answer with is text to read, and no string to go on with.
pub(super) fn shown(engine: &Engine, form: Option<&Task>, value: &Value) -> Result<String> {
    match value {
        Value::Str(text) if form.is_some_and(|f| f.is_call_of("doc") || f.is_call_of("source")) => Ok(text.to_string()),
        _ => engine.show(value),
    }
}

/// `args` is the list of the program's arguments, as strings.
fn set_args(job: &Job, args: Vec<String>) -> Result<()> {
    job.engine.set("args", args)
}

/// The text of a program that comes from there.
pub(super) fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| err!(Io, "standard input cannot be read: {e}"))?;
    String::from_utf8(bytes).map_err(|_| err!(Syntax, "standard input is not UTF-8 text"))
}

fn print_line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| err!(Io, "standard output cannot be written: {e}"))
}
