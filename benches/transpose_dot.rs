//! The product the project was started for, scaled: A (4000 × 100 000) and B (4000 × 4000) in HDF5, random float64 in chunks
//! of 250 × 250; `(store (dot (transpose A) B) "C.h5::/C")` in blocks of 1000 × 1000 on two workers. Tells GFLOPS beside
//! NumPy's in-memory product with two threads, in the same run, and the peak of resident memory.
//!
//! `cargo bench --bench transpose_dot`; `-- 20000` for fewer columns of A.

mod memory;

use dsk::{Config, Engine};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const INNER: usize = 4000;
const COLUMNS: usize = 100_000;
const WORKERS: usize = 2;
/// What the run may take, and the share of NumPy's speed it should have.
const PEAK: u64 = 200_000_000;
const SHARE: f64 = 0.85;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // The product runs in a process of its own, so that its peak of memory is its own.
    if let [child, folder] = &args[..]
        && child == "--product"
    {
        return product(Path::new(folder));
    }
    let columns = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(COLUMNS);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("transpose_dot");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    make_input(&folder, columns);

    let this = std::env::current_exe().expect("this program has a path");
    let run = Command::new(this).arg("--product").arg(&folder).output().expect("this program starts again");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let out = String::from_utf8_lossy(&run.stdout);
    let [seconds, peak] = numbers(&out);
    let gflops = 2.0 * (INNER * INNER) as f64 * columns as f64 / seconds / 1e9;
    let moved = (2 * INNER * columns + INNER * INNER) * 8;
    println!(
        "dsk    {seconds:7.2} s  {gflops:6.1} GFLOPS  peak {:.0} MB of {} MB moved",
        peak / 1e6,
        moved / 1_000_000
    );

    match numpy() {
        None => println!("NumPy  not found: no Python with numpy here"),
        Some(numpy) => {
            println!(
                "NumPy  in memory, 4000 × 4000: {numpy:6.1} GFLOPS; dsk has {:.0} % of it",
                100.0 * gflops / numpy
            );
            if gflops < SHARE * numpy {
                println!("short of the {:.0} % it should have", 100.0 * SHARE);
            }
        }
    }
    assert!(peak <= PEAK as f64, "the run took more than {} MB", PEAK / 1_000_000);
    std::fs::remove_file(folder.join("C.h5")).expect("the run left its result");
}

/// Makes the files unless an earlier run left them.
fn make_input(folder: &Path, columns: usize) {
    let engine = Engine::new();
    for (name, columns, seed) in [("A", columns, 1), ("B", INNER, 2)] {
        let path = folder.join(format!("{name}-{columns}.h5"));
        let link = folder.join(format!("{name}.h5"));
        if !path.exists() {
            let text = format!(
                "(store (random/random [{INNER} {columns}] :chunks [250 250] :seed {seed}) {:?})",
                format!("{}::/{name}", path.display())
            );
            engine.eval(&text).expect("the input can be made");
        }
        let _ = std::fs::remove_file(&link);
        std::fs::hard_link(&path, &link).expect("a file can have two names");
    }
}

fn product(folder: &Path) {
    let _ = std::fs::remove_file(folder.join("C.h5"));
    let engine = Engine::with_config(Config { workers: WORKERS, ..Config::default() });
    let folder = folder.display();
    let define = |name: &str| format!("(def {name} (read-array \"{folder}/{name}.h5::/{name}\" :chunks [1000 1000]))");
    engine.eval(&(define("A") + &define("B"))).expect("the input is there");
    let start = Instant::now();
    engine.eval(&format!("(store (dot (transpose A) B) \"{folder}/C.h5::/C\")")).expect("the product runs");
    println!("{} {}", start.elapsed().as_secs_f64(), memory::peak());
}

/// GFLOPS of NumPy's product of two matrices in memory, best of three, with as many threads as there are workers.
fn numpy() -> Option<f64> {
    let program = format!(
        "import time, numpy as np\n\
         a, b = np.random.rand({INNER}, {INNER}), np.random.rand({INNER}, {INNER})\n\
         c = a @ b\n\
         best = 1e9\n\
         for _ in range(3):\n\
        \x20   t = time.perf_counter(); np.matmul(a, b, out=c); best = min(best, time.perf_counter() - t)\n\
         print(2 * {INNER}**3 / best / 1e9)"
    );
    let asked = std::env::var("DSK_PYTHON").ok();
    let pythons = asked.into_iter().chain(["python3", "/usr/bin/python3"].map(String::from));
    pythons.into_iter().find_map(|python| {
        let mut command = Command::new(python);
        let threads = WORKERS.to_string();
        let command =
            command.args(["-c", &program]).env("OPENBLAS_NUM_THREADS", &threads).env("OMP_NUM_THREADS", threads);
        let out = command.output().ok().filter(|out| out.status.success())?;
        String::from_utf8_lossy(&out.stdout).trim().parse().ok()
    })
}

fn numbers<const N: usize>(text: &str) -> [f64; N] {
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("the child process answered {text:?}"))
}
