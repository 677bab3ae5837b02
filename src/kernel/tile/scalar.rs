//! Real arithmetic of single numbers where NumPy's rules are not Rust's.

/// What NumPy's rules need of both float types.
pub trait Real: Copy + PartialOrd + 'static {
    fn fmod(self, other: Self) -> Self;
    fn floor_divide(self, other: Self) -> Self;
    fn modulo(self, other: Self) -> Self;
    fn sign(self) -> Self;
    fn next_after(self, to: Self) -> Self;
    fn spacing(self) -> Self;
    fn log_add_exp(self, other: Self) -> Self;
    fn log_add_exp2(self, other: Self) -> Self;
    fn heaviside(self, at_zero: Self) -> Self;
    fn finite(self) -> Self;
    fn maximum(self, other: Self) -> Self;
    fn minimum(self, other: Self) -> Self;
    fn fmaximum(self, other: Self) -> Self;
    fn fminimum(self, other: Self) -> Self;
}

macro_rules! real {
    ($T:ident) => {
        impl Real for $T {
            fn fmod(self, other: Self) -> Self {
                self % other
            }

            /// Python's floor division: exact where the quotient is an integer, with signs of zero.
            fn floor_divide(self, other: Self) -> Self {
                if other == 0.0 {
                    return self / other;
                }
                let remainder = self % other;
                let mut quotient = (self - remainder) / other;
                if remainder != 0.0 && (other < 0.0) != (remainder < 0.0) {
                    quotient -= 1.0;
                }
                if quotient == 0.0 {
                    return (0.0 as $T).copysign(self / other);
                }
                let floor = quotient.floor();
                if quotient - floor > 0.5 { floor + 1.0 } else { floor }
            }

            /// Python's remainder: the sign of the divisor.
            fn modulo(self, other: Self) -> Self {
                let remainder = self % other;
                if remainder == 0.0 {
                    (0.0 as $T).copysign(other)
                } else if (other < 0.0) != (remainder < 0.0) {
                    remainder + other
                } else {
                    remainder
                }
            }

            #[inline(always)]
            fn sign(self) -> Self {
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else if self == 0.0 {
                    0.0
                } else {
                    self
                }
            }

            fn next_after(self, to: Self) -> Self {
                if self.is_nan() || to.is_nan() {
                    $T::NAN
                } else if self == to {
                    to
                } else if self < to {
                    self.next_up()
                } else {
                    self.next_down()
                }
            }

            /// The distance to the next number away from zero, with the sign of `self`.
            fn spacing(self) -> Self {
                if !self.is_finite() {
                    return $T::NAN;
                }
                let next = if self.is_sign_negative() && self != 0.0 { self.next_down() } else { self.next_up() };
                next - self
            }

            fn log_add_exp(self, other: Self) -> Self {
                let difference = self - other;
                if self == other {
                    // Also right for equal infinities.
                    self + std::$T::consts::LN_2
                } else if difference > 0.0 {
                    self + (-difference).exp().ln_1p()
                } else if difference <= 0.0 {
                    other + difference.exp().ln_1p()
                } else {
                    difference
                }
            }

            fn log_add_exp2(self, other: Self) -> Self {
                let difference = self - other;
                if self == other {
                    self + 1.0
                } else if difference > 0.0 {
                    self + (-difference).exp2().ln_1p() * std::$T::consts::LOG2_E
                } else if difference <= 0.0 {
                    other + difference.exp2().ln_1p() * std::$T::consts::LOG2_E
                } else {
                    difference
                }
            }

            fn heaviside(self, at_zero: Self) -> Self {
                if self.is_nan() {
                    self
                } else if self == 0.0 {
                    at_zero
                } else if self < 0.0 {
                    0.0
                } else {
                    1.0
                }
            }

            /// `nan_to_num`.
            #[inline(always)]
            fn finite(self) -> Self {
                if self.is_nan() { 0.0 } else { self.clamp($T::MIN, $T::MAX) }
            }

            /// Of zeros of either sign the second, as NumPy's vector loops; so in the other three.
            #[inline(always)]
            fn maximum(self, other: Self) -> Self {
                if self > other || self.is_nan() { self } else { other }
            }

            #[inline(always)]
            fn minimum(self, other: Self) -> Self {
                if self < other || self.is_nan() { self } else { other }
            }

            #[inline(always)]
            fn fmaximum(self, other: Self) -> Self {
                if self > other || other.is_nan() { self } else { other }
            }

            #[inline(always)]
            fn fminimum(self, other: Self) -> Self {
                if self < other || other.is_nan() { self } else { other }
            }
        }
    };
}

real!(f32);
real!(f64);

/// The modified Bessel function of the first kind and order 0: up to 30 by its power series, all terms of which are positive, beyond by the asymptotic
/// one (Abramowitz and Stegun, 9.6.12 and 9.7.1).
pub fn bessel_i0(x: f64) -> f64 {
    let x = x.abs();
    if x.is_nan() || x.is_infinite() {
        return x;
    }
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..200 {
        let k = k as f64;
        term *= if x <= 30.0 { (x / 2.0 / k).powi(2) } else { (2.0 * k - 1.0).powi(2) / (8.0 * k * x) };
        if sum + term == sum {
            break;
        }
        sum += term;
    }
    // e^x may overflow where the quotient does not.
    if x <= 30.0 { sum } else { (x / 2.0).exp() / (std::f64::consts::TAU * x).sqrt() * sum * (x / 2.0).exp() }
}

/// Integers with NumPy's division: by zero it gives zero, and nothing traps.
pub trait Integer: Copy + Ord + 'static {
    fn floor_divide(self, other: Self) -> Self;
    fn modulo(self, other: Self) -> Self;
    fn fmod(self, other: Self) -> Self;
    /// `None` for a negative exponent; wraps.
    fn power(self, exponent: Self) -> Option<Self>;
    fn gcd(self, other: Self) -> Self;
    fn lcm(self, other: Self) -> Self;
    fn shift_left(self, by: Self) -> Self;
    fn shift_right(self, by: Self) -> Self;
    fn sign(self) -> Self;
    fn reciprocal(self) -> Self;
}

macro_rules! integer {
    ($T:ident $U:ident, $signed:literal) => {
        #[allow(unused_comparisons, reason = "`x < 0` is written for signed and unsigned types alike")]
        impl Integer for $T {
            fn floor_divide(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                if $signed && (self < 0) != (other < 0) && quotient.wrapping_mul(other) != self {
                    quotient.wrapping_sub(1)
                } else {
                    quotient
                }
            }

            fn modulo(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let remainder = self.wrapping_rem(other);
                if $signed && remainder != 0 && (remainder < 0) != (other < 0) {
                    remainder.wrapping_add(other)
                } else {
                    remainder
                }
            }

            fn fmod(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_rem(other) }
            }

            fn power(self, exponent: Self) -> Option<Self> {
                if exponent < 0 {
                    return None;
                }
                let (mut base, mut left, mut result) = (self, exponent as $U, 1 as $T);
                while left != 0 {
                    if left & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    left >>= 1;
                }
                Some(result)
            }

            fn gcd(self, other: Self) -> Self {
                let magnitude = |x: $T| if x < 0 { (x as $U).wrapping_neg() } else { x as $U };
                let (mut a, mut b) = (magnitude(self), magnitude(other));
                while b != 0 {
                    (a, b) = (b, a % b);
                }
                a as $T
            }

            fn lcm(self, other: Self) -> Self {
                let magnitude = |x: $T| if x < 0 { (x as $U).wrapping_neg() } else { x as $U };
                let divisor = self.gcd(other) as $U;
                if divisor == 0 { 0 } else { (magnitude(self) / divisor).wrapping_mul(magnitude(other)) as $T }
            }

            #[inline(always)]
            fn shift_left(self, by: Self) -> Self {
                if (by as $U as u64) < <$T>::BITS as u64 { self.wrapping_shl(by as u32) } else { 0 }
            }

            #[inline(always)]
            fn shift_right(self, by: Self) -> Self {
                if (by as $U as u64) < <$T>::BITS as u64 {
                    self.wrapping_shr(by as u32)
                } else if self < 0 {
                    !0
                } else {
                    0
                }
            }

            #[inline(always)]
            fn sign(self) -> Self {
                (self > 0) as $T - ($signed && self < 0) as $T
            }

            /// `1 / x` truncated; of zero the value NumPy's conversion of infinity gives.
            fn reciprocal(self) -> Self {
                if self == 0 {
                    return if $signed && <$T>::BITS >= 32 { <$T>::MIN } else { 0 };
                }
                (1 as $T).wrapping_div(self)
            }
        }
    };
}

integer!(i8 u8, true);
integer!(i16 u16, true);
integer!(i32 u32, true);
integer!(i64 u64, true);
integer!(u8 u8, false);
integer!(u16 u16, false);
integer!(u32 u32, false);
integer!(u64 u64, false);
