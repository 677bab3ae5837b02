//! Array ops: concrete arrays at once, lazy arrays as layers. `OPS` is the list, in documentation order.

pub mod about;
pub mod axes;
pub mod blockwise;
pub mod broadcast_to;
#[cfg(test)]
mod budget;
pub mod choose;
pub mod counting;
pub mod create;
pub mod drawn;
pub mod elementwise;
pub mod extremes;
pub mod fourier;
pub mod join;
pub mod lazy_index;
pub mod linalg;
pub mod map_blocks;
pub mod masked;
pub mod means;
pub mod parts;
pub mod product;
pub mod random;
pub mod rechunk;
pub mod reduce;
pub mod reshape;
pub mod scans;
pub mod set_part;
pub mod slice;
pub mod sorted_blocks;
pub mod sorted_parts;
pub mod sorting;
#[cfg(test)]
mod tests;
pub mod unknown;
pub mod windows;

use crate::data::{Args, Block, DType};
use crate::op::{Op, infer};
use crate::text::Result;

/// The families, in documentation order.
pub static OPS: &[&[Op]] = &[
    create::OPS,
    random::OPS,
    drawn::OPS,
    about::OPS,
    unknown::OPS,
    elementwise::OPS,
    choose::OPS,
    reduce::OPS,
    extremes::OPS,
    scans::OPS,
    sorting::OPS,
    counting::OPS,
    product::OPS,
    linalg::OPS,
    fourier::OPS,
    slice::OPS,
    set_part::OPS,
    axes::OPS,
    reshape::OPS,
    broadcast_to::OPS,
    windows::OPS,
    join::OPS,
    rechunk::OPS,
    map_blocks::OPS,
    blockwise::OPS,
    parts::OPS,
    extremes::PARTS,
    sorted_parts::PARTS,
    product::LINKS,
];

/// Whether a concrete array of that shape may be made: one beyond the memory limit is to be in blocks.
pub(crate) fn concrete_fits(shape: &[usize], dtype: DType) -> Result<()> {
    Block::check_room(infer::byte_size(shape, dtype)?)
}

/// Threads that an op on concrete arrays may use: all workers where it is a computation of its own, one inside a task, where other
/// tasks have the others.
pub(crate) fn threads(args: &Args) -> usize {
    if crate::schedule::inside_task() { 1 } else { args.host.workers() }
}
