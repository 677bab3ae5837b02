//! The optimizer's passes, each alone at the prompt.

use super::subject::{self, Keys};
use crate::data::{Args, Body, Cost, Graph, Host, Key, Layer, Task, Value, cancel};
use crate::op::{Kind, Op};
use crate::optimize::{self, ByHandGoal, Goal, PASSES, Pass, by_hand::ByHand};
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
        usage: "(dedup g :keys [])",
        doc: "Tasks that are equal become one: the first of them is named in the place of the others, whose keys go. `:keys`, and keys that no task \
              names, stay as other names of it. Tasks are equal that call the same functions with the same data and equal keys, and do \
              nothing but answer: not those that print, write, or draw random numbers without a seed.",
        examples: &[
            ("(dedup '{x 1 y (+ x 1) z (+ x 1) all [y z]})", "(graph '{x 1\n  y (+ x 1)\n  all [y y]})"),
            (
                "(dedup '{a (random/random 3) b (random/random 3)})",
                "(graph '{a (random/random 3)\n  b (random/random 3)})",
            ),
        ],
        see: &["cull", "optimize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(dedup),
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
        usage: "(optimize x :keys nil :passes nil)",
        doc: "The graph that `compute` runs: without what is not needed, with cheap tasks inside those that use them and chains in one \
              task. Of a graph made by hand, for `:keys`, or for the keys that no task names.\n\
              `:passes` are those to apply; all of them, in this order, are `:cull`, `:slice` (slices go down to where blocks are read or \
              made), `:dedup` (what is equal is done once), `:inline` (views, and what is needed once; in graphs made by hand, data and \
              other names of keys), `:rematerialize` (what is cheaper to make again than to hold), and `:fuse` (chains).",
        examples: &[
            ("(optimize '{x 1 y (+ x 1) z (* y 2)})", "(graph '{z (* (+ 1 1) 2)})"),
            ("(count (keys (optimize (+ (ones 4 :chunks 2) 1) :passes [:inline])))", "2"),
        ],
        see: &["cull", "inline", "fuse", "explain", "visualize"],
        cost: Cost::Unknown,
        kind: Kind::Lazy(optimize),
    },
];

fn done(graph: Result<ByHand>, args: &Args) -> Result<Graph> {
    // One that was given up half way is no answer.
    cancel::check()?;
    graph.map(ByHand::graph).map_err(|e| e.at(args.span))
}

fn result(graph: Result<ByHand>, args: &Args) -> Result<Value> {
    done(graph, args).map(|graph| Value::Graph(Arc::new(graph)))
}

fn cull(args: Args) -> Result<Value> {
    let graph = subject::by_key(&args, "g")?;
    let keys = Keys::of(&args, args.value("keys"), &|key| graph.keys().any(|k| k == key))?;
    result(graph.cull(&keys.flat()), &args)
}

fn inline(args: Args) -> Result<Value> {
    let keys = subject::keys(&args, "keys")?;
    result(subject::by_key(&args, "g")?.inline(&keys, args.host), &args)
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
    result(subject::by_key(&args, "g")?.inline_functions(&fast, &keep, args.host), &args)
}

fn fuse(args: Args) -> Result<Value> {
    let keep = subject::keys(&args, "keys")?;
    result(subject::by_key(&args, "g")?.fuse(&keep, args.host), &args)
}

fn dedup(args: Args) -> Result<Value> {
    let keep = subject::keys(&args, "keys")?;
    result(subject::by_key(&args, "g")?.dedup(args.host, &keep), &args)
}

fn optimize(args: Args) -> Result<Value> {
    let passes = chosen(&args)?;
    let graph = subject::graph(&args, "x")?;
    let keys = if args.is_nil("keys") { None } else { Some(subject::keys(&args, "keys")?) };
    optimized(&graph, &passes, keys, &args).map(|graph| Value::Graph(Arc::new(graph)))
}

/// A graph after some passes: of one made by hand, for `keys`, or for those that no task names.
pub fn optimized(graph: &Graph, passes: &[&Pass], keys: Option<Vec<Key>>, args: &Args) -> Result<Graph> {
    if graph.layers.iter().any(|l| l.is_hand_made()) {
        let by_hand = subject::key_by_key(graph, args)?;
        let keys = match keys {
            Some(keys) => keys,
            None => {
                // Keys that all name each other are a cycle, and no part of what is asked for.
                by_hand.toposort().map_err(|e| e.at(args.span))?;
                by_hand.unnamed()
            }
        };
        let goal = ByHandGoal { keys: &keys, host: args.host };
        return done(passes.iter().try_fold(by_hand, |graph, pass| (pass.by_hand)(graph, &goal)), args);
    }
    let outputs = outputs(graph);
    let goal = Goal::new(&outputs, args.host.memory_limit(), args.host);
    Ok(optimize::apply(passes, graph.clone(), &goal, &mut |_, _| {}))
}

/// The passes that a call names, in their order; all of them where it names none.
fn chosen(args: &Args) -> Result<Vec<&'static Pass>> {
    let named = match args.value("passes") {
        Value::Nil => return Ok(PASSES.to_vec()),
        Value::List(names) => names.to_vec(),
        one => vec![one.clone()],
    };
    let names = || PASSES.iter().map(|pass| pass.name);
    let is_unknown = |name: &&Value| !name.as_text().is_some_and(|text| names().any(|name| name == text));
    if let Some(wrong) = named.iter().find(is_unknown) {
        let known = names().map(|name| format!("`:{name}`")).collect::<Vec<_>>().join(" ");
        return Err(args.wrong_value("passes", wrong, "names of passes").help(format!("the passes are {known}")));
    }
    let is_named = |pass: &&'static Pass| named.iter().any(|name| name.as_text().is_some_and(|t| t == pass.name));
    Ok(PASSES.iter().copied().filter(is_named).collect())
}

/// The graph of lazy values after each pass that changed it, as pairs of the pass and the graph.
pub fn steps(values: &[Value], bytes: usize, host: &dyn Host) -> Value {
    let mut layers = Vec::new();
    values.iter().for_each(|value| subject::collect(value, &mut layers));
    let mut before = Graph::of(&layers);
    let mut found = Vec::new();
    optimize::optimize(before.clone(), &Goal::new(&layers, bytes, host), &mut |name, graph| {
        let same = |(a, b): (&Arc<Layer>, &Arc<Layer>)| Arc::ptr_eq(a, b);
        if before.layers.len() != graph.layers.len() || !before.layers.iter().zip(&graph.layers).all(same) {
            found.push(Value::list(vec![Value::keyword(name), Value::Graph(Arc::new(graph.clone()))]));
        }
        before = graph.clone();
    });
    Value::list(found)
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
