//! The state of a run. No threads here: schedulers decide who runs which task and when; this says what may run, and
//! releases results.
//!
//! # Policy
//!
//! Tasks are numbered in the static order, in which few results are live at a time (`optimize::order`), so the number of a task is its
//! priority: of the tasks that are ready, the one with the lowest number should run. Two rules bend that. A
//! worker goes on with the best of the tasks that its last one made ready, if that lets go of a result at once: data that is in the cache and
//! can die there should. And a result is released when the last task that needs it *starts*: it is handed to that task, which may write
//! its own result into the same memory.
//!
//! # States
//!
//! A task is, one after the other,
//!
//! - *waiting*: some of its dependencies are not done. It is in the list of one of these, at first of the last one in the static order.
//!   When that one is done, it looks for another, and is ready where there is none. Most tasks look once: that is one write to
//!   memory that other workers use, however many dependencies there are, where counting them down would take one for each;
//! - *ready*: all are done, and no worker has it;
//! - *running*;
//! - *done*: its result lies in its slot while `uses` of it are to come (each dependent's, and one for a result that is wanted);
//! - *released*: no use is left, and the slot is empty.
//!
//! `(+ (f a) (g a))` with `a` running on worker 0, wanted is 3:
//!
//! ```text
//! task        0 a     1 (f a)   2 (g a)   3 (+ .. ..)
//! waits for           0         0         2
//! uses        2       1         1         1 (wanted)
//! state       running waiting   waiting   waiting
//! ```
//!
//! When 0 is done, 1 and 2 are ready. Worker 0 keeps 1 for itself, since no lower one is ready, and offers 2. Whoever of the two starts last
//! gets `a` itself, the other one shared it.

use super::Plan;
use super::results::{NOBODY, Results};
use crate::data::Value;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};

pub struct State<'p> {
    plan: &'p Plan,
    /// For a task that waits: the next one that waits for the same. For others: `READY`, or `STARTED`.
    next: OnceLock<Box<[AtomicU32]>>,
    pub(super) results: Results,
    /// Results in slots; counted only where somebody watches.
    live: Option<AtomicUsize>,
}

/// What a result counts: nothing is held where a task answers nil, as one that writes does.
fn holds(value: &Value) -> usize {
    usize::from(!matches!(value, Value::Nil))
}

/// `next` of a task that does not wait any more, and of one that was started by [`State::start`]. No task has such a number.
const READY: u32 = u32::MAX - 1;
const STARTED: u32 = u32::MAX - 2;

impl<'p> State<'p> {
    /// `keep` are the tasks whose results are wanted.
    pub fn new(plan: &'p Plan, keep: &[u32], watched: bool) -> Self {
        let mut results = Results::new(plan.dependents.iter().map(|d| d.len() as u32));
        keep.iter().for_each(|&id| results.add_use(id));
        State { plan, next: OnceLock::new(), results, live: watched.then(|| AtomicUsize::new(0)) }
    }

    /// Every task in its list, from the first time on that somebody asks: one who goes by the static order needs none.
    fn next(&self) -> &[AtomicU32] {
        self.next.get_or_init(|| {
            let next: Box<[AtomicU32]> = self.plan.dependencies.iter().map(|_| AtomicU32::new(READY)).collect();
            for (id, dependencies) in self.plan.dependencies.iter().enumerate() {
                // What went by the static order until now did all before the last one, too.
                if let Some(&last) = dependencies.iter().max() {
                    self.results.wait(last, id as u32, &next[id]);
                }
            }
            next
        })
    }

    /// Calls tasks done that ran in the static order, nobody being told of those that this made ready: all before `id`.
    pub fn done_before(&self, id: u32) {
        for id in 0..id {
            self.results.done(id);
        }
    }

    /// Takes stock of a run that nobody is at: tells of each task that is done, with its result if that is held, and of
    /// each that is ready. From now on those that are done count as started.
    ///
    /// # Safety
    /// No worker is at the run.
    pub unsafe fn survey(&self, mut done: impl FnMut(u32, Option<&Value>), mut ready: impl FnMut(u32)) {
        for (id, next) in self.next().iter().enumerate() {
            let id = id as u32;
            if self.results.is_done(id) {
                next.store(STARTED, Relaxed);
                // SAFETY: nobody reaches the slots, says the caller.
                done(id, (self.results.uses(id) > 0).then(|| unsafe { self.results.peek(id) }));
            } else if next.load(Relaxed) == READY {
                ready(id);
            }
        }
    }

    /// Results held now, as far as that is counted.
    pub fn live(&self) -> usize {
        self.live.as_ref().map_or(0, |n| n.load(Relaxed))
    }

    /// Makes a ready task a running one. False where it is not ready: it waits, or was started before.
    pub fn start(&self, id: u32) -> bool {
        self.next().get(id as usize).is_some_and(|n| n.compare_exchange(READY, STARTED, Acquire, Relaxed).is_ok())
    }

    /// Whether a task waits for nothing but to be started.
    pub fn is_ready(&self, id: u32) -> bool {
        self.next()[id as usize].load(Relaxed) == READY
    }

    /// Whether a task was started by [`State::start`].
    pub fn is_started(&self, id: u32) -> bool {
        self.next()[id as usize].load(Relaxed) == STARTED
    }

    /// Whether starting a task would release a result.
    pub fn frees(&self, id: u32) -> bool {
        self.plan.dependencies.get(id).iter().any(|&d| self.results.is_last_use(d))
    }

    /// Puts the results that a task needs into `inputs`, in the order of its dependencies.
    ///
    /// # Safety
    /// The task was ready and is started by the caller alone; this is called once for it.
    pub unsafe fn inputs(&self, id: u32, inputs: &mut Vec<Value>) {
        // Whoever watches wants to know when a result is released, whatever it is.
        let exactly = self.live.is_some();
        // SAFETY: a ready task's dependencies are done (each was seen to be, after it had stored its result), and each task claims
        // each of its edges once.
        unsafe { self.gather(id, exactly, inputs, |d| self.results.claim(d)) }
    }

    /// As [`State::inputs`], where nobody else asks at the same time. `exactly` counts the uses of plain numbers, too.
    ///
    /// # Safety
    /// As for [`State::inputs`], and no other result is claimed at the same time.
    pub unsafe fn inputs_alone(&self, id: u32, exactly: bool, inputs: &mut Vec<Value>) {
        // SAFETY: as above, and nobody else claims, says the caller.
        unsafe { self.gather(id, exactly || self.live.is_some(), inputs, |d| self.results.claim_alone(d)) }
    }

    /// # Safety
    /// As for [`State::inputs`].
    #[inline(always)]
    unsafe fn gather(&self, id: u32, exactly: bool, inputs: &mut Vec<Value>, claim: impl Fn(u32) -> (Value, bool)) {
        let dependencies = self.plan.dependencies.get(id);
        inputs.clear();
        inputs.reserve(dependencies.len());
        for &dependency in dependencies {
            // SAFETY: as for this function.
            if exactly || !unsafe { self.results.copy_to(dependency, inputs) } {
                let (value, released) = claim(dependency);
                self.release(released, &value);
                inputs.push(value);
            }
        }
    }

    fn release(&self, released: bool, value: &Value) {
        if released && let Some(live) = &self.live {
            live.fetch_sub(holds(value), Relaxed);
        }
    }

    /// Puts another value in the place of a result, and gives that back.
    ///
    /// # Safety
    /// As for [`Results::exchange`].
    pub unsafe fn exchange(&self, id: u32, value: Value) -> Value {
        let new = holds(&value);
        // SAFETY: as for this function.
        let old = unsafe { self.results.exchange(id, value) };
        if let Some(live) = &self.live {
            live.fetch_add(new, Relaxed);
            live.fetch_sub(holds(&old), Relaxed);
        }
        old
    }

    /// Stores what a task made, if anything is to use it.
    ///
    /// # Safety
    /// The task was started by the caller, this is called once for it, and no dependent was told yet.
    pub unsafe fn store(&self, id: u32, value: Value) {
        let holds = holds(&value);
        // SAFETY: as for this function.
        let kept = unsafe { self.results.store(id, value) };
        if kept && let Some(live) = &self.live {
            live.fetch_add(holds, Relaxed);
        }
    }

    /// Makes a running task a done one, and tells which tasks that makes ready.
    ///
    /// # Safety
    /// The task was started by the caller, and this is called once for it.
    pub unsafe fn finish(&self, id: u32, value: Value, mut ready: impl FnMut(u32)) {
        let next = self.next();
        // SAFETY: the caller alone ran the task, and no dependent was told yet.
        unsafe { self.store(id, value) };
        let mut waiting = self.results.done(id);
        while waiting != NOBODY {
            let task = waiting;
            // Another worker may have the task as soon as it waits for something else.
            waiting = next[task as usize].load(Relaxed);
            if !self.waits(task, &next[task as usize]) {
                next[task as usize].store(READY, Release);
                ready(task);
            }
        }
    }

    /// Has a task wait for one of its dependencies; false where all are done.
    fn waits(&self, task: u32, next: &AtomicU32) -> bool {
        let dependencies = self.plan.dependencies.get(task).iter();
        dependencies.copied().any(|d| !self.results.is_done(d) && self.results.wait(d, task, next))
    }

    /// The result of a task that lies in its slot though the run is over, since others failed that were to use it; nil where none does.
    ///
    /// # Safety
    /// No worker is at the run any more.
    pub unsafe fn left_over(&self, id: u32) -> Value {
        if self.results.uses(id) == 0 {
            return Value::Nil;
        }
        // SAFETY: nobody claims anything any more, says the caller.
        unsafe { self.results.exchange(id, Value::Nil) }
    }

    /// A wanted result, after the run.
    ///
    /// # Safety
    /// The task is done and was in `keep` as often as this is called for it, by one thread.
    pub unsafe fn result(&self, id: u32) -> Value {
        // SAFETY: `keep` counted a use for this call.
        unsafe { self.results.claim_alone(id) }.0
    }
}
