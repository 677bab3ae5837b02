//! One product of two matrices, dealt out to threads.

use super::{ByItself, Factor, Sizes, Strided, Threads};
use crate::data::{Block, cancel};
use crate::text::Result;

/// Products below this many multiplications are not worth a second thread.
const WORTH_THREADS: usize = 64 * 64 * 64;

/// The product of two matrices into `c`, rows of which are dealt out to the threads. `dsk::interrupted` where it was cancelled.
pub(super) fn product<T: Factor>(a: &Block, b: &Block, c: &mut [T], add: bool, threads: Threads) -> Result<()> {
    let strided = |x: &Block| Strided::<T> { pointer: x.as_ptr(), row: x.strides()[0], column: x.strides()[1] };
    let sizes = Sizes { m: a.shape()[0], n: b.shape()[1], k: a.shape()[1] };
    if sizes.k == 0 || c.is_empty() {
        if !add {
            c.fill(T::default());
        }
        return Ok(());
    }
    let (a, b) = (strided(a), strided(b));
    let cores = match threads {
        Threads::Up(most) if sizes.m * sizes.n * sizes.k >= WORTH_THREADS => most.min(sizes.m).max(1),
        _ => 1,
    };
    if sizes.m == sizes.n
        && a.transposes(b)
        && let Some(multiply) = T::by_itself()
    {
        return by_itself(sizes, a, b, c, add, cores, multiply);
    }
    if cores == 1 {
        // SAFETY: pointers and strides are of blocks that are borrowed for this call, with these sizes.
        unsafe { T::multiply(sizes, a, b, c, add) };
        return cancel::check();
    }
    let together = T::together(sizes);
    let rows = sizes.m.div_ceil(together).div_ceil(cores) * together;
    cancel::with_flag(|flag| {
        std::thread::scope(|scope| {
            for (n, part) in c.chunks_mut(rows * sizes.n).enumerate() {
                let a = Strided { pointer: a.at(n * rows, 0), ..a };
                let sizes = Sizes { m: part.len() / sizes.n, ..sizes };
                // SAFETY: as above; these rows of a are within its own.
                let mut multiply = move || unsafe { T::multiply(sizes, a, b, part, add) };
                scope.spawn(move || match flag {
                    Some(flag) => cancel::during(flag, multiply),
                    None => multiply(),
                });
            }
        });
    });
    cancel::check()
}

/// [`product`] of a matrix and its transposed, in the memory of one.
fn by_itself<T: Factor>(
    sizes: Sizes,
    a: Strided<T>,
    b: Strided<T>,
    c: &mut [T],
    add: bool,
    cores: usize,
    multiply: ByItself<T>,
) -> Result<()> {
    // Rows further down take longer: the part up to the diagonal is as large for each of the threads.
    let start = |n: usize| ((n as f64 / cores as f64).sqrt() * sizes.m as f64).round() as usize;
    let c = Shared(c.as_mut_ptr());
    let part = |n: usize| {
        let (first, stop) = (start(n), start(n + 1));
        let rows = Strided { pointer: a.at(first, 0), ..a };
        // SAFETY: pointers and strides are of blocks that are borrowed for this call, with these sizes; each part of c is written by one.
        unsafe { multiply((stop - first, sizes.n, sizes.k), rows, b, c.get(), first, add) }
    };
    if cores == 1 {
        part(0);
        return cancel::check();
    }
    cancel::with_flag(|flag| {
        std::thread::scope(|scope| {
            for n in 0..cores {
                scope.spawn(move || match flag {
                    Some(flag) => cancel::during(flag, || part(n)),
                    None => part(n),
                });
            }
        });
    });
    cancel::check()
}

/// The product that several threads write to, each other elements of it.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);

// SAFETY: only lives within a call that borrows the product.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The field by itself would be what closures capture, and is not [`Sync`].
    fn get(self) -> *mut T {
        self.0
    }
}
