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
//! - *waiting*: `pending` of its dependencies are not done;
//! - *ready*: `pending` is 0 and no worker has it;
//! - *running*;
//! - *done*: its result lies in its slot while `uses` of it are to come (each dependent's, and one for a result that is wanted);
//! - *released*: no use is left, and the slot is empty.
//!
//! `(+ (f a) (g a))` with `a` running on worker 0, wanted is 3:
//!
//! ```text
//! task        0 a     1 (f a)   2 (g a)   3 (+ .. ..)
//! pending     0       1         1         2
//! uses        2       1         1         1 (wanted)
//! state       running waiting   waiting   waiting
//! ```
//!
//! When 0 is done, 1 and 2 are ready. Worker 0 keeps 1 for itself, since no lower one is ready, and offers 2. Whoever of the two starts last
//! gets `a` itself, the other one shared it.

use super::Plan;
use super::results::Results;
use crate::data::Value;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};

pub struct State<'p> {
    plan: &'p Plan,
    pending: Box<[AtomicU32]>,
    pub(super) results: Results,
    /// Results in slots; counted only where somebody watches.
    live: Option<AtomicUsize>,
}

/// What a result counts: nothing is held where a task answers nil, as one that writes does.
fn holds(value: &Value) -> usize {
    usize::from(!matches!(value, Value::Nil))
}

/// `pending` of a task that was started.
const STARTED: u32 = u32::MAX;

impl<'p> State<'p> {
    /// `keep` are the tasks whose results are wanted.
    pub fn new(plan: &'p Plan, keep: &[u32], watched: bool) -> Self {
        let mut uses: Vec<u32> = plan.dependents.iter().map(|d| d.len() as u32).collect();
        for &id in keep {
            uses[id as usize] += 1;
        }
        State {
            plan,
            pending: plan.dependencies.iter().map(|d| AtomicU32::new(d.len() as u32)).collect(),
            results: Results::new(uses.into_iter()),
            live: watched.then(|| AtomicUsize::new(0)),
        }
    }

    /// Results held now, as far as that is counted.
    pub fn live(&self) -> usize {
        self.live.as_ref().map_or(0, |n| n.load(Relaxed))
    }

    /// Makes a ready task a running one. False where it is not ready: it waits, or was started before.
    pub fn start(&self, id: u32) -> bool {
        self.pending.get(id as usize).is_some_and(|p| p.compare_exchange(0, STARTED, Acquire, Relaxed).is_ok())
    }

    /// Whether a task waits for nothing but to be started.
    pub fn is_ready(&self, id: u32) -> bool {
        self.pending[id as usize].load(Relaxed) == 0
    }

    /// Whether a task was started by [`State::start`].
    pub fn is_started(&self, id: u32) -> bool {
        self.pending[id as usize].load(Relaxed) == STARTED
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
        inputs.clear();
        let claim = |&dependency: &u32| {
            // SAFETY: a ready task's dependencies are done (`pending` reached 0 after each had stored its result), and
            // each task claims each of its edges once.
            unsafe {
                // Whoever watches wants to know when a result is released, whatever it is.
                if self.live.is_none()
                    && let Some(value) = self.results.copy(dependency)
                {
                    return value;
                }
                let (value, released) = self.results.claim(dependency);
                self.release(released, &value);
                value
            }
        };
        inputs.extend(self.plan.dependencies.get(id).iter().map(claim));
    }

    /// As [`State::inputs`], where nobody else asks at the same time.
    ///
    /// # Safety
    /// As for [`State::inputs`], and no other result is claimed at the same time.
    pub unsafe fn inputs_alone(&self, id: u32, inputs: &mut Vec<Value>) {
        inputs.clear();
        let claim = |&dependency: &u32| {
            // SAFETY: as above.
            let (value, released) = unsafe { self.results.claim_alone(dependency) };
            self.release(released, &value);
            value
        };
        inputs.extend(self.plan.dependencies.get(id).iter().map(claim));
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

    /// Makes a running task a done one, and tells which tasks that makes ready, in ascending order.
    ///
    /// # Safety
    /// The task was started by the caller, and this is called once for it.
    pub unsafe fn finish(&self, id: u32, value: Value, mut ready: impl FnMut(u32)) {
        // SAFETY: the caller alone ran the task, and no dependent was told yet.
        unsafe { self.store(id, value) };
        for &dependent in self.plan.dependents.get(id) {
            let pending = &self.pending[dependent as usize];
            // Nobody else counts down what stands at 1.
            let last = pending.load(Acquire) == 1;
            if last {
                pending.store(0, Release);
            }
            if last || pending.fetch_sub(1, AcqRel) == 1 {
                ready(dependent);
            }
        }
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
