//! `fuse`: a layer whose blocks are each used by one task only goes into the layer of those tasks.
//!
//! ```text
//! add-1 [4]  (add [x i] 1)
//! mul-2 [4]  (multiply [add-1 i] 2)    →    pow-3 [4]  (power (multiply (add [x i] 1) 2) 3)
//! pow-3 [4]  (power [mul-2 i] 3)
//! ```
//!
//! Results between the calls of one task are never kept, and elementwise calls nested in each other run as one pass over
//! memory. A task that takes several blocks of a layer stays apart from it: those blocks can be made at the same time. So does a
//! task that needs several dear results (the sums of two chains of products, what two functions return): nested, they would be
//! made one after the other and held together. A chain of products whose factors are computed blocks stays a chain of tasks for the
//! same reason, so that one pair of factors is held at a time and not all of them.

use super::nest::{self, Edges};
use super::{Goal, Pass};
use crate::data::{Cost, Graph};

pub static PASS: Pass = Pass { name: "fuse", run, by_hand: |graph, goal| graph.fuse(goal.keys, goal.host) };

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let edges = Edges::of(graph);
    let dear = dear(graph, &edges);
    nest::dissolve(graph, &edges, &mut |n, layer| {
        let [consumer] = edges.consumers[n][..] else { return false };
        // Small results that wait, such as the means of columns, do no harm.
        let rival = |&p: &usize| p != n && dear[p] && !nest::is_much_smaller(&graph.layers[p], layer);
        !goal.wants(layer)
            && nest::calls(layer) <= super::MOST_CALLS
            && !(dear[n] && edges.parents[consumer].iter().any(rival))
            && edges.uses(graph, n, consumer).once
    })
}

/// Which layers' tasks are dear, or would be with what may go into them.
fn dear(graph: &Graph, edges: &Edges) -> Vec<bool> {
    let mut dear: Vec<bool> = Vec::with_capacity(graph.layers.len());
    for (n, layer) in graph.layers.iter().enumerate() {
        let own = matches!(layer.cost, Cost::Dear | Cost::Unknown);
        let taken_in = |&p: &usize| dear[p] && edges.consumers[p].len() == 1;
        dear.push(own || edges.parents[n].iter().filter(|p| taken_in(p)).count() == 1);
    }
    dear
}
