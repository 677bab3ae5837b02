//! Against the standard library's functions, which are right to half a unit and a little: no result may be further than one unit
//! from theirs, two where theirs (of hyperbolic functions) are further off themselves.

use super::circular::*;
use super::exponential::*;
use super::{Elementary, circular_is_rare};

/// How many floats lie between two, where neither is nan.
fn units(a: f64, b: f64) -> u64 {
    let place = |x: f64| if x.is_sign_negative() { -(x.abs().to_bits() as i64) } else { x.to_bits() as i64 };
    place(a).abs_diff(place(b))
}

/// Numbers from `low` to `high`, evenly, and as many whose exponents are.
fn numbers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let count = 20_000;
    let even = (0..=count).map(move |i| low + (high - low) * (i as f64 / count as f64));
    let small = (1..count).map(move |i| {
        let share = 1.5f64.powf(-(i as f64) / 32.0);
        if i % 2 == 0 { high * share } else { low * share }
    });
    even.chain(small).filter(move |x| (low..=high).contains(x))
}

fn agree(name: &str, ours: fn(f64) -> f64, theirs: fn(f64) -> f64, [low, high]: [f64; 2], most: u64) {
    for x in numbers(low, high) {
        let (a, b) = (ours(x), theirs(x));
        assert!(units(a, b) <= most, "{name} {x:e}: {a:e}, not {b:e}");
    }
}

/// Which loop computes an element depends on its neighbours in the tile.
#[test]
fn exponentials_within_are_those_of_the_whole_range() {
    for x in numbers(-708.0, 708.0).filter(|x| !exp_is_rare(*x)) {
        assert_eq!(exp_within(x).to_bits(), exp(x).to_bits(), "{x:e}");
    }
    assert!([708.0, -708.0, f64::NAN, f64::INFINITY].into_iter().all(exp_is_rare));
}

#[test]
fn functions_are_right_to_the_last_digit() {
    agree("exp", exp, f64::exp, [-745.5, 710.5], 1);
    agree("exp", exp, f64::exp, [-1.0, 1.0], 1);
    agree("exp2", exp2, f64::exp2, [-1075.5, 1024.5], 1);
    agree("expm1", expm1, f64::exp_m1, [-50.0, 710.5], 1);
    agree("expm1", expm1, f64::exp_m1, [-1.0, 1.0], 1);
    agree("log", log, f64::ln, [f64::MIN_POSITIVE / 1e10, f64::MAX], 1);
    agree("log", log, f64::ln, [0.5, 2.0], 1);
    agree("log2", log2, f64::log2, [f64::MIN_POSITIVE / 1e10, f64::MAX], 1);
    agree("log2", log2, f64::log2, [0.5, 2.0], 1);
    agree("log10", log10, f64::log10, [f64::MIN_POSITIVE / 1e10, f64::MAX], 1);
    agree("log10", log10, f64::log10, [0.5, 2.0], 2);
    agree("log1p", log1p, f64::ln_1p, [-0.999_999, 2.0], 1);
    agree("log1p", log1p, f64::ln_1p, [0.0, 1e300], 1);
    agree("sin", sin, f64::sin, [-1e5, 1e5], 1);
    agree("sin", sin, f64::sin, [-7.0, 7.0], 1);
    agree("cos", cos, f64::cos, [-1e5, 1e5], 1);
    agree("cos", cos, f64::cos, [-7.0, 7.0], 1);
    agree("tan", tan, f64::tan, [-1e5, 1e5], 1);
    agree("tan", tan, f64::tan, [-7.0, 7.0], 1);
    agree("arcsin", arcsin, f64::asin, [-1.0, 1.0], 1);
    agree("arccos", arccos, f64::acos, [-1.0, 1.0], 1);
    agree("arctan", arctan, f64::atan, [-10.0, 10.0], 1);
    agree("arctan", arctan, f64::atan, [-1e300, 1e300], 1);
    agree("sinh", sinh, f64::sinh, [-707.0, 707.0], 2);
    agree("cosh", cosh, f64::cosh, [-707.0, 707.0], 2);
    agree("tanh", tanh, f64::tanh, [-30.0, 30.0], 2);
    for x in numbers(1e-5, 50.0) {
        for y in [0.5, -0.3, 2.0, 3.7, 12.9, -100.1, 170.3] {
            assert!(units(power(x, y), x.powf(y)) <= 1, "{x:e} to the {y}");
            assert!(units(arctan2(y, x), y.atan2(x)) <= 1, "arctan2 {y} {x:e}");
            assert!(units(arctan2(y, -x), y.atan2(-x)) <= 1, "arctan2 {y} {:e}", -x);
        }
    }
}

#[test]
fn multiples_of_a_quarter_turn_keep_their_digits() {
    for k in (1..60_000).step_by(7) {
        let x = f64::from(k) * std::f64::consts::FRAC_PI_2;
        assert!(units(sin(x), x.sin()) <= 1, "sin {x:e}");
        assert!(units(cos(x), x.cos()) <= 1, "cos {x:e}");
        assert!(units(tan(x), x.tan()) <= 1, "tan {x:e}");
    }
}

#[test]
fn what_is_not_finite_and_zeros_are_as_in_c() {
    let edges =
        [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN, 5e-324, -5e-324, 1.5, -1.5];
    type Function = fn(f64) -> f64;
    let all: [(Function, Function); 16] = [
        (exp, f64::exp),
        (exp2, f64::exp2),
        (expm1, f64::exp_m1),
        (log, f64::ln),
        (log2, f64::log2),
        (log10, f64::log10),
        (log1p, f64::ln_1p),
        (arcsin, f64::asin),
        (arccos, f64::acos),
        (arctan, f64::atan),
        (tanh, f64::tanh),
        (sin, |x| if x.is_finite() { x.sin() } else { f64::NAN }),
        (cos, |x| if x.is_finite() { x.cos() } else { f64::NAN }),
        (tan, |x| if x.is_finite() { x.tan() } else { f64::NAN }),
        (sinh, |x| if x.abs() < 700.0 { x.sinh() } else { f64::NAN }),
        (cosh, |x| if x.abs() < 700.0 { x.cosh() } else { f64::NAN }),
    ];
    for (i, (ours, theirs)) in all.into_iter().enumerate() {
        for x in edges {
            // The last five leave what is not finite to others.
            if i >= 11 && !x.is_finite() {
                continue;
            }
            let (a, b) = (ours(x), theirs(x));
            let same =
                if b.is_nan() { a.is_nan() } else { units(a, b) <= 1 && a.is_sign_negative() == b.is_sign_negative() };
            assert!(same, "function {i} of {x:e}: {a:e}, not {b:e}");
        }
    }
    assert_eq!((power(2.0, 1e14), power(0.5, 1e14), power(1.0, 1e14)), (f64::INFINITY, 0.0, 1.0));
    assert!(power(2.0, f64::NAN).is_nan() && power_is_rare(2.0, f64::NAN) && power_is_rare(-1.0, 2.0));
}

/// However long a tile is: its halves go side by side.
#[test]
fn a_loop_computes_every_element_and_tells_of_rare_ones() {
    let each = elementary1!(sin, f64, circular_is_rare);
    for n in 0..12 {
        let arguments: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.7 - 2.0).collect();
        let mut out = vec![f64::NAN; arguments.len()];
        assert!(!each(&arguments, &mut out));
        assert!(arguments.iter().zip(&out).all(|(&x, &found)| found.to_bits() == sin(x).to_bits()), "{out:?}");
        for i in 0..arguments.len() {
            for rare in [1e9, f64::NAN, f64::NEG_INFINITY] {
                let mut arguments = arguments.clone();
                arguments[i] = rare;
                assert!(each(&arguments, &mut out), "{rare} is argument {i} of {n}");
            }
        }
    }
}
