//! Factorizations of one dense matrix, on the `faer` crate, in float64 and complex128.
//!
//! A crate of its own because faer is generic: its code is compiled where it is given a type, which takes minutes, and that is
//! here rather than in dsk. So the methods of [`Field`] are implemented for each type and none of them is generic.
//!
//! A matrix is a slice of its elements, row by row. All runs on the calling thread: blocks run side by side.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_on_the_left_in_place_scratch, apply_block_householder_on_the_left_in_place_with_conj,
};
use faer::linalg::solvers::{DenseSolveCore, Qr, Solve};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place_with_conj, solve_unit_lower_triangular_in_place_with_conj,
    solve_unit_upper_triangular_in_place_with_conj, solve_upper_triangular_in_place_with_conj,
};
use faer::traits::ComplexField;
use faer::{Conj, Mat, MatMut, MatRef, Par, Side};
pub use num_complex::Complex64;
use std::ops::{Div, Mul, Sub};

/// A factorization that does not exist, or that no algorithm arrives at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotFound;

/// Which triangle of a matrix counts, and whether its diagonal is taken for ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Triangle {
    pub lower: bool,
    pub unit: bool,
    /// Whether of each element the conjugate is meant.
    pub conjugated: bool,
}

/// Elements of matrices. Of m rows and n columns, k is the fewer.
pub trait Field: Copy + Sized {
    /// Q (m×k) and R (k×n).
    fn qr(a: &[Self], shape: [usize; 2], q: &mut [Self], r: &mut [Self]);

    /// U (m×k), the singular values from the largest on (k), and V transposed and conjugated (k×n). Elements must be finite.
    fn svd(a: &[Self], shape: [usize; 2], u: &mut [Self], s: &mut [Self], vh: &mut [Self]) -> Result<(), NotFound>;

    /// Eigenvalues from the smallest on (n), and eigenvectors as columns (n×n), of what the lower triangle tells of a Hermitian
    /// matrix.
    fn eigh(a: &[Self], n: usize, values: &mut [Self], vectors: &mut [Self]) -> Result<(), NotFound>;

    /// Eigenvalues (n), in no order, and unless there is no room for them eigenvectors of length 1 as columns (n×n). Elements must
    /// be finite.
    fn eig(a: &[Self], n: usize, values: &mut [Complex64], vectors: &mut [Complex64]) -> Result<(), NotFound>;

    /// The order of rows (m), L with ones on its diagonal (m×k), and U (k×n): rows in that order are the product.
    fn lu(a: &[Self], shape: [usize; 2], order: &mut [usize], l: &mut [Self], u: &mut [Self]);

    /// L of a Hermitian matrix, of which only the lower triangle is looked at: `L·Lᴴ` is the matrix. Not found where it is not
    /// positive definite.
    fn cholesky(a: &[Self], n: usize, l: &mut [Self]) -> Result<(), NotFound>;

    fn determinant(a: &[Self], n: usize) -> Self;

    /// x of `a·x = b`, for a square matrix and as many rows of right sides. Not found where the matrix is singular.
    fn solve(a: &[Self], n: usize, b: &[Self], x: &mut [Self]) -> Result<(), NotFound>;

    /// The inverse of a square matrix. Not found where it is singular.
    fn inverse(a: &[Self], n: usize, x: &mut [Self]) -> Result<(), NotFound>;

    /// `b` becomes x of `a·x = b`, for a triangle of a square matrix without zeros on its diagonal. With `turned`, `b` and x lie
    /// column by column, which is faster.
    fn solve_triangular(a: &[Self], n: usize, triangle: Triangle, b: &mut [Self], turned: bool);
}

/// The elements in row-major order.
fn write<T: Copy>(to: &mut [T], from: MatRef<T>) {
    let (m, n) = (from.nrows(), from.ncols());
    for (at, height, width) in squares(m, n) {
        let part = from.submatrix(at[0], at[1], height, width);
        for y in 0..height {
            let row = &mut to[(at[0] + y) * n + at[1]..][..width];
            row.iter_mut().enumerate().for_each(|(x, to)| *to = part[(y, x)]);
        }
    }
}

/// The matrix in column-major order, as faer works on it.
fn read<T: ComplexField + Copy>(from: &[T], [m, n]: [usize; 2]) -> Mat<T> {
    let mut matrix = Mat::zeros(m, n);
    for (at, height, width) in squares(m, n) {
        for x in at[1]..at[1] + width {
            let column = &mut matrix.col_as_slice_mut(x)[at[0]..][..height];
            column.iter_mut().zip(at[0]..).for_each(|(to, y)| *to = from[y * n + x]);
        }
    }
    matrix
}

/// Parts of a matrix that the first-level cache holds in either order: where they begin, their heights and their widths.
fn squares(m: usize, n: usize) -> impl Iterator<Item = ([usize; 2], usize, usize)> {
    const SIDE: usize = 32;
    let columns = move |i: usize| (0..n).step_by(SIDE).map(move |j| ([i, j], SIDE.min(m - i), SIDE.min(n - j)));
    (0..m).step_by(SIDE).flat_map(columns)
}

fn zero_on_diagonal<T: Copy + PartialEq + Default>(upper: MatRef<T>) -> bool {
    (0..upper.nrows().min(upper.ncols())).any(|i| upper[(i, i)] == T::default())
}

/// LU factors, as [`Field::lu`], where a column has nothing but zeros left to divide by: it is left as it is, as LAPACK does.
fn lu_of_singular<T>(
    a: &[T],
    [m, n]: [usize; 2],
    order: &mut [usize],
    l: &mut [T],
    u: &mut [T],
    size: impl Fn(T) -> f64,
) where
    T: Copy + Default + PartialEq + From<f64> + Mul<Output = T> + Sub<Output = T> + Div<Output = T>,
{
    let (zero, k) = (T::default(), m.min(n));
    let mut rows: Vec<Vec<T>> = a.chunks_exact(n.max(1)).map(<[T]>::to_vec).collect();
    order.iter_mut().enumerate().for_each(|(i, at)| *at = i);
    for j in 0..k {
        let largest = |best: usize, i: usize| if size(rows[i][j]) > size(rows[best][j]) { i } else { best };
        let pivot = (j..m).fold(j, largest);
        rows.swap(j, pivot);
        order.swap(j, pivot);
        let (done, left) = rows.split_at_mut(j + 1);
        let top = &done[j][j..];
        for row in left.iter_mut().filter(|row| row[j] != zero) {
            let factor = row[j] / top[0];
            row[j + 1..].iter_mut().zip(&top[1..]).for_each(|(x, &y)| *x = *x - factor * y);
            row[j] = factor;
        }
    }
    for (i, row) in rows.iter().enumerate() {
        let part = |j: usize| if j < i { row[j] } else { T::from(f64::from(u8::from(j == i))) };
        (0..k).for_each(|j| l[i * k + j] = part(j));
        if i < k {
            (0..n).for_each(|j| u[i * n + j] = if j < i { zero } else { row[j] });
        }
    }
}

/// Q of as many columns as there are reflections. Of each block of these, from the last on, only the columns from its own on are
/// more than those of the identity: half the work of applying all to all.
fn thin_q<T: ComplexField>(qr: &Qr<T>) -> Mat<T> {
    let (basis, factors) = (qr.Q_basis(), qr.Q_coeff());
    let (m, k, block) = (basis.nrows(), factors.ncols(), factors.nrows());
    let mut q = Mat::identity(m, k);
    let mut scratch = MemBuffer::new(apply_block_householder_on_the_left_in_place_scratch::<T>(m, block, k));
    for at in (0..k).step_by(block.max(1)).rev() {
        let wide = block.min(k - at);
        apply_block_householder_on_the_left_in_place_with_conj(
            basis.submatrix(at, at, m - at, wide),
            factors.submatrix(0, at, wide, wide),
            Conj::No,
            q.as_mut().submatrix_mut(at, at, m - at, k - at),
            Par::Seq,
            MemStack::new(&mut scratch),
        );
    }
    q
}

/// Makes the length of a column of n 1, and its largest element real, as LAPACK does.
fn normalize(columns: &mut [Complex64], n: usize, column: usize) {
    let places = || (column..n * n).step_by(n.max(1));
    let Some(largest) = places().max_by(|&i, &j| columns[i].norm().total_cmp(&columns[j].norm())) else { return };
    let (most, turn) = (columns[largest].norm(), columns[largest].conj());
    if most == 0.0 || !most.is_finite() {
        return;
    }
    // Over the largest, so that no square overflows.
    let length = most * places().map(|at| (columns[at] / most).norm_sqr()).sum::<f64>().sqrt();
    let turned = turn.im != 0.0;
    places().for_each(|at| columns[at] = if turned { columns[at] * (turn / most) } else { columns[at] } / length);
    if turned {
        columns[largest].im = 0.0;
    }
}

/// Whether a permutation, of all numbers below its length, is an odd number of exchanges.
pub fn odd(order: &[usize]) -> bool {
    let mut seen = vec![false; order.len()];
    let mut odd = false;
    for start in 0..order.len() {
        let mut at = order[start];
        while !seen[start] && at != start {
            seen[at] = true;
            odd = !odd;
            at = order[at];
        }
        seen[start] = true;
    }
    odd
}

macro_rules! field {
    ($T:ty) => {
        impl Field for $T {
            fn qr(a: &[Self], [m, n]: [usize; 2], q: &mut [Self], r: &mut [Self]) {
                let qr = MatRef::from_row_major_slice(a, m, n).qr();
                write(q, thin_q(&qr).as_ref());
                write(r, qr.thin_R());
            }

            fn svd(
                a: &[Self],
                [m, n]: [usize; 2],
                u: &mut [Self],
                s: &mut [Self],
                vh: &mut [Self],
            ) -> Result<(), NotFound> {
                let svd = MatRef::from_row_major_slice(a, m, n).thin_svd().map_err(|_| NotFound)?;
                write(u, svd.U());
                let values = svd.S().column_vector();
                s.iter_mut().enumerate().for_each(|(i, x)| *x = values[i]);
                write(vh, svd.V().adjoint().to_owned().as_ref());
                Ok(())
            }

            fn eigh(a: &[Self], n: usize, values: &mut [Self], vectors: &mut [Self]) -> Result<(), NotFound> {
                let found =
                    MatRef::from_row_major_slice(a, n, n).self_adjoint_eigen(Side::Lower).map_err(|_| NotFound)?;
                let diagonal = found.S().column_vector();
                values.iter_mut().enumerate().for_each(|(i, x)| *x = diagonal[i]);
                write(vectors, found.U());
                Ok(())
            }

            fn eig(a: &[Self], n: usize, values: &mut [Complex64], vectors: &mut [Complex64]) -> Result<(), NotFound> {
                let a = MatRef::from_row_major_slice(a, n, n);
                if vectors.is_empty() {
                    values.copy_from_slice(&a.eigenvalues().map_err(|_| NotFound)?);
                    return Ok(());
                }
                let found = a.eigen().map_err(|_| NotFound)?;
                let diagonal = found.S().column_vector();
                values.iter_mut().enumerate().for_each(|(i, x)| *x = diagonal[i]);
                write(vectors, found.U());
                (0..n).for_each(|column| normalize(vectors, n, column));
                Ok(())
            }

            fn lu(a: &[Self], [m, n]: [usize; 2], order: &mut [usize], l: &mut [Self], u: &mut [Self]) {
                let lu = MatRef::from_row_major_slice(a, m, n).partial_piv_lu();
                if zero_on_diagonal(lu.U()) {
                    return lu_of_singular(a, [m, n], order, l, u, |x: $T| Complex64::from(x).l1_norm());
                }
                order.copy_from_slice(lu.P().arrays().0);
                write(l, lu.L());
                write(u, lu.U());
            }

            fn cholesky(a: &[Self], n: usize, l: &mut [Self]) -> Result<(), NotFound> {
                let factor = MatRef::from_row_major_slice(a, n, n).llt(Side::Lower).map_err(|_| NotFound)?;
                write(l, factor.L());
                l.chunks_exact_mut(n.max(1)).enumerate().for_each(|(i, row)| row[i + 1..].fill(<$T>::default()));
                Ok(())
            }

            fn determinant(a: &[Self], n: usize) -> Self {
                let lu = MatRef::from_row_major_slice(a, n, n).partial_piv_lu();
                let upper = lu.U();
                // Beyond a column of zeros there is nothing to divide by, and the factors are not numbers.
                #[allow(clippy::eq_op, reason = "only what is not a number differs from itself")]
                let numbers = a.iter().all(|x| x == x);
                if numbers && zero_on_diagonal(upper) {
                    return <$T>::default();
                }
                let product = (0..n).fold(<$T>::from(1.0), |product, i| product * upper[(i, i)]);
                if odd(lu.P().arrays().0) { -product } else { product }
            }

            fn solve(a: &[Self], n: usize, b: &[Self], x: &mut [Self]) -> Result<(), NotFound> {
                let lu = MatRef::from_row_major_slice(a, n, n).partial_piv_lu();
                if zero_on_diagonal(lu.U()) {
                    return Err(NotFound);
                }
                let found = lu.solve(MatRef::from_row_major_slice(b, n, b.len() / n));
                write(x, found.as_ref());
                Ok(())
            }

            fn inverse(a: &[Self], n: usize, x: &mut [Self]) -> Result<(), NotFound> {
                let lu = MatRef::from_row_major_slice(a, n, n).partial_piv_lu();
                if zero_on_diagonal(lu.U()) {
                    return Err(NotFound);
                }
                write(x, lu.inverse().as_ref());
                Ok(())
            }

            fn solve_triangular(a: &[Self], n: usize, triangle: Triangle, b: &mut [Self], turned: bool) {
                let columns = b.len() / n.max(1);
                let solve = |right: MatMut<Self>| {
                    let a = MatRef::from_row_major_slice(a, n, n);
                    let conj = if triangle.conjugated { Conj::Yes } else { Conj::No };
                    match (triangle.lower, triangle.unit) {
                        (true, true) => solve_unit_lower_triangular_in_place_with_conj(a, conj, right, Par::Seq),
                        (true, false) => solve_lower_triangular_in_place_with_conj(a, conj, right, Par::Seq),
                        (false, true) => solve_unit_upper_triangular_in_place_with_conj(a, conj, right, Par::Seq),
                        (false, false) => solve_upper_triangular_in_place_with_conj(a, conj, right, Par::Seq),
                    }
                };
                if turned {
                    return solve(MatMut::from_column_major_slice_mut(b, n, columns));
                }
                let mut x = read(b, [n, columns]);
                solve(x.as_mut());
                write(b, x.as_ref());
            }
        }
    };
}

field!(f64);
field!(Complex64);
