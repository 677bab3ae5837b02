//! `(doc name)`, `(source name)`, `(apropos "text")`: everything that has a name explains itself the same way.

use super::globals::Role;
use super::interpreter::Interpreter;
use crate::data::{Args, Host, Str, Value};
use crate::err;
use crate::text::{Result, Span};

impl Interpreter {
    /// `(clip x lo hi)`: how the function, macro or special form of that name is called.
    pub fn usage(&self, name: &str) -> Option<String> {
        self.usage_at(name, Span::NONE)
    }

    fn usage_at(&self, name: &str, span: Span) -> Option<String> {
        let bound = self.binding_at(name, span, |b| match (&b.value, b.role) {
            (_, Role::Op) => None,
            (Value::Function(f), _) => Some(f.signature.usage(name)),
            _ => None,
        });
        match bound {
            Some(Some(usage)) => Some(usage),
            _ => self.op_info(name).map(|op| op.usage.to_string()),
        }
    }

    /// The docstring of a name.
    pub fn doc(&self, name: &str) -> Option<Str> {
        self.doc_at(name, Span::NONE)
    }

    fn doc_at(&self, name: &str, span: Span) -> Option<Str> {
        let bound = self.binding_at(name, span, |b| b.doc.clone())?;
        bound.or_else(|| self.op_info(name).map(|op| Str::from(op.doc)))
    }

    /// Usage line and docstring, as `(doc name)` answers; `None` where there is neither.
    pub fn describe(&self, name: &str) -> Option<String> {
        self.describe_at(name, Span::NONE)
    }

    /// The same of what the text at `span` means by the name.
    fn describe_at(&self, name: &str, span: Span) -> Option<String> {
        let doc = self.doc_at(name, span).or_else(|| self.op_info(name).map(|op| Str::from(op.doc)));
        let mut text = self.usage_at(name, span).or_else(|| doc.as_ref().map(|_| name.to_string()))?;
        if let Some(doc) = doc {
            text.push('\n');
            text.push_str(&doc);
        }
        if let Some(op) = self.op_info(name) {
            for (example, result) in op.examples {
                text.push_str(&format!("\n{example}  ;=> {result}"));
            }
        }
        Some(text)
    }

    /// Names in whose docs the text occurs, or that have it in them.
    pub fn apropos(&self, text: &str) -> Vec<Str> {
        let text = text.to_lowercase();
        let about = |name: &Str| {
            let doc = self.doc(name).or_else(|| self.op_info(name).map(|op| Str::from(op.doc)));
            name.to_lowercase().contains(&text) || doc.is_some_and(|d| d.to_lowercase().contains(&text))
        };
        self.names().into_iter().filter(about).collect()
    }
}

fn subject<'a>(args: &'a Args) -> Result<(&'a Interpreter, &'a str)> {
    let host: &dyn Host = args.host;
    match (host.as_any().downcast_ref(), args.rest.first().and_then(Value::as_text)) {
        (Some(interpreter), Some(name)) => Ok((interpreter, name)),
        _ => Err(err!(Internal, "a name to explain is missing")),
    }
}

pub(super) fn doc(args: Args) -> Result<Value> {
    let (interpreter, name) = subject(&args)?;
    match interpreter.describe_at(name, args.span) {
        Some(text) => Ok(Value::from(text)),
        None if interpreter.global(name, args.span).is_some() => Ok(Value::Nil),
        None => Err(interpreter.unbound(name, args.span)),
    }
}

pub(super) fn source(args: Args) -> Result<Value> {
    let (interpreter, name) = subject(&args)?;
    let source = interpreter.binding_at(name, args.span, |b| b.source.clone());
    match source {
        Some(Some(task)) => match interpreter.sources().get(task.span.source) {
            // As it was written, comments and all.
            Some(text) => {
                let range = task.span.start as usize..task.span.end as usize;
                Ok(Value::str(text.text.get(range).unwrap_or_default()))
            }
            None => Ok(Value::from(format!("{task:?}"))),
        },
        Some(None) => Err(err!(Value, "`{name}` is an op, and not written in dsk")
            .label(args.span, "has no source")
            .help(format!("`(doc {name})` tells what it does"))),
        None if interpreter.op_info(name).is_some() || interpreter.is_form(name) => {
            Err(err!(Value, "`{name}` is a special form, and has no source").label(args.span, "in this call"))
        }
        None => Err(interpreter.unbound(name, args.span)),
    }
}
