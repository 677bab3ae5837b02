//! Failure and interruption: a task that fails ends the run, is told of once, and can be run again alone; a panic is an error like any
//! other; what is cancelled ends soon; and the engine goes on.

use dsk::data::Value;
use dsk::schedule::{Observer, Synchronous, TaskEvent};
use dsk::{Config, Engine, Error};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

/// Every way in which tasks are run, with its name. `x` of [`engine`] fits in memory under all but the last.
fn ways() -> Vec<(&'static str, Config)> {
    let base = Config { workers: 3, ..Config::default() };
    vec![
        ("sync", Config { scheduler: Arc::new(Synchronous), ..base.clone() }),
        ("threads", base.clone()),
        ("bounded", Config { memory_limit: 2_000_000, ..base.clone() }),
        ("bounded, unoptimized", Config { memory_limit: 2_000_000, optimize: false, ..base }),
    ]
}

fn engine(config: Config) -> Engine {
    let engine = Engine::with_config(config);
    engine.eval("(def x (random/normal 0 1 [400 500] :chunks [50 50] :seed 1))").unwrap();
    engine.eval("(def good (compute (sum x)))").unwrap();
    engine
}

/// Nothing is poisoned: the same engine computes what it did before.
#[track_caller]
fn goes_on(engine: &Engine, after: &str) {
    assert!(engine.eval_as::<bool>("(= good (compute (sum x)))").unwrap(), "{after}");
    assert_eq!(engine.eval_as::<i64>("(compute (delay (+ 1 2)))").unwrap(), 3, "{after}");
}

fn key(error: &Error) -> &str {
    error.task().map_or("", |task| &task.key)
}

#[test]
fn a_panic_is_an_error_like_any_other() {
    for (way, config) in ways() {
        let engine = engine(config);
        engine.register("(boom x)", |x: f64| if x.is_finite() { panic!("boom") } else { x }).unwrap();
        for text in [
            "(compute (delay (boom 1.0)))",
            "(compute (sum (map-blocks (fn [b] (boom (sum b)) b) x :dtype :f8)))",
            "(compute (graph '{a 1.0 b (boom a) c (+ b 1)}) 'c)",
        ] {
            for _ in 0..3 {
                let error = engine.eval(text).unwrap_err();
                assert_eq!(error.code().as_str(), "dsk::internal", "{way}: {text}");
                assert!(error.message().contains("boom"), "{way}: {}", error.message());
                assert!(!key(&error).is_empty(), "{way}: {text} names no task");
            }
            goes_on(&engine, way);
        }
        // Outside of tasks too.
        assert!(engine.eval("(boom 1.0)").unwrap_err().message().contains("boom"));
        goes_on(&engine, way);
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Diary {
    starts: Mutex<Vec<usize>>,
    before: Mutex<Vec<u32>>,
    after: Mutex<Vec<(u32, bool)>>,
    ends: Mutex<Vec<bool>>,
}

impl Observer for Diary {
    fn start(&self, tasks: usize) {
        self.starts.lock().push(tasks);
    }

    fn before_task(&self, task: &TaskEvent) {
        self.before.lock().push(task.id);
    }

    fn after_task(&self, task: &TaskEvent, result: &dsk::Result<Value>) {
        self.after.lock().push((task.id, result.is_ok()));
    }

    fn finish(&self, error: Option<&Error>) {
        self.ends.lock().push(error.is_none());
    }
}

#[test]
fn observers_are_told_of_everything_once_however_a_run_ends() {
    for (way, config) in ways() {
        for (text, succeeds) in [
            ("(compute (sum (map-blocks (fn [b] b) x :dtype :f8)))", true),
            ("(compute (sum (map-blocks (fn [b] (throw \"no\")) x :dtype :f8)))", false),
            ("(compute (sum (map-blocks (fn [b] (stop 1) b) x :dtype :f8)))", false),
        ] {
            let diary = Arc::new(Diary::default());
            let engine = Engine::with_config(Config { observers: vec![diary.clone()], ..config.clone() });
            let canceller = engine.canceller();
            engine.register("(stop x)", move |x: i64| x + i64::from(canceller.cancel())).unwrap();
            engine.eval("(def x (random/normal 0 1 [400 500] :chunks [50 50] :seed 1))").unwrap();
            assert_eq!(engine.eval(text).is_ok(), succeeds, "{way}: {text}");
            let starts = diary.starts.lock();
            let (mut before, mut after) = (diary.before.lock().clone(), diary.after.lock().clone());
            before.sort_unstable();
            after.sort_unstable();
            let ended: Vec<u32> = after.iter().map(|(id, _)| *id).collect();
            assert_eq!(before, ended, "{way}: {text}: every task that begins ends");
            assert!(before.windows(2).all(|pair| pair[0] != pair[1]), "{way}: {text}: and once");
            assert_eq!(*diary.ends.lock(), [succeeds], "{way}: {text}");
            assert_eq!(starts.len(), 1, "{way}: {text}");
            assert_eq!(starts[0] == before.len(), succeeds, "{way}: {text}: no task begins after a failure");
            if !succeeds {
                assert!(before.len() <= starts[0] / 2, "{way}: {text}: {} of {} tasks", before.len(), starts[0]);
            }
        }
    }
}

/// Cancels after a while, and tells how long it took from then to the end.
fn cancelled(engine: &Engine, text: &str, after: Duration) -> Duration {
    let canceller = engine.canceller();
    let stopped = std::thread::spawn(move || {
        std::thread::sleep(after);
        while !canceller.cancel() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Instant::now()
    });
    let error = engine.eval(text).unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::interrupted", "{text}: {}", error.message());
    let ended = Instant::now();
    ended.saturating_duration_since(stopped.join().unwrap())
}

#[test]
fn what_is_cancelled_ends_within_a_block() {
    for (way, config) in ways().into_iter().take(2) {
        let engine = engine(config);
        engine.eval("(def big (random/random [1500 1500] :seed 1))").unwrap();
        // One task, one kernel.
        for text in ["(delay (dot big big))", "(delay (random/normal 0 1 [30_000_000] :seed 1))"] {
            let late = cancelled(&engine, &format!("(compute {text})"), Duration::from_millis(200));
            assert!(late < Duration::from_secs(3), "{way}: {text}: {late:?}");
        }
        goes_on(&engine, way);
    }
}

#[test]
fn a_store_that_is_cancelled_leaves_what_was_there() {
    for (way, config) in ways() {
        // Compressing takes room of its own for every worker.
        let engine = engine(Config { memory_limit: config.memory_limit.max(12_000_000), ..config });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.h5");
        engine.eval(&format!("(store (arange 6 :chunks 2) \"{}::/y\")", file.display())).unwrap();
        let store = |rows: usize| {
            let (seed, file) = (rows, file.display());
            format!(
                "(store (random/normal 0 1 [{rows} 500] :chunks [50 500] :seed {seed}) \"{file}::/y\" :overwrite true :compression 9)"
            )
        };
        let late = cancelled(&engine, &store(100_000), Duration::from_millis(300));
        assert!(late < Duration::from_secs(3), "{way}: {late:?}");
        let kept = format!("(to-list (compute (read-array \"{}::/y\")))", file.display());
        assert_eq!(engine.eval_as::<Vec<i64>>(&kept).unwrap(), [0, 1, 2, 3, 4, 5], "{way}");
        engine.eval(&store(100)).unwrap();
        let shape = format!("(shape (read-array \"{}::/y\"))", file.display());
        assert_eq!(engine.eval_as::<Vec<i64>>(&shape).unwrap(), [100, 500], "{way}");
        goes_on(&engine, way);
    }
}

#[test]
fn the_task_that_failed_runs_again_alone() {
    for (way, config) in ways() {
        let engine = engine(config);
        engine.eval("(def bad true) (defn check [b] (if bad (throw \"too bad\") (* b 2)))").unwrap();
        let error = engine.eval("(compute (max (+ 1 (map-blocks check (- x 1) :dtype :f8))))").unwrap_err();
        let again = engine.eval("(replay)").unwrap_err();
        assert_eq!(again.message(), error.message(), "{way}");
        assert_eq!(again.code().as_str(), "dsk::user", "{way}");
        // However it was fused before, the error names the call that fails, with its block.
        assert!(key(&again).starts_with("[\"map-blocks-"), "{way}: {}", key(&again));
        assert_eq!(again.task().unwrap().shape.as_deref(), Some(&[50, 50][..]), "{way}");
        assert!(!again.task().unwrap().task.contains("max"), "{way}: {}", again.task().unwrap().task);
        // By its key, as the report has it, and of any other task of the same graph.
        for task in [key(&error), key(&again)] {
            assert_eq!(engine.eval(&format!("(replay '{task})")).unwrap_err().message(), "too bad", "{way}");
        }
        engine.eval("(def bad false)").unwrap();
        let block = engine.eval(&format!("(replay '{})", key(&again))).unwrap();
        assert!(engine.eval("(replay)").is_ok(), "{way}");
        let Value::Block(block) = block else { panic!("{way}: {block:?} is no block") };
        assert_eq!(block.shape(), [50, 50], "{way}");
        goes_on(&engine, way);
        // The next computation was the last one: there is nothing left.
        let nothing = engine.eval("(replay)").unwrap_err();
        assert!(nothing.message().contains("no failed computation"), "{way}: {}", nothing.message());
        assert!(engine.failed_task().is_none(), "{way}");
    }
}

#[test]
fn inputs_that_are_still_there_are_not_made_again() {
    for (way, config) in ways() {
        let engine = engine(config);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        engine
            .register("(dear x)", move |x: i64| {
                counted.fetch_add(1, SeqCst);
                x * 10
            })
            .unwrap();
        engine.eval("(def zero 0)").unwrap();
        // `a` waits for `d`, which needs `ratio`.
        engine.eval("(def g (graph '{a (dear 4) ratio (/ a zero) d (+ a ratio) [e 1] (+ d 1)}))").unwrap();
        let error = engine.eval("(compute g '[e 1])").unwrap_err();
        assert_eq!((key(&error), calls.load(SeqCst)), ("\"ratio\"", 1), "{way}");
        assert_eq!(engine.failed_task().unwrap().to_string(), "ratio", "{way}");
        assert!(engine.eval("(replay \"ratio\")").is_err());
        engine.eval("(def zero 4)").unwrap();
        assert_eq!(engine.eval_as::<f64>("(replay 'ratio)").unwrap(), 10.0, "{way}");
        assert_eq!(engine.eval_as::<f64>("(replay '[e 1])").unwrap(), 51.0, "{way}");
        assert_eq!(calls.load(SeqCst), 1, "{way}: the dear input was still there");
        let unknown = engine.eval("(replay 'ration)").unwrap_err();
        assert_eq!(unknown.code().as_str(), "dsk::index");
        assert_eq!(unknown.help_lines(), ["did you mean `ratio`?"]);
    }
}

#[test]
fn the_part_of_a_file_that_cannot_be_read_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for (way, config) in ways() {
        let (engine, file) = (engine(config), folder.path().join(format!("{way}.h5")));
        engine.eval(&format!("(store x \"{}::/x\")", file.display())).unwrap();
        engine.eval(&format!("(def y (read-array \"{}::/x\" :chunks 100))", file.display())).unwrap();
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let error = engine.eval("(compute (sqrt (abs ((+ y 1) 390:))))").unwrap_err();
        let again = engine.eval("(replay)").unwrap_err();
        // Other tests of this process may replace datasets meanwhile; then the file is looked into first, and the words differ.
        for error in [&error, &again] {
            assert_eq!(error.code().as_str(), "dsk::io", "{way}");
            let told = ["cannot be read: ", "is damaged: "].iter().any(|words| error.message().contains(words));
            assert!(told, "{way}: {}", error.message());
        }
        assert!(again.task().unwrap().task.starts_with("(read "), "{way}: {}", again.task().unwrap().task);
    }
}

#[test]
fn a_failure_inside_a_task_is_the_one_to_replay() {
    let engine = engine(Config::default());
    engine.eval("(def bad true) (deftask risky [n] (if bad (throw \"deep\") n))").unwrap();
    let error = engine.eval("(compute (delay (+ 1 (compute (risky 5)))))").unwrap_err();
    assert!(key(&error).starts_with("\"risky"), "{}", key(&error));
    engine.eval("(def bad false)").unwrap();
    assert_eq!(engine.eval_as::<i64>("(replay)").unwrap(), 5);
}

#[test]
fn what_was_interrupted_leaves_nothing_to_replay() {
    let engine = engine(Config::default());
    cancelled(&engine, "(compute (delay (loop [] (recur))))", Duration::from_millis(50));
    assert!(engine.eval("(replay)").unwrap_err().message().contains("no failed computation"));
}

#[test]
fn what_a_failure_leaves_behind_goes_with_the_next_computation() {
    let limit = 3_000_000;
    let engine = engine(Config { memory_limit: limit, workers: 1, ..Config::default() });
    // Every round would leave a megabyte.
    for _ in 0..8 {
        engine.eval("(def wide (rechunk (* x 2) [400 25]))").unwrap();
        engine.eval("(compute (sum (map-blocks (fn [b] (throw \"no\")) wide :dtype :f8) :axis 0))").unwrap_err();
    }
    goes_on(&engine, "after many failures");
    assert!(engine.peak_bytes() <= limit + 500_000, "{}", engine.peak_bytes());
}
