//! The order in which many elements are folded to one, whoever does it: what a sum of floats rounds depends on it.
//!
//! Elements come in runs of [`RUN`]. Of a run, element `i` is folded into lane `i % LANES`, and then the lanes are, in halves. Runs
//! are folded in pairs, and these in pairs: see [`split`].

/// Elements that are folded side by side.
pub const LANES: usize = 32;
/// Elements that are folded lane by lane. More of them go in parts.
pub const RUN: usize = 512;

/// Folds the lanes to one.
#[inline(always)]
pub fn across<T: Copy>(mut lanes: [T; LANES], f: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = f(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Where so many runs, at least two, are split in two parts: as the digits of a binary counter would put them together one by one, so
/// that it is the same what tiles they come in.
pub fn split(runs: usize) -> usize {
    1 << (runs - 1).ilog2()
}
