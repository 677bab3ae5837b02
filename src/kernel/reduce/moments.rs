//! Means and variances in one pass: count, sum, and sum of squared distances from the mean (M2), which merge exactly as if
//! all had been seen at once (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
//! variances", 1979).
//!
//! The sum is kept rather than the mean, so that infinities stay what they are.

use super::fold::{Accumulate, Carry, Tile, fold_map, fold_tile};
use crate::data::slice::Range;
use crate::data::{Block, DType};
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::fused::{Expr, Program};
use crate::kernel::layout::concatenate;
use crate::text::Result;
use multiversion::multiversion;
use num_complex::Complex;
use std::ops::{Add, Div, Sub};

/// float64 or complex128.
trait Number: Copy + Default + Add<Output = Self> + Sub<Output = Self> + Div<f64, Output = Self> + 'static {
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
        let weight = a * b / (a + b);
        for ((m2, sum), (&m2_b, &sum_b)) in self.m2.iter_mut().zip(&mut self.sum).zip(other.m2.iter().zip(&other.sum)) {
            let apart = sum_b / b - *sum / a;
            *m2 += m2_b + apart.square() * weight;
            *sum = *sum + sum_b;
        }
        self.count += b;
    }
}

struct Moments<T> {
    carry: Carry<Part<T>>,
    spare: Vec<Part<T>>,
    means: Vec<T>,
    /// Count, sum and M2 as elements of the result.
    results: [Vec<T>; 3],
    pointers: [*const u8; 3],
}

/// Adds the squares of the distances of a row from the means.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn add_squares<T: Number>(m2: &mut [f64], row: &[T], means: &[T]) {
    for ((m2, &x), &mean) in m2.iter_mut().zip(row).zip(means) {
        *m2 += (x - mean).square();
    }
}

impl<T: Number> Accumulate for Moments<T> {
    unsafe fn push(&mut self, tile: Tile) {
        let mut part = self.spare.pop().unwrap_or_default();
        // SAFETY: passed on to the caller.
        unsafe { fold_tile(tile, |a: T, b: T| a + b, &mut part.sum) };
        part.count = (tile.rows * tile.columns / tile.width()) as f64;
        part.m2.clear();
        part.m2.resize(part.sum.len(), 0.0);
        self.means.clear();
        self.means.extend(part.sum.iter().map(|&sum| sum / part.count));
        for i in 0..tile.rows {
            // SAFETY: as above.
            let row: &[T] = unsafe { tile.row(i) };
            let place = if tile.rows_reduced { 0 } else { i };
            if tile.columns_reduced {
                let mean = self.means[place];
                part.m2[place] += fold_map(row, |x| (x - mean).square(), |a, b| a + b);
            } else {
                let start = place * tile.columns;
                add_squares(&mut part.m2[start..], row, &self.means[start..]);
            }
        }
        self.carry.push(part, &mut self.spare, Part::merge);
    }

    fn finish(&mut self) -> &[*const u8] {
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
            means: Vec::new(),
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
