//! Runs: how a rectangular part of one n-d array lies in another, as pieces that are contiguous in both.

use smallvec::SmallVec;

/// A piece of `len` bytes, at `from` in the source and `to` in the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    pub from: usize,
    pub to: usize,
    pub len: usize,
}

/// One axis of a walk: how many elements, and how far apart they are on either side, in bytes.
#[derive(Clone, Copy, Debug)]
struct Axis {
    count: usize,
    from: usize,
    to: usize,
}

/// The runs of a rectangular part. On both sides offsets only grow from one run to the next.
pub struct Walk {
    axes: SmallVec<[Axis; 6]>,
    at: SmallVec<[usize; 6]>,
    next: Option<Run>,
}

impl Walk {
    /// Walks `count` elements of `size` bytes along each axis; `from` and `to` are the bytes between neighbours on either
    /// side, row-major, and `start` the offsets of the first element.
    pub fn new(size: usize, count: &[usize], from: &[usize], to: &[usize], start: (usize, usize)) -> Walk {
        let mut axes: SmallVec<[Axis; 6]> = SmallVec::new();
        let empty = count.contains(&0) || size == 0;
        let mut len = size;
        // From the innermost axis out: an axis that continues the run lengthens it; one that continues the axis inside it
        // merges with that.
        for n in (0..count.len()).rev() {
            let axis = Axis { count: count[n], from: from[n], to: to[n] };
            if axis.count == 1 {
                continue;
            }
            match axes.last_mut() {
                None if axis.from == len && axis.to == len => len *= axis.count,
                Some(inner) if axis.from == inner.from * inner.count && axis.to == inner.to * inner.count => {
                    inner.count *= axis.count;
                }
                _ => axes.push(axis),
            }
        }
        axes.reverse();
        let at = SmallVec::from_elem(0, axes.len());
        Walk { axes, at, next: (!empty).then_some(Run { from: start.0, to: start.1, len }) }
    }
}

impl Iterator for Walk {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let run = self.next?;
        let mut next = run;
        for n in (0..self.axes.len()).rev() {
            let axis = self.axes[n];
            self.at[n] += 1;
            if self.at[n] < axis.count {
                next.from += axis.from;
                next.to += axis.to;
                self.next = Some(next);
                return Some(run);
            }
            next.from -= axis.from * (axis.count - 1);
            next.to -= axis.to * (axis.count - 1);
            self.at[n] = 0;
        }
        self.next = None;
        Some(run)
    }
}

/// Copies the runs of a walk.
pub fn copy(walk: Walk, from: &[u8], to: &mut [u8]) {
    for run in walk {
        to[run.to..run.to + run.len].copy_from_slice(&from[run.from..run.from + run.len]);
    }
}

/// Bytes between neighbours along each axis of a row-major array; `None` where the whole is larger than the address space.
pub fn byte_strides(size: usize, shape: &[usize]) -> Option<SmallVec<[usize; 6]>> {
    let mut strides: SmallVec<[usize; 6]> = SmallVec::from_elem(0, shape.len());
    let mut step = size;
    for axis in (0..shape.len()).rev() {
        strides[axis] = step;
        step = step.checked_mul(shape[axis].max(1))?;
    }
    isize::try_from(step).is_ok().then_some(strides)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(size: usize, count: &[usize], from: &[usize], to: &[usize]) -> Vec<(usize, usize, usize)> {
        Walk::new(size, count, from, to, (0, 0)).map(|r| (r.from, r.to, r.len)).collect()
    }

    #[test]
    fn whole_rows_of_both_sides_are_one_run() {
        assert_eq!(runs(8, &[3, 4], &[32, 8], &[32, 8]), [(0, 0, 96)]);
        assert_eq!(runs(8, &[2, 3, 4], &[96, 32, 8], &[960, 32, 8]), [(0, 0, 96), (96, 960, 96)]);
    }

    #[test]
    fn rows_of_a_wider_array_are_runs_each() {
        assert_eq!(runs(2, &[2, 3], &[6, 2], &[20, 2]), [(0, 0, 6), (6, 20, 6)]);
    }

    #[test]
    fn steps_take_elements_one_by_one() {
        assert_eq!(runs(1, &[2, 2], &[10, 3], &[2, 1]), [(0, 0, 1), (3, 1, 1), (10, 2, 1), (13, 3, 1)]);
    }

    #[test]
    fn no_axes_is_one_element_and_an_empty_axis_is_none() {
        assert_eq!(runs(4, &[], &[], &[]), [(0, 0, 4)]);
        assert_eq!(runs(4, &[3, 0], &[0, 4], &[0, 4]), []);
    }
}
