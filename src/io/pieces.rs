//! The pieces that an array lies in where it is written, and how blocks come to lie in these.

use crate::data::{Chunks, Dims};

/// The pieces of an array that is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pieces {
    /// Shape of the storage chunks; `None` where the array lies in one piece, row by row.
    pub chunks: Option<Dims>,
    /// A chunk is encoded, or is a file of its own: of a part of one, all of it is written anew.
    pub whole: bool,
}

/// Runs in the file of at least so many bytes are worth a call each, and those in memory a place in one.
const LONG_IN_FILE: usize = 64 << 10;
const LONG_IN_MEMORY: usize = 512;

/// Blocks enough for every worker, and for the last ones to end at about the same time.
const MANY_BLOCKS: usize = 16;

impl Pieces {
    /// Whether an array, whose elements take `size` bytes, is written as fast in blocks cut as `others` as in the ones that the
    /// pieces were chosen for.
    pub fn suit(&self, others: &Chunks, blocks: &Chunks, size: usize) -> bool {
        let (runs, others_runs) = (Runs::of(self, blocks, size), Runs::of(self, others, size));
        others.block_count() >= blocks.block_count().min(MANY_BLOCKS)
            && !(self.whole && others_runs.split)
            && others_runs.in_file >= runs.in_file.min(LONG_IN_FILE)
            && others_runs.in_memory >= runs.in_memory.min(LONG_IN_MEMORY)
    }
}

/// How long the parts of blocks are, on average, that lie in one piece.
struct Runs {
    /// Bytes one after the other in the file, and both in the file and in the block.
    in_file: usize,
    in_memory: usize,
    /// There are chunks that several blocks have a part of.
    split: bool,
}

impl Runs {
    fn of(pieces: &Pieces, blocks: &Chunks, size: usize) -> Runs {
        let mut runs = Runs { in_file: size, in_memory: size, split: false };
        let mut in_memory = true;
        for axis in (0..blocks.ndim()).rev() {
            let bounds = blocks.bounds(axis);
            let len = bounds.last().copied().unwrap_or(0);
            let chunk = pieces.chunks.as_ref().map_or(len, |dims| dims[axis]).max(1);
            let inner = bounds.iter().filter(|&&end| 0 < end && end < len);
            let chunks = len.div_ceil(chunk);
            // Parts of blocks that lie in one chunk each.
            let parts = chunks + inner.clone().filter(|&&end| !end.is_multiple_of(chunk)).count();
            let part = len / parts.max(1);
            if !runs.split {
                runs.in_file *= part;
            }
            if in_memory {
                runs.in_memory *= part;
            }
            runs.split |= parts > chunks;
            in_memory &= !runs.split && parts == inner.count() + 1;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(blocks: [usize; 2]) -> Chunks {
        Chunks::regular(&[20_000, 20_000], &blocks)
    }

    fn chunked(chunks: [usize; 2], whole: bool) -> Pieces {
        Pieces { chunks: Some(Dims::from_slice(&chunks)), whole }
    }

    #[test]
    fn rows_suit_chunks_of_columns_as_long_as_they_have_many_rows() {
        let columns = cut([20_000, 1000]);
        assert!(chunked([5000, 250], false).suit(&cut([1000, 20_000]), &columns, 8));
        assert!(!chunked([5000, 250], false).suit(&cut([10, 20_000]), &columns, 8));
        assert!(!chunked([5000, 250], false).suit(&cut([10, 20_000]), &cut([20, 20_000]), 8));
        assert!(chunked([5000, 250], false).suit(&cut([20, 20_000]), &cut([10, 20_000]), 8));
        // Of rows that are in one piece, not many small parts of them.
        assert!(!chunked([5000, 20], false).suit(&cut([1000, 20_000]), &cut([20_000, 20]), 8));
    }

    #[test]
    fn chunks_that_are_encoded_belong_to_one_block() {
        assert!(!chunked([5000, 250], true).suit(&cut([1000, 20_000]), &cut([20_000, 1000]), 8));
        assert!(chunked([500, 250], true).suit(&cut([1000, 20_000]), &cut([20_000, 1000]), 8));
        assert!(!chunked([500, 250], true).suit(&cut([1250, 20_000]), &cut([20_000, 1000]), 8));
    }

    #[test]
    fn in_one_piece_rows_are_written_and_not_columns() {
        assert!(Pieces::default().suit(&cut([1000, 20_000]), &cut([20_000, 1000]), 8));
        assert!(!Pieces::default().suit(&cut([20_000, 1000]), &cut([1000, 20_000]), 8));
        assert!(!Pieces::default().suit(&cut([20_000, 20_000]), &cut([1000, 20_000]), 8), "one worker would write");
    }
}
