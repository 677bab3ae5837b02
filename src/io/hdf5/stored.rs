//! Datasets as arrays in files of any kind.

use super::{Dataset, Sink};
use crate::data::slice::Range;
use crate::data::{Block, DType, Outside};
use crate::io::stored::{self, Pieces};
use crate::text::Result;

impl stored::Stored for Dataset {
    fn target(&self) -> String {
        self.target()
    }

    fn shape(&self) -> &[usize] {
        self.shape()
    }

    fn dtype(&self) -> DType {
        self.dtype()
    }

    fn chunks(&self) -> Option<&[usize]> {
        self.chunks()
    }

    /// Bytes that only change places come as fast as they are copied.
    fn decodes(&self) -> bool {
        self.filters().iter().any(|f| !matches!(f.as_str(), "shuffle" | "fletcher32"))
    }

    fn identity(&self) -> &str {
        self.identity()
    }

    fn state(&self) -> Option<u64> {
        self.state()
    }

    fn outside(&self) -> Outside {
        self.outside()
    }

    fn read(&self, region: &[Range]) -> Result<Block> {
        self.read(region)
    }
}

impl stored::Sink for Sink {
    fn target(&self) -> String {
        self.target()
    }

    fn incomplete(&self) -> String {
        self.incomplete()
    }

    fn is_touched(&self) -> bool {
        self.is_touched()
    }

    fn write(&self, start: &[usize], block: &Block) -> Result<()> {
        self.write(start, block)
    }

    fn finish(&self) -> Result<()> {
        self.finish()
    }

    fn abandon(&self) {
        self.abandon();
    }

    fn pieces(&self) -> Pieces {
        self.pieces()
    }

    fn outside(&self) -> Outside {
        self.outside()
    }
}
