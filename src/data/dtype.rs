//! Element types and NumPy 2's promotion between them.

use std::fmt;

pub type Complex32 = num_complex::Complex<f32>;
pub type Complex64 = num_complex::Complex<f64>;

macro_rules! dtypes {
    ($($variant:ident $name:literal $short:literal $size:literal $kind:ident,)*) => {
        /// The dtype of an array: NumPy's, by NumPy's names.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum DType { $($variant,)* }

        impl DType {
            pub const ALL: &'static [DType] = &[$(DType::$variant,)*];

            /// `float64`
            pub fn name(self) -> &'static str { match self { $(DType::$variant => $name,)* } }

            /// `f8`
            pub fn short(self) -> &'static str { match self { $(DType::$variant => $short,)* } }

            /// Bytes an element takes.
            pub fn size(self) -> usize { match self { $(DType::$variant => $size,)* } }

            pub fn kind(self) -> Kind { match self { $(DType::$variant => Kind::$kind,)* } }

            /// The dtype of that long or short name (`float64`, `f8`, `bool`, `int`, `float`, `complex`).
            pub fn parse(name: &str) -> Option<DType> {
                match name {
                    $($name | $short => Some(DType::$variant),)*
                    "int" => Some(DType::I64),
                    "uint" => Some(DType::U64),
                    "float" => Some(DType::F64),
                    "complex" => Some(DType::C128),
                    _ => None,
                }
            }
        }
    };
}

dtypes! {
    Bool "bool" "b1" 1 Bool,
    I8 "int8" "i1" 1 Int,
    I16 "int16" "i2" 2 Int,
    I32 "int32" "i4" 4 Int,
    I64 "int64" "i8" 8 Int,
    U8 "uint8" "u1" 1 UInt,
    U16 "uint16" "u2" 2 UInt,
    U32 "uint32" "u4" 4 UInt,
    U64 "uint64" "u8" 8 UInt,
    F32 "float32" "f4" 4 Float,
    F64 "float64" "f8" 8 Float,
    C64 "complex64" "c8" 8 Complex,
    C128 "complex128" "c16" 16 Complex,
}

/// The families of dtypes, in promotion order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Kind {
    Bool,
    UInt,
    Int,
    Float,
    Complex,
}

impl DType {
    pub fn is_integer(self) -> bool {
        matches!(self.kind(), Kind::Int | Kind::UInt)
    }

    /// The least and the greatest integer; `None` for what is not of integers.
    pub fn range(self) -> Option<(i64, u64)> {
        let bits = 8 * self.size() as u32;
        match self.kind() {
            Kind::Int => Some((i64::MIN >> (64 - bits), u64::MAX >> (65 - bits))),
            Kind::UInt => Some((0, u64::MAX >> (64 - bits))),
            _ => None,
        }
    }

    pub fn is_float(self) -> bool {
        self.kind() == Kind::Float
    }

    pub fn is_complex(self) -> bool {
        self.kind() == Kind::Complex
    }

    /// The dtype that all convert to: `numpy.result_type` of arrays. The widest kind comes first, as int8 and uint16 alone need int32,
    /// but both fit in float32.
    pub fn promote_all(dtypes: impl IntoIterator<Item = DType>) -> Option<DType> {
        let mut dtypes: Vec<DType> = dtypes.into_iter().collect();
        dtypes.sort_unstable_by_key(|d| std::cmp::Reverse((d.kind(), d.size())));
        dtypes.into_iter().reduce(DType::promote)
    }

    /// The dtype both convert to: `numpy.promote_types`.
    pub fn promote(self, other: DType) -> DType {
        use DType::*;
        if self == other {
            return self;
        }
        let (low, high) =
            if (self.kind(), self.size()) <= (other.kind(), other.size()) { (self, other) } else { (other, self) };
        match (low.kind(), high.kind()) {
            (Kind::Bool, _) => high,
            (a, b) if a == b => high,
            (Kind::UInt, Kind::Int) => match low.size().max(high.size()) {
                _ if low.size() < high.size() => high,
                1 => I16,
                2 => I32,
                4 => I64,
                _ => F64,
            },
            (Kind::UInt | Kind::Int, Kind::Float) => {
                if low.size() <= 2 {
                    high
                } else {
                    F64
                }
            }
            (Kind::UInt | Kind::Int, _) => {
                if low.size() <= 2 {
                    high
                } else {
                    C128
                }
            }
            (Kind::Float, _) => {
                if low == F64 {
                    C128
                } else {
                    high
                }
            }
            _ => high,
        }
    }

    /// The dtype of an array of this dtype combined with a plain number of that kind, which is weak: it
    /// takes the array's dtype unless its kind is higher (NEP 50).
    pub fn promote_weak(self, number: Kind) -> DType {
        use DType::*;
        match (self.kind(), number) {
            (Kind::Bool, Kind::Int | Kind::UInt) => I64,
            (Kind::Bool | Kind::Int | Kind::UInt, Kind::Float) => F64,
            (Kind::Bool | Kind::Int | Kind::UInt, Kind::Complex) => C128,
            (Kind::Float, Kind::Complex) => {
                if self == F32 {
                    C64
                } else {
                    C128
                }
            }
            _ => self,
        }
    }

    /// The float dtype that `sqrt`, `mean` and their like compute in: small integers as NumPy does, in float64.
    pub fn to_inexact(self) -> DType {
        match self.kind() {
            Kind::Float | Kind::Complex => self,
            _ => DType::F64,
        }
    }

    /// The real dtype of a complex one's parts; itself otherwise.
    pub fn real(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            other => other,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{DType::*, *};

    #[test]
    fn promotes_as_numpy() {
        for (a, b, c) in [
            (U8, I8, I16),
            (U32, I32, I64),
            (U64, I64, F64),
            (U8, I32, I32),
            (I16, F32, F32),
            (I32, F32, F64),
            (F64, C64, C128),
            (F32, C64, C64),
            (Bool, U16, U16),
            (I64, C64, C128),
            (U64, F32, F64),
            (F32, F64, F64),
        ] {
            assert_eq!(a.promote(b), c, "{a} {b}");
            assert_eq!(b.promote(a), c, "{b} {a}");
        }
        assert_eq!(F32.promote_weak(Kind::Float), F32);
        assert_eq!(I8.promote_weak(Kind::Float), F64);
        assert_eq!(F32.promote_weak(Kind::Complex), C64);
    }
}
