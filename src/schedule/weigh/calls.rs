//! What calls of ops make, and where that lies.

use super::super::fused::Step;
use super::super::task::Call;
use super::kernels::{COPY, TILES, scratch};
use super::phantom::{Phantom, Sketch, elements, lent};
use super::weighing::{Declared, Weighing};
use crate::data::{Array, Body, Chunks, Cost, DType, Dims, Layer, Memory, Slice, Str, Task, Value, buffer};
use crate::text::Span;
use std::sync::Arc;

impl Weighing<'_> {
    pub(super) fn call(&mut self, call: &Call, declared: Option<&Declared>) -> Sketch {
        let mut args: Vec<Sketch> = call.args().iter().map(|c| self.value(c, None)).collect();
        let memory = call.function().memory;
        let known = match (memory, args.first()) {
            (Memory::Read, _) => return self.read(&args),
            (Memory::Write, _) => return self.write(&args),
            (Memory::Checked, _) => return self.checked(args),
            (Memory::Accumulation { .. }, Some(Sketch::Block(acc))) => Some((acc.dtype, acc.shape.clone())),
            _ => declared.cloned().or_else(|| moments(memory, &args)).or_else(|| self.told(call, &args)),
        };
        if memory == Memory::Varies {
            self.ledger.guessed.set(true);
        }
        let Some((dtype, shape)) = known else {
            let blocks = args.iter().any(|a| !matches!(a, Sketch::Value(_)));
            return if blocks { self.guess(&args) } else { Sketch::Unknown };
        };
        if let Some(memory) = view(call, &args, &shape) {
            return Sketch::Block(Phantom { dtype, shape, ..memory });
        }
        // More arguments are taken two by two.
        if memory == Memory::Elementwise && args.len() <= 2 {
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
            return Sketch::Block(self.pass(&Step { dtype, shape, scratch, takes: Vec::new(), reduces: None }, inputs));
        }
        let made = match args.first_mut() {
            Some(slot @ Sketch::Block(_)) if matches!(memory, Memory::Accumulation { .. }) => {
                let Sketch::Block(acc) = std::mem::replace(slot, Sketch::Unknown) else { return Sketch::Unknown };
                if acc.dtype == dtype && acc.is_free() { acc } else { self.block(dtype, shape) }
            }
            // Strides tell whether it is a copy, and axes of one element may hide that there is no need of one.
            Some(Sketch::Block(x)) if memory == Memory::Reshape => self.block_beside(dtype, shape, x.memory.capacity),
            _ => self.block(dtype, shape),
        };
        self.temporary(scratch(memory, &made, &args));
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
        if source.wider > 0 {
            // Another block, as the file has the elements, which are converted or put in order from there.
            self.temporary(buffer::capacity(source.wider * block.elements()) + COPY);
        }
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
        if function.memory == Memory::Unknown {
            return None;
        }
        let mut values = args.iter().map(|a| self.lazy(a)).collect::<Option<Vec<Value>>>()?;
        let mut part = None;
        if let [Value::Block(block), ..] = &values[..] {
            values[0] = self.lazy(&Sketch::Block(lent(block)))?;
        }
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
                    nested: 0,
                });
                Some(Value::Array(Arc::new(Array { layer, dtype: block.dtype, chunks, unknown: Default::default() })))
            }
        }
    }
}

/// What the ops make that partial results of variances are made by: they take blocks only.
fn moments(memory: Memory, args: &[Sketch]) -> Option<Declared> {
    let Some(Sketch::Block(x)) = args.first() else { return None };
    let value = |keyword: &str| {
        let at = args.iter().position(|a| matches!(a, Sketch::Value(Value::Keyword(k)) if *k == keyword));
        match args.get(at? + 1) {
            Some(Sketch::Value(value)) => Some(value),
            _ => None,
        }
    };
    match memory {
        Memory::Moments => {
            let dtype = if x.dtype.is_complex() { DType::C128 } else { DType::F64 };
            let axes = ints(value("axis")?)?;
            let kept = x.shape.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n });
            Some((dtype, std::iter::once(3).chain(kept).collect()))
        }
        Memory::MergeMoments => Some((x.dtype, x.shape.clone())),
        Memory::VarOfMoments => Some((value("dtype")?.as_text().and_then(DType::parse)?, x.shape.get(1..)?.into())),
        _ => None,
    }
}

/// Where the result of a call lies, if that is the memory of its argument.
fn view(call: &Call, args: &[Sketch], shape: &[usize]) -> Option<Phantom> {
    let x = match args.first() {
        Some(Sketch::Block(x)) => x.clone(),
        Some(Sketch::Value(Value::Block(block))) => lent(block),
        _ => return None,
    };
    let contiguous = match call.function().memory {
        Memory::View { contiguous } => contiguous && x.contiguous,
        Memory::Reshape if x.contiguous => true,
        Memory::Slice => {
            let is_list = |a: &Sketch| matches!(a, Sketch::Value(Value::List(_) | Value::Block(_)) | Sketch::Block(_));
            if args[1..].iter().any(is_list) || elements(shape, x.share) * x.dtype.size() < x.nbytes() / 4 {
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
