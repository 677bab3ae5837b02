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

/// The loop over one of the functions, for the processor there is. Written out where it is used: what a loop is only given is
/// compiled for every processor, unless it is small.
macro_rules! elementary1 {
    ($f:ident, $T:ty) => {{
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
        fn each(a: &[$T], out: &mut [$T]) {
            for (out, &a) in out.iter_mut().zip(a) {
                *out = Elementary::$f(a);
            }
        }
        each
    }};
}

macro_rules! elementary2 {
    ($f:ident, $T:ty) => {{
        #[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
        fn each(a: &[$T], b: &[$T], out: &mut [$T]) {
            for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *out = Elementary::$f(a, b);
            }
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

/// The polynomial with these coefficients, the constant one first.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}

/// Added to a number below 2⁵¹, it leaves no room for a fraction: the sum's lowest bits are the nearest integer.
const TO_INTEGER: f64 = 6_755_399_441_055_744.0;

/// The nearest integer, as a number and as bits of which the lowest count.
#[inline(always)]
fn nearest(x: f64) -> (f64, i64) {
    let shifted = x + TO_INTEGER;
    (shifted - TO_INTEGER, (shifted.to_bits() as i64).wrapping_sub(TO_INTEGER.to_bits() as i64))
}

#[cfg(test)]
mod tests;
