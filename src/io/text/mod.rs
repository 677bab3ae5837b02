//! Files of text: names to files, compressed ones by their names, parts of them that end where lines do.

mod elements;
mod encoding;
mod piece;
mod write;

pub use elements::elements;
pub use encoding::{Encoding, Errors};
pub use piece::{Piece, lines, lines_before, split};
pub use write::{Place, write};

use crate::data::cancel;
use crate::err;
use crate::text::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// How the bytes of a file are packed, which its name tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    pub fn of(path: &Path) -> Compression {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz" | "gzip") => Compression::Gzip,
            Some("zst" | "zstd") => Compression::Zstd,
            Some("bz2") => Compression::Bzip2,
            Some("xz") => Compression::Xz,
            _ => Compression::None,
        }
    }
}

/// Endings of files that are packed in ways which are not known here.
const UNKNOWN: &[&str] = &["zip", "7z", "rar", "lz4", "lzma", "br", "sz", "lzo", "z"];

/// Refuses a file whose name says that it is packed in a way which is not known: its bytes are no text.
pub fn check_packing(path: &Path) -> Result<()> {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).unwrap_or_default();
    match UNKNOWN.contains(&&*ending) {
        true => Err(err!(Value, "`{}`: there is no packing `.{ending}`", path.display())
            .help("`.gz`, `.zst`, `.bz2` and `.xz` are packed and unpacked")),
        false => Ok(()),
    }
}

/// What went wrong with a file.
pub fn failed(path: &Path, what: &str, error: &std::io::Error) -> Error {
    err!(Io, "`{}` cannot be {what}: {error}", path.display())
}

/// The files that a name means, in the order of their names: itself, or what a pattern (`*`, `?`, `[ab]`, `**`) matches.
///
/// # Errors
/// `dsk::io` for a pattern that matches nothing, and a file that is not there; `dsk::value` for one that is no pattern.
pub fn files(name: &str) -> Result<Vec<PathBuf>> {
    let path = PathBuf::from(name);
    if path.exists() || !name.contains(['*', '?', '[']) {
        return match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => Err(err!(Io, "`{name}` is a folder")
                .help(format!("`{}/*` means the files in it", name.trim_end_matches('/')))),
            Ok(_) => Ok(vec![path]),
            Err(error) => Err(failed(&path, "read", &error)),
        };
    }
    let found = matching(name)?;
    let files: Vec<PathBuf> = found.into_iter().filter(|path| path.is_file()).collect();
    match files.is_empty() {
        true => Err(err!(Io, "no file matches `{name}`")),
        false => Ok(files),
    }
}

/// All that a pattern matches, in the order of names.
pub fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    // As in Python and shells: what is hidden, and what is not yet complete, is not meant.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|error| err!(Value, "`{pattern}` is not a pattern of file names: {}", error.msg))?;
    let mut found = Vec::new();
    for path in paths {
        cancel::check()?;
        found.push(path.map_err(|error| failed(error.path(), "looked into", error.error()))?);
    }
    found.sort();
    Ok(found)
}

/// What a file holds, unpacked.
fn reader(path: &Path) -> Result<Box<dyn Read>> {
    let failed = |error: std::io::Error| failed(path, "read", &error);
    let file = File::open(path).map_err(failed)?;
    let packing = Compression::of(path);
    if packing == Compression::None {
        return Ok(Box::new(file));
    }
    let mut file = BufReader::with_capacity(1 << 16, file);
    let first = file.fill_buf().map_err(failed)?.first().copied();
    Ok(match (packing, first) {
        // Nothing, packed by nobody.
        (_, None) => Box::new(std::io::empty()),
        (Compression::Gzip, Some(0x1f)) => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        (Compression::Gzip, _) => return Err(err!(Io, "`{}` cannot be read: it is not gzip", path.display())),
        (Compression::Zstd, _) => Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(failed)?),
        (Compression::Bzip2, _) => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        (Compression::Xz | Compression::None, _) => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(file)),
    })
}

/// The text of a program in a file.
///
/// # Errors
/// `dsk::io` where the file cannot be read, `dsk::syntax` where it is not UTF-8.
pub fn program(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| failed(path, "read", &error))?;
    String::from_utf8(bytes).map_err(|_| err!(Syntax, "`{}` is not UTF-8 text", path.display()))
}

/// The first bytes of a file, unpacked.
pub fn head(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    reader(path)?.take(most).read_to_end(&mut all).map_err(|error| failed(path, "read", &error))?;
    Ok(all)
}

/// All bytes of a file, unpacked. No more than `most`.
pub fn bytes(path: &Path, most: usize) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| failed(path, "read", &error);
    let mut reader = reader(path)?;
    let mut all = Vec::new();
    loop {
        cancel::check()?;
        let before = all.len();
        reader.by_ref().take(1 << 22).read_to_end(&mut all).map_err(failed)?;
        if all.len() == before {
            return Ok(all);
        }
        if all.len() > most {
            return Err(err!(Memory, "`{}` is longer than the {} bytes that one text may have", path.display(), most)
                .help("files that are not packed are read in parts: `:blocksize`"));
        }
    }
}
