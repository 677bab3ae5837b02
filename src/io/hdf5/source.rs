//! A file, opened for looking things up: its superblock, the objects that names lead to, and messages that are kept in
//! another place than their object.

use super::file;
use super::format::{Cursor, Damage, Medium, Sound};
use super::fractal::FractalHeap;
use super::group::{self, Target};
use super::header::{Header, Message, kind};
use super::library::Library;
use super::superblock::{self, Superblock};
use crate::err;
use crate::io::files;
use crate::text::{Error, Result};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Source {
    pub path: PathBuf,
    pub file: File,
    /// Device and inode: what tells files apart.
    pub identity: (u64, u64),
    len: u64,
    block: Superblock,
    /// Tables of messages that objects share: their kinds, as bits, and the heap they are in.
    shared: Vec<(u64, u64)>,
}

/// What a name in a group leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Group,
    Dataset,
    /// A committed datatype.
    Datatype,
}

/// An object of a file.
#[derive(Clone)]
pub struct Place {
    pub source: Arc<Source>,
    /// Of the object header.
    pub address: u64,
}

/// Why a name leads to nothing.
pub enum Miss {
    /// There is no such name.
    Absent,
    /// The name is a link to what is not there.
    Dangling(String),
    Wrong(Error),
}

/// As many links to links are followed.
const MOST_LINKS: usize = 16;

impl Source {
    /// Opens a file for reading. The library's lock is held, so that no other thread has it write meanwhile.
    ///
    /// # Errors
    /// `dsk::io` for a file that is not there, not HDF5, damaged, or being written by another program.
    pub fn open(lib: &Library, path: &Path) -> Result<Arc<Source>> {
        let file = file::open(path)?;
        let about = file.metadata().map_err(|e| files::system_error(path, &e))?;
        let identity = (about.dev(), about.ino());
        // What the library still has in memory from writing must be in the file before we look there.
        let ours =
            lib.flush_written(identity).map_err(|f| err!(Io, "`{}` cannot be opened: {}", path.display(), f.0))?;
        if !ours {
            file::check_lock(&file, path)?;
        }
        let len = file.metadata().map_err(|e| files::system_error(path, &e))?.len();
        let base = superblock::find(&file, len).ok_or_else(|| err!(Io, "`{}` is not an HDF5 file", path.display()))?;
        let block = superblock::read(&file, len, base).map_err(|d| d.of(path))?;
        if block.is_marked && !ours {
            return Err(err!(Io, "`{}` is marked as open for writing", path.display())
                .help("a program writes it, or did not close it; `h5clear -s` removes the mark"));
        }
        let mut source = Source { path: path.to_path_buf(), file, identity, len, block, shared: Vec::new() };
        source.shared = source.shared_tables().map_err(|d| d.of(path))?;
        Ok(Arc::new(source))
    }

    pub fn medium(&self) -> Medium<'_> {
        let Superblock { base, address, length, .. } = self.block;
        Medium { file: &self.file, len: self.len, base, address, length }
    }

    pub fn header(&self, address: u64) -> Sound<Header> {
        Header::read(&self.medium(), address)
    }

    pub fn root(self: &Arc<Source>) -> Place {
        Place { source: self.clone(), address: self.block.root }
    }

    fn shared_tables(&self) -> Sound<Vec<(u64, u64)>> {
        let medium = self.medium();
        let Some(extension) = self.block.extension else { return Ok(Vec::new()) };
        let header = self.header(extension)?;
        let Some(message) = header.first(kind::SHARED_TABLE) else { return Ok(Vec::new()) };
        let mut cursor = Cursor::new(&message.body);
        cursor.take(1)?;
        let (address, count) = (cursor.place(&medium)?, cursor.size(1)?);
        let bytes = medium.checked(address, 4 + count * (14 + 2 * medium.address))?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"SMTB")?;
        let mut tables = Vec::new();
        for _ in 0..count {
            cursor.take(2)?;
            let kinds = cursor.number(2)?;
            cursor.take(10)?;
            cursor.address(&medium)?;
            if let Some(heap) = cursor.address(&medium)? {
                tables.push((kinds, heap));
            }
        }
        Ok(tables)
    }

    /// The heap of shared messages of a kind.
    pub fn shared_heap<'a>(&self, medium: &'a Medium<'a>, kind: u16) -> Sound<FractalHeap<'a>> {
        let table = self.shared.iter().find(|(kinds, _)| kinds >> kind & 1 == 1);
        FractalHeap::read(medium, table.ok_or("a shared message is nowhere")?.1)
    }

    /// The body of a message, wherever it is kept.
    pub fn body<'m>(&self, message: &'m Message) -> Sound<Cow<'m, [u8]>> {
        match message.is_shared() {
            false => Ok(Cow::Borrowed(&message.body)),
            true => self.shared(&message.body, message.kind).map(Cow::Owned),
        }
    }

    /// The message of a kind that a shared message stands for.
    pub fn shared(&self, body: &[u8], kind: u16) -> Sound<Vec<u8>> {
        let medium = self.medium();
        let mut cursor = Cursor::new(body);
        let (version, way) = (cursor.number(1)?, cursor.number(1)?);
        match (version, way) {
            (1, _) => {
                cursor.take(6)?;
            }
            (2, _) | (3, 2) => {}
            (3, 1) => return self.shared_heap(&medium, kind)?.object(cursor.rest()),
            _ => return Err("a shared message of an unknown kind".into()),
        }
        let header = self.header(cursor.place(&medium)?)?;
        let message = header.first(kind).filter(|m| !m.is_shared()).ok_or("a shared message is nowhere")?;
        Ok(message.body.clone())
    }

    /// The object of a name from the root.
    pub fn find(self: &Arc<Source>, lib: &Library, name: &str) -> std::result::Result<Place, Miss> {
        self.root().follow(lib, name.as_bytes(), &mut 0)
    }
}

impl Place {
    pub fn header(&self) -> Sound<Header> {
        self.source.header(self.address)
    }

    /// What tells the object from all others.
    pub fn identity(&self) -> ((u64, u64), u64) {
        (self.source.identity, self.address)
    }

    /// An error about the file the object is in.
    pub fn told(&self, damage: &Damage) -> Error {
        damage.of(&self.source.path)
    }

    fn wrong(&self, damage: &Damage) -> Miss {
        Miss::Wrong(self.told(damage))
    }

    /// Follows a path from this group, or from the root where it begins with `/`.
    fn follow(&self, lib: &Library, path: &[u8], links: &mut usize) -> std::result::Result<Place, Miss> {
        let mut at = if path.starts_with(b"/") { self.source.root() } else { self.clone() };
        for part in path.split(|&b| b == b'/').filter(|p| !p.is_empty() && p != b".") {
            let header = at.header().map_err(|d| at.wrong(&d))?;
            if Kind::of(&header) != Some(Kind::Group) {
                return Err(Miss::Absent);
            }
            let target = group::find(&at.source, &header, part).map_err(|d| at.wrong(&d))?.ok_or(Miss::Absent)?;
            at = at.target(lib, &target, links)?;
        }
        Ok(at)
    }

    /// What a link in this group leads to.
    pub fn target(&self, lib: &Library, target: &Target, links: &mut usize) -> std::result::Result<Place, Miss> {
        let (from, path) = match target {
            Target::Hard(address) => return Ok(Place { source: self.source.clone(), address: *address }),
            Target::Unknown => return Err(Miss::Dangling("it is a link of an unknown kind".into())),
            Target::Soft(path) => (self.clone(), path),
            Target::External { file, object } => {
                let source = self.source.external(lib, file).map_err(|e| Miss::Dangling(e.message().to_string()))?;
                (source.root(), object)
            }
        };
        *links += 1;
        if *links > MOST_LINKS {
            return Err(Miss::Dangling("it is a link to a link, and so on".into()));
        }
        from.follow(lib, path, links).map_err(|miss| match miss {
            Miss::Absent => {
                Miss::Dangling(format!("it leads to `{}`, which is not there", String::from_utf8_lossy(path)))
            }
            miss => miss,
        })
    }
}

impl Source {
    /// The file an external link names, where the library looks for it: in the folders of `HDF5_EXT_PREFIX`, in that of
    /// this file, and in the working directory.
    fn external(&self, lib: &Library, name: &[u8]) -> Result<Arc<Source>> {
        let name = Path::new(OsStr::from_bytes(name));
        let here = self.path.parent().unwrap_or(Path::new(""));
        let mut folders: Vec<PathBuf> = Vec::new();
        if let Some(prefix) = std::env::var_os("HDF5_EXT_PREFIX") {
            folders.extend(std::env::split_paths(&prefix).map(|p| match p.strip_prefix("${ORIGIN}") {
                Ok(below) => here.join(below),
                Err(_) => p,
            }));
        }
        folders.extend([here.to_path_buf(), PathBuf::new()]);
        let mut candidates: Vec<PathBuf> = folders.iter().map(|f| f.join(name)).collect();
        if let Some(only) = name.file_name().filter(|_| name.is_absolute()) {
            candidates.push(here.join(only));
        }
        let there = candidates.iter().find(|c| c.is_file()).or(candidates.first());
        match there {
            Some(path) => Source::open(lib, path),
            None => Err(err!(Io, "there is no file `{}`", name.display())),
        }
    }
}

impl Kind {
    /// What an object is, by the messages it has; `None` for none of the kinds there are.
    pub fn of(header: &Header) -> Option<Kind> {
        if header.has(kind::SYMBOL_TABLE) || header.has(kind::LINK_INFO) {
            return Some(Kind::Group);
        }
        match (header.has(kind::DATATYPE), header.has(kind::DATASPACE)) {
            (true, true) => Some(Kind::Dataset),
            (true, false) => Some(Kind::Datatype),
            _ => None,
        }
    }
}
