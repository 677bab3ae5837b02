//! Computing: `compute`, `persist`, and `explain`, which only tells.

use super::passes;
use super::subject::Keys;
use crate::data::{Args, Cost, Graph, Map, Value};
use crate::err;
use crate::op::{Kind, Op};
use crate::ops::options::{interpreter, options};
use crate::schedule::Computation;
use crate::text::{Error, Result};
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(compute x :scheduler nil :workers nil :memory-limit nil :spill-dir nil :max-spill nil :cache nil :optimize nil :progress nil & more)",
        doc: "The concrete value of anything lazy: an array becomes one block, or a number where it has no axes. Lists and maps are computed \
              through; what is concrete is itself. Several arguments are computed together, sharing what they share, and come back as a list.\n\
              Of a graph, `(compute g 'z)` is the result of a key, and `(compute g ['z '[w 0]])` those of keys in lists nested in any way.\n\
              Options: `:scheduler` (`:threads`, `:sync`), `:workers`, `:memory-limit` (\"1GB\"), `:spill-dir` for results that do not fit \
              in it, `:max-spill` for what these may take there, `:cache` (\"1GB\" for results that later computations may ask for \
              again, `false` for none), `:optimize`, `:progress`.",
        examples: &[
            ("(compute (sum (+ (arange 15 :chunks 5) 100)))", "1605"),
            ("(compute (graph '{x 1 y 2 z (+ x y) [w 0] (sum [x y z])}) ['z '[w 0]])", "[3 6]"),
            ("(compute (delay (+ 1 2)) {:a (delay (* 2 2))} :scheduler :sync)", "[3 {:a 4}]"),
        ],
        see: &["persist", "graph", "explain", "with-config"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(compute),
    },
    Op {
        usage: "(persist x :scheduler nil :workers nil :memory-limit nil :spill-dir nil :max-spill nil :cache nil :optimize nil :progress nil & more)",
        doc: "Computes, but a lazy value stays one, whose blocks are there: what is built on it starts from them.",
        examples: &[("(let [x (persist (* (arange 4 :chunks 2) 10))] (compute (sum x)))", "60")],
        see: &["compute"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(persist),
    },
    Op {
        usage: "(explain x :store false :scheduler nil :workers nil :memory-limit nil :spill-dir nil :max-spill nil :cache nil :optimize nil :passes false & more)",
        doc: "What computing would take, without computing. With `:store true`, what storing would take: every block is written as \
              it is finished, instead of all being put together; `:store {:compression 4}` are keywords that `store` would be given. \
              Of a graph, what the results of keys would take, as `compute` is given them.\n\
              What the cache has is left out, as computing would. The answer is a map of `:tasks`, `:tasks-before` the passes and the cache, `:result-bytes` of the arrays asked for, `:bytes-read` and \
              `:bytes-written` of data in files, `:bytes-spilled` of results that will wait on disk, which are among both, and `:peak-bytes`: a \
              bound on the memory that the computation takes, besides the program itself. A run is kept to it: tasks wait where it \
              would be exceeded. `:resident-bytes` is the bound on all of the process. `:exact` is false where users' functions are called, as what these take in passing is a guess, and where a long axis is sorted block by block, as the size of the parts depends on data.\n\
               With `:passes true`, `:passes` is the graph after each pass of the optimizer that changed it: a list of names and graphs.\n\
              Errors: those of computing where the plan is refused before it starts, as `dsk::memory` for blocks that do not fit.",
        examples: &[
            ("(:tasks (explain (sum (ones [4] :chunks 2))))", "3"),
            ("(:tasks (explain (graph '{x 1 y (+ x 1) z (+ y 1) w 0}) 'z))", "3"),
            ("(:bytes-written (explain (ones [4 4] :chunks 2) :store true))", "128"),
            ("(map first (:passes (explain (sum (ones [4] :chunks 2)) :passes true)))", "[:inline]"),
        ],
        see: &["compute", "optimize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(explain),
    },
];

/// Runs `f` with what computing takes: the first argument and the rest, as they stand in the call.
fn with<R>(mut args: Args, f: impl FnOnce(&Computation, Args, Vec<Value>) -> Result<R>) -> Result<R> {
    let interpreter = interpreter(&args)?;
    // A keyword computes nothing: with something after it, it is an option by a wrong name.
    if let Some([stray, _]) = args.rest.windows(2).find(|pair| matches!(pair[0], Value::Keyword(_))) {
        return Err(args.function.signature.stray_keyword(&args.function.name, stray, args.span));
    }
    let config = options(&args, interpreter)?;
    let (runtime, cancel) = (interpreter.runtime(), interpreter.cancelled());
    let mut values = vec![args.take("x")];
    values.append(&mut args.rest);
    let span = args.span;
    let computation = Computation { host: interpreter, runtime, config: &config, cancel };
    f(&computation, args, values).map_err(|e| e.at(span))
}

/// One value for one argument, a list for several.
fn answer(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.pop().unwrap_or_default() } else { Value::list(values) }
}

fn compute(args: Args) -> Result<Value> {
    with(args, |computation, args, values| match values.as_slice() {
        [Value::Graph(graph), keys] => {
            let keys = keys_of(&args, computation, graph, keys)?;
            let computed = computation.keys(graph, &keys.flat())?;
            Ok(keys.nest(&mut computed.into_iter()))
        }
        [Value::Graph(_), ..] => Err(no_keys(&args)),
        values => computation.values(values).map(answer),
    })
}

/// The keys of a graph that a call asks for.
fn keys_of(args: &Args, computation: &Computation, graph: &Graph, keys: &Value) -> Result<Keys> {
    Keys::of(args, keys, &|key| computation.has(graph, key))
}

fn no_keys(args: &Args) -> Error {
    let name = &args.function.name;
    err!(Arity, "{name} takes a graph and one key, or keys in a list")
        .label(args.span, "in this call")
        .help(format!("`({name} g 'z)`, `({name} g ['y 'z])`"))
}

fn persist(args: Args) -> Result<Value> {
    with(args, |computation, _, values| computation.persist(&values).map(answer))
}

fn explain(args: Args) -> Result<Value> {
    let keywords = match args.value("store") {
        Value::Nil | Value::Bool(false) => None,
        Value::Bool(true) => Some(Map::new()),
        Value::Map(map) => Some(Map::clone(map)),
        _ => return Err(args.wrong("store", "true, false, or a map of keywords of `store`")),
    };
    with(args, |computation, args, values| {
        let stored = |value: &Value| match (value, &keywords) {
            (Value::Array(array), Some(keywords)) => crate::ops::io::as_stored(array, keywords, &args),
            (other, _) => Ok(other.clone()),
        };
        let forecast = match values.as_slice() {
            [Value::Graph(graph), keys] => {
                computation.forecast_keys(graph, &keys_of(&args, computation, graph, keys)?.flat())?
            }
            [Value::Graph(_), ..] => return Err(no_keys(&args)),
            values => computation.forecast(&values.iter().map(stored).collect::<Result<Vec<Value>>>()?)?,
        };
        let mut map = Map::new();
        let figures = [
            ("tasks", forecast.tasks),
            ("tasks-before", forecast.tasks_before),
            ("result-bytes", forecast.result_bytes),
            ("bytes-read", forecast.read_bytes),
            ("bytes-written", forecast.written_bytes),
            ("bytes-spilled", forecast.spilled_bytes),
            ("peak-bytes", forecast.peak_bytes),
        ];
        for (name, figure) in figures {
            map.set(name, figure.into());
        }
        map.set("resident-bytes", forecast.resident_bytes.map_or(Value::Nil, Value::from));
        map.set("exact", forecast.exact.into());
        if args.value("passes").truthy() {
            map.set("passes", passes::steps(&values, computation.config.memory_limit, args.host));
        }
        Ok(Value::Map(Arc::new(map)))
    })
}
