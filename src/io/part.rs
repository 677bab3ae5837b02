//! The part of an array that is read: a range for each axis, which files are read along forwards.

use crate::data::slice::Range;
use crate::data::{Block, DType, Dims};
use crate::err;
use crate::text::Result;
use smallvec::SmallVec;

/// The part of one axis that is to be read, always forwards.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub start: usize,
    pub step: usize,
    pub count: usize,
}

impl Part {
    /// The elements of this part within `[from, from + len)`: the first one's place in the part, and how many.
    pub fn within(&self, from: usize, len: usize) -> (usize, usize) {
        let before = |at: usize| at.saturating_sub(self.start).div_ceil(self.step).min(self.count);
        let (first, end) = (before(from), before(from + len));
        (first, end - first)
    }

    /// The last element; there is one.
    pub fn last(&self) -> usize {
        self.start + (self.count - 1) * self.step
    }
}

/// A region as parts, one for each axis of an array of that shape, which messages call `target`.
///
/// # Errors
/// `dsk::index` for a region that is not within the shape.
pub fn parts(region: &[Range], shape: &[usize], target: &dyn Fn() -> String) -> Result<SmallVec<[Part; 6]>> {
    let ndim = shape.len();
    if region.len() != ndim {
        return Err(err!(Index, "`{}` has {ndim} axes, and {} ranges were given", target(), region.len()));
    }
    let part = |(range, &len): (&Range, &usize)| {
        // A single element has no next one: how far that would be does not matter.
        let step = if range.count > 1 { range.step.unsigned_abs().max(1) } else { 1 };
        let span = range.count.saturating_sub(1).checked_mul(step)?;
        let start = if range.step < 0 { range.start.checked_sub(span)? } else { range.start };
        let fits = range.count == 0 || start.checked_add(span)? < len;
        fits.then_some(Part { start, step, count: range.count })
    };
    let parts: Option<SmallVec<[Part; 6]>> = region.iter().zip(shape).map(part).collect();
    parts.ok_or_else(|| err!(Index, "the part to read lies outside `{}`, whose shape is {shape:?}", target()))
}

/// Whether a block of the shape `count` at `start` lies within `shape`.
fn fits(shape: &[usize], start: &[usize], count: &[usize]) -> bool {
    let within = |axis: usize| start[axis].checked_add(count[axis]).is_some_and(|end| end <= shape[axis]);
    start.len() == shape.len() && count.len() == shape.len() && (0..shape.len()).all(within)
}

/// That a block at `start` fits an array, of that dtype and shape, which it is to be a part of.
///
/// # Errors
/// `dsk::shape` and `dsk::type` where it does not.
pub fn check_fits(
    target: &dyn Fn() -> String,
    (held, whole): (DType, &[usize]),
    start: &[usize],
    block: &Block,
) -> Result<()> {
    let (given, own) = (block.dtype(), block.shape());
    if !fits(whole, start, own) {
        return Err(err!(
            Shape,
            "a block of shape {own:?} at {start:?} does not fit `{}`, whose shape is {whole:?}",
            target()
        ));
    }
    if given != held {
        return Err(err!(Type, "`{}` holds {held}, the block {given}", target())
            .help(format!("`(astype x :{held})` converts it")));
    }
    Ok(())
}

/// A block that was read forwards, with the axes turned around whose ranges go backwards.
pub fn turned(block: Block, region: &[Range]) -> Block {
    let backwards = |range: &Range| range.step < 0 && range.count > 1;
    region.iter().enumerate().filter(|(_, range)| backwards(range)).fold(block, |block, (axis, range)| {
        block.slice_axis(axis, Range { start: range.count - 1, step: -1, count: range.count })
    })
}

/// Copies are made of parts of this many bytes: they are in the cache while they are written.
const COPIED: usize = 1 << 20;

/// Calls `write` with a block, which begins at `start`, if it lies in row-major order; otherwise with copies of its parts that do.
pub fn in_row_major(start: &[usize], block: &Block, write: &dyn Fn(&[usize], &Block) -> Result<()>) -> Result<()> {
    if block.is_contiguous() {
        return write(start, block);
    }
    let parts = block.nbytes().div_ceil(COPIED);
    match block.shape().iter().position(|&len| len > 1).filter(|_| parts > 1) {
        None => write(start, &block.copied()),
        Some(axis) => {
            let len = block.shape()[axis];
            let most = len.div_ceil(parts);
            (0..len).step_by(most).try_for_each(|at| {
                let mut start = Dims::from_slice(start);
                start[axis] += at;
                let range = Range { start: at, step: 1, count: most.min(len - at) };
                in_row_major(&start, &block.slice_axis(axis, range), write)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_knows_which_of_its_elements_lie_in_a_chunk() {
        // 3, 7, 11, 15, 19
        let part = Part { start: 3, step: 4, count: 5 };
        assert_eq!(part.within(0, 3), (0, 0));
        assert_eq!(part.within(0, 8), (0, 2));
        assert_eq!(part.within(8, 8), (2, 2));
        assert_eq!(part.within(12, 3), (3, 0));
        assert_eq!(part.within(16, 80), (4, 1));
    }
}
