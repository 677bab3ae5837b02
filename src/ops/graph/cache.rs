//! What is kept between computations: `cache-info`, `cache-clear`.

use crate::data::{Args, Cost, Graph, Map, Value};
use crate::memory::CacheEntry;
use crate::op::{Kind, Op};
use crate::ops::options::interpreter;
use crate::text::Result;

pub static OPS: &[Op] = &[
    Op {
        usage: "(cache-info :top 10)",
        doc: "What is kept between computations: a map of `:entries`, `:bytes` they take, `:limit` of those, `:hits` and `:misses` (results that \
              were there, and those that had to be made), `:evicted`, and `:top`, the entries of the highest scores.\n\
              With the option `:cache \"1GB\"` results of computations are kept: whole answers, and what reductions, products and the program's own functions \
              make on the way. What took long to make, takes few bytes and is asked for often and lately stays; an entry of `:top` tells its \
              `:key`, `:bytes`, the `:seconds` it took, and its `:score` in seconds a byte. In a session a tenth of the memory limit is for this.\n\
              A result is known by what it is: ops and their arguments, the files that were read and when they were written, the values \
              of the names that functions mention. Never kept is what comes of hand-made graphs, of printing, writing, `read`, random numbers \
              without a seed and functions of the host program, or of functions that mention these.\n\
              Source of the policy: Cachey, M. Rocklin, 2015: score += seconds / bytes * (1 + e)^tick.",
        examples: &[(
            "(let [x (arange 1000000 :chunks 100000)] (with-config {:cache \"1MB\"} (compute (std x)) (compute (std x)) (> (:hits (cache-info)) 0)))",
            "true",
        )],
        see: &["cache-clear", "compute", "with-config"],
        cost: Cost::Cheap,
        kind: Kind::Now(info),
    },
    Op {
        usage: "(cache-clear)",
        doc: "Drops all that is kept between computations.",
        examples: &[("(do (cache-clear) (:entries (cache-info)))", "0")],
        see: &["cache-info"],
        cost: Cost::Cheap,
        kind: Kind::Now(clear),
    },
];

fn info(args: Args) -> Result<Value> {
    let top = args.value("top").as_int().and_then(|n| usize::try_from(n).ok());
    let top = top.ok_or_else(|| args.wrong("top", "a number of entries"))?;
    let info = interpreter(&args)?.cache_info(top);
    let mut map = Map::new();
    map.set("entries", info.entries.into());
    map.set("bytes", info.bytes.into());
    map.set("limit", info.limit.into());
    map.set("hits", (info.hits as usize).into());
    map.set("misses", (info.misses as usize).into());
    map.set("evicted", (info.evicted as usize).into());
    map.set("top", info.top.iter().map(entry).collect::<Vec<_>>().into());
    Ok(Value::map(map))
}

/// An entry as a map.
fn entry(entry: &CacheEntry) -> Value {
    let mut map = Map::new();
    map.set("key", Graph::key_value(&entry.key));
    map.set("bytes", entry.bytes.into());
    map.set("seconds", entry.seconds.into());
    map.set("score", entry.score.exp2().into());
    Value::map(map)
}

fn clear(args: Args) -> Result<Value> {
    interpreter(&args)?.runtime().cache.clear();
    Ok(Value::Nil)
}
