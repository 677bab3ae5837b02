//! Graphs and the layers they are made of.
//!
//! `(+ (arange 6 :chunks 3) 1)` is two layers of two tasks each:
//!
//! ```text
//! arange-5a  grid [2]   (arange 0 3)           (arange 3 6)
//! add-c1     grid [2]   (add [arange-5a 0] 1)  (add [arange-5a 1] 1)
//! ```
//!
//! A layer holds one task with places in it ([`Form::Input`], [`Form::Index`]) instead of a task per block, so making
//! and rewriting layers costs O(layers). [`Layer::task`] fills in the places; a worker evaluates the task with places.

use super::cancel::cancelled;
use super::slice::Range;
use super::{Array, Cost, DType, Dims, Form, Key, Str, Task, Value, task::deep};
use crate::err;
use crate::text::{Result, Span};
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::Arc;

/// Tasks under one name: one for each block index of `grid`; a single one where `grid` is empty.
pub struct Layer {
    /// Unique to what it computes: op, arguments, and the names of the parents are in it.
    pub name: Str,
    /// Number of blocks along each axis.
    pub grid: Dims,
    pub body: Body,
    /// The layers whose blocks the tasks take.
    pub parents: Vec<Arc<Layer>>,
    /// What the tasks make, where it is blocks of an array.
    pub blocks: Option<(DType, super::Chunks)>,
    /// Of a task, its inputs being there.
    pub cost: Cost,
    /// The call that made the layer.
    pub span: Span,
    /// What parts of its array can be made of.
    pub parts: Parts,
    /// Layers that were put into its tasks, one within the other.
    pub nested: usize,
}

/// What is known of parts of a layer's array, for the pass that takes slices down to where blocks come from.
#[derive(Clone, Default)]
pub struct Parts {
    /// Makes a part of the array out of parts of what the array is made of.
    pub make: Option<Arc<MakePart>>,
    /// All that the layer does is to take a part of its only parent's array.
    pub taken: Option<Arc<Taken>>,
    /// It is this array, in other blocks.
    pub recut: Option<Arc<Array>>,
}

/// The part that ranges take, all of which go forward; `None` where that part is not made of parts.
pub type MakePart = dyn Fn(&[Range]) -> Option<Array> + Send + Sync;

/// What a slice takes: ranges that go forward, and whatever else is done with these (axes that go, elements turned round).
pub struct Taken {
    pub ranges: Vec<Range>,
    pub rest: Box<dyn Fn(&Array) -> Array + Send + Sync>,
}

#[derive(Clone)]
pub enum Body {
    /// The same task for every block, with `Form::Input(n)` for the block of `inputs[n]`.
    Blockwise { inputs: Vec<Input>, task: Task },
    /// A task of its own for every block (slicing, rechunking, trees of reductions): the function yields the blocks
    /// it takes and the task, with `Form::Input(n)` for the n-th of them.
    PerBlock(Arc<PerBlock>),
    /// Written by hand, or by a pass: keys of any shape. The layer's own name and grid mean nothing.
    Tasks(IndexMap<Key, Task, FxBuildHasher>),
}

impl Body {
    /// The task of one block, and the blocks in its places.
    ///
    /// # Panics
    /// For [`Body::Tasks`], whose tasks are there to look up.
    pub fn instance(&self, index: &[u32]) -> (Vec<BlockRef>, Task) {
        match self {
            Body::Blockwise { inputs, task } => {
                let block = |input: &Input| BlockRef { parent: input.parent, index: input.at.apply(index) };
                (inputs.iter().map(block).collect(), task.clone())
            }
            Body::PerBlock(make) => make(index),
            Body::Tasks(_) => unreachable!("hand-made tasks are looked up by key"),
        }
    }
}

pub type PerBlock = dyn Fn(&[u32]) -> (Vec<BlockRef>, Task) + Send + Sync;

/// A block of a parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockRef {
    /// Position in `Layer::parents`.
    pub parent: usize,
    pub index: SmallVec<[u32; 4]>,
}

/// Which block of a parent a task takes, as a rule.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Input {
    /// Position in `Layer::parents`.
    pub parent: usize,
    pub at: At,
}

/// How a block index is made from another: `[j 0]` from `[i j]` is `[Axis(1), Block(0)]`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct At(pub SmallVec<[Axis; 4]>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Axis {
    /// The block's index along this axis.
    Axis(u8),
    /// Always this block.
    Block(u32),
}

impl At {
    /// The same index.
    pub fn same(ndim: usize) -> At {
        At((0..ndim).map(|a| Axis::Axis(a as u8)).collect())
    }

    pub fn apply(&self, index: &[u32]) -> SmallVec<[u32; 4]> {
        self.0
            .iter()
            .map(|a| match *a {
                Axis::Axis(n) => index[n as usize],
                Axis::Block(b) => b,
            })
            .collect()
    }

    /// The rule "first `first`, then this".
    pub fn after(&self, first: &At) -> At {
        At(self
            .0
            .iter()
            .map(|a| match *a {
                Axis::Axis(n) => first.0[n as usize],
                Axis::Block(b) => Axis::Block(b),
            })
            .collect())
    }
}

impl Layer {
    /// The same tasks, on blocks of other parents in the places of its own.
    pub fn with_parents(&self, parents: Vec<Arc<Layer>>) -> Layer {
        Layer {
            name: self.name.clone(),
            grid: self.grid.clone(),
            body: self.body.clone(),
            parents,
            blocks: self.blocks.clone(),
            cost: self.cost,
            span: self.span,
            parts: Parts::default(),
            nested: self.nested,
        }
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Tasks(tasks) => tasks.len(),
            _ => self.grid.iter().copied().fold(1, usize::saturating_mul),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the tasks were written by hand, under keys of their own.
    pub fn is_hand_made(&self) -> bool {
        matches!(self.body, Body::Tasks(_))
    }

    /// Every block index, in row-major order.
    pub fn indices(&self) -> impl Iterator<Item = SmallVec<[u32; 4]>> + '_ {
        let total: usize = self.grid.iter().product();
        (0..total).map(|n| unravel(n, &self.grid))
    }

    /// Every key, in row-major order.
    pub fn keys(&self) -> Vec<Key> {
        match &self.body {
            Body::Tasks(tasks) => tasks.keys().cloned().collect(),
            _ => self.indices().map(|i| Key::block(self.name.clone(), &i)).collect(),
        }
    }

    /// The task of a block with its keys filled in: the Lisp that `(graph x)` prints.
    ///
    /// # Panics
    /// For a layer of [`Body::Tasks`], whose tasks are there to look up.
    pub fn task(&self, index: &[u32]) -> Task {
        let (blocks, task) = self.body.instance(index);
        self.fill(&task, index, &|n| Key::block(self.parents[blocks[n].parent].name.clone(), &blocks[n].index))
    }

    fn fill(&self, task: &Task, index: &[u32], key: &dyn Fn(usize) -> Key) -> Task {
        task.replace(&mut |t| {
            let form = match &t.form {
                Form::Input(n) => Form::Key(key(*n as usize)),
                Form::Index(f) => Form::Data(f.value(index)),
                _ => return None,
            };
            Some(Task::new(form, t.span))
        })
    }
}

/// The n-th index of a grid in row-major order.
pub fn unravel(mut n: usize, grid: &[usize]) -> SmallVec<[u32; 4]> {
    let mut index: SmallVec<[u32; 4]> = SmallVec::from_elem(0, grid.len());
    for axis in (0..grid.len()).rev() {
        index[axis] = (n % grid[axis]) as u32;
        n /= grid[axis];
    }
    index
}

/// The position of an index of a grid in row-major order.
pub fn ravel(index: &[u32], grid: &[usize]) -> usize {
    index.iter().zip(grid).fold(0, |n, (&i, &g)| n * g + i as usize)
}

/// A long chain of layers must not exhaust the stack when it is dropped.
impl Drop for Layer {
    fn drop(&mut self) {
        if !self.parents.is_empty() {
            deep(|| {
                self.parents.clear();
                self.parts = Parts::default();
            });
        }
    }
}

/// Layers, each after its parents.
#[derive(Clone, Default)]
pub struct Graph {
    pub layers: Vec<Arc<Layer>>,
}

impl Graph {
    /// All layers that `outputs` need; not all of them for who is no longer wanted.
    pub fn of(outputs: &[Arc<Layer>]) -> Graph {
        let mut seen: FxHashMap<Str, ()> = FxHashMap::default();
        let mut layers = Vec::new();
        // Depth first without recursion: a layer is pushed again, marked, to be placed after its parents.
        let mut stack: Vec<(Arc<Layer>, bool)> = outputs.iter().rev().map(|l| (l.clone(), false)).collect();
        while let Some((layer, parents_done)) = stack.pop() {
            if cancelled() {
                break;
            }
            if parents_done {
                layers.push(layer);
            } else if seen.insert(layer.name.clone(), ()).is_none() {
                stack.push((layer.clone(), true));
                stack.extend(layer.parents.iter().rev().map(|p| (p.clone(), false)));
            }
        }
        Graph { layers }
    }

    /// A graph of hand-made tasks. Symbols and lists that are keys of the graph become keys: `[w 0]` is the key
    /// `[w 0]` where there is one, else the list of `w` and 0. Some of the tasks for who is no longer wanted.
    pub fn from_tasks(tasks: Vec<(Key, Task)>) -> Graph {
        let keys: FxHashSet<&Key> = tasks.iter().map(|(key, _)| key).collect();
        let named = |task: &Task| match &task.form {
            Form::List(_) => Graph::key_of(task).filter(|key| keys.contains(key)),
            _ => None,
        };
        let resolve = |task: &Task| {
            let mut any = false;
            task.walk(&mut |part| any |= named(part).is_some());
            match any {
                true => task.replace(&mut |t| named(t).map(|key| Task::new(Form::Key(key), t.span))),
                false => task.clone(),
            }
        };
        let wanted = tasks.iter().take_while(|_| !cancelled());
        Graph::of_tasks(wanted.map(|(key, task)| (key.clone(), resolve(task))).collect())
    }

    /// A graph of hand-made tasks in which what stands for a key is one.
    pub fn of_tasks(tasks: IndexMap<Key, Task, FxBuildHasher>) -> Graph {
        Graph {
            layers: vec![Arc::new(Layer {
                name: Str::from("tasks"),
                grid: Dims::new(),
                body: Body::Tasks(tasks),
                parents: Vec::new(),
                blocks: None,
                cost: Cost::Unknown,
                span: Span::NONE,
                parts: Parts::default(),
                nested: 0,
            })],
        }
    }

    /// A key as a value: `x`, `[x 3 0]`. The inverse of [`Graph::key_of`] on quoted forms.
    pub fn key_value(key: &Key) -> Value {
        let name = Value::symbol(key.name.clone());
        if key.index.is_empty() {
            return name;
        }
        let index = key.index.iter().map(|&i| Value::Int(i64::from(i)));
        Value::list(std::iter::once(name).chain(index).collect())
    }

    /// The key that a form may stand for: a symbol, or a list of a name and block numbers.
    pub fn key_of(task: &Task) -> Option<Key> {
        match &task.form {
            Form::Key(key) => Some(key.clone()),
            Form::List(items) => {
                let (head, rest) = items.split_first()?;
                let name = match &head.form {
                    Form::Key(k) if k.index.is_empty() => k.name.clone(),
                    Form::Data(super::Value::Str(s)) => s.clone(),
                    _ => return None,
                };
                let index = rest.iter().map(|t| match &t.form {
                    Form::Data(super::Value::Int(n)) => u32::try_from(*n).ok(),
                    _ => None,
                });
                let index: Option<SmallVec<[u32; 4]>> = index.collect();
                index.filter(|i| !i.is_empty()).map(|index| Key { name, index })
            }
            _ => None,
        }
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.layers.iter().map(|l| l.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every key and its task, layer by layer; some of them where that is no longer wanted ([`super::cancel`]).
    pub fn tasks(&self) -> IndexMap<Key, Task, FxBuildHasher> {
        let mut all = IndexMap::default();
        for layer in &self.layers {
            match &layer.body {
                Body::Tasks(tasks) => all.extend(tasks.iter().map(|(k, t)| (k.clone(), t.clone()))),
                _ => {
                    let indices = layer.indices().take_while(|_| !cancelled());
                    all.extend(indices.map(|i| (Key::block(layer.name.clone(), &i), layer.task(&i))));
                }
            }
        }
        all
    }

    /// The layer of that name.
    pub fn layer(&self, name: &str) -> Result<&Arc<Layer>> {
        self.layers.iter().find(|l| l.name == name).ok_or_else(|| err!(Index, "the graph has no layer `{name}`"))
    }
}
