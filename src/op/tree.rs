//! Reductions of lazy arrays as trees: every block is reduced by itself, then partial results are merged a few at a time until
//! one is left. The tree depends on the array's blocks and on `split` only, never on workers, so a result has the same bits
//! on every run.
//!
//! `(sum x)` of 5 blocks with a fan-in of 4, as layers:
//!
//! ```text
//! (sum [x 0] :axis [0] :keepdims true) … 5 of them
//! (add [p 0] [p 1] [p 2] [p 3])  [p 4]
//! (squeeze (add [q 0] [q 1]) :axis [0])
//! ```

use super::layers::{Plan, call, ints};
use super::token::Token;
use crate::data::{Array, At, Axis, BlockRef, Body, Chunks, Cost, DType, Dims, Input, Task, Unknown};
use crate::text::Span;
use smallvec::SmallVec;
use std::sync::Arc;

/// How many partial results are merged at a time, unless `:split-every` says otherwise.
pub const FAN_IN: usize = 4;

/// A reduction as tasks. Partial results keep the reduced axes, at size 1.
pub struct Reduction<'a> {
    /// The op: names of layers begin with it.
    pub name: &'static str,
    /// What, besides the array, the result depends on.
    pub token: Token,
    /// The same of partial results: ops that begin alike share these, as the deviation and the variance do.
    pub part: Token,
    pub axes: &'a [usize],
    pub keepdims: bool,
    pub split: usize,
    /// Size of a leading axis that partial results have and blocks have not.
    pub lead: Option<usize>,
    /// dtype of partial results, and of the result.
    pub partial: DType,
    pub dtype: DType,
    pub span: Span,
    /// The partial result of one block.
    pub chunk: &'a dyn Fn(Task) -> Task,
    /// One partial result out of several.
    pub merge: Arc<dyn Fn(Vec<Task>) -> Task + Send + Sync>,
    /// The result of the last partial result, reduced axes still there.
    pub finish: Arc<dyn Fn(Task) -> Task + Send + Sync>,
}

impl Reduction<'_> {
    pub fn of(self, array: &Array) -> Array {
        let lead = self.lead.iter().map(|&n| Arc::<[usize]>::from([n])).collect::<Vec<_>>();
        let first = lead.len();
        let part = |at: usize| self.part.clone().layer(&array.layer).with((at, self.axes, self.split));
        // Each block by itself.
        let cut = |axis: usize| match self.axes.contains(&axis) {
            true => vec![1; array.chunks.axis(axis).len()].into(),
            false => array.chunks.axis(axis).clone(),
        };
        let chunks = Chunks::from_axes(lead.iter().cloned().chain((0..array.ndim()).map(cut)).collect());
        let at = At((0..array.ndim()).map(|axis| Axis::Axis((first + axis) as u8)).collect());
        let plan = Plan {
            token: part(0),
            parents: vec![array.layer.clone()],
            dtype: self.partial,
            chunks,
            cost: Cost::Dear,
            span: self.span,
        };
        let body = Body::Blockwise { inputs: vec![Input { parent: 0, at }], task: (self.chunk)(Task::input(0)) };
        let names = |axis: usize| array.unknown.axis(axis).filter(|_| !self.axes.contains(&axis)).cloned();
        let partly = Unknown::of((0..first).map(|_| None).chain((0..array.ndim()).map(names)).collect());
        let mut partial = plan.array(body).with_unknown(partly.clone());
        // A few at a time, along all reduced axes at once, while more are left than one task merges.
        let long = self.axes.iter().filter(|&&a| partial.chunks.axis(first + a).len() > 1).count().max(1);
        let fan = fan_in(self.split, long);
        let mut step = 1;
        while self.axes.iter().any(|&a| partial.chunks.axis(first + a).len() > fan) {
            let cut = |axis: usize| match axis >= first && self.axes.contains(&(axis - first)) {
                true => vec![1; partial.chunks.axis(axis).len().div_ceil(fan)].into(),
                false => partial.chunks.axis(axis).clone(),
            };
            let chunks = Chunks::from_axes((0..partial.ndim()).map(cut).collect());
            let grid = partial.chunks.grid();
            let reduced: Dims = self.axes.iter().map(|a| a + first).collect();
            let plan = self.merging(part(step), &partial, self.partial, chunks);
            let merge = self.merge.clone();
            partial = plan.per_block(move |index| {
                let refs = below(index, &grid, &reduced, fan);
                let parts = (0..refs.len()).map(Task::input).collect::<Vec<_>>();
                (refs, merged(parts, &*merge))
            });
            partial = partial.with_unknown(partly.clone());
            step += 1;
        }
        // What is left, and the end.
        let kept = |axis: &usize| self.keepdims || !self.axes.contains(axis);
        let cut = |axis: usize| match self.axes.contains(&axis) {
            true => [1].into(),
            false => array.chunks.axis(axis).clone(),
        };
        let chunks = Chunks::from_axes((0..array.ndim()).filter(kept).map(cut).collect());
        let grid = partial.chunks.grid();
        let reduced: Dims = self.axes.iter().map(|a| a + first).collect();
        let token = Token::new(self.name).with(self.token.name().as_str()).layer(&array.layer);
        let token = token.with((self.axes, self.keepdims, self.split));
        let plan = self.merging(token, &partial, self.dtype, chunks);
        let (merge, finish, keepdims) = (self.merge.clone(), self.finish.clone(), self.keepdims);
        let squeezed: Dims = self.axes.iter().copied().collect();
        let left = Unknown::of((0..array.ndim()).filter(kept).map(names).collect());
        let made = plan.per_block(move |index| {
            let mut at: SmallVec<[u32; 4]> = SmallVec::from_elem(0, grid.len());
            let places = (first..grid.len()).filter(|axis| keepdims || !reduced.contains(axis));
            places.zip(index).for_each(|(axis, &block)| at[axis] = block);
            let refs = below(&at, &grid, &reduced, fan);
            let parts = (0..refs.len()).map(Task::input).collect::<Vec<_>>();
            let result = finish(merged(parts, &*merge));
            (refs, if keepdims { result } else { squeeze(result, &squeezed) })
        });
        made.with_unknown(left)
    }

    fn merging(&self, token: Token, partial: &Array, dtype: DType, chunks: Chunks) -> Plan {
        Plan { token, parents: vec![partial.layer.clone()], dtype, chunks, cost: Cost::Cheap, span: self.span }
    }
}

/// The fan-in along each of so many axes, such that a task merges about `split` parts in all.
fn fan_in(split: usize, axes: usize) -> usize {
    (((split as f64).powf(1.0 / axes as f64) + 1e-9) as usize).max(2)
}

fn merged(mut parts: Vec<Task>, merge: &dyn Fn(Vec<Task>) -> Task) -> Task {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            merge(parts)
        }
    }
}

/// `(squeeze x :axis [0])`: without axes of size 1.
pub fn squeeze(x: Task, axes: &[usize]) -> Task {
    if axes.is_empty() {
        return x;
    }
    call("squeeze", vec![x], vec![("axis", Task::data(ints(axes)))])
}

/// The partial results that the one at `index` merges, in row-major order.
fn below(index: &[u32], grid: &[usize], reduced: &[usize], fan: usize) -> Vec<BlockRef> {
    let range = |axis: usize| {
        let at = index[axis] as usize;
        if reduced.contains(&axis) { at * fan..((at + 1) * fan).min(grid[axis]) } else { at..at + 1 }
    };
    let ranges: Vec<std::ops::Range<usize>> = (0..grid.len()).map(range).collect();
    let sizes: Dims = ranges.iter().map(|r| r.len()).collect();
    (0..sizes.iter().product::<usize>())
        .map(|n| {
            let local = crate::data::graph::unravel(n, &sizes);
            BlockRef { parent: 0, index: local.iter().zip(&ranges).map(|(&i, r)| i + r.start as u32).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fan_in_is_shared_by_the_axes() {
        assert_eq!([fan_in(4, 1), fan_in(4, 2), fan_in(4, 3), fan_in(64, 3), fan_in(2, 1)], [4, 2, 2, 4, 2]);
    }

    #[test]
    fn parts_are_merged_in_order() {
        let parts = below(&[1, 0], &[7, 2], &[0], 4);
        let index: Vec<_> = parts.iter().map(|p| p.index.to_vec()).collect();
        assert_eq!(index, [[4, 0], [5, 0], [6, 0]]);
    }
}
