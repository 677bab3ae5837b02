//! Random blocks: every element depends on the seed and on its index in the whole array only, never on how that is cut.
//!
//! The generator is Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
//! 3", SC 2011): a keyed bijection of a 128-bit counter. The key is the seed; one counter serves two neighbouring
//! elements, 64 bits for each. What takes more words than one for an element has a stream of them for each: see [`draws`].

mod continuous;
mod counts;
pub mod draws;

pub use draws::{LAWS, Law, draw};

use crate::data::{Block, DType, Element, cancel};
use crate::err;
use crate::text::Result;
use multiversion::multiversion;

#[derive(Clone, PartialEq, Debug)]
pub enum Distribution {
    /// Uniform in [0, 1).
    Random,
    /// Uniform in [low, high).
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// Uniform over the integers of low..=high.
    Integers {
        low: i64,
        high: i64,
    },
}

/// The block at `origin` of that shape of a random array of shape `whole`. Float dtypes, or integer ones for `Integers`
/// (`dsk::type` otherwise; bounds that do not fit or are empty are `dsk::value`).
pub fn random(
    distribution: &Distribution,
    dtype: DType,
    seed: u64,
    whole: &[usize],
    origin: &[usize],
    shape: &[usize],
) -> Result<Block> {
    let place = Place { whole, origin, shape };
    match (distribution, dtype) {
        (Distribution::Integers { low, high }, _) if dtype.is_integer() => integers(*low, *high, dtype, seed, place),
        (Distribution::Integers { .. }, _) => Err(err!(Type, "random integers are of an integer dtype, not {dtype}")),
        (_, DType::F64) => floats(distribution, seed, place, f64::from_parts),
        (_, DType::F32) => floats(distribution, seed, place, f32::from_parts),
        _ => Err(err!(Type, "random numbers are float32 or float64, not {dtype}")),
    }
}

/// Where a block lies in the whole array.
#[derive(Clone, Copy)]
struct Place<'a> {
    whole: &'a [usize],
    origin: &'a [usize],
    shape: &'a [usize],
}

/// Counters computed at a time, so that the rounds run in vector registers.
const LANES: usize = 16;
/// Elements that a batch of counters serves.
const BATCH: usize = 2 * LANES;

/// The random words of counters `first ..`, two for each. `attempt` and `stream` number independent streams.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn words(seed: u64, first: u64, attempt: u32, stream: u32, out: &mut [u64; BATCH]) {
    const M0: u64 = 0xD251_1F53;
    const M1: u64 = 0xCD9E_8D57;
    let counter = |lane: usize| first.wrapping_add(lane as u64);
    let mut c0: [u32; LANES] = std::array::from_fn(|l| counter(l) as u32);
    let mut c1: [u32; LANES] = std::array::from_fn(|l| (counter(l) >> 32) as u32);
    let mut c2 = [attempt; LANES];
    let mut c3 = [stream; LANES];
    let (mut k0, mut k1) = (seed as u32, (seed >> 32) as u32);
    for _ in 0..10 {
        for l in 0..LANES {
            let (p0, p1) = (M0 * c0[l] as u64, M1 * c2[l] as u64);
            c0[l] = (p1 >> 32) as u32 ^ c1[l] ^ k0;
            c2[l] = (p0 >> 32) as u32 ^ c3[l] ^ k1;
            c1[l] = p1 as u32;
            c3[l] = p0 as u32;
        }
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    for l in 0..LANES {
        out[2 * l] = (c1[l] as u64) << 32 | c0[l] as u64;
        out[2 * l + 1] = (c3[l] as u64) << 32 | c2[l] as u64;
    }
}

/// Calls `fill(words, first word used, part of a row)` for every stretch of elements that are neighbours in the whole
/// array and share a batch. The words of a pair of elements are always both there.
fn stretches<T: Element>(
    place: Place,
    seed: u64,
    out: &mut [T],
    mut fill: impl FnMut(&[u64; BATCH], usize, &mut [T]),
) -> Result<()> {
    let row = place.shape.last().copied().unwrap_or(1);
    if out.is_empty() {
        return Ok(());
    }
    let (mut batch, mut batches) = ([0; BATCH], 0u64);
    let mut index = vec![0usize; place.shape.len().saturating_sub(1)];
    for row in out.chunks_mut(row) {
        let mut at = place.row_start(&index);
        let mut rest = row;
        while !rest.is_empty() {
            let used = (at % 2) as usize;
            let (now, later) = rest.split_at_mut(rest.len().min(BATCH - used));
            words(seed, at / 2, 0, 0, &mut batch);
            fill(&batch, used, now);
            at += now.len() as u64;
            rest = later;
            batches += 1;
            if batches % 64 == 0 {
                cancel::check()?;
            }
        }
        place.next_row(&mut index);
    }
    Ok(())
}

impl Place<'_> {
    /// Index in the flattened whole array of the first element of a row of the block. Arrays of more than 2^64 elements wrap.
    fn row_start(&self, index: &[usize]) -> u64 {
        let at = |axis: usize| self.origin[axis] + index.get(axis).copied().unwrap_or(0);
        (0..self.whole.len())
            .fold(0, |n: u64, axis| n.wrapping_mul(self.whole[axis] as u64).wrapping_add(at(axis) as u64))
    }

    /// Index in the flattened whole array of the n-th element of the block.
    fn element(&self, n: u64) -> u64 {
        let row = self.shape.last().map_or(1, |&r| r as u64);
        let mut line = n / row;
        let mut index = vec![0usize; self.shape.len().saturating_sub(1)];
        for axis in (0..index.len()).rev() {
            let size = self.shape[axis] as u64;
            index[axis] = (line % size) as usize;
            line /= size;
        }
        self.row_start(&index).wrapping_add(n % row)
    }

    fn next_row(&self, index: &mut [usize]) {
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            if index[axis] < self.shape[axis] {
                return;
            }
            index[axis] = 0;
        }
    }
}

/// A float type that random numbers are made in.
trait Real: Element {
    /// `offset + scale * x`, `x` being in [0, 1) or normal.
    fn from_parts(x: f64, scale: f64, offset: f64) -> Self;
    /// A word as a number in [0, 1), with as many bits as the type has.
    fn unit(word: u64) -> f64;
    /// The largest number below.
    fn below(self) -> Self;
}

impl Real for f64 {
    fn from_parts(x: f64, scale: f64, offset: f64) -> f64 {
        offset + scale * x
    }

    fn unit(word: u64) -> f64 {
        (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    fn below(self) -> f64 {
        self.next_down()
    }
}

impl Real for f32 {
    fn from_parts(x: f64, scale: f64, offset: f64) -> f32 {
        (offset + scale * x) as f32
    }

    fn unit(word: u64) -> f64 {
        (word >> 40) as f64 * (1.0 / (1u64 << 24) as f64)
    }

    fn below(self) -> f32 {
        self.next_down()
    }
}

fn floats<T: Real + PartialOrd>(
    distribution: &Distribution,
    seed: u64,
    place: Place,
    make: fn(f64, f64, f64) -> T,
) -> Result<Block> {
    let (scale, offset) = match *distribution {
        Distribution::Uniform { low, high } => {
            if !(high - low).is_finite() {
                return Err(err!(Value, "uniform takes finite bounds, not {low:?} and {high:?}"));
            }
            (high - low, low)
        }
        Distribution::Normal { mean, deviation } => {
            if deviation < 0.0 || deviation.is_nan() {
                return Err(err!(Value, "normal takes a standard deviation of at least 0, not {deviation:?}"));
            }
            (deviation, mean)
        }
        _ => (1.0, 0.0),
    };
    let mut block = Block::alloc(T::DTYPE, place.shape);
    let out = block.as_mut_slice::<T>();
    match distribution {
        Distribution::Normal { .. } => stretches(place, seed, out, |words, used, out| {
            for (n, to) in out.iter_mut().enumerate() {
                let at = used + n;
                let (a, b) = (words[at & !1], words[at | 1]);
                *to = make(normal(a, b, at % 2 == 1), scale, offset);
            }
        })?,
        _ => {
            // Rounding must not reach the upper bound, which does not belong to the range.
            let end = make(1.0, scale, offset);
            let last = if scale > 0.0 { end.below() } else { end };
            stretches(place, seed, out, |words, used, out| {
                for (to, &word) in out.iter_mut().zip(&words[used..]) {
                    let x = make(T::unit(word), scale, offset);
                    *to = if scale > 0.0 && x >= end { last } else { x };
                }
            })?
        }
    }
    Ok(block)
}

/// One of the two independent normal numbers of a pair of words (Box and Muller, 1958).
fn normal(a: u64, b: u64, second: bool) -> f64 {
    // In (0, 1], so that the logarithm is finite.
    let u = ((a >> 11) + 1) as f64 * (1.0 / (1u64 << 53) as f64);
    let angle = std::f64::consts::TAU * f64::unit(b);
    let radius = (-2.0 * u.ln()).sqrt();
    radius * if second { angle.sin() } else { angle.cos() }
}

/// Unbiased (Lemire: "Fast random integer generation in an interval", 2019): a word that would make some values likelier
/// is replaced by that of the next attempt.
fn integers(low: i64, high: i64, dtype: DType, seed: u64, place: Place) -> Result<Block> {
    let (least, most): (i128, i128) = match dtype {
        DType::U64 => (0, u64::MAX as i128),
        _ => {
            let bits = 8 * dtype.size() as u32;
            let signed = dtype.kind() == crate::data::Kind::Int;
            if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
        }
    };
    if low > high {
        return Err(err!(Value, "random integers from {low} to {high}: the range is empty"));
    }
    if (low as i128) < least || (high as i128) > most {
        return Err(err!(Value, "random integers from {low} to {high} do not fit {dtype}"));
    }
    let count = (high as i128 - low as i128 + 1) as u128;
    let mut whole = Block::alloc(DType::I64, place.shape);
    let rejected = ((1u128 << 64) % count) as u64;
    let mut done = 0u64;
    stretches(place, seed, whole.as_mut_slice::<i64>(), |words, used, out| {
        for (n, to) in out.iter_mut().enumerate() {
            let mut product = words[used + n] as u128 * count;
            if (product as u64) < rejected {
                let element = place.element(done + n as u64);
                product = again(seed, element, count, rejected);
            }
            *to = (low as i128 + (product >> 64) as i128) as i64;
        }
        done += out.len() as u64;
    })?;
    whole.cast(dtype)
}

/// The product of the first word that is not rejected, from the second attempt on.
fn again(seed: u64, element: u64, count: u128, rejected: u64) -> u128 {
    let mut batch = [0; BATCH];
    let mut attempt = 1;
    loop {
        words(seed, element / 2, attempt, 0, &mut batch);
        let product = batch[(element % 2) as usize] as u128 * count;
        if product as u64 >= rejected || attempt == u32::MAX {
            return product;
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The authors' known answer for counter and key 0.
    #[test]
    fn is_philox() {
        let mut out = [0; BATCH];
        words(0, 0, 0, 0, &mut out);
        assert_eq!(out[..2], [0xe169_c58d_6627_e8d5, 0x9b00_dbd8_bc57_ac4c]);
    }

    fn sample(distribution: Distribution, n: usize) -> Vec<f64> {
        let block = random(&distribution, DType::F64, 7, &[n], &[0], &[n]).unwrap();
        block.as_slice::<f64>().unwrap().to_vec()
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        let n = 200_000;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n as f64;
        let check = |v: Vec<f64>, want_mean: f64, want_variance: f64| {
            let m = mean(&v);
            let variance = v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / n as f64;
            assert!((m - want_mean).abs() < 0.01, "mean {m}");
            assert!((variance / want_variance - 1.0).abs() < 0.02, "variance {variance}");
        };
        check(sample(Distribution::Random, n), 0.5, 1.0 / 12.0);
        check(sample(Distribution::Normal { mean: 1.0, deviation: 2.0 }, n), 1.0, 4.0);
        check(sample(Distribution::Uniform { low: -1.0, high: 3.0 }, n), 1.0, 16.0 / 12.0);
        // Neighbours do not depend on each other.
        let v = sample(Distribution::Normal { mean: 0.0, deviation: 1.0 }, n);
        let lag: f64 = v.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / n as f64;
        assert!(lag.abs() < 0.01, "correlation {lag}");
    }

    #[test]
    fn uniform_keeps_below_its_upper_bound() {
        let low = 1.0;
        let high = 1.0f64.next_up();
        let v = sample(Distribution::Uniform { low, high }, 1000);
        assert!(v.iter().all(|&x| x == low));
    }

    #[test]
    fn wrong_bounds_are_errors() {
        let integers = |low, high, dtype| random(&Distribution::Integers { low, high }, dtype, 0, &[3], &[0], &[3]);
        assert!(integers(3, 2, DType::I64).is_err());
        assert!(integers(0, 256, DType::U8).is_err());
        assert!(integers(0, 255, DType::U8).is_ok());
        assert!(integers(i64::MIN, i64::MAX, DType::I64).is_ok());
        assert!(integers(0, 1, DType::F64).is_err());
    }

    #[test]
    fn integers_are_equally_likely() {
        let block =
            random(&Distribution::Integers { low: 0, high: 5 }, DType::I32, 3, &[60_000], &[0], &[60_000]).unwrap();
        let mut counts = [0; 6];
        block.as_slice::<i32>().unwrap().iter().for_each(|&x| counts[x as usize] += 1);
        assert!(counts.iter().all(|&c| (9_500..10_500).contains(&c)), "{counts:?}");
    }

    proptest! {
        /// A block is the same part of the whole array, however that is cut.
        #[test]
        fn does_not_depend_on_chunks(
            rows in 1usize..9, columns in 1usize..90, cut in 0usize..9, across in 0usize..90, seed: u64, kind in 0usize..3,
        ) {
            let (cut, across) = (cut.min(rows), across.min(columns));
            let (distribution, dtype) = [
                (Distribution::Random, DType::F32),
                (Distribution::Normal { mean: 0.0, deviation: 1.0 }, DType::F64),
                // Three quarters of all words are rejected half of the time: attempts count.
                (Distribution::Integers { low: i64::MIN, high: i64::MAX / 4 }, DType::I64),
            ][kind].clone();
            let part = |origin: [usize; 2], shape: [usize; 2]| {
                random(&distribution, dtype, seed, &[rows, columns], &origin, &shape).unwrap()
            };
            let whole = part([0, 0], [rows, columns]);
            let range = |start: usize, count: usize| crate::data::slice::Range { start, step: 1, count };
            let (lower, right) = (rows - cut, columns - across);
            if lower > 0 && right > 0 {
                let want = whole.slice_axis(0, range(cut, lower)).slice_axis(1, range(across, right));
                prop_assert!(part([cut, across], [lower, right]).same(&want));
            }
        }
    }
}
