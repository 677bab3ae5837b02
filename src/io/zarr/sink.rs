//! Writing an array block by block, from any worker.
//!
//! [`Sink::create`] makes the folder `a.incomplete` beside the one that the array will have, with metadata that says so. Blocks go
//! to its chunks. [`Sink::finish`] gives the folder its name. Until then nothing else has changed, and whatever the new array
//! replaces is still there.

use super::dataset::{self, Dataset, normal_name, target};
use super::json::{self, Json};
use super::layout::Layout;
use super::place::{self, INCOMPLETE};
use super::writer::Writer;
use crate::data::{Block, Chunks, DType, Dims, Outside};
use crate::err;
use crate::io::cut::cut;
use crate::io::part;
use crate::io::stored::Sink as _;
use crate::io::stored::{self, Options, Pieces, Stored};
use crate::io::writing::{FAILED, MARK, cannot_write, check_room};
use crate::text::{Error, Result};
use parking_lot::RwLock;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The attribute that names the axes.
const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";
/// Arrays up to this size are one chunk.
const SMALL: usize = 64 << 10;

/// An array that is being written.
pub struct Sink {
    path: PathBuf,
    name: String,
    overwrite: bool,
    dtype: DType,
    writer: Writer,
    metadata: Json,
    /// Groups that were made for it.
    made: Vec<PathBuf>,
    /// A block was written: there is something worth keeping.
    touched: AtomicBool,
    /// Blocks are written under it, and it is finished alone.
    state: RwLock<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Finished,
    Abandoned,
}

impl Sink {
    /// Makes the array `name` of the hierarchy at `path`, and the groups it is in where they are not there. Blocks will come cut
    /// as `chunks` says.
    ///
    /// # Errors
    /// `dsk::io` for an array that is there already, a name that is taken by something else, a place that may not be written to;
    /// `dsk::type` for attributes that cannot be; `dsk::value` for options that Zarr does not have.
    pub fn create(path: &Path, name: &str, dtype: DType, chunks: &Chunks, options: &Options) -> Result<Sink> {
        let name = normal_name(name)?;
        let attributes = json::from_map(&options.attributes)?;
        if options.shuffle && options.deflate.is_none() {
            return Err(err!(
                Value,
                "`{}` cannot be stored with `:shuffle`: it is none of Zarr's codecs",
                target(path, &name)
            ));
        }
        let shape = chunks.shape();
        Block::byte_size(dtype, &shape)?;
        let pieces = pieces(chunks, dtype, options)?;
        let failed_before = place::check_names(path, &name, options.overwrite)?;
        let metadata = metadata(dtype, &shape, &pieces, options.deflate, attributes);
        let failed = |what: String| cannot_write(&target(path, &name), &what);
        let layout = Layout::of(3, metadata.clone()).map_err(failed)?;
        let element = layout.element.clone().map_err(failed)?;
        let storage = layout.storage(element).map_err(failed)?;
        let temporary = place::temporary(path, &name);
        if failed_before {
            std::fs::remove_dir_all(&temporary).map_err(|e| failed(e.to_string()))?;
        }
        let made = place::make_groups(path, &name).map_err(failed)?;
        // What another store may have made since is not this one's to remove; from here on it is.
        if let Err(error) = std::fs::create_dir(&temporary) {
            place::remove_groups(&made);
            return Err(failed(error.to_string()));
        }
        let writer = Writer { folder: temporary, shape, chunks: pieces, storage, is_seen: false };
        let sink = Sink {
            path: path.to_path_buf(),
            name,
            overwrite: options.overwrite,
            dtype,
            writer,
            metadata,
            made,
            touched: AtomicBool::new(false),
            state: RwLock::new(State::Open),
        };
        // Compressed data is checked as it comes.
        if options.deflate.is_none() {
            check_room(&sink.writer.folder, Block::byte_size(dtype, &sink.writer.shape)? as u64)
                .map_err(|what| sink.failed(&what))?;
        }
        sink.mark(std::process::id().into())?;
        Ok(sink)
    }

    /// Says in the metadata who writes the array, or that nobody does any more.
    fn mark(&self, process: i64) -> Result<()> {
        let mut metadata = self.metadata.clone();
        metadata["attributes"] = json!({ MARK: process });
        place::write_metadata(&self.writer.folder, &metadata).map_err(|what| self.failed(&what))
    }

    fn failed(&self, what: &str) -> Error {
        cannot_write(&self.target(), what)
    }
}

impl stored::Sink for Sink {
    fn target(&self) -> String {
        target(&self.path, &self.name)
    }

    /// The name of the array until it is finished.
    fn incomplete(&self) -> String {
        self.target() + INCOMPLETE
    }

    /// Writes a block to its place, which begins at `start`. Blocks that do not overlap can be written at the same time.
    ///
    /// # Errors
    /// `dsk::io` where the system does not write: the disk is full, or may not be written to.
    fn write(&self, start: &[usize], block: &Block) -> Result<()> {
        part::check_fits(&|| self.target(), (self.dtype, &self.writer.shape), start, block)?;
        let state = self.state.read();
        match *state {
            State::Open => {}
            State::Finished => return Err(self.failed("it is complete already")),
            State::Abandoned => return Err(self.failed("its store has failed")),
        }
        if !block.is_empty() {
            self.touched.store(true, Relaxed);
        }
        self.writer.write(start, block).map_err(|what| self.failed(&what))
    }

    fn pieces(&self) -> Pieces {
        Pieces { chunks: Some(self.writer.chunks.clone()), whole: true }
    }

    /// What writing a part of it takes besides the block.
    fn outside(&self) -> Outside {
        // A chunk as it is, and encoded; the encoder's own.
        let scratch = 2 * self.writer.chunks.iter().product::<usize>() * self.dtype.size() + (1 << 20);
        Outside { dtype: self.dtype, shape: self.writer.shape.clone(), scratch, wider: 0 }
    }

    /// Whether a block was written.
    fn is_touched(&self) -> bool {
        self.touched.load(Relaxed)
    }

    /// Gives the array its attributes and its name, in place of what it replaces. Nothing can be written after.
    ///
    /// # Errors
    /// `dsk::io` where the system does not do it, or something else has taken the name since.
    fn finish(&self) -> Result<()> {
        let mut state = self.state.write();
        place::check_place(&self.path, &self.name, self.overwrite)?;
        let temporary = &self.writer.folder;
        place::write_metadata(temporary, &self.metadata).map_err(|what| self.failed(&what))?;
        place::forget_copies(&self.path, &self.name)?;
        let folder = place::final_folder(&self.path, &self.name);
        place::exchange(temporary, &folder).map_err(|what| self.failed(&what))?;
        *state = State::Finished;
        if temporary.exists() {
            std::fs::remove_dir_all(temporary).map_err(|e| {
                err!(Io, "`{}` was written, but what it replaces cannot be removed: {e}", self.target())
                    .help(format!("it is in `{}` now", temporary.display()))
            })?;
        }
        Ok(())
    }

    /// A store that failed before it wrote anything leaves nothing behind; otherwise the array stays, marked, so that the next
    /// store may take its place.
    fn abandon(&self) {
        let mut state = self.state.write();
        if *state != State::Open {
            return;
        }
        *state = State::Abandoned;
        // Nothing to be done where even this fails.
        if self.is_touched() {
            let _ = self.mark(FAILED);
            return;
        }
        let _ = std::fs::remove_dir_all(&self.writer.folder);
        place::remove_groups(&self.made);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// The shape of the chunks that each have a file.
fn pieces(chunks: &Chunks, dtype: DType, options: &Options) -> Result<Dims> {
    let shape = chunks.shape();
    let whole = || shape.iter().map(|&n| n.max(1)).collect();
    if options.chunks.is_none() && Block::byte_size(dtype, &shape)? <= SMALL {
        return Ok(whole());
    }
    let given = options.chunks.clone();
    Ok(cut(chunks, dtype.size(), given.as_ref(), true)?.or(given).unwrap_or_else(whole))
}

fn metadata(dtype: DType, shape: &[usize], chunks: &[usize], level: Option<u8>, attributes: Json) -> Json {
    let endian = if cfg!(target_endian = "big") { "big" } else { "little" };
    let mut codecs = vec![match dtype.size() {
        1 => json!({"name": "bytes"}),
        _ => json!({"name": "bytes", "configuration": {"endian": endian}}),
    }];
    codecs.extend(level.map(|level| json!({"name": "gzip", "configuration": {"level": level}})));
    let fill = match dtype {
        DType::Bool => json!(false),
        dtype if dtype.is_complex() => json!([0.0, 0.0]),
        dtype if dtype.is_float() => json!(0.0),
        _ => json!(0),
    };
    let mut metadata = json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype.name(),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": codecs,
    });
    // Version 2 has the names of axes among the attributes, where programs still put them; version 3 has a place for them.
    let names = attributes.get(DIMENSIONS).and_then(Json::as_array);
    if let Some(names) = names.filter(|names| names.len() == shape.len() && names.iter().all(Json::is_string)) {
        metadata["dimension_names"] = names.clone().into();
    }
    metadata["attributes"] = attributes;
    metadata
}

/// Writes a block to its place in an array that is there.
///
/// # Errors
/// `dsk::io` where there is no such array, or it cannot be written to; `dsk::shape` and `dsk::type` where the block does not fit.
pub fn write_part(path: &Path, name: &str, start: &[usize], block: &Block) -> Result<()> {
    let array = Dataset::open(path, name)?;
    let target = array.target();
    part::check_fits(&|| array.target(), (array.dtype(), array.shape()), start, block)?;
    if array.storage.chain.shards.is_some() {
        return Err(cannot_write(&target, "its chunks are in shards, parts of which are not written here"));
    }
    let Dataset { folder, layout, storage, .. } = array;
    let writer = Writer { folder, shape: layout.shape, chunks: layout.chunks, storage, is_seen: true };
    let written = writer.write(start, block).map_err(|what| cannot_write(&target, &what));
    dataset::count_written();
    written
}
