//! `:threads`: one task a worker, on every core. The calling thread is worker 0.
//!
//! Each worker has a queue of its own, ordered by the tasks' numbers, with its best number in plain sight; roots are not queued
//! but counted off. The usual case takes no lock: a worker goes on with the best of the tasks that its last one made ready. Else it
//! takes the best of its own queue and the roots, unless somebody else's is lower by more than some slack: looking at what another
//! core writes, and taking it from there, costs more than a small task does. So a worker remembers what it saw, and looks again when it
//! is that far beyond. In small graphs there is no slack: of those tasks may be large ones.

use super::crew::Party;
use super::{Run, Scheduler};
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::*, fence};

pub struct Threads;

impl Scheduler for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn run(&self, run: &Run) {
        let workers = run.workers().clamp(1, run.tasks().max(1));
        let floor = Floor {
            run,
            queues: (0..workers).map(|_| Queue::default()).collect(),
            next_root: Aligned(AtomicUsize::new(0)),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
            over: AtomicBool::new(false),
            slack: (run.tasks() / 1024).min(MOST_SLACK) as u32,
        };
        let work = |member: usize| floor.work(member, None);
        run.runtime.crew.with(workers - 1, &work, |party| {
            party.invite(run.roots().len().saturating_sub(1));
            floor.work(0, Some(party));
        });
    }
}

const NONE: u32 = u32::MAX;

/// How far a worker may be ahead of the best task of another one before it looks whether to help.
const MOST_SLACK: usize = 64;
/// As many tasks move to another worker at a time, and half of what there is at most.
const BATCH: usize = 16;

/// On a cache line of its own.
#[repr(align(64))]
struct Aligned<T>(T);

/// Ready tasks that a worker has put aside for whoever is free.
#[repr(align(64))]
struct Queue {
    tasks: Mutex<BinaryHeap<Reverse<u32>>>,
    /// The best of them, or `NONE`.
    best: AtomicU32,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { tasks: Mutex::default(), best: AtomicU32::new(NONE) }
    }
}

impl Queue {
    fn push(&self, ids: &[u32]) {
        let mut tasks = self.tasks.lock();
        tasks.extend(ids.iter().map(|&id| Reverse(id)));
        self.show_best(&tasks);
    }

    fn pop(&self) -> Option<u32> {
        let mut tasks = self.tasks.lock();
        let best = tasks.pop();
        self.show_best(&tasks);
        best.map(|Reverse(id)| id)
    }

    /// Takes some of the best tasks.
    fn share(&self, into: &mut SmallVec<[u32; BATCH]>) {
        let mut tasks = self.tasks.lock();
        for _ in 0..tasks.len().div_ceil(2).min(BATCH) {
            into.extend(tasks.pop().map(|Reverse(id)| id));
        }
        self.show_best(&tasks);
    }

    fn best(&self) -> u32 {
        self.best.load(Relaxed)
    }

    fn show_best(&self, tasks: &BinaryHeap<Reverse<u32>>) {
        self.best.store(tasks.peek().map_or(NONE, |Reverse(id)| *id), SeqCst);
    }
}

/// What the workers of one run share.
struct Floor<'r, 'a> {
    run: &'r Run<'a>,
    queues: Box<[Queue]>,
    next_root: Aligned<AtomicUsize>,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
    /// All tasks are done, or no more are to be.
    over: AtomicBool,
    slack: u32,
}

/// Rounds of looking for work before a worker sleeps: waking one takes the system some microseconds, in which most
/// tasks are done.
const SPINS: u32 = 200;

impl Floor<'_, '_> {
    fn work(&self, worker: usize, party: Option<&Party>) {
        let _inside = self.run.enter();
        let mut ready: SmallVec<[u32; 32]> = SmallVec::new();
        let mut inputs = Vec::new();
        let mut kept = NONE;
        // The best task of the other workers, as last seen.
        let mut seen = 0;
        let mut done = 0;
        let mut invited = self.run.roots().len() > 1;
        while !self.run.stopped() {
            let task = if kept != NONE { std::mem::replace(&mut kept, NONE) } else { self.take(worker, &mut seen) };
            if task == NONE {
                // Only now does anyone count together how many are done.
                if self.run.count(std::mem::take(&mut done)) {
                    break;
                }
                if !self.wait() {
                    return;
                }
                continue;
            }
            // SAFETY: the task was ready, and only this worker took it from where ready tasks wait.
            unsafe { self.run.started(task, worker, &mut inputs, |id| ready.push(id)) };
            done += 1;
            if ready.is_empty() {
                continue;
            }
            if ready.len() > 1 {
                ready.sort_unstable();
            }
            let best = ready[0];
            let first = best < self.best_here(worker) && !self.is_ahead(best, worker, &mut seen);
            let others = if first || self.run.state.frees(best) {
                kept = best;
                &ready[1..]
            } else {
                &ready[..]
            };
            if !others.is_empty() {
                self.queues[worker].push(others);
                if !invited && let Some(party) = party {
                    party.invite(usize::MAX);
                    invited = true;
                }
                self.rouse(others.len());
            }
            ready.clear();
        }
        self.run.count(done);
        self.over.store(true, SeqCst);
        let _bed = self.bed.lock();
        self.wake.notify_all();
    }

    /// The lowest number among the roots that are left.
    fn root(&self) -> u32 {
        self.run.roots().get(self.next_root.0.load(Relaxed)).copied().unwrap_or(NONE)
    }

    /// The lowest number among a worker's tasks and the roots.
    fn best_here(&self, worker: usize) -> u32 {
        self.queues[worker].best().min(self.root())
    }

    /// The other worker with the best task, and that task's number.
    fn best_elsewhere(&self, worker: usize) -> (u32, usize) {
        let others = self.queues.iter().enumerate().filter(|(at, _)| *at != worker);
        others.map(|(at, queue)| (queue.best(), at)).min().unwrap_or((NONE, worker))
    }

    /// Whether a task is further ahead of the other workers' best than there is slack.
    fn is_ahead(&self, id: u32, worker: usize, seen: &mut u32) -> bool {
        if self.slack > 0 && id <= seen.saturating_add(self.slack) {
            return false;
        }
        let best = self.best_elsewhere(worker).0;
        // Where nobody has anything now, somebody may soon.
        *seen = best.min(id);
        id > best.saturating_add(self.slack)
    }

    /// The best task of all, as near as a glance can tell; `NONE` where there is none.
    fn take(&self, worker: usize, seen: &mut u32) -> u32 {
        loop {
            let (own, root) = (self.queues[worker].best(), self.root());
            let here = own.min(root);
            if here == NONE || self.is_ahead(here, worker, seen) {
                let (best, other) = self.best_elsewhere(worker);
                *seen = best.min(here);
                if best == NONE && here == NONE {
                    return NONE;
                }
                if best < here {
                    let mut some = SmallVec::new();
                    self.queues[other].share(&mut some);
                    if let Some((first, others)) = some.split_first() {
                        if !others.is_empty() {
                            self.queues[worker].push(others);
                        }
                        return *first;
                    }
                    continue;
                }
            }
            if own <= root {
                if let Some(task) = self.queues[worker].pop() {
                    return task;
                }
            } else {
                let at = self.next_root.0.fetch_add(1, Relaxed);
                if let Some(&root) = self.run.roots().get(at) {
                    return root;
                }
            }
        }
    }

    /// Wakes workers for so many new tasks.
    fn rouse(&self, tasks: usize) {
        // With the fence in `wait`: either this sees the sleeper, or the sleeper sees the task.
        fence(SeqCst);
        if self.sleepers.load(Relaxed) > 0 {
            let _bed = self.bed.lock();
            for _ in 0..tasks.min(self.sleepers.load(Relaxed)) {
                self.wake.notify_one();
            }
        }
    }

    fn anything_to_do(&self) -> bool {
        self.over.load(Relaxed)
            || self.run.stopped()
            || self.root() != NONE
            || self.queues.iter().any(|queue| queue.best() != NONE)
    }

    /// Waits for something to do. False when the run is over.
    fn wait(&self) -> bool {
        for round in 0..SPINS {
            if self.anything_to_do() {
                return !self.over.load(Relaxed);
            }
            if round % 16 == 15 {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        let mut bed = self.bed.lock();
        self.sleepers.fetch_add(1, SeqCst);
        fence(SeqCst);
        if !self.anything_to_do() {
            // The time limit is for the cancel flag, which nobody rings a bell for.
            self.wake.wait_for(&mut bed, std::time::Duration::from_millis(20));
        }
        self.sleepers.fetch_sub(1, SeqCst);
        !self.over.load(SeqCst)
    }
}
