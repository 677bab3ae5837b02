//! Linear algebra of stacks of matrices: factorizations, and solving with them. On one thread: blocks run side by side.

use super::tall_qr;
use crate::data::{Block, Complex64, DType, Dims, Element, cancel};
use crate::err;
use crate::text::Result;
pub use dsk_dense::Triangle;
use dsk_dense::{Field, NotFound};

/// Factorizations that give several matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Factors {
    /// Q (m×k) and R (k×n), of k columns and rows, the fewer of m and n.
    Qr,
    /// The same of a tall matrix in less time; what is negative in one may be positive in the other.
    TallQr,
    /// P (m×k), S (k×k), upper triangular, and R (k×n): Q is P with S divided out, from the right. For a tall matrix in still less time.
    PartQr,
    /// U (m×k), the singular values from the largest on (k), and V transposed and conjugated (k×n).
    Svd,
    /// Eigenvalues from the smallest on (n), and eigenvectors as columns (n×n), of what the lower triangle tells of a Hermitian matrix.
    Eigh,
    /// Eigenvalues (n), in no order, and eigenvectors of length 1 as columns (n×n). All complex.
    Eig,
    /// Eigenvalues alone (n), in no order. Complex.
    Eigvals,
    /// The order of rows (m), L with ones on its diagonal (m×k), and U (k×n): rows in that order are the product.
    Lu,
}

impl Factors {
    pub fn parse(name: &str) -> Option<Factors> {
        Some(match name {
            "qr" => Factors::Qr,
            "tall-qr" => Factors::TallQr,
            "part-qr" => Factors::PartQr,
            "svd" => Factors::Svd,
            "eigh" => Factors::Eigh,
            "eig" => Factors::Eig,
            "eigvals" => Factors::Eigvals,
            "lu" => Factors::Lu,
            _ => return None,
        })
    }

    /// Shapes of the factors of an m×n matrix.
    pub fn shapes(self, m: usize, n: usize) -> Vec<Dims> {
        let k = m.min(n);
        let all: &[&[usize]] = match self {
            Factors::Qr | Factors::TallQr => &[&[m, k], &[k, n]],
            Factors::PartQr => &[&[m, k], &[k, k], &[k, n]],
            Factors::Svd => &[&[m, k], &[k], &[k, n]],
            Factors::Eigh | Factors::Eig => &[&[n], &[n, n]],
            Factors::Eigvals => &[&[n]],
            Factors::Lu => &[&[m], &[m, k], &[k, n]],
        };
        all.iter().map(|shape| Dims::from_slice(shape)).collect()
    }

    fn is_qr(self) -> bool {
        matches!(self, Factors::Qr | Factors::TallQr | Factors::PartQr)
    }

    /// Which of the factors grows as the matrix does.
    fn proportional(self) -> usize {
        match self {
            Factors::Qr | Factors::TallQr | Factors::Svd => 1,
            Factors::PartQr | Factors::Lu => 2,
            Factors::Eigh | Factors::Eig | Factors::Eigvals => 0,
        }
    }

    /// Whether there are factors of a square matrix only.
    pub fn of_square(self) -> bool {
        matches!(self, Factors::Eigh | Factors::Eig | Factors::Eigvals)
    }

    /// The dtype of the factors of a matrix.
    pub fn dtype(self, dtype: DType) -> DType {
        match (self, field(dtype)) {
            (Factors::Eig | Factors::Eigvals, DType::F32) => DType::C64,
            (Factors::Eig | Factors::Eigvals, DType::F64) => DType::C128,
            (_, dtype) => dtype,
        }
    }
}

/// The dtype that matrices of that dtype are factorized in.
pub fn field(dtype: DType) -> DType {
    dtype.to_inexact()
}

/// The dtype that is worked in, whose results are then cast: the library's code for four dtypes would be most of the program's.
fn wide(dtype: DType) -> DType {
    if dtype.is_complex() { DType::C128 } else { DType::F64 }
}

/// Runs `$body` with `$T` standing for the type of elements of a wide dtype.
macro_rules! with_field {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::C128 => {
                type $T = Complex64;
                $body
            }
            _ => {
                type $T = f64;
                $body
            }
        }
    };
}

/// The elements of a contiguous matrix.
fn elements<T: Element>(block: &Block) -> &[T] {
    block.as_slice().unwrap_or_default()
}

fn singular(what: &str) -> crate::text::Error {
    err!(Singular, "the matrix {what}")
}

/// All matrices of a stack, one after the other, in the wide dtype: `f` makes one of as many elements of each. The result has the
/// field's dtype.
fn stacked(stack: &Block, shape: &[usize], f: impl Fn(&Block) -> Result<Block>) -> Result<Block> {
    stacked_as(field(stack.dtype()), stack, shape, f)
}

/// As [`stacked`], with the dtype of the result.
fn stacked_as(dtype: DType, stack: &Block, shape: &[usize], f: impl Fn(&Block) -> Result<Block>) -> Result<Block> {
    let stack = stack.cast(wide(stack.dtype()))?;
    let (lead, matrix) = stack.shape().split_at(stack.ndim() - 2);
    if lead.is_empty() {
        return f(&stack.contiguous())?.cast(dtype);
    }
    let count: usize = lead.iter().product();
    let flat = stack.reshape(&[&[count], matrix].concat());
    let mut parts = Vec::with_capacity(count);
    for at in 0..count {
        cancel::check()?;
        parts.push(f(&flat.take_axis(0, at).contiguous())?.insert_axis(0));
    }
    let all = match parts.is_empty() {
        true => Block::zeros(dtype, &[&[0], shape].concat()),
        false => super::layout::concatenate(&parts, 0)?.cast(dtype)?,
    };
    Ok(all.reshape(&[lead, shape].concat()))
}

/// The factors of each matrix of a stack, one after the other, row by row, as the last axis.
///
/// # Errors
/// `dsk::singular` where an algorithm does not arrive at them.
pub fn factors(stack: &Block, factors: Factors) -> Result<Block> {
    let dtype = wide(stack.dtype());
    let (m, n) = sides(stack);
    let shapes = factors.shapes(m, n);
    let len: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
    if let Factors::Eig | Factors::Eigvals = factors {
        return eigen(stack, factors.dtype(stack.dtype()), n, len);
    }
    stacked(stack, &[len], |one| {
        let mut out = Block::for_answer(dtype, &[len])?;
        if len == 0 {
            return Ok(out);
        }
        let exponent = with_field!(dtype, T => exponent(elements::<T>(one), factors));
        let Some(exponent) = exponent else {
            let Some(last) = shapes.last().filter(|_| factors.is_qr()) else {
                return Err(singular("has elements that are not finite: there are no singular values"));
            };
            with_field!(dtype, T => no_numbers(out.as_mut_slice::<T>(), last[0], last[1]));
            return Ok(out);
        };
        let scaled = match exponent {
            0 => one.clone(),
            _ => {
                let mut copy = one.copied();
                with_field!(dtype, T => scale(copy.as_mut_slice::<T>(), exponent));
                copy
            }
        };
        let one = &scaled;
        let scaled_back = |out: &mut Block| {
            let lengths: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
            let at = factors.proportional();
            let start = lengths[..at].iter().sum::<usize>();
            with_field!(dtype, T => scale(&mut out.as_mut_slice::<T>()[start..][..lengths[at]], -exponent));
        };
        let tall = match factors {
            Factors::TallQr => Some(tall_qr::Parts::Factors),
            Factors::PartQr => Some(tall_qr::Parts::First),
            _ => None,
        };
        with_field!(dtype, T => {
            if let Some(parts) = tall && tall_qr::factors::<T>(one, parts, &mut out)? {
                scaled_back(&mut out);
                return Ok(out);
            }
            let mut rest = out.as_mut_slice::<T>();
            let mut parts = shapes.iter().map(|shape| {
                let (part, left) = std::mem::take(&mut rest).split_at_mut(shape.iter().product());
                rest = left;
                part
            });
            let mut next = || parts.next().unwrap_or_default();
            let a = elements::<T>(one);
            match factors {
                Factors::Qr | Factors::TallQr => T::qr(a, [m, n], next(), next()),
                Factors::PartQr => {
                    let (p, s) = (next(), next());
                    s.fill(T::from(0.0));
                    s.iter_mut().step_by(m.min(n) + 1).for_each(|x| *x = T::from(1.0));
                    T::qr(a, [m, n], p, next());
                }
                Factors::Svd => {
                    let found = T::svd(a, [m, n], next(), next(), next());
                    found.map_err(|NotFound| singular("has singular values that are not found"))?;
                }
                Factors::Eigh => {
                    let found = T::eigh(a, n, next(), next());
                    found.map_err(|NotFound| singular("has eigenvalues that are not found"))?;
                }
                // Of another dtype than the matrix: made above.
                Factors::Eig | Factors::Eigvals => {}
                Factors::Lu => {
                    let mut order = vec![0; m];
                    let numbers = next();
                    T::lu(a, [m, n], &mut order, next(), next());
                    numbers.iter_mut().zip(order).for_each(|(x, row)| *x = T::from(row as f64));
                }
            }
        });
        scaled_back(&mut out);
        Ok(out)
    })
}

/// The power of two that a matrix is multiplied by before it is factorized, so that squares of elements are neither too large nor too small. None
/// where an element is not finite and there are no factors then.
fn exponent<T: Copy + Into<Complex64>>(a: &[T], factors: Factors) -> Option<i32> {
    if !factors.is_qr() && factors != Factors::Svd {
        return Some(0);
    }
    let parts = |&x: &T| {
        let Complex64 { re, im } = x.into();
        [re.abs(), im.abs()]
    };
    if !a.iter().flat_map(parts).all(f64::is_finite) {
        return None;
    }
    let largest = a.iter().flat_map(parts).fold(0.0, f64::max);
    let power = || largest.log2() as i32;
    Some(match largest {
        0.0 => 0,
        x if x < 1e-140 => -power(),
        // Reflections are careful; and what is small beside it is kept.
        x if x > 1e140 && factors == Factors::Svd => 450 - power(),
        _ => 0,
    })
}

/// Times a power of two, which may be beyond the largest number.
fn scale<T: Copy + std::ops::Mul<f64, Output = T>>(elements: &mut [T], exponent: i32) {
    if exponent != 0 {
        let (a, b) = (2f64.powi(exponent / 2), 2f64.powi(exponent - exponent / 2));
        elements.iter_mut().for_each(|x| *x = *x * a * b);
    }
}

/// Writes what the factors Q and R (k×n), the last of these, are of a matrix with elements that are not finite.
fn no_numbers<T: Copy + Default + From<f64>>(factors: &mut [T], k: usize, n: usize) {
    factors.fill(T::from(f64::NAN));
    let r = factors.len() - k * n;
    for (i, row) in factors[r..].chunks_exact_mut(n.max(1)).enumerate() {
        row[..i.min(n)].fill(T::default());
    }
}

/// Eigenvalues, and where there is room for them eigenvectors, of the square matrices of a stack.
fn eigen(stack: &Block, dtype: DType, n: usize, len: usize) -> Result<Block> {
    let wide = wide(stack.dtype());
    stacked_as(dtype, stack, &[len], |one| {
        let mut out = Block::for_answer(DType::C128, &[len])?;
        if len == 0 {
            return Ok(out);
        }
        let numbers = one.cast(DType::C128)?.contiguous();
        if !elements::<Complex64>(&numbers).iter().all(|x| x.is_finite()) {
            return Err(singular("has elements that are not finite: there are no eigenvalues"));
        }
        let (values, vectors) = out.as_mut_slice::<Complex64>().split_at_mut(n);
        let found = with_field!(wide, T => T::eig(elements(one), n, values, vectors));
        found.map_err(|NotFound| singular("has eigenvalues that are not found"))?;
        Ok(out)
    })
}

/// 1 for each order of a stack, along the last axis, that an even number of exchanges makes, -1 for an odd number.
///
/// # Errors
/// `dsk::value` for what is no order: each number from 0 on once.
pub fn permutation_signs(orders: &Block) -> Result<Block> {
    let (lead, n) = match orders.shape().split_last() {
        Some((&n, lead)) => (lead, n),
        None => return Err(err!(Shape, "an order has an axis")),
    };
    let mut signs = Block::alloc(DType::F64, lead);
    let all = orders.cast(DType::I64)?.contiguous();
    let all = all.as_slice::<i64>().unwrap_or_default();
    for (at, sign) in signs.as_mut_slice::<f64>().iter_mut().enumerate() {
        let mut seen = vec![false; n];
        let place = |&x: &i64| usize::try_from(x).ok().filter(|&x| x < n && !std::mem::replace(&mut seen[x], true));
        let order = all[at * n..(at + 1) * n].iter().map(place).collect::<Option<Vec<usize>>>();
        let order = order.ok_or_else(|| err!(Value, "an order of {n} has each number from 0 on once"))?;
        *sign = if dsk_dense::odd(&order) { -1.0 } else { 1.0 };
    }
    Ok(signs)
}

fn sides(stack: &Block) -> (usize, usize) {
    let shape = stack.shape();
    (shape[shape.len() - 2], shape[shape.len() - 1])
}

/// L of each Hermitian matrix of a stack, of which only the lower triangle is looked at: `L·Lᴴ` is the matrix.
///
/// # Errors
/// `dsk::singular` where it is not positive definite.
pub fn cholesky(stack: &Block) -> Result<Block> {
    let dtype = wide(stack.dtype());
    let (n, _) = sides(stack);
    stacked(stack, &[n, n], |one| {
        with_field!(dtype, T => {
            let mut out = Block::for_answer(dtype, &[n, n])?;
            let found = T::cholesky(elements(one), n, out.as_mut_slice());
            found.map_err(|NotFound| singular("is not positive definite"))?;
            Ok(out)
        })
    })
}

/// The determinants of a stack.
pub fn determinant(stack: &Block) -> Result<Block> {
    let dtype = wide(stack.dtype());
    stacked(stack, &[], |one| {
        with_field!(dtype, T => {
            let n = one.shape()[0];
            let found = if n == 0 { T::from(1.0) } else { T::determinant(elements(one), n) };
            Ok(Block::scalar(found))
        })
    })
}

/// x of `a·x = b`, for a square matrix and one of right sides.
///
/// # Errors
/// `dsk::singular`.
pub fn solve(a: &Block, b: &Block) -> Result<Block> {
    let dtype = field(a.dtype().promote(b.dtype()));
    let wide = wide(dtype);
    let (a, b) = (a.cast(wide)?.contiguous(), b.cast(wide)?.contiguous());
    if a.is_empty() {
        return b.cast(dtype);
    }
    let x = with_field!(wide, T => {
        let mut x = Block::for_answer(wide, b.shape())?;
        let found = T::solve(elements(&a), a.shape()[0], elements(&b), x.as_mut_slice());
        found.map_err(|NotFound| singular("is singular: it has no inverse"))?;
        x
    });
    x.cast(dtype)
}

/// The inverse of each matrix of a stack.
///
/// # Errors
/// `dsk::singular`.
pub fn inverse(stack: &Block) -> Result<Block> {
    let dtype = wide(stack.dtype());
    let (n, _) = sides(stack);
    stacked(stack, &[n, n], |one| {
        let mut x = Block::for_answer(dtype, &[n, n])?;
        if n > 0 {
            let found = with_field!(dtype, T => T::inverse(elements(one), n, x.as_mut_slice()));
            found.map_err(|NotFound| singular("is singular: it has no inverse"))?;
        }
        Ok(x)
    })
}

/// x of `a·x = b` for a triangle of a square matrix and a matrix of right sides.
///
/// # Errors
/// `dsk::singular` where the diagonal has a zero.
pub fn solve_triangular(a: &Block, b: &Block, triangle: Triangle) -> Result<Block> {
    let dtype = field(a.dtype().promote(b.dtype()));
    let wide = wide(dtype);
    let (a, b) = (a.cast(wide)?.contiguous(), b.cast(wide)?);
    // What lies column by column stays so, as a transposed view.
    let turned = b.transpose(&[1, 0]);
    let columns = turned.is_contiguous();
    let b = if columns { turned } else { b.contiguous() };
    let mut x = Block::for_answer(wide, b.shape())?;
    with_field!(wide, T => {
        let (n, a) = (a.shape()[0], elements::<T>(&a));
        if !triangle.unit && a.iter().step_by(n + 1).any(|&x| x == T::from(0.0)) {
            return Err(singular("has a zero on its diagonal: it has no inverse"));
        }
        x.as_mut_slice().copy_from_slice(elements::<T>(&b));
        T::solve_triangular(a, n, triangle, x.as_mut_slice(), columns);
    });
    let x = if columns { x.transpose(&[1, 0]) } else { x };
    x.cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Right sides may lie in any order in memory: on disk they are row by row.
    #[test]
    fn the_layout_of_right_sides_changes_no_bit() {
        let numbers = |m: usize, n: usize| {
            let numbers: Vec<f64> = (0..m * n).map(|x| 0.5 + ((x * 7919) % 1009) as f64 / 1009.0).collect();
            Block::from_slice(&[m, n], &numbers)
        };
        for (n, columns) in [(1, 5), (7, 3), (40, 1), (33, 64), (130, 70), (300, 200)] {
            for dtype in [DType::F32, DType::F64, DType::C128] {
                let (mut a, b) = (numbers(n, n), numbers(n, columns));
                // Not so large that what is found grows beyond all numbers.
                a.as_mut_slice::<f64>().iter_mut().for_each(|x| *x /= n as f64);
                a.as_mut_slice::<f64>().iter_mut().step_by(n + 1).for_each(|x| *x += 1.0);
                let (a, b) = (a.cast(dtype).unwrap(), b.cast(dtype).unwrap());
                let turned = b.transpose(&[1, 0]).contiguous().transpose(&[1, 0]);
                for bits in 0..4 {
                    let triangle = Triangle { lower: bits & 1 == 0, unit: bits & 2 == 0, conjugated: false };
                    let (x, y) =
                        (solve_triangular(&a, &b, triangle).unwrap(), solve_triangular(&a, &turned, triangle).unwrap());
                    assert!(x.same(&y), "{n} {columns} {dtype} {triangle:?}");
                }
            }
        }
    }

    /// Squares of the elements are too large, or too small, for a float.
    #[test]
    fn matrices_of_any_size_have_singular_values() {
        for power in [1.0, 1e-150, 1e-200, 1e-300, 1e150, 1e200, 1e300] {
            let a = Block::from_slice(&[2, 2], &[power, power, 0.0, 2.0 * power]);
            let packed = factors(&a, Factors::Svd).unwrap();
            let s = &packed.as_slice::<f64>().unwrap()[4..6];
            // The roots of 3 ± √5.
            let near = |x: f64, y: f64| (x / power - y).abs() < 1e-14;
            assert!(near(s[0], 2.288245611270737) && near(s[1], 0.8740320488976421), "{power}: {s:?}");
        }
        let tiny = Block::from_slice(&[3, 2], &[1e-310, 1e-310, 2e-310, 0.0, 4e-310, 5e-310]);
        for kind in [Factors::Qr, Factors::TallQr, Factors::PartQr] {
            let packed = factors(&tiny, kind).unwrap();
            let packed = packed.as_slice::<f64>().unwrap();
            let r = packed[packed.len() - 4].abs();
            assert!((r / 1e-310 - 21f64.sqrt()).abs() < 1e-10, "{kind:?}: {r:e}");
        }
    }

    /// Nobody takes a Q of what is not a number for one of numbers.
    #[test]
    fn what_is_not_finite_has_no_finite_factors() {
        for odd in [f64::NAN, f64::INFINITY] {
            let a = Block::from_slice(&[3, 2], &[odd, 1.0, 2.0, 3.0, 4.0, 5.0]);
            for kind in [Factors::Qr, Factors::TallQr, Factors::PartQr] {
                let packed = factors(&a, kind).unwrap();
                let packed = packed.as_slice::<f64>().unwrap();
                assert!(packed[..6].iter().all(|x| x.is_nan()), "{kind:?}");
                let r = &packed[packed.len() - 4..];
                assert!(r[0].is_nan() && r[1].is_nan() && r[2] == 0.0 && r[3].is_nan(), "{kind:?}");
            }
            assert_eq!(factors(&a, Factors::Svd).unwrap_err().code().as_str(), "dsk::singular");
        }
    }

    #[test]
    fn factors_multiply_to_the_matrix() {
        let elements: Vec<f64> = (0..12).map(|x| ((x * 7) % 5) as f64 + 0.25 * x as f64).collect();
        let a = Block::from_slice(&[4, 3], &elements);
        let packed = factors(&a, Factors::Svd).unwrap();
        let packed = packed.as_slice::<f64>().unwrap();
        for (i, row) in elements.chunks(3).enumerate() {
            for (j, &x) in row.iter().enumerate() {
                let sum: f64 = (0..3).map(|k| packed[i * 3 + k] * packed[12 + k] * packed[15 + k * 3 + j]).sum();
                assert!((sum - x).abs() < 1e-12);
            }
        }
        let lu = factors(&a, Factors::Lu).unwrap();
        let lu = lu.as_slice::<f64>().unwrap();
        for i in 0..4 {
            for j in 0..3 {
                let sum: f64 = (0..3).map(|k| lu[4 + i * 3 + k] * lu[16 + k * 3 + j]).sum();
                assert!((sum - elements[lu[i] as usize * 3 + j]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn what_has_no_inverse_is_said_to_have_none() {
        let zero = Block::from_slice(&[2, 2], &[1.0, 2.0, 2.0, 4.0]);
        assert_eq!(inverse(&zero).unwrap_err().code().as_str(), "dsk::singular");
        assert_eq!(cholesky(&Block::from_slice(&[1, 1], &[-1.0])).unwrap_err().code().as_str(), "dsk::singular");
        let stack = Block::from_slice(&[2, 1, 1], &[2.0f32, 4.0]);
        assert_eq!(format!("{:?}", inverse(&stack).unwrap()), "float32[2, 1, 1] [0.5, 0.25]");
    }
}
