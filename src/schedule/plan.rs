//! From layers to dense arrays: the tasks that outputs need, numbered in the order in which they should run.
//!
//! Keys are arithmetic: a task is a layer and the position of its block, and finding the tasks of a graph costs a walk
//! over edges, with no key made and no hash looked up. Only hand-made tasks are found by key. A block that no output
//! needs never gets a number, so building a plan culls.
//!
//! ```text
//! layers   arange-5a [2]   add-c1 [2]          outputs: every block of add-c1
//! tasks    0 (arange-5a 0)   1 (add-c1 0)   2 (arange-5a 1)   3 (add-c1 1)
//! dependencies   [] [0] [] [2]     dependents   [1] [] [3] []     roots   0 2
//! ```

use super::Bytes;
use super::fused;
use super::task::{self, Code, Names};
use crate::data::graph::unravel;
use crate::data::{Body, Form, Function, Graph, Host, Key, Layer, Str, Task, Value};
use crate::err;
use crate::optimize::{Lists, by_hand, cycle, order};
use crate::text::{Error, Result, Span, suggest};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a computation is asked for.
#[derive(Clone)]
pub enum Want {
    /// Every block of a layer.
    Layer(Arc<Layer>),
    /// One task.
    Key(Arc<Layer>, Key),
}

/// Tasks as dense numbers; the number of a task is its place in the static order.
pub struct Plan {
    pub(super) tasks: Vec<Place>,
    pub(super) codes: Vec<Code>,
    pub(super) layers: Vec<Arc<Layer>>,
    pub dependencies: Lists,
    pub dependents: Lists,
    /// The tasks that depend on nothing, ascending.
    pub(super) roots: Vec<u32>,
    /// For each want: its tasks, in row-major order of blocks.
    pub(super) wanted: Vec<Vec<u32>>,
}

/// Where a task comes from.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub layer: u32,
    /// Position of the block, or of the hand-made task.
    pub at: u32,
    /// `NONE` for a task that is compiled when it runs.
    pub code: u32,
}

/// Bytes that a task takes in a plan and while it runs, on average: its number, its edges, its place in the order, its state.
const TASK_BYTES: usize = 200;

/// How large a plan may be, and what ends the making of it.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Bytes that the tasks may take.
    pub bytes: usize,
    pub cancel: &'a AtomicBool,
}

impl Room<'_> {
    fn tasks(&self) -> usize {
        self.bytes / TASK_BYTES
    }

    /// The error for more tasks than there is room for.
    fn exceeded(&self, tasks: usize) -> Error {
        let (size, limit) = (Bytes(tasks.saturating_mul(TASK_BYTES)), Bytes(self.bytes));
        err!(Memory, "a graph of {tasks} tasks takes about {size}, and the memory limit is {limit}")
            .help("larger blocks make fewer tasks; `:memory-limit` raises the limit")
    }

    /// Asks now and then whether to go on.
    fn check(&self, done: usize) -> Result<()> {
        if done.is_multiple_of(1024) && self.cancel.load(Relaxed) {
            return Err(err!(Interrupted, "the computation was interrupted"));
        }
        Ok(())
    }
}

impl Plan {
    /// The plan of what is wanted. `dsk::memory` where its tasks take more than there is room for.
    pub fn new(host: &dyn Host, wants: &[Want], room: Room) -> Result<Plan> {
        let mut builder = Builder::new(host, room);
        builder.check_size(wants)?;
        let wanted = wants.iter().map(|w| builder.want(w)).collect::<Result<Vec<_>>>()?;
        let mut done = 0;
        while done < builder.tasks.len() {
            room.check(done)?;
            builder.expand(done as u32)?;
            done += 1;
        }
        room.check(0)?;
        builder.finish(wanted)
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn key(&self, id: u32) -> Key {
        let place = self.tasks[id as usize];
        key_of(&self.layers[place.layer as usize], place.at)
    }

    /// The task with its keys filled in.
    pub fn task(&self, id: u32) -> Task {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        match &layer.body {
            Body::Tasks(tasks) => {
                tasks.get_index(place.at as usize).map_or_else(|| Task::list(vec![]), |t| t.1.clone())
            }
            _ => layer.task(&unravel(place.at as usize, &layer.grid)),
        }
    }

    /// Bytes of what a task makes, where that is a block of known size.
    pub fn bytes(&self, id: u32) -> Option<usize> {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        let (dtype, chunks) = layer.blocks.as_ref()?;
        let shape = chunks.block_shape(&unravel(place.at as usize, &layer.grid));
        Some(shape.iter().product::<usize>() * dtype.size())
    }

    /// Bytes that the plan takes, and the state of a run of it.
    pub fn own_bytes(&self) -> usize {
        self.len() * TASK_BYTES
    }

    /// Shape of the block that a task makes.
    pub fn shape(&self, id: u32) -> Option<Vec<usize>> {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        let (_, chunks) = layer.blocks.as_ref()?;
        Some(chunks.block_shape(&unravel(place.at as usize, &layer.grid)).to_vec())
    }

    /// Compiles a task that was not compiled with the plan.
    pub(super) fn compile(&self, id: u32, host: &dyn Host) -> Result<Code> {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        let Body::PerBlock(make) = &layer.body else {
            return Err(err!(Internal, "a task of the layer `{}` was not compiled", layer.name));
        };
        let (_, task) = make(&unravel(place.at as usize, &layer.grid));
        let code = task::compile(&task, &mut LayerNames { host, heads: &mut FxHashMap::default() })?;
        Ok(fused::fuse(code, 2))
    }

    pub(super) fn span(&self, id: u32) -> Span {
        let place = self.tasks[id as usize];
        let layer = &self.layers[place.layer as usize];
        match &layer.body {
            Body::Tasks(tasks) => tasks.get_index(place.at as usize).map_or(Span::NONE, |(_, t)| t.span),
            _ => layer.span,
        }
    }
}

fn key_of(layer: &Layer, at: u32) -> Key {
    match &layer.body {
        Body::Tasks(tasks) => tasks.get_index(at as usize).map_or_else(|| Key::new("?"), |(k, _)| k.clone()),
        _ => Key::block(layer.name.clone(), &unravel(at as usize, &layer.grid)),
    }
}

const NONE: u32 = u32::MAX;

/// The numbers above have meanings of their own.
const MOST_TASKS: u32 = u32::MAX - 16;

/// From the position of a block to the number of its task.
enum Numbers {
    Dense(Vec<u32>),
    /// For layers so large that touching every entry would cost more than what is needed of them.
    Sparse(FxHashMap<u32, u32>),
}

/// Bytes that a task makes, on average, from which on it takes much longer to run than to order well.
const WORTH: usize = 1 << 20;
/// What is put into a better order then: some milliseconds, and some ten microseconds a task.
const STEPS: usize = 100_000;
const STEPS_A_TASK: usize = 500;

const LARGE: usize = 1 << 24;

/// Compiled tasks of a layer that are compared with the next one: those inside an array, and those at its end.
const KNOWN_TASKS: usize = 2;
/// Where so many tasks of a layer are unlike each other, the others are compiled when they run, by the workers, and kept no longer.
const UNLIKE_TASKS: u32 = 64;

/// So many inputs of a hand-made task are searched one by one for what is among them.
const FEW_INPUTS: usize = 16;

/// As many layers back a call is looked for: more than a turn of most loops makes.
const RECENT_CODES: usize = 16;

struct Known {
    layer: Arc<Layer>,
    parents: Vec<u32>,
    numbers: Numbers,
    /// Of a layer whose tasks are all alike.
    code: u32,
    rules: Vec<Rule>,
    /// Tasks of the layer that were compiled last: most tasks of a layer differ in nothing but the blocks they take.
    compiled: SmallVec<[(Task, u32); 2]>,
    /// How many were.
    unlike: u32,
    /// Of the largest block, as far as known.
    bytes: usize,
}

/// Which block of a parent a task takes, as arithmetic on positions: `base + Σ index[axis] · step`.
struct Rule {
    parent: u32,
    base: u32,
    steps: SmallVec<[(u8, u32); 4]>,
}

struct Builder<'a> {
    /// Layers whose codes later layers may share.
    recent: VecDeque<(Arc<Layer>, u32)>,
    host: &'a dyn Host,
    room: Room<'a>,
    /// Tasks of all layers, needed or not.
    all: usize,
    layers: Vec<Known>,
    by_name: FxHashMap<Str, u32>,
    /// Hand-made graphs have no names of their own.
    by_address: FxHashMap<usize, u32>,
    heads: FxHashMap<Str, Arc<Function>>,
    tasks: Vec<Place>,
    codes: Vec<Code>,
    dependencies: Lists,
    /// Where each input stands of the hand-made task at hand, if it has more than a few.
    inputs: FxHashMap<u32, u32>,
}

impl<'a> Builder<'a> {
    fn new(host: &'a dyn Host, room: Room<'a>) -> Self {
        Builder {
            host,
            room,
            all: 0,
            layers: Vec::new(),
            by_name: FxHashMap::default(),
            by_address: FxHashMap::default(),
            heads: FxHashMap::default(),
            tasks: Vec::new(),
            codes: Vec::new(),
            recent: VecDeque::new(),
            dependencies: Lists::default(),
            inputs: FxHashMap::default(),
        }
    }

    /// Refuses what is sure to have too many tasks before any is made: the blocks wanted are as many at least, and all layers
    /// together have as many at most.
    fn check_size(&mut self, wants: &[Want]) -> Result<()> {
        let layer = |want: &Want| match want {
            Want::Layer(layer) | Want::Key(layer, _) => layer.clone(),
        };
        let layers = Graph::of(&wants.iter().map(layer).collect::<Vec<_>>()).layers;
        self.all = layers.iter().fold(0, |n: usize, layer| n.saturating_add(layer.len()));
        let whole = wants.iter().filter(|want| matches!(want, Want::Layer(_))).map(layer);
        let fewest = whole.map(|layer| layer.len()).max().unwrap_or(0);
        if fewest > self.room.tasks() { Err(self.room.exceeded(self.all)) } else { Ok(()) }
    }

    fn want(&mut self, want: &Want) -> Result<Vec<u32>> {
        match want {
            Want::Layer(layer) => {
                let known = self.layer(layer)?;
                let number = |at| {
                    self.room.check(at)?;
                    self.number(known, position_of(at)?)
                };
                (0..layer.len()).map(number).collect()
            }
            Want::Key(layer, key) => {
                let known = self.layer(layer)?;
                match self.find(known, key)? {
                    Some(id) => Ok(vec![id]),
                    None => Err(no_such_key(std::slice::from_ref(layer), key)),
                }
            }
        }
    }

    /// The layer and, before it, all layers it takes blocks of.
    fn layer(&mut self, layer: &Arc<Layer>) -> Result<u32> {
        for layer in Graph::of(std::slice::from_ref(layer)).layers {
            if self.lookup(&layer).is_none() {
                self.add(layer)?;
            }
        }
        self.lookup(layer).ok_or_else(|| err!(Internal, "the layer `{}` has no place in the plan", layer.name))
    }

    fn lookup(&self, layer: &Arc<Layer>) -> Option<u32> {
        match layer.body {
            Body::Tasks(_) => self.by_address.get(&(Arc::as_ptr(layer) as usize)).copied(),
            _ => self.by_name.get(&layer.name).copied(),
        }
    }

    fn add(&mut self, layer: Arc<Layer>) -> Result<()> {
        let parents = layer
            .parents
            .iter()
            .map(|p| self.lookup(p).ok_or_else(|| err!(Internal, "the layer `{}` comes before its parent", layer.name)))
            .collect::<Result<Vec<u32>>>()?;
        let len = layer.len();
        let numbers = if len > LARGE.min(self.room.tasks()) {
            Numbers::Sparse(FxHashMap::default())
        } else {
            Numbers::Dense(vec![NONE; len])
        };
        let bytes = layer.blocks.as_ref().map_or(0, |(dtype, chunks)| chunks.largest() * dtype.size());
        let mut known = Known {
            layer: layer.clone(),
            parents,
            numbers,
            code: NONE,
            rules: Vec::new(),
            compiled: SmallVec::new(),
            unlike: 0,
            bytes,
        };
        if let Body::Blockwise { inputs, task } = &layer.body {
            known.rules = inputs.iter().map(|input| self.rule(&known, input)).collect::<Result<_>>()?;
            known.code = self.code(&layer, task)?;
        }
        let id = self.layers.len() as u32;
        match layer.body {
            Body::Tasks(_) => self.by_address.insert(Arc::as_ptr(&layer) as usize, id),
            _ => self.by_name.insert(layer.name.clone(), id),
        };
        self.layers.push(known);
        Ok(())
    }

    /// The code of a layer whose tasks are all alike; that of an earlier layer where it is the same call. A loop makes
    /// thousands of small layers: code of their own for each is memory that no cache holds.
    fn code(&mut self, layer: &Arc<Layer>, task: &Task) -> Result<u32> {
        let same = |known: &&(Arc<Layer>, u32)| matches!(&known.0.body, Body::Blockwise { task: other, .. } if task == other && task.is_written_with(other));
        if let Some((_, code)) = self.recent.iter().rev().find(same) {
            return Ok(*code);
        }
        let code = task::compile(task, &mut LayerNames { host: self.host, heads: &mut self.heads })?;
        // One program for all blocks: it pays even for a single call.
        let code = fused::fuse(code, 1);
        let number = self.codes.len() as u32;
        // A fused nest goes by the shapes that it saw first, which are a layer's own.
        if code.is_plain_call() {
            if self.recent.len() == RECENT_CODES {
                self.recent.pop_front();
            }
            self.recent.push_back((layer.clone(), number));
        }
        self.codes.push(code);
        Ok(number)
    }

    fn rule(&self, known: &Known, input: &crate::data::Input) -> Result<Rule> {
        let broken = || err!(Internal, "the layer `{}` takes a block that its parent does not have", known.layer.name);
        let parent = *known.parents.get(input.parent).ok_or_else(broken)?;
        let grid = &self.layers[parent as usize].layer.grid;
        if grid.len() != input.at.0.len() || matches!(self.layers[parent as usize].layer.body, Body::Tasks(_)) {
            return Err(broken());
        }
        let mut rule = Rule { parent, base: 0, steps: SmallVec::new() };
        let mut step = 1usize;
        for (axis, &blocks) in input.at.0.iter().zip(grid).rev() {
            match *axis {
                crate::data::Axis::Block(b) if (b as usize) < blocks => rule.base += (b as usize * step) as u32,
                crate::data::Axis::Axis(a) if known.layer.grid.get(a as usize).is_some_and(|&n| n <= blocks) => {
                    rule.steps.push((a, step as u32));
                }
                _ => return Err(broken()),
            }
            step *= blocks;
        }
        position_of(step.saturating_sub(1))?;
        Ok(rule)
    }

    /// The number of a task, a new one when it is seen for the first time.
    fn number(&mut self, layer: u32, at: u32) -> Result<u32> {
        let next = self.tasks.len() as u32;
        if next >= MOST_TASKS {
            return Err(err!(Limit, "the graph has more than {MOST_TASKS} tasks"));
        }
        let known = &mut self.layers[layer as usize];
        let number = match &mut known.numbers {
            Numbers::Dense(all) => &mut all[at as usize],
            Numbers::Sparse(some) => some.entry(at).or_insert(NONE),
        };
        if *number == NONE {
            if next as usize >= self.room.tasks() {
                return Err(self.room.exceeded(self.all));
            }
            *number = next;
            self.tasks.push(Place { layer, at, code: known.code });
        }
        Ok(*number)
    }

    /// The task of a key, in a layer or what the layer takes blocks of.
    fn find(&mut self, layer: u32, key: &Key) -> Result<Option<u32>> {
        let known = &self.layers[layer as usize];
        let at = match &known.layer.body {
            Body::Tasks(tasks) => tasks.get_index_of(key).map(|at| at as u32),
            _ if known.layer.name == key.name => task::position(&key.index, &known.layer.grid),
            _ => None,
        };
        if let Some(at) = at {
            return self.number(layer, at).map(Some);
        }
        for parent in known.parents.clone() {
            if let Some(id) = self.find(parent, key)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Writes down what a task depends on.
    fn expand(&mut self, id: u32) -> Result<()> {
        let Place { layer: from, at, .. } = self.tasks[id as usize];
        let layer = self.layers[from as usize].layer.clone();
        match &layer.body {
            Body::Blockwise { .. } => {
                let index = unravel(at as usize, &layer.grid);
                for n in 0..self.layers[from as usize].rules.len() {
                    let rule = &self.layers[from as usize].rules[n];
                    let steps = rule.steps.iter().map(|&(axis, step)| index[axis as usize] * step);
                    let (parent, at) = (rule.parent, rule.base + steps.sum::<u32>());
                    let id = self.number(parent, at)?;
                    self.dependencies.push(id);
                }
            }
            Body::PerBlock(make) => {
                let (blocks, task) = make(&unravel(at as usize, &layer.grid));
                for block in &blocks {
                    let parent = self.layers[from as usize].parents.get(block.parent).copied();
                    let place = parent.and_then(|p| {
                        let layer = &self.layers[p as usize].layer;
                        task::position(&block.index, &layer.grid).map(|at| (p, at))
                    });
                    let Some((parent, at)) = place else {
                        return Err(err!(
                            Internal,
                            "the layer `{}` takes a block that its parent does not have: {:?}",
                            layer.name,
                            block.index
                        )
                        .at(layer.span));
                    };
                    let id = self.number(parent, at)?;
                    self.dependencies.push(id);
                }
                let compiled = &self.layers[from as usize].compiled;
                if let Some((_, code)) = compiled.iter().find(|(known, _)| *known == task) {
                    self.tasks[id as usize].code = *code;
                } else if self.layers[from as usize].unlike < UNLIKE_TASKS {
                    self.layers[from as usize].unlike += 1;
                    let code = task::compile(&task, &mut LayerNames { host: self.host, heads: &mut self.heads })?;
                    self.own_code(id, fused::fuse(code, 2));
                    let code = self.tasks[id as usize].code;
                    let compiled = &mut self.layers[from as usize].compiled;
                    compiled.truncate(KNOWN_TASKS - 1);
                    compiled.insert(0, (task, code));
                }
            }
            Body::Tasks(tasks) => {
                if let Some((_, task)) = tasks.get_index(at as usize) {
                    let code = task::compile(task, &mut HandNames { builder: self, layer: from })?;
                    self.own_code(id, code);
                }
            }
        }
        self.dependencies.end_list();
        Ok(())
    }

    fn own_code(&mut self, id: u32, code: Code) {
        self.tasks[id as usize].code = self.codes.len() as u32;
        self.codes.push(code);
    }

    fn finish(self, wanted: Vec<Vec<u32>>) -> Result<Plan> {
        let dependents = self.dependencies.reversed();
        // Where tasks are worth it, time goes into a better order.
        let bytes = |task: u32| self.layers[self.tasks[task as usize].layer as usize].bytes;
        let all: usize = (0..self.tasks.len() as u32).map(bytes).fold(0, usize::saturating_add);
        let worth = all / self.tasks.len().max(1) >= WORTH;
        let ordered = order::with_followers(&self.dependencies, &dependents, &bytes, |before, after| {
            if worth {
                let work = (STEPS + STEPS_A_TASK * before.len()).min(order::WORK);
                order::best_order(before, after, work)
            } else {
                order::order(before, after)
            }
        });
        let Some(order) = ordered else { return Err(self.cycle_error()) };
        let mut rank = vec![0; order.len()];
        for (at, &task) in order.iter().enumerate() {
            rank[task as usize] = at as u32;
        }
        let dependencies = self.dependencies.permuted(&order, &rank);
        let dependents = dependencies.reversed();
        let roots = (0..order.len() as u32).filter(|&t| dependencies.get(t).is_empty()).collect();
        Ok(Plan {
            tasks: order.iter().map(|&t| self.tasks[t as usize]).collect(),
            codes: self.codes,
            layers: self.layers.into_iter().map(|k| k.layer).collect(),
            dependencies,
            dependents,
            roots,
            wanted: wanted.into_iter().map(|ids| ids.into_iter().map(|t| rank[t as usize]).collect()).collect(),
        })
    }

    fn cycle_error(&self) -> Error {
        let tasks: Vec<(Key, Task)> = self
            .tasks
            .iter()
            .map(|place| {
                let layer = &self.layers[place.layer as usize].layer;
                let task = match &layer.body {
                    Body::Tasks(tasks) => tasks.get_index(place.at as usize).map(|(_, t)| t.clone()),
                    _ => None,
                };
                (key_of(layer, place.at), task.unwrap_or_else(|| Task::list(vec![])))
            })
            .collect();
        cycle::error(&tasks, &self.dependencies)
    }
}

fn position_of(at: usize) -> Result<u32> {
    u32::try_from(at).ok().filter(|&at| at != NONE).ok_or_else(|| err!(Limit, "an array has more than {NONE} blocks"))
}

/// The error of a key that is not in a graph, with the nearest one that is.
pub fn no_such_key(layers: &[Arc<Layer>], key: &Key) -> Error {
    let mut names: Vec<Str> = Vec::new();
    for layer in Graph::of(layers).layers {
        match &layer.body {
            Body::Tasks(tasks) => names.extend(tasks.keys().map(|k| k.name.clone())),
            _ => names.push(layer.name.clone()),
        }
    }
    let error = err!(Index, "the graph has no key `{key}`");
    match suggest::nearest(&key.name, names.iter().map(Str::as_str)) {
        Some(near) if near != key.name => error.help(format!("did you mean `{near}`?")),
        _ => error,
    }
}

fn is_op(host: &dyn Host, function: &Arc<Function>) -> bool {
    host.op(&function.name).is_some_and(|op| Arc::ptr_eq(&op, function))
}

/// In tasks of layers heads are ops, whatever the user has bound their names to, and nothing else is a name.
struct LayerNames<'a> {
    host: &'a dyn Host,
    heads: &'a mut FxHashMap<Str, Arc<Function>>,
}

impl Names for LayerNames<'_> {
    fn head(&mut self, key: &Key, span: Span) -> Result<Value> {
        if let Some(function) = self.heads.get(&key.name) {
            return Ok(Value::Function(function.clone()));
        }
        let Some(function) = self.host.op(&key.name) else {
            return Err(err!(Internal, "a layer calls `{key}`, which is not an op").at(span));
        };
        self.heads.insert(key.name.clone(), function.clone());
        Ok(Value::Function(function))
    }

    fn form(&mut self, _task: &Task, _head: &Key) -> Result<Option<Code>> {
        Ok(None)
    }

    fn is_op(&self, function: &Arc<Function>) -> bool {
        is_op(self.host, function)
    }

    fn key(&mut self, key: &Key, span: Span) -> Result<Code> {
        self.head(key, span).map(Code::Const)
    }
}

/// Where the head of a call stands.
fn head_span(task: &Task) -> Span {
    match &task.form {
        Form::Call(items) => items.first().map_or(task.span, |head| head.span),
        _ => task.span,
    }
}

/// In hand-made tasks a name is a key of the graph, or else what it is bound to globally; heads are functions.
struct HandNames<'b, 'a> {
    builder: &'b mut Builder<'a>,
    layer: u32,
}

impl HandNames<'_, '_> {
    fn global(&self, key: &Key, span: Span) -> Result<Value> {
        let value = if key.index.is_empty() { self.builder.host.global(&key.name, span) } else { None };
        value.ok_or_else(|| {
            let layer = &self.builder.layers[self.layer as usize].layer;
            let error = err!(Unbound, "`{key}` is neither a key of the graph nor bound to anything")
                .label(span, "nothing by this name is in scope");
            match no_such_key(std::slice::from_ref(layer), key).help_lines().first() {
                Some(help) => error.help(help.clone()),
                None => error,
            }
        })
    }
}

impl HandNames<'_, '_> {
    /// The place of a key's result among what the task depends on; `None` where the graph has no such key.
    fn input(&mut self, key: &Key) -> Result<Option<Code>> {
        let Some(id) = self.builder.find(self.layer, key)? else { return Ok(None) };
        let inputs = self.builder.dependencies.open_list();
        let count = inputs.len();
        let known = match count < FEW_INPUTS {
            true => inputs.iter().position(|&d| d == id).map(|n| n as u32),
            false => self.builder.inputs.get(&id).copied(),
        };
        if known.is_none() {
            if count + 1 == FEW_INPUTS {
                self.builder.inputs = inputs.iter().copied().zip(0..).collect();
            }
            if count + 1 >= FEW_INPUTS {
                self.builder.inputs.insert(id, count as u32);
            }
            self.builder.dependencies.push(id);
        }
        Ok(Some(Code::Input { n: known.unwrap_or(count as u32), last: false }))
    }
}

impl Names for HandNames<'_, '_> {
    fn head(&mut self, key: &Key, span: Span) -> Result<Value> {
        self.global(key, span)
    }

    /// The form becomes a function of the keys in it: `(if x 1 2)` is `((fn [x] (if x 1 2)) x)`.
    fn form(&mut self, task: &Task, head: &Key) -> Result<Option<Code>> {
        let host = self.builder.host;
        if !head.index.is_empty() || !host.is_syntax(&head.name, head_span(task)) {
            return Ok(None);
        }
        let mut codes: Vec<Code> = Vec::new();
        let mut failure = None;
        let function = by_hand::as_function(task, &mut |key| match self.input(key) {
            Ok(Some(code)) => {
                codes.push(code);
                true
            }
            Ok(None) => false,
            Err(error) => {
                failure = Some(error);
                false
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let callee = Code::Const(host.eval(&function)?);
        Ok(Some(Code::Apply(std::iter::once(callee).chain(codes).collect(), task.span)))
    }

    fn is_op(&self, function: &Arc<Function>) -> bool {
        is_op(self.builder.host, function)
    }

    fn key(&mut self, key: &Key, span: Span) -> Result<Code> {
        match self.input(key)? {
            Some(code) => Ok(code),
            None => self.global(key, span).map(Code::Const),
        }
    }
}
