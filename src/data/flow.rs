//! Shorter ways to call an op than with bound arguments: on plain values at once, and element by element where calls on lists are
//! nested in each other.

use super::{Args, Value};
use crate::text::Result;

/// Calls an op on the values in a window, if these are what it takes most often: then the answer is in the first place, and true is
/// returned. Else nothing has changed.
pub type Direct = fn(&mut [Value]) -> bool;

/// Takes an element; false where no more are wanted.
pub type Next<'a> = dyn FnMut(Value) -> Result<bool> + 'a;

/// What an op does with elements that come one by one, in place of the last positional argument of its call.
#[derive(Clone, Copy)]
pub enum Flow {
    /// It makes them.
    Source(fn(&Args, &mut Next) -> Result<()>),
    /// It takes each, and hands on what it makes of it. Of a call with so many positional arguments.
    Stage(usize, fn(&Args, Value, &mut Next) -> Result<bool>),
    /// It takes all of them to one answer.
    Sink(fn(&Args) -> Result<Box<dyn Sink>>),
}

/// What becomes of all elements.
pub trait Sink {
    /// False where no more are wanted.
    fn push(&mut self, args: &Args, value: Value) -> Result<bool>;

    fn finish(self: Box<Self>, args: &Args) -> Result<Value>;
}
