//! From lazy values to concrete ones.

use super::bounded::Bounded;
use super::gather::Gather;
use super::keep::{self, Keeper};
use super::outgrow::Outgrow;
use super::outlook::{Outlook, Watch};
use super::plan::{Plan, Room, Want};
use super::recall::{Asks, Recall, Recalled, layer_of, there};
use super::refusal;
use super::replay::Failed;
use super::run::{Run, inside_task};
use super::weigh::Loads;
use super::{Bytes, Config, Runtime, Scheduler, Synchronous};
use crate::data::graph::ravel;
use crate::data::task::deep;
use crate::data::{Array, Body, Delayed, Graph, Host, Key, Layer, Map, Str, Value};
use crate::err;
use crate::memory::Chest;
use crate::op::layers::joined;
use crate::op::sequence::Seq;
use crate::optimize::{self, Goal, by_hand};
use crate::text::Result;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What a computation needs besides what is to be computed.
#[derive(Clone, Copy)]
pub struct Computation<'a> {
    pub host: &'a dyn Host,
    pub runtime: &'a Runtime,
    pub config: &'a Config,
    pub cancel: &'a AtomicBool,
}

/// Computes lazy values together, sharing what they share: one concrete value for each. Lists and maps are computed
/// through; what is concrete is returned as it is. A lazy array becomes one block, or a number where it has no
/// dimensions.
pub fn compute(
    host: &dyn Host,
    values: &[Value],
    runtime: &Runtime,
    config: &Config,
    cancel: &AtomicBool,
) -> Result<Vec<Value>> {
    Computation { host, runtime, config, cancel }.values(values)
}

/// As [`compute`], but lazy values stay collections, of blocks that are there.
pub fn persist(
    host: &dyn Host,
    values: &[Value],
    runtime: &Runtime,
    config: &Config,
    cancel: &AtomicBool,
) -> Result<Vec<Value>> {
    Computation { host, runtime, config, cancel }.persist(values)
}

impl Computation<'_> {
    pub fn values(&self, values: &[Value]) -> Result<Vec<Value>> {
        let lazy = Lazy::of(values);
        if lazy.found.is_empty() {
            return Ok(values.to_vec());
        }
        let whole = |value: &Value| match value {
            // How the blocks lie is known when they are there.
            Value::Array(array) if !array.unknown.is_none() => Want::Layer(joined(array, array.layer.span)),
            value => want(value),
        };
        let wants: Vec<Want> = lazy.found.iter().map(whole).collect();
        let arrays: Vec<Option<&Array>> = lazy
            .found
            .iter()
            .map(|v| match v {
                Value::Array(array) if array.chunks.block_count() > 1 && array.unknown.is_none() => Some(&**array),
                _ => None,
            })
            .collect();
        self.check_result(&arrays)?;
        let computed = self.run(&wants, &arrays, |results| {
            results.into_iter().zip(&lazy.found).map(|(parts, value)| whole_of(value, parts)).collect()
        })?;
        let computed = computed.into_iter().collect::<Result<Vec<Value>>>()?;
        Ok(values.iter().map(|v| lazy.replace(v, &computed)).collect())
    }

    /// Refuses arrays that cannot be in memory as a whole.
    pub(super) fn check_result(&self, arrays: &[Option<&Array>]) -> Result<()> {
        let total: usize = arrays.iter().flatten().map(|a| a.nbytes()).sum();
        // The cache gives way.
        let left = self.left() + self.runtime.cache.bytes();
        let limit = if total > self.config.memory_limit {
            format!("the memory limit is {}", Bytes(self.config.memory_limit))
        } else if total > left {
            format!("{} are left of the memory limit", Bytes(left))
        } else {
            return Ok(());
        };
        Err(err!(Memory, "the result takes {}, and {limit}", Bytes(total))
            .help("`store` writes a result block by block; `:memory-limit` raises the limit"))
    }

    /// Computes, but lazy values stay collections, of blocks that are there.
    pub fn persist(&self, values: &[Value]) -> Result<Vec<Value>> {
        let lazy = Lazy::of(values);
        let wants: Vec<Want> = lazy.found.iter().map(want).collect();
        let learnt = Recall::of(self, &wants, Asks::ToUse(0));
        let kept = self.run(&wants, &vec![None; wants.len()], |results| {
            lazy.found.iter().zip(results).map(|(value, blocks)| kept(value, blocks, &learnt)).collect()
        })?;
        Ok(values.iter().map(|v| lazy.replace(v, &kept)).collect())
    }

    /// Whether a graph has a key.
    pub fn has(&self, graph: &Graph, key: &Key) -> bool {
        graph_want(graph, key).is_ok()
    }

    /// The results of keys of a graph.
    pub fn keys(&self, graph: &Graph, keys: &[Key]) -> Result<Vec<Value>> {
        let wants = keys.iter().map(|key| graph_want(graph, key)).collect::<Result<Vec<Want>>>()?;
        let first = |results: Vec<Vec<Value>>| {
            results.into_iter().map(|blocks| blocks.into_iter().next().map(Value::plain).unwrap_or_default()).collect()
        };
        self.run(&wants, &vec![None; wants.len()], first)
    }

    /// Bytes of the memory limit that no block takes yet.
    pub(super) fn left(&self) -> usize {
        self.config.memory_limit.saturating_sub(self.runtime.pool.live())
    }

    pub(super) fn room(&self) -> Room<'_> {
        Room { bytes: self.config.memory_limit, cancel: self.cancel }
    }

    /// Runs a plan and keeps nothing of what it makes.
    pub fn plan(&self, plan: &Plan) -> Result<()> {
        let mut gathers: Vec<Option<Gather>> = Vec::new();
        gathers.resize_with(plan.layers.len(), || None);
        self.drive(&Run::new(plan, &[], &gathers, self), &[], None)
    }

    fn drive(&self, run: &Run, keep: &[u32], keeper: Option<&Keeper>) -> Result<()> {
        // A task that computes does so itself: its workers have work, and may wait for this task.
        let alone = inside_task() || run.tasks() == 1;
        let scheduler: &dyn Scheduler = if alone { &Synchronous } else { &*self.config.scheduler };
        let workers = match scheduler.name() {
            "threads" => self.config.workers,
            "sync" => 1,
            // An embedding program's own scheduler has rules of its own.
            _ => return run.drive(scheduler),
        };
        let shared = |layer: u32| keeper.is_some_and(|keeper| keeper.may_keep(layer));
        let outlook = || Outlook::of(self.host, run.plan, keep, workers, &shared);
        let within = |outlook: Outlook, wants: usize, held: usize| {
            let least = refusal::least(run.plan, keep, &outlook.loads);
            let left = self.left_beside(wants, least + outlook.scratch_each(), keeper);
            outlook.within(left + held, least)
        };
        let bounded = |outlook: Outlook| {
            self.runtime.sweep(&self.config.spill_dir);
            Bounded::new(outlook, Chest::new(&self.config.spill_dir, self.config.max_spill))
        };
        match Watch::of(self.host, run.plan, workers, self.left()) {
            Watch::Nothing => run.drive(scheduler),
            Watch::Memory => {
                // Nobody knows what the run wants, so that the cache gives way as far as it can.
                let resumed = |held: usize| Ok(bounded(within(outlook()?, usize::MAX, held)));
                run.drive(&Outgrow { scheduler, most: self.left() / 2, resumed: &resumed })
            }
            Watch::Tasks => {
                let outlook = outlook()?;
                let wants = outlook.wants();
                let outlook = within(outlook, wants, 0);
                refusal::check(run.plan, keep, &outlook, &|share| Loads::of(self.host, run.plan, &shared, share))?;
                run.drive(&bounded(outlook))
            }
        }
    }

    /// Answers what is wanted, from what was kept of earlier computations as far as it was. Blocks of `arrays` are put together as they
    /// come, the results of other wants are kept.
    fn run<R>(
        &self,
        wants: &[Want],
        arrays: &[Option<&Array>],
        answer: impl FnOnce(Vec<Vec<Value>>) -> Vec<R>,
    ) -> Result<Vec<R>> {
        if !inside_task() {
            // What the last computation left behind.
            self.runtime.failed.lock().take();
        }
        let Some(limit) = self.cache_limit() else {
            return self.run_all(wants, arrays, None).map(answer);
        };
        self.runtime.cache.set_limit(limit);
        let together: Vec<bool> = arrays.iter().map(Option::is_some).collect();
        let Recalled { recall, known, open, wants } = Recalled::of(self, wants, &together, Asks::ToUse(limit))?;
        let arrays: Vec<Option<&Array>> =
            arrays.iter().zip(&known).filter(|(_, k)| k.is_none()).map(|(a, _)| *a).collect();
        let mut made = Vec::new();
        if !wants.is_empty() {
            let begun = Instant::now();
            made = self.run_all(&wants, &arrays, Some(&recall))?;
            if recall.still_holds() {
                let together: Vec<bool> = arrays.iter().map(Option::is_some).collect();
                keep::keep_answers(&recall, &open, &together, &made, begun.elapsed());
            }
        }
        let mut made = made.into_iter();
        Ok(answer(known.into_iter().map(|known| known.or_else(|| made.next()).unwrap_or_default()).collect()))
    }

    /// Bytes that results may take which are kept for later computations, if any may.
    pub(super) fn cache_limit(&self) -> Option<usize> {
        self.config.cache.filter(|&limit| limit > 0)
    }

    /// Runs what is wanted, and tells what may be recalled later of what it makes.
    pub(super) fn run_all(
        &self,
        wants: &[Want],
        arrays: &[Option<&Array>],
        recall: Option<&Recall>,
    ) -> Result<Vec<Vec<Value>>> {
        let asked = wants;
        let apart = recall.map_or_else(Vec::new, |recall| recall.apart(wants));
        let wants = if self.config.optimize { self.optimized(wants, apart)? } else { wants.to_vec() };
        let plan = Plan::new(self.host, &wants, self.room())?;
        let _pool = self.runtime.pool.enter();
        let mut gathers: Vec<Option<Gather>> = Vec::new();
        gathers.resize_with(plan.layers.len(), || None);
        let mut keep = Vec::new();
        for (tasks, array) in plan.wanted.iter().zip(arrays) {
            match (array, tasks.first()) {
                (Some(array), Some(&first)) => {
                    gathers[plan.tasks[first as usize].layer as usize] = Some(Gather::new(array));
                }
                _ => keep.extend_from_slice(tasks),
            }
        }
        let together = |layer: usize| gathers[layer].is_some();
        let keeper = recall.and_then(|recall| Keeper::of(recall, &plan, &together));
        let run = Run::new(&plan, &keep, &gathers, self).kept_by(keeper.as_ref());
        let driven = self.drive(&run, &keep, keeper.as_ref());
        if let (Some(recall), Some(keeper)) = (recall, &keeper)
            && !recall.still_holds()
        {
            keeper.take_back();
        }
        if let Err(error) = driven {
            // Slices that went down have keys of their own; other passes leave keys as they are.
            let sliced = if self.config.optimize { self.sliced(asked).ok() } else { None };
            let sliced = sliced.unwrap_or_else(|| asked.to_vec());
            if let Some(failed) = Failed::of(&run, sliced.iter().map(|want| layer_of(want).clone()).collect(), &error) {
                *self.runtime.failed.lock() = Some(Arc::new(failed));
            }
            return Err(error);
        }
        let kept: Vec<Vec<Value>> = plan
            .wanted
            .iter()
            .zip(arrays)
            .map(|(tasks, array)| match array {
                Some(_) => Vec::new(),
                // SAFETY: the run is over, all tasks are done, and `keep` has each of these tasks once.
                None => tasks.iter().map(|&id| unsafe { run.state.result(id) }).collect(),
            })
            .collect();
        drop(run);
        let results = plan.wanted.iter().zip(kept).map(|(tasks, kept)| {
            let layer = tasks.first().map(|&id| plan.tasks[id as usize].layer as usize);
            match layer.and_then(|layer| gathers[layer].take()) {
                Some(gather) => vec![gather.done().into()],
                None => kept,
            }
        });
        Ok(results.collect())
    }

    /// The same wants of layers that the passes rewrote, which left the layers of `apart` by themselves.
    pub(super) fn optimized(&self, wants: &[Want], apart: Vec<Arc<Layer>>) -> Result<Vec<Want>> {
        let passes = |graph, goal: &Goal| optimize::optimize(graph, goal, &mut |_, _| {});
        Ok(self.shared(self.rewritten(wants, apart, &passes)?))
    }

    /// The same wants of layers in which hand-made tasks that are equal run once.
    fn shared(&self, mut wants: Vec<Want>) -> Vec<Want> {
        let mut keys: FxHashMap<*const Layer, Vec<Key>> = FxHashMap::default();
        for want in &wants {
            if let Want::Key(layer, key) = want
                && layer.is_hand_made()
            {
                keys.entry(Arc::as_ptr(layer)).or_default().push(key.clone());
            }
        }
        let mut shared: FxHashMap<*const Layer, Option<Arc<Layer>>> = FxHashMap::default();
        for want in &mut wants {
            if let Want::Key(layer, _) = want
                && let Some(keys) = keys.get(&Arc::as_ptr(layer))
            {
                let now = shared.entry(Arc::as_ptr(layer)).or_insert_with(|| by_hand::shared(layer, keys, self.host));
                *layer = now.as_ref().unwrap_or(layer).clone();
            }
        }
        wants
    }

    /// The same wants of parts of what is read only, where no more is needed: what was kept of the whole then stands beside those.
    pub(super) fn sliced(&self, wants: &[Want]) -> Result<Vec<Want>> {
        self.rewritten(wants, Vec::new(), &|graph, goal| (optimize::slice::PASS.run)(&graph, goal))
    }

    fn rewritten(
        &self,
        wants: &[Want],
        apart: Vec<Arc<Layer>>,
        rewrite: &dyn Fn(Graph, &Goal) -> Graph,
    ) -> Result<Vec<Want>> {
        let mut layers: Vec<Arc<Layer>> = wants.iter().map(|want| layer_of(want).clone()).collect();
        layers.extend(apart);
        let bytes = self.config.memory_limit.saturating_sub(self.runtime.pool.live());
        let goal = Goal::new(&layers, bytes, self.host);
        let graph = Graph::of(&layers);
        check_layers(graph.layers.len(), bytes)?;
        let graph = rewrite(graph, &goal);
        let now: FxHashMap<&str, &Arc<Layer>> =
            graph.layers.iter().filter(|l| !l.is_hand_made()).map(|l| (l.name.as_str(), l)).collect();
        let rewritten = |layer: &Arc<Layer>| match layer.body {
            // Hand-made tasks have no name that says what they are; the passes leave them as they are.
            Body::Tasks(_) => layer.clone(),
            _ => now.get(layer.name.as_str()).map_or(layer, |now| *now).clone(),
        };
        let rewritten = |want: &Want| match want {
            Want::Layer(layer) => Want::Layer(rewritten(layer)),
            Want::Key(layer, key) => Want::Key(rewritten(layer), key.clone()),
        };
        Ok(wants.iter().map(rewritten).collect())
    }
}

/// Bytes that a layer takes while passes go through it, on average: itself, what became of it, its edges.
pub(super) const LAYER_BYTES: usize = 2200;

/// What so many layers take is not told from what the program itself does.
const FEW_LAYERS: usize = 1000;

/// Refuses more calls on lazy values than there is room to plan one by one.
fn check_layers(layers: usize, left: usize) -> Result<()> {
    let bytes = layers.saturating_mul(LAYER_BYTES);
    if layers <= FEW_LAYERS || bytes <= left {
        return Ok(());
    }
    let (bytes, left) = (Bytes(bytes), Bytes(left));
    Err(err!(
        Memory,
        "{layers} calls on lazy values take about {bytes} to plan, and {left} are left of the memory limit"
    )
    .help("a call on an array in many blocks is planned as one; `:memory-limit` raises the limit"))
}

pub(super) fn want(value: &Value) -> Want {
    match value {
        Value::Array(array) => Want::Layer(array.layer.clone()),
        Value::Delayed(delayed) => match &delayed.layer.body {
            Body::Tasks(tasks) => match tasks.keys().next_back() {
                Some(key) => Want::Key(delayed.layer.clone(), key.clone()),
                None => Want::Layer(delayed.layer.clone()),
            },
            _ => Want::Layer(delayed.layer.clone()),
        },
        _ => unreachable!("only lazy values are looked for"),
    }
}

/// Where a graph has a key.
pub(super) fn graph_want(graph: &Graph, key: &Key) -> Result<Want> {
    let has = |layer: &&Arc<Layer>| match &layer.body {
        Body::Tasks(tasks) => tasks.contains_key(key),
        _ => layer.name == key.name && super::task::position(&key.index, &layer.grid).is_some(),
    };
    match graph.layers.iter().find(has) {
        Some(layer) => Ok(Want::Key(layer.clone(), key.clone())),
        None => Err(super::no_such_key(&graph.layers, key)),
    }
}

/// The value that a lazy one is, of the results of its tasks. The partitions of a bag are one list.
fn whole_of(value: &Value, mut parts: Vec<Value>) -> Result<Value> {
    let is_bag = matches!(value, Value::Delayed(delayed) if delayed.partitions().is_some());
    if !is_bag {
        return Ok(parts.into_iter().next().map(Value::plain).unwrap_or_default());
    }
    if let [_] = parts[..] {
        return Ok(parts.remove(0));
    }
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.as_list().map_or(0, <[Value]>::len)).sum());
    for part in parts {
        match Seq::of(part) {
            Ok(items) => all.extend(items.into_vec()),
            Err(other) => return Err(err!(Type, "a partition of a bag is a list, not {}", other.a_type_name())),
        }
    }
    Ok(Value::list(all))
}

/// A lazy value whose blocks are there.
fn kept(value: &Value, blocks: Vec<Value>, learnt: &Recall) -> Value {
    let layer = match value {
        Value::Array(array) => &array.layer,
        Value::Delayed(delayed) => &delayed.layer,
        other => return other.clone(),
    };
    let grid = layer.grid.clone();
    let block = move |index: &[u32]| blocks.get(ravel(index, &grid)).cloned().unwrap_or_default();
    let layer = there(layer, learnt.settled_name(layer), block);
    match value {
        Value::Array(array) => Value::Array(Arc::new(Array { layer, ..(**array).clone() })),
        _ => Value::Delayed(Arc::new(Delayed { layer })),
    }
}

/// What tells lazy values apart, as [`Value::same_key`] does: whether it is an array, and the name of its layer.
fn identity(value: &Value) -> Option<(bool, Str)> {
    match value {
        Value::Array(array) => Some((true, array.layer.name.clone())),
        Value::Delayed(delayed) => Some((false, delayed.layer.name.clone())),
        _ => None,
    }
}

/// The lazy values among values, each once.
pub(super) struct Lazy {
    pub found: Vec<Value>,
    /// Where each of them is there, by what it is and its layer's name.
    places: FxHashMap<(bool, Str), usize>,
    /// For each list and map whether it holds one somewhere: lists may share their parts many times over.
    holders: FxHashMap<usize, bool>,
}

impl Lazy {
    pub fn of(values: &[Value]) -> Lazy {
        let mut lazy = Lazy { found: Vec::new(), places: FxHashMap::default(), holders: FxHashMap::default() };
        values.iter().for_each(|v| {
            lazy.collect(v);
        });
        lazy
    }

    fn position(&self, value: &Value) -> Option<usize> {
        self.places.get(&identity(value)?).copied()
    }

    /// Whether the value is or holds something lazy, which is then among what was found.
    fn collect(&mut self, value: &Value) -> bool {
        match value {
            Value::Array(_) | Value::Delayed(_) => {
                if let Some(identity) = identity(value) {
                    self.places.entry(identity).or_insert_with(|| {
                        self.found.push(value.clone());
                        self.found.len() - 1
                    });
                }
                true
            }
            Value::List(items) => self.collect_parts(value, items.iter()),
            Value::Map(map) => self.collect_parts(value, map.iter().map(|(_, v)| v)),
            _ => false,
        }
    }

    fn collect_parts<'v>(&mut self, whole: &Value, parts: impl Iterator<Item = &'v Value>) -> bool {
        let Some(address) = address(whole) else { return false };
        if let Some(&holds) = self.holders.get(&address) {
            return holds;
        }
        let holds = deep(|| parts.filter(|part| self.collect(part)).count() > 0);
        self.holders.insert(address, holds);
        holds
    }

    fn holds(&self, value: &Value) -> bool {
        address(value).is_some_and(|address| self.holders.get(&address).copied().unwrap_or(false))
    }

    /// The value with what was lazy in it replaced.
    fn replace(&self, value: &Value, computed: &[Value]) -> Value {
        match value {
            Value::Array(_) | Value::Delayed(_) => {
                self.position(value).map_or_else(|| value.clone(), |at| computed[at].clone())
            }
            Value::List(items) if self.holds(value) => {
                deep(|| Value::list(items.iter().map(|v| self.replace(v, computed)).collect()))
            }
            Value::Map(map) if self.holds(value) => deep(|| {
                let mut new = Map::with_capacity(map.len());
                for (key, value) in map.iter() {
                    // The keys come from a map, so they are hashable.
                    let _ = new.insert(key.clone(), self.replace(value, computed));
                }
                Value::map(new)
            }),
            other => other.clone(),
        }
    }
}

/// Where the parts of a list or a map are.
fn address(value: &Value) -> Option<usize> {
    match value {
        Value::List(items) => Some(Arc::as_ptr(items) as usize),
        Value::Map(map) => Some(Arc::as_ptr(map) as usize),
        _ => None,
    }
}
