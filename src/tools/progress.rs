//! How far a long computation is, on standard error.

use crate::data::Value;
use crate::schedule::{Observer, TaskEvent};
use crate::text::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::{Condvar, Mutex};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal to draw on.
const LINE: Duration = Duration::from_secs(5);

/// A bar on a terminal; elsewhere a line now and then. Counting a task is one atomic addition: a thread of its own looks at
/// the count and draws. That thread sleeps through computations that are over soon.
#[derive(Default)]
pub struct Progress(Arc<Shared>);

#[derive(Default)]
struct Shared {
    done: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    watching: bool,
    /// The thread waits for a computation to begin.
    asleep: bool,
    end: bool,
    /// Computations within computations.
    running: usize,
    tasks: usize,
    since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Whether to show progress: as asked for, else where standard error is a terminal.
    pub fn wanted(asked: Option<bool>) -> bool {
        asked.unwrap_or_else(|| std::io::stderr().is_terminal())
    }
}

impl Observer for Progress {
    fn start(&self, tasks: usize) {
        let mut state = self.0.state.lock();
        if state.running == 0 {
            self.0.done.store(0, Relaxed);
            state.tasks = 0;
            state.since = Some(Instant::now());
        }
        state.running += 1;
        state.tasks += tasks;
        if !state.watching {
            let shared = self.0.clone();
            // Without a thread to spare there is no progress to see, and no harm done.
            let thread = std::thread::Builder::new().name("progress".into()).spawn(move || shared.watch());
            state.watching = thread.is_ok();
        } else if state.asleep {
            self.0.wake.notify_one();
        }
    }

    fn after_task(&self, _task: &TaskEvent, _result: &Result<Value>) {
        self.0.done.fetch_add(1, Relaxed);
    }

    fn finish(&self, _error: Option<&Error>) {
        let mut state = self.0.state.lock();
        state.running = state.running.saturating_sub(1);
        if state.running == 0 {
            state.since = None;
            if let Some(bar) = state.bar.take() {
                bar.finish_and_clear();
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.state.lock().end = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn watch(&self) {
        let terminal = std::io::stderr().is_terminal();
        let mut state = self.state.lock();
        while !state.end {
            let Some(since) = state.since else {
                state.asleep = true;
                self.wake.wait(&mut state);
                state.asleep = false;
                continue;
            };
            let elapsed = since.elapsed();
            let pause = if elapsed < PATIENCE {
                PATIENCE - elapsed
            } else if terminal {
                let tasks = state.tasks;
                let bar = state.bar.get_or_insert_with(|| bar(elapsed));
                bar.set_length(tasks as u64);
                bar.set_position(self.done.load(Relaxed) as u64);
                FRAME
            } else {
                let (done, tasks) = (self.done.load(Relaxed), state.tasks);
                // Nobody to tell where standard error is gone.
                let _ = writeln!(std::io::stderr(), "{done} of {tasks} tasks, {} s", elapsed.as_secs());
                LINE
            };
            self.wake.wait_for(&mut state, pause);
        }
    }
}

fn bar(elapsed: Duration) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_elapsed(elapsed);
    match ProgressStyle::with_template("{bar:40} {pos} of {len} tasks  {elapsed}  {eta} left") {
        Ok(style) => bar.with_style(style.progress_chars("━╸ ")),
        Err(_) => bar,
    }
}
