//! `inline`: what is cheaper to make again than to keep is made again by every task that needs it.
//!
//! ```text
//! read-1f [4 4]    (read i j)                    (dot [(transpose (read 0 0)) …] [(read 0 0) …])
//! transpose-7a     (transpose [read-1f j i])  →  …
//! dot-c0           (dot [transpose-7a …] …)
//! ```
//!
//! A view or a block made of nothing always is. A block that takes one pass to make (read from a store, a few
//! operations on one that was) is, if
//!
//! - it is needed only once anyway, or
//! - tasks that cost much more need it, over and over, and between the first and the last of them more would have to be
//!   held than what one task takes anyway: the blocks of a product's second factor, all of which a row of its result
//!   needs (those of the first are needed by the tasks of one row only, one after the other, and stay), or
//! - keeping it would mean keeping all of its array: one of its users waits for another one that gathers many blocks, as
//!   in `(- x (mean x :axis 0))`.

use super::nest::{self, Edges, Uses};
use super::{Goal, Pass};
use crate::data::{Cost, Graph, Layer};

pub static PASS: Pass = Pass { name: "inline", run };

/// A task that is made again may hold so many calls, over all its uses.
const AGAIN: f64 = 32.0;

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let edges = Edges::of(graph);
    let uses = |n: usize| -> Vec<Uses> {
        let layer = &graph.layers[n];
        let of = |&c: &usize| {
            let is_parent = |p: usize| edges.parents[c].get(p) == Some(&n);
            Uses::of(&graph.layers[c], layer, &is_parent)
        };
        edges.consumers[n].iter().map(of).collect()
    };
    nest::dissolve(graph, &mut |n, layer| {
        let consumers = &edges.consumers[n];
        if goal.wants(layer) || consumers.is_empty() || consumers.iter().any(|&c| graph.layers[c].is_hand_made()) {
            return false;
        }
        let calls = nest::calls(layer);
        match layer.cost {
            _ if calls > super::MOST_CALLS => false,
            Cost::Free => true,
            Cost::Cheap => {
                let uses = uses(n);
                let total: f64 = uses.iter().map(|u| u.per_block).sum();
                if total <= 1.0 && uses.iter().all(|u| u.per_task <= 1) {
                    return true;
                }
                // Of what is not an array's, nobody knows how much there is to keep, or what making it again would do.
                if layer.blocks.is_none() || !stands_alone(layer) {
                    return false;
                }
                let mut fans = consumers.iter().zip(&uses).filter(|(_, u)| !u.once).peekable();
                let dear = |c: usize| matches!(graph.layers[c].cost, Cost::Dear | Cost::Unknown);
                let stay = uses.iter().all(|u| !u.once && u.held <= u.per_task);
                fans.peek().is_some() && fans.all(|(&c, _)| dear(c)) && !stay
                    || total * calls as f64 <= AGAIN && waits(graph, &edges, n)
            }
            Cost::Dear | Cost::Unknown => false,
        }
    })
}

/// Whether making a block again takes nothing that would have to be kept for it: no blocks of others, or much smaller ones.
fn stands_alone(layer: &Layer) -> bool {
    let bytes = |layer: &Layer| layer.blocks.as_ref().map(|(dtype, chunks)| chunks.largest() * dtype.size());
    layer.parents.iter().all(|parent| match (bytes(parent), bytes(layer)) {
        (Some(theirs), Some(own)) => theirs <= own / 4,
        _ => false,
    })
}

/// Whether one consumer of a layer depends on another one by way of a task that takes several blocks: then the layer's
/// blocks are needed early and late.
fn waits(graph: &Graph, edges: &Edges, n: usize) -> bool {
    let consumers = &edges.consumers[n];
    let Some(&last) = consumers.iter().max() else { return false };
    // What is reached from a consumer, and whether by way of a gathering task.
    let mut reached = vec![None; last + 1 - n];
    for from in n + 1..=last {
        let is_consumer = consumers.contains(&from);
        if is_consumer && reached[from - n] == Some(true) {
            return true;
        }
        if is_consumer || reached[from - n].is_some() {
            let gathered = reached[from - n].unwrap_or(false) || gathers(graph, edges, n, from);
            for &to in edges.consumers[from].iter().filter(|&&to| to <= last) {
                let gathered = gathered || gathers(graph, edges, from, to);
                reached[to - n] = Some(reached[to - n].unwrap_or(false) || gathered);
            }
        }
    }
    false
}

/// Whether tasks of `to` take several blocks of `from`.
fn gathers(graph: &Graph, edges: &Edges, from: usize, to: usize) -> bool {
    let is_parent = |p: usize| edges.parents[to].get(p) == Some(&from);
    edges.parents[to].contains(&from)
        && (graph.layers[to].len() < graph.layers[from].len()
            || Uses::of(&graph.layers[to], &graph.layers[from], &is_parent).per_task > 1)
}
