//! Floor 5: running a plan.

pub mod config;

pub use config::{Bytes, Config, SchedulerName};

use crate::data::{Host, Key, Pool, Value};
use crate::err;
use crate::text::{Error, Result};
use std::sync::atomic::AtomicBool;

/// Told of what happens during a run: for progress, profiles, and tests. Called from every worker.
pub trait Observer: Send + Sync {
    /// The run begins; it has so many tasks.
    fn start(&self, _tasks: usize) {}
    fn before_task(&self, _task: &TaskEvent) {}
    /// The task is done, with what it made.
    fn after_task(&self, _task: &TaskEvent, _result: &Result<Value>) {}
    /// The run is over. `live` is … nothing is left but outputs.
    fn finish(&self, _error: Option<&Error>) {}
}

/// One task, as observers see it.
pub struct TaskEvent<'a> {
    /// Position in the plan's static order.
    pub id: usize,
    /// Which worker runs it, from 0.
    pub worker: usize,
    /// Results held right now, this task's not among them.
    pub live: usize,
    key: &'a dyn Fn() -> Key,
}

impl TaskEvent<'_> {
    /// The key; made when asked for.
    pub fn key(&self) -> Key {
        (self.key)()
    }
}

/// What outlives a computation: worker threads and the pool of block buffers. One for each engine.
pub struct Runtime {
    pub pool: Pool,
}

impl Runtime {
    pub fn new(pool: Pool) -> Self {
        Runtime { pool }
    }
}

/// Computes lazy values together, sharing what they share: one concrete value for each. Lists and maps are computed
/// through; what is concrete is returned as it is. A lazy array becomes one block, or a number where it has no
/// dimensions.
pub fn compute(
    _host: &dyn Host,
    _values: &[Value],
    _runtime: &Runtime,
    _config: &Config,
    _cancel: &AtomicBool,
) -> Result<Vec<Value>> {
    Err(err!(Internal, "computing is not there yet"))
}

/// As [`compute`], but lazy values stay collections, of blocks that are there.
pub fn persist(
    _host: &dyn Host,
    _values: &[Value],
    _runtime: &Runtime,
    _config: &Config,
    _cancel: &AtomicBool,
) -> Result<Vec<Value>> {
    Err(err!(Internal, "computing is not there yet"))
}
