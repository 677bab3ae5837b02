//! A computation under a memory limit that its results do not fit in: the same answer as without one, to the bit, inside the
//! limit, with results put away on disk where that is needed.

use dsk::data::Value;
use dsk::schedule::{Observer, TaskEvent};
use dsk::{Config, Engine};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

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
    // All that is made of a block is small: it is gone before the next one is there.
    ("(let [r (rooted x)] [(sum r :axis 0) (std r :axis 1) (max r)])", 450 * KB, false),
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

/// Each is called 2000 times before the first result is let go of: 160 MB, of which nobody knows before.
const USERS: &str = "
    (deftask made [i] (random/random 10000 :seed i))
    (deftask average [x] (mean x))
    (deftask averages [& means] (/ (sum means) (count means)))
    (deftask distance [x m] (sum (abs (- x m))))
    (deftask total [& parts] (sum parts))
    (def xs (map made (range 2000)))
    (def m (apply averages (map average xs)))";

/// A run that begins unwatched, as those of small tasks are, goes on watched where it is, under every scheduler.
#[test]
fn what_users_functions_make_counts_as_soon_as_it_is_there() {
    let text = "(compute (apply total (map #(distance % m) xs)))";
    let run = |limit: usize, workers: usize, scheduler: &str| {
        let engine = engine(limit, workers, u64::MAX);
        engine.eval(USERS).unwrap();
        let with = format!("(with-config {{:scheduler :{scheduler}}} {text})");
        let value = engine.eval(&with).unwrap_or_else(|e| panic!("{workers} workers, {scheduler}: {e:?}"));
        (value, engine.peak_bytes())
    };
    let (whole, most) = run(1 << 30, 2, "threads");
    assert!(most > 140_000 * KB, "{most}");
    for (workers, scheduler) in [(1, "threads"), (2, "threads"), (3, "threads"), (8, "threads"), (2, "sync")] {
        let (value, most) = run(16_000 * KB, workers, scheduler);
        assert!(value.same(&whole), "{workers} workers, {scheduler}");
        // The first task that calls a function may take more than it is made of.
        assert!(most <= 16_200 * KB, "{most} bytes with {workers} workers, {scheduler}");
    }
}

/// What fails after the run went on watched is told as ever, and nothing runs twice.
#[test]
fn a_run_that_went_on_watched_fails_as_any_other() {
    let engine = engine(16_000 * KB, 2, u64::MAX);
    engine.eval(USERS).unwrap();
    engine.eval("(deftask odd [x i] (if (= i 1990) (throw \"no\") (sum x)))").unwrap();
    let error = engine.eval("(compute [m (map odd xs (range 2000))])").unwrap_err();
    assert!(error.message().contains("no"), "{}", error.message());
    let again = engine.eval("(compute m)").unwrap();
    assert!(again.same(&engine.eval("(compute m :memory-limit \"1GB\" :cache false)").unwrap()));
}

/// Few tasks are watched one by one from the start; the first call of a function tells what the others take.
#[test]
fn what_users_functions_take_is_learnt_from_the_first_call() {
    let text = "(compute (map both (map pair (range 40))))";
    let run = |limit: usize, workers: usize| {
        let engine = engine(limit, workers, u64::MAX);
        // What is made in passing, and results that are lists of arrays, which are needed late.
        engine
            .eval(
                "(deftask pair [i] (let [x (random/random 5000 :seed i) y (+ x 1.0) z (* x y)] [(sqrt z) {:rest [(+ y z)]}]))
                 (deftask both [p] (+ (sum (p 0)) (sum (first (:rest (p 1))))))
                 (deftask total [& all] (reduce + 0.0 all))
                 (deftask late [p t] (+ t (sum (p 0))))
                 (def pairs (map pair (range 40)))",
            )
            .unwrap();
        let value = engine.eval("(let [t (apply total (map both pairs))] (compute (map #(late % t) pairs)))").unwrap();
        let alone = engine.eval(text).unwrap();
        (Value::list(vec![value, alone]), engine.peak_bytes())
    };
    let (whole, most) = run(1 << 30, 2);
    assert!(most > 3000 * KB, "{most}");
    for workers in [1, 2, 3, 8] {
        let (value, most) = run(800 * KB, workers);
        assert!(value.same(&whole), "{workers} workers");
        assert!(most <= 850 * KB, "{most} bytes with {workers} workers");
    }
}

/// The first call is waited for where memory is short only: elsewhere a few long calls take as long as one.
#[test]
fn calls_of_one_function_run_side_by_side_where_there_is_room() {
    let met = |limit: usize, patience: u64| {
        let engine = engine(limit, 2, u64::MAX);
        let patience = Duration::from_millis(patience);
        let meeting = Arc::new((Mutex::new(0), Condvar::new()));
        let meet = move || {
            let (inside, came) = &*meeting;
            let mut inside = inside.lock().unwrap();
            *inside += 1;
            came.notify_all();
            let (inside, _) = came.wait_timeout_while(inside, patience, |inside| *inside < 2).unwrap();
            *inside >= 2
        };
        engine.register("(meet)", meet).unwrap();
        engine.eval("(deftask met [i] (meet))").unwrap();
        engine.eval_as::<Vec<bool>>("(compute (map met (range 2)))").unwrap()
    };
    // On a busy machine the other one may come late.
    assert_eq!(met(1 << 30, 30_000), [true, true]);
    assert_eq!(met(100_000 * KB, 100), [false, true]);
}

/// What comes to light only while it runs, and does not fit, ends the run.
#[test]
fn what_turns_out_not_to_fit_is_refused_when_it_does() {
    let engine = engine(1000 * KB, 2, u64::MAX);
    engine
        .eval("(deftask made [i] (random/random 10000 :seed i)) (deftask total [& xs] (reduce + 0.0 (map sum xs)))")
        .unwrap();
    let said = |text: &str| {
        let error = engine.eval(text).unwrap_err();
        assert_eq!(error.code().as_str(), "dsk::memory", "{text}: {}", error.message());
        error.message().to_string()
    };
    for compute in ["compute", "persist"] {
        let message = said(&format!("({compute} (map made (range 40)))"));
        assert!(message.starts_with("the results take 1.") && message.ends_with("of the memory limit"), "{message}");
    }
    let message = said("(compute (apply total (map made (range 40))))");
    assert!(
        message.starts_with("the task \"total-") && message.contains(" takes 3.3 MB at a time, and 1 MB are left"),
        "{message}"
    );
    let own = "(deftask own [n] (reduce + 0.0 (map sum (for [i (range n)] (random/random 10000 :seed i)))))";
    engine.eval(own).unwrap();
    engine.eval("(compute (own 8))").unwrap();
    let message = said("(compute (own 40))");
    assert!(message.contains("are left of the memory limit"), "{message}");
    assert!(engine.peak_bytes() <= 1100 * KB, "{}", engine.peak_bytes());
}

/// A block of rows of `x` times all others: the row that a chain of products takes is as long as the limit, and is read again block
/// by block.
#[test]
fn a_long_row_of_a_product_is_read_again_rather_than_held() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = (folder.path().join("x.h5"), folder.path().join("y.h5"));
    let run = |limit: usize, text: &str| {
        let engine = engine(limit, 2, u64::MAX);
        engine.eval(&format!("(def x (read-array \"{}::/x\" :chunks 80))", x.display())).unwrap();
        let value = engine.eval(text).unwrap_or_else(|e| panic!("{text} within {limit}: {e:?}"));
        (value, engine.peak_bytes())
    };
    let random = "(random/normal 0 1 [2400 2400] :chunks 80 :seed 1)";
    engine(1 << 30, 2, 0).eval(&format!("(store {random} \"{}::/x\")", x.display())).unwrap();
    let product = "(dot x (transpose (slice x (: 0 80))))";
    let (whole, _) = run(1 << 30, &format!("(compute {product})"));
    let limit = 2400 * 80 * 8;
    let (_, most) = run(limit, &format!("(store {product} \"{}::/y\")", y.display()));
    assert!(most <= limit, "{most} bytes of {limit}");
    let read = format!("(compute (read-array \"{}::/y\"))", y.display());
    assert!(engine(1 << 30, 2, 0).eval(&read).unwrap().same(&whole));
}

/// Many narrow blocks meet in few large ones: each of these is several sums of products, for several workers. What is added to what
/// takes two of them, not all.
#[test]
fn a_long_inner_axis_holds_few_sums_at_a_time() {
    let text = "(compute (max (dot a (transpose (slice a (: 0 400))))))";
    let run = |limit: usize, workers: usize| {
        let engine = Engine::with_config(Config { memory_limit: limit, workers, max_spill: 0, ..Config::default() });
        engine.eval("(def a (random/random [2000 400] :chunks [401 25] :seed 1))").unwrap();
        let value = engine.eval(text).unwrap_or_else(|e| panic!("{workers} workers: {e:?}"));
        (value, engine.peak_bytes())
    };
    let (whole, _) = run(1 << 30, 2);
    // A sum is of 401 by 400.
    for workers in [1, 2, 8] {
        let (value, most) = run(5 << 20, workers);
        assert!(value.same(&whole) && most <= 5 << 20, "{workers} workers: {most}");
    }
}

/// Lazy calls one by one take memory as well, before any of them runs.
#[test]
fn more_lazy_calls_than_there_is_room_for_are_refused() {
    let engine = engine(10 << 20, 2, 0);
    let calls = |n: usize| engine.eval(&format!("(count (compute (map (fn [i] (delay (+ i 1))) (range {n}))))"));
    assert_eq!(format!("{:?}", calls(4000).unwrap()), "4000");
    let error = calls(6000).unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::memory", "{error:?}");
    assert!(error.message().starts_with("6000 calls on lazy values take about 13 MB to plan"), "{error:?}");
    let error = engine.eval("(explain (map (fn [i] (delay (+ i 1))) (range 6000)))").unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::memory", "{error:?}");
}

/// Computations on `x` and `y`, of 400 by 600 numbers in blocks of any size, of every kind that takes memory in its own way. `z` has the
/// sides of `x` exchanged, `block` stands for the size of a block.
const KINDS: &[&str] = &[
    "(sum (sqrt (abs x)))",
    "(max (+ (* x 2) (exp (- y))))",
    "(sum (* x (+ y 1)) :axis 0)",
    "(sum (+ x (transpose z)) :axis 1)",
    "(sum (transpose (sqrt (abs x))) :axis 0)",
    "(sum (dot x z) :axis 0)",
    "(sum (dot z x) :axis 1)",
    "(mean x :axis 0)",
    "(std x)",
    "(std x :axis 1)",
    "(sum (- x (mean x :axis 0)) :axis 1)",
    "(sum (rechunk whole block))",
    "(sum (where (> x 0) x y))",
    "(sum (concatenate [x y] :axis 1) :axis 0)",
    "(sum (x ::-1 1:) :axis 0)",
    "(sum (map-blocks (fn [b] (* b 2)) x))",
];

/// What it defines, with blocks of that size.
fn in_blocks_of(block: &str) -> String {
    format!(
        "(def block {block})
         (def whole (random/normal 0 1 [400 600] :chunks [400 30] :seed 1))
         (def x (random/normal 0 1 [400 600] :chunks block :seed 2))
         (def y (random/normal 0 1 [400 600] :chunks block :seed 3))
         (def z (random/normal 0 1 [600 400] :chunks block :seed 4))"
    )
}

#[test]
fn what_does_not_fit_at_all_is_refused_with_the_block_that_would() {
    let mut wrong = Vec::new();
    for (limit, workers) in [(400 * KB, 1), (1000 * KB, 3)] {
        for text in KINDS {
            let with = |block: &str| {
                let engine = Engine::with_config(Config { memory_limit: limit, workers, ..Config::default() });
                engine.eval(&in_blocks_of(block)).unwrap();
                engine.eval(&format!("(compute {text})"))
            };
            let name = format!("{text} with {workers} workers and {limit} bytes");
            let error = with("[400 600]").expect_err(&name);
            assert_eq!(error.code().as_str(), "dsk::memory", "{name}: {}", error.message());
            assert!(error.message().contains("left of the memory limit"), "{name}: {}", error.message());
            let help = error.help_lines().join(" ");
            assert!(help.contains("would fit"), "{name}: {help}");
            let block = &help[help.find('[').unwrap()..=help.find(']').unwrap()];
            if let Err(error) = with(block) {
                wrong.push(format!("{name} in blocks of {block}: {} {:?}", error.message(), error.help_lines()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn where_no_block_would_fit_none_is_named() {
    let engine = Engine::with_config(Config { memory_limit: 3000, workers: 1, ..Config::default() });
    engine.eval(&in_blocks_of("[400 600]")).unwrap();
    let error = engine.eval("(compute (sum (sqrt (abs x))))").unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::memory");
    assert_eq!(error.help_lines(), ["`:memory-limit` raises the limit; smaller blocks would not do"]);
}

/// A dataset whose storage chunks take a worker three times their size to decode is read by as many workers as that leaves room for.
#[test]
fn fewer_workers_decode_where_more_would_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let at = format!("\"{}::/x\"", folder.path().join("x.h5").display());
    let stored = "(random/random [400 400] :chunks 100 :seed 1)";
    let store = format!("(store {stored} {at} :compression 4 :storage-chunks [400 100])");
    engine(1 << 30, 2, 0).eval(&store).unwrap();
    let sum = format!("(sum (read-array {at} :chunks [400 100]))");
    let compute = |limit: usize, workers: usize| engine(limit, workers, 0).eval(&format!("(compute {sum})"));
    let total = compute(1 << 30, 1).unwrap();
    let mut peaks = Vec::new();
    for limit in [1400 * KB, 2800 * KB, 100_000 * KB] {
        let value = compute(limit, 8).unwrap_or_else(|e| panic!("{limit}: {e:?}"));
        assert!(value.same(&total));
        let peak = engine(limit, 8, 0).eval_as::<usize>(&format!("(:peak-bytes (explain {sum}))")).unwrap();
        // Beside the blocks it tells of the tasks.
        assert!(peak <= limit + 2 * KB, "{peak} of {limit}");
        peaks.push(peak);
    }
    assert!(peaks.is_sorted() && peaks[2] > peaks[0], "{peaks:?}");
    let error = compute(900 * KB, 8).unwrap_err();
    assert!(error.help_lines().iter().any(|help| help.contains("storage chunks")), "{:?}", error.help_lines());
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
        assert!(line.contains("B of results that do not fit in memory could not be written, beside "), "{line}");
    }
    assert!(lines[3].parse::<f64>().is_ok(), "{told}");
    assert!(failed.contains("dsk::io") && failed.contains("ulimit -f"), "{failed}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Half of the way from rows to columns there are blocks that each ten columns take a part of.
#[test]
fn what_many_tasks_take_parts_of_comes_back_from_disk_once() {
    for workers in [1, 2] {
        let engine = Engine::with_config(Config { workers, memory_limit: 1100 * KB, ..Config::default() });
        engine.eval("(def x (random/normal 0 1 [1000 1000] :chunks [10 1000] :seed 1))").unwrap();
        engine.eval("(compute (sum (rechunk x [1000 10]) :axis 0))").unwrap();
        let (spilled, back) = (engine.spilled_bytes(), engine.read_back_bytes());
        assert!(spilled > 4_000_000, "{workers} workers put {spilled} bytes away");
        assert!(back <= 2 * spilled, "{workers} workers put {spilled} bytes away and read {back}");
    }
}

/// What is sorted is put away in pieces, each of which is read back once for the block of the result that it belongs to; quantiles
/// need the sorted blocks only.
#[test]
fn a_long_axis_is_sorted_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = (folder.path().join("x.h5"), folder.path().join("y.h5"));
    let random = "(round (random/normal 0 1 [2400000] :chunks 25000 :seed 1) 4)";
    let define = |engine: &Engine| engine.eval(&format!("(def x {random})")).unwrap();
    let whole = Engine::with_config(Config { memory_limit: 1 << 30, workers: 2, ..Config::default() });
    define(&whole);
    let kept = whole.eval("(def whole (compute x))").and_then(|_| whole.eval("(def sorted (sort whole))"));
    kept.unwrap();
    let quantiles = "(compute [(quantile x [0 0.1 0.999] :method \"hazen\") (quantile x [0.5] :method \"median\")])";
    let expected = whole.eval(&quantiles.replace("x", "whole").replace("compute", "do")).unwrap();
    for (workers, path) in [(1, &x), (2, &y)] {
        let limit = 5 << 20;
        let engine = Engine::with_config(Config { memory_limit: limit, workers, ..Config::default() });
        define(&engine);
        engine
            .eval(&format!("(store (sort x) \"{}::/x\")", path.display()))
            .unwrap_or_else(|e| panic!("{workers}: {e:?}"));
        let (most, spilled, back) = (engine.peak_bytes(), engine.spilled_bytes(), engine.read_back_bytes());
        assert!(most <= limit, "{workers} workers took {most} bytes of {limit}");
        assert!(back <= 2 * spilled, "{workers} workers put {spilled} bytes away and read {back}");
        let found = whole.eval(&format!("(all (= sorted (compute (read-array \"{}::/x\"))))", path.display())).unwrap();
        assert_eq!(format!("{found:?}"), "bool[] [true]");
        let found = engine.eval(quantiles).unwrap_or_else(|e| panic!("{workers}: {e:?}"));
        assert!(found.same(&expected), "{found:?} {expected:?}");
        assert!(engine.peak_bytes() <= limit, "{workers} workers took {} bytes of {limit}", engine.peak_bytes());
    }
}

#[test]
fn a_folder_that_is_not_there_is_refused_at_once() {
    let error = engine(1 << 20, 1, 0).eval("(with-config {:spill-dir \"no/such\"} 1)").unwrap_err();
    assert!(error.message().contains("no/such"), "{}", error.message());
}

/// Lets a task of a product wait for another one to run beside it.
#[derive(Default)]
struct Meeting {
    inside: Mutex<usize>,
    came: Condvar,
    met: AtomicBool,
    /// Tasks beside which none came in time.
    alone: AtomicUsize,
}

impl Observer for Meeting {
    fn before_task(&self, task: &TaskEvent) {
        if task.key().name.starts_with("store") && !self.met.load(Relaxed) {
            let mut inside = self.inside.lock().unwrap();
            *inside += 1;
            self.met.fetch_or(*inside > 1, Relaxed);
            self.came.notify_all();
            let (mut inside, waited) =
                self.came.wait_timeout_while(inside, Duration::from_secs(1), |inside| *inside < 2).unwrap();
            self.alone.fetch_add(usize::from(waited.timed_out() && !self.met.load(Relaxed)), Relaxed);
            *inside -= 1;
        }
    }
}

/// The block that one worker reads ahead of the row must not keep the other from the products that are there to be made.
#[test]
fn products_of_one_row_run_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("\"{}::/{name}\"", folder.path().join(format!("{name}.h5")).display());
    let meeting = Arc::new(Meeting::default());
    let make = format!(
        "(store (random/random [400 800] :chunks 100 :seed 1) {}) (store (random/random [400 400] :chunks 100) {})",
        at("a"),
        at("b")
    );
    Engine::new().eval(&make).unwrap();
    let observers: Vec<Arc<dyn Observer>> = vec![meeting.clone()];
    let engine = Engine::with_config(Config { workers: 2, observers, ..Config::default() });
    let read = |name: &str| format!("(read-array {} :chunks 100)", at(name));
    engine.eval(&format!("(store (dot (transpose {}) {}) {})", read("a"), read("b"), at("c"))).unwrap();
    // On a busy machine one may come late.
    let alone = meeting.alone.load(Relaxed);
    assert!(meeting.met.load(Relaxed) && alone < 4, "{alone}");
}

/// `store` takes the options of computing, and `explain` the keywords of `store`.
#[test]
fn a_store_and_its_forecast_take_each_others_keywords() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.h5");
    let engine = engine(1 << 30, 2, u64::MAX);
    let eval = |text: &str| engine.eval(&text.replace("FILE", &format!("{}::/x", target.display())));
    eval("(def x (random/normal 0 1 [600 600] :chunks 300 :seed 1))").unwrap();

    let peak = |store: &str| engine.eval_as::<usize>(&format!("(:peak-bytes (explain x :store {store}))")).unwrap();
    assert_eq!(peak("{}"), peak("true"));
    // Each worker keeps a chunk, and what comes of it.
    assert!(peak("{:compression 4 :storage-chunks [100 300]}") >= peak("true") + 2 * 2 * 100 * 300 * 8);
    let error = eval("(explain x :store {:compresion 4})").unwrap_err();
    assert!(error.message().contains("no keyword `:compresion`"), "{}", error.message());

    let error = eval("(store x \"FILE\" :memory-limit \"100KB\")").unwrap_err();
    assert_eq!(error.code().to_string(), "dsk::memory");
    assert!(error.help_lines().iter().any(|help| help.contains("nothing was written")), "{:?}", error.help_lines());
    eval("(store x \"FILE\" :workers 1 :scheduler :sync :spill-dir \".\" :max-spill \"1GB\")").unwrap();
    let error = eval("(compute x :spill-dir \"no/such/folder\")").unwrap_err();
    assert!(error.message().contains("no/such/folder"), "{}", error.message());
}

/// Twenty thousand records of half a kilobyte in ten partitions: 10 MB, all of which have to be dealt out before the first group is whole.
const RECORDS: &str = "
    (defn record [n] {:user (mod (* n 7919) 500) :text (str/repeat (str n \" \") 80) :at [n (/ n 3)]})
    (def records (map record (range 20000 :npartitions 10)))";

#[test]
fn groups_that_do_not_fit_wait_on_disk() {
    let text = "(sort (compute (map (fn [[user all]] [user (count all) (sum (map (fn [r] (first (:at r))) all))])
                                    (groupby :user records))))";
    let run = |limit: usize, workers: usize| {
        let engine = engine(limit, workers, u64::MAX);
        engine.eval(RECORDS).unwrap();
        let value = engine.eval(text).unwrap_or_else(|e| panic!("{workers} workers, {limit} bytes: {e:?}"));
        (value, engine.spilled_bytes(), engine.read_back_bytes())
    };
    let (whole, spilled, _) = run(1 << 30, 2);
    assert_eq!((whole.as_list().map(<[Value]>::len), spilled), (Some(500), 0));
    for workers in [1, 2, 8] {
        let (value, spilled, read_back) = run(4 << 20, workers);
        assert!(value.same(&whole), "{workers} workers");
        // What was written was needed, once.
        assert!(spilled > 3 << 20 && read_back == spilled, "{workers} workers: {spilled} written, {read_back} read");
    }
}

#[test]
fn a_bag_that_is_too_large_for_an_answer_is_refused() {
    let engine = engine(2 << 20, 2, u64::MAX);
    engine.eval(RECORDS).unwrap();
    let error = engine.eval("(compute records)").unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::memory");
    assert!(error.message().contains("2.1 MB are left of the memory limit"), "{}", error.message());
    assert!(engine.eval("(compute (count records))").unwrap().same(&Value::Int(20000)));
}
