//! Room for a new array: that it may be made, the groups it is in, and how it comes to its name.

use super::dataset::{folder, target};
use super::json::{self, Json};
use super::node::{Node, V3};
use super::writer::replace;
use crate::data::Value;
use crate::err;
use crate::io::writing::{MARK, cannot_write, is_being_written};
use crate::text::Result;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What a new array is called until it is complete.
pub const INCOMPLETE: &str = ".incomplete";

/// The folder that an array will have; where there is a link, the one it leads to.
pub fn final_folder(path: &Path, name: &str) -> PathBuf {
    let folder = folder(path, name).components().as_path().to_path_buf();
    match std::fs::symlink_metadata(&folder) {
        Ok(about) if about.is_symlink() => std::fs::canonicalize(&folder).unwrap_or(folder),
        _ => folder,
    }
}

/// The folder of an array that is being written: beside the one it will have.
pub fn temporary(path: &Path, name: &str) -> PathBuf {
    let mut folder = final_folder(path, name).into_os_string();
    folder.push(INCOMPLETE);
    folder.into()
}

/// Checks that the name is free, or may be replaced, and that what it lies in are groups. Tells whether a failed store left
/// something under the temporary name, which is to be removed.
///
/// # Errors
/// `dsk::io` where the array cannot be made.
pub fn check_names(path: &Path, name: &str, overwrite: bool) -> Result<bool> {
    let target = target(path, name);
    check_name(name)?;
    if name == "/" {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|p| !p.is_dir()) {
            return Err(err!(Io, "`{target}` cannot be made: there is no folder `{}`", parent.display()));
        }
    } else {
        check_parents(path, name)?;
    }
    check_place(path, name, overwrite)?;
    let temporary = temporary(path, name);
    let shown = temporary.display();
    if std::fs::symlink_metadata(&temporary).is_err() {
        return Ok(false);
    }
    let attributes = Node::at(&temporary)?.map(|node| node.attributes()).transpose()?;
    match attributes.and_then(|attributes| attributes.get_text(MARK).and_then(Value::as_int)) {
        None => Err(err!(Io, "there is `{shown}`, which no store left there")
            .help("stores write under that name until they are done: rename it")),
        Some(mark) if is_being_written(mark) => Err(err!(Io, "`{target}` is being written by another store")),
        Some(_) => Ok(true),
    }
}

/// Names that mean something else in the folder of a group.
fn check_name(name: &str) -> Result<()> {
    let reserved = |part: &&str| part.starts_with("__") || part.starts_with(".z") || *part == V3;
    match name.split('/').find(reserved) {
        Some(part) => Err(err!(Value, "`{part}` cannot be the name of an array or a group: Zarr keeps it for itself")),
        None => Ok(()),
    }
}

/// All that the array will be in must be groups, of the same version of the format, or not be there.
fn check_parents(path: &Path, name: &str) -> Result<()> {
    let target = target(path, name);
    let refused = |what: &str| Err(err!(Io, "`{target}` cannot be made: {what}"));
    for parent in parents(name) {
        let folder = folder(path, parent);
        let shown = super::dataset::target(path, parent);
        match std::fs::metadata(&folder) {
            Err(_) if parent == "/" => {
                let above = folder.parent().filter(|p| !p.as_os_str().is_empty() && !p.is_dir());
                return match above {
                    Some(above) => refused(&format!("there is no folder `{}`", above.display())),
                    None => Ok(()),
                };
            }
            Err(_) => return Ok(()),
            Ok(about) if !about.is_dir() => return refused(&format!("`{shown}` is a file")),
            Ok(_) => {}
        }
        match Node::at(&folder)? {
            Some(node) if node.is_array => return refused(&format!("`{shown}` is an array, not a group")),
            Some(node) if node.version == 2 => {
                return refused(&format!("`{shown}` is of version 2 of Zarr, and arrays are written as of version 3"));
            }
            Some(_) => {}
            None if parent == "/" && !is_empty(&folder) => {
                return refused(&format!("`{shown}` is a folder of other files, without a `{V3}`"));
            }
            None => {}
        }
    }
    Ok(())
}

/// What is in the array's place must be an array that may be replaced, or nothing.
///
/// # Errors
/// `dsk::io` where it is something else.
pub fn check_place(path: &Path, name: &str, overwrite: bool) -> Result<()> {
    let target = target(path, name);
    let folder = folder(path, name);
    match std::fs::metadata(&folder) {
        Err(_) => return Ok(()),
        Ok(about) if !about.is_dir() => {
            return Err(err!(Io, "`{target}` is a file: an array cannot take its place"));
        }
        Ok(_) => {}
    }
    match Node::at(&folder)? {
        Some(node) if !node.is_array => Err(err!(Io, "`{target}` is a group: an array cannot take its place")),
        Some(_) if overwrite => Ok(()),
        Some(_) => {
            Err(err!(Io, "there is `{target}` already")
                .help("`:overwrite true` replaces it, once the new one is complete"))
        }
        None if is_empty(&folder) => Ok(()),
        None => Err(err!(Io, "`{target}` is a folder of other files: an array cannot take its place")),
    }
}

/// What an array is in, from the root on.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| if at == 0 { "/" } else { &name[..at] })
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Makes the groups that an array is in; answers those that were not there.
///
/// # Errors
/// Says what the system did not do. What was made before is gone again.
pub fn make_groups(path: &Path, name: &str) -> Result<Vec<PathBuf>, String> {
    let mut made = Vec::new();
    if name == "/" {
        return Ok(made);
    }
    let text = json!({"zarr_format": 3, "node_type": "group", "attributes": {}});
    for parent in parents(name) {
        let folder = folder(path, parent);
        if folder.join(V3).exists() {
            continue;
        }
        let is_new = !folder.is_dir();
        let attempt = || {
            if is_new {
                match std::fs::create_dir(&folder) {
                    // Another store was faster, and is writing its metadata: the same as ours.
                    Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                    made => made.map_err(|e| e.to_string())?,
                }
            }
            write_metadata(&folder, &text)
        };
        if let Err(what) = attempt() {
            if is_new {
                let _ = std::fs::remove_dir(&folder);
            }
            remove_groups(&made);
            return Err(what);
        }
        made.push(folder);
    }
    Ok(made)
}

/// Has the groups that an array is in no longer say what was in them: some keep a copy of all metadata below, which readers take for
/// the whole.
///
/// # Errors
/// `dsk::io` where a group cannot be read or written.
pub fn forget_copies(path: &Path, name: &str) -> Result<()> {
    const COPY: &str = "consolidated_metadata";
    for parent in parents(name).filter(|_| name != "/") {
        let Some(mut node) = Node::at(&folder(path, parent))? else { continue };
        let Some(group) = node.json.as_object_mut() else { continue };
        if node.version == 3 && group.remove(COPY).is_some() {
            write_metadata(&node.folder, &node.json)
                .map_err(|what| cannot_write(&super::dataset::target(path, parent), &what))?;
        }
    }
    Ok(())
}

/// Removes groups that hold nothing.
pub fn remove_groups(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        let names: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
        if names != [V3] || std::fs::remove_file(folder.join(V3)).is_err() {
            return;
        }
        let _ = std::fs::remove_dir(folder);
    }
}

/// Writes the metadata of a node, in place of what there is.
///
/// # Errors
/// Says what the system did not do.
pub fn write_metadata(folder: &Path, json: &Json) -> Result<(), String> {
    replace(&folder.join(V3), json::text(json)?.as_bytes())
}

/// Gives a complete array its name, in place of what has it: at no time is there none of that name, if the file system can do
/// that.
///
/// # Errors
/// Says what the system did not do; the old one is in its place then.
pub fn exchange(new: &Path, name: &Path) -> Result<(), String> {
    if !name.join(V3).exists() && !name.join(".zarray").exists() {
        return std::fs::rename(new, name).map_err(|e| e.to_string());
    }
    if renameat_with(CWD, new, CWD, name, RenameFlags::EXCHANGE).is_ok() {
        return Ok(());
    }
    let mut aside = new.as_os_str().to_os_string();
    aside.push(".old");
    let aside = PathBuf::from(aside);
    std::fs::rename(name, &aside).map_err(|e| e.to_string())?;
    if let Err(error) = std::fs::rename(new, name) {
        let _ = std::fs::rename(&aside, name);
        return Err(error.to_string());
    }
    std::fs::rename(&aside, new).map_err(|e| e.to_string())
}
