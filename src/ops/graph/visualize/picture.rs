//! What is drawn: nodes with a text, and what each of them takes.
//!
//! ```text
//! {x 1  y (inc x)}     [x] → (inc) → [y]
//! ```

use crate::data::{Body, Form, Graph, Key, Layer, Task, Value, task::deep};
use crate::optimize::by_hand::ByHand;
use crate::optimize::{Lists, order};
use crate::read::brief;
use crate::text::{counted, shape};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

#[derive(Default)]
pub struct Picture {
    pub nodes: Vec<Node>,
    /// Of each node the others that lead to it.
    pub inputs: Lists,
}

pub struct Node {
    pub shape: Shape,
    pub lines: Vec<String>,
    /// What is told of it besides: the whole key, and the task.
    pub about: String,
    /// How late it is in the order, from 0 to 1, where that is shown.
    pub shade: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// What a task makes.
    Key,
    /// What a task calls.
    Function,
    /// Tasks under one name.
    Layer,
}

/// Characters of a line.
const LINE: usize = 28;
/// Functions that a task calls, and that are named.
const NAMED: usize = 3;
/// Bytes of a task that are shown where it is pointed at.
const ABOUT: usize = 400;

/// A graph task by task. `order` has the tasks in the order to tell of.
pub fn of_tasks(graph: &ByHand, order: Option<&[u32]>) -> Picture {
    let tasks = graph.tasks();
    let functions: Vec<Option<String>> =
        tasks.values().zip(graph.edges().iter()).map(|(task, inputs)| function(task, !inputs.is_empty())).collect();
    // The node of a task's function, if it has one, goes before that of its key.
    let mut keys: Vec<u32> = Vec::with_capacity(tasks.len());
    let mut count = 0;
    for function in &functions {
        count += 1 + u32::from(function.is_some());
        keys.push(count - 1);
    }
    let ranks = order.map(ranks);
    let mut picture =
        Picture { nodes: Vec::with_capacity(count as usize), inputs: Lists::with_capacity(count as usize) };
    for (at, ((key, task), function)) in tasks.iter().zip(functions).enumerate() {
        let about = format!("{key}\n{}", brief(task, ABOUT));
        let mut label = key_label(key, function.as_deref());
        let rank = ranks.as_ref().map(|ranks| ranks[at]);
        let shade = rank.map(|rank| share(rank, tasks.len()));
        let number = rank.map_or_else(String::new, numbered);
        graph.edges().get(at as u32).iter().for_each(|&input| picture.inputs.push(keys[input as usize]));
        if let Some(function) = function {
            picture.add(Node { shape: Shape::Function, lines: vec![number + &function], about: about.clone(), shade });
            picture.inputs.push(keys[at] - 1);
        } else {
            label.insert_str(0, &number);
        }
        picture.add(Node { shape: Shape::Key, lines: vec![label], about, shade });
    }
    picture
}

/// A graph layer by layer.
pub fn of_layers(graph: &Graph) -> Picture {
    let at: IndexMap<&str, (), FxBuildHasher> = graph.layers.iter().map(|layer| (layer.name.as_str(), ())).collect();
    let mut picture = Picture::default();
    for layer in &graph.layers {
        let mut parents: Vec<u32> = layer
            .parents
            .iter()
            .filter_map(|parent| at.get_index_of(parent.name.as_str()))
            .map(|at| at as u32)
            .collect();
        parents.sort_unstable();
        parents.dedup();
        parents.into_iter().for_each(|parent| picture.inputs.push(parent));
        let first = first_task(layer);
        let mut lines = named(&layer.name, first.as_ref().and_then(|task| function(task, true)), layer.len());
        let mut about = layer.name.to_string();
        if let Some((dtype, chunks)) = &layer.blocks {
            let largest: Vec<usize> =
                chunks.axes().iter().map(|sizes| sizes.iter().copied().max().unwrap_or(0)).collect();
            lines.push(format!("{} {dtype}", shape(&largest)));
            about.push_str(&format!("\n{dtype}{} in blocks of {}", shape(&chunks.shape()), shape(&largest)));
        }
        if let Some(task) = first {
            about.push_str(&format!("\n{}", brief(&task, ABOUT)));
        }
        picture.add(Node { shape: Shape::Layer, lines, about, shade: None });
    }
    picture
}

/// A graph made by hand, all tasks under one name together.
pub fn of_names(graph: &ByHand) -> Picture {
    let mut names: IndexMap<&str, Vec<u32>, FxBuildHasher> = IndexMap::default();
    let mut name_of = Vec::with_capacity(graph.len());
    for (key, at) in graph.keys().zip(0..) {
        let entry = names.entry(key.name.as_str());
        name_of.push(entry.index() as u32);
        entry.or_default().push(at);
    }
    let mut picture = Picture::default();
    for (own, (name, tasks)) in (0..).zip(&names) {
        let inputs = tasks.iter().flat_map(|&task| graph.edges().get(task)).map(|&input| name_of[input as usize]);
        let mut inputs: Vec<u32> = inputs.filter(|&input| input != own).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs.into_iter().for_each(|input| picture.inputs.push(input));
        let functions = |&task: &u32| function(&graph.tasks()[task as usize], !graph.edges().get(task).is_empty());
        let first = tasks.first().and_then(functions);
        let same = tasks.iter().all(|task| functions(task) == first);
        let lines = named(name, first.filter(|_| same), tasks.len());
        picture.add(Node { shape: Shape::Layer, lines, about: name.to_string(), shade: None });
    }
    picture
}

impl Picture {
    /// Adds a node, whose inputs were pushed before.
    fn add(&mut self, node: Node) {
        self.inputs.end_list();
        self.nodes.push(node);
    }

    /// Shows in which order the nodes come; `None` where they go in a circle.
    pub fn in_order(mut self) -> Option<Picture> {
        let order = order::order(&self.inputs, &self.inputs.reversed())?;
        let count = self.nodes.len();
        for (node, rank) in self.nodes.iter_mut().zip(ranks(&order)) {
            node.shade = Some(share(rank, count));
            node.lines[0].insert_str(0, &numbered(rank));
        }
        Some(self)
    }

    pub fn goes_in_a_circle(&self) -> bool {
        order::order(&self.inputs, &self.inputs.reversed()).is_none()
    }
}

/// The place of each task in an order.
fn ranks(order: &[u32]) -> Vec<usize> {
    let mut ranks = vec![0; order.len()];
    order.iter().enumerate().for_each(|(rank, &task)| ranks[task as usize] = rank);
    ranks
}

/// A place among so many, from 0 to 1.
fn share(rank: usize, count: usize) -> f64 {
    rank as f64 / count.saturating_sub(1).max(1) as f64
}

fn numbered(rank: usize) -> String {
    format!("{rank}: ")
}

/// The task of a layer's first block.
fn first_task(layer: &Layer) -> Option<Task> {
    match &layer.body {
        Body::Tasks(tasks) => tasks.values().next().cloned(),
        _ if layer.is_empty() => None,
        _ => Some(layer.task(&vec![0; layer.grid.len()])),
    }
}

/// The lines of tasks under one name: the name, what they call if that is something else, and how many they are.
fn named(name: &str, function: Option<String>, count: usize) -> Vec<String> {
    let name = without_hash(name);
    let function = function.filter(|function| function != name);
    std::iter::once(cut(name)).chain(function).chain([counted(count, "task", "tasks")]).collect()
}

/// A key beside its function: of blocks that are called as their function, the index will do.
fn key_label(key: &Key, function: Option<&str>) -> String {
    let name = without_hash(&key.name);
    if key.index.is_empty() {
        return cut(name);
    }
    let index = key.index.iter().map(u32::to_string).collect::<Vec<String>>().join(" ");
    if function == Some(name) { index } else { format!("[{} {index}]", cut(name)) }
}

/// A name as `op::Token` makes them, without the hash.
fn without_hash(name: &str) -> &str {
    let is_hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    name.rsplit_once('-').filter(|(name, hash)| !name.is_empty() && is_hash(hash)).map_or(name, |(name, _)| name)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// What a task calls, from outside to inside: `squeeze · add`. `None` of what is data, or only another name.
fn function(task: &Task, takes_inputs: bool) -> Option<String> {
    let mut names = Vec::new();
    match &task.form {
        Form::List(_) if takes_inputs => names.push("[ ]".to_string()),
        Form::Map(_) if takes_inputs => names.push("{ }".to_string()),
        _ => {}
    }
    called(task, &mut names);
    let (first, others) = names.split_first()?;
    let mut label = cut(first);
    for (at, name) in others.iter().enumerate() {
        if at + 1 >= NAMED || label.chars().count() + name.chars().count() > LINE {
            label.push_str(" · …");
            break;
        }
        label.push_str(" · ");
        label.push_str(name);
    }
    Some(label)
}

/// Adds the names of functions that a task calls, each once, until there are more than are named.
fn called(task: &Task, names: &mut Vec<String>) {
    if names.len() > NAMED {
        return;
    }
    match &task.form {
        Form::Call(items) => {
            let Some((head, args)) = items.split_first() else { return };
            let name = head_name(head);
            // What is in these is no part of the task yet.
            let is_closed = matches!(name.as_str(), "fn" | "quote" | "quasiquote") && head.as_symbol().is_some();
            if !names.contains(&name) {
                names.push(name);
            }
            if !is_closed {
                deep(|| args.iter().for_each(|arg| called(arg, names)));
            }
        }
        Form::List(items) => deep(|| items.iter().for_each(|item| called(item, names))),
        Form::Map(pairs) => deep(|| pairs.iter().for_each(|(_, value)| called(value, names))),
        Form::Key(_) | Form::Data(_) | Form::Input(_) | Form::Index(_) => {}
    }
}

/// What the function of a call is called: its symbol, its own name, or `fn`.
fn head_name(head: &Task) -> String {
    match &head.form {
        Form::Key(key) => key.to_string(),
        Form::Data(Value::Function(function)) if !function.name.is_empty() => function.name.to_string(),
        Form::Call(items) => match items.get(1).and_then(Task::as_symbol) {
            Some(name) if head.is_call_of("fn") => name.to_string(),
            _ => items.first().map_or_else(|| "()".to_string(), head_name),
        },
        _ => brief(head, LINE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::read_one;
    use crate::text::SourceId;

    fn graph(tasks: &[(&str, &str)]) -> ByHand {
        let read = |text: &str| read_one(SourceId(1), text).unwrap();
        let pair = |&(key, task): &(&str, &str)| (Graph::key_of(&read(key)).unwrap(), read(task));
        ByHand::new(&Graph::from_tasks(tasks.iter().map(pair).collect()))
    }

    /// The texts of nodes, and those of what they take.
    fn described(picture: &Picture) -> Vec<String> {
        let text = |at: usize| picture.nodes[at].lines.join(", ");
        let inputs = |at: u32| picture.inputs.get(at).iter().map(|&i| text(i as usize)).collect::<Vec<_>>().join(" + ");
        (0..picture.nodes.len()).map(|at| format!("{} < {}", text(at), inputs(at as u32))).collect()
    }

    #[test]
    fn a_task_is_its_function_and_its_key() {
        let graph =
            graph(&[("x", "1"), ("[w 0]", "(f x (g x) [2])"), ("[f 0]", "(f [w 0])"), ("z", "[f 0]"), ("l", "[x z]")]);
        let expected = ["x < ", "f · g < x", "[w 0] < f · g", "f < [w 0]", "0 < f", "z < 0", "[ ] < x + z", "l < [ ]"];
        assert_eq!(described(&of_tasks(&graph, None)), expected);
    }

    #[test]
    fn the_order_is_told() {
        let graph = graph(&[("x", "1"), ("y", "(f x)")]);
        let picture = of_tasks(&graph, Some(&[0, 1]));
        assert_eq!(described(&picture), ["0: x < ", "1: f < 0: x", "y < 1: f"]);
        assert_eq!(picture.nodes.iter().map(|node| node.shade).collect::<Vec<_>>(), [Some(0.0), Some(1.0), Some(1.0)]);
    }

    #[test]
    fn tasks_under_one_name_are_one_node() {
        let graph = graph(&[("[x 0]", "(f 1)"), ("[x 1]", "(f [x 0])"), ("y", "(g [x 0] [x 1])")]);
        assert_eq!(described(&of_names(&graph)), ["x, f, 2 tasks < ", "y, g, 1 task < x, f, 2 tasks"]);
    }

    #[test]
    fn functions_are_called_by_name() {
        let task = |text: &str| function(&read_one(SourceId(1), text).unwrap(), false);
        for (text, label) in [
            ("1", None),
            ("x", None),
            ("[1 2]", None),
            ("(add 1 (add 2 (mul 3 4)))", Some("add · mul")),
            ("(a (b (c (d (e 1)))))", Some("a · b · c · …")),
            ("((fn [x] (g x)) 1)", Some("fn")),
            ("((fn double [x] (g x)) 1)", Some("double")),
            ("(map (fn [x] (g x)) [(f 1)])", Some("map · fn · f")),
            ("(a-name-that-is-longer-than-a-line-may-be 1)", Some("a-name-that-is-longer-than-a…")),
        ] {
            assert_eq!(task(text).as_deref(), label, "{text}");
        }
    }

    #[test]
    fn hashes_are_left_out() {
        let names = ["sum-89ee33539ed761d6", "random/normal-69fec037cda2b88f", "sum", "a-b", "-69fec037cda2b88f"];
        assert_eq!(names.map(without_hash), ["sum", "random/normal", "sum", "a-b", "-69fec037cda2b88f"]);
    }
}
