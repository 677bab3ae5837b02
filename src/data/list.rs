//! A list of values. Its own type only so that dropping lists nested without bound cannot exhaust the stack.

use super::{Value, task::deep};
use std::ops::{Deref, DerefMut};

#[derive(Clone, Default)]
pub struct List(Vec<Value>);

impl List {
    pub fn into_vec(mut self) -> Vec<Value> {
        std::mem::take(&mut self.0)
    }
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> Self {
        List(items)
    }
}

impl Deref for List {
    type Target = Vec<Value>;
    fn deref(&self) -> &Vec<Value> {
        &self.0
    }
}

impl DerefMut for List {
    fn deref_mut(&mut self) -> &mut Vec<Value> {
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
