//! What is in a file: every group and dataset, for `dsk info` and for messages about names that lead nowhere.

use super::format::Sound;
use super::group::Target;
use super::header::{Header, kind};
use super::library::{Library, locked};
use super::message::Layout;
use super::pipeline::Pipeline;
use super::source::{Kind, Miss, Place, Source};
use super::{attributes, dataset, file, group, index};
use crate::data::{Map, Value};
use crate::err;
use crate::text::{Error, Result, suggest};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// A file with more objects than this is listed up to here.
const MOST: usize = 100_000;
/// How many names a message about an absent dataset lists.
const SHOWN: usize = 8;

/// One object of a file.
pub struct Entry {
    /// From the root: `/group/A`.
    pub name: String,
    pub content: Content,
    pub attributes: Map,
}

pub enum Content {
    Group,
    Dataset {
        /// `None` for an empty dataspace.
        shape: Option<Vec<usize>>,
        /// A dtype, or the file's datatype in words.
        dtype: String,
        chunks: Option<Vec<usize>>,
        filters: Vec<String>,
        /// Bytes that the elements take in memory.
        bytes: u64,
        /// Bytes that they take in the file.
        stored: u64,
    },
    Datatype,
    /// Another name of an object that was listed before.
    Again(String),
    /// What is wrong with it.
    Damaged(String),
    /// A link that leads nowhere.
    Broken,
}

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
            Err(with_names(error, lib, source, name, true))
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
            with_names(error, lib, source, name, false)
        }
    })
}

/// Adds the nearest name and what datasets there are; only those within the group `name` if `within`.
fn with_names(mut error: Error, lib: &Library, source: &Arc<Source>, name: &str, within: bool) -> Error {
    let mut names = Vec::new();
    let prefix = if name == "/" { "/".to_string() } else { format!("{name}/") };
    let _ = visit(lib, source, &mut |at, object| {
        let wanted = !within || at.starts_with(&prefix);
        if wanted && matches!(object, Found::Object(_, _, Kind::Dataset)) {
            names.push(at.to_string());
        }
        names.len() < 10_000
    });
    if !within && let Some(near) = suggest::nearest(name, names.iter().map(String::as_str)) {
        error = error.help(format!("did you mean `{near}`?"));
    }
    let listed = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" ");
    match names.len() {
        0 => error.help("there is no dataset in it"),
        n if n <= SHOWN => error.help(format!("datasets in it: {listed}")),
        n => error.help(format!("datasets in it: {listed} and {} more", n - SHOWN)),
    }
}

/// The listing as text, a line an object, attributes below what they belong to.
pub fn text(path: &Path, show: &dyn Fn(&Value) -> String) -> Result<String> {
    let entries = list(path)?;
    let len = std::fs::metadata(path).map_err(|e| file::system_error(path, &e))?.len();
    let mut out = String::new();
    let _ = writeln!(out, "{}  {}", path.display(), size_text(len));
    let width = entries.iter().map(|e| e.name.chars().count()).max().unwrap_or(0).min(48);
    for entry in &entries {
        let about = entry.content.to_string();
        let _ = writeln!(out, "{}", format!("{:width$}  {about}", entry.name).trim_end());
        for (name, value) in entry.attributes.iter() {
            let name = name.as_text().unwrap_or_default();
            let _ = writeln!(out, "{:width$}    @{name} {}", "", show(value));
        }
    }
    Ok(out)
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Content::Group => f.write_str("group"),
            Content::Datatype => f.write_str("datatype"),
            Content::Again(first) => write!(f, "is {first}"),
            Content::Damaged(what) => write!(f, "is damaged: {what}"),
            Content::Broken => f.write_str("cannot be opened"),
            Content::Dataset { shape: None, dtype, .. } => write!(f, "{dtype}, empty"),
            Content::Dataset { shape: Some(shape), dtype, chunks, filters, bytes, stored } => {
                write!(f, "{dtype} {}", dims_text(shape))?;
                if let Some(chunks) = chunks {
                    write!(f, "  chunks {}", dims_text(chunks))?;
                }
                if !filters.is_empty() {
                    write!(f, "  {}", filters.join(" + "))?;
                }
                write!(f, "  {}", size_text(*bytes))?;
                if stored != bytes {
                    write!(f, ", {} stored", size_text(*stored))?;
                }
                Ok(())
            }
        }
    }
}

/// `[4000 100000]`
fn dims_text(dims: &[usize]) -> String {
    let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
    format!("[{}]", dims.join(" "))
}

/// Bytes in units of 1000: `3.2 GB`.
pub fn size_text(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = 0;
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if size < 10.0 => format!("{size:.1} {}", UNITS[unit]),
        _ => format!("{size:.0} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::size_text;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_600, "1.0 MB"), (3_200_000_000, "3.2 GB")]
        {
            assert_eq!(size_text(bytes), text);
        }
    }
}
