//! Writing a dataset block by block, from any worker.
//!
//! [`Sink::create`] makes the dataset under the name `C.incomplete`, with all its space, and closes the file: a process
//! that dies later leaves a sound file behind. Blocks go to their places with the system's own calls, outside the library's
//! lock; compressed chunks are encoded by the worker and handed to the library. [`Sink::finish`] gives the dataset its name.
//! Until then nothing else in the file has changed, and whatever the new dataset replaces is still there.

use super::attributes::{self, Attribute};
use super::dataset::Dataset;
use super::element;
use super::library::{Failure, Id, Library, Outcome, locked, sizes};
use super::pipeline::{Filter, Pipeline};
use super::source::{Miss, Source};
use super::target::{self, Open, Target, check_room, check_whole, open_for_writing, write_error};
use super::{file, listing};
use crate::data::slice::Range;
use crate::data::{Block, Chunks, DType, Dims, Outside};
use crate::err;
use crate::io::codec::deflate::Encoder;
use crate::io::codec::shuffle;
use crate::io::cut::cut;
use crate::io::files;
use crate::io::gather::{Output, Trouble};
use crate::io::listing::{Content, Entry};
use crate::io::part;
use crate::io::stored::{Options, Pieces};
use crate::io::walk::{Walk, byte_strides};
use crate::io::writing::{FAILED, MARK};
use crate::text::{Error, Result};
use hdf5_sys::{h5d, h5p};
use parking_lot::RwLock;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A dataset that is being written.
pub struct Sink {
    path: PathBuf,
    name: String,
    temporary: String,
    shape: Dims,
    dtype: DType,
    /// Our own descriptor, for writing beside the library.
    output: Output,
    place: RwLock<Target>,
    attributes: Vec<Attribute>,
    /// A block was written: there is something worth keeping.
    touched: AtomicBool,
    finished: AtomicBool,
    abandoned: AtomicBool,
    /// The file was made for this dataset.
    made_file: bool,
}

impl Sink {
    /// Makes the dataset `name` of the file at `path`, and the file and parent groups where they are not there. Blocks will
    /// come cut as `chunks` says.
    ///
    /// # Errors
    /// `dsk::io` for a dataset that is there already, a file that is not HDF5 or may not be written; `dsk::type` for
    /// attributes that cannot be.
    pub fn create(path: &Path, name: &str, dtype: DType, chunks: &Chunks, options: &Options) -> Result<Sink> {
        let name = files::normal_name(name)?;
        if name == "/" {
            return Err(err!(Value, "`{}::/` names no dataset", path.display())
                .help("name one after the two colons: `file.h5::/C`"));
        }
        let attributes = attributes::prepare(&options.attributes)?;
        let shape = chunks.shape();
        if byte_strides(dtype.size(), &shape).is_none() {
            return Err(err!(Value, "an array of shape {:?} is larger than any memory", shape.as_slice()));
        }
        let cut = cut(chunks, dtype.size(), options.chunks.as_ref(), options.is_filtered())?;
        let temporary = format!("{name}.incomplete");
        // Compressed data is checked as it comes.
        let bytes = if options.is_filtered() { 0 } else { (shape.iter().product::<usize>() * dtype.size()) as u64 };
        let tables = cut.as_ref().map_or(0, |cut| {
            let counts = shape.iter().zip(cut).map(|(&n, &c)| n.div_ceil(c) as u64);
            counts.product::<u64>().saturating_mul(128)
        });
        check_room(path, &name, bytes.saturating_add(tables))?;
        let sink = locked(|lib| {
            let look = || target::check_names(lib, path, &name, &temporary, options.overwrite);
            let failed_before = file::undisturbed(lib, path, look)?;
            let (file, made_file) = open_for_writing(lib, path)?;
            if failed_before {
                lib.delete_link(&file, &file::c_name(&temporary)?).map_err(|f| write_error(path, &name, &f.0))?;
                file::count_replaced();
            }
            let failed = |f: Failure| write_error(path, &name, &f.0);
            let dataset =
                target::make(lib, &file, &temporary, dtype, &shape, cut.as_deref(), options).map_err(failed)?;
            let being_written = target::mark(std::process::id().into());
            attributes::write(lib, &dataset, &attributes::prepare(&being_written)?).map_err(failed)?;
            lib.flush(&file).map_err(failed)?;
            let own =
                OpenOptions::new().read(true).write(true).open(path).map_err(|e| files::system_error(path, &e))?;
            let place = target::place(
                lib,
                Open { dataset, _file: file },
                (path, &temporary),
                &shape,
                dtype,
                cut.as_ref(),
                options,
            )
            .map_err(|what| write_error(path, &name, &what))?;
            Ok::<_, Error>(Sink {
                path: path.to_path_buf(),
                name: name.clone(),
                temporary: temporary.clone(),
                shape: shape.clone(),
                dtype,
                output: Output::new(own, bytes),
                place: RwLock::new(place),
                attributes,
                touched: AtomicBool::new(false),
                finished: AtomicBool::new(false),
                abandoned: AtomicBool::new(false),
                made_file,
            })
        })?;
        sink.reserve()?;
        Ok(sink)
    }

    /// Has the system find space for all elements at once: it writes faster where it need not look for some every time, and a
    /// disk that is too small is told of now.
    fn reserve(&self) -> Result<()> {
        let size = self.dtype.size();
        let reserve = |at: u64, bytes: u64| self.output.reserve(at, bytes).map_err(|t| self.trouble(t));
        match &*self.place.read() {
            Target::Contiguous(at) => reserve(*at, (self.shape.iter().product::<usize>() * size) as u64),
            Target::Chunked { places, .. } => places.stretches().try_for_each(|(at, bytes)| reserve(at, bytes)),
            // Nobody knows how small compressed chunks will be.
            Target::Filtered { .. } | Target::Nowhere | Target::Closed => Ok(()),
        }
    }

    /// `path::name`, as messages name it.
    pub fn target(&self) -> String {
        format!("{}::{}", self.path.display(), self.name)
    }

    /// The name under which the dataset can be read until it is finished.
    pub fn incomplete(&self) -> String {
        format!("{}::{}", self.path.display(), self.temporary)
    }

    /// Writes a block to its place, which begins at `start`. Blocks that do not overlap can be written at the same time.
    pub fn write(&self, start: &[usize], block: &Block) -> Result<()> {
        part::check_fits(&|| self.target(), (self.dtype, &self.shape), start, block)?;
        if block.is_empty() {
            return Ok(());
        }
        self.touched.store(true, Relaxed);
        let place = self.place.read();
        let put = |start: &[usize], block: &Block| self.put(&place, start, block);
        match &*place {
            Target::Chunked { dims, .. } if !block.is_contiguous() => self.each_chunk(dims, start, block, |part| {
                let (start, piece) = part.of(block, start);
                part::in_row_major(&start, &piece, &put)
            }),
            Target::Filtered { dims, .. } if !block.is_contiguous() => self.each_chunk(dims, start, block, |part| {
                let (start, piece) = part.of(block, start);
                put(&start, &piece.contiguous())
            }),
            _ => part::in_row_major(start, block, &put),
        }
    }

    /// Writes a block that lies in row-major order.
    fn put(&self, place: &Target, start: &[usize], block: &Block) -> Result<()> {
        let size = self.dtype.size();
        let (Some(bytes), Some(from), Some(to)) =
            (block.as_bytes(), byte_strides(size, block.shape()), byte_strides(size, &self.shape))
        else {
            return Err(err!(Internal, "`{}` is larger than any memory", self.target()));
        };
        match place {
            Target::Closed => Err(self.failed("it is complete already, or its store has failed")),
            Target::Nowhere => Ok(()),
            Target::Contiguous(at) => {
                let first = start.iter().zip(&to).map(|(s, t)| s * t).sum();
                let walk = Walk::new(size, block.shape(), &from, &to, (0, first));
                let _turn = self.output.turn();
                self.output.write(*at, walk, bytes).map_err(|t| self.trouble(t))
            }
            Target::Chunked { dims, places } => {
                let _turn = self.output.turn();
                self.each_chunk(dims, start, block, |part| {
                    let position =
                        places.position(part.number as u64).ok_or_else(|| self.failed("a chunk has no space"))?;
                    let walk = Walk::new(size, &part.count, &from, &part.inner, (part.from, part.to));
                    self.output.write(position, walk, bytes).map_err(|t| self.trouble(t))
                })
            }
            Target::Filtered { dims, pipeline, level, open } => {
                let mut encoder = Encoder::new(*level);
                let whole = dims.iter().product::<usize>() * size;
                check_room(&self.path, &self.name, 2 * bytes.len() as u64)?;
                self.each_chunk(dims, start, block, |part| {
                    let covers = (0..dims.len()).all(|a| {
                        let end = (part.origin[a] + dims[a]).min(self.shape[a]);
                        part.count[a] == end - part.origin[a]
                    });
                    let walk = Walk::new(size, &part.count, &from, &part.inner, (part.from, part.to));
                    let done = match covers {
                        true => BUFFERS.with_borrow_mut(|buffers| {
                            buffers.plain.clear();
                            buffers.plain.resize(whole, 0);
                            for run in walk {
                                let run_bytes = &bytes[run.from..run.from + run.len];
                                buffers.plain[run.to..run.to + run.len].copy_from_slice(run_bytes);
                            }
                            let encoded = buffers.encode(pipeline, &mut encoder);
                            locked(|lib| write_chunk(lib, &open.dataset, &part.origin, encoded))
                        }),
                        // Blocks that share chunks: the library reads, changes and writes the chunk.
                        false => {
                            let (start, piece) = part.of(block, start);
                            locked(|lib| write_to(lib, &open.dataset, &start, &piece))
                        }
                    };
                    done.map_err(|f| self.failed(&f.0))
                })
            }
        }
    }

    /// Calls `f` with the part of every chunk that a block covers.
    fn each_chunk(
        &self,
        dims: &[usize],
        start: &[usize],
        block: &Block,
        mut f: impl FnMut(&Part) -> Result<()>,
    ) -> Result<()> {
        let ndim = dims.len();
        let size = self.dtype.size();
        let (Some(strides), Some(inner)) = (byte_strides(size, block.shape()), byte_strides(size, dims)) else {
            return Err(err!(Internal, "`{}` is larger than any memory", self.target()));
        };
        let first: Dims = (0..ndim).map(|a| start[a] / dims[a]).collect();
        let last: Dims = (0..ndim).map(|a| (start[a] + block.shape()[a] - 1) / dims[a]).collect();
        let mut index = first.clone();
        loop {
            let mut part = Part { number: 0, inner: inner.clone(), ..Part::default() };
            for axis in 0..ndim {
                let origin = index[axis] * dims[axis];
                let begin = origin.max(start[axis]);
                let end = (origin + dims[axis]).min(start[axis] + block.shape()[axis]);
                part.number = part.number * self.shape[axis].div_ceil(dims[axis]) + index[axis];
                part.origin.push(origin);
                part.count.push(end - begin);
                part.from += (begin - start[axis]) * strides[axis];
                part.to += (begin - origin) * inner[axis];
            }
            f(&part)?;
            let Some(axis) = (0..ndim).rev().find(|&a| index[a] < last[a]) else { return Ok(()) };
            index[axis] += 1;
            index[axis + 1..].copy_from_slice(&first[axis + 1..]);
        }
    }

    /// What writing a part of it takes besides the block.
    pub fn outside(&self) -> Outside {
        Self::beside(self.dtype, self.shape.clone(), &self.pieces())
    }

    /// The storage chunks, if it has any.
    pub fn pieces(&self) -> Pieces {
        match &*self.place.read() {
            Target::Chunked { dims, .. } => Pieces { chunks: Some(dims.clone()), whole: false },
            Target::Filtered { dims, .. } => Pieces { chunks: Some(dims.clone()), whole: true },
            Target::Contiguous(_) | Target::Nowhere | Target::Closed => Pieces::default(),
        }
    }

    /// The pieces of a dataset that would be made so, and what writing a part of it would take.
    pub fn imagined(dtype: DType, chunks: &Chunks, options: &Options) -> Result<(Pieces, Outside)> {
        let whole = options.is_filtered();
        let pieces = Pieces { chunks: cut(chunks, dtype.size(), options.chunks.as_ref(), whole)?, whole };
        let outside = Self::beside(dtype, chunks.shape(), &pieces);
        Ok((pieces, outside))
    }

    fn beside(dtype: DType, shape: Dims, pieces: &Pieces) -> Outside {
        // A chunk as it is, shuffled, and encoded; the library's copy of it.
        let encoded = pieces.chunks.as_ref().filter(|_| pieces.whole);
        let scratch = encoded.map_or(0, |dims| 4 * dims.iter().product::<usize>() * dtype.size() + (1 << 20));
        Outside { dtype, shape, scratch, wider: 0 }
    }

    /// Whether a block was written.
    pub fn is_touched(&self) -> bool {
        self.touched.load(Relaxed)
    }

    /// Gives the dataset its attributes and its name, in place of what it replaces. Nothing can be written after.
    pub fn finish(&self) -> Result<()> {
        self.close();
        check_room(&self.path, &self.name, 0)?;
        if !locked(|lib| lib.has_open(&self.path)) {
            file::wait_for_long(&self.path)?;
        }
        locked(|lib| {
            let look = || match Source::open(lib, &self.path)?.find(lib, &self.name) {
                Ok(place) => Ok(check_whole(&place)?.is_some()),
                Err(Miss::Absent) => Ok(false),
                Err(Miss::Dangling(_)) => Ok(true),
                Err(Miss::Wrong(error)) => Err(error),
            };
            let replaces = file::undisturbed(lib, &self.path, look)?;
            let file = file::open_in_library(lib, &self.path, true)?;
            let failed = |f: Failure| self.failed(&f.0);
            let (temporary, name) = (file::c_name(&self.temporary)?, file::c_name(&self.name)?);
            let dataset = lib.open_object(&file, &temporary).map_err(failed)?;
            attributes::write(lib, &dataset, &self.attributes).map_err(failed)?;
            attributes::delete(lib, &dataset, MARK).map_err(failed)?;
            drop(dataset);
            if replaces {
                lib.delete_link(&file, &name).map_err(failed)?;
                file::count_replaced();
            }
            lib.rename_link(&file, &temporary, &name).map_err(failed)?;
            lib.flush(&file).map_err(failed)?;
            self.finished.store(true, Relaxed);
            Ok(())
        })
    }

    /// A store that failed before it wrote anything leaves nothing behind; otherwise the dataset stays, marked, so that the next
    /// store may take its place.
    pub fn abandon(&self) {
        if self.finished.load(Relaxed) || self.abandoned.swap(true, Relaxed) {
            return;
        }
        self.close();
        let touched = self.is_touched();
        if self.made_file && !touched && listing::list(&self.path).is_ok_and(|all| self.is_alone(&all)) {
            let _ = std::fs::remove_file(&self.path);
            return;
        }
        locked(|lib| {
            let leave = || -> Option<()> {
                let file = lib.open_file(&self.path, true).ok()?;
                let name = file::c_name(&self.temporary).ok()?;
                if !touched {
                    lib.delete_link(&file, &name).ok()?;
                    return lib.flush(&file).ok();
                }
                let dataset = lib.open_object(&file, &name).ok()?;
                attributes::overwrite(lib, &dataset, MARK, FAILED).ok()?;
                lib.flush(&file).ok()
            };
            // Nothing to be done where even this fails: the mark that is there will do.
            let _ = leave();
        });
    }

    /// Lets go of what the library holds open.
    fn close(&self) {
        let place = std::mem::replace(&mut *self.place.write(), Target::Closed);
        drop(place);
    }

    /// Whether a file holds nothing but this dataset and the groups it is in.
    fn is_alone(&self, entries: &[Entry]) -> bool {
        entries.iter().all(|e| matches!(e.content, Content::Group) || e.name == self.temporary)
    }

    fn failed(&self, what: &str) -> Error {
        write_error(&self.path, &self.name, what)
    }

    fn trouble(&self, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Short => self.failed("the system wrote nothing"),
            Trouble::System(error) => self.failed(&error.to_string()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Writes a block to its place in a dataset that is there.
pub fn write_part(path: &Path, name: &str, start: &[usize], block: &Block) -> Result<()> {
    let name = files::normal_name(name)?;
    let dataset = Dataset::open(path, &name)?;
    part::check_fits(&|| dataset.target(), (dataset.dtype(), dataset.shape()), start, block)?;
    if block.is_empty() {
        return Ok(());
    }
    dataset.check_for_library()?;
    locked(|lib| {
        let place = listing::find_dataset(lib, &Source::open(lib, path)?, &name)?;
        let (file, _) = open_for_writing(lib, dataset.home())?;
        let object = lib.open_address(&file, place.address).map_err(|f| write_error(path, &name, &f.0))?;
        write_to(lib, &object, start, block).map_err(|f| write_error(path, &name, &f.0))
    })
}

/// Writes a block through the library, which converts the elements to what the file holds.
fn write_to(lib: &Library, dataset: &Id, start: &[usize], block: &Block) -> Outcome<()> {
    let memory = element::native(lib, block.dtype())?;
    let space = lib.dataset_space(dataset)?;
    lib.select(&space, start, &vec![1; start.len()], block.shape())?;
    let block = block.contiguous();
    lib.write(dataset, &memory, (&lib.space(block.shape())?, &space), block.as_bytes().unwrap_or(&[]))
}

/// The part of a chunk that a block covers.
#[derive(Default)]
struct Part {
    /// The chunk's place in row-major order, and its first element.
    number: usize,
    origin: Dims,
    count: Dims,
    /// Bytes from the start of the block, and from the start of the chunk.
    from: usize,
    to: usize,
    /// Bytes between neighbours in the chunk.
    inner: SmallVec<[usize; 6]>,
}

impl Part {
    /// Where it begins in the dataset, and the part of the block that it is.
    fn of(&self, block: &Block, start: &[usize]) -> (Dims, Block) {
        let at: Dims = (0..start.len()).map(|axis| self.origin[axis].max(start[axis])).collect();
        let piece = (0..start.len()).fold(block.clone(), |piece, axis| {
            piece.slice_axis(axis, Range { start: at[axis] - start[axis], step: 1, count: self.count[axis] })
        });
        (at, piece)
    }
}

/// A chunk on its way through the filters.
#[derive(Default)]
struct Buffers {
    plain: Vec<u8>,
    shuffled: Vec<u8>,
    encoded: Vec<u8>,
}

thread_local! {
    /// Kept between chunks: fresh pages cost more than encoding into old ones.
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers::default());
}

impl Buffers {
    fn encode(&mut self, pipeline: &Pipeline, encoder: &mut Encoder) -> &[u8] {
        let mut shuffled = false;
        for filter in pipeline.filters() {
            match filter {
                Filter::Shuffle(size) => {
                    self.shuffled.resize(self.plain.len(), 0);
                    shuffle::encode(&self.plain, *size, &mut self.shuffled);
                    shuffled = true;
                }
                _ => {
                    let from = if shuffled { &self.shuffled } else { &self.plain };
                    encoder.encode(from, &mut self.encoded);
                    return &self.encoded;
                }
            }
        }
        if shuffled { &self.shuffled } else { &self.plain }
    }
}

fn write_chunk(lib: &Library, dataset: &Id, origin: &[usize], bytes: &[u8]) -> Outcome<()> {
    let origin = sizes(origin);
    // SAFETY: the lock is held; `origin` has an entry for every axis, and `bytes` its length beside it.
    lib.check(unsafe {
        h5d::H5Dwrite_chunk(dataset.raw(), h5p::H5P_DEFAULT, 0, origin.as_ptr(), bytes.len(), bytes.as_ptr().cast())
    })
}
