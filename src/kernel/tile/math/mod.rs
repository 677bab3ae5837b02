//! Elementary functions of float64, without branches, tables and calls, so that a loop over one becomes vector instructions.
//!
//! Each is right to within one unit in the last place wherever its `rare` companion says false; other arguments (huge ones
//! of `sin`, negative bases of `power`) are left to the standard library. Nothing is looked up: an argument is brought near
//! zero by what is known of the function, with the rounding errors of that kept, and a polynomial does the rest.
//! Polynomials interpolate at Chebyshev nodes; the ways to reduce arguments are those of W. J. Cody and W. Waite, "Software
//! Manual for the Elementary Functions" (1980), and of P. T. P. Tang's and the fdlibm functions, rewritten with fused
//! multiply-adds. `tests` compares all of them with the standard library's.

mod circular;
mod exponential;

pub use circular::{arctan2_is_rare, is_rare as circular_is_rare};
pub use exponential::{exp_is_rare, hyperbolic_is_rare, power_is_rare};

/// None of a function's arguments is.
pub fn never_rare(_: f64) -> bool {
    false
}

/// The loop over one of the functions, for the processor there is; it says whether an argument was rare. The halves of a tile go side
/// by side: what is made of an argument waits for itself at every step, and another one's is done meanwhile. Written out where it is
/// used: what a loop is only given is compiled for every processor, unless it is small.
macro_rules! elementary1 {
    ($f:ident, $T:ty, $rare:path) => {{
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
        fn each(a: &[$T], out: &mut [$T]) -> bool {
            let n = out.len().min(a.len());
            let ((a, b), (out, other)) = (a[..n].split_at(n / 2), out[..n].split_at_mut(n / 2));
            let mut rare = 0;
            for (((out, other), &a), &b) in out.iter_mut().zip(&mut *other).zip(a).zip(b) {
                (*out, *other) = (Elementary::$f(a), Elementary::$f(b));
                rare |= u64::from($rare(a.into()) | $rare(b.into()));
            }
            if n % 2 == 1 {
                other[n / 2] = Elementary::$f(b[n / 2]);
                rare |= u64::from($rare(b[n / 2].into()));
            }
            rare != 0
        }
        each
    }};
}

macro_rules! elementary2 {
    ($f:ident, $T:ty, $rare:path) => {{
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
        fn each(a: &[$T], b: &[$T], out: &mut [$T]) -> bool {
            let mut rare = 0;
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *out = Elementary::$f(a, b);
                rare |= u64::from($rare(a.into(), b.into()));
            }
            rare != 0
        }
        each
    }};
}

pub(super) use {elementary1, elementary2};

/// The functions as those of a type, float32 by way of float64.
pub trait Elementary: Sized {
    fn arctan2(self, x: Self) -> Self;
    fn power(self, exponent: Self) -> Self;
    fn exp(self) -> Self;
    fn exp_within(self) -> Self;
    fn exp2(self) -> Self;
    fn expm1(self) -> Self;
    fn log(self) -> Self;
    fn log2(self) -> Self;
    fn log10(self) -> Self;
    fn log1p(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tan(self) -> Self;
    fn arcsin(self) -> Self;
    fn arccos(self) -> Self;
    fn arctan(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn tanh(self) -> Self;
}

macro_rules! elementary {
    (@type $T:ty; $($module:ident::$f:ident($($arg:ident)?);)*) => {
        impl Elementary for $T {
            $(
                #[inline(always)]
                fn $f(self $(, $arg: Self)?) -> Self {
                    $module::$f(self.into() $(, $arg.into())?) as $T
                }
            )*
        }
    };
    (for $($T:ty)*) => {
        $(elementary! { @type $T;
            circular::arctan2(x); exponential::power(exponent);
            exponential::exp(); exponential::exp_within(); exponential::exp2(); exponential::expm1();
            exponential::log(); exponential::log2(); exponential::log10(); exponential::log1p();
            circular::sin(); circular::cos(); circular::tan();
            circular::arcsin(); circular::arccos(); circular::arctan();
            exponential::sinh(); exponential::cosh(); exponential::tanh();
        })*
    };
}

elementary!(for f32 f64);

/// A number and what it was rounded by: together nearly twice the digits.
#[derive(Clone, Copy)]
struct Pair {
    high: f64,
    low: f64,
}

impl Pair {
    /// `a + b`, exactly, where `a` is the greater in size or 0.
    #[inline(always)]
    fn of_sum(a: f64, b: f64) -> Pair {
        let high = a + b;
        Pair { high, low: b - (high - a) }
    }

    /// `a + b`, exactly.
    #[inline(always)]
    fn of_any_sum(a: f64, b: f64) -> Pair {
        let high = a + b;
        let from_b = high - a;
        Pair { high, low: (a - (high - from_b)) + (b - from_b) }
    }

    /// `a · b`, exactly.
    #[inline(always)]
    fn of_product(a: f64, b: f64) -> Pair {
        let high = a * b;
        Pair { high, low: a.mul_add(b, -high) }
    }

    #[inline(always)]
    fn times(self, other: Pair) -> Pair {
        let product = Pair::of_product(self.high, other.high);
        Pair { low: product.low + self.high.mul_add(other.low, self.low * other.high), ..product }
    }

    #[inline(always)]
    fn over(self, other: Pair) -> Pair {
        let inverse = 1.0 / other.high;
        let high = self.high * inverse;
        let left = (-high).mul_add(other.high, self.high);
        Pair { high, low: (left + (-high).mul_add(other.low, self.low)) * inverse }
    }

    #[inline(always)]
    fn rounded(self) -> f64 {
        self.high + self.low
    }
}

/// One of two, without a branch.
#[inline(always)]
fn pick<T>(first: bool, a: T, b: T) -> T {
    if first { a } else { b }
}

/// The polynomial with these coefficients, the constant one first. All but the last step is G. Estrin's scheme: pairs of terms, then
/// pairs of pairs, which wait for each other less than N steps in a row do. The last one alone, which counts most, is rounded once.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    // Loops of this shape are unrolled before those over elements are made vectors of.
    let mut terms = coefficients;
    let (mut n, mut power) = (N - 1, x);
    while n > 1 {
        let half = n / 2;
        let mut i = 0;
        while i < half {
            terms[1 + i] = terms[2 * i + 2].mul_add(power, terms[2 * i + 1]);
            i += 1;
        }
        if n % 2 == 1 {
            terms[1 + half] = terms[n];
        }
        n -= half;
        power *= power;
    }
    terms[1].mul_add(x, terms[0])
}

/// Added to a number below 2⁵¹, it leaves no room for a fraction: the sum's lowest bits are the nearest integer.
const TO_INTEGER: f64 = 6_755_399_441_055_744.0;

/// The integer nearest to `x · factor`, as a number and as bits of which the lowest count.
#[inline(always)]
fn nearest(x: f64, factor: f64) -> (f64, i64) {
    let shifted = x.mul_add(factor, TO_INTEGER);
    (shifted - TO_INTEGER, (shifted.to_bits() as i64).wrapping_sub(TO_INTEGER.to_bits() as i64))
}

#[cfg(test)]
mod tests;
