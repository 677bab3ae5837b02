//! Counting: `nonzero`, `unique`, `bincount`, and what `histogram` is made of. How long an answer is may depend on data.

use super::unknown;
use crate::data::{Args, Array, Block, BlockRef, Chunks, Cost, DType, Memory, Task, Value};
use crate::err;
use crate::kernel::{count, create, layout};
use crate::op::chunking::show;
use crate::op::layers::{Parents, Plan, call, in_one_task, unknown_of};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Operand, Token, infer};
use crate::text::Result;

pub static OPS: &[Op] = &[
    Op {
        usage: "(nonzero x)",
        doc: "Where elements are not 0: a list of arrays of indices, one for each axis, in row-major order.\nOf a lazy array \
            arrays of one size that is not known before they are computed.",
        examples: &[("(map to-list (nonzero [0 3 0 4]))", "[[1 3]]")],
        see: &["flatnonzero", "argwhere", "count-nonzero", "where"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Unknown, nonzero),
    },
    Op {
        usage: "(unique x :return-index false :return-inverse false :return-counts false :axis nil :equal-nan true)",
        doc: "The distinct elements in order, one `nan` at the end, with `:equal-nan false` all of them; with what else is asked for, a list: where each is first, which of them \
            each element is, how often each is there.\nWith `:axis` the distinct parts along it. Of a lazy array one whose size is not known before it is computed; with `:axis` or `:equal-nan false` a lazy value.",
        examples: &[
            ("(to-list (unique [3 1 3]))", "[1 3]"),
            ("(map to-list (unique [3 1 3] :return-counts true))", "[[1 3] [1 2]]"),
        ],
        see: &["isin", "bincount", "distinct"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, unique),
    },
    Op {
        usage: "(bincount x :weights nil :minlength 0)",
        doc: "How often each number from 0 to the greatest is there, and to `:minlength` - 1 at least; with weights the sums of \
            these.\nx is a vector of integers that are not negative. Of a lazy array a lazy value.",
        examples: &[("(to-list (bincount [1 3 1]))", "[0 2 0 1]")],
        see: &["histogram", "unique"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Unknown, bincount),
    },
    Op {
        usage: "(bin-edges low high n :dtype :float64)",
        doc: "The edges of n bins of one width from low to high; around these where they are equal.",
        examples: &[("(to-list (bin-edges 0 1 2))", "[0.0 0.5 1.0]")],
        see: &["histogram"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, bin_edges),
    },
    Op {
        usage: "(bin-counts x edges :weights nil)",
        doc: "How many elements lie in each bin between edges that rise; with weights, of the shape of x, the sums of these.\nBlocks \
            of a lazy array are counted by themselves, and the counts added up.",
        examples: &[("(to-list (bin-counts [0.5 1.5 1.7] [0 1 2]))", "[1 2]")],
        see: &["histogram", "bin-edges"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, bin_counts),
    },
];

fn nonzero(mut args: Args) -> Result<Value> {
    let block = match Given::any(args.take("x"))? {
        Given::Now(block) => block,
        Given::Lazy(array) => return unknown::nonzero(&array, args.span),
    };
    if block.ndim() == 0 {
        return Err(err!(Value, "an array of no dimensions has no indices").help("`atleast-1d` gives it an axis"));
    }
    Ok(Value::list(layout::nonzero(&block)?.into_iter().map(Value::from).collect()))
}

fn unique(mut args: Args) -> Result<Value> {
    // The parts along the only axis are elements.
    let vector = matches!(args.value("x"), Value::Array(x) if x.ndim() == 1);
    if vector && !args.is_nil("axis") {
        infer::axis(&args.take("axis"), 1)?;
    }
    let plain = args.is_nil("axis") && args.bool("equal-nan")?;
    if !plain && args.value("x").is_lazy() {
        return args.host.delay(&args);
    }
    let block = match Given::any(args.take("x"))? {
        Given::Now(block) => block,
        Given::Lazy(array) => {
            let asked = ["return-index", "return-inverse", "return-counts"].into_iter();
            let asked = asked.map(|name| Ok((name, args.bool(name)?))).collect::<Result<Vec<_>>>()?;
            let asked: Vec<&str> = asked.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
            return Ok(unknown::unique(&array, &asked, args.span));
        }
    };
    let found = match args.value("axis") {
        Value::Nil => count::distinct(&block, args.bool("equal-nan")?)?,
        axis => match (infer::axis(axis, block.ndim())?, block.ndim()) {
            (_, 1) => count::distinct(&block, args.bool("equal-nan")?)?,
            (axis, _) => count::distinct_along(&block, axis)?,
        },
    };
    let mut all = vec![Value::from(found.values)];
    for (name, block) in
        [("return-index", found.first), ("return-inverse", found.inverse), ("return-counts", found.counts)]
    {
        if args.bool(name)? {
            all.push(block.into());
        }
    }
    Ok(if all.len() == 1 { all.swap_remove(0) } else { Value::list(all) })
}

fn bincount(mut args: Args) -> Result<Value> {
    let least = args.int("minlength")?;
    let least = usize::try_from(least).map_err(|_| err!(Value, "`:minlength` is not negative, found {least}"))?;
    if [args.value("x"), args.value("weights")].iter().any(|v| matches!(v, Value::Array(_))) {
        return args.host.delay(&args);
    }
    let block = |value: Value| create::from_value(&value, None);
    let weights = match args.take("weights") {
        Value::Nil => None,
        weights => Some(block(weights)?),
    };
    let x = block(args.take("x"))?;
    let x = if x.is_empty() && x.dtype() == DType::F64 { x.cast(DType::I64)? } else { x };
    if x.ndim() != 1 {
        return Err(err!(Value, "what is counted is a vector, found {} axes", x.ndim()));
    }
    Ok(count::numbers(&x, weights.as_ref(), least)?.into())
}

fn bin_edges(mut args: Args) -> Result<Value> {
    let n = args.int("n")?;
    let Some(n) = usize::try_from(n).ok().filter(|&n| n > 0) else {
        return Err(err!(Value, "there is one bin at least, found {n}"));
    };
    let dtype = infer::dtype(args.value("dtype"))?.unwrap_or(DType::F64).to_inexact();
    super::concrete_fits(&[n.saturating_add(1)], DType::F64)?;
    let ends = [Given::of(args.take("low"))?, Given::of(args.take("high"))?];
    if let Some(end) = ends.iter().find(|end| end.shape().iter().any(|&size| size != 1)) {
        return Err(err!(Shape, "bins go from one number to another, found an array of shape {}", show(&end.shape())));
    }
    let ends = match ends {
        [Given::Now(low), Given::Now(high)] => [low, high],
        ends => {
            let arrays = ends.map(|end| end.into_lazy(args.span));
            let items = vec![Task::input(0), Task::input(1), Task::data(Value::Int(n as i64))];
            let task = call("bin-edges", items, vec![("dtype", Task::data(args.value("dtype").clone()))]);
            let token = Token::new("bin-edges").task(&task);
            return Ok(Value::Array(in_one_task(&arrays, token, dtype, &[n + 1], Cost::Cheap, args.span, task).into()));
        }
    };
    let narrow = ends.iter().all(|end| end.dtype() == DType::F32);
    let end = |block: &Block| Ok(block.cast(DType::F64)?.reshape(&[1]).get::<f64>(&[0]));
    let (mut low, mut high): (f64, f64) = (end(&ends[0])?, end(&ends[1])?);
    if !low.is_finite() || !high.is_finite() {
        return Err(err!(Value, "bins go from one finite number to another, found {low} and {high}"));
    }
    if low > high {
        return Err(err!(Value, "bins go from a number to a greater one, found {low} and {high}"));
    }
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let step = (high - low) / n as f64;
    let mut edges = Block::alloc(DType::F64, &[n + 1]);
    for (at, edge) in edges.as_mut_slice::<f64>().iter_mut().enumerate() {
        *edge = match at {
            _ if at == n => high,
            // Of the ends of float32 data, edges are worked out in float32.
            _ if narrow => f64::from(at as f32 * ((high as f32 - low as f32) / n as f32) + low as f32),
            _ => at as f64 * step + low,
        };
    }
    Ok(edges.cast(dtype)?.into())
}

fn bin_counts(mut args: Args) -> Result<Value> {
    let (x, edges, span) = (Operand::any(args.take("x"))?, Given::of(args.take("edges"))?, args.span);
    let weights = match args.take("weights") {
        Value::Nil => None,
        weights => Some(Operand::any(weights)?),
    };
    let both: Vec<Operand> = std::iter::once(x.clone()).chain(weights.clone()).collect();
    if both.iter().all(|operand| operand.ndim() == x.ndim()) {
        unknown_of(&both)?;
    }
    let x = Given::any(x.value())?;
    let weights = weights.map(|w| Given::any(w.value())).transpose()?;
    if x.dtype().is_complex() {
        return Err(err!(Type, "complex numbers lie in no bins"));
    }
    if edges.ndim() != 1 || edges.shape()[0] < 2 {
        return Err(err!(Value, "the edges of bins are a vector of two at least"));
    }
    if let Some(weights) = &weights
        && weights.shape() != x.shape()
    {
        return Err(err!(Value, "weights have the shape of what is counted"));
    }
    let (x, edges, weights) = match (x, edges, weights) {
        (Given::Now(x), Given::Now(edges), None) => return Ok(count::bins(&x, &edges, None)?.into()),
        (Given::Now(x), Given::Now(edges), Some(Given::Now(w))) => return Ok(count::bins(&x, &edges, Some(&w))?.into()),
        (x, edges, weights) => (x.into_lazy(span), edges, weights.map(|w| w.into_lazy(span))),
    };
    let bins = edges.shape()[0] - 1;
    let mut parents = Parents::default();
    let mut token = Token::new("bin-counts").layer(&x.layer);
    let mut places = vec![parents.add(&x.layer)];
    let dtype = weights.as_ref().map_or(DType::I64, |w| w.dtype);
    if let Some(weights) = weights {
        let weights = recut(&weights, x.chunks.clone(), span);
        token = token.layer(&weights.layer).with("weights");
        places.push(parents.add(&weights.layer));
    }
    let table = match edges {
        Given::Now(block) => Ok(Value::from(block)),
        Given::Lazy(array) => {
            let whole: Array = recut(&array, Chunks::whole(&array.shape()), span);
            token = token.layer(&whole.layer);
            Err(parents.add(&whole.layer))
        }
    };
    if let Ok(edges) = &table {
        token = token.value(edges);
    }
    let grid = x.chunks.grid();
    let blocks = x.chunks.block_count();
    let chunks = Chunks::from_axes(vec![vec![1; blocks].into(), [bins].into()]);
    let plan = Plan { token, parents: parents.layers, dtype, chunks, cost: Cost::Dear, span };
    let counted = plan.per_block(move |index| {
        let at = crate::data::graph::unravel(index[0] as usize, &grid);
        let mut blocks: Vec<BlockRef> = places.iter().map(|&parent| BlockRef { parent, index: at.clone() }).collect();
        let edges = match &table {
            Ok(edges) => Task::data(edges.clone()),
            Err(parent) => {
                blocks.push(BlockRef { parent: *parent, index: smallvec::smallvec![0] });
                Task::input(blocks.len() - 1)
            }
        };
        let keywords = if places.len() == 2 { vec![("weights", Task::input(1))] } else { Vec::new() };
        let counts = call("bin-counts", vec![Task::input(0), edges], keywords);
        (blocks, call("expand-dims", vec![counts], vec![("axis", Task::data(Value::Int(0)))]))
    });
    super::reduce::total(&counted, 0, span)
}
