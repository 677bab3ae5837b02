//! What an expression evaluates to. Sixteen bytes; numbers inline, everything else one counted pointer.

use super::cancel::cancelled;
use super::task::{deep, spaced};
use super::{Array, Block, Complex64, DType, Form, Function, Graph, Kind, Layer, List, Map, Packed, Slice, Str, Task};
use crate::err;
use crate::text::Result;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The tag is the first byte, which strings are made by (`Value::packed`).
#[derive(Default)]
#[repr(u8)]
pub enum Value {
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Complex(Arc<Complex64>),
    Str(Str),
    Keyword(Str),
    Regex(Arc<regex::Regex>),
    Slice(Arc<Slice>),
    /// `...`
    Ellipsis,
    /// `newaxis`
    NewAxis,
    List(Arc<List>),
    Map(Arc<Map>),
    /// Quoted code that is not data: a symbol or a call.
    Code(Arc<Task>),
    Function(Arc<Function>),
    /// A concrete array. One of no dimensions behaves as the number in it, with its dtype.
    Block(Arc<Block>),
    /// A lazy array.
    Array(Arc<Array>),
    /// A bag, or any other value that is not computed yet.
    Delayed(Arc<Delayed>),
    Graph(Arc<Graph>),
}

/// A lazy value: the only key of a layer. Or a bag: a list in partitions, one for each key of a layer along one axis.
#[derive(Clone)]
pub struct Delayed {
    pub layer: Arc<Layer>,
}

impl Delayed {
    /// How many partitions there are, if it is a bag.
    pub fn partitions(&self) -> Option<usize> {
        match &self.layer.grid[..] {
            [partitions] => Some(*partitions),
            _ => None,
        }
    }
}

const _: () = assert!(std::mem::size_of::<Value>() == 16);

impl Clone for Value {
    /// One more owner of what the value holds, and its bytes as they are: made anew of its parts, it would be written in pieces and
    /// then read as a whole, which makes processors wait.
    fn clone(&self) -> Value {
        use std::mem::forget;
        match self {
            Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Ellipsis | Value::NewAxis => {}
            Value::Complex(held) => forget(held.clone()),
            Value::Str(held) | Value::Keyword(held) => forget(held.clone()),
            Value::Regex(held) => forget(held.clone()),
            Value::Slice(held) => forget(held.clone()),
            Value::List(held) => forget(held.clone()),
            Value::Map(held) => forget(held.clone()),
            Value::Code(held) => forget(held.clone()),
            Value::Function(held) => forget(held.clone()),
            Value::Block(held) => forget(held.clone()),
            Value::Array(held) => forget(held.clone()),
            Value::Delayed(held) => forget(held.clone()),
            Value::Graph(held) => forget(held.clone()),
        }
        // SAFETY: a variant holds plain bytes, or a counted pointer: a clone of that has the same bytes, and the one that was forgotten is
        // counted: it is the one in the copy.
        unsafe { std::ptr::read(self) }
    }
}

/// The first byte of a string.
const STR: u8 = {
    let empty = std::mem::ManuallyDrop::new(Value::Str(Str::new()));
    // SAFETY: the enum is `repr(u8)`, so that its tag is the byte at its address.
    unsafe { *(&raw const empty).cast::<u8>() }
};

impl Value {
    /// A short string, made in a register and written whole: made in memory piece by piece, it would make the processor wait when it is
    /// moved.
    #[inline(always)]
    pub fn packed(text: Packed) -> Value {
        let bits = u128::from(STR) | text.bits() << 8 | (text.len() as u128) << 120;
        // SAFETY: `repr(u8)` puts the tag first and a `Str`, which may lie anywhere, behind it: bytes, zero after the text, and the length.
        // It is at most as long as a short text is, and whatever makes a `Packed` makes it of UTF-8.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            return std::mem::transmute::<std::arch::x86_64::__m128i, Value>(std::arch::x86_64::_mm_set_epi64x(
                (bits >> 64) as i64,
                bits as i64,
            ));
            #[cfg(not(target_arch = "x86_64"))]
            std::mem::transmute::<[u8; 16], Value>(bits.to_le_bytes())
        }
    }

    pub fn str(text: impl Into<Str>) -> Self {
        Value::Str(text.into())
    }

    pub fn keyword(name: impl Into<Str>) -> Self {
        Value::Keyword(name.into())
    }

    pub fn list(items: Vec<Value>) -> Self {
        Value::List(Arc::new(List::from(items)))
    }

    pub fn map(map: Map) -> Self {
        Value::Map(Arc::new(map))
    }

    pub fn complex(re: f64, im: f64) -> Self {
        Value::Complex(Arc::new(Complex64::new(re, im)))
    }

    pub fn symbol(name: impl Into<Str>) -> Self {
        Value::Code(Arc::new(Task::symbol(name)))
    }

    /// Whether the value has no memory of its own, so that any copy of its bytes is the same value.
    pub fn is_plain(&self) -> bool {
        matches!(self, Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_))
    }

    /// Drops the value, which is often a plain one or a short string: then there is nothing to do.
    #[inline(always)]
    pub fn done(self) {
        match &self {
            Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => std::mem::forget(self),
            Value::Str(s) if s.packed().is_some() => std::mem::forget(self),
            _ => drop(self),
        }
    }

    /// Appends the value to a list, if it is plain; whether it was. A clone would ask once more of which kind it is.
    pub fn copy_to(&self, list: &mut Vec<Value>) -> bool {
        let plain = self.is_plain();
        if plain {
            // SAFETY: it owns nothing, so that there may be two of it.
            list.push(unsafe { std::ptr::read(self) });
        }
        plain
    }

    /// What messages call the type of this value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Complex(_) => "complex",
            Value::Str(_) => "string",
            Value::Keyword(_) => "keyword",
            Value::Regex(_) => "regex",
            Value::Slice(_) => "slice",
            Value::Ellipsis => "ellipsis",
            Value::NewAxis => "newaxis",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Code(t) => match t.form {
                Form::Key(_) => "symbol",
                _ => "task",
            },
            Value::Function(_) => "function",
            Value::Block(_) => "array",
            Value::Array(_) => "lazy array",
            Value::Delayed(d) if d.partitions().is_some() => "bag",
            Value::Delayed(_) => "lazy value",
            Value::Graph(_) => "graph",
        }
    }

    /// [`Value::type_name`] as a sentence says it: `an int`, `a list`, `nil`.
    pub fn a_type_name(&self) -> String {
        let name = self.type_name();
        match self {
            Value::Nil => name.into(),
            _ if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
            _ => format!("a {name}"),
        }
    }

    /// Only `nil` and `false` are false; an array of one element is what is in it.
    pub fn truthy(&self) -> bool {
        match self {
            Value::Nil | Value::Bool(false) => false,
            Value::Block(b) if b.len() == 1 && b.dtype() == DType::Bool => b.get::<bool>(&vec![0; b.ndim()]),
            _ => true,
        }
    }

    /// Whether a test that gave this holds: as [`Value::truthy`], but an array of several elements or of none has no
    /// truth, and what is not computed yet has none that is known.
    pub fn truth(&self) -> Result<bool> {
        match self {
            Value::Block(b) if b.len() != 1 => {
                Err(err!(Type, "an array of {} elements is neither true nor false; `any` or `all` of it is", b.len()))
            }
            Value::Array(_) | Value::Delayed(_) => {
                Err(err!(Type, "{} is neither true nor false before it is computed", self.a_type_name())
                    .help("`(compute x)` gives the value"))
            }
            other => Ok(other.truthy()),
        }
    }

    /// Whether computing this takes a scheduler. Lists and maps that hold lazy values are not lazy themselves.
    pub fn is_lazy(&self) -> bool {
        matches!(self, Value::Array(_) | Value::Delayed(_))
    }

    /// Whether the value is lazy, or is a list or map that holds something lazy, however deep.
    pub fn holds_lazy(&self) -> bool {
        match self {
            // What is cancelled is not looked through.
            Value::List(_) | Value::Map(_) if cancelled() => false,
            Value::List(items) => deep(|| items.iter().any(Value::holds_lazy)),
            Value::Map(map) => deep(|| map.iter().any(|(_, v)| v.holds_lazy())),
            other => other.is_lazy(),
        }
    }

    /// Whether the value can hold other values without bound.
    pub(super) fn nests(&self) -> bool {
        matches!(self, Value::List(_) | Value::Map(_) | Value::Function(_) | Value::Code(_))
    }

    /// An integer: also a 0-d integer array. Floats are not integers.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Block(b) if b.ndim() == 0 && b.dtype().is_integer() => match b.item() {
                Value::Int(n) => Some(n),
                _ => None,
            },
            _ => None,
        }
    }

    /// A real number as a float: int, float, or a 0-d array of one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            Value::Block(b) if b.ndim() == 0 => match b.item() {
                Value::Block(_) => b.cast(DType::F64).ok().map(|b| b.get::<f64>(&[])),
                item => item.as_float(),
            },
            _ => None,
        }
    }

    pub fn as_complex(&self) -> Option<Complex64> {
        match self {
            Value::Complex(c) => Some(**c),
            Value::Block(b) if b.ndim() == 0 && b.dtype().is_complex() => b.item().as_complex(),
            other => other.as_float().map(|re| Complex64::new(re, 0.0)),
        }
    }

    /// The text of a string or keyword.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Str(s) | Value::Keyword(s) => Some(s),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The kind of a plain number, which is weak in promotion; `None` for everything else.
    pub fn number_kind(&self) -> Option<Kind> {
        match self {
            Value::Bool(_) => Some(Kind::Bool),
            Value::Int(_) => Some(Kind::Int),
            Value::Float(_) => Some(Kind::Float),
            Value::Complex(_) => Some(Kind::Complex),
            _ => None,
        }
    }

    /// A 0-d array as the plain number it is; everything else as it is. (A uint64 beyond int64 stays an array.)
    pub fn plain(self) -> Value {
        match &self {
            Value::Block(b) if b.ndim() == 0 => b.item(),
            _ => self,
        }
    }

    /// Whether the two are the same data: like `=`, but never elementwise, and with `nan` the same as `nan`,
    /// `1` not the same as `1.0`. What "reads back equal" means.
    pub fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Float(a), Value::Float(b)) => {
                a == b && a.is_sign_negative() == b.is_sign_negative() || a.is_nan() && b.is_nan()
            }
            (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => false,
            (Value::Complex(a), Value::Complex(b)) => {
                Value::Float(a.re).same(&Value::Float(b.re)) && Value::Float(a.im).same(&Value::Float(b.im))
            }
            (Value::Str(a), Value::Str(b)) | (Value::Keyword(a), Value::Keyword(b)) => a == b,
            (Value::Str(_), Value::Keyword(_)) | (Value::Keyword(_), Value::Str(_)) => false,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && !cancelled() && deep(|| a.iter().zip(b.iter()).all(|(a, b)| a.same(b)))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && !cancelled()
                    && deep(|| a.iter().all(|(k, v)| b.get(k).is_some_and(|w| v.same(w))))
            }
            (Value::Block(a), Value::Block(b)) => a.same(b),
            _ => self.same_key(other),
        }
    }

    /// Equality of map keys, and of everything `=` does not compare elementwise: `1` and `1.0` are equal, a keyword
    /// equals the string of its name, functions and lazy values equal only themselves.
    pub fn same_key(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) | (Value::Ellipsis, Value::Ellipsis) | (Value::NewAxis, Value::NewAxis) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b || a.to_bits() == b.to_bits(),
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => same_number(*a, *b),
            (Value::Complex(a), b) => b.as_complex().is_some_and(|b| **a == b),
            (a, Value::Complex(b)) => a.as_complex().is_some_and(|a| a == **b),
            (Value::Str(a) | Value::Keyword(a), Value::Str(b) | Value::Keyword(b)) => a == b,
            (Value::Slice(a), Value::Slice(b)) => a == b,
            (Value::Regex(a), Value::Regex(b)) => a.as_str() == b.as_str(),
            (Value::List(a), Value::List(b)) => {
                let parts = || a.iter().zip(b.iter()).all(|(a, b)| a.same_key(b));
                let flat = || a.iter().all(|a| !a.nests());
                Arc::ptr_eq(a, b) || a.len() == b.len() && if flat() { parts() } else { !cancelled() && deep(parts) }
            }
            (Value::Map(a), Value::Map(b)) => {
                let parts = || a.iter().all(|(k, v)| b.get(k).is_some_and(|w| v.same_key(w)));
                Arc::ptr_eq(a, b) || a.len() == b.len() && !cancelled() && deep(parts)
            }
            (Value::Code(a), Value::Code(b)) => a == b,
            (Value::Function(a), Value::Function(b)) => Arc::ptr_eq(a, b),
            (Value::Block(a), Value::Block(b)) => Arc::ptr_eq(a, b) || a.same(b),
            (Value::Array(a), Value::Array(b)) => Arc::ptr_eq(a, b) || a.layer.name == b.layer.name,
            (Value::Delayed(a), Value::Delayed(b)) => a.layer.name == b.layer.name,
            (Value::Graph(a), Value::Graph(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    #[inline(always)]
    pub fn is_hashable(&self) -> bool {
        matches!(self, Value::Str(_) | Value::Keyword(_) | Value::Int(_)) || self.parts_are_hashable()
    }

    fn parts_are_hashable(&self) -> bool {
        match self {
            Value::List(items) if items.iter().all(|item| !item.nests()) => items.iter().all(Value::is_hashable),
            Value::List(_) | Value::Map(_) if cancelled() => true,
            Value::List(items) => deep(|| items.iter().all(Value::is_hashable)),
            Value::Map(m) => deep(|| m.iter().all(|(_, v)| v.is_hashable())),
            Value::Block(b) => b.ndim() == 0,
            Value::Array(_) | Value::Delayed(_) | Value::Graph(_) | Value::Function(_) => false,
            _ => true,
        }
    }

    /// A hash that agrees with [`Value::same_key`].
    pub fn hash_into<H: Hasher>(&self, state: &mut H) {
        match self {
            Value::Nil | Value::Ellipsis | Value::NewAxis => std::mem::discriminant(self).hash(state),
            Value::Bool(b) => b.hash(state),
            Value::Int(n) => n.hash(state),
            Value::Float(x) if same_number(*x as i64, *x) => (*x as i64).hash(state),
            Value::Float(x) => x.to_bits().hash(state),
            Value::Complex(c) if c.im == 0.0 => Value::Float(c.re).hash_into(state),
            Value::Complex(c) => (c.re.to_bits(), c.im.to_bits()).hash(state),
            Value::Str(s) | Value::Keyword(s) => hash_text(s, state),
            Value::Slice(s) => s.hash(state),
            Value::Regex(r) => r.as_str().hash(state),
            Value::Code(t) => {
                if let Form::Key(key) = &t.form {
                    key.hash(state);
                }
            }
            // Lists that share their parts may have no end: whoever cancels gets no hash, nor needs one.
            Value::List(_) if cancelled() => {}
            Value::List(items) => deep(|| items.iter().for_each(|v| v.hash_into(state))),
            // Order does not count in equality, so it must not count here.
            Value::Map(m) => m.len().hash(state),
            Value::Block(b) if b.ndim() == 0 && !matches!(b.item(), Value::Block(_)) => b.item().hash_into(state),
            _ => std::mem::discriminant(self).hash(state),
        }
    }
}

/// How a string or a keyword hashes as a map key.
#[inline(always)]
pub(super) fn hash_text<H: Hasher>(text: &str, state: &mut H) {
    text.hash(state);
}

/// Whether an integer and a float are the same number, exactly.
pub(super) fn same_number(a: i64, b: f64) -> bool {
    b == a as f64 && (-9.3e18..9.2e18).contains(&b) && b as i64 == a
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Value::Int(n as i64)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Value::Float(x)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<&str> for Value {
    #[inline]
    fn from(text: &str) -> Self {
        match Packed::of(text) {
            Some(short) => Value::packed(short),
            None => Value::Str(Str::shared(text.into())),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::from(text.as_str())
    }
}

impl From<Block> for Value {
    fn from(b: Block) -> Self {
        Value::Block(Arc::new(b))
    }
}

impl From<Slice> for Value {
    fn from(s: Slice) -> Self {
        Value::Slice(Arc::new(s))
    }
}

impl From<Function> for Value {
    fn from(f: Function) -> Self {
        Value::Function(Arc::new(f))
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::list(items.into_iter().map(Into::into).collect())
    }
}

/// In dsk's notation, for assertions and messages; `read::print` is what users see of values, and reads back.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) if x.is_nan() => f.write_str("nan"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Complex(c) => write!(f, "{c}"),
            Value::Str(s) => write!(f, "{:?}", s.as_str()),
            Value::Keyword(s) => write!(f, ":{s}"),
            Value::Slice(s) => write!(f, "{s}"),
            Value::List(items) => deep(|| spaced(f, '[', items.iter(), ']')),
            Value::Map(m) => deep(|| spaced(f, '{', m.iter().flat_map(|(k, v)| [k, v]), '}')),
            Value::Code(t) => write!(f, "'{t:?}"),
            Value::Function(x) => write!(f, "<fn {}>", x.name),
            Value::Block(b) => write!(f, "{b:?}"),
            other => write!(f, "<{}>", other.type_name()),
        }
    }
}
