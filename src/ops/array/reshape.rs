//! `reshape` and `ravel`: the same elements in row-major order under another shape.

use crate::data::{Args, Array, BlockRef, Chunks, Cost, Dims, Memory, Task, Value, graph};
use crate::err;
use crate::op::chunking::{self, AUTO_BYTES, Bounds, show};
use crate::op::layers::{Plan, call, dtype_value, ints};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::{Result, Span};
use smallvec::SmallVec;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(reshape x shape)",
        doc: "The same elements, in row-major order, under another shape; one size may be -1.\n\
            Blocks of a lazy array are cut anew where they have to be, into runs of elements of about the size the blocks had: of \
            axes that are merged or split the first are cut, and the others become whole. Errors: `dsk::shape` where the number \
            of elements differs.",
        examples: &[("(to-list (reshape (arange 6) [2 -1]))", "[[0 1 2] [3 4 5]]")],
        see: &["ravel", "transpose"],
        cost: Cost::Free,
        kind: Kind::Array(Memory::Reshape, reshape),
    },
    Op {
        usage: "(ravel x)",
        doc: "All elements along one axis, in row-major order.",
        examples: &[("(to-list (ravel [[1 2] [3 4]]))", "[1 2 3 4]")],
        see: &["reshape"],
        cost: Cost::Free,
        kind: Kind::Array(Memory::Reshape, ravel),
    },
];

fn reshape(mut args: Args) -> Result<Value> {
    let x = Given::of(std::mem::take(&mut args.values[0]))?;
    let shape = target(&args.values[1], &x.shape())?;
    reshaped(x, &shape, args.span)
}

fn ravel(mut args: Args) -> Result<Value> {
    let x = match Given::any(std::mem::take(&mut args.values[0]))? {
        // Also of an unknown size.
        Given::Lazy(array) if array.ndim() == 1 => return Ok(Value::Array(array)),
        x => Given::of(Value::from(x))?,
    };
    let len = x.shape().iter().product();
    reshaped(x, &[len], args.span)
}

fn reshaped(x: Given, shape: &[usize], span: Span) -> Result<Value> {
    Ok(match x {
        Given::Now(block) => block.reshape(shape).into(),
        Given::Lazy(array) => Value::Array(reshape_lazy(&array, shape, span)?.into()),
    })
}

/// The shape asked for, with -1 worked out.
fn target(spec: &Value, own: &[usize]) -> Result<Dims> {
    let len: usize = own.iter().product();
    let sizes: Vec<i64> = match spec {
        Value::List(items) => items.iter().map(infer::size).collect::<Result<_>>()?,
        one if one.as_int() == Some(-1) => vec![-1],
        other => infer::shape(other)?.iter().map(|&n| n as i64).collect(),
    };
    let mismatch = || {
        let want: Vec<String> = sizes.iter().map(i64::to_string).collect();
        err!(Shape, "{len} elements of shape {} do not fit the shape [{}]", show(own), want.join(" "))
    };
    let open = sizes.iter().filter(|&&n| n == -1).count();
    if open > 1 {
        return Err(err!(Value, "only one size of a shape can be -1"));
    }
    if let Some(n) = sizes.iter().find(|&&n| n < -1) {
        return Err(err!(Value, "a shape has sizes of 0 or more, or one -1, found {n}"));
    }
    let known = sizes.iter().filter(|&&n| n >= 0).try_fold(1usize, |all, &n| all.checked_mul(n as usize));
    let known = known.ok_or_else(mismatch)?;
    let rest = match open {
        0 if known == len => 0,
        1 if known > 0 && len.is_multiple_of(known) => len / known,
        _ => return Err(mismatch()),
    };
    Ok(sizes.iter().map(|&n| if n < 0 { rest } else { n as usize }).collect())
}

/// Axes of the array and of the result that cover the same stretch of the row-major order.
struct Group {
    own: std::ops::Range<usize>,
    out: std::ops::Range<usize>,
}

fn groups(own: &[usize], out: &[usize]) -> Vec<Group> {
    let (mut i, mut j) = (0, 0);
    let mut groups = Vec::new();
    while i < own.len() || j < out.len() {
        let (i0, j0) = (i, j);
        let (mut p, mut q) = (1, 1);
        if i < own.len() {
            p = own[i];
            i += 1;
        }
        if j < out.len() {
            q = out[j];
            j += 1;
        }
        while p != q {
            if p < q {
                p *= own[i];
                i += 1;
            } else {
                q *= out[j];
                j += 1;
            }
        }
        groups.push(Group { own: i0..i, out: j0..j });
    }
    groups
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How a group's stretch is cut: an axis on either side, before which axes are cut into single elements and after which they
/// are whole, and the sizes, in elements of the stretch, of the blocks within one run of the outer axes.
struct Cut {
    own: usize,
    out: usize,
    sizes: Vec<usize>,
}

/// The cut of a group whose blocks are nearest to `target` elements, and rather below it.
///
/// A block of either side is a run of its cut axis: its ends are multiples of the size of what follows that axis, and it lies
/// within one element of what goes before it. At most one of the two sides is cut inside its first axis.
fn best_cut(own: &[usize], out: &[usize], target: usize) -> Result<Cut> {
    let after = |shape: &[usize], axis: usize| shape[axis + 1..].iter().product::<usize>();
    let first = |shape: &[usize]| shape.iter().position(|&n| n != 1).unwrap_or(0);
    let (own0, out0) = (first(own), first(out));
    let candidates = (own0..own.len()).map(|a| (a, out0)).chain((out0 + 1..out.len()).map(|b| (own0, b)));
    // How far from the target, the axes, and the elements of a run and of a block.
    let mut best: Option<(usize, (usize, usize), usize, usize)> = None;
    for (a, b) in candidates {
        let (s, t) = (after(own, a), after(out, b));
        let run = (s * own[a]).min(t * out[b]);
        let unit = s / gcd(s, t) * t;
        // Runs of the side that is cut deeper must hold whole blocks of the other side.
        if unit == 0 || !run.is_multiple_of(unit) {
            continue;
        }
        let block = (target / unit).max(1) * unit;
        let block = block.min(run);
        let excess = if block > target { block - target + run } else { target - block };
        if best.is_none_or(|(least, ..)| excess < least) {
            best = Some((excess, (a, b), run, block));
        }
    }
    let whole: usize = own.iter().product();
    let Some((_, (own, out), run, block)) = best else { return Ok(Cut { own: own0, out: out0, sizes: vec![whole] }) };
    let blocks = run.div_ceil(block);
    chunking::check_blocks([whole / run, blocks])?;
    Ok(Cut { own, out, sizes: (0..blocks).map(|i| block.min(run - i * block)).collect() })
}

/// The cuts of a side's axes.
fn side(shape: &[usize], axis: usize, sizes: &[usize]) -> Vec<Arc<[usize]>> {
    let after: usize = shape[axis + 1..].iter().product();
    let run: usize = sizes.iter().sum();
    // The runs lie one after the other along the axis, where it is longer than one.
    let runs = (after * shape[axis]) / run.max(1);
    let cut = |a: usize| -> Arc<[usize]> {
        match a.cmp(&axis) {
            std::cmp::Ordering::Less => vec![1; shape[a]].into(),
            std::cmp::Ordering::Equal => (0..runs).flat_map(|_| sizes.iter().map(|n| n / after)).collect(),
            std::cmp::Ordering::Greater => [shape[a]].into(),
        }
    };
    (0..shape.len()).map(cut).collect()
}

/// Whether blocks of this cut, in row-major order, are consecutive runs of elements, and the ends of those runs.
fn runs_of(cuts: &[Arc<[usize]>], shape: &[usize]) -> Option<Vec<usize>> {
    let axis = cuts.iter().position(|c| c.iter().any(|&n| n != 1)).unwrap_or(shape.len().saturating_sub(1));
    let whole = (axis + 1..shape.len()).all(|a| cuts[a].len() == 1);
    if !whole || shape.is_empty() {
        return None;
    }
    let after: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    Some((0..outer).flat_map(|_| cuts[axis].iter().map(|n| n * after)).collect())
}

/// The cuts of axes.
type Axes = Vec<Arc<[usize]>>;

/// The cuts of a group's axes in the array, and in the result.
type Sides = (Axes, Axes);

/// Where to cut both sides of a group so that one block becomes one block. `None` where they have hardly an end in common, as
/// 1000 by 1001 elements and 1001 by 1000: one block would have to hold the whole stretch.
fn both_sides(from: &[usize], to: &[usize], now: &[Arc<[usize]>], limit: usize) -> Result<Option<Sides>> {
    let single = |shape: &[usize]| shape.iter().filter(|&&n| n != 1).count() <= 1;
    if single(from) && single(to) {
        // Only axes of size 1 come or go.
        let long = from.iter().position(|&n| n != 1);
        let kept = |n: &usize| match long {
            Some(a) if *n != 1 => now[a].iter().copied().filter(|&n| n > 0).collect(),
            _ => Arc::from([1]),
        };
        return Ok(Some((from.iter().map(kept).collect(), to.iter().map(kept).collect())));
    }
    // Blocks that are runs already stay, where their ends suit the result's first axis.
    let first = to.iter().position(|&n| n != 1).unwrap_or(0);
    let after: usize = to[first + 1..].iter().product();
    let suits = |runs: &Vec<usize>| runs.iter().all(|n| *n > 0 && n.is_multiple_of(after));
    if let Some(runs) = runs_of(now, from).filter(suits) {
        return Ok(Some((now.to_vec(), side(to, first, &runs))));
    }
    let target: usize = now.iter().map(|c| c.iter().copied().max().unwrap_or(1).max(1)).product();
    let target = target.min(limit);
    let cut = best_cut(from, to, target)?;
    if cut.sizes[0] > target * LARGER && !single(from) && !single(to) {
        return Ok(None);
    }
    Ok(Some((side(from, cut.own, &cut.sizes), side(to, cut.out, &cut.sizes))))
}

/// How many times larger than they are blocks may become for want of ends in common.
const LARGER: usize = 2;

pub fn reshape_lazy(array: &Array, shape: &[usize], span: Span) -> Result<Array> {
    let own = array.shape();
    if *own == *shape {
        return Ok(array.clone());
    }
    let token = Token::new("reshape").layer(&array.layer).with(shape);
    if array.is_empty() {
        let keywords = vec![("dtype", Task::data(dtype_value(array.dtype)))];
        let task = call("zeros", vec![Task::data(ints(shape))], keywords);
        let chunks = Chunks::whole(shape);
        let plan = Plan { token, parents: Vec::new(), dtype: array.dtype, chunks, cost: Cost::Free, span };
        return Ok(plan.source(task));
    }
    let groups = groups(&own, shape);
    let sides: Vec<Option<Sides>> = groups
        .iter()
        .map(|group| {
            let now = &array.chunks.axes()[group.own.clone()];
            both_sides(&own[group.own.clone()], &shape[group.out.clone()], now, AUTO_BYTES / array.dtype.size())
        })
        .collect::<Result<_>>()?;
    if sides.contains(&None) {
        // Through the stretch itself, which is one axis and can be cut anywhere.
        let between = groups.iter().zip(&sides).flat_map(|(group, sides)| match sides {
            None => vec![own[group.own.clone()].iter().product()],
            Some(_) => own[group.own.clone()].to_vec(),
        });
        return reshape_lazy(&reshape_lazy(array, &between.collect::<Dims>(), span)?, shape, span);
    }
    let (own_cuts, out_cuts): (Vec<Axes>, Vec<Axes>) = sides.into_iter().flatten().unzip();
    let (own_cuts, out_cuts) = (own_cuts.concat(), out_cuts.concat());
    let array = recut(array, Chunks::from_axes(own_cuts), span);
    let chunks = Chunks::from_axes(out_cuts);
    let (own_grid, out_grid) = (array.chunks.grid(), chunks.grid());
    let bounds = Bounds::of(&chunks);
    let plan = Plan {
        token: token.chunks(&chunks),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks,
        cost: Cost::Free,
        span,
    };
    Ok(plan.per_block(move |index| {
        let mut from: SmallVec<[u32; 4]> = SmallVec::new();
        for group in &groups {
            let at = graph::ravel(&index[group.out.clone()], &out_grid[group.out.clone()]);
            from.extend(graph::unravel(at, &own_grid[group.own.clone()]));
        }
        let shape = Task::data(ints(&bounds.block_shape(index)));
        (vec![BlockRef { parent: 0, index: from }], call("reshape", vec![Task::input(0), shape], Vec::new()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Graph;
    use crate::ops::array::tests::{Choices, Small, shape_of};
    use crate::schedule::Config;
    use proptest::prelude::*;

    #[test]
    fn cuts_make_equal_runs_on_either_side() {
        for (own, out, target) in [
            (&[4, 6][..], &[24][..], 6),
            (&[24], &[4, 6], 5),
            (&[10, 1000, 1000], &[10_000, 1000], 100_000),
            (&[2, 3, 4], &[6, 4], 4),
            (&[6, 4], &[2, 12], 3),
            (&[6], &[2, 3], 1),
            (&[1, 12], &[3, 4], 1),
            (&[3, 5], &[5, 3], 4),
        ] {
            let cut = best_cut(own, out, target).unwrap();
            let (a, b) = (side(own, cut.own, &cut.sizes), side(out, cut.out, &cut.sizes));
            let runs = |cuts: &[Arc<[usize]>], shape: &[usize]| runs_of(cuts, shape).unwrap();
            assert_eq!(runs(&a, own), runs(&b, out), "{own:?} {out:?}");
            assert_eq!(runs(&a, own).iter().sum::<usize>(), own.iter().product::<usize>());
        }
        assert_eq!(best_cut(&[10, 1000, 1000], &[10_000, 1000], 100_000).unwrap().sizes[0], 100_000);
        let many = best_cut(&[1 << 40], &[1 << 20, 1 << 20], 1 << 10);
        assert_eq!(many.err().map(|e| e.code()), Some(crate::text::Code::Limit));
    }

    /// A reshaped array has the elements of the reshaped whole, and no block on the way is much larger than the array's own. Nor are
    /// there many more of them: pieces that wait for a new cut are at most 64 for a block.
    fn check(small: &Small, x: &str, shapes: &[Vec<usize>]) {
        let Value::Array(array) = small.text(x).unwrap() else { panic!("{x} is lazy") };
        let config = Config::default();
        let Value::Block(whole) = small.computed(&Value::Array(array.clone()), &config).unwrap() else {
            panic!("{x} has several elements")
        };
        let mut lazy = (*array).clone();
        for shape in shapes {
            lazy = reshape_lazy(&lazy, shape, Span::NONE).unwrap();
        }
        let story = format!("{x} to {shapes:?}: {:?} to {:?}", array.chunks.axes(), lazy.chunks.axes());
        let computed = small.computed(&Value::Array(lazy.clone().into()), &config).unwrap();
        assert_eq!(shape_of(&computed), *lazy.shape(), "{story}");
        assert!(computed.same(&Value::from(whole.reshape(&lazy.shape()))), "{story}");
        let (blocks, largest) = (array.chunks.block_count() + lazy.chunks.block_count(), array.chunks.largest());
        for layer in Graph::of(&[lazy.layer.clone()]).layers {
            let (_, chunks) = layer.blocks.as_ref().unwrap();
            assert!(chunks.largest() <= 4 * largest, "{} of {}: {story}", chunks.largest(), layer.name);
            let most = blocks * if layer.name.starts_with("reshape") { 4 } else { 64 };
            assert!(chunks.block_count() <= most, "{} of {}: {story}", chunks.block_count(), layer.name);
        }
    }

    #[test]
    fn shapes_without_a_factor_in_common_are_reached_block_by_block() {
        let small = Small::new();
        for chunks in ["[130 77]", "[1000 13]", "[9 1001]", "[[1 998 1] 500]"] {
            let x = format!("(random/integers 0 1000000 [1000 1001] :chunks {chunks} :seed 1)");
            check(&small, &x, &[vec![1001, 1000], vec![7, 143, 1000]]);
            check(&small, &x, &[vec![143, 1000, 7]]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn no_shape_makes_large_blocks(seed in any::<u64>()) {
            let mut choices = Choices(seed);
            let factors: Vec<usize> =
                (0..2 + choices.below(4)).map(|_| choices.of(&[2, 3, 4, 5, 7, 11, 13])).collect();
            // The same factors, each on some axis.
            let mut shape = || {
                let mut shape = vec![1; 1 + choices.below(4)];
                let axes = shape.len();
                factors.iter().for_each(|factor| shape[choices.below(axes)] *= factor);
                shape
            };
            let shapes = [shape(), shape(), shape()];
            let sizes: Vec<usize> = shapes[0].iter().map(|&n| 1 + choices.below(n)).collect();
            let small = Small::new();
            let x = format!("(random/integers 0 1000 {} :chunks {} :seed 1)", show(&shapes[0]), show(&sizes));
            check(&small, &x, &shapes[1..]);
        }
    }
}
