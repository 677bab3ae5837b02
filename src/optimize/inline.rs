//! `inline`: what is not worth keeping goes into every task that needs it.
//!
//! ```text
//! read-1f [4 4]    (read i j)                    (dot [(transpose (read 0 0)) …] [(read 0 0) …])
//! transpose-7a     (transpose [read-1f j i])  →  …
//! dot-c0           (dot [transpose-7a …] …)
//! ```
//!
//! A view or a block made of nothing always does. A block that takes one pass to make (read from a store, a few
//! operations on one that was) does if it is needed only once anyway; if it is needed again, [`super::rematerialize`] decides.

use super::by_hand::ByHand;
use super::nest::{self, Edges};
use super::{ByHandGoal, Goal, Pass};
use crate::data::{Cost, Graph};
use crate::text::Result;

pub static PASS: Pass = Pass { name: "inline", run, by_hand };

/// Data and other names of keys. What is not needed any more goes.
fn by_hand(graph: ByHand, goal: &ByHandGoal) -> Result<ByHand> {
    let mut keys = graph.unnamed();
    keys.extend_from_slice(goal.keys);
    graph.inline(&[], goal.host)?.cull(&keys)
}

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let edges = Edges::of(graph);
    nest::dissolve(graph, &edges, &mut |n, layer| {
        let consumers = &edges.consumers[n];
        if goal.wants(layer) || consumers.is_empty() || consumers.iter().any(|&c| graph.layers[c].is_hand_made()) {
            return false;
        }
        if nest::calls(layer) > super::MOST_CALLS {
            return false;
        }
        match layer.cost {
            Cost::Free => true,
            Cost::Dear | Cost::Unknown => false,
            Cost::Cheap | Cost::Decode => {
                let uses = edges.all_uses(graph, n);
                uses.iter().map(|u| u.per_block).sum::<f64>() <= 1.0 && uses.iter().all(|u| u.per_task <= 1)
            }
        }
    })
}
