//! How often each of many values was there.
//!
//! As in a [`Map`](super::Map), entries lie in the order in which their keys first came, and a table of their places beside them. Values
//! wait in a batch until the processor has fetched the places and entries where they are likely to be: a table larger than its caches is
//! asked for the whole batch at the price of one.

use super::map::{Place, hash_of, same};
use super::{Value, prefetch};

/// Values that are looked up together.
const BATCH: usize = 64;

pub struct Counts {
    entries: Vec<(Value, i64)>,
    /// A power of two of them, at most seven in eight taken: small tables stay in the processor's cache. A key lies at the first that
    /// was free from where its hash says.
    places: Vec<Place>,
    waiting: Vec<Value>,
    /// Their hashes, and how often each is counted.
    hashes: [u32; BATCH],
    times: [i64; BATCH],
}

impl Counts {
    #[expect(clippy::new_without_default, reason = "it is always made on purpose")]
    pub fn new() -> Self {
        Counts {
            entries: Vec::new(),
            places: vec![Place::FREE; 64],
            waiting: Vec::with_capacity(BATCH),
            hashes: [0; BATCH],
            times: [0; BATCH],
        }
    }

    /// Counts each value once, all or up to one that cannot be a key (an array, a function), which is given back.
    pub fn add_all(&mut self, values: &mut Vec<Value>) -> Result<(), Value> {
        if values.len() <= BATCH - self.waiting.len() {
            let from = self.waiting.len();
            self.waiting.append(values);
            return self.note_from(from);
        }
        let mut values = values.drain(..);
        while !values.as_slice().is_empty() {
            let from = self.waiting.len();
            self.waiting.extend(values.by_ref().take(BATCH - from));
            self.note_from(from)?;
        }
        Ok(())
    }

    /// Takes note of the values that wait from a place on.
    #[inline(always)]
    fn note_from(&mut self, from: usize) -> Result<(), Value> {
        for at in from..self.waiting.len() {
            if !self.waiting[at].is_hashable() {
                let value = std::mem::take(&mut self.waiting[at]);
                self.waiting.truncate(at);
                return Err(value);
            }
            self.times[at] = 1;
            self.note(at, hash_of(&self.waiting[at]));
        }
        if self.waiting.len() == BATCH {
            self.settle();
        }
        Ok(())
    }

    #[inline(always)]
    fn note(&mut self, at: usize, hash: u32) {
        self.hashes[at] = hash;
        prefetch::near(self.places.as_ptr().wrapping_add(self.slot(hash)));
    }

    /// The values in the order in which they first came, and how often they did.
    pub fn into_entries(mut self) -> Vec<(Value, i64)> {
        self.settle();
        self.entries
    }

    /// The same in a row: each value, how often it was there, and its hash, so that who adds it to other counts need not look at it.
    pub fn into_row(mut self) -> Vec<Value> {
        self.settle();
        let mut hashes = vec![0; self.entries.len()];
        self.places.iter().filter(|place| !place.is_free()).for_each(|place| hashes[place.at as usize] = place.hash);
        let of = |((value, n), hash): ((Value, i64), u32)| [value, Value::Int(n), Value::Int(hash.into())];
        std::mem::take(&mut self.entries).into_iter().zip(hashes).flat_map(of).collect()
    }

    /// Adds what [`Counts::into_row`] made, all or up to what is no such row, which is given back.
    pub fn add_row(&mut self, row: Vec<Value>) -> Result<(), Value> {
        let mut row = row.into_iter();
        while let Some(value) = row.next() {
            let (n, hash) = match (row.next(), row.next()) {
                (Some(Value::Int(n)), Some(Value::Int(hash))) => (n, hash as u32),
                (Some(other), _) => return Err(other),
                (None, _) => return Err(value),
            };
            let at = self.waiting.len();
            self.times[at] = n;
            self.note(at, hash);
            self.waiting.push(value);
            if at + 1 == BATCH {
                self.settle();
            }
        }
        Ok(())
    }

    fn slot(&self, hash: u32) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    fn settle(&mut self) {
        for &hash in &self.hashes[..self.waiting.len()] {
            let place = self.places[self.slot(hash)];
            if place.hash == hash {
                prefetch::near(self.entries.as_ptr().wrapping_add(place.at as usize));
            }
        }
        for at in 0..self.waiting.len() {
            self.settle_one(at);
        }
        self.waiting.drain(..).for_each(Value::done);
    }

    /// Finds the entry of a value that waits, or makes one of it. Values are looked at where they are: moved, they would be taken apart.
    fn settle_one(&mut self, at: usize) {
        let (value, hash, times) = (&self.waiting[at], self.hashes[at], self.times[at]);
        let mut slot = self.slot(hash);
        loop {
            let place = self.places[slot];
            if place.is_free() {
                break;
            }
            if place.hash == hash
                && let (key, count) = &mut self.entries[place.at as usize]
                && same(key, value)
            {
                *count = count.saturating_add(times);
                return;
            }
            slot = (slot + 1) & (self.places.len() - 1);
        }
        self.places[slot] = Place::new(hash, self.entries.len());
        self.entries.push((std::mem::take(&mut self.waiting[at]), times));
        if self.entries.len() * 8 > self.places.len() * 7 {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.places);
        self.places = vec![Place::FREE; old.len() * 2];
        for place in old.into_iter().filter(|place| !place.is_free()) {
            let mut slot = self.slot(place.hash);
            while !self.places[slot].is_free() {
                slot = (slot + 1) & (self.places.len() - 1);
            }
            self.places[slot] = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However many values there are, each is counted under the first that is the same, in the order of these.
        #[test]
        fn counts_are_those_of_a_list(values in prop::collection::vec((0usize..4, 0i64..90), 0..400)) {
            let of = |(kind, n): &(usize, i64)| match kind {
                0 => Value::Int(*n),
                1 => Value::Float(*n as f64 / 2.0),
                2 => Value::from(n.to_string().repeat(*n as usize / 10)),
                _ => Value::from(vec![*n, 1]),
            };
            let mut counts = Counts::new();
            let mut model: Vec<(Value, i64)> = Vec::new();
            for value in &values {
                match model.iter_mut().find(|(key, _)| key.same_key(&of(value))) {
                    Some((_, n)) => *n += 1,
                    None => model.push((of(value), 1)),
                }
                prop_assert!(counts.add_all(&mut vec![of(value)]).is_ok());
            }
            let found = counts.into_entries();
            // Halves that are put together are the whole.
            let mut halves = Counts::new();
            for half in values.chunks(values.len().div_ceil(2).max(1)) {
                let mut counts = Counts::new();
                prop_assert!(counts.add_all(&mut half.iter().map(of).collect()).is_ok());
                prop_assert!(halves.add_row(counts.into_row()).is_ok());
            }
            let halves = halves.into_entries();
            prop_assert!(halves.len() == found.len() && halves.iter().zip(&found).all(|(a, b)| a.0.same(&b.0) && a.1 == b.1));
            prop_assert_eq!(found.len(), model.len());
            for ((key, n), (wanted, m)) in found.iter().zip(&model) {
                prop_assert!(key.same(wanted));
                prop_assert_eq!(n, m);
            }
        }
    }

    #[test]
    fn long_lists_are_counted_as_short_ones() {
        let mut counts = Counts::new();
        for n in [1, 63, 64, 65, 1000] {
            assert!(counts.add_all(&mut (0..n).map(|n| Value::Int(n % 10)).collect()).is_ok());
        }
        assert_eq!(counts.into_entries().iter().map(|(_, n)| n).sum::<i64>(), 1193);
    }

    #[test]
    fn what_cannot_be_a_key_is_given_back() {
        let map = Value::Graph(Default::default());
        assert!(Counts::new().add_all(&mut vec![map]).is_err());
    }
}
