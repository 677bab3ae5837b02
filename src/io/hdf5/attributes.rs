//! Attributes: small named values of a dataset, a group or a file.

use super::element::{self, Element, Encoding};
use super::library::{Failure, Id, Library, Outcome, locked};
use super::{file, listing};
use crate::data::{Block, DType, Map, Value};
use crate::err;
use crate::text::Result;
use hdf5_sys::{h5a, h5p, h5t};
use std::ffi::{CStr, c_char, c_void};
use std::path::Path;

/// Larger attributes are not read: the format itself keeps them small.
const MOST: usize = 64 << 20;

/// The attributes of a dataset or group, by name: numbers and strings, arrays and lists of them. One of another type is
/// a string that names the type in angle brackets.
pub fn read(path: &Path, name: &str) -> Result<Map> {
    let name = file::normal_name(name)?;
    file::open(path)?;
    locked(|lib| {
        let root = file::open_in_library(lib, path, false)?;
        let c_name = file::c_name(&name)?;
        let object = match lib.open_object(&root, &c_name) {
            Ok((id, _)) => id,
            Err(_) => listing::find_dataset(lib, &root, path, &name)?,
        };
        Ok(all(lib, &object))
    })
}

/// Every attribute of an open object.
pub fn all(lib: &Library, object: &Id) -> Map {
    let mut map = Map::new();
    for n in 0..lib.attribute_count(object) {
        if let Ok((name, id)) = lib.attribute(object, n) {
            let value = value(lib, &id).unwrap_or_else(|Failure(what)| Value::str(format!("<{what}>")));
            map.set(&name, value);
        }
    }
    map
}

fn value(lib: &Library, id: &Id) -> Outcome<Value> {
    // SAFETY: the lock is held, the id is open.
    let (file_type, space) = unsafe { (lib.id(h5a::H5Aget_type(id.raw()))?, lib.id(h5a::H5Aget_space(id.raw()))?) };
    let Some(shape) = lib.shape(&space)? else { return Ok(Value::Nil) };
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).unwrap_or(usize::MAX);
    // SAFETY: as above.
    if unsafe { h5t::H5Tget_class(file_type.raw()) } == h5t::H5T_class_t::H5T_STRING {
        let mut texts = strings(lib, id, &file_type, &space, count)?;
        return Ok(match (shape.as_slice(), texts.pop()) {
            ([], Some(text)) => text,
            (_, last) => {
                texts.extend(last);
                Value::list(texts)
            }
        });
    }
    let element = Element::of(lib, &file_type)?;
    if count.saturating_mul(element.dtype.size()) > MOST {
        return Err("a large attribute".into());
    }
    let memory = element.memory_type(lib, &file_type)?;
    let raw = if element.encoding == Encoding::Bool { DType::U8 } else { element.dtype };
    let mut block = Block::alloc(raw, &shape);
    let bytes = block.as_mut_bytes();
    // SAFETY: the lock is held; the block has as many elements as the attribute, of the size of the memory type.
    unsafe {
        let size = h5t::H5Tget_size(memory.raw());
        if size.checked_mul(count) != Some(bytes.len()) {
            return Err("an attribute of another size than its elements".into());
        }
        if count > 0 {
            lib.check(h5a::H5Aread(id.raw(), memory.raw(), bytes.as_mut_ptr().cast()))?;
        }
    }
    if element.dtype == DType::Bool {
        let bools: Vec<bool> = block.as_slice::<u8>().unwrap_or(&[]).iter().map(|&b| b != 0).collect();
        block = Block::from_slice(&shape, &bools);
    }
    Ok(Value::from(block).plain())
}

fn strings(lib: &Library, id: &Id, file_type: &Id, space: &Id, count: usize) -> Outcome<Vec<Value>> {
    // SAFETY: the lock is held, the id is open.
    let (variable, size) = unsafe { (h5t::H5Tis_variable_str(file_type.raw()) > 0, h5t::H5Tget_size(file_type.raw())) };
    if count.saturating_mul(size) > MOST {
        return Err("a large attribute".into());
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    if !variable {
        let mut bytes = vec![0u8; count * size];
        // SAFETY: the lock is held; the buffer has room for `count` strings of `size` bytes, read as they are.
        lib.check(unsafe { h5a::H5Aread(id.raw(), file_type.raw(), bytes.as_mut_ptr().cast()) })?;
        // SAFETY: the lock is held, the id is open.
        let spaces = unsafe { h5t::H5Tget_strpad(file_type.raw()) } == h5t::H5T_str_t::H5T_STR_SPACEPAD;
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
            let text = String::from_utf8_lossy(&bytes[..end]);
            Value::str(if spaces { text.trim_end_matches(' ') } else { &text })
        };
        return Ok(bytes.chunks_exact(size.max(1)).map(text).collect());
    }
    let mut pointers = vec![std::ptr::null_mut::<c_char>(); count];
    // SAFETY: the lock is held; the library fills in pointers to strings of its own, or null, which are copied and then
    // given back.
    unsafe {
        lib.check(h5a::H5Aread(id.raw(), file_type.raw(), pointers.as_mut_ptr().cast()))?;
        let text = |&p: &*mut c_char| match p.is_null() {
            true => Value::str(""),
            false => Value::str(CStr::from_ptr(p).to_string_lossy().into_owned()),
        };
        let texts = pointers.iter().map(text).collect();
        #[allow(deprecated)]
        hdf5_sys::h5d::H5Dvlen_reclaim(
            file_type.raw(),
            space.raw(),
            h5p::H5P_DEFAULT,
            pointers.as_mut_ptr().cast::<c_void>(),
        );
        Ok(texts)
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
