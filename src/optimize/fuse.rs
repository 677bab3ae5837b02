//! `fuse`: a layer whose blocks are each used by one task only goes into the layer of those tasks.
//!
//! ```text
//! add-1 [4]  (add [x i] 1)
//! mul-2 [4]  (multiply [add-1 i] 2)    →    pow-3 [4]  (power (multiply (add [x i] 1) 2) 3)
//! pow-3 [4]  (power [mul-2 i] 3)
//! ```
//!
//! Results between the calls of one task are never kept, and elementwise calls nested in each other run as one pass over
//! memory. A task that takes several blocks of a layer stays apart from it: those blocks can be made at the same time.

use super::nest::{self, Edges, Uses};
use super::{Goal, Pass};
use crate::data::Graph;

pub static PASS: Pass = Pass { name: "fuse", run };

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let edges = Edges::of(graph);
    nest::dissolve(graph, &mut |n, layer| {
        let [consumer] = edges.consumers[n][..] else { return false };
        let is_parent = |p: usize| edges.parents[consumer].get(p) == Some(&n);
        !goal.wants(layer)
            && nest::calls(layer) <= super::MOST_CALLS
            && Uses::of(&graph.layers[consumer], layer, &is_parent).once
    })
}
