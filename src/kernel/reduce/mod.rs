//! Reductions of one block over some of its axes. Reduced axes stay, with size 1; callers drop them.
//!
//! A reduction reads its block once, by index and not by address, tile by tile. Each tile is folded to a vector
//! of partial results, and these are merged in pairs, as the digits of a binary counter are carried: a sum of n floats is
//! off by O(log n) roundings, as NumPy's pairwise sums are (Higham, "The accuracy of floating point summation", 1993). On
//! top of an elementwise expression nothing is written in between.

pub(super) mod fold;
mod moments;
mod runs;

pub use moments::{mean, merge_moments, var};

use super::elementwise::Binary;
use super::fused::{Expr, Machine, Nest, Program, STREAMS, Target, copy_tile};
use super::layout::broadcast_shapes;
use super::order::RUN;
use crate::data::block::row_major;
use crate::data::{Block, Buffer, DType, Dims, Kind, Value, buffer, cancel};
use crate::err;
use crate::text::Result;
use fold::{Accumulate, Tile};
use runs::{MOST_AHEAD, Runs};

/// Reductions whose partial results merge by the operation itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reduce {
    Sum,
    Prod,
    Min,
    Max,
    Any,
    All,
}

impl Reduce {
    pub const ALL: &'static [Reduce] = &[Reduce::Sum, Reduce::Prod, Reduce::Min, Reduce::Max, Reduce::Any, Reduce::All];

    pub fn name(self) -> &'static str {
        match self {
            Reduce::Sum => "sum",
            Reduce::Prod => "prod",
            Reduce::Min => "min",
            Reduce::Max => "max",
            Reduce::Any => "any",
            Reduce::All => "all",
        }
    }

    /// The dtype of the result: sums and products of bool and small integers are int64 or uint64.
    pub fn dtype(self, dtype: DType) -> DType {
        match self {
            Reduce::Sum | Reduce::Prod => match dtype.kind() {
                Kind::Bool | Kind::Int => DType::I64,
                Kind::UInt => DType::U64,
                _ => dtype,
            },
            Reduce::Min | Reduce::Max => dtype,
            Reduce::Any | Reduce::All => DType::Bool,
        }
    }

    /// The elementwise operation that merges two partial results.
    pub fn merge(self) -> Binary {
        match self {
            Reduce::Sum => Binary::Add,
            Reduce::Prod => Binary::Multiply,
            Reduce::Min => Binary::Minimum,
            Reduce::Max => Binary::Maximum,
            Reduce::Any => Binary::LogicalOr,
            Reduce::All => Binary::LogicalAnd,
        }
    }

    /// The result of reducing nothing.
    fn identity(self, dtype: DType, shape: &[usize]) -> Result<Block> {
        let fill = |n| super::create::fill(dtype, shape, &Value::Int(n));
        match self {
            Reduce::Sum | Reduce::Any => fill(0),
            Reduce::Prod | Reduce::All => fill(1),
            Reduce::Min | Reduce::Max => {
                Err(err!(Value, "`{}` of a zero-size array: it has no least or greatest element", self.name()))
            }
        }
    }
}

/// What a reduction makes of the elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fold {
    Op(Reduce),
    /// Count, sum and sum of squared distances from the mean.
    Moments,
}

/// A reduction of an elementwise expression, compiled: one pass over its inputs.
#[derive(Clone, Debug)]
pub struct Reduction {
    program: Program,
    fold: Fold,
}

/// Reduces over `axes`; the result has size 1 there. `dtype` is what sums and products are computed in, if not
/// [`Reduce::dtype`]. Sums of floats are pairwise. `min` and `max` of nothing are `dsk::value`; `nan` wins in both.
pub fn reduce(op: Reduce, block: &Block, axes: &[usize], dtype: Option<DType>) -> Result<Block> {
    Reduction::new(op, &[block.dtype()], Expr::Input(0), dtype)?.run(std::slice::from_ref(block), axes)
}

/// Count, sum, and sum of squared distances from the mean (M2) over `axes`: a block of shape `[3, …]` with the axes at
/// size 1, float64 or complex128 (the sum of complex data is complex; its M2 is real).
pub fn moments(block: &Block, axes: &[usize]) -> Result<Block> {
    Reduction::moments(&[block.dtype()], Expr::Input(0))?.run(std::slice::from_ref(block), axes)
}

/// Elements of a tile, at most.
const TILE: usize = 4096;
/// The same of what is computed first: it stays in the first cache until it is reduced.
const COMPUTED: usize = 1024;
/// Bytes of a tile whose rows are reduced to one: what is done once for each column and tile is worth some rows.
const TALL_BYTES: usize = 64 << 10;
/// Elements of a tile that an expression is computed by.
const STEP: usize = 512;

/// Bytes that a reduction takes, at most, to bring the elements of a block in order that do not lie in it.
pub fn gathered_bytes(elements: usize, dtype: DType) -> usize {
    buffer::capacity(elements.min(MOST_AHEAD * TILE) * dtype.size())
}

impl Reduction {
    /// Reduces the result of `expr` over inputs of these dtypes.
    pub fn new(op: Reduce, inputs: &[DType], expr: Expr, dtype: Option<DType>) -> Result<Self> {
        let plain = Program::new(inputs, &expr)?;
        let compute = match (op, dtype) {
            (Reduce::Sum | Reduce::Prod, Some(dtype)) => dtype,
            _ => op.dtype(plain.dtype()),
        };
        let program = if compute == plain.dtype() { plain } else { Program::new(inputs, &Expr::cast(compute, expr))? };
        Ok(Reduction { program, fold: Fold::Op(op) })
    }

    /// As [`moments`], of the result of `expr`.
    pub fn moments(inputs: &[DType], expr: Expr) -> Result<Self> {
        let dtype = Program::new(inputs, &expr)?.dtype();
        let wide = if dtype.is_complex() { DType::C128 } else { DType::F64 };
        Ok(Reduction { program: Program::new(inputs, &Expr::cast(wide, expr))?, fold: Fold::Moments })
    }

    pub fn dtype(&self) -> DType {
        self.program.dtype()
    }

    /// Bytes that a run over so many elements takes besides inputs and result, at most, where inputs lie in order: its tiles.
    pub fn scratch_bytes(&self, elements: usize) -> usize {
        let made = TALL_BYTES.max(TILE * self.dtype().size()).min(elements * self.dtype().size());
        self.program.tile_bytes(elements.min(COMPUTED)) + buffer::capacity(made)
    }

    /// Reduces over `axes` of the shape that the inputs broadcast to.
    ///
    /// # Panics
    /// When an axis is not one of that shape.
    pub fn run(&self, inputs: &[Block], axes: &[usize]) -> Result<Block> {
        let shapes: Vec<&[usize]> = inputs.iter().map(Block::shape).collect();
        let shape = broadcast_shapes(&shapes)?;
        let mut kept = shape.clone();
        axes.iter().for_each(|&axis| kept[axis] = 1);
        let dtype = self.program.dtype();
        let out_shape = match self.fold {
            Fold::Op(_) => kept.clone(),
            Fold::Moments => std::iter::once(3).chain(kept.iter().copied()).collect(),
        };
        if shape.contains(&0) {
            return match self.fold {
                Fold::Op(op) if !kept.contains(&0) => op.identity(dtype, &out_shape),
                _ => Ok(Block::zeros(dtype, &out_shape)),
            };
        }
        let mut out = Block::for_answer(dtype, &out_shape)?;
        let mut accumulator = match self.fold {
            Fold::Op(op) => {
                fold::accumulator(op, dtype).ok_or_else(|| err!(Type, "`{}` does not take {dtype}", op.name()))?
            }
            Fold::Moments => moments::accumulator(dtype),
        };
        self.stream(inputs, &shape, (axes, &kept), &mut *accumulator, &mut out)?;
        Ok(out)
    }

    /// The pass over memory. The axes are reduced to the shape beside them; several results of an accumulator go one after the other.
    fn stream(
        &self,
        inputs: &[Block],
        shape: &Dims,
        (axes, kept): (&[usize], &Dims),
        accumulator: &mut dyn Accumulate,
        out: &mut Block,
    ) -> Result<()> {
        let size = self.program.dtype().size();
        let plane = kept.iter().product::<usize>() * size;
        let out = out.as_mut_bytes().as_mut_ptr();
        let mut to: Vec<isize> = row_major(kept).iter().map(|s| s * size as isize).collect();
        axes.iter().for_each(|&axis| to[axis] = 0);
        // The tiles are those of a block in row-major order: runs of its elements.
        let nest = Nest::marked(shape, &[to, row_major(shape).to_vec()], axes);
        let bare = self.program.is_input();
        let reduced = nest.reduced_run();
        let sums = self.fold == Fold::Op(Reduce::Sum) && self.program.can_sum() && reduced.is_some();
        // What is all there is to reduce is put together in the same way whatever its tiles are.
        let limit = match reduced {
            Some(run) if !bare && matches!(self.fold, Fold::Op(_)) && !(sums && run >= TILE) => COMPUTED,
            _ => TILE,
        };
        let plan = nest.reduction(limit, TILE, TALL_BYTES / size);
        let (rows_reduced, columns_reduced) = plan.marks();
        let mut runs: Vec<Runs> = inputs.iter().map(|b| Runs::new(b, shape, plan.elements())).collect();
        let sizes: Vec<isize> = inputs.iter().map(|b| b.dtype().size() as isize).collect();
        let elements = if bare { 0 } else { plan.elements() };
        let streams = shape.iter().product::<usize>() * sizes.iter().sum::<isize>() as usize >= STREAMS;
        let ahead = if bare && runs[0].lie_in_order() { fold::AHEAD } else { 0 };
        let step = if self.program.is_of_loops() { COMPUTED } else { STEP };
        let mut machine = Machine::new(&self.program, elements.min(step), None).ahead(streams);
        let mut buffer = Buffer::new(elements * size);
        let made = buffer.bytes_mut().as_mut_ptr();
        let packed: Vec<[isize; 2]> = sizes.iter().map(|&s| [0, s]).collect();
        let mut pointers: Vec<*const u8> = vec![std::ptr::null(); runs.len()];
        // Both closures fold into the accumulator.
        let accumulator = std::cell::RefCell::new(accumulator);
        plan.for_each_group(
            |offsets, rows, columns, _| {
                cancel::check()?;
                for (pointer, runs) in pointers.iter_mut().zip(&mut runs) {
                    // SAFETY: the plan stays within the shape that the runs were made for; the blocks are borrowed.
                    *pointer = unsafe { runs.get(offsets[1] as usize, rows * columns) };
                }
                // Sums of runs are made without writing the runs; then come the elements of what is less than a run. All in smaller tiles, so
                // that what is between the steps stays in the first cache.
                let elements = rows * columns;
                let folded = if sums && rows == 1 { elements / RUN } else { 0 };
                // Computes the next so many elements, in tiles of so many at most, to where `target` says of the first of each.
                let mut compute = |elements: usize, each: usize, target: &dyn Fn(usize) -> Target| {
                    for start in (0..elements).step_by(each) {
                        let n = each.min(elements - start);
                        // SAFETY: packed elements of the inputs lie there, and the buffer, of which targets are, has room for a tile.
                        let done = unsafe { machine.tile(&pointers, &packed, 1, n, target(start)) };
                        done.ok_or_else(super::fused::negative_power)?;
                        for (pointer, size) in pointers.iter_mut().zip(&sizes) {
                            *pointer = pointer.wrapping_offset(n as isize * size);
                        }
                    }
                    Ok(())
                };
                let data = if bare {
                    pointers[0]
                } else {
                    let each = if self.program.is_one_loop() { TILE } else { step };
                    let rest = made.wrapping_add(folded * size);
                    compute(folded * RUN, each, &|start| Target::Sums(made.wrapping_add(start / RUN * size)))?;
                    compute(elements - folded * RUN, step, &|start| Target::Memory(rest.wrapping_add(start * size)))?;
                    made.cast_const()
                };
                let columns = if folded > 0 { folded + elements % RUN } else { columns };
                // SAFETY: a tile of `rows` × `columns` elements of the program's dtype lies there.
                unsafe {
                    accumulator.borrow_mut().push(Tile {
                        data,
                        rows,
                        columns,
                        rows_reduced,
                        columns_reduced,
                        folded,
                        ahead,
                    })
                };
                Ok(())
            },
            |base, rows, columns, steps| {
                let rows = if rows_reduced { 1 } else { rows };
                let columns = if columns_reduced { 1 } else { columns };
                let mut target = out.wrapping_offset(base[0]);
                for result in accumulator.borrow_mut().finish() {
                    let packed = [(columns * size) as isize, size as isize];
                    // SAFETY: `result` holds a value for each of the places; they lie in the result block.
                    unsafe { copy_tile(size, *result, packed, target, steps[0], rows, columns) };
                    target = target.wrapping_add(plane);
                }
                Ok(())
            },
        )
    }
}
