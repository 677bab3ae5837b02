//! Maps keep insertion order. A keyword and the string of its name are the same key.
//!
//! Entries lie in a vector, in order. A map of few entries is searched from the front; of a larger one whose keys are 0, 1, 2, … each
//! tells where it lies; beside any other lies a table of their positions by the hash of the key.

use super::{Packed, Value, prefetch, task::deep};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Entries that are searched faster than hashed.
const FEW: usize = 8;

#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<(Value, Value)>,
    /// All entries or none. None only where they are [`FEW`] or fewer, or each has its position as key.
    table: HashTable<Place>,
}

/// Where the entry of a key lies, and the key's hash: most others are told apart by it, and the table grows without a look
/// at the keys.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub hash: u32,
    pub at: u32,
}

impl Place {
    /// One that no entry has.
    pub const FREE: Place = Place { hash: 0, at: u32::MAX };

    pub fn is_free(self) -> bool {
        self.at == u32::MAX
    }

    pub fn new(hash: u32, at: usize) -> Place {
        let at = u32::try_from(at).ok().filter(|&at| at != u32::MAX);
        Place { hash, at: at.expect("that many entries are larger than any memory") }
    }

    /// The hash as the table wants it, which goes by the lowest bits and the highest.
    #[inline(always)]
    fn wide(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

/// A hash that agrees with [`Value::same_key`].
#[inline(always)]
pub(super) fn hash_of(key: &Value) -> u32 {
    match key {
        Value::Str(s) | Value::Keyword(s) => match s.packed() {
            Some(short) => hash_short(short),
            None => hash_long(s),
        },
        Value::Int(n) => hash_int(*n),
        other => hash_other(other),
    }
}

#[inline(always)]
fn hash_text(text: &str) -> u32 {
    match Packed::of(text) {
        Some(short) => hash_short(short),
        None => hash_long(text),
    }
}

/// Both halves, each mixed with a number without a pattern, multiplied; and the halves of the product together.
#[inline(always)]
fn hash_short(text: Packed) -> u32 {
    let low = text.bits() as u64 ^ 0xa076_1d64_78bd_642f;
    let high = (text.bits() >> 64) as u64 ^ (text.len() as u64) << 56 ^ 0xe703_7ed1_a0b4_28db;
    let product = u128::from(low) * u128::from(high);
    narrow(product as u64 ^ (product >> 64) as u64)
}

fn hash_long(text: &str) -> u32 {
    let mut state = FxHasher::default();
    super::value::hash_text(text, &mut state);
    narrow(state.finish())
}

/// Neighbours come to lie beside each other in the table, sixteen at a time: many maps are filled and read in the order of
/// their keys. The highest bits, by which the table tells places apart, differ among them.
#[inline(always)]
fn hash_int(n: i64) -> u32 {
    // An odd number without a pattern; the upper bits of a product with it depend on all bits.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let own = (n as u64).wrapping_mul(FACTOR) >> 57;
    let block = ((n >> 4) as u64).wrapping_mul(FACTOR);
    let block = (block ^ block >> 32).wrapping_mul(FACTOR) >> 43;
    (own << 25 | block << 4 | (n & 15) as u64) as u32
}

#[inline(never)]
fn hash_other(key: &Value) -> u32 {
    match key {
        Value::Float(x) if super::value::same_number(*x as i64, *x) => hash_int(*x as i64),
        Value::Complex(c) if c.im == 0.0 => hash_of(&Value::Float(c.re)),
        Value::Block(b) if b.ndim() == 0 && !matches!(b.item(), Value::Block(_)) => hash_of(&b.item()),
        Value::List(items) if items.iter().all(|item| !item.nests()) => items
            .iter()
            .fold(items.len() as u32, |hash, item| (hash.rotate_left(5) ^ hash_of(item)).wrapping_mul(0x9e37_79b1)),
        other => {
            let mut state = FxHasher::default();
            other.hash_into(&mut state);
            narrow(state.finish())
        }
    }
}

/// The int that is the same key, if there is one.
#[inline(always)]
fn whole(key: &Value) -> Option<i64> {
    match key {
        Value::Int(n) => Some(*n),
        Value::Str(_) | Value::Keyword(_) => None,
        other => whole_other(other),
    }
}

#[inline(never)]
fn whole_other(key: &Value) -> Option<i64> {
    match key {
        Value::Float(x) if super::value::same_number(*x as i64, *x) => Some(*x as i64),
        Value::Complex(c) if c.im == 0.0 => whole(&Value::Float(c.re)),
        _ => None,
    }
}

fn narrow(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}

/// [`Value::same_key`], with the keys that most maps have at hand.
#[inline(always)]
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Str(a) | Value::Keyword(a), Value::Str(b) | Value::Keyword(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        _ => a.same_key(b),
    }
}

impl Map {
    pub fn new() -> Self {
        Map::default()
    }

    pub fn with_capacity(n: usize) -> Self {
        let table = if n > FEW { HashTable::with_capacity(n) } else { HashTable::new() };
        Map { entries: Vec::with_capacity(n), table }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The position of the entry whose key is found to be the one.
    #[inline(always)]
    fn find(&self, hash: impl FnOnce() -> u32, is: impl Fn(&Value) -> bool) -> Option<usize> {
        if self.table.is_empty() && self.entries.len() <= FEW {
            return self.entries.iter().position(|(key, _)| is(key));
        }
        let hash = hash();
        let found = |place: &Place| place.hash == hash && is(&self.entries[place.at as usize].0);
        self.table.find(Place::wide(hash), found).map(|place| place.at as usize)
    }

    /// Which of the entries has the key.
    #[inline(always)]
    pub fn position(&self, key: &Value) -> Option<usize> {
        if self.is_counted() {
            return whole(key).and_then(|n| usize::try_from(n).ok()).filter(|&at| at < self.entries.len());
        }
        self.find(|| hash_of(key), |other| same(key, other))
    }

    /// Gives the key back when it is not hashable (an array, a function).
    pub fn insert(&mut self, key: Value, value: Value) -> Result<Option<Value>, Value> {
        if !key.is_hashable() {
            return Err(key);
        }
        Ok(self.put(key, value))
    }

    /// Inserts under the keyword `name`.
    pub fn set(&mut self, name: &str, value: Value) {
        self.put(Value::Keyword(name.into()), value);
    }

    /// Inserts a key that is hashable.
    pub(crate) fn put(&mut self, key: Value, value: Value) -> Option<Value> {
        let count = self.entries.len();
        let found = if self.table.is_empty() {
            let found = self.position(&key);
            let counts = matches!(key, Value::Int(n) if n == count as i64);
            if found.is_none() && !counts && self.is_counted() {
                self.tabulate();
                return self.put(key, value);
            }
            found
        } else {
            let hash = hash_of(&key);
            let is = |place: &Place| place.hash == hash && same(&self.entries[place.at as usize].0, &key);
            match self.table.entry(Place::wide(hash), is, |place| Place::wide(place.hash)) {
                Entry::Occupied(place) => Some(place.get().at as usize),
                Entry::Vacant(free) => {
                    free.insert(Place::new(hash, count));
                    None
                }
            }
        };
        if let Some(at) = found {
            return Some(std::mem::replace(&mut self.entries[at].1, value));
        }
        self.entries.push((key, value));
        if count == FEW
            && self.table.is_empty()
            && !(0..).zip(&self.entries).all(|(n, (key, _))| matches!(key, Value::Int(k) if *k == n))
        {
            self.tabulate();
        }
        None
    }

    /// Whether entries are many and each has its position as key.
    #[inline(always)]
    fn is_counted(&self) -> bool {
        self.table.is_empty() && self.entries.len() > FEW
    }

    /// What is under the key, if that is the one of the entry `at`, as is likely.
    #[inline(always)]
    pub fn entry_near(&mut self, at: usize, key: &Value) -> Option<&mut Value> {
        self.entries.get_mut(at).filter(|(other, _)| same(other, key)).map(|(_, value)| value)
    }

    /// Makes the table.
    fn tabulate(&mut self) {
        for (at, (key, _)) in self.entries.iter().enumerate() {
            let hash = hash_of(key);
            self.table.insert_unique(Place::wide(hash), Place::new(hash, at), |place| Place::wide(place.hash));
        }
    }

    #[inline]
    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// Has the entry that a key is likely to have brought to the first cache, for it is looked up soon. Gives which that is, if it is known.
    #[inline]
    pub fn prefetch(&self, key: &Value) -> Option<usize> {
        if !matches!(key, Value::Str(_) | Value::Keyword(_) | Value::Int(_)) || self.table.is_empty() {
            return None;
        }
        let hash = hash_of(key);
        let at = self.table.find(Place::wide(hash), |place| place.hash == hash)?.at as usize;
        prefetch::near(&self.entries[at]);
        Some(at)
    }

    /// As [`Map::position`], of a key that is likely to be that of the entry `at`.
    #[inline(always)]
    pub fn position_near(&self, at: usize, key: &Value) -> Option<usize> {
        // Without a table others are found as soon.
        match self.entries.get(at) {
            Some((other, _)) if !self.table.is_empty() && same(other, key) => Some(at),
            _ => self.position(key),
        }
    }

    pub fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        self.position(key).map(|at| &mut self.entries[at].1)
    }

    pub fn get_text(&self, name: &str) -> Option<&Value> {
        if self.is_counted() {
            return None;
        }
        self.find(|| hash_text(name), |key| key.as_text() == Some(name)).map(|at| &self.entries[at].1)
    }

    /// Removes a key; the order of the others stays.
    pub fn remove(&mut self, key: &Value) -> Option<Value> {
        let at = self.position(key)?;
        if self.is_counted() {
            self.tabulate();
        }
        let (key, value) = self.entries.remove(at);
        let hash = hash_of(&key);
        if let Ok(place) = self.table.find_entry(Place::wide(hash), |place| place.at as usize == at) {
            place.remove();
            if at < self.entries.len() {
                self.table.iter_mut().filter(|place| place.at as usize > at).for_each(|place| place.at -= 1);
            }
        }
        Some(value)
    }

    /// The entries in order, with values that may be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Value, &mut Value)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> + DoubleEndedIterator {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// Bytes of the memory in which entries and table lie.
    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Value, Value)>() + self.table.allocation_size()
    }

    pub fn get_index(&self, n: usize) -> Option<(&Value, &Value)> {
        self.entries.get(n).map(|(k, v)| (k, v))
    }

    pub fn get_index_mut(&mut self, n: usize) -> Option<(&Value, &mut Value)> {
        self.entries.get_mut(n).map(|(k, v)| (&*k, v))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.entries.iter().any(|(k, v)| v.nests() || k.nests()) {
            deep(|| self.entries.clear());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Value> {
        prop_oneof![
            (-20i64..20).prop_map(Value::Int),
            (-20i64..20).prop_map(|n| Value::Float(n as f64 / 2.0)),
            (-3i64..3).prop_map(|n| Value::complex(n as f64, 0.0)),
            "[ab]{0,3}".prop_map(Value::from),
            "[ab]{1,3}".prop_map(Value::keyword),
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            (0i64..3).prop_map(|n| Value::from(vec![n, 1])),
        ]
    }

    proptest! {
        /// Small or large, and whatever was removed in between, a map is a list of entries with each key there once.
        #[test]
        fn a_map_is_its_entries_in_order(
            counted in 0i64..20,
            steps in prop::collection::vec((key(), any::<bool>()), 0..120),
        ) {
            let mut map = Map::new();
            let mut model: Vec<(Value, i64)> = Vec::new();
            let steps = (0..counted).map(|n| (Value::Int(n), false)).chain(steps);
            for (n, (key, remove)) in steps.enumerate() {
                let at = model.iter().position(|(k, _)| k.same_key(&key));
                prop_assert_eq!(map.get(&key).is_some(), at.is_some());
                match (at, remove) {
                    (Some(at), true) => {
                        let (_, was) = model.remove(at);
                        prop_assert!(map.remove(&key).is_some_and(|v| v.same(&Value::Int(was))));
                    }
                    (None, true) => prop_assert!(map.remove(&key).is_none()),
                    (Some(at), false) => {
                        model[at].1 = n as i64;
                        if n % 2 == 0 {
                            let near = if n % 3 == 0 { 0 } else { at };
                            prop_assert_eq!(map.position_near(near, &key), Some(at));
                            prop_assert!(map.prefetch(&key).is_none_or(|found| found < map.len()));
                            match map.entry_near(near, &key) {
                                Some(old) => *old = Value::from(n),
                                None => drop(map.put(key, Value::from(n))),
                            }
                        } else {
                            prop_assert!(map.insert(key, Value::from(n)).is_ok_and(|old| old.is_some()));
                        }
                    }
                    (None, false) => {
                        model.push((key.clone(), n as i64));
                        prop_assert!(map.insert(key, Value::from(n)).is_ok_and(|old| old.is_none()));
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                for ((k, v), (key, n)) in map.iter().zip(&model) {
                    prop_assert!(k.same(key) && v.same(&Value::Int(*n)));
                    if let Some(text) = key.as_text() {
                        prop_assert!(map.get_text(text).is_some_and(|v| v.same(&Value::Int(*n))));
                    }
                }
            }
        }
    }

    /// Keys a power of two apart, or far apart, must not all fall on one place: of a table that is half full, in groups
    /// of sixteen as it is searched, few groups are asked to hold more than they can.
    #[test]
    fn hashes_of_ints_are_spread() {
        for step in [1i64, 2, 16, 17, 4096, 1 << 20, 1 << 32, -1, 1_000_003] {
            let mut groups = [0usize; 512];
            for n in 0..4096i64 {
                groups[(hash_int(n.wrapping_mul(step)) >> 4) as usize % 512] += 1;
            }
            let over: usize = groups.iter().map(|&n| n.saturating_sub(16)).sum();
            assert!(over < 4096 / 3, "keys {step} apart: {over} of 4096 are too many for their group");
        }
    }
}
