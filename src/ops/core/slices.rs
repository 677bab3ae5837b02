//! `:`: slices of computed bounds.

use crate::data::{Args, Cost, Slice, Value};
use crate::err;
use crate::op::{Kind, Op};
use crate::text::Result;

pub static OP: Op = Op {
    usage: "(: start stop step?)",
    doc: "The slice `start:stop:step`, of bounds that are computed.\n\
          Each is an integer, from the end if negative, or nil for what NumPy takes an absent one for.",
    examples: &[("(: 1 (+ 1 2))", "1:3"), ("([0 1 2 3 4 5] (: nil nil -2))", "[5 3 1]")],
    see: &["slice"],
    cost: Cost::Free,
    kind: Kind::Now(slice),
};

fn slice(args: Args) -> Result<Value> {
    let bound = |at: usize| match args.values.get(at) {
        None | Some(Value::Nil) => Ok(None),
        Some(value) => value.as_int().map(Some).ok_or_else(|| {
            let found = value.type_name();
            err!(Type, ":: a bound of a slice is an integer or nil, found {found}").label(args.span, "in this slice")
        }),
    };
    Ok(Slice { start: bound(0)?, stop: bound(1)?, step: bound(2)? }.into())
}
