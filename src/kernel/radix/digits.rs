//! Which part of an array a key goes to.

use super::in_threads;
use super::key::Radix;
use multiversion::multiversion;

/// Elements that are made lists of at once, at most: about as many as fit the second-level cache beside their lists.
pub const SMALL: usize = 1 << 16;
/// Elements that larger parts are to have at least.
const PART: usize = 20_000;
/// Keys that lists are to have at least, if these lie evenly: nearly all of them have a place then, also for twice as many.
const LIST: usize = 10;
/// Parts that are told apart in one step, at most: more places to write to than that are not at hand.
const MOST_PARTS: usize = 1 << 12;
/// Bits of keys that tell how they lie, at most.
const FIRST_BITS: u32 = 11;

/// Parts of an array, in the order of their keys: the first bits of a key's distance from the least one tell its part, and where many have
/// these in common the next bits too.
pub struct Digits {
    least: u64,
    most: u64,
    /// Of a distance, to have its first bits.
    shift: u32,
    /// For each value of the first bits.
    places: Vec<Place>,
    /// The least distance of each part.
    starts: Vec<u64>,
    /// Some keys may lie beyond; they count with those at the ends.
    open: bool,
}

/// The parts of keys whose first bits are the same.
#[derive(Clone, Copy)]
struct Place {
    /// Of a distance, to have the bits that tell the part.
    shift: u32,
    /// What these bits and the part's number differ by.
    offset: u32,
}

impl Digits {
    /// For so many elements whose keys are between these. `sample` has some of the keys; without any these are taken to lie evenly. `None` where all are equal.
    fn new(elements: usize, (least, most): (u64, u64), sample: impl Iterator<Item = u64>) -> Option<Digits> {
        let parts = match elements {
            ..=SMALL => elements / LIST,
            _ => (elements / PART).min(MOST_PARTS),
        };
        let parts = parts.max(2);
        let bits = u64::BITS - (most - least).leading_zeros();
        if bits == 0 {
            return None;
        }
        let mut sample = sample.peekable();
        let evenly = sample.peek().is_none();
        let shift = bits.saturating_sub(if evenly { parts.ilog2() } else { elements.ilog2().min(FIRST_BITS + 1) - 1 });
        let mut counts = vec![0usize; ((most - least) >> shift) as usize + 1];
        sample.for_each(|key| counts[((key - least) >> shift) as usize] += 1);
        let share = (counts.iter().sum::<usize>() / parts).max(1);
        let mut places = Vec::with_capacity(counts.len());
        let mut starts = Vec::new();
        // What the last part still takes of the next keys.
        let mut left = 0;
        let last = counts.len() - 1;
        for (first_bits, count) in counts.into_iter().enumerate() {
            let start = (first_bits as u64) << shift;
            let more = (count / share).max(1).ilog2().min(shift);
            let shift = shift - more;
            // The greatest key is not to be where the least one is, or parting would not come to an end.
            let alone = starts.is_empty() || first_bits == last && starts.len() == 1;
            let part = if evenly || alone || count > left {
                let part = starts.len();
                starts.extend((start..=most - least).step_by(1 << shift).take(1 << more));
                left = if more == 0 { share } else { 0 };
                part
            } else {
                starts.len() - 1
            };
            left = left.saturating_sub(count);
            places.push(Place { shift, offset: (part as u32).wrapping_sub((start >> shift) as u32) });
        }
        Some(Digits { least, most, shift, places, starts, open: false })
    }

    /// Of elements that hold keys.
    pub fn of<T: Radix>(elements: &[T], threads: usize) -> Option<Digits> {
        let pieces = elements.chunks(elements.len().div_ceil(threads));
        let ends = in_threads(pieces, |piece| ends(piece));
        let ends = ends.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        Digits::new(elements.len(), ends, sample(elements).map(|x| x.held()))
    }

    /// Of elements that hold keys between these.
    pub fn between<T: Radix>(elements: &[T], ends: (u64, u64)) -> Option<Digits> {
        Digits::new(elements.len(), ends, std::iter::empty())
    }

    /// As some of the elements tell, before they hold keys. `None` where these do not differ.
    pub fn about<T: Radix>(elements: &[T]) -> Option<Digits> {
        let keys = || sample(elements).map(|x| x.key());
        let digits = Digits::new(elements.len(), (keys().min()?, keys().max()?), keys())?;
        Some(Digits { open: true, ..digits })
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The keys that a part may have, if that is known.
    pub fn keys(&self, part: usize) -> Option<(u64, u64)> {
        let start = self.starts.get(part)?;
        let next = self.starts.get(part + 1);
        if self.open && (part == 0 || next.is_none()) {
            return None;
        }
        Some((self.least + start, next.map_or(self.most, |next| self.least + (next - 1))))
    }

    /// Calls `f` with each key and its part.
    #[inline(always)]
    pub fn each<T: Copy>(&self, elements: &[T], key: impl Fn(T) -> u64, mut f: impl FnMut(u64, usize)) {
        // The first loop goes in vectors.
        const SOME: usize = 64;
        let (mut keys, mut distances) = ([0; SOME], [0; SOME]);
        for some in elements.chunks(SOME) {
            for ((found, distance), &x) in keys.iter_mut().zip(&mut distances).zip(some) {
                *found = key(x);
                *distance = (*found).clamp(self.least, self.most) - self.least;
            }
            for (&key, &distance) in keys.iter().zip(&distances).take(some.len()) {
                let place = self.places[(distance >> self.shift) as usize];
                f(key, ((distance >> place.shift) as u32).wrapping_add(place.offset) as usize);
            }
        }
    }
}

/// Some of the elements, from all over the array.
fn sample<T: Copy>(elements: &[T]) -> impl Iterator<Item = T> {
    const SAMPLE: usize = 1 << 16;
    elements.iter().step_by((elements.len() / SAMPLE).max(1)).copied()
}

/// The least and the greatest key that is held.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ends<T: Radix>(elements: &[T]) -> (u64, u64) {
    elements.iter().fold((u64::MAX, 0), |(least, most), x| {
        let key = x.held();
        (if key < least { key } else { least }, if key > most { key } else { most })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each key is in the part whose keys it is among, and parts of keys that lie in any way have about as many.
    #[test]
    fn keys_are_in_their_parts() {
        let keys: Vec<u64> = (1..300_000u64).map(|i| u64::MAX / i / i).collect();
        for digits in [Digits::of(&keys, 2), Digits::between(&keys, (0, u64::MAX)), Digits::about(&keys)] {
            let digits = digits.unwrap();
            let mut counts = vec![0; digits.count()];
            digits.each(
                &keys,
                |key| key,
                |key, part| {
                    counts[part] += 1;
                    assert!(digits.keys(part).is_none_or(|(least, most)| (least..=most).contains(&key)));
                },
            );
            assert!(digits.count() <= 40, "{}", digits.count());
            let evenly = digits.starts.windows(2).all(|w| w[1] - w[0] == digits.starts[1]);
            assert!(evenly || counts.iter().all(|&count| count < 2 * keys.len() / 14), "{counts:?}");
        }
        assert!(Digits::of(&[5u64; 100], 1).is_none());
    }
}
