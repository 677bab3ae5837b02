//! What tasks take, worked out before anything runs.
//!
//! A task is gone through as it will be evaluated, but with blocks that have a shape and no memory: each counts what its
//! memory would take while somebody has it, so that what a task holds at a time follows from the code as it does when the
//! task runs. What an op makes of its arguments the op itself tells, being called with lazy ones.
//!
//! ```text
//! (sum (multiply (read f 0:1000 0:1000) 2))
//!   read       8 MB                  held 8 MB
//!   multiply   into the same memory
//!   sum        8 B, then lets go     held 8 B, at most 8 MB + 8 B
//! ```
//!
//! What a user's function takes is known to nobody. Its task is then said to be a guess ([`Load::exact`]), and who runs it
//! watches.

use super::Plan;
use super::fused::{Nest, Step};
use super::task::{Call, Code};
use crate::data::graph::unravel;
use crate::data::{Array, Block, Body, Chunks, Cost, DType, Dims, Host, Layer, Slice, Str, Task, Value, buffer};
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::gemm;
use crate::text::Span;
use rustc_hash::{FxHashMap, FxHasher};
use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

/// What a task takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Bytes that its result keeps in memory.
    pub result: usize,
    /// The most bytes by which memory grows while it runs, its result counted.
    pub growth: usize,
    /// Bytes of data that it reads from files, and writes to files.
    pub read: usize,
    pub written: usize,
    /// Bytes that a worker keeps for decoding and encoding once it has run such a task.
    pub scratch: usize,
    /// Everything in it is known; otherwise a task may take more.
    pub exact: bool,
    /// Shape of the largest block that it makes.
    pub largest: Dims,
    made: Made,
}

impl Load {
    /// Bytes that have to be free for the task to start.
    pub fn takes(&self) -> usize {
        self.growth.max(self.result)
    }

    /// Whether the task took more than this: by which memory grew while it ran, and what its result keeps in memory.
    pub fn is_exceeded_by(&self, growth: usize, result: usize) -> bool {
        let lent = matches!(self.made, Made::Block { lent: true, .. });
        growth > self.takes() + INEXACT || result > self.result + INEXACT && !lent
    }
}

/// Bytes up to which it does not matter what a task takes: numbers, and views of blocks so small.
const INEXACT: usize = 4096;

/// The loads of a plan's tasks.
pub struct Loads {
    kinds: Vec<Load>,
    of: Vec<u32>,
}

impl Loads {
    /// Goes through all tasks of a plan; those that are alike are gone through once. Results of layers that are `shared` may be
    /// somebody else's too.
    pub fn of(host: &dyn Host, plan: &Plan, shared: &dyn Fn(u32) -> bool) -> Loads {
        let mut loads = Loads { kinds: Vec::new(), of: Vec::with_capacity(plan.len()) };
        let mut known: FxHashMap<Kind, u32> = FxHashMap::default();
        let wanted: rustc_hash::FxHashSet<u32> = plan.wanted.iter().flatten().copied().collect();
        let nobody_else =
            |d: u32| plan.dependents.get(d).len() == 1 && !wanted.contains(&d) && !shared(plan.tasks[d as usize].layer);
        for id in 0..plan.len() as u32 {
            let inputs: Vec<(u32, bool)> =
                plan.dependencies.get(id).iter().map(|&d| (loads.of[d as usize], nobody_else(d))).collect();
            let place = plan.tasks[id as usize];
            let index = unravel(place.at as usize, &plan.layers[place.layer as usize].grid);
            let mut hasher = FxHasher::default();
            match plan.codes.get(place.code as usize) {
                Some(code) => measure_indices(code, &index, &mut hasher),
                // Compiled as it runs, since no other task is like it.
                None => id.hash(&mut hasher),
            }
            let made: Vec<(&Made, bool)> =
                inputs.iter().map(|&(kind, only)| (&loads.kinds[kind as usize].made, only)).collect();
            let next = loads.kinds.len() as u32;
            let kind = Kind {
                layer: place.layer,
                code: place.code,
                shape: plan.shape(id),
                inputs: inputs.clone(),
                indices: hasher.finish(),
            };
            let at = *known.entry(kind).or_insert(next);
            if at == next {
                let load = weigh(host, plan, id, &index, &made);
                loads.kinds.push(load);
            }
            loads.of.push(at);
        }
        loads
    }

    /// The most that a task takes, judged by the first task of each layer and some more: for plans of so many
    /// small tasks that going through all of them would take as long as running them.
    pub fn glance(host: &dyn Host, plan: &Plan) -> usize {
        const SOME: usize = 128;
        let mut seen = vec![0; plan.layers.len()];
        let mut most = 0;
        let step = (plan.len() / SOME).max(1);
        for id in 0..plan.len() as u32 {
            let place = plan.tasks[id as usize];
            let layer = &plan.layers[place.layer as usize];
            let looks = &mut seen[place.layer as usize];
            if *looks > 0 && !(id as usize).is_multiple_of(step) {
                continue;
            }
            *looks += 1;
            let made: Vec<Made> = plan.dependencies.get(id).iter().map(|&d| Made::declared(plan, d)).collect();
            let inputs: Vec<(&Made, bool)> = made.iter().map(|made| (made, false)).collect();
            let load = weigh(host, plan, id, &unravel(place.at as usize, &layer.grid), &inputs);
            most = most.max(load.growth + made.iter().map(Made::bytes).sum::<usize>());
        }
        most
    }

    pub fn get(&self, id: u32) -> &Load {
        &self.kinds[self.of[id as usize] as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Load> {
        self.of.iter().map(|&at| &self.kinds[at as usize])
    }

    /// Each kind of load once.
    pub fn kinds(&self) -> &[Load] {
        &self.kinds
    }
}

/// The load of one task, of whose inputs it is known what they are and whether nobody else needs them.
fn weigh(host: &dyn Host, plan: &Plan, id: u32, index: &[u32], inputs: &[(&Made, bool)]) -> Load {
    let place = plan.tasks[id as usize];
    let layer = &*plan.layers[place.layer as usize];
    let ledger = Rc::new(Ledger::default());
    let inputs: Vec<(Sketch, bool)> = inputs.iter().map(|&(made, only)| (made.sketch(), only)).collect();
    // What others need as well cannot be written into.
    let shared: Vec<Sketch> = inputs.iter().filter(|(_, only)| !only).map(|(sketch, _)| sketch.clone()).collect();
    let inputs = inputs.into_iter().map(|(sketch, _)| sketch).collect();
    let declared = plan.shape(id).zip(layer.blocks.as_ref()).map(|(shape, (dtype, _))| (*dtype, Dims::from(shape)));
    let mut weighing = Weighing { host, ledger: ledger.clone(), inputs, index, next: 0 };
    let sketch = match plan.codes.get(place.code as usize) {
        Some(code) => weighing.run(code, declared),
        None => match plan.compile(id, host) {
            Ok(code) => weighing.run(&code, declared),
            // The run tells what is wrong.
            Err(_) => Sketch::Unknown,
        },
    };
    let made = Made::of(&sketch);
    drop((weighing, sketch, shared));
    Load {
        result: made.bytes(),
        growth: ledger.most.get(),
        read: ledger.read.get(),
        written: ledger.written.get(),
        scratch: ledger.scratch.get(),
        exact: !ledger.guessed.get(),
        largest: ledger.largest.take().1,
        made,
    }
}

/// Tasks that are alike in all of this take the same.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    layer: u32,
    code: u32,
    shape: Option<Vec<usize>>,
    /// Kind of each input, and whether the task is the only one to need it.
    inputs: Vec<(u32, bool)>,
    /// What there is in the task that depends on the block's index.
    indices: u64,
}

/// Counts what is held at a time.
#[derive(Default, Debug)]
struct Ledger {
    now: Cell<usize>,
    most: Cell<usize>,
    read: Cell<usize>,
    written: Cell<usize>,
    scratch: Cell<usize>,
    guessed: Cell<bool>,
    /// Bytes and shape of the largest block.
    largest: RefCell<(usize, Dims)>,
}

impl Ledger {
    fn take(&self, bytes: usize) {
        self.now.set(self.now.get() + bytes);
        self.most.set(self.most.get().max(self.now.get()));
    }

    fn give(&self, bytes: usize) {
        self.now.set(self.now.get() - bytes);
    }
}

/// Memory of blocks.
#[derive(Debug)]
struct Memory {
    capacity: usize,
    /// Where it is counted, if the task took it.
    ledger: Option<Rc<Ledger>>,
    /// Others than tasks have it as well, and nobody may write into it: it belongs to a value of the program.
    lent: bool,
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(ledger) = &self.ledger {
            ledger.give(self.capacity);
        }
    }
}

/// A block without its elements.
#[derive(Clone, Debug)]
struct Phantom {
    dtype: DType,
    shape: Dims,
    memory: Rc<Memory>,
    contiguous: bool,
}

impl Phantom {
    fn nbytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }

    /// As for blocks: whether its memory can become a result's.
    fn is_free(&self) -> bool {
        self.contiguous
            && !self.memory.lent
            && Rc::strong_count(&self.memory) == 1
            && self.memory.capacity <= 3 * self.nbytes()
    }
}

/// What is known of a value.
#[derive(Clone, Debug)]
enum Sketch {
    Block(Phantom),
    List(Vec<Sketch>),
    Value(Value),
    Unknown,
}

/// What is known of a result, for the tasks that need it.
#[derive(Clone, Debug, PartialEq)]
enum Made {
    Block { dtype: DType, shape: Dims, capacity: usize, contiguous: bool, lent: bool },
    List(Vec<Made>),
    Other,
}

impl Made {
    fn of(sketch: &Sketch) -> Made {
        match sketch {
            Sketch::Block(b) => {
                let Memory { capacity, lent, .. } = *b.memory;
                Made::Block { dtype: b.dtype, shape: b.shape.clone(), capacity, contiguous: b.contiguous, lent }
            }
            Sketch::List(items) => Made::List(items.iter().map(Made::of).collect()),
            Sketch::Value(Value::Block(b)) => Made::Block {
                dtype: b.dtype(),
                shape: b.shape().into(),
                capacity: 0,
                contiguous: b.is_contiguous(),
                lent: true,
            },
            _ => Made::Other,
        }
    }

    /// What the layer of a task says that it makes.
    fn declared(plan: &Plan, id: u32) -> Made {
        let layer = &plan.layers[plan.tasks[id as usize].layer as usize];
        match (plan.shape(id), &layer.blocks) {
            (Some(shape), Some((dtype, _))) => {
                let capacity = buffer::capacity(shape.iter().product::<usize>() * dtype.size());
                Made::Block { dtype: *dtype, shape: shape.into(), capacity, contiguous: true, lent: false }
            }
            _ => Made::Other,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Made::Block { capacity, .. } => *capacity,
            Made::List(items) => items.iter().map(Made::bytes).sum(),
            Made::Other => 0,
        }
    }

    /// The result as an input, whose memory was there before the task.
    fn sketch(&self) -> Sketch {
        match self {
            Made::Block { dtype, shape, capacity, contiguous, lent } => Sketch::Block(Phantom {
                dtype: *dtype,
                shape: shape.clone(),
                memory: Rc::new(Memory { capacity: *capacity, ledger: None, lent: *lent }),
                contiguous: *contiguous,
            }),
            Made::List(items) => Sketch::List(items.iter().map(Made::sketch).collect()),
            Made::Other => Sketch::Unknown,
        }
    }
}

/// Going through one task.
struct Weighing<'a> {
    host: &'a dyn Host,
    ledger: Rc<Ledger>,
    inputs: Vec<Sketch>,
    index: &'a [u32],
    next: usize,
}

/// A dtype and a shape.
type Declared = (DType, Dims);

/// Ops besides elementwise ones that with lazy arguments only tell what they would make. Others may do anything.
const TELL: &[&str] = &[
    "array",
    "zeros",
    "ones",
    "empty",
    "full",
    "zeros-like",
    "ones-like",
    "empty-like",
    "full-like",
    "arange",
    "linspace",
    "eye",
    "random/random",
    "random/uniform",
    "random/normal",
    "random/integers",
    "where",
    "clip",
    "round",
    "isclose",
    "complex",
    "astype",
    "sum",
    "prod",
    "min",
    "max",
    "any",
    "all",
    "mean",
    "var",
    "std",
    "moments",
    "merge-moments",
    "var-of-moments",
    "dot",
    "matmul",
    "tensordot",
    "slice",
    "transpose",
    "swapaxes",
    "moveaxis",
    "expand-dims",
    "squeeze",
    "flip",
    "reshape",
    "ravel",
    "broadcast-to",
    "concatenate",
    "stack",
    "block",
];

/// Elements of a concrete block up to which it stands for itself: it may be an index.
const SMALL: usize = 1024;

impl Weighing<'_> {
    fn run(&mut self, code: &Code, declared: Option<Declared>) -> Sketch {
        let sketch = self.value(code, declared.as_ref());
        match (sketch, declared) {
            (Sketch::Unknown, Some((dtype, shape))) => self.fresh(dtype, shape),
            (sketch, _) => sketch,
        }
    }

    fn value(&mut self, code: &Code, declared: Option<&Declared>) -> Sketch {
        match code {
            Code::Const(value) => sketch_of(value),
            Code::Index(f) => sketch_of(&f.value(self.index)),
            Code::Input { n, last } => {
                let input = &mut self.inputs[*n as usize];
                if *last { std::mem::replace(input, Sketch::Unknown) } else { input.clone() }
            }
            Code::List(items) => {
                crate::data::task::deep(|| Sketch::List(items.iter().map(|c| self.value(c, None)).collect()))
            }
            Code::Map(pairs, _) => crate::data::task::deep(|| {
                let held: Vec<Sketch> = pairs.iter().flat_map(|(k, v)| [k, v]).map(|c| self.value(c, None)).collect();
                held.into_iter().find(|s| matches!(s, Sketch::Block(_) | Sketch::List(_))).map_or(
                    Sketch::Unknown,
                    |_| {
                        self.ledger.guessed.set(true);
                        Sketch::Unknown
                    },
                )
            }),
            Code::Fused(nest) => crate::data::task::deep(|| self.nest(nest)),
            Code::Call(call) => crate::data::task::deep(|| self.call(call, declared)),
            Code::Apply(items, _) => crate::data::task::deep(|| {
                let held: Vec<Sketch> = items.iter().map(|c| self.value(c, None)).collect();
                self.guess(&held)
            }),
        }
    }

    /// What a function that nobody knows makes of these arguments: where blocks go in, as much again while it runs.
    fn guess(&mut self, args: &[Sketch]) -> Sketch {
        self.ledger.guessed.set(true);
        let bytes = args.iter().map(|a| Made::of(a).bytes()).sum();
        self.ledger.take(bytes);
        self.ledger.give(bytes);
        Sketch::Unknown
    }

    fn fresh(&self, dtype: DType, shape: Dims) -> Sketch {
        Sketch::Block(self.block(dtype, shape))
    }

    fn block(&self, dtype: DType, shape: Dims) -> Phantom {
        self.block_beside(dtype, shape, 0)
    }

    /// A block that may also lie in memory of so many bytes which it shares.
    fn block_beside(&self, dtype: DType, shape: Dims, shared: usize) -> Phantom {
        let capacity = buffer::capacity(shape.iter().product::<usize>().saturating_mul(dtype.size())).max(shared);
        self.ledger.take(capacity);
        if capacity > self.ledger.largest.borrow().0 {
            self.ledger.largest.replace((capacity, shape.clone()));
        }
        let memory = Rc::new(Memory { capacity, ledger: Some(self.ledger.clone()), lent: false });
        Phantom { dtype, shape, memory, contiguous: true }
    }

    fn temporary(&self, bytes: usize) {
        self.ledger.take(bytes);
        self.ledger.give(bytes);
    }

    fn nest(&mut self, nest: &Nest) -> Sketch {
        let mut leaves: Vec<Sketch> = nest.leaves().iter().map(|c| self.value(c, None)).collect();
        let shapes: Vec<Declared> = leaves
            .iter()
            .filter_map(|s| match s {
                Sketch::Block(b) => Some((b.dtype, b.shape.clone())),
                _ => None,
            })
            .collect();
        let steps = if shapes.len() == leaves.len() { nest.steps(&shapes) } else { None };
        let Some(steps) = steps else { return self.guess(&leaves) };
        let mut blocks: Vec<Option<Phantom>> = leaves
            .drain(..)
            .map(|s| match s {
                Sketch::Block(b) => Some(b),
                _ => None,
            })
            .collect();
        let Some((last, first)) = steps.split_last() else { return Sketch::Unknown };
        for step in first {
            let made = self.block(step.dtype, step.shape.clone());
            self.temporary(step.scratch);
            blocks.push(Some(made));
        }
        let inputs: Vec<Phantom> = last.takes.iter().filter_map(|&at| blocks[at].take()).collect();
        drop(blocks);
        Sketch::Block(self.pass(last, inputs))
    }

    fn pass(&mut self, step: &Step, mut inputs: Vec<Phantom>) -> Phantom {
        let suits = |b: &Phantom| b.dtype == step.dtype && b.shape == step.shape && b.is_free();
        let made = match inputs.iter().position(suits) {
            Some(at) => inputs.swap_remove(at),
            None => self.block(step.dtype, step.shape.clone()),
        };
        self.temporary(step.scratch);
        made
    }

    fn call(&mut self, call: &Call, declared: Option<&Declared>) -> Sketch {
        let mut args: Vec<Sketch> = call.args().iter().map(|c| self.value(c, None)).collect();
        let name = call.function().name.as_str();
        match name {
            "read" => return self.read(&args),
            "write" => return self.write(&args),
            "check-block" => return self.checked(args),
            _ => {}
        }
        let accumulates = matches!(name, "dot-add" | "matmul-add" | "tensordot-add");
        let known = match args.first() {
            Some(Sketch::Block(acc)) if accumulates => Some((acc.dtype, acc.shape.clone())),
            _ => declared.cloned().or_else(|| self.told(call, &args)),
        };
        let Some((dtype, shape)) = known else {
            let blocks = args.iter().any(|a| !matches!(a, Sketch::Value(_)));
            return if blocks { self.guess(&args) } else { Sketch::Unknown };
        };
        if let Some(memory) = view(call, &args, &shape) {
            return Sketch::Block(Phantom { dtype, shape, ..memory });
        }
        if is_elementwise(name, args.len()) {
            let inputs = args.drain(..).filter_map(|a| match a {
                Sketch::Block(b) => Some(b),
                _ => None,
            });
            let (inputs, scratch) = (inputs.collect::<Vec<Phantom>>(), TILES);
            // Of integers some ops are the numbers themselves, be they a part of a larger block.
            if let [x] = &inputs[..]
                && x.dtype == dtype
                && !dtype.is_float()
                && !dtype.is_complex()
                && x.memory.capacity > buffer::capacity(x.nbytes())
            {
                return Sketch::Block(self.block_beside(dtype, shape, x.memory.capacity));
            }
            return Sketch::Block(self.pass(&Step { dtype, shape, scratch, takes: Vec::new() }, inputs));
        }
        let made = match args.first_mut() {
            Some(slot @ Sketch::Block(_)) if accumulates => {
                let Sketch::Block(acc) = std::mem::replace(slot, Sketch::Unknown) else { return Sketch::Unknown };
                if acc.dtype == dtype && acc.is_free() { acc } else { self.block(dtype, shape) }
            }
            // Strides tell whether it is a copy, and axes of one element may hide that there is no need of one.
            Some(Sketch::Block(x)) if matches!(name, "reshape" | "ravel") => {
                self.block_beside(dtype, shape, x.memory.capacity)
            }
            _ => self.block(dtype, shape),
        };
        self.temporary(scratch(name, &made, &args));
        Sketch::Block(made)
    }

    /// A part of a dataset.
    fn read(&self, args: &[Sketch]) -> Sketch {
        let Some(Sketch::Value(Value::Function(f))) = args.first() else {
            self.ledger.guessed.set(true);
            return Sketch::Unknown;
        };
        let Some(source) = f.callable.outside() else { return Sketch::Unknown };
        let len = |(at, &n): (usize, &usize)| match args.get(at + 1) {
            Some(Sketch::Value(Value::Slice(slice))) => slice.resolve(n).map_or(n, |range| range.count),
            _ => n,
        };
        let shape: Dims = source.shape.iter().enumerate().map(len).collect();
        let block = self.block(source.dtype, shape);
        self.ledger.read.set(self.ledger.read.get() + block.nbytes());
        self.ledger.scratch.set(self.ledger.scratch.get().max(source.scratch));
        self.temporary(source.wider * block.shape.iter().product::<usize>());
        Sketch::Block(block)
    }

    fn write(&self, args: &[Sketch]) -> Sketch {
        if let Some(Sketch::Block(block)) = args.get(1) {
            self.ledger.written.set(self.ledger.written.get() + block.nbytes());
            if !block.contiguous {
                self.temporary(buffer::capacity(block.nbytes()) + COPY);
            }
        }
        if let Some(Sketch::Value(Value::Function(f))) = args.first()
            && let Some(target) = f.callable.outside()
        {
            self.ledger.scratch.set(self.ledger.scratch.get().max(target.scratch));
        }
        Sketch::Value(Value::Nil)
    }

    /// What a user's function made, which says of what dtype and shape that is.
    fn checked(&self, mut args: Vec<Sketch>) -> Sketch {
        let dtype = match args.get(1) {
            Some(Sketch::Value(v)) => v.as_text().and_then(DType::parse),
            _ => None,
        };
        let shape: Option<Dims> = match args.get(2) {
            Some(Sketch::Value(v)) => ints(v),
            _ => None,
        };
        match (args.swap_remove(0), dtype, shape) {
            (Sketch::Unknown, Some(dtype), Some(shape)) => self.fresh(dtype, shape),
            (known, ..) => known,
        }
    }

    /// What an op says that it makes of arrays of such shapes.
    fn told(&mut self, call: &Call, args: &[Sketch]) -> Option<Declared> {
        let function = call.function();
        let name = function.name.as_str();
        if !TELL.contains(&name) && Unary::parse(name).is_none() && Binary::parse(name).is_none() {
            return None;
        }
        let mut values = args.iter().map(|a| self.lazy(a)).collect::<Option<Vec<Value>>>()?;
        let mut part = None;
        if !values.iter().any(Value::holds_lazy) {
            // A block made of nothing: lazy if it is to be in blocks.
            function.signature.params.iter().find(|p| p.name == "chunks")?;
            if let Some(at) = values.iter().position(|v| matches!(v, Value::Keyword(k) if *k == "part")) {
                part = values.get(at + 1).cloned();
                values.drain(at..(at + 2).min(values.len()));
            }
            values.extend([Value::keyword("chunks"), Value::Int(-1)]);
        }
        let Ok(Value::Array(array)) = function.call(self.host, &values, Span::NONE) else { return None };
        let shape = match part {
            Some(part) => part_shape(&part)?,
            None => array.shape(),
        };
        Some((array.dtype, shape))
    }

    /// A lazy array of one block, in the place of a block.
    fn lazy(&mut self, sketch: &Sketch) -> Option<Value> {
        match sketch {
            Sketch::Value(value) => Some(value.clone()),
            Sketch::List(items) => Some(Value::list(items.iter().map(|s| self.lazy(s)).collect::<Option<_>>()?)),
            Sketch::Unknown => None,
            Sketch::Block(block) => {
                self.next += 1;
                let chunks = Chunks::whole(&block.shape);
                let layer = Arc::new(Layer {
                    name: Str::from(format!("phantom-{}", self.next)),
                    grid: chunks.grid(),
                    body: Body::Blockwise { inputs: Vec::new(), task: Task::data(Value::Nil) },
                    parents: Vec::new(),
                    blocks: Some((block.dtype, chunks.clone())),
                    cost: Cost::Free,
                    span: Span::NONE,
                    parts: crate::data::Parts::default(),
                });
                Some(Value::Array(Arc::new(Array { layer, dtype: block.dtype, chunks })))
            }
        }
    }
}

/// The most that the tiles of a copy take.
const COPY: usize = 4 * 512 * 16;

/// The most that the tiles of one elementwise call, or of a reduction, take.
const TILES: usize = 128 << 10;

fn is_elementwise(name: &str, args: usize) -> bool {
    match args {
        1 => Unary::parse(name).is_some(),
        2 => Binary::parse(name).is_some(),
        _ => false,
    }
}

/// Where the result of a call lies, if that is the memory of its argument.
fn view(call: &Call, args: &[Sketch], shape: &[usize]) -> Option<Phantom> {
    let x = match args.first() {
        Some(Sketch::Block(x)) => x.clone(),
        Some(Sketch::Value(Value::Block(block))) => lent(block),
        _ => return None,
    };
    let elements = |shape: &[usize]| shape.iter().product::<usize>();
    let contiguous = match call.function().name.as_str() {
        "squeeze" | "expand-dims" => x.contiguous,
        "reshape" | "ravel" if x.contiguous => true,
        "transpose" | "swapaxes" | "moveaxis" | "flip" | "broadcast-to" => false,
        "slice" => {
            let is_list = |a: &Sketch| matches!(a, Sketch::Value(Value::List(_) | Value::Block(_)) | Sketch::Block(_));
            if args[1..].iter().any(is_list) || elements(shape) * x.dtype.size() < x.nbytes() / 4 {
                return None;
            }
            // The first axis cut, and no other: rows that lie together.
            let plain = args[1..].iter().all(is_forwards);
            plain && x.contiguous && x.shape.len() == shape.len() && x.shape[1..] == shape[1..]
        }
        _ => return None,
    };
    Some(Phantom { contiguous, ..x })
}

fn is_forwards(index: &Sketch) -> bool {
    matches!(index, Sketch::Value(Value::Slice(slice)) if matches!(**slice, Slice { step: None | Some(1), .. }))
}

/// Bytes that a kernel takes besides its arguments and its result.
fn scratch(name: &str, made: &Phantom, args: &[Sketch]) -> usize {
    fn blocks<'s>(args: &'s [Sketch], all: &mut Vec<&'s Phantom>) {
        args.iter().for_each(|a| match a {
            Sketch::Block(b) => all.push(b),
            Sketch::List(items) => blocks(items, all),
            _ => {}
        });
    }
    let mut all = Vec::new();
    blocks(args, &mut all);
    let elements = |b: &Phantom| b.shape.iter().product::<usize>();
    let cast = |b: &&Phantom| if b.dtype == made.dtype { 0 } else { buffer::capacity(elements(b) * made.dtype.size()) };
    match name {
        "dot" | "matmul" | "tensordot" | "dot-add" | "matmul-add" | "tensordot-add" => {
            let [.., x, y] = all[..] else { return 0 };
            // From the sizes m×k, k×n and m×n, whatever the axes are.
            let (x_len, y_len, out) = (elements(x), elements(y), elements(made).max(1));
            let k = ((x_len as f64 * y_len as f64 / out as f64).sqrt().ceil() as usize).max(1);
            // The axes that meet are brought together by a copy where there are several.
            let is_copied = |b: &&&Phantom| b.shape.len() > 2 || name.starts_with("tensordot") && !b.contiguous;
            let copied: usize = [x, y].iter().filter(is_copied).map(|b| buffer::capacity(b.nbytes())).sum();
            gemm::scratch_bytes(x_len / k + 1, y_len / k + 1, k, made.dtype) + cast(&x) + cast(&y) + copied
        }
        "concatenate" | "stack" | "block" => all.iter().map(cast).max().unwrap_or(0) + COPY,
        "slice" | "reshape" | "ravel" => COPY,
        // Made as 64-bit numbers, then converted.
        "arange" | "linspace" | "random/integers" if !matches!(made.dtype, DType::I64 | DType::F64) => {
            buffer::capacity(elements(made) * 8)
        }
        _ => TILES.min(4096 + 64 * (made.nbytes() + all.iter().map(|b| b.nbytes()).sum::<usize>())),
    }
}

/// A block of the program's, which is there as long as the task is.
fn lent(block: &Block) -> Phantom {
    Phantom {
        dtype: block.dtype(),
        shape: block.shape().into(),
        memory: Rc::new(Memory { capacity: 0, ledger: None, lent: true }),
        contiguous: block.is_contiguous(),
    }
}

fn sketch_of(value: &Value) -> Sketch {
    match value {
        Value::Block(block) if block.len() > SMALL => Sketch::Block(lent(block)),
        Value::List(items) if items.iter().any(|v| matches!(v, Value::Block(_))) => {
            Sketch::List(items.iter().map(sketch_of).collect())
        }
        value => Sketch::Value(value.clone()),
    }
}

fn ints(value: &Value) -> Option<Dims> {
    match value {
        Value::List(items) => items.iter().map(|v| v.as_int().and_then(|n| usize::try_from(n).ok())).collect(),
        _ => None,
    }
}

/// The shape of `:part [i j]`, or of `:part [[i j] …]`.
fn part_shape(part: &Value) -> Option<Dims> {
    if let Some(ends) = ints(part).filter(|ends| ends.len() == 2) {
        return Some(Dims::from_elem(ends[1].saturating_sub(ends[0]), 1));
    }
    let Value::List(axes) = part else { return None };
    axes.iter().map(|axis| ints(axis).filter(|e| e.len() == 2).map(|e| e[1].saturating_sub(e[0]))).collect()
}

/// What distinguishes tasks of one code: the values that depend on the block's index, as far as sizes may depend on them.
fn measure_indices(code: &Code, index: &[u32], to: &mut FxHasher) {
    match code {
        Code::Index(f) => measure(&f.value(index), to),
        Code::Fused(nest) => nest.leaves().iter().for_each(|c| measure_indices(c, index, to)),
        _ => code.parts().for_each(|c| measure_indices(c, index, to)),
    }
}

fn measure(value: &Value, to: &mut FxHasher) {
    match value {
        Value::Slice(slice) => match **slice {
            Slice { start: Some(start), stop: Some(stop), step } => (stop - start, step).hash(to),
            ref other => format!("{other:?}").hash(to),
        },
        Value::Block(block) => block.shape().hash(to),
        Value::Int(n) => n.hash(to),
        Value::List(items) => items.iter().for_each(|v| measure(v, to)),
        other => format!("{other:?}").hash(to),
    }
}
