//! Names of layers: `add-5a3c…`, the op and a hash of everything the result depends on. Equal expressions get equal names, so
//! what they share runs once, and the same program gets the same names every time.

use crate::data::cancel::cancelled;
use crate::data::{Block, Chunks, Form, Layer, Str, Task, Value, task::deep};
use crate::with_dtype;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Gathers what a layer's name depends on.
#[derive(Clone)]
pub struct Token {
    op: Str,
    /// SipHash with its fixed keys: the same in every process.
    state: DefaultHasher,
}

impl Token {
    pub fn new(op: impl Into<Str>) -> Self {
        let op = op.into();
        let mut state = DefaultHasher::new();
        op.as_str().hash(&mut state);
        Token { op, state }
    }

    pub fn with(mut self, part: impl Hash) -> Self {
        part.hash(&mut self.state);
        self
    }

    pub fn layer(self, layer: &Layer) -> Self {
        self.with(layer.name.as_str())
    }

    pub fn chunks(self, chunks: &Chunks) -> Self {
        self.with(chunks)
    }

    pub fn value(mut self, value: &Value) -> Self {
        hash_value(value, &mut self.state);
        self
    }

    pub fn values<'a>(self, values: impl IntoIterator<Item = &'a Value>) -> Self {
        values.into_iter().fold(self, Token::value)
    }

    pub fn task(mut self, task: &Task) -> Self {
        hash_task(task, &mut self.state);
        self
    }

    /// `op-<16 hex digits>`.
    pub fn name(&self) -> Str {
        format!("{}-{:016x}", self.op, self.hash()).into()
    }

    /// What was gathered, as a number.
    pub fn hash(&self) -> u64 {
        self.state.finish()
    }
}

/// Hashes what a value is, to the last bit: `1` and `1.0` differ, unlike as map keys.
pub fn hash_value(value: &Value, state: &mut impl Hasher) {
    std::mem::discriminant(value).hash(state);
    match value {
        Value::Nil | Value::Ellipsis | Value::NewAxis => {}
        Value::Bool(b) => b.hash(state),
        Value::Int(n) => n.hash(state),
        Value::Float(x) => x.to_bits().hash(state),
        Value::Complex(c) => (c.re.to_bits(), c.im.to_bits()).hash(state),
        Value::Str(s) | Value::Keyword(s) => s.as_str().hash(state),
        Value::Regex(r) => r.as_str().hash(state),
        Value::Slice(s) => s.hash(state),
        // What is cancelled needs no name.
        Value::List(_) | Value::Map(_) if cancelled() => {}
        Value::List(items) => deep(|| {
            items.len().hash(state);
            items.iter().for_each(|v| hash_value(v, state));
        }),
        Value::Map(map) => deep(|| {
            map.len().hash(state);
            map.iter().for_each(|(k, v)| {
                hash_value(k, state);
                hash_value(v, state);
            });
        }),
        Value::Code(task) => hash_task(task, state),
        Value::Function(f) => match f.callable.source() {
            Some(source) => hash_task(&source, state),
            // A host function has no text to go by: it is itself.
            None => (f.name.as_str(), Arc::as_ptr(f) as usize).hash(state),
        },
        Value::Block(block) => hash_block(block, state),
        Value::Array(array) => array.layer.name.as_str().hash(state),
        Value::Delayed(delayed) => delayed.layer.name.as_str().hash(state),
        Value::Graph(graph) => (Arc::as_ptr(graph) as usize).hash(state),
    }
}

fn hash_block(block: &Block, state: &mut impl Hasher) {
    (block.dtype(), block.shape()).hash(state);
    with_dtype!(block.dtype(), T => {
        let whole = block.contiguous();
        debug_assert!(whole.as_slice::<T>().is_some());
        state.write(whole.as_bytes().unwrap_or_default());
    });
}

fn hash_task(task: &Task, state: &mut impl Hasher) {
    std::mem::discriminant(&task.form).hash(state);
    match &task.form {
        Form::Data(value) => hash_value(value, state),
        Form::Key(key) => (key.name.as_str(), key.index.as_slice()).hash(state),
        Form::Call(items) | Form::List(items) => deep(|| {
            items.len().hash(state);
            items.iter().for_each(|t| hash_task(t, state));
        }),
        Form::Map(pairs) => deep(|| {
            pairs.len().hash(state);
            pairs.iter().for_each(|(k, v)| {
                hash_task(k, state);
                hash_task(v, state);
            });
        }),
        Form::Input(n) => n.hash(state),
        Form::Index(f) => (Arc::as_ptr(&f.function).cast::<()>() as usize).hash(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_make_equal_names() {
        let name = |v: Value| Token::new("add").value(&v).name();
        assert_eq!(name(Value::Int(1)), name(Value::Int(1)));
        assert_ne!(name(Value::Int(1)), name(Value::Float(1.0)));
        let a = Block::from_slice(&[2, 3], &[1i64, 2, 3, 4, 5, 6]);
        assert_eq!(name(a.clone().into()), name(a.transpose(&[1, 0]).contiguous().transpose(&[1, 0]).into()));
        assert_ne!(name(a.clone().into()), name(a.transpose(&[1, 0]).into()));
        assert_eq!(name(Value::Nil).len(), "add-".len() + 16);
    }
}
