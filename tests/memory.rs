//! A computation under a memory limit that its results do not fit in: the same answer as without one, to the bit, inside the
//! limit, with results put away on disk where that is needed.

use dsk::{Config, Engine};

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

#[test]
fn what_does_not_fit_at_all_is_refused_with_the_block_that_would() {
    let error = engine(100 * KB, 2, u64::MAX).eval("(compute (sum (rechunk x [250 250])))").unwrap_err();
    assert_eq!(error.code().as_str(), "dsk::memory");
    assert!(error.message().contains("left of the memory limit"), "{}", error.message());
    assert!(error.help_lines()[0].contains("would fit"), "{:?}", error.help_lines());
}

#[test]
fn a_folder_that_is_not_there_is_refused_at_once() {
    let error = engine(1 << 20, 1, 0).eval("(with-config {:spill-dir \"no/such\"} 1)").unwrap_err();
    assert!(error.message().contains("no/such"), "{}", error.message());
}
