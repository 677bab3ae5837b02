//! From layers to dense arrays: the tasks that outputs need, numbered in the order in which they should run.
//!
//! Keys are arithmetic: a task is a layer and the position of its block, and finding the tasks of a graph costs a walk
//! over edges, with no key made and no hash looked up. Only hand-made tasks are found by key. A block that no output
//! needs never gets a number, so building a plan culls.
//!
//! ```text
//! layers   arange-5a [2]   add-c1 [2]          outputs: every block of add-c1
//! tasks    0 (arange-5a 0)   1 (add-c1 0)   2 (arange-5a 1)   3 (add-c1 1)
//! dependencies   [] [0] [] [2]     dependents   [1] [] [3] []     roots   0 2
//! ```

mod builder;
mod names;

use super::Bytes;
use super::fused;
use super::task::{self, Code};
use crate::data::graph::unravel;
use crate::data::{Body, Graph, Host, Key, Layer, Str, Task};
use crate::err;
use crate::optimize::Lists;
use crate::text::{Error, Result, Span, suggest};
use builder::Builder;
use names::LayerNames;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a computation is asked for.
#[derive(Clone)]
pub enum Want {
    /// Every block of a layer.
    Layer(Arc<Layer>),
    /// One task.
    Key(Arc<Layer>, Key),
}

/// Tasks as dense numbers; the number of a task is its place in the static order.
pub struct Plan {
    pub(super) tasks: Vec<Place>,
    pub(super) codes: Vec<Code>,
    pub(super) layers: Vec<Arc<Layer>>,
    /// For each layer: the first one that makes the same of the same blocks, but for what they hold.
    pub(super) like: Vec<u32>,
    /// Bytes of all blocks of the layers, needed or not.
    pub(super) bytes: usize,
    pub dependencies: Lists,
    pub dependents: Lists,
    /// The tasks that depend on nothing, ascending.
    pub(super) roots: Vec<u32>,
    /// For each want: its tasks, in row-major order of blocks.
    pub(super) wanted: Vec<Vec<u32>>,
}

/// Where a task comes from.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub layer: u32,
    /// Position of the block, or of the hand-made task.
    pub at: u32,
    /// `NONE` for a task that is compiled when it runs.
    pub code: u32,
}

/// Bytes that a task takes in a plan and while it runs, on average: its number, its edges, its place in the order, its state.
const TASK_BYTES: usize = 200;

/// How large a plan may be, and what ends the making of it.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Bytes that the tasks may take.
    pub bytes: usize,
    pub cancel: &'a AtomicBool,
}

impl Room<'_> {
    fn tasks(&self) -> usize {
        self.bytes / TASK_BYTES
    }

    /// The error for more tasks than there is room for.
    fn exceeded(&self, tasks: usize) -> Error {
        let (size, limit) = (Bytes(tasks.saturating_mul(TASK_BYTES)), Bytes(self.bytes));
        err!(Memory, "a graph of {tasks} tasks takes about {size}, and the memory limit is {limit}")
            .help("larger blocks make fewer tasks; `:memory-limit` raises the limit")
    }

    /// Asks now and then whether to go on.
    fn check(&self, done: usize) -> Result<()> {
        if done.is_multiple_of(1024) && self.cancel.load(Relaxed) {
            return Err(err!(Interrupted, "the computation was interrupted"));
        }
        Ok(())
    }
}

impl Plan {
    /// The plan of what is wanted. `dsk::memory` where its tasks take more than there is room for.
    pub fn new(host: &dyn Host, wants: &[Want], room: Room) -> Result<Plan> {
        Builder::new(host, room).plan(wants)
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn key(&self, id: u32) -> Key {
        let place = self.tasks[id as usize];
        key_of(&self.layers[place.layer as usize], place.at)
    }

    /// The task with its keys filled in.
    pub fn task(&self, id: u32) -> Task {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        match &layer.body {
            Body::Tasks(tasks) => {
                tasks.get_index(place.at as usize).map_or_else(|| Task::list(vec![]), |t| t.1.clone())
            }
            _ => layer.task(&unravel(place.at as usize, &layer.grid)),
        }
    }

    /// Bytes of what a task makes, where that is a block of known size.
    pub fn bytes(&self, id: u32) -> Option<usize> {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        let (dtype, chunks) = layer.blocks.as_ref()?;
        let shape = chunks.block_shape(&unravel(place.at as usize, &layer.grid));
        Some(shape.iter().product::<usize>() * dtype.size())
    }

    /// Bytes that the plan takes, and the state of a run of it.
    pub fn own_bytes(&self) -> usize {
        self.len() * TASK_BYTES
    }

    /// Shape of the block that a task makes.
    pub fn shape(&self, id: u32) -> Option<Vec<usize>> {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        let (_, chunks) = layer.blocks.as_ref()?;
        Some(chunks.block_shape(&unravel(place.at as usize, &layer.grid)).to_vec())
    }

    /// Compiles a task that was not compiled with the plan.
    pub(super) fn compile(&self, id: u32, host: &dyn Host) -> Result<Code> {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        let Body::PerBlock(make) = &layer.body else {
            return Err(err!(Internal, "a task of the layer `{}` was not compiled", layer.name));
        };
        let (_, task) = make(&unravel(place.at as usize, &layer.grid));
        let code = task::compile(&task, &mut LayerNames { host, heads: &mut FxHashMap::default() })?;
        Ok(fused::fuse(code, 2, host))
    }

    pub(super) fn span(&self, id: u32) -> Span {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        match &layer.body {
            Body::Tasks(tasks) => tasks.get_index(place.at as usize).map_or(Span::NONE, |(_, t)| t.span),
            _ => layer.span,
        }
    }
}

fn key_of(layer: &Layer, at: u32) -> Key {
    match &layer.body {
        Body::Tasks(tasks) => tasks.get_index(at as usize).map_or_else(|| Key::new("?"), |(k, _)| k.clone()),
        _ => Key::block(layer.name.clone(), &unravel(at as usize, &layer.grid)),
    }
}

/// The error of a key that is not in a graph, with the nearest one that is.
pub fn no_such_key(layers: &[Arc<Layer>], key: &Key) -> Error {
    let mut names: Vec<Str> = Vec::new();
    for layer in Graph::of(layers).layers {
        match &layer.body {
            Body::Tasks(tasks) => names.extend(tasks.keys().map(|k| k.name.clone())),
            _ => names.push(layer.name.clone()),
        }
    }
    let error = err!(Index, "the graph has no key `{key}`");
    match suggest::nearest(&key.name, names.iter().map(Str::as_str)) {
        Some(near) if near != key.name => error.help(format!("did you mean `{near}`?")),
        _ => error,
    }
}
