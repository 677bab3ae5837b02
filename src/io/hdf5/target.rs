//! Room for a new dataset: what it is to be like, that it may be made, and where in the file its blocks go.

use super::attributes;
use super::dataset;
use super::element;
use super::format::Sound;
use super::index::{self, Stored};
use super::library::{Failure, Id, Library, Outcome, sizes};
use super::message::{Chunking, Layout};
use super::pipeline::{Filter, Pipeline};
use super::source::{Kind, Miss, Place, Source};
use super::{file, group};
use crate::data::{DType, Dims, Map, Value};
use crate::err;
use crate::io::files;
use crate::io::listing::size_text;
use crate::io::stored::Options;
use crate::io::writing::{self, MARK, is_being_written};
use crate::text::{Error, Result};
use hdf5_sys::{h5d, h5p};
use std::ffi::CString;
use std::fs::OpenOptions;
use std::path::Path;

/// Where blocks go.
pub enum Target {
    /// Nowhere any more: the dataset is finished.
    Closed,
    /// There are no elements to write.
    Nowhere,
    /// One after the other from this position on.
    Contiguous(u64),
    /// To chunks that have their space.
    Chunked { dims: Dims, places: Places },
    /// Encoded by the worker chunk by chunk; space is found by the library.
    Filtered { dims: Dims, pipeline: Pipeline, level: u8, open: Open },
}

/// Where the chunks of a dataset lie that has them all. Most lie one after the other: only where such a run begins is kept.
pub struct Places {
    /// Bytes of each chunk.
    bytes: u64,
    chunks: u64,
    /// The number of each run's first chunk, and where it begins in the file.
    runs: Vec<(u64, u64)>,
}

impl Places {
    fn of(list: &[Stored], bytes: u64) -> Places {
        let runs = list.chunk_by(|one, next| one.position + bytes == next.position);
        let runs = runs.map(|run| (run[0].number, run[0].position)).collect();
        Places { bytes, chunks: list.len() as u64, runs }
    }

    /// Where a chunk begins in the file.
    pub fn position(&self, number: u64) -> Option<u64> {
        let after = self.runs.partition_point(|&(first, _)| first <= number);
        let (first, position) = *self.runs.get(after.checked_sub(1)?)?;
        (number < self.chunks).then(|| position + (number - first) * self.bytes)
    }

    /// Stretches of the file that the chunks cover: where each begins, and its bytes.
    pub fn stretches(&self) -> impl Iterator<Item = (u64, u64)> {
        let ends = self.runs.iter().skip(1).map(|run| run.0).chain([self.chunks]);
        self.runs.iter().zip(ends).map(|(&(first, position), end)| (position, (end - first) * self.bytes))
    }
}

/// The dataset, open in the library while compressed chunks are handed over.
pub struct Open {
    pub dataset: Id,
    /// Kept so that the library lists the file among those to flush before others look into it.
    pub _file: Id,
}

/// Space that is left free for what the library has yet to write: its tables are in the file only when it is closed, and a
/// disk that is full by then would cost the other datasets of the file.
const MARGIN: u64 = 1 << 20;

/// The mark, as an attribute.
pub fn mark(process: i64) -> Map {
    let mut map = Map::new();
    map.set(MARK, Value::Int(process));
    map
}

pub fn write_error(path: &Path, name: &str, what: &str) -> Error {
    writing::cannot_write(&format!("{}::{name}", path.display()), what)
}

/// The file, and whether it was made just now.
pub fn open_for_writing(lib: &Library, path: &Path) -> Result<(Id, bool)> {
    match std::fs::metadata(path) {
        Ok(_) => {
            file::open(path)?;
            OpenOptions::new().write(true).open(path).map_err(|e| match e.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    err!(Io, "`{}` may not be written to: permission denied", path.display())
                }
                _ => files::system_error(path, &e),
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
        Err(e) => Err(files::system_error(path, &e)),
    }
}

/// Checks that the name is free, or may be replaced, that what it lies in are groups, and that all the library will walk is
/// sound. Tells whether a failed store left something under the temporary name, which is to be removed.
pub fn check_names(lib: &Library, path: &Path, name: &str, temporary: &str, overwrite: bool) -> Result<bool> {
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
pub fn check_whole(place: &Place) -> Result<Option<Kind>> {
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

/// Makes sure that so many bytes fit before the library is asked to write any.
pub fn check_room(path: &Path, name: &str, bytes: u64) -> Result<()> {
    // A file may not grow beyond the process's limit (`ulimit -f`): the library would leave it half written.
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    let needed = format!("{} are to be written, with {} to spare", size_text(bytes), size_text(MARGIN));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX);
    if size.saturating_add(bytes).saturating_add(MARGIN) > limit {
        let (size, limit) = (size_text(size), size_text(limit));
        let what = format!("{needed}, to a file of {size}, and files may have {limit} here");
        return Err(write_error(path, name, &what).help("`ulimit -f` tells the limit, and raises it"));
    }
    let room = writing::room(path);
    if bytes.saturating_add(MARGIN) <= room {
        return Ok(());
    }
    Err(write_error(path, name, &format!("{needed}, and the disk has {} left", size_text(room))))
}

pub fn make(
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
        if options.is_filtered() && cut.is_some() {
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

/// Where the blocks of a new dataset go; what was flushed to the file tells.
pub fn place(
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
        && options.is_filtered()
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
                true => Ok(Target::Chunked { dims: dims.clone(), places: Places::of(&list, bytes) }),
                false => Err("the library did not find space for every chunk".into()),
            }
        }
        _ => Err("the library laid it out in an unknown way".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_that_follow_each_other_are_found_by_where_the_first_is() {
        let stored = |number: u64, position: u64| Stored { number, position, size: 10, mask: 0 };
        let list = [stored(0, 100), stored(1, 110), stored(2, 120), stored(3, 500), stored(4, 40), stored(5, 50)];
        let places = Places::of(&list, 10);
        assert_eq!(places.stretches().collect::<Vec<_>>(), [(100, 30), (500, 10), (40, 20)]);
        for chunk in list {
            assert_eq!(places.position(chunk.number), Some(chunk.position));
        }
        assert_eq!(places.position(6), None);
        assert_eq!(Places::of(&[], 10).position(0), None);
    }
}
