//! Graphs made by hand, from the language: the same answers under each scheduler, and what tasks may be.

use dsk::text::Code;
use dsk::{Config, Engine};

/// Expressions, and what they print.
const SAID: &[(&str, &str)] = &[
    ("(compute (graph '{x 1 y 2 z (+ x y) [w 0] (sum [x y z])}) 'z :scheduler :sync)", "3"),
    ("(compute (graph '{x 1 y 2 z (+ x y) [w 0] (sum [x y z])}) ['z '[w 0]] :scheduler :threads)", "[3 6]"),
    // Special forms and macros are tasks too, and see the keys of the graph.
    ("(compute (graph '{x 1 y (map #(* % 2) [x 2])}) 'y)", "[2 4]"),
    ("(compute (graph '{x 1 z (if x (+ x 10) 2)}) 'z)", "11"),
    ("(compute (graph '{[w 0] 7 x 1 v (let [a [w 0]] (when a (+ a x)))}) 'v)", "8"),
    ("(compute (graph '{x 1 q '(+ x 1)}) 'q)", "(+ x 1)"),
    // A task may make something lazy, and may compute.
    ("(compute (graph '{n 4 s (sum (arange n :chunks 2))}) 's)", "6"),
    ("(compute (graph '{n 4 s (+ 1 (compute (sum (arange n :chunks 2))))}) 's)", "7"),
    // `((A + 1) * 2) ** 3` is one task a block, and prints as one.
    ("(count (keys (optimize (** (* (+ (arange 50 :chunks 1) 1) 2) 3))))", "50"),
    // A product's first factor stays for the tasks of a row; the second one is made again for each of its 8 × 3 tasks.
    (
        "(let [block (fn [m n] (random/random [m n] :chunks 100))] \
         (count (keys (optimize (dot (transpose (block 200 800)) (block 200 300))))))",
        "40",
    ),
    // Long rows times long columns: making a row again would take much longer than multiplying it. Ten rows, a hundred products.
    (
        "(let [x (random/normal 0 1 [200 2000] :chunks [20 2000])] (count (keys (optimize (dot x (transpose x))))))",
        "110",
    ),
    ("(:tasks (explain (graph '{x 1 y (+ x 1) z (+ y 1) w 0}) 'z))", "3"),
    // Centring holds no more of the input than a block a worker.
    (
        "(< (:peak-bytes (explain (let [x (random/normal 0 1 [800 800] :chunks 100)] (sum (- x (mean x :axis 0)))) \
         :workers 2)) 1000000)",
        "true",
    ),
];

#[test]
fn graphs_compute_what_they_say() {
    let engine = Engine::new();
    for (expression, result) in SAID {
        let value = engine.eval(expression).unwrap_or_else(|e| panic!("{expression}: {e:?}"));
        assert_eq!(dsk::read::print(&value), *result, "{expression}");
    }
}

/// The file that `visualize` makes of an expression.
fn drawn(expression: &str, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let engine = Engine::new();
    engine.set("path", path.to_str().unwrap()).unwrap();
    let answer = engine.eval_as::<String>(&format!("(visualize {expression})")).unwrap();
    assert_eq!(answer, path.to_str().unwrap(), "{expression}");
    let text = std::fs::read_to_string(path).unwrap();
    // Nothing else is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    text
}

/// What is written in a drawing.
fn texts(svg: &str) -> Vec<&str> {
    let text = regex::Regex::new("<text [^>]*>([^<]*)</text>").unwrap();
    text.captures_iter(svg).map(|found| found.get(1).unwrap().as_str()).collect()
}

#[test]
fn graphs_are_drawn() {
    let sum = drawn("(sum (+ (arange 15 :chunks 5) 100)) path", "g.svg");
    let expected = "arange 0 arange 1 arange 2 add 0 add 1 add 2 sum 0 sum 1 sum 2 squeeze · add sum";
    assert_eq!(texts(&sum).join(" "), expected);
    let optimized = drawn("(sum (+ (arange 15 :chunks 5) 100)) path :optimize true", "new/g.svg");
    assert_eq!(texts(&optimized)[..2], ["sum · add · arange", "[sum 0]"]);
    let by_hand = drawn("'{x 1 y (f x \"<&>\") [w 0] [x y]} path :color :order", "g.SVG");
    assert_eq!(texts(&by_hand), ["0: x", "1: f", "y", "2: [ ]", "[w 0]"]);
    assert!(by_hand.contains("(f x \"&lt;&amp;&gt;\")"), "{by_hand}");
    let dot = drawn("[(delay (+ 1 2)) '(1 2)] path", "g.dot");
    assert!(dot.starts_with("digraph {") && dot.contains("  0 -> 1\n"), "{dot}");
    drawn("'{} path", "empty.svg");
}

/// A picture of more tasks than anybody could look through is one of layers.
#[test]
fn graphs_that_are_too_large_are_drawn_by_layers() {
    let large = drawn("(sum (+ (ones [1000000 4] :chunks [1 4]) 1) :axis 1) path :optimize true", "g.svg");
    assert_eq!(texts(&large), ["sum", "sum · add · ones", "1000000 tasks", "[1] float64"]);
    let asked = drawn("(+ (ones 4 :chunks 2) 1) path :layers true :color \"order\"", "g.svg");
    assert_eq!(texts(&asked), ["0: ones", "2 tasks", "[2] float64", "1: add", "2 tasks", "[2] float64"]);
    // Few tasks, but each takes all of a hundred and fifty.
    let dense = "(let [names (map (fn [i] ['x i]) (range 150))] \
                   (merge (zipmap names (range 150)) (zipmap (map (fn [i] ['y i]) (range 150)) (repeat 150 names))))";
    assert_eq!(texts(&drawn(&format!("{dense} path"), "g.svg")), ["x", "150 tasks", "y", "[ ]", "150 tasks"]);
}

/// Layers say in a line what millions of tasks are; who asks for them one by one is told what that takes.
#[test]
fn keys_one_by_one_stay_inside_the_memory_limit() {
    let engine = Engine::with_config(Config { memory_limit: 1 << 20, ..Config::default() });
    engine.eval("(def g (graph (+ (ones [1000000] :chunks 1) 1))) (def small (graph (ones [100] :chunks 1)))").unwrap();
    for op in ["keys", "toposort", "order", "fuse", "dedup"] {
        let error = engine.eval(&format!("({op} g)")).unwrap_err();
        assert_eq!(error.code(), Code::Memory, "{op}");
        assert!(error.message().starts_with(&format!("{op}: 2000000 keys take about 1.4 GB")), "{}", error.message());
        engine.eval(&format!("({op} small)")).unwrap();
    }
    assert_eq!(engine.eval_as::<i64>("(count g)").unwrap(), 2_000_000);
    engine.eval("(optimize g)").unwrap();
}
