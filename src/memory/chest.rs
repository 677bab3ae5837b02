//! Results on disk. Blocks go as raw bytes into one file ([`super::spill_file`]), each to the first gap that is wide enough;
//! what was taken out for good leaves a gap. Plain values ([`super::plain`]) go there in pieces.

use super::plain;
use super::spill_file::SpillFile;
use crate::data::task::deep;
use crate::data::{Block, DType, Dims, Held, Map, Value, buffer};
use crate::err;
use crate::text::{Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A place for results that do not fit in memory.
pub struct Chest {
    folder: PathBuf,
    /// Bytes that may lie in it.
    most: u64,
    file: OnceLock<SpillFile>,
    space: Mutex<Space>,
}

/// What a block that was put away is got back for.
#[derive(Debug)]
pub struct Ticket {
    at: u64,
    dtype: DType,
    shape: Dims,
}

impl Ticket {
    /// Bytes of the block.
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

/// What plain values that were put away are got back for.
#[derive(Debug)]
pub struct Pages {
    /// Where each piece lies; all are [`PIECE`] bytes long but the last.
    pieces: Vec<u64>,
    bytes: usize,
    /// Bytes that the values take in memory.
    takes: usize,
}

impl Pages {
    /// Where the pieces lie, and how long they are.
    fn pieces(&self) -> impl Iterator<Item = (u64, usize)> {
        self.pieces.iter().enumerate().map(|(n, &at)| (at, (self.bytes - n * PIECE).min(PIECE)))
    }
}

/// A value that was put away: what is large of it is in the chest, the rest is as it was.
#[derive(Debug)]
pub enum Stowed {
    Block(Ticket),
    Plain(Pages),
    List(Vec<Stowed>),
    Map(Vec<(Value, Stowed)>),
    /// Too small to be put away, or no value that can be written.
    Other(Value),
}

impl Stowed {
    /// Bytes in the chest.
    pub fn bytes(&self) -> usize {
        self.sum(&Ticket::bytes, &|pages| pages.bytes)
    }

    /// Bytes that what is in the chest takes in memory, once it is back.
    pub fn takes(&self) -> usize {
        self.sum(&|ticket| buffer::capacity(ticket.bytes()), &|pages| pages.takes)
    }

    fn sum(&self, block: &dyn Fn(&Ticket) -> usize, plain: &dyn Fn(&Pages) -> usize) -> usize {
        match self {
            Stowed::Block(ticket) => block(ticket),
            Stowed::Plain(pages) => plain(pages),
            Stowed::List(items) => deep(|| items.iter().map(|one| one.sum(block, plain)).sum()),
            Stowed::Map(pairs) => deep(|| pairs.iter().map(|(_, one)| one.sum(block, plain)).sum()),
            Stowed::Other(_) => 0,
        }
    }
}

/// What lies in the file begins at multiples of this: a page.
const UNIT: u64 = 4096;

/// Plain values are written and read so many bytes at a time.
const PIECE: usize = 256 << 10;

#[derive(Default)]
struct Space {
    /// Length of each gap, by where it begins. Gaps do not touch.
    gaps: BTreeMap<u64, u64>,
    end: u64,
    used: u64,
}

impl Space {
    fn take(&mut self, len: u64) -> u64 {
        self.used += len;
        let Some((&at, &gap)) = self.gaps.iter().find(|&(_, &gap)| gap >= len) else {
            let at = self.end;
            self.end += len;
            return at;
        };
        self.gaps.remove(&at);
        if gap > len {
            self.gaps.insert(at + len, gap - len);
        }
        at
    }

    fn give(&mut self, mut at: u64, mut len: u64) {
        self.used -= len;
        if let Some((&before, &gap)) = self.gaps.range(..at).next_back()
            && before + gap == at
        {
            self.gaps.remove(&before);
            (at, len) = (before, gap + len);
        }
        if let Some(gap) = self.gaps.remove(&(at + len)) {
            len += gap;
        }
        match at + len == self.end {
            true => self.end = at,
            false => {
                self.gaps.insert(at, len);
            }
        }
    }
}

fn rounded(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(UNIT)
}

impl Chest {
    /// A chest in a folder, which is looked at when the first block is put away.
    pub fn new(folder: &Path, most: u64) -> Chest {
        Chest { folder: folder.to_path_buf(), most, file: OnceLock::new(), space: Mutex::default() }
    }

    /// Bytes that lie in it.
    pub fn used(&self) -> u64 {
        self.space.lock().used
    }

    /// Writes a value: plain ones whole; of lists and maps that hold large blocks, or what cannot be written, all that can be.
    ///
    /// # Errors
    /// `dsk::io` where the folder cannot be written to, is full, or more would lie there than may; then nothing of it stays.
    pub fn stow(&self, value: &Value) -> Result<Stowed> {
        self.stow_part(value, 0)
    }

    /// The same for what takes more than so many bytes.
    fn stow_part(&self, value: &Value, least: usize) -> Result<Stowed> {
        // What is small in a list is not worth a page.
        const LEAST: usize = UNIT as usize;
        deep(|| {
            if let Value::Block(block) = value {
                return self.put(block).map(Stowed::Block);
            }
            let held = Held::by(value);
            if held.bytes() <= least {
                return Ok(Stowed::Other(value.clone()));
            }
            if let Some(pages) = self.write(value, held)? {
                return Ok(Stowed::Plain(pages));
            }
            match value {
                Value::List(items) => self.stow_all(items.iter(), LEAST).map(Stowed::List),
                Value::Map(map) => {
                    let values = self.stow_all(map.iter().map(|(_, value)| value), LEAST)?;
                    Ok(Stowed::Map(map.iter().map(|(key, _)| key.clone()).zip(values).collect()))
                }
                other => Ok(Stowed::Other(other.clone())),
            }
        })
    }

    fn stow_all<'v>(&self, values: impl Iterator<Item = &'v Value>, least: usize) -> Result<Vec<Stowed>> {
        let mut stowed = Vec::new();
        for value in values {
            match self.stow_part(value, least) {
                Ok(one) => stowed.push(one),
                Err(error) => {
                    stowed.into_iter().for_each(|one| self.clear(one));
                    return Err(error);
                }
            }
        }
        Ok(stowed)
    }

    /// The value again; what is on disk of it stays there.
    ///
    /// # Errors
    /// `dsk::io` where that cannot be read.
    pub fn fetch(&self, stowed: &Stowed) -> Result<Value> {
        deep(|| match stowed {
            Stowed::Block(ticket) => self.get(ticket).map(Value::from),
            Stowed::Plain(pages) => self.read(pages),
            Stowed::List(items) => Ok(Value::list(items.iter().map(|one| self.fetch(one)).collect::<Result<_>>()?)),
            Stowed::Map(pairs) => {
                let mut map = Map::with_capacity(pairs.len());
                for (key, one) in pairs {
                    // The keys come from a map, so they are hashable.
                    let _ = map.insert(key.clone(), self.fetch(one)?);
                }
                Ok(Value::map(map))
            }
            Stowed::Other(value) => Ok(value.clone()),
        })
    }

    /// Gives up what is on disk of a value.
    pub fn clear(&self, stowed: Stowed) {
        match stowed {
            Stowed::Block(ticket) => self.discard(ticket),
            Stowed::Plain(pages) => self.discard_pages(&pages),
            Stowed::List(items) => deep(|| items.into_iter().for_each(|one| self.clear(one))),
            Stowed::Map(pairs) => deep(|| pairs.into_iter().for_each(|(_, one)| self.clear(one))),
            Stowed::Other(_) => {}
        }
    }

    /// Writes a block.
    fn put(&self, block: &Block) -> Result<Ticket> {
        let block = block.contiguous();
        let bytes = block.as_bytes().ok_or_else(|| err!(Internal, "a contiguous block has no bytes"))?;
        let at = self.put_bytes(bytes)?;
        Ok(Ticket { at, dtype: block.dtype(), shape: block.shape().into() })
    }

    /// Writes bytes, and tells where.
    fn put_bytes(&self, bytes: &[u8]) -> Result<u64> {
        let file = self.file()?;
        let len = rounded(bytes.len());
        let at = {
            let mut space = self.space.lock();
            if space.used + len > self.most {
                let (most, used) = (listed(self.most), listed(space.used));
                let (folder, len) = (self.folder.display(), listed(len));
                return Err(err!(Memory, "`:max-spill` is {most}: {used} lie in `{folder}`, and {len} more do not fit")
                    .help("raise `:max-spill`, or `:memory-limit`, with which less goes there: `(explain x)` tells how much, as `:bytes-spilled`"));
            }
            space.take(len)
        };
        file.write_all_at(bytes, at).map(|()| at).map_err(|error| {
            self.space.lock().give(at, len);
            self.trouble(&error, bytes.len(), "written")
        })
    }

    /// Writes a plain value that takes as much in memory as is said. `None` where it is not plain.
    fn write(&self, value: &Value, held: Held) -> Result<Option<Pages>> {
        let pages = Pages { pieces: Vec::new(), bytes: 0, takes: held.bytes() };
        let mut pen = Pen { chest: self, pages, piece: Vec::new(), failed: None };
        let written = plain::write(value, &mut pen).and_then(|plain| pen.turn().map(|()| plain));
        if let Ok(true) = written {
            return Ok(Some(pen.pages));
        }
        self.discard_pages(&pen.pages);
        pen.failed.map_or(Ok(None), Err)
    }

    /// Reads plain values, which stay where they are.
    fn read(&self, pages: &Pages) -> Result<Value> {
        let mut eye = Eye { file: self.file()?, left: pages.pieces(), piece: Vec::new(), at: 0 };
        plain::read(&mut eye).map_err(|error| self.trouble(&error, pages.bytes, "read back"))
    }

    /// Gives up plain values.
    fn discard_pages(&self, pages: &Pages) {
        let mut space = self.space.lock();
        pages.pieces().for_each(|(at, len)| space.give(at, rounded(len)));
    }

    /// Reads a block, which stays where it is.
    fn get(&self, ticket: &Ticket) -> Result<Block> {
        // Bools are bytes of 0 and 1 in memory that was zeroed or read: `put` wrote such bytes.
        let mut block = Block::alloc(ticket.dtype, &ticket.shape);
        let bytes = block.as_mut_bytes();
        self.file()?.read_exact_at(bytes, ticket.at).map_err(|e| self.trouble(&e, ticket.bytes(), "read back"))?;
        Ok(block)
    }

    /// Gives up a block.
    fn discard(&self, ticket: Ticket) {
        self.space.lock().give(ticket.at, rounded(ticket.bytes()));
    }

    fn file(&self) -> Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file.file());
        }
        let file = SpillFile::new(&self.folder).map_err(|e| {
            err!(Io, "results that do not fit in memory cannot be kept in `{}`: {e}", self.folder.display())
                .help("`:spill-dir` names a folder for them")
        })?;
        Ok(self.file.get_or_init(|| file).file())
    }

    fn trouble(&self, error: &std::io::Error, bytes: usize, what: &str) -> Error {
        let (bytes, folder, used) = (listed(bytes as u64), self.folder.display(), listed(self.used()));
        let results = format!("{bytes} of results that do not fit in memory could not be {what}");
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::WriteZero => {
                err!(Io, "`{folder}` is full: {results}, beside {used} that lie there")
                    .help("`:spill-dir` names another folder, `:memory-limit` lets more stay in memory")
            }
            ErrorKind::FileTooLarge => {
                err!(Io, "no file in `{folder}` may be as large: {results}, beside {used} that lie there")
                    .help("`ulimit -f` shows how large files may be; `:memory-limit` lets more stay in memory")
            }
            _ => err!(Io, "{results} in `{folder}`: {error}"),
        }
    }
}

/// Writes plain values, a piece at a time.
struct Pen<'c> {
    chest: &'c Chest,
    pages: Pages,
    piece: Vec<u8>,
    /// Why it could not write.
    failed: Option<Error>,
}

impl Pen<'_> {
    /// Puts the piece away.
    fn turn(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        match self.chest.put_bytes(&self.piece) {
            Ok(at) => {
                self.pages.pieces.push(at);
                self.pages.bytes += self.piece.len();
                self.piece.clear();
                Ok(())
            }
            Err(error) => {
                self.failed = Some(error);
                Err(ErrorKind::Other.into())
            }
        }
    }
}

impl io::Write for Pen<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..some]);
        if self.piece.len() == PIECE {
            self.turn()?;
        }
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads plain values, a piece at a time.
struct Eye<'c, I> {
    file: &'c File,
    left: I,
    piece: Vec<u8>,
    at: usize,
}

impl<I: Iterator<Item = (u64, usize)>> io::Read for Eye<'_, I> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len()
            && let Some((at, len)) = self.left.next()
        {
            self.piece.resize(len, 0);
            self.file.read_exact_at(&mut self.piece, at)?;
            self.at = 0;
        }
        let some = bytes.len().min(self.piece.len() - self.at);
        bytes[..some].copy_from_slice(&self.piece[self.at..self.at + some]);
        self.at += some;
        Ok(some)
    }
}

fn listed(bytes: u64) -> crate::text::Bytes {
    crate::text::Bytes(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    fn block(n: usize, x: f64) -> Block {
        Block::from_slice(&[n], &vec![x; n])
    }

    #[test]
    fn what_is_put_comes_back_and_gaps_are_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let chest = Chest::new(folder.path(), u64::MAX);
        let tickets: Vec<Ticket> = (0..4).map(|n| chest.put(&block(1000, n.into())).unwrap()).collect();
        for (n, ticket) in tickets.iter().enumerate() {
            assert!(chest.get(ticket).unwrap().same(&block(1000, n as f64)));
        }
        let end = chest.space.lock().end;
        let mut tickets = tickets.into_iter();
        let (a, b, c) = (tickets.next().unwrap(), tickets.next().unwrap(), tickets.next().unwrap());
        chest.discard(a);
        chest.discard(c);
        chest.discard(b);
        // Three neighbours are one gap, wide enough for what none of them could hold.
        let wide = chest.put(&block(2500, 9.0)).unwrap();
        assert_eq!((wide.at, chest.space.lock().end), (0, end));
        assert!(chest.get(&wide).unwrap().same(&block(2500, 9.0)));
        chest.discard(wide);
        chest.discard(tickets.next().unwrap());
        assert_eq!((chest.used(), chest.space.lock().end), (0, 0));
    }

    #[test]
    fn views_and_every_dtype_come_back_equal() {
        let folder = tempfile::tempdir().unwrap();
        let chest = Chest::new(folder.path(), u64::MAX);
        for dtype in DType::ALL {
            let whole = Block::zeros(*dtype, &[3, 0, 5]);
            assert!(chest.get(&chest.put(&whole).unwrap()).unwrap().same(&whole));
        }
        let rows = Block::from_slice(&[2, 3], &[1i32, 2, 3, 4, 5, 6]).transpose(&[1, 0]);
        assert!(chest.get(&chest.put(&rows).unwrap()).unwrap().same(&rows));
    }

    #[test]
    fn plain_values_come_back_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let chest = Chest::new(folder.path(), u64::MAX);
        let line = |n: i64| Value::str(format!("line {n}, which is as long as a line of a log may be"));
        let lines = Value::list((0..20_000).map(|n| Value::list(vec![Value::Int(n), line(n)])).collect());
        // Written in several pieces.
        let stowed = chest.stow(&lines).unwrap();
        assert!(matches!(stowed, Stowed::Plain(_)) && stowed.bytes() > 3 * PIECE && chest.used() > 3 * PIECE as u64);
        assert!(stowed.takes() > stowed.bytes());
        for _ in 0..2 {
            assert!(chest.fetch(&stowed).unwrap().same(&lines));
        }
        // A large block, and something that cannot be written: the rest goes to disk all the same.
        let regex = Value::Regex(std::sync::Arc::new(regex::Regex::new("a").unwrap()));
        let mixed = Value::list(vec![regex, block(1000, 2.0).into(), lines, Value::Int(1)]);
        let other = chest.stow(&mixed).unwrap();
        assert!(other.bytes() > stowed.bytes());
        assert!(chest.fetch(&other).unwrap().same(&mixed));
        chest.clear(stowed);
        chest.clear(other);
        assert_eq!((chest.used(), chest.space.lock().end), (0, 0));
    }

    #[test]
    fn of_plain_values_that_do_not_fit_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let chest = Chest::new(folder.path(), 2 * PIECE as u64);
        let floats = Value::list((0..200_000).map(|n| Value::Float(n.into())).collect());
        let error = chest.stow(&floats).unwrap_err();
        assert!(error.message().starts_with("`:max-spill` is 524 kB"), "{}", error.message());
        assert_eq!((chest.used(), chest.space.lock().end), (0, 0));
    }

    /// The system has a file that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named_and_nothing_counts_as_written() {
        let folder = Path::new("some/folder");
        let chest = Chest::new(folder, u64::MAX);
        let full = File::options().read(true).write(true).open("/dev/full").unwrap();
        assert!(chest.file.set(SpillFile::of(full)).is_ok());
        for _ in 0..2 {
            let error = chest.put(&block(1000, 1.0)).unwrap_err();
            assert_eq!(error.code().as_str(), "dsk::io");
            let message = "`some/folder` is full: 8 kB of results that do not fit in memory could not be written, beside 0 B that lie there";
            assert_eq!(error.message(), message);
            assert!(error.help_lines()[0].contains(":spill-dir"), "{:?}", error.help_lines());
            assert_eq!((chest.used(), chest.space.lock().end), (0, 0));
        }
    }

    #[test]
    fn every_way_to_be_full_is_told() {
        let chest = Chest::new(Path::new("some/folder"), u64::MAX);
        let told = |errno: Errno| chest.trouble(&errno.into(), 8000, "written").message().to_string();
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert!(told(errno).starts_with("`some/folder` is full: 8 kB of results"), "{}", told(errno));
        }
        assert!(
            told(Errno::FBIG).starts_with("no file in `some/folder` may be as large: 8 kB"),
            "{}",
            told(Errno::FBIG)
        );
        assert!(
            told(Errno::IO).contains("8 kB of results") && told(Errno::IO).contains("some/folder"),
            "{}",
            told(Errno::IO)
        );
    }

    #[test]
    fn no_more_than_may_lies_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let chest = Chest::new(folder.path(), 10_000);
        let _first = chest.put(&block(1000, 1.0)).unwrap();
        let error = chest.put(&block(1000, 1.0)).unwrap_err();
        let message = "`:max-spill` is 10 kB: 8.2 kB lie in `FOLDER`, and 8.2 kB more do not fit";
        assert_eq!(error.message().replace(&*folder.path().to_string_lossy(), "FOLDER"), message);
        assert!(error.help_lines()[0].contains(":memory-limit"), "{:?}", error.help_lines());
        let nowhere = Chest::new(&folder.path().join("missing"), 10_000);
        let error = nowhere.put(&block(10, 1.0)).unwrap_err();
        assert!(error.message().contains("missing"), "{}", error.message());
    }
}
