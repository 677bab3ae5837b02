//! A computation under a memory limit that its results do not fit in: the same answer as without one, to the bit, inside the
//! limit, with results put away on disk where that is needed.

use dsk::{Config, Engine};

const KB: usize = 1 << 10;

/// Programs, the limit they have, and whether results have to be put away: `x` and `y` are 100 blocks of 20 KB.
const SAID: &[(&str, usize, bool)] = &[
    // From rows to columns: 2 MB, of which every column takes a part of every row.
    ("(sum (* (rechunk (rechunk x [10 500]) [500 10]) 2) :axis 0)", 600 * KB, true),
    ("(sum (dot (rechunk x [50 500]) (transpose (rechunk y [50 500]))) :axis 0)", 1500 * KB, true),
    // Both ends of an array at a time: the order pairs them, so that nothing waits.
    ("(sum (+ (rooted x) ((rooted x) ::-1 ::-1)) :axis 0)", 400 * KB, false),
    ("(sum (- x (mean x :axis 0)) :axis 1)", 700 * KB, false),
    ("(std (+ (transpose x) y) :axis 1)", 700 * KB, false),
];

const DEFINITIONS: &str = "
    (def x (random/normal 0 1 [500 500] :chunks 50 :seed 1))
    (def y (random/normal 0 1 [500 500] :chunks 50 :seed 2))
    (defn rooted [x] (map-blocks (fn [block] (sqrt (abs block))) x))";

fn engine(limit: usize, workers: usize, max_spill: u64) -> Engine {
    let engine = Engine::with_config(Config { memory_limit: limit, workers, max_spill, ..Config::default() });
    engine.eval(DEFINITIONS).unwrap();
    engine
}

#[test]
fn a_limit_changes_no_bit_and_is_kept() {
    for (text, limit, spills) in SAID {
        let text = format!("(compute {text})");
        let whole = engine(1 << 30, 2, 0).eval(&text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        for workers in [1, 2, 3, 8] {
            let engine = engine(*limit, workers, u64::MAX);
            let value = engine.eval(&text).unwrap_or_else(|e| panic!("{text} with {workers} workers: {e:?}"));
            assert!(value.same(&whole), "{text} with {workers} workers");
            let most = engine.peak_bytes();
            assert!(most <= *limit, "{text} with {workers} workers took {most} bytes of {limit}");
        }
        let nothing_put_away = engine(*limit, 1, 0).eval(&text);
        assert_eq!(nothing_put_away.is_err(), *spills, "{text}: {:?}", nothing_put_away.err());
    }
}

#[test]
fn what_does_not_fit_at_all_is_refused_with_the_block_that_would() {
    let error = engine(100 * KB, 2, u64::MAX).eval("(compute (sum (rechunk x [250 250])))").unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::memory");
    assert!(error.message().contains("left of the memory limit"), "{}", error.message());
    assert!(error.help_lines()[0].contains("would fit"), "{:?}", error.help_lines());
}

/// `x` has rows of blocks, and columns are wanted: about all of it is put away.
const SPILLING: &str = "(compute (sum (rechunk (map-blocks sqrt (abs x)) [2000 100]) :axis 0) :memory-limit \"8MB\")";

#[test]
fn what_may_not_be_put_away_ends_the_run_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for workers in [1, 2, 3] {
        let config = Config { workers, spill_dir: folder.path().into(), max_spill: 4_000_000, ..Config::default() };
        let engine = Engine::with_config(config);
        engine.eval("(def x (random/normal 0 1 [2000 2000] :chunks [100 2000] :seed 1))").unwrap();
        for _ in 0..3 {
            let error = engine.eval(SPILLING).unwrap_err();
            assert_eq!(error.code().as_str(), "dsk::memory");
            let message = error.message().replace(&*folder.path().to_string_lossy(), "FOLDER");
            assert!(message.starts_with("`:max-spill` is 4 MB: "), "{message}");
            assert!(message.contains("lie in `FOLDER`, and") && message.ends_with("more do not fit"), "{message}");
            assert!(error.help_lines().iter().any(|help| help.contains("`:max-spill`")), "{:?}", error.help_lines());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            // What was held is free again: all of the limit is there for the next one.
            engine.eval("(compute (sum (random/normal 0 1 [900 1000] :chunks -1)) :memory-limit \"8MB\")").unwrap();
        }
        engine.eval(&format!("(with-config {{:max-spill \"100MB\"}} {SPILLING})")).unwrap();
    }
}

/// Where no file may be larger than four megabytes, the file of results is full in the middle of a block.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run_and_not_the_program() {
    use std::os::unix::process::CommandExt;

    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dsk"));
    let program = format!(
        "(def x (random/normal 0 1 [2000 2000] :chunks [100 2000] :seed 1))
         (def errors (map (fn [_] (try {SPILLING} (catch e (:message e)))) (range 3)))
         (each print errors)
         (print (compute (sum (random/normal 0 1 [900 1000] :chunks -1 :seed 1)) :memory-limit \"8MB\"))
         {SPILLING}"
    );
    command.current_dir(folder.path()).args(["--workers", "2", "--spill-dir", ".", "-e", &program]);
    let limit = || {
        let most = libc::rlimit { rlim_cur: 4_000_000, rlim_max: 4_000_000 };
        // SAFETY: a system call that reads the two numbers.
        match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const most) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: nothing is allocated or locked between fork and exec.
    let out = unsafe { command.pre_exec(limit) }.output().unwrap();
    let (told, failed) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(1), "{told}{failed}");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}{failed}");
    for line in &lines[..3] {
        assert!(line.starts_with("no file in `.` may be as large: "), "{line}");
        assert!(line.contains("MB of results that do not fit in memory could not be written, beside "), "{line}");
    }
    assert!(lines[3].parse::<f64>().is_ok(), "{told}");
    assert!(failed.contains("dsk::io") && failed.contains("ulimit -f"), "{failed}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_not_there_is_refused_at_once() {
    let error = engine(1 << 20, 1, 0).eval("(with-config {:spill-dir \"no/such\"} 1)").unwrap_err();
    assert!(error.message().contains("no/such"), "{}", error.message());
}
