//! Real numbers drawn by transformation and rejection.

use super::counts::poisson;
use super::draws::Stream;
use std::f64::consts::{PI, TAU};

/// The gamma distribution of scale 1, by the method of Marsaglia and Tsang: "A simple method for generating gamma variables", ACM
/// Transactions on Mathematical Software, 2000. A shape below 1 is drawn as one above, times a power of a uniform number.
pub fn gamma(s: &mut Stream, shape: f64) -> f64 {
    if shape >= 1.0 {
        return gamma_above_one(s, shape);
    }
    if shape == 0.0 { 0.0 } else { log_gamma(s, shape).exp() }
}

/// The logarithm of such a number, which does not underflow where the shape is small.
pub fn log_gamma(s: &mut Stream, shape: f64) -> f64 {
    if shape >= 1.0 {
        return gamma_above_one(s, shape).ln();
    }
    gamma_above_one(s, shape + 1.0).ln() + s.open().ln() / shape
}

fn gamma_above_one(s: &mut Stream, shape: f64) -> f64 {
    if shape.is_infinite() {
        return shape;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = s.normal();
        let t = c * x;
        if t <= -1.0 {
            continue;
        }
        let u = s.open();
        // (1 + t)³ - 1, exact for small t.
        let more = t * (3.0 + t * (3.0 + t));
        if u < 1.0 - 0.0331 * x.powi(4) || u.ln() < 0.5 * x * x + d * (3.0 * t.ln_1p() - more) {
            return d * (1.0 + more);
        }
    }
}

/// As a quotient of gamma distributed numbers, by their logarithms.
pub fn beta(s: &mut Stream, a: f64, b: f64) -> f64 {
    let (x, y) = (log_gamma(s, a), log_gamma(s, b));
    let gap = y - x;
    if gap.is_nan() {
        // Both shapes are so small, or so large, that all is at the ends, or in the middle.
        return match a.is_infinite() && b.is_infinite() {
            true => 0.5,
            false => f64::from(s.unit() * (a + b) < a),
        };
    }
    1.0 / (1.0 + gap.exp())
}

pub fn f(s: &mut Stream, numerator: f64, denominator: f64) -> f64 {
    let mean_log =
        |s: &mut Stream, df: f64| if df.is_infinite() { 0.0 } else { log_gamma(s, df / 2.0) - (df / 2.0).ln() };
    (mean_log(s, numerator) - mean_log(s, denominator)).exp()
}

pub fn standard_t(s: &mut Stream, df: f64) -> f64 {
    let x = s.normal();
    match df.is_infinite() {
        true => x,
        false => x * ((df / 2.0).ln() / 2.0 - log_gamma(s, df / 2.0) / 2.0).exp(),
    }
}

/// Above one degree of freedom one of them takes the offset; below, the degrees of freedom are drawn.
pub fn noncentral_chisquare(s: &mut Stream, df: f64, nonc: f64) -> f64 {
    if nonc == 0.0 {
        return 2.0 * gamma(s, df / 2.0);
    }
    if df > 1.0 {
        let x = s.normal() + nonc.sqrt();
        return 2.0 * gamma(s, (df - 1.0) / 2.0) + x * x;
    }
    let pairs = poisson(s, nonc / 2.0) as f64;
    2.0 * gamma(s, df / 2.0 + pairs)
}

pub fn laplace(s: &mut Stream, loc: f64, scale: f64) -> f64 {
    let u = s.open();
    if u < 0.5 { loc + scale * (2.0 * u).ln() } else { loc - scale * (2.0 - 2.0 * u).ln() }
}

pub fn triangular(s: &mut Stream, left: f64, mode: f64, right: f64) -> f64 {
    let (u, base) = (s.unit(), right - left);
    let rising = (mode - left) / base;
    if u <= rising {
        left + (u * base * (mode - left)).sqrt()
    } else {
        right - ((1.0 - u) * base * (right - mode)).sqrt()
    }
}

/// Best and Fisher: "Efficient simulation of the von Mises distribution", Applied Statistics, 1979. From -π to π.
pub fn vonmises(s: &mut Stream, mu: f64, kappa: f64) -> f64 {
    let angle = if kappa < 1e-8 {
        PI * (2.0 * s.unit() - 1.0)
    } else if kappa > 1e6 {
        // As narrow as that, it is the normal distribution.
        s.normal() / kappa.sqrt()
    } else {
        let r = if kappa < 1e-5 {
            1.0 / kappa + kappa
        } else {
            let tau = 1.0 + (1.0 + 4.0 * kappa * kappa).sqrt();
            let rho = (tau - (2.0 * tau).sqrt()) / (2.0 * kappa);
            (1.0 + rho * rho) / (2.0 * rho)
        };
        let cosine = loop {
            let z = (PI * s.open()).cos();
            let w = (1.0 + r * z) / (r + z);
            let y = kappa * (r - w);
            let v = s.open();
            if y * (2.0 - y) >= v || (y / v).ln() + 1.0 >= y {
                break w.clamp(-1.0, 1.0);
            }
        };
        if s.unit() < 0.5 { -cosine.acos() } else { cosine.acos() }
    };
    let turned = mu + angle;
    if turned.abs() <= PI { turned } else { (turned + PI).rem_euclid(TAU) - PI }
}

/// Michael, Schucany, Haas: "Generating random variates using transformations with multiple roots", The American Statistician, 1976.
pub fn wald(s: &mut Stream, mean: f64, scale: f64) -> f64 {
    let y = s.normal().powi(2);
    let by = mean * y;
    // The larger root, which is a sum; the other one by the product of both.
    let larger = mean + mean / (2.0 * scale) * (by + (4.0 * scale * by + by * by).sqrt());
    let smaller = mean * (mean / larger);
    if s.unit() <= mean / (mean + smaller) { smaller } else { larger }
}
