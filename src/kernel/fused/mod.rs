//! Nests of elementwise operations as small programs that make one pass over memory.
//!
//! An expression compiles to a list of steps, each one kernel over one tile, or a loop over strips of it that does several plain
//! operations at once. A block is cut into tiles of some hundred elements; all steps run on one tile before the next is touched, so that
//! what is between the steps stays in the first cache. Inputs are read where they lie: contiguous tiles directly, strided and broadcast ones gathered.

mod compile;
mod group;
mod machine;
mod nest;
mod strips;

pub(super) use machine::{Machine, Target};
pub(super) use nest::{Nest, copy_tile};

use super::elementwise::{Binary, Unary};
use super::layout::broadcast_shapes;
use super::strip::{LONGEST, STRIP_BYTES};
use super::tile::{Kernel, TILE};
use crate::data::task::deep;
use crate::data::{Block, DType, Dims, Value, buffer, cancel};
use crate::err;
use crate::text::{Error, Result};
use std::fmt;
use strips::Strips;

/// A nest of elementwise operations.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The n-th block the program is given.
    Input(usize),
    /// A plain number, weak in promotion.
    Number(Value),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<[Expr; 2]>),
    /// Condition, then, else.
    Where(Box<[Expr; 3]>),
    Cast(DType, Box<Expr>),
}

impl Expr {
    pub fn unary(op: Unary, x: Expr) -> Expr {
        Expr::Unary(op, Box::new(x))
    }

    pub fn binary(op: Binary, a: Expr, b: Expr) -> Expr {
        Expr::Binary(op, Box::new([a, b]))
    }

    pub fn where_(condition: Expr, a: Expr, b: Expr) -> Expr {
        Expr::Where(Box::new([condition, a, b]))
    }

    pub fn cast(dtype: DType, x: Expr) -> Expr {
        Expr::Cast(dtype, Box::new(x))
    }

    /// `minimum(maximum(x, low), high)`.
    pub fn clip(x: Expr, low: Option<Expr>, high: Option<Expr>) -> Expr {
        let x = match low {
            Some(low) => Expr::binary(Binary::Maximum, x, low),
            None => x,
        };
        match high {
            Some(high) => Expr::binary(Binary::Minimum, x, high),
            None => x,
        }
    }

    /// Rounds `x`, which has that dtype, to `decimals` places. Integers change only before the point, bool becomes float32
    /// (NumPy: float16).
    pub fn round(x: Expr, dtype: DType, decimals: i32) -> Expr {
        let scale = || Expr::Number(Value::Float(10f64.powi(decimals.saturating_abs())));
        let rint = |x| Expr::unary(Unary::Rint, x);
        match (dtype.is_integer(), decimals) {
            (true, 0..) => x,
            (true, _) => Expr::cast(dtype, Expr::round(Expr::cast(DType::F64, x), DType::F64, decimals)),
            (false, 0) => rint(x),
            (false, 1..) => Expr::binary(Binary::Divide, rint(Expr::binary(Binary::Multiply, x, scale())), scale()),
            (false, _) => Expr::binary(Binary::Multiply, rint(Expr::binary(Binary::Divide, x, scale())), scale()),
        }
    }
}

/// Nests without bound must not exhaust the stack when they are dropped.
impl Drop for Expr {
    fn drop(&mut self) {
        let parts: &mut [Expr] = match self {
            Expr::Input(_) | Expr::Number(_) => return,
            Expr::Unary(_, x) | Expr::Cast(_, x) => std::slice::from_mut(&mut **x),
            Expr::Binary(_, args) => &mut **args,
            Expr::Where(args) => &mut **args,
        };
        if parts.iter().any(|part| !matches!(part, Expr::Input(_) | Expr::Number(_))) {
            deep(|| parts.iter_mut().for_each(|part| *part = Expr::Input(0)));
        }
    }
}

/// Results of at least this many bytes are written past the cache, which could not hold them until they are read.
const PAST_CACHE: usize = 16 << 20;

/// Operands of so many bytes do not stay in the caches near a core: what the next tile reads is asked for ahead.
pub(super) const STREAMS: usize = 1 << 20;

/// A part of an array that is being filled.
pub struct Region {
    /// The first element of the part.
    pub start: *mut u8,
    /// Strides in bytes.
    pub strides: Vec<isize>,
    pub shape: Dims,
    /// Bytes of the whole array: who fills it does not read the part again soon, if that is much.
    pub whole: usize,
}

/// Where a step finds an argument.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Source {
    Input(u16),
    Constant(u16),
    Register(u16),
}

impl Source {
    fn register(&self) -> Option<usize> {
        match self {
            Source::Register(value) => Some((*value).into()),
            _ => None,
        }
    }
}

#[derive(Clone)]
enum Step {
    Kernel { kernel: Kernel, args: [Source; 3], arity: u8, into: u16 },
    Strips(Strips),
}

/// A compiled expression. Programs are values: make one per layer, run it once per block, on any thread.
#[derive(Clone)]
pub struct Program {
    inputs: Vec<DType>,
    constants: Vec<Block>,
    /// How many values the steps make in all.
    values: usize,
    steps: Vec<Step>,
    registers: usize,
    /// Bytes of the largest element that any register holds.
    width: usize,
    result: Source,
    out: DType,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "<program of {} steps, {:?} -> {}>", self.values, self.inputs, self.out)
    }
}

/// The only thing kernels refuse.
pub(super) fn negative_power() -> Error {
    err!(Value, "integers to negative integer powers are not integers").help("make one of them a float")
}

impl Program {
    /// Compiles an expression for inputs of these dtypes. Errors are those of dtypes (`dsk::type`) and of plain numbers that
    /// do not fit (`dsk::overflow`).
    pub fn new(inputs: &[DType], expr: &Expr) -> Result<Program> {
        compile::compile(inputs, expr)
    }

    /// The dtype of the result.
    pub fn dtype(&self) -> DType {
        self.out
    }

    /// Bytes that a run takes besides inputs and result, at most: its tiles.
    pub fn scratch_bytes(&self) -> usize {
        // Those across the grain are four times as large; see `Nest::elementwise`.
        self.tile_bytes(4 * self.tile())
    }

    /// Elements of a tile: what is between its steps stays in the first cache.
    fn tile(&self) -> usize {
        if self.is_of_loops() { 2 * TILE } else { TILE }
    }

    /// Bytes of a machine for tiles of at most so many elements.
    pub(super) fn tile_bytes(&self, elements: usize) -> usize {
        let elements = if self.strip_bytes() > 0 { elements.max(LONGEST) } else { elements };
        let slots = self.registers + self.constants.len() + self.inputs.len();
        buffer::capacity(slots * (elements * self.width).next_multiple_of(64) + self.strip_bytes())
    }

    /// Whether it is nothing but loops: what is between them takes less room.
    pub(super) fn is_of_loops(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| matches!(step, Step::Strips(_)))
    }

    /// Whether it is one loop, which needs no tiles between its steps.
    pub(super) fn is_one_loop(&self) -> bool {
        matches!(self.steps[..], [Step::Strips(_)])
    }

    /// Whether what it computes can be summed up without being written: it ends in a loop over strips that makes floats.
    pub(super) fn can_sum(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Strips(strips)) if strips.results.len() == 1 && strips.makes_floats())
    }

    /// Memory for strips: a value of each operand that is not constant, of the step that has the most.
    fn strip_bytes(&self) -> usize {
        let operands = self.steps.iter().map(|step| match step {
            Step::Kernel { .. } => 0,
            Step::Strips(strips) => strips.aside(),
        });
        operands.max().unwrap_or(0) * STRIP_BYTES
    }

    /// Whether the result is the first input as it is.
    pub(super) fn is_input(&self) -> bool {
        self.result == Source::Input(0) && self.inputs.len() == 1 && self.steps.is_empty()
    }

    /// Runs over blocks that broadcast to the result's shape (`dsk::shape` if they do not), or until it is cancelled. The memory of a block that nobody
    /// else holds, of the result's shape and dtype, becomes the result's.
    ///
    /// # Panics
    /// When number or dtypes of the blocks are not those the program was compiled for.
    pub fn run(&self, mut inputs: Vec<Block>) -> Result<Block> {
        assert!(inputs.iter().map(Block::dtype).eq(self.inputs.iter().copied()), "a program runs on its dtypes");
        let shapes: Vec<&[usize]> = inputs.iter().map(Block::shape).collect();
        let shape = broadcast_shapes(&shapes)?;
        if let Source::Input(i) = self.result {
            let input = &inputs[usize::from(i)];
            if input.dtype() == self.out && input.shape() == shape.as_slice() && input.is_contiguous() {
                return Ok(input.clone());
            }
        }
        let reused =
            inputs.iter_mut().position(|b| b.dtype() == self.out && b.shape() == shape.as_slice() && b.is_reusable());
        let mut out = match reused {
            // The block stays among the inputs only as a view of its own memory.
            Some(i) => std::mem::replace(&mut inputs[i], Block::alloc(self.inputs[i], &[])),
            None => Block::for_answer(self.out, &shape)?,
        };
        if out.is_empty() {
            return Ok(out);
        }
        let pointer = out.as_mut_bytes().as_mut_ptr();
        let size = self.out.size() as isize;
        let strides: Vec<isize> = crate::data::block::row_major(&shape).iter().map(|s| s * size).collect();
        let mut operands = vec![(pointer.cast_const(), strides.clone())];
        for (i, block) in inputs.iter().enumerate() {
            operands.push(if reused == Some(i) {
                (pointer.cast_const(), strides.clone())
            } else {
                byte_view(block, &shape)
            });
        }
        // SAFETY: every operand describes elements of a live block of that (broadcast) shape; `out` is exclusively ours, and
        // the one input that may share its memory is the one named.
        unsafe { self.stream(pointer, &shape, operands, reused, shape.iter().product::<usize>() * size as usize) }?;
        Ok(out)
    }

    /// Runs into a region of memory that no input overlaps. Inputs must broadcast to its shape.
    ///
    /// # Safety
    /// The region must lie within memory that the caller may write, and be of the program's dtype.
    pub unsafe fn run_into(&self, region: &Region, inputs: &[Block]) -> Result<()> {
        if region.shape.contains(&0) {
            return Ok(());
        }
        let mut operands = vec![(region.start.cast_const(), region.strides.clone())];
        operands.extend(inputs.iter().map(|b| byte_view(b, &region.shape)));
        // SAFETY: as in `run`; the region is the caller's.
        unsafe { self.stream(region.start, &region.shape, operands, None, region.whole) }
    }

    /// The pass over memory. Operand 0 is the result's place, the rest are the inputs.
    unsafe fn stream(
        &self,
        out: *mut u8,
        shape: &[usize],
        operands: Vec<(*const u8, Vec<isize>)>,
        reused: Option<usize>,
        whole: usize,
    ) -> Result<()> {
        let sizes: Vec<usize> = std::iter::once(self.out).chain(self.inputs.iter().copied()).map(DType::size).collect();
        let strides: Vec<Vec<isize>> = operands.iter().map(|(_, s)| s.clone()).collect();
        let nest = Nest::new(shape, &strides);
        let plan = nest.elementwise(&sizes, self.tile());
        let streams = shape.iter().product::<usize>() * sizes.iter().sum::<usize>() >= STREAMS;
        let size = sizes[0];
        let bases: Vec<*const u8> = operands[1..].iter().map(|(p, _)| *p).collect();
        let mut pointers = bases.clone();
        let past_cache = reused.is_none() && whole >= PAST_CACHE;
        let mut machine = Machine::new(self, plan.elements(), reused).ahead(streams).past_caches(past_cache);
        let can_stream = matches!(self.steps.last(), Some(Step::Strips(strips)) if strips.makes_floats());
        // Copies are as fast as memory is, and whoever copies counts on it that nothing can go wrong.
        let computes = !self.steps.is_empty();
        let done = plan.for_each(|offsets, rows, columns, steps| {
            if computes {
                cancel::check()?;
            }
            let target = out.wrapping_offset(offsets[0]);
            for (pointer, (base, offset)) in pointers.iter_mut().zip(bases.iter().zip(&offsets[1..])) {
                *pointer = base.wrapping_offset(*offset);
            }
            let [row, column] = steps[0];
            // Past the cache at once, or by way of the machine's memory: what the result replaces need not be read.
            let straight = !past_cache || can_stream && target.addr().is_multiple_of(strips::ALIGNED);
            let dense = column == size as isize && (rows == 1 || row == (columns * size) as isize);
            let to = if dense && straight { Target::Memory(target) } else { Target::Own };
            // SAFETY: offsets stay within the shape the operands were described for; a dense target has room for the tile.
            unsafe {
                let tile = machine.tile(&pointers, &steps[1..], rows, columns, to).ok_or_else(negative_power)?;
                if std::ptr::eq(tile, target) {
                    return Ok(());
                }
                if dense && past_cache {
                    nest::copy_past_cache(tile, target, rows * columns * size);
                } else {
                    let packed = [(columns * size) as isize, size as isize];
                    copy_tile(size, tile, packed, target, [row, column], rows, columns);
                }
            }
            Ok(())
        });
        if past_cache {
            // Stores past the cache are not ordered with those that may hand the block to another thread.
            std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        }
        done
    }
}

/// Where the elements of a block, broadcast to `shape`, are: pointer to the first, strides in bytes.
pub(super) fn byte_view(block: &Block, shape: &[usize]) -> (*const u8, Vec<isize>) {
    let view = block.broadcast_to(shape).expect("the shape was broadcast from this block's");
    let size = block.dtype().size() as isize;
    (view.as_byte_ptr(), view.strides().iter().map(|s| s * size).collect())
}
