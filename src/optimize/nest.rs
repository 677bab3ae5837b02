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

use crate::data::task::IndexFn;
use crate::data::{At, Axis, BlockRef, Body, Cost, Form, Graph, Input, Layer, Parts, Task};
use smallvec::SmallVec;
use std::sync::Arc;

/// A graph whose layers are numbered, with edges both ways.
pub struct Edges {
    pub parents: Vec<Vec<usize>>,
    pub consumers: Vec<Vec<usize>>,
}

impl Edges {
    pub fn of(graph: &Graph) -> Edges {
        let mut at = rustc_hash::FxHashMap::default();
        let mut edges = Edges { parents: Vec::new(), consumers: vec![Vec::new(); graph.layers.len()] };
        for (n, layer) in graph.layers.iter().enumerate() {
            let parents: Vec<usize> = layer.parents.iter().filter_map(|p| at.get(&address(p)).copied()).collect();
            for &p in &parents {
                if !edges.consumers[p].contains(&n) {
                    edges.consumers[p].push(n);
                }
            }
            edges.parents.push(parents);
            at.insert(address(layer), n);
        }
        edges
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
    /// How each consumer of the n-th layer uses it.
    pub fn of_all(graph: &Graph, edges: &Edges, n: usize) -> Vec<Uses> {
        let of = |&c: &usize| {
            let is_parent = |p: usize| edges.parents[c].get(p) == Some(&n);
            Uses::of(&graph.layers[c], &graph.layers[n], &is_parent)
        };
        edges.consumers[n].iter().map(of).collect()
    }

    /// How `layer` uses its parents at the positions `parent` (one layer, which it may have under several positions).
    pub fn of(layer: &Layer, parent: &Layer, is_parent: &dyn Fn(usize) -> bool) -> Uses {
        let (tasks, blocks) = (layer.len(), parent.len().max(1));
        let spread = |per_task: usize| per_task as f64 * tasks as f64 / blocks as f64;
        match &layer.body {
            Body::Blockwise { inputs, task } => {
                let mut named = vec![0; inputs.len()];
                task.walk(&mut |t| {
                    if let Form::Input(n) = t.form {
                        named[n as usize] += 1;
                    }
                });
                let ours = || inputs.iter().zip(&named).filter(|(i, _)| is_parent(i.parent));
                let per_task = ours().map(|(_, n)| n).sum();
                let once = per_task <= 1 && ours().all(|(input, _)| is_injective(&input.at, &layer.grid));
                let held = ours().map(|(input, _)| held(&input.at, &layer.grid)).fold(0, usize::saturating_add);
                Uses { per_task, per_block: spread(per_task), once, held }
            }
            Body::PerBlock(make) => {
                let refs = |index: &[u32]| {
                    let (blocks, task) = make(index);
                    let mut found: SmallVec<[u64; 4]> = SmallVec::new();
                    task.walk(&mut |t| {
                        if let Form::Input(n) = t.form
                            && let Some(block) = blocks.get(n as usize).filter(|b| is_parent(b.parent))
                        {
                            found.push(crate::data::graph::ravel(&block.index, &parent.grid) as u64);
                        }
                    });
                    found
                };
                let step = (tasks / SAMPLES).max(1);
                let sample = |n: usize| refs(&crate::data::graph::unravel(n, &layer.grid)).len();
                let counts: Vec<usize> = (0..tasks).step_by(step).map(sample).collect();
                let most = counts.iter().copied().max().unwrap_or(0);
                let mean = counts.iter().sum::<usize>() as f64 / counts.len().max(1) as f64;
                let mut seen = rustc_hash::FxHashSet::default();
                let once = most <= 1 && layer.indices().all(|index| refs(&index).into_iter().all(|b| seen.insert(b)));
                Uses { per_task: most, per_block: mean * tasks as f64 / blocks as f64, once, held: usize::MAX }
            }
            Body::Tasks(_) => Uses { per_task: usize::MAX, per_block: f64::INFINITY, once: false, held: usize::MAX },
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
/// the layer as it is by then. A layer of `Body::Tasks` neither dissolves nor takes anything in.
pub fn dissolve(graph: &Graph, dissolves: &mut dyn FnMut(usize, &Layer) -> bool) -> Graph {
    let edges = Edges::of(graph);
    let mut now: Vec<Arc<Layer>> = Vec::with_capacity(graph.layers.len());
    let mut gone = vec![false; graph.layers.len()];
    for (n, layer) in graph.layers.iter().enumerate() {
        let parents: Vec<Parent> = edges.parents[n]
            .iter()
            .map(|&p| if gone[p] { Parent::Dissolved(&now[p]) } else { Parent::Kept(&now[p]) })
            .collect();
        let changed = parents.iter().zip(&layer.parents).any(|(p, old)| match p {
            Parent::Dissolved(_) => true,
            Parent::Kept(new) => !Arc::ptr_eq(new, old),
        });
        now.push(if changed { Arc::new(rewrite(layer, &parents)) } else { layer.clone() });
        gone[n] = !matches!(layer.body, Body::Tasks(_)) && dissolves(n, &now[n]);
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
    let mut cost = layer.cost;
    let routes: Vec<Route> = parents
        .iter()
        .map(|parent| match parent {
            Parent::Kept(p) => Route::Direct(place(p)),
            Parent::Dissolved(p) => {
                cost = dearer(cost, p.cost);
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
            Form::Input(n) => Form::Input(places(*n as usize) as u32),
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
