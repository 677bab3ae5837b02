//! Floor 4: graph to graph. One pass a file.

pub mod cycle;
pub mod lists;
pub mod order;

pub use lists::Lists;

use crate::data::{Graph, Layer};
use std::sync::Arc;

/// What a graph is rewritten for.
pub struct Goal<'a> {
    /// The layers whose blocks are wanted.
    pub outputs: &'a [Arc<Layer>],
    /// Bytes that blocks may take.
    pub memory_limit: usize,
}

/// A rewriting of graphs that keeps what the outputs mean.
pub struct Pass {
    pub name: &'static str,
    pub run: fn(&Graph, &Goal) -> Graph,
}

/// What is done to a graph before it runs.
pub static PASSES: &[&Pass] = &[];

/// Applies the passes. `observe` is told the name of each and what it made of the graph.
pub fn optimize(mut graph: Graph, goal: &Goal, observe: &mut dyn FnMut(&'static str, &Graph)) -> Graph {
    for pass in PASSES {
        graph = (pass.run)(&graph, goal);
        observe(pass.name, &graph);
    }
    graph
}
