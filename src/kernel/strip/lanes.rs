//! Vectors of floats, as strips take them: what AVX-512 and AVX2 do for them in an instruction or two.

use std::arch::x86_64::*;

/// A vector. A mask is one, too: of all bits where something holds, of none where it does not.
///
/// # Safety
/// All of it may only be called where the CPU has the vectors; pointers must be good for as many elements as a vector has, of any
/// alignment.
pub unsafe trait Lanes: Copy {
    /// Elements of a vector.
    const N: usize;
    /// Bytes of an element.
    const SIZE: usize;
    /// Vectors of a strip: half of the CPU's registers.
    const VECTORS: usize;

    unsafe fn load(from: *const u8) -> Self;
    unsafe fn store(self, to: *mut u8);
    /// Past the caches; the address is a multiple of the vector's bytes.
    unsafe fn stream(self, to: *mut u8);
    /// Bools, a byte each, as a mask.
    unsafe fn load_bools(from: *const u8) -> Self;
    unsafe fn store_bools(self, to: *mut u8);
    /// Of the other float type.
    unsafe fn load_other(from: *const u8) -> Self;
    unsafe fn store_other(self, to: *mut u8);
    unsafe fn zero() -> Self;
    unsafe fn one() -> Self;
    unsafe fn sign_bit() -> Self;
    unsafe fn all_bits() -> Self;

    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// The same to the bit, by the units that multiply instead of the one that divides: of several vectors some can go either way, side
    /// by side. As [`Lanes::sqrt`], where these are no faster.
    #[inline(always)]
    unsafe fn sqrt_by_steps(self) -> Self {
        // SAFETY: the caller's.
        unsafe { self.sqrt() }
    }
    unsafe fn floor(self) -> Self;
    unsafe fn ceil(self) -> Self;
    unsafe fn trunc(self) -> Self;
    unsafe fn rint(self) -> Self;

    unsafe fn and(self, other: Self) -> Self;
    unsafe fn or(self, other: Self) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// `other` without the bits of `self`.
    unsafe fn mask_out(self, other: Self) -> Self;

    unsafe fn equal(self, other: Self) -> Self;
    /// Also where one is nan.
    unsafe fn not_equal(self, other: Self) -> Self;
    unsafe fn less(self, other: Self) -> Self;
    unsafe fn less_equal(self, other: Self) -> Self;
    /// By a mask, the one or the other.
    unsafe fn select(self, yes: Self, no: Self) -> Self;
}

/// Functions that are one intrinsic each.
macro_rules! one_each {
    ($($name:ident($($arg:ident),*) = $intrinsic:ident $(::<$n:tt>)?;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self $(, $arg: Self)*) -> Self {
            // SAFETY: the CPU has the vectors.
            unsafe { $intrinsic $(::<$n>)? (self $(, $arg)*) }
        }
    )*};
}

/// Functions that are an expression of intrinsics.
macro_rules! of_few {
    ($($name:ident($($arg:ident: $T:ty),*) $(-> $R:ty)? = $value:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name($($arg: $T),*) $(-> $R)? {
            // SAFETY: the CPU has the vectors, and the caller vouches for pointers.
            unsafe { $value }
        }
    )*};
}

// SAFETY: each function does what its name says, on as many elements as the vector has.
unsafe impl Lanes for __m512d {
    const N: usize = 8;
    const SIZE: usize = 8;
    const VECTORS: usize = 16;

    one_each! {
        add(other) = _mm512_add_pd;
        sub(other) = _mm512_sub_pd;
        mul(other) = _mm512_mul_pd;
        div(other) = _mm512_div_pd;
        sqrt() = _mm512_sqrt_pd;
        floor() = _mm512_roundscale_pd::<0x09>;
        ceil() = _mm512_roundscale_pd::<0x0a>;
        trunc() = _mm512_roundscale_pd::<0x0b>;
        rint() = _mm512_roundscale_pd::<0x08>;
        and(other) = _mm512_and_pd;
        or(other) = _mm512_or_pd;
        xor(other) = _mm512_xor_pd;
        mask_out(other) = _mm512_andnot_pd;
    }
    of_few! {
        load(from: *const u8) -> Self = _mm512_loadu_pd(from.cast());
        store(self: Self, to: *mut u8) = _mm512_storeu_pd(to.cast(), self);
        stream(self: Self, to: *mut u8) = _mm512_stream_pd(to.cast(), self);
        load_bools(from: *const u8) -> Self = {
            let bytes = _mm_loadl_epi64(from.cast());
            _mm512_castsi512_pd(_mm512_movm_epi64(_mm_test_epi8_mask(bytes, bytes) as u8))
        };
        store_bools(self: Self, to: *mut u8) = {
            let ones = _mm512_maskz_set1_epi64(_mm512_movepi64_mask(_mm512_castpd_si512(self)), 1);
            _mm_storel_epi64(to.cast(), _mm512_cvtepi64_epi8(ones));
        };
        load_other(from: *const u8) -> Self = _mm512_cvtps_pd(_mm256_loadu_ps(from.cast()));
        store_other(self: Self, to: *mut u8) = _mm256_storeu_ps(to.cast(), _mm512_cvtpd_ps(self));
        sqrt_by_steps(self: Self) -> Self = sqrt_by_steps(self);
        zero() -> Self = _mm512_setzero_pd();
        one() -> Self = _mm512_set1_pd(1.0);
        sign_bit() -> Self = _mm512_set1_pd(-0.0);
        all_bits() -> Self = _mm512_castsi512_pd(_mm512_set1_epi64(-1));
        equal(self: Self, other: Self) -> Self =
            _mm512_castsi512_pd(_mm512_movm_epi64(_mm512_cmp_pd_mask::<_CMP_EQ_OQ>(self, other)));
        not_equal(self: Self, other: Self) -> Self =
            _mm512_castsi512_pd(_mm512_movm_epi64(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(self, other)));
        less(self: Self, other: Self) -> Self =
            _mm512_castsi512_pd(_mm512_movm_epi64(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(self, other)));
        less_equal(self: Self, other: Self) -> Self =
            _mm512_castsi512_pd(_mm512_movm_epi64(_mm512_cmp_pd_mask::<_CMP_LE_OQ>(self, other)));
        select(self: Self, yes: Self, no: Self) -> Self =
            _mm512_mask_blend_pd(_mm512_movepi64_mask(_mm512_castpd_si512(self)), no, yes);
    }
}

/// Square roots, rounded as the processor rounds them, whose own instruction takes as long or twice as long: twice Newton's step for the
/// root and half its inverse, from the processor's guess of that; then P. Markstein's last step ("Computation of elementary functions on
/// the IBM RISC System/6000 processor", 1990), by what the square of the root still lacks, which is exact.
///
/// Before that is rounded once it is off by less than 2⁻¹⁰² of itself. Only of a few numbers the root is that near to where rounding turns;
/// the tests find all of these.
///
/// # Safety
/// The CPU has AVX-512.
#[inline(always)]
unsafe fn sqrt_by_steps(x: __m512d) -> __m512d {
    // Below, what is lacking would lose bits; 0, what is negative or no number, and infinity are beyond, too.
    const LEAST: i64 = (1023 - 900) << 52;
    const BEYOND: i64 = (2047 << 52) - LEAST;
    // SAFETY: the caller's.
    unsafe {
        let above = _mm512_sub_epi64(_mm512_castpd_si512(x), _mm512_set1_epi64(LEAST));
        if _mm512_cmplt_epu64_mask(above, _mm512_set1_epi64(BEYOND)) != 0xff {
            return _mm512_sqrt_pd(x);
        }
        let half = _mm512_set1_pd(0.5);
        let inverse = _mm512_rsqrt14_pd(x);
        let (mut root, mut half_inverse) = (_mm512_mul_pd(x, inverse), _mm512_mul_pd(half, inverse));
        for _ in 0..2 {
            let lacks = _mm512_fnmadd_pd(root, half_inverse, half);
            root = _mm512_fmadd_pd(root, lacks, root);
            half_inverse = _mm512_fmadd_pd(half_inverse, lacks, half_inverse);
        }
        _mm512_fmadd_pd(_mm512_fnmadd_pd(root, root, x), half_inverse, root)
    }
}

// SAFETY: each function does what its name says, on as many elements as the vector has.
unsafe impl Lanes for __m512 {
    const N: usize = 16;
    const SIZE: usize = 4;
    const VECTORS: usize = 16;

    one_each! {
        add(other) = _mm512_add_ps;
        sub(other) = _mm512_sub_ps;
        mul(other) = _mm512_mul_ps;
        div(other) = _mm512_div_ps;
        sqrt() = _mm512_sqrt_ps;
        floor() = _mm512_roundscale_ps::<0x09>;
        ceil() = _mm512_roundscale_ps::<0x0a>;
        trunc() = _mm512_roundscale_ps::<0x0b>;
        rint() = _mm512_roundscale_ps::<0x08>;
        and(other) = _mm512_and_ps;
        or(other) = _mm512_or_ps;
        xor(other) = _mm512_xor_ps;
        mask_out(other) = _mm512_andnot_ps;
    }
    of_few! {
        load(from: *const u8) -> Self = _mm512_loadu_ps(from.cast());
        store(self: Self, to: *mut u8) = _mm512_storeu_ps(to.cast(), self);
        stream(self: Self, to: *mut u8) = _mm512_stream_ps(to.cast(), self);
        load_bools(from: *const u8) -> Self = {
            let bytes = _mm_loadu_si128(from.cast());
            _mm512_castsi512_ps(_mm512_movm_epi32(_mm_test_epi8_mask(bytes, bytes)))
        };
        store_bools(self: Self, to: *mut u8) = {
            let ones = _mm512_maskz_set1_epi32(_mm512_movepi32_mask(_mm512_castps_si512(self)), 1);
            _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(ones));
        };
        load_other(from: *const u8) -> Self = {
            let (low, high) = (_mm512_loadu_pd(from.cast()), _mm512_loadu_pd(from.add(64).cast()));
            _mm512_insertf32x8::<1>(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high))
        };
        store_other(self: Self, to: *mut u8) = {
            _mm512_storeu_pd(to.cast(), _mm512_cvtps_pd(_mm512_castps512_ps256(self)));
            _mm512_storeu_pd(to.add(64).cast(), _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(self)));
        };
        zero() -> Self = _mm512_setzero_ps();
        one() -> Self = _mm512_set1_ps(1.0);
        sign_bit() -> Self = _mm512_set1_ps(-0.0);
        all_bits() -> Self = _mm512_castsi512_ps(_mm512_set1_epi64(-1));
        equal(self: Self, other: Self) -> Self =
            _mm512_castsi512_ps(_mm512_movm_epi32(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self, other)));
        not_equal(self: Self, other: Self) -> Self =
            _mm512_castsi512_ps(_mm512_movm_epi32(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self, other)));
        less(self: Self, other: Self) -> Self =
            _mm512_castsi512_ps(_mm512_movm_epi32(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(self, other)));
        less_equal(self: Self, other: Self) -> Self =
            _mm512_castsi512_ps(_mm512_movm_epi32(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(self, other)));
        select(self: Self, yes: Self, no: Self) -> Self =
            _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(self)), no, yes);
    }
}

// SAFETY: each function does what its name says, on as many elements as the vector has.
unsafe impl Lanes for __m256d {
    const N: usize = 4;
    const SIZE: usize = 8;
    const VECTORS: usize = 8;

    one_each! {
        add(other) = _mm256_add_pd;
        sub(other) = _mm256_sub_pd;
        mul(other) = _mm256_mul_pd;
        div(other) = _mm256_div_pd;
        sqrt() = _mm256_sqrt_pd;
        floor() = _mm256_round_pd::<0x09>;
        ceil() = _mm256_round_pd::<0x0a>;
        trunc() = _mm256_round_pd::<0x0b>;
        rint() = _mm256_round_pd::<0x08>;
        and(other) = _mm256_and_pd;
        or(other) = _mm256_or_pd;
        xor(other) = _mm256_xor_pd;
        mask_out(other) = _mm256_andnot_pd;
        equal(other) = _mm256_cmp_pd::<_CMP_EQ_OQ>;
        not_equal(other) = _mm256_cmp_pd::<_CMP_NEQ_UQ>;
        less(other) = _mm256_cmp_pd::<_CMP_LT_OQ>;
        less_equal(other) = _mm256_cmp_pd::<_CMP_LE_OQ>;
    }
    of_few! {
        load(from: *const u8) -> Self = _mm256_loadu_pd(from.cast());
        store(self: Self, to: *mut u8) = _mm256_storeu_pd(to.cast(), self);
        stream(self: Self, to: *mut u8) = _mm256_stream_pd(to.cast(), self);
        load_bools(from: *const u8) -> Self = {
            let wide = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned()));
            _mm256_castsi256_pd(_mm256_cmpgt_epi64(wide, _mm256_setzero_si256()))
        };
        store_bools(self: Self, to: *mut u8) = {
            // A bit of a number for each lane, moved into a byte each.
            let bits = _mm256_movemask_pd(self) as u32;
            to.cast::<u32>().write_unaligned(bits.wrapping_mul(0x0020_4081) & 0x0101_0101);
        };
        load_other(from: *const u8) -> Self = _mm256_cvtps_pd(_mm_loadu_ps(from.cast()));
        store_other(self: Self, to: *mut u8) = _mm_storeu_ps(to.cast(), _mm256_cvtpd_ps(self));
        zero() -> Self = _mm256_setzero_pd();
        one() -> Self = _mm256_set1_pd(1.0);
        sign_bit() -> Self = _mm256_set1_pd(-0.0);
        all_bits() -> Self = _mm256_castsi256_pd(_mm256_set1_epi64x(-1));
        select(self: Self, yes: Self, no: Self) -> Self = _mm256_blendv_pd(no, yes, self);
    }
}

// SAFETY: each function does what its name says, on as many elements as the vector has.
unsafe impl Lanes for __m256 {
    const N: usize = 8;
    const SIZE: usize = 4;
    const VECTORS: usize = 8;

    one_each! {
        add(other) = _mm256_add_ps;
        sub(other) = _mm256_sub_ps;
        mul(other) = _mm256_mul_ps;
        div(other) = _mm256_div_ps;
        sqrt() = _mm256_sqrt_ps;
        floor() = _mm256_round_ps::<0x09>;
        ceil() = _mm256_round_ps::<0x0a>;
        trunc() = _mm256_round_ps::<0x0b>;
        rint() = _mm256_round_ps::<0x08>;
        and(other) = _mm256_and_ps;
        or(other) = _mm256_or_ps;
        xor(other) = _mm256_xor_ps;
        mask_out(other) = _mm256_andnot_ps;
        equal(other) = _mm256_cmp_ps::<_CMP_EQ_OQ>;
        not_equal(other) = _mm256_cmp_ps::<_CMP_NEQ_UQ>;
        less(other) = _mm256_cmp_ps::<_CMP_LT_OQ>;
        less_equal(other) = _mm256_cmp_ps::<_CMP_LE_OQ>;
    }
    of_few! {
        load(from: *const u8) -> Self = _mm256_loadu_ps(from.cast());
        store(self: Self, to: *mut u8) = _mm256_storeu_ps(to.cast(), self);
        stream(self: Self, to: *mut u8) = _mm256_stream_ps(to.cast(), self);
        load_bools(from: *const u8) -> Self = {
            let wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()))
        };
        store_bools(self: Self, to: *mut u8) = {
            // Two times four, as for doubles.
            let bits = _mm256_movemask_ps(self) as u32;
            let half = |bits: u32| u64::from((bits & 15).wrapping_mul(0x0020_4081) & 0x0101_0101);
            to.cast::<u64>().write_unaligned(half(bits) | half(bits >> 4) << 32);
        };
        load_other(from: *const u8) -> Self = {
            let (low, high) = (_mm256_loadu_pd(from.cast()), _mm256_loadu_pd(from.add(32).cast()));
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high))
        };
        store_other(self: Self, to: *mut u8) = {
            _mm256_storeu_pd(to.cast(), _mm256_cvtps_pd(_mm256_castps256_ps128(self)));
            _mm256_storeu_pd(to.add(32).cast(), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(self)));
        };
        zero() -> Self = _mm256_setzero_ps();
        one() -> Self = _mm256_set1_ps(1.0);
        sign_bit() -> Self = _mm256_set1_ps(-0.0);
        all_bits() -> Self = _mm256_castsi256_ps(_mm256_set1_epi64x(-1));
        select(self: Self, yes: Self, no: Self) -> Self = _mm256_blendv_ps(no, yes, self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::strip::{Vectors, vectors};
    use proptest::prelude::*;

    /// The square root of eight numbers, if this CPU has AVX-512.
    fn roots(x: [f64; 8]) -> Option<[f64; 8]> {
        #[target_feature(enable = "avx512f")]
        unsafe fn roots(x: [f64; 8]) -> [f64; 8] {
            let mut roots = [0.0; 8];
            // SAFETY: arrays are as long as a vector.
            unsafe { _mm512_storeu_pd(roots.as_mut_ptr(), sqrt_by_steps(_mm512_loadu_pd(x.as_ptr()))) };
            roots
        }
        // SAFETY: the CPU was asked.
        (vectors() == Some(Vectors::Avx512)).then(|| unsafe { roots(x) })
    }

    fn is_rounded(x: f64) -> bool {
        let all = |roots: [f64; 8]| roots.iter().all(|root| root.to_bits() == x.sqrt().to_bits());
        roots([x; 8]).is_none_or(all)
    }

    /// An odd number whose square is `c`, which is 1 more than a multiple of 8, but for multiples of 2 to the `bits`.
    fn root_of(c: i64, bits: u32) -> u128 {
        (3..bits).fold(1u128, |root, bit| {
            let differs = (root * root).wrapping_sub(i128::from(c) as u128) >> bit & 1;
            root + (differs << (bit - 1))
        })
    }

    /// A root is nearest to a middle m between two floats, of 54 bits, where m² is nearest to a float: m² = x + c, with c small beside
    /// the last bit of x. For these c all m, and so all x, are known, those between 1 and 4 stand for all others.
    #[test]
    fn roots_beside_a_middle_are_rounded_to_the_right_side() {
        let mut tried = 0;
        for c in (-8191..8192i64).filter(|c| c.rem_euclid(8) == 1) {
            for (bits, exponent) in [(54, 0), (55, 1)] {
                let (root, end) = (root_of(c, bits), 1u128 << bits);
                let all = [root, end - root, (root + end / 2) % end, (end / 2 + end - root) % end];
                for middle in all.into_iter().flat_map(|m| [m, m + end]) {
                    let significand = (middle * middle).wrapping_sub(i128::from(c) as u128) >> bits;
                    if (1 << 53..1 << 54).contains(&middle) && (1 << 52..1 << 53).contains(&significand) {
                        let x = significand as f64 * 2f64.powi(exponent - 52);
                        assert!(is_rounded(x), "√{x:e}");
                        assert!(is_rounded(x * 2f64.powi(-600)) && is_rounded(x * 2f64.powi(900)), "√{x:e}, scaled");
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 2500, "{tried}");
    }

    #[test]
    fn roots_of_what_is_no_usual_number() {
        let odd = [0.0, -0.0, f64::INFINITY, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1e-300, 2f64.powi(-900)];
        assert!(odd.into_iter().all(is_rounded));
        assert!(
            roots([-1.0, f64::NAN, -0.5, f64::NEG_INFINITY, -1e-310, -5.0, -f64::MAX, f64::NAN])
                .is_none_or(|roots| roots.iter().all(|root| root.is_nan()))
        );
    }

    proptest! {
        #[test]
        fn roots_are_rounded(bits in 0..f64::INFINITY.to_bits()) {
            prop_assert!(is_rounded(f64::from_bits(bits)));
        }
    }
}
