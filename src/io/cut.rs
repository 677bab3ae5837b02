//! The shape of a new dataset's storage chunks: pieces of about a mebibyte, none of them in two blocks.

use crate::data::{Chunks, Dims};
use crate::err;
use crate::text::Result;

/// Storage chunks are about this large: enough for one call, small enough to read parts.
const CHUNK_BYTES: usize = 1 << 20;
/// Arrays up to this size are not worth cutting.
const SMALL: usize = 64 << 10;
/// Below this, chunks cost more to find than to read.
const LEAST_CHUNK: usize = 4096;
/// As many chunks as are always welcome. Every one takes memory as long as the dataset is written or read, in the library and
/// here: of more chunks than these none is smaller than what is not worth cutting.
const MANY: usize = 1 << 16;
/// HDF5's own limit is 4 GiB, and there is no use for larger ones elsewhere.
const MOST_CHUNK: usize = u32::MAX as usize;

/// The shape of the storage chunks, the one that is `given` or one that fits the blocks; `None` for one piece. Elements take `size`
/// bytes. If `shared`, blocks may share chunks, and arrays that are large come in chunks whatever their blocks.
///
/// # Errors
/// `dsk::value` for `:storage-chunks` that do not fit the array.
pub fn cut(chunks: &Chunks, size: usize, given: Option<&Dims>, shared: bool) -> Result<Option<Dims>> {
    let shape = chunks.shape();
    let bytes = shape.iter().product::<usize>() * size;
    if let Some(dims) = given {
        if dims.len() != shape.len() {
            let (given, axes) = (dims.len(), shape.len());
            return Err(err!(Value, "`:storage-chunks` has a size for each axis: {axes} here, found {given}"));
        }
        if let Some(axis) = (0..dims.len()).find(|&a| dims[a] == 0 || dims[a] > shape[a].max(1)) {
            let (size, n) = (dims[axis], shape[axis]);
            return Err(err!(Value, "`:storage-chunks` has a size of {size} for axis {axis}, which has {n} elements")
                .help("sizes are from 1 to the length of the axis"));
        }
        let dims = dims.clone();
        if dims.iter().product::<usize>().saturating_mul(size) > MOST_CHUNK {
            return Err(err!(Value, "a storage chunk takes 4 GiB at most"));
        }
        return Ok((!shape.is_empty() && bytes > 0).then_some(dims));
    }
    if shape.is_empty() || bytes == 0 || (bytes <= SMALL && !shared) {
        return Ok(None);
    }
    let axes: Vec<Axis> = (0..shape.len()).map(|a| Axis::of(chunks.axis(a), shape[a])).collect();
    let dims = divide(axes.iter().map(|a| (a.unit, a.free)).collect(), size);
    let product = dims.iter().product::<usize>() * size;
    let least = (bytes / MANY).clamp(LEAST_CHUNK, SMALL);
    if (least..=MOST_CHUNK).contains(&product) || product == bytes {
        return Ok(Some(dims));
    }
    // Ragged blocks have no common chunks worth having. In one piece any block can be written.
    if !shared {
        return Ok(None);
    }
    let largest = (0..shape.len()).map(|a| chunks.axis(a).iter().copied().max().unwrap_or(1).max(1));
    Ok(Some(divide(largest.map(|n| (n, true)).collect(), size)))
}

/// What an axis of chunks must divide so that no chunk is in two blocks.
struct Axis {
    unit: usize,
    /// Any size will do: there is one block.
    free: bool,
}

impl Axis {
    fn of(blocks: &[usize], len: usize) -> Axis {
        let mut at = 0;
        let mut unit = 0;
        for n in blocks {
            at += n;
            if at > 0 && at < len {
                unit = gcd(unit, at);
            }
        }
        if unit == 0 { Axis { unit: len, free: true } } else { Axis { unit, free: false } }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Divides the longest axes until a chunk is small enough; axes that are not free stay divisors of what they were.
fn divide(mut axes: Vec<(usize, bool)>, size: usize) -> Dims {
    let product = |axes: &[(usize, bool)]| axes.iter().fold(size, |n, a| n.saturating_mul(a.0));
    let mut done = vec![false; axes.len()];
    while product(&axes) > CHUNK_BYTES {
        // Of equally long ones the first: rows stay long.
        let open = (0..axes.len()).rev().filter(|&a| !done[a] && axes[a].0 > 1);
        let Some(axis) = open.max_by_key(|&a| axes[a].0) else { break };
        let (n, free) = axes[axis];
        let divisor = if free { Some(2) } else { (2..=17).find(|d| n % d == 0) };
        match divisor {
            Some(d) => axes[axis].0 = n.div_ceil(d),
            None => done[axis] = true,
        }
    }
    axes.into_iter().map(|a| a.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(blocks: &[&[usize]], shared: bool) -> Option<Vec<usize>> {
        let chunks = Chunks::new(blocks.iter().map(|b| b.to_vec()).collect());
        cut(&chunks, 8, None, shared).unwrap().map(|d| d.to_vec())
    }

    #[test]
    fn storage_chunks_divide_the_blocks_and_are_about_a_mebibyte() {
        assert_eq!(cut_of(&[&[1000; 4][..]; 2], false), Some(vec![250, 500]));
        assert_eq!(cut_of(&[&[1000, 1000, 37], &[500, 500]], false), Some(vec![250, 500]));
        // One block: any size will do.
        assert_eq!(cut_of(&[&[3001], &[1009]], false), Some(vec![376, 253]));
        // Too small to cut, no elements, no axes.
        assert_eq!(cut_of(&[&[10, 10]], false), None);
        assert_eq!(cut_of(&[&[0]], false), None);
        assert_eq!(cut_of(&[], true), None);
        assert_eq!(cut_of(&[&[10, 10]], true), Some(vec![10]));
        // Ragged: one piece, or shared chunks where they are compressed.
        assert_eq!(cut_of(&[&[1000, 999, 7001][..]; 2], false), None);
        assert_eq!(cut_of(&[&[1000, 999, 7001][..]; 2], true), Some(vec![219, 438]));
        // Rows that are no multiple of another: chunks of one row each, if these are not too many.
        assert_eq!(cut_of(&[&[619, 1, 619], &[620; 2]], false), Some(vec![1, 620]));
        assert_eq!(cut_of(&[&[619, 1].repeat(20), &[620; 20]], false), None);
    }
}
