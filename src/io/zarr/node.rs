//! Arrays and groups: folders with a file that says what they are.

use super::json::{self, Json};
use crate::data::Map;
use crate::err;
use crate::io::files::Stamp;
use crate::text::Result;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The metadata file of version 3, and those of version 2.
pub const V3: &str = "zarr.json";
const V2_ARRAY: &str = ".zarray";
const V2_GROUP: &str = ".zgroup";
const V2_ATTRIBUTES: &str = ".zattrs";

/// Metadata that is longer is not read.
const MOST: u64 = 64 << 20;

pub struct Node {
    pub folder: PathBuf,
    pub is_array: bool,
    /// 2 or 3.
    pub version: u64,
    pub json: Json,
    pub stamp: Stamp,
}

impl Node {
    /// The array or group that a folder is; `None` for any other folder, and where there is none.
    ///
    /// # Errors
    /// `dsk::io` for metadata that cannot be read, or says what cannot be.
    pub fn at(folder: &Path) -> Result<Option<Node>> {
        for file in [V3, V2_ARRAY, V2_GROUP] {
            let path = folder.join(file);
            let Some((text, stamp)) = read(&path)? else { continue };
            let damaged = |what: &str| err!(Io, "`{}` is damaged: {what}", path.display());
            let json = json::parse(&text).map_err(|e| damaged(&e))?;
            let (version, is_array) = match (file, json.get("node_type").and_then(Json::as_str)) {
                (V3, Some("array")) => (3, true),
                (V3, Some("group")) => (3, false),
                (V3, _) => return Err(damaged("it does not say whether this is an array or a group")),
                _ => (2, file == V2_ARRAY),
            };
            if json.get("zarr_format").and_then(Json::as_u64) != Some(version) {
                return Err(damaged(&format!("it is not of version {version} of the format")));
            }
            return Ok(Some(Node { folder: folder.to_path_buf(), is_array, version, json, stamp }));
        }
        Ok(None)
    }

    /// Whether the metadata is what it was: the array was neither replaced nor removed.
    pub fn is_still(folder: &Path, is_v3: bool, stamp: &Stamp) -> bool {
        let file = if is_v3 { V3 } else { V2_ARRAY };
        std::fs::metadata(folder.join(file)).is_ok_and(|about| Stamp::of(&about) == *stamp)
    }

    /// Attributes by name.
    ///
    /// # Errors
    /// `dsk::io` where they cannot be read.
    pub fn attributes(&self) -> Result<Map> {
        if self.version == 3 {
            return Ok(self.json.get("attributes").map(json::to_map).unwrap_or_default());
        }
        let path = self.folder.join(V2_ATTRIBUTES);
        let Some((text, _)) = read(&path)? else { return Ok(Map::new()) };
        let json = json::parse(&text).map_err(|e| err!(Io, "`{}` is damaged: {e}", path.display()))?;
        Ok(json::to_map(&json))
    }
}

/// The file at a path, and its stamp; `None` where there is none.
fn read(path: &Path) -> Result<Option<(Vec<u8>, Stamp)>> {
    let attempt = || {
        let Some(file) = open(path)? else { return Ok(None) };
        let about = file.metadata()?;
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text)?;
        Ok::<_, std::io::Error>(Some((text, Stamp::of(&about))))
    };
    attempt().map_err(|e| match e.kind() {
        ErrorKind::PermissionDenied => err!(Io, "`{}` may not be opened: permission denied", path.display()),
        _ => err!(Io, "`{}` cannot be read: {e}", path.display()),
    })
}

/// A file that is to be read; `None` where there is none. Never waits for somebody to write to it, as a pipe would.
pub fn open(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    match file {
        Ok(file) => Ok(Some(file)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}
