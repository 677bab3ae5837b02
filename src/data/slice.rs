//! The slice literal, `2:10:2`, with NumPy's meaning.

use std::fmt;

/// `start:stop:step`; an absent part is what NumPy takes it for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Slice {
    pub start: Option<i64>,
    pub stop: Option<i64>,
    pub step: Option<i64>,
}

/// A slice of an axis of known length: `count` elements from `start`, `step` apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    pub start: usize,
    pub step: isize,
    pub count: usize,
}

impl Slice {
    pub const ALL: Slice = Slice { start: None, stop: None, step: None };

    pub fn new(start: usize, stop: usize) -> Self {
        Slice { start: Some(start as i64), stop: Some(stop as i64), step: None }
    }

    /// What the slice takes of an axis of `len` elements, clipped as NumPy clips. `None` when the step is 0.
    pub fn resolve(&self, len: usize) -> Option<Range> {
        let step = self.step.unwrap_or(1);
        let n = len as i64;
        // For a negative step the ends are one lower: -1 stands for "before the first".
        let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let clip = |at: i64| {
            let at = if at < 0 { at.saturating_add(n) } else { at };
            at.clamp(low, high)
        };
        let (first, last) = match step {
            0 => return None,
            s if s > 0 => (self.start.map_or(0, clip), self.stop.map_or(n, clip)),
            _ => (self.start.map_or(n - 1, clip), self.stop.map_or(-1, clip)),
        };
        let count = if step > 0 { (last - first).max(0) as u64 } else { (first - last).max(0) as u64 };
        Some(Range {
            start: first.max(0) as usize,
            step: step as isize,
            count: count.div_ceil(step.unsigned_abs()) as usize,
        })
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let part = |f: &mut fmt::Formatter, p: Option<i64>| p.map_or(Ok(()), |p| write!(f, "{p}"));
        part(f, self.start)?;
        f.write_str(":")?;
        part(f, self.stop)?;
        if self.step.is_some() {
            f.write_str(":")?;
            part(f, self.step)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Vec<usize> {
        let r = Slice { start, stop, step }.resolve(5).unwrap();
        (0..r.count).map(|i| (r.start as isize + i as isize * r.step) as usize).collect()
    }

    #[test]
    fn resolves_as_numpy() {
        assert_eq!(taken(None, None, None), [0, 1, 2, 3, 4]);
        assert_eq!(taken(None, None, Some(-2)), [4, 2, 0]);
        assert_eq!(taken(Some(-2), None, None), [3, 4]);
        assert_eq!(taken(Some(3), Some(0), Some(-1)), [3, 2, 1]);
        assert_eq!(taken(Some(9), None, Some(-3)), [4, 1]);
        assert_eq!(taken(Some(4), Some(2), None), [0usize; 0]);
        assert_eq!(taken(Some(i64::MIN), Some(i64::MAX), None), [0, 1, 2, 3, 4]);
        assert_eq!(taken(None, Some(i64::MIN), Some(i64::MIN)), [4]);
        assert!(Slice { step: Some(0), ..Slice::ALL }.resolve(5).is_none());
    }
}
