//! How a run will go, as far as memory does: worked out from the static order and the loads of its tasks.
//!
//! Two runs are gone through. One worker runs the tasks in their order: what it holds at every task is the least that a run
//! can do with, and how much of it goes to disk if that is more than the limit. Several workers take the ready tasks of
//! lowest number, each at a speed of its own: what they hold at most is the bound on the run's memory. [`super::bounded`]
//! keeps a run to it.

use super::Plan;
use super::weigh::{Load, Loads, makes_lists};
use crate::data::{Host, cancel};
use crate::text::Result;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// What is to be expected of a run.
pub struct Outlook {
    pub loads: Loads,
    pub alone: Alone,
    /// Bytes that results and temporary blocks take, at most.
    pub bound: usize,
    /// Bytes that they may take.
    pub limit: usize,
    /// What every task takes is known.
    pub exact: bool,
    /// Tasks that may run at the same time.
    pub workers: usize,
    /// Bytes that workers keep for decoding and encoding.
    pub scratch: usize,
    /// More than the limit is held at once even if one worker runs the tasks in their order.
    pub spills: bool,
}

impl Outlook {
    /// For a run by so many workers. Results of layers that are `shared` may be somebody else's too.
    ///
    /// # Errors
    /// `dsk::interrupted` where nobody wants to know any more.
    pub fn of(
        host: &dyn Host,
        plan: &Plan,
        keep: &[u32],
        workers: usize,
        shared: &dyn Fn(u32) -> bool,
    ) -> Result<Outlook> {
        let loads = Loads::of(host, plan, shared, 1.0)?;
        let workers = workers.clamp(1, plan.len().max(1));
        let scratch = workers * loads.kinds().iter().map(|load| load.scratch).max().unwrap_or(0);
        let alone = Alone::of(plan, &loads, keep);
        let bound = if workers == 1 { 0 } else { together(plan, &loads, keep, workers) };
        cancel::check()?;
        let bound = bound.max(alone.peak());
        let exact = loads.kinds().iter().all(|load| load.exact);
        Ok(Outlook { loads, alone, bound, limit: usize::MAX, exact, workers, scratch, spills: false })
    }

    /// Bytes that the run takes if nothing keeps it from going on.
    pub fn wants(&self) -> usize {
        self.bound.saturating_add(self.scratch)
    }

    /// Bytes that one worker keeps for decoding and encoding.
    pub fn scratch_each(&self) -> usize {
        self.scratch / self.workers
    }

    /// The same run with so much memory, of which its tasks need `least` at a time: by fewer workers, where what they keep for
    /// decoding and encoding would leave less.
    pub fn within(mut self, memory: usize, least: usize) -> Outlook {
        let each = self.scratch_each();
        let for_workers = memory.saturating_sub(least).checked_div(each).unwrap_or(usize::MAX);
        self.workers = self.workers.min(for_workers).max(1);
        self.scratch = self.workers * each;
        let limit = memory.saturating_sub(self.scratch);
        Outlook { limit, spills: self.alone.peak() > limit, bound: self.bound.min(limit), ..self }
    }

    /// Bytes that a run is kept to: where the bound is a guess, all there is.
    pub fn room(&self) -> usize {
        if self.exact { self.bound } else { self.limit }
    }

    /// The most that a run takes that nobody watches: all results, and what each worker's task takes in passing.
    pub fn unwatched(&self, workers: usize) -> usize {
        let passing = self.loads.kinds().iter().map(Load::takes).max().unwrap_or(0).saturating_mul(workers);
        self.loads.iter().map(|load| load.result).fold(passing, usize::saturating_add)
    }
}

/// How closely a run has to be watched.
#[derive(Clone, Copy, PartialEq)]
pub enum Watch {
    /// Not at all: all results fit, and its tasks are too small to be watched one by one.
    Nothing,
    /// All that is known of it is as small, but users' functions may take more, and there are many tasks.
    Memory,
    /// Task by task.
    Tasks,
}

impl Watch {
    /// For a run by so many workers, for which there is so much memory.
    pub fn of(host: &dyn Host, plan: &Plan, workers: usize, memory: usize) -> Watch {
        let tasks = plan.len().max(1);
        if plan.bytes / tasks > SMALL_TASK || plan.bytes > memory / 2 {
            return Watch::Tasks;
        }
        let (task, exact) = Loads::glance(host, plan);
        let passing = task.saturating_mul(workers.min(tasks));
        let is_small = task <= SMALL_TASK && passing <= memory / 2
            || plan.bytes.saturating_add(passing) <= SMALL_RUN.min(memory / 2);
        // Of lists it is not known how long they are, and they are not among the blocks that are counted while a run goes on.
        let few = if plan.layers.iter().any(|layer| makes_lists(layer)) { FEW_LISTS } else { FEW_TASKS };
        match (is_small, exact) {
            (true, true) => Watch::Nothing,
            (true, false) if tasks > few => Watch::Memory,
            _ => Watch::Tasks,
        }
    }
}

/// So many tasks are watched one by one in little time.
const FEW_TASKS: usize = 5000;

/// The same of tasks that make lists, and take longer.
const FEW_LISTS: usize = 1 << 20;

/// Bytes that a task takes up to which deciding about it would cost more than it is worth.
const SMALL_TASK: usize = 16 << 10;

/// Bytes that a run takes up to which it does not matter what is held.
const SMALL_RUN: usize = 1 << 20;

/// What is held at every task when one worker runs the tasks in their order.
pub struct Alone {
    /// A tree of maxima over the tasks, from the root at 1 to the leaves.
    most: Vec<usize>,
    tasks: usize,
}

impl Alone {
    pub fn of(plan: &Plan, loads: &Loads, keep: &[u32]) -> Alone {
        let mut left = uses(plan, keep);
        let tasks = plan.len();
        let mut most = vec![0; 2 * tasks];
        let mut held = 0;
        for id in 0..tasks as u32 {
            let load = loads.get(id);
            most[tasks + id as usize] = held + load.takes();
            held += kept(loads, id, &left);
            held -= released(plan, loads, id, &mut left);
        }
        for at in (1..tasks).rev() {
            most[at] = most[2 * at].max(most[2 * at + 1]);
        }
        Alone { most, tasks }
    }

    /// The most that is held at any task from `first` to `last`.
    pub fn most(&self, first: u32, last: u32) -> usize {
        let (mut from, mut to) = (self.tasks + first as usize, self.tasks + last as usize + 1);
        let mut most = 0;
        while from < to {
            if from % 2 == 1 {
                most = most.max(self.most[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                most = most.max(self.most[to]);
            }
            (from, to) = (from / 2, to / 2);
        }
        most
    }

    pub fn peak(&self) -> usize {
        if self.tasks == 0 { 0 } else { self.most(0, self.tasks as u32 - 1) }
    }
}

fn uses(plan: &Plan, keep: &[u32]) -> Vec<usize> {
    let mut left: Vec<usize> = plan.dependents.iter().map(<[u32]>::len).collect();
    keep.iter().for_each(|&id| left[id as usize] += 1);
    left
}

/// Bytes that a task leaves behind.
fn kept(loads: &Loads, id: u32, left: &[usize]) -> usize {
    if left[id as usize] == 0 { 0 } else { loads.get(id).result }
}

/// Bytes of what a task was the last to need.
fn released(plan: &Plan, loads: &Loads, id: u32, left: &mut [usize]) -> usize {
    let mut bytes = 0;
    for &d in plan.dependencies.get(id) {
        left[d as usize] -= 1;
        bytes += if left[d as usize] == 0 { loads.get(d).result } else { 0 };
    }
    bytes
}

/// The most that so many workers hold at a time, when each takes the ready task of lowest number as soon as it is free. A task
/// takes as long as it has bytes to go through. No two workers are equally fast, so that they come to be in step and out of step:
/// had they to keep in step, who is ahead would wait.
fn together(plan: &Plan, loads: &Loads, keep: &[u32], workers: usize) -> usize {
    let mut left = uses(plan, keep);
    let mut pending: Vec<u32> = plan.dependencies.iter().map(|d| d.len() as u32).collect();
    let mut ready: BinaryHeap<Reverse<u32>> = plan.roots.iter().copied().map(Reverse).collect();
    let mut free: Vec<usize> = (0..workers).collect();
    // When a task is done, its number, and who runs it.
    let mut running: BinaryHeap<Reverse<(u64, u32, usize)>> = BinaryHeap::with_capacity(workers);
    let (mut now, mut held, mut most) = (0, 0, 0);
    loop {
        while !free.is_empty()
            && let Some(Reverse(id)) = ready.pop()
        {
            let worker = free.pop().unwrap_or_default();
            let inputs = plan.dependencies.get(id).iter().map(|&d| loads.get(d).result);
            let bytes = loads.get(id).takes() + inputs.sum::<usize>() + 1;
            running.push(Reverse((now + bytes as u64 * slowness(worker), id, worker)));
            held += loads.get(id).takes();
        }
        most = most.max(held);
        let Some(Reverse((time, id, worker))) = running.pop().filter(|_| !cancel::cancelled()) else { return most };
        now = time;
        free.push(worker);
        held -= loads.get(id).takes();
        held += kept(loads, id, &left);
        held -= released(plan, loads, id, &mut left);
        for &next in plan.dependents.get(id) {
            pending[next as usize] -= 1;
            if pending[next as usize] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
}

/// How long a worker takes for a byte: between 100 and 162, and for no two the same.
fn slowness(worker: usize) -> u64 {
    // Multiples of the golden ratio lie evenly between whole numbers.
    100 + worker as u64 * 618 % 1000 / 16
}

/// Bytes that go to disk if one worker runs the tasks in their order and holds no more than `limit`.
pub fn spilled(plan: &Plan, loads: &Loads, keep: &[u32], limit: usize) -> usize {
    const NEVER: u32 = u32::MAX;
    let mut left = uses(plan, keep);
    // What is held, by when it is needed next; what is wanted of the run stays.
    let mut here: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut written = vec![false; plan.len()];
    let (mut held, mut spilled) = (0, 0);
    let after = |d: u32, id: u32| {
        let users = plan.dependents.get(d);
        users.iter().copied().filter(|&user| user > id).min().unwrap_or(NEVER)
    };
    for id in 0..plan.len() as u32 {
        let load = loads.get(id);
        let inputs = plan.dependencies.get(id);
        for &d in inputs {
            if !here.remove(&(id, d)) && left[d as usize] > 0 && written[d as usize] {
                held += loads.get(d).result;
            }
        }
        while held + load.takes() > limit {
            let Some(&(next, victim)) = here.iter().rev().find(|(next, _)| *next != NEVER) else { break };
            here.remove(&(next, victim));
            held -= loads.get(victim).result;
            if !std::mem::replace(&mut written[victim as usize], true) {
                spilled += loads.get(victim).result;
            }
        }
        held += kept(loads, id, &left);
        if left[id as usize] > 0 && load.result > 0 {
            here.insert((after(id, id), id));
        }
        for &d in inputs {
            left[d as usize] -= 1;
            match left[d as usize] {
                0 => held -= loads.get(d).result,
                _ => {
                    here.insert((after(d, id), d));
                }
            }
        }
    }
    spilled
}
