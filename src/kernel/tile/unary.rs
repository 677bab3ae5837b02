//! Kernels of one argument.

use super::complex::{self, Arithmetic, C};
use super::math::{Elementary, elementary1};
use super::scalar::{Integer, Real, bessel_i0};
use super::{
    Kernel, loop1_but, loop1_or, math, of_bits, of_complex, of_floats, of_integers, of_signed, scalar1, vector1,
};
use crate::data::{DType, Kind};
use crate::kernel::elementwise::Unary;
use num_complex::Complex;

/// Whether the operation gives the elements of that dtype back as they are.
pub fn is_identity(op: Unary, dtype: DType) -> bool {
    use Unary::*;
    match op {
        Positive => true,
        Absolute => matches!(dtype.kind(), Kind::Bool | Kind::UInt),
        Floor | Ceil | Trunc | NanToNum => !matches!(dtype.kind(), Kind::Float | Kind::Complex),
        Real | Conjugate => !dtype.is_complex(),
        _ => false,
    }
}

/// The kernel of `op` on elements of that (compute) dtype; `None` for identities and what [`Unary::rule`] refuses.
pub fn unary(op: Unary, dtype: DType) -> Option<Kernel> {
    Some(match dtype.kind() {
        Kind::Bool | Kind::UInt | Kind::Int => integers(op, dtype)?,
        Kind::Float => floats(op, dtype)?,
        Kind::Complex => complexes(op, dtype)?,
    })
}

fn integers(op: Unary, dtype: DType) -> Option<Kernel> {
    use Unary::*;
    Some(match op {
        Negative => of_bits!(dtype, T => vector1(|x: T| x.wrapping_neg())),
        Absolute => of_signed!(dtype, T => vector1(|x: T| x.wrapping_abs())),
        Sign => of_integers!(dtype, T => vector1(|x: T| Integer::sign(x))),
        Square => of_bits!(dtype, T => vector1(|x: T| x.wrapping_mul(x))),
        Reciprocal => of_integers!(dtype, T => scalar1(|x: T| x.reciprocal())),
        Invert if dtype == DType::Bool => vector1(|x: u8| x ^ 1),
        Invert => of_bits!(dtype, T => vector1(|x: T| !x)),
        LogicalNot => of_bits!(dtype, T => vector1(|x: T| u8::from(x == 0))),
        Isnan | Isinf | Isneginf | Isposinf | Iscomplex => of_bits!(dtype, T => vector1(|_: T| 0u8)),
        Isfinite | Isreal => of_bits!(dtype, T => vector1(|_: T| 1u8)),
        Imag => of_bits!(dtype, T => vector1(|_: T| 0 as T)),
        _ => return None,
    })
}

fn floats(op: Unary, dtype: DType) -> Option<Kernel> {
    use Unary::*;
    macro_rules! vector {
        (|$x:ident, $T:ident| $value:expr) => { of_floats!(dtype, $T => vector1(|$x: $T| $value)) };
    }
    macro_rules! scalar {
        (|$x:ident, $T:ident| $value:expr) => { of_floats!(dtype, $T => scalar1(|$x: $T| $value)) };
    }
    // Elementary functions compute in double precision; what is rare is left to the standard library.
    macro_rules! elementary {
        ($f:ident) => { elementary!($f but never_rare => clone) };
        ($f:ident or $rare:ident => $whole:ident) => {
            of_floats!(dtype, T => loop1_or(
                elementary1!($f, T, math::$rare),
                elementary1!($whole, T, math::never_rare),
            ))
        };
        ($f:ident but $rare:ident => $other:ident) => {
            of_floats!(dtype, T => loop1_but(
                elementary1!($f, T, math::$rare),
                |x: T| math::$rare(x.into()),
                |x: T| x.$other(),
            ))
        };
    }
    Some(match op {
        Negative => vector!(|x, T| -x),
        Absolute | Fabs => vector!(|x, T| x.abs()),
        Sign => vector!(|x, T| super::scalar::Real::sign(x)),
        Sqrt => vector!(|x, T| x.sqrt()),
        Square => vector!(|x, T| x * x),
        Reciprocal => vector!(|x, T| 1.0 / x),
        Floor => vector!(|x, T| x.floor()),
        Ceil => vector!(|x, T| x.ceil()),
        Trunc => vector!(|x, T| x.trunc()),
        Rint => vector!(|x, T| x.round_ties_even()),
        Deg2rad => vector!(|x, T| x * (std::f64::consts::PI / 180.0) as T),
        Rad2deg => vector!(|x, T| x * (180.0 / std::f64::consts::PI) as T),
        NanToNum => vector!(|x, T| x.finite()),
        Isnan => vector!(|x, T| u8::from(x.is_nan())),
        Isinf => vector!(|x, T| u8::from(x.is_infinite())),
        Isfinite => vector!(|x, T| u8::from(x.is_finite())),
        Isneginf => vector!(|x, T| u8::from(x == T::NEG_INFINITY)),
        Isposinf => vector!(|x, T| u8::from(x == T::INFINITY)),
        Isreal => vector!(|_x, T| 1u8),
        Iscomplex => vector!(|_x, T| 0u8),
        Signbit => vector!(|x, T| u8::from(x.is_sign_negative())),
        LogicalNot => vector!(|x, T| u8::from(x == 0.0)),
        Imag => vector!(|_x, T| 0.0 as T),
        Cbrt => scalar!(|x, T| x.cbrt()),
        Exp => elementary!(exp_within or exp_is_rare => exp),
        Exp2 => elementary!(exp2),
        Expm1 => elementary!(expm1),
        Log => elementary!(log),
        Log2 => elementary!(log2),
        Log10 => elementary!(log10),
        Log1p => elementary!(log1p),
        Sin => elementary!(sin but circular_is_rare => sin),
        Cos => elementary!(cos but circular_is_rare => cos),
        Tan => elementary!(tan but circular_is_rare => tan),
        Arcsin => elementary!(arcsin),
        Arccos => elementary!(arccos),
        Arctan => elementary!(arctan),
        Sinh => elementary!(sinh but hyperbolic_is_rare => sinh),
        Cosh => elementary!(cosh but hyperbolic_is_rare => cosh),
        Tanh => elementary!(tanh),
        // The standard library computes these three from logarithms and loses digits; C's do not.
        Arcsinh if dtype == DType::F32 => scalar1(|x: f32| libm::asinhf(x)),
        Arcsinh => scalar1(|x: f64| libm::asinh(x)),
        Arccosh if dtype == DType::F32 => scalar1(|x: f32| libm::acoshf(x)),
        Arccosh => scalar1(|x: f64| libm::acosh(x)),
        Arctanh if dtype == DType::F32 => scalar1(|x: f32| libm::atanhf(x)),
        Arctanh => scalar1(|x: f64| libm::atanh(x)),
        Spacing => scalar!(|x, T| x.spacing()),
        I0 if dtype == DType::F32 => scalar1(|x: f32| bessel_i0(x.into()) as f32),
        I0 => scalar1(bessel_i0),
        Angle => scalar!(|x, T| (0.0 as T).atan2(x)),
        Positive | Real | Conjugate | Invert => return None,
    })
}

mod libm {
    #[link(name = "m")]
    unsafe extern "C" {
        pub safe fn asinh(x: f64) -> f64;
        pub safe fn acosh(x: f64) -> f64;
        pub safe fn atanh(x: f64) -> f64;
        pub safe fn asinhf(x: f32) -> f32;
        pub safe fn acoshf(x: f32) -> f32;
        pub safe fn atanhf(x: f32) -> f32;
    }
}

fn complexes(op: Unary, dtype: DType) -> Option<Kernel> {
    use Unary::*;
    macro_rules! vector {
        (|$z:ident, $T:ident| $value:expr) => { of_complex!(dtype, $T => vector1(|$z: Complex<$T>| $value)) };
    }
    macro_rules! scalar {
        (|$z:ident, $T:ident| $value:expr) => { of_complex!(dtype, $T => scalar1(|$z: Complex<$T>| $value)) };
    }
    // The elementary functions compute in double precision.
    macro_rules! wide {
        ($f:path) => {
            match dtype {
                DType::C64 => scalar1(|z: Complex<f32>| {
                    let w = $f(C::new(z.re.into(), z.im.into()));
                    Complex::new(w.re as f32, w.im as f32)
                }),
                _ => scalar1(|z: C| $f(z)),
            }
        };
    }
    Some(match op {
        Negative => vector!(|z, T| -z),
        Conjugate => vector!(|z, T| z.conj()),
        Real => vector!(|z, T| z.re),
        Imag => vector!(|z, T| z.im),
        Absolute => scalar!(|z, T| z.re.hypot(z.im)),
        Angle => scalar!(|z, T| z.im.atan2(z.re)),
        Sign => scalar!(|z, T| Arithmetic::sign(z)),
        Square => vector!(|z, T| Complex::new(z.re * z.re - z.im * z.im, z.re * z.im + z.im * z.re)),
        Reciprocal => scalar!(|z, T| z.reciprocal()),
        Rint => vector!(|z, T| Complex::new(z.re.round_ties_even(), z.im.round_ties_even())),
        NanToNum => vector!(|z, T| Complex::new(z.re.finite(), z.im.finite())),
        Isnan => vector!(|z, T| u8::from(z.re.is_nan() | z.im.is_nan())),
        Isinf => vector!(|z, T| u8::from(z.re.is_infinite() | z.im.is_infinite())),
        Isfinite => vector!(|z, T| u8::from(z.re.is_finite() & z.im.is_finite())),
        Isreal => vector!(|z, T| u8::from(z.im == 0.0)),
        Iscomplex => vector!(|z, T| u8::from(z.im != 0.0)),
        LogicalNot => vector!(|z, T| u8::from((z.re == 0.0) & (z.im == 0.0))),
        Sqrt => wide!(complex::csqrt),
        Exp => wide!(complex::cexp),
        Exp2 => wide!(complex::cexp2),
        Expm1 => wide!(complex::cexpm1),
        Log => wide!(complex::clog),
        Log2 => wide!(complex::clog2),
        Log10 => wide!(complex::clog10),
        Log1p => wide!(complex::clog1p),
        Sin => wide!(complex::csin),
        Cos => wide!(complex::ccos),
        Tan => wide!(complex::ctan),
        Arcsin => wide!(complex::casin),
        Arccos => wide!(complex::cacos),
        Arctan => wide!(complex::catan),
        Sinh => wide!(complex::csinh),
        Cosh => wide!(complex::ccosh),
        Tanh => wide!(complex::ctanh),
        Arcsinh => wide!(complex::casinh),
        Arccosh => wide!(complex::cacosh),
        Arctanh => wide!(complex::catanh),
        _ => return None,
    })
}
