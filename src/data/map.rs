//! Maps keep insertion order. A keyword and the string of its name are the same key.

use super::{Value, task::deep};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::hash::{Hash, Hasher};

/// A value that is known to be hashable.
#[derive(Clone)]
pub struct MapKey(Value);

impl MapKey {
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// [`Value::hash_into`], with the keys that most maps have at hand.
#[inline(always)]
fn hash<H: Hasher>(key: &Value, state: &mut H) {
    match key {
        Value::Str(s) | Value::Keyword(s) => super::value::hash_text(s, state),
        Value::Int(n) => n.hash(state),
        other => other.hash_into(state),
    }
}

/// [`Value::same_key`], with the keys that most maps have at hand.
#[inline(always)]
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Str(a) | Value::Keyword(a), Value::Str(b) | Value::Keyword(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        _ => a.same_key(b),
    }
}

impl Hash for MapKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

impl PartialEq for MapKey {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for MapKey {}

/// Look-up by the text of a string or keyword, without making a value.
struct Text<'a>(&'a str);

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        super::value::hash_text(self.0, state);
    }
}

impl indexmap::Equivalent<MapKey> for Text<'_> {
    fn equivalent(&self, key: &MapKey) -> bool {
        key.0.as_text() == Some(self.0)
    }
}

/// Look-up by a borrowed value.
struct Borrowed<'a>(&'a Value);

impl Hash for Borrowed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.0, state);
    }
}

impl indexmap::Equivalent<MapKey> for Borrowed<'_> {
    fn equivalent(&self, key: &MapKey) -> bool {
        same(self.0, &key.0)
    }
}

#[derive(Clone, Default)]
pub struct Map(IndexMap<MapKey, Value, FxBuildHasher>);

impl Map {
    pub fn new() -> Self {
        Map::default()
    }

    pub fn with_capacity(n: usize) -> Self {
        Map(IndexMap::with_capacity_and_hasher(n, FxBuildHasher))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the key back when it is not hashable (an array, a function).
    pub fn insert(&mut self, key: Value, value: Value) -> Result<Option<Value>, Value> {
        if !key.is_hashable() {
            return Err(key);
        }
        Ok(self.0.insert(MapKey(key), value))
    }

    /// Inserts under the keyword `name`.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(MapKey(Value::Keyword(name.into())), value);
    }

    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.0.get(&Borrowed(key))
    }

    pub fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        self.0.get_mut(&Borrowed(key))
    }

    pub fn get_text(&self, name: &str) -> Option<&Value> {
        self.0.get(&Text(name))
    }

    /// Removes a key; the order of the others stays.
    pub fn remove(&mut self, key: &Value) -> Option<Value> {
        self.0.shift_remove(&Borrowed(key))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> + DoubleEndedIterator {
        self.0.iter().map(|(k, v)| (&k.0, v))
    }

    pub fn get_index(&self, n: usize) -> Option<(&Value, &Value)> {
        self.0.get_index(n).map(|(k, v)| (&k.0, v))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.0.iter().any(|(k, v)| v.nests() || k.0.nests()) {
            deep(|| self.0.clear());
        }
    }
}
