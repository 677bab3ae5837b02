//! A slice of what is computed from a dataset reads no more of the dataset than it needs, and changes no bit of the result.

use dsk::Engine;

/// Expressions of the dataset `x`, 100 × 100 in blocks of 50 × 50, and how many elements of it they read.
const SAID: &[(&str, usize)] = &[
    ("(x 7:9 :)", 200),
    ("((+ (* x 2) 1) 0 :10)", 10),
    ("((- x (ones 100)) 0 :10)", 10),
    ("(mean (slice x ::4) :axis 0)", 2500),
    ("(- (mean (x ::4) :axis 0) (mean (x 2::4) :axis 0))", 5000),
    ("(slice (transpose x) 3:5 ::-7)", 2 * 15),
    ("(slice (slice x 10:90:2) ::3 [0 3 1])", 14 * 4),
    ("((expand-dims (squeeze (x 3:4)) 1) 5 0)", 1),
    ("((broadcast-to x [3 100 100]) 1 2:4 0)", 2),
    ("((concatenate [x x] :axis 1) :2 95:105)", 20),
    ("((stack [x (* x 2)]) 1 5)", 100),
    ("((rechunk x [20 100]) 3:7)", 400),
    ("((max x :axis 1) 3:7)", 400),
    ("((astype (flip x) :int64) 0 0)", 1),
    // Sums of floats are rounded by the whole block, so whole blocks are read (the graph names those too that nobody asks for).
    ("((sum x :axis 1) 3:7)", 10000),
    // A small part is read besides the whole; a large one is taken of what is there.
    ("(+ (x 0) (sum x :axis 0))", 10100),
    ("(+ (sum (x :99) :axis 1) ((sum x :axis 1) :99))", 10000),
    // Parts that are more than the whole.
    ("(+ (x :99) (x 1:))", 10000),
];

/// Elements that the `read` calls of a printed graph name.
fn elements_read(graph: &str) -> usize {
    let region = |call: &str| -> usize {
        let end = call.find(')').unwrap();
        let ranges = call[..end].split_whitespace().skip(1);
        let count = |range: &str| {
            let numbers: Vec<usize> = range.split(':').map(|n| n.parse().unwrap()).collect();
            (numbers[1] - numbers[0]).div_ceil(numbers.get(2).copied().unwrap_or(1))
        };
        ranges.map(count).product()
    };
    graph.split("(read ").skip(1).map(region).sum()
}

#[test]
fn only_what_a_slice_takes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let target = format!("{}::/x", folder.path().join("x.h5").display());
    let engine = Engine::new();
    engine.eval(&format!("(store (random/normal 0 1 [100 100] :seed 1 :chunks 50) {target:?})")).unwrap();
    engine.eval(&format!("(def x (read-array {target:?} :chunks 50))")).unwrap();
    for (expression, most) in SAID {
        let graph = dsk::read::print(&engine.eval(&format!("(optimize {expression})")).unwrap());
        assert_eq!(elements_read(&graph), *most, "{expression}\n{graph}");
        let compute = |options: &str| engine.eval(&format!("(compute {expression} {options})")).unwrap();
        assert!(compute("").same(&compute(":optimize false :scheduler :sync")), "{expression}");
    }
}

/// Every turn is made of two slices of the one before. Taken down to where the blocks come from they would be in more parts with every turn;
/// put into one task, the turns would be nested without end.
#[test]
fn an_array_may_be_turned_many_times() {
    let engine = Engine::new();
    engine.eval("(def x (arange 100 :chunks 10))").unwrap();
    engine.eval("(defn turned [a] (concatenate [(slice a 1:) (slice a :1)]))").unwrap();
    let turns = "(loop [a x i 0] (if (< i 307) (recur (turned a) (+ i 1)) a))";
    let rows = engine.eval_as::<Vec<i64>>(&format!("(to-list (compute (slice {turns} :3)))")).unwrap();
    assert_eq!(rows, [7, 8, 9]);
    let keys = |turns: usize| {
        let text =
            format!("(count (keys (optimize (loop [a x i 0] (if (< i {turns}) (recur (turned a) (+ i 1)) a)))))");
        engine.eval_as::<usize>(&text).unwrap()
    };
    assert!(keys(200) < 200 * 300, "{}", keys(200));
}
