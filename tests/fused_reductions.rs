//! A reduction of an elementwise expression is one pass over memory; it must give the bits of reducing the expression's result, and of
//! computing it task by task, however large blocks are beside the tiles.

use dsk::schedule::Synchronous;
use dsk::{Config, Engine};
use std::sync::Arc;

const EXPRESSIONS: [&str; 6] = [
    "(* (+ x 1) 2)",
    "(sqrt (abs (- x y)))",
    "(where (> x 0.25) (* x y) (/ 1 (+ 3 y)))",
    "(astype (* x 3) :f4)",
    "(> (* x x) y)",
    "(astype (* x 100) :int16)",
];

const SHAPES: [(&str, &str, &[&str]); 5] = [
    ("[3000]", "700", &["nil", "[0]"]),
    ("[9000]", "9000", &["nil"]),
    ("[6 2500]", "[4 2500]", &["nil", "[1]", "[0]"]),
    ("[1200 7]", "[500 7]", &["nil", "[0]", "[1]"]),
    ("[5 40 33]", "[5 20 33]", &["nil", "[0 2]", "[1]", "[1 2]"]),
];

#[test]
fn one_pass_gives_the_bits_of_two() {
    let one = Engine::with_config(Config { workers: 2, ..Config::default() });
    let two = Engine::with_config(Config {
        workers: 2,
        optimize: false,
        scheduler: Arc::new(Synchronous),
        ..Config::default()
    });
    for (shape, chunks, axes) in SHAPES {
        let setup = format!(
            "(def x (random/normal 0 1 {shape} :chunks {chunks} :seed 1)) (def y (random/uniform 0 1 {shape} :chunks {chunks} :seed 2))"
        );
        one.eval(&setup).unwrap();
        two.eval(&setup).unwrap();
        for (expression, axis, op) in EXPRESSIONS.iter().flat_map(|e| {
            axes.iter().flat_map(move |a| ["sum", "max", "prod", "mean", "std", "any"].map(|op| (e, a, op)))
        }) {
            let reduced = format!("({op} {expression} :axis {axis})");
            let tell = |engine: &Engine, text: &str| {
                format!("{:?}", engine.eval(text).unwrap_or_else(|e| panic!("{text}: {e:?}")))
            };
            let fused = tell(&one, &format!("(to-list (compute {reduced}))"));
            assert_eq!(fused, tell(&two, &format!("(to-list (compute {reduced}))")), "{reduced} of {shape}");
            // Whole, where blocks are not merged: the concrete expression, then its reduction.
            if *axis != "nil" && !chunks.starts_with('[') {
                continue;
            }
            let close = format!(
                "(allclose (compute {reduced}) ({op} (compute {expression}) :axis {axis}) :rtol 1e-4 :atol 1e-2 :equal-nan true)"
            );
            assert_eq!(tell(&one, &close), "true", "{reduced} of {shape}");
        }
    }
}

#[test]
fn what_is_wrong_in_one_pass_is_told_as_before() {
    let engine = Engine::with_config(Config::default());
    engine.eval("(def x (ones [0 3] :chunks [1 3]))").unwrap();
    assert_eq!(engine.eval_as::<f64>("(compute (sum (+ x 1)))").unwrap(), 0.0);
    let none = engine.eval("(compute (max (+ x 1)))").unwrap_err();
    assert_eq!(none.code().as_str(), "dsk::value");
}

#[test]
fn one_pass_needs_no_memory_for_the_whole() {
    let limit = 40_000_000;
    let engine = Engine::with_config(Config { memory_limit: limit, workers: 2, ..Config::default() });
    // Blocks of 16 MB: two of them fit, the results of their expressions would not.
    engine.eval("(def x (random/random [20_000_000] :chunks 2_000_000 :seed 1))").unwrap();
    let (peak, mean) = (
        engine.eval_as::<i64>("(:peak-bytes (explain (mean (* (+ x 1) 2))))").unwrap(),
        engine.eval_as::<f64>("(compute (mean (* (+ x 1) 2)))").unwrap(),
    );
    assert!(peak < 2 * 16_000_000 + 4_000_000, "{peak}");
    assert!((mean - 3.0).abs() < 0.01, "{mean}");
}
