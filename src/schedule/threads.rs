//! `:threads`: one task a worker, on every core. The calling thread is worker 0.
//!
//! Each worker has a queue of its own, ordered by the tasks' numbers, with its best number in plain sight; roots are not queued
//! but counted off. So taking the best ready task of all is a glance at each worker and one lock that is seldom
//! contended, and the usual case takes no lock: a worker goes on with the best of the tasks that its last one made ready.

use super::crew::Party;
use super::run::Inside;
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
        };
        let work = |member: usize| floor.work(member, None);
        run.runtime.crew.with(workers - 1, &work, |party| {
            party.invite(run.roots().len().saturating_sub(1));
            floor.work(0, Some(party));
        });
    }
}

const NONE: u32 = u32::MAX;

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
}

/// Rounds of looking for work before a worker sleeps: waking one takes the system some microseconds, in which most
/// tasks are done.
const SPINS: u32 = 200;

impl Floor<'_, '_> {
    fn work(&self, worker: usize, party: Option<&Party>) {
        let _inside = Inside::enter();
        let _pool = self.run.runtime.pool.enter();
        let mut ready: SmallVec<[u32; 32]> = SmallVec::new();
        let mut inputs = Vec::new();
        let mut kept = NONE;
        let mut done = 0;
        let mut invited = self.run.roots().len() > 1;
        while !self.run.stopped() {
            let task = if kept != NONE { std::mem::replace(&mut kept, NONE) } else { self.take(worker) };
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
            let others = if best < self.best_elsewhere() || self.run.state.frees(best) {
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

    /// The lowest number among the tasks that anybody may take.
    fn best_elsewhere(&self) -> u32 {
        let root = self.run.roots().get(self.next_root.0.load(Relaxed)).copied().unwrap_or(NONE);
        self.queues.iter().map(|q| q.best.load(Relaxed)).fold(root, u32::min)
    }

    /// The best task of all, as near as a glance can tell; `NONE` where there is none.
    fn take(&self, worker: usize) -> u32 {
        loop {
            let root = self.run.roots().get(self.next_root.0.load(Relaxed)).copied().unwrap_or(NONE);
            let mut best = (root, usize::MAX);
            // Its own queue comes last, so that it is preferred among equals.
            for (at, queue) in self.queues.iter().enumerate() {
                let head = queue.best.load(Relaxed);
                if head < best.0 || head == best.0 && at == worker {
                    best = (head, at);
                }
            }
            match best {
                (NONE, _) => return NONE,
                (_, usize::MAX) => {
                    let at = self.next_root.0.fetch_add(1, Relaxed);
                    if let Some(&root) = self.run.roots().get(at) {
                        return root;
                    }
                }
                (_, queue) => {
                    if let Some(task) = self.queues[queue].pop() {
                        return task;
                    }
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
        self.over.load(Relaxed) || self.run.stopped() || self.best_elsewhere() != NONE
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
