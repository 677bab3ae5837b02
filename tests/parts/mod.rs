//! Parts of blocks, to compare what is read with.

#![allow(dead_code, reason = "each test file uses what it needs")]

use dsk::data::Block;
use dsk::data::slice::Range;

/// A part of a block by plain slicing.
pub fn part(block: &Block, region: &[Range]) -> Block {
    region.iter().enumerate().fold(block.clone(), |block, (axis, &range)| block.slice_axis(axis, range))
}

pub fn whole(shape: &[usize]) -> Vec<Range> {
    shape.iter().map(|&count| Range { start: 0, step: 1, count }).collect()
}

/// Ranges of every kind, one after the other: whole, short, stepped, backwards, empty.
pub fn regions(shape: &[usize], n: usize) -> Vec<Range> {
    let mut random = random((n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let range = |&len: &usize| {
        if len == 0 || random(20) == 0 {
            return Range { start: 0, step: 1, count: 0 };
        }
        let start = random(len);
        let step = 1 + random(4) * random(3);
        let count = 1 + random((len - start).div_ceil(step));
        match random(4) {
            0 => Range { start: start + (count - 1) * step, step: -(step as isize), count },
            _ => Range { start, step: step as isize, count },
        }
    };
    shape.iter().map(range).collect()
}

/// Numbers below what is asked for, the same ones for a seed.
pub fn random(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    }
}
