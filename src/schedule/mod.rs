//! Floor 5: running a plan.
//!
//! [`compute`] gathers what is lazy, has the passes rewrite its layers ([`crate::optimize`]), numbers the tasks that are needed
//! ([`Plan`]), and hands the run to a [`Scheduler`]. Policy and state are in [`state`], which knows no threads; a scheduler only
//! decides which worker runs which ready task, so that another one is another short file.

mod bounded;
pub mod compute;
pub mod config;
mod crew;
mod forecast;
mod fused;
mod gather;
mod keep;
mod machine;
mod outgrow;
mod outlook;
mod pipe;
mod plan;
mod recall;
mod refusal;
mod replay;
mod results;
mod run;
pub mod state;
mod sync;
pub mod task;
mod threads;
mod weigh;

pub use crate::text::Bytes;
pub use compute::{Computation, compute, persist};
pub use config::{Config, parse_bytes};
pub use forecast::Forecast;
pub use plan::{Plan, Room, Want, no_such_key};
pub use replay::Failed;
pub use run::{Run, TaskEvent, inside_task};
pub use sync::Synchronous;
pub use threads::Threads;

use crate::data::{Pool, Value};
use crate::memory::{Cache, sweep};
use crate::text::{Error, Result};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A way to run tasks.
pub trait Scheduler: Send + std::marker::Sync {
    /// As the option `:scheduler` names it.
    fn name(&self) -> &'static str;

    /// Runs all tasks of a run: [`Run::roots`] first, then what [`Run::task`] says is ready; returns early where [`Run::stopped`].
    fn run(&self, run: &Run);
}

/// Told of what happens during a run: for progress, profiles, and tests. Called from every worker.
pub trait Observer: Send + std::marker::Sync {
    /// The run begins; it has so many tasks.
    fn start(&self, _tasks: usize) {}
    fn before_task(&self, _task: &TaskEvent) {}
    /// The task is done, with what it made: nil where that stands in the answer already, or in a file.
    fn after_task(&self, _task: &TaskEvent, _result: &Result<Value>) {}
    /// The run is over.
    fn finish(&self, _error: Option<&Error>) {}
}

/// What outlives a computation: worker threads and the pool of block buffers. One for each engine.
pub struct Runtime {
    pub pool: Pool,
    /// Results kept between computations.
    pub cache: Cache,
    /// What the last computation left behind, if it failed.
    pub failed: Mutex<Option<Arc<Failed>>>,
    crew: crew::Crew,
    spilled: AtomicU64,
    read_back: AtomicU64,
    /// Spill folders that were looked through for files of killed processes.
    swept: Mutex<Vec<PathBuf>>,
}

impl Runtime {
    pub fn new(pool: Pool) -> Self {
        let (cache, crew) = (Cache::default(), crew::Crew::default());
        let (spilled, read_back) = (AtomicU64::new(0), AtomicU64::new(0));
        Runtime { pool, cache, failed: Mutex::default(), crew, spilled, read_back, swept: Mutex::default() }
    }

    /// Removes what killed processes left in a spill folder, before the first run that may use it.
    fn sweep(&self, folder: &Path) {
        let mut swept = self.swept.lock();
        if swept.iter().all(|done| done != folder) {
            sweep(folder);
            swept.push(folder.to_path_buf());
        }
    }

    /// Bytes of results that were put on disk so far, in all computations.
    pub fn spilled(&self) -> u64 {
        self.spilled.load(Relaxed)
    }

    /// Bytes of them that came back; what came back twice counts twice.
    pub fn read_back(&self) -> u64 {
        self.read_back.load(Relaxed)
    }
}

#[cfg(test)]
mod tests;
