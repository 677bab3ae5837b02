//! What the tasks call that sort an axis in several blocks, and find its quantiles ([`super::sorted_blocks`]).

use super::parts::concrete;
use super::sorting::{method, parts_of_one};
use crate::data::{Args, Array, Block, Cost, DType, Memory, Task, Value};
use crate::err;
use crate::kernel::select::{self, Quantiles};
use crate::op::layers::{call, in_one_task};
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::Result;

pub static PARTS: &[Op] = &[
    Op {
        usage: "(sort-samples sorted most)",
        doc: "Of a sorted vector how many elements are `nan`, then the keys of elements at regular distances, so many at most.\nKeys are \
            integers in the order of the elements. What `sort` makes of every block of a lazy array.",
        examples: &[("(to-list (sort-samples [1 3 5 7 9] 2))", "[0 5]")],
        see: &["sort-brackets", "sort"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Fresh, |mut args| {
            let sorted = concrete(args.take("sorted"))?;
            Ok(select::samples(&sorted, args.size("most")?)?.into())
        }),
    },
    Op {
        usage: "(sort-brackets ranks lengths most & samples)",
        doc: "How many elements of all blocks are `nan`; then for each rank the rank itself and two keys, with the element of that \
            rank from the one to the other.\n`lengths` are those of the blocks, and `most` is what the samples were taken with.",
        examples: &[("(slice (sort-brackets [2] [5] 5 (sort-samples [1 3 5 7 9] 5)) 1:)", "[2 5 5]")],
        see: &["sort-samples", "sort-candidates"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Fresh, |mut args| {
            let (ranks, samples) = (sizes(&args, "ranks")?, blocks(&mut args)?);
            Ok(select::brackets(&samples, &sizes(&args, "lengths")?, args.size("most")?, |_| ranks.clone())?.into())
        }),
    },
    Op {
        usage: "(quantile-brackets qs method skip-nan lengths most & samples)",
        doc: "As `sort-brackets`, of the elements that quantiles lie between.",
        examples: &[(
            "(slice (quantile-brackets [0.5] \"median\" false [5] 5 (sort-samples [1 3 5 7 9] 5)) 1:4)",
            "[2 5 5]",
        )],
        see: &["sort-brackets", "quantiles-of-keys"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Fresh, |mut args| {
            let (lengths, samples) = (sizes(&args, "lengths")?, blocks(&mut args)?);
            let len = lengths.iter().fold(0usize, |len, &n| len.saturating_add(n));
            with_quantiles(&args, len, |quantiles| {
                select::brackets(&samples, &lengths, args.size("most")?, |nans| quantiles.ranks(nans))
            })
        }),
    },
    Op {
        usage: "(sort-candidates sorted brackets)",
        doc: "For each bracket how many keys of a sorted vector are below it, how many are not above its lower end, how many are \
            between its ends, and how many are at the upper one; then those between.",
        examples: &[("(to-list (sort-candidates [1 3 5 7 9] [0 2 1 7]))", "[0 1 2 1 3 5]")],
        see: &["sort-brackets", "sort-keys", "sort-cuts"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Varies, |mut args| {
            let sorted = concrete(args.take("sorted"))?;
            Ok(select::candidates(&sorted, &concrete(args.take("brackets"))?)?.into())
        }),
    },
    Op {
        usage: "(sort-keys brackets & candidates)",
        doc: "The key of the element of each rank that the brackets are about.",
        examples: &[("(to-list (sort-keys [0 2 1 7] (sort-candidates [1 3 5 7 9] [0 2 1 7])))", "[5]")],
        see: &["sort-candidates", "quantiles-of-keys"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Varies, |mut args| {
            let candidates = blocks(&mut args)?;
            Ok(select::found(&concrete(args.take("brackets"))?, &candidates)?.into())
        }),
    },
    Op {
        usage: "(sort-cuts brackets lengths bounds & candidates)",
        doc: "Where sorted vectors of these lengths are cut, each a row: so that of all together as many elements as the bounds say come before \
            each cut.\nThe brackets are those of the bounds, without 0 and the last one.",
        examples: &[(
            "(to-list (sort-cuts [0 2 1 7] [3 2] [0 2 5] (sort-candidates [1 3 7] [0 2 1 7]) (sort-candidates [2 9] [0 2 1 7])))",
            "[[0 1 3] [0 1 2]]",
        )],
        see: &["sort-candidates", "sorted-part"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Varies, |mut args| {
            let candidates = blocks(&mut args)?;
            let (lengths, bounds) = (sizes(&args, "lengths")?, sizes(&args, "bounds")?);
            Ok(select::cuts(&concrete(args.take("brackets"))?, &candidates, &lengths, &bounds)?.into())
        }),
    },
    Op {
        usage: "(sorted-part sorted cuts block part)",
        doc: "What lies between two cuts of a sorted vector, which are in a row of their own.",
        examples: &[("(to-list (sorted-part [1 3 5] [[0 1 3]] 0 1))", "[3 5]")],
        see: &["sort-cuts", "merge-sorted"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Varies, |mut args| {
            let (sorted, cuts) = (concrete(args.take("sorted"))?, concrete(args.take("cuts"))?);
            Ok(select::part(&sorted, &cuts, args.size("block")?, args.size("part")?)?.into())
        }),
    },
    Op {
        usage: "(merge-sorted & vectors)",
        doc: "Sorted vectors as one.",
        examples: &[("(to-list (merge-sorted [1 4] [2 3]))", "[1 2 3 4]")],
        see: &["sorted-part", "sort"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Varies, merge),
    },
    Op {
        usage: "(quantiles-of-keys keys brackets qs method skip-nan length dtype)",
        doc: "Quantiles of so many elements of that dtype, from the keys of those that they lie between.",
        examples: &[("(to-list (quantiles-of-keys [5 7] [0] [0.5] \"median\" false 4 :int64))", "[6.0]")],
        see: &["quantile-brackets", "quantiles-along"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Fresh, |mut args| {
            let (keys, brackets) = (concrete(args.take("keys"))?, concrete(args.take("brackets"))?);
            let dtype = infer::dtype(args.value("dtype"))?.unwrap_or(DType::F64);
            with_quantiles(&args, args.size("length")?, |quantiles| quantiles.of(dtype, &brackets, &keys))
        }),
    },
];

fn sizes(args: &Args, name: &str) -> Result<Vec<usize>> {
    Ok(infer::shape(args.value(name))?.to_vec())
}

fn blocks(args: &mut Args) -> Result<Vec<Block>> {
    std::mem::take(&mut args.rest).into_iter().map(concrete).collect()
}

fn merge(args: Args) -> Result<Value> {
    let parts: Vec<Given> = args.rest.into_iter().map(Given::of).collect::<Result<_>>()?;
    let now = |part: &Given| match part {
        Given::Now(block) => Some(block.clone()),
        Given::Lazy(_) => None,
    };
    if let Some(blocks) = parts.iter().map(now).collect::<Option<Vec<Block>>>() {
        return Ok(select::merge(&blocks)?.into());
    }
    let arrays: Vec<Array> = parts.into_iter().map(|part| part.into_lazy(args.span)).collect();
    let dtype = arrays.iter().map(|array| array.dtype).fold(arrays[0].dtype, DType::promote);
    let len = arrays.iter().map(Array::len).fold(0, usize::saturating_add);
    let task = call("merge-sorted", (0..arrays.len()).map(Task::input).collect(), Vec::new());
    let token = Token::new("merge-sorted");
    Ok(Value::Array(in_one_task(&arrays, token, dtype, &[len], Cost::Dear, args.span, task).into()))
}

fn with_quantiles(args: &Args, len: usize, f: impl FnOnce(&Quantiles) -> Result<Block>) -> Result<Value> {
    let qs = parts_of_one(args.value("qs"))?;
    let method = method(&args.name("method")?)?;
    if len == 0 {
        return Err(err!(Index, "there is no quantile of nothing"));
    }
    Ok(f(&Quantiles { qs: &qs, method, skip_nan: args.bool("skip-nan")?, len })?.into())
}
