//! The same array in other blocks.
//!
//! A new block is put together from the old ones under it, each of which it may need only a part of. From rows to columns that is
//! a part of every row, and a task would take the whole array:
//!
//! ```text
//! old   ───────       new   │ │ │       pieces   ┼─┼─┼
//!       ───────             │ │ │                ┼─┼─┼
//! ```
//!
//! There the old blocks are first cut into the pieces that belong to one new block each: a task takes as much as it makes,
//! and what waits is pieces. Where these would be too many, the array goes half the way first.

use super::chunking::Bounds;
use super::layers::{Plan, call, sliced};
use super::parts;
use super::token::Token;
use crate::data::slice::Range;
use crate::data::{Array, BlockRef, Chunks, Cost, Task};
use crate::text::Span;
use smallvec::SmallVec;
use std::sync::Arc;

/// The same array in other blocks.
pub fn recut(array: &Array, chunks: Chunks, span: Span) -> Array {
    if chunks == array.chunks {
        return array.clone();
    }
    let (whole, cut) = (array.clone(), chunks.clone());
    let mut made = parts::with_parts(by_stages(array, chunks, span), move |ranges| {
        let cut = parts::cut(&parts::pieces(&cut, ranges));
        Some(recut(&parts::taken(&whole, ranges, span), cut, span))
    });
    if let Some(layer) = Arc::get_mut(&mut made.layer) {
        layer.parts.recut = Some(Arc::new(array.clone()));
    }
    made
}

fn by_stages(array: &Array, chunks: Chunks, span: Span) -> Array {
    let widest = |axis: usize| widest(array.chunks.axis(axis), chunks.axis(axis));
    let (taken, made) = (0..array.ndim()).map(widest).fold((1usize, 1usize), |(taken, made), (old, new)| {
        (taken.saturating_mul(old), made.saturating_mul(new.max(1)))
    });
    let taken_bytes = taken.saturating_mul(array.dtype.size());
    if taken_bytes <= AT_ONCE || taken / made < WIDE {
        return direct(array, chunks, span);
    }
    let both = |axis: usize| common(array.chunks.axis(axis), chunks.axis(axis));
    let pieces = Chunks::new((0..array.ndim()).map(both).collect());
    let blocks = array.chunks.block_count().max(chunks.block_count());
    if pieces.block_count() > blocks.saturating_mul(MOST_PIECES) {
        // Half the way first, by blocks between the two in every axis.
        let between = |axis: usize| between(array.chunks.axis(axis), chunks.axis(axis));
        let half = Chunks::new((0..array.ndim()).map(between).collect());
        if half != chunks && half != array.chunks {
            return recut(&recut(array, half, span), chunks, span);
        }
    }
    direct(&direct(array, pieces, span), chunks, span)
}

/// New blocks are put together straight from the old ones as long as a task takes no more than this, in bytes, or no more
/// than so many times what it makes.
const AT_ONCE: usize = 1 << 20;
const WIDE: usize = 4;
/// Pieces for each block, old or new: beyond it the tasks would cost more than a second pass.
const MOST_PIECES: usize = 64;

/// The most elements of an axis that the old blocks under one new block have, and that block's.
fn widest(old: &[usize], new: &[usize]) -> (usize, usize) {
    let mut ends = Vec::with_capacity(old.len());
    let mut at = 0;
    for len in old {
        ends.push((at, at + len));
        at += len;
    }
    let mut start = 0;
    let mut most = (0, 0);
    for &len in new {
        let end = start + len;
        let first = ends.partition_point(|e| e.1 <= start);
        let last = ends.partition_point(|e| e.0 < end);
        if first < last {
            most = most.max((ends[last - 1].1 - ends[first].0, len));
        }
        start = end;
    }
    most
}

/// Blocks that end wherever one of the two does.
fn common(a: &[usize], b: &[usize]) -> Vec<usize> {
    let ends = |sizes: &[usize]| {
        let mut at = 0;
        sizes
            .iter()
            .map(move |n| {
                at += n;
                at
            })
            .collect::<Vec<usize>>()
    };
    let mut all = ends(a);
    all.extend(ends(b));
    all.sort_unstable();
    all.dedup();
    let mut start = 0;
    let sizes = all.into_iter().filter(|&end| end > 0).map(|end| end - std::mem::replace(&mut start, end));
    let sizes: Vec<usize> = sizes.collect();
    if sizes.is_empty() { vec![0] } else { sizes }
}

/// Blocks as long as the geometric mean of the two.
fn between(a: &[usize], b: &[usize]) -> Vec<usize> {
    let longest = |sizes: &[usize]| sizes.iter().copied().max().unwrap_or(1).max(1);
    let len: usize = a.iter().sum();
    let size = ((longest(a) as f64 * longest(b) as f64).sqrt().round() as usize).clamp(1, len.max(1));
    let (whole, rest) = (len / size, len % size);
    let mut sizes = vec![size; whole];
    if rest > 0 || sizes.is_empty() {
        sizes.push(rest);
    }
    sizes
}

/// Each new block put together from the old ones that it overlaps.
fn direct(array: &Array, chunks: Chunks, span: Span) -> Array {
    if chunks == array.chunks {
        return array.clone();
    }
    let token = Token::new("rechunk").layer(&array.layer).chunks(&chunks);
    let plan = Plan {
        token,
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: chunks.clone(),
        cost: Cost::Cheap,
        span,
    };
    let (old, new) = (Bounds::of(&array.chunks), Bounds::of(&chunks));
    plan.per_block(move |index| {
        let parts: Vec<Vec<(u32, Range)>> = (0..index.len())
            .map(|axis| old.pieces(axis, new.start(axis, index[axis]), new.len(axis, index[axis])))
            .collect();
        let mut refs = Vec::new();
        let task = assemble(&parts, &old, &mut SmallVec::new(), &mut refs);
        (refs, task)
    })
}

/// `(block [[a b] [c d]])` over the pieces along each axis; a lone piece stands for itself.
fn assemble(
    parts: &[Vec<(u32, Range)>],
    old: &Bounds,
    chosen: &mut SmallVec<[(u32, Range); 4]>,
    refs: &mut Vec<BlockRef>,
) -> Task {
    fn nested(
        parts: &[Vec<(u32, Range)>],
        old: &Bounds,
        chosen: &mut SmallVec<[(u32, Range); 4]>,
        refs: &mut Vec<BlockRef>,
    ) -> Task {
        let Some((first, rest)) = parts.split_first() else {
            refs.push(BlockRef { parent: 0, index: chosen.iter().map(|c| c.0).collect() });
            let ranges: Vec<Range> = chosen.iter().map(|c| c.1).collect();
            let block: Vec<usize> = chosen.iter().enumerate().map(|(a, c)| old.len(a, c.0)).collect();
            return sliced(Task::input(refs.len() - 1), &ranges, &block);
        };
        let mut items = Vec::with_capacity(first.len());
        for piece in first {
            chosen.push(*piece);
            items.push(nested(rest, old, chosen, refs));
            chosen.pop();
        }
        Task::list(items)
    }
    let task = nested(parts, old, chosen, refs);
    if parts.iter().all(|p| p.len() == 1) {
        return lone(task, parts.len());
    }
    call("block", vec![task], Vec::new())
}

/// The only leaf of lists nested `depth` deep.
fn lone(task: Task, depth: usize) -> Task {
    (0..depth).fold(task, |t, _| match &t.form {
        crate::data::Form::List(items) => items[0].clone(),
        _ => t.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_where_either_does() {
        assert_eq!(common(&[4, 4], &[3, 3, 2]), [3, 1, 2, 2]);
        assert_eq!(common(&[5], &[5]), [5]);
        assert_eq!(common(&[0], &[0]), [0]);
        assert_eq!(common(&[2, 0, 3], &[5]), [2, 3]);
    }

    #[test]
    fn a_new_block_is_wide_by_the_old_ones_under_it() {
        assert_eq!(widest(&[100], &[10; 10]), (100, 10));
        assert_eq!(widest(&[10; 10], &[100]), (100, 100));
        assert_eq!(widest(&[4, 4, 4], &[3, 6, 3]), (12, 6));
        assert_eq!(widest(&[0], &[0]), (0, 0));
    }

    #[test]
    fn half_the_way_is_the_geometric_mean() {
        assert_eq!(between(&[100], &[1; 100]), [10; 10]);
        assert_eq!(between(&[7], &[2, 2, 2, 1]), [4, 3]);
        assert_eq!(between(&[0], &[0]), [0]);
    }
}
