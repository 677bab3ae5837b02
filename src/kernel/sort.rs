//! Sorting along an axis of one block, and the quantiles that sorted lanes tell. `nan` is sorted last, as in NumPy.

use super::radix::Sort;
use super::rank::Ranked;
use crate::data::slice::Range;
use crate::data::{Block, DType, Dims, Value, cancel};
use crate::err;
use crate::text::Result;
use crate::with_dtype;
use num_complex::Complex;
use std::cmp::Reverse;

/// The block with this axis last and elements in row-major order, in memory of its own, and the order of axes that undoes that.
pub(super) fn lanes_last(block: &Block, axis: usize) -> (Block, Dims) {
    let last = block.ndim() - 1;
    let mut order: Dims = (0..block.ndim()).filter(|&a| a != axis).collect();
    order.push(axis);
    let mut back: Dims = (0..last).collect();
    back.insert(axis, last);
    (block.transpose(&order).copied(), back)
}

/// Sorted along an axis, smallest first, on so many threads.
pub fn sort(block: &Block, axis: usize, threads: usize) -> Result<Block> {
    Block::check_room(block.nbytes())?;
    if block.ndim() == 1 && !block.is_empty() {
        let block = block.contiguous();
        let (mut other, mut to) =
            (Block::for_answer(block.dtype(), block.shape())?, Block::for_answer(block.dtype(), block.shape())?);
        with_dtype!(block.dtype(), T => {
            T::sort_into(block.as_slice::<T>().unwrap_or_default(), other.as_mut_slice(), to.as_mut_slice(), threads)?;
        });
        return Ok(to);
    }
    let (mut lanes, back) = lanes_last(block, axis);
    let len = block.shape()[axis];
    if !lanes.is_empty() {
        with_dtype!(block.dtype(), T => T::sort_lanes(lanes.as_mut_slice(), len, threads)?);
    }
    Ok(lanes.transpose(&back))
}

/// The first elements along an axis, or the last ones, of those that [`sort`] makes: so many, of which there are as many at least.
pub fn ends(block: &Block, axis: usize, count: usize, last: bool, threads: usize) -> Result<Block> {
    let len = block.shape()[axis];
    let range = Range { start: if last { len - count } else { 0 }, step: 1, count };
    if count == 0 || count > len / FEW {
        return Ok(sort(block, axis, threads)?.slice_axis(axis, range));
    }
    Block::check_room(block.nbytes())?;
    let (mut lanes, back) = lanes_last(block, axis);
    if !lanes.is_empty() {
        let mut other = Block::for_answer(block.dtype(), &[count])?;
        with_dtype!(block.dtype(), T => {
            for lane in lanes.as_mut_slice::<T>().chunks_exact_mut(len) {
                cancel::check()?;
                T::select(lane, if last { range.start } else { count - 1 });
                T::sort(&mut lane[range.start..][..count], other.as_mut_slice(), threads)?;
            }
        });
    }
    Ok(lanes.transpose(&back).slice_axis(axis, range).copied())
}

/// Of an axis of this many times what is wanted of it, that is brought to its end before it is sorted.
const FEW: usize = 4;

/// The indices that would sort along an axis; equal elements stay in their order.
pub fn argsort(block: &Block, axis: usize) -> Result<Block> {
    places(block, axis, false)
}

/// As [`argsort`], the largest first, and `nan` before it, as in the sorted lane turned over; but equal elements stay in their order.
pub fn argsort_descending(block: &Block, axis: usize) -> Result<Block> {
    places(block, axis, true)
}

fn places(block: &Block, axis: usize, descending: bool) -> Result<Block> {
    // Ranks beside their places: what is compared lies together, and of equals the first place comes first.
    Block::check_room(block.shape()[axis].saturating_mul(size_of::<((u8, i64, i64), i64)>()))?;
    with_dtype!(block.dtype(), T => {
        let mut order = Vec::with_capacity(block.shape()[axis]);
        indices(block, axis, |lane: &[T], places| {
            order.clear();
            order.extend(lane.iter().map(|x| x.order()).zip(0i64..));
            match descending {
                false => order.sort_unstable(),
                true => order.sort_unstable_by_key(|&(order, at)| (Reverse(order), at)),
            }
            places.iter_mut().zip(&order).for_each(|(place, (_, at))| *place = *at);
        })
    })
}

/// Indices along an axis, those that `fill` writes for each lane.
fn indices<T: Ranked>(block: &Block, axis: usize, mut fill: impl FnMut(&[T], &mut [i64])) -> Result<Block> {
    let (lanes, back) = lanes_last(block, axis);
    let len = block.shape()[axis];
    let mut out = Block::for_answer(DType::I64, lanes.shape())?;
    if !lanes.is_empty() {
        let elements = lanes.as_slice::<T>().unwrap_or_default();
        for (lane, places) in elements.chunks_exact(len).zip(out.as_mut_slice::<i64>().chunks_exact_mut(len)) {
            cancel::check()?;
            fill(lane, places);
        }
    }
    Ok(out.transpose(&back))
}

/// The places of a lane that are to hold what they would if it were sorted, from the first on; what is smaller comes before them, what is larger
/// behind. `rank` tells the order of elements.
fn select<T, R: Ord>(mut lane: &mut [T], places: &[usize], rank: impl Fn(&T) -> R) {
    let mut passed = 0;
    for &place in places {
        let (_, _, above) = lane.select_nth_unstable_by_key(place - passed, &rank);
        (lane, passed) = (above, place + 1);
    }
}

/// Partitioned along an axis: the elements in these places, which rise, are those that sorting would put there.
pub fn partition(block: &Block, axis: usize, places: &[usize]) -> Result<Block> {
    Block::check_room(block.nbytes())?;
    let (mut lanes, back) = lanes_last(block, axis);
    let len = block.shape()[axis];
    if !lanes.is_empty() {
        with_dtype!(block.dtype(), T => {
            for lane in lanes.as_mut_slice::<T>().chunks_exact_mut(len) {
                cancel::check()?;
                select(lane, places, |x: &T| x.order());
            }
        });
    }
    Ok(lanes.transpose(&back))
}

/// The indices that would partition along an axis.
pub fn argpartition(block: &Block, axis: usize, places: &[usize]) -> Result<Block> {
    with_dtype!(block.dtype(), T => {
        indices(block, axis, |lane: &[T], found| {
            found.iter_mut().enumerate().for_each(|(n, at)| *at = n as i64);
            select(found, places, |&at| lane[at as usize].order());
        })
    })
}

/// Where each of `values` would go into a sorted lane so that it stays sorted: before what is equal, or behind it.
pub fn search(lane: &Block, values: &Block, behind: bool) -> Result<Block> {
    let dtype = lane.dtype().promote(values.dtype());
    let (lane, values) = (lane.cast(dtype)?.contiguous(), values.cast(dtype)?.contiguous());
    let mut out = Block::for_answer(DType::I64, values.shape())?;
    with_dtype!(dtype, T => {
        let lane = lane.as_slice::<T>().unwrap_or_default();
        let values = values.as_slice::<T>().unwrap_or_default();
        for (place, value) in out.as_mut_slice::<i64>().iter_mut().zip(values) {
            let rank = value.order();
            *place = lane.partition_point(|x| if behind { x.order() <= rank } else { x.order() < rank }) as i64;
        }
    });
    Ok(out)
}

/// Whether each element is among those of a sorted lane of its dtype, or is not.
pub fn among(block: &Block, lane: &Block, invert: bool) -> Result<Block> {
    let (block, lane) = (block.contiguous(), lane.contiguous());
    let mut out = Block::for_answer(DType::Bool, block.shape())?;
    with_dtype!(block.dtype(), T => {
        let lane = lane.as_slice::<T>().unwrap_or_default();
        let elements = block.as_slice::<T>().unwrap_or_default();
        for (found, x) in out.as_mut_slice::<bool>().iter_mut().zip(elements) {
            let rank = x.order();
            let at = lane.partition_point(|other| other.order() < rank);
            *found = (!Ranked::is_nan(*x) && lane.get(at).is_some_and(|other| other.order() == rank)) != invert;
        }
    });
    Ok(out)
}

/// How a quantile between two elements is taken: NumPy's methods, after Hyndman and Fan, "Sample quantiles in statistical
/// packages", 1996.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Method {
    /// The mean of the two in the middle.
    Median,
    InvertedCdf,
    AveragedInvertedCdf,
    ClosestObservation,
    /// Linear between two elements, where `n q + alpha + q (1 - alpha - beta)` of them lie before.
    Between {
        alpha: f64,
        beta: f64,
    },
    Lower,
    Higher,
    Midpoint,
    Nearest,
}

impl Method {
    pub fn parse(name: &str) -> Option<Method> {
        let between = |alpha, beta| Method::Between { alpha, beta };
        Some(match name.replace('_', "-").as_str() {
            "median" => Method::Median,
            "inverted-cdf" => Method::InvertedCdf,
            "averaged-inverted-cdf" => Method::AveragedInvertedCdf,
            "closest-observation" => Method::ClosestObservation,
            "interpolated-inverted-cdf" => between(0.0, 1.0),
            "hazen" => between(0.5, 0.5),
            "weibull" => between(0.0, 0.0),
            "linear" => between(1.0, 1.0),
            "median-unbiased" => between(1.0 / 3.0, 1.0 / 3.0),
            "normal-unbiased" => between(3.0 / 8.0, 3.0 / 8.0),
            "lower" => Method::Lower,
            "higher" => Method::Higher,
            "midpoint" => Method::Midpoint,
            "nearest" => Method::Nearest,
            _ => return None,
        })
    }

    /// Whether what is found is one of the elements, so that integers stay integers.
    pub fn is_element(self) -> bool {
        use Method::*;
        matches!(self, InvertedCdf | ClosestObservation | Lower | Higher | Nearest)
    }

    /// The quantile, of what [`Method::place`] told and the elements in these places.
    pub(super) fn of<T: Between>(self, first: T, second: T, (at, next, part): (usize, usize, f64)) -> T {
        match self {
            Method::Median => T::middle(first, (at != next).then_some(second)),
            _ if self.is_element() => first,
            _ => T::between(first, second, part),
        }
    }

    /// Two neighbours of a sorted lane, and how far the quantile is from the first to the second.
    pub(super) fn place(self, q: f64, n: usize) -> (usize, usize, f64) {
        let last = n - 1;
        let count = n as f64;
        let at = |x: f64| (x.max(0.0) as usize).min(last);
        let even = (count - 1.0) * q;
        let one = |at: usize| (at, at, 0.0);
        let neighbours = |place: f64, part: fn(f64) -> f64| match place {
            x if x < 0.0 => one(0),
            x if x >= last as f64 => one(last),
            x => (x as usize, x as usize + 1, part(x - x.floor())),
        };
        match self {
            Method::Median => (last / 2, n / 2, 0.5),
            Method::InvertedCdf => one(at((count * q).ceil() - 1.0)),
            Method::AveragedInvertedCdf => neighbours(count * q - 1.0, |part| if part == 0.0 { 0.5 } else { 1.0 }),
            Method::ClosestObservation => {
                let virtual_index = count * q - 1.5;
                let first = virtual_index.floor();
                let stays = virtual_index == first && first.rem_euclid(2.0) == 1.0;
                one(at(if stays { first } else { first + 1.0 }))
            }
            Method::Between { alpha, beta } => {
                let virtual_index = match (alpha, beta) {
                    (1.0, 1.0) => even,
                    _ => count * q + (alpha + q * (1.0 - alpha - beta)) - 1.0,
                };
                neighbours(virtual_index, |part| part)
            }
            Method::Lower => one(at(even.floor())),
            Method::Higher => one(at(even.ceil())),
            Method::Midpoint => {
                neighbours(0.5 * (even.floor() + even.ceil()), |part| if part == 0.0 { 0.0 } else { 0.5 })
            }
            Method::Nearest => one(at(even.round_ties_even())),
        }
    }
}

/// The dtype of quantiles of elements of that dtype.
pub fn quantile_dtype(dtype: DType, method: Method) -> DType {
    if method.is_element() { dtype } else { dtype.to_inexact() }
}

/// Whether there are quantiles of no elements of that dtype: the median of nothing is `nan`, and so is what passes over `nan`; others are
/// `dsk::index`, where any are asked for.
pub fn check_nothing(dtype: DType, qs: &[f64], method: Method, skip_nan: bool) -> Result<()> {
    let is_nan = (method == Method::Median || skip_nan) && quantile_dtype(dtype, method) == dtype.to_inexact();
    match is_nan || qs.is_empty() && !dtype.is_float() {
        true => Ok(()),
        false => Err(err!(Index, "there is no quantile of nothing")),
    }
}

/// Quantiles along an axis, which has one place for each of `qs` in the result. Those of lanes that hold a `nan` are `nan`, unless
/// it is to be passed over. On so many threads.
pub fn quantiles(
    block: &Block,
    axis: usize,
    qs: &[f64],
    (method, skip_nan): (Method, bool),
    threads: usize,
) -> Result<Block> {
    let dtype = quantile_dtype(block.dtype(), method);
    let (mut lanes, back) = lanes_last(&block.cast(dtype)?, axis);
    let len = block.shape()[axis];
    let mut shape = Dims::from_slice(lanes.shape());
    let last = shape.len() - 1;
    shape[last] = qs.len();
    let mut out = Block::for_answer(dtype, &shape)?;
    if len == 0 {
        check_nothing(block.dtype(), qs, method, skip_nan)?;
        let nan = Value::Complex(Complex::new(f64::NAN, f64::NAN).into());
        let nan = if dtype.is_complex() { nan } else { f64::NAN.into() };
        return match out.is_empty() {
            true => Ok(out.transpose(&back)),
            false => Ok(crate::kernel::create::fill(dtype, &shape, &nan)?.transpose(&back)),
        };
    }
    if dtype.is_complex() && method != Method::Median {
        return Err(err!(Type, "complex numbers have no quantiles"));
    }
    if !out.is_empty() {
        with_dtype!(dtype, T => {
            T::sort_lanes(lanes.as_mut_slice(), len, threads)?;
            let found = out.as_mut_slice::<T>().chunks_exact_mut(qs.len());
            for (lane, found) in lanes.as_mut_slice::<T>().chunks_exact_mut(len).zip(found) {
                cancel::check()?;
                let nans = lane.iter().rev().take_while(|&&x| Ranked::is_nan(x)).count();
                let lane = if skip_nan && nans < lane.len() { &lane[..lane.len() - nans] } else { &*lane };
                let nan = lane.last().copied().filter(|&x| Ranked::is_nan(x));
                for (found, &q) in found.iter_mut().zip(qs) {
                    let place = method.place(q, lane.len());
                    *found = nan.unwrap_or_else(|| method.of(lane[place.0], lane[place.1], place));
                }
            }
        });
    }
    Ok(out.transpose(&back))
}

/// What lies between two numbers.
pub(super) trait Between: Ranked {
    /// `part` of the way from the first to the second, as NumPy works it out: where one of them is infinite it may be `nan`.
    fn between(first: Self, second: Self, part: f64) -> Self;
    /// The mean of one element, or of two. Sums begin with 0, which takes the sign off -0.
    fn middle(first: Self, second: Option<Self>) -> Self;
}

macro_rules! between {
    (floats $($type:ident)*) => {$(
        impl Between for $type {
            #[inline]
            fn between(a: Self, b: Self, part: f64) -> Self {
                match part {
                    part if part >= 0.5 => b - (b - a) * (1.0 - part) as Self,
                    part => a + (b - a) * part as Self,
                }
            }
            #[inline]
            fn middle(first: Self, second: Option<Self>) -> Self {
                second.map_or(first + 0.0, |second| (0.0 + first + second) / 2.0)
            }
        }
    )*};
    (complex $($type:ident)*) => {$(
        impl Between for Complex<$type> {
            #[inline]
            fn between(a: Self, _: Self, _: f64) -> Self { a }
            #[inline]
            fn middle(first: Self, second: Option<Self>) -> Self {
                let middle = |of: fn(Self) -> $type| <$type>::middle(of(first), second.map(of));
                Complex::new(middle(|x| x.re), middle(|x| x.im))
            }
        }
    )*};
    (others $($type:ident)*) => {$(
        impl Between for $type {
            #[inline]
            fn between(a: Self, _: Self, _: f64) -> Self { a }
            #[inline]
            fn middle(first: Self, _: Option<Self>) -> Self { first }
        }
    )*};
}

between!(floats f32 f64);
between!(complex f32 f64);
// What quantiles between them are taken of was made floats before.
between!(others bool i8 i16 i32 i64 u8 u16 u32 u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_sorted_with_nan_last() {
        let block = Block::from_slice(&[2, 3], &[2.0, f64::NAN, 1.0, 0.0, 5.0, 3.0]);
        let sorted = |axis| format!("{:?}", sort(&block, axis, 1).unwrap());
        assert_eq!(sorted(1), "float64[2, 3] [1.0, 2.0, NaN, 0.0, 3.0, 5.0]");
        assert_eq!(sorted(0), "float64[2, 3] [0.0, 5.0, 1.0, 2.0, NaN, 3.0]");
        assert_eq!(format!("{:?}", argsort(&block, 1).unwrap()), "int64[2, 3] [2, 0, 1, 0, 2, 1]");
    }

    #[test]
    fn ends_are_those_of_the_sorted_lane() {
        let numbers: Vec<f64> = (0..90).map(|i| [f64::NAN, -0.0, 0.0, 7.0][i * i % 4] + (i * 37 % 11) as f64).collect();
        for (shape, axis) in [(&[90][..], 0), (&[3, 30], 1), (&[30, 3], 0)] {
            let block = Block::from_slice(shape, &numbers);
            let len = shape[axis];
            for count in [0, 1, 5, len / 2, len] {
                for last in [false, true] {
                    let range = Range { start: if last { len - count } else { 0 }, step: 1, count };
                    let whole = sort(&block, axis, 1).unwrap().slice_axis(axis, range);
                    assert!(ends(&block, axis, count, last, 1).unwrap().same(&whole), "{shape:?} {count} {last}");
                }
            }
        }
    }

    #[test]
    fn places_are_searched_before_or_behind_equals() {
        let lane = Block::from_slice(&[4], &[1i32, 2, 2, 5]);
        let values = Block::from_slice(&[3], &[2.0, 0.5, 7.0]);
        assert_eq!(format!("{:?}", search(&lane, &values, false).unwrap()), "int64[3] [1, 0, 4]");
        assert_eq!(format!("{:?}", search(&lane, &values, true).unwrap()), "int64[3] [3, 0, 4]");
    }

    /// As NumPy 2.4 answers `quantile([1, 2, 4, 8], [0.1, 0.5, 0.75], method=…)`.
    #[test]
    fn quantiles_go_by_their_method() {
        let block = Block::from_slice(&[4], &[8.0, 1.0, 4.0, 2.0]);
        for (name, expected) in [
            ("linear", [1.3, 3.0, 5.0]),
            ("lower", [1.0, 2.0, 4.0]),
            ("higher", [2.0, 4.0, 8.0]),
            ("midpoint", [1.5, 3.0, 6.0]),
            ("nearest", [1.0, 4.0, 4.0]),
            ("inverted_cdf", [1.0, 2.0, 4.0]),
            ("averaged_inverted_cdf", [1.0, 3.0, 6.0]),
            ("closest_observation", [1.0, 2.0, 4.0]),
            ("interpolated_inverted_cdf", [1.0, 2.0, 4.0]),
            ("hazen", [1.0, 3.0, 6.0]),
            ("weibull", [1.0, 3.0, 7.0]),
        ] {
            let method = Method::parse(name).unwrap();
            let found = quantiles(&block, 0, &[0.1, 0.5, 0.75], (method, false), 1).unwrap();
            let found = found.as_slice::<f64>().unwrap();
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{name}: {found:?}");
        }
    }
}
