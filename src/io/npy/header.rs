//! The header of a `.npy` file: what the elements are, the shape, and their order.

use super::literal::{self, Literal};
use crate::data::{DType, Dims};
use crate::err;
use crate::io::encoding::Encoding;
use crate::io::plain;
use crate::io::walk::byte_strides;
use crate::text::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What every file begins with.
pub const SIGNATURE: &[u8; 6] = b"\x93NUMPY";
/// No header of an array of numbers comes near; those of records with many fields do.
const LONGEST: u64 = 1 << 20;
/// As many axes as an array has in NumPy.
const MOST_AXES: usize = 64;
/// Data begin at a multiple of this.
const ALIGNED: usize = 64;
/// NumPy leaves room for so many digits of the first size, so that a file can grow.
const GROWTH: usize = 21;

#[derive(Clone, PartialEq, Debug)]
pub struct Header {
    pub dtype: DType,
    pub encoding: Encoding,
    /// Bytes an element takes in the file.
    pub size: usize,
    pub shape: Dims,
    /// The first axis varies fastest.
    pub fortran: bool,
    /// Where the elements begin.
    pub at: u64,
}

impl Header {
    /// Reads the header of a file that is `len` bytes long.
    ///
    /// # Errors
    /// `dsk::io` for what is not a `.npy` file, or is damaged; `dsk::type` for elements that no dtype stands for.
    pub fn read(file: &File, len: u64, path: &Path) -> Result<Header> {
        let shown = path.display();
        let damaged = |what: &str| err!(Io, "`{shown}` is damaged: {what}");
        let bytes = |at: u64, n: usize| {
            let mut bytes = vec![0; n];
            let read = file.read_exact_at(&mut bytes, at);
            read.map(|()| bytes).map_err(|e| err!(Io, "`{shown}` cannot be read: {e}"))
        };
        let start = bytes(0, len.min(12) as usize)?;
        if !start.starts_with(SIGNATURE) {
            let what = if len == 0 { "it is empty" } else { "it does not begin with the signature of one" };
            return Err(err!(Io, "`{shown}` is not a `.npy` file").help(what));
        }
        let (from, text) = match start[6..] {
            [1, 0, a, b, ..] => (10, u64::from(u16::from_le_bytes([a, b]))),
            [2 | 3, 0, a, b, c, d] => (12, u64::from(u32::from_le_bytes([a, b, c, d]))),
            [1..=3, 0, ..] | [1..=3] | [] => return Err(damaged("the file ends before its header does")),
            [major, minor, ..] => {
                return Err(err!(Io, "`{shown}` cannot be read: its format is of version {major}.{minor}")
                    .help("versions 1.0, 2.0 and 3.0 are known"));
            }
            [_] => return Err(damaged("the file ends before its header does")),
        };
        let at = from + text;
        if at > len {
            return Err(damaged("the file ends before its header does"));
        }
        if text > LONGEST {
            return Err(damaged("its header is longer than any"));
        }
        let text = bytes(from, text as usize)?;
        // Up to version 2.0 it is Latin-1, which is only seen in the names of fields: these no array of numbers has.
        let dict = literal::parse(&String::from_utf8_lossy(&text));
        let Some(Literal::Dict(entries)) = dict else { return Err(damaged("its header is not a Python dictionary")) };
        let entry = |name: &str| {
            let found = entries.iter().find(|(key, _)| matches!(key, Literal::Text(text) if text == name));
            found.map(|(_, value)| value).ok_or_else(|| damaged(&format!("its header has no `{name}`")))
        };
        let (dtype, encoding, size) =
            element(entry("descr")?).map_err(|wrong| wrong.told(&format!("`{shown}`"), &damaged))?;
        let Literal::Bool(fortran) = *entry("fortran_order")? else {
            return Err(damaged("`fortran_order` in its header is neither `True` nor `False`"));
        };
        let shape = shape(entry("shape")?).map_err(damaged)?;
        if byte_strides(size.max(dtype.size()), &shape).is_none() {
            return Err(err!(Io, "`{shown}` is said to be of shape {:?}, larger than any memory", shape.as_slice()));
        }
        let elements: usize = shape.iter().product();
        if at.checked_add((elements * size) as u64).is_none_or(|end| end > len) {
            return Err(plain::cannot_read(&shown.to_string(), crate::io::gather::Trouble::Short));
        }
        Ok(Header { dtype, encoding, size, shape, fortran, at })
    }

    /// Whether the elements lie as those of the array with its axes reversed do, which is another order.
    pub fn is_turned(&self) -> bool {
        self.fortran && self.shape.len() > 1
    }

    /// The header of an array in the order and byte order of memory, as NumPy writes it.
    pub fn write(dtype: DType, shape: &[usize]) -> Vec<u8> {
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let shown = match sizes.as_slice() {
            [one] => format!("({one},)"),
            sizes => format!("({})", sizes.join(", ")),
        };
        let order = match dtype.size() {
            1 => '|',
            _ if cfg!(target_endian = "little") => '<',
            _ => '>',
        };
        let (kind, size) = match dtype {
            DType::Bool => ('b', 1),
            dtype if dtype.is_complex() => ('c', dtype.size()),
            dtype if dtype.is_float() => ('f', dtype.size()),
            dtype if dtype.name().starts_with('u') => ('u', dtype.size()),
            dtype => ('i', dtype.size()),
        };
        let mut text = format!("{{'descr': '{order}{kind}{size}', 'fortran_order': False, 'shape': {shown}, }}");
        let growth = sizes.first().map_or(0, |first| GROWTH.saturating_sub(first.len()));
        text.push_str(&" ".repeat(growth));
        let before = SIGNATURE.len() + 4;
        let whole = (before + text.len() + 1).next_multiple_of(ALIGNED);
        text.push_str(&" ".repeat(whole - before - text.len() - 1));
        text.push('\n');
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([1, 0]);
        // At most 64 sizes of 20 digits: far from 64 kB.
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.into_bytes());
        bytes
    }
}

/// Why a type cannot be read.
enum Wrong {
    Damaged(&'static str),
    /// No dtype stands for this.
    Kind(String),
}

impl Wrong {
    fn told(self, target: &str, damaged: &dyn Fn(&str) -> Error) -> Error {
        match self {
            Wrong::Damaged(what) => damaged(what),
            Wrong::Kind(kind) => plain::no_dtype(target, &kind),
        }
    }
}

/// What `descr` says of the elements: `'<f8'`.
fn element(descr: &Literal) -> std::result::Result<(DType, Encoding, usize), Wrong> {
    let odd = Wrong::Damaged("`descr` in its header is no type");
    let text = match descr {
        Literal::Text(text) => text,
        Literal::Items(fields) => return Err(records(fields)),
        _ => return Err(odd),
    };
    let (order, rest) = match text.strip_prefix(['<', '>', '=', '|']) {
        Some(rest) => (text.as_bytes()[0], rest),
        None => (b'=', text.as_str()),
    };
    let mut chars = rest.chars();
    let Some(kind) = chars.next() else { return Err(odd) };
    let digits = chars.as_str();
    let swapped = order == if cfg!(target_endian = "little") { b'>' } else { b'<' };
    let size = digits.parse::<usize>().ok();
    let number = |dtype: DType, unit: usize| Ok((dtype, Encoding::ordered(swapped, unit), dtype.size()));
    match (kind, size) {
        ('b', Some(1)) | ('?', None) => Ok((DType::Bool, Encoding::Bool, 1)),
        ('i', Some(1)) => number(DType::I8, 1),
        ('i', Some(2)) => number(DType::I16, 2),
        ('i', Some(4)) => number(DType::I32, 4),
        ('i', Some(8)) => number(DType::I64, 8),
        ('u', Some(1)) => number(DType::U8, 1),
        ('u', Some(2)) => number(DType::U16, 2),
        ('u', Some(4)) => number(DType::U32, 4),
        ('u', Some(8)) => number(DType::U64, 8),
        ('f', Some(2)) => Ok((DType::F32, Encoding::Half { swapped }, 2)),
        ('f', Some(4)) => number(DType::F32, 4),
        ('f', Some(8)) => number(DType::F64, 8),
        ('c', Some(8)) => number(DType::C64, 4),
        ('c', Some(16)) => number(DType::C128, 8),
        ('f' | 'c' | 'i' | 'u', Some(size)) => {
            let kind = match kind {
                'f' => "floats",
                'c' => "complex numbers",
                _ => "integers",
            };
            Err(Wrong::Kind(format!("{kind} of {size} bytes")))
        }
        ('S' | 'a', Some(size)) => Err(Wrong::Kind(format!("strings of {size} bytes"))),
        ('U', Some(size)) => Err(Wrong::Kind(format!("strings of {size} characters"))),
        ('O', None) => Err(Wrong::Kind("Python objects".into())),
        ('T', _) => Err(Wrong::Kind("strings".into())),
        ('V', Some(size)) => Err(Wrong::Kind(format!("opaque items of {size} bytes"))),
        ('M', _) => Err(Wrong::Kind(format!("times, `{text}`"))),
        ('m', _) => Err(Wrong::Kind(format!("durations, `{text}`"))),
        _ => Err(odd),
    }
}

fn records(fields: &[Literal]) -> Wrong {
    let name = |field: &Literal| match field {
        Literal::Items(parts) => match parts.first() {
            Some(Literal::Text(name)) => Some(name.clone()),
            // A title and a name.
            Some(Literal::Items(both)) => match both.last() {
                Some(Literal::Text(name)) => Some(name.clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    match fields.iter().map(name).collect::<Option<Vec<String>>>() {
        Some(names) => {
            let shown = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
            Wrong::Kind(format!("records of {shown}{}", if names.len() > 8 { ", …" } else { "" }))
        }
        None => Wrong::Damaged("`descr` in its header is no type"),
    }
}

fn shape(literal: &Literal) -> std::result::Result<Dims, &'static str> {
    let Literal::Items(sizes) = literal else { return Err("`shape` in its header is no tuple") };
    if sizes.len() > MOST_AXES {
        return Err("`shape` in its header has more than 64 axes");
    }
    let size = |size: &Literal| match size {
        Literal::Int(Some(n)) if *n < 0 => Err("`shape` in its header has a negative size"),
        Literal::Int(n) => n.and_then(|n| usize::try_from(n).ok()).ok_or("`shape` in its header has too large a size"),
        _ => Err("`shape` in its header has what is no size"),
    };
    sizes.iter().map(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(version: u8, text: &str, data: usize) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((text.len() as u16).to_le_bytes()),
            _ => bytes.extend((text.len() as u32).to_le_bytes()),
        }
        bytes.extend(text.bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Header> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        Header::read(&file, bytes.len() as u64, Path::new("x.npy"))
    }

    #[test]
    fn headers_are_those_of_numpy() {
        // np.save(…, np.zeros((3, 4))), np.array(True), np.zeros(7, 'c8')
        for (dtype, shape, text) in [
            (DType::F64, &[3, 4][..], "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }"),
            (DType::Bool, &[], "{'descr': '|b1', 'fortran_order': False, 'shape': (), }"),
            (DType::C64, &[7], "{'descr': '<c8', 'fortran_order': False, 'shape': (7,), }"),
        ] {
            let header = Header::write(dtype, shape);
            assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
            assert_eq!((header.len(), *header.last().unwrap()), (128, b'\n'));
            assert_eq!(std::str::from_utf8(&header[10..]).unwrap().trim_end(), text);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for &dtype in DType::ALL {
            for shape in [&[][..], &[5], &[0, 3], &[2, 3, 4]] {
                let mut bytes = Header::write(dtype, shape);
                let at = bytes.len();
                bytes.resize(at + shape.iter().product::<usize>() * dtype.size(), 0);
                let header = read(&bytes).unwrap();
                assert_eq!((header.dtype, &header.shape[..], header.at), (dtype, shape, at as u64));
                assert!(!header.fortran && header.size == dtype.size());
            }
        }
    }

    #[test]
    fn every_version_and_order_is_known() {
        let text = |descr: &str| format!("{{'descr': {descr}, 'fortran_order': True, 'shape': (2L, 3)}}");
        for version in 1..=3 {
            let header = read(&bytes(version, &text("'>i2'"), 12)).unwrap();
            assert_eq!((header.dtype, header.encoding, header.fortran), (DType::I16, Encoding::Swapped(2), true));
        }
        assert_eq!(read(&bytes(1, &text("'<f2'"), 12)).unwrap().encoding, Encoding::Half { swapped: false });
        assert_eq!(read(&bytes(1, &text("'>c16'"), 96)).unwrap().encoding, Encoding::Swapped(8));
        for (descr, kind) in [
            ("'|S5'", "strings of 5 bytes"),
            ("'<U3'", "strings of 3 characters"),
            ("'|O'", "Python objects"),
            ("'<f16'", "floats of 16 bytes"),
            ("'<M8[ns]'", "times, `<M8[ns]`"),
            ("'|V4'", "opaque items of 4 bytes"),
            ("[('a', '<f8'), (('long', 'b'), '<i4', (2,))]", "records of a, b"),
        ] {
            let error = read(&bytes(1, &text(descr), 100)).unwrap_err();
            assert_eq!(error.code(), crate::text::Code::Type);
            assert!(error.message().contains(&format!("`x.npy` holds {kind}, which")), "{error}");
        }
    }

    #[test]
    fn damage_is_told() {
        let header = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        let sound = bytes(1, &header("(2,)"), 16);
        for (bytes, what) in [
            (vec![], "not a `.npy` file"),
            (b"PK\x03\x04 and more of it".to_vec(), "not a `.npy` file"),
            (sound[..6].to_vec(), "ends before its header"),
            (sound[..7].to_vec(), "ends before its header"),
            (sound[..9].to_vec(), "ends before its header"),
            (sound[..40].to_vec(), "ends before its header"),
            (sound[..sound.len() - 1].to_vec(), "was cut off"),
            (bytes(4, "", 9), "version 4.0"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'".to_vec(), "ends before its header"),
            (bytes(1, "{'descr': ", 9), "not a Python dictionary"),
            (bytes(1, "{'descr': '<f8'}", 9), "has no `fortran_order`"),
            (bytes(1, &header("(-1,)"), 9), "a negative size"),
            (bytes(1, &header("(99999999999999999999,)"), 9), "too large a size"),
            (bytes(1, &header("(4294967296, 4294967296)"), 9), "larger than any memory"),
            (bytes(1, &header("(0, 4294967296, 4294967296)"), 9), "larger than any memory"),
            (bytes(1, &header("(1000000000000,)"), 9), "was cut off"),
            (bytes(1, &header("3"), 24), "is no tuple"),
            (bytes(1, &header("('a',)"), 24), "no size"),
            (bytes(1, &header(&format!("({})", "1,".repeat(65))), 24), "64 axes"),
            (bytes(1, &header("(2,)").replace("<f8", "<x8"), 24), "no type"),
            (bytes(1, &header("(2,)").replace("False", "0"), 24), "neither"),
        ] {
            let error = read(&bytes).unwrap_err();
            assert_eq!(error.code(), crate::text::Code::Io, "{error}");
            assert!(error.message().contains(what), "{what}: {error}");
        }
        let long = bytes(2, &" ".repeat(2 << 20), 0);
        assert!(read(&long).unwrap_err().message().contains("longer than any"));
    }
}
