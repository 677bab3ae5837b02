//! The loop over strips, for each kind of vectors.

use super::lanes::Lanes;
use super::{Code, MOVED, Op, Operand};
use crate::data::prefetch;
use crate::kernel::order::LANES;
use std::arch::x86_64::*;

/// So many bytes ahead memory is asked for.
const AHEAD: usize = 8192;

/// # Safety
/// As [`super::Vectors::run`], and operands' numbers are within them.
#[inline(always)]
unsafe fn strips<L: Lanes>(code: &Code, operands: &mut [Operand], moving: usize, strips: usize) {
    let vector = L::N * L::SIZE;
    // SAFETY: the CPU has the vectors.
    let mut a = unsafe { [L::zero(); 16] };
    for _ in 0..strips {
        for micro in code.micros {
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
            // Of what is in the accumulator, or is loaded first.
            macro_rules! of {
                ($i:ident, $a:ident => $value:expr) => {
                    if micro.loads {
                        let y = at(micro.y);
                        each!($i => { let $a = L::load(y.add($i * vector)); $value })
                    } else {
                        each!($i => { let $a = a[$i]; $value })
                    }
                };
            }
            // With an operand, which is read once where all of it is one number.
            macro_rules! with {
                ($i:ident, $a:ident, $x:ident => $value:expr) => {
                    if micro.uniform {
                        // SAFETY: as above.
                        let $x = unsafe { L::load(x) };
                        of!($i, $a => $value)
                    } else {
                        of!($i, $a => { let $x = L::load(x.add($i * vector)); $value })
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
                Op::Ask => {
                    // SAFETY: the number is within the operands.
                    let mut left = unsafe { operands.get_unchecked(usize::from(micro.x)).step };
                    let mut soon = x.wrapping_add(AHEAD);
                    loop {
                        (0..4).for_each(|line| prefetch::far(soon.wrapping_add(64 * line)));
                        if left <= 4 * 64 {
                            break;
                        }
                        (left, soon) = (left - 4 * 64, soon.wrapping_add(4 * 64));
                    }
                }
                Op::Load => each!(I => L::load(x.add(I * vector))),
                Op::Store => each!(I => { a[I].store(x.add(I * vector)); a[I] }),
                Op::Stream => each!(I => { a[I].stream(x.add(I * vector)); a[I] }),
                Op::LoadBools => each!(I => L::load_bools(x.add(I * L::N))),
                Op::StoreBools => each!(I => { a[I].store_bools(x.add(I * L::N)); a[I] }),
                Op::LoadOther => each!(I => L::load_other(x.add(I * other))),
                Op::StoreOther => each!(I => { a[I].store_other(x.add(I * other)); a[I] }),
                Op::Call => {
                    let kernel = code.kernels[usize::from(micro.kernel)];
                    // SAFETY: both are strips of the floats that the kernel takes and makes, says the caller.
                    unsafe { kernel.run(&[at(micro.y), std::ptr::null(), std::ptr::null()], x, L::N * L::VECTORS) };
                    each!(I => L::load(x.add(I * vector)))
                }
                Op::Sum => each!(I => {
                    let sum = x.add(I % (LANES / L::N) * vector);
                    L::load(sum).add(a[I]).store(sum);
                    a[I]
                }),

                Op::Negative => of!(I, a => a.xor(L::sign_bit())),
                Op::Absolute => of!(I, a => L::sign_bit().mask_out(a)),
                // Every third by the unit that divides, while the others are multiplied: on Zen 4 both ways take as long each, on Intel's
                // cores dividing takes twice as long.
                Op::Sqrt => of!(I, a => if I.is_multiple_of(3) { a.sqrt() } else { a.sqrt_by_steps() }),
                Op::Square => of!(I, a => a.mul(a)),
                Op::Cube => of!(I, a => a.mul(a.mul(a))),
                Op::Reciprocal => of!(I, a => L::one().div(a)),
                Op::Floor => of!(I, a => a.floor()),
                Op::Ceil => of!(I, a => a.ceil()),
                Op::Trunc => of!(I, a => a.trunc()),
                Op::Rint => of!(I, a => a.rint()),
                Op::Isnan => of!(I, a => a.not_equal(a)),
                // Of what is not finite, the difference to itself is nan.
                Op::Isfinite => of!(I, a => { let zero = a.sub(a); zero.equal(zero) }),
                Op::Not => of!(I, a => a.xor(L::all_bits())),

                Op::Add => with!(I, a, x => a.add(x)),
                Op::Subtract => with!(I, a, x => a.sub(x)),
                Op::SubtractFrom => with!(I, a, x => x.sub(a)),
                Op::Multiply => with!(I, a, x => a.mul(x)),
                Op::Divide => with!(I, a, x => a.div(x)),
                Op::DivideInto => with!(I, a, x => x.div(a)),
                Op::Maximum => with!(I, a, x => maximum(a, x)),
                Op::MaximumOf => with!(I, a, x => maximum(x, a)),
                Op::Minimum => with!(I, a, x => minimum(a, x)),
                Op::MinimumOf => with!(I, a, x => minimum(x, a)),
                Op::Fmax => with!(I, a, x => fmax(a, x)),
                Op::FmaxOf => with!(I, a, x => fmax(x, a)),
                Op::Fmin => with!(I, a, x => fmin(a, x)),
                Op::FminOf => with!(I, a, x => fmin(x, a)),
                Op::Equal => with!(I, a, x => a.equal(x)),
                Op::NotEqual => with!(I, a, x => a.not_equal(x)),
                Op::Less => with!(I, a, x => a.less(x)),
                Op::Greater => with!(I, a, x => x.less(a)),
                Op::LessEqual => with!(I, a, x => a.less_equal(x)),
                Op::GreaterEqual => with!(I, a, x => x.less_equal(a)),
                Op::And => with!(I, a, x => a.and(x)),
                Op::Or => with!(I, a, x => a.or(x)),
                Op::Xor => with!(I, a, x => a.xor(x)),

                Op::Select => choose!(I, x, y => a[I].select(x, y)),
                Op::SelectThen => choose!(I, x, y => x.select(a[I], y)),
                Op::SelectElse => choose!(I, x, y => x.select(y, a[I])),
            }
        }
        for few in operands[..moving].as_chunks_mut::<MOVED>().0 {
            for operand in few {
                operand.at = operand.at.wrapping_add(operand.step);
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
        pub unsafe fn $name(code: &Code, operands: &mut [Operand], moving: usize, count: usize) {
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
