//! Keys in short lists by their digits, which are sorted side by side.

use super::digits::Digits;
use super::key::Radix;
use super::network;
use multiversion::multiversion;

/// Lists that are sorted at once.
const LISTS: usize = 32;
/// Keys that a list has a place for.
pub const LONGEST: usize = 32;

/// Lists that stand beside one another.
#[repr(align(64))]
#[derive(Clone)]
struct Lists {
    /// The first row holds the first key of each list. What lists do not fill is greater than all keys, or as great.
    rows: [[u64; LISTS]; LONGEST],
    /// How many keys each list has, or would have if there were a place for all.
    lengths: [u32; LISTS],
}

const EMPTY: Lists = Lists { rows: [[u64::MAX; LISTS]; LONGEST], lengths: [0; LISTS] };

/// Keys in lists by their digits, and those that found no place in theirs.
#[derive(Default)]
pub struct Dealt {
    lists: Vec<Lists>,
    beyond: Vec<u64>,
}

impl Dealt {
    /// Sorts the elements whose keys `from` holds, in place or, with `over`, into `to`, as long; or does nothing and says so, where the digits
    /// would put more than a few beyond the ends of lists.
    pub fn sort<T: Radix>(&mut self, from: &mut [T], to: &mut [T], digits: &Digits, over: bool) -> bool {
        self.lists.clear();
        self.lists.resize(digits.count().div_ceil(LISTS), EMPTY);
        self.beyond.clear();
        deal(from, digits, &mut self.lists, &mut self.beyond);
        if self.beyond.len() > from.len() / 16 {
            return false;
        }
        self.beyond.sort_unstable();
        let mut beyond = self.beyond.iter();
        let mut rest = if over { to } else { from };
        for lists in &mut self.lists {
            network::sort::<LISTS>(lists.rows.as_flattened_mut());
            for (list, &len) in lists.lengths.iter().enumerate() {
                let (sorted, others) = rest.split_at_mut(len as usize);
                sorted.iter_mut().zip(&lists.rows).for_each(|(x, row)| *x = T::of_key(row[list]));
                if let Some(places) = sorted.get_mut(LONGEST..) {
                    places.iter_mut().zip(&mut beyond).for_each(|(x, &key)| *x = T::of_key(key));
                    sorted.sort_unstable_by_key(|x| x.key());
                }
                rest = others;
            }
        }
        true
    }
}

/// Puts the keys that elements hold into empty lists.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn deal<T: Radix>(from: &[T], digits: &Digits, lists: &mut [Lists], beyond: &mut Vec<u64>) {
    digits.each(from, T::held, |key, list| {
        let lists = &mut lists[list / LISTS];
        let len = &mut lists.lengths[list % LISTS];
        match lists.rows.get_mut(*len as usize) {
            Some(row) => row[list % LISTS] = key,
            None => beyond.push(key),
        }
        *len += 1;
    });
}
