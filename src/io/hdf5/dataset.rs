//! A dataset, opened for reading: what it holds, and where it lies. Opening learns the layout under the library's lock;
//! reading (see `read`) then needs neither the library nor its lock, unless the layout is one that only the library knows.

use super::element::{self, Element, Encoding};
use super::format::{self, Layout, Medium};
use super::index::{self, Stored};
use super::library::{Failure, Id, Kind, Library, Outcome, locked};
use super::pipeline::Pipeline;
use super::{file, listing};
use crate::data::{DType, Dims, Map};
use crate::err;
use crate::text::Result;
use hdf5_sys::h5d;
use hdf5_sys::h5p;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

pub struct Dataset {
    path: PathBuf,
    /// From the root: `/group/A`.
    name: String,
    shape: Dims,
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
}

/// How the elements are got at.
pub(super) enum Storage {
    /// One after the other from this position on; nowhere where none was ever written.
    Contiguous(Option<u64>),
    Chunked(Box<Chunked>),
    /// Through the library, under its lock; chunk shape where there is one.
    Library(Option<Dims>),
}

pub(super) struct Chunked {
    pub dims: Dims,
    /// Bytes in a chunk before filters.
    pub bytes: usize,
    pub pipeline: Pipeline,
    index: format::Index,
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
        let name = file::normal_name(name)?;
        let own = file::open(path)?;
        locked(|lib| {
            let file = file::open_in_library(lib, path, false)?;
            let object = listing::find_dataset(lib, &file, path, &name)?;
            let (home, home_path) = lib.home(&object).map_err(|f| err!(Io, "`{}`: {}", path.display(), f.0))?;
            // An external link leads to another file, where the bytes are, too.
            let own = if home_path == path { own } else { file::open(&home_path)? };
            Dataset::learn(lib, path, &name, own, &home, &object)
        })
    }

    fn learn(lib: &Library, path: &Path, name: &str, own: File, file: &Id, object: &Id) -> Result<Dataset> {
        let broken = |what: Failure| err!(Io, "`{}::{name}` cannot be read: {}", path.display(), what.0);
        let file_type = lib.dataset_type(object).map_err(broken)?;
        let element = Element::of(lib, &file_type).map_err(|kind| {
            err!(Type, "`{}::{name}` holds {}, which no dtype stands for", path.display(), kind.0)
                .help("datasets of numbers, bools and complex numbers can be read")
        })?;
        let space = lib.dataset_space(object).map_err(broken)?;
        let shape = lib.shape(&space).map_err(broken)?;
        let shape: Dims = shape
            .ok_or_else(|| err!(Type, "`{}::{name}` is an empty dataspace: it has no array in it", path.display()))?
            .into();
        let whole = super::walk::byte_strides(element.size.max(element.dtype.size()), &shape);
        if whole.is_none() {
            return Err(err!(
                Io,
                "`{}::{name}` is said to be of shape {:?}, larger than any memory",
                path.display(),
                shape.as_slice()
            ));
        }
        let learnt = (|| {
            let creation = lib.creation(object)?;
            let filters = Pipeline::of(lib, &creation, element.size)?;
            let chunk = chunk_shape(lib, &creation, shape.len())?;
            let fill = fill_value(lib, &creation, &file_type, element.size)?;
            // What the library still has in memory from writing must be in the file before we look there.
            lib.flush(file)?;
            let address = lib.address(object)?;
            Ok((creation, filters, chunk, fill, address))
        })()
        .map_err(broken)?;
        let storage =
            Dataset::storage(lib, file, object, &own, &element, &learnt).map_err(|what| broken(Failure(what)))?;
        let (_, filters, _, fill, address) = learnt;
        let about = own.metadata().map_err(|e| file::system_error(path, &e))?;
        let identity = format!(
            "{}::{name} {}:{} {} {}.{:09} {address}",
            path.display(),
            about.dev(),
            about.ino(),
            about.len(),
            about.mtime(),
            about.mtime_nsec()
        );
        Ok(Dataset {
            path: path.to_path_buf(),
            name: name.to_string(),
            shape,
            element,
            storage,
            filters: filters.names,
            fill,
            file: own,
            address,
            known_at: AtomicU64::new(file::replaced()),
            identity,
        })
    }

    fn storage(
        lib: &Library,
        file: &Id,
        object: &Id,
        own: &File,
        element: &Element,
        learnt: &(Id, Pipeline, Option<Dims>, Vec<u8>, u64),
    ) -> std::result::Result<Storage, String> {
        let (creation, filters, chunk, _, address) = learnt;
        let library = || Ok(Storage::Library(chunk.clone()));
        // SAFETY: the lock is held, the id is open.
        let external = unsafe { h5p::H5Pget_external_count(creation.raw()) };
        if element.encoding == Encoding::Foreign || !filters.ours || external != 0 {
            return library();
        }
        let (sizeof_address, sizeof_length, base) = lib.file_format(file).map_err(|f| f.0)?;
        let medium = Medium {
            file: own,
            len: own.metadata().map_err(|e| e.to_string())?.len(),
            base,
            address: sizeof_address,
            length: sizeof_length,
        };
        match (format::layout(&medium, *address).map_err(|d| d.0)?, &chunk) {
            (Layout::Contiguous(at), None) => {
                let at = at.map(|at| base.checked_add(at).ok_or("the data lies beyond the end of the file"));
                Ok(Storage::Contiguous(at.transpose()?))
            }
            (Layout::Chunked { index, address }, Some(dims)) => {
                let bytes = dims.iter().try_fold(element.size, |n, &d| n.checked_mul(d));
                let bytes = bytes.filter(|&n| isize::try_from(n).is_ok()).ok_or("chunks larger than any memory")?;
                Ok(Storage::Chunked(Box::new(Chunked {
                    dims: dims.clone(),
                    bytes,
                    pipeline: filters.clone(),
                    index,
                    address,
                    limit: limits(lib, object).map_err(|f| f.0)?,
                    format: (base, sizeof_address, sizeof_length),
                    list: OnceLock::new(),
                })))
            }
            _ => library(),
        }
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
            Storage::Chunked(c) => Some(&c.dims),
            Storage::Library(chunk) => chunk.as_deref(),
            Storage::Contiguous(_) => None,
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

    /// Differs when the file is another one or was written to since.
    pub fn identity(&self) -> &str {
        &self.identity
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
            index::list(&medium, &self.index, self.address, &grid, !self.pipeline.is_empty()).map_err(|d| d.0)
        });
        list.as_deref().map_err(Clone::clone)
    }
}

fn chunk_shape(lib: &Library, creation: &Id, ndim: usize) -> Outcome<Option<Dims>> {
    // SAFETY: the lock is held, the id is open; `dims` has room for as many sizes as the call is told.
    unsafe {
        if h5p::H5Pget_layout(creation.raw()) != h5d::H5D_layout_t::H5D_CHUNKED {
            return Ok(None);
        }
        let mut dims = vec![0; ndim];
        let got = h5p::H5Pget_chunk(creation.raw(), ndim as i32, dims.as_mut_ptr());
        lib.check(got)?;
        let dims: Option<Dims> = dims.iter().map(|&d| usize::try_from(d).ok().filter(|&d| d > 0)).collect();
        match dims {
            Some(dims) if got as usize == ndim => Ok(Some(dims)),
            _ => Err("its chunks have another rank than the dataset".into()),
        }
    }
}

/// The longest each axis may become.
fn limits(lib: &Library, object: &Id) -> Outcome<Vec<Option<usize>>> {
    use hdf5_sys::h5s;
    let space = lib.dataset_space(object)?;
    // SAFETY: the lock is held; `most` has room for as many axes as the library reports.
    unsafe {
        let ndim = h5s::H5Sget_simple_extent_ndims(space.raw());
        lib.check(ndim)?;
        let mut most = vec![0; ndim as usize];
        lib.check(h5s::H5Sget_simple_extent_dims(space.raw(), std::ptr::null_mut(), most.as_mut_ptr()))?;
        Ok(most.into_iter().map(|n| if n == h5s::H5S_UNLIMITED { None } else { usize::try_from(n).ok() }).collect())
    }
}

/// The fill value in the file's own bytes; zeros where none is defined.
fn fill_value(lib: &Library, creation: &Id, file_type: &Id, size: usize) -> Outcome<Vec<u8>> {
    let mut fill = vec![0; size];
    let mut defined = h5d::H5D_fill_value_t::H5D_FILL_VALUE_UNDEFINED;
    // SAFETY: the lock is held, the ids are open; `fill` has the size of the datatype.
    unsafe {
        lib.check(h5p::H5Pfill_value_defined(creation.raw(), &mut defined))?;
        if defined == h5d::H5D_fill_value_t::H5D_FILL_VALUE_USER_DEFINED {
            lib.check(h5p::H5Pget_fill_value(creation.raw(), file_type.raw(), fill.as_mut_ptr().cast()))?;
        }
    }
    Ok(fill)
}

/// Whether a name still leads to the object at this address.
pub(super) fn is_still_there(path: &Path, name: &str, address: u64) -> bool {
    locked(|lib| {
        let file = lib.open_file(path, false).ok()?;
        let name = file::c_name(name).ok()?;
        let (object, kind) = lib.open_object(&file, &name).ok()?;
        (kind == Kind::Dataset && lib.address(&object).ok()? == address).then_some(())
    })
    .is_some()
}

/// What a listing calls the elements: their dtype, or what the file says they are.
pub(super) fn type_name(lib: &Library, file_type: &Id) -> String {
    match Element::of(lib, file_type) {
        Ok(element) => element.dtype.name().to_string(),
        Err(_) => element::describe(lib, file_type),
    }
}
