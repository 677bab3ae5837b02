//! The elements of given ranks in a lane that lies in several blocks, each of them sorted, without bringing the blocks together. Samples at
//! regular distances narrow it down, as in Shi and Schaeffer, "Parallel sorting by regular sampling", 1992; what is left is looked
//! at, so that ranks are exact.
//!
//! Elements are told apart by their keys ([`super::radix`]) as signed integers, so that only the first and the last step know of dtypes:
//!
//! ```text
//! samples     of each block    how many are nan, then every g-th key
//! brackets    of all samples   for each rank two keys, with the wanted one from the one to the other
//! candidates  of each block    for each bracket how many keys are below it, and at its ends; and those between these
//! found       of all of them   the key of each rank
//! cuts        of all of them   for each block, where the ranks cut it
//! ```
//!
//! Between `g k` and `g k + g - 1` elements of a block lie below what `k` of its samples lie below. Summed up over blocks that gives
//! brackets of which there are at most twice the sum of the `g` between the ends, however the elements are distributed. Equal elements
//! count for one, as the ends of brackets are not among the candidates, and go by the order of blocks where a cut goes through them.

use super::radix::{Radix, Sort};
use super::rank::Ranked;
use super::sort::{Method, quantile_dtype};
use crate::data::{Block, DType, cancel};
use crate::err;
use crate::text::{Error, Result};
use crate::with_dtype;

/// Runs `$body` with `$T` standing for the type of a dtype that has an order.
macro_rules! with_radix {
    ($dtype:expr, $T:ident => $body:expr, $($D:ident $Type:ty),*) => {
        match $dtype {
            $(DType::$D => {
                type $T = $Type;
                $body
            })*
            _ => Err(err!(Type, "complex numbers are not sorted block by block")),
        }
    };
    ($dtype:expr, $T:ident => $body:expr) => {
        with_radix!(
            $dtype, $T => $body,
            Bool bool, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64, F32 f32, F64 f64
        )
    };
}

const SIGN: u64 = 1 << 63;

fn key<T: Radix>(x: T) -> i64 {
    (x.key() ^ SIGN) as i64
}

fn of_key<T: Radix>(key: i64) -> T {
    T::of_key(key as u64 ^ SIGN)
}

/// Of a sorted lane so many keys are below that one.
fn below<T: Radix>(lane: &[T], than: i64) -> usize {
    lane.partition_point(|&x| key(x) < than)
}

fn upto<T: Radix>(lane: &[T], than: i64) -> usize {
    lane.partition_point(|&x| key(x) <= than)
}

/// The keys and numbers that a step before this one made.
fn numbers(block: &Block) -> Result<&[i64]> {
    let fits = block.dtype() == DType::I64 && block.ndim() == 1;
    fits.then(|| block.as_slice()).flatten().ok_or_else(unfit)
}

/// The sum, which is a number of elements; of numbers of a user's it may be anything.
fn total(numbers: impl Iterator<Item = i64>) -> i64 {
    numbers.fold(0, i64::saturating_add)
}

fn unfit() -> Error {
    err!(Value, "this is not what the step before it makes of sorted blocks")
}

/// How far apart samples are in a block, if there are to be so many at most.
fn distance(len: usize, most: usize) -> usize {
    len.div_ceil(most.max(1)).max(1)
}

/// How many samples there are of a block, if there are to be so many at most.
pub fn sample_count(len: usize, most: usize) -> usize {
    len / distance(len, most)
}

/// How many elements of a sorted lane are `nan`, then keys at regular distances, so many at most.
pub fn samples(sorted: &Block, most: usize) -> Result<Block> {
    let mut out = Block::for_answer(DType::I64, &[1 + sample_count(sorted.len(), most)])?;
    let sorted = sorted.contiguous();
    with_radix!(sorted.dtype(), T => {
        let lane = sorted.as_slice::<T>().unwrap_or_default();
        let nans = lane.len() - lane.partition_point(|&x| !Ranked::is_nan(x));
        let every = distance(lane.len(), most);
        let keys = lane.chunks_exact(every).filter_map(|part| part.last()).map(|&x| key(x));
        out.as_mut_slice::<i64>().iter_mut().zip(std::iter::once(nans as i64).chain(keys)).for_each(|(to, x)| *to = x);
        Ok(())
    })?;
    Ok(out)
}

/// For all blocks, whose lengths are these, how many elements are `nan`; then for each of the ranks that `wanted` asks for, told that
/// number, the rank, a key that is not above the one of that rank, and one that is not below it.
pub fn brackets(
    samples: &[Block],
    lengths: &[usize],
    most: usize,
    wanted: impl Fn(usize) -> Vec<usize>,
) -> Result<Block> {
    let samples = samples.iter().map(numbers).collect::<Result<Vec<_>>>()?;
    let fits = |(samples, &len): (&&[i64], &usize)| samples.len() == 1 + sample_count(len, most);
    if samples.len() != lengths.len() || !samples.iter().zip(lengths).all(fits) {
        return Err(unfit());
    }
    let nans = total(samples.iter().map(|samples| samples[0]));
    let blocks: Vec<(&[i64], usize, usize)> =
        samples.iter().zip(lengths).map(|(samples, &len)| (&samples[1..], distance(len, most), len)).collect();
    // The most elements that may be below a key, and the fewest that are not above it.
    let may_be_below = |key: i64| -> usize {
        let of_one = |&(samples, every, len): &(&[i64], usize, usize)| {
            ((samples.partition_point(|&s| s < key) + 1).saturating_mul(every) - 1).min(len)
        };
        blocks.iter().map(of_one).fold(0, usize::saturating_add)
    };
    let are_upto = |key: i64| -> usize {
        let of_one = |(samples, every, _): &(&[i64], usize, usize)| samples.partition_point(|&s| s <= key) * every;
        blocks.iter().map(of_one).fold(0, usize::saturating_add)
    };
    let ranks = wanted(usize::try_from(nans).map_err(|_| unfit())?);
    let mut out = vec![nans];
    for rank in ranks {
        cancel::check()?;
        let low = last(|key| may_be_below(key) <= rank);
        let high = last(|key| key == i64::MIN || are_upto(key - 1) <= rank);
        out.extend([rank as i64, low, high.max(low)]);
    }
    Ok(Block::from_slice(&[out.len()], &out))
}

/// The last key of which something holds that holds of all before it; the first one where it holds of none.
fn last(holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    while low < high {
        // Rounded up, without overflow.
        let middle = high - ((i128::from(high) - i128::from(low)) / 2) as i64;
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// A rank, and the ends of its bracket.
type Bracket = [i64; 3];

fn bracket_list(brackets: &Block) -> Result<(i64, &[Bracket])> {
    let (&nans, rest) = numbers(brackets)?.split_first().ok_or_else(unfit)?;
    match rest.as_chunks::<3>() {
        (brackets, []) => Ok((nans, brackets)),
        _ => Err(unfit()),
    }
}

/// What a block has of a bracket: how many keys are below its ends, how many up to the lower one, how many between both, and how many are
/// as large as the upper one, if that is another.
type Share = [i64; 4];
/// How many numbers that are.
pub const SHARE: usize = 4;

/// For each bracket the share that a sorted lane has of it, then the keys between its ends, bracket by bracket. A bracket with the ends of the
/// one before it has the same.
pub fn candidates(sorted: &Block, brackets: &Block) -> Result<Block> {
    let (_, brackets) = bracket_list(brackets)?;
    let sorted = sorted.contiguous();
    with_radix!(sorted.dtype(), T => {
        let lane = sorted.as_slice::<T>().unwrap_or_default();
        let of_one = |&[_, low, high]: &Bracket| {
            let (first, start) = (below(lane, low), upto(lane, low));
            let stop = below(lane, high).max(start);
            [first, start, stop, upto(lane, high).max(stop)]
        };
        let places: Vec<[usize; 4]> = brackets.iter().map(of_one).collect();
        let news = || places.iter().enumerate().filter(|(n, _)| is_new(brackets, *n)).map(|(_, place)| place);
        let len = SHARE * places.len() + news().map(|[_, start, stop, _]| stop - start).sum::<usize>();
        let mut out = Block::for_answer(DType::I64, &[len])?;
        let (head, mut rest) = out.as_mut_slice::<i64>().split_at_mut(SHARE * places.len());
        for (share, &[first, start, stop, end]) in head.as_chunks_mut::<SHARE>().0.iter_mut().zip(&places) {
            *share = [first, start, stop - start, end - stop].map(|n| n as i64);
        }
        for &[_, start, stop, _] in news() {
            let (to, left) = std::mem::take(&mut rest).split_at_mut(stop - start);
            to.iter_mut().zip(&lane[start..stop]).for_each(|(to, &x)| *to = key(x));
            rest = left;
        }
        Ok(out)
    })
}

/// Whether a bracket has other ends than the one before it.
fn is_new(brackets: &[Bracket], n: usize) -> bool {
    n == 0 || brackets[n][1..] != brackets[n - 1][1..]
}

/// What [`candidates`] made of one block, bracket by bracket.
struct Candidates<'a> {
    shares: &'a [Share],
    keys: &'a [i64],
    rest: &'a [i64],
}

impl<'a> Candidates<'a> {
    fn of(block: &'a Block, brackets: &[Bracket]) -> Result<Candidates<'a>> {
        let (shares, rest) = numbers(block)?.split_at_checked(SHARE * brackets.len()).ok_or_else(unfit)?;
        Ok(Candidates { shares: shares.as_chunks::<SHARE>().0, keys: &[], rest })
    }

    /// Goes on to the keys between the ends of the n-th bracket, where these are new.
    fn advance(&mut self, n: usize) -> Result<()> {
        let count = usize::try_from(self.shares[n][2]).map_err(|_| unfit())?;
        (self.keys, self.rest) = self.rest.split_at_checked(count).ok_or_else(unfit)?;
        Ok(())
    }

    /// Of the block how many elements are below a key of the n-th bracket, and how many are as large.
    fn count(&self, n: usize, [_, low, high]: Bracket, key: i64) -> [i64; 2] {
        let [first, upto, between, last] = self.shares[n];
        if key <= low {
            return [first, upto.saturating_sub(first)];
        }
        if key >= high {
            return [upto.saturating_add(between), last];
        }
        let below = self.keys.partition_point(|&other| other < key);
        let equal = self.keys.partition_point(|&other| other <= key).saturating_sub(below);
        [upto.saturating_add(below as i64), equal as i64]
    }
}

/// Calls `each` with the place of every bracket and its key, when the candidates are at it.
fn find(
    brackets: &[Bracket],
    candidates: &[Block],
    mut each: impl FnMut(usize, i64, &[Candidates]) -> Result<()>,
) -> Result<()> {
    let mut blocks =
        candidates.iter().map(|block| Candidates::of(block, brackets)).collect::<Result<Vec<Candidates>>>()?;
    let mut between: Vec<i64> = Vec::new();
    for (n, &[rank, low, high]) in brackets.iter().enumerate() {
        cancel::check()?;
        if is_new(brackets, n) {
            between.clear();
            for block in &mut blocks {
                block.advance(n)?;
                between.extend(block.keys);
            }
        }
        let upto = total(blocks.iter().map(|block| block.shares[n][1]));
        let key = match usize::try_from(rank.saturating_sub(upto)) {
            Err(_) => low,
            Ok(place) if place < between.len() => *between.select_nth_unstable(place).1,
            Ok(_) => high,
        };
        each(n, key, &blocks)?;
    }
    Ok(())
}

/// The key of each rank.
pub fn found(brackets: &Block, candidates: &[Block]) -> Result<Block> {
    let (_, brackets) = bracket_list(brackets)?;
    let mut out = Vec::with_capacity(brackets.len());
    find(brackets, candidates, |_, key, _| {
        out.push(key);
        Ok(())
    })?;
    Ok(Block::from_slice(&[out.len()], &out))
}

/// Where each block is cut, block by block: so that of all blocks together as many elements come before the n-th cut as `bounds` says.
/// The brackets are those of the bounds, without 0 and the number of all elements.
pub fn cuts(brackets: &Block, candidates: &[Block], lengths: &[usize], bounds: &[usize]) -> Result<Block> {
    let (_, brackets) = bracket_list(brackets)?;
    if candidates.len() != lengths.len() {
        return Err(unfit());
    }
    let mut out = Block::for_answer(DType::I64, &[lengths.len(), bounds.len()])?;
    let places = out.as_mut_slice::<i64>();
    for (n, &bound) in bounds.iter().enumerate() {
        let column = places.iter_mut().skip(n).step_by(bounds.len());
        column.zip(lengths).for_each(|(place, &len)| *place = if bound == 0 { 0 } else { len as i64 });
    }
    find(brackets, candidates, |n, key, blocks| {
        let [rank, ..] = brackets[n];
        let counts: Vec<[i64; 2]> = blocks.iter().map(|block| block.count(n, brackets[n], key)).collect();
        // Of those that are equal, so many go before the cut.
        let mut left = rank.saturating_sub(total(counts.iter().map(|[below, _]| *below)));
        let cut = |&[below, equal]: &[i64; 2]| {
            let equal = left.clamp(0, equal.max(0));
            left -= equal;
            below.saturating_add(equal)
        };
        let cuts: Vec<i64> = counts.iter().map(cut).collect();
        for (at, _) in bounds.iter().enumerate().filter(|(_, bound)| **bound as i64 == rank) {
            places.iter_mut().skip(at).step_by(bounds.len()).zip(&cuts).for_each(|(place, &cut)| *place = cut);
        }
        Ok(())
    })?;
    Ok(out)
}

/// What lies between two cuts of a block.
pub fn part(sorted: &Block, cuts: &Block, block: usize, part: usize) -> Result<Block> {
    let [blocks, bounds] = *cuts.shape() else { return Err(unfit()) };
    let fits = cuts.dtype() == DType::I64;
    let places: &[i64] = fits.then(|| cuts.as_slice()).flatten().ok_or_else(unfit)?;
    if block >= blocks || part + 1 >= bounds || sorted.ndim() != 1 {
        return Err(unfit());
    }
    let at = |n: usize| usize::try_from(places[block * bounds + n]).map_err(|_| unfit());
    let (start, stop) = (at(part)?, at(part + 1)?);
    if start > stop || stop > sorted.len() {
        return Err(unfit());
    }
    Ok(sorted.slice_axis(0, crate::data::slice::Range { start, step: 1, count: stop - start }).copied())
}

/// Sorted lanes as one.
pub fn merge(parts: &[Block]) -> Result<Block> {
    let mut all = super::layout::concatenate(parts, 0)?;
    if all.ndim() != 1 {
        return Err(unfit());
    }
    let mut other = Block::for_answer(all.dtype(), all.shape())?;
    with_dtype!(all.dtype(), T => T::sort(all.as_mut_slice(), other.as_mut_slice(), 1))?;
    Ok(all)
}

/// What quantiles are asked for.
pub struct Quantiles<'a> {
    pub qs: &'a [f64],
    pub method: Method,
    pub skip_nan: bool,
    /// Of all elements, of which there is one at least.
    pub len: usize,
}

impl Quantiles<'_> {
    /// How many elements count, if so many are `nan`.
    fn counting(&self, nans: usize) -> usize {
        if self.skip_nan && nans < self.len { self.len - nans } else { self.len }
    }

    /// The ranks of the elements that a quantile lies between, two for each of them.
    pub fn ranks(&self, nans: usize) -> Vec<usize> {
        let len = self.counting(nans);
        let of_one = |&q: &f64| {
            let (first, second, _) = self.method.place(q, len);
            [first, second]
        };
        self.qs.iter().flat_map(of_one).collect()
    }

    /// The quantiles, of elements of that dtype.
    pub fn of(&self, dtype: DType, brackets: &Block, found: &Block) -> Result<Block> {
        let (nans, _) = bracket_list(brackets)?;
        let nans = usize::try_from(nans).map_err(|_| unfit())?;
        let (keys, made) = (numbers(found)?, quantile_dtype(dtype, self.method));
        if keys.len() != 2 * self.qs.len() {
            return Err(unfit());
        }
        let ends = with_radix!(dtype, T => {
            let ends: Vec<T> = keys.iter().map(|&key| of_key::<T>(key)).collect();
            Ok(Block::from_slice(&[ends.len()], &ends))
        })?;
        let ends = ends.cast(made)?;
        let len = self.counting(nans);
        let is_nan = nans > 0 && len == self.len;
        let mut out = Block::for_answer(made, &[self.qs.len()])?;
        with_radix!(made, T => {
            let ends = ends.as_slice::<T>().unwrap_or_default().as_chunks::<2>().0;
            for ((to, ends), &q) in out.as_mut_slice::<T>().iter_mut().zip(ends).zip(self.qs) {
                let place = self.method.place(q, len);
                *to = if is_nan { of_key::<T>(i64::MAX) } else { self.method.of(ends[0], ends[1], place) };
            }
            Ok(())
        })?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(numbers: &[i64]) -> Block {
        Block::from_slice(&[numbers.len()], numbers)
    }

    fn shown(block: &Block) -> Vec<i64> {
        block.view::<i64>().iter().copied().collect()
    }

    #[test]
    fn samples_lie_at_regular_distances() {
        let sorted = Block::from_slice(&[5], &[-1.0, -0.0, 0.0, 2.0, f64::NAN]);
        let keys = shown(&samples(&sorted, 5).unwrap());
        assert!(keys[0] == 1 && keys[1..].is_sorted_by(|a, b| a < b), "{keys:?}");
        assert_eq!(shown(&samples(&list(&[1, 2, 3, 4, 5]), 2).unwrap()), [0, 3]);
        assert_eq!(shown(&samples(&list(&[]), 2).unwrap()), [0]);
        assert_eq!(
            [(5, 2), (5, 5), (5, 9), (0, 3), (9, 3)].map(|(len, most)| sample_count(len, most)),
            [1, 5, 5, 0, 3]
        );
    }

    #[test]
    fn brackets_hold_the_element_and_few_others() {
        let blocks: Vec<Block> = (0..7)
            .map(|b| {
                let mut numbers: Vec<i64> = (0..400 + b * 30).map(|i| (i * 7919 + b * 104_729) % 5000).collect();
                numbers.sort_unstable();
                list(&numbers)
            })
            .collect();
        let mut all: Vec<i64> = blocks.iter().flat_map(shown).collect();
        all.sort_unstable();
        let lengths: Vec<usize> = blocks.iter().map(Block::len).collect();
        for most in [1, 10, 64, 1000] {
            let told: Vec<Block> = blocks.iter().map(|block| samples(block, most).unwrap()).collect();
            let every: usize = lengths.iter().map(|&len| distance(len, most)).sum();
            let ranks: Vec<usize> = (0..all.len()).step_by(97).chain([all.len() - 1]).collect();
            let brackets = brackets(&told, &lengths, most, |_| ranks.clone()).unwrap();
            for (&[rank, low, high], &wanted) in bracket_list(&brackets).unwrap().1.iter().zip(&ranks) {
                assert_eq!(rank as usize, wanted);
                let x = all[wanted];
                assert!(low <= x && x <= high, "{low} {x} {high}");
                let between = all.iter().filter(|&&x| low < x && x < high).count();
                assert!(between <= 2 * every, "{between} of {every}");
            }
            let candidates: Vec<Block> = blocks.iter().map(|block| candidates(block, &brackets).unwrap()).collect();
            let keys = shown(&found(&brackets, &candidates).unwrap());
            assert!(keys.iter().zip(&ranks).all(|(&key, &rank)| key == all[rank]));
        }
    }

    #[test]
    fn equal_elements_are_cut_by_the_order_of_blocks() {
        let blocks = [list(&[1, 5, 5, 5]), list(&[5, 5]), list(&[]), list(&[0, 5, 9])];
        let (lengths, bounds) = ([4, 2, 0, 3], [0, 2, 4, 6, 6, 9]);
        let told: Vec<Block> = blocks.iter().map(|block| samples(block, 1).unwrap()).collect();
        let brackets = brackets(&told, &lengths, 1, |_| vec![2, 4, 6]).unwrap();
        let told: Vec<Block> = blocks.iter().map(|block| candidates(block, &brackets).unwrap()).collect();
        let cuts = cuts(&brackets, &told, &lengths, &bounds).unwrap();
        assert_eq!(
            shown(&cuts),
            [[0, 1, 3, 4, 4, 4], [0, 0, 0, 1, 1, 2], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 3]].concat()
        );
        assert_eq!(shown(&part(&blocks[0], &cuts, 0, 1).unwrap()), [5, 5]);
        let first = [part(&blocks[0], &cuts, 0, 0).unwrap(), part(&blocks[3], &cuts, 3, 0).unwrap()];
        assert_eq!(shown(&merge(&first).unwrap()), [0, 1]);
    }

    /// What is not what the step before makes of blocks is refused, or gives some numbers.
    #[test]
    fn wrong_numbers_are_errors() {
        let (x, wild) = (list(&[3, 1, 2]), list(&[i64::MAX, i64::MIN, i64::MAX, i64::MIN]));
        assert!(brackets(std::slice::from_ref(&wild), &[1], 1, |_| vec![0]).is_err());
        let huge = usize::MAX / 2;
        assert!(brackets(&[list(&[-1, 0])], &[huge], 1, |_| vec![0]).is_err());
        brackets(&[list(&[9, 0]), list(&[9, 0])], &[huge, huge], 1, |_| vec![usize::MAX]).unwrap();
        let told = candidates(&x, &wild).unwrap();
        found(&wild, &[told.clone(), wild.clone()]).unwrap_err();
        let most = list(&[i64::MAX, i64::MAX, 0, i64::MAX]);
        cuts(&wild, &[most.clone(), most], &[1, 1], &[0, usize::MAX]).unwrap();
        assert!(cuts(&wild, &[told], &[], &[]).is_err());
        assert!(part(&x, &Block::from_slice(&[1, 2], &[2i64, 1]), 0, 0).is_err());
        assert!(part(&x, &Block::from_slice(&[1, 2], &[0i64, 9]), 0, 0).is_err());
        assert!(candidates(&x, &list(&[])).is_err() && candidates(&x, &list(&[0, 1])).is_err());
        assert!(merge(&[]).is_err());
    }
}
