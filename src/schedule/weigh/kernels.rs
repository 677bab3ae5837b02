//! What kernels take for themselves.

use super::phantom::{Phantom, Sketch, lent};
use crate::data::{DType, Memory, Value, buffer};
use crate::kernel::{gemm, reduce};

/// The most that the tiles of a copy take.
pub(super) const COPY: usize = 4 * 512 * 16;

/// The most that the tiles of one elementwise call, or of a reduction, take.
pub(super) const TILES: usize = 128 << 10;

/// What they take however little there is to do: room for strips.
const LEAST: usize = 32 << 10;

/// Copies of its argument that a kernel makes at most: a factorization has the argument in the right dtype and in a row, a copy that
/// becomes the factors, and these before they are written.
const COPIES: usize = 4;

/// Bytes that a kernel takes besides its arguments and its result.
pub(super) fn scratch(memory: Memory, made: &Phantom, args: &[Sketch]) -> usize {
    fn blocks(args: &[Sketch], all: &mut Vec<Phantom>) {
        args.iter().for_each(|a| match a {
            Sketch::Block(b) => all.push(b.clone()),
            Sketch::List(items) => blocks(items, all),
            // A block that stands in the program.
            Sketch::Value(Value::Block(b)) => all.push(lent(b)),
            _ => {}
        });
    }
    let mut all = Vec::new();
    blocks(args, &mut all);
    let cast = |b: &Phantom| if b.dtype == made.dtype { 0 } else { buffer::capacity(b.elements() * made.dtype.size()) };
    match memory {
        Memory::Product { copies } | Memory::Accumulation { copies } => {
            let [.., x, y] = &all[..] else { return 0 };
            // From the sizes m×k, k×n and m×n, whatever the axes are.
            let (x_len, y_len, out) = (x.elements(), y.elements(), made.elements().max(1));
            let k = ((x_len as f64 * y_len as f64 / out as f64).sqrt().ceil() as usize).max(1);
            // The axes that meet are brought together by a copy where there are several.
            let is_copied = |b: &&&Phantom| b.shape.len() > 2 || copies && !b.contiguous;
            let copied: usize = [x, y].iter().filter(is_copied).map(|b| buffer::capacity(b.nbytes())).sum();
            gemm::scratch_bytes(x_len / k + 1, y_len / k + 1, k, made.dtype) + cast(x) + cast(y) + copied
        }
        Memory::Copies => {
            let matrix = |b: &Phantom| buffer::capacity(b.elements() * b.dtype.to_inexact().size());
            let largest = all.iter().map(matrix).max().unwrap_or(0);
            largest.saturating_mul(COPIES) + COPY
        }
        Memory::Varies => all.iter().map(|b| buffer::capacity(b.nbytes())).sum(),
        Memory::Join => all.iter().map(cast).max().unwrap_or(0) + COPY,
        Memory::Slice => COPY + all.first().map_or(0, |x| by_lists(x, &args[1..])),
        Memory::Reshape => COPY,
        // All parts side by side, and what half of them and the other half make: count, sum and squares, then put together.
        Memory::MergeMoments => {
            let (part, half) = (made.nbytes(), all.len().div_ceil(2));
            let three = 3 * buffer::capacity(part / 3 * half);
            buffer::capacity(part * all.len())
                + buffer::capacity(part * half)
                + three.max(buffer::capacity(part * (half + 1)))
                + TILES
        }
        Memory::Converted if !matches!(made.dtype, DType::I64 | DType::F64) => buffer::capacity(made.elements() * 8),
        Memory::Reduction | Memory::Moments => {
            let gathered = |b: &Phantom| if b.contiguous { 0 } else { reduce::gathered_bytes(b.elements(), b.dtype) };
            tiles(made, &all) + all.iter().map(gathered).sum::<usize>()
        }
        _ => tiles(made, &all),
    }
}

fn tiles(made: &Phantom, all: &[Phantom]) -> usize {
    TILES.min(LEAST + 64 * (made.nbytes() + all.iter().map(|b| b.nbytes()).sum::<usize>()))
}

/// Bytes that lists of indices take besides what they make. They come after the ranges: what those leave is put in a row, twice where
/// lists meet, and each list makes another block.
fn by_lists(x: &Phantom, index: &[Sketch]) -> usize {
    // What the ranges leave of each axis, and how many times as much a list makes of its own.
    let (mut left, mut more, mut lists) = (x.dtype.size(), 1.0, false);
    let mut axes = x.shape.iter();
    for at in index {
        let len = axes.next().copied().unwrap_or(1);
        let listed = match at {
            Sketch::Value(Value::List(items)) => Some(items.len()),
            Sketch::Value(Value::Block(block)) => Some(block.len()),
            Sketch::Block(block) => Some(block.shape.iter().product()),
            _ => None,
        };
        match (at, listed) {
            (_, Some(listed)) => {
                (left, lists) = (left * len, true);
                more *= (listed as f64 / len.max(1) as f64).max(1.0);
            }
            (Sketch::Value(Value::Slice(slice)), None) => left *= slice.resolve(len).map_or(len, |range| range.count),
            (Sketch::Value(Value::Int(_)), None) => {}
            // Something that stands for other numbers of axes: all there is, then.
            _ => left = x.nbytes(),
        }
    }
    let left = axes.fold(left, |left, len| left.saturating_mul(*len)).min(x.nbytes());
    match lists {
        true => 2 * buffer::capacity(left) + buffer::capacity((left as f64 * more) as usize),
        false => 0,
    }
}
