//! How an array is cut: the block sizes along each axis.

use super::{Dims, Slice};
use std::fmt;
use std::sync::Arc;

/// Block sizes along each axis; every axis has at least one block, which may be of size 0.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Chunks(Vec<Arc<[usize]>>);

impl Chunks {
    /// The most blocks that an array may have. Block sizes are written down, so that many of them take half a gigabyte.
    pub const MOST_BLOCKS: usize = 1 << 26;

    /// Cut as told, axis by axis. An axis without blocks gets one of size 0.
    pub fn new(sizes: Vec<Vec<usize>>) -> Self {
        let axis = |sizes: Vec<usize>| if sizes.is_empty() { vec![0] } else { sizes };
        Chunks(sizes.into_iter().map(|s| axis(s).into()).collect())
    }

    pub fn from_axes(axes: Vec<Arc<[usize]>>) -> Self {
        Chunks(axes)
    }

    /// Blocks of `block` along each axis, the last one smaller where it does not divide the shape.
    pub fn regular(shape: &[usize], block: &[usize]) -> Self {
        Chunks(shape.iter().zip(block).map(|(&n, &b)| regular_axis(n, b)).collect())
    }

    /// One block.
    pub fn whole(shape: &[usize]) -> Self {
        Chunks::regular(shape, shape)
    }

    pub fn ndim(&self) -> usize {
        self.0.len()
    }

    /// Sizes of the blocks along an axis.
    pub fn axis(&self, axis: usize) -> &Arc<[usize]> {
        &self.0[axis]
    }

    pub fn axes(&self) -> &[Arc<[usize]>] {
        &self.0
    }

    pub fn shape(&self) -> Dims {
        self.0.iter().map(|a| a.iter().sum()).collect()
    }

    /// Number of blocks along each axis.
    pub fn grid(&self) -> Dims {
        self.0.iter().map(|a| a.len()).collect()
    }

    /// Number of blocks, or the largest number there is where they are more.
    pub fn block_count(&self) -> usize {
        self.0.iter().map(|a| a.len()).fold(1, usize::saturating_mul)
    }

    /// Shape of one block.
    pub fn block_shape(&self, index: &[u32]) -> Dims {
        self.0.iter().zip(index).map(|(a, &i)| a[i as usize]).collect()
    }

    /// Where along an axis a block begins.
    pub fn start(&self, axis: usize, block: u32) -> usize {
        self.0[axis][..block as usize].iter().sum()
    }

    /// Begin of every block along an axis, and the end.
    pub fn bounds(&self, axis: usize) -> Vec<usize> {
        let mut at = 0;
        let mut bounds = vec![0];
        bounds.extend(self.0[axis].iter().map(|n| {
            at += n;
            at
        }));
        bounds
    }

    /// The part of the whole array that a block is, as slices.
    pub fn region(&self, index: &[u32]) -> Vec<Slice> {
        (0..self.ndim())
            .map(|axis| {
                let start = self.start(axis, index[axis]);
                Slice::new(start, start + self.0[axis][index[axis] as usize])
            })
            .collect()
    }

    /// Elements in the largest block.
    pub fn largest(&self) -> usize {
        self.0.iter().map(|a| a.iter().copied().max().unwrap_or(0)).product()
    }
}

fn regular_axis(n: usize, block: usize) -> Arc<[usize]> {
    if n == 0 || block == 0 {
        return [n].into();
    }
    (0..n.div_ceil(block)).map(|i| block.min(n - i * block)).collect()
}

/// As a user writes them: `[[5 5 2] [4]]`.
impl fmt::Display for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let axis = |a: &Arc<[usize]>| {
            let sizes: Vec<String> = a.iter().map(usize::to_string).collect();
            format!("[{}]", sizes.join(" "))
        };
        let axes: Vec<String> = self.0.iter().map(axis).collect();
        write!(f, "[{}]", axes.join(" "))
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
