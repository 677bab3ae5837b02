//! Means and variances in one pass: count, sum, and sum of squared distances from the mean (M2), which merge exactly as if
//! all had been seen at once (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
//! variances", 1979).
//!
//! The sum is kept rather than the mean, so that infinities stay what they are.

use super::fold::{Accumulate, Carry, Tile, fold_tile};
use crate::data::slice::Range;
use crate::data::{Block, DType, prefetch};
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::fused::{Expr, Program};
use crate::kernel::layout::concatenate;
use crate::kernel::order::{LANES, across};
use crate::text::Result;
use multiversion::multiversion;
use num_complex::Complex;
use std::ops::{Add, Mul, Sub};

/// float64 or complex128.
trait Number: Copy + Default + Add<Output = Self> + Sub<Output = Self> + Mul<f64, Output = Self> + 'static {
    /// The square of the magnitude.
    fn square(self) -> f64;
    fn from_real(x: f64) -> Self;
}

impl Number for f64 {
    #[inline(always)]
    fn square(self) -> f64 {
        self * self
    }
    fn from_real(x: f64) -> Self {
        x
    }
}

impl Number for Complex<f64> {
    #[inline(always)]
    fn square(self) -> f64 {
        self.norm_sqr()
    }
    fn from_real(x: f64) -> Self {
        Complex::new(x, 0.0)
    }
}

#[inline(always)]
fn is_finite<T: Number>(x: T) -> bool {
    (x * 0.0).square() == 0.0
}

/// Moments of several places side by side, each of `count` elements.
#[derive(Default)]
struct Part<T> {
    count: f64,
    sum: Vec<T>,
    m2: Vec<f64>,
}

impl<T: Number> Part<T> {
    fn merge(&mut self, other: &Part<T>) {
        let (a, b) = (self.count, other.count);
        merge(&mut self.m2, &mut self.sum, (&other.m2, &other.sum), [1.0 / a, 1.0 / b, a * b / (a + b)]);
        self.count += b;
    }
}

/// Merges moments of places with others. The parts are of 1 / `per_a` and 1 / `per_b` elements.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn merge<T: Number>(m2: &mut [f64], sum: &mut [T], (m2_b, sum_b): (&[f64], &[T]), [per_a, per_b, weight]: [f64; 3]) {
    for ((m2, sum), (&m2_b, &sum_b)) in m2.iter_mut().zip(sum).zip(m2_b.iter().zip(sum_b)) {
        let apart = sum_b * per_b - *sum * per_a;
        *m2 += m2_b + apart.square() * weight;
        *sum = *sum + sum_b;
    }
}

/// The sums of the distances of elements from `shift`, and of their squares.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn shifted<T: Number>(x: &[T], shift: T) -> (T, f64) {
    let mut sums = [T::default(); LANES];
    let mut squares = [0.0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for ((sum, square), &x) in sums.iter_mut().zip(&mut squares).zip(chunk) {
            let apart = x - shift;
            *sum = *sum + apart;
            *square += apart.square();
        }
    }
    for ((sum, square), &x) in sums.iter_mut().zip(&mut squares).zip(rest) {
        let apart = x - shift;
        *sum = *sum + apart;
        *square += apart.square();
    }
    (across(sums, |a, b| a + b), across(squares, |a, b| a + b))
}

/// As [`shifted`], of each column of rows of as many elements as there are shifts. With `ahead`, what lies behind the rows is read next.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn shifted_columns<T: Number>(rows: &[T], shifts: &[T], sums: &mut [T], squares: &mut [f64], ahead: bool) {
    match shifts.len() {
        16.. => stretches::<T, 16>(rows, shifts, sums, squares, ahead),
        8.. => stretches::<T, 8>(rows, shifts, sums, squares, ahead),
        4.. => stretches::<T, 4>(rows, shifts, sums, squares, ahead),
        2.. => stretches::<T, 2>(rows, shifts, sums, squares, ahead),
        _ => stretches::<T, 1>(rows, shifts, sums, squares, ahead),
    }
}

/// As [`shifted_columns`], by stretches of so many columns, whose sums stay in registers. There are as many at least; the last stretch
/// begins within the one before.
#[inline(always)]
fn stretches<T: Number, const WIDE: usize>(rows: &[T], shifts: &[T], sums: &mut [T], squares: &mut [f64], ahead: bool) {
    let columns = shifts.len();
    let mut soon = rows.as_ptr_range().end;
    for at in (0..columns).step_by(WIDE) {
        let at = at.min(columns - WIDE);
        let mut sum = [T::default(); WIDE];
        let mut square = [0.0; WIDE];
        let shift: &[T; WIDE] = shifts[at..].first_chunk().expect("a whole stretch of columns");
        for row in rows.chunks_exact(columns) {
            // Stretch by stretch, the processor does not see by itself what comes; row by row it does.
            if ahead && columns > WIDE {
                (0..size_of::<[T; WIDE]>()).step_by(64).for_each(|line| prefetch::far(soon.wrapping_byte_add(line)));
                soon = soon.wrapping_add(WIDE);
            }
            let x: &[T; WIDE] = row[at..].first_chunk().expect("a whole stretch of columns");
            for i in 0..WIDE {
                let apart = x[i] - shift[i];
                sum[i] = sum[i] + apart;
                square[i] += apart.square();
            }
        }
        sums[at..at + WIDE].copy_from_slice(&sum);
        squares[at..at + WIDE].copy_from_slice(&square);
    }
}

/// From sums of `count` distances from `shifts`, and of their squares, to the sums of the elements and M2.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn unshift<T: Number>(sums: &mut [T], squares: &mut [f64], shifts: &[T], count: f64) {
    let per = 1.0 / count;
    for ((sum, square), &shift) in sums.iter_mut().zip(squares).zip(shifts) {
        let m2 = *square - sum.square() * per;
        // What is not a number stays that, and squares of finite distances may be too large for one.
        *square = match m2 < 0.0 {
            true => 0.0,
            false if square.is_infinite() && is_finite(*sum) => *square,
            false => m2,
        };
        *sum = *sum + shift * count;
    }
}

/// Moments tile by tile, each in one pass as distances from the means of the tile before: where two tiles lie apart, so that squares
/// lose digits to each other, what lies between them is in the result, too, and larger.
struct Moments<T> {
    carry: Carry<Part<T>>,
    spare: Vec<Part<T>>,
    /// What elements of each place are near to, once there are some.
    shifts: Vec<T>,
    /// Count, sum and M2 as elements of the result.
    results: [Vec<T>; 3],
    pointers: [*const u8; 3],
}

impl<T: Number> Moments<T> {
    /// Goes on from the means of these sums, but not from what is not a number.
    fn shift_to_means(&mut self, sums: &[T], count: f64) {
        let per = 1.0 / count;
        self.shifts.clear();
        self.shifts.extend(sums.iter().map(|&sum| sum * per).map(|m| if is_finite(m) { m } else { T::default() }));
    }
}

impl<T: Number> Accumulate for Moments<T> {
    unsafe fn push(&mut self, tile: Tile) {
        let mut part = self.spare.pop().unwrap_or_default();
        part.count = (tile.rows * tile.columns / tile.width()) as f64;
        if self.shifts.is_empty() {
            // SAFETY: passed on to the caller.
            unsafe { fold_tile(tile, |a: T, b: T| a + b, &mut part.sum) };
            self.shift_to_means(&part.sum, part.count);
        }
        part.sum.clear();
        part.sum.resize(self.shifts.len(), T::default());
        part.m2.clear();
        part.m2.resize(self.shifts.len(), 0.0);
        // SAFETY: as above.
        let all: &[T] = unsafe { tile.all() };
        match (tile.rows_reduced, tile.columns_reduced) {
            (true, false) => shifted_columns(all, &self.shifts, &mut part.sum, &mut part.m2, tile.ahead > 0),
            (rows_reduced, columns_reduced) => {
                let each = match (rows_reduced, columns_reduced) {
                    (true, _) => all.len(),
                    (_, true) => tile.columns,
                    _ => 1,
                };
                for (at, lane) in all.chunks_exact(each).enumerate() {
                    (part.sum[at], part.m2[at]) = shifted(lane, self.shifts[at]);
                }
            }
        }
        unshift(&mut part.sum, &mut part.m2, &self.shifts, part.count);
        self.shift_to_means(&part.sum, part.count);
        self.carry.push(part, &mut self.spare, Part::merge);
    }

    fn finish(&mut self) -> &[*const u8] {
        self.shifts.clear();
        if let Some(part) = self.carry.finish(&mut self.spare, Part::merge) {
            self.results = [
                vec![T::from_real(part.count); part.sum.len()],
                part.sum,
                part.m2.iter().map(|&x| T::from_real(x)).collect(),
            ];
        }
        self.pointers = std::array::from_fn(|i| self.results[i].as_ptr().cast());
        &self.pointers
    }
}

/// The accumulator of moments of float64 or complex128.
pub fn accumulator(dtype: DType) -> Box<dyn Accumulate> {
    fn new<T: Number>() -> Box<dyn Accumulate> {
        Box::new(Moments::<T> {
            carry: Carry::default(),
            spare: Vec::new(),
            shifts: Vec::new(),
            results: Default::default(),
            pointers: [std::ptr::null(); 3],
        })
    }
    if dtype == DType::C128 { new::<Complex<f64>>() } else { new::<f64>() }
}

/// Merges moments along `axes`, which count from the array's first axis (not from the leading axis of size 3): partial
/// results are concatenated, then merged, in pairs.
pub fn merge_moments(moments: &Block, axes: &[usize]) -> Result<Block> {
    let mut moments = moments.clone();
    for &axis in axes {
        let axis = axis + 1;
        while moments.shape()[axis] > 1 {
            let len = moments.shape()[axis];
            let part = |start: usize, count: usize| moments.slice_axis(axis, Range { start, step: 1, count });
            let half = len / 2;
            let merged = merge_two(&part(0, half), &part(half, half))?;
            moments = if len.is_multiple_of(2) { merged } else { concatenate(&[merged, part(len - 1, 1)], axis)? };
        }
    }
    Ok(moments)
}

/// The planes of count, sum and M2.
fn planes(moments: &Block) -> [Block; 3] {
    std::array::from_fn(|i| moments.slice_axis(0, Range { start: i, step: 1, count: 1 }))
}

fn merge_two(a: &Block, b: &Block) -> Result<Block> {
    let [count_a, sum_a, m2_a, count_b, sum_b, m2_b] = std::array::from_fn(Expr::Input);
    let op = |op, a: &Expr, b: &Expr| Expr::binary(op, a.clone(), b.clone());
    let count = op(Binary::Add, &count_a, &count_b);
    let both = op(Binary::Multiply, &count_a, &count_b);
    let apart = op(Binary::Subtract, &op(Binary::Divide, &sum_b, &count_b), &op(Binary::Divide, &sum_a, &count_a));
    let square = Expr::unary(Unary::Square, Expr::unary(Unary::Absolute, apart));
    let between = op(Binary::Multiply, &square, &op(Binary::Divide, &both, &count));
    // With nothing on one side there is no distance.
    let zero = Expr::Number(crate::data::Value::Int(0));
    let between = Expr::where_(both, between, zero);
    let m2 = op(Binary::Add, &op(Binary::Add, &m2_a, &m2_b), &between);
    let inputs: Vec<Block> = planes(a).into_iter().chain(planes(b)).collect();
    let dtypes = [a.dtype(); 6];
    let run = |expr: &Expr| Program::new(&dtypes, expr)?.run(inputs.clone());
    concatenate(&[run(&count)?, run(&op(Binary::Add, &sum_a, &sum_b))?, run(&m2)?], 0)
}

/// An expression of the three planes, without the leading axis.
fn finish(moments: &Block, expr: Expr, dtype: DType) -> Result<Block> {
    let program = Program::new(&[moments.dtype(); 3], &Expr::cast(dtype, expr))?;
    let result = program.run(planes(moments).to_vec())?;
    Ok(result.take_axis(0, 0))
}

/// The mean from moments, as `dtype`. The mean of nothing is `nan`.
pub fn mean(moments: &Block, dtype: DType) -> Result<Block> {
    finish(moments, Expr::binary(Binary::Divide, Expr::Input(1), Expr::Input(0)), dtype)
}

/// The variance from moments, M2 / (count - ddof), as `dtype` (a real one); `nan` or `inf` where that is not above zero, as
/// NumPy.
pub fn var(moments: &Block, ddof: f64, dtype: DType) -> Result<Block> {
    let number = |x| Expr::Number(crate::data::Value::Float(x));
    let real = |x| Expr::unary(Unary::Real, x);
    let freedom = Expr::binary(Binary::Subtract, real(Expr::Input(0)), number(ddof));
    let freedom = Expr::binary(Binary::Maximum, freedom, number(0.0));
    finish(moments, Expr::binary(Binary::Divide, real(Expr::Input(2)), freedom), dtype)
}
