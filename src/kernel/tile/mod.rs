//! The loops: every elementwise kernel as a function over one tile, a short run of elements that stays in the first cache.
//!
//! A kernel is typed by physical type: integers of a size share the loops whose bits do not depend on sign, and bool is
//! `u8` with 0 and 1. What is worth it is compiled for AVX-512, AVX2 and the baseline, and chosen at run time.

mod binary;
pub(super) mod complex;
mod convert;
mod math;
pub(super) mod scalar;
mod unary;

pub(super) use binary::{binary, mixed_comparison, where_};
pub(super) use convert::convert;
pub(super) use unary::{is_identity, unary};

use multiversion::multiversion;

/// Elements in a tile.
pub(super) const TILE: usize = 512;

/// A loop over one tile.
#[derive(Clone, Copy)]
pub(super) struct Kernel(unsafe fn(&[*const u8; 3], *mut u8, usize) -> bool);

impl Kernel {
    /// Computes `n` elements. False when an element is outside of what the operation takes (a negative integer power).
    ///
    /// # Safety
    /// As many arguments as the kernel has must point to `n` initialised, aligned elements of its argument types, `out` to
    /// room for `n` of its result type that overlaps none of them.
    pub unsafe fn run(self, args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        // SAFETY: passed on to the caller.
        unsafe { (self.0)(args, out, n) }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn each1<A: Copy, R, F: Fn(A) -> R>(a: &[A], out: &mut [R], f: F) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn each2<A: Copy, B: Copy, R, F: Fn(A, B) -> R>(a: &[A], b: &[B], out: &mut [R], f: F) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
}

/// The value of a function item or a closure that captures nothing.
fn conjure<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0) };
    // SAFETY: a value without bytes can be read from any aligned address, and the constructors below were given one, which
    // may be copied.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}

macro_rules! args {
    ($args:ident, $n:ident, $($i:literal: $T:ty),*) => {
        // SAFETY: the caller of `Kernel::run` vouches for the pointers.
        ($(unsafe { std::slice::from_raw_parts($args[$i].cast::<$T>(), $n) },)*)
    };
}

macro_rules! out {
    ($out:ident, $n:ident, $R:ty) => {
        // SAFETY: as above; results are plain numbers, for which any bytes are a value.
        unsafe { std::slice::from_raw_parts_mut($out.cast::<$R>(), $n) }
    };
}

/// A kernel of one argument whose loop is worth vectorising.
fn vector1<A: Copy + 'static, R: 'static, F: Fn(A) -> R + Copy + 'static>(_: F) -> Kernel {
    unsafe fn run<A: Copy, R, F: Fn(A) -> R + Copy>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        let (a,) = args!(args, n, 0: A);
        each1(a, out!(out, n, R), conjure::<F>());
        true
    }
    Kernel(run::<A, R, F>)
}

/// A kernel of one argument that is a loop, which says whether elements are `rare`; there is a function for these.
fn loop1_but<T, L, P, S>(_: L, _: P, _: S) -> Kernel
where
    T: Copy + 'static,
    L: Fn(&[T], &mut [T]) -> bool + Copy + 'static,
    P: Fn(T) -> bool + Copy + 'static,
    S: Fn(T) -> T + Copy + 'static,
{
    unsafe fn run<T: Copy, L, P, S>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool
    where
        L: Fn(&[T], &mut [T]) -> bool + Copy,
        P: Fn(T) -> bool + Copy,
        S: Fn(T) -> T + Copy,
    {
        let (a,) = args!(args, n, 0: T);
        let out = out!(out, n, T);
        if conjure::<L>()(a, out) {
            let (rare, other) = (conjure::<P>(), conjure::<S>());
            out.iter_mut().zip(a).filter(|(_, a)| rare(**a)).for_each(|(out, &a)| *out = other(a));
        }
        true
    }
    Kernel(run::<T, L, P, S>)
}

/// A kernel of one argument that is a loop, or, where that met what is rare, another one for the whole tile. Both give the same bits
/// for all that is not.
fn loop1_or<T, L, M>(_: L, _: M) -> Kernel
where
    T: Copy + 'static,
    L: Fn(&[T], &mut [T]) -> bool + Copy + 'static,
    M: Fn(&[T], &mut [T]) -> bool + Copy + 'static,
{
    unsafe fn run<T: Copy, L, M>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool
    where
        L: Fn(&[T], &mut [T]) -> bool + Copy,
        M: Fn(&[T], &mut [T]) -> bool + Copy,
    {
        let (a,) = args!(args, n, 0: T);
        let out = out!(out, n, T);
        if conjure::<L>()(a, out) {
            conjure::<M>()(a, out);
        }
        true
    }
    Kernel(run::<T, L, M>)
}

/// A kernel of one argument that calls a function for each element.
fn scalar1<A: Copy + 'static, R: 'static, F: Fn(A) -> R + Copy + 'static>(_: F) -> Kernel {
    unsafe fn run<A: Copy, R, F: Fn(A) -> R + Copy>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        let (a,) = args!(args, n, 0: A);
        let f = conjure::<F>();
        out!(out, n, R).iter_mut().zip(a).for_each(|(out, &a)| *out = f(a));
        true
    }
    Kernel(run::<A, R, F>)
}

fn vector2<A: Copy + 'static, B: Copy + 'static, R: 'static, F: Fn(A, B) -> R + Copy + 'static>(_: F) -> Kernel {
    unsafe fn run<A: Copy, B: Copy, R, F: Fn(A, B) -> R + Copy>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        let (a, b) = args!(args, n, 0: A, 1: B);
        each2(a, b, out!(out, n, R), conjure::<F>());
        true
    }
    Kernel(run::<A, B, R, F>)
}

/// A kernel of two arguments that is a loop, which says whether elements are `rare`; there is a function for these.
fn loop2_but<T, L, P, S>(_: L, _: P, _: S) -> Kernel
where
    T: Copy + 'static,
    L: Fn(&[T], &[T], &mut [T]) -> bool + Copy + 'static,
    P: Fn(T, T) -> bool + Copy + 'static,
    S: Fn(T, T) -> T + Copy + 'static,
{
    unsafe fn run<T: Copy, L, P, S>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool
    where
        L: Fn(&[T], &[T], &mut [T]) -> bool + Copy,
        P: Fn(T, T) -> bool + Copy,
        S: Fn(T, T) -> T + Copy,
    {
        let (a, b) = args!(args, n, 0: T, 1: T);
        let out = out!(out, n, T);
        if conjure::<L>()(a, b, out) {
            let (rare, other) = (conjure::<P>(), conjure::<S>());
            let all = out.iter_mut().zip(a).zip(b);
            all.filter(|((_, a), b)| rare(**a, **b)).for_each(|((out, &a), &b)| *out = other(a, b));
        }
        true
    }
    Kernel(run::<T, L, P, S>)
}

fn scalar2<A: Copy + 'static, R: 'static, F: Fn(A, A) -> R + Copy + 'static>(_: F) -> Kernel {
    unsafe fn run<A: Copy, R, F: Fn(A, A) -> R + Copy>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        let (a, b) = args!(args, n, 0: A, 1: A);
        let f = conjure::<F>();
        out!(out, n, R).iter_mut().zip(a).zip(b).for_each(|((out, &a), &b)| *out = f(a, b));
        true
    }
    Kernel(run::<A, R, F>)
}

/// A kernel of two arguments that may refuse.
fn checked2<A: Copy + 'static, R: 'static, F: Fn(A, A) -> Option<R> + Copy + 'static>(_: F) -> Kernel {
    unsafe fn run<A: Copy, R, F: Fn(A, A) -> Option<R> + Copy>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        let (a, b) = args!(args, n, 0: A, 1: A);
        let f = conjure::<F>();
        out!(out, n, R).iter_mut().zip(a).zip(b).all(|((out, &a), &b)| match f(a, b) {
            Some(result) => {
                *out = result;
                true
            }
            None => false,
        })
    }
    Kernel(run::<A, R, F>)
}

/// A kernel of a mask and two arguments.
fn vector3<T: Copy + 'static, F: Fn(u8, T, T) -> T + Copy + 'static>(_: F) -> Kernel {
    unsafe fn run<T: Copy, F: Fn(u8, T, T) -> T + Copy>(args: &[*const u8; 3], out: *mut u8, n: usize) -> bool {
        let (condition, a, b) = args!(args, n, 0: u8, 1: T, 2: T);
        each3(condition, a, b, out!(out, n, T), conjure::<F>());
        true
    }
    Kernel(run::<T, F>)
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn each3<T: Copy, F: Fn(u8, T, T) -> T>(condition: &[u8], a: &[T], b: &[T], out: &mut [T], f: F) {
    for (((out, &c), &a), &b) in out.iter_mut().zip(condition).zip(a).zip(b) {
        *out = f(c, a, b);
    }
}

/// Runs `$kernel` with `$T` the unsigned integer of the dtype's bits.
macro_rules! of_bits {
    ($dtype:expr, $T:ident => $kernel:expr) => {
        match $dtype {
            DType::Bool | DType::I8 | DType::U8 => {
                type $T = u8;
                $kernel
            }
            DType::I16 | DType::U16 => {
                type $T = u16;
                $kernel
            }
            DType::I32 | DType::U32 => {
                type $T = u32;
                $kernel
            }
            DType::I64 | DType::U64 => {
                type $T = u64;
                $kernel
            }
            _ => return None,
        }
    };
}

/// Runs `$kernel` with `$T` the integer type of the dtype.
macro_rules! of_integers {
    ($dtype:expr, $T:ident => $kernel:expr) => {
        match $dtype {
            DType::U8 | DType::Bool => {
                type $T = u8;
                $kernel
            }
            DType::U16 => {
                type $T = u16;
                $kernel
            }
            DType::U32 => {
                type $T = u32;
                $kernel
            }
            DType::U64 => {
                type $T = u64;
                $kernel
            }
            other => $crate::kernel::tile::of_signed!(other, $T => $kernel),
        }
    };
}

macro_rules! of_signed {
    ($dtype:expr, $T:ident => $kernel:expr) => {
        match $dtype {
            DType::I8 => {
                type $T = i8;
                $kernel
            }
            DType::I16 => {
                type $T = i16;
                $kernel
            }
            DType::I32 => {
                type $T = i32;
                $kernel
            }
            DType::I64 => {
                type $T = i64;
                $kernel
            }
            _ => return None,
        }
    };
}

macro_rules! of_floats {
    ($dtype:expr, $T:ident => $kernel:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $kernel
            }
            DType::F64 => {
                type $T = f64;
                $kernel
            }
            _ => return None,
        }
    };
}

macro_rules! of_complex {
    ($dtype:expr, $T:ident => $kernel:expr) => {
        match $dtype {
            DType::C64 => {
                type $T = f32;
                $kernel
            }
            DType::C128 => {
                type $T = f64;
                $kernel
            }
            _ => return None,
        }
    };
}

pub(super) use {of_bits, of_complex, of_floats, of_integers, of_signed};
