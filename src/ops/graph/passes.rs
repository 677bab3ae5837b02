//! The optimizer's passes, each alone at the prompt.

use super::subject::{self, Keys};
use crate::data::{Args, Body, Cost, Graph, Layer, Task, Value};
use crate::eval::Interpreter;
use crate::op::{Kind, Op};
use crate::optimize::{self, Goal, by_hand::ByHand};
use crate::schedule::Config;
use crate::text::Result;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(cull g keys)",
        doc: "The part of a graph that some keys need. `keys` is a quoted key, or lists of keys.",
        examples: &[("(cull '{x 1 y (+ x 1) z (* x 2)} 'y)", "(graph '{x 1\n  y (+ x 1)})")],
        see: &["fuse", "inline", "optimize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(cull),
    },
    Op {
        usage: "(inline g :keys [])",
        doc: "Puts the tasks of some keys in the place of their names. Keys that are data, or other names of keys, always are. All \
              keys stay; `cull` drops those that are needed no more.",
        examples: &[(
            "(inline '{x 1 y (+ x 1) z (* y y)} ['y])",
            "(graph '{x 1\n  y (+ 1 1)\n  z (* (+ 1 1) (+ 1 1))})",
        )],
        see: &["inline-functions", "cull"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(inline),
    },
    Op {
        usage: "(inline-functions g functions :keys [])",
        doc: "Puts tasks that call only some functions in the place of their names, and drops their keys: what is cheaper to do again than \
              to keep. `:keys` stay, and keys that no task names.",
        examples: &[(
            "(inline-functions '{x (ones 3) y (transpose x) z (sum y)} [transpose])",
            "(graph '{x (ones 3)\n  z (sum (transpose x))})",
        )],
        see: &["inline"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(inline_functions),
    },
    Op {
        usage: "(fuse g :keys [])",
        doc: "Joins chains: a task that names one key, once, takes in that key's task if no other task names it. The last key of a chain \
              stays, and `:keys`.",
        examples: &[("(fuse '{x 1 y (+ x 1) z (* y 2)})", "(graph '{z (* (+ 1 1) 2)})")],
        see: &["inline", "optimize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(fuse),
    },
    Op {
        usage: "(optimize x :keys nil)",
        doc: "The graph that `compute` runs: without what is not needed, with cheap tasks inside those that use them and chains in one \
              task. Of a graph made by hand, for `:keys`, or for the keys that no task names.",
        examples: &[("(optimize '{x 1 y (+ x 1) z (* y 2)})", "(graph '{z (* (+ 1 1) 2)})")],
        see: &["cull", "inline", "fuse", "explain"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(optimize),
    },
];

fn result(graph: Result<ByHand>, args: &Args) -> Result<Value> {
    graph.map(|g| Value::Graph(Arc::new(g.graph()))).map_err(|e| e.at(args.span))
}

fn cull(args: Args) -> Result<Value> {
    let graph = ByHand::new(&*subject::graph(&args, "g")?);
    let keys = Keys::of(&args, args.value("keys"), &|key| graph.keys().any(|k| k == key))?;
    result(graph.cull(&keys.flat()), &args)
}

fn inline(args: Args) -> Result<Value> {
    let keys = subject::keys(&args, "keys")?;
    result(ByHand::new(&*subject::graph(&args, "g")?).inline(&keys), &args)
}

fn inline_functions(args: Args) -> Result<Value> {
    let functions = match args.value("functions") {
        Value::List(functions) => functions.to_vec(),
        one => vec![one.clone()],
    };
    if let Some(wrong) = functions.iter().find(|f| !matches!(f, Value::Function(_))) {
        return Err(args.wrong_value("functions", wrong, "functions"));
    }
    let keep = subject::keys(&args, "keys")?;
    // A head is one of the functions if that is what its name is bound to, or the op of that name.
    let fast = |head: &Task| {
        let Some(name) = head.as_symbol() else { return false };
        let bound = args.host.global(name, head.span).or_else(|| args.host.op(name).map(Value::Function));
        bound.is_some_and(|bound| functions.iter().any(|f| f.same_key(&bound)))
    };
    result(ByHand::new(&*subject::graph(&args, "g")?).inline_functions(&fast, &keep), &args)
}

fn fuse(args: Args) -> Result<Value> {
    let keep = subject::keys(&args, "keys")?;
    result(ByHand::new(&*subject::graph(&args, "g")?).fuse(&keep), &args)
}

fn optimize(args: Args) -> Result<Value> {
    let graph = subject::graph(&args, "x")?;
    if graph.layers.iter().any(|l| l.is_hand_made()) {
        let by_hand = ByHand::new(&graph);
        let keys = match args.value("keys") {
            Value::Nil => by_hand.unnamed(),
            _ => subject::keys(&args, "keys")?,
        };
        let optimized = by_hand.cull(&keys).and_then(|g| g.inline(&[])).and_then(|g| g.cull(&keys));
        return result(optimized.and_then(|g| g.fuse(&keys)), &args);
    }
    let outputs = outputs(&graph);
    let goal = Goal { outputs: &outputs, bytes: memory(&args) };
    let optimized = optimize::optimize((*graph).clone(), &goal, &mut |_, _| {});
    Ok(Value::Graph(Arc::new(optimized)))
}

/// Bytes that the results of tasks may take.
fn memory(args: &Args) -> usize {
    let interpreter = args.host.as_any().downcast_ref::<Interpreter>();
    interpreter.map_or_else(|| Config::default().memory_limit, |i| i.config().memory_limit)
}

/// The layers that no other layer takes blocks of.
fn outputs(graph: &Graph) -> Vec<Arc<Layer>> {
    let is_parent = |layer: &Arc<Layer>| {
        graph.layers.iter().any(|l| {
            l.parents.iter().any(|p| match p.body {
                Body::Tasks(_) => Arc::ptr_eq(p, layer),
                _ => p.name == layer.name,
            })
        })
    };
    graph.layers.iter().filter(|l| !is_parent(l)).cloned().collect()
}
