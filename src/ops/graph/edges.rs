//! What a graph is made of: its keys, and which depend on which.

use super::subject;
use crate::data::{Args, Cost, Graph, Key, Value};
use crate::op::{Kind, Op};
use crate::optimize::by_hand::ByHand;
use crate::text::Result;

pub static OPS: &[Op] = &[
    Op {
        usage: "(graph x)",
        doc: "The graph of a map of tasks, or of anything lazy.\n\
              A map `{key task …}` is quoted; a task is data, a key, a call, or a list of tasks, and a name in it that is no key of the graph is \
              what it is bound to globally. A key is a symbol, or a list of a symbol and numbers, `[w 0]`. The graph of an array has \
              one key for each block of each layer it is made of.",
        examples: &[
            ("(graph '{x 1 y (+ x 1)})", "(graph '{x 1\n  y (+ x 1)})"),
            ("(count (keys (graph (sum (ones [4] :chunks 2)))))", "5"),
        ],
        see: &["compute", "keys", "dependencies", "visualize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(graph),
    },
    Op {
        usage: "(dependencies g key)",
        doc: "The keys that the task of a key names.",
        examples: &[("(dependencies '{x 1 y 2 z (+ x y)} 'z)", "[x y]")],
        see: &["dependents", "toposort"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(dependencies),
    },
    Op {
        usage: "(dependents g key)",
        doc: "The keys whose tasks name a key.",
        examples: &[("(dependents '{x 1 y (+ x 1) z (+ x y)} 'x)", "[y z]")],
        see: &["dependencies"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(dependents),
    },
    Op {
        usage: "(toposort g)",
        doc: "All keys, each after those that its task names.",
        examples: &[("(toposort '{z (+ x y) y (+ x 1) x 1})", "[x y z]")],
        see: &["order"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(toposort),
    },
    Op {
        usage: "(order g)",
        doc: "All keys, in the order in which the schedulers prefer to run them: few results are held at a time.",
        examples: &[("(order '{a 1 b (+ a 1) c 2 d (+ c 1) e (+ b d)})", "[a b c d e]")],
        see: &["toposort", "optimize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(order),
    },
];

fn graph(args: Args) -> Result<Value> {
    subject::graph(&args, "x").map(Value::Graph)
}

/// The graph, and the key asked for.
fn at_key(args: &Args, edges: impl FnOnce(ByHand, &Key) -> Result<Vec<Key>>) -> Result<Value> {
    let graph = subject::by_key(args, "g")?;
    let key = subject::key_of(args.value("key")).ok_or_else(|| args.wrong("key", "a quoted key"))?;
    list(edges(graph, &key)).map_err(|e| e.at(args.span))
}

fn list(keys: Result<Vec<Key>>) -> Result<Value> {
    keys.map(|keys| Value::list(keys.iter().map(Graph::key_value).collect()))
}

fn dependencies(args: Args) -> Result<Value> {
    at_key(&args, |graph, key| graph.dependencies(key))
}

fn dependents(args: Args) -> Result<Value> {
    at_key(&args, |graph, key| graph.dependents(key))
}

fn toposort(args: Args) -> Result<Value> {
    list(subject::by_key(&args, "g")?.toposort())
}

fn order(args: Args) -> Result<Value> {
    list(subject::by_key(&args, "g")?.order())
}
