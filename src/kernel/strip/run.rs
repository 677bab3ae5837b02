//! The loop over strips, for each kind of vectors.

use super::lanes::Lanes;
use super::{Micro, Op, Operand};
use crate::data::prefetch;
use std::arch::x86_64::*;

/// So many bytes ahead memory is asked for.
const AHEAD: usize = 8192;

/// # Safety
/// As [`super::Vectors::run`], and operands' numbers are within them.
#[inline(always)]
unsafe fn strips<L: Lanes>(code: &[Micro], operands: &mut [Operand], moving: usize, strips: usize) {
    let vector = L::N * L::SIZE;
    for _ in 0..strips {
        // SAFETY: the CPU has the vectors.
        let mut a = unsafe { [L::zero(); 16] };
        for micro in code {
            // SAFETY: the number is within the operands.
            let at = |n: u16| unsafe { operands.get_unchecked(usize::from(n)).at };
            let x = at(micro.x);
            // One by one, so that the accumulator stays in registers: nothing indexes it at run time.
            macro_rules! each {
                ($i:ident => $value:expr) => {{
                    each!(@ $i $value; 0 1 2 3 4 5 6 7);
                    if L::VECTORS == 16 {
                        each!(@ $i $value; 8 9 10 11 12 13 14 15);
                    }
                }};
                (@ $i:ident $value:expr; $($n:literal)*) => {
                    // SAFETY: as the function: the CPU has the vectors, and operands have a strip.
                    $({ const $i: usize = $n; a[$n] = unsafe { $value }; })*
                };
            }
            // With an operand, which is read once where all of it is one number.
            macro_rules! with {
                ($i:ident, $x:ident => $value:expr) => {
                    if micro.uniform {
                        // SAFETY: as above.
                        let $x = unsafe { L::load(x) };
                        each!($i => $value)
                    } else {
                        each!($i => { let $x = L::load(x.add($i * vector)); $value })
                    }
                };
            }
            macro_rules! choose {
                ($i:ident, $x:ident, $y:ident => $value:expr) => {{
                    let y = at(micro.y);
                    each!($i => {
                        let ($x, $y) = (L::load(x.add($i * vector)), L::load(y.add($i * vector)));
                        $value
                    })
                }};
            }
            let other = L::N * (12 - L::SIZE);
            match micro.op {
                Op::Load => each!(I => L::load(x.add(I * vector))),
                Op::Store => each!(I => { a[I].store(x.add(I * vector)); a[I] }),
                Op::Stream => each!(I => { a[I].stream(x.add(I * vector)); a[I] }),
                Op::LoadBools => each!(I => L::load_bools(x.add(I * L::N))),
                Op::StoreBools => each!(I => { a[I].store_bools(x.add(I * L::N)); a[I] }),
                Op::LoadOther => each!(I => L::load_other(x.add(I * other))),
                Op::StoreOther => each!(I => { a[I].store_other(x.add(I * other)); a[I] }),

                Op::Negative => each!(I => a[I].xor(L::sign_bit())),
                Op::Absolute => each!(I => L::sign_bit().mask_out(a[I])),
                Op::Sqrt => each!(I => a[I].sqrt()),
                Op::Square => each!(I => a[I].mul(a[I])),
                Op::Reciprocal => each!(I => L::one().div(a[I])),
                Op::Floor => each!(I => a[I].floor()),
                Op::Ceil => each!(I => a[I].ceil()),
                Op::Trunc => each!(I => a[I].trunc()),
                Op::Rint => each!(I => a[I].rint()),
                Op::Isnan => each!(I => a[I].not_equal(a[I])),
                // Of what is not finite, the difference to itself is nan.
                Op::Isfinite => each!(I => { let zero = a[I].sub(a[I]); zero.equal(zero) }),
                Op::Not => each!(I => a[I].xor(L::all_bits())),

                Op::Add => with!(I, x => a[I].add(x)),
                Op::Subtract => with!(I, x => a[I].sub(x)),
                Op::SubtractFrom => with!(I, x => x.sub(a[I])),
                Op::Multiply => with!(I, x => a[I].mul(x)),
                Op::Divide => with!(I, x => a[I].div(x)),
                Op::DivideInto => with!(I, x => x.div(a[I])),
                Op::Maximum => with!(I, x => maximum(a[I], x)),
                Op::MaximumOf => with!(I, x => maximum(x, a[I])),
                Op::Minimum => with!(I, x => minimum(a[I], x)),
                Op::MinimumOf => with!(I, x => minimum(x, a[I])),
                Op::Fmax => with!(I, x => fmax(a[I], x)),
                Op::FmaxOf => with!(I, x => fmax(x, a[I])),
                Op::Fmin => with!(I, x => fmin(a[I], x)),
                Op::FminOf => with!(I, x => fmin(x, a[I])),
                Op::Equal => with!(I, x => a[I].equal(x)),
                Op::NotEqual => with!(I, x => a[I].not_equal(x)),
                Op::Less => with!(I, x => a[I].less(x)),
                Op::Greater => with!(I, x => x.less(a[I])),
                Op::LessEqual => with!(I, x => a[I].less_equal(x)),
                Op::GreaterEqual => with!(I, x => x.less_equal(a[I])),
                Op::And => with!(I, x => a[I].and(x)),
                Op::Or => with!(I, x => a[I].or(x)),
                Op::Xor => with!(I, x => a[I].xor(x)),

                Op::Select => choose!(I, x, y => a[I].select(x, y)),
                Op::SelectThen => choose!(I, x, y => x.select(a[I], y)),
                Op::SelectElse => choose!(I, x, y => x.select(y, a[I])),
            }
        }
        for operand in &mut operands[..moving] {
            operand.at = operand.at.wrapping_add(operand.step);
            if operand.streams {
                for line in (0..operand.step).step_by(64) {
                    prefetch::far(operand.at.wrapping_add(AHEAD + line));
                }
            }
        }
    }
}

/// These four as [`Real`](crate::kernel::tile::scalar::Real) has them: nan of the first goes first, of equal zeros the second is given.
#[inline(always)]
unsafe fn maximum<L: Lanes>(a: L, b: L) -> L {
    // SAFETY: the caller's.
    unsafe { b.less(a).or(a.not_equal(a)).select(a, b) }
}

#[inline(always)]
unsafe fn minimum<L: Lanes>(a: L, b: L) -> L {
    // SAFETY: the caller's.
    unsafe { a.less(b).or(a.not_equal(a)).select(a, b) }
}

#[inline(always)]
unsafe fn fmax<L: Lanes>(a: L, b: L) -> L {
    // SAFETY: the caller's.
    unsafe { b.less(a).or(b.not_equal(b)).select(a, b) }
}

#[inline(always)]
unsafe fn fmin<L: Lanes>(a: L, b: L) -> L {
    // SAFETY: the caller's.
    unsafe { a.less(b).or(b.not_equal(b)).select(a, b) }
}

macro_rules! compiled {
    ($($name:ident: $L:ty, $feature:literal;)*) => {$(
        /// # Safety
        /// As [`super::Vectors::run`].
        #[target_feature(enable = $feature)]
        pub unsafe fn $name(code: &[Micro], operands: &mut [Operand], moving: usize, count: usize) {
            // SAFETY: the caller's.
            unsafe { strips::<$L>(code, operands, moving, count) }
        }
    )*};
}

compiled! {
    doubles_avx512: __m512d, "avx512f,avx512bw,avx512dq,avx512vl";
    singles_avx512: __m512, "avx512f,avx512bw,avx512dq,avx512vl";
    doubles_avx2: __m256d, "avx2";
    singles_avx2: __m256, "avx2";
}
