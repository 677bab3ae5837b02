//! Results that wait on disk: `cargo bench --bench spill`.
//!
//! Rows become columns of twenty times as much as the memory limit, so that almost all of it goes to disk and comes back in
//! another order. Once as the system has it, which keeps in memory what it can of the file, and once with that taken away, as where
//! the machine's memory is the limit. `DSK_BENCH_MB` is the size of the data, 640 unless it says otherwise.

use dsk::schedule::{Observer, TaskEvent};
use dsk::{Config, Engine, Value};
use parking_lot::Mutex;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What is done to the columns: next to nothing, or some work.
const KINDS: &[(&str, &str)] = &[
    ("sum", "(sum (rechunk x [-1 thin]) :axis 0)"),
    ("work", "(sum (sin (exp (cos (rechunk x [-1 thin])))) :axis 0)"),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "child") {
        return child(Path::new(&args[at + 1]), &args[at + 2], args[at + 3] == "uncached");
    }
    // A folder of a disk: the one for temporary files may be in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    println!("{:8} {:>10} {:>9} {:>12} {:>14}", "", "", "seconds", "spilled, MB", "read back, MB");
    for (kind, text) in KINDS {
        for cache in ["cached", "uncached"] {
            let this = std::env::current_exe().expect("this program");
            let out =
                Command::new(this).arg("child").arg(folder.path()).args([text, cache]).output().expect("it starts");
            let (told, failed) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
            println!("{kind:8} {cache:>10} {}{failed}", told.trim_end());
        }
    }
}

fn child(folder: &Path, text: &str, uncached: bool) {
    let megabytes: usize = std::env::var("DSK_BENCH_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(640);
    let side = (megabytes * 1_000_000 / 8).isqrt() / 200 * 200;
    let memory = Arc::new(Memory { folder: folder.into(), seen: Mutex::new(0), engine: OnceLock::new() });
    let mut config =
        Config { workers: 2, spill_dir: folder.into(), memory_limit: side * side * 8 / 20, ..Config::default() };
    if uncached {
        config.observers.push(memory.clone());
    }
    let engine = Engine::with_config(config);
    let _ = memory.engine.set(engine.clone());
    let definitions = format!(
        "(def thin (// {side} 200))
         (def x (random/random [{side} {side}] :chunks [thin -1] :seed 1))"
    );
    engine.eval(&definitions).expect("definitions");
    let start = Instant::now();
    engine.eval(&format!("(compute {text})")).expect("a result");
    let seconds = start.elapsed().as_secs_f64();
    let (spilled, back) = (engine.spilled_bytes() as f64 / 1e6, engine.read_back_bytes() as f64 / 1e6);
    println!("{seconds:9.2} {spilled:12.1} {back:14.1}");
}

/// The system's memory for files, where it has none to spare: what was written to the file of results is taken from it, and tasks wait
/// for the disk.
struct Memory {
    folder: PathBuf,
    seen: Mutex<u64>,
    engine: OnceLock<Engine>,
}

/// Bytes that may be written before they have to be on disk.
const SPARE: u64 = 16_000_000;

impl Observer for Memory {
    fn after_task(&self, _: &TaskEvent, _: &dsk::Result<Value>) {
        let mut seen = self.seen.lock();
        let spilled = self.engine.get().map_or(0, Engine::spilled_bytes);
        if spilled < *seen + SPARE {
            return;
        }
        *seen = spilled;
        for entry in std::fs::read_dir("/proc/self/fd").expect("open files").flatten() {
            let is_spill_file = std::fs::read_link(entry.path()).is_ok_and(|file| file.starts_with(&self.folder));
            if let (true, Ok(file)) = (is_spill_file, File::open(entry.path())) {
                let _ = file.sync_data();
                let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
            }
        }
    }
}
