//! Floor 3: what an op is. One `Op` answers every question about a function of the language: how it is called, what it
//! does, examples that are run as tests, what it costs, and the code. Help, completion, arity errors, the reference and
//! the doc tests all read these.

pub mod args;
mod array_call;
pub mod bags;
pub mod chunking;
pub mod doc;
pub mod indexing;
pub mod infer;
pub mod inputs;
pub mod layers;
pub mod number;
pub mod operand;
pub mod pairs;
pub mod parts;
pub mod recut;
pub mod registry;
pub mod sequence;
pub mod state;
pub mod token;
pub mod tree;
pub mod usage;

pub use inputs::Inputs;
pub use operand::{Given, Operand};
pub use registry::Registry;
pub use state::States;
pub use token::Token;

use crate::data::{Args, Cost, Memory, Value};
use crate::text::Result;

pub struct Op {
    /// How it is called, as a dsk form: `(clip x lo hi)`, `(sum x :axis nil :keepdims false)`, `(concat & colls)`. The first
    /// symbol is the name; [`usage::parse`] says what parameters there are.
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
    /// Concrete arguments run at once. A lazy value (`Value::Delayed`, or `Value::Array`) among the arguments, or within
    /// lists and maps among them, makes a lazy call of the whole.
    Now(fn(Args) -> Result<Value>),
    /// As `Now`, for what reads or writes data outside of memory.
    Outside(Memory, fn(Args) -> Result<Value>),
    /// As `Now`, but only the parameters of those names count, with spaces between them, and only if they are lazy
    /// themselves: elements and other arguments are handed on without being looked at, so lazy ones may be among them.
    /// `(filter f [a b])` asks `f` about lazy `a`. With a `*` after its name, a parameter also counts if it holds something
    /// lazy, however deep: what the op compares, or takes apart.
    Over(&'static str, fn(Args) -> Result<Value>),
    /// On arrays: lazy ones make layers. What the call takes in memory is told before it runs. A lazy value that is not known to be
    /// an array, also as an element of a list, makes a lazy call.
    Array(Memory, fn(Args) -> Result<Value>),
    /// Decides itself what lazy arguments mean: ops that take lazy values as they are
    /// or make a lazy call of some ([`crate::data::Host::delay`]).
    Lazy(fn(Args) -> Result<Value>),
}

impl Op {
    /// The name: the first word of the usage line.
    pub fn name(&self) -> &'static str {
        let form = self.usage.strip_prefix('(').unwrap_or(self.usage);
        form.split([' ', ')']).next().unwrap_or(form)
    }
}

/// A row of a table of ops: kind, usage, documentation, examples with what they print, related ops.
///
/// ```ignore
/// op!(Kind::Now(run), "(f x)", "What it does.", ["(f 1)" => "2"], ["g"])
/// ```
#[macro_export]
macro_rules! op {
    ($kind:expr, $usage:literal, $doc:expr, [$($code:literal => $result:literal),* $(,)?], [$($see:literal),*]) => {
        $crate::op::Op {
            usage: $usage,
            doc: $doc,
            examples: &[$(($code, $result)),*],
            see: &[$($see),*],
            cost: $crate::data::Cost::Cheap,
            kind: $kind,
        }
    };
}
