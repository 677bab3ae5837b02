//! Expressions that need their input early and late, such as `(- x (mean x :axis 0))`: what is held of it at a time depends on
//! the workers, not on the number of blocks.

use dsk::{Config, Engine};
use std::path::Path;

/// Of `A` and `B`, square and cut alike, and how many blocks a worker may take beside its tiles: what a task takes and makes, with
/// the temporary blocks of its kernels.
const EXPRESSIONS: &[(&str, usize)] = &[
    ("(- (dot (transpose A) B) (mean B :axis 0))", 9),
    ("(- B (mean B :axis 0))", 4),
    ("(mean (abs (- B (mean B :axis 0))))", 4),
    ("(+ (- B (mean B :axis 0)) (/ (transpose B) (std B)))", 10),
];

/// A block is so many elements long and wide: 32 kB.
const SIDE: usize = 64;
const BLOCK: usize = SIDE * SIDE * 8;
const WORKERS: usize = 2;
/// What the tiles of kernels take for each worker, in blocks.
const TILES: usize = (128 << 10) / BLOCK;

/// Definitions of `A` and `B` of so many blocks a side, in a file or made of nothing.
fn sources(folder: &Path, blocks: usize) -> [String; 2] {
    let n = blocks * SIDE;
    let random = |seed| format!("(random/normal 0 1 [{n} {n}] :chunks {SIDE} :seed {seed})");
    let file = folder.join(format!("{blocks}.h5"));
    let engine = Engine::new();
    let targets = ["A", "B"].map(|name| format!("{}::/{name}", file.display()));
    for (target, seed) in targets.iter().zip([1, 2]) {
        engine.eval(&format!("(store {} {target:?})", random(seed))).unwrap();
    }
    let [a, b] = targets.map(|target| format!("(read-array {target:?} :chunks {SIDE})"));
    [format!("(def A {a}) (def B {b})"), format!("(def A {}) (def B {})", random(1), random(2))]
}

/// The most bytes that blocks take at a time, in blocks.
fn peak(definitions: &str, program: &str) -> f64 {
    let engine = Engine::with_config(Config { workers: WORKERS, ..Config::default() });
    engine.eval(definitions).unwrap();
    engine.eval(program).unwrap_or_else(|e| panic!("{program}: {e:?}"));
    engine.peak_bytes() as f64 / BLOCK as f64
}

#[test]
fn what_is_held_depends_on_the_workers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.h5");
    for blocks in [4, 8, 12] {
        for definitions in sources(folder.path(), blocks) {
            for (expression, most) in EXPRESSIONS {
                let stored = format!("(store {expression} \"{}::/C\" :overwrite true)", out.display());
                for (program, rows) in [(stored, 2), (format!("(compute (sum {expression}))"), 0)] {
                    let held = peak(&definitions, &program);
                    // A product that is made row by row keeps a row of its first factor, and the next one is begun.
                    let rows = if expression.contains("dot") { rows * blocks } else { 0 };
                    let most = (most + TILES) * WORKERS + rows;
                    assert!(held <= most as f64, "{held} blocks of {} for {program}", blocks * blocks);
                }
            }
        }
    }
}
