//! Where on its row each node stands, and how high each row is.
//!
//! Nodes that lead to nothing but each other are a column, which is to be straight; and columns are to stand in the middle of what they
//! lead to or take. One row after the other goes to where its columns are pulled, as near as its nodes may stand to each other. That
//! is a regression for places that only grow, and takes linear time (Ayer et al., "An Empirical Distribution Function for Sampling with
//! Incomplete Information", 1955: adjacent violators are pooled).

use super::ranks::Ranks;
use crate::data::cancel::cancelled;
use std::cmp::Ordering;

/// Width and height.
pub type Size = (f64, f64);

/// A place of a drawing, from its left lower corner.
pub type Point = (f64, f64);

/// Between two nodes of a row.
const BESIDE: f64 = 16.0;
/// Between two rows.
const BETWEEN: f64 = 26.0;
/// What is added to that for each step that an edge goes to the side, and how much of it there may be.
const SLOPE: f64 = 0.1;
const MOST_BETWEEN: f64 = 150.0;
/// Times that rows follow each other up and down, that columns go to where they are pulled, and that they are made straight.
const FOLLOWS: usize = 3;
const PULLS: usize = 60;
const STRAIGHTENS: usize = 40;
/// A column that goes no further aside counts as straight.
const STRAIGHT: f64 = 0.5;

/// The rows of a connected graph in the plane.
pub struct Placed {
    pub size: Size,
    /// The middle of each node.
    pub nodes: Vec<Point>,
    /// From where to where edges lead: from the upper side of a node or a bend to the lower side of another.
    pub legs: Vec<(Point, Point)>,
    /// What edges are on the rows that they pass.
    pub passes: Vec<(Point, Point)>,
}

/// Places nodes of these sizes.
pub fn place(ranks: &Ranks, sizes: &[Size]) -> Placed {
    let size = |node: u32| sizes.get(node as usize).copied().unwrap_or_default();
    let x = across(ranks, &size, sizes.len() as u32);
    let heights: Vec<f64> = ranks.rows.iter().map(|row| row.iter().map(|&n| size(n).1).fold(0.0, f64::max)).collect();
    // The lower end of each row.
    let mut bottoms: Vec<f64> = Vec::with_capacity(heights.len());
    let mut y = 0.0;
    for (row, height) in ranks.rows.iter().zip(&heights) {
        bottoms.push(y);
        let aside = |&node: &u32| ranks.above.get(node).iter().map(move |&to| (node, to));
        let aside = row.iter().flat_map(aside).map(|(a, b)| (x[a as usize] - x[b as usize]).abs());
        y += height + (BETWEEN + SLOPE * aside.fold(0.0, f64::max)).min(MOST_BETWEEN);
    }
    let top = bottoms.last().zip(heights.last()).map_or(0.0, |(bottom, height)| bottom + height);
    let mut nodes = vec![(0.0, 0.0); ranks.above.len()];
    let mut ends = vec![(0.0, 0.0); ranks.above.len()];
    for ((row, bottom), height) in ranks.rows.iter().zip(&bottoms).zip(&heights) {
        for &node in row {
            let middle = bottom + height / 2.0;
            let half = if (node as usize) < sizes.len() { size(node).1 / 2.0 } else { height / 2.0 };
            nodes[node as usize] = (x[node as usize], middle);
            ends[node as usize] = (middle - half, middle + half);
        }
    }
    let above = ranks.above.iter().zip(0..).flat_map(|(to, from)| to.iter().map(move |&to| (from, to)));
    let leg =
        |(from, to): (u32, u32)| ((x[from as usize], ends[from as usize].1), (x[to as usize], ends[to as usize].0));
    let legs = above.chain(ranks.straight.iter().copied()).map(leg).collect();
    let pass = |bend: usize| ((x[bend], ends[bend].0), (x[bend], ends[bend].1));
    let passes = (sizes.len()..ends.len()).map(pass).collect();
    nodes.truncate(sizes.len());
    let right = nodes.iter().zip(sizes).map(|(at, size)| at.0 + size.0 / 2.0);
    let right = right.chain(x[sizes.len()..].iter().copied()).fold(0.0, f64::max);
    Placed { size: (right, top), nodes, legs, passes }
}

/// The middle of each node and bend from left to right; the leftmost node begins at 0. Numbers from `bends` on are bends.
fn across(ranks: &Ranks, size: &dyn Fn(u32) -> Size, bends: u32) -> Vec<f64> {
    let mut x = vec![0.0; ranks.above.len()];
    // From where a row begins to where each of its nodes stands, as close as they may.
    let closest: Vec<Vec<f64>> = ranks.rows.iter().map(|row| close(row, size)).collect();
    for (row, closest) in ranks.rows.iter().zip(&closest) {
        let middle = closest.last().unwrap_or(&0.0) / 2.0;
        row.iter().zip(closest).for_each(|(&node, at)| x[node as usize] = at - middle);
    }
    // At first rows follow the one before them.
    let last = ranks.rows.len();
    for _ in 0..FOLLOWS {
        for (rows, near) in [((0..last).collect(), &ranks.below), ((0..last).rev().collect::<Vec<_>>(), &ranks.above)] {
            for row in rows {
                let wanted = |&node: &u32| match near.get(node) {
                    // What nothing pulls gives way, but does not fly off.
                    [] => Wanted { weight: 0.01, at: x[node as usize] },
                    near => {
                        let sum: f64 = near.iter().map(|&n| x[n as usize]).sum();
                        Wanted { weight: near.len() as f64, at: sum / near.len() as f64 }
                    }
                };
                let wanted: Vec<Wanted> = ranks.rows[row].iter().map(wanted).collect();
                settle(&ranks.rows[row], &closest[row], &wanted, &mut x);
            }
        }
    }
    // Then columns settle between all that pulls them, and become straight at last.
    let columns = columns(ranks, bends);
    let sweeps = [(Pull::All, PULLS), (Pull::Straight, PULLS), (Pull::None, STRAIGHTENS)];
    for pull in sweeps.into_iter().flat_map(|(pull, times)| std::iter::repeat_n(pull, times)) {
        if cancelled() {
            break;
        }
        let wanted = wanted(&columns, ranks, &x, pull);
        for (row, closest) in ranks.rows.iter().zip(&closest) {
            let wanted: Vec<Wanted> = row.iter().map(|&node| wanted[columns.of[node as usize] as usize]).collect();
            settle(row, closest, &wanted, &mut x);
        }
    }
    let left = |(node, x): (u32, &f64)| x - size(node).0 / 2.0;
    let left = (0..).zip(&x).map(left).fold(f64::INFINITY, f64::min);
    x.iter_mut().for_each(|x| *x -= left);
    x
}

/// Nodes and bends that are to stand above each other: those that lead to nothing else than to each other, and the bends of an edge.
struct Columns {
    /// The column of each node.
    of: Vec<u32>,
    count: usize,
}

fn columns(ranks: &Ranks, bends: u32) -> Columns {
    let mut columns = Columns { of: vec![u32::MAX; ranks.above.len()], count: 0 };
    for &node in ranks.rows.iter().flatten() {
        let continues = |&below: &u32| match (below >= bends, node >= bends) {
            (true, true) => true,
            _ => ranks.below.get(node).len() == 1 && ranks.above.get(below).len() == 1,
        };
        columns.of[node as usize] = match ranks.below.get(node).iter().find(|below| continues(below)) {
            Some(&below) => columns.of[below as usize],
            None => {
                columns.count += 1;
                columns.count as u32 - 1
            }
        };
    }
    columns
}

/// Columns that go to where they are pulled. Others become straight where they are.
#[derive(Clone, Copy, PartialEq)]
enum Pull {
    All,
    /// Those that are straight.
    Straight,
    None,
}

/// How firmly each column stands, and where it is to go: between where it is and the mean of what it takes, or of what takes it if
/// that is more. So a sum stands in the middle above its terms, wherever its own sum is.
fn wanted(columns: &Columns, ranks: &Ranks, x: &[f64], pull: Pull) -> Vec<Wanted> {
    let mut found = vec![Column::default(); columns.count];
    for (node, &of) in columns.of.iter().enumerate() {
        let column = &mut found[of as usize];
        column.rows += 1.0;
        column.sum += x[node];
        column.ends = (column.ends.0.min(x[node]), column.ends.1.max(x[node]));
        for (side, near) in [&ranks.below, &ranks.above].into_iter().enumerate() {
            for &other in near.get(node as u32).iter().filter(|&&other| columns.of[other as usize] != of) {
                column.near[side].0 += 1.0;
                column.near[side].1 += x[other as usize];
            }
        }
    }
    let wanted = |column: Column| {
        let [below, above] = column.near;
        let (edges, sum) = match below.0.total_cmp(&above.0) {
            Ordering::Greater => below,
            Ordering::Less => above,
            Ordering::Equal => (below.0 + above.0, below.1 + above.1),
        };
        let is_pulled = match pull {
            Pull::All => true,
            Pull::Straight => column.ends.1 - column.ends.0 < STRAIGHT,
            Pull::None => false,
        };
        let here = column.sum / column.rows;
        let at = match is_pulled {
            true if edges > 0.0 => (here + sum / edges) / 2.0,
            true => here,
            false => (column.ends.0 + column.ends.1) / 2.0,
        };
        Wanted { weight: column.rows, at }
    };
    found.into_iter().map(wanted).collect()
}

/// Where a column is.
#[derive(Clone, Copy)]
struct Column {
    rows: f64,
    sum: f64,
    /// Its leftmost and its rightmost place.
    ends: (f64, f64),
    /// Edges to other columns below and above, and the sum of their places.
    near: [(f64, f64); 2],
}

impl Default for Column {
    fn default() -> Self {
        Column { rows: 0.0, sum: 0.0, ends: (f64::INFINITY, f64::NEG_INFINITY), near: [(0.0, 0.0); 2] }
    }
}

fn close(row: &[u32], size: &dyn Fn(u32) -> Size) -> Vec<f64> {
    let mut at = 0.0;
    let mut before = None;
    let step = |&node: &u32| {
        let half = size(node).0 / 2.0;
        at += before.replace(half).map_or(0.0, |before: f64| before + half + BESIDE);
        at
    };
    row.iter().map(step).collect()
}

/// Where a node is to stand, and how much that counts.
#[derive(Clone, Copy)]
struct Wanted {
    weight: f64,
    at: f64,
}

/// Moves the nodes of a row to where they are wanted, as far as there is room.
fn settle(row: &[u32], closest: &[f64], wanted: &[Wanted], x: &mut [f64]) {
    // Nodes that touch are pooled: how many they are, and where their row is to begin.
    let mut pools: Vec<(usize, Wanted)> = Vec::with_capacity(row.len());
    for (wanted, closest) in wanted.iter().zip(closest) {
        let mut pool = (1, Wanted { weight: wanted.weight, at: wanted.at - closest });
        while let Some(&(nodes, before)) = pools.last()
            && before.at >= pool.1.at
        {
            pools.pop();
            let weight = before.weight + pool.1.weight;
            let at = (before.at * before.weight + pool.1.at * pool.1.weight) / weight;
            pool = (nodes + pool.0, Wanted { weight, at });
        }
        pools.push(pool);
    }
    let starts = pools.iter().flat_map(|&(nodes, start)| std::iter::repeat_n(start.at, nodes));
    for ((&node, closest), start) in row.iter().zip(closest).zip(starts) {
        x[node as usize] = start + closest;
    }
}
