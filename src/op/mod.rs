//! Floor 3: what an op is. One `Op` answers every question about a function of the language: how it is called, what it
//! does, examples that are run as tests, what it costs, and the code. Help, completion, arity errors, the reference and
//! the doc tests all read these.

pub mod chunking;
pub mod indexing;
pub mod infer;
pub mod layers;
pub mod number;
pub mod operand;
pub mod token;
pub mod tree;

pub use operand::{Given, Operand};
pub use token::Token;

use crate::data::{Args, Callable, Cost, Function, Str, Value};
use crate::text::Result;

pub struct Op {
    /// How it is called, as a dsk form: `(clip x lo hi)`, `(sum x :axis nil :keepdims false)`, `(+ x & more)`. The first
    /// symbol is the name. Plain symbols are required; `name?` is optional (nil); `:name default` is optional, given by
    /// name or, in order, by position; what follows `&` takes the rest.
    pub usage: &'static str,
    /// The first line says it all; then shapes, units, errors, and the source of an algorithm.
    pub doc: &'static str,
    /// Expressions and what they print; run as tests.
    pub examples: &'static [(&'static str, &'static str)],
    /// Names of related ops.
    pub see: &'static [&'static str],
    pub cost: Cost,
    pub kind: Kind,
}

/// How a call is carried out.
pub enum Kind {
    /// A special form: `eval/` compiles it; here only for the documentation.
    Form,
    /// Concrete arguments run at once. A lazy value among the arguments (`Value::Delayed`, or `Value::Array`) makes a lazy
    /// call of the whole.
    Now(fn(Args) -> Result<Value>),
    /// Decides itself what lazy arguments mean: array ops (which make layers), and ops that take lazy values as they are.
    Lazy(fn(Args) -> Result<Value>),
}

impl Op {
    /// The name: the first word of the usage line.
    pub fn name(&self) -> &'static str {
        let form = self.usage.strip_prefix('(').unwrap_or(self.usage);
        form.split([' ', ')']).next().unwrap_or(form)
    }
}
