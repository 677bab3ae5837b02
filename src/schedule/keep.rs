//! What of a computation is kept for later ones: see [`super::recall`] for what may be, and [`crate::memory::Cache`] for what stays.
//!
//! What a result cost is what its task took, and its share of what its inputs cost: all of it where they were made for this
//! task only, half of it where two tasks take them. So the last step of a deviation, which takes no time, counts for all that was read
//! for it.

use super::compute::Computation;
use super::plan::{Plan, Want};
use super::recall::{Recall, layer_of};
use super::weigh::Loads;
use crate::data::{Block, Cost, Layer, Value, cancel, task::deep};
use crate::memory::{Origin, Part};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Puts results of a run into the cache as they are made.
pub(super) struct Keeper<'r> {
    recall: &'r Recall<'r>,
    plan: &'r Plan,
    /// For each layer of the plan, what its results are kept as.
    kept: Vec<Option<Origin>>,
    /// What the result of each task cost, in seconds, as bits.
    costs: Box<[AtomicU32]>,
    /// Bytes that the cache may have while this runs.
    most: AtomicUsize,
    put: Mutex<Vec<(Origin, Part)>>,
}

impl<'r> Keeper<'r> {
    /// `None` where no result of a single task is worth keeping. `together` are layers whose blocks are put together: those
    /// are kept whole.
    pub fn of(recall: &'r Recall<'r>, plan: &'r Plan, together: &dyn Fn(usize) -> bool) -> Option<Keeper<'r>> {
        let mut kept: Vec<Option<Origin>> = Vec::with_capacity(plan.layers.len());
        for (n, layer) in plan.layers.iter().enumerate() {
            let is_kept = |parent: &Layer| {
                let known = plan.layers[..n].iter().position(|l| std::ptr::eq(&**l, parent));
                recall.recalled.contains(&parent.name) || known.is_some_and(|at| kept[at].is_some())
            };
            let keeps = !together(n) && !recall.recalled.contains(&layer.name) && keeps(recall, layer, &is_kept);
            kept.push(if keeps { recall.origin(layer) } else { None });
        }
        let any = kept.iter().any(Option::is_some);
        any.then(|| Keeper {
            recall,
            plan,
            kept,
            costs: (0..plan.len()).map(|_| AtomicU32::new(0)).collect(),
            most: AtomicUsize::new(recall.limit),
            put: Mutex::default(),
        })
    }

    /// Lets the cache grow by no more than so many bytes while this runs.
    pub fn grow_by(&self, bytes: usize) {
        self.most.store(self.recall.cache.bytes() + bytes, Relaxed);
    }

    /// Whether results of a layer of the plan may come to belong to the cache too.
    pub fn may_keep(&self, layer: u32) -> bool {
        self.kept[layer as usize].is_some()
    }

    /// Bytes that the cache does not have yet and may have.
    pub fn room(&self) -> usize {
        self.recall.limit.saturating_sub(self.recall.cache.bytes())
    }

    /// Bytes that the cache takes if all is kept that may be.
    pub fn most_bytes(&self, loads: &Loads) -> usize {
        let kept = (0..self.plan.len() as u32).filter(|&id| self.may_keep(self.plan.tasks[id as usize].layer));
        kept.map(|id| loads.get(id).result).fold(0, usize::saturating_add)
    }

    /// A task is done, with this result.
    pub fn done(&self, id: u32, value: &Value, took: Duration) {
        let share = |&input: &u32| {
            let users = self.plan.dependents.get(input).len().max(1);
            f32::from_bits(self.costs[input as usize].load(Relaxed)) / users as f32
        };
        let cost = took.as_secs_f32() + self.plan.dependencies.get(id).iter().map(share).sum::<f32>();
        self.costs[id as usize].store(cost.to_bits(), Relaxed);
        let place = self.plan.tasks[id as usize];
        let Some(origin) = &self.kept[place.layer as usize] else { return };
        let part = Part::Block(place.at);
        let layer = &self.plan.layers[place.layer as usize];
        if keep(self.recall, layer, origin, part, value, cost.into(), self.most.load(Relaxed)) {
            self.put.lock().push((origin.clone(), part));
        }
    }

    /// Takes back what was kept: a file was written to while it was read.
    pub fn take_back(&self) {
        for (origin, part) in self.put.lock().drain(..) {
            self.recall.cache.forget(&origin, part);
        }
    }
}

/// Keeps what a computation was asked for, which took so long: arrays whole, and what is a single result.
pub(super) fn keep_answers(recall: &Recall, wants: &[Want], together: &[bool], results: &[Vec<Value>], took: Duration) {
    for ((want, &together), values) in wants.iter().zip(together).zip(results) {
        let layer = layer_of(want);
        let part = match want {
            Want::Layer(_) if together => Some(Part::Whole),
            Want::Layer(_) => (layer.len() == 1).then_some(Part::Block(0)),
            Want::Key(_, key) if key.name == layer.name => {
                super::task::position(&key.index, &layer.grid).map(Part::Block)
            }
            Want::Key(..) => None,
        };
        if let (Some(part), [value], Some(origin)) = (part, &values[..], recall.origin(layer)) {
            keep(recall, layer, &origin, part, value, took.as_secs_f64(), recall.limit);
        }
    }
}

/// What dear tasks make, but for links of chains, into which the next link writes; and what is made of such results only, and
/// smaller than they are: the further steps of a reduction.
fn keeps(recall: &Recall, layer: &Layer, is_kept: &dyn Fn(&Layer) -> bool) -> bool {
    let Some(facts) = recall.facts(layer).filter(|facts| !facts.is_link) else { return false };
    match layer.cost {
        Cost::Dear | Cost::Unknown => facts.worker || facts.dear && facts.bytes <= recall.limit,
        Cost::Free | Cost::Cheap | Cost::Decode => {
            let taken = layer.parents.iter().filter_map(|p| recall.facts(p)).map(|facts| facts.bytes);
            !layer.parents.is_empty()
                && layer.parents.iter().all(|parent| is_kept(parent))
                && facts.bytes <= taken.sum::<usize>() / 2
        }
    }
}

fn keep(recall: &Recall, layer: &Layer, origin: &Origin, part: Part, value: &Value, seconds: f64, most: usize) -> bool {
    let Some(bytes) = footprint(value, recall.limit) else { return false };
    if !recall.facts(layer).is_some_and(|facts| facts.is_worth(bytes, seconds)) {
        return false;
    }
    recall.cache.put(origin, part, &compact(value), bytes, seconds, most)
}

/// Bytes that a value takes when it is kept; `None` where they are more than `most`, or it is nothing to keep: functions,
/// and what is lazy.
fn footprint(value: &Value, most: usize) -> Option<usize> {
    let more = |bytes: usize, value: &Value| {
        let left = most.checked_sub(bytes)?;
        Some(bytes + deep(|| footprint(value, left))?)
    };
    let bytes = std::mem::size_of::<Value>()
        + match value {
            Value::Block(block) if block.fills_its_buffer() => block.held_bytes(),
            Value::Block(block) => block.nbytes(),
            Value::Str(text) | Value::Keyword(text) => text.len(),
            Value::List(items) => items.iter().try_fold(0, more)?,
            Value::Map(map) => map.iter().flat_map(|(key, value)| [key, value]).try_fold(0, more)?,
            Value::Function(_) | Value::Array(_) | Value::Delayed(_) | Value::Graph(_) | Value::Code(_) => return None,
            _ => 0,
        };
    (bytes <= most && !cancel::cancelled()).then_some(bytes)
}

/// The value, without the rest of a large buffer that a small block is a part of.
fn compact(value: &Value) -> Value {
    match value {
        Value::Block(block) if !block.fills_its_buffer() => Value::from(Block::clone(block).copied()),
        other => other.clone(),
    }
}

impl Computation<'_> {
    /// Bytes of the memory limit that are left for a run that wants so many, and is refused with less than `least`. The cache gives
    /// way to it; where it could not grow as it may beside the run, what it may grow by meanwhile is no part of what is left.
    pub(super) fn left_beside(&self, wants: usize, least: usize, keeper: Option<&Keeper>) -> usize {
        self.runtime.cache.give_way(wants.saturating_sub(self.left()));
        let Some(keeper) = keeper else { return self.left() };
        let (left, growth) = shared_out(self.left(), wants, least, keeper.room());
        keeper.grow_by(growth);
        left
    }
}

/// What is left of so many bytes for a run that wants so many and is refused with less than `least`, and what the cache may grow by
/// meanwhile, in which there is so much room.
pub(super) fn shared_out(left: usize, wants: usize, least: usize, room: usize) -> (usize, usize) {
    let growth = match wants.saturating_add(room) <= left {
        true => room,
        // No run is refused for the sake of the cache.
        false => room.min(left / GROWTH).min(left.saturating_sub(least) / 2),
    };
    (left - growth, growth)
}

/// The part of what is left that the cache may take while a computation runs that is short of memory.
const GROWTH: usize = 16;
