//! `read-array`: an array in a file, or in several, as a lazy array.

use super::read::Opened;
use super::several::{self, Several};
use crate::data::slice::Range;
use crate::data::{Args, Array, Cost, DType, Dims, Task, Value};
use crate::io::stored::Stored;
use crate::io::target::Target;
use crate::op::chunking;
use crate::op::layers::{self, Plan, as_slice};
use crate::op::{Kind, Op, Token, parts};
use crate::text::Result;
use std::sync::Arc;

pub static OP: Op = Op {
    usage: "(read-array target :chunks :auto :concat-axis nil)",
    doc: "The array `file::/path` as a lazy array; its blocks are read when they are computed.\n\
          Files go by their endings: `.h5 .hdf5` and their like are HDF5, `.nc` netCDF (4 and classic), `.npy` NumPy's and one array \
          each: `x.npy`. `.zarr` is a Zarr folder, version 2 or 3: `x.zarr` where it is one array, `x.zarr::/group/a` for one of many. Paths are relative to the working directory.\n\
          A pattern of file names, `\"dir/2014-*.nc::t2m\"`, or a list of targets is one array with `:concat-axis`, the axis along which the \
          files follow each other, in the order of their names or of the list. They have the same dtype and other axes.\n\
          `:chunks` is a block size for every axis, a list of sizes or of lists of sizes, -1 for a whole axis, or `:auto`: blocks of some \
          16 MB made of whole storage chunks. They go for each file: no block has parts of two.\n\
          Workers read contiguous data and chunks with deflate, shuffle, fletcher32, lzf, n-bit and scale-offset side by side; other filters go \
          through the HDF5 library, one at a time. Zarr's chunks may be encoded by gzip, zlib, zstd, blosc, bz2, shuffle, crc32c and fletcher32, \
          transposed, and in shards. Half-precision floats are read as float32; elements that were never written are the \
          fill value. Numbers are those of the file: `scale_factor` and `_FillValue` are `attributes` only.\n\
          Errors: `dsk::io` for a file or dataset that is not there or is damaged, and a pattern that nothing matches; `dsk::type` for one of \
          text or records, and files of several dtypes; `dsk::shape` for files that do not fit.",
    examples: &[],
    see: &["store", "attributes", "read"],
    cost: Cost::Cheap,
    kind: Kind::Now(read_array),
};

/// Blocks of `:auto` have about this many bytes: large enough for the scheduler, small enough for many at a time.
const BLOCK_BYTES: usize = 16 << 20;

fn read_array(args: Args) -> Result<Value> {
    let targets = several::targets(&args)?;
    let Several { stored, axis } = several::open(&args, &targets)?;
    // Files that are one array are cut alike, as the largest of them would be.
    let largest = stored.iter().max_by_key(|one| one.shape().iter().product::<usize>()).unwrap_or(&stored[0]);
    let block = auto_block(largest.shape(), largest.chunks(), largest.dtype());
    let arrays = targets.iter().zip(stored).map(|(target, stored)| lazy(target, stored, &block, &args));
    let mut arrays = arrays.collect::<Result<Vec<Array>>>()?;
    let array = match axis {
        Some(axis) if arrays.len() > 1 => several::concatenated(arrays, axis, &args)?,
        _ => arrays.remove(0),
    };
    Ok(Value::Array(array.into()))
}

/// A stored array as a lazy one, in blocks of `:chunks`, or of `auto` elements along each axis.
fn lazy(target: &Target, stored: Arc<dyn Stored>, auto: &[usize], args: &Args) -> Result<Array> {
    let (shape, dtype) = (Dims::from_slice(stored.shape()), stored.dtype());
    let chunks = match args.value("chunks") {
        Value::Keyword(word) if word == "auto" => chunking::regular(&shape, auto)?,
        spec => chunking::normalize(spec, &shape, dtype, None)?,
    };
    let token = Token::new("read-array").with(stored.identity()).chunks(&chunks);
    let cost = if stored.decodes() { Cost::Decode } else { Cost::Cheap };
    let (opened, span) = (Opened::value(target.to_string().into(), stored), args.span);
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
    Ok(parts::with_parts(array, move |ranges| {
        Some(parts::part_of(&name, ranges, read(parts::pieces(&chunks, ranges))))
    }))
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
