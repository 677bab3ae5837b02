//! Products of matrices: one-threaded inside tasks, over all cores for one big concrete product.
//!
//! Operands are strided views, so that a transposed block is multiplied without a copy. `f32` and `f64` run on our own
//! kernel where the CPU has AVX-512 or AVX2 (`vector.rs`), otherwise, like complex numbers, on the `gemm` crate; integers wrap,
//! and the product of bools is "or of ands", as in NumPy.

mod threads;
#[cfg(target_arch = "x86_64")]
mod vector;

use super::{elementwise, layout};
use crate::data::{Block, Complex32, Complex64, DType, Dims, Element, cancel};
use crate::err;
use crate::text::Result;
use crate::with_dtype;
use threads::product;

/// How many cores a product may use: inside tasks one, for one big concrete product as many as there are workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threads {
    One,
    Up(usize),
}

/// Multiplications that the `gemm` crate is given at a time: it does not look whether it is cancelled.
const AT_A_TIME: usize = 1 << 31;

/// Rows that it is given at a time. How it sums goes by their number, so that this must not go by the number of threads.
const ROWS_AT_A_TIME: usize = 256;

/// Up to as many elements of a product, and for vectors, the `gemm` crate has ways of its own that go by the strides of the operands.
/// The same numbers would make other bits where a block comes back from disk in another layout.
const SMALL: usize = 16 * 16;

/// A matrix anywhere in memory: element (i, j) is at `pointer + i·row + j·column`, in elements.
#[derive(Clone, Copy)]
struct Strided<T> {
    pointer: *const T,
    row: isize,
    column: isize,
}

// SAFETY: a `Strided` only lives within a call that borrows the block it points into, for reading.
unsafe impl<T: Sync> Send for Strided<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Strided<T> {}

impl<T> Strided<T> {
    /// Pointer to element (i, j), which the caller knows to be there.
    fn at(self, i: usize, j: usize) -> *const T {
        self.pointer.wrapping_offset(i as isize * self.row + j as isize * self.column)
    }

    /// Whether the other one is this one transposed.
    fn transposes(self, other: Strided<T>) -> bool {
        std::ptr::eq(self.pointer, other.pointer) && self.row == other.column && self.column == other.row
    }
}

/// Sizes of a product: m×k times k×n.
#[derive(Clone, Copy)]
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
}

/// An element type that matrices of are multiplied.
trait Factor: Element {
    /// `c = a·b`, or `c += a·b` where `add` is set; `c` has `n` columns, row-major. Stops early where it is cancelled.
    ///
    /// # Safety
    /// Every element of `a` (m×k) and `b` (k×n) can be read.
    unsafe fn multiply(sizes: Sizes, a: Strided<Self>, b: Strided<Self>, c: &mut [Self], add: bool);

    /// Rows of products of these sizes that are made together, so that threads take whole ones: bits may go by their number.
    fn together(_: Sizes) -> usize {
        1
    }

    /// The way to multiply a matrix by itself transposed in half the time, if there is one.
    fn by_itself() -> Option<ByItself<Self>> {
        None
    }
}

/// The product of n rows of k elements and these as columns is its own mirror image. Given are m of the rows, from one on, and all as
/// columns: what is made is of these rows the part up to the diagonal, and its image. `c` is all of it, n×n.
///
/// # Safety
/// As [`Factor::multiply`]; of `c` nothing else accesses those elements meanwhile.
type ByItself<T> = unsafe fn((usize, usize, usize), Strided<T>, Strided<T>, *mut T, usize, bool);

fn rows_at_a_time(s: Sizes) -> usize {
    (AT_A_TIME / (s.n * s.k).max(1)).clamp(64, ROWS_AT_A_TIME)
}

macro_rules! through_crate {
    ($T:ty, $zero:expr, $one:expr) => {
        /// # Safety
        /// As [`Factor::multiply`].
        unsafe fn by_crate(s: Sizes, a: Strided<$T>, b: Strided<$T>, c: &mut [$T], add: bool) {
            debug_assert!(c.len() >= s.m * s.n);
            let rows = rows_at_a_time(s);
            for (n, c) in c.chunks_mut(rows * s.n).enumerate() {
                if cancel::cancelled() {
                    return;
                }
                let rows_here = c.len() / s.n;
                if rows_here == 1 || s.n == 1 || rows_here * s.n <= SMALL {
                    let (s, a) = (Sizes { m: rows_here, ..s }, Strided { pointer: a.at(n * rows, 0), ..a });
                    // SAFETY: these rows of a are within its own.
                    unsafe { row_by_row(s, a, b, c, add, |c, a, b| *c += a * b) };
                    continue;
                }
                // SAFETY: the caller vouches for a and b, of which these are some rows of a; c is as many rows of n elements.
                unsafe {
                    gemm::gemm(
                        rows_here,
                        s.n,
                        s.k,
                        c.as_mut_ptr(),
                        1,
                        s.n as isize,
                        add,
                        a.at(n * rows, 0),
                        a.column,
                        a.row,
                        b.pointer,
                        b.column,
                        b.row,
                        $one,
                        $one,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            }
        }
    };
}

macro_rules! real_factor {
    ($T:ty, $module:ident) => {
        impl Factor for $T {
            unsafe fn multiply(s: Sizes, a: Strided<$T>, b: Strided<$T>, c: &mut [$T], add: bool) {
                through_crate!($T, 0.0, 1.0);
                #[cfg(target_arch = "x86_64")]
                if let Some(extension) = vector::Extension::found() {
                    debug_assert!(c.len() >= s.m * s.n);
                    let (sizes, c) = ((s.m, s.n, s.k), c.as_mut_ptr());
                    // SAFETY: the CPU was asked; the caller vouches for a and b; c has m·n elements.
                    return unsafe {
                        match extension {
                            vector::Extension::Avx512 => vector::avx512::$module::multiply(sizes, a, b, c, s.n, add),
                            vector::Extension::Avx2 => vector::avx2::$module::multiply(sizes, a, b, c, s.n, add),
                        }
                    };
                }
                // SAFETY: the caller's.
                unsafe { by_crate(s, a, b, c, add) }
            }

            fn together(sizes: Sizes) -> usize {
                #[cfg(target_arch = "x86_64")]
                if vector::Extension::found().is_some() {
                    return 1;
                }
                rows_at_a_time(sizes)
            }

            #[cfg(target_arch = "x86_64")]
            fn by_itself() -> Option<ByItself<$T>> {
                Some(match vector::Extension::found()? {
                    vector::Extension::Avx512 => vector::avx512::$module::by_itself,
                    vector::Extension::Avx2 => vector::avx2::$module::by_itself,
                })
            }
        }
    };
}

real_factor!(f32, single);
real_factor!(f64, double);

macro_rules! complex_factor {
    ($T:ty) => {
        impl Factor for $T {
            unsafe fn multiply(s: Sizes, a: Strided<$T>, b: Strided<$T>, c: &mut [$T], add: bool) {
                through_crate!($T, <$T>::new(0.0, 0.0), <$T>::new(1.0, 0.0));
                // SAFETY: the caller's.
                unsafe { by_crate(s, a, b, c, add) }
            }

            fn together(sizes: Sizes) -> usize {
                rows_at_a_time(sizes)
            }
        }
    };
}

complex_factor!(Complex32);
complex_factor!(Complex64);

macro_rules! exact_factor {
    ($($T:ty, |$c:ident, $a:ident, $b:ident| $step:expr;)*) => {$(
        impl Factor for $T {
            unsafe fn multiply(s: Sizes, a: Strided<$T>, b: Strided<$T>, c: &mut [$T], add: bool) {
                // SAFETY: the caller's.
                unsafe { row_by_row(s, a, b, c, add, |$c, $a, $b| $step) }
            }
        }
    )*};
}

/// The product by its definition: `step` adds to an element of c the product of two others, in the order of the inner axis.
///
/// # Safety
/// As [`Factor::multiply`].
unsafe fn row_by_row<T: Element>(
    s: Sizes,
    a: Strided<T>,
    b: Strided<T>,
    c: &mut [T],
    add: bool,
    step: impl Fn(&mut T, T, T),
) {
    if !add {
        c.fill(T::default());
    }
    for (i, row) in c.chunks_exact_mut(s.n.max(1)).enumerate().take(s.m) {
        if cancel::cancelled() {
            return;
        }
        for p in 0..s.k {
            // SAFETY: the caller vouches for the elements of a and b.
            let factor = unsafe { *a.at(i, p) };
            if b.column == 1 {
                // SAFETY: row p of b is n elements from here on.
                let line = unsafe { std::slice::from_raw_parts(b.at(p, 0), s.n) };
                row.iter_mut().zip(line).for_each(|(c, &b)| step(c, factor, b));
            } else {
                for (j, c) in row.iter_mut().enumerate() {
                    // SAFETY: as above.
                    step(c, factor, unsafe { *b.at(p, j) });
                }
            }
        }
    }
}

exact_factor! {
    bool, |c, a, b| *c |= a & b;
    i8, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    i16, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    i32, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    i64, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    u8, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    u16, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    u32, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
    u64, |c, a, b| *c = c.wrapping_add(a.wrapping_mul(b));
}

/// The block as a matrix whose rows are its first `split` axes and whose columns are the others: a view where the
/// strides allow, else a copy.
fn as_matrix(block: &Block, split: usize) -> Block {
    let rows: usize = block.shape()[..split].iter().product();
    let columns: usize = block.shape()[split..].iter().product();
    match (joined(block, 0..split), joined(block, split..block.ndim())) {
        (Some(row), Some(column)) if !block.is_empty() => block.with_layout(&[rows, columns], &[row, column]),
        _ => block.reshape(&[rows, columns]),
    }
}

/// The stride of some neighbouring axes taken as one, where that is the same all along.
fn joined(block: &Block, axes: std::ops::Range<usize>) -> Option<isize> {
    let (mut stride, mut next) = (None, 0);
    for axis in axes.rev().filter(|&a| block.shape()[a] != 1) {
        let (size, step) = (block.shape()[axis] as isize, block.strides()[axis]);
        match stride {
            None => stride = Some(step),
            Some(_) if step == next => {}
            Some(_) => return None,
        }
        next = step * size;
    }
    Some(stride.unwrap_or(0))
}

/// Bytes that a product of m×k and k×n takes in packed panels, on one thread.
pub fn scratch_bytes(m: usize, n: usize, k: usize, dtype: DType) -> usize {
    // Panels of our own kernel, which those of the `gemm` crate are of the size of; each is filled up to whole tiles.
    const DEPTH: usize = 512;
    let (rows, columns) = ((m + 8).min(96), (n + 48).min(1008 + 48));
    (rows + columns) * k.min(DEPTH) * dtype.size()
}

/// Both operands in the dtype they promote to.
fn promoted(a: &Block, b: &Block) -> Result<(Block, Block, DType)> {
    let dtype = a.dtype().promote(b.dtype());
    Ok((a.cast(dtype)?, b.cast(dtype)?, dtype))
}

fn inner_differ(a: usize, b: usize) -> crate::text::Error {
    err!(Shape, "the inner axes differ, {a} against {b}")
}

/// NumPy's `matmul`: n-d, batch axes broadcast, 1-d operands are vectors. Dtypes promote; bool is "or of ands", integers wrap.
pub fn matmul(a: &Block, b: &Block, threads: Threads) -> Result<Block> {
    if a.ndim() == 0 || b.ndim() == 0 {
        return Err(err!(Shape, "matmul takes arrays of at least one dimension"));
    }
    let (vector_a, vector_b) = (a.ndim() == 1, b.ndim() == 1);
    let a = if vector_a { a.insert_axis(0) } else { a.clone() };
    let b = if vector_b { b.insert_axis(1) } else { b.clone() };
    let product = batched(None, &a, &b, threads)?;
    let mut shape: Dims = Dims::from_slice(product.shape());
    if vector_b {
        shape.pop();
    }
    if vector_a {
        shape.remove(shape.len() - usize::from(!vector_b) - 1);
    }
    Ok(if vector_a || vector_b { product.reshape(&shape) } else { product })
}

/// `c + matmul(a, b)` into the memory of `c` where nobody else holds it and the dtypes agree; operands have 2 or more axes.
pub fn accumulate(c: Block, a: &Block, b: &Block) -> Result<Block> {
    batched(Some(c), a, b, Threads::One)
}

/// Products of the last two axes, over all others broadcast.
fn batched(c: Option<Block>, a: &Block, b: &Block, threads: Threads) -> Result<Block> {
    let (a, b, dtype) = promoted(a, b)?;
    let (lead_a, lead_b) = (a.ndim() - 2, b.ndim() - 2);
    let (m, k) = (a.shape()[lead_a], a.shape()[lead_a + 1]);
    let (k_b, n) = (b.shape()[lead_b], b.shape()[lead_b + 1]);
    if k != k_b {
        return Err(inner_differ(k, k_b));
    }
    let batch = layout::broadcast_shapes(&[&a.shape()[..lead_a], &b.shape()[..lead_b]])?;
    let whole = |x: &Block, rows: usize, columns: usize| {
        let mut shape = batch.clone();
        shape.extend([rows, columns]);
        x.broadcast_to(&shape).ok_or_else(|| err!(Internal, "batch axes do not broadcast"))
    };
    let (a, b) = (whole(&a, m, k)?, whole(&b, k, n)?);
    let mut shape = batch.clone();
    shape.extend([m, n]);
    let (mut out, add) = target(c, dtype, &shape)?;
    if out.dtype() != dtype {
        return sum_of_dtypes(out, &batched(None, &a, &b, threads)?);
    }
    with_dtype!(dtype, T => {
        let count: usize = batch.iter().product();
        let mut index: Dims = batch.iter().map(|_| 0).collect();
        let mut parts = out.as_mut_slice::<T>().chunks_exact_mut((m * n).max(1));
        for _ in 0..count {
            let at = |x: &Block| index.iter().fold(x.clone(), |x, &i| x.take_axis(0, i));
            let part = parts.next().unwrap_or_default();
            product::<T>(&at(&a), &at(&b), part, add, threads)?;
            step(&mut index, &batch);
        }
    });
    Ok(out)
}

/// The next index in row-major order.
fn step(index: &mut Dims, shape: &[usize]) {
    for axis in (0..shape.len()).rev() {
        index[axis] += 1;
        if index[axis] < shape[axis] {
            return;
        }
        index[axis] = 0;
    }
}

/// Where a product goes: the accumulator itself where it can be written, else a copy of it; fresh memory without one.
fn target(c: Option<Block>, dtype: DType, shape: &[usize]) -> Result<(Block, bool)> {
    let Some(mut c) = c else { return Ok((Block::for_answer(dtype, shape)?, false)) };
    if c.shape() != shape {
        return Err(err!(Shape, "a product of shape {shape:?} does not add to one of {:?}", c.shape()));
    }
    if c.dtype() != dtype {
        return Ok((c, true));
    }
    if !c.is_reusable() {
        c = c.copied();
    }
    Ok((c, true))
}

/// An accumulator and a product that differ in dtype: added as arrays are.
fn sum_of_dtypes(c: Block, product: &Block) -> Result<Block> {
    elementwise::binary(elementwise::Binary::Add, &c, product)
}

/// Sum of products over pairs of axes: the remaining axes of `a`, then those of `b`.
pub fn tensordot(a: &Block, b: &Block, axes_a: &[usize], axes_b: &[usize], threads: Threads) -> Result<Block> {
    contract(None, a, b, axes_a, axes_b, threads)
}

/// `c + tensordot(a, b, …)` into the memory of `c` where possible.
pub fn accumulate_tensordot(c: Block, a: &Block, b: &Block, axes_a: &[usize], axes_b: &[usize]) -> Result<Block> {
    contract(Some(c), a, b, axes_a, axes_b, Threads::One)
}

fn contract(
    c: Option<Block>,
    a: &Block,
    b: &Block,
    axes_a: &[usize],
    axes_b: &[usize],
    threads: Threads,
) -> Result<Block> {
    if let Some((&x, &y)) = axes_a.iter().zip(axes_b).find(|&(&x, &y)| a.shape()[x] != b.shape()[y]) {
        return Err(inner_differ(a.shape()[x], b.shape()[y]));
    }
    let (a, b, dtype) = promoted(a, b)?;
    let free = |x: &Block, axes: &[usize]| (0..x.ndim()).filter(|i| !axes.contains(i)).collect::<Vec<_>>();
    let (free_a, free_b) = (free(&a, axes_a), free(&b, axes_b));
    let shape: Dims = free_a.iter().map(|&i| a.shape()[i]).chain(free_b.iter().map(|&i| b.shape()[i])).collect();
    let rows = as_matrix(&a.transpose(&[&free_a[..], axes_a].concat()), free_a.len());
    let columns = as_matrix(&b.transpose(&[axes_b, &free_b[..]].concat()), axes_b.len());
    let (mut out, add) = target(c, dtype, &shape)?;
    if out.dtype() != dtype {
        return sum_of_dtypes(out, &contract(None, &a, &b, axes_a, axes_b, threads)?);
    }
    with_dtype!(dtype, T => product::<T>(&rows, &columns, out.as_mut_slice::<T>(), add, threads)?);
    Ok(out)
}

/// NumPy's `dot`: as `matmul` up to 2 dimensions, otherwise the last axis of `a` with the last but one of `b`.
pub fn dot(a: &Block, b: &Block, threads: Threads) -> Result<Block> {
    if a.ndim() == 0 || b.ndim() == 0 {
        return elementwise::binary(elementwise::Binary::Multiply, a, b);
    }
    tensordot(a, b, &[a.ndim() - 1], &[b.ndim().saturating_sub(2)], threads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(shape: &[usize]) -> Block {
        let n: usize = shape.iter().product();
        Block::from_slice(shape, &(0..n).map(|x| (x % 7) as f64 - 3.0).collect::<Vec<_>>())
    }

    /// Every dtype gives the product of small integers that f64 gives.
    #[test]
    fn every_dtype_multiplies() {
        let (a, b) =
            (Block::from_slice(&[2, 3], &[1i64, 0, 2, 3, 1, 0]), Block::from_slice(&[3, 2], &[1i64, 2, 0, 1, 1, 0]));
        for &dtype in DType::ALL {
            let c = matmul(&a.cast(dtype).unwrap(), &b.cast(dtype).unwrap(), Threads::Up(2)).unwrap();
            let want = Block::from_slice(&[2, 2], &[3i64, 2, 3, 7]).cast(dtype).unwrap();
            assert!(c.same(&want), "{dtype}: {c:?}");
        }
    }

    #[test]
    fn a_cancelled_product_is_no_product() {
        let cancelled = std::sync::atomic::AtomicBool::new(true);
        for &dtype in DType::ALL {
            let a = numbers(&[70, 70]).cast(dtype).unwrap();
            for threads in [Threads::One, Threads::Up(2)] {
                let product = cancel::during(&cancelled, || matmul(&a, &a, threads));
                assert_eq!(
                    product.err().map(|e| e.code()),
                    Some(crate::text::Code::Interrupted),
                    "{dtype} {threads:?}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_number_of_threads_changes_no_bit(m in 1usize..600, n in 1usize..90, k in 1usize..400, threads in 2usize..9) {
            let odd = |shape: &[usize]| {
                let len = shape.iter().product::<usize>();
                Block::from_slice(shape, &(0..len).map(|x| ((x * 7919 % 1009) as f64).sqrt()).collect::<Vec<_>>())
            };
            for dtype in [DType::F32, DType::F64, DType::C64, DType::C128] {
                let (a, b) = (odd(&[m, k]).cast(dtype).unwrap(), odd(&[k, n]).cast(dtype).unwrap());
                let one = matmul(&a, &b, Threads::One).unwrap();
                prop_assert!(one.same(&matmul(&a, &b, Threads::Up(threads)).unwrap()), "{dtype}");
            }
        }
    }

    #[test]
    fn vectors_batches_and_views() {
        let v = numbers(&[3]);
        assert_eq!(matmul(&v, &v, Threads::One).unwrap().shape(), [0usize; 0]);
        assert_eq!(matmul(&numbers(&[2, 3]), &v, Threads::One).unwrap().shape(), [2]);
        assert_eq!(matmul(&v, &numbers(&[4, 3, 2]), Threads::One).unwrap().shape(), [4, 2]);
        assert_eq!(matmul(&numbers(&[5, 1, 2, 3]), &numbers(&[4, 3, 2]), Threads::One).unwrap().shape(), [5, 4, 2, 2]);
        assert_eq!(matmul(&numbers(&[2, 0]), &numbers(&[0, 2]), Threads::One).unwrap(), [[0.0; 2]; 2]);
        assert!(matmul(&numbers(&[2, 3]), &numbers(&[2, 3]), Threads::One).is_err());
        assert_eq!(dot(&numbers(&[2, 3, 4]), &numbers(&[5, 4, 6]), Threads::One).unwrap().shape(), [2, 3, 5, 6]);
    }

    impl PartialEq<[[f64; 2]; 2]> for Block {
        fn eq(&self, other: &[[f64; 2]; 2]) -> bool {
            self.same(&Block::from_slice(&[2, 2], other.as_flattened()))
        }
    }

    proptest! {
        /// A block that was on disk, or was sliced out of another, has the strides of neither.
        #[test]
        fn the_layout_of_operands_changes_no_bit(m in 1usize..40, n in 1usize..40, k in 1usize..70, bits in 0u8..8) {
            let odd = |shape: &[usize]| {
                let len = shape.iter().product::<usize>();
                Block::from_slice(shape, &(0..len).map(|x| ((x * 7919 % 1009) as f64).sqrt()).collect::<Vec<_>>())
            };
            let m = if bits & 4 == 0 { m } else { 1 };
            for dtype in [DType::F32, DType::F64, DType::C64, DType::C128] {
                let (a, b) = (odd(&[m, k]).cast(dtype).unwrap(), odd(&[k, n]).cast(dtype).unwrap());
                let turned = |x: &Block, turn: bool| match turn {
                    true => x.transpose(&[1, 0]).contiguous().transpose(&[1, 0]),
                    false => x.clone(),
                };
                let (other_a, other_b) = (turned(&a, bits & 1 == 0), turned(&b, bits & 2 == 0));
                let one = matmul(&a, &b, Threads::One).unwrap();
                prop_assert!(one.same(&matmul(&other_a, &other_b, Threads::One).unwrap()), "{dtype}");
                let (a, b) = (b.transpose(&[1, 0]), a.transpose(&[1, 0]));
                let (other_a, other_b) = (other_b.transpose(&[1, 0]), other_a.transpose(&[1, 0]));
                let one = matmul(&a, &b, Threads::One).unwrap();
                prop_assert!(one.same(&matmul(&other_a, &other_b, Threads::One).unwrap()), "{dtype}, turned");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// The same bits as of a matrix and a copy of it, which is the product that is not its own mirror image to us.
        #[test]
        fn a_matrix_times_itself_transposed(n in 1usize..230, k in 1usize..1100, turn: bool, threads in 1usize..4, add: bool) {
            for dtype in [DType::F32, DType::F64, DType::C128, DType::I64] {
                let odd = |shape: &[usize], by: usize| {
                    let len = shape.iter().product::<usize>();
                    let numbers: Vec<f64> = (0..len).map(|x| 1.0 + (x * by % 1009) as f64 / 7.0).collect();
                    Block::from_slice(shape, &numbers).cast(dtype).unwrap()
                };
                let a = if turn { odd(&[k, n], 7919).transpose(&[1, 0]) } else { odd(&[n, k], 7919) };
                let (turned, copy) = (a.transpose(&[1, 0]), a.contiguous().transpose(&[1, 0]).contiguous());
                let threads = if threads == 1 { Threads::One } else { Threads::Up(threads) };
                let to = |b: &Block| match add {
                    true => accumulate(odd(&[n, n], 31), &a, b),
                    false => matmul(&a, b, threads),
                };
                let (c, d) = (to(&turned).unwrap(), to(&copy).unwrap());
                prop_assert!(c.same(&d), "{dtype} {n} {k}");
            }
        }
    }

    #[test]
    fn an_unshared_accumulator_is_written_in_place() {
        let c = Block::zeros(DType::F64, &[2, 2]);
        let at = c.as_ptr::<f64>();
        let c = accumulate(c, &numbers(&[2, 3]), &numbers(&[3, 2])).unwrap();
        assert_eq!(c.as_ptr::<f64>(), at);
        let other = c.clone();
        let twice = accumulate(c, &numbers(&[2, 3]), &numbers(&[3, 2])).unwrap();
        assert_ne!(twice.as_ptr::<f64>(), at);
        assert_eq!(twice.get::<f64>(&[0, 0]), 2.0 * other.get::<f64>(&[0, 0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A contraction over any axes of any views is the sum over all indices.
        #[test]
        fn tensordot_is_the_sum_of_products(sizes in prop::collection::vec(1usize..5, 4), swap: bool, threads: bool) {
            let (a, b) = (numbers(&sizes), numbers(&[sizes[2], 3, sizes[0]]));
            let a = if swap { a.transpose(&[0, 3, 2, 1]) } else { a };
            let got = tensordot(&a, &b, &[2, 0], &[0, 2], if threads { Threads::Up(2) } else { Threads::One }).unwrap();
            prop_assert_eq!(got.shape(), &[a.shape()[1], a.shape()[3], 3]);
            for i in 0..a.shape()[1] {
                for j in 0..a.shape()[3] {
                    for l in 0..3 {
                        let sum: f64 = (0..sizes[2]).flat_map(|p| (0..sizes[0]).map(move |q| (p, q)))
                            .map(|(p, q)| a.get::<f64>(&[q, i, p, j]) * b.get::<f64>(&[p, l, q]))
                            .sum();
                        prop_assert_eq!(got.get::<f64>(&[i, j, l]), sum);
                    }
                }
            }
        }
    }
}
