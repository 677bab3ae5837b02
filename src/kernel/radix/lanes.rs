//! Many lanes of one length.

use super::key::Radix;
use super::{MANY, network, side_by_side, sort};
use crate::data::{Block, cancel};
use crate::text::Result;
use multiversion::multiversion;
use parking_lot::Mutex;

/// Lanes that are sorted at once.
const LISTS: usize = 32;
/// Elements of lanes that are sorted at once, at most.
const SHORT: usize = 1024;

/// Sorts lanes of so many elements, which lie one behind the other, on so many threads.
pub fn sort_lanes<T: Radix>(lanes: &mut [T], len: usize, threads: usize) -> Result<()> {
    let count = lanes.len() / len.max(1);
    if count == 1 || len >= MANY {
        let mut other = Block::for_answer(T::DTYPE, &[len])?;
        return lanes.chunks_exact_mut(len).try_for_each(|lane| sort(lane, other.as_mut_slice(), threads));
    }
    let threads = threads.min(lanes.len() / MANY).max(1);
    // Threads take piece after piece.
    let lanes_of_piece = count.div_ceil(8 * threads).next_multiple_of(if len > SHORT { 1 } else { LISTS });
    let pieces = Mutex::new(lanes.chunks_mut(lanes_of_piece * len.max(1)));
    let next = || pieces.lock().next();
    if len > SHORT {
        return side_by_side(threads, || {
            let mut other = vec![T::holding(0); len];
            while let Some(piece) = next() {
                piece.chunks_exact_mut(len).try_for_each(|lane| sort(lane, &mut other, 1))?;
            }
            Ok(())
        });
    }
    side_by_side(threads, || {
        let mut keys = vec![[0; LISTS]; len];
        while let Some(piece) = next() {
            for lanes in piece.chunks_mut(LISTS * len) {
                cancel::check()?;
                short(lanes, len, &mut keys);
            }
        }
        Ok(())
    })
}

/// Sorts as many lanes as go side by side, or fewer.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn short<T: Radix>(lanes: &mut [T], len: usize, keys: &mut [[u64; LISTS]]) {
    for (list, lane) in lanes.chunks_exact(len).enumerate() {
        keys.iter_mut().zip(lane).for_each(|(row, x)| row[list] = x.key());
    }
    network::sort::<LISTS>(keys.as_flattened_mut());
    for (list, lane) in lanes.chunks_exact_mut(len).enumerate() {
        lane.iter_mut().zip(&*keys).for_each(|(x, row)| *x = T::of_key(row[list]));
    }
}
