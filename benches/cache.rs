//! An exploratory session on one dataset in HDF5, deflated: repeated and slightly changed questions, each with and without a
//! cache, in one run; beside Dask with Cachey where `python3` (or `PYTHON`) can import them.
//!
//!     cargo bench --bench cache                     0.5 GB
//!     cargo bench --bench cache -- 1000000000       so many bytes

use dsk::schedule::{Observer, TaskEvent};
use dsk::{Config, Engine};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::time::Instant;

/// What somebody asks who gets to know a dataset: at first, once more, and then a little differently.
const SESSION: &[(&str, &[&str])] = &[
    ("at first", FIRST),
    ("the same again", FIRST),
    (
        "slightly changed",
        &[
            "(sum x :axis 0)",
            "(var x :axis 0)",
            "(std x :axis 0 :ddof 1)",
            "(/ (std x :axis 0) (mean x :axis 0))",
            "(max (std x :axis 0))",
            "((- x (mean x :axis 0)) 5000:5010)",
            "((/ (- x (mean x :axis 0)) (std x :axis 0)) 5000:5010)",
            "(sqrt (max (- x (mean x :axis 0))))",
        ],
    ),
];

const FIRST: &[&str] = &["(mean x :axis 0)", "(std x :axis 0)", "(max (- x (mean x :axis 0)))"];

#[derive(Default)]
struct Tasks(AtomicUsize);

impl Observer for Tasks {
    fn before_task(&self, _: &TaskEvent) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn engine(cache: usize, file: &Path) -> (Engine, Arc<Tasks>) {
    let tasks = Arc::new(Tasks::default());
    let engine =
        Engine::with_config(Config { cache: Some(cache), observers: vec![tasks.clone()], ..Config::default() });
    let open = format!("(def x (read-array \"{}::/x\" :chunks [8000 1000]))", file.display());
    engine.eval(&open).expect("the dataset was just written");
    (engine, tasks)
}

fn main() {
    let bytes = std::env::args().filter_map(|a| a.parse().ok()).next_back().unwrap_or(500_000_000usize);
    let rows = (bytes / 8000).max(8000);
    let folder = tempfile::tempdir().expect("a folder for the dataset");
    let file = folder.path().join("data.h5");
    let write = format!(
        "(store (// (random/normal 1000 100 [{rows} 1000] :chunks [8000 1000] :seed 71) 1) \"{}::/x\" :compression true \
         :storage-chunks [1000 250])",
        file.display()
    );
    Engine::new().eval(&write).expect("the dataset is written");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let size = std::fs::metadata(&file).map_or(0, |about| about.len());
    println!("x: {rows} x 1000 float64, {:.2} GB, {:.2} GB in the file\n", rows as f64 * 8e-6, size as f64 / 1e9);

    // The first pass over a file is slower for everybody.
    let (first, _) = engine(0, &file);
    first.eval("(compute (sum x))").expect("it is computed");
    let ((without, _), (with, tasks)) = (engine(0, &file), engine(200_000_000, &file));
    println!("{:>9} {:>9} {:>7} {:>6}", "without", "with", "ratio", "tasks");
    for (round, texts) in SESSION {
        let mut total = (0.0, 0.0);
        for text in *texts {
            let time = |engine: &Engine| {
                let begun = Instant::now();
                let value = engine.eval(&format!("(compute {text})")).expect("it is computed");
                (begun.elapsed().as_secs_f64(), value)
            };
            let (slow, expected) = time(&without);
            let before = tasks.0.load(Relaxed);
            let (fast, value) = time(&with);
            assert!(value.same(&expected), "{text}: another value with a cache");
            let tasks = tasks.0.load(Relaxed) - before;
            println!("{slow:>8.4}s {fast:>8.4}s {:>6.1}x {tasks:>6}  {text}", slow / fast);
            total = (total.0 + slow, total.1 + fast);
        }
        println!("{:>8.4}s {:>8.4}s {:>6.1}x         {round}\n", total.0, total.1, total.0 / total.1);
    }
    let info = with.cache_info(5);
    println!("{} entries of {} bytes; {} hits, {} misses", info.entries, info.bytes, info.hits, info.misses);
    for entry in &info.top {
        println!("  {:>8} bytes {:>8.3} s  {}", entry.bytes, entry.seconds, entry.key);
    }
    first_time(&file);
    dask(&file);
}

/// What keeping costs where nothing is asked for twice: best of three, in turn.
fn first_time(file: &Path) {
    println!("\nthe first time, with nothing kept yet");
    for text in ["(std x :axis 0)", "(max (- x (mean x :axis 0)))", "(sum (dot (transpose x) x) :axis 0)"] {
        let time = |cache: usize| {
            let (engine, _) = engine(cache, file);
            let begun = Instant::now();
            engine.eval(&format!("(compute {text})")).expect("it is computed");
            begun.elapsed().as_secs_f64()
        };
        let mut best = (f64::INFINITY, f64::INFINITY);
        for _ in 0..3 {
            best = (best.0.min(time(0)), best.1.min(time(200_000_000)));
        }
        println!("{:>8.4}s {:>8.4}s {:>6.3}x         {text}", best.0, best.1, best.1 / best.0);
    }
}

/// The same session with dask and cachey.
fn dask(file: &Path) {
    let program = r#"
import sys, time, h5py, numpy as np, dask.array as da
from dask.cache import Cache
x = da.from_array(h5py.File(sys.argv[1])["x"], chunks=(8000, 1000))
m, s = lambda: x.mean(0), lambda: x.std(0)
first = [m, s, lambda: (x - m()).max()]
changed = [lambda: x.sum(0), lambda: x.var(0), lambda: x.std(0, ddof=1), lambda: s() / m(), lambda: s().max(),
           lambda: (x - m())[5000:5010], lambda: ((x - m()) / s())[5000:5010], lambda: np.sqrt((x - m()).max())]
session = [("at first", first), ("the same again", first), ("slightly changed", changed)]
def timed(e):
    begun = time.perf_counter(); e().compute(scheduler="threads"); return time.perf_counter() - begun
timed(lambda: x.sum())
slow = [sum(timed(e) for e in es) for _, es in session]
with Cache(2e8):
    fast = [sum(timed(e) for e in es) for _, es in session]
for (name, _), a, b in zip(session, slow, fast): print(f"{a:8.4f}s {b:8.4f}s {a / b:6.1f}x         {name}")
"#;
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    match Command::new(python).args(["-c", program]).arg(file).output() {
        Ok(done) if done.status.success() => {
            println!("\ndask and cachey, the same questions\n{}", String::from_utf8_lossy(&done.stdout));
        }
        _ => println!("\ndask or cachey is not there"),
    }
}
