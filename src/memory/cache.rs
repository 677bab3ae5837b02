//! Results kept between computations, as Cachey does it (M. Rocklin, "Caching", 2015).
//!
//! What is dear to make, small to keep, asked for often and lately stays. Each time a result is asked for its score grows by
//!
//! ```text
//! seconds / bytes · (1 + ε)^tick
//! ```
//!
//! where `tick` counts what was asked for, and ε is such that (1 + ε)^1000 = 2: what was asked for a thousand times ago counts half.
//! When there is no room the lowest scores go. The deviation of each column of a gigabyte takes a second to make and
//! some kilobytes to keep; its transpose is as large as itself, and made in no time.
//!
//! Scores are kept as logarithms to base 2, in which a tick is a step of 1/1000 and nothing ever overflows, and in a
//! search tree: asking, putting and dropping cost O(log n).

use crate::data::graph::unravel;
use crate::data::{Dims, Key, Str, Value};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Ticks after which what was asked for counts half.
const HALF_LIFE: f64 = 1000.0;

/// Bytes that an entry takes besides its value: its key, its scores, its places.
pub const ENTRY_BYTES: usize = 256;

/// What a layer computes: its name, and the state of what the name does not tell, as of the files it reads.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Origin {
    pub name: Str,
    pub state: u64,
    /// Number of blocks along each axis.
    pub grid: Dims,
}

/// Which result of a layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Part {
    /// All blocks, put together.
    Whole,
    /// The block at a position of the grid, in row-major order.
    Block(u32),
}

/// The results of an engine that are kept. May be used from many threads at once.
#[derive(Default)]
pub struct Cache {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    layers: FxHashMap<Origin, FxHashMap<Part, Entry>>,
    /// Lowest score first.
    order: BTreeSet<(Score, Origin, Part)>,
    scores: Scores,
    limit: usize,
    bytes: usize,
    hits: u64,
    misses: u64,
    evicted: u64,
}

struct Entry {
    value: Value,
    bytes: usize,
    seconds: f64,
    score: Score,
}

/// What there is in a cache.
pub struct CacheInfo {
    pub entries: usize,
    pub bytes: usize,
    pub limit: usize,
    /// Results that were asked for and there, and those that had to be made and could have been.
    pub hits: u64,
    pub misses: u64,
    /// Results that had to go.
    pub evicted: u64,
    /// The entries of the highest scores, best first.
    pub top: Vec<CacheEntry>,
}

/// A result that is kept.
pub struct CacheEntry {
    /// Of the task that made it, or the name of the array that is there as a whole.
    pub key: Key,
    pub bytes: usize,
    /// What making it took.
    pub seconds: f64,
    /// Logarithm to base 2 of its score at this tick, in seconds a byte.
    pub score: f64,
}

/// The logarithm to base 2 of a score; any two compare.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The formula.
#[derive(Default)]
struct Scores {
    tick: u64,
}

impl Scores {
    /// The score of a result that had `before` when it is asked for now, or for the first time.
    fn touched(&mut self, before: Option<Score>, seconds: f64, bytes: usize) -> Score {
        let gain = (seconds / bytes as f64).log2() + self.now();
        self.tick += 1;
        Score(before.map_or(gain, |Score(before)| log2_of_sum(before, gain)))
    }

    /// (1 + ε)^tick, as a logarithm.
    fn now(&self) -> f64 {
        self.tick as f64 / HALF_LIFE
    }
}

/// log₂(2^a + 2^b)
fn log2_of_sum(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp2().ln_1p() / std::f64::consts::LN_2
}

impl Inner {
    fn remove(&mut self, origin: &Origin, part: Part) -> Option<Entry> {
        let layer = self.layers.get_mut(origin)?;
        let entry = layer.remove(&part)?;
        if layer.is_empty() {
            self.layers.remove(origin);
        }
        self.order.remove(&(entry.score, origin.clone(), part));
        self.bytes -= entry.bytes;
        Some(entry)
    }

    /// Whether so many bytes more fit within `most` if what has a lower score goes.
    fn has_room(&self, bytes: usize, most: usize, score: Score) -> bool {
        let mut over = (self.bytes + bytes).saturating_sub(most);
        for (lower, origin, part) in &self.order {
            if over == 0 || *lower >= score {
                break;
            }
            over = over.saturating_sub(self.layers[origin][part].bytes);
        }
        over == 0
    }

    /// Lets the lowest scores go until no more than so many bytes are kept.
    fn shrink(&mut self, most: usize, gone: &mut Vec<Entry>) {
        while self.bytes > most
            && let Some((_, origin, part)) = self.order.first().cloned()
        {
            gone.extend(self.remove(&origin, part));
            self.evicted += 1;
        }
    }

    fn find(&mut self, origin: &Origin, part: Part, used: bool) -> Option<Value> {
        if !used {
            return Some(self.layers.get(origin)?.get(&part)?.value.clone());
        }
        let entry = self.layers.get_mut(origin)?.get_mut(&part)?;
        let old = entry.score;
        entry.score = self.scores.touched(Some(old), entry.seconds, entry.bytes);
        let (new, value) = (entry.score, entry.value.clone());
        self.order.remove(&(old, origin.clone(), part));
        self.order.insert((new, origin.clone(), part));
        self.hits += 1;
        Some(value)
    }
}

impl Cache {
    /// The result, if it is there. Where it is used, that makes it worth more.
    pub fn get(&self, origin: &Origin, part: Part, used: bool) -> Option<Value> {
        self.inner.lock().find(origin, part, used)
    }

    /// The results of a layer that are there; as [`Cache::get`], each of them.
    pub fn of_layer(&self, origin: &Origin, used: bool) -> Vec<(Part, Value)> {
        let mut inner = self.inner.lock();
        let Some(layer) = inner.layers.get(origin) else { return Vec::new() };
        let mut parts: Vec<Part> = layer.keys().copied().collect();
        parts.sort_unstable();
        parts.into_iter().filter_map(|part| Some((part, inner.find(origin, part, used)?))).collect()
    }

    /// Takes in a result that had to be made, if it is worth it: there is room within `most` bytes, or what has lower scores can
    /// make some. The value takes `bytes` in memory, and making it took so long. Whether it is kept.
    pub fn put(&self, origin: &Origin, part: Part, value: &Value, bytes: usize, seconds: f64, most: usize) -> bool {
        let mut gone = Vec::new();
        let mut inner = self.inner.lock();
        inner.misses += 1;
        let (bytes, most) = (bytes + ENTRY_BYTES, most.min(inner.limit));
        // Whoever made it at the same time has put it there.
        if inner.layers.get(origin).is_some_and(|layer| layer.contains_key(&part)) {
            return true;
        }
        if bytes > most || seconds <= 0.0 {
            return false;
        }
        let score = inner.scores.touched(None, seconds, bytes);
        if !inner.has_room(bytes, most, score) {
            return false;
        }
        inner.shrink(most - bytes, &mut gone);
        inner.bytes += bytes;
        inner.order.insert((score, origin.clone(), part));
        let entry = Entry { value: value.clone(), bytes, seconds, score };
        inner.layers.entry(origin.clone()).or_default().insert(part, entry);
        drop(inner);
        // What has to go is given back to the system without the lock.
        drop(gone);
        true
    }

    /// Drops a result that turned out not to be what its origin says.
    pub fn forget(&self, origin: &Origin, part: Part) {
        let entry = self.inner.lock().remove(origin, part);
        drop(entry);
    }

    /// Bytes that may be kept from now on.
    pub fn set_limit(&self, limit: usize) {
        let mut gone = Vec::new();
        let mut inner = self.inner.lock();
        inner.limit = limit;
        inner.shrink(limit, &mut gone);
        drop(inner);
        drop(gone);
    }

    /// Lets the lowest scores go, of so many bytes together, or all.
    pub fn give_way(&self, bytes: usize) {
        let mut gone = Vec::new();
        let mut inner = self.inner.lock();
        let most = inner.bytes.saturating_sub(bytes);
        inner.shrink(most, &mut gone);
        drop(inner);
        drop(gone);
    }

    pub fn clear(&self) {
        let mut inner = self.inner.lock();
        let layers = std::mem::take(&mut inner.layers);
        inner.order.clear();
        inner.bytes = 0;
        drop(inner);
        drop(layers);
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// What there is, with so many entries of the highest scores.
    pub fn info(&self, top: usize) -> CacheInfo {
        let inner = self.inner.lock();
        let now = inner.scores.now();
        let entry = |(score, origin, part): &(Score, Origin, Part)| {
            let entry = inner.layers.get(origin)?.get(part)?;
            let score = score.0 - now;
            Some(CacheEntry {
                key: match part {
                    Part::Whole => Key::new(origin.name.clone()),
                    Part::Block(at) => Key::block(origin.name.clone(), &unravel(*at as usize, &origin.grid)),
                },
                bytes: entry.bytes,
                seconds: entry.seconds,
                score,
            })
        };
        CacheInfo {
            entries: inner.order.len(),
            bytes: inner.bytes,
            limit: inner.limit,
            hits: inner.hits,
            misses: inner.misses,
            evicted: inner.evicted,
            top: inner.order.iter().rev().take(top).filter_map(entry).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(name: &str) -> Origin {
        Origin { name: name.into(), state: 0, grid: Dims::new() }
    }

    fn cache(limit: usize) -> Cache {
        let cache = Cache::default();
        cache.set_limit(limit);
        cache
    }

    fn put(cache: &Cache, name: &str, bytes: usize, seconds: f64) -> bool {
        cache.put(&origin(name), Part::Whole, &Value::Nil, bytes - ENTRY_BYTES, seconds, usize::MAX)
    }

    fn names(cache: &Cache) -> Vec<String> {
        cache.info(usize::MAX).top.iter().map(|e| e.key.name.to_string()).collect()
    }

    #[test]
    fn scores_are_those_of_the_formula() {
        let mut scores = Scores::default();
        let epsilon = 2f64.powf(1.0 / HALF_LIFE) - 1.0;
        let (mut score, mut expected) = (None, 0.0);
        for (tick, (seconds, bytes)) in [(3.0, 1000usize); 5000].into_iter().enumerate() {
            expected += seconds / bytes as f64 * (1.0 + epsilon).powf(tick as f64);
            score = Some(scores.touched(score, seconds, bytes));
        }
        let Some(Score(score)) = score else { unreachable!("it was asked for") };
        assert!((score - f64::log2(expected)).abs() < 1e-9, "{score} {}", f64::log2(expected));
    }

    #[test]
    fn what_was_asked_for_a_half_life_ago_counts_half() {
        let mut scores = Scores::default();
        let before = scores.touched(None, 1.0, 1);
        scores.tick = HALF_LIFE as u64;
        let after = scores.touched(None, 1.0, 1);
        assert!((after.0 - before.0 - 1.0).abs() < 1e-12);
        // For ever: ten million times later nothing has overflowed.
        scores.tick = 10_000_000;
        assert!(scores.touched(Some(before), 1.0, 1).0.is_finite());
    }

    #[test]
    fn the_dear_and_small_stay_and_the_cheap_and_large_go() {
        let cache = cache(10_000);
        assert!(put(&cache, "std", 1000, 3.0));
        assert!(put(&cache, "transpose", 9000, 0.1));
        assert!(put(&cache, "mean", 2000, 1.0), "better than the transpose, which goes for it");
        assert_eq!(names(&cache), ["std", "mean"]);
        assert!(put(&cache, "mode", 6000, 1.0));
        assert!(!put(&cache, "transpose", 9000, 0.1), "worse than all there is");
        assert!(!put(&cache, "huge", 10_001, 1e9), "larger than the budget");
        let info = cache.info(1);
        assert_eq!((info.entries, info.bytes, info.limit, info.evicted), (3, 9000, 10_000, 1));
        assert_eq!((info.hits, info.misses), (0, 6));
    }

    #[test]
    fn what_is_asked_for_often_outlives_what_is_not() {
        let cache = cache(2000);
        put(&cache, "often", 1000, 1.0);
        put(&cache, "once", 1000, 1.5);
        assert_eq!(names(&cache), ["once", "often"]);
        assert!(cache.get(&origin("often"), Part::Whole, true).is_some());
        assert_eq!(names(&cache), ["often", "once"]);
        put(&cache, "new", 1000, 1.9);
        assert_eq!(names(&cache), ["often", "new"]);
        assert_eq!(cache.info(0).hits, 1);
    }

    #[test]
    fn a_smaller_limit_lets_go_at_once() {
        let cache = cache(10_000);
        for (name, seconds) in [("a", 1.0), ("b", 3.0), ("c", 2.0)] {
            put(&cache, name, 1000, seconds);
        }
        cache.give_way(1);
        assert_eq!(names(&cache), ["b", "c"]);
        cache.set_limit(1999);
        assert_eq!((names(&cache), cache.bytes()), (vec!["b".to_string()], 1000));
        cache.clear();
        assert_eq!((names(&cache).len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn blocks_of_a_layer_are_found_together_and_states_tell_layers_apart() {
        let cache = cache(1 << 20);
        let old = Origin { state: 1, ..origin("mean") };
        for at in [2, 0, 7] {
            cache.put(&old, Part::Block(at), &Value::Int(i64::from(at)), 8, 1.0, usize::MAX);
        }
        let found = cache.of_layer(&old, true);
        let at: Vec<Part> = found.iter().map(|(part, _)| *part).collect();
        assert_eq!(at, [Part::Block(0), Part::Block(2), Part::Block(7)]);
        assert!(cache.of_layer(&Origin { state: 2, ..origin("mean") }, true).is_empty());
        cache.forget(&old, Part::Block(2));
        assert_eq!(cache.of_layer(&old, true).len(), 2);
    }

    #[test]
    fn the_budget_holds_whatever_is_put() {
        let cache = cache(50_000);
        let mut state = 12345u64;
        for n in 0..20_000u64 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (bytes, seconds) = (300 + (state >> 33) % 8000, 1e-6 * ((state >> 20) % 1000 + 1) as f64);
            put(&cache, &format!("{}", n % 3000), bytes as usize, seconds);
            cache.get(&origin(&format!("{}", state % 3000)), Part::Whole, true);
            assert!(cache.bytes() <= 50_000);
        }
        let info = cache.info(usize::MAX);
        assert_eq!(info.bytes, info.top.iter().map(|e| e.bytes).sum::<usize>());
        assert_eq!(info.entries, info.top.len());
        assert!(info.top.is_sorted_by(|a, b| a.score >= b.score));
    }
}
