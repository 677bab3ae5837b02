//! Centring a dataset, `(store (- x (mean x :axis 0)) "out.h5::/y")`, beside Dask on threads and beside a plain h5py loop that goes
//! over the rows twice: seconds of a first run and of a second one, for which the system has memory and
//! disk at hand, and the most resident memory of a process of its own. Every result needs the means of all of the input, so whoever keeps
//! what was read keeps all of it.
//!
//! `cargo bench --bench centre`: 1 GB of float64 in 4000 columns, contiguous and in chunks; `DSK_BENCH_GB=4` for more. Python with dask and
//! h5py is `DSK_PYTHON` or `python3`.

mod memory;

use dsk::Engine;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const COLUMNS: usize = 4000;
/// Rows of a block and of a storage chunk.
const ROWS: usize = 500;

/// How much faster than Dask it should be, and at what share of its memory.
const FASTER: f64 = 4.0;
const SHARE: f64 = 1.0 / 20.0;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, input, out] = &args[..]
        && child == "--centre"
    {
        return centre(input, out);
    }
    let gigabytes: f64 = std::env::var("DSK_BENCH_GB").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let rows = ((gigabytes * 1e9) as usize / (8 * COLUMNS)).next_multiple_of(ROWS);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    println!("{rows} × {COLUMNS} float64, {:.2} GB", (rows * COLUMNS * 8) as f64 / 1e9);
    for layout in ["contiguous", "chunked"] {
        let input = folder.path().join(format!("{layout}.h5"));
        if !make_input(&input, layout, rows) {
            println!("{layout:<12} not made: no Python with h5py here");
            continue;
        }
        warm(&input).expect("the input can be read");
        println!(
            "{layout:<12}{:>9}{:>9}{:>12}{:>14}{:>9}{:>14}",
            "s", "again", "peak MB", "times dsk's s", "again", "times peak"
        );
        let this = std::env::current_exe().expect("this program has a path");
        let ours = run(Command::new(this).arg("--centre"), &input, folder.path()).expect("this program starts again");
        let row = |name: &str, [first, again, peak]: [f64; 3]| {
            print!("{name:<12}{first:>9.2}{again:>9.2}{:>12.0}", peak / 1e6);
            println!("{:>14.2}{:>9.2}{:>14.1}", first / ours[0], again / ours[1], peak / ours[2]);
        };
        row("  dsk", ours);
        let peers = [("  Dask", DASK), ("  h5py loop", LOOP)]
            .map(|(name, program)| (name, python(program, &input, folder.path())));
        for (name, result) in &peers {
            match result {
                Some(result) => row(name, *result),
                None => println!("{name:<12} not found: no Python with dask and h5py here"),
            }
        }
        if let Some([seconds, _, peak]) = peers[0].1
            && (seconds < FASTER * ours[0] || ours[2] > SHARE * peak)
        {
            println!("  short of {FASTER} times Dask's speed at {SHARE} of its memory");
        }
    }
}

const DASK: &str = "
import sys, time, h5py, dask, dask.array as da
x = h5py.File(sys.argv[1])['x']
out = h5py.File(sys.argv[2], 'w')
start = time.perf_counter()
a = da.from_array(x, chunks=(500, 4000))
y = out.create_dataset('y', x.shape, x.dtype)
with dask.config.set(scheduler='threads'):
    da.store(a - a.mean(axis=0), y)
out.flush()
";

const LOOP: &str = "
import sys, time, h5py, numpy as np
x = h5py.File(sys.argv[1])['x']
out = h5py.File(sys.argv[2], 'w')
start = time.perf_counter()
total = np.zeros(x.shape[1])
for i in range(0, len(x), 500):
    total += x[i:i + 500].sum(axis=0)
mean = total / len(x)
y = out.create_dataset('y', x.shape, x.dtype)
for i in range(0, len(x), 500):
    y[i:i + 500] = x[i:i + 500] - mean
out.flush()
";

/// Has the system keep the file in memory, all of it written: otherwise the first one to run would wait for the disk.
fn warm(path: &Path) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    std::io::copy(&mut file, &mut std::io::sink()).map(drop)
}

/// What a program of Python ends with: seconds, and the most resident memory.
const TOLD: &str = "
peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))
print(time.perf_counter() - start, int(peak.split()[1]) * 1024)
";

fn pythons() -> impl Iterator<Item = String> {
    let asked = std::env::var("DSK_PYTHON").ok();
    asked.into_iter().chain(["python3", "/usr/bin/python3"].map(String::from))
}

fn python(program: &str, input: &Path, folder: &Path) -> Option<[f64; 3]> {
    pythons().find_map(|python| {
        let mut command = Command::new(python);
        run(command.arg("-c").arg(format!("{program}{TOLD}")), input, folder)
    })
}

/// Seconds of two runs of a process, which is given the input's file and the output's, and the more bytes of peak memory.
fn run(command: &mut Command, input: &Path, folder: &Path) -> Option<[f64; 3]> {
    let out: PathBuf = folder.join("out.h5");
    command.arg(input).arg(&out);
    let mut once = || {
        let run = command.output().ok();
        let _ = std::fs::remove_file(&out);
        let told = String::from_utf8_lossy(&run.filter(|out| out.status.success())?.stdout).to_string();
        let numbers: Vec<f64> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        <[f64; 2]>::try_from(numbers).ok()
    };
    let ([first, peak], [again, other]) = (once()?, once()?);
    Some([first, again, peak.max(other)])
}

/// Whether the input could be made: dsk itself writes no contiguous datasets, h5py does.
fn make_input(path: &Path, layout: &str, rows: usize) -> bool {
    if layout == "contiguous" {
        let program = format!(
            "import sys, h5py, numpy as np\n\
             x = h5py.File(sys.argv[1], 'w').create_dataset('x', ({rows}, {COLUMNS}), 'f8')\n\
             for i in range(0, {rows}, {ROWS}): x[i:i + {ROWS}] = np.random.rand({ROWS}, {COLUMNS})"
        );
        return pythons().any(|python| {
            let status = Command::new(python).arg("-c").arg(&program).arg(path).status();
            status.is_ok_and(|status| status.success())
        });
    }
    let text = format!(
        "(store (random/random [{rows} {COLUMNS}] :chunks [{ROWS} {COLUMNS}] :seed 1) {:?} :storage-chunks [{} {}])",
        format!("{}::/x", path.display()),
        ROWS / 2,
        COLUMNS / 4
    );
    Engine::new().eval(&text).is_ok()
}

fn centre(input: &str, out: &str) {
    let engine = Engine::new();
    let start = Instant::now();
    engine
        .eval(&format!("(def x (read-array \"{input}::/x\" :chunks [{ROWS} {COLUMNS}]))"))
        .expect("the input is there");
    engine.eval(&format!("(store (- x (mean x :axis 0)) \"{out}::/y\")")).expect("the centring runs");
    println!("{} {}", start.elapsed().as_secs_f64(), memory::peak());
}
