//! How far a long computation is, on standard error.

use crate::data::Value;
use crate::schedule::{Observer, TaskEvent};
use crate::text::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::{Condvar, Mutex};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal to draw on.
const LINE: Duration = Duration::from_secs(5);

/// A bar on a terminal; elsewhere a line now and then. Counting a task is one atomic addition: a thread of its own
/// looks at the count and draws.
#[derive(Default)]
pub struct Progress {
    done: Arc<AtomicUsize>,
    running: Mutex<Option<Running>>,
}

/// The thread that draws, and how it is told to stop.
struct Running {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Whether to show progress: as asked for, else where standard error is a terminal.
    pub fn wanted(asked: Option<bool>) -> bool {
        asked.unwrap_or_else(|| std::io::stderr().is_terminal())
    }

    fn stop(&self) {
        let Some(Running { stop, thread }) = self.running.lock().take() else { return };
        *stop.0.lock() = true;
        stop.1.notify_all();
        // A thread that only draws has nothing to say when it fails.
        let _ = thread.join();
    }
}

impl Observer for Progress {
    fn start(&self, tasks: usize) {
        self.stop();
        self.done.store(0, Relaxed);
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (done, told) = (self.done.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || watch(tasks, &done, &told));
        // Without a thread to spare there is no progress to see, and no harm done.
        if let Ok(thread) = thread {
            *self.running.lock() = Some(Running { stop, thread });
        }
    }

    fn after_task(&self, _task: &TaskEvent, _result: &Result<Value>) {
        self.done.fetch_add(1, Relaxed);
    }

    fn finish(&self, _error: Option<&Error>) {
        self.stop();
    }
}

fn watch(tasks: usize, done: &AtomicUsize, stop: &(Mutex<bool>, Condvar)) {
    let start = Instant::now();
    // Whether it was told to stop within that time.
    let stopped = |wait: Duration| {
        let mut stop_now = stop.0.lock();
        stop.1.wait_while_for(&mut stop_now, |stop_now| !*stop_now, wait);
        *stop_now
    };
    if stopped(PATIENCE) {
        return;
    }
    if !std::io::stderr().is_terminal() {
        loop {
            let seconds = start.elapsed().as_secs();
            let _ = writeln!(std::io::stderr(), "{} of {tasks} tasks, {seconds} s", done.load(Relaxed));
            if stopped(LINE) {
                return;
            }
        }
    }
    let bar = ProgressBar::with_draw_target(Some(tasks as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} tasks  {elapsed}  {eta} left");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.set_elapsed(start.elapsed());
    loop {
        bar.set_position(done.load(Relaxed) as u64);
        if stopped(FRAME) {
            bar.finish_and_clear();
            return;
        }
    }
}
