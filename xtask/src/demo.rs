//! The main job: `(store (dot (transpose A) B) "C.h5::/C")` from HDF5 to HDF5, in blocks, with the result checked.

use crate::session::Session;
use crate::{Result, cargo, needs, run};
use std::path::Path;
use std::time::Instant;

const INNER: usize = 4000;
const COLUMNS: usize = 20_000;
/// The size of the job that the project was started for: 3.3 GB in, 3.2 GB out.
const FULL: usize = 100_000;
/// Rows and columns of C that are computed again, entry by entry.
const SAMPLES: usize = 12;

pub fn demo(args: &[String]) -> Result {
    let columns = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => COLUMNS,
        ["--full"] => FULL,
        ["--columns", n] => n.parse().map_err(|_| format!("--columns takes a number, got {n}"))?,
        _ => return Err("demo takes --full or --columns N".into()),
    };
    needs::install(needs::BUILD)?;
    println!("building (the first time takes a few minutes)");
    run(cargo().args(["build", "--release", "--bin", "dsk"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = std::path::absolute(&target).map_err(|e| format!("{}: {e}", target.display()))?;
    let folder = target.join("demo");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    product(&target.join("release").join("dsk"), &folder, columns)
}

fn product(dsk: &Path, folder: &Path, columns: usize) -> Result {
    for file in ["A.h5", "B.h5", "C.h5"] {
        let _ = std::fs::remove_file(folder.join(file));
    }

    let start = Instant::now();
    let mut session = Session::start(dsk, folder)?;
    for (name, columns, seed) in [("A", columns, 1), ("B", INNER, 2)] {
        let random = format!("(random/random [{INNER} {columns}] :chunks [250 250] :seed {seed})");
        session.ask(&format!("(store {random} \"{name}.h5::/{name}\")"))?;
    }
    session.end()?;
    println!(
        "input    A {INNER} × {columns}, B {INNER} × {INNER}: random float64 in HDF5, chunks of 250 × 250, {}, made in {:.1} s",
        bytes((INNER * (columns + INNER) * 8) as u64),
        start.elapsed().as_secs_f64(),
    );

    let job = "(store (dot (transpose A) B) \"C.h5::/C\")";
    println!("job      {job}");
    let mut session = Session::start(dsk, folder)?;
    for name in ["A", "B"] {
        session.ask(&format!("(def {name} (read-array \"{name}.h5::/{name}\" :chunks [1000 1000]))"))?;
    }
    let start = Instant::now();
    session.ask(job)?;
    let seconds = start.elapsed().as_secs_f64();
    let peak = session.peak_memory();
    session.end()?;
    let gflops = 2.0 * (INNER * INNER) as f64 * columns as f64 / seconds / 1e9;
    let peak = peak.map_or("not told by this system".into(), bytes);
    println!(
        "run      {seconds:.1} s, {gflops:.0} GFLOPS, peak memory {peak} (in and out: {})",
        bytes((INNER * (2 * columns + INNER) * 8) as u64)
    );

    let worst = check(Session::start(dsk, folder)?, columns)?;
    println!("check    {} entries computed again, one by one: largest relative error {worst:.1e}", SAMPLES * SAMPLES);
    println!("files    {}", folder.display());
    Ok(())
}

/// Computes sampled entries of C again from columns of A and B, with nothing but additions and multiplications of
/// this program. Gives the largest relative error; an error itself where one is beyond what rounding explains.
fn check(mut session: Session, columns: usize) -> Result<f64> {
    for name in ["A", "B", "C"] {
        session.ask(&format!("(def {name} (read-array \"{name}.h5::/{name}\" :chunks [250 250]))"))?;
    }
    // Spread over all blocks, the last row and column among them.
    let spread = |n: usize| (0..SAMPLES).map(move |k| (n - 1) * (k + 1) / SAMPLES);
    let mut column = |name: &str, n: usize| session.numbers(&format!("(compute ({name} : {n}))"));
    let a = spread(columns).map(|i| Ok((i, column("A", i)?))).collect::<Result<Vec<_>>>()?;
    let b = spread(INNER).map(|j| Ok((j, column("B", j)?))).collect::<Result<Vec<_>>>()?;
    for (_, values) in a.iter().chain(&b) {
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), &x| (l.min(x), m.max(x)));
        if values.len() != INNER || least < 0.0 || most >= 1.0 || most - least < 0.9 {
            return Err("the input is not random numbers between 0 and 1".into());
        }
    }
    let mut worst = 0.0f64;
    for (i, x) in &a {
        for (j, y) in &b {
            let expected: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            let found = session.numbers(&format!("(compute (C {i} {j}))"))?;
            let error = found.first().map_or(f64::NAN, |found| (found - expected).abs() / expected);
            if error.is_nan() || error > 1e-11 {
                return Err(format!("C[{i}, {j}] is {found:?}, but computed again it is {expected}"));
            }
            worst = worst.max(error);
        }
    }
    session.end()?;
    Ok(worst)
}

fn bytes(n: u64) -> String {
    if n < 1_000_000_000 { format!("{} MB", n / 1_000_000) } else { format!("{:.1} GB", n as f64 / 1e9) }
}
