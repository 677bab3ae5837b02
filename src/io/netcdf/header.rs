//! The header of a classic netCDF file: dimensions, attributes, and where the variables lie.
//!
//! ```text
//! header  "CDF" version, records, dimensions, attributes, variables
//! list    tag, count, items; or 0 0
//! item    name, and: length | type, count, values | dimensions, attributes, type, size, begin
//! ```
//!
//! Every number is big-endian; counts and lengths are of 4 bytes, in CDF-5 of 8. Names and values are padded to 4 bytes.

use crate::data::{DType, Dims};
use crate::io::encoding::Encoding;
use crate::io::walk::byte_strides;
use smallvec::SmallVec;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// So many bytes of a file are looked at first; most headers are shorter.
const FIRST: usize = 64 << 10;
/// A longer header is none.
const LONGEST: usize = 16 << 20;
/// As many axes as arrays have anywhere.
const MOST_AXES: usize = 64;

const DIMENSIONS: u64 = 10;
const VARIABLES: u64 = 11;
const ATTRIBUTES: u64 = 12;

/// The version that the first four bytes tell, if they do.
pub fn version(start: &[u8]) -> Option<u8> {
    match start {
        [b'C', b'D', b'F', version @ (1 | 2 | 5), ..] => Some(*version),
        _ => None,
    }
}

/// What elements are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Number(DType),
}

impl Kind {
    fn of(number: u64) -> Option<Kind> {
        Some(Kind::Number(match number {
            1 => DType::I8,
            2 => return Some(Kind::Text),
            3 => DType::I16,
            4 => DType::I32,
            5 => DType::F32,
            6 => DType::F64,
            7 => DType::U8,
            8 => DType::U16,
            9 => DType::U32,
            10 => DType::I64,
            11 => DType::U64,
            _ => return None,
        }))
    }

    /// Bytes an element takes.
    pub fn size(self) -> usize {
        match self {
            Kind::Text => 1,
            Kind::Number(dtype) => dtype.size(),
        }
    }

    /// How the file has numbers.
    pub fn encoding(self) -> Encoding {
        Encoding::ordered(cfg!(target_endian = "little"), self.size())
    }
}

#[derive(Debug)]
pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    /// As the file has them.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Entry {
    pub name: String,
    pub attributes: Vec<Attribute>,
    pub kind: Kind,
    /// Sizes of the axes; that of records is 0 here.
    sizes: Vec<u64>,
    /// Its first axis is that of records.
    pub is_record: bool,
    pub begin: u64,
}

/// A file whose header was read.
#[derive(Debug)]
pub struct Header {
    pub attributes: Vec<Attribute>,
    pub variables: Vec<Entry>,
    pub records: u64,
    /// Bytes from a record to the next.
    record_bytes: u64,
}

/// Why a header cannot be read.
#[derive(Debug)]
enum Fault {
    /// It goes on beyond the bytes that were looked at.
    Short,
    Wrong(&'static str),
}

type Read<T> = Result<T, Fault>;

impl Header {
    /// Reads the header of a file that is `len` bytes long. The error says what is wrong with it.
    pub fn read(file: &File, len: u64) -> Result<Header, String> {
        let all = usize::try_from(len).unwrap_or(usize::MAX).min(LONGEST);
        let mut looked = FIRST.min(all);
        loop {
            let mut bytes = vec![0; looked];
            file.read_exact_at(&mut bytes, 0).map_err(|e| format!("its header cannot be read: {e}"))?;
            match Header::parse(&bytes, len) {
                Ok(header) => return Ok(header),
                Err(Fault::Short) if looked < all => looked = looked.saturating_mul(4).min(all),
                Err(Fault::Short) => return Err("the file ends before its header does".into()),
                Err(Fault::Wrong(what)) => return Err(what.into()),
            }
        }
    }

    fn parse(bytes: &[u8], len: u64) -> Read<Header> {
        let version = version(bytes).ok_or(Fault::Wrong("it does not begin as one"))?;
        let mut cursor = Cursor { left: &bytes[4..], wide: version == 5 };
        let records = cursor.count()?;
        let streaming = records == if version == 5 { u64::MAX } else { u64::from(u32::MAX) };
        let mut dims: Vec<u64> = Vec::new();
        cursor.list(DIMENSIONS, |cursor| {
            cursor.name()?;
            dims.push(cursor.count()?);
            Ok(())
        })?;
        if dims.iter().filter(|&&n| n == 0).count() > 1 {
            return Err(Fault::Wrong("it has two dimensions of records"));
        }
        let attributes = cursor.attributes()?;
        let mut variables = Vec::new();
        cursor.list(VARIABLES, |cursor| {
            variables.push(cursor.variable(&dims, version)?);
            Ok(())
        })?;
        let mut header = Header { attributes, variables, records, record_bytes: 0 };
        header.record_bytes = header.record_bytes().ok_or(Fault::Wrong("its records are larger than any file"))?;
        if streaming {
            header.records = header.records_within(len);
        }
        Ok(header)
    }

    /// Each variable's part of a record is padded to four bytes, unless it is the only one.
    fn record_bytes(&self) -> Option<u64> {
        let parts: Option<Vec<u64>> = self.variables.iter().filter(|v| v.is_record).map(Entry::part_bytes).collect();
        match parts?.as_slice() {
            [alone] => Some(*alone),
            parts => parts.iter().try_fold(0u64, |sum, n| sum.checked_add(n.checked_next_multiple_of(4)?)),
        }
    }

    /// How many records a file of so many bytes has whole.
    fn records_within(&self, len: u64) -> u64 {
        let within = |entry: &Entry| match entry.part_bytes().and_then(|part| entry.begin.checked_add(part)) {
            Some(end) if end <= len && self.record_bytes > 0 => (len - end) / self.record_bytes + 1,
            _ => 0,
        };
        self.variables.iter().filter(|v| v.is_record).map(within).min().unwrap_or(0)
    }

    /// The shape of a variable, the bytes between neighbours along its axes, and how many bytes of the file it spans. The error
    /// says why there is no such variable.
    pub fn layout(&self, entry: &Entry) -> Result<(Dims, SmallVec<[usize; 6]>, u64), &'static str> {
        const LARGE: &str = "is larger than any memory";
        let size = entry.kind.size();
        let mut shape: Dims = SmallVec::new();
        for (axis, &n) in entry.sizes.iter().enumerate() {
            let n = if axis == 0 && entry.is_record { self.records } else { n };
            shape.push(usize::try_from(n).map_err(|_| LARGE)?);
        }
        let mut strides = byte_strides(size, &shape).ok_or(LARGE)?;
        if !entry.is_record {
            let span = shape.iter().product::<usize>() * size;
            return Ok((shape, strides, span as u64));
        }
        let record = usize::try_from(self.record_bytes).map_err(|_| LARGE)?;
        strides[0] = record;
        let part = entry.part_bytes().ok_or(LARGE)?;
        let span = match self.records.checked_sub(1) {
            None => 0,
            Some(last) => last.checked_mul(self.record_bytes).and_then(|n| n.checked_add(part)).ok_or(LARGE)?,
        };
        // What lies between records counts, too: offsets within it are numbers of memory.
        isize::try_from(span).map_err(|_| LARGE)?;
        Ok((shape, strides, span))
    }
}

impl Entry {
    /// Bytes of its elements, or of those in one record. What the header says of it is not to be trusted: sizes beyond 32 bits are
    /// wrong there.
    fn part_bytes(&self) -> Option<u64> {
        let own = &self.sizes[usize::from(self.is_record)..];
        own.iter().try_fold(self.kind.size() as u64, |n, &size| n.checked_mul(size))
    }
}

struct Cursor<'a> {
    left: &'a [u8],
    /// Counts have 8 bytes.
    wide: bool,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(n).ok_or(Fault::Short)?;
        self.left = left;
        Ok(taken)
    }

    fn number(&mut self, n: usize) -> Read<u64> {
        Ok(self.take(n)?.iter().fold(0, |sum, &b| sum << 8 | u64::from(b)))
    }

    fn count(&mut self) -> Read<u64> {
        self.number(if self.wide { 8 } else { 4 })
    }

    /// So many bytes, and what pads them.
    fn padded(&mut self, n: u64) -> Read<&'a [u8]> {
        let n =
            usize::try_from(n).ok().filter(|&n| n <= LONGEST).ok_or(Fault::Wrong("its header is longer than any"))?;
        let taken = self.take(n)?;
        self.take(n.next_multiple_of(4) - n)?;
        Ok(taken)
    }

    fn name(&mut self) -> Read<String> {
        let len = self.count()?;
        Ok(String::from_utf8_lossy(self.padded(len)?).into_owned())
    }

    fn kind(&mut self) -> Read<Kind> {
        Kind::of(self.number(4)?).ok_or(Fault::Wrong("it has elements of an unknown type"))
    }

    /// A list of items, each of which takes bytes: no list is longer than the header.
    fn list(&mut self, tag: u64, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        match (self.number(4)?, self.count()?) {
            (0, 0) => Ok(()),
            (found, count) if found == tag => (0..count).try_for_each(|_| item(self)),
            _ => Err(Fault::Wrong("a list in its header is not what it should be")),
        }
    }

    fn attributes(&mut self) -> Read<Vec<Attribute>> {
        let mut attributes = Vec::new();
        self.list(ATTRIBUTES, |cursor| {
            let (name, kind, count) = (cursor.name()?, cursor.kind()?, cursor.count()?);
            let bytes = count.checked_mul(kind.size() as u64).ok_or(Fault::Wrong("an attribute is larger than any"))?;
            attributes.push(Attribute { name, kind, bytes: cursor.padded(bytes)?.to_vec() });
            Ok(())
        })?;
        Ok(attributes)
    }

    fn variable(&mut self, dims: &[u64], version: u8) -> Read<Entry> {
        let (name, ndim) = (self.name()?, self.count()?);
        if ndim > MOST_AXES as u64 {
            return Err(Fault::Wrong("a variable has more than 64 axes"));
        }
        let mut sizes = Vec::new();
        for _ in 0..ndim {
            let dim = usize::try_from(self.count()?).ok().and_then(|at| dims.get(at));
            sizes.push(*dim.ok_or(Fault::Wrong("a variable has a dimension that is not there"))?);
        }
        if sizes.iter().skip(1).any(|&n| n == 0) {
            return Err(Fault::Wrong("a variable has its records in the wrong place"));
        }
        let (attributes, kind) = (self.attributes()?, self.kind()?);
        self.count()?;
        let begin = self.number(if version == 1 { 4 } else { 8 })?;
        Ok(Entry { name, attributes, kind, is_record: sizes.first() == Some(&0), sizes, begin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &mut Vec<u8>, words: &[u32]) {
        words.iter().for_each(|word| bytes.extend(word.to_be_bytes()));
    }

    /// Records of two variables: three bytes, padded, and a short.
    fn two(records: u32) -> Vec<u8> {
        let mut bytes = b"CDF\x01".to_vec();
        word(&mut bytes, &[records, 10, 2, 1]);
        bytes.extend(b"t\0\0\0");
        word(&mut bytes, &[0, 1]);
        bytes.extend(b"x\0\0\0");
        word(&mut bytes, &[3, 0, 0, 11, 2, 1]);
        bytes.extend(b"a\0\0\0");
        word(&mut bytes, &[2, 0, 1, 0, 0, 1, 4, 200, 1]);
        bytes.extend(b"b\0\0\0");
        word(&mut bytes, &[1, 0, 0, 0, 3, 4, 204]);
        bytes
    }

    #[test]
    fn records_are_padded_and_counted() {
        let header = Header::parse(&two(5), 1000).unwrap();
        assert_eq!((header.records, header.record_bytes), (5, 8));
        let (shape, strides, span) = header.layout(&header.variables[0]).unwrap();
        assert_eq!((&shape[..], &strides[..], span), (&[5, 3][..], &[8, 1][..], 35));
        let (shape, strides, span) = header.layout(&header.variables[1]).unwrap();
        assert_eq!((&shape[..], &strides[..], span), (&[5][..], &[8][..], 34));
        // Streamed: as many as the file has whole; what pads the last one may be missing.
        for (len, records) in [(203, 0), (205, 0), (206, 1), (213, 1), (214, 2), (1000, 100)] {
            assert_eq!(Header::parse(&two(u32::MAX), len).unwrap().records, records, "{len}");
        }
    }

    #[test]
    fn what_is_cut_off_or_absurd_is_an_error() {
        let sound = two(5);
        for len in 0..sound.len() {
            assert!(Header::parse(&sound[..len], 1000).is_err(), "{len}");
        }
        // Every word in turn as large as it can be.
        for at in (4..sound.len()).step_by(4) {
            let mut bytes = sound.clone();
            bytes[at..at + 4].fill(0xff);
            if let Ok(header) = Header::parse(&bytes, 1000) {
                header.variables.iter().for_each(|entry| drop(header.layout(entry)));
            }
        }
    }
}
