//! Matrix product for CPUs with AVX-512, or AVX2 and FMA: C = A·B or C += A·B for `f64` and `f32`, strided operands, row-major C.
//!
//! The algorithm is Goto's ("Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008): panels of B and
//! A are packed into contiguous memory, a panel of B for the outer caches and one of A for the second level, and a
//! kernel that keeps a tile of C in registers runs along them. The tile is 3 vectors wide. With AVX-512 it has 8 rows: 24
//! accumulators, 3 vectors of B and one broadcast element of A are 28 of 32 registers; with AVX2 4 rows, and 16 of 16.

use super::Strided;
use crate::data::{Buffer, prefetch};
use std::arch::x86_64::*;

/// Vectors across the register tile.
const VECTORS: usize = 3;
/// Rows of A packed at once: with the depth of a panel, within the second-level cache.
const A_ROWS: usize = 96;
/// Columns of B packed at once: bounds the memory that a product takes.
const B_COLUMNS: usize = 1008;

macro_rules! product {
    ($name:ident, $feature:literal, $T:ty, $lanes:literal x $rows:literal x $depth:literal, $zero:ident, $load:ident, $store:ident, $set:ident, $fma:ident, $add:ident) => {
        pub mod $name {
            use super::*;

            /// Rows and columns of the register tile.
            const ROWS: usize = $rows;
            const COLUMNS: usize = VECTORS * $lanes;
            /// Depth of a packed panel: a part of one of A and of one of B stay in the first-level cache.
            const DEPTH: usize = $depth;

            /// `c = a·b`, or `c += a·b` where `add` is set; `a` is m×k, `b` k×n and `c` m×n with rows `c_row` elements
            /// apart. Without `add`, `k` must not be 0.
            ///
            /// # Safety
            /// The CPU has the feature (see [`Extension`]); every element of `a` and `b` in those ranges can be read,
            /// every one of `c` read and written, and nothing else accesses `c` meanwhile.
            #[target_feature(enable = $feature)]
            pub unsafe fn multiply(
                sizes: (usize, usize, usize),
                a: Strided<$T>,
                b: Strided<$T>,
                c: *mut $T,
                c_row: usize,
                add: bool,
            ) {
                // SAFETY: the caller's.
                unsafe { panels(sizes, a, b, To { c, c_row, add, below: None }) }
            }

            /// Of a matrix times itself transposed, `c` all of it, row by row: the part of m rows from the row `first` on that is on the
            /// diagonal and below, and its mirror image. `a` are those rows of the matrix, m×k, and `b` is it transposed, k×n.
            ///
            /// # Safety
            /// As [`multiply`]; of `c` nothing else accesses those elements meanwhile.
            #[target_feature(enable = $feature)]
            pub unsafe fn by_itself(
                (m, n, k): (usize, usize, usize),
                a: Strided<$T>,
                b: Strided<$T>,
                c: *mut $T,
                first: usize,
                add: bool,
            ) {
                let below = Some(Below { c, row: first, column: 0 });
                // SAFETY: the caller's; columns end with the diagonal.
                unsafe {
                    let to = To { c: c.add(first * n), c_row: n, add, below };
                    panels((m, n.min(first + m), k), a, b, to);
                }
            }

            /// Where a product goes.
            #[derive(Clone, Copy)]
            struct To {
                c: *mut $T,
                c_row: usize,
                add: bool,
                below: Option<Below>,
            }

            /// Where in a product `c` that is its own mirror image a part begins.
            #[derive(Clone, Copy)]
            struct Below {
                c: *mut $T,
                row: usize,
                column: usize,
            }

            impl Below {
                /// Asks for the memory of a part and of its image: it takes as long as the product does.
                fn ask(self, height: usize, width: usize, to: To) {
                    let Below { c, row, column } = self;
                    for y in 0..height {
                        for x in (0..COLUMNS).step_by(64 / size_of::<$T>()) {
                            prefetch::near(to.c.wrapping_add(y * to.c_row + x));
                        }
                    }
                    for x in 0..width {
                        prefetch::near(c.wrapping_add((column + x) * to.c_row + row));
                    }
                }

                /// A whole tile below the diagonal, and its image.
                ///
                /// # Safety
                /// As [`by_itself`].
                #[target_feature(enable = $feature)]
                unsafe fn put_whole(self, tile: &[$T; ROWS * COLUMNS], to: To) {
                    let (rows, _) = tile.as_chunks::<COLUMNS>();
                    // SAFETY: by contract; the image is above the diagonal.
                    unsafe {
                        for (y, sums) in rows.iter().enumerate() {
                            let row = to.c.add(y * to.c_row).cast::<[$T; COLUMNS]>();
                            *row = if to.add { std::array::from_fn(|x| (*row)[x] + sums[x]) } else { *sums };
                        }
                        for x in 0..COLUMNS {
                            let sums: [$T; ROWS] = std::array::from_fn(|y| rows[y][x]);
                            let row = self.c.add((self.column + x) * to.c_row + self.row).cast::<[$T; ROWS]>();
                            *row = if to.add { std::array::from_fn(|y| (*row)[y] + sums[y]) } else { sums };
                        }
                    }
                }
            }

            impl To {
                /// The part that begins so many rows and columns after this one.
                ///
                /// # Safety
                /// It is within this one.
                unsafe fn part(self, i: usize, j: usize) -> To {
                    let below = self.below.map(|b| Below { row: b.row + i, column: b.column + j, ..b });
                    // SAFETY: by contract.
                    To { c: unsafe { self.c.add(i * self.c_row + j) }, below, ..self }
                }

                /// Puts, or adds, one element.
                ///
                /// # Safety
                /// It is within this.
                #[inline(always)]
                unsafe fn set(self, i: usize, j: usize, sum: $T) {
                    // SAFETY: by contract.
                    unsafe {
                        let at = self.c.add(i * self.c_row + j);
                        *at = if self.add { *at + sum } else { sum };
                    }
                }
            }

            /// # Safety
            /// As [`multiply`].
            #[target_feature(enable = $feature)]
            unsafe fn panels((m, n, k): (usize, usize, usize), a: Strided<$T>, b: Strided<$T>, to: To) {
                let depth = if k == 0 { 0 } else { k.div_ceil(k.div_ceil(DEPTH)) };
                let wide = B_COLUMNS.min(n.next_multiple_of(COLUMNS));
                let mut a_memory = Buffer::new(A_ROWS.min(m.next_multiple_of(ROWS)) * depth * size_of::<$T>());
                let mut b_memory = Buffer::new(wide * depth * size_of::<$T>());
                let packed_a = a_memory.bytes_mut().as_mut_ptr().cast::<$T>();
                let packed_b = b_memory.bytes_mut().as_mut_ptr().cast::<$T>();
                for j in (0..n).step_by(B_COLUMNS) {
                    let columns = B_COLUMNS.min(n - j);
                    for p in (0..k).step_by(depth.max(1)) {
                        let deep = depth.min(k - p);
                        // SAFETY: the packed panels hold `wide`, or `A_ROWS`, times `depth` elements; the ranges of
                        // a, b and c are within the caller's.
                        unsafe {
                            pack_b(packed_b, b, p, deep, j, columns);
                            for i in (0..m).step_by(A_ROWS) {
                                if crate::data::cancel::cancelled() {
                                    return;
                                }
                                let rows = A_ROWS.min(m - i);
                                pack_a(packed_a, a, i, rows, p, deep);
                                let to = To { add: to.add || p > 0, ..to.part(i, j) };
                                tiles((rows, columns, deep), packed_a, packed_b, to);
                            }
                        }
                    }
                }
            }

            /// Packs `deep` rows of B into panels of [`COLUMNS`] columns, the last one filled up with zeros.
            ///
            /// # Safety
            /// As [`multiply`]; `to` has room for the panels.
            #[target_feature(enable = $feature)]
            unsafe fn pack_b(to: *mut $T, b: Strided<$T>, p: usize, deep: usize, j: usize, columns: usize) {
                for first in (0..columns).step_by(COLUMNS) {
                    let width = COLUMNS.min(columns - first);
                    for q in 0..deep {
                        // SAFETY: row p + q and columns from j + first on are B's; the row of the panel is `to`'s.
                        unsafe {
                            let row = to.add(first * deep + q * COLUMNS);
                            let from = b.at(p + q, j + first);
                            if width == COLUMNS && b.column == 1 {
                                for v in 0..VECTORS {
                                    $store(row.add($lanes * v), $load(from.add($lanes * v)));
                                }
                            } else {
                                for x in 0..COLUMNS {
                                    *row.add(x) = if x < width { *b.at(p + q, j + first + x) } else { 0.0 };
                                }
                            }
                        }
                    }
                }
            }

            /// Packs `rows` rows of A into panels of [`ROWS`] rows, the last one filled up with zeros.
            ///
            /// # Safety
            /// As [`multiply`]; `to` has room for the panels.
            #[target_feature(enable = $feature)]
            unsafe fn pack_a(to: *mut $T, a: Strided<$T>, i: usize, rows: usize, p: usize, deep: usize) {
                for first in (0..rows).step_by(ROWS) {
                    let height = ROWS.min(rows - first);
                    // SAFETY: columns from p on and rows from i + first on are A's; the columns of the panel are `to`'s.
                    unsafe {
                        let panel = to.add(first * deep);
                        if height < ROWS {
                            for q in 0..deep {
                                for x in 0..ROWS {
                                    let part = if x < height { *a.at(i + first + x, p + q) } else { 0.0 };
                                    *panel.add(q * ROWS + x) = part;
                                }
                            }
                        } else if a.row == 1 {
                            for q in 0..deep {
                                let column = a.at(i + first, p + q).cast::<[$T; ROWS]>();
                                *panel.add(q * ROWS).cast::<[$T; ROWS]>() = *column;
                            }
                        } else {
                            for q in 0..deep {
                                for x in 0..ROWS {
                                    *panel.add(q * ROWS + x) = *a.at(i + first + x, p + q);
                                }
                            }
                        }
                    }
                }
            }

            /// All register tiles of a packed panel of A with one of B.
            ///
            /// # Safety
            /// As [`multiply`]; the panels were packed for these sizes.
            #[target_feature(enable = $feature)]
            unsafe fn tiles((rows, columns, deep): (usize, usize, usize), a: *const $T, b: *const $T, to: To) {
                for j in (0..columns).step_by(COLUMNS) {
                    for i in (0..rows).step_by(ROWS) {
                        let (height, width) = (ROWS.min(rows - i), COLUMNS.min(columns - j));
                        // SAFETY: a tile that is not whole goes through `edge`, so that only elements of c are touched.
                        unsafe {
                            let (a, b, to) = (a.add(i * deep), b.add(j * deep), to.part(i, j));
                            if to.below.is_some_and(|below| below.column >= below.row + height) {
                                continue;
                            }
                            if height == ROWS && width == COLUMNS && to.below.is_none() {
                                tile(deep, a, b, to.c, to.c_row, to.add);
                                continue;
                            }
                            let mut edge = [0.0; ROWS * COLUMNS];
                            if let Some(below) = to.below {
                                below.ask(height, width, to);
                            }
                            tile(deep, a, b, edge.as_mut_ptr(), COLUMNS, false);
                            match to.below {
                                None => put(&edge, height, width, to),
                                Some(below)
                                    if height == ROWS && width == COLUMNS && below.column + COLUMNS <= below.row =>
                                {
                                    below.put_whole(&edge, to);
                                }
                                Some(below) => put_twice(&edge, height, width, to, below),
                            }
                        }
                    }
                }
            }

            /// The part of a tile that is within c.
            ///
            /// # Safety
            /// As [`multiply`].
            #[target_feature(enable = $feature)]
            unsafe fn put(tile: &[$T; ROWS * COLUMNS], height: usize, width: usize, to: To) {
                for (y, row) in tile.chunks_exact(COLUMNS).enumerate().take(height) {
                    for (x, &sum) in row.iter().enumerate().take(width) {
                        // SAFETY: by contract.
                        unsafe { to.set(y, x, sum) };
                    }
                }
            }

            /// The elements of a tile that are on the diagonal or below, and their mirror images.
            ///
            /// # Safety
            /// As [`by_itself`].
            #[target_feature(enable = $feature)]
            unsafe fn put_twice(
                tile: &[$T; ROWS * COLUMNS],
                height: usize,
                width: usize,
                to: To,
                Below { c, row, column }: Below,
            ) {
                let image = To { c, ..to };
                for (y, sums) in tile.chunks_exact(COLUMNS).enumerate().take(height) {
                    let up_to = width.min((row + y + 1).saturating_sub(column));
                    for (x, &sum) in sums.iter().enumerate().take(up_to) {
                        // SAFETY: by contract.
                        unsafe { to.set(y, x, sum) };
                    }
                }
                for x in 0..width {
                    // Of this column, which is a row of the image, the elements after the one on the diagonal.
                    for y in (column + x + 1).saturating_sub(row)..height {
                        // SAFETY: by contract; the image of each is above the diagonal.
                        unsafe { image.set(column + x, row + y, tile[y * COLUMNS + x]) };
                    }
                }
            }

            /// One register tile of C.
            ///
            /// # Safety
            /// As [`multiply`]; the panels have `deep` rows, and the whole tile of `c` can be written.
            #[target_feature(enable = $feature)]
            unsafe fn tile(deep: usize, mut a: *const $T, mut b: *const $T, c: *mut $T, c_row: usize, add: bool) {
                let mut sums = [[$zero(); VECTORS]; ROWS];
                // SAFETY: within the panels; prefetching has no effect on memory whatever the address.
                unsafe {
                    for y in 0..ROWS {
                        for v in 0..VECTORS {
                            _mm_prefetch::<_MM_HINT_T0>(c.wrapping_add(y * c_row + v * $lanes).cast());
                        }
                    }
                    for _ in 0..deep {
                        let mut row = [$zero(); VECTORS];
                        for (v, part) in row.iter_mut().enumerate() {
                            *part = $load(b.add($lanes * v));
                            _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(8 * COLUMNS + $lanes * v).cast());
                        }
                        for (y, sums) in sums.iter_mut().enumerate() {
                            let x = $set(*a.add(y));
                            for (sum, part) in sums.iter_mut().zip(row) {
                                *sum = $fma(x, part, *sum);
                            }
                        }
                        a = a.add(ROWS);
                        b = b.add(COLUMNS);
                    }
                    for (y, sums) in sums.iter().enumerate() {
                        for (v, sum) in sums.iter().enumerate() {
                            let to = c.add(y * c_row + $lanes * v);
                            $store(to, if add { $add($load(to), *sum) } else { *sum });
                        }
                    }
                }
            }
        }
    };
}

macro_rules! extension {
    ($module:ident, $feature:literal, $rows:literal x $depth:literal, $double:tt $single:tt) => {
        pub mod $module {
            use super::*;
            extension!(@ double, $feature, f64, $rows x $depth, $double);
            extension!(@ single, $feature, f32, $rows x $depth, $single);
        }
    };
    (@ $name:ident, $feature:literal, $T:ty, $rows:literal x $depth:literal,
     [$lanes:literal $zero:ident $load:ident $store:ident $set:ident $fma:ident $add:ident]) => {
        product!($name, $feature, $T, $lanes x $rows x $depth, $zero, $load, $store, $set, $fma, $add);
    };
}

extension!(
    avx512, "avx512f", 8 x 512,
    [8 _mm512_setzero_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_set1_pd _mm512_fmadd_pd _mm512_add_pd]
    [16 _mm512_setzero_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_set1_ps _mm512_fmadd_ps _mm512_add_ps]
);
extension!(
    avx2, "avx2,fma", 4 x 256,
    [4 _mm256_setzero_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_set1_pd _mm256_fmadd_pd _mm256_add_pd]
    [8 _mm256_setzero_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_set1_ps _mm256_fmadd_ps _mm256_add_ps]
);

/// What the kernels of this file run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    Avx512,
    Avx2,
}

impl Extension {
    /// The widest one that this CPU has.
    pub fn found() -> Option<Extension> {
        if is_x86_feature_detected!("avx512f") {
            Some(Extension::Avx512)
        } else {
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Extension::Avx2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Any sizes, any strides, whole and partial tiles: the same as three loops on integers, exactly.
        #[test]
        fn is_the_product(m in 0usize..70, n in 0usize..110, k in 0usize..600, flip_a: bool, flip_b: bool) {
            let a: Vec<f64> = (0..m * k).map(|x| (x % 13) as f64 - 6.0).collect();
            let b: Vec<f64> = (0..k * n).map(|x| (x % 11) as f64 - 5.0).collect();
            let strided = |v: &[f64], rows: usize, columns: usize, flip: bool| {
                let (row, column) = if flip { (1, rows as isize) } else { (columns as isize, 1) };
                Strided { pointer: v.as_ptr(), row, column }
            };
            let (sa, sb) = (strided(&a, m, k, flip_a), strided(&b, k, n, flip_b));
            let single = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<f32>>();
            let (a32, b32) = (single(&a), single(&b));
            let cast = |s: Strided<f64>, v: &[f32]| Strided { pointer: v.as_ptr(), row: s.row, column: s.column };
            let (sa32, sb32) = (cast(sa, &a32), cast(sb, &b32));
            let mut products = Vec::new();
            // SAFETY: the sizes are those of the vectors, and the CPU was asked. What it does not have is not tried.
            unsafe {
                if is_x86_feature_detected!("avx512f") {
                    let (mut c, mut c32) = (vec![1.0; m * n], vec![1.0f32; m * n]);
                    avx512::double::multiply((m, n, k), sa, sb, c.as_mut_ptr(), n, true);
                    avx512::single::multiply((m, n, k), sa32, sb32, c32.as_mut_ptr(), n, true);
                    products.push((c, c32));
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    let (mut c, mut c32) = (vec![1.0; m * n], vec![1.0f32; m * n]);
                    avx2::double::multiply((m, n, k), sa, sb, c.as_mut_ptr(), n, true);
                    avx2::single::multiply((m, n, k), sa32, sb32, c32.as_mut_ptr(), n, true);
                    products.push((c, c32));
                }
            }
            for i in 0..m {
                for j in 0..n {
                    let at = |s: Strided<f64>, v: &[f64], i: usize, j: usize| v[i * s.row as usize + j * s.column as usize];
                    let want: f64 = 1.0 + (0..k).map(|q| at(sa, &a, i, q) * at(sb, &b, q, j)).sum::<f64>();
                    for (c, c32) in &products {
                        prop_assert_eq!(c[i * n + j], want);
                        prop_assert_eq!(c32[i * n + j] as f64, want);
                    }
                }
            }
        }
    }
}
