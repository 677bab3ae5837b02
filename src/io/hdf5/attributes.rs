//! Attributes: small named values of a dataset, a group or a file.

use super::btree2;
use super::convert;
use super::datatype::{Class, Datatype};
use super::element::{self, Element};
use super::format::{Cursor, Damage, Medium, Sound};
use super::fractal::FractalHeap;
use super::header::{Header, kind};
use super::heap::GlobalHeap;
use super::library::{Failure, Id, Library, Outcome, locked};
use super::message::Dataspace;
use super::source::Source;
use super::{group, listing};
use crate::data::{Block, DType, Map, Value};
use crate::err;
use crate::io::files;
use crate::io::walk::byte_strides;
use crate::text::Result;
use hdf5_sys::{h5a, h5p, h5t};
use std::cmp::Ordering;
use std::path::Path;

/// Larger attributes are not read: the format itself keeps them small.
const MOST: usize = 64 << 20;

/// The attributes of a dataset or group, by name: numbers and strings, arrays and lists of them. One of another type is
/// a string that names the type in angle brackets.
pub fn read(path: &Path, name: &str) -> Result<Map> {
    let name = files::normal_name(name)?;
    locked(|lib| {
        let source = Source::open(lib, path)?;
        let place = listing::find_object(lib, &source, &name)?;
        all(&place.source, &place.header().map_err(|d| place.told(&d))?).map_err(|d| place.told(&d))
    })
}

/// Every attribute of the object with that header, by name.
pub fn all(source: &Source, header: &Header) -> Sound<Map> {
    let medium = source.medium();
    let mut found = Vec::new();
    for message in header.all(kind::ATTRIBUTE) {
        found.push(Raw::parse(source, &source.body(message)?)?);
    }
    if let Some(info) = header.first(kind::ATTRIBUTE_INFO) {
        dense(source, &medium, &info.body, &mut found)?;
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let mut heap = GlobalHeap::default();
    let mut map = Map::new();
    for raw in &found {
        let value = match raw.value(&medium, &mut heap)? {
            Ok(value) => value,
            Err(what) => Value::str(format!("<{what}>")),
        };
        map.set(&String::from_utf8_lossy(&raw.name), value);
    }
    Ok(map)
}

/// Attributes that are kept in a heap: more of them, or larger ones, than an object header has room for.
fn dense(source: &Source, medium: &Medium, info: &[u8], found: &mut Vec<Raw>) -> Sound<()> {
    let mut cursor = Cursor::new(info);
    let (version, flags) = (cursor.number(1)?, cursor.number(1)?);
    if version != 0 {
        return Err("attributes of unknown version".into());
    }
    cursor.take(if flags & 1 != 0 { 2 } else { 0 })?;
    let addresses = group::index_addresses(medium, &mut cursor, flags & 2 != 0)?;
    let Some((heap, tree, order)) = addresses else { return Ok(()) };
    let mut heap = FractalHeap::read(medium, heap)?;
    if let Some(order) = order {
        btree2::walk(medium, order, 9, 13, &|_| Ordering::Equal, &mut |_| Ok(()))?;
    }
    let mut total = 0;
    btree2::walk(medium, tree, 8, 17, &|_| Ordering::Equal, &mut |record| {
        // An id of a heap, flags, order, hash.
        let (id, flags) = (&record[..8], record[8]);
        let body = match flags & 2 {
            0 => heap.object(id)?,
            _ => source.shared_heap(medium, kind::ATTRIBUTE)?.object(id)?,
        };
        // They don't overlap: together they are no longer than the file.
        total += body.len() as u64;
        if total > medium.len {
            return Err("attributes larger than the file".into());
        }
        found.push(Raw::parse(source, &body)?);
        Ok(())
    })
}

/// An attribute as the file has it.
struct Raw {
    name: Vec<u8>,
    datatype: Datatype,
    /// `None` is without a value.
    space: Option<Dataspace>,
    data: Vec<u8>,
}

impl Raw {
    /// Source: HDF5 File Format Specification Version 3.0, IV.A.2.m.
    fn parse(source: &Source, body: &[u8]) -> Sound<Raw> {
        let mut cursor = Cursor::new(body);
        let (version, flags) = (cursor.number(1)?, cursor.number(1)?);
        let lens = [cursor.size(2)?, cursor.size(2)?, cursor.size(2)?];
        match version {
            1 | 2 => {}
            3 => {
                cursor.take(1)?;
            }
            _ => return Err("an attribute of unknown version".into()),
        }
        let mut part = |n: usize| {
            let padded = if version == 1 { lens[n].next_multiple_of(8) } else { lens[n] };
            Ok::<_, Damage>(&cursor.take(padded)?[..lens[n]])
        };
        let (name, datatype, space) = (part(0)?, part(1)?, part(2)?);
        let shared = |n: u64| version > 1 && flags >> n & 1 == 1;
        let whole = |shared, part: &[u8], kind| match shared {
            true => source.shared(part, kind),
            false => Ok(part.to_vec()),
        };
        let datatype = Datatype::parse(&whole(shared(0), datatype, kind::DATATYPE)?)?;
        let space = Dataspace::parse(&source.medium(), &whole(shared(1), space, kind::DATASPACE)?)?;
        let name = Cursor::new(name).text()?.to_vec();
        Ok(Raw { name, datatype, space, data: cursor.rest().to_vec() })
    }

    /// Its value, or what it is where there is none for it.
    fn value(&self, medium: &Medium, heap: &mut GlobalHeap) -> Sound<std::result::Result<Value, String>> {
        let Some(space) = &self.space else { return Ok(Ok(Value::Nil)) };
        let size = self.datatype.size;
        let bytes = space.count().and_then(|n| n.checked_mul(size)).filter(|&n| n <= self.data.len());
        let bytes = &self.data[..bytes.ok_or("an attribute is shorter than its shape")?];
        let texts: Vec<Value> = match &self.datatype.class {
            Class::Text { spaces } => bytes.chunks_exact(size).map(|bytes| text(bytes, *spaces)).collect(),
            Class::Sequence { text: true, .. } => {
                if size != 8 + medium.address {
                    return Err("strings of an impossible size".into());
                }
                let mut total = 0;
                let each = |bytes: &[u8]| {
                    let bytes = sequence(medium, heap, bytes)?;
                    total += bytes.len();
                    if total > MOST {
                        return Ok(None);
                    }
                    Ok(Some(text(bytes, false)))
                };
                match bytes.chunks_exact(size).map(each).collect::<Sound<Option<Vec<_>>>>()? {
                    Some(texts) => texts,
                    None => return Ok(Err("a large attribute".into())),
                }
            }
            _ => return Ok(self.numbers(&space.shape, bytes)),
        };
        Ok(Ok(match (space.shape.as_slice(), texts.as_slice()) {
            ([], [text]) => text.clone(),
            _ => Value::list(texts),
        }))
    }

    fn numbers(&self, shape: &[usize], bytes: &[u8]) -> std::result::Result<Value, String> {
        let element = Element::of(&self.datatype)?;
        let whole = byte_strides(element.size.max(element.dtype.size()), shape);
        if bytes.len() > MOST || whole.is_none() {
            return Err("a large attribute".into());
        }
        let mut block = convert::alloc(&element, shape);
        block.as_mut_bytes().copy_from_slice(bytes);
        Ok(Value::from(convert::finish(&self.datatype, &element, block)).plain())
    }
}

/// Text up to a NUL, or to the spaces it is padded with.
fn text(bytes: &[u8], spaces: bool) -> Value {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    Value::str(if spaces { text.trim_end_matches(' ') } else { &text })
}

/// The bytes of a string of any length: its length, and its place in the global heap.
fn sequence<'h>(medium: &Medium, heap: &'h mut GlobalHeap, bytes: &[u8]) -> Sound<&'h [u8]> {
    let mut cursor = Cursor::new(bytes);
    let (len, at, number) = (cursor.size(4)?, cursor.address(medium)?, cursor.number(4)?);
    match at {
        None | Some(0) => Ok(&[]),
        Some(_) if len == 0 => Ok(&[]),
        Some(at) => heap.object(medium, at, number)?.get(..len).ok_or_else(|| "a string longer than its place".into()),
    }
}

/// An attribute, ready to be written.
pub struct Attribute {
    name: String,
    value: Content,
}

enum Content {
    Block(Block),
    Texts { texts: Vec<String>, shape: Vec<usize> },
}

/// Checks that every value of a map can be an attribute, so that nothing fails once a dataset is complete.
///
/// # Errors
/// `dsk::type` for values other than numbers, strings, arrays, and lists of strings.
pub fn prepare(map: &Map) -> Result<Vec<Attribute>> {
    map.iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &Value, value: &Value) -> Result<Attribute> {
    let Some(name) = name.as_text().filter(|n| !n.is_empty() && !n.contains('\0')) else {
        return Err(err!(Type, "the name of an attribute is a keyword or string, not {}", name.a_type_name()));
    };
    let scalar = |block: Block| Ok(Content::Block(block));
    let texts = |items: &[Value]| items.iter().map(|v| v.as_text().map(str::to_string)).collect::<Option<Vec<_>>>();
    let value = match value {
        Value::Bool(b) => scalar(Block::scalar(*b)),
        Value::Int(n) => scalar(Block::scalar(*n)),
        Value::Float(x) => scalar(Block::scalar(*x)),
        Value::Complex(c) => scalar(Block::scalar(**c)),
        Value::Block(b) => scalar(b.contiguous()),
        Value::Str(s) | Value::Keyword(s) => Ok(Content::Texts { texts: vec![s.to_string()], shape: vec![] }),
        Value::List(items) => match texts(items) {
            Some(texts) => Ok(Content::Texts { shape: vec![texts.len()], texts }),
            None => numbers(items).map(Content::Block).ok_or(()),
        },
        _ => Err(()),
    };
    match value {
        Ok(Content::Texts { texts, .. }) if texts.iter().any(|t| t.contains('\0')) => {
            Err(err!(Value, "the attribute `{name}` holds a NUL character, which HDF5 strings cannot"))
        }
        Ok(value) => Ok(Attribute { name: name.to_string(), value }),
        Err(()) => Err(err!(Type, "the attribute `{name}` cannot be a value like this one")
            .help("numbers, strings, arrays, and lists of strings or numbers can be attributes")),
    }
}

/// A list of plain numbers as an array of the least dtype that holds them all.
fn numbers(items: &[Value]) -> Option<Block> {
    use crate::data::Kind;
    let kinds: Option<Vec<Kind>> = items.iter().map(Value::number_kind).collect();
    match kinds?.into_iter().max()? {
        Kind::Bool => Some(Block::from_slice(&[items.len()], &items.iter().map(Value::truthy).collect::<Vec<bool>>())),
        Kind::Int | Kind::UInt => {
            let items: Vec<i64> = items.iter().map(Value::as_int).collect::<Option<_>>()?;
            Some(Block::from_slice(&[items.len()], &items))
        }
        Kind::Float => {
            let items: Vec<f64> = items.iter().map(Value::as_float).collect::<Option<_>>()?;
            Some(Block::from_slice(&[items.len()], &items))
        }
        Kind::Complex => {
            let items: Vec<_> = items.iter().map(Value::as_complex).collect::<Option<_>>()?;
            Some(Block::from_slice(&[items.len()], &items))
        }
    }
}

/// Writes attributes to an open object, replacing those of the same names.
pub fn write(lib: &Library, object: &Id, attributes: &[Attribute]) -> Outcome<()> {
    attributes.iter().try_for_each(|a| write_one(lib, object, a))
}

/// Changes an integer attribute where it lies.
pub fn overwrite(lib: &Library, object: &Id, name: &str, value: i64) -> Outcome<()> {
    let name = std::ffi::CString::new(name).map_err(|_| Failure::from("a NUL in a name"))?;
    let datatype = element::native(lib, DType::I64)?;
    // SAFETY: the lock is held, the ids are open; the value is of the datatype.
    unsafe {
        let id = lib.id(h5a::H5Aopen(object.raw(), name.as_ptr(), h5p::H5P_DEFAULT))?;
        lib.check(h5a::H5Awrite(id.raw(), datatype.raw(), (&raw const value).cast()))
    }
}

/// Removes an attribute that is there.
pub fn delete(lib: &Library, object: &Id, name: &str) -> Outcome<()> {
    let name = std::ffi::CString::new(name).map_err(|_| Failure::from("a NUL in a name"))?;
    // SAFETY: the lock is held, the id is open, the name is a C string.
    lib.check(unsafe { h5a::H5Adelete(object.raw(), name.as_ptr()) })
}

fn write_one(lib: &Library, object: &Id, attribute: &Attribute) -> Outcome<()> {
    let name = std::ffi::CString::new(attribute.name.as_str()).map_err(|_| Failure::from("a NUL in a name"))?;
    // SAFETY: the lock is held, the ids are open, names are C strings; buffers hold what their types and spaces say.
    unsafe {
        if h5a::H5Aexists(object.raw(), name.as_ptr()) > 0 {
            lib.check(h5a::H5Adelete(object.raw(), name.as_ptr()))?;
        }
        let create = |datatype: &Id, space: &Id| {
            let default = h5p::H5P_DEFAULT;
            lib.id(h5a::H5Acreate2(object.raw(), name.as_ptr(), datatype.raw(), space.raw(), default, default))
        };
        match &attribute.value {
            Content::Block(block) => {
                let datatype = element::native(lib, block.dtype())?;
                let id = create(&datatype, &lib.space(block.shape())?)?;
                let bytes = block.as_bytes().unwrap_or(&[]);
                if bytes.is_empty() {
                    return Ok(());
                }
                lib.check(h5a::H5Awrite(id.raw(), datatype.raw(), bytes.as_ptr().cast()))
            }
            Content::Texts { texts, shape } => {
                let datatype = lib.id(h5t::H5Tcopy(*h5t::H5T_C_S1))?;
                lib.check(h5t::H5Tset_size(datatype.raw(), h5t::H5T_VARIABLE))?;
                lib.check(h5t::H5Tset_cset(datatype.raw(), h5t::H5T_cset_t::H5T_CSET_UTF8))?;
                let id = create(&datatype, &lib.space(shape)?)?;
                let texts: Result<Vec<_>, _> = texts.iter().map(|t| std::ffi::CString::new(t.as_str())).collect();
                let texts = texts.map_err(|_| Failure::from("a NUL in a string"))?;
                let pointers: Vec<_> = texts.iter().map(|t| t.as_ptr()).collect();
                if pointers.is_empty() {
                    return Ok(());
                }
                lib.check(h5a::H5Awrite(id.raw(), datatype.raw(), pointers.as_ptr().cast()))
            }
        }
    }
}
