//! Array ops: concrete arrays at once, lazy arrays as layers. `OPS` is the list, in documentation order.

pub mod about;
pub mod axes;
pub mod broadcast_to;
#[cfg(test)]
mod budget;
pub mod choose;
pub mod create;
pub mod elementwise;
pub mod join;
pub mod map_blocks;
pub mod parts;
pub mod product;
pub mod random;
pub mod rechunk;
pub mod reduce;
pub mod reshape;
pub mod slice;
#[cfg(test)]
mod tests;

use crate::data::{Args, Block, DType, Value, task::deep};
use crate::op::{Op, chunking, infer};
use crate::text::Result;

/// The families, in documentation order.
pub static OPS: &[&[Op]] = &[
    create::OPS,
    random::OPS,
    about::OPS,
    elementwise::OPS,
    choose::OPS,
    reduce::OPS,
    product::OPS,
    slice::OPS,
    axes::OPS,
    reshape::OPS,
    broadcast_to::OPS,
    join::OPS,
    rechunk::OPS,
    map_blocks::OPS,
    parts::OPS,
    product::LINKS,
];

/// Runs an op; its errors say which op it was, and point at the call. A lazy value that is not known to be an array, also as an
/// element of a list, makes a lazy call.
pub(crate) fn array_call(args: Args, run: impl FnOnce(Args) -> Result<Value>) -> Result<Value> {
    fn delayed(value: &Value) -> bool {
        match value {
            Value::List(items) => deep(|| items.iter().any(delayed)),
            Value::Delayed(_) => true,
            _ => false,
        }
    }
    if args.values.iter().chain(&args.rest).any(delayed) {
        return args.host.delay(&args);
    }
    let (span, name) = (args.span, args.function.name.clone());
    let done = run(args).and_then(|value| {
        // Grids multiply in products and broadcasts, where no `:chunks` was asked for.
        if let Value::Array(array) = &value {
            chunking::check_blocks(array.chunks.grid())?;
        }
        Ok(value)
    });
    done.map_err(|error| infer::of(&name)(error).at(span))
}

/// Whether a concrete array of that shape may be made: one beyond the memory limit is to be in blocks.
pub(crate) fn concrete_fits(shape: &[usize], dtype: DType) -> Result<()> {
    Block::check_room(infer::byte_size(shape, dtype)?)
}
