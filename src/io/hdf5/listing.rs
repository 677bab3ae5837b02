//! What is in a file: every group and dataset, for `dsk info` and for messages about names that lead nowhere.

use super::library::{Id, Kind, Library, locked};
use super::pipeline::Pipeline;
use super::{attributes, dataset, file};
use crate::data::{Map, Value};
use crate::err;
use crate::text::{Error, Result, suggest};
use hdf5_sys::{h5d, h5p};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

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
    /// A link that leads nowhere, or to what cannot be opened.
    Broken,
}

/// Lists every object of a file once, groups before what is in them.
pub fn list(path: &Path) -> Result<Vec<Entry>> {
    file::open(path)?;
    locked(|lib| {
        let root = file::open_in_library(lib, path, false)?;
        let mut entries = Vec::new();
        visit(lib, &root, &mut |name, object| {
            let entry = match object {
                Found::Object(id, kind) => describe(lib, name, id, kind),
                Found::Again(first) => {
                    Entry { name: name.to_string(), content: Content::Again(first.to_string()), attributes: Map::new() }
                }
                Found::Broken => Entry { name: name.to_string(), content: Content::Broken, attributes: Map::new() },
            };
            entries.push(entry);
            entries.len() < MOST
        })
        .map_err(|why| err!(Io, "`{}` cannot be listed: {why}", path.display()))?;
        Ok(entries)
    })
}

fn describe(lib: &Library, name: &str, id: &Id, kind: Kind) -> Entry {
    let content = match kind {
        Kind::Group => Content::Group,
        Kind::Datatype => Content::Datatype,
        Kind::Dataset => dataset_content(lib, id).unwrap_or(Content::Broken),
    };
    Entry { name: name.to_string(), content, attributes: attributes::all(lib, id) }
}

fn dataset_content(lib: &Library, id: &Id) -> Option<Content> {
    let file_type = lib.dataset_type(id).ok()?;
    let shape = lib.shape(&lib.dataset_space(id).ok()?).ok()?;
    let creation = lib.creation(id).ok()?;
    let ndim = shape.as_ref().map_or(0, Vec::len);
    // SAFETY: the lock is held, the ids are open; `dims` has room for as many sizes as the call is told.
    let (size, stored, chunks) = unsafe {
        let size = hdf5_sys::h5t::H5Tget_size(file_type.raw());
        let chunked = h5p::H5Pget_layout(creation.raw()) == h5d::H5D_layout_t::H5D_CHUNKED;
        let mut dims = vec![0; ndim];
        let got = if chunked { h5p::H5Pget_chunk(creation.raw(), ndim as i32, dims.as_mut_ptr()) } else { -1 };
        let chunks = (got == ndim as i32).then(|| dims.iter().map(|&d| d as usize).collect());
        (size, h5d::H5Dget_storage_size(id.raw()), chunks)
    };
    let elements = shape.as_ref().map_or(0, |s| s.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64)));
    Some(Content::Dataset {
        dtype: dataset::type_name(lib, &file_type),
        filters: Pipeline::of(lib, &creation, size).map(|p| p.names).unwrap_or_default(),
        bytes: elements.saturating_mul(size as u64),
        shape,
        chunks,
        stored,
    })
}

/// What a name leads to.
enum Found<'a> {
    Object(&'a Id, Kind),
    /// An object that was met before, by this name.
    Again(&'a str),
    Broken,
}

type Visit<'a> = &'a mut dyn FnMut(&str, Found) -> bool;

/// Calls `f` for every name, until it returns false. An object that has several names is entered once.
fn visit(lib: &Library, file: &Id, f: Visit) -> std::result::Result<(), String> {
    let mut seen: HashMap<(std::path::PathBuf, u64), String> = HashMap::new();
    // Names still to look at: no recursion, files may nest as deep as they like.
    let mut stack = vec!["/".to_string()];
    while let Some(name) = stack.pop() {
        let object = file::c_name(&name).ok().and_then(|c| lib.open_object(file, &c).ok());
        let Some((id, kind)) = object else {
            if !f(&name, Found::Broken) {
                break;
            }
            continue;
        };
        let (_, home) = lib.home(&id).map_err(|e| e.0)?;
        let place = (home, lib.address(&id).map_err(|e| e.0)?);
        if let Some(first) = seen.get(&place) {
            if !f(&name, Found::Again(first)) {
                break;
            }
            continue;
        }
        if kind == Kind::Group {
            let prefix = if name == "/" { "" } else { &name };
            let names = lib.names(&id).map_err(|e| e.0)?;
            stack.extend(names.iter().rev().map(|n| format!("{prefix}/{n}")));
        }
        if !f(&name, Found::Object(&id, kind)) {
            break;
        }
        seen.insert(place, name);
    }
    Ok(())
}

/// The dataset of that name, or an error that says what is there instead.
pub fn find_dataset(lib: &Library, file: &Id, path: &Path, name: &str) -> Result<Id> {
    let c_name = file::c_name(name)?;
    match lib.open_object(file, &c_name) {
        Ok((id, Kind::Dataset)) => Ok(id),
        Ok((_, Kind::Group)) => {
            let error = err!(Io, "`{}::{name}` is a group, not a dataset", path.display());
            Err(with_names(error, lib, file, name, true))
        }
        Ok((_, Kind::Datatype)) => Err(err!(Io, "`{}::{name}` is a datatype, not a dataset", path.display())),
        Err(failure) => match is_linked(lib, file, name) {
            true => Err(err!(Io, "`{}::{name}` cannot be opened: {}", path.display(), failure.0)),
            false => {
                let error = err!(Io, "`{}` has no dataset `{name}`", path.display());
                Err(with_names(error, lib, file, name, false))
            }
        },
    }
}

/// Whether every part of the name is a link, so that failing to open it is not for want of one.
pub fn is_linked(lib: &Library, file: &Id, name: &str) -> bool {
    let ends = name.match_indices('/').map(|(at, _)| at).skip(1).chain([name.len()]);
    let linked = |end| file::c_name(&name[..end]).is_ok_and(|c| lib.link_exists(file, &c).unwrap_or(false));
    ends.into_iter().all(linked)
}

/// Adds the nearest name and what datasets there are; only those within the group `name` if `within`.
fn with_names(mut error: Error, lib: &Library, file: &Id, name: &str, within: bool) -> Error {
    let mut names = Vec::new();
    let prefix = if name == "/" { "/".to_string() } else { format!("{name}/") };
    let _ = visit(lib, file, &mut |at, object| {
        let wanted = !within || at.starts_with(&prefix);
        if wanted && matches!(object, Found::Object(_, Kind::Dataset)) {
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
