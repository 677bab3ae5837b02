//! A variable of a classic netCDF file, its attributes, and what else is in the file.

use super::header::{Attribute, Header, Kind};
use crate::data::slice::Range;
use crate::data::{Block, DType, Map, Outside, Value};
use crate::err;
use crate::io::files::{self, Stamp};
use crate::io::gather::Trouble;
use crate::io::listing::{self, Content, Entry};
use crate::io::plain::{self, Plain};
use crate::io::stored::Stored;
use crate::text::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A variable, opened for reading.
pub struct Variable {
    path: PathBuf,
    name: String,
    file: File,
    plain: Plain,
    stamp: Stamp,
    identity: String,
}

/// A file, its length, and its header.
fn opened(path: &Path) -> Result<(File, u64, Header)> {
    let file = files::open(path)?;
    let len = file.metadata().map_err(|e| files::system_error(path, &e))?.len();
    let header = Header::read(&file, len).map_err(|what| err!(Io, "`{}` is damaged: {what}", path.display()))?;
    Ok((file, len, header))
}

/// The variable that `name` means, which may begin with a `/`.
fn find<'h>(header: &'h Header, path: &Path, name: &str) -> Result<&'h super::header::Entry> {
    let wanted = name.trim_matches('/');
    header.variables.iter().find(|entry| entry.name == wanted).ok_or_else(|| {
        let error = err!(Io, "`{}` has no dataset `/{wanted}`", path.display());
        let names: Vec<String> = header.variables.iter().map(|entry| format!("/{}", entry.name)).collect();
        listing::with_names(error, Some(&format!("/{wanted}")), &names)
    })
}

impl Variable {
    /// Opens the variable `name` of the file at `path`.
    ///
    /// # Errors
    /// `dsk::io` for a file or variable that is not there or damaged, `dsk::type` for text.
    pub fn open(path: &Path, name: &str) -> Result<Variable> {
        let (file, len, header) = opened(path)?;
        let entry = find(&header, path, name)?;
        let target = format!("{}::/{}", path.display(), entry.name);
        let Kind::Number(dtype) = entry.kind else { return Err(plain::no_dtype(&format!("`{target}`"), "text")) };
        let (shape, strides, span) = header.layout(entry).map_err(|what| err!(Io, "`{target}` {what}"))?;
        if span > 0 && entry.begin.checked_add(span).is_none_or(|end| end > len) {
            return Err(plain::cannot_read(&target, Trouble::Short));
        }
        let about = file.metadata().map_err(|e| files::system_error(path, &e))?;
        let stamp = Stamp::of(&about);
        let identity = format!("{target} {stamp}");
        let (encoding, size, at) = (entry.kind.encoding(), entry.kind.size(), entry.begin);
        let plain = Plain { dtype, encoding, size, shape, at, strides };
        Ok(Variable { path: path.to_path_buf(), name: entry.name.clone(), file, plain, stamp, identity })
    }
}

impl Stored for Variable {
    fn target(&self) -> String {
        format!("{}::/{}", self.path.display(), self.name)
    }

    fn shape(&self) -> &[usize] {
        &self.plain.shape
    }

    fn dtype(&self) -> DType {
        self.plain.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn decodes(&self) -> bool {
        false
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn state(&self) -> Option<u64> {
        files::state(&self.file)
    }

    fn outside(&self) -> Outside {
        self.plain.outside(self.plain.shape.clone())
    }

    fn read(&self, region: &[Range]) -> Result<Block> {
        let block = self.plain.read(&self.file, region, &|| self.target());
        files::check_still(&self.path, self.stamp, &|| self.target(), || self.is_where_it_was())?;
        block
    }
}

impl Variable {
    /// Whether a file that was written to since has the variable where it was, as it was. More records may have come.
    fn is_where_it_was(&self) -> bool {
        Variable::open(&self.path, &self.name).is_ok_and(|now| {
            let (was, now) = (&self.plain, &now.plain);
            (was.dtype, was.at, &was.strides) == (now.dtype, now.at, &now.strides)
                && was.shape.get(1..) == now.shape.get(1..)
                && was.shape.first() <= now.shape.first()
        })
    }
}

/// The attributes of a variable, or of the file.
///
/// # Errors
/// `dsk::io` for a file or variable that is not there, or a header that is damaged.
pub fn attributes(path: &Path, name: &str) -> Result<Map> {
    let (_, _, header) = opened(path)?;
    match name.trim_matches('/').is_empty() {
        true => Ok(map(&header.attributes)),
        false => find(&header, path, name).map(|entry| map(&entry.attributes)),
    }
}

/// By name, as those of HDF5 files are.
fn map(attributes: &[Attribute]) -> Map {
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut map = Map::new();
    sorted.iter().for_each(|attribute| map.set(&attribute.name, value(attribute)));
    map
}

/// Text is a string, one number a number, and several are an array.
fn value(attribute: &Attribute) -> Value {
    let Kind::Number(dtype) = attribute.kind else {
        let end = attribute.bytes.iter().position(|&b| b == 0).unwrap_or(attribute.bytes.len());
        return Value::str(&*String::from_utf8_lossy(&attribute.bytes[..end]));
    };
    let encoding = attribute.kind.encoding();
    let shape = match attribute.bytes.len() / dtype.size() {
        1 => vec![],
        n => vec![n],
    };
    let mut block = encoding.alloc(dtype, &shape);
    block.as_mut_bytes().copy_from_slice(&attribute.bytes);
    Value::from(encoding.finish(block)).plain()
}

/// What is in the file, as text.
///
/// # Errors
/// `dsk::io` for a file that is not there, or a header that is damaged.
pub fn listing(path: &Path, show: &dyn Fn(&Value) -> String) -> Result<String> {
    let (_, len, header) = opened(path)?;
    let root = Entry { name: "/".into(), content: Content::Group, attributes: map(&header.attributes) };
    let entry = |entry: &super::header::Entry| {
        let content = match header.layout(entry) {
            Err(what) => Content::Damaged(format!("it {what}")),
            Ok((_, _, span)) if span > 0 && entry.begin.checked_add(span).is_none_or(|end| end > len) => {
                Content::Damaged("the file ends before its data does".into())
            }
            Ok((shape, _, _)) => {
                let bytes = shape.iter().product::<usize>() as u64 * entry.kind.size() as u64;
                let dtype = match entry.kind {
                    Kind::Text => "text".to_string(),
                    Kind::Number(dtype) => dtype.name().to_string(),
                };
                let shape = Some(shape.to_vec());
                Content::Dataset { shape, dtype, chunks: None, filters: Vec::new(), bytes, stored: bytes }
            }
        };
        Entry { name: format!("/{}", entry.name), content, attributes: map(&entry.attributes) }
    };
    let entries: Vec<Entry> = std::iter::once(root).chain(header.variables.iter().map(entry)).collect();
    Ok(listing::text(path, len, &entries, show))
}

/// The error for a file of this kind that is to be written.
pub fn only_read(path: &Path) -> Error {
    err!(Io, "`{}` cannot be written: classic netCDF files are only read", path.display())
        .help("an array can be stored to an HDF5 file, which netCDF-4 reads, too: `x.h5::/A`")
}
