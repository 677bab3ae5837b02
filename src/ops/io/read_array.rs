//! `read-array`: a dataset as a lazy array.

use super::read::Opened;
use crate::data::slice::Range;
use crate::data::{Args, Cost, DType, Dims, Task, Value};
use crate::io::stored;
use crate::io::target::Target;
use crate::op::chunking;
use crate::op::layers::{self, Plan, as_slice};
use crate::op::{Kind, Op, Token, parts};
use crate::text::Result;

pub static OP: Op = Op {
    usage: "(read-array target :chunks :auto)",
    doc: "The dataset `file::/path` as a lazy array; its blocks are read when they are computed.\n\
          Files go by their endings: `.h5 .hdf5 .nc` (netCDF-4) and their like are HDF5. Paths are relative to the working directory.\n\
          `:chunks` is a block size for every axis, a list of sizes or of lists of sizes, -1 for a whole axis, or `:auto`: blocks of some \
          16 MB made of whole storage chunks.\n\
          Workers read contiguous data and chunks with deflate, shuffle, fletcher32, lzf, n-bit and scale-offset side by side; other filters go \
          through the HDF5 library, one at a time. Half-precision floats are read as float32; elements that were never written are the \
          fill value.\n\
          Errors: `dsk::io` for a file or dataset that is not there or is damaged, `dsk::type` for one of text or records.",
    examples: &[],
    see: &["store", "attributes", "read"],
    cost: Cost::Cheap,
    kind: Kind::Now(read_array),
};

/// Blocks of `:auto` have about this many bytes: large enough for the scheduler, small enough for many at a time.
const BLOCK_BYTES: usize = 16 << 20;

fn read_array(args: Args) -> Result<Value> {
    let text = args.text("target")?;
    let target = Target::parse(&text)?;
    let dataset = stored::open(&target)?;
    let (shape, dtype) = (Dims::from_slice(dataset.shape()), dataset.dtype());
    let chunks = match args.value("chunks") {
        Value::Keyword(auto) if auto == "auto" => {
            chunking::regular(&shape, &auto_block(&shape, dataset.chunks(), dtype))?
        }
        spec => chunking::normalize(spec, &shape, dtype, None)?,
    };
    let token = Token::new("read-array").with(dataset.identity()).chunks(&chunks);
    let cost = if dataset.decodes() { Cost::Decode } else { Cost::Cheap };
    let (opened, span) = (Opened::value(text, dataset), args.span);
    let whole: Vec<Range> = shape.iter().map(|&n| parts::all(n)).collect();
    let read = move |pieces: Vec<Vec<Range>>| {
        let chunks = parts::cut(&pieces);
        let axis =
            |pieces: Vec<Range>, axis: usize| Task::index(move |index| as_slice(&pieces[index[axis] as usize]).into());
        let slices = pieces.into_iter().enumerate().map(|(at, pieces)| axis(pieces, at));
        let items = std::iter::once(Task::data(opened.clone())).chain(slices).collect();
        let plan = Plan { token: token.clone(), parents: Vec::new(), dtype, chunks, cost, span };
        plan.source(layers::call("read", items, vec![]))
    };
    let array = read(parts::pieces(&chunks, &whole));
    let name = array.layer.name.clone();
    let array = parts::with_parts(array, move |ranges| {
        Some(parts::part_of(&name, ranges, read(parts::pieces(&chunks, ranges))))
    });
    Ok(Value::Array(array.into()))
}

/// A block of whole storage chunks with about [`BLOCK_BYTES`], nearly as long along each axis as along the others. In one
/// piece: whole rows, which lie together.
fn auto_block(shape: &[usize], storage: Option<&[usize]>, dtype: DType) -> Dims {
    let room = BLOCK_BYTES / dtype.size();
    let Some(storage) = storage else {
        // From the last axis on, as much of each as there is room for.
        let mut left = room;
        let mut block = Dims::from_slice(shape);
        for n in block.iter_mut().rev() {
            *n = (*n).min(left.max(1)).max(1);
            left /= *n;
        }
        return block;
    };
    let mut block: Dims = storage.iter().zip(shape).map(|(&c, &n)| c.min(n).max(1)).collect();
    loop {
        let elements = block.iter().fold(1usize, |n, &b| n.saturating_mul(b));
        // The shortest axis that can still grow, by doubling.
        let open = (0..shape.len()).filter(|&a| block[a] < shape[a]);
        match open.min_by_key(|&a| block[a]) {
            Some(axis) if elements <= room / 2 => block[axis] = (block[axis] * 2).min(shape[axis]),
            _ => return block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_blocks_are_made_of_storage_chunks() {
        let block = |shape: &[usize], storage: Option<&[usize]>| auto_block(shape, storage, DType::F64).to_vec();
        assert_eq!(block(&[4000, 100_000], Some(&[250, 250])), [2000, 1000]);
        assert_eq!(block(&[10, 10], Some(&[3, 3])), [10, 10]);
        assert_eq!(block(&[1_000_000, 100], Some(&[1, 100])), [16384, 100]);
        assert_eq!(block(&[4000, 4000], None), [524, 4000]);
        assert_eq!(block(&[0, 5], None), [1, 5]);
        assert_eq!(block(&[], None), [0usize; 0]);
        assert_eq!(block(&[3, 100_000_000], None), [1, 2_097_152]);
    }
}
