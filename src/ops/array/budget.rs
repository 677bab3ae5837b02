//! Random expressions under memory limits: no limit, no number of workers and no pass changes a bit, what is held stays within
//! the limit and within what was foretold, and what cannot fit is refused and not begun.

use super::tests::{Choices, Names, Small, shape_of};
use crate::data::{Memory, Value};
use crate::op::{Kind, Op};
use crate::schedule::{Computation, Config, Forecast, Observer, Synchronous, TaskEvent};
use crate::text::{Code, Result, SourceId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A lazy array that a seed decides, and the text of it.
fn expression(small: &Small, choices: &mut Choices) -> Option<(Value, String)> {
    let ndim = 1 + choices.below(3);
    let shape: Vec<usize> = (0..ndim).map(|_| choices.of(&[1, 6, 24, 40, 50])).collect();
    let (cuts, dtype) = (choices.cuts(&shape), choices.dtype());
    let shape = crate::op::chunking::show(&shape);
    let mut story = format!("(astype (random/uniform 0 9 {shape} :seed 1 :chunks {cuts}) :{dtype})");
    let mut x = small.text(&story).ok()?;
    for _ in 0..1 + choices.below(5) {
        let step = choices.step(&shape_of(&x)).replace("rechunk-if", "rechunk");
        let form = crate::read::read_one(SourceId(1), &step).ok()?;
        let next = small.eval(&form, &Names::from_iter([("x".to_string(), x.clone())])).ok();
        // What does not suit the shape is left out; products of products would take too long.
        let Some(next @ Value::Array(_)) = next else { continue };
        if shape_of(&next).iter().product::<usize>() > 1 << 18 || shape_of(&next).len() > 5 {
            continue;
        }
        story.push_str(&format!("\n{step}"));
        x = next;
    }
    if choices.coin() {
        // Products are dear: they are made once, and wait until their mean is known.
        let held =
            "(let [y (dot (random/random [240 80] :chunks [12 40] :seed 2) (random/random [80 80] :chunks 40 :seed 3))]
            (sum (- y (mean y)) :axis 0))";
        x = Value::list(vec![x, small.text(held).ok()?]);
        story.push_str("\nbeside the columns of a centred product");
    }
    Some((x, story))
}

fn forecast(small: &Small, value: &Value, config: &Config) -> Result<Forecast> {
    let cancel = AtomicBool::new(false);
    Computation { host: small, runtime: &small.runtime, config, cancel: &cancel }.forecast(std::slice::from_ref(value))
}

/// Counts tasks that are started.
#[derive(Default)]
struct Started(AtomicUsize);

impl Observer for Started {
    fn before_task(&self, _: &TaskEvent) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Bytes of the numbers that the plan's programs hold, which are blocks of one element each.
const NUMBERS: usize = 4096;

/// Runs of the property below that put something on disk, and that were refused.
static SPILLED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Same bits whatever the limit, the workers, the scheduler and the passes; and memory as foretold.
    fn a_limit_changes_no_bit(seed in any::<u64>()) {
        let small = Small::new();
        let mut choices = Choices(seed);
        let Some((value, story)) = expression(&small, &mut choices) else { return Ok(()) };
        let fail = |e: crate::text::Error| TestCaseError::fail(format!("{story}\n{e:?}"));
        let plain = Config { optimize: false, workers: 1, ..Config::default() };
        // A step may be refused by what the elements are.
        let Ok(whole) = small.computed(&value, &plain) else { return Ok(()) };
        for workers in [1, 2, 3, 8] {
            let free = Config { workers, optimize: choices.coin(), ..Config::default() };
            let free = if choices.coin() { Config { scheduler: Arc::new(Synchronous), ..free } } else { free };
            let foretold = forecast(&small, &value, &free).map_err(fail)?;
            // What is there already counts against the limit. The least limit that is not refused is tried, in tenths.
            let before = small.runtime.pool.live();
            let tight = |share: usize| Config { memory_limit: before + foretold.peak_bytes * share / 10, ..free.clone() };
            let mut begun = false;
            for config in std::iter::once(free.clone()).chain((2..10).map(tight)) {
                if begun {
                    break;
                }
                let started = Arc::new(Started::default());
                let config = Config { observers: vec![started.clone()], ..config };
                small.runtime.pool.reset_peak();
                let spilled = small.runtime.spilled();
                match small.computed(&value, &config) {
                    Ok(other) => {
                        begun = config.memory_limit != free.memory_limit;
                        prop_assert!(other.same(&whole), "{workers} workers: {story}");
                    }
                    Err(e) if e.code() == Code::Memory && config.memory_limit < before + foretold.peak_bytes => {
                        REFUSED.fetch_add(1, Relaxed);
                        prop_assert_eq!(started.0.load(Relaxed), 0, "{}\n{:?}", story, e);
                        continue;
                    }
                    Err(e) => return Err(fail(e)),
                }
                if small.runtime.spilled() > spilled {
                    SPILLED.fetch_add(1, Relaxed);
                }
                let most = small.runtime.pool.peak() - before;
                let may = foretold.peak_bytes.min(config.memory_limit - before);
                prop_assert!(foretold.exact, "{}", story);
                prop_assert!(most <= may + NUMBERS, "{} workers: {} bytes of {} ({})\n{}", workers, most, may, config.memory_limit, story);
            }
        }
    }
}

#[test]
fn limits_on_random_expressions() {
    a_limit_changes_no_bit();
    let (spilled, refused) = (SPILLED.load(Relaxed), REFUSED.load(Relaxed));
    // A property of runs that nothing was asked of would say nothing.
    assert!(spilled > 0 && refused > 0, "{spilled} runs spilled, {refused} were refused");
}

/// Arrays of several blocks that the calls below are about: floats, complex numbers, small integers, bools.
const KINDS: &[(&str, &str)] = &[
    ("float64", "(random/normal 0 1 [12 8] :chunks [6 4] :seed 1)"),
    ("complex128", "(* 1j (random/normal 0 1 [12 8] :chunks [6 4] :seed 1))"),
    ("uint8", "(random/integers 1 9 [12 8] :dtype :uint8 :chunks [6 4] :seed 1)"),
    ("bool", "(> (random/normal 0 1 [12 8] :chunks [6 4] :seed 1) 0)"),
];

/// Calls of ops that take more than arrays, `x` being one of the arrays above.
const CALLS: &[&str] = &[
    "(sort-along x :axis 0)",
    "(sqrt (sort-along (+ x 1) :axis 0))",
    "(topk-along x 2 :axis 0)",
    "(sqrt (topk-along (+ x 1) 2 :axis 0))",
    "(argsort x :axis 0)",
    "(partition-along x 2 :axis 0)",
    "(push x :axis 0)",
    "(argpartition x [2 -1] :axis 0)",
    "(quantiles-along x [0.25 0.5] :axis 0)",
    "(searchsorted (arange 4) x)",
    "(isin x (slice x :1))",
    "(bin-edges (min x) (max x) 4)",
    "(bin-counts x [0 1 2])",
    "(extremes-of x 0 [0] [12])",
    "(linalg/packed-factors x \"qr\")",
    "(linalg/packed-factors (slice x :8) \"eig\")",
    "(linalg/whole-cholesky (dot (transpose x) x))",
    "(linalg/whole-inv (slice x :8))",
    "(linalg/whole-det (slice x :8))",
    "(linalg/permutation-sign (argsort (slice x 0)))",
    "(linalg/whole-solve (slice x :8) (slice x 2:10))",
    "(linalg/whole-solve-triangular (slice x :8) (slice x 2:10))",
    "(linalg/reordered x (arange 12))",
    "(gather-along x (astype x :int64) 0)",
    "(fft/along x :axis 0)",
    "(array x)",
    "(zeros [9] :chunks 3)",
    "(ones [9] :chunks 3)",
    "(empty [9] :chunks 3)",
    "(full [9] 2 :chunks 3)",
    "(full-like x 2)",
    "(arange 9 :chunks 3)",
    "(arange 9 :chunks 3 :dtype :int8)",
    "(linspace 0 1 :num 9 :chunks 3)",
    "(eye 9 :chunks 3)",
    "(random/random [9] :chunks 3 :seed 1)",
    "(random/uniform 0 1 [9] :chunks 3 :seed 1)",
    "(random/normal 0 1 [9] :chunks 3 :seed 1)",
    "(random/integers 0 9 [9] :chunks 3 :seed 1)",
    "(random/drawn \"gamma\" [2 1] [9] :chunks 3 :seed 1)",
    "(random/drawn \"poisson\" [(abs x)] :seed 1)",
    "(random/drawn \"normal\" [0 (abs x)] [2 12 8] :seed 1)",
    "(where x x 1)",
    "(where (= x x) x x)",
    "(clip x 1 2)",
    "(clip x (slice x 0) 2)",
    "(round x 1)",
    "(isclose x x :equal-nan true)",
    "(complex x 1)",
    "(astype x :complex64)",
    "(astype x :float64)",
    "(sum x :axis 0)",
    "(prod x :axis 1 :keepdims true)",
    "(min x :axis 0)",
    "(max x :axis [0 1])",
    "(any x :axis 1)",
    "(all x)",
    "(mean x :axis 0)",
    "(var x :axis 0 :ddof 1)",
    "(std x :axis 1)",
    "(dot x (transpose x))",
    "(dot x (slice x 0))",
    "(matmul (transpose x) x)",
    "(tensordot x x :axes 1)",
    "(tensordot x x :axes 2)",
    "(tensordot x x :axes 0)",
    "(slice x 2:7 ::-1)",
    "(slice x [1 7 3])",
    "(slice x [1 7 3] [0 3 5])",
    "(slice x 0)",
    "(slice x newaxis ...)",
    "(slice x (= x x))",
    "(sum (slice x : (= (slice x 0) (slice x 0))) :axis 1)",
    "(mean (slice x (= x x)))",
    "(max (slice x (= x x)))",
    "(set-part x [2:7 ::-1] 1)",
    "(set-part x [[1 7 3] [0 3 5]] (slice x :3 0))",
    "(set-part x [[[1] [7]] [0 3 5]] 0)",
    "(set-part x [[1 7 3]] (slice x :3))",
    "(set-part x [(= x x)] 1)",
    "(swapaxes x 0 1)",
    "(moveaxis x 0 1)",
    "(expand-dims x 1)",
    "(squeeze (slice x :1))",
    "(flip x)",
    "(reshape x [8 12])",
    "(reshape x [2 6 8])",
    "(broadcast-to x [3 12 8])",
    "(array/windows x 1 3)",
    "(sum (array/windows x 1 3) :axis -1)",
    "(concatenate [x x] :axis 1)",
    "(stack [x x] :axis 1)",
    "(block [[x x] [x x]])",
    "(rechunk x [12 1])",
    "(rechunk x [5 3])",
];

/// Ops of no lazy array: they answer at once, are what tasks are made of, or call what nobody knows.
const OTHERS: &[&str] = &[
    "shape",
    "known-shape",
    "ndim",
    "size",
    "dtype",
    "nbytes",
    "chunks",
    "numblocks",
    "to-list",
    "moments",
    "merge-moments",
    "var-of-moments",
    "check-block",
    "sort-samples",
    "sort-brackets",
    "quantile-brackets",
    "sort-candidates",
    "sort-keys",
    "sort-cuts",
    "sorted-part",
    "merge-sorted",
    "quantiles-of-keys",
    "dot-add",
    "matmul-add",
    "tensordot-add",
    "map-blocks",
    "blockwise",
    "random/seed",
    // How much they make depends on data.
    "nonzero",
    "unique",
    "compute-chunk-sizes",
    "known-sizes?",
    "reduce-some",
    "extremes-in",
    "merge-extremes-in-turn",
    "bincount",
];

/// What every op takes is known before it runs, whatever the dtype; only of users' functions, and of what varies with data, it is a
/// guess.
#[test]
fn what_ops_take_is_never_guessed() {
    let small = Small::new();
    let ops: Vec<&str> = super::OPS.iter().copied().flatten().map(|op| op.name()).collect();
    let varies = |op: &&Op| matches!(op.kind, Kind::Array(Memory::Varies, _));
    let told: Vec<&str> = super::OPS.iter().copied().flatten().filter(|op| !varies(op)).map(|op| op.name()).collect();
    let by_themselves = told.iter().flat_map(|op| {
        let of_one = [format!("({op} x)"), format!("(sqrt ({op} (+ x 1)))")];
        let of_two =
            ["x x", "x 2", "2 x", "x (slice x 0)", "(slice x :1) (* x 2)"].map(|args| format!("({op} {args})"));
        of_one.into_iter().chain(of_two)
    });
    let calls: Vec<String> = by_themselves.chain(CALLS.iter().map(|call| call.to_string())).collect();
    let mut guessed = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (dtype, kind) in KINDS {
        let x = small.text(kind).unwrap();
        for call in &calls {
            let form = crate::read::read_one(SourceId(1), call).unwrap();
            // Not every op takes such arrays.
            let Ok(lazy @ Value::Array(_)) = small.eval(&form, &Names::from_iter([("x".into(), x.clone())])) else {
                continue;
            };
            seen.extend(ops.iter().filter(|op| call.contains(&format!("({op} "))));
            for optimize in [false, true] {
                let config = Config { optimize, ..Config::default() };
                if !forecast(&small, &lazy, &config).unwrap().exact {
                    guessed.push(format!("{call} of {dtype}, {}", if optimize { "optimized" } else { "plain" }));
                }
            }
        }
    }
    assert!(guessed.is_empty(), "{} guesses:\n{}", guessed.len(), guessed.join("\n"));
    let unseen: Vec<&&str> = ops.iter().filter(|op| !seen.contains(*op) && !OTHERS.contains(op)).collect();
    assert!(unseen.is_empty(), "no call of these: {unseen:?}");
}
