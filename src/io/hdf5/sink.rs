//! Writing a dataset block by block, from any worker.
//!
//! [`Sink::create`] makes the dataset under the name `C.incomplete`, with all its space, and closes the file: a process
//! that dies later leaves a sound file behind. Blocks go to their places with the system's own calls, outside the library's
//! lock; compressed chunks are encoded by the worker and handed to the library. [`Sink::finish`] gives the dataset its name.
//! Until then nothing else in the file has changed, and whatever the new dataset replaces is still there.

use super::attributes::{self, Attribute};
use super::dataset::{self, Dataset};
use super::element;
use super::format::Sound;
use super::gather::{Output, Trouble};
use super::index::{self, Stored};
use super::library::{Failure, Id, Library, Outcome, locked, sizes};
use super::message::{Chunking, Layout};
use super::pipeline::{Filter, Pipeline};
use super::source::{Kind, Miss, Place, Source};
use super::walk::{Walk, byte_strides};
use super::{file, group, listing};
use crate::data::{Block, Chunks, DType, Dims, Map, Value};
use crate::err;
use crate::io::codec::deflate::Encoder;
use crate::io::codec::shuffle;
use crate::text::{Error, Result};
use hdf5_sys::{h5d, h5p};
use parking_lot::RwLock;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::ffi::CString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How a dataset is to be stored.
#[derive(Clone, Default)]
pub struct Options {
    /// Takes the place of a dataset of the same name.
    pub overwrite: bool,
    /// Deflate level, 1 to 9.
    pub deflate: Option<u8>,
    /// Put bytes of the same rank together before compressing.
    pub shuffle: bool,
    /// Shape of the storage chunks; chosen to fit the blocks where it is not given.
    pub chunks: Option<Dims>,
    pub attributes: Map,
}

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
    /// The file was made for this dataset.
    made_file: bool,
}

/// Where blocks go.
enum Target {
    /// Nowhere any more: the dataset is finished.
    Closed,
    /// There are no elements to write.
    Nowhere,
    /// One after the other from this position on.
    Contiguous(u64),
    /// To chunks that have their space.
    Chunked { dims: Dims, list: Vec<Stored> },
    /// Encoded by the worker chunk by chunk; space is found by the library.
    Filtered { dims: Dims, pipeline: Pipeline, level: u8, open: Open },
}

/// The dataset, open in the library while compressed chunks are handed over.
struct Open {
    dataset: Id,
    /// Kept so that the library lists the file among those to flush before others look into it.
    _file: Id,
}

/// Storage chunks are about this large: enough for one call, small enough to read parts.
const CHUNK_BYTES: usize = 1 << 20;
/// Arrays up to this size are not worth cutting.
const SMALL: usize = 64 << 10;
/// Below this, chunks cost more to find than to read.
const LEAST_CHUNK: usize = 4096;
/// The format's own limit is 4 GiB.
const MOST_CHUNK: usize = u32::MAX as usize;
/// The attribute that tells an unfinished dataset from one of the user's that happens to have such a name: the number of the
/// process that writes it, and 0 once that has failed. A number, so that changing it takes no new space on a full disk.
const MARK: &str = "dsk-incomplete";
const FAILED: i64 = 0;
/// Space that is left free for what the library has yet to write: its tables are in the file only when it is closed, and a
/// disk that is full by then would cost the other datasets of the file.
const MARGIN: u64 = 1 << 20;

/// The mark, as an attribute.
fn mark(process: i64) -> Map {
    let mut map = Map::new();
    map.set(MARK, Value::Int(process));
    map
}

impl Sink {
    /// Makes the dataset `name` of the file at `path`, and the file and parent groups where they are not there. Blocks will
    /// come cut as `chunks` says.
    ///
    /// # Errors
    /// `dsk::io` for a dataset that is there already, a file that is not HDF5 or may not be written; `dsk::type` for
    /// attributes that cannot be.
    pub fn create(path: &Path, name: &str, dtype: DType, chunks: &Chunks, options: &Options) -> Result<Sink> {
        let name = file::normal_name(name)?;
        if name == "/" {
            return Err(err!(Value, "`{}::/` names no dataset", path.display())
                .help("name one after the two colons: `file.h5::/C`"));
        }
        let attributes = attributes::prepare(&options.attributes)?;
        let shape = chunks.shape();
        if byte_strides(dtype.size(), &shape).is_none() {
            return Err(err!(Value, "an array of shape {:?} is larger than any memory", shape.as_slice()));
        }
        let cut = cut(chunks, dtype.size(), options)?;
        let temporary = format!("{name}.incomplete");
        // Compressed data is checked as it comes.
        let bytes = if is_filtered(options) { 0 } else { (shape.iter().product::<usize>() * dtype.size()) as u64 };
        let tables = cut.as_ref().map_or(0, |cut| {
            let counts = shape.iter().zip(cut).map(|(&n, &c)| n.div_ceil(c) as u64);
            counts.product::<u64>().saturating_mul(128)
        });
        check_room(path, &name, bytes.saturating_add(tables))?;
        locked(|lib| {
            let look = || check_names(lib, path, &name, &temporary, options.overwrite);
            let failed_before = match path.exists() && !lib.has_open(path) {
                true => file::undisturbed(path, look)?,
                false => look()?,
            };
            let (file, made_file) = open_for_writing(lib, path)?;
            if failed_before {
                lib.delete_link(&file, &file::c_name(&temporary)?).map_err(|f| write_error(path, &name, &f.0))?;
                file::count_replaced();
            }
            let failed = |f: Failure| write_error(path, &name, &f.0);
            let dataset = make(lib, &file, &temporary, dtype, &shape, cut.as_deref(), options).map_err(failed)?;
            let being_written = mark(std::process::id().into());
            attributes::write(lib, &dataset, &attributes::prepare(&being_written)?).map_err(failed)?;
            lib.flush(&file).map_err(failed)?;
            let own = OpenOptions::new().read(true).write(true).open(path).map_err(|e| file::system_error(path, &e))?;
            let place =
                place(lib, Open { dataset, _file: file }, (path, &temporary), &shape, dtype, cut.as_ref(), options)
                    .map_err(|what| write_error(path, &name, &what))?;
            Ok(Sink {
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
                made_file,
            })
        })
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
        let fits = start.len() == self.shape.len()
            && block.ndim() == self.shape.len()
            && (0..start.len()).all(|a| start[a].checked_add(block.shape()[a]).is_some_and(|e| e <= self.shape[a]));
        if !fits || block.dtype() != self.dtype {
            return Err(err!(
                Internal,
                "a block {:?} of {} does not fit `{}`, which is {:?} of {}",
                block.shape(),
                block.dtype(),
                self.target(),
                self.shape.as_slice(),
                self.dtype
            ));
        }
        let block = block.contiguous();
        let Some(bytes) = block.as_bytes().filter(|b| !b.is_empty()) else { return Ok(()) };
        let size = self.dtype.size();
        let (Some(from), Some(to)) = (byte_strides(size, block.shape()), byte_strides(size, &self.shape)) else {
            return Err(err!(Internal, "`{}` is larger than any memory", self.target()));
        };
        self.touched.store(true, Relaxed);
        match &*self.place.read() {
            Target::Closed => Err(self.failed("it is complete already")),
            Target::Nowhere => Ok(()),
            Target::Contiguous(at) => {
                let first = start.iter().zip(&to).map(|(s, t)| s * t).sum();
                let walk = Walk::new(size, block.shape(), &from, &to, (0, first));
                self.output.write(*at, walk, bytes).map_err(|t| self.trouble(t))
            }
            Target::Chunked { dims, list } => self.each_chunk(dims, start, &block, |part| {
                // The list is complete, in order: its place is its number.
                let stored = list.get(part.number).ok_or_else(|| self.failed("a chunk has no space"))?;
                let walk = Walk::new(size, &part.count, &from, &part.inner, (part.from, part.to));
                self.output.write(stored.position, walk, bytes).map_err(|t| self.trouble(t))
            }),
            Target::Filtered { dims, pipeline, level, open } => {
                let mut encoder = Encoder::new(*level);
                let whole = dims.iter().product::<usize>() * size;
                check_room(&self.path, &self.name, 2 * bytes.len() as u64)?;
                self.each_chunk(dims, start, &block, |part| {
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
                            let piece = part.of(&block, start, dims);
                            let start: Vec<usize> = (0..dims.len()).map(|a| part.origin[a].max(start[a])).collect();
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
            let replaces = match Source::open(lib, &self.path)?.find(lib, &self.name) {
                Ok(place) => check_whole(&place)?.is_some(),
                Err(Miss::Absent) => false,
                Err(Miss::Dangling(_)) => true,
                Err(Miss::Wrong(error)) => return Err(error),
            };
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

    /// Lets go of what the library holds open.
    fn close(&self) {
        let place = std::mem::replace(&mut *self.place.write(), Target::Closed);
        drop(place);
    }

    /// Whether a file holds nothing but this dataset and the groups it is in.
    fn is_alone(&self, entries: &[listing::Entry]) -> bool {
        entries.iter().all(|e| matches!(e.content, listing::Content::Group) || e.name == self.temporary)
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

/// A store that failed before it wrote anything leaves nothing behind; otherwise the dataset stays, marked, so that the next
/// store may take its place.
impl Drop for Sink {
    fn drop(&mut self) {
        if self.finished.load(Relaxed) {
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
}

/// Writes a block to its place in a dataset that is there.
pub fn write_part(path: &Path, name: &str, start: &[usize], block: &Block) -> Result<()> {
    let name = file::normal_name(name)?;
    let dataset = Dataset::open(path, &name)?;
    let fits = block.ndim() == dataset.shape().len()
        && (0..block.ndim()).all(|a| start[a].checked_add(block.shape()[a]).is_some_and(|e| e <= dataset.shape()[a]));
    if !fits {
        let (own, whole) = (block.shape(), dataset.shape());
        return Err(err!(
            Shape,
            "a block of shape {own:?} at {start:?} does not fit `{}`, whose shape is {whole:?}",
            dataset.target()
        ));
    }
    if block.dtype() != dataset.dtype() {
        return Err(err!(Type, "`{}` holds {}, the block {}", dataset.target(), dataset.dtype(), block.dtype())
            .help(format!("`(astype x :{})` converts it", dataset.dtype())));
    }
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
    fn of(&self, block: &Block, start: &[usize], dims: &[usize]) -> Block {
        (0..dims.len()).fold(block.clone(), |piece, axis| {
            let begin = self.origin[axis].max(start[axis]) - start[axis];
            piece.slice_axis(axis, crate::data::slice::Range { start: begin, step: 1, count: self.count[axis] })
        })
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

fn write_error(path: &Path, name: &str, what: &str) -> Error {
    let full = what.contains("No space left") || what.contains("os error 28");
    let what = if full { "the disk is full" } else { what };
    err!(Io, "`{}::{name}` cannot be written: {what}", path.display())
}

/// The file, and whether it was made just now.
fn open_for_writing(lib: &Library, path: &Path) -> Result<(Id, bool)> {
    match std::fs::metadata(path) {
        Ok(_) => {
            file::open(path)?;
            OpenOptions::new().write(true).open(path).map_err(|e| match e.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    err!(Io, "`{}` may not be written to: permission denied", path.display())
                }
                _ => file::system_error(path, &e),
            })?;
            Ok((file::open_in_library(lib, path, true)?, false))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|f| !f.is_dir()) {
                return Err(err!(Io, "`{}` cannot be made: there is no folder `{}`", path.display(), folder.display()));
            }
            let made = lib.create_file(path);
            if made.is_err() && path.exists() {
                // Another program was faster.
                return Ok((file::open_in_library(lib, path, true)?, false));
            }
            let made = made.map_err(|f| {
                // The system's own words are better than the library's.
                let why = match OpenOptions::new().write(true).create_new(true).open(path) {
                    Err(e) => e.to_string(),
                    Ok(_) => {
                        let _ = std::fs::remove_file(path);
                        f.0
                    }
                };
                err!(Io, "`{}` cannot be made: {why}", path.display())
            })?;
            Ok((made, true))
        }
        Err(e) => Err(file::system_error(path, &e)),
    }
}

/// Checks that the name is free, or may be replaced, that what it lies in are groups, and that all the library will walk is
/// sound. Tells whether a failed store left something under the temporary name, which is to be removed.
fn check_names(lib: &Library, path: &Path, name: &str, temporary: &str, overwrite: bool) -> Result<bool> {
    let shown = path.display();
    if !path.exists() {
        return Ok(false);
    }
    let source = Source::open(lib, path)?;
    check_whole(&source.root())?;
    let find = |name: &str| match source.find(lib, name) {
        Ok(place) => Ok(Some(Ok(place))),
        Err(Miss::Absent) => Ok(None),
        Err(Miss::Dangling(why)) => Ok(Some(Err(why))),
        Err(Miss::Wrong(error)) => Err(error),
    };
    for (end, _) in name.match_indices('/').skip(1) {
        let parent = &name[..end];
        match find(parent)? {
            None => break,
            Some(Ok(place)) if check_whole(&place)? == Some(Kind::Group) => {}
            Some(Ok(_)) => return Err(err!(Io, "`{shown}::{name}` cannot be made: `{parent}` is not a group")),
            Some(Err(why)) => {
                return Err(err!(Io, "`{shown}::{name}` cannot be made: `{parent}` cannot be opened: {why}"));
            }
        }
    }
    if let Some(there) = find(name)? {
        match there {
            Ok(place) if check_whole(&place)? == Some(Kind::Group) => {
                return Err(err!(Io, "`{shown}::{name}` is a group: a dataset cannot take its place"));
            }
            _ if !overwrite => {
                return Err(err!(Io, "`{shown}` has `{name}` already")
                    .help("`:overwrite true` replaces it, once the new one is complete"));
            }
            _ => {}
        }
    }
    let Some(there) = find(temporary)? else { return Ok(false) };
    let mark = there.ok().map(|place| {
        check_whole(&place)?;
        let header = place.header().map_err(|d| place.told(&d))?;
        let attributes = attributes::all(&place.source, &header).map_err(|d| place.told(&d))?;
        Ok(attributes.get_text(MARK).and_then(Value::as_int))
    });
    match mark.transpose()?.flatten() {
        None => Err(err!(Io, "`{shown}` has `{temporary}`, which no store left there")
            .help("stores write under that name until they are done: rename it")),
        Some(mark) if is_being_written(mark) => Err(err!(Io, "`{shown}::{name}` is being written by another store")),
        Some(_) => Ok(true),
    }
}

/// Looks over an object and all that belongs to it: a group's names, a dataset's chunks, attributes. What the library changes
/// or removes, it walks.
fn check_whole(place: &Place) -> Result<Option<Kind>> {
    let source = &place.source;
    let check = || {
        let header = place.header()?;
        let kind = Kind::of(&header);
        match kind {
            Some(Kind::Group) => drop(group::links(source, &header)?),
            Some(Kind::Dataset) => dataset::check_whole(place, &header)?,
            _ => {}
        }
        attributes::all(source, &header)?;
        Sound::Ok(kind)
    };
    check().map_err(|damage| place.told(&damage))
}

/// Whether the process that wrote a mark is at it still.
fn is_being_written(mark: i64) -> bool {
    let pid = i32::try_from(mark).ok().filter(|&id| id > 0).and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Bytes that can still be written where a file is, or will be; as many as there may be where that cannot be told.
fn room(path: &Path) -> u64 {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let at = if path.exists() { path } else { folder };
    rustix::fs::statvfs(at).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}

/// Makes sure that so many bytes fit before the library is asked to write any.
fn check_room(path: &Path, name: &str, bytes: u64) -> Result<()> {
    let room = room(path);
    if bytes.saturating_add(MARGIN) <= room {
        return Ok(());
    }
    let (bytes, room) = (listing::size_text(bytes), listing::size_text(room));
    Err(write_error(path, name, &format!("{bytes} are to be written, and the disk has {room} left")))
}

fn make(
    lib: &Library,
    file: &Id,
    name: &str,
    dtype: DType,
    shape: &[usize],
    cut: Option<&[usize]>,
    options: &Options,
) -> Outcome<Id> {
    let name = CString::new(name).map_err(|_| Failure::from("a NUL in a name"))?;
    let datatype = element::native(lib, dtype)?;
    let space = lib.space(shape)?;
    // SAFETY: the lock is held, the ids are open, `dims` has as many sizes as the call is told.
    unsafe {
        let links = lib.id(h5p::H5Pcreate(*h5p::H5P_CLS_LINK_CREATE))?;
        lib.check(h5p::H5Pset_create_intermediate_group(links.raw(), 1))?;
        lib.check(h5p::H5Pset_char_encoding(links.raw(), hdf5_sys::h5t::H5T_cset_t::H5T_CSET_UTF8))?;
        let creation = lib.id(h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE))?;
        if let Some(cut) = cut {
            let dims = sizes(cut);
            lib.check(h5p::H5Pset_chunk(creation.raw(), dims.len() as i32, dims.as_ptr()))?;
        }
        if is_filtered(options) && cut.is_some() {
            if options.shuffle {
                lib.check(h5p::H5Pset_shuffle(creation.raw()))?;
            }
            if let Some(level) = options.deflate {
                lib.check(h5p::H5Pset_deflate(creation.raw(), u32::from(level)))?;
            }
        } else {
            // All space at once, and no zeros written to it: the blocks will cover it.
            lib.check(h5p::H5Pset_alloc_time(creation.raw(), h5d::H5D_alloc_time_t::H5D_ALLOC_TIME_EARLY))?;
            lib.check(h5p::H5Pset_fill_time(creation.raw(), h5d::H5D_fill_time_t::H5D_FILL_TIME_NEVER))?;
        }
        let default = h5p::H5P_DEFAULT;
        lib.id(h5d::H5Dcreate2(
            file.raw(),
            name.as_ptr(),
            datatype.raw(),
            space.raw(),
            links.raw(),
            creation.raw(),
            default,
        ))
    }
}

fn is_filtered(options: &Options) -> bool {
    options.deflate.is_some() || options.shuffle
}

/// Where the blocks of a new dataset go; what was flushed to the file tells.
fn place(
    lib: &Library,
    open: Open,
    (path, name): (&Path, &str),
    shape: &[usize],
    dtype: DType,
    cut: Option<&Dims>,
    options: &Options,
) -> std::result::Result<Target, String> {
    if shape.contains(&0) {
        return Ok(Target::Nowhere);
    }
    if let Some(dims) = cut
        && is_filtered(options)
    {
        let mut filters = Vec::new();
        if options.shuffle {
            filters.push(Filter::Shuffle(dtype.size()));
        }
        filters.extend(options.deflate.map(Filter::Deflate));
        let (pipeline, level) = (Pipeline::new(filters), options.deflate.unwrap_or(0));
        return Ok(Target::Filtered { dims: dims.clone(), pipeline, level, open });
    }
    let source = Source::open(lib, path).map_err(|e| e.message().to_string())?;
    let medium = source.medium();
    let Ok(place) = source.find(lib, name) else { return Err("the library did not make it".into()) };
    let layout = place.header().and_then(|header| Layout::of(&medium, &header, dtype.size(), shape.len()));
    match (layout.map_err(|d| d.to_string())?, cut) {
        (Layout::Contiguous(Some(at)), None) => Ok(Target::Contiguous(medium.base + at)),
        (Layout::Chunked(Chunking { index, address, .. }), Some(dims)) => {
            let limit: Vec<Option<usize>> = shape.iter().map(|&n| Some(n)).collect();
            let bytes = (dims.iter().product::<usize>() * dtype.size()) as u64;
            let grid = index::Grid { shape, limit: &limit, chunk: dims, bytes };
            let list = index::list(&medium, &index, address, &grid, false).map_err(|d| d.to_string())?;
            let wanted: usize = shape.iter().zip(dims).map(|(n, c)| n.div_ceil(*c)).product();
            match list.len() == wanted {
                true => Ok(Target::Chunked { dims: dims.clone(), list }),
                false => Err("the library did not find space for every chunk".into()),
            }
        }
        _ => Err("the library laid it out in an unknown way".into()),
    }
}

/// The shape of the storage chunks; `None` for one piece.
fn cut(chunks: &Chunks, size: usize, options: &Options) -> Result<Option<Dims>> {
    let shape = chunks.shape();
    let filtered = is_filtered(options);
    let bytes = shape.iter().product::<usize>() * size;
    if let Some(dims) = &options.chunks {
        if dims.len() != shape.len() {
            let (given, axes) = (dims.len(), shape.len());
            return Err(err!(Value, "`:storage-chunks` has a size for each axis: {axes} here, found {given}"));
        }
        if let Some(axis) = (0..dims.len()).find(|&a| dims[a] == 0 || dims[a] > shape[a].max(1)) {
            let (size, n) = (dims[axis], shape[axis]);
            return Err(err!(Value, "`:storage-chunks` has a size of {size} for axis {axis}, which has {n} elements")
                .help("sizes are from 1 to the length of the axis"));
        }
        let dims = dims.clone();
        if dims.iter().product::<usize>().saturating_mul(size) > MOST_CHUNK {
            return Err(err!(Value, "a storage chunk takes 4 GiB at most"));
        }
        return Ok((!shape.is_empty() && bytes > 0).then_some(dims));
    }
    if shape.is_empty() || bytes == 0 || (bytes <= SMALL && !filtered) {
        return Ok(None);
    }
    let axes: Vec<Axis> = (0..shape.len()).map(|a| Axis::of(chunks.axis(a), shape[a])).collect();
    let dims = divide(axes.iter().map(|a| (a.unit, a.free)).collect(), size);
    let product = dims.iter().product::<usize>() * size;
    if (LEAST_CHUNK..=MOST_CHUNK).contains(&product) || product == bytes {
        return Ok(Some(dims));
    }
    // Ragged blocks have no common chunks worth having. In one piece any block can be written; compressed chunks
    // that blocks share go through the library.
    if !filtered {
        return Ok(None);
    }
    let largest = (0..shape.len()).map(|a| chunks.axis(a).iter().copied().max().unwrap_or(1).max(1));
    Ok(Some(divide(largest.map(|n| (n, true)).collect(), size)))
}

/// What an axis of chunks must divide so that no chunk is in two blocks.
struct Axis {
    unit: usize,
    /// Any size will do: there is one block.
    free: bool,
}

impl Axis {
    fn of(blocks: &[usize], len: usize) -> Axis {
        let mut at = 0;
        let mut unit = 0;
        for n in blocks {
            at += n;
            if at > 0 && at < len {
                unit = gcd(unit, at);
            }
        }
        if unit == 0 { Axis { unit: len, free: true } } else { Axis { unit, free: false } }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Divides the longest axes until a chunk is small enough; axes that are not free stay divisors of what they were.
fn divide(mut axes: Vec<(usize, bool)>, size: usize) -> Dims {
    let product = |axes: &[(usize, bool)]| axes.iter().fold(size, |n, a| n.saturating_mul(a.0));
    let mut done = vec![false; axes.len()];
    while product(&axes) > CHUNK_BYTES {
        // Of equally long ones the first: rows stay long.
        let open = (0..axes.len()).rev().filter(|&a| !done[a] && axes[a].0 > 1);
        let Some(axis) = open.max_by_key(|&a| axes[a].0) else { break };
        let (n, free) = axes[axis];
        let divisor = if free { Some(2) } else { (2..=17).find(|d| n % d == 0) };
        match divisor {
            Some(d) => axes[axis].0 = n.div_ceil(d),
            None => done[axis] = true,
        }
    }
    axes.into_iter().map(|a| a.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(blocks: &[&[usize]], deflate: bool) -> Option<Vec<usize>> {
        let chunks = Chunks::new(blocks.iter().map(|b| b.to_vec()).collect());
        let options = Options { deflate: deflate.then_some(4), ..Options::default() };
        cut(&chunks, 8, &options).unwrap().map(|d| d.to_vec())
    }

    #[test]
    fn storage_chunks_divide_the_blocks_and_are_about_a_mebibyte() {
        assert_eq!(cut_of(&[&[1000; 4][..]; 2], false), Some(vec![250, 500]));
        assert_eq!(cut_of(&[&[1000, 1000, 37], &[500, 500]], false), Some(vec![250, 500]));
        // One block: any size will do.
        assert_eq!(cut_of(&[&[3001], &[1009]], false), Some(vec![376, 253]));
        // Too small to cut, no elements, no axes.
        assert_eq!(cut_of(&[&[10, 10]], false), None);
        assert_eq!(cut_of(&[&[0]], false), None);
        assert_eq!(cut_of(&[], true), None);
        assert_eq!(cut_of(&[&[10, 10]], true), Some(vec![10]));
        // Ragged: one piece, or shared chunks where they are compressed.
        assert_eq!(cut_of(&[&[1000, 999, 7001][..]; 2], false), None);
        assert_eq!(cut_of(&[&[1000, 999, 7001][..]; 2], true), Some(vec![219, 438]));
    }
}
