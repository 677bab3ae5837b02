//! Sorting of long lanes by the digits of their ranks: in parts of like size that fit the cache, and these by comparing.
//!
//! Elements go from one array to the other and back, a digit at a time from the first on, where the digits are those of the
//! distance from the least element: so many that parts are small enough at once if the elements lie evenly. Whatever they are,
//! each step takes some bits off what is left, so that the time is linear. Several threads take parts of the array in the first
//! step, and then part by part.

use super::rank::Ranked;
use crate::data::{Complex32, Complex64, cancel};
use crate::text::Result;
use multiversion::multiversion;
use parking_lot::Mutex;

/// An element with a rank of 64 bits, that can be made again of it.
pub(super) trait Radix: Ranked {
    /// In the order of [`Ranked::rank`]; -0 comes before 0.
    fn key(self) -> u64;
    /// The element of that key; of all that are `nan` the usual one.
    fn of_key(key: u64) -> Self;
    /// A key in the place of an element, which is what elements are until they are in order.
    fn holding(key: u64) -> Self;
    fn held(self) -> u64;
}

macro_rules! integers {
    ($($T:ty, $Bits:ty, $first:expr;)*) => {$(
        impl Radix for $T {
            #[inline(always)]
            fn key(self) -> u64 {
                // The least one becomes 0.
                u64::from((self as $Bits).wrapping_sub($first as $Bits))
            }
            #[inline(always)]
            fn of_key(key: u64) -> Self {
                (key as $Bits).wrapping_add($first as $Bits) as $T
            }
            #[inline(always)]
            fn holding(key: u64) -> Self {
                key as $T
            }
            #[inline(always)]
            fn held(self) -> u64 {
                u64::from(self as $Bits)
            }
        }
    )*};
}

integers! {
    i8, u8, i8::MIN;
    i16, u16, i16::MIN;
    i32, u32, i32::MIN;
    i64, u64, i64::MIN;
    u8, u8, 0;
    u16, u16, 0;
    u32, u32, 0;
    u64, u64, 0;
}

impl Radix for bool {
    #[inline(always)]
    fn key(self) -> u64 {
        u64::from(self)
    }
    #[inline(always)]
    fn of_key(key: u64) -> Self {
        key != 0
    }
    #[inline(always)]
    fn holding(key: u64) -> Self {
        key != 0
    }
    #[inline(always)]
    fn held(self) -> u64 {
        u64::from(self)
    }
}

macro_rules! floats {
    ($($T:ty, $Signed:ty, $Bits:ty;)*) => {$(
        impl Radix for $T {
            #[inline(always)]
            fn key(self) -> u64 {
                const SIGN: $Bits = 1 << (<$Bits>::BITS - 1);
                let bits = self.to_bits();
                // Negative numbers are turned over, the others go above them; nan is above all, whatever its sign.
                let turned = bits ^ (((bits as $Signed) >> (<$Bits>::BITS - 1)) as $Bits | SIGN);
                u64::from(if self.is_nan() { <$Bits>::MAX } else { turned })
            }
            #[inline(always)]
            fn of_key(key: u64) -> Self {
                const SIGN: $Bits = 1 << (<$Bits>::BITS - 1);
                let key = key as $Bits;
                let x = Self::from_bits(if key & SIGN != 0 { key ^ SIGN } else { !key });
                if x.is_nan() { Self::NAN } else { x }
            }
            #[inline(always)]
            fn holding(key: u64) -> Self {
                Self::from_bits(key as $Bits)
            }
            #[inline(always)]
            fn held(self) -> u64 {
                u64::from(self.to_bits())
            }
        }
    )*};
}

floats! {
    f32, i32, u32;
    f64, i64, u64;
}

/// An element that lanes can be sorted of.
pub trait Sort: Ranked {
    /// Sorts a lane, on so many threads. `other` is as long, and is left with anything in it.
    fn sort(lane: &mut [Self], other: &mut [Self], threads: usize) -> Result<()>;

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
                lane.sort_unstable_by_key(|&x| x.rank());
                Ok(())
            }

            fn select(lane: &mut [Self], place: usize) {
                lane.select_nth_unstable_by_key(place, |x| x.rank());
            }
        }
    )*};
}

by_comparing!(Complex32 Complex64);

/// Elements that are sorted by comparing.
const FEW: usize = 256;
/// Digits that are told apart in one step, at most: more places to write to than that are not at hand.
const MOST_BITS: u32 = 11;
/// Elements that are worth another thread.
const MANY: usize = 1 << 17;

/// Sorts on so many threads. `other` is as long, and is left with anything in it.
fn sort<T: Radix>(elements: &mut [T], other: &mut [T], threads: usize) -> Result<()> {
    elements.iter_mut().for_each(|x| *x = T::holding(x.key()));
    step(elements, other, threads, false, None)?;
    one_nan(elements);
    cancel::check()
}

/// Makes one of all that are `nan`, at the end of a sorted lane: which of them came first would tell how the lane was sorted.
fn one_nan<T: Radix>(sorted: &mut [T]) {
    sorted.iter_mut().rev().take_while(|x| Ranked::is_nan(**x)).for_each(|x| *x = T::of_key(x.key()));
}

/// As `sort`, of elements that stay as they are, into `to`.
fn sort_into<T: Radix>(elements: &[T], other: &mut [T], to: &mut [T], threads: usize) -> Result<()> {
    let threads = threads.min(elements.len() / MANY).max(1);
    match Digits::about(elements) {
        Some(digits) => {
            let lengths = scatter(elements, other, digits, threads, T::key);
            parts(other, to, &lengths, digits, threads, true)?;
            one_nan(to);
        }
        None => {
            to.copy_from_slice(elements);
            sort(to, other, threads)?;
        }
    }
    cancel::check()
}

/// How far the keys reach, and which of their bits tell the parts apart.
#[derive(Clone, Copy)]
struct Digits {
    least: u64,
    most: u64,
    shift: u32,
    /// Some keys may lie beyond; they count with those at the ends.
    open: bool,
}

impl Digits {
    fn between(least: u64, most: u64, elements: usize, open: bool) -> Option<Digits> {
        let bits = u64::BITS - (most - least).leading_zeros();
        // Parts of some elements each.
        let wanted = elements.ilog2().saturating_sub(4).clamp(1, MOST_BITS);
        (bits > 0).then(|| Digits { least, most, shift: bits.saturating_sub(wanted), open })
    }

    /// `None` where all keys are equal.
    fn of<T: Radix>(elements: &[T], threads: usize) -> Option<Digits> {
        let pieces = elements.chunks(elements.len().div_ceil(threads));
        let ends = in_threads(pieces, |piece| ends(piece));
        let (least, most) = ends.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        Digits::between(least, most, elements.len(), false)
    }

    /// As some of the elements tell, before they hold keys. `None` where these do not differ.
    fn about<T: Radix>(elements: &[T]) -> Option<Digits> {
        const SAMPLE: usize = 1024;
        let keys = || elements.iter().step_by((elements.len() / SAMPLE).max(1)).map(|x| x.key());
        let (least, most) = (keys().min()?, keys().max()?);
        (elements.len() > FEW).then(|| Digits::between(least, most, elements.len(), true)).flatten()
    }

    fn count(self) -> usize {
        self.digit(self.most) + 1
    }

    #[inline(always)]
    fn digit(self, key: u64) -> usize {
        let key = if key < self.least { self.least } else { key };
        let key = if key > self.most { self.most } else { key };
        ((key - self.least) >> self.shift) as usize
    }

    /// The keys that a digit may have, if that is known.
    fn keys(self, digit: usize) -> Option<(u64, u64)> {
        let least = self.least + ((digit as u64) << self.shift);
        let inner = digit > 0 && digit + 1 < self.count();
        (inner || !self.open).then(|| (least, least.saturating_add((1 << self.shift) - 1)))
    }
}

/// The least and the greatest key that is held.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ends<T: Radix>(elements: &[T]) -> (u64, u64) {
    elements.iter().fold((u64::MAX, 0), |(least, most), x| {
        let key = x.held();
        (if key < least { key } else { least }, if key > most { key } else { most })
    })
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

/// Sorts the elements whose keys `from` holds, in place or, with `over`, into `to`, as long; the other one is left with anything in it. Its keys are `within` these,
/// if that is known.
fn step<T: Radix>(from: &mut [T], to: &mut [T], threads: usize, over: bool, within: Option<(u64, u64)>) -> Result<()> {
    if from.len() <= FEW {
        few(from, to, over);
        return Ok(());
    }
    let threads = threads.min(from.len() / MANY).max(1);
    let digits = match within {
        Some((least, most)) => Digits::between(least, most, from.len(), false),
        None => Digits::of(from, threads),
    };
    let Some(digits) = digits else {
        let equal = from.first().map(|x| T::of_key(x.held()));
        let target = if over { to } else { from };
        equal.into_iter().for_each(|equal| target.fill(equal));
        return Ok(());
    };
    let lengths = scatter(from, to, digits, threads, T::held);
    parts(to, from, &lengths, digits, threads, !over)
}

/// Puts keys where their digits say, and tells how many there are of each.
fn scatter<T: Radix>(
    from: &[T],
    to: &mut [T],
    digits: Digits,
    threads: usize,
    key: impl Fn(T) -> u64 + Copy + Sync,
) -> Vec<usize> {
    let size = from.len().div_ceil(threads);
    let counts = in_threads(from.chunks(size), |piece| {
        let mut counts = vec![0usize; digits.count()];
        piece.iter().for_each(|&x| counts[digits.digit(key(x))] += 1);
        counts
    });
    // Every thread has a place of its own in every part.
    let mut places: Vec<Vec<std::slice::IterMut<T>>> =
        counts.iter().map(|_| Vec::with_capacity(digits.count())).collect();
    let mut rest = to;
    for digit in 0..digits.count() {
        for (counts, places) in counts.iter().zip(&mut places) {
            let (place, left) = std::mem::take(&mut rest).split_at_mut(counts[digit]);
            places.push(place.iter_mut());
            rest = left;
        }
    }
    in_threads(from.chunks(size).zip(places), |(piece, mut places)| {
        for &x in piece {
            let key = key(x);
            if let Some(place) = places[digits.digit(key)].next() {
                *place = T::holding(key);
            }
        }
    });
    (0..digits.count()).map(|digit| counts.iter().map(|counts| counts[digit]).sum()).collect()
}

/// Sorts the parts of `from` that digits made, of these lengths, each as `step` does.
fn parts<T: Radix>(
    from: &mut [T],
    to: &mut [T],
    lengths: &[usize],
    digits: Digits,
    threads: usize,
    over: bool,
) -> Result<()> {
    cancel::check()?;
    // Where most are in one part, they do not lie evenly, and not in it either.
    let many = from.len() / 2;
    let (mut from, mut to) = (from, to);
    let parts = lengths.iter().enumerate().map(|(digit, &len)| {
        let ((a, from_rest), (b, to_rest)) =
            (std::mem::take(&mut from).split_at_mut(len), std::mem::take(&mut to).split_at_mut(len));
        (from, to) = (from_rest, to_rest);
        (a, b, if len <= many { digits.keys(digit) } else { None })
    });
    let mut parts = parts.filter(|(part, ..)| !part.is_empty());
    if threads == 1 {
        return parts.try_for_each(|(from, to, within)| step(from, to, 1, over, within));
    }
    let (large, small): (Vec<_>, Vec<_>) = parts.partition(|(part, ..)| part.len() > many);
    large.into_iter().try_for_each(|(from, to, within)| step(from, to, threads, over, within))?;
    let next = Mutex::new(small.into_iter());
    let work = || {
        loop {
            let part = next.lock().next();
            match part {
                Some((from, to, within)) => step(from, to, 1, over, within)?,
                None => return Ok(()),
            }
        }
    };
    cancel::with_flag(|flag| {
        in_threads(0..threads, |_| match flag {
            Some(flag) => cancel::during(flag, work),
            None => work(),
        })
    })
    .into_iter()
    .collect()
}

/// As `step`, for a few keys.
fn few<T: Radix>(from: &mut [T], to: &mut [T], over: bool) {
    let mut keys = [0; FEW];
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
                // Nearly all are equal.
                let uneven: Vec<i64> = numbers(n).map(|x| if x % 100 == 0 { x as i64 } else { 7 }).collect();
                let mut expected = uneven.clone();
                expected.sort_unstable();
                assert_eq!(sorted(uneven, threads), expected);
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
