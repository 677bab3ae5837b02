//! What is in a hierarchy: every group and array, for `dsk info` and for messages about names that lead nowhere.

use super::dataset::{folder, target};
use super::layout::Layout;
use super::node::Node;
use crate::data::{Map, Value};
use crate::err;
use crate::io::files;
use crate::io::listing::{self, Content, Entry, dims_text};
use crate::text::{Error, Result};
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A hierarchy with more nodes than this is listed up to here.
const MOST: usize = 100_000;
/// Files of more chunks than this are not counted.
const MOST_CHUNKS: usize = 100_000;
/// Lists every group and array, groups before what is in them. A node that is damaged is listed as such.
///
/// # Errors
/// `dsk::io` where there is no such folder, or it holds no node at all.
pub fn list(path: &Path) -> Result<Vec<Entry>> {
    check_root(path)?;
    let mut entries = Vec::new();
    visit(path, &mut |name, node| {
        entries.push(describe(name, node));
        entries.len() < MOST
    });
    if entries.is_empty() {
        return Err(not_zarr(path));
    }
    Ok(entries)
}

fn describe(name: &str, node: Result<Node>) -> Entry {
    let mut entry = Entry { name: name.to_string(), content: Content::Group, attributes: Map::new() };
    let learn = || {
        let node = node?;
        let attributes = node.attributes()?;
        if !node.is_array {
            return Ok((Content::Group, attributes));
        }
        Ok::<_, Error>((array_content(node), attributes))
    };
    match learn() {
        Ok((content, attributes)) => (entry.content, entry.attributes) = (content, attributes),
        Err(error) => entry.content = Content::Damaged(error.message().to_string()),
    }
    entry
}

fn array_content(node: Node) -> Content {
    let stored = stored_bytes(&node.folder);
    let layout = match Layout::of(node.version, node.json) {
        Ok(layout) => layout,
        Err(what) => return Content::Damaged(what),
    };
    let elements = layout.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64));
    // What is not known is not told: sizes that are alike are shown once.
    let bytes = layout.element.as_ref().ok().map(|e| elements.saturating_mul(e.size() as u64)).or(stored).unwrap_or(0);
    let mut filters = layout.codecs.clone();
    let chunks = match layout.inner.clone() {
        Some(inner) => {
            filters.push(format!("shards {}", dims_text(&layout.chunks)));
            inner
        }
        None => layout.chunks.clone(),
    };
    Content::Dataset {
        dtype: layout.type_name().to_string(),
        shape: Some(layout.shape.to_vec()),
        chunks: Some(chunks.to_vec()),
        filters,
        bytes,
        stored: stored.unwrap_or(bytes),
    }
}

/// Bytes of all files in the folder of an array that are not its metadata.
fn stored_bytes(folder: &Path) -> Option<u64> {
    let mut bytes = 0u64;
    let mut count = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            count += 1;
            if count > MOST_CHUNKS {
                return None;
            }
            let name = entry.file_name();
            if name == super::node::V3 || name.as_encoded_bytes().starts_with(b".z") {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => bytes = bytes.saturating_add(entry.metadata().map_or(0, |about| about.len())),
            }
        }
    }
    Some(bytes)
}

type Visit<'a> = &'a mut dyn FnMut(&str, Result<Node>) -> bool;

/// Calls `f` for every array and group, in the order of their names, until it returns false. What an array holds are chunks.
fn visit(path: &Path, f: Visit) {
    let mut seen = HashSet::new();
    // Names still to look at: no recursion, folders may nest as deep as they like, and be links to one another.
    let mut stack: Vec<(String, PathBuf)> = vec![("/".to_string(), path.to_path_buf())];
    while let Some((name, folder)) = stack.pop() {
        let Ok(about) = std::fs::metadata(&folder) else { continue };
        if !about.is_dir() || !seen.insert((about.dev(), about.ino())) {
            continue;
        }
        let node = Node::at(&folder);
        let is_array = matches!(&node, Ok(Some(node)) if node.is_array);
        if let Some(node) = node.transpose()
            && !f(&name, node)
        {
            return;
        }
        if is_array {
            continue;
        }
        let mut inside: Vec<(String, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten().take(MOST) {
            let Ok(part) = entry.file_name().into_string() else { continue };
            if entry.file_type().is_ok_and(|kind| !kind.is_file()) {
                let prefix = if name == "/" { "" } else { &name };
                inside.push((format!("{prefix}/{part}"), entry.path()));
            }
        }
        inside.sort_by(|a, b| b.cmp(a));
        stack.extend(inside);
    }
}

/// The array of that name, or an error that says what is there instead.
pub(super) fn find_array(path: &Path, name: &str) -> Result<Node> {
    let node = find(path, name)?;
    if node.is_array {
        return Ok(node);
    }
    let error = err!(Io, "`{}` is a group, not a dataset", target(path, name));
    Err(with_names(error, path, name, true))
}

/// The array or group of that name, or an error that says what there is.
pub(super) fn find(path: &Path, name: &str) -> Result<Node> {
    check_root(path)?;
    if let Some(node) = Node::at(&folder(path, name))? {
        return Ok(node);
    }
    if name == "/" {
        return Err(with_names(not_zarr(path), path, name, false));
    }
    Err(with_names(err!(Io, "`{}` has no dataset `{name}`", path.display()), path, name, false))
}

fn check_root(path: &Path) -> Result<()> {
    let about = std::fs::metadata(path).map_err(|e| files::system_error(path, &e))?;
    match about.is_dir() {
        true => Ok(()),
        false => Err(err!(Io, "`{}` is a file: Zarr arrays are kept in folders", path.display())),
    }
}

fn not_zarr(path: &Path) -> Error {
    err!(
        Io,
        "`{}` is neither a Zarr array nor a group: there is no `zarr.json`, `.zarray` or `.zgroup` in it",
        path.display()
    )
}

/// Adds the nearest name and what arrays there are; only those within the group `name` if `within`.
fn with_names(error: Error, path: &Path, name: &str, within: bool) -> Error {
    let mut names = Vec::new();
    let prefix = if name == "/" { "/".to_string() } else { format!("{name}/") };
    visit(path, &mut |at, node| {
        let wanted = !within || at.starts_with(&prefix);
        if wanted && node.is_ok_and(|node| node.is_array) {
            names.push(at.to_string());
        }
        names.len() < 10_000
    });
    listing::with_names(error, (!within).then_some(name), &names)
}

/// The listing as text, a line a node, attributes below what they belong to.
///
/// # Errors
/// `dsk::io` as [`list`].
pub fn text(path: &Path, show: &dyn Fn(&Value) -> String) -> Result<String> {
    let entries = list(path)?;
    let stored = entries.iter().map(|entry| match &entry.content {
        Content::Dataset { stored, .. } => *stored,
        _ => 0,
    });
    Ok(listing::text(path, stored.fold(0, u64::saturating_add), &entries, show))
}
