//! What a computation need not do, since an earlier one kept it: see [`Cache`].
//!
//! The cache is asked before the passes and the plan, from the outputs downwards. A layer whose blocks are all there becomes one
//! that holds them, without parents, so that whatever only it needed is culled; one of which some blocks are there keeps
//! its parents for the others. What is kept is told by [`super::keep`].
//!
//! # What may be kept
//!
//! A layer's name says all that it computes, except what its functions depend on besides their arguments: the file that a dataset
//! lies in, and what the global names in a user's function are bound to. That is its *state*
//! ([`crate::data::Callable::state`]), a number that is part of the key in the cache. There is none, and nothing is kept or recalled,
//!
//! - for tasks written by hand, whose names say nothing, and for what is made of them;
//! - for calls with effects, or whose answers vary: printing, writing, reading a file by its name, random numbers
//!   without a seed, functions of the host program, functions that mention any of these;
//! - for what is made of a file that was written to within the last moments, or while it was read.

use super::plan::Want;
use super::{Computation, task};
use crate::data::{Block, Body, Chunks, Cost, DType, Graph, Key, Layer, Str, Task, Value, graph};
use crate::memory::{Cache, Origin, Part};
use crate::op::chunking::Bounds;
use crate::op::layers::region;
use crate::op::{States, Token};
use crate::text::Result;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What is known of the layers of one computation that may be kept or recalled.
pub(super) struct Recall<'a> {
    pub cache: &'a Cache,
    /// Bytes that may be kept.
    pub limit: usize,
    /// What is found is used, which makes it worth more.
    uses: bool,
    facts: FxHashMap<Str, Facts>,
    /// What the tasks depend on besides their names.
    states: States<'a>,
    /// Layers that were recalled, all of them.
    pub recalled: FxHashSet<Str>,
}

/// What the cache is asked for, and how many bytes it may keep.
#[derive(Clone, Copy)]
pub(super) enum Asks {
    ToUse(usize),
    /// To tell what would be used.
    ToTell(usize),
}

/// What is wanted of a computation once the cache was asked.
pub(super) struct Recalled<'a> {
    pub recall: Recall<'a>,
    /// For each want: its results, where all of them were kept.
    pub known: Vec<Option<Vec<Value>>>,
    /// The other wants, and the same of layers that hold what was kept.
    pub open: Vec<Want>,
    pub wants: Vec<Want>,
}

impl<'a> Recalled<'a> {
    /// `together` are the wants whose blocks are to be put together.
    pub fn of(computation: &Computation<'a>, wants: &[Want], together: &[bool], asks: Asks) -> Result<Recalled<'a>> {
        let wants = if computation.config.optimize { computation.sliced(wants)? } else { wants.to_vec() };
        let mut recall = Recall::of(computation, &wants, asks);
        let known: Vec<Option<Vec<Value>>> =
            wants.iter().zip(together).map(|(want, &together)| recall.results(want, together)).collect();
        let open = wants.into_iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(want, _)| want);
        let open: Vec<Want> = open.collect();
        let wants = if open.is_empty() { Vec::new() } else { recall.recall(&open) };
        Ok(Recalled { recall, known, open, wants })
    }
}

/// What there is to know of a layer before it is computed.
pub(super) struct Facts {
    pub state: u64,
    /// It, or something that it is made of, is dear.
    pub dear: bool,
    /// Its own tasks are, and what they take is large enough for that to mean something.
    pub worker: bool,
    /// Bytes of the data it is made of, if it only moves them about.
    moved: Option<usize>,
    /// A link of a chain, as of the products whose sum is a block: the next link writes into its result.
    pub is_link: bool,
    pub bytes: usize,
    /// Bytes of its parents.
    taken: usize,
    /// The layers without parents that it is made of; `None` for many.
    sources: Option<SmallVec<[u32; 8]>>,
}

/// A block that a dear task takes has so many bytes at least, or telling what to keep would cost more than making it again.
const WORTH: usize = 64 << 10;
/// What only moves data about is not kept unless it is so many times smaller than these.
const SMALLER: usize = 8;

impl<'a> Recall<'a> {
    /// What is known of these wants. Nothing is asked of the cache yet.
    pub fn of(computation: &Computation<'a>, wants: &[Want], asks: Asks) -> Recall<'a> {
        let (limit, uses) = match asks {
            Asks::ToUse(limit) => (limit, true),
            Asks::ToTell(limit) => (limit, false),
        };
        let mut recall = Recall {
            cache: &computation.runtime.cache,
            limit,
            uses,
            facts: FxHashMap::default(),
            states: States::new(computation.host),
            recalled: FxHashSet::default(),
        };
        let layers = Graph::of(&wants.iter().map(layer_of).cloned().collect::<Vec<_>>()).layers;
        for (n, layer) in layers.iter().enumerate() {
            if let Some(facts) = recall.learn(layer, n as u32) {
                recall.facts.insert(layer.name.clone(), facts);
            }
        }
        for layer in &layers {
            recall.find_links(layer);
        }
        recall
    }

    /// The name of a layer that has the results of this one from now on. It says all that they depend on by itself: what may change has
    /// made them, and may not change them any more.
    pub fn settled_name(&self, layer: &Layer) -> Str {
        static OTHERS: AtomicU64 = AtomicU64::new(0);
        let state = match self.facts(layer) {
            Some(Facts { state: 0, .. }) => return layer.name.clone(),
            Some(facts) if self.still_holds() => (facts.state, 0),
            _ => (0, 1 + OTHERS.fetch_add(1, Relaxed)),
        };
        let op = layer.name.rsplit_once('-').map_or(layer.name.as_str(), |(op, _)| op);
        Token::new(op).layer(layer).with(state).name()
    }

    pub fn facts(&self, layer: &Layer) -> Option<&Facts> {
        if layer.is_hand_made() { None } else { self.facts.get(&layer.name) }
    }

    pub fn origin(&self, layer: &Layer) -> Option<Origin> {
        let facts = self.facts(layer)?;
        Some(Origin { name: layer.name.clone(), state: facts.state, grid: layer.grid.clone() })
    }

    /// Whether files and functions are still what they were when the computation began.
    pub fn still_holds(&self) -> bool {
        self.states.still_hold()
    }

    fn learn(&mut self, layer: &Layer, number: u32) -> Option<Facts> {
        if layer.is_hand_made() {
            return None;
        }
        let mut state = DefaultHasher::new();
        let mut plain = true;
        let mut facts = Facts {
            state: 0,
            dear: matches!(layer.cost, Cost::Dear | Cost::Unknown),
            worker: false,
            moved: None,
            is_link: false,
            bytes: total_bytes(layer),
            taken: 0,
            sources: if layer.parents.is_empty() {
                Some([number].into_iter().collect())
            } else {
                Some(SmallVec::new())
            },
        };
        let moves = layer.cost == Cost::Free || layer.parents.is_empty();
        let mut moved = if layer.parents.is_empty() { Some(facts.bytes) } else { Some(0) };
        let mut largest = 0;
        for parent in &layer.parents {
            let theirs = self.facts(parent)?;
            plain &= theirs.state == 0;
            theirs.state.hash(&mut state);
            facts.dear |= theirs.dear;
            facts.taken = facts.taken.saturating_add(theirs.bytes);
            moved = moved.zip(theirs.moved).map(|(ours, theirs)| ours.saturating_add(theirs));
            largest = largest.max(block_bytes(parent));
            facts.sources = facts.sources.zip(theirs.sources.as_ref()).and_then(|(ours, theirs)| union(ours, theirs));
        }
        facts.worker = match layer.cost {
            Cost::Dear => largest >= WORTH,
            cost => cost == Cost::Unknown,
        };
        facts.moved = moved.filter(|_| moves && !facts.dear);
        let own = self.states.of_layer(layer)?;
        if !(plain && own == 0) {
            own.hash(&mut state);
            facts.state = state.finish();
        }
        Some(facts)
    }

    /// A link's only user is the next one.
    fn find_links(&mut self, next: &Layer) {
        let Some(blocks) = next.blocks.as_ref().filter(|_| next.cost == Cost::Dear) else { return };
        let same = |layer: &&Arc<Layer>| layer.cost == Cost::Dear && layer.blocks.as_ref() == Some(blocks);
        for link in next.parents.iter().filter(same) {
            if let Some(facts) = self.facts.get_mut(&link.name) {
                facts.is_link = true;
            }
        }
    }

    /// The results of a want, where all of them were kept; of an array that is to be put together, the whole.
    pub fn results(&self, want: &Want, together: bool) -> Option<Vec<Value>> {
        let layer = layer_of(want);
        let origin = self.origin(layer)?;
        match want {
            Want::Layer(_) if together => Some(vec![self.cache.get(&origin, Part::Whole, self.uses)?]),
            Want::Layer(_) => match self.cached(layer)? {
                Cached::Blocks(blocks) if blocks.len() == layer.len() => {
                    Some((0..blocks.len() as u32).filter_map(|at| blocks.get(&at).cloned()).collect())
                }
                _ => None,
            },
            Want::Key(_, key) if key.name == layer.name => {
                let at = task::position(&key.index, &layer.grid)?;
                Some(vec![self.cache.get(&origin, Part::Block(at), self.uses)?])
            }
            Want::Key(..) => None,
        }
    }

    /// The same wants, of layers that hold what was kept.
    pub fn recall(&mut self, wants: &[Want]) -> Vec<Want> {
        with_results(wants, &mut |layer| {
            let cached = self.cached(layer)?;
            if cached.is_complete(layer) {
                self.recalled.insert(layer.name.clone());
            }
            Some(cached)
        })
    }

    fn cached(&self, layer: &Layer) -> Option<Cached> {
        let parts = self.cache.of_layer(&self.origin(layer)?, self.uses);
        let mut blocks = FxHashMap::default();
        for (part, value) in parts {
            match (part, value, &layer.blocks) {
                (Part::Whole, Value::Block(block), Some((_, chunks))) => {
                    return Some(Cached::Whole((*block).clone(), chunks.clone()));
                }
                (Part::Block(at), value, _) => drop(blocks.insert(at, value)),
                _ => {}
            }
        }
        (!blocks.is_empty()).then(|| Cached::Blocks(Arc::new(blocks)))
    }

    /// The layers whose results are worth keeping where passes would hide them in the tasks that use them: what dear tasks make.
    /// Not where hiding them saves another walk over the same data, as the mean of rows in rows less their mean.
    pub fn apart(&self, wants: &[Want]) -> Vec<Arc<Layer>> {
        let outputs: Vec<Arc<Layer>> = wants.iter().map(|want| layer_of(want).clone()).collect();
        let layers = Graph::of(&outputs).layers;
        let mut shares: FxHashSet<*const Layer> = FxHashSet::default();
        for user in &layers {
            for (n, layer) in user.parents.iter().enumerate() {
                let others = user.parents.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, other)| other);
                if others.into_iter().any(|other| self.share_a_source(layer, other)) {
                    shares.insert(Arc::as_ptr(layer));
                }
            }
        }
        let apart = |layer: &&Arc<Layer>| {
            let Some(facts) = self.facts(layer) else { return false };
            let small = layer.blocks.is_some() && facts.bytes <= self.limit / 2;
            let dear = match layer.cost {
                Cost::Dear => true,
                Cost::Unknown => facts.bytes <= facts.taken / 4,
                _ => false,
            };
            facts.worker && small && dear && !facts.is_link && !shares.contains(&Arc::as_ptr(layer))
        };
        layers.iter().filter(apart).cloned().collect()
    }

    fn share_a_source(&self, a: &Layer, b: &Layer) -> bool {
        let Some((a, b)) = self.facts(a).zip(self.facts(b)) else { return true };
        match (&a.sources, &b.sources) {
            (Some(a), Some(b)) => a.iter().any(|source| b.contains(source)),
            _ => true,
        }
    }
}

impl Facts {
    /// Whether a result is worth keeping that takes so many bytes, of a layer that has so many in all.
    pub fn is_worth(&self, bytes: usize, seconds: f64) -> bool {
        let moved = self.moved.is_some_and(|moved| self.bytes >= moved / SMALLER);
        let rate = if self.dear { DEAR } else { CHEAP };
        !moved && seconds >= LEAST_SECONDS && seconds >= rate * bytes as f64
    }
}

/// Seconds a byte from which on a result is worth keeping: memory and disks are ten times as fast.
const DEAR: f64 = 20e-9;
/// The same for what nothing dear went into: reading, moving and simple arithmetic must have been very slow.
const CHEAP: f64 = 200e-9;
/// What was made faster than this is made again.
const LEAST_SECONDS: f64 = 100e-6;

/// The same wants, of layers that hold what is found of them. Below a layer of which everything is found nothing is looked for.
pub(super) fn with_results(wants: &[Want], find: &mut dyn FnMut(&Arc<Layer>) -> Option<Cached>) -> Vec<Want> {
    let outputs: Vec<Arc<Layer>> = wants.iter().map(|want| layer_of(want).clone()).collect();
    let layers = Graph::of(&outputs).layers;
    let mut needed: FxHashSet<*const Layer> = outputs.iter().map(Arc::as_ptr).collect();
    let mut found: FxHashMap<*const Layer, Cached> = FxHashMap::default();
    for layer in layers.iter().rev() {
        if !needed.contains(&Arc::as_ptr(layer)) {
            continue;
        }
        let cached = find(layer);
        if !cached.as_ref().is_some_and(|cached| cached.is_complete(layer)) {
            needed.extend(layer.parents.iter().map(Arc::as_ptr));
        }
        found.extend(cached.map(|cached| (Arc::as_ptr(layer), cached)));
    }
    if found.is_empty() {
        return wants.to_vec();
    }
    let mut now: FxHashMap<*const Layer, Arc<Layer>> = FxHashMap::default();
    for layer in layers.iter().filter(|layer| needed.contains(&Arc::as_ptr(layer))) {
        let parents = || layer.parents.iter().map(|parent| now.get(&Arc::as_ptr(parent)).unwrap_or(parent).clone());
        let new = match found.remove(&Arc::as_ptr(layer)) {
            Some(cached) => cached.in_place_of(layer, parents().collect()),
            None if layer.parents.iter().any(|parent| now.contains_key(&Arc::as_ptr(parent))) => {
                with_body(layer, layer.name.clone(), layer.body.clone(), parents().collect(), layer.cost)
            }
            None => continue,
        };
        now.insert(Arc::as_ptr(layer), new);
    }
    let renewed = |layer: &Arc<Layer>| now.get(&Arc::as_ptr(layer)).unwrap_or(layer).clone();
    let renew = |want: &Want| match want {
        Want::Layer(layer) => Want::Layer(renewed(layer)),
        Want::Key(layer, key) => Want::Key(renewed(layer), key.clone()),
    };
    wants.iter().map(renew).collect()
}

/// What there is of a layer.
pub(super) enum Cached {
    Whole(Block, Chunks),
    Blocks(Arc<FxHashMap<u32, Value>>),
}

impl Cached {
    fn is_complete(&self, layer: &Layer) -> bool {
        match self {
            Cached::Whole(..) => true,
            Cached::Blocks(blocks) => blocks.len() == layer.len(),
        }
    }

    /// A layer of the same name that has these results and makes the others.
    fn in_place_of(self, layer: &Layer, parents: Vec<Arc<Layer>>) -> Arc<Layer> {
        let complete = self.is_complete(layer);
        let blocks = match self {
            Cached::Whole(whole, chunks) => {
                let bounds = Bounds::of(&chunks);
                return there(layer, layer.name.clone(), move |index| region(&whole, &bounds, index).into());
            }
            Cached::Blocks(blocks) => blocks,
        };
        if let Body::Tasks(tasks) = &layer.body {
            let task = |(at, (key, task)): (usize, (&Key, &Task))| match blocks.get(&(at as u32)) {
                Some(value) => (key.clone(), Task::data(value.clone()).with_span(task.span)),
                None => (key.clone(), task.clone()),
            };
            let body = Body::Tasks(tasks.iter().enumerate().map(task).collect());
            return with_body(layer, layer.name.clone(), body, parents, layer.cost);
        }
        let grid = layer.grid.clone();
        let known = blocks.clone();
        let block = move |index: &[u32]| known.get(&(graph::ravel(index, &grid) as u32)).cloned().unwrap_or_default();
        if complete {
            return there(layer, layer.name.clone(), block);
        }
        let (grid, made, known) = (layer.grid.clone(), layer.body.clone(), Task::index(block));
        let body = Body::PerBlock(Arc::new(move |index| {
            if !blocks.contains_key(&(graph::ravel(index, &grid) as u32)) {
                return made.instance(index);
            }
            (Vec::new(), known.clone())
        }));
        with_body(layer, layer.name.clone(), body, parents, layer.cost)
    }
}

/// A layer of that name whose results are there.
pub(super) fn there(layer: &Layer, name: Str, block: impl Fn(&[u32]) -> Value + Send + Sync + 'static) -> Arc<Layer> {
    let body = Body::Blockwise { inputs: Vec::new(), task: Task::index(block) };
    with_body(layer, name, body, Vec::new(), Cost::Free)
}

fn with_body(layer: &Layer, name: Str, body: Body, parents: Vec<Arc<Layer>>, cost: Cost) -> Arc<Layer> {
    let (grid, blocks, span) = (layer.grid.clone(), layer.blocks.clone(), layer.span);
    Arc::new(Layer { name, grid, body, parents, blocks, cost, span, parts: crate::data::Parts::default(), nested: 0 })
}

fn union(mut ours: SmallVec<[u32; 8]>, theirs: &[u32]) -> Option<SmallVec<[u32; 8]>> {
    for &source in theirs {
        if !ours.contains(&source) {
            ours.push(source);
        }
    }
    (ours.len() <= MOST_SOURCES).then_some(ours)
}

/// Of more sources nobody keeps count.
const MOST_SOURCES: usize = 16;

pub(super) fn layer_of(want: &Want) -> &Arc<Layer> {
    match want {
        Want::Layer(layer) | Want::Key(layer, _) => layer,
    }
}

fn total_bytes(layer: &Layer) -> usize {
    let bytes = |(dtype, chunks): &(DType, Chunks)| {
        chunks.shape().iter().fold(dtype.size(), |bytes, &n| bytes.saturating_mul(n))
    };
    layer.blocks.as_ref().map_or(0, bytes)
}

fn block_bytes(layer: &Layer) -> usize {
    layer.blocks.as_ref().map_or(0, |(dtype, chunks)| chunks.largest() * dtype.size())
}
