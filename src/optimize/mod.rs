//! Floor 4: graph to graph. One pass a file.
//!
//! Passes rewrite whole layers, so that they cost nothing per task; for graphs made by hand, whose tasks have nothing in common,
//! [`by_hand`] has the same verbs key by key. [`order`] ranks the tasks of a finished plan.

pub mod again;
pub mod by_hand;
pub mod cull;
pub mod cycle;
pub mod dedup;
pub mod equal;
pub mod fuse;
pub mod inline;
pub mod lists;
pub mod nest;
pub mod order;
pub mod rematerialize;
mod share;
pub mod sink;
pub mod slice;

pub use lists::Lists;

use crate::data::cancel::cancelled;
use crate::data::{Axis, BlockRef, Body, Form, Graph, Host, Input, Key, Layer, Str, graph};
use crate::text::Result;
use by_hand::ByHand;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// What is done to a graph before it runs.
pub static PASSES: &[&Pass] =
    &[&cull::PASS, &slice::PASS, &dedup::PASS, &inline::PASS, &rematerialize::PASS, &fuse::PASS, &share::PASS];

/// What a graph is rewritten for.
pub struct Goal<'a> {
    /// The layers whose blocks are wanted.
    pub outputs: &'a [Arc<Layer>],
    /// Of those that have names: these; and where all of them are.
    names: FxHashSet<&'a str>,
    addresses: FxHashSet<*const Layer>,
    /// Bytes that the results of tasks may take.
    pub bytes: usize,
    /// Who knows what the functions are that tasks call.
    pub host: &'a dyn Host,
}

/// What a graph made by hand is rewritten for.
pub struct ByHandGoal<'a> {
    /// The keys whose results are wanted.
    pub keys: &'a [Key],
    pub host: &'a dyn Host,
}

impl<'a> Goal<'a> {
    pub fn new(outputs: &'a [Arc<Layer>], bytes: usize, host: &'a dyn Host) -> Goal<'a> {
        let named = outputs.iter().filter(|layer| !layer.is_hand_made());
        let names = named.map(|layer| layer.name.as_str()).collect();
        Goal { outputs, names, addresses: outputs.iter().map(Arc::as_ptr).collect(), bytes, host }
    }

    /// Whether the blocks of this layer, which may have been rewritten, are wanted.
    pub fn wants(&self, layer: &Layer) -> bool {
        match layer.is_hand_made() {
            true => self.addresses.contains(&std::ptr::from_ref(layer)),
            false => self.names.contains(layer.name.as_str()),
        }
    }
}

/// A rewriting of graphs that keeps what the outputs mean.
pub struct Pass {
    pub name: &'static str,
    pub run: fn(&Graph, &Goal) -> Graph,
    /// The same for a graph made by hand, key by key.
    pub by_hand: fn(ByHand, &ByHandGoal) -> Result<ByHand>,
}

/// A task that holds more calls does not go into another one: long chains would cost more to rewrite than to run.
const MOST_CALLS: usize = 64;

/// Applies the passes. `observe` is told the name of each and what it made of the graph.
pub fn optimize(graph: Graph, goal: &Goal, observe: &mut dyn FnMut(&'static str, &Graph)) -> Graph {
    apply(PASSES, graph, goal, observe)
}

/// As [`optimize`], with these passes; without the rest of them for who is no longer wanted.
pub fn apply(passes: &[&Pass], mut graph: Graph, goal: &Goal, observe: &mut dyn FnMut(&'static str, &Graph)) -> Graph {
    for pass in passes {
        if cancelled() {
            break;
        }
        graph = (pass.run)(&graph, goal);
        debug_assert_eq!(broken(&graph, goal).filter(|_| !cancelled()), None, "after the pass `{}`", pass.name);
        observe(pass.name, &graph);
    }
    graph
}

/// What is wrong with a graph, if anything is: every output is there, in its blocks of its dtype; parents come before what uses
/// them; tasks name no place that they have not; and the blocks that they take exist, of all tasks of small layers and of some
/// of the others, the first and the last among them.
pub fn broken(graph: &Graph, goal: &Goal) -> Option<String> {
    for output in goal.outputs.iter().filter(|o| !o.is_hand_made()) {
        match graph.layer(&output.name) {
            Err(_) => return Some(format!("`{}` is lost", output.name)),
            Ok(layer) if layer.grid != output.grid || layer.blocks != output.blocks => {
                return Some(format!("`{}` has other blocks", output.name));
            }
            Ok(_) => {}
        }
    }
    let mut places = rustc_hash::FxHashMap::default();
    for layer in &graph.layers {
        let of_place = |layer: &Arc<Layer>| match layer.body {
            Body::Tasks(_) => (Str::default(), Arc::as_ptr(layer)),
            _ => (layer.name.clone(), std::ptr::null()),
        };
        if let Some(parent) = layer.parents.iter().find(|p| !places.contains_key(&of_place(p))) {
            return Some(format!("`{}` does not come after `{}`", layer.name, parent.name));
        }
        if places.insert(of_place(layer), ()).is_some() {
            return Some(format!("`{}` is there twice", layer.name));
        }
        if layer.blocks.as_ref().is_some_and(|(_, chunks)| chunks.grid() != layer.grid) {
            return Some(format!("`{}` has blocks for another grid", layer.name));
        }
        let step = (layer.len() / CHECKED).max(1);
        let some = (0..layer.len()).step_by(step).chain(layer.len().checked_sub(1));
        let wrong = some.map(|at| graph::unravel(at, &layer.grid)).find_map(|index| misfit(layer, &index));
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

/// Tasks of a layer that are checked.
const CHECKED: usize = 64;

/// What is wrong with one task of a layer.
fn misfit(layer: &Layer, index: &[u32]) -> Option<String> {
    let (blocks, task) = match &layer.body {
        Body::Blockwise { inputs, task } => {
            let is_no_axis = |axis: &Axis| matches!(axis, Axis::Axis(a) if usize::from(*a) >= index.len());
            if inputs.iter().any(|input| input.at.0.iter().any(is_no_axis)) {
                return Some(format!("`{}` goes by an axis that it has not", layer.name));
            }
            let block = |i: &Input| BlockRef { parent: i.parent, index: i.at.apply(index) };
            (inputs.iter().map(block).collect(), task.clone())
        }
        Body::PerBlock(make) => make(index),
        Body::Tasks(_) => return None,
    };
    let exists = |block: &BlockRef| {
        layer.parents.get(block.parent).is_some_and(|p| {
            p.grid.len() == block.index.len() && block.index.iter().zip(&p.grid).all(|(&b, &g)| (b as usize) < g)
        })
    };
    if let Some(BlockRef { parent, index }) = blocks.iter().find(|b| !exists(b)) {
        return Some(format!("`{}` takes block {index:?} of parent {parent}", layer.name));
    }
    let mut places = 0;
    task.walk(&mut |t| {
        if let Form::Input(n) = t.form {
            places = places.max(n as usize + 1);
        }
    });
    (places > blocks.len()).then(|| format!("`{}` takes {} blocks, and names {places}", layer.name, blocks.len()))
}
