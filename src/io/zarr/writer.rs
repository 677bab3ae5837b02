//! Writing blocks to the chunks of an array, from any thread.

use super::codecs::{self, Scratch};
use super::element::to_half;
use super::layout::Storage;
use super::read::{SCRATCH, each_index, in_order, read_whole};
use crate::data::{Block, DType, Dims};
use crate::io::encoding::Encoding;
use crate::io::walk::{Walk, byte_strides};
use crate::io::writing::check_room;
use parking_lot::Mutex;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

type Sizes = SmallVec<[usize; 6]>;

/// Bytes of fill values that are written at once.
const PIECE: usize = 1 << 20;

/// One for every so many chunks of any array: whoever changes a part of one holds its lock.
static LOCKS: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];

/// Where the blocks of an array go.
pub struct Writer {
    pub folder: PathBuf,
    pub shape: Dims,
    /// Shape of the chunks.
    pub chunks: Dims,
    pub storage: Storage,
    /// The array can be read by others: a chunk is never seen half written.
    pub is_seen: bool,
}

/// The part of a chunk that a block covers.
struct Part {
    count: Sizes,
    /// Bytes from the start of the block, and from the start of the chunk.
    from: usize,
    to: usize,
    /// It is all of the chunk that lies in the array.
    is_whole: bool,
}

impl Writer {
    /// Writes a block, of the array's dtype, to its place, which begins at `start`. Blocks that do not overlap can be written at
    /// the same time, also to one chunk.
    ///
    /// # Errors
    /// Says what the system did not do, or what is wrong with a chunk that a part of is written to.
    pub fn write(&self, start: &[usize], block: &Block) -> Result<(), String> {
        if block.is_empty() {
            return Ok(());
        }
        let size = self.storage.element.size();
        let block = self.stored(block);
        let bytes = block.as_bytes().ok_or("a block is in pieces")?;
        let large = "it is larger than any memory";
        let from = byte_strides(size, block.shape()).ok_or(large)?;
        let to = byte_strides(size, &self.chunks).ok_or(large)?;
        let first: Sizes = start.iter().zip(&self.chunks).map(|(s, c)| s / c).collect();
        let ends = start.iter().zip(block.shape()).map(|(s, n)| s + n - 1);
        let last: Sizes = ends.zip(&self.chunks).map(|(end, c)| end / c).collect();
        each_index(&first, &last, |index| {
            let part = self.part(index, start, block.shape(), (&from, &to));
            let walk = Walk::new(size, &part.count, &from, &to, (part.from, part.to));
            let path = self.folder.join(self.storage.keys.file(index));
            match self.storage.chain.is_plain() && !part.is_whole {
                true => self.write_pieces(&path, walk, bytes),
                false => SCRATCH.with_borrow_mut(|scratch| self.write_chunk(&path, &part, walk, bytes, scratch)),
            }
        })
    }

    /// The elements of a block as chunks hold them.
    fn stored<'b>(&self, block: &'b Block) -> Cow<'b, Block> {
        let element = self.storage.element;
        let stored = match element.is_half {
            true => {
                let mut halves = Block::alloc(DType::U16, block.shape());
                let block = block.contiguous();
                let elements = block.as_slice::<f32>().unwrap_or_default();
                halves.as_mut_slice::<u16>().iter_mut().zip(elements).for_each(|(to, &x)| *to = to_half(x));
                Cow::Owned(halves)
            }
            false if block.is_contiguous() => Cow::Borrowed(block),
            false => Cow::Owned(block.contiguous()),
        };
        match Encoding::ordered(self.storage.chain.swapped, element.unit()) {
            Encoding::Native => stored,
            // Turning bytes around undoes itself.
            order => Cow::Owned(order.finish(stored.copied())),
        }
    }

    fn part(&self, index: &[usize], start: &[usize], shape: &[usize], (from, to): (&[usize], &[usize])) -> Part {
        let mut part = Part { count: Sizes::new(), from: 0, to: 0, is_whole: true };
        for axis in 0..shape.len() {
            let origin = index[axis] * self.chunks[axis];
            let reach = (origin + self.chunks[axis]).min(self.shape[axis]);
            let begin = origin.max(start[axis]);
            let end = reach.min(start[axis] + shape[axis]);
            part.is_whole &= begin == origin && end == reach;
            part.count.push(end - begin);
            part.from += (begin - start[axis]) * from[axis];
            part.to += (begin - origin) * to[axis];
        }
        part
    }

    /// To a chunk that is stored as it is: each piece to its place.
    fn write_pieces(&self, path: &Path, walk: Walk, bytes: &[u8]) -> Result<(), String> {
        let open = || OpenOptions::new().write(true).open(path);
        let opened = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_whole(path)?;
                open()
            }
            opened => opened,
        };
        let file = opened.map_err(|e| e.to_string())?;
        match file.metadata().map_err(|e| e.to_string())?.len() {
            len if len == self.storage.bytes as u64 => {}
            len => {
                let (name, whole) = (path.display(), self.storage.bytes);
                return Err(format!("its chunk `{name}` has {len} bytes, not {whole}"));
            }
        }
        for run in walk {
            file.write_all_at(&bytes[run.from..run.from + run.len], run.to as u64).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Makes the file of a chunk, of fill values, unless somebody else has by now. It has its name only when it is whole.
    fn make_whole(&self, path: &Path) -> Result<(), String> {
        let _held = lock_of(path).lock();
        if path.exists() {
            return Ok(());
        }
        let (fill, bytes) = (&self.storage.fill, self.storage.bytes);
        let is_zero = fill.iter().all(|&b| b == 0);
        if !is_zero {
            check_room(path, bytes as u64)?;
        }
        // Some at a time: a chunk may be said to be of any size.
        let piece = fill.repeat(PIECE.min(bytes) / fill.len().max(1));
        let put = |file: &mut File| match is_zero {
            true => file.set_len(bytes as u64),
            false => (0..bytes).step_by(piece.len().max(1)).try_for_each(|at| {
                let len = piece.len().min(bytes - at);
                file.write_all(&piece[..len])
            }),
        };
        beside(path, put, |new| match renameat_with(CWD, new, CWD, path, RenameFlags::NOREPLACE) {
            // Another program was faster.
            Err(Errno::EXIST) => std::fs::remove_file(new),
            // A file system that does not know how.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => std::fs::rename(new, path),
            renamed => Ok(renamed?),
        })
    }

    /// Encodes a chunk anew.
    fn write_chunk(
        &self,
        path: &Path,
        part: &Part,
        walk: Walk,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let _held = (!part.is_whole).then(|| lock_of(path).lock());
        let chain = &self.storage.chain;
        let whole = self.storage.bytes;
        let there = if part.is_whole { None } else { super::node::open(path).map_err(|e| e.to_string())? };
        match there {
            Some(file) => {
                read_whole(&file, whole, scratch)?;
                codecs::decode(&chain.codecs, whole, scratch)?;
                if let Some(axes) = &chain.axes {
                    let ordered = in_order(&scratch.bytes, self.storage.element, &self.chunks, axes);
                    scratch.bytes.copy_from_slice(ordered.as_bytes().unwrap_or_default());
                }
            }
            None => {
                codecs::set_len(&mut scratch.bytes, whole)?;
                let fill = &self.storage.fill;
                scratch.bytes.chunks_exact_mut(fill.len().max(1)).for_each(|element| element.copy_from_slice(fill));
            }
        }
        for run in walk {
            scratch.bytes[run.to..run.to + run.len].copy_from_slice(&bytes[run.from..run.from + run.len]);
        }
        if let Some(axes) = &chain.axes {
            let mut block = Block::alloc(self.storage.element.raw(), &self.chunks);
            block.as_mut_bytes().copy_from_slice(&scratch.bytes);
            let turned = block.transpose(axes).contiguous();
            scratch.bytes.copy_from_slice(turned.as_bytes().unwrap_or_default());
        }
        codecs::encode(&chain.codecs, scratch)?;
        match self.is_seen {
            true => replace(path, &scratch.bytes),
            false => in_folder(path, || File::create(path))?.write_all(&scratch.bytes).map_err(|e| e.to_string()),
        }
    }
}

/// Opens a file whose folder is made if it is not there.
fn in_folder(path: &Path, open: impl Fn() -> std::io::Result<File>) -> Result<File, String> {
    let opened = open().or_else(|error| match (error.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(folder)) => {
            std::fs::create_dir_all(folder)?;
            open()
        }
        _ => Err(error),
    });
    opened.map_err(|e| e.to_string())
}

/// Puts a file in the place of another one, at once.
///
/// # Errors
/// Says what the system did not do; the other one is there still.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), String> {
    beside(path, |file| file.write_all(bytes), |new| std::fs::rename(new, path))
}

/// Writes a file beside the one it is to be, which it then becomes; if anything fails, nothing is left of it.
fn beside(
    path: &Path,
    put: impl FnOnce(&mut File) -> std::io::Result<()>,
    become_it: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), String> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = in_folder(&new, || File::create(&new))
        .and_then(|mut file| put(&mut file).and_then(|()| become_it(&new)).map_err(|e| e.to_string()));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn lock_of(path: &Path) -> &'static Mutex<()> {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(path);
    &LOCKS[hash as usize % LOCKS.len()]
}
