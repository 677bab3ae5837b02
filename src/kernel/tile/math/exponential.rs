//! Exponentials, logarithms, powers, and what is made of them.

use super::{Pair, TO_INTEGER, nearest, pick, polynomial};
use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

const LN_2_LOW: f64 = 2.319_046_813_846_299_6e-17;

/// eʳ of a remainder, as 1 + (r + low), with |r| at most ln 2 / 2, of a number that is k·ln 2 + r.
#[derive(Clone, Copy)]
struct Reduced {
    k: f64,
    bits: i64,
    r: f64,
    low: f64,
}

impl Reduced {
    /// Of `r + error`.
    #[inline(always)]
    fn new(k: f64, bits: i64, r: f64, error: f64) -> Reduced {
        let rest = polynomial(r, EXP);
        Reduced { k, bits, r, low: (r * r).mul_add(rest, error) }
    }

    #[inline(always)]
    fn of(x: f64) -> Reduced {
        Reduced::shifted(x, |k| -k * LN_2_LOW)
    }

    /// Of `x + error`.
    #[inline(always)]
    fn of_inexact(x: f64, error: f64) -> Reduced {
        Reduced::shifted(x, |k| (-k).mul_add(LN_2_LOW, error))
    }

    /// With what is left to add when the first digits of k·ln 2 are taken off.
    #[inline(always)]
    fn shifted(x: f64, shift: impl Fn(f64) -> f64) -> Reduced {
        let (k, bits) = nearest(x, LOG2_E);
        let near = (-k).mul_add(LN_2, x);
        let shift = shift(k);
        let r = near + shift;
        Reduced::new(k, bits, r, shift - (r - near))
    }

    /// The exponential. Two steps, for the range of k is greater than that of exponents.
    #[inline(always)]
    fn exp(self) -> f64 {
        scaled(1.0 + (self.r + self.low), self.bits)
    }

    /// The exponential less `2ᵏ`, before it is scaled by that.
    #[inline(always)]
    fn less(self, one: f64) -> Pair {
        let sum = Pair::of_any_sum(one, self.r);
        let exact = Pair::of_any_sum(sum.high, self.low);
        Pair { high: exact.high, low: sum.low + exact.low }
    }
}

/// 2 to a whole power between -1022 and 1023.
#[inline(always)]
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits((exponent.wrapping_add(1023) as u64) << 52)
}

/// `x · 2ⁿ`, rounded once, for n between -2044 and 2046.
#[inline(always)]
fn scaled(x: f64, n: i64) -> f64 {
    // Half of n, without a shift that keeps the sign, which AVX2 has not for 64 bits.
    let half = (n.wrapping_add(4096) as u64 >> 1) as i64 - 2048;
    x * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// (eʳ - 1 - r) / r².
const EXP: [f64; 11] = [
    0.5,
    0.166_666_666_666_666_7,
    0.041_666_666_666_666_67,
    0.008_333_333_333_326_136,
    0.001_388_888_888_888_374_8,
    0.000_198_412_698_748_206_27,
    2.480_158_732_554_774_3e-5,
    2.755_725_540_020_642_2e-6,
    2.755_727_364_311_03e-7,
    2.510_521_700_472_074_5e-8,
    2.091_468_696_808_687_6e-9,
];

/// Between which bounds exponentials are neither 0 nor infinite, and a little more.
#[inline(always)]
fn within(x: f64, low: f64, high: f64) -> f64 {
    let x = pick(x < low, low, x);
    pick(x > high, high, x)
}

#[inline(always)]
pub fn exp(x: f64) -> f64 {
    Reduced::of(within(x, -746.0, 710.0)).exp()
}

/// Of what the exponential is near the end of the range, or beyond.
pub fn exp_is_rare(x: f64) -> bool {
    // One comparison, which nan fails, too.
    let usual = x.abs() < 708.0;
    !usual
}

/// The exponential of what is not rare: a normal number, of which the exponent is added to.
#[inline(always)]
pub fn exp_within(x: f64) -> f64 {
    let reduced = Reduced::of(x);
    let significand = 1.0 + (reduced.r + reduced.low);
    f64::from_bits(significand.to_bits().wrapping_add((reduced.bits as u64) << 52))
}

#[inline(always)]
pub fn exp2(x: f64) -> f64 {
    let x = within(x, -1076.0, 1025.0);
    let (k, bits) = nearest(x, 1.0);
    let scaled = Pair::of_product(x - k, LN_2);
    Reduced::new(k, bits, scaled.high, (x - k).mul_add(LN_2_LOW, scaled.low)).exp()
}

#[inline(always)]
pub fn expm1(x: f64) -> f64 {
    let reduced = Reduced::of(within(x, -40.0, 710.0));
    // Of the great ones 1 is no part.
    let one = 1.0 - power_of_two(pick(reduced.k > 60.0, 60, reduced.bits).wrapping_neg());
    pick(x == 0.0, x, scaled(reduced.less(one).rounded(), reduced.bits))
}

/// eˣ - 1 of a number from 0 to 709, with its error.
#[inline(always)]
fn exact_expm1(x: f64) -> Pair {
    let reduced = Reduced::of(x);
    let one = 1.0 - power_of_two(pick(reduced.k > 60.0, 60, reduced.bits).wrapping_neg());
    let Pair { high, low } = reduced.less(one);
    Pair { high: scaled(high, reduced.bits), low: scaled(low, reduced.bits) }
}

/// What the exponential of is near the end of the range, or beyond.
pub fn hyperbolic_is_rare(x: f64) -> bool {
    // One comparison, which nan fails, too.
    let usual = x.abs() < 708.0;
    !usual
}

/// sinh x = (E + E / (E + 1)) / 2, of E = eˣ - 1.
#[inline(always)]
pub fn sinh(x: f64) -> f64 {
    let e = exact_expm1(x.abs());
    let sum = Pair::of_any_sum(e.high, 1.0);
    let other = e.over(Pair { low: sum.low + e.low, ..sum });
    let both = Pair::of_sum(e.high, other.high);
    (0.5 * (both.high + (both.low + (e.low + other.low)))).copysign(x)
}

/// cosh x = (e + 1 / e) / 2, of e = eˣ.
#[inline(always)]
pub fn cosh(x: f64) -> f64 {
    let less = exact_expm1(x.abs());
    let sum = Pair::of_any_sum(less.high, 1.0);
    let e = Pair { low: sum.low + less.low, ..sum };
    let other = Pair { high: 1.0, low: 0.0 }.over(e);
    let both = Pair::of_sum(e.high, other.high);
    0.5 * (both.high + (both.low + (e.low + other.low)))
}

/// tanh x = E / (E + 2), of E = e²ˣ - 1.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let size = x.abs();
    let e = exact_expm1(2.0 * pick(size > 22.0, 22.0, size));
    let sum = Pair::of_any_sum(e.high, 2.0);
    e.over(Pair { low: sum.low + e.low, ..sum }).rounded().copysign(x)
}

/// What is left of ln 2 after its first 37 digits in base 2, by which a whole number of any exponent can be multiplied exactly.
const LN_2_FIRST: f64 = 0.693_147_180_558_298_7;
const LN_2_REST: f64 = 1.646_594_958_289_708_2e-12;
const LOG10_2_FIRST: f64 = 0.301_029_995_662_247_53;
const LOG10_2_REST: f64 = 1.733_665_960_375_285_3e-12;
const LOG10_E: Pair = Pair { high: std::f64::consts::LOG10_E, low: 1.098_319_650_216_765e-17 };
const LOG2_E_PAIR: Pair = Pair { high: LOG2_E, low: 2.035_527_374_093_103_3e-17 };

/// A number as 2ᵏ·(1 + f), with 1 + f from √½ to √2.
#[derive(Clone, Copy)]
struct Parts {
    k: f64,
    f: f64,
    scale: i64,
}

impl Parts {
    #[inline(always)]
    fn of(x: f64) -> Parts {
        let small = x < f64::MIN_POSITIVE;
        let bits = pick(small, x * 18_014_398_509_481_984.0, x).to_bits() as i64;
        let from = bits.wrapping_sub((SQRT_2 / 2.0).to_bits() as i64);
        // Moved up by half the range: there is no shift that keeps the sign of 64 bits in AVX2.
        let scale = ((from.wrapping_add(1 << 62)) as u64 >> 52) as i64 - 1024;
        let rest = f64::from_bits(bits.wrapping_sub(scale << 52) as u64);
        let k = f64::from_bits((TO_INTEGER.to_bits() as i64).wrapping_add(scale) as u64) - TO_INTEGER;
        Parts { k: k - pick(small, 54.0, 0.0), f: rest - 1.0, scale }
    }

    /// The logarithm of 1 + f + error, right to 2⁻⁵⁹: twice the area tangent of s = f / (2 + f).
    #[inline(always)]
    fn log(self, error: f64) -> Pair {
        let f = self.f;
        let sum = 2.0 + f;
        let inverse = 1.0 / sum;
        let s = f * inverse;
        let left = ((-s).mul_add(sum, f) - s * (f - (sum - 2.0))) * inverse;
        let z = s * s;
        let rest = (s * z).mul_add(polynomial(z, LOG), 2.0 * left);
        // An error moves the logarithm by its share of 1 + f, which is (1 + s) / (1 - s).
        let moved = error * 4.0 * inverse * inverse * (1.0 + z);
        Pair { high: 2.0 * s, low: rest + moved }
    }
}

/// (2 artanh s - 2 s) / s³, of s².
const LOG: [f64; 8] = [
    0.666_666_666_666_666_6,
    0.400_000_000_000_008_8,
    0.285_714_285_708_032_3,
    0.222_222_223_918_004_7,
    0.181_817_956_308_847_53,
    0.153_862_402_058_134_78,
    0.132_687_596_685_606_12,
    0.130_867_670_099_481_75,
];

/// What logarithms have for numbers that are not positive and finite, `found` for others.
#[inline(always)]
fn logarithm(x: f64, found: f64) -> f64 {
    let found = pick(x == f64::INFINITY, x, found);
    let found = pick(x == 0.0, f64::NEG_INFINITY, found);
    pick(x >= 0.0, found, f64::NAN)
}

#[inline(always)]
pub fn log(x: f64) -> f64 {
    let parts = Parts::of(x);
    let log = parts.log(0.0);
    let sum = Pair::of_sum(parts.k * LN_2_FIRST, log.high);
    logarithm(x, sum.high + (sum.low + parts.k.mul_add(LN_2_REST, log.low)))
}

#[inline(always)]
pub fn log2(x: f64) -> f64 {
    let parts = Parts::of(x);
    let log = parts.log(0.0).times(LOG2_E_PAIR);
    let sum = Pair::of_sum(parts.k, log.high);
    logarithm(x, sum.high + (sum.low + log.low))
}

#[inline(always)]
pub fn log10(x: f64) -> f64 {
    let parts = Parts::of(x);
    let log = parts.log(0.0).times(LOG10_E);
    let sum = Pair::of_sum(parts.k * LOG10_2_FIRST, log.high);
    logarithm(x, sum.high + (sum.low + parts.k.mul_add(LOG10_2_REST, log.low)))
}

#[inline(always)]
pub fn log1p(x: f64) -> f64 {
    let whole = Pair::of_any_sum(1.0, x);
    let parts = Parts::of(whole.high);
    // Of the great ones the error is nothing, and infinite ones have no number for it.
    let error =
        pick(parts.k < 60.0, whole.low * power_of_two(pick(parts.k < 60.0, parts.scale, 0).wrapping_neg()), 0.0);
    let log = parts.log(error);
    let sum = Pair::of_sum(parts.k * LN_2_FIRST, log.high);
    let found = sum.high + (sum.low + parts.k.mul_add(LN_2_REST, log.low));
    pick(x == 0.0, x, logarithm(whole.high, found))
}

/// Which powers are not made here: of numbers that are negative, zero, tiny or endless, and to exponents beyond reason.
pub fn power_is_rare(x: f64, y: f64) -> bool {
    !((f64::MIN_POSITIVE..f64::INFINITY).contains(&x) && y.abs() < 1e15)
}

/// xʸ = e to the power of y·ln x, with the logarithm right to 2⁻⁶⁸.
#[inline(always)]
pub fn power(x: f64, y: f64) -> f64 {
    let Parts { k, f, .. } = Parts::of(x);
    // s = f / (2 + f), s², s³ / 3: each with its error.
    let sum = Pair::of_sum(2.0, f);
    let s = Pair { high: f, low: 0.0 }.over(sum);
    let z = s.times(s);
    let cube = z.times(s).times(Pair { high: 2.0 / 3.0, low: 3.700_743_415_417_188e-17 });
    let rest = s.high * z.high * z.high * polynomial(z.high, LOG_REST);
    let first = Pair::of_sum(2.0 * s.high, cube.high);
    let second = Pair::of_sum(k * LN_2_FIRST, first.high);
    let low = second.low + (first.low + (k.mul_add(LN_2_REST, 2.0 * s.low) + (cube.low + rest)));
    let log = Pair::of_sum(second.high, low);
    let product = Pair::of_product(log.high, y);
    let error = log.low.mul_add(y, product.low);
    // Beyond the bounds nothing else counts.
    let beyond = product.high.abs() > 746.0;
    Reduced::of_inexact(within(product.high, -746.0, 710.0), pick(beyond, 0.0, error)).exp()
}

/// (2 artanh s - 2 s - ⅔ s³) / s⁵, of s².
const LOG_REST: [f64; 8] = [
    0.4,
    0.285_714_285_714_293_64,
    0.222_222_222_216_558_85,
    0.181_818_183_353_928_02,
    0.153_845_949_625_184_3,
    0.133_348_046_938_473_1,
    0.117_062_363_394_912_02,
    0.117_231_786_238_765_6,
];
