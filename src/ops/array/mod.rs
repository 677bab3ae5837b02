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

use crate::data::{Block, DType};
use crate::op::{Op, infer};
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

/// Whether a concrete array of that shape may be made: one beyond the memory limit is to be in blocks.
pub(crate) fn concrete_fits(shape: &[usize], dtype: DType) -> Result<()> {
    Block::check_room(infer::byte_size(shape, dtype)?)
}
