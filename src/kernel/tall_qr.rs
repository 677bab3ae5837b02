//! Q and R of a matrix much taller than wide, out of products: what the matrix transposed times itself is has R as its Cholesky factor, and
//! solving with that leaves Q. Done twice, this is as exact as reflections, provided that the first Q is orthonormal enough to begin
//! with; where it is not, reflections are what is left. Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, "Roundoff error analysis of
//! the CholeskyQR2 algorithm", 2015.

use super::elementwise::{self, Unary};
use super::gemm::{self, Threads};
use super::linalg::Triangle;
use crate::data::slice::Range;
use crate::data::{Block, Complex64, Element};
use crate::text::Result;
use dsk_dense::Field;

/// Times as tall as wide: below, reflections are no more work.
const TALL: usize = 2;

/// Which part of the length of a column must be at right angles to those before it. The second pass makes up for what the first lost, as long
/// as this is well above the square root of the precision; columns that are not as new as that are found before most of the work is done.
const LEAST_NEW: f64 = 1e-6;

/// How far the products of the columns of the first Q may be from the identity, all of them together.
const MOST_LOST: f64 = 0.25;

/// What a matrix is taken apart to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parts {
    /// Q (m×n) and R (n×n, with a positive diagonal).
    Factors,
    /// The first Q (m×n), the R of it (n×n), and R of the matrix (n×n): what is still to be divided by may be part of another product.
    First,
}

/// Writes the parts of a matrix (m×n) in float64 or complex128 one after the other to `out`. False where it is not tall, or where its
/// columns are too nearly dependent or not finite.
///
/// # Errors
/// `dsk::memory`, and `dsk::interrupted` where it was cancelled.
pub fn factors<T: Field + Element + Into<Complex64>>(a: &Block, parts: Parts, out: &mut Block) -> Result<bool> {
    let (m, n) = (a.shape()[0], a.shape()[1]);
    if n == 0 || m < TALL * n {
        return Ok(false);
    }
    let products = gram(a)?;
    let Some(first) = lower::<T>(&products)? else { return Ok(false) };
    let new = |j: usize| size(first.get::<T>(&[j, j])) / size(products.get::<T>(&[j, j])).sqrt();
    if !(0..n).all(|j| new(j) >= LEAST_NEW) {
        return Ok(false);
    }
    let q = &mut out.as_mut_slice::<T>()[..m * n];
    q.copy_from_slice(a.contiguous().as_slice().unwrap_or_default());
    divide(q, &first);
    let products = gram(&out.with_layout(&[m, n], &[n as isize, 1]))?;
    // What is not a number is not near, either.
    let near = far_from_identity::<T>(&products) <= MOST_LOST;
    if !near {
        return Ok(false);
    }
    let Some(second) = lower::<T>(&products)? else { return Ok(false) };
    let r = product_of_upper::<T>(&adjoint(&second)?, &adjoint(&first)?)?;
    let (q, rest) = out.as_mut_slice::<T>().split_at_mut(m * n);
    let rest = match parts {
        Parts::Factors => {
            divide(q, &second);
            rest
        }
        Parts::First => {
            let (to, rest) = rest.split_at_mut(n * n);
            to.copy_from_slice(adjoint(&second)?.contiguous().as_slice().unwrap_or_default());
            rest
        }
    };
    rest.copy_from_slice(r.as_slice().unwrap_or_default());
    Ok(true)
}

fn size(x: impl Into<Complex64>) -> f64 {
    x.into().norm()
}

/// Transposed and conjugated.
fn adjoint(a: &Block) -> Result<Block> {
    let turned = a.transpose(&[1, 0]);
    if a.dtype().is_complex() { elementwise::unary(Unary::Conjugate, turned) } else { Ok(turned) }
}

/// The products of all columns with each other.
fn gram(a: &Block) -> Result<Block> {
    gemm::matmul(&adjoint(a)?, a, Threads::One)
}

/// The Cholesky factor, if there is one.
fn lower<T: Field + Element + Into<Complex64>>(products: &Block) -> Result<Option<Block>> {
    let n = products.shape()[0];
    let finite = (0..n).all(|j| size(products.get::<T>(&[j, j])).is_finite());
    let mut lower = Block::for_answer(products.dtype(), &[n, n])?;
    let found = finite && T::cholesky(products.as_slice().unwrap_or_default(), n, lower.as_mut_slice()).is_ok();
    Ok(found.then_some(lower))
}

/// The length of all differences together.
fn far_from_identity<T: Element + Into<Complex64>>(products: &Block) -> f64 {
    let n = products.shape()[0];
    let one = |at: usize| if at.is_multiple_of(n + 1) { 1.0 } else { 0.0 };
    let elements = products.as_slice::<T>().unwrap_or_default();
    elements.iter().enumerate().map(|(at, &x)| (x.into() - one(at)).norm_sqr()).sum::<f64>().sqrt()
}

/// Makes Q of what is the product of Q and R, the adjoint of `lower`.
fn divide<T: Field + Element>(product: &mut [T], lower: &Block) {
    let triangle = Triangle { lower: true, unit: false, conjugated: true };
    // Transposed, both change places.
    T::solve_triangular(lower.as_slice().unwrap_or_default(), lower.shape()[0], triangle, product, true);
}

/// The product of two upper triangles, in strips without most of the zeros.
fn product_of_upper<T: Element>(a: &Block, b: &Block) -> Result<Block> {
    const STRIPS: usize = 8;
    let n = a.shape()[0];
    let mut product = Block::zeros(a.dtype(), &[n, n]);
    let height = n.div_ceil(STRIPS);
    for at in (0..n).step_by(height) {
        let from = |count: usize| Range { start: at, step: 1, count };
        let (rows, rest) = (from(height.min(n - at)), from(n - at));
        let strip = gemm::matmul(
            &a.slice_axis(0, rows).slice_axis(1, rest),
            &b.slice_axis(0, rest).slice_axis(1, rest),
            Threads::One,
        )?;
        let to = product.as_mut_slice::<T>().chunks_exact_mut(n).skip(at);
        for ((to, from), y) in to.zip(strip.as_slice::<T>().unwrap_or_default().chunks_exact(n - at)).zip(0..) {
            // Before the diagonal there are zeros, but for what was rounded.
            to[at + y..].copy_from_slice(&from[y..]);
        }
    }
    Ok(product)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DType;
    use crate::kernel::linalg::{self, Factors};
    use proptest::prelude::*;

    /// Numbers without a pattern, each column `scale` times the one before it, up to twenty in a row.
    fn matrix(m: usize, n: usize, scale: f64, dtype: DType) -> Block {
        let mut state = 7u64;
        let mut next = |j: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 11) as f64 / (1u64 << 53) as f64 - 0.5) * scale.powi(j as i32 % 20)
        };
        let numbers: Vec<Complex64> = (0..m * n).map(|at| Complex64::new(next(at % n), next(at % n))).collect();
        match dtype.is_complex() {
            true => Block::from_slice(&[m, n], &numbers),
            false => Block::from_slice(&[m, n], &numbers.iter().map(|x| x.re).collect::<Vec<f64>>()),
        }
    }

    /// Q and R, if they are found in this way.
    fn found(a: &Block) -> Option<(Block, Block)> {
        let (m, n) = (a.shape()[0], a.shape()[1]);
        let apart = |parts| {
            let others = if parts == Parts::First { 2 } else { 1 };
            let mut out = Block::zeros(a.dtype(), &[m * n + others * n * n]);
            let done = match a.dtype().is_complex() {
                true => factors::<Complex64>(a, parts, &mut out),
                false => factors::<f64>(a, parts, &mut out),
            };
            let at = |start: usize, rows: usize| {
                out.slice_axis(0, Range { start, step: 1, count: rows * n }).reshape(&[rows, n])
            };
            done.unwrap().then(|| (at(0, m), at(m * n, n), at(m * n + (others - 1) * n * n, n)))
        };
        let (q, _, r) = apart(Parts::Factors)?;
        let (first, second, same) = apart(Parts::First)?;
        assert!(r.same(&same));
        let product = gemm::matmul(&q, &second, Threads::One).unwrap();
        let off = elementwise::binary(elementwise::Binary::Subtract, product, first).unwrap();
        assert!(far_from_zero(&off) < 1e-14 * n as f64);
        Some((q, r))
    }

    fn far_from_zero(x: &Block) -> f64 {
        let x = x.cast(DType::C128).unwrap();
        x.as_slice::<Complex64>().unwrap().iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt()
    }

    fn check<T: Field + Element + Into<Complex64>>(a: &Block, q: &Block, r: &Block) {
        let n = a.shape()[1];
        assert!(far_from_identity::<T>(&gram(q).unwrap()) < 1e-14 * n as f64);
        let product = gemm::matmul(q, r, Threads::One).unwrap();
        for j in 0..n {
            let column = |x: &Block| (0..a.shape()[0]).map(|i| x.get::<T>(&[i, j]).into()).collect::<Vec<Complex64>>();
            let (a, product) = (column(a), column(&product));
            let length = a.iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt();
            let off = a.iter().zip(&product).map(|(x, y)| (x - y).norm_sqr()).sum::<f64>().sqrt();
            assert!(off <= 1e-14 * n as f64 * length, "column {j}: {off} of {length}");
            assert!((0..n).all(|i| i <= j || r.get::<T>(&[i, j]).into().norm() == 0.0));
            assert!(r.get::<T>(&[j, j]).into().re > 0.0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Q is orthonormal and the product is the matrix to the last digits, column by column, whatever their lengths are.
        #[test]
        fn they_multiply_to_the_matrix(n in 1usize..60, more in 0usize..300, scale in prop::sample::select(vec![1.0, 1e-3, 30.0])) {
            let m = TALL * n + more + 3;
            for dtype in [DType::F64, DType::C128] {
                let a = matrix(m, n, scale, dtype);
                let (q, r) = found(&a).expect("its columns are independent");
                if dtype.is_complex() { check::<Complex64>(&a, &q, &r) } else { check::<f64>(&a, &q, &r) }
            }
        }
    }

    /// Where columns nearly depend on others, or numbers are none, nothing is claimed, and there are reflections.
    #[test]
    fn what_loses_too_much_is_left_to_reflections() {
        let a = matrix(200, 20, 1.0, DType::F64);
        for (tilt, done) in [(1.0, true), (1e-3, true), (1e-5, true), (1e-8, false), (1e-12, false), (0.0, false)] {
            let mut near = a.copied();
            for row in near.as_mut_slice::<f64>().chunks_exact_mut(20) {
                row[13] = row[4] - row[7] + tilt * row[13];
            }
            assert_eq!(found(&near).map(|(q, r)| check::<f64>(&near, &q, &r)).is_some(), done, "{tilt}");
            let packed = linalg::factors(&near, Factors::TallQr).unwrap();
            let packed = packed.as_slice::<f64>().unwrap();
            let (q, r) =
                (Block::from_slice(&[200, 20], &packed[..4000]), Block::from_slice(&[20, 20], &packed[4000..]));
            assert!(far_from_identity::<f64>(&gram(&q).unwrap()) < 1e-13);
            let product = gemm::matmul(&q, &r, Threads::One).unwrap();
            let off = |(x, y): (&f64, &f64)| (x - y).abs();
            let most = product.as_slice().unwrap().iter().zip(near.as_slice().unwrap()).map(off).fold(0.0, f64::max);
            // The library takes what is new of a column for rounding where it is less than 16·m times the precision.
            assert!(most < if tilt > 1e-11 { 1e-13 } else { 5e-12 }, "{tilt}: {most}");
        }
        for odd in [f64::NAN, f64::INFINITY, 1e200, 1e-200] {
            let mut a = a.copied();
            a.as_mut_slice::<f64>()[45] *= odd;
            let packed = linalg::factors(&a, Factors::TallQr).unwrap();
            assert_eq!(packed.as_slice::<f64>().unwrap().iter().all(|x| x.is_finite()), odd.is_finite(), "{odd}");
        }
        assert!(found(&Block::zeros(DType::F64, &[30, 3])).is_none());
        assert!(found(&matrix(5, 3, 1.0, DType::F64)).is_none());
    }
}
