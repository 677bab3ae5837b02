//! An array, opened for reading: what it holds, and how that is stored. Reading it is in `read`.

use super::codecs::Codec;
use super::layout::{Layout, Storage};
use super::listing;
use super::node::Node;
use crate::data::slice::Range;
use crate::data::{Block, DType, Map, Outside};
use crate::err;
use crate::io::encoding::Encoding;
use crate::io::files::{self, Stamp};
use crate::io::stored::Stored;
use crate::text::Result;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many parts were written to arrays that were there: their metadata does not tell that.
static PARTS_WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Arrays that are opened from now on are other ones than before: a part of one was written.
pub(super) fn count_written() {
    PARTS_WRITTEN.fetch_add(1, Relaxed);
}

pub struct Dataset {
    path: PathBuf,
    /// From the root: `/group/a`, and `/` for the root.
    name: String,
    pub(super) folder: PathBuf,
    pub(super) layout: Layout,
    pub(super) storage: Storage,
    is_v3: bool,
    stamp: Stamp,
    identity: String,
}

impl Dataset {
    /// Opens the array `name` of the hierarchy at `path`.
    ///
    /// # Errors
    /// `dsk::io` where there is no such array, or its metadata is damaged or asks for what is not known here; `dsk::type` where no
    /// dtype stands for its elements.
    pub fn open(path: &Path, name: &str) -> Result<Dataset> {
        let name = normal_name(name)?;
        let node = listing::find_array(path, &name)?;
        Dataset::of(path, name, node)
    }

    /// The array that a node is.
    pub(super) fn of(path: &Path, name: String, node: Node) -> Result<Dataset> {
        let target = target(path, &name);
        let layout = Layout::of(node.version, node.json);
        let layout = layout.map_err(|what| err!(Io, "`{target}` is damaged: {what}"))?;
        let element = match &layout.element {
            Ok(element) => *element,
            Err(kind) => return Err(err!(Type, "`{target}` holds {kind}, which no dtype stands for")),
        };
        let storage = layout.storage(element).map_err(|what| err!(Io, "`{target}` cannot be read: {what}"))?;
        let identity = format!("{target} {} {}", node.stamp, PARTS_WRITTEN.load(Relaxed));
        Ok(Dataset {
            path: path.to_path_buf(),
            name,
            folder: node.folder,
            layout,
            storage,
            is_v3: node.version == 3,
            stamp: node.stamp,
            identity,
        })
    }

    /// How chunks hold the elements.
    pub(super) fn encoding(&self) -> Encoding {
        self.storage.element.encoding(self.storage.chain.inner().swapped)
    }

    /// Fails where the array was replaced or removed since: its chunks are somebody else's.
    pub(super) fn check_place(&self) -> Result<()> {
        match Node::is_still(&self.folder, self.is_v3, &self.stamp) {
            true => Ok(()),
            false => Err(files::replaced(&self.target())),
        }
    }
}

impl Stored for Dataset {
    fn target(&self) -> String {
        target(&self.path, &self.name)
    }

    fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    fn dtype(&self) -> DType {
        self.storage.element.dtype
    }

    /// The least parts that are decoded at once.
    fn chunks(&self) -> Option<&[usize]> {
        Some(match &self.storage.chain.shards {
            Some(shards) => &shards.chunks,
            None => &self.layout.chunks,
        })
    }

    fn decodes(&self) -> bool {
        let moves = |codec: &Codec| matches!(codec, Codec::Shuffle(_) | Codec::Crc32c | Codec::Fletcher32);
        !self.storage.chain.inner().codecs.iter().all(moves)
    }

    /// Chunks that another program wrote to do not show.
    fn identity(&self) -> &str {
        &self.identity
    }

    /// Never known: chunks are files each, and to look at all of them would take as long as reading some. The folder tells of
    /// chunks that came or went, but not of those that were written to, and those are what must not be missed.
    fn state(&self) -> Option<u64> {
        None
    }

    fn outside(&self) -> Outside {
        let size = self.storage.element.size();
        let chunk = self.chunks().unwrap_or_default().iter().product::<usize>().saturating_mul(size);
        let index = match &self.storage.chain.shards {
            Some(_) => (self.storage.bytes / chunk.max(1)).saturating_mul(32),
            None => 0,
        };
        let turned = self.storage.chain.inner().axes.is_some();
        let scratch = match self.storage.chain.is_plain() {
            true => 0,
            // As stored, decoded, and working memory; before and after its axes are put in order.
            false => chunk.saturating_mul(if turned { 5 } else { 3 }).saturating_add(index),
        };
        Outside { dtype: self.dtype(), shape: self.shape().into(), scratch, wider: self.encoding().wider() }
    }

    fn read(&self, region: &[Range]) -> Result<Block> {
        self.read_region(region)
    }
}

/// The attributes of an array or a group, by name.
///
/// # Errors
/// `dsk::io` where there is no such array or group, or it is damaged.
pub fn attributes(path: &Path, name: &str) -> Result<Map> {
    listing::find(path, &normal_name(name)?)?.attributes()
}

/// `path::name`; the path alone for the root.
pub fn target(path: &Path, name: &str) -> String {
    match name {
        "/" => path.display().to_string(),
        name => format!("{}::{name}", path.display()),
    }
}

/// The name of a node from the root, with one `/` before each part: `/a/b`.
///
/// # Errors
/// `dsk::value` for names that would lead out of the hierarchy, or to what is not a node.
pub fn normal_name(name: &str) -> Result<String> {
    let normal = files::normal_name(name)?;
    match normal.split('/').find(|part| matches!(*part, "." | "..")) {
        Some(part) => Err(err!(Value, "`{part}` cannot be a part of the name of an array, as in `{name}`")),
        None => Ok(normal),
    }
}

/// The folder of a node.
pub fn folder(path: &Path, name: &str) -> PathBuf {
    match name.trim_start_matches('/') {
        "" => path.to_path_buf(),
        name => path.join(name),
    }
}
