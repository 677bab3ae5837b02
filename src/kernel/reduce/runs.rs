//! The elements of a block in row-major order, run by run, however the block lies in memory.
//!
//! What a reduction rounds depends on the order in which it takes the elements. Taken by index, a view, a copy of it, and a block
//! that was on disk for a while have the same sum, to the bit.

use crate::data::{Block, Buffer};
use crate::kernel::fused::{byte_view, copy_tile};
use smallvec::SmallVec;
use std::ops::Range;

pub struct Runs {
    base: *const u8,
    size: usize,
    /// Length of each axis and its step in bytes; neighbours that are one stride are one.
    axes: SmallVec<[(usize, isize); 6]>,
    total: usize,
    /// What was gathered, and where that is in the block.
    gathered: Buffer,
    held: Range<usize>,
    longest: usize,
    /// Runs that are gathered at a time, while they are asked for one after the other.
    ahead: usize,
}

/// Across the order in memory, gathering many runs at a time uses up the cache lines that are touched.
pub const MOST_AHEAD: usize = 8;

impl Runs {
    /// Of a block broadcast to `shape`, in runs of at most `longest` elements.
    pub fn new(block: &Block, shape: &[usize], longest: usize) -> Runs {
        let (base, strides) = byte_view(block, shape);
        let mut axes: SmallVec<[(usize, isize); 6]> = SmallVec::new();
        for (&len, &step) in shape.iter().zip(&strides).filter(|(len, _)| **len != 1) {
            match axes.last_mut() {
                Some(last) if last.1 == step * len as isize => *last = (last.0 * len, step),
                _ => axes.push((len, step)),
            }
        }
        let total = shape.iter().product();
        Runs { base, size: block.dtype().size(), axes, total, gathered: Buffer::new(0), held: 0..0, longest, ahead: 1 }
    }

    /// Whether the elements lie one behind the other, so that nothing is gathered.
    #[inline]
    pub fn lie_in_order(&self) -> bool {
        match self.axes[..] {
            [] => true,
            [(_, step)] => step == self.size as isize,
            _ => false,
        }
    }

    /// Where elements `start..start + n` lie packed, until the next call.
    ///
    /// # Safety
    /// The block is alive, and has these elements.
    pub unsafe fn get(&mut self, start: usize, n: usize) -> *const u8 {
        debug_assert!(start + n <= self.total && n <= self.longest);
        if self.lie_in_order() {
            return self.base.wrapping_add(start * self.size);
        }
        if start < self.held.start || start + n > self.held.end {
            // What lies in rows, or is one number a row, gains nothing by it.
            let across = self.axes.last().is_some_and(|axis| axis.1 != 0 && axis.1 != self.size as isize);
            self.ahead = if start == self.held.end && across {
                (2 * self.ahead).min((MOST_AHEAD * super::TILE / self.longest).max(1))
            } else {
                1
            };
            let end = match self.ahead {
                1 => start + n,
                runs => self.total.min(start + runs * self.longest),
            };
            if self.gathered.len() < (end - start) * self.size {
                // Not both at a time.
                self.gathered = Buffer::new(0);
                self.gathered = Buffer::new((end - start) * self.size);
            }
            // SAFETY: passed on to the caller.
            unsafe { self.gather(start, end - start) };
            self.held = start..end;
        }
        self.gathered.bytes_mut().as_ptr().wrapping_add((start - self.held.start) * self.size)
    }

    /// Copies elements `start..start + n`, by rows where there are whole ones.
    unsafe fn gather(&mut self, mut start: usize, mut n: usize) {
        let mut to = self.gathered.bytes_mut().as_mut_ptr();
        let (&(columns, step), outer) = self.axes.split_last().unwrap_or((&(1, 0), &[]));
        let (rows, row_step) = outer.last().copied().unwrap_or((1, 0));
        while n > 0 {
            let column = start % columns;
            let row = start / columns % rows;
            let mut left = start / columns;
            let mut from = self.base.wrapping_offset(column as isize * step);
            for &(len, step) in outer.iter().rev() {
                from = from.wrapping_offset((left % len) as isize * step);
                left /= len;
            }
            let (high, wide) = match column == 0 && n >= columns {
                true => ((n / columns).min(rows - row), columns),
                false => (1, (columns - column).min(n)),
            };
            let packed = [(wide * self.size) as isize, self.size as isize];
            // SAFETY: the elements are within the block, by the caller's word; the target has room for all `n`.
            unsafe { copy_tile(self.size, from, [row_step, step], to, packed, high, wide) };
            let done = high * wide;
            to = to.wrapping_add(done * self.size);
            start += done;
            n -= done;
        }
    }
}
