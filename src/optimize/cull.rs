//! `cull`: layers that no output needs are dropped. (Single blocks that none needs never become tasks: see the plan.)

use super::{Goal, Pass};
use crate::data::Graph;

pub static PASS: Pass = Pass { name: "cull", run, by_hand: |graph, goal| graph.cull(goal.keys) };

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let wanted = graph.layers.iter().filter(|l| goal.wants(l)).cloned().collect::<Vec<_>>();
    Graph::of(&wanted)
}
