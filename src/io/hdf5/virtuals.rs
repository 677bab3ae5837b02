//! Virtual datasets: made of parts of others. The library puts them together; here the list of parts is looked over, and
//! the datasets they come from, so that it meets nothing that is damaged.
//!
//! Source: HDF5 File Format Specification Version 3.0, VIII.C (global heap block for virtual datasets).

use super::checksum::lookup3;
use super::dataset::Dataset;
use super::format::{Cursor, Medium, Sound};
use super::heap::GlobalHeap;
use super::library::locked;
use super::message::MOST_AXES;
use super::source::Source;
use crate::err;
use crate::text::Result;
use std::cell::Cell;
use std::path::{Path, PathBuf};

/// Virtual datasets of virtual datasets; the library has no limit of its own.
const DEEPEST: usize = 16;
/// As many files are tried for a name with a number in it.
const MOST_NUMBERED: usize = 100_000;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Looks over a virtual dataset of the file at `path`, whose parts are listed in an object of a heap.
pub fn check(path: &Path, heap: u64, object: u64, dataset: &Dataset) -> Result<()> {
    let depth = DEPTH.get();
    if depth >= DEEPEST {
        return Err(err!(Io, "`{}` is a virtual dataset of itself, or nearly", dataset.target()));
    }
    let parts = locked(|lib| parts(&Source::open(lib, path)?.medium(), heap, object).map_err(|d| d.of(path)))?;
    DEPTH.set(depth + 1);
    let checked = parts.iter().try_for_each(|(file, name)| check_part(path, file, name));
    DEPTH.set(depth);
    checked
}

/// What is not there at all is no harm: the library reads the fill value.
fn check_part(path: &Path, file: &str, name: &str) -> Result<()> {
    let here = path.parent().unwrap_or(Path::new(""));
    for n in 0..MOST_NUMBERED {
        let (numbered_file, numbered_name) = (numbered(file, n), numbered(name, n));
        let candidates: Vec<PathBuf> = match numbered_file.as_str() {
            "." => vec![path.to_path_buf()],
            file => vec![here.join(file), PathBuf::from(file)],
        };
        let there: Vec<&PathBuf> = candidates.iter().filter(|c| c.is_file()).collect();
        let mut found = false;
        for candidate in there {
            let is_there = locked(|lib| {
                let source = Source::open(lib, candidate)?;
                match source.find(lib, &numbered_name) {
                    Ok(_) => Ok(true),
                    Err(super::source::Miss::Wrong(error)) => Err(error),
                    Err(_) => Ok(false),
                }
            })?;
            if is_there {
                Dataset::open(candidate, &numbered_name)?.check_for_library()?;
                found = true;
            }
        }
        if !found || (numbered_file == file && numbered_name == name) {
            break;
        }
    }
    Ok(())
}

/// A name with the number of a block in the place of `%b`.
fn numbered(name: &str, n: usize) -> String {
    name.replace("%b", &n.to_string()).replace("%%", "%")
}

/// Files and datasets that the parts come from.
pub fn parts(medium: &Medium, heap: u64, object: u64) -> Sound<Vec<(String, String)>> {
    let mut heaps = GlobalHeap::default();
    let object = heaps.object(medium, heap, object)?;
    let end = object.len().checked_sub(4).ok_or("a virtual dataset without parts")?;
    let (list, sum) = object.split_at(end);
    if lookup3(list).to_le_bytes() != sum {
        return Err("the checksum of a virtual dataset is wrong".into());
    }
    let mut cursor = Cursor::new(list);
    if cursor.number(1)? != 0 {
        return Err("a virtual dataset of unknown version".into());
    }
    let count = cursor.number(medium.length)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let mut name = || Sound::Ok(String::from_utf8_lossy(cursor.text()?).into_owned());
        parts.push((name()?, name()?));
        selection(&mut cursor)?;
        selection(&mut cursor)?;
    }
    Ok(parts)
}

/// Passes over a selection, as far as its length goes.
fn selection(cursor: &mut Cursor) -> Sound<()> {
    let (class, version) = (cursor.number(4)?, cursor.number(4)?);
    let left = match (class, version) {
        // None, and all.
        (0 | 3, 1) => 8,
        // Blocks, or points, with their length before them.
        (1 | 2, 1) => {
            cursor.take(4)?;
            cursor.size(4)?
        }
        // Regular blocks: start, stride, count and block of each axis.
        (2, 2) => {
            cursor.take(5)?;
            32 * axes(cursor)?
        }
        (2, 3) => {
            let (flags, width, ndim) = (cursor.number(1)?, cursor.size(1)?, axes(cursor)?);
            match flags & 1 {
                1 => 4 * width * ndim,
                _ => 2 * width * ndim * cursor.size(width)?.min(1 << 40),
            }
        }
        (1, 2) => {
            let (width, ndim) = (cursor.size(1)?, axes(cursor)?);
            width * ndim * cursor.size(width)?.min(1 << 40)
        }
        _ => return Err("a selection of an unknown kind".into()),
    };
    cursor.take(left).map(|_| ())
}

fn axes(cursor: &mut Cursor) -> Sound<usize> {
    match cursor.size(4)? {
        ndim if ndim <= MOST_AXES => Ok(ndim),
        _ => Err("a selection of more axes than there may be".into()),
    }
}
