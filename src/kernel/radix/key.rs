//! Elements as integers of 64 bits that are in the same order.

use crate::kernel::rank::Ranked;

/// An element with a rank of 64 bits, that can be made again of it.
pub trait Radix: Ranked {
    /// In the order of [`Ranked::rank`]; -0 comes before 0.
    fn key(self) -> u64;
    /// The element of that key; of all that are `nan` the usual one.
    fn of_key(key: u64) -> Self;
    /// A key in the place of an element, which is what elements are until they are in order.
    fn holding(key: u64) -> Self;
    fn held(self) -> u64;
}

macro_rules! integers {
    ($($T:ty, $Bits:ty, $first:expr;)*) => {$(
        impl Radix for $T {
            #[inline(always)]
            fn key(self) -> u64 {
                // The least one becomes 0.
                u64::from((self as $Bits).wrapping_sub($first as $Bits))
            }
            #[inline(always)]
            fn of_key(key: u64) -> Self {
                (key as $Bits).wrapping_add($first as $Bits) as $T
            }
            #[inline(always)]
            fn holding(key: u64) -> Self {
                key as $T
            }
            #[inline(always)]
            fn held(self) -> u64 {
                u64::from(self as $Bits)
            }
        }
    )*};
}

integers! {
    i8, u8, i8::MIN;
    i16, u16, i16::MIN;
    i32, u32, i32::MIN;
    i64, u64, i64::MIN;
    u8, u8, 0;
    u16, u16, 0;
    u32, u32, 0;
    u64, u64, 0;
}

impl Radix for bool {
    #[inline(always)]
    fn key(self) -> u64 {
        u64::from(self)
    }
    #[inline(always)]
    fn of_key(key: u64) -> Self {
        key != 0
    }
    #[inline(always)]
    fn holding(key: u64) -> Self {
        key != 0
    }
    #[inline(always)]
    fn held(self) -> u64 {
        u64::from(self)
    }
}

macro_rules! floats {
    ($($T:ty, $Signed:ty, $Bits:ty;)*) => {$(
        impl Radix for $T {
            #[inline(always)]
            fn key(self) -> u64 {
                const SIGN: $Bits = 1 << (<$Bits>::BITS - 1);
                let bits = self.to_bits();
                // Negative numbers are turned over, the others go above them; nan is above all, whatever its sign.
                let turned = bits ^ (((bits as $Signed) >> (<$Bits>::BITS - 1)) as $Bits | SIGN);
                u64::from(if self.is_nan() { <$Bits>::MAX } else { turned })
            }
            #[inline(always)]
            fn of_key(key: u64) -> Self {
                const SIGN: $Bits = 1 << (<$Bits>::BITS - 1);
                let key = key as $Bits;
                let x = Self::from_bits(if key & SIGN != 0 { key ^ SIGN } else { !key });
                if x.is_nan() { Self::NAN } else { x }
            }
            #[inline(always)]
            fn holding(key: u64) -> Self {
                Self::from_bits(key as $Bits)
            }
            #[inline(always)]
            fn held(self) -> u64 {
                u64::from(self.to_bits())
            }
        }
    )*};
}

floats! {
    f32, i32, u32;
    f64, i64, u64;
}
