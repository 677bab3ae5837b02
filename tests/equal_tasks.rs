//! What is equal runs once: layers that come to be alike, and tasks of graphs made by hand.

use dsk::data::{Block, Graph, Key, Task, Value};
use dsk::schedule::{Observer, TaskEvent};
use dsk::{Config, Engine};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};

/// Counts tasks.
#[derive(Default)]
struct Tasks(AtomicUsize);

impl Observer for Tasks {
    fn before_task(&self, _: &TaskEvent) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// What an expression prints, and how many tasks ran for it.
#[track_caller]
fn run(expression: &str) -> (String, usize) {
    let tasks = Arc::new(Tasks::default());
    let engine = Engine::with_config(Config { observers: vec![tasks.clone()], cache: None, ..Config::default() });
    let value = engine.eval(expression).unwrap_or_else(|e| panic!("{expression}: {e:?}"));
    (dsk::read::print(&value), tasks.0.load(SeqCst))
}

#[track_caller]
fn said(expression: &str) -> String {
    run(expression).0
}

#[test]
fn equal_tasks_of_a_graph_run_once_and_all_keys_answer() {
    // x, a and c; d is another name of c, and nobody needs b.
    let graph = "(graph '{x 1 a (+ x 1) b (+ x 1) c (* a 10) d (* b 10)})";
    assert_eq!(run(&format!("(compute {graph} ['c 'd])")), ("[20 20]".into(), 4));
    assert_eq!(run(&format!("(compute {graph} ['c 'd] :optimize false)")), ("[20 20]".into(), 5));
    assert_eq!(run(&format!("(compute {graph} ['a 'b 'c 'd])")), ("[2 2 20 20]".into(), 5));
    // Only what is asked for is looked at.
    assert_eq!(run(&format!("(compute {graph} 'd)")), ("20".into(), 3));
    assert_eq!(run("(compute (graph '{[x 0] 1 [x 1] 1 s (sum [[x 0] [x 1]])}) 's)"), ("2".into(), 2));
}

#[test]
fn the_pass_alone() {
    assert_eq!(said("(dedup '{x 1 y 1 a (+ x 1) b (+ y 1) z [a b]})"), "(graph '{x 1\n  a (+ x 1)\n  z [a a]})");
    // Keys that are asked for, and those that no task names, are other names of the first.
    assert_eq!(said("(dedup '{x 1 y 1 a (+ x 1) b (+ y 1)} ['y])"), "(graph '{x 1\n  y x\n  a (+ x 1)\n  b a})");
    assert_eq!(
        said("(optimize '{x 1 a (+ x 1) b (+ x 1) z [a b]} :passes [:dedup])"),
        "(graph '{x 1\n  a (+ x 1)\n  z [a a]})"
    );
    assert_eq!(said("(count (keys (optimize '{x (ones 3) a (sum x) b (sum x) z (* a b)} 'z)))"), "2");
    // The order of the map does not matter, nor how deep what is equal is.
    assert_eq!(said("(count (keys (dedup '{z [d c] d (* b 2) c (* a 2) b (+ x 1) a (+ x 1) x 1})))"), "4");
    assert_eq!(said("(compute (dedup '{a [1 {:k x}] b [1 {:k x}] x 5 z (= a b)}) 'z)"), "true");
}

#[test]
fn what_has_effects_or_varies_stays_apart() {
    for graph in [
        "'{a (random/random 3) b (random/random 3)}",
        "'{a (print 1) b (print 1)}",
        "'{a (gensym) b (gensym)}",
        // What names it, however far away.
        "'{a (sum (random/random 3)) b (sum (random/random 3)) c (+ a 1) d (+ b 1)}",
        // A function with effects that a key stands for.
        "'{f (fn [x] (print x)) a (map f [1]) b (map f [1])}",
        "'{f print g [f] a (map (first g) [1]) b (map (first g) [1])}",
        // Reading and writing: the file may be another one.
        "'{a (read \"f.h5::/x\") b (read \"f.h5::/x\") c (write \"f.h5::/x\" [0:1] 1)}",
        "'{a (fn [] 1) b (fn [] (gensym))}",
    ] {
        assert_eq!(said(&format!("(dedup {graph})")), said(&format!("(graph {graph})")), "{graph}");
    }
    // With a seed, the same numbers come of the same call.
    assert_eq!(
        said("(dedup '{a (random/random 3 :seed 1) b (random/random 3 :seed 1) c (random/random 3 :seed 2)})"),
        "(graph '{a (random/random 3 :seed 1)\n  b a\n  c (random/random 3 :seed 2)})"
    );
    // Where nothing writes, a file is the same one.
    assert_eq!(said("(count (keys (dedup '{a (read \"f.h5::/x\" 0:1) b (read \"f.h5::/x\" 0:1) z [a b]})))"), "2");
}

#[test]
fn functions_of_the_program_are_looked_into_and_those_of_the_host_are_not() {
    let twice = "'{a (f 1) b (f 1) z [a b]}";
    for (define, left) in [
        ("(defn f [x] (* 2 x))", 2),
        ("(defn g [x] (* 2 x)) (defn f [x] (g x))", 2),
        ("(defn f [x] (print x))", 3),
        ("(defn g [x] (random/random 3)) (defn f [x] (g x))", 3),
        ("(def f {1 2})", 2),
    ] {
        assert_eq!(said(&format!("(do {define} (count (keys (dedup {twice}))))")), left.to_string(), "{define}");
    }
    let engine = Engine::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    engine.register("(f x)", move |x: i64| x + counted.fetch_add(1, SeqCst) as i64).unwrap();
    assert_eq!(engine.eval_as::<i64>(&format!("(count (keys (dedup {twice})))")).unwrap(), 3);
    engine.eval(&format!("(compute (graph {twice}) 'z)")).unwrap();
    assert_eq!(calls.load(SeqCst), 2);
}

#[test]
fn names_in_special_forms_stay_what_they_are() {
    // y is x, but `y` in the code is a symbol, and a parameter.
    assert_eq!(said("(compute (graph '{x 1 y 1 q '(+ y 1) z [x y]}) ['q 'z])"), "[(+ y 1) [1 1]]");
    assert_eq!(
        said("(compute (graph '{x 1 y 1 a (let [x 5] (+ x y)) b (let [x 5] (+ x y)) z [a b x]}) 'z)"),
        said("(compute (graph '{x 1 y 1 a (let [x 5] (+ x y)) b (let [x 5] (+ x y)) z [a b x]}) 'z :optimize false)"),
    );
    assert_eq!(said("(dedup '{x 1 a (if x 1 2) b (if x 1 2) z [a b]})"), "(graph '{x 1\n  a (if x 1 2)\n  z [a a]})");
    assert_eq!(said("(dedup '{x 1 y 1 z (if y 1 2)})"), "(graph '{x 1\n  y x\n  z (if y 1 2)})");
    assert_eq!(said("(count (keys (dedup '{a (map #(* % 2) [1]) b (map #(* % 2) [1]) z [a b]})))"), "2");
    assert_eq!(said("(count (keys (dedup '{a (map #(print %) [1]) b (map #(print %) [1]) z [a b]})))"), "3");
}

/// The keys left of a graph of these data and a list of all of them.
fn left(data: Vec<Value>) -> usize {
    let keys: Vec<Key> = (0..data.len() as u32).map(|n| Key::block("x".into(), &[n])).collect();
    let all = Task::list(keys.iter().map(|key| Task::key(key.clone())).collect());
    let tasks = keys.into_iter().zip(data.into_iter().map(Task::data)).chain([(Key::new("all"), all)]);
    let engine = Engine::new();
    engine.set("g", Value::Graph(Arc::new(Graph::from_tasks(tasks.collect())))).unwrap();
    engine.eval_as::<i64>("(count (keys (dedup g)))").unwrap() as usize - 1
}

#[test]
fn data_are_equal_to_the_last_bit() {
    let nan = |payload: u64| Value::Float(f64::from_bits(f64::NAN.to_bits() | payload));
    assert_eq!(left(vec![nan(0), nan(1), nan(0)]), 2);
    assert_eq!(left(vec![0.0.into(), Value::Float(-0.0), Value::Int(0), Value::Bool(false), Value::Nil]), 5);
    assert_eq!(left(vec![Value::from("a"), Value::keyword("a"), Value::symbol("a"), Value::from("a")]), 3);
    let ints = |n: i64| Value::from(vec![n, 2]);
    assert_eq!(left(vec![ints(1), ints(1), ints(3), Value::from(vec![1.0, 2.0])]), 3);
    let block = |x: f64| Value::from(Block::from_slice(&[2], &[x, 1.0]));
    let narrow = Value::from(Block::from_slice(&[2], &[0f32, 1.0]));
    let matrix = Value::from(Block::from_slice(&[2, 1], &[0.0, 1.0]));
    assert_eq!(left(vec![block(0.0), block(-0.0), block(0.0), narrow, matrix]), 4);
    // What is large is not read through: it is equal if it is the same.
    let large = Value::from(Block::from_slice(&[10_000], &[1.0; 10_000]));
    assert_eq!(left(vec![large.clone(), large]), 1);
}

#[test]
fn layers_that_come_to_be_equal_are_one() {
    let sliced = "[((+ x 1) 0:15) (+ (x 0:15) 1)]";
    let x = "(random/random [100] :seed 1 :chunks 10)";
    let passes = |names: &str| format!("(let [x {x}] (count (keys (optimize {sliced} :passes {names}))))");
    // Two blocks of a part of x, of one array, and of the other: three layers, the third being the second.
    assert_eq!(said(&passes("[:slice :dedup]")), "6");
    assert_eq!(
        said(&format!("(let [x {x}] (map first (:passes (explain {sliced} :passes true))))")),
        "[:slice :dedup :inline]"
    );
    assert_eq!(said(&format!("(let [x {x}] (= (compute {sliced}) (compute {sliced} :optimize false)))")), "true");
    // Lazy calls of a function that only answers.
    let calls =
        |f: &str| format!("(let [f {f}] (count (keys (optimize (+ (delay (f 3)) (delay (f 3))) :passes [:dedup]))))");
    assert_eq!(said(&calls("(fn [x] (* x 2))")), "2");
    assert_eq!(said(&calls("(fn [x] (print x))")), "3");
    assert_eq!(run("(let [f (fn [x] (* x 2))] (compute [(delay (f 3)) (delay (f 3))]))"), ("[6 6]".into(), 2));
    // What calls another function is one only if that one has no effects.
    let calls = |f: &str| {
        let twice = "(+ (delay (g (delay (f 3)))) (delay (g (delay (f 3)))))";
        said(&format!("(let [f {f} g (fn [h] (h))] (count (keys (optimize {twice} :passes [:dedup]))))"))
    };
    assert_eq!(calls("(fn [x] (fn [] (* x 2)))"), "3");
    assert_eq!(calls("(fn [x] (fn [] (print x)))"), "5");
}

/// A task of a random graph: data, or a call of tasks before it.
#[derive(Clone, Debug)]
enum Made {
    Data(&'static str),
    Call(&'static str, Vec<prop::sample::Index>),
}

fn made() -> impl Strategy<Value = Made> {
    let data = prop::sample::select(vec!["0", "0.0", "-0.0", "1", "1.0", "\"a\"", ":a", "[1 2]", "nan", "(ones 2)"]);
    let call = prop::sample::select(vec!["list", "str", "map", "count"]);
    prop_oneof![
        data.prop_map(Made::Data),
        (call, prop::collection::vec(any::<prop::sample::Index>(), 1..3)).prop_map(|(f, args)| Made::Call(f, args)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// As many tasks are left as there are expressions, and every key answers what it did.
    #[test]
    fn graphs_with_what_is_equal_in_them(tasks in prop::collection::vec(made(), 1..30)) {
        let mut texts: Vec<String> = Vec::new();
        let mut unfolded: Vec<String> = Vec::new();
        for (n, task) in tasks.iter().enumerate() {
            let (text, whole) = match task {
                Made::Call(f, args) if n > 0 => {
                    // `count` takes one list.
                    let args: Vec<usize> = args.iter().map(|a| a.index(n)).collect();
                    let named = |part: &dyn Fn(usize) -> String| {
                        let parts: Vec<String> = args.iter().map(|&a| part(a)).collect();
                        match *f {
                            "list" => format!("[{}]", parts.join(" ")),
                            "count" => format!("(count [{}])", parts.join(" ")),
                            "map" => format!("{{:first {} :last {}}}", parts[0], parts[parts.len() - 1]),
                            f => format!("({f} {})", parts.join(" ")),
                        }
                    };
                    (named(&|a| format!("k{a}")), named(&|a| unfolded[a].clone()))
                }
                Made::Call(..) => ("0".into(), "0".into()),
                Made::Data(text) => ((*text).into(), (*text).into()),
            };
            texts.push(format!("k{n} {text}"));
            unfolded.push(whole);
        }
        let graph = format!("'{{{}}}", texts.join(" "));
        let keys: Vec<String> = (0..texts.len()).map(|n| format!("'k{n}")).collect();
        let keys = format!("[{}]", keys.join(" "));
        let (plain, _) = run(&format!("(compute (graph {graph}) {keys} :optimize false)"));
        let (shared, _) = run(&format!("(compute (graph {graph}) {keys})"));
        prop_assert_eq!(&plain, &shared, "{}", graph);
        let (alone, ran) = run(&format!("(compute (dedup {graph} {keys}) {keys} :optimize false)"));
        prop_assert_eq!(&plain, &alone, "{}", graph);
        prop_assert_eq!(ran, texts.len());
        let (optimized, _) = run(&format!("(compute (optimize {graph} {keys}) {keys})"));
        prop_assert_eq!(&plain, &optimized, "{}", graph);
        let distinct: BTreeSet<&String> = unfolded.iter().collect();
        let printed = said(&format!("(dedup {graph} {keys})"));
        let others = printed.lines().filter(|line| {
            let line = line.trim_start_matches("(graph '{").trim().trim_end_matches("})");
            line.split_once(' ').is_some_and(|(_, task)| task.starts_with('k') && !task.contains(' '))
        });
        prop_assert_eq!(texts.len() - others.count(), distinct.len(), "{}", printed);
    }
}
