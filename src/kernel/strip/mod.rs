//! Several elementwise operations in one loop, with what is between them in registers.
//!
//! A strip is as many vectors as half of the CPU's registers hold: 16 with AVX-512, 8 with AVX2. The code of a strip is a list of
//! small operations on an accumulator of that many registers and an operand in memory: an input, a constant, or a value that was
//! put aside in the first cache. All of the list runs on one strip before the next. An operation is chosen once for all vectors,
//! which costs about as much as two of them; a tile's kernel would load and store each of them. Only float32 and float64, on CPUs
//! that have the vectors: [`vectors`] says.

#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "elsewhere no code is made, as there are no vectors")
)]

#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod run;

use super::tile::Kernel;

/// Elements of the longest strip.
pub(super) const LONGEST: usize = 256;
/// Bytes of one value of a strip, at most: that of the longest in float64.
pub(super) const STRIP_BYTES: usize = LONGEST * 8;

/// What an operation does with the accumulator `a` and its operand `x`. Comparisons make masks, and so do operations on masks; a mask
/// has all bits of a lane or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    /// Has memory brought to the caches that is read soon, some way behind what this strip reads.
    Ask,
    Load,
    Store,
    /// Past the caches, to an address that is a multiple of a vector's bytes.
    Stream,
    /// Between masks and bools in memory.
    LoadBools,
    StoreBools,
    /// Between float32 and float64: lanes of one, memory of the other.
    LoadOther,
    StoreOther,
    /// Adds the elements to [`LANES`] sums, each in its turn.
    Sum,
    /// Calls a kernel with a strip in memory, `y`; what it makes is then in the accumulator and at `x`.
    Call,

    Negative,
    Absolute,
    Sqrt,
    Square,
    Cube,
    Reciprocal,
    Floor,
    Ceil,
    Trunc,
    Rint,
    Isnan,
    Isfinite,
    Not,

    Add,
    /// a - x
    Subtract,
    /// x - a
    SubtractFrom,
    Multiply,
    /// a / x
    Divide,
    /// x / a
    DivideInto,
    /// NumPy's `maximum(a, x)` and `maximum(x, a)`: which zero or nan is given depends on the order.
    Maximum,
    MaximumOf,
    Minimum,
    MinimumOf,
    Fmax,
    FmaxOf,
    Fmin,
    FminOf,
    Equal,
    NotEqual,
    /// a < x
    Less,
    /// x < a
    Greater,
    LessEqual,
    GreaterEqual,
    And,
    Or,
    Xor,

    /// Where a: x, else y.
    Select,
    /// Where x: a, else y.
    SelectThen,
    /// Where x: y, else a.
    SelectElse,
}

impl Op {
    /// Whether it can load the accumulator itself: what computes, and has one operand besides or none.
    pub fn can_load(self) -> bool {
        use Op::*;
        let moves =
            matches!(self, Ask | Load | Store | Stream | LoadBools | StoreBools | LoadOther | StoreOther | Sum | Call);
        !moves && !matches!(self, Select | SelectThen | SelectElse)
    }
}

/// An operation, with its operands by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Micro {
    pub op: Op,
    pub x: u16,
    pub y: u16,
    /// Whether all of the operand `x` is one number.
    pub uniform: bool,
    /// Whether `y` is loaded first, as if an [`Op::Load`] of it stood before: see [`Op::can_load`].
    pub loads: bool,
    /// Which kernel is called.
    pub kernel: u8,
}

/// What runs on a strip, and the kernels that it calls.
pub(super) struct Code<'a> {
    pub micros: &'a [Micro],
    pub kernels: &'a [Kernel],
}

/// So many operands are moved on at a time.
pub(super) const MOVED: usize = 4;

/// Memory that an operation reads or writes. The next strip's lies `step` bytes behind: 0 for constants and what is put aside.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub at: *mut u8,
    pub step: usize,
}

/// The floats of a strip.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Float {
    F32,
    F64,
}

impl Float {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Float::F32 => 4,
            Float::F64 => 8,
        }
    }

    /// The other one.
    pub fn other(self) -> Float {
        match self {
            Float::F32 => Float::F64,
            Float::F64 => Float::F32,
        }
    }
}

/// The vectors that strips are made of here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vectors {
    Avx512,
    Avx2,
}

#[cfg(test)]
thread_local! {
    static WIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

/// Calls `f` with the best vectors, or with the narrower ones.
#[cfg(test)]
pub(super) fn with_vectors<T>(wide: bool, f: impl FnOnce() -> T) -> T {
    WIDE.set(wide);
    let result = f();
    WIDE.set(true);
    result
}

/// The best vectors of this CPU; `None` where strips cannot run.
pub(super) fn vectors() -> Option<Vectors> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        #[cfg(test)]
        let wide = WIDE.get();
        #[cfg(not(test))]
        let wide = true;
        if wide && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
            return Some(Vectors::Avx512);
        }
        if has!("avx2") && has!("avx") {
            return Some(Vectors::Avx2);
        }
    }
    None
}

impl Vectors {
    /// Elements of a strip.
    pub fn strip(self, float: Float) -> usize {
        let bytes = match self {
            Vectors::Avx512 => 16 * 64,
            Vectors::Avx2 => 8 * 32,
        };
        bytes / float.size()
    }

    /// Runs code on so many strips. The first `moving` operands, a multiple of [`MOVED`], are moved on; no others have a step.
    ///
    /// # Safety
    /// The CPU has the vectors. Every operand that the code names must have memory for each of the strips, of the type that the operation
    /// reads or writes there, and nothing else may write it meanwhile. Kernels take one argument of the strip's floats and make such; what
    /// they are called with and what they make are two operands.
    pub unsafe fn run(self, float: Float, code: &Code, operands: &mut [Operand], moving: usize, strips: usize) {
        assert!(code.micros.iter().all(|micro| usize::from(micro.x.max(micro.y)) < operands.len()));
        debug_assert!(operands.iter().skip(moving).all(|operand| operand.step == 0) && moving.is_multiple_of(MOVED));
        // SAFETY: the numbers of operands were looked at, the rest is the caller's.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            match (self, float) {
                (Vectors::Avx512, Float::F64) => run::doubles_avx512(code, operands, moving, strips),
                (Vectors::Avx512, Float::F32) => run::singles_avx512(code, operands, moving, strips),
                (Vectors::Avx2, Float::F64) => run::doubles_avx2(code, operands, moving, strips),
                (Vectors::Avx2, Float::F32) => run::singles_avx2(code, operands, moving, strips),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("{self:?} of {float:?} by {moving} operands, {strips} times: `vectors` gave none");
    }
}
