//! Seeds of random numbers that were asked for without one.

use parking_lot::Mutex;
use std::hash::{BuildHasher, Hasher, RandomState};

/// One seed after the other: from nowhere, or all following from one that was set.
pub struct Seeds(Mutex<Option<u64>>);

impl Seeds {
    pub const fn new() -> Seeds {
        Seeds(Mutex::new(None))
    }

    /// From here on, the same seeds follow whenever this one is set; nil ends that.
    pub fn set(&self, seed: Option<i64>) {
        *self.0.lock() = seed.map(|seed| seed as u64);
    }

    /// The next seed, which is not negative.
    pub fn next(&self) -> i64 {
        let mut state = self.0.lock();
        let word = match &mut *state {
            // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
            Some(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            }
            None => RandomState::new().build_hasher().finish(),
        };
        (word >> 1) as i64
    }
}

impl Default for Seeds {
    fn default() -> Self {
        Seeds::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_follow_from_one_that_was_set() {
        let seeds = Seeds::new();
        let three = |seed| {
            seeds.set(seed);
            [seeds.next(), seeds.next(), seeds.next()]
        };
        let (one, again, two) = (three(Some(1)), three(Some(1)), three(Some(2)));
        assert_eq!(one, again);
        assert!(one != two && one[0] != one[1] && one.iter().all(|&n| n >= 0));
        assert_ne!(three(None), three(None));
    }
}
