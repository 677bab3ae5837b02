//! `rematerialize`: what is cheaper to make again than to hold is made again by every task that needs it.
//!
//! ```text
//! x    [100]  (read i)                         mean      (mean (read i)) …
//! mean        (mean [x i]) …             →     -  [100]  (- (read i) mean)
//! -    [100]  (- [x i] mean)
//! ```
//!
//! This is for blocks that are made of nothing that would have to be held in their place: read from a store, random, or a few
//! operations on such a block. They are made again if
//!
//! - tasks that take much longer than making them need them, over and over, and between the first and the last of them more
//!   would have to be held than what one task takes anyway: the blocks of a product's second factor, all of which a row of its
//!   result needs (those of the first are needed by the tasks of one row only, and stay where rows run one after the other and
//!   their blocks are not very many); or
//! - keeping them would mean keeping all of the array: one of its users waits for another one that gathers many blocks, as
//!   in `(- x (mean x :axis 0))`.
//!
//! Making a block takes about as long as writing it to memory and reading it back, so this costs no time, and memory not at all.
//! Only what has to be decoded takes longer: as long as all of it fits in a part of the memory that is left, it is held.

use super::nest::{self, Edges, Uses};
use super::{Goal, Pass};
use crate::data::{Body, Cost, Form, Graph, Host, Layer, Memory, Str, Task};

pub static PASS: Pass = Pass { name: "rematerialize", run, by_hand: super::again::again };

/// A task that is made again may hold so many calls, over all its uses.
const AGAIN: f64 = 32.0;

/// A task that goes over each element so often takes longer for that than making the element takes: a random one, or one that is
/// decoded, as long as a few hundred multiplications.
const PASSES: f64 = 64.0;
/// A block of so many times the elements of what is made of it is a long one.
const LONG: f64 = 4.0;

/// The share of the memory that is left which an array may take that is dear to make again.
const SHARE: usize = 4;

/// Bytes that the blocks of a product's first factor may take while a row of the result is made.
const ROW: usize = 64 << 20;

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let edges = Edges::of(graph);
    nest::dissolve(graph, &edges, &mut |n, layer| {
        let consumers = &edges.consumers[n];
        if !matches!(layer.cost, Cost::Cheap | Cost::Decode) || goal.wants(layer) || consumers.is_empty() {
            return false;
        }
        if consumers.iter().any(|&c| graph.layers[c].is_hand_made()) {
            return false;
        }
        // Of what is not an array's, nobody knows how much there is to keep, or what making it again would do.
        let Some((dtype, chunks)) = &layer.blocks else { return false };
        let calls = nest::calls(layer);
        let all = layer.len().saturating_mul(chunks.largest()).saturating_mul(dtype.size());
        if calls > super::MOST_CALLS || !stands_alone(layer) || layer.cost == Cost::Decode && all <= goal.bytes / SHARE
        {
            return false;
        }
        let uses = edges.all_uses(graph, n);
        let block = chunks.largest() * dtype.size();
        let most = ROW.min(goal.bytes / SHARE) / block.max(1);
        // A product is a chain of tasks, each of which takes a block: together they hold the row.
        let row = uses.iter().fold(0, |row: usize, u| row.saturating_add(u.held));
        let stays = |u: &Uses| !u.once && u.held <= u.per_task;
        // How often a block is needed, on average.
        let times: f64 = uses.iter().map(|u| u.per_block).sum();
        let mut fans = consumers.iter().zip(&uses).filter(|(_, u)| !u.once).peekable();
        let is_dearer = |c: usize| {
            matches!(graph.layers[c].cost, Cost::Dear | Cost::Unknown) && makes_much(graph, &edges, goal.host, n, c)
        };
        let stay =
            row <= most && uses.iter().all(stays) && consumers.iter().all(|&c| runs_in_rows(graph, &edges, goal, c));
        times > 1.0 && fans.peek().is_some() && fans.all(|(&c, _)| is_dearer(c)) && !stay
            || times * calls as f64 <= AGAIN && waits(graph, &edges, n)
    })
}

/// Whether a task of layer `c` makes much of a block of layer `n`. A product goes over each element many times: of blocks m×k,
/// k×n and m×n √(mk·mn / kn) = m times for the second one. Where less comes of a block than there is in it, a long row times
/// a long column, making it again takes most of the time.
fn makes_much(graph: &Graph, edges: &Edges, host: &dyn Host, n: usize, c: usize) -> bool {
    let elements = |layer: usize| graph.layers[layer].blocks.as_ref().map(|(_, chunks)| chunks.largest() as f64);
    let (Some(block), Some(made)) = (elements(n), elements(c)) else { return true };
    if !is_product(&graph.layers[c], host) {
        return true;
    }
    let others = edges.parents[c].iter().filter(|&&parent| parent != n).filter_map(|&parent| elements(parent));
    let other = others.fold(0.0, f64::max);
    let times = (if other > 0.0 { other } else { block } * made / block.max(1.0)).sqrt();
    times >= PASSES || block <= LONG * made
}

fn is_product(layer: &Layer, host: &dyn Host) -> bool {
    let memory = |name: &Str| host.op(name).map_or(Memory::Unknown, |op| op.memory);
    let is_product = |name: &Str| matches!(memory(name), Memory::Product { .. } | Memory::Accumulation { .. });
    let Body::Blockwise { task, .. } = &layer.body else { return false };
    let mut found = false;
    task.walk(&mut |part| {
        if let Form::Call(items) = &part.form {
            found |= items.first().and_then(Task::as_symbol).is_some_and(is_product);
        }
    });
    found
}

/// Whether making a block again takes nothing that would have to be kept for it: no blocks of others, or much smaller ones.
fn stands_alone(layer: &Layer) -> bool {
    layer.parents.iter().all(|parent| nest::is_much_smaller(parent, layer))
}

/// Whether the tasks of a layer run row by row: nothing takes their results together, a few here and a few there, as the tree of a
/// reduction does.
fn runs_in_rows(graph: &Graph, edges: &Edges, goal: &Goal, n: usize) -> bool {
    let mut at = n;
    loop {
        let layer = &graph.layers[at];
        match edges.consumers[at][..] {
            _ if goal.wants(layer) => return true,
            [next] if graph.layers[next].len() == layer.len() && !gathers(graph, edges, at, next) => at = next,
            [next] => return graph.layers[next].len() == 1,
            _ => return false,
        }
    }
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
    edges.parents[to].contains(&from)
        && (graph.layers[to].len() < graph.layers[from].len() || edges.uses(graph, from, to).per_task > 1)
}
