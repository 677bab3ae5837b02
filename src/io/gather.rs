//! Reading and writing many small pieces of a file with few calls, straight from and to where they belong in memory.

use super::walk::{Run, Walk};
use parking_lot::{Mutex, MutexGuard};
use rustix::io::{Errno, preadv, pwritev};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// As many pieces as the system takes in one call.
const MOST_PIECES: usize = 1024;
/// Runs at least this long are read to their places directly; shorter ones are cheaper to copy out of a larger piece.
const DIRECT: usize = 1024;
/// Reading over a gap of up to this many bytes is cheaper than another call.
const GAP: usize = 4096;
/// How much of the file is read at once to copy short runs out of.
const WINDOW: usize = 256 * 1024;

/// Why a piece of a file could not be moved.
#[derive(Debug)]
pub enum Trouble {
    /// The file ends before.
    Short,
    System(std::io::Error),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Trouble::Short => f.write_str("the file ended"),
            Trouble::System(error) => error.fmt(f),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Trouble::Short,
            _ => Trouble::System(error),
        }
    }
}

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        Trouble::System(errno.into())
    }
}

/// Reads every run of a walk, whose `from` counts from `base` in the file, to its place in `out`.
pub fn read(file: &File, base: u64, walk: Walk, out: &mut [u8]) -> Result<(), Trouble> {
    let mut walk = walk.peekable();
    match walk.peek() {
        None => Ok(()),
        Some(run) if run.len >= DIRECT => read_direct(file, base, walk, out),
        Some(_) => read_windows(file, base, walk, out),
    }
}

fn read_direct(file: &File, base: u64, mut runs: std::iter::Peekable<Walk>, out: &mut [u8]) -> Result<(), Trouble> {
    let mut sink = [0u8; GAP];
    while let Some(&first) = runs.peek() {
        // Runs come in growing order on both sides: memory is split off front to back, and so is the gap sink, a piece
        // a gap, until it is used up.
        let mut pieces: Vec<IoSliceMut> = Vec::with_capacity(MOST_PIECES.min(64));
        let mut rest = &mut out[..];
        let mut rest_at = 0;
        let mut waste = &mut sink[..];
        let mut end = first.from;
        while let Some(&run) = runs.peek() {
            let gap = run.from - end;
            if gap > waste.len() || pieces.len() + 2 > MOST_PIECES {
                break;
            }
            if gap > 0 {
                let (piece, left) = std::mem::take(&mut waste).split_at_mut(gap);
                pieces.push(IoSliceMut::new(piece));
                waste = left;
            }
            let (_, from_run) = std::mem::take(&mut rest).split_at_mut(run.to - rest_at);
            let (piece, left) = from_run.split_at_mut(run.len);
            pieces.push(IoSliceMut::new(piece));
            (rest, rest_at) = (left, run.to + run.len);
            end = run.from + run.len;
            runs.next();
        }
        read_pieces(file, base + first.from as u64, &mut pieces)?;
    }
    Ok(())
}

fn read_pieces(file: &File, mut at: u64, mut pieces: &mut [IoSliceMut]) -> Result<(), Trouble> {
    while !pieces.is_empty() {
        match preadv(file, pieces, at) {
            Ok(0) => return Err(Trouble::Short),
            Ok(n) => {
                at += n as u64;
                IoSliceMut::advance_slices(&mut pieces, n);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn read_windows(file: &File, base: u64, mut runs: std::iter::Peekable<Walk>, out: &mut [u8]) -> Result<(), Trouble> {
    let mut window: Vec<u8> = Vec::new();
    let mut batch: Vec<Run> = Vec::new();
    while let Some(&first) = runs.peek() {
        batch.clear();
        let mut end = first.from;
        while let Some(&run) = runs.peek() {
            if run.from - end > GAP || (run.from + run.len - first.from > WINDOW && !batch.is_empty()) {
                break;
            }
            batch.push(run);
            end = run.from + run.len;
            runs.next();
        }
        window.resize(end - first.from, 0);
        file.read_exact_at(&mut window, base + first.from as u64)?;
        for run in &batch {
            let from = run.from - first.from;
            out[run.to..run.to + run.len].copy_from_slice(&window[from..from + run.len]);
        }
    }
    Ok(())
}

/// A file that blocks are written to.
pub struct Output {
    file: File,
    /// Written pages go to the disk at once and are not kept.
    streamed: AtomicBool,
    turn: Mutex<()>,
}

/// A piece shorter than this is kept by the system until it has its neighbours, even where it is not for longer.
const STREAMED: usize = 128 * 1024;
/// What the system keeps or does not is a multiple of this.
const PAGE: u64 = 4096;

impl Output {
    /// For writing so many bytes in all. The system keeps a copy of what was written, for those who read it soon. Where it is
    /// a good part of the machine's memory, the pages for it are taken from what is read meanwhile, and finding fresh ones costs
    /// more than the writing: 0.2 to 1 GB/s were seen for kept pages, where others were written at 2 to 3.
    pub fn new(file: File, bytes: u64) -> Output {
        Output { file, streamed: AtomicBool::new(bytes > system::memory() / 32), turn: Mutex::new(()) }
    }

    /// Makes sure that so many bytes can be written from `at` on. What is there stays as it is.
    pub fn reserve(&self, at: u64, bytes: u64) -> Result<(), Trouble> {
        loop {
            match system::reserve(&self.file, at, bytes) {
                Err(Errno::INTR) => {}
                Err(full @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => return Err(full.into()),
                // Some file systems find space only for what is written.
                Ok(()) | Err(_) => return Ok(()),
            }
        }
    }

    /// For all of a block. The system lets one thread write to a file at a time: those that took turns piece by piece would be
    /// done together, and nobody would write while they all read what comes next.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// Writes every run of a walk, from `bytes` to its place in the file, counted from `base`. What is between runs in the
    /// file stays as it is.
    pub fn write(&self, base: u64, walk: Walk, bytes: &[u8]) -> Result<(), Trouble> {
        let mut runs = walk.peekable();
        while let Some(&first) = runs.peek() {
            let mut pieces: Vec<&[u8]> = Vec::with_capacity(64);
            let mut end = first.to;
            while let Some(&run) = runs.peek() {
                if run.to != end || pieces.len() == MOST_PIECES {
                    break;
                }
                pieces.push(&bytes[run.from..run.from + run.len]);
                end = run.to + run.len;
                runs.next();
            }
            let at = base + first.to as u64;
            match end - first.to >= STREAMED && self.streamed.load(Relaxed) {
                true => self.stream_pieces(at, end - first.to, pieces)?,
                false => self.write_pieces(at, &pieces, false)?,
            }
        }
        Ok(())
    }

    /// Streams all but the pages at both ends that others write the rest of: it would be read back from the disk for these.
    fn stream_pieces(&self, at: u64, bytes: usize, mut pieces: Vec<&[u8]>) -> Result<(), Trouble> {
        let head = (at.next_multiple_of(PAGE) - at) as usize;
        let tail = ((at + bytes as u64) % PAGE) as usize;
        let last = split_off(&mut pieces, bytes - tail);
        let whole = split_off(&mut pieces, head);
        self.write_pieces(at, &pieces, false)?;
        self.write_pieces(at + head as u64, &whole, true)?;
        self.write_pieces(at + (bytes - tail) as u64, &last, false)
    }

    fn write_pieces(&self, mut at: u64, pieces: &[&[u8]], streamed: bool) -> Result<(), Trouble> {
        let mut pieces: Vec<IoSlice> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut pieces = &mut pieces[..];
        while !pieces.is_empty() {
            let streamed = streamed && self.streamed.load(Relaxed);
            let written =
                if streamed { system::write_through(&self.file, pieces, at) } else { pwritev(&self.file, pieces, at) };
            match written {
                Ok(0) => return Err(Trouble::Short),
                Ok(n) => {
                    at += n as u64;
                    IoSlice::advance_slices(&mut pieces, n);
                }
                Err(Errno::INTR) => {}
                // The file system, or the system, cannot do it.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) if streamed => self.streamed.store(false, Relaxed),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

/// Takes what is behind so many bytes off the end of pieces.
fn split_off<'b>(pieces: &mut Vec<&'b [u8]>, bytes: usize) -> Vec<&'b [u8]> {
    let mut end = 0;
    let behind = |piece: &&[u8]| {
        end += piece.len();
        end > bytes
    };
    let Some(at) = pieces.iter().position(behind) else { return Vec::new() };
    let mut rest = pieces.split_off(at);
    let (before, behind) = rest[0].split_at(rest[0].len() - (end - bytes));
    rest[0] = behind;
    pieces.extend(Some(before).filter(|piece| !piece.is_empty()));
    rest
}

/// Bytes of memory in the machine; no end of them where that cannot be told.
pub fn machine_memory() -> u64 {
    system::memory()
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::{ReadWriteFlags, Result, pwritev2};
    use std::fs::File;
    use std::io::IoSlice;

    /// `RWF_DONTCACHE`, since Linux 6.14.
    const UNCACHED: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

    pub fn write_through(file: &File, pieces: &[IoSlice], at: u64) -> Result<usize> {
        pwritev2(file, pieces, at, UNCACHED)
    }

    pub fn reserve(file: &File, at: u64, bytes: u64) -> Result<()> {
        fallocate(file, FallocateFlags::KEEP_SIZE, at, bytes)
    }

    /// Bytes of memory in the machine.
    pub fn memory() -> u64 {
        let info = rustix::system::sysinfo();
        info.totalram.saturating_mul(info.mem_unit.into())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use rustix::io::{Errno, Result};
    use std::fs::File;
    use std::io::IoSlice;

    pub fn write_through(_: &File, _: &[IoSlice], _: u64) -> Result<usize> {
        Err(Errno::OPNOTSUPP)
    }

    pub fn reserve(_: &File, _: u64, _: u64) -> Result<()> {
        Err(Errno::OPNOTSUPP)
    }

    /// As if there were no end to it.
    pub fn memory() -> u64 {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns 1 to 300 000 of three rows, kept by the system or not; lengths and places are no multiples of a page.
    #[test]
    fn what_is_streamed_arrives() {
        for streamed in [false, true] {
            let file = tempfile::tempfile().unwrap();
            let output = Output { file, streamed: AtomicBool::new(streamed), turn: Mutex::default() };
            let bytes: Vec<u8> = (0..900_000u32).map(|n| (n % 251) as u8).collect();
            let walk = || Walk::new(1, &[3, 299_999], &[300_000, 1], &[299_999, 1], (1, 5));
            output.write(7, walk(), &bytes).unwrap();
            let mut back = vec![0; 12 + 3 * 299_999];
            output.file.read_exact_at(&mut back, 0).unwrap();
            assert_eq!(back[..12], [0; 12]);
            for run in walk() {
                assert!(back[7 + run.to..][..run.len] == bytes[run.from..][..run.len]);
            }
        }
    }

    #[test]
    fn what_is_reserved_stays_as_it_is() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"before", 0).unwrap();
        let output = Output::new(file, 0);
        output.reserve(0, 1 << 20).unwrap();
        assert_eq!(output.file.metadata().unwrap().len(), 6);
        let mut back = [0; 6];
        output.file.read_exact_at(&mut back, 0).unwrap();
        assert_eq!(&back, b"before");
    }
}
