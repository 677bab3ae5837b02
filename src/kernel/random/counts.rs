//! Whole numbers, drawn: where the mean is small by going through the probabilities, else by rejection.
//!
//! Rejection is by the ratio of uniforms with the bounds of Stadlober: "The ratio of uniforms approach for generating discrete random
//! variates", Journal of Computational and Applied Mathematics, 1990. Probabilities are those of Loader: "Fast and accurate
//! computation of binomial probabilities", 2000, which lose nothing where numbers are large.

use super::continuous::gamma;
use super::draws::Stream;
use std::f64::consts::TAU;

/// The largest count.
pub const LARGEST: f64 = i64::MAX as f64;
/// The largest mean whose numbers 64 bits hold, with ten deviations.
pub const LARGEST_MEAN: f64 = 9.223_372_006_484_771e18;
/// Whole numbers up to here are floats.
pub const EXACT: f64 = (1u64 << 53) as f64;

/// Below such a mean the probabilities are gone through.
const FEW: f64 = 10.0;

pub fn poisson(s: &mut Stream, mean: f64) -> i64 {
    if mean < FEW {
        return search(s.unit(), (-mean).exp(), |k| mean / (k + 1.0)) as i64;
    }
    let mean = mean.min(LARGEST_MEAN);
    by_ratio(s, mean, mean, mean.floor(), (0.0, LARGEST), |k| ln_poisson(k, mean)) as i64
}

pub fn binomial(s: &mut Stream, n: f64, p: f64) -> i64 {
    if p > 0.5 {
        return n as i64 - fewer(s, n, 1.0 - p) as i64;
    }
    fewer(s, n, p) as i64
}

/// Binomial, p being at most a half.
fn fewer(s: &mut Stream, n: f64, p: f64) -> f64 {
    let mean = n * p;
    if mean < FEW {
        let odds = p / (1.0 - p);
        return search(s.unit(), (n * (-p).ln_1p()).exp(), |k| (n - k) / (k + 1.0) * odds).min(n);
    }
    let mode = ((n + 1.0) * p).floor();
    by_ratio(s, mean, mean * (1.0 - p), mode, (0.0, n), |k| ln_binomial(k, n, p))
}

pub fn negative_binomial(s: &mut Stream, n: f64, p: f64) -> i64 {
    let mean = gamma(s, n) * ((1.0 - p) / p);
    poisson(s, if mean.is_nan() { 0.0 } else { mean.min(LARGEST_MEAN) })
}

/// Trials until the first success.
pub fn geometric(s: &mut Stream, p: f64) -> i64 {
    ((s.open().ln() / (-p).ln_1p()).ceil() as i64).max(1)
}

/// How many good ones are among so many drawn.
pub fn hypergeometric(s: &mut Stream, good: f64, bad: f64, sample: f64) -> i64 {
    let all = good + bad;
    // The rarer kind, and what is drawn or left, whichever is less.
    let (rare, drawn) = (good.min(bad), sample.min(all - sample));
    let other = all - rare;
    let mean = if all > 0.0 { drawn * (rare / all) } else { 0.0 };
    let most = rare.min(drawn);
    let met = if mean < FEW {
        let none = if rare == 0.0 || drawn == 0.0 { 1.0 } else { ln_hypergeometric(0.0, rare, other, drawn).exp() };
        search(s.unit(), none, |k| (rare - k) / (k + 1.0) * ((drawn - k) / (other - drawn + k + 1.0))).min(most)
    } else {
        let variance = mean * (other / all) * ((all - drawn) / (all - 1.0));
        let mode = ((drawn + 1.0) * ((rare + 1.0) / (all + 2.0))).floor().min(most);
        by_ratio(s, mean, variance, mode, (0.0, most), |k| ln_hypergeometric(k, rare, other, drawn))
    };
    let met = if good > bad { drawn - met } else { met };
    (if drawn < sample { good - met } else { met }) as i64
}

/// Kemp: "Efficient generation of logarithmically distributed pseudo-random variables", Applied Statistics, 1981.
pub fn logseries(s: &mut Stream, p: f64) -> i64 {
    let v = s.open();
    if v >= p {
        return 1;
    }
    let q = -((-p).ln_1p() * s.open()).exp_m1();
    if v <= q * q {
        return ((1.0 + v.ln() / q.ln()).floor() as i64).max(1);
    }
    if v >= q { 1 } else { 2 }
}

/// Devroye: "Non-uniform random variate generation", 1986, chapter X.6. Of numbers beyond 64 bits there are none.
pub fn zipf(s: &mut Stream, a: f64) -> i64 {
    let less = a - 1.0;
    if a >= 1025.0 {
        // 2^-a is nothing.
        return 1;
    }
    let b = less.exp2();
    let least = LARGEST.powf(-less);
    loop {
        let u = least + (1.0 - least) * s.open();
        let x = u.powf(-1.0 / less).floor();
        if !(1.0..LARGEST).contains(&x) {
            continue;
        }
        // (1 + 1/x)^(a-1) - 1 over 2^(a-1) - 1, exact for small exponents.
        let t = less * (1.0 / x).ln_1p();
        if s.open() * x * t.exp_m1() / (less * std::f64::consts::LN_2).exp_m1() <= t.exp() / b {
            return x as i64;
        }
    }
}

/// The first number up to which the probabilities reach `u`; `first` is that of 0, and `next(k)` what that of k + 1 is to that of k.
fn search(u: f64, first: f64, next: impl Fn(f64) -> f64) -> f64 {
    let (mut k, mut p, mut sum) = (0.0, first, first);
    while u > sum {
        p *= next(k);
        // What is left of the probabilities is below what floats tell.
        if sum + p == sum && k >= FEW {
            return k;
        }
        k += 1.0;
        sum += p;
    }
    k
}

/// Logarithms of probabilities are told by `ln_p`, up to a factor that all have.
fn by_ratio(
    s: &mut Stream,
    mean: f64,
    variance: f64,
    mode: f64,
    (least, most): (f64, f64),
    ln_p: impl Fn(f64) -> f64,
) -> f64 {
    let centre = mean + 0.5;
    // 2 √(2/e) and 3 - 2 √(3/e).
    let width = 1.715_527_769_921_413_5 * (variance + 0.5).sqrt() + 0.898_916_162_058_898_8;
    let top = ln_p(mode);
    loop {
        let (u, v) = (s.open(), s.unit());
        let k = (centre + width * (v - 0.5) / u).floor();
        if !(least..=most).contains(&k) {
            continue;
        }
        let t = ln_p(k) - top;
        if u * (4.0 - u) - 3.0 <= t || (u * (u - t) <= 1.0 && 2.0 * u.ln() <= t) {
            return k;
        }
    }
}

/// What Stirling's formula for the logarithm of n! lacks.
fn stirling_error(n: f64) -> f64 {
    if n <= 15.0 {
        let factorial: f64 = (2..=n as u64).map(|k| k as f64).product();
        return if n == 0.0 { 0.0 } else { factorial.ln() - (n + 0.5) * n.ln() + n - 0.5 * TAU.ln() };
    }
    let nn = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / nn) / nn) / nn) / nn) / n
}

/// x ln(x / m) + m - x.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let (mut sum, mut term) = ((x - m) * v, 2.0 * x * v);
    for j in 1..1000 {
        term *= v * v;
        let next = sum + term / (2 * j + 1) as f64;
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

fn ln_poisson(k: f64, mean: f64) -> f64 {
    if k == 0.0 { -mean } else { -stirling_error(k) - deviance(k, mean) - 0.5 * (TAU * k).ln() }
}

fn ln_binomial(k: f64, n: f64, p: f64) -> f64 {
    if k == 0.0 {
        return n * (-p).ln_1p();
    }
    if k == n {
        return n * p.ln();
    }
    stirling_error(n) - stirling_error(k) - stirling_error(n - k) - deviance(k, n * p) - deviance(n - k, n * (1.0 - p))
        + 0.5 * (n / (TAU * k * (n - k))).ln()
}

/// Both kinds as if they were drawn with replacement, given how many are drawn in all.
fn ln_hypergeometric(k: f64, good: f64, bad: f64, sample: f64) -> f64 {
    let p = sample / (good + bad);
    ln_binomial(k, good, p) + ln_binomial(sample - k, bad, p) - ln_binomial(sample, good + bad, p)
}
