//! Counting what is in a block: places that are not zero, distinct elements, numbers and bins.

use super::rank::Ranked;
use super::sort;
use crate::data::{Block, DType, cancel};
use crate::err;
use crate::text::Result;
use crate::with_dtype;

/// The distinct elements of a block.
pub struct Distinct {
    /// In order; one `nan` at the end, if there is any.
    pub values: Block,
    /// Where each is first, in the flattened block.
    pub first: Block,
    /// Which of them each element is, in the shape of the block.
    pub inverse: Block,
    pub counts: Block,
}

/// The distinct elements of the flattened block. Each `nan` is another element unless they are `equal_nan`.
pub fn distinct(block: &Block, equal_nan: bool) -> Result<Distinct> {
    let flat = block.reshape(&[block.len()]);
    let order = sort::argsort(&flat, 0)?;
    let order = order.as_slice::<i64>().unwrap_or_default();
    let (mut first, mut counts) = (Vec::new(), Vec::new());
    let mut inverse = vec![0i64; flat.len()];
    with_dtype!(block.dtype(), T => {
        let elements = flat.contiguous();
        let elements = elements.as_slice::<T>().unwrap_or_default();
        let mut last = None;
        for &at in order {
            let x = elements[at as usize];
            let rank = x.rank();
            let another = !equal_nan && Ranked::is_nan(x);
            if last.replace(rank) != Some(rank) || another {
                first.push(at);
                counts.push(0i64);
            }
            if let Some(count) = counts.last_mut() {
                *count += 1;
            }
            inverse[at as usize] = counts.len() as i64 - 1;
        }
    });
    cancel::check()?;
    let places = |places: &[i64]| Block::from_slice(&[places.len()], places);
    Ok(Distinct {
        values: super::layout::take(&flat, 0, &first)?,
        first: places(&first),
        inverse: Block::from_slice(block.shape(), &inverse),
        counts: places(&counts),
    })
}

/// The distinct parts along an axis, in the order of their elements; the places are along that axis. Parts that hold a `nan`
/// are all different.
pub fn distinct_along(block: &Block, axis: usize) -> Result<Distinct> {
    let axes: Vec<usize> = std::iter::once(axis).chain((0..block.ndim()).filter(|&a| a != axis)).collect();
    let rows = block.transpose(&axes).contiguous();
    let (count, len) = (block.shape()[axis], block.len() / block.shape()[axis].max(1));
    let mut order: Vec<i64> = (0..count as i64).collect();
    let (mut first, mut counts, mut inverse) = (Vec::new(), Vec::new(), vec![0i64; count]);
    with_dtype!(block.dtype(), T => {
        let elements = rows.as_slice::<T>().unwrap_or_default();
        let row = |at: i64| &elements[at as usize * len..(at as usize + 1) * len];
        let ranks = |at: i64| row(at).iter().map(|x| x.order());
        order.sort_by(|&a, &b| ranks(a).cmp(ranks(b)));
        let mut last = None;
        for &at in &order {
            let same = last.is_some_and(|last| ranks(last).eq(ranks(at)) && !row(at).iter().any(|&x| Ranked::is_nan(x)));
            if !same {
                first.push(at);
                counts.push(0i64);
            }
            last = Some(at);
            if let Some(count) = counts.last_mut() {
                *count += 1;
            }
            inverse[at as usize] = counts.len() as i64 - 1;
        }
    });
    cancel::check()?;
    let places = |places: &[i64]| Block::from_slice(&[places.len()], places);
    Ok(Distinct {
        values: super::layout::take(block, axis, &first)?,
        first: places(&first),
        inverse: places(&inverse),
        counts: places(&counts),
    })
}

/// How often each number from 0 on is there, up to the greatest, and to `least - 1` at least; with weights the sums of these.
pub fn numbers(block: &Block, weights: Option<&Block>, least: usize) -> Result<Block> {
    if !(block.dtype().is_integer() || block.dtype() == DType::Bool) {
        return Err(err!(Type, "numbers that are counted are integers, found {}", block.dtype()));
    }
    if block.dtype() == DType::U64 {
        return Err(err!(Type, "numbers that are counted fit in int64, found uint64"));
    }
    let block = block.cast(DType::I64)?.contiguous();
    let elements = block.as_slice::<i64>().unwrap_or_default();
    if let Some(negative) = elements.iter().find(|&&n| n < 0) {
        return Err(err!(Value, "numbers that are counted are not negative, found {negative}"));
    }
    let len = elements.iter().max().map_or(0, |&most| most as usize + 1).max(least);
    // As in NumPy, nothing has no weights.
    let Some(weights) = weights.filter(|_| !elements.is_empty()) else {
        let mut out = Block::for_answer(DType::I64, &[len])?;
        let counts = out.as_mut_slice::<i64>();
        counts.fill(0);
        elements.iter().for_each(|&n| counts[n as usize] += 1);
        return Ok(out);
    };
    if weights.shape() != block.shape() {
        return Err(err!(Value, "there are {} weights for {} numbers", weights.len(), block.len()));
    }
    let weights = weights.cast(DType::F64)?.contiguous();
    let mut out = Block::for_answer(DType::F64, &[len])?;
    let sums = out.as_mut_slice::<f64>();
    sums.fill(0.0);
    elements.iter().zip(weights.as_slice::<f64>().unwrap_or_default()).for_each(|(&n, &w)| sums[n as usize] += w);
    Ok(out)
}

/// How many elements lie in each bin between rising edges, the last of which is in the last bin; with weights the sums of these.
pub fn bins(block: &Block, edges: &Block, weights: Option<&Block>) -> Result<Block> {
    let edges = edges.cast(DType::F64)?.contiguous();
    let edges = edges.as_slice::<f64>().unwrap_or_default();
    if edges.len() < 2 || !edges.windows(2).all(|pair| pair[0] <= pair[1]) {
        return Err(err!(Value, "the edges of bins rise, and there are two at least"));
    }
    let count = edges.len() - 1;
    let (low, high) = (edges[0], edges[count]);
    let scale = count as f64 / (high - low);
    // Bins are of equal width, mostly: then the bin is where it should be, or beside that.
    let bin = |x: f64| {
        if !(low..=high).contains(&x) {
            return None;
        }
        let guess = (((x - low) * scale) as usize).min(count - 1);
        let near = [guess, guess.saturating_sub(1), (guess + 1).min(count - 1)];
        let holds = |&at: &usize| edges[at] <= x && (x < edges[at + 1] || at == count - 1 && x <= high);
        let found = near.into_iter().find(holds);
        Some(found.unwrap_or_else(|| edges.partition_point(|&edge| edge <= x).clamp(1, count) - 1))
    };
    let block = block.cast(DType::F64)?.contiguous();
    let elements = block.as_slice::<f64>().unwrap_or_default();
    let Some(weights) = weights else {
        let mut counts = vec![0i64; count];
        elements.iter().filter_map(|&x| bin(x)).for_each(|at| counts[at] += 1);
        cancel::check()?;
        return Ok(Block::from_slice(&[count], &counts));
    };
    if weights.shape() != block.shape() {
        return Err(err!(Value, "weights have the shape of what is counted"));
    }
    let dtype = weights.dtype();
    let weights = weights.cast(DType::F64)?.contiguous();
    let mut sums = vec![0.0; count];
    let pairs = elements.iter().zip(weights.as_slice::<f64>().unwrap_or_default());
    pairs.for_each(|(&x, &w)| {
        if let Some(at) = bin(x) {
            sums[at] += w;
        }
    });
    Block::from_slice(&[count], &sums).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_their_lower_edge_and_the_last_both() {
        let block = Block::from_slice(&[6], &[0.0, 0.5, 1.0, 2.0, 2.5, f64::NAN]);
        let edges = Block::from_slice(&[3], &[0.0, 1.0, 2.0]);
        assert_eq!(format!("{:?}", bins(&block, &edges, None).unwrap()), "int64[2] [2, 2]");
        let uneven = Block::from_slice(&[4], &[0.0, 0.1, 0.2, 2.5]);
        assert_eq!(format!("{:?}", bins(&block, &uneven, Some(&block)).unwrap()), "float64[3] [0.0, 0.0, 6.0]");
    }

    #[test]
    fn distinct_elements_are_in_order() {
        let found = distinct(&Block::from_slice(&[2, 2], &[3.0, f64::NAN, 1.0, f64::NAN]), true).unwrap();
        assert_eq!(format!("{:?}", found.values), "float64[3] [1.0, 3.0, NaN]");
        assert_eq!(format!("{:?}{:?}", found.first, found.counts), "int64[3] [2, 0, 1]int64[3] [1, 1, 2]");
        assert_eq!(format!("{:?}", found.inverse), "int64[2, 2] [1, 2, 0, 2]");
    }
}
