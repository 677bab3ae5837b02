//! Shorter ways to call an op than with bound arguments: on plain values at once, and element by element where calls on lists are
//! nested in each other.

use super::{Args, Edit, Value};
use crate::text::Result;

/// How to call an op on plain values, if these are what it takes most often.
#[derive(Clone, Copy)]
pub struct Direct {
    /// Whether it gave an answer. Else nothing was done. Of the answer, what is not read may be left out.
    pub call: fn(&[&Value], &Reads, &mut Answer) -> bool,
    pub edit: EditOf,
}

/// What a call of an op does to short strings, as the arguments behind these tell.
pub type EditOf = fn(&[&Value]) -> Option<Edit>;

/// More arguments than these no op takes this way.
pub const MOST_DIRECT: usize = 4;

/// Where an answer is put, whole: as a result that may be none it would be taken apart and put together again, and the processor would
/// wait for the pieces.
pub struct Answer(Value);

impl Answer {
    #[expect(clippy::new_without_default, reason = "it is made to be filled")]
    #[inline(always)]
    pub const fn new() -> Answer {
        Answer(Value::Nil)
    }

    #[inline(always)]
    pub fn give(&mut self, value: Value) -> bool {
        // SAFETY: the place is there. What it held is forgotten, which is nothing but for who gives two answers.
        unsafe { std::ptr::write(&raw mut self.0, value) };
        true
    }

    /// Where the answer is.
    #[inline(always)]
    pub fn place(&mut self) -> *const Value {
        &raw const self.0
    }

    #[inline(always)]
    pub fn take(&mut self) -> Value {
        std::mem::take(&mut self.0)
    }

    /// Gives a value that was an argument, which is best for short strings.
    #[inline(always)]
    pub fn give_same(&mut self, value: &Value) -> bool {
        if matches!(value, Value::Str(s) if s.packed().is_some()) {
            // SAFETY: a short string has no memory of its own, so that there may be two of it.
            return self.give(unsafe { std::ptr::read(value) });
        }
        self.give(value.clone())
    }
}

/// What is read of a value. What nobody reads of a record need not be made.
#[derive(Clone, Debug)]
pub enum Reads {
    All,
    /// If it is a map, what it has under these keys; else all.
    Keys(Vec<Value>),
}

impl Reads {
    pub const NOTHING: Reads = Reads::Keys(Vec::new());

    /// Whether nothing is read of it.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Reads::Keys(keys) if keys.is_empty())
    }

    /// Whether the value under a key that is a string is read.
    #[inline]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Reads::All => true,
            Reads::Keys(keys) => keys.iter().any(|key| key.as_text() == Some(name)),
        }
    }

    /// What is read by both together.
    pub fn and(self, other: &Reads) -> Reads {
        let (Reads::Keys(mut keys), Reads::Keys(more)) = (self, other) else { return Reads::All };
        for key in more {
            if !keys.iter().any(|k| k.same_key(key)) {
                keys.push(key.clone());
            }
        }
        Reads::Keys(keys)
    }
}

/// Takes an element that a source makes; false where no more are wanted.
pub type Next<'a> = dyn FnMut(Value) -> Result<bool> + 'a;

/// Makes elements one by one, as far as they are read.
pub type MakeElements = fn(&Args, &Reads, &mut Next) -> Result<()>;

/// What an op does with elements that come one by one, in place of the last positional argument of its call.
#[derive(Clone, Copy)]
pub enum Flow {
    /// It makes them.
    Source(MakeElements),
    Stage(Stage),
    /// It takes all of them to one answer. And what it reads of each.
    Sink(fn(&Args) -> Result<Box<dyn Sink>>, fn(&Args) -> Reads),
    /// Its first argument makes them, and calls that are the others take them, each to an answer.
    Together,
    /// They come in here.
    Hole,
}

/// It takes elements, and hands on what it makes of them.
#[derive(Clone, Copy)]
pub struct Stage {
    /// Of a call with so many positional arguments.
    pub positional: usize,
    pub work: Work,
    /// What it reads of an element, given what is read of what it hands on.
    pub reads: fn(&Args, &Reads) -> Reads,
}

#[derive(Clone, Copy)]
pub enum Work {
    /// It makes one of each, where that is. Given what is read of them.
    InPlace(fn(&Args, &Reads, &mut [Value]) -> Result<()>),
    /// It makes at most one of each.
    Choose(fn(&Args, &Reads, &mut Vec<Value>) -> Result<()>),
    /// It makes several of one.
    Spread(fn(&Args, Value) -> Result<Vec<Value>>),
}

/// What becomes of all elements.
pub trait Sink {
    /// Takes elements; false where no more are wanted.
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool>;

    /// Whether it may want no more before the end: then elements come one by one, and none is made in vain.
    fn may_end(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value>;
}
