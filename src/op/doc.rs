//! The documentation of a function as text: the same for ops and for what `defn` defines, in `(doc x)`, `dsk doc` and
//! the session.

use super::{Kind, Op};
use crate::data::Function;

/// The documentation of an op: usage, what it does, examples with their results, related ops.
///
/// ```text
/// (take n coll)
///
/// The first `n` elements.
///
///   (take 2 [1 2 3])  ;=> [1 2]
///
/// see also: drop, take-while
/// ```
pub fn of_op(op: &Op, aliases: &[&str]) -> String {
    let mut text = String::from(op.usage);
    if matches!(op.kind, Kind::Form) {
        text.push_str("   special form");
    }
    if !aliases.is_empty() {
        text.push_str(&format!("   also: {}", aliases.join(", ")));
    }
    text.push_str(&format!("\n\n{}\n", op.doc.trim()));
    if !op.examples.is_empty() {
        text.push('\n');
        for (code, result) in op.examples {
            text.push_str(&example(code, result));
        }
    }
    if !op.see.is_empty() {
        text.push_str(&format!("\nsee also: {}\n", op.see.join(", ")));
    }
    text
}

/// An example and what it prints; on a line of its own where the two are long.
fn example(code: &str, result: &str) -> String {
    let code = code.replace('\n', "\n  ");
    if result.is_empty() {
        format!("  {code}\n")
    } else if code.contains('\n') || code.len() + result.len() > 100 {
        format!("  {code}\n  ;=> {result}\n")
    } else {
        format!("  {code}  ;=> {result}\n")
    }
}

/// The documentation of any function: its docstring has its own examples.
pub fn of_function(function: &Function) -> String {
    let mut text = function.usage();
    if let Some(doc) = &function.doc {
        text.push_str(&format!("\n\n{}", doc.trim()));
    }
    text.push('\n');
    text
}

/// The first line of what an op does.
pub fn summary(doc: &str) -> &str {
    doc.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Args, Cost, Value};
    use crate::text::Result;

    #[test]
    fn an_op_reads_as_a_short_page() {
        fn none(_: Args) -> Result<Value> {
            Ok(Value::Nil)
        }
        let op = Op {
            usage: "(take n coll)",
            doc: "The first `n` elements.",
            examples: &[("(take 2 [1 2 3])", "[1 2]")],
            see: &["drop"],
            cost: Cost::Free,
            kind: Kind::Now(none),
        };
        assert_eq!(
            of_op(&op, &["first-n"]),
            "(take n coll)   also: first-n\n\nThe first `n` elements.\n\n  (take 2 [1 2 3])  ;=> [1 2]\n\nsee also: drop\n"
        );
    }
}
