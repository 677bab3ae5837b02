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
//! What a user's function takes is known to nobody, and of what varies with data only what is to be expected. The task is then said to be a
//! guess ([`Load::exact`]), and who runs it watches.

mod calls;
mod kernels;
mod phantom;
mod weighing;

use super::Plan;
use super::task::Code;
use crate::data::graph::unravel;
use crate::data::{Cost, Dims, Host, Layer, Slice, Value, cancel};
use crate::text::Result;
use phantom::{Ledger, Made, Sketch};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use weighing::Weighing;

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
    /// somebody else's too. Blocks have as large a `share` of their elements as they would if they were cut smaller: 1 for as they are.
    ///
    /// # Errors
    /// `dsk::interrupted` where nobody wants to know any more.
    pub fn of(host: &dyn Host, plan: &Plan, shared: &dyn Fn(u32) -> bool, share: f64) -> Result<Loads> {
        let mut loads = Loads { kinds: Vec::new(), of: Vec::with_capacity(plan.len()) };
        let mut known: FxHashMap<Kind, u32> = FxHashMap::default();
        let wanted: FxHashSet<u32> = plan.wanted.iter().flatten().copied().collect();
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
                let load = weigh(host, plan, id, &index, &made, share);
                loads.kinds.push(load);
            }
            loads.of.push(at);
            cancel::check()?;
        }
        Ok(loads)
    }

    /// The most that a task takes, and whether that is exact, judged by the first task of each layer and some more: for plans
    /// of so many small tasks that going through all of them would take as long as running them.
    pub fn glance(host: &dyn Host, plan: &Plan) -> (usize, bool) {
        const SOME: usize = 128;
        let mut seen = vec![false; plan.layers.len()];
        let (mut most, mut exact) = (0, true);
        let step = (plan.len() / SOME).max(1);
        for id in 0..plan.len() as u32 {
            let place = plan.tasks[id as usize];
            // Many small layers, such as a loop makes, are calls of the same code on alike blocks.
            let is_first = !std::mem::replace(&mut seen[plan.like[place.layer as usize] as usize], true);
            if !is_first && !(id as usize).is_multiple_of(step) {
                continue;
            }
            let layer = &plan.layers[place.layer as usize];
            let made: Vec<Made> = plan.dependencies.get(id).iter().map(|&d| Made::declared(plan, d)).collect();
            let inputs: Vec<(&Made, bool)> = made.iter().map(|made| (made, false)).collect();
            let load = weigh(host, plan, id, &unravel(place.at as usize, &layer.grid), &inputs, 1.0);
            most = most.max(load.growth + made.iter().map(Made::bytes).sum::<usize>());
            exact &= load.exact;
        }
        (most, exact)
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

/// Whether the tasks of a layer make lists, as those of bags do, which are as long as data decide. Layers of arrays whose sizes nobody
/// knows have a cost.
pub fn makes_lists(layer: &Layer) -> bool {
    layer.blocks.is_none() && !layer.grid.is_empty() && layer.cost == Cost::Unknown
}

/// The load of one task, of whose inputs it is known what they are and whether nobody else needs them.
fn weigh(host: &dyn Host, plan: &Plan, id: u32, index: &[u32], inputs: &[(&Made, bool)], share: f64) -> Load {
    let place = plan.tasks[id as usize];
    let layer = &*plan.layers[place.layer as usize];
    let ledger = Rc::new(Ledger::default());
    let inputs: Vec<(Sketch, bool)> = inputs.iter().map(|&(made, only)| (made.sketch(share), only)).collect();
    // What others need as well cannot be written into.
    let shared: Vec<Sketch> = inputs.iter().filter(|(_, only)| !only).map(|(sketch, _)| sketch.clone()).collect();
    let inputs = inputs.into_iter().map(|(sketch, _)| sketch).collect();
    let declared = plan.shape(id).zip(layer.blocks.as_ref()).map(|(shape, (dtype, _))| (*dtype, Dims::from(shape)));
    let mut weighing = Weighing { host, ledger: ledger.clone(), inputs, index, share, next: 0 };
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
        exact: !ledger.guessed.get() && !makes_lists(layer),
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

/// What distinguishes tasks of one code: the values that depend on the block's index, as far as sizes may depend on them.
fn measure_indices(code: &Code, index: &[u32], to: &mut FxHasher) {
    match code {
        Code::Index(f) => measure(&f.value(index), to),
        Code::Fused(nest) => nest.leaves().iter().for_each(|c| measure_indices(c, index, to)),
        Code::Call(call) => {
            let mut name = None;
            for arg in call.args() {
                match arg {
                    // Which part of an array a block is: its lengths count.
                    Code::Index(f) if name == Some("part") => measure_part(&f.value(index), to),
                    arg => measure_indices(arg, index, to),
                }
                name = match arg {
                    Code::Const(Value::Keyword(name)) => Some(name.as_str()),
                    _ => None,
                };
            }
        }
        _ => code.parts().for_each(|c| measure_indices(c, index, to)),
    }
}

/// For each axis where the part starts and stops.
fn measure_part(part: &Value, to: &mut FxHasher) {
    let bounds = |axis: &Value| match axis.as_list()? {
        [start, stop] => Some((start.as_int()?, stop.as_int()?)),
        _ => None,
    };
    match part.as_list().and_then(|axes| axes.iter().map(bounds).collect::<Option<Vec<_>>>()) {
        Some(axes) => axes.iter().for_each(|(start, stop)| (stop - start).hash(to)),
        None => measure(part, to),
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
