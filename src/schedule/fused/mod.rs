//! Elementwise calls nested in each other, run as one pass over memory: `(power (multiply (add x 1) 2) 3)` is one program with
//! one input, compiled for the first block and used for all blocks of the layer. A reduction of it is part of the pass.
//!
//! Parts of a nest that are smaller than the whole, as `(sqrt v)` in `(/ x (sqrt v))` where `v` is a row, run first and on
//! their own: stretched, their work would be done again for every row.

mod same;
mod top;

use super::task::{Code, Frame, mark_last};
use crate::data::task::deep;
use crate::data::{Block, DType, Dims, Host, Value};
use crate::kernel::Reduction;
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::fused::{Expr, Program, Region};
use crate::kernel::layout::broadcast_shapes;
use crate::text::Result;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};
use top::Top;

/// Elementwise calls, and what they are applied to.
pub struct Nest {
    expr: Expr,
    /// What is done with the result of the expression.
    top: Option<Arc<Top>>,
    /// What the expression's inputs are made by.
    leaves: Box<[Code]>,
    /// The same calls one by one, with leaves as inputs: for numbers, and to report what is wrong.
    plain: Code,
    /// What ran on the first blocks; `None` where that was `plain`.
    first: OnceLock<Option<Passes>>,
}

/// Blocks that one pass reads at once. More would be there at the same time only for being fused.
const MOST_LEAVES: usize = 6;

/// The code with elementwise nests of at least so many calls fused.
pub fn fuse(code: Code, calls: usize, host: &dyn Host) -> Code {
    let mut fuser = Fuser { calls, host, cuts: FxHashSet::default() };
    fuser.cut(&code);
    let mut code = fuser.fuse(code);
    // A nest runs its leaves first, each once: what is used last has changed.
    mark_last(&mut code);
    code
}

/// What stays the same while a task's code is fused.
struct Fuser<'a> {
    calls: usize,
    host: &'a dyn Host,
    /// Parts of nests that would have too many leaves: these are leaves themselves.
    cuts: FxHashSet<*const Code>,
}

impl Fuser<'_> {
    fn fuse(&self, mut code: Code) -> Code {
        if operation(&code).is_some() && nested(&code) >= self.calls {
            let mut leaves = Vec::new();
            if let Some(expr) = self.expression(&mut code, &mut leaves) {
                mark_last(&mut code);
                let nest = Nest { expr, top: None, leaves: leaves.into(), plain: code, first: OnceLock::new() };
                return Code::Fused(Box::new(nest));
            }
        }
        if let Some((top, at)) = Top::of(&code)
            && let Some(reduced) = code.args_mut().and_then(|args| args.get_mut(at))
            && nested(reduced) > 0
        {
            let mut leaves = Vec::new();
            if let Some(expr) = self.expression(reduced, &mut leaves) {
                mark_last(&mut code);
                let nest =
                    Nest { expr, top: Some(Arc::new(top)), leaves: leaves.into(), plain: code, first: OnceLock::new() };
                return Code::Fused(Box::new(nest));
            }
        }
        for part in code.parts_mut() {
            let whole = std::mem::replace(part, Code::Const(Value::Nil));
            *part = deep(|| self.fuse(whole));
        }
        code
    }

    /// The leaves of an elementwise nest, each once; parts that would make them too many are cut off and become leaves.
    fn cut<'c>(&mut self, code: &'c Code) -> Leaves<'c> {
        deep(|| {
            let (Some(operation), Some((_, args))) = (operation(code), code.op_call()) else {
                code.parts().for_each(|part| drop(self.cut(part)));
                return if is_number(code) { Leaves::new() } else { Leaves::from_slice(&[code]) };
            };
            let args = args.iter().take(operation.arity());
            let mut parts: SmallVec<[(Leaves, &Code); 3]> = args.map(|arg| (self.cut(arg), arg)).collect();
            loop {
                let mut all = Leaves::new();
                for leaf in parts.iter().flat_map(|(leaves, _)| leaves) {
                    if !all.iter().any(|known| same::is_same(known, leaf, self.host)) {
                        all.push(*leaf);
                    }
                }
                match parts.iter_mut().max_by_key(|(leaves, _)| leaves.len()) {
                    Some((most, part)) if all.len() > MOST_LEAVES && most.len() > 1 => {
                        self.cuts.insert(std::ptr::from_ref(*part));
                        *most = Leaves::from_slice(&[*part]);
                    }
                    _ => return all,
                }
            }
        })
    }

    /// The call as an expression. Its leaves are taken out, and inputs put in their places.
    fn expression(&self, code: &mut Code, leaves: &mut Vec<Code>) -> Option<Expr> {
        let operation = operation(code)?;
        let mut args: SmallVec<[Expr; 3]> = SmallVec::new();
        for arg in code.args_mut()?.iter_mut().take(operation.arity()) {
            let address = std::ptr::from_ref(&*arg);
            args.push(match arg {
                Code::Const(number) if number.number_kind().is_some() => Expr::Number(number.clone()),
                arg if !self.cuts.contains(&address) && self::operation(arg).is_some() => {
                    deep(|| self.expression(arg, leaves))?
                }
                arg => Expr::Input(self.leaf(arg, leaves)),
            });
        }
        let mut args = args.into_iter();
        Some(match operation {
            Operation::Unary(op) => Expr::unary(op, args.next()?),
            Operation::Binary(op) => Expr::binary(op, args.next()?, args.next()?),
            Operation::Where => Expr::where_(args.next()?, args.next()?, args.next()?),
            Operation::Cast(dtype) => Expr::cast(dtype, args.next()?),
        })
    }

    /// The number of the input that an argument becomes. A leaf with an elementwise call in it is the same as no other, neither before that is
    /// fused nor after.
    fn leaf(&self, arg: &mut Code, leaves: &mut Vec<Code>) -> usize {
        let known = leaves.iter().position(|leaf| same::is_same(leaf, arg, self.host));
        let at = known.unwrap_or(leaves.len());
        let whole = std::mem::replace(arg, Code::Input { n: at as u32, last: false });
        if known.is_none() {
            leaves.push(self.fuse(whole));
        }
        at
    }
}

/// Few parts of a code.
type Leaves<'c> = SmallVec<[&'c Code; MOST_LEAVES]>;

/// What a call does, where it is elementwise.
enum Operation {
    Unary(Unary),
    Binary(Binary),
    Where,
    Cast(DType),
}

impl Operation {
    /// Arguments that are computed with, which come first.
    fn arity(&self) -> usize {
        match self {
            Operation::Unary(_) | Operation::Cast(_) => 1,
            Operation::Binary(_) => 2,
            Operation::Where => 3,
        }
    }
}

fn operation(code: &Code) -> Option<Operation> {
    let (name, args) = code.op_call()?;
    // Of numbers alone the result is a number, and weak; programs are for blocks.
    if args.iter().all(is_number) {
        return None;
    }
    match args {
        [_] => Unary::parse(name).map(Operation::Unary),
        [_, Code::Const(dtype)] if name == "astype" => {
            let dtype = dtype.as_text().and_then(DType::parse);
            dtype.map(Operation::Cast)
        }
        [_, _] => Binary::parse(name).map(Operation::Binary),
        [_, _, _] if name == "where" => Some(Operation::Where),
        _ => None,
    }
}

/// Elementwise calls in a row from here on inwards.
fn nested(code: &Code) -> usize {
    let Some((_, args)) = code.op_call().filter(|_| operation(code).is_some()) else { return 0 };
    1 + args.iter().map(nested).sum::<usize>()
}

fn is_number(code: &Code) -> bool {
    matches!(code, Code::Const(value) if value.number_kind().is_some())
}

/// Programs for blocks of certain dtypes, of which certain ones are smaller than the result.
struct Passes {
    dtypes: SmallVec<[DType; 6]>,
    small: u64,
    /// What is smaller than the whole, made first; the results are further inputs of the last pass.
    first: Vec<Pass>,
    last: Pass,
}

struct Pass {
    work: Work,
    /// The inputs it takes.
    takes: Vec<usize>,
}

enum Work {
    Program(Program),
    Reduction(Reduction, Arc<Top>),
}

/// One pass of a nest, as far as memory goes.
pub(super) struct Step {
    pub dtype: DType,
    pub shape: Dims,
    /// Bytes of its tiles.
    pub scratch: usize,
    /// Its inputs: leaves, and after them what earlier passes made.
    pub takes: Vec<usize>,
    /// For a reduction, the shape that it reduces. Its result is never in the memory of an input, and inputs that do not lie in
    /// order are gathered.
    pub reduces: Option<Dims>,
}

impl Nest {
    /// The passes over leaves of these dtypes and shapes; `None` where they do not fit together.
    pub(super) fn steps(&self, leaves: &[(DType, Dims)]) -> Option<Vec<Step>> {
        let (dtypes, mut shapes): (Vec<DType>, Vec<Dims>) = leaves.iter().cloned().unzip();
        let Passes { first, last, .. } = Passes::of(&self.expr, self.top.as_ref(), &dtypes, &shapes)?;
        first
            .into_iter()
            .chain([last])
            .map(|Pass { work, takes }| {
                let whole = broadcast(takes.iter().map(|&at| &shapes[at]))?;
                shapes.push(whole.clone());
                Some(match work {
                    Work::Reduction(reduction, top) => Step {
                        dtype: reduction.dtype(),
                        shape: top.shape(&whole)?,
                        scratch: reduction.scratch_bytes(whole.iter().product()),
                        takes,
                        reduces: Some(whole),
                    },
                    Work::Program(program) => Step {
                        dtype: program.dtype(),
                        shape: whole,
                        scratch: program.scratch_bytes(),
                        takes,
                        reduces: None,
                    },
                })
            })
            .collect()
    }

    /// What runs where there are no such passes: the calls one by one, of which the leaves are the inputs.
    pub(super) fn plain(&self) -> &Code {
        &self.plain
    }

    pub(super) fn leaves(&self) -> &[Code] {
        &self.leaves
    }

    /// What the inputs are made by, in the order in which that is done.
    pub(super) fn leaves_mut(&mut self) -> &mut [Code] {
        &mut self.leaves
    }

    pub(super) fn run(&self, frame: &mut Frame) -> Result<Value> {
        self.run_at(frame, None)
    }

    /// As `run`; into a region of that dtype, where the result is a block that fits it: then the answer is nil.
    ///
    /// # Safety
    /// Nobody else uses the region.
    pub(super) unsafe fn run_into(&self, frame: &mut Frame, dtype: DType, region: &Region) -> Result<Value> {
        self.run_at(frame, Some((dtype, region)))
    }

    fn run_at(&self, frame: &mut Frame, place: Option<(DType, &Region)>) -> Result<Value> {
        let mut values: SmallVec<[Value; 8]> = SmallVec::new();
        for leaf in &self.leaves {
            values.push(leaf.run(frame)?);
        }
        if values.iter().all(|v| matches!(v, Value::Block(_))) {
            let shapes: SmallVec<[Dims; 6]> = values.iter().filter_map(shape).collect();
            let dtypes: SmallVec<[DType; 6]> = values.iter().filter_map(dtype).collect();
            let fits = |p: &Passes| p.dtypes == dtypes && Some(p.small) == small(&shapes);
            match self.first.get_or_init(|| Passes::of(&self.expr, self.top.as_ref(), &dtypes, &shapes)) {
                Some(passes) if fits(passes) => return passes.run(values, place),
                Some(_) => {
                    if let Some(passes) = Passes::of(&self.expr, self.top.as_ref(), &dtypes, &shapes) {
                        return passes.run(values, place);
                    }
                }
                None => {}
            }
        }
        self.plain.run(&mut Frame { inputs: &mut values.into_vec(), ..*frame })
    }
}

fn shape(value: &Value) -> Option<Dims> {
    match value {
        Value::Block(block) => Some(block.shape().into()),
        _ => None,
    }
}

fn dtype(value: &Value) -> Option<DType> {
    match value {
        Value::Block(block) => Some(block.dtype()),
        _ => None,
    }
}

/// Which of the blocks are smaller than what they broadcast to; `None` where they do not.
fn small(shapes: &[Dims]) -> Option<u64> {
    let whole = broadcast(shapes.iter())?;
    let elements = |shape: &Dims| shape.iter().product::<usize>();
    let bit = |(at, shape): (usize, &Dims)| u64::from(elements(shape) < elements(&whole)) << (at % 64);
    Some(shapes.iter().enumerate().map(bit).fold(0, |a, b| a | b))
}

fn broadcast<'a>(shapes: impl Iterator<Item = &'a Dims>) -> Option<Dims> {
    let shapes: SmallVec<[&[usize]; 6]> = shapes.map(Dims::as_slice).collect();
    broadcast_shapes(&shapes).ok()
}

impl Passes {
    /// `None` where something does not fit: the plain calls say what.
    fn of(expr: &Expr, top: Option<&Arc<Top>>, dtypes: &[DType], shapes: &[Dims]) -> Option<Passes> {
        let whole = broadcast(shapes.iter())?;
        if let Some(top) = top {
            // No result, or one that the op knows better about.
            top.shape(&whole).filter(|_| !whole.contains(&0))?;
        }
        let mut parts = Vec::new();
        let rest = without_small(expr, shapes, whole.iter().product(), &mut parts);
        let first = parts.iter().map(|part| Pass::of(part, None, dtypes)).collect::<Option<Vec<_>>>()?;
        let mut all: Vec<DType> = dtypes.to_vec();
        all.extend(first.iter().map(|pass| pass.work.dtype()));
        let last = Pass::of(&rest, top, &all)?;
        Some(Passes { dtypes: dtypes.into(), small: small(shapes)?, first, last })
    }

    fn run(&self, values: SmallVec<[Value; 8]>, place: Option<(DType, &Region)>) -> Result<Value> {
        let mut blocks: Vec<Option<Block>> = values
            .into_iter()
            .map(|value| match value {
                Value::Block(block) => Some(Arc::unwrap_or_clone(block)),
                _ => None,
            })
            .collect();
        for pass in &self.first {
            let inputs = pass.takes.iter().filter_map(|&at| blocks[at].clone()).collect();
            blocks.push(Some(pass.work.run(inputs)?));
        }
        // What only the first passes needed makes room, and what is left is held by nobody else.
        let inputs: Vec<Block> = self.last.takes.iter().filter_map(|&at| blocks[at].take()).collect();
        drop(blocks);
        if let (Some((dtype, region)), Work::Program(program)) = (place, &self.last.work)
            && program.dtype() == dtype
            && broadcast_shapes(&inputs.iter().map(Block::shape).collect::<Vec<_>>())? == region.shape
        {
            // SAFETY: the caller of `run_into` vouches for the region, which has the program's dtype; inputs are results of tasks,
            // and not where the answer is being put together.
            return unsafe { program.run_into(region, &inputs) }.map(|()| Value::Nil);
        }
        self.last.work.run(inputs).map(Value::from)
    }
}

impl Work {
    fn dtype(&self) -> DType {
        match self {
            Work::Program(program) => program.dtype(),
            Work::Reduction(reduction, _) => reduction.dtype(),
        }
    }

    fn run(&self, inputs: Vec<Block>) -> Result<Block> {
        match self {
            Work::Program(program) => program.run(inputs),
            Work::Reduction(reduction, top) => top.run(reduction, &inputs),
        }
    }
}

impl Pass {
    fn of(expr: &Expr, top: Option<&Arc<Top>>, dtypes: &[DType]) -> Option<Pass> {
        let mut takes: Vec<usize> = Vec::new();
        let expr = with_inputs(expr, &mut |n| {
            Expr::Input(takes.iter().position(|&t| t == n).unwrap_or_else(|| {
                takes.push(n);
                takes.len() - 1
            }))
        });
        let dtypes: Vec<DType> = takes.iter().map(|&at| dtypes[at]).collect();
        let work = match top {
            Some(top) => Work::Reduction(top.compile(&dtypes, expr)?, top.clone()),
            None => Work::Program(Program::new(&dtypes, &expr).ok()?),
        };
        Some(Pass { work, takes })
    }
}

/// The expression with parts that are much smaller than `whole` elements taken out into `parts`.
fn without_small(expr: &Expr, shapes: &[Dims], whole: usize, parts: &mut Vec<Expr>) -> Expr {
    if matches!(expr, Expr::Input(_) | Expr::Number(_)) {
        return expr.clone();
    }
    if let Some(shape) = shape_of(expr, shapes)
        && shape.iter().product::<usize>() <= whole / 2
        && with_any_input(expr)
    {
        parts.push(expr.clone());
        return Expr::Input(shapes.len() + parts.len() - 1);
    }
    let mut part = |e: &Expr| without_small(e, shapes, whole, parts);
    match expr {
        Expr::Unary(op, x) => Expr::unary(*op, part(x)),
        Expr::Binary(op, x) => Expr::binary(*op, part(&x[0]), part(&x[1])),
        Expr::Where(x) => Expr::where_(part(&x[0]), part(&x[1]), part(&x[2])),
        Expr::Cast(dtype, x) => Expr::cast(*dtype, part(x)),
        other => other.clone(),
    }
}

fn with_any_input(expr: &Expr) -> bool {
    let mut any = false;
    with_inputs(expr, &mut |n| {
        any = true;
        Expr::Input(n)
    });
    any
}

fn shape_of(expr: &Expr, shapes: &[Dims]) -> Option<Dims> {
    let mut used: SmallVec<[usize; 8]> = SmallVec::new();
    with_inputs(expr, &mut |n| {
        used.push(n);
        Expr::Input(n)
    });
    broadcast(used.iter().map(|&n| &shapes[n]))
}

/// The expression with other expressions for its inputs.
fn with_inputs(expr: &Expr, input: &mut dyn FnMut(usize) -> Expr) -> Expr {
    match expr {
        Expr::Input(n) => input(*n),
        Expr::Number(_) => expr.clone(),
        Expr::Unary(op, x) => Expr::unary(*op, with_inputs(x, input)),
        Expr::Binary(op, x) => Expr::binary(*op, with_inputs(&x[0], input), with_inputs(&x[1], input)),
        Expr::Where(x) => Expr::where_(with_inputs(&x[0], input), with_inputs(&x[1], input), with_inputs(&x[2], input)),
        Expr::Cast(dtype, x) => Expr::cast(*dtype, with_inputs(x, input)),
    }
}
