//! Writing a `.npy` file block by block, from any worker: to a file beside it, which takes its name at the end.

use super::header::{Header, SIGNATURE};
use crate::data::{Block, Chunks, DType, Dims, Outside};
use crate::err;
use crate::io::draft::Draft;
use crate::io::gather::Output;
use crate::io::part;
use crate::io::stored::{self, Options, Pieces, Sink as _};
use crate::io::walk::{Walk, byte_strides};
use crate::io::writing::cannot_write;
use crate::text::Result;
use parking_lot::RwLock;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A `.npy` file that is being written.
pub struct Sink {
    path: PathBuf,
    draft: Draft,
    output: Output,
    dtype: DType,
    shape: Dims,
    /// Where the elements begin.
    at: u64,
    touched: AtomicBool,
    /// It is finished or abandoned, which waits for those who write.
    closed: RwLock<bool>,
}

impl Sink {
    /// Makes `x.npy.incomplete`, with all its space.
    ///
    /// # Errors
    /// `dsk::io` for a file that is there already or cannot be made, `dsk::value` for options that these files do not have.
    pub fn create(path: &Path, dtype: DType, chunks: &Chunks, options: &Options) -> Result<Sink> {
        check_options(path, options)?;
        let shape = chunks.shape();
        if byte_strides(dtype.size(), &shape).is_none() {
            return Err(err!(Value, "an array of shape {:?} is larger than any memory", shape.as_slice()));
        }
        let header = Header::write(dtype, &shape);
        let at = header.len() as u64;
        let bytes = (shape.iter().product::<usize>() * dtype.size()) as u64;
        let draft = Draft::create(path, options.overwrite, SIGNATURE)?;
        let cannot = |e: std::io::Error| cannot_write(&path.display().to_string(), &e.to_string());
        let file = draft.file().try_clone().map_err(cannot)?;
        let sink = Sink {
            path: path.to_path_buf(),
            draft,
            output: Output::new(file, bytes),
            dtype,
            shape,
            at,
            touched: AtomicBool::new(false),
            closed: RwLock::new(false),
        };
        // The system finds space for all elements at once: a disk that is too small is told of now.
        sink.output
            .reserve(0, at + bytes)
            .map_err(|trouble| cannot_write(&path.display().to_string(), &trouble.to_string()))?;
        sink.draft.file().set_len(at + bytes).map_err(cannot)?;
        sink.draft.file().write_all_at(&header, 0).map_err(cannot)?;
        Ok(sink)
    }
}

fn check_options(path: &Path, options: &Options) -> Result<()> {
    let set = [
        (options.deflate.is_some(), "compression"),
        (options.shuffle, "shuffle"),
        (options.chunks.is_some(), "storage-chunks"),
        (!options.attributes.is_empty(), "attributes"),
    ];
    match set.iter().find(|(set, _)| *set) {
        None => Ok(()),
        Some((_, name)) => Err(err!(Value, "`{}` cannot have `:{name}`", path.display()).help(
            "a `.npy` file is the elements of one array, one after the other, and nothing else; HDF5 files have it",
        )),
    }
}

impl stored::Sink for Sink {
    fn target(&self) -> String {
        self.path.display().to_string()
    }

    fn incomplete(&self) -> String {
        self.draft.path().display().to_string()
    }

    fn is_touched(&self) -> bool {
        self.touched.load(Relaxed)
    }

    fn write(&self, start: &[usize], block: &Block) -> Result<()> {
        part::check_fits(&|| self.target(), (self.dtype, &self.shape), start, block)?;
        let closed = self.closed.read();
        if *closed {
            return Err(cannot_write(&self.target(), "it is complete already, or its store has failed"));
        }
        if block.is_empty() {
            return Ok(());
        }
        self.touched.store(true, Relaxed);
        let size = self.dtype.size();
        part::in_row_major(start, block, &|start, block| {
            let (Some(bytes), Some(from), Some(to)) =
                (block.as_bytes(), byte_strides(size, block.shape()), byte_strides(size, &self.shape))
            else {
                return Err(err!(Internal, "`{}` is larger than any memory", self.target()));
            };
            let first = start.iter().zip(&to).map(|(s, t)| s * t).sum();
            let walk = Walk::new(size, block.shape(), &from, &to, (0, first));
            let _turn = self.output.turn();
            self.output
                .write(self.at, walk, bytes)
                .map_err(|trouble| cannot_write(&self.target(), &trouble.to_string()))
        })
    }

    fn finish(&self) -> Result<()> {
        let mut closed = self.closed.write();
        self.draft.finish()?;
        *closed = true;
        Ok(())
    }

    /// A store that failed before it wrote anything leaves nothing behind; otherwise what was written stays, for the next store to
    /// replace.
    fn abandon(&self) {
        let mut closed = self.closed.write();
        if !std::mem::replace(&mut *closed, true) {
            self.draft.abandon(self.is_touched());
        }
    }

    fn pieces(&self) -> Pieces {
        Pieces::default()
    }

    fn outside(&self) -> Outside {
        Outside { dtype: self.dtype, shape: self.shape.clone(), scratch: 0, wider: 0 }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.abandon();
    }
}
