//! Where the least and the greatest elements are.
//!
//! The answer about a part of an array is a block of int64: how the best element ranks ([`super::rank`]; two rows for complex
//! numbers), then its place in the whole array. Such answers merge: the better rank wins, of equals the first place.

use super::layout::concatenate;
use super::rank::Ranked;
use super::reduce::fold::stay_in_rows;
use crate::data::slice::Range;
use crate::data::{Block, DType, Dims, cancel};
use crate::err;
use crate::text::Result;
use crate::with_dtype;
use multiversion::multiversion;

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extreme {
    /// The least, not the greatest.
    pub least: bool,
    /// `nan` is passed over; else it is what is found.
    pub skip_nan: bool,
}

/// Where a block lies in the array, along the axes that are looked through.
pub struct Place<'a> {
    /// The axis, or all of them for `None`.
    pub axis: Option<usize>,
    /// Index of the block's first element along each of the axes looked through.
    pub starts: &'a [usize],
    /// Sizes of these axes in the whole array.
    pub shape: &'a [usize],
}

/// Rows that tell how an element of that dtype ranks.
pub fn rows(dtype: DType) -> usize {
    if dtype.is_complex() { 2 } else { 1 }
}

/// A rank as the numbers of its rows.
trait Rows: Ord + Copy {
    fn numbers(self) -> [i64; 2];
}

impl Rows for i64 {
    fn numbers(self) -> [i64; 2] {
        [self, 0]
    }
}

impl Rows for (i64, i64) {
    fn numbers(self) -> [i64; 2] {
        [self.0, self.1]
    }
}

/// Elements that are compared at once before anybody asks where the best of them is.
const TILE: usize = 1024;

/// The best elements of a block, of shape `[rows + 1, …]` with the axes looked through at size 1. -1 is the place of what is not
/// there.
pub fn best(extreme: Extreme, block: &Block, place: &Place) -> Result<Block> {
    let shape = block.shape();
    let (outer, len, inner): (usize, usize, usize) = match place.axis {
        Some(axis) => (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()),
        None => (1, block.len(), 1),
    };
    let looked_through = |axis: usize| place.axis.is_none_or(|a| a == axis);
    let kept = (0..shape.len()).map(|axis| if looked_through(axis) { 1 } else { shape[axis] });
    let ranks = rows(block.dtype());
    let out: Dims = std::iter::once(ranks + 1).chain(kept).collect();
    let mut answer = Block::alloc(DType::I64, &out);
    if block.is_empty() {
        answer.as_mut_slice::<i64>().fill(-1);
        return Ok(answer);
    }
    let source = block.contiguous();
    let lanes = outer * inner;
    let local: Dims = match place.axis {
        Some(axis) => Dims::from_slice(&[shape[axis]]),
        None => Dims::from_slice(shape),
    };
    let global = |mut at: usize| {
        let (mut index, mut stride) = (0, 1);
        for axis in (0..local.len()).rev() {
            index += (place.starts[axis] + at % local[axis]) * stride;
            stride *= place.shape[axis];
            at /= local[axis];
        }
        index as i64
    };
    with_dtype!(block.dtype(), T => {
        let elements = source.as_slice::<T>().unwrap_or_default();
        let Extreme { least, skip_nan } = extreme;
        let found = match (least, skip_nan) {
            (false, false) => look(elements, len, inner, |x: T| x.rank()),
            (true, false) => look(elements, len, inner, |x: T| x.opposite()),
            (false, true) => look(elements, len, inner, |x: T| if Ranked::is_nan(x) { T::FIRST } else { x.rank() }),
            (true, true) => look(elements, len, inner, |x: T| if Ranked::is_nan(x) { T::FIRST } else { x.opposite() }),
        };
        let answer = answer.as_mut_slice::<i64>();
        for (lane, (rank, at)) in found.into_iter().enumerate() {
            let [first, second] = rank.numbers();
            answer[lane] = first;
            if ranks == 2 {
                answer[lanes + lane] = second;
            }
            let element = elements[(lane / inner * len + at) * inner + lane % inner];
            let missing = skip_nan && Ranked::is_nan(element);
            answer[ranks * lanes + lane] = if missing { -1 } else { global(at) };
        }
    });
    cancel::check()?;
    Ok(answer)
}

/// As [`best`] along an axis, with places from the block's own beginning, and a last row that tells how long the block is there: what
/// merges where nobody knows how long the blocks before are.
pub fn best_and_length(extreme: Extreme, block: &Block, axis: usize) -> Result<Block> {
    let len = block.shape()[axis];
    let found = best(extreme, block, &Place { axis: Some(axis), starts: &[0], shape: &[len] })?;
    let mut one = Dims::from_slice(found.shape());
    one[0] = 1;
    let mut lengths = Block::alloc(DType::I64, &one);
    lengths.as_mut_slice::<i64>().fill(len as i64);
    concatenate(&[found, lengths], 0)
}

/// The first of several parts that are alike, and how many rows each has, which are so many at least.
fn parts_alike<'a>(parts: &'a [Block], least: usize, what: &str) -> Result<(&'a Block, usize)> {
    let Some(first) = parts.first() else { return Err(err!(Value, "there is nothing to merge")) };
    let rows = first.shape().first().copied().unwrap_or(0);
    let alike = |part: &Block| part.dtype() == DType::I64 && part.shape() == first.shape();
    if rows < least || !parts.iter().all(alike) {
        return Err(err!(Shape, "these are not {what} of one array"));
    }
    Ok((first, rows))
}

/// One answer out of several with lengths, about parts that lie one behind the other.
pub fn merge_in_turn(parts: &[Block]) -> Result<Block> {
    let (first, rows) = parts_alike(parts, 3, "places of extremes, with lengths, in parts")?;
    let lanes = first.len() / rows;
    let mut one = Dims::from_slice(first.shape());
    one[0] = 1;
    let mut lengths = Block::zeros(DType::I64, &one);
    let before = lengths.as_mut_slice::<i64>();
    let mut moved = Vec::with_capacity(parts.len());
    for part in parts {
        let mut part = part.copied();
        let numbers = part.as_mut_slice::<i64>();
        for (lane, before) in before.iter_mut().enumerate() {
            let (place, len) = (numbers[(rows - 2) * lanes + lane], numbers[(rows - 1) * lanes + lane]);
            if place >= 0 {
                numbers[(rows - 2) * lanes + lane] = place.wrapping_add(*before);
            }
            *before = before.wrapping_add(len);
        }
        moved.push(part.slice_axis(0, Range { start: 0, step: 1, count: rows - 1 }));
    }
    concatenate(&[merge(&moved)?, lengths], 0)
}

/// For each lane its best rank, and the first place along it that has it. Lanes lie `inner` side by side.
fn look<T: Copy, R: Ord + Copy>(
    elements: &[T],
    len: usize,
    inner: usize,
    rank: impl Fn(T) -> R + Copy,
) -> Vec<(R, usize)> {
    let mut found = Vec::with_capacity(elements.len() / len);
    let (mut ranks, mut places) = (Vec::with_capacity(inner), vec![0; inner]);
    for lanes in elements.chunks_exact(len * inner) {
        if cancel::cancelled() {
            return Vec::new();
        }
        if inner > 1 {
            ranks.clear();
            ranks.extend(lanes[..inner].iter().map(|&x| rank(x)));
            places.fill(0);
            for (at, row) in lanes.chunks_exact(inner).enumerate().skip(1) {
                keep_better(&mut ranks, &mut places, row, at, rank);
            }
            found.extend(ranks.iter().copied().zip(places.iter().copied()));
            continue;
        }
        let mut best = (rank(lanes[0]), 0);
        for (n, tile) in lanes.chunks(TILE).enumerate() {
            let most = greatest(tile, best.0, rank);
            if most > best.0
                && let Some(at) = first_of(tile, most, rank)
            {
                best = (most, n * TILE + at);
            }
        }
        found.push(best);
    }
    found
}

/// Puts the elements of a row, which are at place `at`, where they are better than what was found before.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn keep_better<T: Copy, R: Ord + Copy>(
    ranks: &mut [R],
    places: &mut [usize],
    row: &[T],
    at: usize,
    rank: impl Fn(T) -> R + Copy,
) {
    for ((best, place), &x) in ranks.iter_mut().zip(places).zip(row) {
        let rank = rank(x);
        let better = rank > *best;
        *best = if better { rank } else { *best };
        *place = if better { at } else { *place };
    }
}

/// The greatest rank of the elements, or `least` if that is.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn greatest<T: Copy, R: Ord + Copy>(elements: &[T], least: R, rank: impl Fn(T) -> R + Copy) -> R {
    const LANES: usize = 32;
    let (chunks, rest) = elements.as_chunks::<LANES>();
    let mut lanes = [least; LANES];
    for chunk in chunks {
        stay_in_rows();
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            let rank = rank(x);
            *lane = if rank > *lane { rank } else { *lane };
        }
    }
    lanes.into_iter().chain(rest.iter().map(|&x| rank(x))).fold(least, Ord::max)
}

/// Where the first element of that rank is.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn first_of<T: Copy, R: Ord + Copy>(elements: &[T], wanted: R, rank: impl Fn(T) -> R + Copy) -> Option<usize> {
    const RUN: usize = 64;
    for (n, run) in elements.chunks(RUN).enumerate() {
        if run.iter().fold(false, |any, &x| any | (rank(x) == wanted)) {
            return run.iter().position(|&x| rank(x) == wanted).map(|at| n * RUN + at);
        }
    }
    None
}

/// One answer out of several about parts of the same lanes.
pub fn merge(parts: &[Block]) -> Result<Block> {
    let (first, rows) = parts_alike(parts, 2, "places of extremes in parts")?;
    let mut best = first.copied();
    let lanes = best.len() / rows;
    let into = best.as_mut_slice::<i64>();
    for part in &parts[1..] {
        let part = part.contiguous();
        let part = part.as_slice::<i64>().unwrap_or_default();
        for lane in 0..lanes {
            let row = |block: &[i64], row: usize| block[row * lanes + lane];
            let (place, other) = (row(into, rows - 1), row(part, rows - 1));
            let ranks = (0..rows - 1).map(|n| row(part, n).cmp(&row(into, n)));
            let better = ranks.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then);
            if other >= 0 && (place < 0 || better.then(place.cmp(&other)).is_gt()) {
                (0..rows).for_each(|n| into[n * lanes + lane] = row(part, n));
            }
        }
    }
    Ok(best)
}

/// The places that an answer tells.
///
/// # Errors
/// `dsk::value` where there is none.
pub fn places(answer: &Block) -> Result<Block> {
    let rows = answer.shape().first().copied().unwrap_or(0);
    if answer.dtype() != DType::I64 || rows < 2 {
        return Err(err!(Shape, "these are not places of extremes"));
    }
    // In memory of its own: a view would keep the ranks, too.
    let places = answer.take_axis(0, rows - 1).copied();
    if places.as_slice::<i64>().is_some_and(|places| places.iter().any(|&at| at < 0)) {
        return Err(err!(Value, "there is nothing, or nothing but nans, to find it among"));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(extreme: Extreme, block: &Block, axis: Option<usize>) -> Result<Vec<i64>> {
        let shape: Vec<usize> = axis.map_or_else(|| block.shape().to_vec(), |a| vec![block.shape()[a]]);
        let starts = vec![0; shape.len()];
        let answer = best(extreme, block, &Place { axis, starts: &starts, shape: &shape })?;
        Ok(places(&answer)?.as_slice::<i64>().unwrap().to_vec())
    }

    #[test]
    fn the_first_of_the_best_is_found() {
        let (greatest, least) = (Extreme { least: false, skip_nan: false }, Extreme { least: true, skip_nan: false });
        let block = Block::from_slice(&[2, 3], &[1.0, 3.0, 3.0, f64::NAN, -0.0, 0.0]);
        assert_eq!(found(greatest, &block, None).unwrap(), [3]);
        assert_eq!(found(greatest, &block, Some(1)).unwrap(), [1, 0]);
        assert_eq!(found(least, &block, Some(0)).unwrap(), [1, 1, 1]);
        let skipping = Extreme { skip_nan: true, ..least };
        assert_eq!(found(skipping, &block, Some(1)).unwrap(), [0, 1]);
        let nothing = Block::from_slice(&[1], &[f32::NAN]);
        assert_eq!(found(skipping, &nothing, None).unwrap_err().code().as_str(), "dsk::value");
        let long: Vec<i32> = (0..5000).map(|n| if n == 4321 || n == 4500 { 9 } else { n % 7 }).collect();
        assert_eq!(found(greatest, &Block::from_slice(&[5000], &long), None).unwrap(), [4321]);
    }

    #[test]
    fn parts_in_turn_are_counted_from_the_first() {
        let greatest = Extreme { least: false, skip_nan: false };
        let parts: Vec<Block> = [&[1.0, 3.0][..], &[], &[3.0, 4.0, 4.0], &[2.0]]
            .map(|part| best_and_length(greatest, &Block::from_slice(&[part.len()], part), 0).unwrap())
            .to_vec();
        let merged =
            merge_in_turn(&[merge_in_turn(&parts[..2]).unwrap(), merge_in_turn(&parts[2..]).unwrap()]).unwrap();
        assert_eq!(merged.as_slice::<i64>().unwrap()[1..], [3, 6]);
        assert_eq!(merge_in_turn(&parts[1..2]).unwrap().as_slice::<i64>().unwrap()[1..], [-1, 0]);
    }

    #[test]
    fn parts_merge_to_the_first_of_the_best() {
        let parts = [[5, 40], [7, 30], [7, 20], [i64::MAX, -1]].map(|part: [i64; 2]| Block::from_slice(&[2, 1], &part));
        assert_eq!(merge(&parts).unwrap().as_slice::<i64>().unwrap(), [7, 20]);
    }
}
