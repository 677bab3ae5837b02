//! Between Rust's types and the language's: what `Engine::get`, `Engine::set` and registered functions take and give.

use crate::data::{Block, Complex32, Complex64, Element, Graph, List, Map, Str, Value};
use crate::err;
use crate::text::{Error, Result};
use ndarray::{Array, ArrayView, Dimension, IxDyn};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// A Rust type that a value of the language converts to.
///
/// An int is taken for a float, but a float is never taken for an int, and an array of one dtype never for one of
/// another.
pub trait FromValue: Sized {
    /// What messages call such a value: `an int`, `a float64 array`.
    fn wanted() -> String;

    /// The value as this type, or `None` where it is not one.
    fn from_value(value: &Value) -> Option<Self>;

    /// The value as this type, or an error that says what was expected and what was found.
    fn try_from_value(value: &Value) -> Result<Self> {
        Self::from_value(value).ok_or_else(|| mismatch(&Self::wanted(), value))
    }
}

/// A Rust type that converts to a value of the language. A `Result` converts when it is `Ok`.
pub trait IntoValue {
    fn into_value(self) -> Result<Value>;
}

/// "expected a float, found a string".
fn mismatch(wanted: &str, found: &Value) -> Error {
    let error = err!(Type, "expected {wanted}, found {}", described(found));
    if found.is_lazy() { error.help("compute it first: `(compute x)`, or `Engine::compute`") } else { error }
}

/// What a message calls a value: its type, and for an array also dtype and shape.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Block(b) => {
            let dtype = b.dtype().to_string();
            let a = if dtype.starts_with('i') { "an" } else { "a" };
            format!("{a} {dtype} array of shape {}", crate::text::shape(b.shape()))
        }
        other => other.a_type_name(),
    }
}

macro_rules! from_value {
    ($($type:ty, $wanted:literal, |$value:ident| $from:expr;)*) => {$(
        impl FromValue for $type {
            fn wanted() -> String {
                $wanted.into()
            }

            fn from_value($value: &Value) -> Option<Self> {
                $from
            }
        }
    )*};
}

macro_rules! into_value {
    ($($type:ty, |$value:ident| $into:expr;)*) => {$(
        impl IntoValue for $type {
            fn into_value(self) -> Result<Value> {
                let $value = self;
                Ok($into)
            }
        }
    )*};
}

macro_rules! integers {
    ($($type:ident)*) => {
        from_value! {$(
            $type, "an int that fits the Rust type", |value| match value {
                Value::Block(b) if b.ndim() == 0 && b.dtype() == crate::data::DType::U64 => $type::try_from(b.get::<u64>(&[])).ok(),
                _ => value.as_int().and_then(|n| $type::try_from(n).ok()),
            };
        )*}
        $(
            impl IntoValue for $type {
                fn into_value(self) -> Result<Value> {
                    match i64::try_from(self) {
                        Ok(n) => Ok(Value::Int(n)),
                        // The language's plain ints end at 64 bits with sign; beyond is a uint64 array of no dimensions.
                        Err(_) => u64::try_from(self).map(|n| Block::scalar(n).into()).map_err(|_| err!(Overflow, "{self} is beyond 64 bits")),
                    }
                }
            }
        )*
    };
}

integers! { i8 i16 i32 i64 isize u8 u16 u32 u64 usize i128 u128 }

from_value! {
    Value, "a value", |value| Some(value.clone());
    (), "nil", |value| matches!(value, Value::Nil).then_some(());
    bool, "a bool", |value| match value {
        Value::Bool(b) => Some(*b),
        Value::Block(b) if b.ndim() == 0 && b.dtype() == crate::data::DType::Bool => Some(b.get::<bool>(&[])),
        _ => None,
    };
    f64, "a float", |value| value.as_float();
    f32, "a float", |value| value.as_float().map(|x| x as f32);
    Complex64, "a complex number", |value| value.as_complex();
    Complex32, "a complex number", |value| value.as_complex().map(|c| Complex32::new(c.re as f32, c.im as f32));
    String, "a string", |value| value.as_text().map(String::from);
    Str, "a string", |value| match value {
        Value::Str(s) | Value::Keyword(s) => Some(s.clone()),
        _ => None,
    };
    Arc<Block>, "an array", |value| match value {
        Value::Block(b) => Some(b.clone()),
        _ => None,
    };
    Arc<Map>, "a map", |value| match value {
        Value::Map(m) => Some(m.clone()),
        _ => None,
    };
    Arc<List>, "a list", |value| match value {
        Value::List(l) => Some(l.clone()),
        _ => None,
    };
    Arc<Graph>, "a graph", |value| match value {
        Value::Graph(g) => Some(g.clone()),
        _ => None,
    };
}

into_value! {
    Value, |value| value;
    (), |_nothing| Value::Nil;
    bool, |b| Value::Bool(b);
    f64, |x| Value::Float(x);
    f32, |x| Value::Float(x.into());
    Complex64, |c| Value::complex(c.re, c.im);
    Complex32, |c| Value::complex(c.re.into(), c.im.into());
    String, |s| Value::from(s);
    &str, |s| Value::from(s);
    Str, |s| Value::Str(s);
    Block, |b| Value::from(b);
    Arc<Block>, |b| Value::Block(b);
    Map, |m| Value::map(m);
    Graph, |g| Value::Graph(Arc::new(g));
}

/// `nil` is `None`.
impl<T: FromValue> FromValue for Option<T> {
    fn wanted() -> String {
        format!("{} or nil", T::wanted())
    }

    fn from_value(value: &Value) -> Option<Self> {
        if matches!(value, Value::Nil) { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// `None` is `nil`.
impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Result<Value> {
        self.map_or(Ok(Value::Nil), T::into_value)
    }
}

impl<T: IntoValue, E: Into<Error>> IntoValue for Result<T, E> {
    fn into_value(self) -> Result<Value> {
        self.map_err(Into::into).and_then(T::into_value)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn wanted() -> String {
        format!("a list, each element {}", T::wanted())
    }

    fn from_value(value: &Value) -> Option<Self> {
        value.as_list()?.iter().map(T::from_value).collect()
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Result<Value> {
        Ok(Value::list(self.into_iter().map(T::into_value).collect::<Result<_>>()?))
    }
}

/// A map whose keys and values are all of one type each.
impl<K: FromValue + Eq + Hash, V: FromValue, S: BuildHasher + Default> FromValue for HashMap<K, V, S> {
    fn wanted() -> String {
        format!("a map from {} to {}", K::wanted(), V::wanted())
    }

    fn from_value(value: &Value) -> Option<Self> {
        let Value::Map(map) = value else { return None };
        map.iter().map(|(k, v)| Some((K::from_value(k)?, V::from_value(v)?))).collect()
    }
}

impl<K: IntoValue, V: IntoValue, S> IntoValue for HashMap<K, V, S> {
    fn into_value(self) -> Result<Value> {
        let mut map = Map::with_capacity(self.len());
        for (key, value) in self {
            let refused = map.insert(key.into_value()?, value.into_value()?).err();
            if let Some(key) = refused {
                return Err(err!(Type, "{} cannot be a map's key", described(&key)));
            }
        }
        Ok(Value::map(map))
    }
}

macro_rules! tuples {
    ($($count:literal: $($T:ident $t:ident $n:tt),+;)*) => {$(
        /// A list of that many values.
        impl<$($T: FromValue),+> FromValue for ($($T,)+) {
            fn wanted() -> String {
                format!("a list of {}", [$($T::wanted()),+].join(", "))
            }

            fn from_value(value: &Value) -> Option<Self> {
                let items = value.as_list()?;
                if items.len() != $count { return None }
                Some(($($T::from_value(items.get($n)?)?,)+))
            }
        }

        impl<$($T: IntoValue),+> IntoValue for ($($T,)+) {
            fn into_value(self) -> Result<Value> {
                let ($($t,)+) = self;
                Ok(Value::list(vec![$($t.into_value()?),+]))
            }
        }
    )*};
}

tuples! {
    1: A a 0;
    2: A a 0, B b 1;
    3: A a 0, B b 1, C c 2;
    4: A a 0, B b 1, C c 2, D d 3;
}

/// A concrete array of exactly this dtype and, where `D` says so, this many dimensions. A list or a number is not an
/// array; `(array …)` makes one of it.
impl<T: Element, D: Dimension> FromValue for Array<T, D> {
    fn wanted() -> String {
        let dtype = T::DTYPE;
        let article = if dtype.name().starts_with('i') { "an" } else { "a" };
        match D::NDIM {
            Some(n) => format!("{article} {dtype} array of {n} dimension{}", if n == 1 { "" } else { "s" }),
            None => format!("{article} {dtype} array"),
        }
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Block(b) if b.dtype() == T::DTYPE => b.view::<T>().to_owned().into_dimensionality::<D>().ok(),
            _ => None,
        }
    }
}

impl<T: Element, D: Dimension> IntoValue for Array<T, D> {
    fn into_value(self) -> Result<Value> {
        self.view().into_value()
    }
}

/// Copies the elements into a block.
impl<T: Element, D: Dimension> IntoValue for ArrayView<'_, T, D> {
    fn into_value(self) -> Result<Value> {
        let mut block = Block::alloc(T::DTYPE, self.shape());
        let mut target = ndarray::ArrayViewMut::from_shape(IxDyn(self.shape()), block.as_mut_slice::<T>())
            .map_err(|e| err!(Internal, "a block of shape {:?} cannot be filled: {e}", self.shape()))?;
        target.assign(&self.into_dyn());
        Ok(block.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, ArrayD, arr2};

    fn back<T: IntoValue + FromValue + Clone + PartialEq + std::fmt::Debug>(x: T) {
        let value = x.clone().into_value().unwrap();
        assert_eq!(T::try_from_value(&value).unwrap(), x);
    }

    fn refusal<T: FromValue>(value: impl IntoValue) -> String {
        match T::try_from_value(&value.into_value().unwrap()) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn what_goes_in_comes_back() {
        back(-3i8);
        back(u64::MAX);
        back(1.5f64);
        back(true);
        back(());
        back(String::from("aß"));
        back(Some(2i64));
        back(None::<i64>);
        back(vec![vec![1i64], vec![]]);
        back((1i64, String::from("x"), 2.5f64));
        back(HashMap::from([(String::from("a"), 1i64)]));
        back(Complex64::new(1.0, -2.0));
    }

    #[test]
    fn arrays_of_every_dtype_come_back() {
        fn round<T: Element>(x: T) {
            back(Array2::from_elem((2, 3), x));
            back(ArrayD::from_elem(IxDyn(&[]), x));
            back(Array1::from_elem(0, x));
        }
        round(true);
        round(1i8);
        round(1i16);
        round(1i32);
        round(1i64);
        round(1u8);
        round(1u16);
        round(1u32);
        round(u64::MAX);
        round(0.5f32);
        round(0.5f64);
        round(Complex32::new(0.0, 1.0));
        round(Complex64::new(0.0, 1.0));
        back(arr2(&[[1, 2], [3, 4]]).reversed_axes());
    }

    #[test]
    fn a_mismatch_says_what_was_expected_and_what_was_found() {
        assert_eq!(refusal::<i64>(1.5), "expected an int that fits the Rust type, found a float");
        assert_eq!(refusal::<u8>(300i64), "expected an int that fits the Rust type, found an int");
        assert_eq!(refusal::<f64>("x"), "expected a float, found a string");
        assert_eq!(
            refusal::<Array1<f64>>(arr2(&[[1.0]])),
            "expected a float64 array of 1 dimension, found a float64 array of shape [1 1]"
        );
        assert_eq!(
            refusal::<Array2<f32>>(arr2(&[[1.0]])),
            "expected a float32 array of 2 dimensions, found a float64 array of shape [1 1]"
        );
    }
}
