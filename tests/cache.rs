//! Results kept between computations: what is recalled, what is made anew, and what is never kept.

use dsk::data::Value;
use dsk::schedule::{Observer, TaskEvent};
use dsk::{Config, Engine};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::time::Duration;

/// Counts tasks.
#[derive(Default)]
struct Tasks(AtomicUsize);

impl Observer for Tasks {
    fn before_task(&self, _: &TaskEvent) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A session on a dataset of 2000 × 250 numbers, in 10 blocks.
struct Session {
    engine: Engine,
    tasks: Arc<Tasks>,
    folder: tempfile::TempDir,
}

impl Session {
    fn new() -> Session {
        Session::with(Config { cache: Some(10_000_000), ..Config::default() })
    }

    fn with(mut config: Config) -> Session {
        let tasks = Arc::new(Tasks::default());
        config.observers.push(tasks.clone());
        let session = Session { engine: Engine::with_config(config), tasks, folder: tempfile::tempdir().unwrap() };
        session.write(1);
        session.open();
        session
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("data.h5")
    }

    /// Writes the dataset, and waits until its time tells it from the next one.
    fn write(&self, seed: u64) {
        let file = self.file();
        let text = format!(
            "(store (random/normal {seed} 1 [2000 250] :chunks [200 250] :seed {seed}) \"{}::/x\" :overwrite true)",
            file.display()
        );
        Engine::new().eval(&text).unwrap();
        std::thread::sleep(Duration::from_millis(60));
    }

    fn open(&self) {
        let text = format!("(def x (read-array \"{}::/x\" :chunks [200 250]))", self.file().display());
        self.engine.eval(&text).unwrap();
    }

    /// The value of an expression, computed, and how many tasks that took.
    #[track_caller]
    fn compute(&self, text: &str) -> (Value, usize) {
        let before = self.tasks.0.load(SeqCst);
        let value = self.engine.eval(&format!("(compute {text})")).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        (value, self.tasks.0.load(SeqCst) - before)
    }

    /// Names of the ops whose results are kept, sorted.
    fn kept(&self) -> Vec<String> {
        let info = self.engine.cache_info(usize::MAX);
        let op = |name: &str| name.rsplit_once('-').map_or(name, |(op, _)| op).to_string();
        let mut ops: Vec<String> = info.top.iter().map(|entry| op(&entry.key.name)).collect();
        ops.sort();
        ops.dedup();
        ops
    }

    /// The same value without a cache.
    fn anew(&self, text: &str) -> Value {
        let engine = Engine::new();
        let x = format!("(def x (read-array \"{}::/x\" :chunks [200 250]))", self.file().display());
        engine.eval(&x).unwrap();
        engine.eval(&format!("(compute {text})")).unwrap()
    }
}

/// Options under which a result is made and recalled.
fn ways() -> Vec<Config> {
    let mut ways = Vec::new();
    for (workers, optimize) in [(1, true), (8, true), (2, false)] {
        ways.push(Config { workers, optimize, cache: Some(10_000_000), ..Config::default() });
    }
    ways.push(Config { scheduler: Arc::new(dsk::schedule::Synchronous), ..ways[0].clone() });
    // Not sure to fit in memory.
    ways.push(Config { memory_limit: 8_000_000, cache: Some(1_000_000), workers: 2, ..Config::default() });
    ways
}

#[test]
fn what_was_computed_is_not_computed_again() {
    for config in ways() {
        let session = Session::with(config);
        for text in ["(mean x :axis 0)", "(std x)", "(sum (dot (transpose x) x) :axis 1)", "(max (abs x) :axis 0)"] {
            let (first, tasks) = session.compute(text);
            assert!(tasks > 0, "{text}");
            let (second, tasks) = session.compute(text);
            assert_eq!(tasks, 0, "{text}");
            assert!(second.same(&first) && second.same(&session.anew(text)), "{text}");
        }
        assert!(session.engine.cache_info(0).hits > 0);
    }
}

#[test]
fn results_put_away_on_disk_are_kept_like_others() {
    let config = Config { memory_limit: 2_000_000, cache: Some(100_000), workers: 2, ..Config::default() };
    let session = Session::with(config);
    let text = "(std (* 2 (rechunk x [2000 25])) :axis 0)";
    let (first, _) = session.compute(text);
    let (second, tasks) = session.compute(text);
    assert!(tasks == 0 && second.same(&first) && second.same(&session.anew(text)));
    assert!(session.engine.peak_bytes() <= 2_000_000 + 2 * 400_000, "{}", session.engine.peak_bytes());
}

#[test]
fn what_is_slightly_changed_starts_from_what_is_there() {
    for config in ways().into_iter().take(4) {
        let session = Session::with(config);
        session.compute("(mean x :axis 0)");
        // Only the steps after the mean: none of the 10 blocks is read.
        for text in ["(* 2 (mean x :axis 0))", "(sum (mean x :axis 0))", "[(mean x :axis 0) (max (mean x :axis 0))]"] {
            let (value, tasks) = session.compute(text);
            assert!(tasks <= 2, "{text} took {tasks} tasks");
            assert!(value.same(&session.anew(text)), "{text}");
        }
        // A row of the centred data takes the one block that it lies in.
        let text = "((- x (mean x :axis 0)) 250)";
        let (value, tasks) = session.compute(text);
        assert!(tasks <= 5, "{text} took {tasks} tasks");
        assert!(value.same(&session.anew(text)));
    }
}

#[test]
fn ops_that_begin_alike_share_what_they_have_in_common() {
    let session = Session::new();
    for (first, others) in [("mean", ["sum", "mean"]), ("std", ["var", "std"])] {
        session.compute(&format!("({first} x :axis 0)"));
        for (op, options) in others.iter().zip(["", " :keepdims true"]) {
            let text = format!("({op} x :axis 0{options})");
            let (value, tasks) = session.compute(&text);
            assert!(tasks <= 5, "{text} after {first} took {tasks} tasks");
            assert!(value.same(&session.anew(&text)), "{text}");
        }
    }
}

#[test]
fn results_on_the_way_are_kept_too() {
    let session = Session::new();
    session.compute("(max (- x (mean x :axis 0)))");
    let (value, tasks) = session.compute("(* 3 (mean x :axis 0))");
    assert!(tasks <= 5, "{tasks} tasks");
    assert!(value.same(&session.anew("(* 3 (mean x :axis 0))")));
}

#[test]
fn a_deviation_is_kept_and_a_transpose_is_not() {
    let session = Session::new();
    session.compute("(std x :axis 0)");
    session.compute("(transpose x)");
    session.compute("(+ x 1)");
    session.compute("(x 0:1500)");
    assert_eq!(session.kept(), ["moments", "std"]);
    // With the moments of the blocks: count, mean and squares of 250 columns for each of 10.
    let info = session.engine.cache_info(1);
    assert!(info.bytes < 4_000_000 / 40, "{} bytes", info.bytes);
}

#[test]
fn a_file_that_was_written_to_is_read_again() {
    let session = Session::new();
    let (old, _) = session.compute("(mean x)");
    // The same array, of a file that is another one by now; and the array opened again.
    for seed in [2, 3] {
        session.write(seed);
        session.open();
        let (new, tasks) = session.compute("(mean x)");
        assert!(tasks > 0 && !new.same(&old));
        assert!(new.same(&session.anew("(mean x)")));
    }
    session.write(1);
    session.open();
    assert!(session.compute("(mean x)").0.same(&old));
}

#[test]
fn bytes_that_change_in_place_are_seen_by_an_array_that_is_open() {
    let session = Session::new();
    let (old, _) = session.compute("(sum x)");
    assert_eq!(session.compute("(sum x)").1, 0);
    overwrite(&session.file());
    std::thread::sleep(Duration::from_millis(60));
    let (new, tasks) = session.compute("(sum x)");
    assert!(tasks > 0 && !new.same(&old), "{old:?} was answered for what is {new:?} now");
    assert!(new.same(&session.anew("(sum x)")));
    assert_eq!(session.compute("(sum x)").1, 0);
}

/// Changes a number of the dataset, without a change of the file's size or layout.
fn overwrite(file: &Path) {
    use std::os::unix::fs::FileExt;
    let len = std::fs::metadata(file).unwrap().len();
    let open = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    open.write_all_at(&1e6f64.to_le_bytes(), len / 16 * 8).unwrap();
}

#[test]
fn a_file_of_this_very_moment_is_not_trusted() {
    let session = Session::new();
    for round in 0..5 {
        overwrite(&session.file());
        session.compute("(sum x)");
        let (value, tasks) = session.compute("(sum x)");
        assert!(tasks > 0, "round {round}");
        assert!(value.same(&session.anew("(sum x)")));
    }
}

#[test]
fn functions_are_known_by_what_they_mention() {
    let session = Session::new();
    let eval = |text: &str| session.engine.eval(text).unwrap();
    eval("(def k 2) (defn scaled [b] (* b k)) (defn f [b] (sum (scaled b) :keepdims true :axis 0))");
    let text = "(sum (map-blocks f x :chunks [1 250] :dtype :f8))";
    eval(&format!("(def y {text})"));
    let (two, tasks) = session.compute("y");
    assert!(tasks > 0);
    assert_eq!(session.compute("y").1, 0, "the same function on the same data");
    // What a function that it calls mentions is another one now.
    eval("(def k 3)");
    let (three, tasks) = session.compute("y");
    assert!(tasks > 0 && three.same(&session.compute(text).0) && !three.same(&two));
    eval("(defn scaled [b] (* b 2))");
    let (again, tasks) = session.compute("y");
    assert!(tasks > 0 && again.same(&two));
    eval("(def k 2) (defn scaled [b] (* b k))");
    assert_eq!(session.compute("y").1, 0, "as it was at first");
}

#[test]
fn what_has_effects_or_varies_is_done_again() {
    let session = Session::new();
    let eval = |text: &str| session.engine.eval(text).unwrap();
    session.engine.register("(host-sum b)", |b: f64| b + 1.0).unwrap();
    eval("(def k 1) (defn noisy [b] (print \"\") (sum b :keepdims true :axis 0))");
    eval("(defn varies [b] (+ b (random/random [1 250])))");
    eval("(defn reads [n] (dotimes [i 20000] i) (read \"no.h5::/x\"))");
    eval("(deftask slow [n] (dotimes [i 20000] i) (print \"\") n)");
    session.engine.set_output(std::io::sink());
    for text in [
        "(sum (map-blocks noisy x :chunks [1 250] :dtype :f8))",
        "(sum (map-blocks varies x))",
        "(slow 3)",
        "(delay (host-sum (mean x)))",
        "(graph '{a (reduce + (range 20000)) b (+ a 1)}) 'b",
        "(sum (map-blocks (fn [b] (def seen 1) (sum b :keepdims true :axis 0)) x :chunks [1 250] :dtype :f8))",
    ] {
        session.compute(text);
        assert!(session.compute(text).1 > 0, "{text}");
    }
    // A store writes every time.
    let out = session.folder.path().join("out.h5");
    for _ in 0..2 {
        let _ = std::fs::remove_file(&out);
        eval(&format!("(store (mean x :axis 0) \"{}::/m\")", out.display()));
        assert!(out.exists());
    }
}

#[test]
fn what_only_calculates_is_kept_though_it_is_no_array() {
    let session = Session::new();
    session
        .engine
        .eval("(defn count-up [n] (loop [i 0 s 0] (if (< i n) (recur (+ i 1) (+ s i)) {:sum s :n n})))")
        .unwrap();
    session.engine.eval("(def d (delay (count-up 100000)))").unwrap();
    let (first, tasks) = session.compute("d");
    assert_eq!(tasks, 1);
    let (second, tasks) = session.compute("d");
    assert!(tasks == 0 && second.same(&first));
}

#[test]
fn random_numbers_without_a_seed_are_never_shared() {
    let session = Session::new();
    let text = "(std (random/normal 0 1 [400 500] :chunks 100))";
    let (first, _) = session.compute(text);
    assert!(!session.compute(text).0.same(&first));
    let seeded = "(std (random/normal 0 1 [400 500] :chunks 100 :seed 7))";
    session.compute(seeded);
    assert_eq!(session.compute(seeded).1, 0);
}

#[test]
fn what_was_persisted_is_what_it_was_then() {
    let session = Session::new();
    session.engine.eval("(def p (persist x))").unwrap();
    let (old, _) = session.compute("(sum p)");
    overwrite(&session.file());
    std::thread::sleep(Duration::from_millis(60));
    session.engine.eval("(def q (persist x))").unwrap();
    let (new, _) = session.compute("(sum q)");
    assert!(!new.same(&old) && new.same(&session.anew("(sum x)")));
    assert!(session.compute("(sum p)").0.same(&old));
    assert!(session.compute("[(sum p) (sum q)]").0.same(&Value::list(vec![old, new])));
}

#[test]
fn a_kept_block_is_never_written_into() {
    let session = Session::new();
    // What is done to a result would be done in its own memory, if nobody else had it.
    let (mean, _) = session.compute("(mean x :axis 0)");
    let copy = Value::from(mean_block(&mean).copied());
    for text in [
        "(sqrt (abs (* 3 (mean x :axis 0))))",
        "(- (mean x :axis 0))",
        "(map-blocks (fn [m] (* m 0)) (mean x :axis 0))",
        "(assoc (compute (mean x :axis 0)) 0 99.0)",
        "(* (compute (mean x :axis 0)) 0)",
    ] {
        session.compute(text);
        let (again, _) = session.compute("(mean x :axis 0)");
        assert!(again.same(&copy), "{text}");
    }
}

fn mean_block(value: &Value) -> &dsk::data::Block {
    let Value::Block(block) = value else { panic!("{value:?} is no block") };
    block
}

/// What a result is recalled by is the name of its layer: two expressions of one name have one value.
#[test]
fn names_tell_apart_what_differs() {
    let engine = Engine::new();
    engine
        .eval("(def x (random/integers 0 9 [6 4] :chunks [2 2] :seed 1)) (def y (+ x 0.5)) (def z (reshape x [2 3 4]))")
        .unwrap();
    let each = |names: &str, options: &str| -> Vec<String> {
        let calls = names.split(' ').flat_map(|name| options.split(';').map(move |o| format!("({name} {})", o.trim())));
        calls.collect()
    };
    let axes = "x; x :axis 0; x :axis 1; x :axis [0 1]; x :axis 0 :keepdims true; x :keepdims true; y; z :axis 1; x :split-every 2";
    let mut texts = each("sum prod mean min max any all std var", axes);
    texts.extend(each("std var", "x :ddof 1; x :axis 0 :ddof 1; y :ddof 0.5"));
    texts.extend(each("sum prod mean", "x :dtype :f4; x :dtype :i4; x :axis 0 :dtype :f8"));
    texts.extend(each(
        "ones zeros empty",
        "[4 2] :chunks 2; [4 2] :chunks [2 1]; [2 4] :chunks 2; [4 2] :chunks 2 :dtype :i4",
    ));
    texts.extend(each("full", "[4 2] 1 :chunks 2; [4 2] 1.0 :chunks 2; [4 2] 2 :chunks 2; [4 2] true :chunks 2"));
    texts.extend(each(
        "arange",
        "6 :chunks 2; 6.0 :chunks 2; 0.5 6.5 :chunks 2; 1 7 :chunks 2; 0 12 2 :chunks 2; 6 :chunks 3; 6 :dtype :f4 :chunks 2",
    ));
    texts.extend(each(
        "linspace",
        "0 1 :num 6 :chunks 2; 0 1 :num 6 :endpoint false :chunks 2; 0 2 :num 6 :chunks 2; 0 1 :num 7 :chunks 2",
    ));
    texts.extend(each(
        "eye",
        "4 :chunks 2; 4 :k 1 :chunks 2; 4 :m 6 :chunks 2; 4 :k -1 :chunks 2; 4 :dtype :i4 :chunks 2",
    ));
    texts.extend(each(
        "random/random random/normal",
        ":size [4] :seed 1 :chunks 2; :size [4] :seed 2 :chunks 2; :size [4] :dtype :f4 :seed 1 :chunks 2",
    ));
    texts.extend(each(
        "random/normal random/uniform",
        "0 2 [4] :seed 1 :chunks 2; 1 2 [4] :seed 1 :chunks 2; 0 3 [4] :seed 1 :chunks 2",
    ));
    texts.extend(each(
        "random/integers",
        "0 5 [4] :seed 1 :chunks 2; 0 6 [4] :seed 1 :chunks 2; 0 5 [4] :endpoint true :seed 1 :chunks 2",
    ));
    texts.extend(each(
        "add subtract multiply divide power floor-divide mod minimum less equal",
        "x 2; x 2.0; 2 x; x y; y x; x x; x (x 0); y (y : 0:1)",
    ));
    texts.extend(each("sqrt exp negative absolute isnan floor sign", "x; y; z"));
    texts.extend(each("transpose flip squeeze ravel", "x; y; z"));
    texts.extend(each("transpose", "z :axes [0 2 1]; z :axes [2 1 0]; z :axes [1 0 2]"));
    texts.extend(each("flip", "x :axis 0; x :axis 1; z :axis 2"));
    texts.extend(each("expand-dims", "x :axis 0; x :axis 1; x :axis 2"));
    texts.extend(each("reshape", "x [4 6]; x [24]; x [2 12]; y [4 6]"));
    texts.extend(each("rechunk", "x 3; x [6 1]; x {0 -1}; y 3"));
    texts.extend(each("astype", "x :f4; x :i4; y :i8"));
    texts.extend(each("where", "(> x 4) x 0; (> x 4) 0 x; (> x 5) x 0; (> x 4) x 1; (> x 4) y x"));
    texts.extend(each("clip", "x 2 6; x 1 6; x 2 5; y 2 6"));
    texts.extend(each("concatenate stack", "[x x]; [x y]; [y x]; [x x] :axis 1; [x y] :axis 1"));
    texts.extend(each("dot matmul", "x (transpose x); (transpose x) x; x (transpose y); y (transpose x); x (x 0)"));
    texts.extend(each(
        "tensordot",
        "x x :axes [[0] [0]]; x x :axes [[1] [1]]; x y :axes [[0] [0]]; x x :axes 2; x x :axes [[0 1] [0 1]]",
    ));
    texts.extend(each("slice", "x 0; x 1; x 0:2; x 1:3; x : 0; x : 1; x ::2; x 1::2; x ::-1; x [0 2]; x [2 0]; x : [0 2]; x 0 1; x newaxis; x 0:2 newaxis 1"));
    texts.extend(each("map-blocks", "(fn [b] (* b 2)) x; (fn [b] (* b 3)) x; (fn [b] (* b 2)) y; (fn [b] (+ b 2)) x; (fn [a b] (+ a b)) x y; (fn [a b] (+ a b)) y x; (fn [b] (sum b :axis 0)) x :drop-axis 0; (fn [b] (sum b :axis 1)) x :drop-axis 1"));
    texts.extend(each("broadcast-to", "(x 0) [3 4]; (x 1) [3 4]; (x 0) [2 4]"));
    let mut seen: std::collections::HashMap<String, (String, Value)> = std::collections::HashMap::new();
    let mut there = 0;
    for text in &texts {
        // A few do not fit each other.
        let Ok(Value::Array(array)) = engine.eval(text) else { continue };
        let value = engine.compute(&Value::Array(array.clone())).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let (first, known) = seen.entry(array.layer.name.to_string()).or_insert_with(|| (text.clone(), value.clone()));
        assert!(known.same(&value), "{first} and {text} are both called {}: {known:?} {value:?}", array.layer.name);
        there += 1;
    }
    assert!(there > 300, "{there} of {}", texts.len());
}

#[test]
fn the_budget_is_kept_and_the_cache_can_be_cleared() {
    let session = Session::with(Config { cache: Some(10_000), ..Config::default() });
    for axis in 0..2 {
        for op in ["sum", "mean", "std", "var", "max", "min"] {
            session.compute(&format!("({op} x :axis {axis})"));
            assert!(session.engine.cache_info(0).bytes <= 10_000);
        }
    }
    let info = session.engine.cache_info(3);
    assert!(info.entries > 0 && info.evicted > 0 && info.limit == 10_000 && info.top.len() == 3);
    session.engine.eval("(cache-clear)").unwrap();
    assert_eq!((session.engine.cache_info(9).entries, session.engine.cache_info(9).bytes), (0, 0));
    assert!(session.compute("(max x :axis 0)").1 > 0);
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let session = Session::with(Config::default());
    session.compute("(std x)");
    assert!(session.compute("(std x)").1 > 0);
    assert_eq!(session.engine.cache_info(1).entries, 0);
    // The option of a call holds for the call.
    session.compute("(std x) :cache \"1MB\"");
    assert_eq!(session.compute("(std x) :cache \"1MB\"").1, 0);
    assert!(session.compute("(std x)").1 > 0);
    assert!(session.compute("(std x) :cache false").1 > 0);
}

#[test]
fn the_cache_gives_way_to_what_needs_the_memory() {
    let session = Session::with(Config { cache: Some(3_000_000), memory_limit: 10_000_000, ..Config::default() });
    session.compute("(dot (transpose x) x)");
    assert!(session.engine.cache_info(0).bytes >= 250 * 250 * 8);
    // From rows to columns: all 4 MB of each of two arrays.
    session.compute("(sum (* (rechunk (* x 2) [2000 25]) (rechunk (+ x 1) [2000 25])))");
    assert!(session.engine.peak_bytes() <= 10_000_000 + 2 * 1_000_000, "{}", session.engine.peak_bytes());
}

#[test]
fn a_failure_keeps_nothing_wrong() {
    let session = Session::new();
    session
        .engine
        .eval("(def bad true) (defn check [b] (if bad (throw \"bad\") (sum b :keepdims true :axis 0)))")
        .unwrap();
    session.engine.eval("(def y (sum (map-blocks check x :chunks [1 250] :dtype :f8)))").unwrap();
    session.engine.eval("(compute y)").unwrap_err();
    session.engine.eval("(def bad false)").unwrap();
    assert!(session.compute("y").0.same(
        &session.anew("(sum (map-blocks (fn [b] (sum b :keepdims true :axis 0)) x :chunks [1 250] :dtype :f8))")
    ));
}

#[test]
fn many_threads_share_one_cache() {
    let session = Session::new();
    let expected = session.anew("(std x :axis 0)");
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (engine, expected) = (&session.engine, &expected);
            scope.spawn(move || {
                for round in 0..8 {
                    if (n + round) % 5 == 0 {
                        engine.clear_cache();
                    }
                    let value = engine.eval("(compute (std x :axis 0))").unwrap();
                    assert!(value.same(expected));
                }
            });
        }
    });
}

/// What `explain` says of tasks and reading is what is left to do, and asking makes nothing of it worth more.
#[test]
fn what_is_kept_is_not_foretold_again() {
    let session = Session::new();
    let explained = |text: &str| {
        let figure = |name: &str| {
            let value = session.engine.eval(&format!("(:{name} (explain {text}))")).unwrap();
            value.as_int().unwrap()
        };
        (figure("tasks"), figure("bytes-read"))
    };
    let run = |text: &str| {
        session.tasks.0.store(0, SeqCst);
        session.engine.eval(&format!("(compute {text})")).unwrap();
        session.tasks.0.load(SeqCst) as i64
    };
    let hits = || session.engine.eval("(:hits (cache-info))").unwrap().as_int().unwrap();
    for text in ["(std x :axis 0)", "[(std x :axis 0) (mean (* x 2))]", "(/ x (std x :axis 0))"] {
        let (tasks, read) = explained(text);
        assert!(tasks > 0 && read > 0, "{text}: {tasks} tasks, {read} bytes read");
        assert_eq!(run(text), tasks, "{text}");
    }
    let before = hits();
    assert_eq!(explained("(std x :axis 0)"), (0, 0));
    // The same with a further step, and beside something new.
    assert_eq!(explained("(* 2 (std x :axis 0))").1, 0);
    let (tasks, read) = explained("[(std x :axis 0) (max x)]");
    assert_eq!(hits(), before, "asking what would be used uses nothing");
    assert_eq!(read, 2000 * 250 * 8);
    assert_eq!(run("[(std x :axis 0) (max x)]"), tasks);
    session.engine.eval("(cache-clear)").unwrap();
    assert!(explained("(std x :axis 0)").1 > 0);
}
