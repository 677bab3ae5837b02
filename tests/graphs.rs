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
