//! `share`: what takes the elements of a source one by one takes them in one task with others that do.
//!
//! ```text
//! json-1f   (bag/json i)
//! count-2a  (bag/part count (filter f [json-1f i]))   →   share-7d  (bag/together (bag/json i) (bag/part count (filter f (bag/hole)))
//! by-3c     (foldby k g 0 [json-1f i])                                                         (foldby k g 0 (bag/hole)))
//!                                                         count-2a  (nth [share-7d i] 0)
//!                                                         by-3c     (nth [share-7d i] 1)
//! ```
//!
//! The elements are made once, and never all at a time: a list of them would have to wait for the last of those who use it. It takes
//! as many partitions as there are workers, or what could run at the same time would no longer.

use super::{Goal, Pass};
use crate::data::cancel::cancelled;
use crate::data::{At, Body, Cost, Flow, Form, Graph, Host, Input, Layer, ParamKind, Parts, Task, Value};
use crate::op::token::Token;
use rustc_hash::FxHashMap;
use std::sync::Arc;

pub static PASS: Pass = Pass { name: "share", run, by_hand: |graph, _| Ok(graph) };

/// Calls nested in each other that are looked through.
const MOST_CALLS: usize = 60;

/// Users of one source that share it.
const MOST_USERS: usize = 16;

fn run(graph: &Graph, goal: &Goal) -> Graph {
    let mut users: FxHashMap<*const Layer, Vec<usize>> = FxHashMap::default();
    let named = graph.layers.iter().filter(|layer| !layer.is_hand_made());
    let by_name: FxHashMap<&str, *const Layer> = named.map(|layer| (layer.name.as_str(), Arc::as_ptr(layer))).collect();
    for (n, layer) in graph.layers.iter().enumerate() {
        for parent in &layer.parents {
            let parent = by_name.get(parent.name.as_str()).copied().unwrap_or(Arc::as_ptr(parent));
            let of = users.entry(parent).or_default();
            if of.last() != Some(&n) {
                of.push(n);
            }
        }
    }
    // What stands in the place of a layer, and what comes before it.
    let mut now: FxHashMap<&str, Arc<Layer>> = FxHashMap::default();
    let mut shared: FxHashMap<&str, Arc<Layer>> = FxHashMap::default();
    for source in &graph.layers {
        let Some(users) = users.get(&Arc::as_ptr(source)).filter(|users| (2..=MOST_USERS).contains(&users.len()))
        else {
            continue;
        };
        let users: Vec<&Arc<Layer>> = users.iter().map(|&n| &graph.layers[n]).collect();
        let tasks: Option<Vec<&Task>> = users.iter().map(|user| pipeline(user, source, goal)).collect();
        if let (Some(made), Some(tasks)) = (source_task(source, goal), tasks) {
            let together = Arc::new(together(source, made, &users, tasks));
            for (n, user) in users.into_iter().enumerate() {
                now.insert(&user.name, Arc::new(part(user, &together, n)));
            }
            shared.insert(&source.name, together);
        }
    }
    if shared.is_empty() || cancelled() {
        return graph.clone();
    }
    let mut layers: Vec<Arc<Layer>> = Vec::with_capacity(graph.layers.len());
    for old in &graph.layers {
        let together = shared.get(old.name.as_str()).filter(|_| !old.is_hand_made());
        let layer = match (together, stand_in(&now, old)) {
            (Some(together), _) => together.clone(),
            (_, Some(part)) => part.clone(),
            _ if old.parents.iter().any(|parent| stand_in(&now, parent).is_some()) => {
                let moved = |parent: &Arc<Layer>| stand_in(&now, parent).unwrap_or(parent).clone();
                let layer = Arc::new(old.with_parents(old.parents.iter().map(moved).collect()));
                now.insert(&old.name, layer.clone());
                layer
            }
            _ => old.clone(),
        };
        layers.push(layer);
    }
    Graph { layers }
}

/// What stands in the place of a layer, if anything does. The names of graphs made by hand mean nothing.
fn stand_in<'a>(now: &'a FxHashMap<&str, Arc<Layer>>, layer: &Layer) -> Option<&'a Arc<Layer>> {
    now.get(layer.name.as_str()).filter(|_| !layer.is_hand_made())
}

/// The task of a layer that makes elements one by one, of nothing.
fn source_task<'a>(layer: &'a Layer, goal: &Goal) -> Option<&'a Task> {
    match &layer.body {
        Body::Blockwise { inputs, task }
            if inputs.is_empty()
                && layer.grid.len() == 1
                && layer.grid[0] >= goal.host.workers()
                && !goal.wants(layer)
                && matches!(flow(task, goal.host), Some((Flow::Source(_), _))) =>
        {
            Some(task)
        }
        _ => None,
    }
}

/// The task of a layer that takes the elements of one partition of the source one by one, and nothing else.
fn pipeline<'a>(layer: &'a Layer, source: &Layer, goal: &Goal) -> Option<&'a Task> {
    let Body::Blockwise { inputs, task } = &layer.body else { return None };
    let one = matches!(&inputs[..], [Input { at, .. }] if *at == At::same(1));
    let mut holes = 0;
    task.walk(&mut |t| holes += usize::from(matches!(t.form, Form::Input(_))));
    if !one || holes != 1 || layer.grid != source.grid {
        return None;
    }
    let (mut at, mut is_first) = (task, true);
    for _ in 0..MOST_CALLS {
        let (flow, args) = flow(at, goal.host)?;
        let (last, others) = args.split_last()?;
        let fits = match flow {
            Flow::Source(_) | Flow::Together | Flow::Hole => false,
            Flow::Stage(stage) => args.len() == stage.positional,
            Flow::Sink(..) => is_first,
        };
        let settled = |arg: &&Task| matches!(arg.form, Form::Data(_) | Form::Index(_) | Form::Key(_));
        if !fits || !others.iter().all(settled) || !named(at, args.len()).iter().all(|arg| settled(&arg)) {
            return None;
        }
        match last.form {
            Form::Input(_) => return Some(task),
            Form::Call(_) => (at, is_first) = (last, false),
            _ => return None,
        }
    }
    None
}

/// What the op that a task calls does with elements, and the arguments that are given by position.
fn flow<'a>(task: &'a Task, host: &dyn Host) -> Option<(Flow, Vec<&'a Task>)> {
    let Form::Call(items) = &task.form else { return None };
    let (head, args) = items.split_first()?;
    let op = host.op(head.as_symbol()?)?;
    let flow = op.callable.flow()?;
    let is_name = |arg: &Task| match &arg.form {
        Form::Data(Value::Keyword(name)) => op
            .signature
            .params
            .iter()
            .any(|param| param.name == *name && matches!(param.kind, ParamKind::Optional | ParamKind::Keyword)),
        _ => false,
    };
    let positional = args.iter().position(is_name).unwrap_or(args.len());
    Some((flow, args[..positional].iter().collect()))
}

/// The arguments of a call behind so many.
fn named(task: &Task, positional: usize) -> &[Task] {
    match &task.form {
        Form::Call(items) => &items[1 + positional..],
        _ => &[],
    }
}

/// The layer whose tasks make for each user of the source what it makes, as lists.
fn together(source: &Layer, made: &Task, users: &[&Arc<Layer>], tasks: Vec<&Task>) -> Layer {
    let hole = Task::call(vec![Task::symbol("bag/hole")]);
    let filled = |task: &Task| task.replace(&mut |t| matches!(t.form, Form::Input(_)).then(|| hole.clone()));
    let mut items = vec![Task::symbol("bag/together"), made.clone()];
    items.extend(tasks.into_iter().map(filled));
    let token =
        users.iter().fold(Token::new("share").with(source.name.as_str()), |token, user| token.with(user.name.as_str()));
    Layer {
        name: token.name(),
        grid: source.grid.clone(),
        body: Body::Blockwise { inputs: Vec::new(), task: Task::call(items).with_span(made.span) },
        parents: Vec::new(),
        blocks: None,
        cost: Cost::Unknown,
        span: source.span,
        parts: Parts::default(),
        nested: source.nested + 1,
    }
}

/// The layer of one user, which takes its part.
fn part(user: &Layer, together: &Arc<Layer>, n: usize) -> Layer {
    let task = Task::call(vec![Task::symbol("nth"), Task::input(0), Task::data(Value::from(n))]).with_span(user.span);
    let mut layer = user.with_parents(vec![together.clone()]);
    layer.body = Body::Blockwise { inputs: vec![Input { parent: 0, at: At::same(1) }], task };
    layer.cost = Cost::Free;
    layer
}
