//! The making of a plan: outputs first, then what they take blocks of, until nothing new is met.

use super::names::{HandNames, LayerNames};
use super::{Place, Plan, Room, Want, key_of, no_such_key};
use crate::data::graph::unravel;
use crate::data::{Axis, Body, Function, Graph, Host, Input, Key, Layer, Str, Task};
use crate::err;
use crate::optimize::{Lists, cycle, order};
use crate::schedule::fused;
use crate::schedule::task::{self, Code};
use crate::text::{Error, Result};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

const NONE: u32 = u32::MAX;

/// The numbers above have meanings of their own.
const MOST_TASKS: u32 = u32::MAX - 16;

/// From the position of a block to the number of its task.
enum Numbers {
    Dense(Vec<u32>),
    /// For layers so large that touching every entry would cost more than what is needed of them.
    Sparse(FxHashMap<u32, u32>),
}

/// Blocks of a layer from which on its numbers are sparse.
const LARGE: usize = 1 << 24;

/// Bytes that a task makes, on average, from which on it takes much longer to run than to order well.
const WORTH: usize = 1 << 20;
/// What is put into a better order then: some milliseconds, and some ten microseconds a task.
const STEPS: usize = 100_000;
const STEPS_A_TASK: usize = 500;

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
    /// The first layer that makes the same of the same blocks.
    like: u32,
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

pub(super) struct Builder<'a> {
    pub host: &'a dyn Host,
    room: Room<'a>,
    /// Tasks of all layers, needed or not.
    all: usize,
    /// Bytes of their blocks.
    bytes: usize,
    layers: Vec<Known>,
    by_name: FxHashMap<Str, u32>,
    /// Hand-made graphs have no names of their own.
    by_address: FxHashMap<usize, u32>,
    heads: FxHashMap<Str, Arc<Function>>,
    tasks: Vec<Place>,
    codes: Vec<Code>,
    /// Layers whose codes later layers may share, and these.
    recent: VecDeque<(u32, u32)>,
    dependencies: Lists,
    /// Where each input stands of the hand-made task at hand, if it has more than a few.
    inputs: FxHashMap<u32, u32>,
}

impl<'a> Builder<'a> {
    pub fn new(host: &'a dyn Host, room: Room<'a>) -> Self {
        Builder {
            host,
            room,
            all: 0,
            bytes: 0,
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

    pub fn plan(mut self, wants: &[Want]) -> Result<Plan> {
        self.check_size(wants)?;
        let wanted = wants.iter().map(|want| self.want(want)).collect::<Result<Vec<_>>>()?;
        let mut done = 0;
        while done < self.tasks.len() {
            self.room.check(done)?;
            self.expand(done as u32)?;
            done += 1;
        }
        self.room.check(0)?;
        self.finish(wanted)
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
        // The graph is not all there for who is no longer wanted.
        self.room.check(0)?;
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
        let id = self.layers.len() as u32;
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
            like: id,
            rules: Vec::new(),
            compiled: SmallVec::new(),
            unlike: 0,
            bytes,
        };
        if let Body::Blockwise { inputs, task } = &layer.body {
            known.rules = inputs.iter().map(|input| self.rule(&known, input)).collect::<Result<_>>()?;
            self.compile(&mut known, inputs, task)?;
        }
        match layer.body {
            Body::Tasks(_) => self.by_address.insert(Arc::as_ptr(&layer) as usize, id),
            _ => self.by_name.insert(layer.name.clone(), id),
        };
        let blocks = layer.blocks.as_ref();
        let bytes =
            blocks.map_or(0, |(dtype, chunks)| chunks.shape().iter().product::<usize>().saturating_mul(dtype.size()));
        self.bytes = self.bytes.saturating_add(bytes);
        self.layers.push(known);
        Ok(())
    }

    /// Gives a layer whose tasks are all alike its code: that of an earlier layer where it is the same call. A loop makes
    /// thousands of small layers: code of their own for each is memory that no cache holds.
    fn compile(&mut self, known: &mut Known, inputs: &[Input], task: &Task) -> Result<()> {
        let blocks = |layer: u32| &self.layers[layer as usize].layer.blocks;
        for &(other, code) in self.recent.iter().rev() {
            let other = &self.layers[other as usize];
            let Body::Blockwise { inputs: others, task: same } = &other.layer.body else { continue };
            if task != same || !task.is_written_with(same) {
                continue;
            }
            known.code = code;
            let mut parents = known.parents.iter().zip(&other.parents);
            if inputs == others
                && known.layer.blocks == other.layer.blocks
                && parents.all(|(&parent, &other)| blocks(parent) == blocks(other))
            {
                known.like = other.like;
                return Ok(());
            }
        }
        let mut is_plain = true;
        if known.code == NONE {
            let code = task::compile(task, &mut LayerNames { host: self.host, heads: &mut self.heads })?;
            // One program for all blocks: it pays even for a single call.
            let code = fused::fuse(code, 1, self.host);
            known.code = self.codes.len() as u32;
            // A fused nest goes by the shapes that it saw first, which are a layer's own.
            is_plain = code.is_plain_call();
            self.codes.push(code);
        }
        if is_plain {
            if self.recent.len() == RECENT_CODES {
                self.recent.pop_front();
            }
            self.recent.push_back((known.like, known.code));
        }
        Ok(())
    }

    fn rule(&self, known: &Known, input: &Input) -> Result<Rule> {
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
                Axis::Block(b) if (b as usize) < blocks => rule.base += (b as usize * step) as u32,
                Axis::Axis(a) if known.layer.grid.get(a as usize).is_some_and(|&n| n <= blocks) => {
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

    pub fn layer_of(&self, number: u32) -> &Arc<Layer> {
        &self.layers[number as usize].layer
    }

    /// The task of a key, in a layer or what the layer takes blocks of.
    pub fn find(&mut self, layer: u32, key: &Key) -> Result<Option<u32>> {
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
                    self.own_code(id, fused::fuse(code, 2, self.host));
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

    /// The place of a result among what the hand-made task at hand depends on.
    pub fn input(&mut self, id: u32) -> u32 {
        let inputs = self.dependencies.open_list();
        let count = inputs.len();
        let known = match count < FEW_INPUTS {
            true => inputs.iter().position(|&d| d == id).map(|n| n as u32),
            false => self.inputs.get(&id).copied(),
        };
        if known.is_none() {
            if count + 1 == FEW_INPUTS {
                self.inputs = inputs.iter().copied().zip(0..).collect();
            }
            if count + 1 >= FEW_INPUTS {
                self.inputs.insert(id, count as u32);
            }
            self.dependencies.push(id);
        }
        known.unwrap_or(count as u32)
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
            like: self.layers.iter().map(|known| known.like).collect(),
            bytes: self.bytes,
            layers: self.layers.into_iter().map(|known| known.layer).collect(),
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
