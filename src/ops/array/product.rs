//! Products: `dot`, `matmul`, `tensordot`.
//!
//! The product of lazy arrays is a chain for every block of the result: `(dot-add (dot-add (dot a0 b0) a1 b1) a2 b2)`. Each link
//! adds the product of one pair of blocks to the accumulator, in its memory, so a worker that runs the fused chain holds one
//! accumulator and one pair of blocks. Where the result has few blocks, long chains are cut into several, whose results are
//! added one to the other; the cut depends on the arrays' blocks only, so the bits of a result do not depend on workers.

use super::threads;
use crate::data::{
    Args, Array, At, Axis, Block, Body, Chunks, Cost, DType, Dims, Input, Memory, Str, Task, Unknown, Value, graph,
};
use crate::err;
use crate::kernel::elementwise::Binary;
use crate::kernel::gemm::{self, Threads};
use crate::op::chunking::{self, AUTO_BYTES, show};
use crate::op::layers::{Parents, Plan, call, elementwise, ints};
use crate::op::operand::{known, may_differ};
use crate::op::recut::recut;
use crate::op::tree::FAN_IN;
use crate::op::{Given, Kind, Op, Operand, Token, infer};
use crate::text::{Code, Error, Result, Span, counted};
use smallvec::SmallVec;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(dot x y)",
        doc: "The product of two arrays: of vectors the sum of products, of matrices the matrix product; of more axes, the last \
            axis of x with the last but one of y.\nThe product of lazy arrays accumulates block by block. Errors: `dsk::shape` \
            where those axes differ.",
        examples: &[("(dot [1 2 3] [4 5 6])", "32"), ("(to-list (dot [[1 2] [3 4]] [1 1]))", "[3 7]")],
        see: &["matmul", "tensordot", "transpose"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Product { copies: false }, dot),
    },
    Op {
        usage: "(matmul x y)",
        doc: "The matrix product over the last two axes; the others broadcast.\nA vector is a row on the left and a column on \
            the right. Errors: `dsk::shape` where inner axes differ, or an argument has no axes.",
        examples: &[("(to-list (matmul [[1 2] [3 4]] [[0 1] [1 0]]))", "[[2 1] [4 3]]")],
        see: &["dot", "tensordot"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Product { copies: false }, matmul),
    },
    Op {
        usage: "(tensordot x y :axes 2)",
        doc: "The sum of products over pairs of axes: the last `axes` of x with the first of y, or those of two lists.\nThe axes \
            of the result are those of x that are left, then those of y. Errors: `dsk::shape` where paired axes differ, \
            `dsk::index` for axes that are not there.",
        examples: &[("(tensordot [[1 2] [3 4]] [[1 1] [1 1]])", "10")],
        see: &["dot", "matmul"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Product { copies: true }, tensordot),
    },
];

/// The links of chains, which tasks are made of.
pub static LINKS: &[Op] = &[
    Op {
        usage: "(dot-add acc x y)",
        doc: "`(add acc (dot x y))`, in the memory of acc where nothing else needs it: a link of a blocked product.",
        examples: &[("(dot-add 1 [1 2] [3 4])", "12")],
        see: &["dot"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Accumulation { copies: false }, dot_add),
    },
    Op {
        usage: "(matmul-add acc x y)",
        doc: "`(add acc (matmul x y))`, in the memory of acc where nothing else needs it: a link of a blocked product.",
        examples: &[("(to-list (matmul-add [[1]] [[2]] [[3]]))", "[[7]]")],
        see: &["matmul"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Accumulation { copies: false }, matmul_add),
    },
    Op {
        usage: "(tensordot-add acc x y :axes 2)",
        doc: "`(add acc (tensordot x y :axes axes))`, in the memory of acc where nothing else needs it: a link of a blocked \
            product.",
        examples: &[("(tensordot-add 1 [[1 2] [3 4]] [[1 1] [1 1]])", "11")],
        see: &["tensordot"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Accumulation { copies: true }, tensordot_add),
    },
];

/// How the axes of two arrays meet.
struct Meeting {
    /// Contracted axes, in pairs.
    x: Dims,
    y: Dims,
}

/// The last axis of x with the last but one of y.
fn dot_axes(x: usize, y: usize) -> Meeting {
    Meeting { x: Dims::from_elem(x - 1, 1), y: Dims::from_elem(y.saturating_sub(2), 1) }
}

fn tensordot_axes(spec: &Value, x: &[usize], y: &[usize]) -> Result<Meeting> {
    let list = |v: &Value, ndim: usize| -> Result<Dims> {
        let axes = match v {
            Value::List(items) => items.to_vec(),
            one => vec![one.clone()],
        };
        // NumPy looks axes up in the shape, so one that is not there is an index error.
        let axis = |v: &Value| {
            infer::axis(v, ndim).map_err(|e| match e.code() {
                Code::Axis => Error::new(Code::Index, e.message()),
                _ => e,
            })
        };
        axes.iter().map(axis).collect()
    };
    let meeting = match spec {
        Value::List(pair) if pair.len() == 2 => Meeting { x: list(&pair[0], x.len())?, y: list(&pair[1], y.len())? },
        n => match n.as_int().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n <= x.len() && n <= y.len() => {
                Meeting { x: (x.len() - n..x.len()).collect(), y: (0..n).collect() }
            }
            Some(n) => {
                // NumPy compares sizes one after the other, until one is not there.
                let pairs = (0..n).map(|k| (x.get((x.len() + k).wrapping_sub(n)), y.get(k)));
                let mut pairs = pairs.take_while(|(a, b)| a.is_some() && b.is_some());
                let code = if pairs.any(|(a, b)| a != b) { Code::Shape } else { Code::Index };
                let message = format!("`:axes {n}` for arrays of shape {} and {}", show(x), show(y));
                return Err(Error::new(code, message));
            }
            None => return Err(err!(Type, "`:axes` is a number of axes, or two lists of axes")),
        },
    };
    let twice = |axes: &[usize]| (1..axes.len()).any(|i| axes[..i].contains(&axes[i]));
    if meeting.x.len() != meeting.y.len() {
        return Err(err!(
            Shape,
            "{} of x cannot meet {} of y",
            counted(meeting.x.len(), "axis", "axes"),
            counted(meeting.y.len(), "axis", "axes")
        ));
    }
    if twice(&meeting.x) || twice(&meeting.y) {
        return Err(err!(Value, "an axis is named twice in `:axes`"));
    }
    Ok(meeting)
}

fn check(meeting: &Meeting, x: &Given, y: &Given) -> Result<()> {
    let (own, other) = (x.shape(), y.shape());
    for (&a, &b) in meeting.x.iter().zip(&meeting.y) {
        let (n, m) = (x.unknown(a), y.unknown(b));
        if n.is_some() || m.is_some() {
            let size = |name: Option<&Str>, n: usize| name.map_or(n.to_string(), Str::to_string);
            if n != m {
                return Err(may_differ(&size(n, own[a]), &size(m, other[b])));
            }
        } else if own[a] != other[b] {
            return Err(err!(
                Shape,
                "the axes that meet differ: axis {a} of shape {} is {}, axis {b} of shape {} is {}",
                x.shown_shape(),
                own[a],
                y.shown_shape(),
                other[b]
            ));
        }
    }
    Ok(())
}

/// The two arguments. A vector of plain numbers gives a plain number.
fn pair(args: &mut Args, at: usize) -> Result<(Given, Given, bool)> {
    let plain = |v: &Value| v.number_kind().is_some() || matches!(v, Value::List(_));
    let (x, y) = (std::mem::take(&mut args.values[at]), std::mem::take(&mut args.values[at + 1]));
    let plain = plain(&x) && plain(&y);
    Ok((Given::any(x)?, Given::any(y)?, plain))
}

fn result(block: Block, plain: bool) -> Value {
    let value = Value::from(block);
    if plain { value.plain() } else { value }
}

fn dot(mut args: Args) -> Result<Value> {
    let (x, y, plain) = pair(&mut args, 0)?;
    if x.ndim() == 0 || y.ndim() == 0 {
        let (x, y) = (Value::from(x), Value::from(y));
        let product = super::elementwise::apply_binary(Binary::Multiply, x, y, args.span)?;
        return Ok(if plain { product.plain() } else { product });
    }
    let meeting = dot_axes(x.ndim(), y.ndim());
    check(&meeting, &x, &y)?;
    match (x, y) {
        (Given::Now(x), Given::Now(y)) => Ok(result(gemm::dot(&x, &y, Threads::Up(threads(&args)))?, plain)),
        (x, y) => contract(x, y, meeting, args.span),
    }
}

fn tensordot(mut args: Args) -> Result<Value> {
    let (x, y, plain) = pair(&mut args, 0)?;
    let meeting = tensordot_axes(&args.values[2], &x.shape(), &y.shape())?;
    check(&meeting, &x, &y)?;
    match (x, y) {
        (Given::Now(x), Given::Now(y)) => {
            Ok(result(gemm::tensordot(&x, &y, &meeting.x, &meeting.y, Threads::Up(threads(&args)))?, plain))
        }
        (x, y) => contract(x, y, meeting, args.span),
    }
}

fn concrete(args: &mut Args) -> Result<(Block, Block, Block)> {
    let mut block = |at: usize| match Given::of(std::mem::take(&mut args.values[at]))? {
        Given::Now(b) => Ok(b),
        Given::Lazy(_) => Err(err!(Type, "the links of a product take concrete arrays").help("use `add` and `dot`")),
    };
    Ok((block(0)?, block(1)?, block(2)?))
}

/// Two blocks whose axes meet.
fn checked(meeting: &Meeting, x: Block, y: Block) -> Result<(Block, Block)> {
    let (x, y) = (Given::Now(x), Given::Now(y));
    check(meeting, &x, &y)?;
    match (x, y) {
        (Given::Now(x), Given::Now(y)) => Ok((x, y)),
        _ => Err(err!(Internal, "a block is a block")),
    }
}

fn dot_add(mut args: Args) -> Result<Value> {
    let plain = args.values.iter().all(|v| !matches!(v, Value::Block(_)));
    let (acc, x, y) = concrete(&mut args)?;
    if x.ndim() == 0 || y.ndim() == 0 {
        return Err(err!(Shape, "`dot-add` takes arrays with axes"));
    }
    let meeting = dot_axes(x.ndim(), y.ndim());
    let (x, y) = checked(&meeting, x, y)?;
    let sum = if x.ndim() == 2 && y.ndim() == 2 {
        gemm::accumulate(acc, &x, &y)?
    } else {
        gemm::accumulate_tensordot(acc, &x, &y, &meeting.x, &meeting.y)?
    };
    Ok(result(sum, plain))
}

fn tensordot_add(mut args: Args) -> Result<Value> {
    let plain = args.values.iter().all(|v| !matches!(v, Value::Block(_)));
    let (acc, x, y) = concrete(&mut args)?;
    let meeting = tensordot_axes(&args.values[3], x.shape(), y.shape())?;
    let (x, y) = checked(&meeting, x, y)?;
    Ok(result(gemm::accumulate_tensordot(acc, &x, &y, &meeting.x, &meeting.y)?, plain))
}

fn matmul_add(mut args: Args) -> Result<Value> {
    let (acc, x, y) = concrete(&mut args)?;
    if x.ndim() < 2 || y.ndim() < 2 {
        return Err(err!(Shape, "`matmul-add` takes matrices"));
    }
    matmul_shape(x.shape(), y.shape())?;
    Ok(gemm::accumulate(acc, &x, &y)?.into())
}

/// The shape of the product of stacks of matrices.
fn matmul_shape(x: &[usize], y: &[usize]) -> Result<Dims> {
    let (m, k, l, n) = (x[x.len() - 2], x[x.len() - 1], y[y.len() - 2], y[y.len() - 1]);
    if k != l {
        return Err(err!(Shape, "the inner axes differ: {} against {}, of {k} and {l}", show(x), show(y)));
    }
    let mut shape = infer::broadcast(&[&x[..x.len() - 2], &y[..y.len() - 2]])?;
    shape.extend([m, n]);
    Ok(shape)
}

fn matmul(mut args: Args) -> Result<Value> {
    let span = args.span;
    let (x, y, plain) = pair(&mut args, 0)?;
    if x.ndim() == 0 || y.ndim() == 0 {
        return Err(err!(Shape, "a number is no matrix").help("`(multiply x y)` scales an array"));
    }
    if x.ndim() <= 2 && y.ndim() <= 2 {
        let meeting = dot_axes(x.ndim(), y.ndim());
        check(&meeting, &x, &y)?;
    }
    match (x, y) {
        (Given::Now(x), Given::Now(y)) => {
            let (rows, columns) = (as_matrix(x.shape(), 0), as_matrix(y.shape(), 1));
            matmul_shape(&rows, &columns)?;
            Ok(result(gemm::matmul(&x, &y, Threads::Up(threads(&args)))?, plain))
        }
        (x, y) if x.ndim() <= 2 && y.ndim() <= 2 => {
            let meeting = dot_axes(x.ndim(), y.ndim());
            contract(x, y, meeting, span)
        }
        (x, y) => {
            let (row, column) = (x.ndim() == 1, y.ndim() == 1);
            let matrix = |x: Given, side: usize| {
                let array = x.into_lazy(span);
                known(&array)?;
                super::reshape::reshape_lazy(&array, &as_matrix(&array.shape(), side), span)
            };
            let product = batched(&matrix(x, 0)?, &matrix(y, 1)?, span)?;
            let mut shape = product.shape();
            if column {
                shape.pop();
            }
            if row {
                let at = shape.len() - if column { 1 } else { 2 };
                shape.remove(at);
            }
            Ok(Value::Array(super::reshape::reshape_lazy(&product, &shape, span)?.into()))
        }
    }
}

/// The shape of a vector as a row (side 0) or a column (side 1); of anything else its own.
fn as_matrix(shape: &[usize], side: usize) -> Dims {
    let mut shape = Dims::from_slice(shape);
    if shape.len() == 1 {
        shape.insert(side, 1);
    }
    shape
}

/// What the links of a chain need to know: which blocks of x and y meet at a block of the result, for the n-th pair.
struct Chain<'a> {
    first: &'static str,
    link: &'static str,
    keywords: Vec<(&'static str, Task)>,
    x: &'a Array,
    y: &'a Array,
    at: &'a dyn Fn(usize) -> (At, At),
    /// The pairs of blocks to go through.
    pairs: Vec<usize>,
    chunks: Chunks,
    unknown: Unknown,
    dtype: DType,
    span: Span,
}

impl Chain<'_> {
    /// Runs of pairs, one chain each: several where the result has too few blocks to keep workers busy.
    fn runs(&self) -> Vec<&[usize]> {
        let blocks = self.chunks.block_count().max(1);
        let bytes = blocks.saturating_mul(self.chunks.largest()).saturating_mul(self.dtype.size()).max(1);
        let most = (AUTO_BYTES / bytes).max(FAN_IN);
        let chains = BUSY.div_ceil(blocks).min(most).min(self.pairs.len() / 2).max(1);
        self.pairs.chunks(self.pairs.len().div_ceil(chains)).collect()
    }

    /// The sums of the chains are added one to the other, each in a task of its own: a task that took several would need
    /// them all in memory, and that is where a long inner axis makes large blocks of a small result.
    fn build(&self) -> Result<Array> {
        let add = Binary::Add.name();
        let mut sums = self.runs().into_iter().map(|run| self.chain(run));
        let first = sums.next().ok_or_else(|| err!(Internal, "a product of no blocks"))?;
        sums.try_fold(first, |sum, chain| {
            let operands = [sum, chain].map(|a| Operand::Array(Arc::new(a)));
            elementwise(Token::new(add), &operands, self.dtype, Cost::Dear, self.span, |parts| {
                call(add, parts, Vec::new())
            })
        })
    }

    fn chain(&self, run: &[usize]) -> Array {
        let ndim = self.chunks.ndim();
        let mut sum: Option<Array> = None;
        for &n in run {
            let mut parents = Parents::default();
            let mut inputs: Vec<Input> = Vec::new();
            let mut items = Vec::new();
            let mut input = |layer, at| {
                inputs.push(Input { parent: parents.add(layer), at });
                items.push(Task::input(inputs.len() - 1));
            };
            let name = if sum.is_some() { self.link } else { self.first };
            let mut token = Token::new(name).layer(&self.x.layer).layer(&self.y.layer).with(n).chunks(&self.chunks);
            for (_, value) in &self.keywords {
                token = token.task(value);
            }
            if let Some(acc) = &sum {
                token = token.layer(&acc.layer);
                input(&acc.layer, At::same(ndim));
            }
            let (x, y) = (self.at)(n);
            input(&self.x.layer, x);
            input(&self.y.layer, y);
            let plan = Plan {
                token,
                parents: parents.layers,
                dtype: self.dtype,
                chunks: self.chunks.clone(),
                cost: Cost::Dear,
                span: self.span,
            };
            let task = call(name, items, self.keywords.clone());
            sum = Some(plan.array(Body::Blockwise { inputs, task }).with_unknown(self.unknown.clone()));
        }
        sum.unwrap_or_else(|| self.x.clone())
    }
}

/// So many blocks of a result keep workers busy, however many there are within reason.
const BUSY: usize = 16;

/// Pairs of blocks that meet, by number; those of no elements are left out where there are others.
fn pairs(cuts: &[&Arc<[usize]>]) -> (Dims, Vec<usize>) {
    let grid: Dims = cuts.iter().map(|c| c.len()).collect();
    let all: Vec<usize> = (0..grid.iter().product()).collect();
    let holds = |&n: &usize| graph::unravel(n, &grid).iter().zip(cuts).all(|(&i, cut)| cut[i as usize] > 0);
    let full: Vec<usize> = all.iter().copied().filter(holds).collect();
    let pairs = if full.is_empty() { all.into_iter().take(1).collect() } else { full };
    (grid, pairs)
}

/// Sums of products over pairs of axes, of arrays at least one of which is lazy.
fn contract(x: Given, y: Given, meeting: Meeting, span: Span) -> Result<Value> {
    let dtype = x.dtype().promote(y.dtype());
    let free = |ndim: usize, met: &[usize]| (0..ndim).filter(|a| !met.contains(a)).collect::<Dims>();
    let (free_x, free_y) = (free(x.ndim(), &meeting.x), free(y.ndim(), &meeting.y));
    let (sx, sy) = (x.shape(), y.shape());
    let shape: Dims = free_x.iter().map(|&a| sx[a]).chain(free_y.iter().map(|&a| sy[a])).collect();
    infer::byte_size(&shape, dtype)?;
    let (x, y) = (x.into_lazy(span), y.into_lazy(span));
    // Axes that meet are cut alike.
    let shared: Vec<Arc<[usize]>> = (meeting.x.iter().zip(&meeting.y))
        .map(|(&a, &b)| match x.unknown.axis(a) {
            // Of one name, they are as long as each other, block by block.
            Some(_) => x.chunks.axis(a).clone(),
            None => chunking::common(&[x.chunks.axis(a), y.chunks.axis(b)]),
        })
        .collect();
    let aligned = |x: &Array, met: &[usize]| {
        let cut = |a: usize| match met.iter().position(|&m| m == a) {
            Some(i) if x.unknown.axis(a).is_none() => shared[i].clone(),
            _ => x.chunks.axis(a).clone(),
        };
        let wanted = Chunks::from_axes((0..x.ndim()).map(cut).collect());
        if wanted != x.chunks {
            known(x)?;
        }
        Ok(recut(x, wanted, span))
    };
    let (x, y) = (aligned(&x, &meeting.x)?, aligned(&y, &meeting.y)?);
    let names = |x: &Array, free: &[usize]| free.iter().map(|&a| x.unknown.axis(a).cloned()).collect::<Vec<_>>();
    let unknown = Unknown::of([names(&x, &free_x), names(&y, &free_y)].concat());
    let chunks = Chunks::from_axes(
        free_x
            .iter()
            .map(|&a| x.chunks.axis(a).clone())
            .chain(free_y.iter().map(|&a| y.chunks.axis(a).clone()))
            .collect(),
    );
    let (grid, pairs) = pairs(&shared.iter().collect::<Vec<_>>());
    let at = |n: usize| {
        let met_at = graph::unravel(n, &grid);
        let side = |ndim: usize, free: &[usize], met: &[usize], first: usize| {
            let mut at: SmallVec<[Axis; 4]> = SmallVec::from_elem(Axis::Block(0), ndim);
            free.iter().enumerate().for_each(|(k, &a)| at[a] = Axis::Axis((first + k) as u8));
            met.iter().zip(&met_at).for_each(|(&a, &block)| at[a] = Axis::Block(block));
            At(at)
        };
        (side(x.ndim(), &free_x, &meeting.x, 0), side(y.ndim(), &free_y, &meeting.y, free_x.len()))
    };
    let as_dot = dot_axes(x.ndim().max(1), y.ndim());
    let is_dot = meeting.x == as_dot.x && meeting.y == as_dot.y;
    let (first, link, keywords) = match is_dot {
        true => ("dot", "dot-add", Vec::new()),
        false => {
            let axes = Value::list(vec![ints(&meeting.x), ints(&meeting.y)]);
            ("tensordot", "tensordot-add", vec![("axes", Task::data(axes))])
        }
    };
    let chain = Chain { first, link, keywords, x: &x, y: &y, at: &at, pairs, chunks, unknown, dtype, span };
    Ok(Value::Array(chain.build()?.into()))
}

/// The product of stacks of matrices, both of two or more axes.
fn batched(x: &Array, y: &Array, span: Span) -> Result<Array> {
    let dtype = x.dtype.promote(y.dtype);
    let shape = matmul_shape(&x.shape(), &y.shape())?;
    infer::byte_size(&shape, dtype)?;
    let ndim = shape.len();
    let stacked = ndim - 2;
    // The leading axes broadcast: cut alike, or of size 1 in one block.
    let batch_cut = |axis: usize| -> Arc<[usize]> {
        let own = |a: &Array| {
            let at = axis.checked_sub(ndim - a.ndim())?;
            let cut = a.chunks.axis(at);
            (cut.iter().sum::<usize>() == shape[axis]).then(|| cut.clone())
        };
        let cuts: Vec<Arc<[usize]>> = [own(x), own(y)].into_iter().flatten().collect();
        chunking::common(&cuts.iter().collect::<Vec<_>>())
    };
    let batch: Vec<Arc<[usize]>> = (0..stacked).map(batch_cut).collect();
    let inner = chunking::common(&[x.chunks.axis(x.ndim() - 1), y.chunks.axis(y.ndim() - 2)]);
    let aligned = |a: &Array, inner_axis: usize| {
        let own = a.shape();
        let lead = ndim - a.ndim();
        let cut = |axis: usize| -> Arc<[usize]> {
            if axis == inner_axis {
                inner.clone()
            } else if axis + 2 >= a.ndim() {
                a.chunks.axis(axis).clone()
            } else if own[axis] == shape[lead + axis] {
                batch[lead + axis].clone()
            } else {
                [1].into()
            }
        };
        recut(a, Chunks::from_axes((0..a.ndim()).map(cut).collect()), span)
    };
    let (x, y) = (aligned(x, x.ndim() - 1), aligned(y, y.ndim() - 2));
    let mut cuts = batch;
    cuts.push(x.chunks.axis(x.ndim() - 2).clone());
    cuts.push(y.chunks.axis(y.ndim() - 1).clone());
    let chunks = Chunks::from_axes(cuts);
    let (_, pairs) = pairs(&[&inner]);
    let at = |n: usize| {
        let side = |a: &Array, inner_axis: usize| {
            let lead = ndim - a.ndim();
            At((0..a.ndim())
                .map(|axis| match axis {
                    _ if axis == inner_axis => Axis::Block(n as u32),
                    _ if axis + 2 < a.ndim() && a.chunks.axis(axis) != chunks.axis(lead + axis) => Axis::Block(0),
                    _ => Axis::Axis((lead + axis) as u8),
                })
                .collect())
        };
        (side(&x, x.ndim() - 1), side(&y, y.ndim() - 2))
    };
    let chain = Chain {
        first: "matmul",
        link: "matmul-add",
        keywords: Vec::new(),
        x: &x,
        y: &y,
        at: &at,
        pairs,
        chunks: chunks.clone(),
        unknown: Unknown::default(),
        dtype,
        span,
    };
    chain.build()
}
