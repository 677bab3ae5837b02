//! Going through the code of one task.

use super::super::fused::{Nest, Step};
use super::super::task::Code;
use super::phantom::{Ledger, Made, Memory, Phantom, Sketch, elements, sketch_of};
use crate::data::task::deep;
use crate::data::{DType, Dims, Host, buffer};
use crate::kernel::reduce;
use std::rc::Rc;

/// Going through one task.
pub(super) struct Weighing<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) ledger: Rc<Ledger>,
    pub(super) inputs: Vec<Sketch>,
    pub(super) index: &'a [u32],
    /// The part of their elements that blocks have.
    pub(super) share: f64,
    pub(super) next: usize,
}

/// A dtype and a shape.
pub(super) type Declared = (DType, Dims);

impl Weighing<'_> {
    pub(super) fn run(&mut self, code: &Code, declared: Option<Declared>) -> Sketch {
        let sketch = self.value(code, declared.as_ref());
        match (sketch, declared) {
            (Sketch::Unknown, Some((dtype, shape))) => self.fresh(dtype, shape),
            (sketch, _) => sketch,
        }
    }

    pub(super) fn value(&mut self, code: &Code, declared: Option<&Declared>) -> Sketch {
        match code {
            Code::Const(value) => sketch_of(value),
            Code::Index(f) => sketch_of(&f.value(self.index)),
            Code::Input { n, last } => {
                let input = &mut self.inputs[*n as usize];
                if *last { std::mem::replace(input, Sketch::Unknown) } else { input.clone() }
            }
            Code::List(items) => deep(|| Sketch::List(items.iter().map(|c| self.value(c, None)).collect())),
            Code::Map(pairs, _) => deep(|| {
                let held: Vec<Sketch> = pairs.iter().flat_map(|(k, v)| [k, v]).map(|c| self.value(c, None)).collect();
                held.into_iter().find(|s| matches!(s, Sketch::Block(_) | Sketch::List(_))).map_or(
                    Sketch::Unknown,
                    |_| {
                        self.ledger.guessed.set(true);
                        Sketch::Unknown
                    },
                )
            }),
            Code::Fused(nest) => deep(|| self.nest(nest)),
            Code::Call(call) => deep(|| self.call(call, declared)),
            Code::Apply(items, _) => deep(|| {
                let held: Vec<Sketch> = items.iter().map(|c| self.value(c, None)).collect();
                self.guess(&held)
            }),
        }
    }

    /// What a function that nobody knows makes of these arguments: where blocks go in, as much again while it runs.
    pub(super) fn guess(&mut self, args: &[Sketch]) -> Sketch {
        self.ledger.guessed.set(true);
        let bytes = args.iter().map(|a| Made::of(a).bytes()).sum();
        self.ledger.take(bytes);
        self.ledger.give(bytes);
        Sketch::Unknown
    }

    pub(super) fn fresh(&self, dtype: DType, shape: Dims) -> Sketch {
        Sketch::Block(self.block(dtype, shape))
    }

    pub(super) fn block(&self, dtype: DType, shape: Dims) -> Phantom {
        self.block_beside(dtype, shape, 0)
    }

    /// A block that may also lie in memory of so many bytes which it shares.
    pub(super) fn block_beside(&self, dtype: DType, shape: Dims, shared: usize) -> Phantom {
        let capacity = buffer::capacity(elements(&shape, self.share).saturating_mul(dtype.size())).max(shared);
        self.ledger.take(capacity);
        if capacity > self.ledger.largest.borrow().0 {
            self.ledger.largest.replace((capacity, shape.clone()));
        }
        let memory = Rc::new(Memory { capacity, ledger: Some(self.ledger.clone()), lent: false });
        Phantom { dtype, shape, memory, contiguous: true, share: self.share }
    }

    pub(super) fn temporary(&self, bytes: usize) {
        self.ledger.take(bytes);
        self.ledger.give(bytes);
    }

    pub(super) fn nest(&mut self, nest: &Nest) -> Sketch {
        let mut leaves: Vec<Sketch> = nest.leaves().iter().map(|c| self.value(c, None)).collect();
        let shapes: Vec<Declared> = leaves
            .iter()
            .filter_map(|s| match s {
                Sketch::Block(b) => Some((b.dtype, b.shape.clone())),
                _ => None,
            })
            .collect();
        let steps = if shapes.len() == leaves.len() { nest.steps(&shapes) } else { None };
        let Some(steps) = steps else {
            // Call by call, as it will run.
            let inputs = std::mem::replace(&mut self.inputs, leaves);
            let made = self.value(nest.plain(), None);
            self.inputs = inputs;
            return made;
        };
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

    pub(super) fn pass(&mut self, step: &Step, mut inputs: Vec<Phantom>) -> Phantom {
        let suits =
            |b: &Phantom| step.reduces.is_none() && b.dtype == step.dtype && b.shape == step.shape && b.is_free();
        let made = match inputs.iter().position(suits) {
            Some(at) => inputs.swap_remove(at),
            None => self.block(step.dtype, step.shape.clone()),
        };
        let gathered = |b: &Phantom| match &step.reduces {
            Some(whole) if !b.contiguous || b.shape != *whole => {
                reduce::gathered_bytes(elements(whole, self.share), b.dtype)
            }
            _ => 0,
        };
        self.temporary(step.scratch + inputs.iter().map(gathered).sum::<usize>());
        made
    }
}
