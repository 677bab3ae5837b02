//! Sorting of lanes by the digits of their ranks.
//!
//! Keys go from one array to the other, each to the part that its first bits tell; a sample tells which bits to look at, so that parts
//! have about as many keys however these lie. Parts that fit the cache are dealt out once more, into lists of some keys each, and
//! these are sorted side by side by a network. Where that does not go, since most keys have the same bits, they are parted again: each
//! step takes some bits off what is left, so that the time is linear. Several threads take pieces of the array in the first
//! step, and then part by part.

mod digits;
mod key;
mod lanes;
mod lists;
mod network;

use super::rank::Ranked;
use crate::data::{Complex32, Complex64, cancel, prefetch};
use crate::text::Result;
use digits::{Digits, SMALL};
pub(super) use key::Radix;
use lists::{Dealt, LONGEST};
use multiversion::multiversion;
use parking_lot::Mutex;

/// An element that lanes can be sorted of.
pub trait Sort: Ranked {
    /// Sorts a lane, on so many threads. `other` is as long, and is left with anything in it.
    fn sort(lane: &mut [Self], other: &mut [Self], threads: usize) -> Result<()>;

    /// Sorts lanes of so many elements, which lie one behind the other, on so many threads.
    fn sort_lanes(lanes: &mut [Self], len: usize, threads: usize) -> Result<()>;

    /// As `sort`, of a lane that stays as it is, into `to`.
    fn sort_into(lane: &[Self], other: &mut [Self], to: &mut [Self], threads: usize) -> Result<()> {
        to.copy_from_slice(lane);
        Self::sort(to, other, threads)
    }

    /// Puts the element in this place that sorting would put there; what comes before it is before it.
    fn select(lane: &mut [Self], place: usize);
}

macro_rules! by_digits {
    ($($T:ty)*) => {$(
        impl Sort for $T {
            fn sort(lane: &mut [Self], other: &mut [Self], threads: usize) -> Result<()> {
                sort(lane, other, threads)
            }

            fn sort_lanes(lanes: &mut [Self], len: usize, threads: usize) -> Result<()> {
                lanes::sort_lanes(lanes, len, threads)
            }

            fn sort_into(lane: &[Self], other: &mut [Self], to: &mut [Self], threads: usize) -> Result<()> {
                sort_into(lane, other, to, threads)
            }

            fn select(lane: &mut [Self], place: usize) {
                lane.select_nth_unstable_by_key(place, |x| x.key());
            }
        }
    )*};
}

by_digits!(bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

macro_rules! by_comparing {
    ($($T:ty)*) => {$(
        impl Sort for $T {
            fn sort(lane: &mut [Self], _other: &mut [Self], _threads: usize) -> Result<()> {
                lane.sort_unstable_by_key(|&x| x.order());
                Ok(())
            }

            fn sort_lanes(lanes: &mut [Self], len: usize, _threads: usize) -> Result<()> {
                lanes.chunks_exact_mut(len.max(1)).try_for_each(|lane| {
                    cancel::check()?;
                    Self::sort(lane, &mut [], 1)
                })
            }

            fn select(lane: &mut [Self], place: usize) {
                lane.select_nth_unstable_by_key(place, |x| x.order());
            }
        }
    )*};
}

by_comparing!(Complex32 Complex64);

/// Elements that are worth another thread.
const MANY: usize = 1 << 17;

/// Sorts on so many threads. `other` is as long, and is left with anything in it.
fn sort<T: Radix>(elements: &mut [T], other: &mut [T], threads: usize) -> Result<()> {
    elements.iter_mut().for_each(|x| *x = T::holding(x.key()));
    step(elements, other, threads, false, None, &mut Dealt::default())?;
    cancel::check()
}

/// As `sort`, of elements that stay as they are, into `to`.
fn sort_into<T: Radix>(elements: &[T], other: &mut [T], to: &mut [T], threads: usize) -> Result<()> {
    let digits = if elements.len() > SMALL { Digits::about(elements) } else { None };
    let Some(digits) = digits else {
        to.copy_from_slice(elements);
        return sort(to, other, threads);
    };
    let threads = threads.min(elements.len() / MANY).max(1);
    let lengths = scatter(elements, other, &digits, threads, T::key);
    parts(other, to, (&digits, &lengths), threads, true, &mut Dealt::default())?;
    cancel::check()
}

/// What `f` makes of each piece, the pieces side by side.
fn in_threads<P: Send, R: Send>(pieces: impl ExactSizeIterator<Item = P>, f: impl Fn(P) -> R + Sync) -> Vec<R> {
    if pieces.len() == 1 {
        return pieces.map(f).collect();
    }
    let f = &f;
    std::thread::scope(|scope| {
        let running: Vec<_> = pieces.map(|piece| scope.spawn(move || f(piece))).collect();
        running.into_iter().map(|one| one.join().expect("sorting does not panic")).collect()
    })
}

/// Sorts the elements whose keys `from` holds, in place or, with `over`, into `to`, as long; the other one is left with anything in it.
/// The keys are `within` these, if that is known.
fn step<T: Radix>(
    from: &mut [T],
    to: &mut [T],
    threads: usize,
    over: bool,
    within: Option<(u64, u64)>,
    dealt: &mut Dealt,
) -> Result<()> {
    if from.len() <= LONGEST {
        few(from, to, over);
        return Ok(());
    }
    let threads = threads.min(from.len() / MANY).max(1);
    let digits = match within {
        Some(ends) => Digits::between(from, ends),
        None => Digits::of(from, threads),
    };
    let Some(digits) = digits else {
        let equal = from.first().map(|x| T::of_key(x.held()));
        let target = if over { to } else { from };
        equal.into_iter().for_each(|equal| target.fill(equal));
        return Ok(());
    };
    if from.len() <= SMALL && dealt.sort(from, to, &digits, over) {
        return Ok(());
    }
    let lengths = scatter(from, to, &digits, threads, T::held);
    parts(to, from, (&digits, &lengths), threads, !over, dealt)
}

/// Puts keys where their digits say, and tells how many there are of each.
fn scatter<T: Radix>(
    from: &[T],
    to: &mut [T],
    digits: &Digits,
    threads: usize,
    key: impl Fn(T) -> u64 + Copy + Sync,
) -> Vec<usize> {
    let size = from.len().div_ceil(threads);
    let counts = in_threads(from.chunks(size), |piece| {
        let mut counts = vec![0; digits.count()];
        count(piece, digits, key, &mut counts);
        counts
    });
    // Every thread has a place of its own in every part.
    let mut places: Vec<Vec<std::slice::IterMut<T>>> =
        counts.iter().map(|_| Vec::with_capacity(digits.count())).collect();
    let mut rest = to;
    for part in 0..digits.count() {
        for (counts, places) in counts.iter().zip(&mut places) {
            let (place, left) = std::mem::take(&mut rest).split_at_mut(counts[part]);
            places.push(place.iter_mut());
            rest = left;
        }
    }
    in_threads(from.chunks(size).zip(places), |(piece, mut places)| put(piece, digits, key, &mut places));
    (0..digits.count()).map(|part| counts.iter().map(|counts| counts[part]).sum()).collect()
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn count<T: Radix>(piece: &[T], digits: &Digits, key: impl Fn(T) -> u64, counts: &mut [usize]) {
    digits.each(piece, key, |_, part| counts[part] += 1);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn put<T: Radix>(piece: &[T], digits: &Digits, key: impl Fn(T) -> u64, places: &mut [std::slice::IterMut<T>]) {
    /// Bytes behind what is written that the processor is to have at hand: writes wait for one another, those to the next lines for memory.
    const AHEAD: usize = 64;
    digits.each(piece, key, |key, part| {
        if let Some(place) = places[part].next() {
            *place = T::holding(key);
            prefetch::far(std::ptr::from_ref(place).wrapping_byte_add(AHEAD));
        }
    });
}

/// Sorts the parts of `from`, which have these lengths, each as `step` does.
fn parts<T: Radix>(
    from: &mut [T],
    to: &mut [T],
    (digits, lengths): (&Digits, &[usize]),
    threads: usize,
    over: bool,
    dealt: &mut Dealt,
) -> Result<()> {
    cancel::check()?;
    // Where most are in one part, they do not lie evenly, and not in it either.
    let many = from.len() / 2;
    let (mut from, mut to) = (from, to);
    let parts = lengths.iter().enumerate().map(|(part, &len)| {
        let ((a, from_rest), (b, to_rest)) =
            (std::mem::take(&mut from).split_at_mut(len), std::mem::take(&mut to).split_at_mut(len));
        (from, to) = (from_rest, to_rest);
        (a, b, if len <= many { digits.keys(part) } else { None })
    });
    let mut parts = parts.filter(|(part, ..)| !part.is_empty());
    if threads == 1 {
        return parts.try_for_each(|(from, to, within)| step(from, to, 1, over, within, dealt));
    }
    let (large, small): (Vec<_>, Vec<_>) = parts.partition(|(part, ..)| part.len() > many);
    large.into_iter().try_for_each(|(from, to, within)| step(from, to, threads, over, within, dealt))?;
    let next = Mutex::new(small.into_iter());
    let work = || {
        let mut dealt = Dealt::default();
        loop {
            let part = next.lock().next();
            match part {
                Some((from, to, within)) => step(from, to, 1, over, within, &mut dealt)?,
                None => return Ok(()),
            }
        }
    };
    side_by_side(threads, work)
}

/// The same work on so many threads, which stop when this one is to stop.
fn side_by_side(threads: usize, work: impl Fn() -> Result<()> + Sync) -> Result<()> {
    let done = cancel::with_flag(|flag| {
        in_threads(0..threads, |_| match flag {
            Some(flag) => cancel::during(flag, &work),
            None => work(),
        })
    });
    done.into_iter().collect()
}

/// As `step`, for a few keys.
fn few<T: Radix>(from: &mut [T], to: &mut [T], over: bool) {
    let mut keys = [0; LONGEST];
    let keys = &mut keys[..from.len()];
    keys.iter_mut().zip(&*from).for_each(|(key, x)| *key = x.held());
    keys.sort_unstable();
    let target = if over { to } else { from };
    target.iter_mut().zip(keys).for_each(|(x, key)| *x = T::of_key(*key));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted<T: Radix>(mut elements: Vec<T>, threads: usize) -> Vec<T> {
        let mut other = elements.clone();
        let mut into = elements.clone();
        sort_into(&elements, &mut other, &mut into, threads).unwrap();
        sort(&mut elements, &mut other, threads).unwrap();
        assert!(elements.iter().zip(&into).all(|(a, b)| a.key() == b.key()));
        elements
    }

    /// Numbers without an order, of all sizes.
    fn numbers(n: usize) -> impl Iterator<Item = u64> {
        (0..n as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left((i % 64) as u32) >> (i % 50))
    }

    #[test]
    fn sorts_whatever_the_elements_are() {
        for n in [0, 1, 100, 129, 5000, 300_000] {
            for threads in [1, 3] {
                let all: Vec<u64> = numbers(n).collect();
                let mut expected = all.clone();
                expected.sort_unstable();
                assert_eq!(sorted(all, threads), expected);
                let signed: Vec<i32> = numbers(n).map(|x| x as i32).collect();
                let mut expected = signed.clone();
                expected.sort_unstable();
                assert_eq!(sorted(signed, threads), expected);
                let narrow: Vec<u8> = numbers(n).map(|x| x as u8).collect();
                let mut expected = narrow.clone();
                expected.sort_unstable();
                assert_eq!(sorted(narrow, threads), expected);
                // A sample tells nothing of the others.
                let hidden: Vec<i64> = (0..n as i64).map(|i| if i % 5 == 3 { i } else { -1 }).collect();
                let mut expected = hidden.clone();
                expected.sort_unstable();
                assert_eq!(sorted(hidden, threads), expected);
                // Nearly all are equal.
                let uneven: Vec<i64> = numbers(n).map(|x| if x % 100 == 0 { x as i64 } else { 7 }).collect();
                let mut expected = uneven.clone();
                expected.sort_unstable();
                assert_eq!(sorted(uneven, threads), expected);
            }
        }
    }

    #[test]
    fn lanes_are_sorted_each() {
        for len in [1, 2, 7, 33, 1024, 1025, 3000, MANY] {
            for count in [1, 2, 15, 40] {
                for threads in [1, 3] {
                    let lanes: Vec<i64> =
                        numbers(len * if len > 5000 { count.min(2) } else { count }).map(|x| x as i64).collect();
                    let mut sorted = lanes.clone();
                    i64::sort_lanes(&mut sorted, len, threads).unwrap();
                    for (lane, sorted) in lanes.chunks(len).zip(sorted.chunks(len)) {
                        let mut lane = lane.to_vec();
                        lane.sort_unstable();
                        assert_eq!(lane, sorted);
                    }
                }
            }
        }
    }

    #[test]
    fn floats_are_in_order_and_nan_is_last() {
        let all: Vec<f64> = numbers(200_000)
            .map(|x| match x % 1000 {
                0 => -f64::NAN,
                1 => f64::INFINITY,
                2 => -0.0,
                3 => 0.0,
                _ => f64::from_bits(x ^ (x << 63)),
            })
            .collect();
        let mut expected = all.clone();
        expected.sort_by(f64::total_cmp);
        let nans = all.iter().filter(|x| x.is_nan()).count();
        let found = sorted(all, 2);
        assert!(found[found.len() - nans..].iter().all(|x| x.is_nan()));
        let plain: Vec<u64> = expected.iter().filter(|x| !x.is_nan()).map(|x| x.to_bits()).collect();
        let found: Vec<u64> = found[..found.len() - nans].iter().map(|x| x.to_bits()).collect();
        assert_eq!(found, plain);
        for x in [1.5f32, -2.5, 0.0, f32::MIN_POSITIVE, f32::NEG_INFINITY] {
            assert_eq!(f32::of_key(x.key()).to_bits(), x.to_bits());
        }
    }
}
