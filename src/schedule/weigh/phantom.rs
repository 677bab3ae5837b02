//! Blocks without elements, and the ledger that counts their memory.

use super::super::Plan;
use crate::data::{Block, DType, Dims, Value, buffer};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Counts what is held at a time.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    pub(super) now: Cell<usize>,
    pub(super) most: Cell<usize>,
    pub(super) read: Cell<usize>,
    pub(super) written: Cell<usize>,
    pub(super) scratch: Cell<usize>,
    pub(super) guessed: Cell<bool>,
    /// Bytes and shape of the largest block.
    pub(super) largest: RefCell<(usize, Dims)>,
}

impl Ledger {
    pub(super) fn take(&self, bytes: usize) {
        self.now.set(self.now.get() + bytes);
        self.most.set(self.most.get().max(self.now.get()));
    }

    pub(super) fn give(&self, bytes: usize) {
        self.now.set(self.now.get() - bytes);
    }
}

/// Memory of blocks.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) capacity: usize,
    /// Where it is counted, if the task took it.
    pub(super) ledger: Option<Rc<Ledger>>,
    /// Others than tasks have it as well, and nobody may write into it: it belongs to a value of the program.
    pub(super) lent: bool,
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
pub(super) struct Phantom {
    pub(super) dtype: DType,
    pub(super) shape: Dims,
    pub(super) memory: Rc<Memory>,
    pub(super) contiguous: bool,
    /// The part of its elements that count.
    pub(super) share: f64,
}

impl Phantom {
    pub(super) fn elements(&self) -> usize {
        elements(&self.shape, self.share)
    }

    pub(super) fn nbytes(&self) -> usize {
        self.elements() * self.dtype.size()
    }

    /// As for blocks: whether its memory can become a result's.
    pub(super) fn is_free(&self) -> bool {
        self.contiguous
            && !self.memory.lent
            && Rc::strong_count(&self.memory) == 1
            && self.memory.capacity <= buffer::capacity(self.nbytes())
    }
}

/// How many elements that part of a block has.
pub(super) fn elements(shape: &[usize], share: f64) -> usize {
    let all = shape.iter().fold(1usize, |all, &n| all.saturating_mul(n));
    if share < 1.0 { (all as f64 * share).ceil() as usize } else { all }
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub(super) enum Sketch {
    Block(Phantom),
    List(Vec<Sketch>),
    Value(Value),
    Unknown,
}

/// What is known of a result, for the tasks that need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Made {
    Block { dtype: DType, shape: Dims, capacity: usize, contiguous: bool, lent: bool },
    List(Vec<Made>),
    Other,
}

impl Made {
    pub(super) fn of(sketch: &Sketch) -> Made {
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
    pub(super) fn declared(plan: &Plan, id: u32) -> Made {
        let layer = &plan.layers[plan.tasks[id as usize].layer as usize];
        match (plan.shape(id), &layer.blocks) {
            (Some(shape), Some((dtype, _))) => {
                let capacity = buffer::capacity(shape.iter().product::<usize>() * dtype.size());
                Made::Block { dtype: *dtype, shape: shape.into(), capacity, contiguous: true, lent: false }
            }
            _ => Made::Other,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Made::Block { capacity, .. } => *capacity,
            Made::List(items) => items.iter().map(Made::bytes).sum(),
            Made::Other => 0,
        }
    }

    /// The result as an input, whose memory was there before the task.
    pub(super) fn sketch(&self, share: f64) -> Sketch {
        match self {
            Made::Block { dtype, shape, capacity, contiguous, lent } => Sketch::Block(Phantom {
                dtype: *dtype,
                shape: shape.clone(),
                memory: Rc::new(Memory { capacity: *capacity, ledger: None, lent: *lent }),
                contiguous: *contiguous,
                share,
            }),
            Made::List(items) => Sketch::List(items.iter().map(|made| made.sketch(share)).collect()),
            Made::Other => Sketch::Unknown,
        }
    }
}

/// Elements of a concrete block up to which it stands for itself: it may be an index.
const SMALL: usize = 1024;

/// A block of the program's, which is there as long as the task is.
pub(super) fn lent(block: &Block) -> Phantom {
    Phantom {
        dtype: block.dtype(),
        shape: block.shape().into(),
        memory: Rc::new(Memory { capacity: 0, ledger: None, lent: true }),
        contiguous: block.is_contiguous(),
        share: 1.0,
    }
}

pub(super) fn sketch_of(value: &Value) -> Sketch {
    match value {
        Value::Block(block) if block.len() > SMALL => Sketch::Block(lent(block)),
        Value::List(items) if items.iter().any(|v| matches!(v, Value::Block(_))) => {
            Sketch::List(items.iter().map(sketch_of).collect())
        }
        value => Sketch::Value(value.clone()),
    }
}
