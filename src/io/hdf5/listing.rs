//! What is in an HDF5 file: every group and dataset.

use super::format::Sound;
use super::group::Target;
use super::header::{Header, kind};
use super::library::{Library, locked};
use super::message::Layout;
use super::pipeline::Pipeline;
use super::source::{Kind, Miss, Place, Source};
use super::{attributes, dataset, group, index};
use crate::data::{Map, Value};
use crate::err;
use crate::io::files;
use crate::io::listing::{self, Content, Entry, with_names};
use crate::text::{Error, Result};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A file with more objects than this is listed up to here.
const MOST: usize = 100_000;

/// Lists every object of a file once, groups before what is in them. An object that is damaged is listed as such.
///
/// # Errors
/// `dsk::io` for a file that is not there, or whose root group is damaged.
pub fn list(path: &Path) -> Result<Vec<Entry>> {
    locked(|lib| {
        let source = Source::open(lib, path)?;
        let mut entries = Vec::new();
        visit(lib, &source, &mut |name, found| {
            entries.push(describe(name, found));
            entries.len() < MOST
        })?;
        Ok(entries)
    })
}

fn describe(name: &str, found: Found) -> Entry {
    let mut entry = Entry { name: name.to_string(), content: Content::Broken, attributes: Map::new() };
    match found {
        Found::Object(place, header, kind) => {
            let mut learn = || {
                entry.content = match kind {
                    Kind::Group => Content::Group,
                    Kind::Datatype => Content::Datatype,
                    Kind::Dataset => dataset_content(place, header)?,
                };
                entry.attributes = attributes::all(&place.source, header)?;
                Sound::Ok(())
            };
            if let Err(damage) = learn() {
                entry.content = Content::Damaged(damage.to_string());
            }
        }
        Found::Again(first) => entry.content = Content::Again(first.to_string()),
        Found::Damaged(what) => entry.content = Content::Damaged(what),
        Found::Broken => {}
    }
    entry
}

pub(super) fn dataset_content(place: &Place, header: &Header) -> Sound<Content> {
    let source = &place.source;
    let medium = source.medium();
    let datatype = dataset::datatype_of(source, header)?;
    let size = datatype.size;
    let space = dataset::dataspace_of(source, header)?;
    let ndim = space.as_ref().map_or(0, |s| s.shape.len());
    let pipeline = Pipeline::of(&dataset::filters_of(source, header)?, size);
    let elements = space.as_ref().map_or(0, |s| s.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64)));
    let bytes = elements.saturating_mul(size as u64);
    let mut chunks = None;
    let stored = match Layout::of(&medium, header, size, ndim)? {
        _ if header.has(kind::EXTERNAL) => bytes,
        Layout::Compact(stored) => stored.len() as u64,
        Layout::Contiguous(at) => at.map_or(0, |_| bytes),
        Layout::Virtual { .. } => 0,
        Layout::Chunked(chunking) => {
            let whole = chunking.dims.iter().fold(size as u64, |n, &d| n.saturating_mul(d as u64));
            let space = space.as_ref().ok_or("an empty dataspace in chunks")?;
            let grid = index::Grid { shape: &space.shape, limit: &space.limit, chunk: &chunking.dims, bytes: whole };
            let list = index::list(&medium, &chunking.index, chunking.address, &grid, !pipeline.is_empty())?;
            chunks = Some(chunking.dims);
            list.iter().fold(0u64, |n, c| n.saturating_add(c.size))
        }
    };
    let filters = pipeline.names;
    Ok(Content::Dataset {
        shape: space.map(|s| s.shape),
        dtype: dataset::type_name(&datatype),
        chunks,
        filters,
        bytes,
        stored,
    })
}

/// What a name leads to.
enum Found<'a> {
    Object(&'a Place, &'a Header, Kind),
    /// An object that was met before, by this name.
    Again(&'a str),
    Damaged(String),
    Broken,
}

type Visit<'a> = &'a mut dyn FnMut(&str, Found) -> bool;

/// Calls `f` for every name, until it returns false. An object that has several names is entered once.
fn visit(lib: &Library, source: &Arc<Source>, f: Visit) -> Result<()> {
    let mut seen: HashMap<_, String> = HashMap::new();
    // Names still to look at: no recursion, files may nest as deep as they like.
    let mut stack: Vec<(String, Place, Option<Target>)> = vec![("/".to_string(), source.root(), None)];
    while let Some((name, from, target)) = stack.pop() {
        let place = match target.map_or(Ok(from.clone()), |target| from.target(lib, &target, &mut 0)) {
            Ok(place) => place,
            Err(miss) => {
                let found = match miss {
                    Miss::Wrong(error) => Found::Damaged(error.message().to_string()),
                    Miss::Absent | Miss::Dangling(_) => Found::Broken,
                };
                if !f(&name, found) {
                    break;
                }
                continue;
            }
        };
        if let Some(first) = seen.get(&place.identity()) {
            if !f(&name, Found::Again(first)) {
                break;
            }
            continue;
        }
        let opened = place.header().and_then(|header| {
            let kind = Kind::of(&header).ok_or("an object of no known kind")?;
            let links = if kind == Kind::Group { group::links(&place.source, &header)? } else { Vec::new() };
            Ok((header, kind, links))
        });
        let (header, kind, links) = match opened {
            Ok(opened) => opened,
            // Nothing else is to be found in a file whose root is damaged.
            Err(damage) if name == "/" => return Err(place.told(&damage)),
            Err(damage) => {
                if !f(&name, Found::Damaged(damage.to_string())) {
                    break;
                }
                continue;
            }
        };
        if !f(&name, Found::Object(&place, &header, kind)) {
            break;
        }
        let prefix = if name == "/" { "" } else { &name };
        // As many as will be listed: each has its name in memory.
        for link in links.into_iter().take(MOST).rev() {
            let below = format!("{prefix}/{}", String::from_utf8_lossy(&link.name));
            stack.push((below, place.clone(), Some(link.target)));
        }
        seen.insert(place.identity(), name);
    }
    Ok(())
}

/// The dataset of that name, or an error that says what is there instead.
pub fn find_dataset(lib: &Library, source: &Arc<Source>, name: &str) -> Result<Place> {
    let place = find_object(lib, source, name)?;
    let shown = source.path.display();
    let header = place.header().map_err(|d| place.told(&d))?;
    match Kind::of(&header) {
        Some(Kind::Dataset) => Ok(place),
        Some(Kind::Group) => {
            let error = err!(Io, "`{shown}::{name}` is a group, not a dataset");
            Err(with_datasets(error, lib, source, name, true))
        }
        Some(Kind::Datatype) => Err(err!(Io, "`{shown}::{name}` is a datatype, not a dataset")),
        None => Err(place.told(&"an object is of no known kind".into())),
    }
}

/// The object of that name, or an error that says what there is.
pub fn find_object(lib: &Library, source: &Arc<Source>, name: &str) -> Result<Place> {
    source.find(lib, name).map_err(|miss| match miss {
        Miss::Wrong(error) => error,
        Miss::Dangling(why) => err!(Io, "`{}::{name}` cannot be opened: {why}", source.path.display()),
        Miss::Absent => {
            let error = err!(Io, "`{}` has no dataset `{name}`", source.path.display());
            with_datasets(error, lib, source, name, false)
        }
    })
}

/// Adds the nearest name and what datasets there are; only those within the group `name` if `within`.
fn with_datasets(error: Error, lib: &Library, source: &Arc<Source>, name: &str, within: bool) -> Error {
    let mut names = Vec::new();
    let prefix = if name == "/" { "/".to_string() } else { format!("{name}/") };
    let _ = visit(lib, source, &mut |at, object| {
        let wanted = !within || at.starts_with(&prefix);
        if wanted && matches!(object, Found::Object(_, _, Kind::Dataset)) {
            names.push(at.to_string());
        }
        names.len() < 10_000
    });
    with_names(error, (!within).then_some(name), &names)
}

/// The listing as text.
///
/// # Errors
/// Those of [`list`].
pub fn text(path: &Path, show: &dyn Fn(&Value) -> String) -> Result<String> {
    let entries = list(path)?;
    let len = std::fs::metadata(path).map_err(|e| files::system_error(path, &e))?.len();
    Ok(listing::text(path, len, &entries, show))
}
