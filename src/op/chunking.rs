//! How an array is to be cut: what `:chunks` may say, block sizes chosen for it, and the cuts that several arrays share.

use crate::data::slice::Range;
use crate::data::{Chunks, DType, Dims, Value};
use crate::err;
use crate::text::{Result, counted};
use std::sync::Arc;

/// Bytes that a block chosen by `:auto` has at most.
pub const AUTO_BYTES: usize = 128 << 20;

/// What was asked of one axis.
enum Axis {
    Whole,
    Auto,
    Block(usize),
    Sizes(Vec<usize>),
}

/// The chunks that a value of `:chunks` asks for: a block size for every axis, a list of block sizes or of lists of explicit
/// sizes axis by axis, `:auto` (blocks of at most 128 MiB), `-1` or `nil` for a whole axis. A map from axes to any of these
/// leaves the other axes as they are in `before`, or whole.
pub fn normalize(spec: &Value, shape: &[usize], dtype: DType, before: Option<&Chunks>) -> Result<Chunks> {
    let ndim = shape.len();
    let axes: Vec<Axis> = match spec {
        Value::List(items) => {
            let flat = ndim == 1 && items.len() > 1 && items.iter().all(|v| v.as_int().is_some_and(|n| n >= 0));
            if flat {
                vec![axis(spec, 0)?]
            } else if items.len() == ndim {
                items.iter().enumerate().map(|(a, v)| axis(v, a)).collect::<Result<_>>()?
            } else {
                return Err(err!(
                    Value,
                    "`:chunks` has {} for an array of {}, of shape {}",
                    counted(items.len(), "entry", "entries"),
                    counted(ndim, "axis", "axes"),
                    show(shape)
                ));
            }
        }
        Value::Map(map) => {
            let keep = |a: usize| match before {
                Some(chunks) => Axis::Sizes(chunks.axis(a).to_vec()),
                None => Axis::Whole,
            };
            let mut axes: Vec<Axis> = (0..ndim).map(keep).collect();
            for (key, value) in map.iter() {
                let a = super::infer::axis(key, ndim)?;
                axes[a] = axis(value, a)?;
            }
            axes
        }
        other => (0..ndim).map(|a| axis(other, a)).collect::<Result<_>>()?,
    };
    resolve(axes, shape, dtype)
}

fn axis(spec: &Value, at: usize) -> Result<Axis> {
    if let Some(n) = spec.as_int() {
        return match n {
            -1 => Ok(Axis::Whole),
            1.. => Ok(Axis::Block(n as usize)),
            0 => Ok(Axis::Block(0)),
            _ => Err(err!(Value, "a block size of {n} on axis {at}: sizes are 1 or more, or -1 for the whole axis")),
        };
    }
    match spec {
        Value::Nil => Ok(Axis::Whole),
        Value::Keyword(k) | Value::Str(k) if k == "auto" => Ok(Axis::Auto),
        Value::List(sizes) => {
            let size = |v: &Value| {
                let n = v.as_int().and_then(|n| usize::try_from(n).ok());
                n.ok_or_else(|| err!(Value, "a list of block sizes holds integers of 0 or more, found {v:?}"))
            };
            Ok(Axis::Sizes(sizes.iter().map(size).collect::<Result<_>>()?))
        }
        other => Err(err!(
            Type,
            "`:chunks` takes block sizes, lists of sizes, `:auto`, or -1 for a whole axis, found {}",
            other.a_type_name()
        )),
    }
}

/// Refuses a grid of more blocks than an array may have. Whoever cuts by block sizes asks this first: the list of the blocks
/// alone may not fit in memory.
pub fn check_blocks(grid: impl IntoIterator<Item = usize>) -> Result<()> {
    let grid: Dims = grid.into_iter().collect();
    let count = grid.iter().copied().try_fold(1usize, usize::checked_mul);
    if count.is_some_and(|n| n <= Chunks::MOST_BLOCKS) {
        return Ok(());
    }
    let most = Chunks::MOST_BLOCKS;
    let error = match (count, &grid[..]) {
        (Some(n), [_]) => err!(Limit, "the array would have {n} blocks, the most is {most}"),
        (Some(n), _) => {
            err!(Limit, "the array would have {n} blocks, {} along its axes, the most is {most}", show(&grid))
        }
        (None, _) => {
            err!(Limit, "the array would have {} blocks along its axes, the most in all is {most}", show(&grid))
        }
    };
    Err(error.help("larger blocks are fewer; `:chunks :auto` makes blocks of up to 128 MB"))
}

/// Blocks of `block` along each axis, the last one smaller where it does not divide the shape.
pub fn regular(shape: &[usize], block: &[usize]) -> Result<Chunks> {
    check_blocks(shape.iter().zip(block).map(|(&n, &b)| blocks_along(n, b)))?;
    Ok(Chunks::regular(shape, block))
}

fn blocks_along(n: usize, block: usize) -> usize {
    if n == 0 || block == 0 { 1 } else { n.div_ceil(block) }
}

fn resolve(mut axes: Vec<Axis>, shape: &[usize], dtype: DType) -> Result<Chunks> {
    for (at, (axis, &n)) in axes.iter_mut().zip(shape).enumerate() {
        match axis {
            Axis::Whole => *axis = Axis::Block(n),
            Axis::Block(0) if n > 0 => {
                return Err(err!(Value, "a block size of 0 on axis {at}, which has {n} elements"));
            }
            Axis::Sizes(list) => {
                let total = list.iter().try_fold(0usize, |sum, &s| sum.checked_add(s));
                if total != Some(n) {
                    let total = total.map_or("too much".into(), |t| t.to_string());
                    return Err(err!(Value, "the blocks of axis {at} add up to {total}, the axis has {n} elements"));
                }
            }
            Axis::Block(_) | Axis::Auto => {}
        }
    }
    let largest = |(axis, &n): (&Axis, &usize)| match axis {
        Axis::Whole | Axis::Auto => 1,
        Axis::Block(block) => (*block).min(n).max(1),
        Axis::Sizes(list) => list.iter().copied().max().unwrap_or(1).max(1),
    };
    let fixed = axes.iter().zip(shape).map(largest).fold(dtype.size(), usize::saturating_mul);
    let open: Vec<usize> = (0..shape.len()).filter(|&a| matches!(axes[a], Axis::Auto)).collect();
    let blocks = auto_blocks(&open.iter().map(|&a| shape[a]).collect::<Dims>(), AUTO_BYTES / fixed.max(1));
    for (&a, block) in open.iter().zip(blocks) {
        axes[a] = Axis::Block(block);
    }
    check_blocks(axes.iter().zip(shape).map(|(axis, &n)| match axis {
        Axis::Block(block) => blocks_along(n, *block),
        Axis::Sizes(list) => list.len(),
        Axis::Whole | Axis::Auto => 1,
    }))?;
    let cut = |(axis, &n): (Axis, &usize)| match axis {
        Axis::Sizes(list) if list.is_empty() => [0].into(),
        Axis::Sizes(list) => list.into(),
        Axis::Block(block) => Chunks::regular(&[n], &[block]).axis(0).clone(),
        Axis::Whole | Axis::Auto => [n].into(),
    };
    Ok(Chunks::from_axes(axes.into_iter().zip(shape).map(cut).collect()))
}

/// Block sizes for axes of these lengths such that a block has at most `room` elements (at least 1): as near to a cube as
/// the lengths allow, the last axes longest.
fn auto_blocks(lengths: &[usize], room: usize) -> Dims {
    let mut blocks: Dims = lengths.iter().map(|_| 0).collect();
    let mut room = room.max(1);
    // Shortest axes first: what they leave goes to the longer ones.
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&a| lengths[a]);
    for (done, &a) in order.iter().enumerate() {
        let left = (lengths.len() - done) as f64;
        let side = ((room as f64).powf(1.0 / left) + 1e-9) as usize;
        blocks[a] = side.clamp(1, lengths[a].max(1));
        room = (room / blocks[a]).max(1);
    }
    blocks
}

/// The cut of an axis that keeps every boundary of all the given ones, so that each of its blocks lies within one block
/// of each. The cuts are of axes of equal length; blocks of size 0 go unless nothing else is left.
pub fn common(cuts: &[&Arc<[usize]>]) -> Arc<[usize]> {
    let Some((first, rest)) = cuts.split_first() else { return [0].into() };
    if rest.iter().all(|c| c == first) {
        return (*first).clone();
    }
    let mut bounds: Vec<usize> = Vec::new();
    for cut in cuts {
        let mut at = 0;
        bounds.extend(cut.iter().map(|n| {
            at += n;
            at
        }));
    }
    bounds.push(0);
    bounds.sort_unstable();
    bounds.dedup();
    let sizes: Vec<usize> = bounds.windows(2).map(|w| w[1] - w[0]).collect();
    if sizes.is_empty() { [0].into() } else { sizes.into() }
}

/// Where the blocks of an array begin and end, summed up once.
#[derive(Clone)]
pub struct Bounds(Vec<Vec<usize>>);

impl Bounds {
    pub fn of(chunks: &Chunks) -> Bounds {
        Bounds((0..chunks.ndim()).map(|axis| chunks.bounds(axis)).collect())
    }

    /// Of blocks that lie side by side somewhere in the whole, by what each takes of every axis.
    pub fn of_pieces(pieces: &[Vec<Range>]) -> Bounds {
        let along = |pieces: &Vec<Range>| {
            let starts = pieces.iter().map(|r| r.start);
            starts.chain(pieces.last().map(|r| r.start + r.count)).collect()
        };
        Bounds(pieces.iter().map(along).collect())
    }

    pub fn start(&self, axis: usize, block: u32) -> usize {
        self.0[axis][block as usize]
    }

    pub fn len(&self, axis: usize, block: u32) -> usize {
        self.0[axis][block as usize + 1] - self.0[axis][block as usize]
    }

    /// Length of an axis.
    pub fn end(&self, axis: usize) -> usize {
        self.0[axis].last().copied().unwrap_or(0)
    }

    /// Shape of one block.
    pub fn block_shape(&self, index: &[u32]) -> Dims {
        (0..self.0.len()).map(|axis| self.len(axis, index[axis])).collect()
    }

    /// The block that an element of the axis is in.
    pub fn find(&self, axis: usize, at: usize) -> u32 {
        // Blocks of size 0 begin where the next one does: the last that begins at or before `at` holds it.
        (self.0[axis].partition_point(|&b| b <= at) - 1) as u32
    }

    /// The pieces of blocks that make up a stretch of an axis. Of no elements: nothing of one block.
    pub fn pieces(&self, axis: usize, start: usize, len: usize) -> Vec<(u32, Range)> {
        if len == 0 {
            return vec![(0, Range { start: 0, step: 1, count: 0 })];
        }
        let mut found = Vec::new();
        let mut at = start;
        while at < start + len {
            let block = self.find(axis, at);
            let end = self.0[axis][block as usize + 1].min(start + len);
            found.push((block, Range { start: at - self.start(axis, block), step: 1, count: end - at }));
            at = end;
        }
        found
    }
}

pub use crate::text::shape as show;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Code;

    fn chunks(spec: Value, shape: &[usize]) -> String {
        match normalize(&spec, shape, DType::F64, None) {
            Ok(c) => c.to_string(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn chunks_say_block_sizes_in_many_ways() {
        let int = Value::Int;
        assert_eq!(chunks(int(2), &[5, 3]), "[[2 2 1] [2 1]]");
        assert_eq!(chunks(vec![int(2), int(-1)].into(), &[5, 3]), "[[2 2 1] [3]]");
        assert_eq!(chunks(vec![Value::Nil, int(2)].into(), &[5, 3]), "[[5] [2 1]]");
        assert_eq!(chunks(vec![Value::from(vec![1i64, 4]), int(9)].into(), &[5, 3]), "[[1 4] [3]]");
        assert_eq!(chunks(vec![int(1), int(4)].into(), &[5]), "[[1 4]]");
        assert_eq!(chunks(int(2), &[0]), "[[0]]");
        assert_eq!(chunks(Value::keyword("auto"), &[4096, 8192]), "[[4096] [4096 4096]]");
        assert_eq!(chunks(Value::list(vec![]), &[]), "[]");
    }

    #[test]
    fn chunks_that_do_not_fit_are_named() {
        assert!(chunks(vec![Value::from(vec![1i64, 3])].into(), &[5]).contains("add up to 4"));
        assert!(chunks(vec![Value::Int(1)].into(), &[5, 3]).contains("1 entry"));
        assert!(chunks(Value::Int(-3), &[5]).contains("-3"));
        assert!(chunks(Value::Int(0), &[5]).contains("of 0"));
        assert!(chunks(Value::str("x"), &[5]).contains("string"));
    }

    #[test]
    fn blocks_are_counted_before_they_are_written_down() {
        let refused = |spec: Value, shape: &[usize]| normalize(&spec, shape, DType::F64, None).map_err(|e| e.code());
        for (spec, shape) in [
            (Value::Int(2), &[2_000_000_000_000][..]),
            (Value::Int(2), &[1_000_000_000_000_000, 2]),
            (Value::Int(1), &[usize::MAX, usize::MAX, usize::MAX]),
            (Value::Int(1), &[1 << 14, 1 << 13]),
            (Value::keyword("auto"), &[usize::MAX / 16]),
        ] {
            assert_eq!(refused(spec, shape), Err(Code::Limit), "{shape:?}");
        }
        assert!(chunks(Value::Int(1), &[1 << 40]).contains("1099511627776 blocks"));
        assert!(chunks(Value::Int(1), &[1 << 20, 1 << 20]).contains("[1048576 1048576] along its axes"));
        assert_eq!(refused(Value::Int(8), &[1 << 16, 1 << 13]).map(|c| c.block_count()), Ok(1 << 23));
    }

    #[test]
    fn common_cuts_keep_every_boundary() {
        let cut = |s: &[usize]| -> Arc<[usize]> { s.into() };
        assert_eq!(*common(&[&cut(&[3, 3]), &cut(&[2, 4])]), [2, 1, 3]);
        assert_eq!(*common(&[&cut(&[0, 6]), &cut(&[6])]), [6]);
        assert_eq!(*common(&[&cut(&[0, 0]), &cut(&[0])]), [0]);
    }

    #[test]
    fn pieces_cover_a_stretch_of_an_axis() {
        let piece = |b, start, count| (b, Range { start, step: 1, count });
        let bounds = |cut: &[usize]| Bounds::of(&Chunks::new(vec![cut.to_vec()]));
        assert_eq!(bounds(&[3, 0, 3, 4]).pieces(0, 2, 5), [piece(0, 2, 1), piece(2, 0, 3), piece(3, 0, 1)]);
        assert_eq!(bounds(&[3, 3]).pieces(0, 3, 0), [piece(0, 0, 0)]);
        assert_eq!(bounds(&[0, 2, 0]).find(0, 1), 1);
    }
}
