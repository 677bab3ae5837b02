//! Linear algebra of whole matrices: what the functions of `stdlib/linalg.dsk`, which go block by block, are made of. A lazy matrix
//! is taken as a whole, in one task, right sides some columns at a time; of more axes than two each matrix of the last two is one, and
//! blocks of such stay in tasks of their own.

use crate::data::{Args, Array, At, Axis, Block, Body, Chunks, Cost, DType, Dims, Input, Memory, Task, Value};
use crate::err;
use crate::kernel::layout;
use crate::kernel::linalg::{self, Factors, Triangle};
use crate::op::chunking::show;
use crate::op::layers::{Parents, Plan, call, whole_along};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token};
use crate::text::{Result, Span};

pub static OPS: &[Op] = &[
    Op {
        usage: "(linalg/packed-factors x kind)",
        doc: "The factors of a matrix, one after the other, row by row, along the last axis.\nKinds are \"qr\" (Q and R), \"tall-qr\" (the same in less \
            time of what is tall, signs aside), \"part-qr\" (P, S and R: Q is P with S divided out, from the right), \"svd\" (U, the singular values, V transposed), \"eigh\" and \"eig\" (eigenvalues and vectors), \"eigvals\" (eigenvalues) and \"lu\" (the order of rows, L, \
            U).",
        examples: &[("(to-list (linalg/packed-factors [[2.0]] \"lu\"))", "[0.0 1.0 2.0]")],
        see: &["linalg/qr", "linalg/svd", "linalg/eigh", "linalg/lu"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, packed_factors),
    },
    Op {
        usage: "(linalg/whole-cholesky x)",
        doc: "L of a Hermitian matrix that is positive definite, of which the lower triangle is looked at.\nErrors: \
            `dsk::singular` where it is not positive definite.",
        examples: &[("(to-list (linalg/whole-cholesky [[4.0]]))", "[[2.0]]")],
        see: &["linalg/cholesky"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |args| of_square(args, "linalg/whole-cholesky", true, linalg::cholesky)),
    },
    Op {
        usage: "(linalg/whole-inv x)",
        doc: "The inverse of a matrix. Errors: `dsk::singular` where there is none.",
        examples: &[("(to-list (linalg/whole-inv [[4.0]]))", "[[0.25]]")],
        see: &["linalg/inv"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |args| of_square(args, "linalg/whole-inv", true, linalg::inverse)),
    },
    Op {
        usage: "(linalg/whole-det x)",
        doc: "The determinant of a square matrix.\nErrors: `dsk::shape` where it is not square.",
        examples: &[("(linalg/whole-det [[3.0]])", "3.0")],
        see: &["linalg/det"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |args| of_square(args, "linalg/whole-det", false, linalg::determinant)),
    },
    Op {
        usage: "(linalg/whole-solve a b)",
        doc: "x of `a·x = b` for a square matrix and a matrix of right sides. Errors: `dsk::singular`, `dsk::shape`.",
        examples: &[("(to-list (linalg/whole-solve [[2.0]] [[6.0]]))", "[[3.0]]")],
        see: &["linalg/solve"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |args| with_right_sides(args, "linalg/whole-solve", None)),
    },
    Op {
        usage: "(linalg/whole-solve-triangular a b :lower false :unit-diagonal false)",
        doc: "x of `a·x = b` for a triangle of a square matrix and a matrix of right sides.\nErrors: `dsk::singular` where the diagonal \
            has a zero, `dsk::shape`.",
        examples: &[("(to-list (linalg/whole-solve-triangular [[2.0]] [[6.0]]))", "[[3.0]]")],
        see: &["linalg/solve-triangular"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, solve_triangular),
    },
    Op {
        usage: "(linalg/reordered x order)",
        doc: "The rows of x in that order, a vector of their numbers, taken as a whole.\nWhat rows are exchanged by where the order \
            is computed, too. Errors: `dsk::index`, `dsk::shape`.",
        examples: &[("(to-list (linalg/reordered [1 2 3] [2 0 1]))", "[3 1 2]")],
        see: &["linalg/lu", "take"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, reordered),
    },
    Op {
        usage: "(linalg/permutation-sign order)",
        doc: "The determinant of the matrix that exchanges rows in that order, each number from 0 on once: 1.0, or -1.0 for an odd number of \
            exchanges.\nOf several axes the last one is an order. Errors: `dsk::value`.",
        examples: &[("(float (linalg/permutation-sign [1 0 2]))", "-1.0")],
        see: &["linalg/det", "linalg/reordered"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, permutation_sign),
    },
];

fn reordered(mut args: Args) -> Result<Value> {
    let (x, order) = (Given::of(args.take("x"))?, Given::of(args.take("order"))?);
    let shape = x.shape();
    if shape.is_empty() || order.ndim() != 1 || order.shape()[0] != shape[0] {
        let (x, order) = (show(&shape), show(&order.shape()));
        return Err(err!(Shape, "an order names each row once, found shapes {x} and {order}"));
    }
    match (x, order) {
        (Given::Now(x), Given::Now(order)) => {
            let order = order.cast(DType::I64)?.contiguous();
            Ok(layout::take(&x, 0, order.as_slice::<i64>().unwrap_or_default())?.into())
        }
        (x, order) => {
            let (x, order) = (x.into_lazy(args.span), order.into_lazy(args.span));
            let task = call("linalg/reordered", vec![Task::input(0), Task::input(1)], Vec::new());
            let token = Token::new("linalg/reordered");
            let dtype = x.dtype;
            Ok(Value::Array(by_columns(&x, &order, token, dtype, Cost::Cheap, args.span, task).into()))
        }
    }
}

/// What a task makes of all rows of some columns of x, its first input, and of all of another array, its second: as many rows.
fn by_columns(x: &Array, whole: &Array, token: Token, dtype: DType, cost: Cost, span: Span, task: Task) -> Array {
    let x = whole_along(x, &[0], span);
    let whole = recut(whole, Chunks::whole(&whole.shape()), span);
    let mut parents = Parents::default();
    let inputs = vec![
        Input { parent: parents.add(&x.layer), at: At::same(x.ndim()) },
        Input { parent: parents.add(&whole.layer), at: At((0..whole.ndim()).map(|_| Axis::Block(0)).collect()) },
    ];
    let token = token.with(dtype).layer(&x.layer).layer(&whole.layer);
    let plan = Plan { token, parents: parents.layers, dtype, chunks: x.chunks.clone(), cost, span };
    plan.array(Body::Blockwise { inputs, task })
}

fn permutation_sign(mut args: Args) -> Result<Value> {
    match Given::of(args.take("order"))? {
        Given::Now(order) => Ok(linalg::permutation_signs(&order)?.into()),
        Given::Lazy(array) => {
            if array.ndim() == 0 {
                return Err(err!(Shape, "an order has an axis"));
            }
            let task = call("linalg/permutation-sign", vec![Task::input(0)], Vec::new());
            let token = Token::new("linalg/permutation-sign");
            Ok(Value::Array(stacked(&array, 1, token, DType::F64, &[], args.span, task).into()))
        }
    }
}

/// What a task makes of each block of a stack: of its last axes, as many as `own`, which are whole in a block, others of these sizes.
fn stacked(array: &Array, own: usize, token: Token, dtype: DType, made: &[usize], span: Span, task: Task) -> Array {
    let lead = array.ndim() - own;
    let array = whole_along(array, &(lead..array.ndim()).collect::<Vec<_>>(), span);
    let cuts = array.chunks.axes()[..lead].iter().cloned().chain(made.iter().map(|&n| [n].into()));
    let at = (0..array.ndim()).map(|axis| if axis < lead { Axis::Axis(axis as u8) } else { Axis::Block(0) });
    let plan = Plan {
        token: token.layer(&array.layer).with((dtype, made)),
        parents: vec![array.layer.clone()],
        dtype,
        chunks: Chunks::from_axes(cuts.collect()),
        cost: Cost::Dear,
        span,
    };
    plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at: At(at.collect()) }], task })
}

/// The leading axes of a stack, and the sides of its matrices.
fn sides(shape: &[usize]) -> Result<(Dims, usize, usize)> {
    match shape {
        [lead @ .., m, n] => Ok((Dims::from_slice(lead), *m, *n)),
        _ => Err(err!(Shape, "a matrix has two axes, found {}", show(shape))),
    }
}

fn square(shape: &[usize]) -> Result<(Dims, usize)> {
    match sides(shape)? {
        (lead, m, n) if m == n => Ok((lead, n)),
        _ => Err(err!(Shape, "the matrix is square, found {}", show(shape))),
    }
}

fn packed_factors(mut args: Args) -> Result<Value> {
    let kind = args.name("kind")?;
    let Some(factors) = Factors::parse(&kind) else {
        return Err(err!(
            Value,
            "there are no factors `{kind}`; there are qr, tall-qr, part-qr, svd, eigh, eig, eigvals and lu"
        ));
    };
    let x = Given::of(args.take("x"))?;
    let (_, m, n) = sides(&x.shape())?;
    if factors.of_square() && m != n {
        return Err(err!(Shape, "the matrix is square, found {}", show(&x.shape())));
    }
    let packed: usize = factors.shapes(m, n).iter().map(|shape| shape.iter().product::<usize>()).sum();
    match x {
        Given::Now(block) => Ok(linalg::factors(&block, factors)?.into()),
        Given::Lazy(array) => {
            let task =
                call("linalg/packed-factors", vec![Task::input(0), Task::data(Value::str(kind.clone()))], Vec::new());
            let (token, dtype) = (Token::new("factors").with(kind.as_str()), factors.dtype(array.dtype));
            Ok(Value::Array(stacked(&array, 2, token, dtype, &[packed], args.span, task).into()))
        }
    }
}

/// What is made of a square matrix: another one, or a number.
fn of_square(mut args: Args, name: &'static str, matrix: bool, kernel: fn(&Block) -> Result<Block>) -> Result<Value> {
    let value = args.take("x");
    let plain = matches!(value, Value::List(_));
    let x = Given::of(value)?;
    let (_, n) = square(&x.shape())?;
    let sizes = [n, n];
    let made = if matrix { &sizes[..] } else { &[] };
    match x {
        Given::Now(block) => {
            let found = Value::from(kernel(&block)?);
            Ok(if plain { found.plain() } else { found })
        }
        Given::Lazy(array) => {
            let task = call(name, vec![Task::input(0)], Vec::new());
            let (token, dtype) = (Token::new(name), linalg::field(array.dtype));
            Ok(Value::Array(stacked(&array, 2, token, dtype, made, args.span, task).into()))
        }
    }
}

/// What solves for a matrix of right sides, by a triangle of a or with all of it.
fn with_right_sides(mut args: Args, name: &'static str, triangle: Option<Triangle>) -> Result<Value> {
    let (a, b) = (Given::of(args.take("a"))?, Given::of(args.take("b"))?);
    let (lead, n) = square(&a.shape())?;
    let (shape, dtype) = (b.shape(), linalg::field(a.dtype().promote(b.dtype())));
    if !lead.is_empty() || shape.len() != 2 || shape[0] != n {
        let (a, b) = (show(&a.shape()), show(&shape));
        return Err(err!(Shape, "a square matrix has right sides of as many rows, found shapes {a} and {b}"));
    }
    match (a, b) {
        (Given::Now(a), Given::Now(b)) => Ok(match triangle {
            Some(triangle) => linalg::solve_triangular(&a, &b, triangle)?.into(),
            None => linalg::solve(&a, &b)?.into(),
        }),
        (a, b) => {
            let (a, b) = (a.into_lazy(args.span), b.into_lazy(args.span));
            let keywords = triangle.map_or_else(Vec::new, |t| {
                vec![("lower", Task::data(Value::Bool(t.lower))), ("unit-diagonal", Task::data(Value::Bool(t.unit)))]
            });
            let task = call(name, vec![Task::input(1), Task::input(0)], keywords);
            let token = Token::new(name).with(triangle.map(|t| (t.lower, t.unit)));
            Ok(Value::Array(by_columns(&b, &a, token, dtype, Cost::Dear, args.span, task).into()))
        }
    }
}

fn solve_triangular(args: Args) -> Result<Value> {
    let triangle = Triangle { lower: args.bool("lower")?, unit: args.bool("unit-diagonal")?, conjugated: false };
    with_right_sides(args, "linalg/whole-solve-triangular", Some(triangle))
}
