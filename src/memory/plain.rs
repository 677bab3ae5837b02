//! Plain values as bytes: what a bag is made of, so that it can wait on disk. Numbers, strings, lists, maps and small blocks are plain;
//! functions and lazy values are not.
//!
//! A value is a tag and what that needs. Lengths and ints are as short as they can be (LEB128; ints by zigzag). What several lists
//! hold is written once, and after that by its number, so that it is shared again when it comes back.

use crate::data::task::deep;
use crate::data::{Block, DType, Map, Value};
use rustc_hash::FxHashMap;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::sync::Arc;

/// Blocks of no more bytes are written among the other values.
const SMALL_BLOCK: usize = 4096;

/// Shared values that are remembered. More are written as often as they are held.
const MOST_SHARED: usize = 1 << 16;

/// Room that is made for a list before its elements are there, at most: its length may be wrong if the disk is.
const MOST_RESERVED: usize = 1 << 16;

#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Tag {
    Nil,
    False,
    True,
    Int,
    Float,
    Complex,
    Str,
    Keyword,
    Ellipsis,
    NewAxis,
    List,
    Map,
    Block,
    /// The value that follows has a number from here on.
    Shared,
    /// The value of that number.
    Again,
}

impl Tag {
    const ALL: [Tag; 15] = {
        use Tag::*;
        [Nil, False, True, Int, Float, Complex, Str, Keyword, Ellipsis, NewAxis, List, Map, Block, Shared, Again]
    };
}

/// Whether a value can be written, apart from what it holds.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Block(block) => block.nbytes() <= SMALL_BLOCK,
        Value::Regex(_) | Value::Slice(_) | Value::Code(_) | Value::Function(_) => false,
        Value::Array(_) | Value::Delayed(_) | Value::Graph(_) => false,
        _ => true,
    }
}

/// Writes a value. `false` where it holds something that is not plain; then only a part of it was written.
///
/// # Errors
/// Those of the writer.
pub fn write(value: &Value, to: &mut impl Write) -> Result<bool> {
    Writing { to, shared: FxHashMap::default() }.value(value)
}

struct Writing<'w, W> {
    to: &'w mut W,
    /// Numbers of shared values, by where they lie.
    shared: FxHashMap<*const u8, usize>,
}

impl<W: Write> Writing<'_, W> {
    fn value(&mut self, value: &Value) -> Result<bool> {
        let Some(place) = shared_place(value) else { return self.own(value) };
        if let Some(&number) = self.shared.get(&place) {
            self.tag(Tag::Again)?;
            self.number(number as u64)?;
            return Ok(true);
        }
        if self.shared.len() >= MOST_SHARED {
            return self.own(value);
        }
        self.tag(Tag::Shared)?;
        let done = self.own(value)?;
        self.shared.insert(place, self.shared.len());
        Ok(done)
    }

    fn own(&mut self, value: &Value) -> Result<bool> {
        if !is_plain(value) {
            return Ok(false);
        }
        match value {
            Value::Bool(false) => self.tag(Tag::False)?,
            Value::Bool(true) => self.tag(Tag::True)?,
            Value::Int(n) => {
                self.tag(Tag::Int)?;
                self.number((n << 1 ^ n >> 63) as u64)?;
            }
            Value::Float(x) => {
                self.tag(Tag::Float)?;
                self.to.write_all(&x.to_le_bytes())?;
            }
            Value::Complex(z) => {
                self.tag(Tag::Complex)?;
                self.to.write_all(&z.re.to_le_bytes())?;
                self.to.write_all(&z.im.to_le_bytes())?;
            }
            Value::Str(text) => self.text(Tag::Str, text)?,
            Value::Keyword(name) => self.text(Tag::Keyword, name)?,
            Value::Ellipsis => self.tag(Tag::Ellipsis)?,
            Value::NewAxis => self.tag(Tag::NewAxis)?,
            Value::List(items) => {
                self.tag(Tag::List)?;
                self.number(items.len() as u64)?;
                return deep(|| self.all(items.iter()));
            }
            Value::Map(map) => {
                self.tag(Tag::Map)?;
                self.number(map.len() as u64)?;
                return deep(|| self.all(map.iter().flat_map(|(key, value)| [key, value])));
            }
            Value::Block(block) => self.block(&block.contiguous())?,
            _ => self.tag(Tag::Nil)?,
        }
        Ok(true)
    }

    fn all<'v>(&mut self, values: impl Iterator<Item = &'v Value>) -> Result<bool> {
        for value in values {
            if !self.value(value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn block(&mut self, block: &Block) -> Result<()> {
        self.tag(Tag::Block)?;
        let dtype = DType::ALL.iter().position(|dtype| *dtype == block.dtype()).unwrap_or_default();
        self.number(dtype as u64)?;
        self.number(block.ndim() as u64)?;
        block.shape().iter().try_for_each(|&n| self.number(n as u64))?;
        self.to.write_all(block.as_bytes().unwrap_or_default())
    }

    fn text(&mut self, tag: Tag, text: &str) -> Result<()> {
        self.tag(tag)?;
        self.number(text.len() as u64)?;
        self.to.write_all(text.as_bytes())
    }

    fn tag(&mut self, tag: Tag) -> Result<()> {
        self.to.write_all(&[tag as u8])
    }

    fn number(&mut self, mut n: u64) -> Result<()> {
        let (mut bytes, mut len) = ([0; 10], 0);
        loop {
            bytes[len] = n as u8 & 0x7f | if n > 0x7f { 0x80 } else { 0 };
            (n, len) = (n >> 7, len + 1);
            if n == 0 {
                return self.to.write_all(&bytes[..len]);
            }
        }
    }
}

/// Where a value lies that others hold as well, if that is worth a number.
fn shared_place(value: &Value) -> Option<*const u8> {
    match value {
        Value::Str(text) | Value::Keyword(text) => text.shared_place(),
        Value::List(items) if Arc::strong_count(items) > 1 => Some(Arc::as_ptr(items).cast()),
        Value::Map(map) if Arc::strong_count(map) > 1 => Some(Arc::as_ptr(map).cast()),
        _ => None,
    }
}

/// Reads a value that [`write`] wrote.
///
/// # Errors
/// Those of the reader, and `InvalidData` for what nobody wrote.
pub fn read(from: &mut impl Read) -> Result<Value> {
    Reading { from, shared: Vec::new(), text: Vec::new() }.value()
}

struct Reading<'r, R> {
    from: &'r mut R,
    shared: Vec<Value>,
    text: Vec<u8>,
}

impl<R: Read> Reading<'_, R> {
    fn value(&mut self) -> Result<Value> {
        Ok(match self.tag()? {
            Tag::Nil => Value::Nil,
            Tag::False => Value::Bool(false),
            Tag::True => Value::Bool(true),
            Tag::Int => {
                let n = self.number()?;
                Value::Int((n >> 1) as i64 ^ -((n & 1) as i64))
            }
            Tag::Float => Value::Float(self.float()?),
            Tag::Complex => Value::complex(self.float()?, self.float()?),
            Tag::Str => Value::str(self.text()?),
            Tag::Keyword => Value::keyword(self.text()?),
            Tag::Ellipsis => Value::Ellipsis,
            Tag::NewAxis => Value::NewAxis,
            Tag::List => deep(|| {
                let n = self.len()?;
                let mut items = Vec::with_capacity(n.min(MOST_RESERVED));
                for _ in 0..n {
                    items.push(self.value()?);
                }
                Ok::<Value, Error>(Value::list(items))
            })?,
            Tag::Map => deep(|| {
                let n = self.len()?;
                let mut map = Map::with_capacity(n.min(MOST_RESERVED));
                for _ in 0..n {
                    let key = self.value()?;
                    let value = self.value()?;
                    map.insert(key, value).map_err(|_| wrong())?;
                }
                Ok::<Value, Error>(Value::map(map))
            })?,
            Tag::Block => self.block()?.into(),
            Tag::Shared => {
                let value = self.value()?;
                self.shared.push(value.clone());
                value
            }
            Tag::Again => {
                let number = self.len()?;
                self.shared.get(number).cloned().ok_or_else(wrong)?
            }
        })
    }

    fn block(&mut self) -> Result<Block> {
        let dtype = *DType::ALL.get(self.len()?).ok_or_else(wrong)?;
        let ndim = self.len()?;
        let shape = (0..ndim.min(MOST_RESERVED)).map(|_| self.len()).collect::<Result<Vec<usize>>>()?;
        if shape.len() != ndim || Block::byte_size(dtype, &shape).map_or(true, |bytes| bytes > SMALL_BLOCK) {
            return Err(wrong());
        }
        let mut block = Block::alloc(dtype, &shape);
        let bytes = block.as_mut_bytes();
        self.from.read_exact(bytes)?;
        // Other bytes are no bools, and must not be taken for some.
        if dtype == DType::Bool && bytes.iter().any(|&byte| byte > 1) {
            bytes.fill(0);
            return Err(wrong());
        }
        Ok(block)
    }

    fn text(&mut self) -> Result<&str> {
        let n = self.len()?;
        self.text.clear();
        self.from.take(n as u64).read_to_end(&mut self.text)?;
        if self.text.len() < n {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        std::str::from_utf8(&self.text).map_err(|_| wrong())
    }

    fn float(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.bytes()?))
    }

    fn tag(&mut self) -> Result<Tag> {
        let [tag] = self.bytes()?;
        Tag::ALL.get(tag as usize).copied().ok_or_else(wrong)
    }

    fn len(&mut self) -> Result<usize> {
        usize::try_from(self.number()?).map_err(|_| wrong())
    }

    fn number(&mut self) -> Result<u64> {
        let (mut n, mut shift) = (0, 0);
        loop {
            let [byte] = self.bytes()?;
            n |= u64::from(byte & 0x7f).checked_shl(shift).ok_or_else(wrong)?;
            shift += 7;
            if byte <= 0x7f {
                return Ok(n);
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn wrong() -> Error {
    Error::new(ErrorKind::InvalidData, "what was written there has changed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let key = || prop_oneof!["[a-z]{0,20}".prop_map(Value::from), "[a-z]{1,20}".prop_map(Value::keyword)];
        let one = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            any::<(f64, f64)>().prop_map(|(re, im)| Value::complex(re, im)),
            ".{0,40}".prop_map(Value::from),
            key(),
            prop::collection::vec(any::<i16>(), 0..9).prop_map(|x| Block::from_slice(&[x.len()], &x).into()),
            prop::collection::vec(any::<bool>(), 0..9).prop_map(|x| Block::from_slice(&[x.len()], &x).into()),
        ];
        one.prop_recursive(4, 64, 8, move |inner| {
            let list = prop::collection::vec(inner.clone(), 0..8).prop_map(Value::list);
            // The same list twice, as joins make them.
            let twice =
                inner.clone().prop_map(|one| Value::list(vec![one.clone(), Value::list(vec![one.clone(), one])]));
            let map = prop::collection::vec((key(), inner), 0..12).prop_map(|pairs| {
                let mut map = Map::new();
                pairs.into_iter().for_each(|(key, value)| drop(map.insert(key, value)));
                Value::map(map)
            });
            prop_oneof![list, twice, map]
        })
    }

    fn written(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(write(value, &mut bytes).unwrap());
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in values()) {
            let bytes = written(&value);
            let mut from = &bytes[..];
            prop_assert!(read(&mut from).unwrap().same(&value));
            prop_assert!(from.is_empty());
        }

        /// Of a disk that is broken comes an error or another value, and nothing else.
        #[test]
        fn broken_bytes_do_no_harm(value in values(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = written(&value);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(if cut { at } else { bytes.len() });
            let read = read(&mut &bytes[..]);
            prop_assert!(!cut || read.is_err());
        }
    }

    #[test]
    fn a_block_without_elements_may_not_be_larger_than_any_memory() {
        let mut bytes = written(&Block::from_slice(&[0, 3], &[0.0; 0]).into());
        let at = bytes.iter().rposition(|&byte| byte == 3).unwrap();
        bytes.splice(at..=at, [0xff; 9].into_iter().chain([1]));
        assert!(read(&mut &bytes[..]).is_err());
    }

    #[test]
    fn what_is_shared_is_shared_again() {
        let name = Value::str("a name that is too long to lie in the value");
        let row = || Value::list(vec![name.clone(), Value::Int(1), Value::Int(2)]);
        let rows = Value::list((0..1000).map(|_| row()).collect());
        let bytes = written(&rows);
        assert!(bytes.len() < 10_000, "{} bytes of a thousand rows with one name", bytes.len());
        let (again, held) = (read(&mut &bytes[..]).unwrap(), crate::data::Held::by(&rows));
        assert_eq!(crate::data::Held::by(&again), held);
    }

    #[test]
    fn what_is_no_plain_value_is_not_written() {
        let regex = Value::Regex(Arc::new(regex::Regex::new("a").unwrap()));
        assert!(!write(&Value::list(vec![Value::Int(1), regex]), &mut Vec::new()).unwrap());
        let large = Block::from_slice(&[1000], &[1.0; 1000]);
        assert!(!write(&large.into(), &mut Vec::new()).unwrap());
    }

    #[test]
    fn a_list_nested_without_end_is_written_and_read() {
        let nested = (0..100_000).fold(Value::Nil, |inner, _| Value::list(vec![inner]));
        let bytes = written(&nested);
        assert!(read(&mut &bytes[..]).is_ok());
    }
}
