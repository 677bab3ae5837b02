//! A list of values. Its own type so that dropping lists nested without bound cannot exhaust the stack, and so that a pair, of which
//! tables and counts are made, is one allocation.

use super::{Value, task::deep};
use smallvec::SmallVec;
use std::ops::{Deref, DerefMut};

/// Two of them lie in the list itself.
type Items = SmallVec<[Value; 2]>;

#[derive(Clone, Default)]
pub struct List(Items);

impl List {
    pub fn into_vec(mut self) -> Vec<Value> {
        std::mem::take(&mut self.0).into_vec()
    }

    /// Bytes of the memory in which the elements lie, unless they lie in the list itself.
    pub(super) fn heap_bytes(&self) -> usize {
        if self.0.spilled() { self.0.capacity() * size_of::<Value>() } else { 0 }
    }
}

impl TryFrom<List> for [Value; 2] {
    type Error = List;

    /// The two values of a pair, moved.
    fn try_from(mut list: List) -> Result<[Value; 2], List> {
        match list.0.len() {
            2 => Ok(std::array::from_fn(|n| std::mem::take(&mut list.0[n]))),
            _ => Err(list),
        }
    }
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> Self {
        List(Items::from_vec(items))
    }
}

impl From<[Value; 2]> for List {
    fn from(pair: [Value; 2]) -> Self {
        List(Items::from_buf(pair))
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        List(items.into_iter().collect())
    }
}

impl Deref for List {
    type Target = Items;
    fn deref(&self) -> &Items {
        &self.0
    }
}

impl DerefMut for List {
    fn deref_mut(&mut self) -> &mut Items {
        &mut self.0
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if self.0.iter().any(Value::nests) {
            deep(|| self.0.clear());
        }
    }
}
