//! Arguments of array ops: plain numbers (weak in promotion), concrete arrays, lazy arrays.

use crate::data::{Array, Block, Chunks, DType, Dims, Str, Value};
use crate::err;
use crate::kernel::create::from_value;
use crate::kernel::elementwise::Typed;
use crate::text::{Error, Result, Span};
use std::sync::Arc;

/// An argument of an array op.
#[derive(Clone)]
pub enum Operand {
    /// A plain bool, int, float or complex.
    Number(Value),
    Block(Arc<Block>),
    Array(Arc<Array>),
}

impl Operand {
    /// What a value is as an argument: lists become arrays, as in NumPy.
    pub fn of(value: &Value) -> Result<Operand> {
        Operand::take(value.clone())
    }

    /// As [`Operand::of`], of a value that the caller gives away: a kernel may work in the memory of a block that nobody
    /// else holds. Lazy arrays of unknown sizes are refused (`dsk::shape`).
    pub fn take(value: Value) -> Result<Operand> {
        let operand = Operand::any(value)?;
        if let Operand::Array(a) = &operand {
            known(a)?;
        }
        Ok(operand)
    }

    /// As [`Operand::take`], for ops that know what to do with arrays of unknown sizes.
    pub fn any(value: Value) -> Result<Operand> {
        match value {
            Value::Block(b) => Ok(Operand::Block(b)),
            Value::Array(a) => Ok(Operand::Array(a)),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Complex(_) => Ok(Operand::Number(value)),
            Value::List(_) => Ok(Operand::Block(Arc::new(from_value(&value, None)?))),
            other => Err(err!(Type, "expected an array or a number, found {}", other.a_type_name())),
        }
    }

    /// As [`Operand::of`], with plain numbers as arrays of no dimensions.
    pub fn array(value: &Value) -> Result<Operand> {
        Ok(match Operand::of(value)? {
            Operand::Number(n) => Operand::Block(Arc::new(from_value(&n, None)?)),
            other => other,
        })
    }

    pub fn shape(&self) -> Dims {
        match self {
            Operand::Number(_) => Dims::new(),
            Operand::Block(b) => Dims::from_slice(b.shape()),
            Operand::Array(a) => a.shape(),
        }
    }

    pub fn ndim(&self) -> usize {
        match self {
            Operand::Number(_) => 0,
            Operand::Block(b) => b.ndim(),
            Operand::Array(a) => a.ndim(),
        }
    }

    /// The dtype; of a plain number the one it has where nothing else decides.
    pub fn dtype(&self) -> DType {
        match self {
            Operand::Number(_) => self.typed().dtype(),
            Operand::Block(b) => b.dtype(),
            Operand::Array(a) => a.dtype,
        }
    }

    /// The dtype as promotion sees it.
    pub fn typed(&self) -> Typed {
        match self {
            Operand::Number(n) => Typed::Weak(n.number_kind().unwrap_or(crate::data::Kind::Float)),
            other => Typed::Strong(other.dtype()),
        }
    }

    pub fn is_lazy(&self) -> bool {
        matches!(self, Operand::Array(_))
    }

    /// The name of an axis of unknown size.
    pub fn unknown(&self, axis: usize) -> Option<&Str> {
        match self {
            Operand::Array(a) => a.unknown.axis(axis),
            _ => None,
        }
    }

    pub fn value(&self) -> Value {
        match self {
            Operand::Number(n) => n.clone(),
            Operand::Block(b) => Value::Block(b.clone()),
            Operand::Array(a) => Value::Array(a.clone()),
        }
    }
}

/// Refuses an array with axes of unknown sizes.
pub fn known(array: &Array) -> Result<()> {
    match (0..array.ndim()).find_map(|axis| array.unknown.axis(axis)) {
        None => Ok(()),
        Some(name) => {
            Err(err!(Shape, "the size {name} in the shape {} is not known before it is computed", array.shown_shape())
                .help("`(compute-chunk-sizes x)` computes the sizes of its blocks, `(compute x)` all of it"))
        }
    }
}

/// Says that axes of those sizes meet, of which one or both are unknown and which may differ therefore.
pub fn may_differ(one: &str, other: &str) -> Error {
    let unknown = if one.starts_with('?') { one } else { other };
    err!(Shape, "axes of {one} and of {other} elements meet, and {unknown} is not known before it is computed")
        .help("`(compute-chunk-sizes x)` computes the sizes of the blocks of an array")
}

/// An argument that is an array, in hand or yet to be computed. Numbers and lists are arrays too.
pub enum Given {
    Now(Block),
    Lazy(Arc<Array>),
}

impl From<Given> for Value {
    fn from(given: Given) -> Value {
        match given {
            Given::Now(block) => block.into(),
            Given::Lazy(array) => Value::Array(array),
        }
    }
}

impl Given {
    /// Takes the value over, so that a kernel may work in the memory of a block that nobody else holds. Lazy arrays of
    /// unknown sizes are refused (`dsk::shape`).
    pub fn of(value: Value) -> Result<Given> {
        let given = Given::any(value)?;
        if let Given::Lazy(a) = &given {
            known(a)?;
        }
        Ok(given)
    }

    /// As [`Given::of`], for ops that know what to do with arrays of unknown sizes.
    pub fn any(value: Value) -> Result<Given> {
        match value {
            Value::Block(b) => Ok(Given::Now(Arc::unwrap_or_clone(b))),
            Value::Array(a) => Ok(Given::Lazy(a)),
            other => match Operand::array(&other)? {
                Operand::Array(a) => Ok(Given::Lazy(a)),
                Operand::Block(b) => Ok(Given::Now(Arc::unwrap_or_clone(b))),
                Operand::Number(n) => Ok(Given::Now(from_value(&n, None)?)),
            },
        }
    }

    pub fn shape(&self) -> Dims {
        match self {
            Given::Now(b) => Dims::from_slice(b.shape()),
            Given::Lazy(a) => a.shape(),
        }
    }

    pub fn ndim(&self) -> usize {
        match self {
            Given::Now(b) => b.ndim(),
            Given::Lazy(a) => a.ndim(),
        }
    }

    /// The name of an axis of unknown size.
    pub fn unknown(&self, axis: usize) -> Option<&Str> {
        match self {
            Given::Now(_) => None,
            Given::Lazy(a) => a.unknown.axis(axis),
        }
    }

    /// The shape as it is shown: `[?n3f 4]`.
    pub fn shown_shape(&self) -> String {
        match self {
            Given::Now(b) => super::chunking::show(b.shape()),
            Given::Lazy(a) => a.shown_shape(),
        }
    }

    pub fn dtype(&self) -> DType {
        match self {
            Given::Now(b) => b.dtype(),
            Given::Lazy(a) => a.dtype,
        }
    }

    /// The array as a lazy one, in one block where it is concrete.
    pub fn into_lazy(self, span: Span) -> Array {
        match self {
            Given::Lazy(a) => Arc::unwrap_or_clone(a),
            Given::Now(b) => {
                let chunks = Chunks::whole(b.shape());
                super::layers::constant(&b, chunks, span)
            }
        }
    }
}
