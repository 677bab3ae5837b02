//! Datatypes, as files describe them.
//!
//! Source: HDF5 File Format Specification Version 3.0, IV.A.2.d.

use super::format::{Cursor, Damage, Sound};

/// Datatypes are made of others; real ones of few.
const DEEPEST: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub struct Datatype {
    /// Bytes of an element.
    pub size: usize,
    pub class: Class,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Class {
    Integer {
        signed: bool,
        bits: Bits,
    },
    Bitfield(Bits),
    Float(Float),
    Text {
        /// Padded with spaces at the end.
        spaces: bool,
    },
    Enumeration {
        base: Box<Datatype>,
        /// Names, and values in the bytes of the base.
        members: Vec<(String, Vec<u8>)>,
    },
    Compound(Vec<Member>),
    /// Real and imaginary part.
    Complex(Box<Datatype>),
    Array {
        base: Box<Datatype>,
        dims: Vec<usize>,
    },
    /// Elements of any number, kept in the global heap.
    Sequence {
        base: Box<Datatype>,
        text: bool,
    },
    Time,
    Opaque,
    Reference,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Little,
    Big,
    /// Of the VAX: two bytes little-endian, the greater two first.
    Mixed,
}

/// Which bits of an element count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bits {
    pub order: Order,
    pub offset: usize,
    pub precision: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Float {
    pub bits: Bits,
    pub sign: usize,
    /// Lowest bit and number of bits.
    pub exponent: (usize, usize),
    pub mantissa: (usize, usize),
    pub bias: u64,
    /// The highest bit of the mantissa is 1 and not stored.
    pub implied: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: String,
    pub offset: usize,
    pub datatype: Datatype,
}

impl Datatype {
    pub fn parse(bytes: &[u8]) -> Sound<Datatype> {
        one(&mut Cursor::new(bytes), 0)
    }
}

fn one(cursor: &mut Cursor, depth: usize) -> Sound<Datatype> {
    if depth > DEEPEST {
        return Err("a datatype without end".into());
    }
    let first = cursor.number(1)?;
    let (version, class) = (first >> 4, first & 15);
    let flags = cursor.number(3)?;
    let size = cursor.size(4)?;
    // Versions 4 and 5 add kinds of references, and complex numbers.
    if !(1..=5).contains(&version) {
        return Err("a datatype of unknown version".into());
    }
    if size == 0 {
        return Err("a datatype of no size".into());
    }
    let order = |mixed: bool| match (flags & 1, flags >> 6 & 1) {
        (0, 0) => Ok(Order::Little),
        (1, 0) => Ok(Order::Big),
        (1, 1) if mixed => Ok(Order::Mixed),
        _ if !mixed => Ok(if flags & 1 == 0 { Order::Little } else { Order::Big }),
        _ => Err(Damage::from("a datatype of an unknown order of bytes")),
    };
    let class = match class {
        0 => Class::Integer { signed: flags & 8 != 0, bits: bits(cursor, order(false)?, size)? },
        4 => Class::Bitfield(bits(cursor, order(false)?, size)?),
        1 => Class::Float(float(cursor, order(true)?, size, flags)?),
        2 => {
            cursor.take(2)?;
            Class::Time
        }
        3 => match (flags & 15, flags >> 4 & 15) {
            (0..=2, 0..=1) => Class::Text { spaces: flags & 15 == 2 },
            _ => return Err("strings of an unknown kind".into()),
        },
        5 => {
            cursor.take((flags & 0xff) as usize)?;
            Class::Opaque
        }
        6 => Class::Compound(compound(cursor, version, (flags & 0xffff) as usize, size, depth)?),
        7 if flags & 15 <= 4 => Class::Reference,
        7 => return Err("references of an unknown kind".into()),
        8 => {
            let base = Box::new(one(cursor, depth + 1)?);
            if !matches!(base.class, Class::Integer { .. }) || base.size != size {
                return Err("an enumeration of other things than its numbers".into());
            }
            let count = (flags & 0xffff) as usize;
            let names = (0..count).map(|_| name(cursor, version)).collect::<Sound<Vec<_>>>()?;
            let mut members = Vec::new();
            for name in names {
                members.push((name, cursor.take(size)?.to_vec()));
            }
            Class::Enumeration { base, members }
        }
        9 => {
            let base = Box::new(one(cursor, depth + 1)?);
            if flags & 15 > 1 || flags >> 4 & 15 > 2 || flags >> 8 & 15 > 1 {
                return Err("sequences of an unknown kind".into());
            }
            Class::Sequence { base, text: flags & 15 == 1 }
        }
        10 if version >= 2 => {
            let ndim = cursor.size(1)?;
            if version == 2 {
                cursor.take(3)?;
            }
            if ndim > super::message::MOST_AXES {
                return Err("an array of more axes than there may be".into());
            }
            let dims = (0..ndim).map(|_| cursor.size(4)).collect::<Sound<Vec<_>>>()?;
            if version == 2 {
                cursor.take(4 * ndim)?;
            }
            array(cursor, dims, size, depth)?
        }
        11 if version == 5 => {
            let base = Box::new(one(cursor, depth + 1)?);
            match base.size.checked_mul(2) == Some(size) && matches!(base.class, Class::Float(_)) {
                true => Class::Complex(base),
                false => return Err("complex numbers of an impossible kind".into()),
            }
        }
        _ => return Err("a datatype of an unknown class".into()),
    };
    Ok(Datatype { size, class })
}

fn bits(cursor: &mut Cursor, order: Order, size: usize) -> Sound<Bits> {
    let bits = Bits { order, offset: cursor.size(2)?, precision: cursor.size(2)? };
    // The sum stays far from the limit: both are of two bytes.
    match bits.precision > 0 && bits.offset + bits.precision <= size.saturating_mul(8) {
        true => Ok(bits),
        false => Err("a number of more bits than it has room for".into()),
    }
}

fn float(cursor: &mut Cursor, order: Order, size: usize, flags: u64) -> Sound<Float> {
    let bits = bits(cursor, order, size)?;
    let mut place = || Sound::Ok((cursor.size(1)?, cursor.size(1)?));
    let (exponent, mantissa) = (place()?, place()?);
    let bias = cursor.number(4)?;
    let sign = (flags >> 8 & 0xff) as usize;
    let end = bits.offset + bits.precision;
    let overlap = |a: (usize, usize), b: (usize, usize)| a.0 < b.0 + b.1 && b.0 < a.0 + a.1;
    let sound = [exponent, mantissa].iter().all(|p| p.1 > 0 && p.0 + p.1 <= end)
        && sign < end
        && !overlap(exponent, mantissa)
        && !overlap((sign, 1), exponent)
        && !overlap((sign, 1), mantissa)
        && flags >> 4 & 3 != 3;
    match sound {
        true => Ok(Float { bits, sign, exponent, mantissa, bias, implied: flags >> 4 & 3 == 2 }),
        false => Err("a floating-point number whose parts overlap".into()),
    }
}

/// A name, and what it is padded with before version 3.
fn name(cursor: &mut Cursor, version: u64) -> Sound<String> {
    let text = cursor.text()?;
    let len = text.len() + 1;
    if version < 3 {
        cursor.take(len.next_multiple_of(8) - len)?;
    }
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn compound(cursor: &mut Cursor, version: u64, count: usize, size: usize, depth: usize) -> Sound<Vec<Member>> {
    let mut members: Vec<Member> = Vec::new();
    if count == 0 {
        return Err("a compound of nothing".into());
    }
    // Bytes that an offset takes.
    let width = if version >= 3 { (size.ilog2() / 8 + 1) as usize } else { 4 };
    for _ in 0..count {
        let name = name(cursor, version)?;
        let offset = cursor.size(width)?;
        let datatype = if version == 1 {
            let ndim = cursor.size(1)?;
            if ndim > 4 {
                return Err("an array of more axes than there may be".into());
            }
            cursor.take(11)?;
            let dims = (0..4).map(|_| cursor.size(4)).collect::<Sound<Vec<_>>>()?;
            let base = one(cursor, depth + 1)?;
            match ndim {
                0 => base,
                _ => {
                    let count = dims[..ndim].iter().try_fold(base.size, |n, &d| n.checked_mul(d));
                    let size = count.filter(|&n| n > 0).ok_or("an array of an impossible size")?;
                    Datatype { size, class: Class::Array { base: Box::new(base), dims: dims[..ndim].to_vec() } }
                }
            }
        } else {
            one(cursor, depth + 1)?
        };
        if offset.checked_add(datatype.size).is_none_or(|end| end > size) {
            return Err("a compound with a member outside of it".into());
        }
        members.push(Member { name, offset, datatype });
    }
    let mut places: Vec<_> = members.iter().map(|m| (m.offset, m.offset + m.datatype.size)).collect();
    places.sort_unstable();
    match places.windows(2).any(|w| w[0].1 > w[1].0) {
        true => Err("a compound whose members overlap".into()),
        false => Ok(members),
    }
}

fn array(cursor: &mut Cursor, dims: Vec<usize>, size: usize, depth: usize) -> Sound<Class> {
    let base = Box::new(one(cursor, depth + 1)?);
    match dims.iter().try_fold(base.size, |n, &d| n.checked_mul(d)) == Some(size) {
        true => Ok(Class::Array { base, dims }),
        false => Err("an array of another size than its elements".into()),
    }
}
