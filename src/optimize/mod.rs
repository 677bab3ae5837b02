//! Floor 4: graph to graph. One pass a file.
//!
//! Passes rewrite whole layers, so that they cost nothing per task; for graphs made by hand, whose tasks have nothing in common,
//! [`by_hand`] has the same verbs key by key. [`order`] ranks the tasks of a finished plan.

pub mod by_hand;
pub mod cull;
pub mod cycle;
pub mod fuse;
pub mod inline;
pub mod lists;
pub mod nest;
pub mod order;
pub mod rematerialize;
pub mod slice;

pub use lists::Lists;

use crate::data::{Body, Graph, Layer};
use std::sync::Arc;

/// What is done to a graph before it runs.
pub static PASSES: &[&Pass] = &[&cull::PASS, &slice::PASS, &inline::PASS, &rematerialize::PASS, &fuse::PASS];

/// What a graph is rewritten for.
pub struct Goal<'a> {
    /// The layers whose blocks are wanted.
    pub outputs: &'a [Arc<Layer>],
    /// Bytes that the results of tasks may take.
    pub bytes: usize,
}

impl Goal<'_> {
    /// Whether the blocks of this layer, which may have been rewritten, are wanted.
    pub fn wants(&self, layer: &Layer) -> bool {
        self.outputs.iter().any(|o| match (&o.body, &layer.body) {
            (Body::Tasks(_), _) | (_, Body::Tasks(_)) => std::ptr::eq(&**o, layer),
            _ => o.name == layer.name,
        })
    }
}

/// A rewriting of graphs that keeps what the outputs mean.
pub struct Pass {
    pub name: &'static str,
    pub run: fn(&Graph, &Goal) -> Graph,
}

/// A task that holds more calls does not go into another one: long chains would cost more to rewrite than to run.
const MOST_CALLS: usize = 64;

/// Applies the passes. `observe` is told the name of each and what it made of the graph.
pub fn optimize(mut graph: Graph, goal: &Goal, observe: &mut dyn FnMut(&'static str, &Graph)) -> Graph {
    for pass in PASSES {
        graph = (pass.run)(&graph, goal);
        debug_assert_eq!(broken(&graph, goal), None, "after the pass `{}`", pass.name);
        observe(pass.name, &graph);
    }
    graph
}

/// What is wrong with a graph, if anything is: every output is there; parents come before what uses them; and the blocks that a layer's
/// first and last tasks take exist.
pub fn broken(graph: &Graph, goal: &Goal) -> Option<String> {
    let place = |layer: &Arc<Layer>| {
        let same = |l: &Arc<Layer>| Arc::ptr_eq(l, layer) || !layer.is_hand_made() && l.name == layer.name;
        graph.layers.iter().position(same)
    };
    if let Some(lost) = goal.outputs.iter().find(|o| !o.is_hand_made() && graph.layer(&o.name).is_err()) {
        return Some(format!("`{}` is lost", lost.name));
    }
    for (n, layer) in graph.layers.iter().enumerate() {
        if let Some(parent) = layer.parents.iter().find(|p| place(p).is_none_or(|at| at >= n)) {
            return Some(format!("`{}` does not come after `{}`", layer.name, parent.name));
        }
        let ends = [0, layer.len().saturating_sub(1)].map(|at| crate::data::graph::unravel(at, &layer.grid));
        for index in ends.iter().filter(|_| !layer.is_empty()) {
            let blocks = match &layer.body {
                Body::Blockwise { inputs, .. } => {
                    inputs.iter().map(|i| (i.parent, i.at.apply(index))).collect::<Vec<_>>()
                }
                Body::PerBlock(make) => make(index).0.into_iter().map(|b| (b.parent, b.index)).collect(),
                Body::Tasks(_) => continue,
            };
            let exists = |(parent, block): &(usize, smallvec::SmallVec<[u32; 4]>)| {
                layer.parents.get(*parent).is_some_and(|p| {
                    p.grid.len() == block.len() && block.iter().zip(&p.grid).all(|(&b, &g)| (b as usize) < g)
                })
            };
            if let Some((parent, block)) = blocks.iter().find(|b| !exists(b)) {
                return Some(format!("`{}` takes block {block:?} of parent {parent}", layer.name));
            }
        }
    }
    None
}
