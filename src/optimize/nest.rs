//! Nesting one layer's tasks in another's: what inlining and fusing have in common.
//!
//! ```text
//! double [4]  (double 0)            place 0 is block [i] of x
//! add [4]     (add 0 1)             places 0 and 1 are blocks [i] and [0] of double
//! ```
//!
//! with `double` dissolved into it, `add` is `(add (double 0) (double 1))`, whose places are blocks [i] and [0] of `x`. Between layers
//! of one pattern this composes rules and costs nothing per block; otherwise each block's task is put together when the
//! plan asks for it.

use super::MOST_CALLS;
use crate::data::cancel::cancelled;
use crate::data::graph::{PerBlock, ravel, unravel};
use crate::data::task::IndexFn;
use crate::data::{At, Axis, BlockRef, Body, Cost, Form, Graph, Input, Layer, Parts, Task};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::Arc;

/// A graph whose layers are numbered, with edges both ways.
pub struct Edges {
    pub parents: Vec<Vec<usize>>,
    pub consumers: Vec<Vec<usize>>,
    /// For layers that were asked for: how they use each of their parents.
    uses: RefCell<FxHashMap<usize, FxHashMap<usize, Uses>>>,
}

impl Edges {
    /// Of the graph that a pass is given; none for who is no longer wanted.
    pub fn of(graph: &Graph) -> Edges {
        let mut places = Places::default();
        let consumers = vec![Vec::new(); graph.layers.len()];
        let mut edges = Edges { parents: Vec::new(), consumers, uses: RefCell::default() };
        for (n, layer) in graph.layers.iter().enumerate() {
            let parents = layer.parents.iter().filter(|_| !cancelled());
            let parents: Vec<usize> = parents.filter_map(|p| places.of(p, &graph.layers[..n])).collect();
            for &p in &parents {
                if !edges.consumers[p].contains(&n) {
                    edges.consumers[p].push(n);
                }
            }
            edges.parents.push(parents);
            places.by_pointer.insert(Arc::as_ptr(layer), n);
        }
        edges
    }

    /// How the layer `c` of the graph uses its parent `n`.
    pub fn uses(&self, graph: &Graph, n: usize, c: usize) -> Uses {
        let mut known = self.uses.borrow_mut();
        // All parents at once: going through a layer's tasks for each of thousands takes too long.
        let uses = known.entry(c).or_insert_with(|| Uses::of(graph, &graph.layers[c], &self.parents[c]));
        uses.get(&n).copied().unwrap_or(Uses::NONE)
    }

    /// How each consumer of the n-th layer uses it.
    pub fn all_uses(&self, graph: &Graph, n: usize) -> Vec<Uses> {
        self.consumers[n].iter().map(|&c| self.uses(graph, n, c)).collect()
    }
}

/// Where the layers of a graph are. Looking them up by name would take the longer part of a pass over many small ones.
#[derive(Default)]
struct Places<'g> {
    by_pointer: FxHashMap<*const Layer, usize>,
    /// Of the first so many layers, as far as somebody had to ask.
    by_name: FxHashMap<Address<'g>, usize>,
    named: usize,
}

impl<'g> Places<'g> {
    /// The place of a layer, or of the one of its name, among `layers`.
    fn of(&mut self, layer: &'g Arc<Layer>, layers: &'g [Arc<Layer>]) -> Option<usize> {
        if let Some(&at) = self.by_pointer.get(&Arc::as_ptr(layer)) {
            return Some(at);
        }
        for (at, layer) in layers.iter().enumerate().skip(self.named) {
            self.by_name.insert(address(layer), at);
        }
        self.named = layers.len();
        self.by_name.get(&address(layer)).copied()
    }
}

/// What identifies a layer: its name, or where it lies if it is hand-made.
#[derive(PartialEq, Eq, Hash)]
enum Address<'a> {
    Name(&'a str),
    Place(*const Layer),
}

fn address(layer: &Arc<Layer>) -> Address<'_> {
    match layer.body {
        Body::Tasks(_) => Address::Place(Arc::as_ptr(layer)),
        _ => Address::Name(&layer.name),
    }
}

/// How the tasks of one layer use the blocks of a parent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Uses {
    /// Blocks of the parent that a task takes, counting one that it names twice as two; the most among the tasks looked at.
    pub per_task: usize,
    /// Tasks that use one block of the parent, on average.
    pub per_block: f64,
    /// No block of the parent is used twice.
    pub once: bool,
    /// Blocks of the parent that are held at once if each stays from its first use to its last, the tasks running in the
    /// order of their indices; `usize::MAX` where there is no pattern to tell.
    pub held: usize,
}

impl Uses {
    const NONE: Uses = Uses { per_task: 0, per_block: 0.0, once: true, held: 0 };

    /// How a layer uses its parents, by their numbers in the graph: `parents` has that of each.
    fn of(graph: &Graph, layer: &Layer, parents: &[usize]) -> FxHashMap<usize, Uses> {
        let blocks = |parent: usize| graph.layers[parent].len().max(1) as f64;
        let mut tallies: FxHashMap<usize, Tally> = FxHashMap::default();
        match &layer.body {
            Body::Blockwise { inputs, task } => {
                let mut named = vec![0; inputs.len()];
                task.walk(&mut |t| {
                    if let Form::Input(n) = t.form {
                        named[n as usize] += 1;
                    }
                });
                for (input, named) in inputs.iter().zip(named) {
                    let Some(&parent) = parents.get(input.parent) else { continue };
                    let tally = tallies.entry(parent).or_default();
                    tally.per_task += named;
                    tally.again |= !is_injective(&input.at, &layer.grid);
                    tally.held = tally.held.saturating_add(held(&input.at, &layer.grid));
                }
                tallies.values_mut().for_each(|tally| tally.taken = (tally.per_task * layer.len()) as f64);
            }
            Body::PerBlock(make) => {
                let step = (layer.len() / SAMPLES).max(1);
                let samples = (0..layer.len()).step_by(step).map(|n| unravel(n, &layer.grid));
                let scale = layer.len() as f64 / layer.len().div_ceil(step).max(1) as f64;
                let all = |_: usize| true;
                tally(graph, parents, &**make, samples, &all, &mut tallies);
                tallies.values_mut().for_each(|tally| tally.taken *= scale);
                // Where a task takes one block at most, it matters whether all of them do.
                let takes_many = |parent| tallies.get(&parent).is_some_and(|tally| tally.per_task > 1);
                let few: FxHashSet<usize> = parents.iter().copied().filter(|&parent| !takes_many(parent)).collect();
                few.iter().for_each(|parent| drop(tallies.remove(parent)));
                if !few.is_empty() {
                    tally(graph, parents, &**make, layer.indices(), &|parent| few.contains(&parent), &mut tallies);
                }
                tallies.values_mut().for_each(|tally| tally.held = usize::MAX);
            }
            Body::Tasks(_) => {
                let unknown = |&n: &usize| {
                    (n, Uses { per_task: usize::MAX, per_block: f64::INFINITY, once: false, held: usize::MAX })
                };
                return parents.iter().map(unknown).collect();
            }
        }
        let uses = |&parent: &usize| {
            let tally = tallies.remove(&parent).unwrap_or_default();
            let once = tally.per_task <= 1 && !tally.again;
            let per_block = tally.taken / blocks(parent);
            (parent, Uses { per_task: tally.per_task, per_block, once, held: tally.held })
        };
        let distinct: FxHashSet<usize> = parents.iter().copied().collect();
        distinct.iter().map(uses).collect()
    }
}

/// How a layer uses one parent, as it is being counted.
#[derive(Default)]
struct Tally {
    /// The most blocks that a task takes.
    per_task: usize,
    /// Blocks that all tasks take.
    taken: f64,
    /// Some block is taken by several tasks.
    again: bool,
    held: usize,
    /// A bit for each block that was taken.
    seen: Vec<u64>,
}

/// Counts what the tasks of some blocks take, of parents that are `counted`.
fn tally(
    graph: &Graph,
    parents: &[usize],
    make: &PerBlock,
    indices: impl Iterator<Item = SmallVec<[u32; 4]>>,
    counted: &dyn Fn(usize) -> bool,
    tallies: &mut FxHashMap<usize, Tally>,
) {
    for index in indices {
        if cancelled() {
            return;
        }
        let (blocks, task) = make(&index);
        let mut taken: SmallVec<[(usize, usize); 8]> = SmallVec::new();
        task.walk(&mut |t| {
            if let Form::Input(n) = t.form
                && let Some(block) = blocks.get(n as usize)
                && let Some(&parent) = parents.get(block.parent).filter(|&&parent| counted(parent))
            {
                taken.push((parent, ravel(&block.index, &graph.layers[parent].grid)));
            }
        });
        taken.sort_unstable();
        for of_parent in taken.chunk_by(|a, b| a.0 == b.0) {
            let parent = of_parent[0].0;
            let tally = tallies.entry(parent).or_default();
            tally.per_task = tally.per_task.max(of_parent.len());
            tally.taken += of_parent.len() as f64;
            tally.seen.resize(graph.layers[parent].len().div_ceil(64), 0);
            for &(_, block) in of_parent {
                let (word, bit) = (&mut tally.seen[block / 64], 1 << (block % 64));
                tally.again |= *word & bit != 0;
                *word |= bit;
            }
        }
    }
}

/// Tasks of a layer looked at to tell how the layer uses its parents.
const SAMPLES: usize = 8;

/// Whether different blocks of a grid take different blocks by this rule.
fn is_injective(at: &At, grid: &[usize]) -> bool {
    first_reuse(at, grid).is_none()
}

/// The slowest axis of a grid along which this rule takes the same blocks again.
fn first_reuse(at: &At, grid: &[usize]) -> Option<usize> {
    (0..grid.len()).find(|&axis| grid[axis] > 1 && !at.0.contains(&Axis::Axis(axis as u8)))
}

/// Blocks that this rule takes while one round of the axis goes by along which it takes them again: in the product of
/// `[k i]` and `[k j]` over a grid of `[i j]`, one `[k i]` for a round of `j`, but as many `[k j]` as there are `j` for
/// one of `i`.
fn held(at: &At, grid: &[usize]) -> usize {
    let taken = |axis: &usize| at.0.contains(&Axis::Axis(*axis as u8));
    first_reuse(at, grid).map_or(1, |first| (first..grid.len()).filter(taken).map(|axis| grid[axis]).product())
}

/// Whether the blocks of one layer are known to take much less memory than those of another.
pub fn is_much_smaller(layer: &Layer, than: &Layer) -> bool {
    let bytes = |layer: &Layer| layer.blocks.as_ref().map(|(dtype, chunks)| chunks.largest() * dtype.size());
    matches!((bytes(layer), bytes(than)), (Some(small), Some(large)) if small <= large / 4)
}

/// Calls in one task of a layer.
pub fn calls(layer: &Layer) -> usize {
    let count = |task: &Task| {
        let mut calls = 0;
        task.walk(&mut |t| calls += usize::from(matches!(t.form, Form::Call(_))));
        calls
    };
    match &layer.body {
        Body::Blockwise { task, .. } => count(task),
        Body::PerBlock(_) if layer.is_empty() => 0,
        Body::PerBlock(make) => count(&make(&SmallVec::<[u32; 4]>::from_elem(0, layer.grid.len())).1),
        Body::Tasks(_) => usize::MAX,
    }
}

/// A graph in which the layers that `dissolves` picks have gone into those that use them. It is asked parents first, with
/// the layer as it is by then, unless many have gone into it already. A layer of `Body::Tasks` neither dissolves nor takes anything in. Who is no longer wanted
/// answers the graph as it was.
pub fn dissolve(graph: &Graph, edges: &Edges, dissolves: &mut dyn FnMut(usize, &Layer) -> bool) -> Graph {
    let mut now: Vec<Arc<Layer>> = Vec::with_capacity(graph.layers.len());
    let mut gone = vec![false; graph.layers.len()];
    for (n, layer) in graph.layers.iter().enumerate() {
        if cancelled() {
            return graph.clone();
        }
        let parents: Vec<Parent> = edges.parents[n]
            .iter()
            .map(|&p| if gone[p] { Parent::Dissolved(&now[p]) } else { Parent::Kept(&now[p]) })
            .collect();
        let changed = parents.iter().zip(&layer.parents).any(|(p, old)| match p {
            Parent::Dissolved(_) => true,
            Parent::Kept(new) => !Arc::ptr_eq(new, old),
        });
        now.push(if changed { Arc::new(rewrite(layer, &parents)) } else { layer.clone() });
        gone[n] = !matches!(layer.body, Body::Tasks(_)) && now[n].nested < MOST_CALLS && dissolves(n, &now[n]);
    }
    let kept = now.into_iter().zip(gone).filter(|(_, gone)| !gone);
    Graph { layers: kept.map(|(layer, _)| layer).collect() }
}

/// What became of a parent of the layer at hand.
enum Parent<'a> {
    Kept(&'a Arc<Layer>),
    Dissolved(&'a Arc<Layer>),
}

/// Where a parent's blocks are to be found from now on.
enum Route {
    /// The parent itself is at this position among the new parents.
    Direct(usize),
    /// The parent's task stands in for its block; its own parents are at these positions.
    Through(Body, Vec<usize>),
}

fn rewrite(layer: &Layer, parents: &[Parent]) -> Layer {
    let mut new: Vec<Arc<Layer>> = Vec::new();
    let mut place = |layer: &Arc<Layer>| {
        let same = |p: &Arc<Layer>| address(p) == address(layer);
        new.iter().position(same).unwrap_or_else(|| {
            new.push(layer.clone());
            new.len() - 1
        })
    };
    let (mut cost, mut nested) = (layer.cost, 0);
    let routes: Vec<Route> = parents
        .iter()
        .map(|parent| match parent {
            Parent::Kept(p) => Route::Direct(place(p)),
            Parent::Dissolved(p) => {
                cost = dearer(cost, p.cost);
                nested = nested.max(p.nested + 1);
                Route::Through(p.body.clone(), p.parents.iter().map(&mut place).collect())
            }
        })
        .collect();
    let body = match &layer.body {
        Body::Blockwise { inputs, task } => match compose(inputs, task, &routes) {
            Some(body) => body,
            None => per_block(layer.body.clone(), routes),
        },
        body @ Body::PerBlock(_) => per_block(body.clone(), routes),
        // Keys find their tasks by name, wherever the parents stand.
        body @ Body::Tasks(_) => body.clone(),
    };
    Layer {
        name: layer.name.clone(),
        grid: layer.grid.clone(),
        body,
        parents: new,
        blocks: layer.blocks.clone(),
        cost,
        span: layer.span,
        parts: Parts::default(),
        nested: layer.nested + nested,
    }
}

fn dearer(a: Cost, b: Cost) -> Cost {
    let rank = |c: Cost| match c {
        Cost::Free => 0,
        Cost::Cheap => 1,
        Cost::Decode => 2,
        Cost::Dear => 3,
        Cost::Unknown => 4,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// One pattern out of patterns; `None` where a parent has no pattern.
fn compose(inputs: &[Input], task: &Task, routes: &[Route]) -> Option<Body> {
    let mut new: Vec<Input> = Vec::new();
    let mut place = |input: Input| {
        new.iter().position(|i| *i == input).unwrap_or_else(|| {
            new.push(input);
            new.len() - 1
        })
    };
    let mut parts = Vec::with_capacity(inputs.len());
    for input in inputs {
        parts.push(match &routes[input.parent] {
            Route::Direct(parent) => Task::input(place(Input { parent: *parent, at: input.at.clone() })),
            Route::Through(Body::Blockwise { inputs: theirs, task }, parents) => {
                let theirs: Vec<usize> = theirs
                    .iter()
                    .map(|i| place(Input { parent: parents[i.parent], at: i.at.after(&input.at) }))
                    .collect();
                moved(task, &|n| theirs[n], &input.at)
            }
            Route::Through(..) => return None,
        });
    }
    let task = task.replace(&mut |t| match t.form {
        Form::Input(n) => Some(parts[n as usize].clone()),
        _ => None,
    });
    Some(Body::Blockwise { inputs: new, task })
}

/// A task of another layer: its places renumbered, its index made from the index at hand.
fn moved(task: &Task, places: &dyn Fn(usize) -> usize, at: &At) -> Task {
    task.replace(&mut |t| {
        let form = match &t.form {
            Form::Input(n) => match places(*n as usize) as u32 {
                // What stays as it is can be shared with the other layer.
                same if same == *n => return None,
                place => Form::Input(place),
            },
            Form::Index(f) => Form::Index(IndexFn {
                function: f.function.clone(),
                at: Some(f.at.as_ref().map_or_else(|| at.clone(), |inner| inner.after(at))),
            }),
            _ => return None,
        };
        Some(Task::new(form, t.span))
    })
}

fn per_block(body: Body, routes: Vec<Route>) -> Body {
    Body::PerBlock(Arc::new(move |index| {
        let (blocks, task) = body.instance(index);
        let mut refs: Vec<BlockRef> = Vec::new();
        let mut place = |block: BlockRef| {
            // Only short lists are searched for what is there already: twice the same block does no harm.
            let known = if refs.len() <= 16 { refs.iter().position(|b| *b == block) } else { None };
            known.unwrap_or_else(|| {
                refs.push(block);
                refs.len() - 1
            })
        };
        let parts: Vec<Task> = blocks
            .into_iter()
            .map(|block| match &routes[block.parent] {
                Route::Direct(parent) => Task::input(place(BlockRef { parent: *parent, index: block.index })),
                Route::Through(body, parents) => {
                    let (theirs, task) = body.instance(&block.index);
                    let theirs: Vec<usize> = theirs
                        .into_iter()
                        .map(|b| place(BlockRef { parent: parents[b.parent], index: b.index }))
                        .collect();
                    let here = At(block.index.iter().map(|&i| Axis::Block(i)).collect());
                    moved(&task, &|n| theirs[n], &here)
                }
            })
            .collect();
        let task = task.replace(&mut |t| match t.form {
            Form::Input(n) => Some(parts[n as usize].clone()),
            _ => None,
        });
        (refs, task)
    }))
}
