//! `dedup`: what is equal is done once.
//!
//! ```text
//! slice-9d     (add [read-1f-part i] 1)
//! add-c1       (add [read-1f-part i] 1)     →   add-c1   [slice-9d i]        if add-c1 is wanted; else it goes
//! multiply-2c  (multiply [add-c1 i] 2)          multiply-2c  (multiply [slice-9d i] 2)
//! ```
//!
//! Equal expressions make layers of one name, which are one layer from the start. This is for what comes to be equal, as when slices have
//! sunk, and for lazy calls of users' functions, each of which has a name of its own: two calls are one if the function does
//! nothing but answer ([`States`]). Layers are compared whole, so it takes no time per task. For graphs made by hand see
//! [`super::equal`].

use super::{Goal, Pass};
use crate::data::cancel::cancelled;
use crate::data::{At, Body, Cost, Form, Graph, Input, Layer, Parts, Str, Task};
use crate::op::state::States;
use crate::op::token::Token;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

pub static PASS: Pass = Pass { name: "dedup", run, by_hand: |graph, goal| graph.dedup(goal.host, goal.keys) };

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let mut states = States::new(goal.host);
    // Layers whose tasks do nothing but answer, as far as they were asked.
    let mut answering: FxHashMap<*const Layer, bool> = FxHashMap::default();
    let mut known: FxHashMap<u64, Vec<Arc<Layer>>> = FxHashMap::default();
    // What stands in the place of a layer.
    let mut now: FxHashMap<Place, Arc<Layer>> = FxHashMap::default();
    let mut layers = Vec::with_capacity(graph.layers.len());
    for old in &graph.layers {
        if cancelled() {
            return graph.clone();
        }
        let moved = |parent: &Arc<Layer>| now.get(&place(parent)).unwrap_or(parent).clone();
        let layer = match old.parents.iter().any(|parent| now.contains_key(&place(parent))) {
            true => Arc::new(old.with_parents(old.parents.iter().map(moved).collect())),
            false => old.clone(),
        };
        let alike = known.entry(hash(&layer)).or_default();
        let first = alike.iter().find(|other| is_equal(other, &layer));
        match first.filter(|_| answers(&layer, &mut states, &mut answering)) {
            Some(first) => {
                if goal.wants(old) {
                    layers.push(other_name(&layer, first));
                }
                now.insert(place(old), first.clone());
            }
            None => {
                if !Arc::ptr_eq(&layer, old) {
                    now.insert(place(old), layer.clone());
                }
                alike.push(layer.clone());
                layers.push(layer);
            }
        }
    }
    if now.is_empty() { graph.clone() } else { Graph { layers } }
}

/// What a layer is found by: its name, as expressions that were written down twice have made layers of one name twice, of which the
/// graph has one; of a graph made by hand, itself.
type Place = (Str, *const Layer);

fn place(layer: &Arc<Layer>) -> Place {
    match layer.body {
        Body::Tasks(_) => (Str::default(), Arc::as_ptr(layer)),
        _ => (layer.name.clone(), std::ptr::null()),
    }
}

/// A number that equal layers have in common.
fn hash(layer: &Layer) -> u64 {
    let token = Token::new("").with(layer.grid.as_slice());
    let token = layer.parents.iter().fold(token, |token, parent| token.with(Arc::as_ptr(parent) as usize));
    match &layer.body {
        Body::Blockwise { task, .. } => token.task(task).hash(),
        Body::PerBlock(make) => token.with(Arc::as_ptr(make).cast::<()>() as usize).hash(),
        Body::Tasks(_) => token.with(std::ptr::from_ref(layer) as usize).hash(),
    }
}

fn is_equal(a: &Layer, b: &Layer) -> bool {
    let same_tasks = match (&a.body, &b.body) {
        (Body::Blockwise { inputs, task }, Body::Blockwise { inputs: theirs, task: other }) => {
            inputs == theirs && task == other
        }
        (Body::PerBlock(make), Body::PerBlock(other)) => Arc::ptr_eq(make, other),
        _ => false,
    };
    let same = |(a, b): (&Arc<Layer>, &Arc<Layer>)| Arc::ptr_eq(a, b);
    same_tasks
        && a.grid == b.grid
        && a.blocks == b.blocks
        && a.parents.len() == b.parents.len()
        && a.parents.iter().zip(&b.parents).all(same)
}

/// Whether the tasks of a layer do nothing but answer. What they take may be functions, unless it is blocks.
fn answers(layer: &Arc<Layer>, states: &mut States, known: &mut FxHashMap<*const Layer, bool>) -> bool {
    let mut open = vec![layer];
    let mut seen: FxHashSet<*const Layer> = FxHashSet::default();
    while let Some(layer) = open.pop() {
        let own = *known.entry(Arc::as_ptr(layer)).or_insert_with(|| states.of_layer(layer).is_some());
        if !own {
            return false;
        }
        open.extend(layer.parents.iter().filter(|p| p.blocks.is_none() && seen.insert(Arc::as_ptr(p))));
    }
    true
}

/// A layer under its own name, whose tasks are those of another.
fn other_name(layer: &Layer, of: &Arc<Layer>) -> Arc<Layer> {
    let inputs = vec![Input { parent: 0, at: At::same(layer.grid.len()) }];
    Arc::new(Layer {
        name: layer.name.clone(),
        grid: layer.grid.clone(),
        body: Body::Blockwise { inputs, task: Task::new(Form::Input(0), layer.span) },
        parents: vec![of.clone()],
        blocks: layer.blocks.clone(),
        cost: Cost::Free,
        span: layer.span,
        parts: Parts::default(),
        nested: 0,
    })
}
