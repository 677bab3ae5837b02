//! A `.npy` file, opened: its array, read where it lies, and written to in part.

use super::header::Header;
use crate::data::slice::Range;
use crate::data::{Block, DType, Dims, Map, Outside, Value};
use crate::err;
use crate::io::encoding::Encoding;
use crate::io::files::{self, Stamp};
use crate::io::gather::Output;
use crate::io::listing::{self, Content, Entry};
use crate::io::part::{self, Part};
use crate::io::plain::Plain;
use crate::io::stored::Stored;
use crate::io::walk::{Walk, byte_strides};
use crate::text::Result;
use smallvec::SmallVec;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// A piece of a column of this many bytes is worth a call to the system.
const COLUMN: usize = 64 << 10;

/// A `.npy` file. Where its first axis varies fastest, the elements are those of the array with its axes reversed.
pub struct Npy {
    path: PathBuf,
    file: File,
    header: Header,
    /// The elements as they lie, from the axis that varies slowest to the one that varies fastest.
    plain: Plain,
    pieces: Option<Dims>,
    stamp: Stamp,
    identity: String,
}

impl Npy {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// `dsk::io` for a file that is not there, is not a `.npy` file or is damaged; `dsk::type` for elements that no dtype stands for.
    pub fn open(path: &Path) -> Result<Npy> {
        let file = files::open(path)?;
        let about = file.metadata().map_err(|e| files::system_error(path, &e))?;
        let header = Header::read(&file, about.len(), path)?;
        let mut lies = header.shape.clone();
        if header.is_turned() {
            lies.reverse();
        }
        // `Header::read` has seen that it fits the file, and so memory.
        let strides = byte_strides(header.size, &lies).unwrap_or_default();
        let pieces = header.is_turned().then(|| columns(&header.shape, header.size));
        let Header { dtype, encoding, size, at, .. } = header;
        let plain = Plain { dtype, encoding, size, shape: lies, at, strides };
        let stamp = Stamp::of(&about);
        let identity = format!("{} {stamp}", path.display());
        Ok(Npy { path: path.to_path_buf(), file, header, plain, pieces, stamp, identity })
    }
}

/// Pieces of columns that are not too short to be read one by one.
fn columns(shape: &[usize], size: usize) -> Dims {
    let mut room = COLUMN / size;
    let piece = |&n: &usize| {
        let taken = n.min(room).max(1);
        room /= taken;
        taken
    };
    shape.iter().map(piece).collect()
}

impl Stored for Npy {
    fn target(&self) -> String {
        self.path.display().to_string()
    }

    fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    fn dtype(&self) -> DType {
        self.plain.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        self.pieces.as_deref()
    }

    fn decodes(&self) -> bool {
        false
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn state(&self) -> Option<u64> {
        files::state(&self.file)
    }

    fn outside(&self) -> Outside {
        let outside = self.plain.outside(self.header.shape.clone());
        match self.header.is_turned() {
            // The elements as they lie, before they are put in order.
            true => Outside { wider: outside.wider.max(self.plain.dtype.size()), ..outside },
            false => outside,
        }
    }

    fn read(&self, region: &[Range]) -> Result<Block> {
        let block = self.read_now(region);
        // Afterwards: while it was read, another array may have come.
        let header = || Header::read(&self.file, self.file.metadata().ok()?.len(), &self.path).ok();
        files::check_still(&self.path, self.stamp, &|| self.target(), || header().as_ref() == Some(&self.header))?;
        block
    }
}

impl Npy {
    fn read_now(&self, region: &[Range]) -> Result<Block> {
        let target = || self.target();
        if !self.header.is_turned() {
            return self.plain.read(&self.file, region, &target);
        }
        let parts = part::parts(region, &self.header.shape, &target)?;
        let forwards = |p: &Part| Range { start: p.start, step: p.step as isize, count: p.count };
        let lies: SmallVec<[Range; 6]> = parts.iter().rev().map(forwards).collect();
        let block = self.plain.read(&self.file, &lies, &target)?;
        Ok(part::turned(reversed(&block).contiguous(), region))
    }
}

/// The same elements with the axes in the other order, as a view.
fn reversed(block: &Block) -> Block {
    block.transpose(&(0..block.ndim()).rev().collect::<Dims>())
}

/// Writes a block to its place in a file that is there.
///
/// # Errors
/// `dsk::shape` and `dsk::type` for a block that does not fit; `dsk::io` for a file that is not there, is damaged or cannot be written.
pub fn write_part(path: &Path, start: &[usize], block: &Block) -> Result<()> {
    let npy = Npy::open(path)?;
    let shown = path.display();
    part::check_fits(&|| npy.target(), (npy.dtype(), npy.shape()), start, block)?;
    if let Encoding::Half { .. } = npy.plain.encoding {
        return Err(err!(Type, "`{shown}` holds half-precision floats, which are read, but not written"));
    }
    let cannot = |e: std::io::Error| err!(Io, "`{shown}` cannot be written: {e}");
    let file = OpenOptions::new().write(true).open(path).map_err(cannot)?;
    let (block, start): (Block, SmallVec<[usize; 6]>) = match npy.header.is_turned() {
        true => (reversed(block).contiguous(), start.iter().rev().copied().collect()),
        false => (block.contiguous(), SmallVec::from_slice(start)),
    };
    let block = match npy.plain.encoding {
        // Turning the bytes of numbers around goes either way.
        encoding @ Encoding::Swapped(_) => encoding.finish(block.copied()),
        _ => block,
    };
    let bytes = block.as_bytes().unwrap_or(&[]);
    let Some(from) = byte_strides(npy.plain.size, block.shape()) else { return Ok(()) };
    let first = start.iter().zip(&npy.plain.strides).map(|(at, stride)| at * stride).sum();
    let walk = Walk::new(npy.plain.size, block.shape(), &from, &npy.plain.strides, (0, first));
    let written = Output::new(file, bytes.len() as u64).write(npy.plain.at, walk, bytes);
    written.map_err(|trouble| err!(Io, "`{shown}` cannot be written: {trouble}"))
}

/// What is in the file, as text.
///
/// # Errors
/// Those of [`Npy::open`].
pub fn listing(path: &Path, show: &dyn Fn(&Value) -> String) -> Result<String> {
    let npy = Npy::open(path)?;
    let len = npy.file.metadata().map_err(|e| files::system_error(path, &e))?.len();
    let elements = npy.header.shape.iter().product::<usize>() as u64;
    let content = Content::Dataset {
        shape: Some(npy.header.shape.to_vec()),
        dtype: npy.plain.dtype.name().to_string(),
        chunks: None,
        filters: if npy.header.is_turned() { vec!["fortran order".into()] } else { Vec::new() },
        bytes: elements * npy.plain.dtype.size() as u64,
        stored: elements * npy.plain.size as u64,
    };
    let entry = Entry { name: String::new(), content, attributes: Map::new() };
    Ok(listing::text(path, len, &[entry], show))
}
