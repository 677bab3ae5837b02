//! How much memory a value keeps.

use super::{Value, task::deep};
use std::sync::Arc;

/// Bytes that a value keeps in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Of blocks, counted whole.
    pub blocks: usize,
    /// Of lists, maps, long strings and all else: an estimate. What is in a list and is held elsewhere as well counts as its share.
    pub plain: usize,
}

/// Values of a list that are looked at for an estimate, at most.
const LOOKS: usize = 1 << 13;

/// Of lists in other lists at least so many.
const FEW_LOOKS: usize = 8;

/// What an allocation takes beside what is in it: its counts, and what the allocator notes.
const BESIDE: usize = 32;

impl Held {
    pub fn by(value: &Value) -> Held {
        Held::within(value, LOOKS)
    }

    pub fn bytes(self) -> usize {
        self.blocks.saturating_add(self.plain)
    }

    /// Goes through so many of the values in a list.
    fn within(value: &Value, looks: usize) -> Held {
        let own = |plain: usize| Held { blocks: 0, plain };
        match value {
            Value::Block(block) => Held { blocks: block.held_bytes(), plain: 0 },
            Value::Str(text) | Value::Keyword(text) => own(text.held_bytes()),
            Value::Complex(_) => own(BESIDE + 16),
            Value::List(items) => {
                let parts = Held::sum(items.len(), items.iter(), looks, Held::part);
                parts.and(own(BESIDE + size_of_val(&**items) + items.heap_bytes()))
            }
            Value::Map(map) => {
                let pair = |(key, value): (&Value, &Value), looks| Held::part(key, looks).and(Held::part(value, looks));
                let parts = Held::sum(map.len(), map.iter(), looks, pair);
                parts.and(own(BESIDE + size_of_val(&**map) + map.heap_bytes()))
            }
            _ => Held::default(),
        }
    }

    /// What a value in a list or map adds.
    fn part(value: &Value, looks: usize) -> Held {
        let owners = match value {
            Value::List(items) => Arc::strong_count(items),
            Value::Map(map) => Arc::strong_count(map),
            _ => 1,
        };
        let Held { blocks, plain } = Held::within(value, looks);
        Held { blocks, plain: plain / owners }
    }

    /// The sum over some of `n` values, taken for all of them.
    fn sum<T>(n: usize, all: impl Iterator<Item = T>, looks: usize, of: impl Fn(T, usize) -> Held) -> Held {
        if n == 0 {
            return Held::default();
        }
        let step = n.div_ceil(looks.max(1));
        let some = n.div_ceil(step);
        let each = (looks / some).max(FEW_LOOKS);
        let sum = deep(|| all.step_by(step).fold(Held::default(), |sum, one| sum.and(of(one, each))));
        let scaled = |bytes: usize| if step == 1 { bytes } else { (bytes as f64 * n as f64 / some as f64) as usize };
        Held { blocks: scaled(sum.blocks), plain: scaled(sum.plain) }
    }

    fn and(self, other: Held) -> Held {
        Held { blocks: self.blocks.saturating_add(other.blocks), plain: self.plain.saturating_add(other.plain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Block, Map};

    fn plain(value: &Value) -> usize {
        Held::by(value).plain
    }

    #[test]
    fn numbers_and_short_strings_lie_in_the_list() {
        let list = |n: usize| Value::list(vec![Value::Int(1); n]);
        assert_eq!(plain(&Value::Int(1)), 0);
        assert_eq!(plain(&Value::str("short")), 0);
        assert_eq!(plain(&list(1_000_000)) - plain(&list(500_000)), 8_000_000);
        let long = Value::str("a string of some length that needs memory of its own");
        assert!((52..100).contains(&plain(&long)), "{}", plain(&long));
    }

    #[test]
    fn what_is_shared_counts_once() {
        let line = Value::list((0..1000).map(Value::Int).collect());
        let once = plain(&Value::list(vec![Value::list((0..1000).map(Value::Int).collect())]));
        let often = plain(&Value::list(vec![line; 1000]));
        assert!(often < 2 * once + 1000 * 16, "{often} bytes of a thousand times the same, {once} of one");
    }

    #[test]
    fn of_long_lists_some_elements_stand_for_all() {
        let text = |n: usize| Value::str(format!("{n:0>100}"));
        let rows = Value::list((0..200_000).map(|n| Value::list(vec![text(n), Value::Int(1), text(n)])).collect());
        let bytes = plain(&rows);
        assert!((60_000_000..90_000_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn blocks_are_told_apart() {
        let mut map = Map::new();
        map.set("x", Block::from_slice(&[1000], &[1.0; 1000]).into());
        let held = Held::by(&Value::map(map));
        assert!(held.blocks >= 8000 && held.plain < 500, "{held:?}");
    }
}
