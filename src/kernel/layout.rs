//! Moving elements: concatenation, assembly of blocks, copies between layouts, selection.

use super::fused::{Expr, Program, Region};
use crate::data::block::row_major;
use crate::data::{Block, Chunks, DType, Dims};
use crate::err;
use crate::text::{Result, counted, shape as shown};
use crate::with_dtype;

/// The shape arrays of these shapes broadcast to; `dsk::shape` where they do not.
pub fn broadcast_shapes(shapes: &[&[usize]]) -> Result<Dims> {
    let ndim = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = Dims::from_elem(1, ndim);
    for shape in shapes {
        for (to, &n) in out[ndim - shape.len()..].iter_mut().zip(*shape) {
            match (*to, n) {
                (a, b) if a == b => {}
                (1, n) => *to = n,
                (_, 1) => {}
                (a, b) => {
                    let all: Vec<String> = shapes.iter().map(|s| shown(s)).collect();
                    return Err(err!(Shape, "the shapes {} do not broadcast: {a} meets {b}", all.join(" and "))
                        .help("axes meet from the last one on: equal lengths fit, and a length of 1 stretches"));
                }
            }
        }
    }
    Ok(out)
}

/// The program that moves elements and does nothing else.
fn identity(dtype: DType) -> Program {
    Program::new(&[dtype], &Expr::Input(0)).expect("an input compiles")
}

/// Copies `source` into the region of `target` that begins at `origin`; dtypes must be the same.
///
/// # Panics
/// When `target` is shared or not contiguous, or the region lies outside.
pub fn copy_into(target: &mut Block, origin: &[usize], source: &Block) {
    assert_eq!(target.dtype(), source.dtype(), "copies keep the dtype");
    let inside = |axis: usize| origin[axis] + source.shape()[axis] <= target.shape()[axis];
    assert!(target.ndim() == source.ndim() && origin.len() == target.ndim() && (0..origin.len()).all(inside));
    if source.is_empty() {
        return;
    }
    let size = source.dtype().size();
    let strides: Vec<isize> = row_major(target.shape()).iter().map(|s| s * size as isize).collect();
    let offset: isize = origin.iter().zip(&strides).map(|(&at, s)| at as isize * s).sum();
    let start = target.as_mut_bytes().as_mut_ptr().wrapping_offset(offset);
    let whole = source.len() * size;
    let region = Region { start, strides, shape: source.shape().into(), whole };
    // SAFETY: the region lies inside of `target`, which is borrowed mutably and not shared, so `source` is elsewhere.
    let run = unsafe { identity(source.dtype()).run_into(&region, std::slice::from_ref(source)) };
    debug_assert!(run.is_ok(), "copying computes nothing");
}

/// Blocks one after the other along an axis; dtypes promote. Shapes must agree on the other axes (`dsk::shape`).
pub fn concatenate(blocks: &[Block], axis: usize) -> Result<Block> {
    let Some(first) = blocks.first() else {
        return Err(err!(Value, "there is nothing to concatenate"));
    };
    if axis >= first.ndim() {
        return Err(err!(Axis, "axis {axis} is out of bounds for an array of {} dimensions", first.ndim()));
    }
    let dtype = DType::promote_all(blocks.iter().map(Block::dtype)).unwrap_or(first.dtype());
    let mut shape = Dims::from_slice(first.shape());
    shape[axis] = 0;
    for block in blocks {
        let fits =
            block.ndim() == shape.len() && (0..shape.len()).all(|a| a == axis || block.shape()[a] == first.shape()[a]);
        if !fits {
            let (one, other) = (shown(first.shape()), shown(block.shape()));
            return Err(err!(Shape, "shapes {one} and {other} differ on another axis than {axis}"));
        }
        shape[axis] += block.shape()[axis];
    }
    let mut out = Block::for_answer(dtype, &shape)?;
    let mut origin = Dims::from_elem(0, shape.len());
    for block in blocks {
        copy_into(&mut out, &origin, &block.cast(dtype)?);
        origin[axis] += block.shape()[axis];
    }
    Ok(out)
}

/// The array that blocks, in row-major order of their grid, are the pieces of. Blocks of other shapes than `chunks` says are
/// `dsk::shape`.
pub fn assemble(dtype: DType, chunks: &Chunks, blocks: &[Block]) -> Result<Block> {
    let grid = chunks.grid();
    if blocks.len() != chunks.block_count() {
        return Err(err!(Shape, "{} blocks do not fill a grid of {}", blocks.len(), chunks.block_count()));
    }
    if let [block] = blocks
        && block.dtype() == dtype
        && block.shape() == chunks.shape().as_slice()
    {
        return Ok(block.contiguous());
    }
    let bounds: Vec<Vec<usize>> = (0..chunks.ndim()).map(|axis| chunks.bounds(axis)).collect();
    let mut out = Block::for_answer(dtype, &chunks.shape())?;
    for (n, block) in blocks.iter().enumerate() {
        let (mut left, mut origin) = (n, Dims::from_elem(0, grid.len()));
        let mut expected = origin.clone();
        for axis in (0..grid.len()).rev() {
            let at = left % grid[axis];
            left /= grid[axis];
            origin[axis] = bounds[axis][at];
            expected[axis] = bounds[axis][at + 1] - bounds[axis][at];
        }
        if block.shape() != expected.as_slice() {
            return Err(err!(
                Shape,
                "a block has shape {} where {} was declared",
                shown(block.shape()),
                shown(&expected)
            ));
        }
        copy_into(&mut out, &origin, &block.cast(dtype)?);
    }
    Ok(out)
}

/// An index into an axis of `len`, counted from the end where negative.
fn resolve(index: i64, len: usize, axis: usize) -> Result<usize> {
    let at = if index < 0 { index.checked_add_unsigned(len as u64) } else { Some(index) };
    at.and_then(|at| usize::try_from(at).ok())
        .filter(|&at| at < len)
        .ok_or_else(|| err!(Index, "index {index} is out of bounds for axis {axis} of length {len}"))
}

/// The elements at `indices` along an axis; negative ones count from the end. `dsk::index` where out of range.
pub fn take(block: &Block, axis: usize, indices: &[i64]) -> Result<Block> {
    let len = block.shape()[axis];
    let at: Vec<usize> = indices.iter().map(|&i| resolve(i, len, axis)).collect::<Result<_>>()?;
    let mut shape = Dims::from_slice(block.shape());
    shape[axis] = at.len();
    let mut out = Block::for_answer(block.dtype(), &shape)?;
    if out.is_empty() {
        return Ok(out);
    }
    let source = block.contiguous();
    let inner = source.shape()[axis + 1..].iter().product::<usize>() * source.dtype().size();
    let outer: usize = source.shape()[..axis].iter().product();
    let from = source.as_bytes().unwrap_or_default();
    let to = out.as_mut_bytes();
    let mut rows = to.chunks_exact_mut(inner);
    for o in 0..outer {
        for (&i, row) in at.iter().zip(&mut rows) {
            let start = (o * len + i) * inner;
            row.copy_from_slice(&from[start..start + inner]);
        }
    }
    Ok(out)
}

/// Positions, in row-major order, where a mask holds.
fn positions(mask: &Block) -> Vec<usize> {
    let mask = mask.contiguous();
    let mask = mask.as_slice::<bool>().unwrap_or_default();
    mask.iter().enumerate().filter(|(_, m)| **m).map(|(i, _)| i).collect()
}

/// The elements where `mask` (bool, over the leading axes of `block`) holds: shape `[count, rest…]`.
pub fn select(block: &Block, mask: &Block) -> Result<Block> {
    if mask.dtype() != DType::Bool {
        return Err(err!(Type, "a mask is an array of bool, not of {}", mask.dtype()));
    }
    let axes = mask.ndim();
    if block.shape().get(..axes) != Some(mask.shape()) {
        return Err(err!(
            Index,
            "a mask of shape {} does not fit an array of shape {}",
            shown(mask.shape()),
            shown(block.shape())
        ));
    }
    let mut shape = Dims::from_slice(&[mask.len()]);
    shape.extend_from_slice(&block.shape()[axes..]);
    let rows: Vec<i64> = positions(mask).into_iter().map(|i| i as i64).collect();
    take(&block.reshape(&shape), 0, &rows)
}

/// NumPy's integer indexing of the leading axes: index blocks broadcast to one shape, which takes the place of as many
/// leading axes as there are index blocks.
pub fn gather(block: &Block, indices: &[Block]) -> Result<Block> {
    let axes = indices.len();
    if axes > block.ndim() {
        return Err(err!(
            Index,
            "{} for an array of {}",
            counted(axes, "index", "indices"),
            counted(block.ndim(), "axis", "axes")
        ));
    }
    let shapes: Vec<&[usize]> = indices.iter().map(Block::shape).collect();
    let shape = broadcast_shapes(&shapes)?;
    let mut flat = vec![0i64; shape.iter().product()];
    for (axis, index) in indices.iter().enumerate() {
        if !index.dtype().is_integer() {
            return Err(err!(Type, "an index array holds integers, not {}", index.dtype()));
        }
        let len = block.shape()[axis];
        let index = index.cast(DType::I64)?;
        let index = index.broadcast_to(&shape).unwrap_or(index);
        for (flat, &i) in flat.iter_mut().zip(index.view::<i64>().iter()) {
            *flat = *flat * len as i64 + resolve(i, len, axis)? as i64;
        }
    }
    let mut rows = Dims::from_slice(&[block.shape()[..axes].iter().product()]);
    rows.extend_from_slice(&block.shape()[axes..]);
    let mut out = Dims::from_slice(&shape);
    out.extend_from_slice(&block.shape()[axes..]);
    Ok(take(&block.reshape(&rows), 0, &flat)?.reshape(&out))
}

/// For each place the element at the index there along an axis: `indices` has the block's sizes along the other axes.
pub fn take_along(block: &Block, indices: &Block, axis: usize) -> Result<Block> {
    let ndim = block.ndim();
    let lists: Vec<Block> = (0..ndim)
        .map(|a| {
            if a == axis {
                return indices.clone();
            }
            let mut shape = Dims::from_elem(1, ndim);
            shape[a] = block.shape()[a];
            let places: Vec<i64> = (0..block.shape()[a] as i64).collect();
            Block::from_slice(&shape, &places)
        })
        .collect();
    gather(block, &lists)
}

/// Where a mask (or anything: not zero) holds, as one list of indices per axis.
pub fn nonzero(block: &Block) -> Result<Vec<Block>> {
    let mask = block.cast(DType::Bool)?;
    let at = positions(&mask);
    let mut out = Vec::new();
    for axis in 0..block.ndim() {
        let inner: usize = block.shape()[axis + 1..].iter().product();
        let index: Vec<i64> = at.iter().map(|p| (p / inner % block.shape()[axis]) as i64).collect();
        out.push(Block::from_slice(&[index.len()], &index));
    }
    Ok(out)
}

/// `block` with the region that `index` selects replaced: what `assoc` on arrays does with slices. `region` gives, per axis,
/// start, step and count; `value` must have the region's shape and the block's dtype.
pub fn replace(mut block: Block, region: &[crate::data::slice::Range], value: &Block) -> Block {
    if !block.is_unshared() {
        let mut copy = Block::alloc(block.dtype(), block.shape());
        copy_into(&mut copy, &Dims::from_elem(0, block.ndim()), &block);
        block = copy;
    }
    assert!(region.iter().map(|r| r.count).eq(value.shape().iter().copied()), "the value fits the region");
    with_dtype!(block.dtype(), T => {
        let strides = row_major(block.shape());
        let elements = block.as_mut_slice::<T>();
        let source = value.view::<T>();
        for (index, &x) in source.indexed_iter() {
            let at = |axis: usize| region[axis].start as isize + index[axis] as isize * region[axis].step;
            let offset: isize = (0..region.len()).map(|axis| at(axis) * strides[axis]).sum();
            elements[offset as usize] = x;
        }
    });
    block
}
