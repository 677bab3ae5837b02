//! Complex arithmetic of single numbers, as NumPy does it: products by the schoolbook formula, quotients by Smith's, the
//! elementary functions of the C library with their special values (C99, annex G).

use num_complex::Complex;

pub type C = Complex<f64>;

mod libm {
    use super::C;
    #[allow(
        improper_ctypes,
        reason = "C's `double _Complex` travels as a structure of two doubles does on the platforms the crate builds for \
                  (SysV x86-64, AAPCS64)"
    )]
    #[link(name = "m")]
    unsafe extern "C" {
        pub safe fn csqrt(z: C) -> C;
        pub safe fn cexp(z: C) -> C;
        pub safe fn clog(z: C) -> C;
        pub safe fn csin(z: C) -> C;
        pub safe fn ccos(z: C) -> C;
        pub safe fn ctan(z: C) -> C;
        pub safe fn casin(z: C) -> C;
        pub safe fn cacos(z: C) -> C;
        pub safe fn catan(z: C) -> C;
        pub safe fn csinh(z: C) -> C;
        pub safe fn ccosh(z: C) -> C;
        pub safe fn ctanh(z: C) -> C;
        pub safe fn casinh(z: C) -> C;
        pub safe fn cacosh(z: C) -> C;
        pub safe fn catanh(z: C) -> C;
        pub safe fn cpow(z: C, w: C) -> C;
    }
}

pub use libm::{cacos, cacosh, casin, casinh, catan, catanh, ccos, ccosh, cexp, clog, csin, csinh, csqrt, ctan, ctanh};

pub fn cexp2(z: C) -> C {
    cexp(z * std::f64::consts::LN_2)
}

pub fn cexpm1(z: C) -> C {
    if !z.re.is_finite() {
        // There is nothing to be lost by subtracting, and C's exponential has the special values.
        let e = cexp(z);
        return C::new(e.re - 1.0, e.im);
    }
    let half = (z.im / 2.0).sin();
    C::new(z.re.exp_m1() * z.im.cos() - 2.0 * half * half, z.re.exp() * z.im.sin())
}

pub fn clog2(z: C) -> C {
    clog(z) * std::f64::consts::LOG2_E
}

pub fn clog10(z: C) -> C {
    clog(z) * std::f64::consts::LOG10_E
}

pub fn clog1p(z: C) -> C {
    C::new((z.re + 1.0).hypot(z.im).ln(), z.im.atan2(z.re + 1.0))
}

/// NumPy's `power`: whole exponents below 100 by products, the rest by the C library.
pub fn cpow(z: C, w: C) -> C {
    if w.re == 0.0 && w.im == 0.0 {
        return C::new(1.0, 0.0);
    }
    if z.re == 0.0 && z.im == 0.0 {
        return if w.re > 0.0 { C::new(0.0, 0.0) } else { C::new(f64::NAN, f64::NAN) };
    }
    if w.im == 0.0 && w.re.fract() == 0.0 && w.re.abs() < 100.0 {
        let (mut left, mut base, mut result) = (w.re.abs() as u32, z, None);
        while left != 0 {
            if left & 1 == 1 {
                result = Some(result.map_or(base, |r| multiply(r, base)));
            }
            left >>= 1;
            if left != 0 {
                base = multiply(base, base);
            }
        }
        let result = result.unwrap_or(C::new(1.0, 0.0));
        return if w.re < 0.0 { C::new(1.0, 0.0).divide(result) } else { result };
    }
    libm::cpow(z, w)
}

fn multiply(a: C, b: C) -> C {
    C::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
}

/// What both complex types need and `num_complex` does otherwise than NumPy. Order is by real parts, then by imaginary ones,
/// false with `nan` in either imaginary part.
pub trait Arithmetic: Copy + 'static {
    /// Smith's division.
    fn divide(self, other: Self) -> Self;
    fn reciprocal(self) -> Self;
    /// `z / |z|`; 0 of 0.
    fn sign(self) -> Self;
    fn less(self, other: Self) -> bool;
    fn less_equal(self, other: Self) -> bool;
    fn maximum(self, other: Self) -> Self;
    fn minimum(self, other: Self) -> Self;
    fn fmaximum(self, other: Self) -> Self;
    fn fminimum(self, other: Self) -> Self;
}

macro_rules! arithmetic {
    ($T:ident) => {
        impl Arithmetic for Complex<$T> {
            fn divide(self, other: Self) -> Self {
                let (re, im) = (other.re.abs(), other.im.abs());
                if re >= im {
                    if re == 0.0 && im == 0.0 {
                        return Complex::new(self.re / re, self.im / re);
                    }
                    let ratio = other.im / other.re;
                    let scale = 1.0 / (other.re + other.im * ratio);
                    Complex::new((self.re + self.im * ratio) * scale, (self.im - self.re * ratio) * scale)
                } else {
                    let ratio = other.re / other.im;
                    let scale = 1.0 / (other.im + other.re * ratio);
                    Complex::new((self.re * ratio + self.im) * scale, (self.im * ratio - self.re) * scale)
                }
            }

            fn reciprocal(self) -> Self {
                if self.im.abs() <= self.re.abs() {
                    let ratio = self.im / self.re;
                    let d = self.re + self.im * ratio;
                    Complex::new(1.0 / d, -ratio / d)
                } else {
                    let ratio = self.re / self.im;
                    let d = self.re * ratio + self.im;
                    Complex::new(ratio / d, -1.0 / d)
                }
            }

            fn sign(self) -> Self {
                let one = |x: $T| (1.0 as $T).copysign(x);
                let magnitude = self.re.hypot(self.im);
                match (self.re.is_infinite(), self.im.is_infinite()) {
                    _ if self.is_nan() => Complex::new($T::NAN, $T::NAN),
                    (true, true) => Complex::new($T::NAN, $T::NAN),
                    (true, false) => Complex::new(one(self.re), 0.0),
                    (false, true) => Complex::new(0.0, one(self.im)),
                    _ if magnitude == 0.0 => Complex::new(0.0, 0.0),
                    _ => Complex::new(self.re / magnitude, self.im / magnitude),
                }
            }

            fn less(self, other: Self) -> bool {
                self.re < other.re && !self.im.is_nan() && !other.im.is_nan()
                    || self.re == other.re && self.im < other.im
            }

            fn less_equal(self, other: Self) -> bool {
                self.re < other.re && !self.im.is_nan() && !other.im.is_nan()
                    || self.re == other.re && self.im <= other.im
            }

            fn maximum(self, other: Self) -> Self {
                if other.less_equal(self) || self.is_nan() { self } else { other }
            }

            fn minimum(self, other: Self) -> Self {
                if self.less_equal(other) || self.is_nan() { self } else { other }
            }

            fn fmaximum(self, other: Self) -> Self {
                if other.less_equal(self) || other.is_nan() { self } else { other }
            }

            fn fminimum(self, other: Self) -> Self {
                if self.less_equal(other) || other.is_nan() { self } else { other }
            }
        }
    };
}

arithmetic!(f32);
arithmetic!(f64);
