//! Folding tiles to vectors of partial results, and merging those in pairs.

use super::Reduce;
use crate::data::{DType, prefetch};
use crate::kernel::order::{LANES, RUN, across, split};
use crate::kernel::tile::complex::Arithmetic;
use crate::kernel::tile::scalar::Real;
use crate::kernel::tile::{of_bits, of_integers};
use multiversion::multiversion;
use num_complex::Complex;
use std::ops::{Add, Mul};

/// Elements of a tile, row after row, and which of its two axes are reduced. Those that are not stand side by side in the result.
#[derive(Clone, Copy)]
pub struct Tile {
    pub data: *const u8,
    pub rows: usize,
    pub columns: usize,
    pub rows_reduced: bool,
    pub columns_reduced: bool,
    /// So many of the first elements are each what a run of them was folded to.
    pub folded: usize,
    /// So many bytes ahead of what is folded memory is asked for: 0 where what lies behind the tile is not read next. It may be
    /// another worker's, who would wait for it.
    pub ahead: usize,
}

impl Tile {
    /// Partial results that the tile gives.
    pub fn width(&self) -> usize {
        (if self.rows_reduced { 1 } else { self.rows }) * (if self.columns_reduced { 1 } else { self.columns })
    }

    /// # Safety
    /// The data must be of that type and live for `'a`.
    pub unsafe fn all<'a, T>(&self) -> &'a [T] {
        // SAFETY: passed on to the caller.
        unsafe { std::slice::from_raw_parts(self.data.cast::<T>(), self.rows * self.columns) }
    }
}

/// Takes the tiles that make up one place of the result (as many places as a tile is wide), then gives the result.
pub trait Accumulate {
    /// # Safety
    /// The tile's data must be of the accumulator's element type.
    unsafe fn push(&mut self, tile: Tile);

    /// Pointers to the finished vectors, valid until the next call, after which a new place begins.
    fn finish(&mut self) -> &[*const u8];
}

/// Partial results waiting to be merged with as many more: levels descend, as the set digits of a binary counter do.
pub struct Carry<P> {
    stack: Vec<(u32, P)>,
}

impl<P> Default for Carry<P> {
    fn default() -> Self {
        Carry { stack: Vec::new() }
    }
}

impl<P> Carry<P> {
    /// Adds a partial result; `merge` puts its second argument into its first and returns what is free then.
    pub fn push(&mut self, mut part: P, spare: &mut Vec<P>, mut merge: impl FnMut(&mut P, &P)) {
        let mut level = 0;
        while let Some((top, _)) = self.stack.last()
            && *top == level
            && let Some((_, mut earlier)) = self.stack.pop()
        {
            merge(&mut earlier, &part);
            spare.push(std::mem::replace(&mut part, earlier));
            level += 1;
        }
        self.stack.push((level, part));
    }

    /// What all of them merge to.
    pub fn finish(&mut self, spare: &mut Vec<P>, mut merge: impl FnMut(&mut P, &P)) -> Option<P> {
        let (_, mut part) = self.stack.pop()?;
        while let Some((_, mut earlier)) = self.stack.pop() {
            merge(&mut earlier, &part);
            spare.push(std::mem::replace(&mut part, earlier));
        }
        Some(part)
    }
}

/// Said in a loop over rows of lanes, so that the compiler makes vectors of the lanes: where order does not count, it would rather take
/// a lane of many rows at once, and gather it from all over memory.
#[inline(always)]
pub fn stay_in_rows() {
    std::hint::black_box(());
}

/// How far ahead of a loop over memory it asks for what comes: the processor does so by itself, but stops at the end of every page.
/// Much further ahead, it is asked for twice: a sum then took a tenth longer (Zen 4).
pub const AHEAD: usize = 1024;

/// Asks for what comes so many bytes after a chunk. Asked to the first cache, lines are waited for in the few places that the loop's own
/// loads need.
#[inline(always)]
fn ask_ahead<T>(chunk: &[T; LANES], ahead: usize) {
    for line in (0..size_of::<[T; LANES]>()).step_by(64) {
        prefetch::far(chunk.as_ptr().wrapping_byte_add(ahead + line));
    }
}

/// Folds `g` of at least one element.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn fold_run<T: Copy, U: Copy, G: Fn(T) -> U, F: Fn(U, U) -> U>(x: &[T], ahead: usize, g: G, f: F) -> U {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let Some((first, chunks)) = chunks.split_first() else {
        return x[1..].iter().fold(g(x[0]), |a, &b| f(a, g(b)));
    };
    let mut lanes: [U; LANES] = std::array::from_fn(|i| g(first[i]));
    for chunk in chunks {
        stay_in_rows();
        ask_ahead(chunk, ahead);
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = f(*lane, g(x));
        }
    }
    rest.iter().fold(across(lanes, &f), |a, &b| f(a, g(b)))
}

/// Folds at least one element, more than a run in parts.
fn fold_all<T: Copy, F: Fn(T, T) -> T + Copy>(x: &[T], ahead: usize, f: F) -> T {
    if x.len() <= RUN {
        return fold_run(x, ahead, |x| x, f);
    }
    let (a, b) = x.split_at(RUN * split(x.len().div_ceil(RUN)));
    f(fold_all(a, ahead, f), fold_all(b, ahead, f))
}

/// Folds runs, some or all of which are already folded to one element each. Of the others there is one at most.
fn fold_folded<T: Copy, F: Fn(T, T) -> T + Copy>(folded: &[T], rest: &[T], f: F) -> T {
    match (folded, rest) {
        ([], rest) => fold_run(rest, 0, |x| x, f),
        (&[one], []) => one,
        _ => {
            let (a, b) = folded.split_at(split(folded.len() + usize::from(!rest.is_empty())));
            f(fold_folded(a, &[], f), fold_folded(b, rest, f))
        }
    }
}

/// A float of which a sum of products with 0 tells whether all that went in were finite.
trait Finite: Real + PartialOrd + Default + Add<Output = Self> + Mul<Output = Self> + 'static {}

impl Finite for f32 {}
impl Finite for f64 {}

/// Folds at least one element by `better`, as `f` does where none is nan: whether one is, is asked of all of a run at once. Comparing for it each time
/// would take as long as memory does.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn extreme_run<T: Finite + Copy, B: Fn(T, T) -> T, F: Fn(T, T) -> T + Copy>(
    x: &[T],
    ahead: usize,
    better: B,
    f: F,
) -> T {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let Some((first, chunks)) = chunks.split_first() else { return fold_run(x, ahead, |x| x, f) };
    let mut lanes = *first;
    let mut zeros = [T::default(); LANES];
    zeros.iter_mut().zip(first).for_each(|(zero, &x)| *zero = x * T::default());
    for chunk in chunks {
        stay_in_rows();
        ask_ahead(chunk, ahead);
        for ((lane, zero), &x) in lanes.iter_mut().zip(&mut zeros).zip(chunk) {
            *lane = better(*lane, x);
            *zero = *zero + x * T::default();
        }
    }
    if across(zeros, |a, b| a + b) != T::default() {
        return fold_run(x, ahead, |x| x, f);
    }
    rest.iter().fold(across(lanes, better), |a, &b| f(a, b))
}

/// As [`fold_all`], of the least or the greatest.
fn extreme<T: Finite + Copy, B: Fn(T, T) -> T + Copy, F: Fn(T, T) -> T + Copy>(
    x: &[T],
    ahead: usize,
    better: B,
    f: F,
) -> T {
    if x.len() <= RUN {
        return extreme_run(x, ahead, better, f);
    }
    let (a, b) = x.split_at(RUN * split(x.len().div_ceil(RUN)));
    f(extreme(a, ahead, better, f), extreme(b, ahead, better, f))
}

/// `into[i] = f(into[i], x[i])`
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
pub fn fold_into<T: Copy, U: Copy, F: Fn(T, U) -> T>(into: &mut [T], x: &[U], f: F) {
    for (a, &b) in into.iter_mut().zip(x) {
        *a = f(*a, b);
    }
}

/// Folds a tile of type T by `f` into its partial results.
///
/// # Safety
/// The tile must be of that type.
pub unsafe fn fold_tile<T: Copy + 'static, F: Fn(T, T) -> T + Copy>(tile: Tile, f: F, out: &mut Vec<T>) {
    // SAFETY: passed on to the caller.
    unsafe { fold_tile_by(tile, |x, ahead| fold_all(x, ahead, f), f, out) };
}

/// As [`fold_tile`], with another way to fold what lies one behind the other.
///
/// # Safety
/// As for [`fold_tile`].
unsafe fn fold_tile_by<T: Copy + 'static, A: Fn(&[T], usize) -> T, F: Fn(T, T) -> T + Copy>(
    tile: Tile,
    fold_all: A,
    f: F,
    out: &mut Vec<T>,
) {
    out.clear();
    // SAFETY: passed on to the caller.
    let all = unsafe { tile.all::<T>() };
    match (tile.rows_reduced, tile.columns_reduced) {
        _ if tile.folded > 0 => out.push(fold_folded(&all[..tile.folded], &all[tile.folded..], f)),
        (true, true) => out.push(fold_all(all, tile.ahead)),
        (false, true) => out.extend(all.chunks_exact(tile.columns).map(|row| fold_all(row, tile.ahead))),
        (true, false) => fold_rows(all, tile.columns, f, out),
        (false, false) => out.extend_from_slice(all),
    }
}

/// Folds rows into one. Narrow rows go several abreast, which is faster, and more exact than one after the other.
fn fold_rows<T: Copy, F: Fn(T, T) -> T + Copy>(rows: &[T], columns: usize, f: F, out: &mut Vec<T>) {
    let mut abreast = 1;
    while abreast * 2 * columns <= (4 * LANES).min(rows.len()) {
        abreast *= 2;
    }
    let (first, rest) = rows.split_at(abreast * columns);
    out.extend_from_slice(first);
    rest.chunks(abreast * columns).for_each(|chunk| fold_into(out, chunk, f));
    while abreast > 1 {
        abreast /= 2;
        let (a, b) = out.split_at_mut(abreast * columns);
        fold_into(a, b, f);
        out.truncate(abreast * columns);
    }
}

struct Plain<T, A, F> {
    /// Of elements that lie one behind the other.
    all: A,
    f: F,
    /// What is done with each result at the end.
    last: Option<fn(T) -> T>,
    carry: Carry<Vec<T>>,
    spare: Vec<Vec<T>>,
    result: Vec<T>,
    pointers: [*const u8; 1],
}

impl<T: Copy + 'static, A: Fn(&[T], usize) -> T, F: Fn(T, T) -> T + Copy> Accumulate for Plain<T, A, F> {
    unsafe fn push(&mut self, tile: Tile) {
        let mut part = self.spare.pop().unwrap_or_default();
        // SAFETY: passed on to the caller.
        unsafe { fold_tile_by(tile, &self.all, self.f, &mut part) };
        let f = self.f;
        self.carry.push(part, &mut self.spare, |a, b| fold_into(a, b, f));
    }

    fn finish(&mut self) -> &[*const u8] {
        let f = self.f;
        if let Some(result) = self.carry.finish(&mut self.spare, |a, b| fold_into(a, b, f)) {
            self.spare.push(std::mem::replace(&mut self.result, result));
            if let Some(last) = self.last {
                self.result.iter_mut().for_each(|x| *x = last(*x));
            }
        }
        self.pointers = [self.result.as_ptr().cast()];
        &self.pointers
    }
}

fn plain<T: Copy + 'static, F: Fn(T, T) -> T + Copy + 'static>(f: F) -> Box<dyn Accumulate> {
    by(move |x, ahead| fold_all(x, ahead, f), f, None)
}

/// The least or the greatest: `f` says which, and `better` where none is nan.
fn extremes<T: Finite + Copy>(
    better: impl Fn(T, T) -> T + Copy + 'static,
    f: impl Fn(T, T) -> T + Copy + 'static,
) -> Box<dyn Accumulate> {
    by(move |x, ahead| extreme(x, ahead, better, f), f, None)
}

/// Sums, which are of 0 and the elements: so that of nothing but -0 it is 0, as in NumPy, and of blocks of them, too.
fn sums<T: Copy + Add<Output = T> + Default + 'static>() -> Box<dyn Accumulate> {
    let add = |a: T, b: T| a + b;
    by(move |x, ahead| fold_all(x, ahead, add), add, Some(|x: T| x + T::default()))
}

fn by<T: Copy + 'static>(
    all: impl Fn(&[T], usize) -> T + 'static,
    f: impl Fn(T, T) -> T + Copy + 'static,
    last: Option<fn(T) -> T>,
) -> Box<dyn Accumulate> {
    let pointers = [std::ptr::null()];
    Box::new(Plain { all, f, last, carry: Carry::default(), spare: Vec::new(), result: Vec::<T>::new(), pointers })
}

/// The accumulator of `op` for elements of that dtype.
pub fn accumulator(op: Reduce, dtype: DType) -> Option<Box<dyn Accumulate>> {
    macro_rules! floats {
        ($T:ident => $real:expr, $complex:expr) => {
            match dtype {
                DType::F32 => {
                    type $T = f32;
                    plain($real)
                }
                DType::F64 => {
                    type $T = f64;
                    plain($real)
                }
                DType::C64 => {
                    type $T = Complex<f32>;
                    plain($complex)
                }
                _ => {
                    type $T = Complex<f64>;
                    plain($complex)
                }
            }
        };
    }
    let inexact = dtype.is_float() || dtype.is_complex();
    Some(match op {
        Reduce::Sum if inexact => match dtype {
            DType::F32 => sums::<f32>(),
            DType::F64 => sums::<f64>(),
            DType::C64 => sums::<Complex<f32>>(),
            _ => sums::<Complex<f64>>(),
        },
        Reduce::Prod if inexact => floats!(T => |a: T, b: T| a * b, |a: T, b: T| a * b),
        Reduce::Min if dtype == DType::F32 => extremes(|a: f32, b: f32| if a < b { a } else { b }, Real::minimum),
        Reduce::Min if dtype == DType::F64 => extremes(|a: f64, b: f64| if a < b { a } else { b }, Real::minimum),
        Reduce::Max if dtype == DType::F32 => extremes(|a: f32, b: f32| if a > b { a } else { b }, Real::maximum),
        Reduce::Max if dtype == DType::F64 => extremes(|a: f64, b: f64| if a > b { a } else { b }, Real::maximum),
        Reduce::Min if dtype == DType::C64 => plain(<Complex<f32> as Arithmetic>::minimum),
        Reduce::Min if dtype == DType::C128 => plain(<Complex<f64> as Arithmetic>::minimum),
        Reduce::Max if dtype == DType::C64 => plain(<Complex<f32> as Arithmetic>::maximum),
        Reduce::Max if dtype == DType::C128 => plain(<Complex<f64> as Arithmetic>::maximum),
        Reduce::Sum if dtype == DType::Bool => plain(|a: u8, b: u8| a | b),
        Reduce::Sum => of_bits!(dtype, T => plain(|a: T, b: T| a.wrapping_add(b))),
        Reduce::Prod => of_bits!(dtype, T => plain(|a: T, b: T| a.wrapping_mul(b))),
        Reduce::Min => of_integers!(dtype, T => plain(|a: T, b: T| a.min(b))),
        Reduce::Max => of_integers!(dtype, T => plain(|a: T, b: T| a.max(b))),
        Reduce::Any => plain(|a: u8, b: u8| a | b),
        Reduce::All => plain(|a: u8, b: u8| a & b),
    })
}
