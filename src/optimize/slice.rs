//! `slice`: what takes a part of an array goes below what the array is made by, down to where its blocks come from.
//!
//! ```text
//! read-1f       (read "a.h5::/x" 0:100 0:100)       read-1f part    (read "a.h5::/x" 0:1 0:10)
//! multiply-2c   (multiply [read-1f i j] 2)      →   multiply part   (multiply [read-1f part …] 2)
//! slice-9d      (slice [multiply-2c 0 0] 0 :10)     slice-9d        (slice [multiply part …] 0 :)
//! ```
//!
//! Blocks of which nothing is taken never become tasks anyway; this is for those of which a part is. What is needed whole, or in
//! several parts that are more than half of it together, is not taken apart; only of what is read or filled a small part may be made besides
//! the whole. How a part of a layer is made, the op that made the layer
//! has said ([`crate::data::Parts`]); where it has not, as for products and functions of blocks, the slice stays above.

use super::{Goal, Pass};
use crate::data::cancel::cancelled;
use crate::data::slice::Range;
use crate::data::{Array, At, Body, Cost, Graph, Input, Layer, Parts, Str, Taken, Task};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

pub static PASS: Pass = Pass { name: "slice", run, by_hand: super::sink::sink };

fn run(graph: &Graph, goal: &Goal) -> Graph {
    if graph.layers.iter().all(|layer| layer.parts.taken.is_none()) {
        return graph.clone();
    }
    let mut sinking = Sinking::default();
    graph.layers.iter().for_each(|layer| sinking.add(layer));
    // Users come after what they use: a slice has sunk to a layer by the time that the layer is looked at.
    for layer in graph.layers.iter().rev() {
        if cancelled() || sinking.known.len() > graph.layers.len().saturating_mul(MOST_MORE) {
            break;
        }
        if !goal.wants(layer) && !layer.is_hand_made() {
            sinking.pass(layer);
        }
    }
    if sinking.instead.is_empty() { graph.clone() } else { sinking.graph(graph, goal) }
}

/// No more slices sink once they have made so many times the layers that there were.
const MOST_MORE: usize = 8;

/// The share of a source that is made once more where others need all of it.
const SMALL: usize = 4;

#[derive(Default)]
struct Sinking {
    known: FxHashSet<Str>,
    /// The layers that take blocks of a layer.
    users: FxHashMap<Str, Vec<Arc<Layer>>>,
    /// What stands in the place of a layer that has sunk.
    instead: FxHashMap<Str, Arc<Layer>>,
}

/// What a layer takes of its parent, if it is a slice and takes less than all.
fn taken(layer: &Layer) -> Option<&Taken> {
    let [parent] = &layer.parents[..] else { return None };
    let (_, chunks) = parent.blocks.as_ref()?;
    let taken = layer.parts.taken.as_deref()?;
    let is_all = |(range, n): (&Range, usize)| *range == Range { start: 0, step: 1, count: n };
    if taken.ranges.iter().zip(chunks.shape()).all(is_all) { None } else { Some(taken) }
}

impl Sinking {
    /// Learns of a layer, which may have been known by what it was before.
    fn add(&mut self, layer: &Arc<Layer>) {
        self.known.insert(layer.name.clone());
        let mut seen: FxHashSet<&Str> = FxHashSet::default();
        for parent in layer.parents.iter().filter(|p| seen.insert(&p.name)) {
            self.users.entry(parent.name.clone()).or_default().push(layer.clone());
        }
    }

    /// Learns of layers that were made anew, below one of them.
    fn add_new(&mut self, layer: &Arc<Layer>) {
        let mut open = vec![layer.clone()];
        while let Some(layer) = open.pop() {
            if !self.known.contains(&layer.name) {
                self.add(&layer);
                open.extend(layer.parents.iter().cloned());
            }
        }
    }

    /// A layer that nothing uses any more uses nothing.
    fn forget(&mut self, layer: &Layer) {
        for parent in &layer.parents {
            if let Some(users) = self.users.get_mut(&parent.name) {
                users.retain(|user| user.name != layer.name);
            }
        }
    }

    /// Takes the slices of a layer below it, if all that it is needed for is slices.
    fn pass(&mut self, layer: &Arc<Layer>) {
        let Some(users) = self.users.get(&layer.name).filter(|users| !users.is_empty()) else {
            return self.forget(layer);
        };
        let (Some(make), Some((dtype, chunks))) = (&layer.parts.make, &layer.blocks) else { return };
        let is_whole = users.iter().any(|user| taken(user).is_none());
        let is_source = layer.parents.is_empty() && matches!(layer.cost, Cost::Free | Cost::Cheap);
        // Storage chunks would be decoded for each user.
        let decodes = layer.cost == Cost::Decode && users.len() > 1;
        if is_whole && !is_source || decodes {
            return;
        }
        let mut parts: Vec<(Arc<Layer>, Array)> = Vec::with_capacity(users.len());
        let mut elements = 0usize;
        for user in users {
            let Some(taken) = taken(user) else { continue };
            elements = elements.saturating_add(taken.ranges.iter().map(|r| r.count).product());
            let Some(part) = make(&taken.ranges) else { return };
            let made = (taken.rest)(&part);
            if user.blocks.as_ref() != Some(&(made.dtype, made.chunks.clone())) || made.dtype != *dtype {
                return;
            }
            parts.push((user.clone(), made));
        }
        let all: usize = chunks.shape().iter().product();
        let most = match (is_whole, users.len()) {
            (true, _) => all / SMALL,
            (false, 1) => all,
            // Parts that are most of the whole save little, and each of them would be parts again further down.
            (false, _) => all / 2,
        };
        if elements > most {
            return;
        }
        if is_whole {
            let sinks = |user: &Arc<Layer>| parts.iter().any(|(slice, _)| slice.name == user.name);
            self.users.entry(layer.name.clone()).and_modify(|users| users.retain(|user| !sinks(user)));
        } else {
            self.users.remove(&layer.name);
            self.forget(layer);
        }
        for (user, made) in parts {
            let made = self.named(&user, &made.layer);
            made.parents.iter().for_each(|parent| self.add_new(parent));
            self.add(&made);
            self.instead.insert(user.name.clone(), made);
        }
    }

    /// The layer under the name of the one it stands in for.
    fn named(&self, user: &Layer, made: &Arc<Layer>) -> Arc<Layer> {
        let layer = |body, parents, cost, parts| {
            let (name, blocks) = (user.name.clone(), user.blocks.clone());
            Arc::new(Layer {
                name,
                grid: user.grid.clone(),
                body,
                parents,
                blocks,
                cost,
                span: user.span,
                parts,
                nested: made.nested,
            })
        };
        if self.known.contains(&made.name) {
            // What is there already is not done again.
            let inputs = vec![Input { parent: 0, at: At::same(made.grid.len()) }];
            let body = Body::Blockwise { inputs, task: Task::input(0) };
            return layer(body, vec![made.clone()], Cost::Free, Parts::default());
        }
        layer(made.body.clone(), made.parents.clone(), made.cost, made.parts.clone())
    }

    /// The graph with what stands in the place of layers.
    fn graph(&self, graph: &Graph, goal: &Goal) -> Graph {
        let now = |layer: &Arc<Layer>| match layer.body {
            Body::Tasks(_) => layer.clone(),
            _ => self.instead.get(&layer.name).unwrap_or(layer).clone(),
        };
        let mut done: FxHashMap<*const Layer, Arc<Layer>> = FxHashMap::default();
        let outputs: Vec<Arc<Layer>> = graph.layers.iter().filter(|l| goal.wants(l)).map(now).collect();
        let mut open: Vec<(Arc<Layer>, bool)> = outputs.iter().map(|layer| (layer.clone(), false)).collect();
        while let Some((layer, parents_done)) = open.pop() {
            if done.contains_key(&Arc::as_ptr(&layer)) {
                continue;
            }
            let parents: Vec<Arc<Layer>> = layer.parents.iter().map(now).collect();
            if !parents_done {
                open.push((layer, true));
                open.extend(parents.into_iter().map(|parent| (parent, false)));
                continue;
            }
            let parents: Vec<Arc<Layer>> = parents.iter().map(|p| done[&Arc::as_ptr(p)].clone()).collect();
            let same = parents.iter().zip(&layer.parents).all(|(a, b)| Arc::ptr_eq(a, b));
            let new = if same { layer.clone() } else { Arc::new(layer.with_parents(parents)) };
            done.insert(Arc::as_ptr(&layer), new);
        }
        Graph::of(&outputs.iter().map(|layer| done[&Arc::as_ptr(layer)].clone()).collect::<Vec<_>>())
    }
}
