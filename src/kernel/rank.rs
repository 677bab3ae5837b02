//! Numbers as integers that are in the same order: what the places of extremes, sorting and searching go by.
//!
//! The bits of a float, read as a signed integer, are in order among the positive ones and in reverse among the negative
//! ones; turning the latter over puts all of them in order. `nan` comes last, as NumPy sorts it, and both zeros are one.

use crate::data::{Complex32, Complex64, Element};

/// An element that can be put in NumPy's order. Complex numbers go by their real parts, then by the imaginary ones.
pub trait Ranked: Element {
    type Rank: Ord + Copy + Send + Sync;
    /// Of `nan`, which is the last.
    const LAST: Self::Rank;
    /// Before that of everything.
    const FIRST: Self::Rank;
    fn rank(self) -> Self::Rank;
    /// The rank among the same numbers in the opposite order. `nan` is still the last.
    fn opposite(self) -> Self::Rank;
    fn is_nan(self) -> bool;

    /// What sorting goes by: the rank, but that complex numbers which are `nan` have an order among themselves.
    type Order: Ord + Copy + Send + Sync;
    fn order(self) -> Self::Order;
}

macro_rules! ranked_integers {
    ($($type:ty => |$x:ident| $wide:expr;)*) => {$(
        impl Ranked for $type {
            type Rank = i64;
            const LAST: i64 = i64::MAX;
            const FIRST: i64 = i64::MIN;
            #[inline]
            fn rank(self) -> i64 { let $x = self; $wide }
            #[inline]
            fn opposite(self) -> i64 { !self.rank() }
            #[inline]
            fn is_nan(self) -> bool { false }
            type Order = i64;
            #[inline]
            fn order(self) -> i64 { self.rank() }
        }
    )*};
}

ranked_integers! {
    bool => |x| i64::from(x);
    i8 => |x| i64::from(x);
    i16 => |x| i64::from(x);
    i32 => |x| i64::from(x);
    i64 => |x| x;
    u8 => |x| i64::from(x);
    u16 => |x| i64::from(x);
    u32 => |x| i64::from(x);
    u64 => |x| (x ^ (1 << 63)) as i64;
}

macro_rules! ranked_floats {
    ($($type:ty, $bits:ty;)*) => {$(
        impl Ranked for $type {
            type Rank = i64;
            const LAST: i64 = i64::MAX;
            const FIRST: i64 = i64::MIN;
            #[inline]
            fn rank(self) -> i64 {
                // Adding 0 makes 0 of -0.
                let bits = (self + 0.0).to_bits() as $bits;
                let turned = bits ^ ((bits >> (<$bits>::BITS - 1)) & <$bits>::MAX);
                if self.is_nan() { i64::MAX } else { i64::from(turned) }
            }
            #[inline]
            fn opposite(self) -> i64 { if self.is_nan() { i64::MAX } else { !self.rank() } }
            #[inline]
            fn is_nan(self) -> bool { self != self }
            type Order = i64;
            #[inline]
            fn order(self) -> i64 { self.rank() }
        }
    )*};
}

ranked_floats! {
    f32, i32;
    f64, i64;
}

macro_rules! ranked_complex {
    ($($type:ty;)*) => {$(
        impl Ranked for $type {
            type Rank = (i64, i64);
            const LAST: (i64, i64) = (i64::MAX, i64::MAX);
            const FIRST: (i64, i64) = (i64::MIN, i64::MIN);
            #[inline]
            fn rank(self) -> (i64, i64) {
                if Ranked::is_nan(self) { Self::LAST } else { (self.re.rank(), self.im.rank()) }
            }
            #[inline]
            fn opposite(self) -> (i64, i64) {
                if Ranked::is_nan(self) { Self::LAST } else { (self.re.opposite(), self.im.opposite()) }
            }
            #[inline]
            fn is_nan(self) -> bool { self.re != self.re || self.im != self.im }
            type Order = (u8, i64, i64);
            /// As NumPy has them: all others, those with an imaginary part that is `nan`, those with a real one, those with both.
            #[inline]
            fn order(self) -> (u8, i64, i64) {
                let nan = u8::from(self.im != self.im) + 2 * u8::from(self.re != self.re);
                (nan, self.re.rank(), self.im.rank())
            }
        }
    )*};
}

ranked_complex! {
    Complex32;
    Complex64;
}

#[cfg(test)]
mod tests {
    use super::Ranked;

    #[test]
    fn ranks_are_in_the_order_of_numbers() {
        let numbers =
            [f64::NEG_INFINITY, -1e300, -1.5, -f64::MIN_POSITIVE, 0.0, 5e-324, 1.0, 2.0, f64::INFINITY, f64::NAN];
        assert!(numbers.windows(2).all(|w| w[0].rank() < w[1].rank()));
        assert!(numbers[..9].windows(2).all(|w| w[0].opposite() > w[1].opposite()));
        assert_eq!(((-0.0f64).rank(), f64::NAN.opposite()), (0.0f64.rank(), f64::LAST));
        assert!([u64::MAX.rank(), (1u64 << 63).rank(), 1u64.rank(), 0u64.rank()].windows(2).all(|w| w[0] > w[1]));
        assert!((-2.5f32).rank() < (-2.25f32).rank() && (-2.25f32).rank() < 1e-40f32.rank());
    }
}
