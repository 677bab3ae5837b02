//! A dataset, opened for reading: what it holds, and where it lies. Opening learns the layout; reading
//! (see `read`) needs neither the library nor its lock, unless the layout or a filter is one that only the library knows.

use super::datatype::Datatype;
use super::element::{self, Element};
use super::format::{Cursor, Damage, Medium, Sound};
use super::header::{Header, kind};
use super::heap::LocalHeap;
use super::index::{self, Stored};
use super::library::locked;
use super::message::{self, Dataspace, FilterMessage, Layout};
use super::pipeline::Pipeline;
use super::source::{Kind, Miss, Place, Source};
use super::{file, listing, virtuals};
use crate::data::{DType, Dims, Map, Outside};
use crate::err;
use crate::io::files;
use crate::io::walk::byte_strides;
use crate::text::Result;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

pub struct Dataset {
    path: PathBuf,
    /// The file it lies in: an external link leads to another one.
    home: PathBuf,
    /// From the root: `/group/A`.
    name: String,
    shape: Dims,
    pub(super) datatype: Datatype,
    pub(super) element: Element,
    pub(super) storage: Storage,
    filters: Vec<String>,
    /// One element as the file would hold it, where none was written.
    pub(super) fill: Vec<u8>,
    /// Our own descriptor, for reading beside the library.
    pub(super) file: File,
    /// Of the object header: tells this dataset from another that took its name.
    pub(super) address: u64,
    /// The count of replaced datasets when this one was last known to be in its place.
    pub(super) known_at: AtomicU64,
    identity: String,
    /// Set once all that the library would walk was looked over.
    checked: OnceLock<()>,
}

/// How the elements are got at.
pub(super) enum Storage {
    /// One after the other from this position on; nowhere where none was ever written.
    Contiguous(Option<u64>),
    Chunked(Box<Chunked>),
    /// In the object header, all of it.
    Compact(Vec<u8>),
    /// Through the library, under its lock.
    Library(Foreign),
}

/// What only the library reads.
pub(super) enum Foreign {
    /// Chunks with filters that are not worked here.
    Filters(Box<Chunked>),
    /// Data in files without a format.
    External,
    /// Parts of other datasets, listed in an object of the global heap.
    Virtual { heap: u64, object: u64 },
}

pub(super) struct Chunked {
    pub dims: Dims,
    /// Bytes in a chunk before filters.
    pub bytes: usize,
    pub pipeline: Pipeline,
    /// Chunks that reach beyond the shape are left unfiltered.
    pub plain_edges: bool,
    index: message::Index,
    address: Option<u64>,
    limit: Vec<Option<usize>>,
    /// Base, size of addresses, size of lengths.
    format: (u64, usize, usize),
    list: OnceLock<std::result::Result<Vec<Stored>, String>>,
}

impl Dataset {
    /// Opens the dataset `name` of the file at `path`.
    ///
    /// # Errors
    /// `dsk::io` for a file or dataset that is not there or damaged, `dsk::type` for elements that no dtype fits.
    pub fn open(path: &Path, name: &str) -> Result<Dataset> {
        let name = files::normal_name(name)?;
        locked(|lib| {
            let source = Source::open(lib, path)?;
            let place = listing::find_dataset(lib, &source, &name)?;
            Dataset::learn(path, &name, &place)
        })
    }

    fn learn(path: &Path, name: &str, place: &Place) -> Result<Dataset> {
        let source = &place.source;
        let target = || format!("`{}::{name}`", path.display());
        let told = |damage: Damage| place.told(&damage);
        let medium = source.medium();
        let header = place.header().map_err(told)?;
        let datatype = datatype_of(source, &header).map_err(told)?;
        let element = Element::of(&datatype).map_err(|kind| {
            err!(Type, "{} holds {kind}, which no dtype stands for", target())
                .help("datasets of numbers, bools and complex numbers can be read")
        })?;
        let space = dataspace_of(source, &header)
            .map_err(told)?
            .ok_or_else(|| err!(Type, "{} is an empty dataspace: it has no array in it", target()))?;
        let shape: Dims = space.shape.as_slice().into();
        if byte_strides(element.size.max(element.dtype.size()), &shape).is_none() {
            return Err(err!(Io, "{} is said to be of shape {:?}, larger than any memory", target(), shape.as_slice()));
        }
        let pipeline = Pipeline::of(&filters_of(source, &header).map_err(told)?, element.size);
        let fill = fill_of(source, &header, element.size).map_err(told)?;
        let layout = Layout::of(&medium, &header, element.size, shape.len()).map_err(told)?;
        let external = header.first(kind::EXTERNAL);
        let storage = match layout {
            _ if let Some(files) = external => {
                check_external(&medium, &files.body).map_err(told)?;
                Storage::Library(Foreign::External)
            }
            Layout::Compact(bytes) => {
                let whole = space.count().and_then(|n| n.checked_mul(element.size));
                match whole.is_some_and(|n| n <= bytes.len()) {
                    true => Storage::Compact(bytes),
                    false => return Err(told("a dataset is shorter than its shape".into())),
                }
            }
            Layout::Contiguous(at) => {
                let at = at.map(|at| {
                    medium.base.checked_add(at).ok_or_else(|| told("data lies beyond the end of the file".into()))
                });
                Storage::Contiguous(at.transpose()?)
            }
            Layout::Chunked(chunking) => {
                let bytes = chunking.dims.iter().try_fold(element.size, |n, &d| n.checked_mul(d));
                let bytes = bytes.filter(|&n| isize::try_from(n).is_ok());
                let chunked = Box::new(Chunked {
                    bytes: bytes.ok_or_else(|| told("chunks are larger than any memory".into()))?,
                    dims: chunking.dims.as_slice().into(),
                    index: chunking.index,
                    address: chunking.address,
                    plain_edges: chunking.plain_edges,
                    limit: space.limit,
                    format: (medium.base, medium.address, medium.length),
                    list: OnceLock::new(),
                    pipeline: pipeline.clone(),
                });
                match pipeline.ours {
                    true => Storage::Chunked(chunked),
                    false => Storage::Library(Foreign::Filters(chunked)),
                }
            }
            Layout::Virtual { heap, object } => Storage::Library(Foreign::Virtual { heap, object }),
        };
        let about = source.file.metadata().map_err(|e| files::system_error(path, &e))?;
        let address = place.address;
        let identity = format!("{}::{name} {} {address}", path.display(), files::Stamp::of(&about));
        let own = source.file.try_clone().map_err(|e| files::system_error(path, &e))?;
        Ok(Dataset {
            path: path.to_path_buf(),
            home: source.path.clone(),
            name: name.to_string(),
            shape,
            datatype,
            element,
            storage,
            filters: pipeline.names,
            fill,
            file: own,
            address,
            known_at: AtomicU64::new(file::replaced()),
            identity,
            checked: OnceLock::new(),
        })
    }

    /// Looks over all that the library would walk to read this dataset: it must not be given what is damaged.
    pub(super) fn check_for_library(&self) -> Result<()> {
        if self.checked.get().is_some() {
            return Ok(());
        }
        let told = |what: &dyn std::fmt::Display| err!(Io, "`{}` is damaged: {what}", self.home.display());
        match &self.storage {
            Storage::Chunked(chunked) | Storage::Library(Foreign::Filters(chunked)) => {
                let list = chunked.list(&self.shape, &self.file).map_err(|what| told(&what))?;
                let len = self.file.metadata().map_err(|e| files::system_error(&self.home, &e))?.len();
                // The library does not look where these two write.
                if let Some(name) = self.filters.iter().find(|n| matches!(n.as_str(), "nbit" | "scale-offset")) {
                    return Err(err!(
                        Io,
                        "`{}` cannot be read: its {name} filter is of an unknown kind",
                        self.target()
                    ));
                }
                if !list.iter().all(|c| c.position.checked_add(c.size).is_some_and(|end| end <= len)) {
                    return Err(told(&"a chunk lies beyond the end of the file"));
                }
            }
            Storage::Library(Foreign::Virtual { heap, object }) => virtuals::check(&self.home, *heap, *object, self)?,
            _ => {}
        }
        let _ = self.checked.set(());
        Ok(())
    }

    /// The file it lies in, which an external link may have led to.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `path::name`, as messages name it.
    pub fn target(&self) -> String {
        format!("{}::{}", self.path.display(), self.name)
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn dtype(&self) -> DType {
        self.element.dtype
    }

    /// Shape of the chunks it is stored in; `None` where it is stored in one piece.
    pub fn chunks(&self) -> Option<&[usize]> {
        match &self.storage {
            Storage::Chunked(c) | Storage::Library(Foreign::Filters(c)) => Some(&c.dims),
            _ => None,
        }
    }

    /// Names of the filters, in the order they are applied on writing.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// Whether workers read it side by side, without the library.
    pub fn is_direct(&self) -> bool {
        !matches!(self.storage, Storage::Library(_))
    }

    /// What reading a part of it takes besides the block.
    pub fn outside(&self) -> Outside {
        let filtered = |chunked: &Chunked| if chunked.pipeline.is_empty() { 0 } else { 3 * chunked.bytes };
        let scratch = match &self.storage {
            Storage::Chunked(chunked) => {
                // Where its chunks are is looked up now and kept, so that it is among what is there before the first block is
                // read. What is wrong with it reading will tell.
                let _ = chunked.list(&self.shape, &self.file);
                filtered(chunked)
            }
            // The library's own buffers: of conversion, and a cache of chunks.
            Storage::Library(Foreign::Filters(chunked)) => filtered(chunked) + (2 << 20),
            Storage::Library(_) => 2 << 20,
            Storage::Contiguous(_) | Storage::Compact(_) => 0,
        };
        let wider = match self.element.encoding {
            Some(encoding) => encoding.wider(),
            // The bytes as they are, and numbers of the widest kind before they are what was asked for.
            None => self.element.size + 3 * DType::C128.size(),
        };
        Outside { dtype: self.dtype(), shape: self.shape().into(), scratch, wider }
    }

    /// Differs when the file is another one or was written to since.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The state of the file it is read from, as a number: another one once the file was written to. `None` where nothing tells that
    /// it was: the data are in other files, or the file was changed a moment ago, so that the next change may leave the
    /// same time.
    pub fn state(&self) -> Option<u64> {
        if matches!(self.storage, Storage::Library(Foreign::External | Foreign::Virtual { .. })) {
            return None;
        }
        files::state(&self.file)
    }

    /// Attributes by name.
    pub fn attributes(&self) -> Result<Map> {
        super::attributes::read(&self.path, &self.name)
    }
}

impl Chunked {
    /// Every chunk that was written, ordered by number; looked up in the file once.
    pub(super) fn list(&self, shape: &[usize], file: &File) -> std::result::Result<&[Stored], String> {
        let list = self.list.get_or_init(|| {
            let (base, address, length) = self.format;
            let len = file.metadata().map_err(|e| e.to_string())?.len();
            let medium = Medium { file, len, base, address, length };
            let grid = index::Grid { shape, limit: &self.limit, chunk: &self.dims, bytes: self.bytes as u64 };
            index::list(&medium, &self.index, self.address, &grid, !self.pipeline.is_empty()).map_err(|d| d.to_string())
        });
        list.as_deref().map_err(Clone::clone)
    }
}

pub(super) fn datatype_of(source: &Source, header: &Header) -> Sound<Datatype> {
    let message = header.first(kind::DATATYPE).ok_or("a dataset has no datatype")?;
    Datatype::parse(&source.body(message)?)
}

pub(super) fn dataspace_of(source: &Source, header: &Header) -> Sound<Option<Dataspace>> {
    let message = header.first(kind::DATASPACE).ok_or("a dataset has no dataspace")?;
    Dataspace::parse(&source.medium(), &source.body(message)?)
}

pub(super) fn filters_of(source: &Source, header: &Header) -> Sound<Vec<FilterMessage>> {
    match header.first(kind::FILTERS) {
        Some(message) => message::filters(&source.body(message)?),
        None => Ok(Vec::new()),
    }
}

fn fill_of(source: &Source, header: &Header, size: usize) -> Sound<Vec<u8>> {
    let body = |kind| header.first(kind).map(|m| source.body(m)).transpose();
    message::fill(body(kind::FILL)?.as_deref(), body(kind::OLD_FILL)?.as_deref(), size)
}

/// Looks over all messages of a dataset, and what they point to.
pub(super) fn check_whole(place: &Place, header: &Header) -> Sound<()> {
    let medium = place.source.medium();
    listing::dataset_content(place, header)?;
    let size = datatype_of(&place.source, header)?.size;
    let ndim = dataspace_of(&place.source, header)?.map_or(0, |s| s.shape.len());
    fill_of(&place.source, header, size)?;
    if let Some(files) = header.first(kind::EXTERNAL) {
        check_external(&medium, &files.body)?;
    }
    if let Layout::Virtual { heap, object } = Layout::of(&medium, header, size, ndim)? {
        virtuals::parts(&medium, heap, object)?;
    }
    Ok(())
}

/// The names of the files that hold the data, which are in a heap.
fn check_external(medium: &Medium, body: &[u8]) -> Sound<()> {
    let mut cursor = Cursor::new(body);
    if cursor.number(1)? != 1 {
        return Err("a list of files of unknown version".into());
    }
    cursor.take(3)?;
    let (slots, used) = (cursor.size(2)?, cursor.size(2)?);
    let heap = LocalHeap::read(medium, cursor.place(medium)?)?;
    if used > slots {
        return Err("a list of files longer than itself".into());
    }
    for _ in 0..used {
        if heap.text(cursor.number(medium.length)?)?.is_empty() {
            return Err("a file without a name".into());
        }
        cursor.take(2 * medium.length)?;
    }
    Ok(())
}

/// Whether a name still leads to the object at this address.
///
/// # Errors
/// `dsk::io` where the file cannot be looked into: it is gone or damaged, which is another thing than replaced.
pub(super) fn is_still_there(path: &Path, name: &str, address: u64) -> Result<bool> {
    locked(|lib| match Source::open(lib, path)?.find(lib, name) {
        Ok(place) => {
            let header = place.header().map_err(|damage| place.told(&damage))?;
            Ok(place.address == address && Kind::of(&header) == Some(Kind::Dataset))
        }
        Err(Miss::Wrong(error)) => Err(error),
        Err(Miss::Absent | Miss::Dangling(_)) => Ok(false),
    })
}

/// What a listing calls the elements: their dtype, or what the file says they are.
pub(super) fn type_name(datatype: &Datatype) -> String {
    match Element::of(datatype) {
        Ok(element) => element.dtype.name().to_string(),
        Err(_) => element::describe(datatype),
    }
}
