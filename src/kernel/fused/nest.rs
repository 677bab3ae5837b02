//! Loops over n-d operands: axes merged where they can be, cut into tiles of two axes.

/// The axes of several operands of one shape, outermost first, each with a step in bytes per operand. Axes of size 1 are
/// gone; neighbours that every operand walks through in one stride are one.
pub struct Nest {
    axes: Vec<Axis>,
    operands: usize,
}

#[derive(Clone)]
struct Axis {
    len: usize,
    steps: Vec<isize>,
    /// Axes of different marks are not merged (a reduction marks the axes it reduces).
    mark: bool,
}

/// A nest cut into tiles of `rows` × `columns`: the axes that they lie along come last.
pub struct Plan {
    outer: Vec<Axis>,
    row: Axis,
    column: Axis,
    pub rows: usize,
    pub columns: usize,
    operands: usize,
}

impl Nest {
    pub fn new(shape: &[usize], strides: &[Vec<isize>]) -> Self {
        Nest::marked(shape, strides, &[])
    }

    /// As `new`, with the axes of `marked` told apart.
    pub fn marked(shape: &[usize], strides: &[Vec<isize>], marked: &[usize]) -> Self {
        let axes = (0..shape.len()).map(|axis| Axis {
            len: shape[axis],
            steps: strides.iter().map(|s| s[axis]).collect(),
            mark: marked.contains(&axis),
        });
        let mut nest = Nest { axes: axes.filter(|a| a.len != 1).collect(), operands: strides.len() };
        nest.merge();
        nest
    }

    fn merge(&mut self) {
        let mut merged: Vec<Axis> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.drain(..) {
            match merged.last_mut() {
                Some(last)
                    if last.mark == axis.mark
                        && last.steps.iter().zip(&axis.steps).all(|(a, b)| *a == b * axis.len as isize) =>
                {
                    *last = Axis { len: last.len * axis.len, ..axis };
                }
                _ => merged.push(axis),
            }
        }
        self.axes = merged;
    }

    fn unit(&self) -> Axis {
        Axis { len: 1, steps: vec![0; self.operands], mark: false }
    }

    /// Tiles for an elementwise pass, at most `limit` elements each. Where an operand is laid out along another axis than the
    /// innermost, tiles are two-dimensional, so that every cache line that is touched is used up.
    pub fn elementwise(mut self, sizes: &[usize], limit: usize) -> Plan {
        let column = self.axes.pop().unwrap_or_else(|| self.unit());
        let across = self.axes.iter().rposition(|axis| {
            let along = |i: usize| axis.steps[i].unsigned_abs() == sizes[i];
            (0..sizes.len()).any(|i| along(i) && column.steps[i] != 0 && column.steps[i].unsigned_abs() != sizes[i])
        });
        let row = match across {
            Some(at) => self.axes.remove(at),
            None => self.axes.pop().unwrap_or_else(|| self.unit()),
        };
        // Across, both sides get runs of some cache lines, or neither prefetching nor the page tables keep up.
        let (columns, limit) = match across {
            Some(_) => (column.len.min(32.max(limit / row.len)), 4 * limit),
            None => (column.len.min(limit), limit),
        };
        let rows = row.len.min(limit / columns);
        Plan { outer: self.axes, row, column, rows, columns, operands: self.operands }
    }

    /// How long the last axis is, if it is marked and no other is.
    pub fn reduced_run(&self) -> Option<usize> {
        let (last, others) = self.axes.split_last()?;
        (last.mark && others.iter().all(|axis| !axis.mark)).then_some(last.len)
    }

    /// Tiles of a reduction along the last axes, runs of at most `limit` elements. Axes that are kept give vectors of at most `widest`;
    /// where rows are reduced to one, `tallest` is the limit.
    pub fn reduction(mut self, limit: usize, widest: usize, tallest: usize) -> Plan {
        let column = self.axes.pop().unwrap_or_else(|| self.unit());
        let row = self.axes.pop().unwrap_or_else(|| self.unit());
        let columns = column.len.min(if column.mark { limit } else { widest });
        let rows = match columns < column.len {
            true => 1,
            false => row.len.min((if row.mark && !column.mark { tallest } else { limit } / columns).max(1)),
        };
        Plan { outer: self.axes, row, column, rows, columns, operands: self.operands }
    }
}

impl Plan {
    /// Elements of the largest tile.
    pub fn elements(&self) -> usize {
        self.rows * self.columns
    }

    /// Calls `tile` for every tile with the operands' offsets in bytes, the tile's rows and columns, and the operands'
    /// steps from row to row and from column to column.
    pub fn for_each<E>(
        &self,
        mut tile: impl FnMut(&[isize], usize, usize, &[[isize; 2]]) -> Result<(), E>,
    ) -> Result<(), E> {
        let steps: Vec<[isize; 2]> = (0..self.operands).map(|i| [self.row.steps[i], self.column.steps[i]]).collect();
        let mut offsets = vec![0; self.operands];
        odometer(&self.outer.iter().collect::<Vec<_>>(), self.operands, |outer| {
            for row in (0..self.row.len).step_by(self.rows) {
                let rows = self.rows.min(self.row.len - row);
                for column in (0..self.column.len).step_by(self.columns) {
                    for (i, offset) in offsets.iter_mut().enumerate() {
                        *offset = outer[i] + row as isize * steps[i][0] + column as isize * steps[i][1];
                    }
                    tile(&offsets, rows, self.columns.min(self.column.len - column), &steps)?;
                }
            }
            Ok(())
        })
    }

    /// Whether rows and columns are marked.
    pub fn marks(&self) -> (bool, bool) {
        (self.row.mark, self.column.mark)
    }

    /// The loops of a reduction: for every place of the result that a tile covers, `tile` for each tile that is reduced into
    /// it, then `done`.
    pub fn for_each_group<E>(
        &self,
        mut tile: impl FnMut(&[isize], usize, usize, &[[isize; 2]]) -> Result<(), E>,
        mut done: impl FnMut(&[isize], usize, usize, &[[isize; 2]]) -> Result<(), E>,
    ) -> Result<(), E> {
        let steps: Vec<[isize; 2]> = (0..self.operands).map(|i| [self.row.steps[i], self.column.steps[i]]).collect();
        let cut = |axis: &Axis, by: usize| Axis {
            len: axis.len.div_ceil(by),
            steps: axis.steps.iter().map(|s| s * by as isize).collect(),
            mark: axis.mark,
        };
        let (row, column) = (cut(&self.row, self.rows), cut(&self.column, self.columns));
        let axes: Vec<&Axis> = self.outer.iter().chain([&row, &column]).collect();
        let (kept, reduced): (Vec<&Axis>, Vec<&Axis>) = axes.into_iter().partition(|a| !a.mark);
        // The tile axes come last in their part, so the last coordinates of an odometer say how far along a tile is.
        let size = |len: usize, by: usize, at: usize| by.min(len - at * by);
        let mut offsets = vec![0; self.operands];
        odometer_at(&kept, self.operands, |base, kept_at| {
            let mut last = None;
            odometer_at(&reduced, self.operands, |inner, reduced_at| {
                for (offset, (a, b)) in offsets.iter_mut().zip(base.iter().zip(inner)) {
                    *offset = a + b;
                }
                let (mut kept_at, mut reduced_at) = (kept_at.iter().rev(), reduced_at.iter().rev());
                let mut next = |mark: bool| *if mark { reduced_at.next() } else { kept_at.next() }.unwrap_or(&0);
                let column_at = next(self.column.mark);
                let row_at = next(self.row.mark);
                let rows = size(self.row.len, self.rows, row_at);
                let columns = size(self.column.len, self.columns, column_at);
                last = Some((rows, columns));
                tile(&offsets, rows, columns, &steps)
            })?;
            match last {
                Some((rows, columns)) => done(base, rows, columns, &steps),
                None => Ok(()),
            }
        })
    }
}

fn odometer<E>(axes: &[&Axis], operands: usize, mut visit: impl FnMut(&[isize]) -> Result<(), E>) -> Result<(), E> {
    odometer_at(axes, operands, |offsets, _| visit(offsets))
}

/// Calls `visit` with the offsets and coordinates of every combination of the axes, the last one fastest.
fn odometer_at<E>(
    axes: &[&Axis],
    operands: usize,
    mut visit: impl FnMut(&[isize], &[usize]) -> Result<(), E>,
) -> Result<(), E> {
    let mut offsets = vec![0isize; operands];
    let mut at = vec![0usize; axes.len()];
    if axes.iter().any(|a| a.len == 0) {
        return Ok(());
    }
    loop {
        visit(&offsets, &at)?;
        let mut axis = axes.len();
        loop {
            if axis == 0 {
                return Ok(());
            }
            axis -= 1;
            at[axis] += 1;
            let wrapped = at[axis] == axes[axis].len;
            let by = if wrapped { 1 - axes[axis].len as isize } else { 1 };
            for (offset, step) in offsets.iter_mut().zip(&axes[axis].steps) {
                *offset += by * step;
            }
            if !wrapped {
                break;
            }
            at[axis] = 0;
        }
    }
}

/// Copies `rows` × `columns` elements of `size` bytes between layouts given by steps from row to row and column to column.
///
/// # Safety
/// Both sides must describe live memory, aligned for the elements, that does not overlap.
pub unsafe fn copy_tile(
    size: usize,
    from: *const u8,
    from_steps: [isize; 2],
    to: *mut u8,
    to_steps: [isize; 2],
    rows: usize,
    columns: usize,
) {
    let unit = size as isize;
    let dense = |s: [isize; 2]| s[1] == unit && (rows == 1 || s[0] == unit * columns as isize);
    // SAFETY: every access is to an element that the caller vouched for; plain bytes have no invalid values.
    unsafe {
        if dense(from_steps) && dense(to_steps) {
            std::ptr::copy_nonoverlapping(from, to, rows * columns * size);
        } else if from_steps[1] == unit && to_steps[1] == unit {
            for row in 0..rows as isize {
                let (from, to) = (from.offset(row * from_steps[0]), to.offset(row * to_steps[0]));
                std::ptr::copy_nonoverlapping(from, to, columns * size);
            }
        } else {
            match size {
                1 => copy_elements::<u8>(from, from_steps, to, to_steps, rows, columns),
                2 => copy_elements::<u16>(from, from_steps, to, to_steps, rows, columns),
                4 => copy_elements::<u32>(from, from_steps, to, to_steps, rows, columns),
                8 => copy_elements::<u64>(from, from_steps, to, to_steps, rows, columns),
                _ => copy_elements::<[u64; 2]>(from, from_steps, to, to_steps, rows, columns),
            }
        }
    }
}

/// The element-wise case of [`copy_tile`], along the source where it is contiguous.
unsafe fn copy_elements<T: Copy>(
    from: *const u8,
    from_steps: [isize; 2],
    to: *mut u8,
    to_steps: [isize; 2],
    rows: usize,
    columns: usize,
) {
    let swap = from_steps[0].unsigned_abs() == size_of::<T>() && from_steps[1] != 0;
    let ((outer, inner), [a, b]) = if swap { ((columns, rows), [1, 0]) } else { ((rows, columns), [0, 1]) };
    for i in 0..outer as isize {
        // SAFETY: as in `copy_tile`.
        unsafe {
            let from = from.offset(i * from_steps[a]);
            let to = to.offset(i * to_steps[a]);
            if from_steps[b] == 0 {
                let x = from.cast::<T>().read();
                for j in 0..inner as isize {
                    to.offset(j * to_steps[b]).cast::<T>().write(x);
                }
            } else {
                for j in 0..inner as isize {
                    to.offset(j * to_steps[b]).cast::<T>().write(from.offset(j * from_steps[b]).cast::<T>().read());
                }
            }
        }
    }
}

/// Copies bytes without keeping the target in the cache. The caller puts a fence behind the last copy.
///
/// # Safety
/// Both sides must be live memory of that many bytes that does not overlap.
pub unsafe fn copy_past_cache(from: *const u8, to: *mut u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
        const WORD: usize = size_of::<__m128i>();
        let lead = to.align_offset(WORD).min(bytes);
        let words = (bytes - lead) / WORD;
        // SAFETY: all accesses are within the bytes that the caller vouched for; `lead` aligns the streamed words.
        unsafe {
            std::ptr::copy_nonoverlapping(from, to, lead);
            let (source, target) = (from.add(lead).cast::<__m128i>(), to.add(lead).cast::<__m128i>());
            for i in 0..words {
                _mm_stream_si128(target.add(i), _mm_loadu_si128(source.add(i)));
            }
            let tail = lead + words * WORD;
            std::ptr::copy_nonoverlapping(from.add(tail), to.add(tail), bytes - tail);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller's.
    unsafe {
        std::ptr::copy_nonoverlapping(from, to, bytes)
    }
}
