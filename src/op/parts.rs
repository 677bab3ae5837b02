//! How a part of a lazy array is made out of parts of what the array is made of: `((+ x 1) 0 :10)` is `(+ (x 0 :10) 1)`. Ops say
//! so of the arrays they make; the pass `slice` makes use of it.

use super::chunking::Bounds;
use super::indexing::{self, Index, Step, Take};
use super::layers::Plan;
use super::token::Token;
use crate::data::slice::Range;
use crate::data::{Array, Axis, Body, Chunks, Input, Layer};
use crate::text::Span;
use std::sync::Arc;

/// All of an axis.
pub fn all(count: usize) -> Range {
    Range { start: 0, step: 1, count }
}

/// A part of an array, as the lazy slice of it.
pub fn taken(array: &Array, ranges: &[Range], span: Span) -> Array {
    Index(ranges.iter().map(|&r| Step::Axis(Take::Range(r))).collect()).of_array(array, span)
}

/// For each block of a part of an array, along each axis, what it takes of the whole axis.
pub fn pieces(chunks: &Chunks, ranges: &[Range]) -> Vec<Vec<Range>> {
    let bounds = Bounds::of(chunks);
    let along = |axis: usize| indexing::met(&ranges[axis], &bounds, axis, chunks.axis(axis).len());
    (0..ranges.len()).map(along).collect()
}

/// How a part is cut.
pub fn cut(pieces: &[Vec<Range>]) -> Chunks {
    Chunks::from_axes(pieces.iter().map(|axis| axis.iter().map(|r| r.count).collect()).collect())
}

/// The array, of which `make` makes parts. Nobody else has its layer yet.
pub fn with_parts(mut array: Array, make: impl Fn(&[Range]) -> Option<Array> + Send + Sync + 'static) -> Array {
    if let Some(layer) = Arc::get_mut(&mut array.layer) {
        layer.parts.make = Some(Arc::new(make));
    }
    array
}

/// The part of a layer's array that `array`, which nobody else has, is; under a name of its own.
pub fn part_of(name: &str, ranges: &[Range], mut array: Array) -> Array {
    if let Some(layer) = Arc::get_mut(&mut array.layer) {
        layer.name = token(name, ranges).name();
    }
    array
}

fn token(name: &str, ranges: &[Range]) -> Token {
    Token::new("part").with(name).with(ranges)
}

/// An array made of nothing: `make` makes blocks that lie there in the whole.
pub fn source(chunks: &Chunks, span: Span, make: impl Fn(Bounds, Chunks) -> Array + Send + Sync + 'static) -> Array {
    let whole = make(Bounds::of(chunks), chunks.clone());
    let (name, chunks) = (whole.layer.name.clone(), chunks.clone());
    with_parts(whole, move |ranges| {
        // Blocks in one piece, of which the steps are taken afterwards.
        let hull = |r: &Range| Range {
            start: r.start,
            step: 1,
            count: r.count.saturating_sub(1) * r.step.unsigned_abs() + r.count.min(1),
        };
        let hulls: Vec<Range> = ranges.iter().map(hull).collect();
        let pieces = pieces(&chunks, &hulls);
        let part = part_of(&name, &hulls, make(Bounds::of_pieces(&pieces), cut(&pieces)));
        let steps: Vec<Range> = ranges.iter().map(|r| Range { start: 0, ..*r }).collect();
        Some(taken(&part, &steps, span))
    })
}

/// An array, nobody else's yet, whose tasks do to a block what they do to a part of it: elementwise calls, transposed axes.
pub fn blockwise(array: Array) -> Array {
    let Body::Blockwise { inputs, task } = &array.layer.body else { return array };
    let (inputs, task, parents) = (inputs.clone(), task.clone(), array.layer.parents.clone());
    let (name, cost, span) = (array.layer.name.clone(), array.layer.cost, array.layer.span);
    let (dtype, chunks) = (array.dtype, array.chunks.clone());
    with_parts(array, move |ranges| {
        let shape = chunks.shape();
        let is_mapped = |axis: usize| inputs.iter().any(|i| i.at.0.contains(&Axis::Axis(axis as u8)));
        if (0..shape.len()).any(|axis| !is_mapped(axis) && ranges[axis] != all(shape[axis])) {
            return None;
        }
        let mut new: Vec<Arc<Layer>> = Vec::new();
        let mut part = |input: &Input| {
            let parent = Array::of(&parents[input.parent])?;
            let range = |(at, n): (&Axis, usize)| match *at {
                Axis::Axis(axis) => ranges[axis as usize],
                Axis::Block(_) => all(n),
            };
            let ranges: Vec<Range> = input.at.0.iter().zip(parent.shape()).map(range).collect();
            let layer = taken(&parent, &ranges, span).layer;
            let place = new.iter().position(|p| p.name == layer.name).unwrap_or_else(|| {
                new.push(layer);
                new.len() - 1
            });
            Some(Input { parent: place, at: input.at.clone() })
        };
        let inputs = inputs.iter().map(&mut part).collect::<Option<Vec<Input>>>()?;
        let chunks = cut(&pieces(&chunks, ranges));
        let plan = Plan { token: token(&name, ranges), parents: new, dtype, chunks, cost, span };
        Some(plan.array(Body::Blockwise { inputs, task: task.clone() }))
    })
}
