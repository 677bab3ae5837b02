//! One run of a plan: what schedulers drive, and where tasks are evaluated.

use super::gather::Gather;
use super::keep::Keeper;
use super::state::State;
use super::task::{self, Frame};
use super::{Computation, Observer, Plan, Runtime};
use crate::data::buffer::{self, Entered, Room};
use crate::data::graph::unravel;
use crate::data::panicked::panicked;
use crate::data::{Host, Key, Value, cancel};
use crate::err;
use crate::text::{Code, Error, Result, TaskContext};
use parking_lot::Mutex;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// A run, as a scheduler sees it: tasks by number, lower numbers first.
pub struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: State<'a>,
    pub(super) host: &'a dyn Host,
    pub(super) runtime: &'a Runtime,
    pub(super) workers: usize,
    memory_limit: usize,
    cancel: &'a AtomicBool,
    observers: &'a [Arc<dyn Observer>],
    /// For each layer of the plan: where its blocks go as they are done.
    gathers: &'a [Option<Gather>],
    keeper: Option<&'a Keeper<'a>>,
    stopped: AtomicBool,
    /// Bytes that the pool's blocks may take until the run pauses.
    most_live: AtomicUsize,
    paused: AtomicBool,
    /// The failure to report: of the tasks that failed, the first in the static order.
    failure: Mutex<Option<(u32, Error)>>,
    /// Which task that was.
    failed: OnceLock<u32>,
    done: AtomicUsize,
}

/// One task, as observers see it.
pub struct TaskEvent<'a> {
    /// Its number in the plan: its place in the static order.
    pub id: u32,
    /// Which worker runs it, from 0.
    pub worker: usize,
    /// Results that are held for later tasks.
    pub live: usize,
    plan: &'a Plan,
}

impl TaskEvent<'_> {
    pub fn key(&self) -> Key {
        self.plan.key(self.id)
    }
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is running a task now.
pub fn inside_task() -> bool {
    INSIDE.get()
}

/// Marks this thread as one that runs tasks.
pub(super) struct Inside(bool);

impl Inside {
    pub fn enter() -> Inside {
        Inside(INSIDE.replace(true))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.0);
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, keep: &[u32], gathers: &'a [Option<Gather>], with: &Computation<'a>) -> Self {
        Run {
            plan,
            state: State::new(plan, keep, !with.config.observers.is_empty()),
            host: with.host,
            runtime: with.runtime,
            workers: with.config.workers,
            memory_limit: with.config.memory_limit,
            cancel: with.cancel,
            observers: &with.config.observers,
            gathers,
            keeper: None,
            stopped: AtomicBool::new(false),
            most_live: AtomicUsize::new(usize::MAX),
            paused: AtomicBool::new(false),
            failure: Mutex::new(None),
            failed: OnceLock::new(),
            done: AtomicUsize::new(0),
        }
    }

    /// Has a keeper told of every result.
    pub(super) fn kept_by(mut self, keeper: Option<&'a Keeper<'a>>) -> Self {
        self.keeper = keeper;
        self
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.plan.len()
    }

    /// Tasks that may run at the same time.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Marks this thread as one that runs tasks of this run, and has their blocks come from the engine's pool.
    pub(super) fn enter(&self) -> (Inside, Entered) {
        (Inside::enter(), self.runtime.pool.enter_within(Room::Own(self.memory_limit)))
    }

    /// The tasks that are ready at the start, ascending.
    pub fn roots(&self) -> &[u32] {
        &self.plan.roots
    }

    /// Whether no more task should be started: one failed, or the computation was cancelled, or pauses.
    pub fn stopped(&self) -> bool {
        if self.cancel.load(Relaxed) && !self.stopped.load(Relaxed) {
            self.fail(0, err!(Interrupted, "the computation was interrupted"));
        }
        let most = self.most_live.load(Relaxed);
        if most != usize::MAX && self.runtime.pool.live() > most {
            self.paused.store(true, Relaxed);
        }
        self.stopped.load(Relaxed) || self.paused.load(Relaxed)
    }

    /// Has the run pause when its blocks take more than so many bytes: schedulers then come back as if it had been stopped.
    pub(super) fn pause_beyond(&self, bytes: usize) {
        self.most_live.store(self.runtime.pool.live().saturating_add(bytes), Relaxed);
    }

    /// Ends a pause. Whether there was one.
    pub(super) fn resume(&self) -> bool {
        self.most_live.store(usize::MAX, Relaxed);
        self.paused.swap(false, Relaxed)
    }

    /// Runs a ready task and tells which tasks that makes ready. A task that is not ready is left alone.
    pub fn task(&self, id: u32, worker: usize, ready: &mut dyn FnMut(u32)) {
        if self.state.start(id) {
            // SAFETY: `start` lets one caller through, once, when the task is ready.
            unsafe { self.started(id, worker, &mut Vec::new(), ready) };
            self.count(1);
        }
    }

    /// Runs a task. `inputs` is room for what it takes, the worker's from task to task.
    ///
    /// # Safety
    /// The task is ready, and the caller is the only one to run it.
    pub(super) unsafe fn started(&self, id: u32, worker: usize, inputs: &mut Vec<Value>, ready: impl FnMut(u32)) {
        self.before(id, worker);
        // SAFETY: as for this function.
        unsafe { self.state.inputs(id, inputs) };
        let mut value = Value::Nil;
        let done = self.perform(id, worker, inputs, &mut value);
        inputs.clear();
        if done {
            // SAFETY: as for this function.
            unsafe { self.state.finish(id, value, ready) }
        }
    }

    /// As [`Run::started`], where no task runs at the same time, and the static order says which comes next.
    ///
    /// # Safety
    /// As for [`Run::started`], and no other task is running or told of those that are ready.
    pub(super) unsafe fn alone(&self, id: u32, inputs: &mut Vec<Value>) {
        self.before(id, 0);
        // SAFETY: as for this function.
        unsafe { self.state.inputs_alone(id, false, inputs) };
        let mut value = Value::Nil;
        let done = self.perform(id, 0, inputs, &mut value);
        inputs.clear();
        if done {
            // SAFETY: as for this function.
            unsafe { self.state.store(id, value) }
        }
    }

    pub(super) fn before(&self, id: u32, worker: usize) {
        if !self.observers.is_empty() {
            let event = TaskEvent { id, worker, live: self.state.live(), plan: self.plan };
            self.tell(id, |observer| observer.before_task(&event));
        }
    }

    /// Puts what a task makes of its inputs into `value`. False where it failed, which is written down.
    pub(super) fn perform(&self, id: u32, worker: usize, inputs: &mut Vec<Value>, value: &mut Value) -> bool {
        if self.most_live.load(Relaxed) != usize::MAX {
            // Of what this thread made before, others may have let go.
            buffer::forget_growth();
        }
        let begun = self.keeper.map(|keeper| (keeper, Instant::now()));
        let mut result = self.evaluate(id, inputs, value);
        if let (Some((keeper, begun)), Ok(())) = (begun, &result) {
            keeper.done(id, value, begun.elapsed());
        }
        if !self.observers.is_empty() {
            let event = TaskEvent { id, worker, live: self.state.live(), plan: self.plan };
            let made = result.map(|()| std::mem::take(value));
            self.tell(id, |observer| observer.after_task(&event, &made));
            result = made.map(|made| *value = made);
        }
        result.map_err(|error| self.fail(id, error)).is_ok()
    }

    /// Values are sixteen bytes, and are handed on by reference: this costs less than a result that each caller takes apart.
    fn evaluate(&self, id: u32, inputs: &mut Vec<Value>, value: &mut Value) -> Result<()> {
        let place = self.plan.tasks[id as usize];
        let layer = &*self.plan.layers[place.layer as usize];
        let mut frame = Frame { host: self.host, inputs, layer, at: place.at };
        let gather = self.gathers[place.layer as usize].as_ref();
        let index = || unravel(place.at as usize, &layer.grid);
        let mut placed = false;
        let result = catch_unwind(AssertUnwindSafe(|| {
            cancel::during(self.cancel, || {
                *value = match self.plan.codes.get(place.code as usize) {
                    // What nobody else asks for is made where it belongs.
                    Some(task::Code::Fused(nest))
                        if let Some(gather) = gather
                            && self.keeper.is_none()
                            && self.plan.dependents.get(id).is_empty() =>
                    {
                        // SAFETY: each index is that of one task, which runs once.
                        let value = unsafe { nest.run_into(&mut frame, gather.dtype(), &gather.region(&index())) }?;
                        placed = matches!(value, Value::Nil);
                        value
                    }
                    Some(code) => code.run(&mut frame)?,
                    None => self.plan.compile(id, self.host)?.run(&mut frame)?,
                };
                if value.is_lazy() {
                    // A user's function built something lazy: the task is done when that is.
                    *value = self.host.compute(std::slice::from_ref(value), layer.span)?.pop().unwrap_or_default();
                }
                Ok(())
            })
        }));
        let mut result = result.unwrap_or_else(|panic| Err(defect(panicked("a task panicked", &*panic))));
        if let (Some(gather), Ok(()), false) = (gather, &result, placed) {
            result = gather.put(&index(), value);
        }
        result.map_err(|error| error.in_task(|| self.context(id)).at(self.plan.span(id)))
    }

    /// What a report says of a task that failed.
    fn context(&self, id: u32) -> TaskContext {
        TaskContext {
            key: self.plan.key(id).quoted(),
            shape: self.plan.shape(id),
            task: crate::read::brief(&self.plan.task(id), LONGEST_TASK),
        }
    }

    pub(super) fn fail(&self, id: u32, error: Error) {
        let mut failure = self.failure.lock();
        if failure.as_ref().is_none_or(|(first, _)| id < *first) {
            *failure = Some((id, error));
        }
        self.stopped.store(true, Relaxed);
    }

    /// The task whose failure ended the run, once that is over.
    pub(super) fn failed(&self) -> Option<u32> {
        self.failed.get().copied()
    }

    /// Counts tasks that were run. Whether all are done now.
    pub(super) fn count(&self, tasks: usize) -> bool {
        self.done.fetch_add(tasks, AcqRel) + tasks >= self.tasks()
    }

    /// Runs all tasks, or as many as come before the first failure.
    pub(super) fn drive(&self, scheduler: &dyn super::Scheduler) -> Result<()> {
        self.tell(0, |observer| observer.start(self.tasks()));
        if !self.stopped() {
            scheduler.run(self);
        }
        let failure = self.failure.lock().take().map(|(id, error)| {
            let _ = self.failed.set(id);
            error
        });
        let outcome = match failure {
            Some(error) => Err(error),
            None if self.done.load(Acquire) < self.tasks() => {
                Err(err!(Internal, "the scheduler `{}` left tasks that had not run", scheduler.name()))
            }
            None => Ok(()),
        };
        self.tell(0, |observer| observer.finish(outcome.as_ref().err()));
        let told = self.failure.lock().take();
        outcome.and_then(|()| told.map_or(Ok(()), |(_, error)| Err(error)))
    }

    /// Tells observers. One that panics ends the run, at this task.
    fn tell(&self, id: u32, what: impl Fn(&dyn Observer)) {
        for observer in self.observers {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| what(&**observer))) {
                self.fail(id, defect(panicked("an observer panicked", &*panic)));
            }
        }
    }
}

/// Characters of a task that a report shows.
const LONGEST_TASK: usize = 400;

/// Says whose fault a panic is.
fn defect(error: Error) -> Error {
    match error.code() {
        Code::Internal => error.help("This is a defect of dsk or of a host function, not of the program."),
        _ => error,
    }
}
