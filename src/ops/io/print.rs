//! `print`: values for people to read.

use crate::data::{Args, Cost, Value};
use crate::op::{Kind, Op};
use crate::read;
use crate::text::Result;

pub static OP: Op = Op {
    usage: "(print & xs)",
    doc: "Prints the values on one line, separated by spaces, and gives nil.\n\
          Strings are printed as they are, everything else as a session shows it: an array laid out in rows, a lazy array as a line \
          about it; `(print (compute x))` prints what is in it. What takes more than one line stands on lines of its own.",
    examples: &[("(print)", "nil")],
    see: &["str", "compute"],
    cost: Cost::Unknown,
    kind: Kind::Lazy(print),
};

fn print(args: Args) -> Result<Value> {
    let shown = |value: &Value| match value {
        Value::Str(text) => Ok(text.to_string()),
        other => read::show(other),
    };
    let texts: Vec<String> = args.rest.iter().map(shown).collect::<Result<_>>()?;
    let separator = if texts.len() > 1 && texts.iter().any(|text| text.contains('\n')) { "\n" } else { " " };
    args.host.print(&(texts.join(separator) + "\n"))?;
    Ok(Value::Nil)
}
