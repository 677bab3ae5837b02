//! Sine, cosine, tangent and their inverses.

use super::{Pair, nearest, pick, polynomial};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, FRAC_PI_4, PI};

const HALF_PI_LOW: f64 = 6.123_233_995_736_766e-17;
const HALF_PI_LEAST: f64 = -1.497_384_904_859_17e-33;

/// Which numbers the quarter turns are too many of to be taken off here.
pub fn is_rare(x: f64) -> bool {
    // One comparison, which nan fails, too.
    let usual = x.abs() < 1e5;
    !usual
}

/// What is left of a number by quarter turns, from -π/4 to π/4 with its error, and their number, of which the lowest bits
/// count. Quarter turns below 2¹⁷ times the first digits of π/2 leave no error, for the difference has fewer digits.
#[inline(always)]
fn reduced(x: f64) -> (Pair, i64) {
    let (k, quarter) = nearest(x, FRAC_2_PI);
    let near = (-k).mul_add(FRAC_PI_2, x);
    let second = Pair::of_product(k, HALF_PI_LOW);
    let high = near - second.high;
    let low = ((near - high) - second.high) - k.mul_add(HALF_PI_LEAST, second.low);
    (Pair { high, low }, quarter)
}

/// (sin x - x) / x³, of x².
const SIN: [f64; 6] = [
    -0.166_666_666_666_666_66,
    0.008_333_333_333_330_948,
    -0.000_198_412_698_367_567_74,
    2.755_731_610_161_787_4e-6,
    -2.505_113_165_023_518e-8,
    1.591_811_526_326_597_4e-10,
];

/// (cos x - 1 + x²/2) / x⁴, of x².
const COS: [f64; 6] = [
    0.041_666_666_666_666_664,
    -0.001_388_888_888_888_739_8,
    2.480_158_729_876_456e-5,
    -2.755_731_727_114_514_4e-7,
    2.087_614_614_655_861e-9,
    -1.138_262_364_746_460_4e-11,
];

#[inline(always)]
fn sin_of_reduced(x: Pair) -> f64 {
    let z = x.high * x.high;
    let half = 0.5 * z;
    let rest = (z * x.high).mul_add(polynomial(z, SIN), (-half).mul_add(x.low, x.low));
    x.high + rest
}

#[inline(always)]
fn cos_of_reduced(x: Pair) -> f64 {
    let z = x.high * x.high;
    let half = 0.5 * z;
    let most = 1.0 - half;
    let rest = (z * z).mul_add(polynomial(z, COS), (-x.high).mul_add(x.low, (1.0 - most) - half));
    most + rest
}

#[inline(always)]
pub fn sin(x: f64) -> f64 {
    let (reduced, quarter) = reduced(x);
    let found = pick(quarter & 1 == 0, sin_of_reduced(reduced), cos_of_reduced(reduced));
    // Zero keeps its sign.
    pick(x == 0.0, x, f64::from_bits(found.to_bits() ^ (((quarter & 2) as u64) << 62)))
}

#[inline(always)]
pub fn cos(x: f64) -> f64 {
    let (reduced, quarter) = reduced(x);
    let found = pick(quarter & 1 == 0, cos_of_reduced(reduced), sin_of_reduced(reduced));
    f64::from_bits(found.to_bits() ^ ((((quarter + 1) & 2) as u64) << 62))
}

/// (tan x - x) / x³, of x².
const TAN: [f64; 15] = [
    0.333_333_333_333_333_3,
    0.133_333_333_333_33,
    0.053_968_253_968_656_08,
    0.021_869_488_517_047_05,
    0.008_863_236_004_116_282,
    0.003_592_120_971_882_114_6,
    0.001_455_902_816_190_539_4,
    0.000_589_575_142_274_228_4,
    0.000_241_228_291_838_821_1,
    8.997_951_259_028_279e-5,
    5.559_954_108_301_084e-5,
    -1.103_008_053_272_527_3e-5,
    3.653_131_664_108_726e-5,
    -1.832_351_906_436_418_4e-5,
    8.485_316_072_701_323e-6,
];

#[inline(always)]
pub fn tan(x: f64) -> f64 {
    let (reduced, quarter) = reduced(x);
    let z = reduced.high * reduced.high;
    // The derivative is 1 + tan².
    let rest = polynomial(z, TAN);
    let slope = z.mul_add((z * rest).mul_add(2.0, 1.0), 1.0);
    let tan = Pair::of_sum(reduced.high, (z * reduced.high).mul_add(rest, reduced.low * slope));
    let turned = Pair { high: -1.0, low: 0.0 }.over(tan).rounded();
    pick(x == 0.0, x, pick(quarter & 1 == 0, tan.high, turned))
}

/// (arctan x - x) / x³, of x².
const ARCTAN: [f64; 12] = [
    -0.333_333_333_333_333_3,
    0.199_999_999_999_998_04,
    -0.142_857_142_856_597_79,
    0.111_111_111_051_505_88,
    -0.090_909_087_532_591_12,
    0.076_922_963_680_422_96,
    -0.066_664_247_602_005_2,
    0.058_789_275_544_738_07,
    -0.052_304_436_406_869_48,
    0.045_515_447_340_221_615,
    -0.034_569_315_063_326_09,
    0.016_284_375_050_043_393,
];

/// Tangents of π/8 and 3π/8.
const EIGHTH: f64 = 0.414_213_562_373_095_03;
const THREE_EIGHTHS: f64 = 2.414_213_562_373_095;

/// The angle of a point, of which both coordinates are positive: the nearest of 0, π/4 and π/2, and the angle from there.
#[inline(always)]
fn angle(y: f64, x: f64) -> Pair {
    let near = y <= EIGHTH * x;
    let far = y > THREE_EIGHTHS * x;
    let (difference, sum) = (Pair::of_any_sum(y, -x), Pair::of_any_sum(x, y));
    let exact = |high| Pair { high, low: 0.0 };
    let above = pick(near, exact(y), pick(far, exact(-x), difference));
    let below = pick(near, exact(x), pick(far, exact(y), sum));
    let t = above.over(below);
    let z = t.high * t.high;
    let rest = (z * t.high).mul_add(polynomial(z, ARCTAN), (-z).mul_add(t.low, t.low));
    let turn = pick(near, 0.0, pick(far, FRAC_PI_2, FRAC_PI_4));
    let turn_low = pick(near, 0.0, pick(far, HALF_PI_LOW, 0.5 * HALF_PI_LOW));
    let both = Pair::of_sum(turn, t.high);
    Pair { high: both.high, low: both.low + (turn_low + rest) }
}

#[inline(always)]
pub fn arctan(x: f64) -> f64 {
    let size = x.abs();
    // Beyond, the angle is π/2, and the inverse is not 0 yet.
    let found = angle(pick(size > 1e18, 1e18, size), 1.0).rounded().copysign(x);
    pick(x.is_nan(), x, found)
}

/// Which points are too near an axis, or too far from the middle, for quotients of their coordinates.
pub fn arctan2_is_rare(y: f64, x: f64) -> bool {
    let plain = |v: f64| v.abs() > 1e-140 && v.abs() < 1e140;
    !(plain(x) && plain(y))
}

#[inline(always)]
pub fn arctan2(y: f64, x: f64) -> f64 {
    let Pair { high, low } = angle(y.abs(), x.abs());
    let other = Pair::of_sum(PI, -high);
    let found = pick(x < 0.0, other.high + (other.low + (2.0 * HALF_PI_LOW - low)), high + low);
    found.copysign(y)
}

/// (arcsin x - x) / x³, of x² up to ¼.
const ARCSIN: [f64; 13] = [
    0.166_666_666_666_666_69,
    0.074_999_999_999_984_33,
    0.044_642_857_146_355_43,
    0.030_381_944_138_531_247,
    0.022_372_172_942_149_9,
    0.017_352_392_720_869_973,
    0.013_971_212_973_552_933,
    0.011_479_177_415_184_906,
    0.010_322_814_350_185_78,
    0.005_457_506_718_640_358,
    0.017_400_879_442_694_02,
    -0.014_851_887_071_247_204,
    0.028_757_851_367_421_566,
];

/// The arc sine of what is at most ½ in size, or, where that is not, of √((1 - |x|) / 2): half the arc cosine of |x|.
#[inline(always)]
fn half_arc(x: f64) -> (bool, Pair) {
    let size = x.abs();
    let small = size <= 0.5;
    let half = 0.5 * (1.0 - size);
    let root = half.sqrt();
    // Of 1, the root is 0 and has no error.
    let error = pick(half > 0.0, (-root).mul_add(root, half) / (2.0 * root), 0.0);
    let (s, error, z) = (pick(small, size, root), pick(small, 0.0, error), pick(small, x * x, half));
    (small, Pair { high: s, low: (s * z).mul_add(polynomial(z, ARCSIN), error) })
}

#[inline(always)]
pub fn arcsin(x: f64) -> f64 {
    let (small, Pair { high, low }) = half_arc(x);
    let rest = Pair::of_sum(FRAC_PI_2, -2.0 * high);
    let found = pick(small, high + low, rest.high + (rest.low + (HALF_PI_LOW - 2.0 * low)));
    found.copysign(x)
}

#[inline(always)]
pub fn arccos(x: f64) -> f64 {
    let (small, Pair { high, low }) = half_arc(x);
    let sign = 1f64.copysign(x);
    // From π/2 for small ones, from π for negative ones.
    let (from, from_low) = pick(small, (FRAC_PI_2, HALF_PI_LOW), (PI, 2.0 * HALF_PI_LOW));
    let (high, low) = pick(small, (sign * high, sign * low), (2.0 * high, 2.0 * low));
    let rest = Pair::of_sum(from, -high);
    pick(small | (x < 0.0), rest.high + (rest.low + (from_low - low)), high + low)
}
