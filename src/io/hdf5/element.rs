//! How elements are written in a file, and the dtype they are read as.
//!
//! | file datatype | dtype |
//! | --- | --- |
//! | integers of 8 to 64 bits, either byte order; enumerations of them | the integer of that size |
//! | the enumeration `FALSE = 0, TRUE = 1` over int8 (what h5py writes) | `bool` |
//! | IEEE floats of 32 and 64 bits | `float32`, `float64` |
//! | IEEE half precision, and other floats of up to 4 bytes | `float32` |
//! | wider floats (`long double`) | `float64` |
//! | compounds of two equal floats named `r i`, `re im` or `real imag` | `complex64`, `complex128` |
//! | complex numbers of HDF5 2.0 | `complex64`, `complex128` |
//! | bit fields of 8 to 64 bits | the unsigned integer of that size |

use super::datatype::{Bits, Class, Datatype, Float, Member, Order};
use super::library::{Failure, Id, Library, Outcome};
use crate::data::DType;
use crate::io::encoding::Encoding;
use hdf5_sys::h5t::{self, H5T_class_t};
use std::ffi::CString;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element {
    pub dtype: DType,
    /// Where there is none, it is put together bit by bit (see `convert`).
    pub encoding: Option<Encoding>,
    /// Bytes an element takes in the file.
    pub size: usize,
}

/// The widest number there is.
const MOST_BYTES: usize = 16;

impl Element {
    /// What the elements of a datatype are here. The error names a datatype that no dtype fits.
    pub fn of(datatype: &Datatype) -> Result<Element, String> {
        let size = datatype.size;
        match &datatype.class {
            Class::Integer { signed, bits } => integer(*bits, size, *signed),
            Class::Bitfield(bits) => integer(*bits, size, false),
            Class::Float(format) if size <= MOST_BYTES => Ok(float(format, size)),
            Class::Enumeration { base, members } => match is_bool(members, size) {
                true => Ok(Element { dtype: DType::Bool, encoding: Some(Encoding::Bool), size }),
                false => Element::of(base),
            },
            Class::Compound(members) => complex(members, size).ok_or_else(|| describe(datatype)),
            Class::Complex(base) => {
                let [re, im] =
                    ["r", "i"].map(|name| Member { name: name.into(), offset: 0, datatype: (**base).clone() });
                complex(&[re, Member { offset: base.size, ..im }], size).ok_or_else(|| describe(datatype))
            }
            _ => Err(describe(datatype)),
        }
    }

    /// The datatype to give the library so that it hands over elements of the dtype. For `bool` these are the file's own
    /// bytes, of which any but 0 is true.
    pub fn memory_type(&self, lib: &Library, datatype: &Datatype, file_type: &Id) -> Outcome<Id> {
        match (&datatype.class, self.dtype) {
            // SAFETY: the lock is held, the id is open.
            (_, DType::Bool) => lib.id(unsafe { h5t::H5Tcopy(file_type.raw()) }),
            (Class::Compound(members), dtype) if members.len() == 2 => {
                complex_type(lib, dtype, &[members[0].name.clone(), members[1].name.clone()])
            }
            // SAFETY: the lock is held, the id is open.
            (Class::Bitfield(_), _) => {
                lib.id(unsafe { h5t::H5Tget_native_type(file_type.raw(), h5t::H5T_direction_t::H5T_DIR_ASCEND) })
            }
            (_, dtype) => native(lib, dtype),
        }
    }
}

/// The native datatype of a dtype, as dsk writes it: `bool` and complex as h5py does.
pub fn native(lib: &Library, dtype: DType) -> Outcome<Id> {
    let id = match dtype {
        DType::Bool => return bool_type(lib),
        DType::C64 | DType::C128 => return complex_type(lib, dtype, &["r".into(), "i".into()]),
        DType::I8 => *h5t::H5T_NATIVE_INT8,
        DType::I16 => *h5t::H5T_NATIVE_INT16,
        DType::I32 => *h5t::H5T_NATIVE_INT32,
        DType::I64 => *h5t::H5T_NATIVE_INT64,
        DType::U8 => *h5t::H5T_NATIVE_UINT8,
        DType::U16 => *h5t::H5T_NATIVE_UINT16,
        DType::U32 => *h5t::H5T_NATIVE_UINT32,
        DType::U64 => *h5t::H5T_NATIVE_UINT64,
        DType::F32 => *h5t::H5T_NATIVE_FLOAT,
        DType::F64 => *h5t::H5T_NATIVE_DOUBLE,
    };
    // SAFETY: the lock is held; the predefined ids are valid once the library has started.
    lib.id(unsafe { h5t::H5Tcopy(id) })
}

fn bool_type(lib: &Library) -> Outcome<Id> {
    // SAFETY: the lock is held; names are C strings, values point to a live int8.
    unsafe {
        let id = lib.id(h5t::H5Tenum_create(*h5t::H5T_NATIVE_INT8))?;
        for (name, value) in [(c"FALSE", 0i8), (c"TRUE", 1)] {
            lib.check(h5t::H5Tenum_insert(id.raw(), name.as_ptr(), (&raw const value).cast()))?;
        }
        Ok(id)
    }
}

fn complex_type(lib: &Library, dtype: DType, names: &[String; 2]) -> Outcome<Id> {
    let part = native(lib, dtype.real())?;
    let size = dtype.real().size();
    // SAFETY: the lock is held; the parts fit the size.
    unsafe {
        let id = lib.id(h5t::H5Tcreate(H5T_class_t::H5T_COMPOUND, 2 * size))?;
        for (n, name) in names.iter().enumerate() {
            let name = CString::new(name.as_str()).map_err(|_| Failure::from("a NUL in a name"))?;
            lib.check(h5t::H5Tinsert(id.raw(), name.as_ptr(), n * size, part.raw()))?;
        }
        Ok(id)
    }
}

fn integer(bits: Bits, size: usize, signed: bool) -> Result<Element, String> {
    let dtype = match (size, signed) {
        (1, true) => DType::I8,
        (2, true) => DType::I16,
        (3..=4, true) => DType::I32,
        (5..=8, true) => DType::I64,
        (1, false) => DType::U8,
        (2, false) => DType::U16,
        (3..=4, false) => DType::U32,
        (5..=8, false) => DType::U64,
        _ => return Err(format!("integers of {} bits", 8 * size)),
    };
    let whole = size == dtype.size() && bits.precision == 8 * size && bits.offset == 0;
    let encoding = match size {
        _ if !whole => None,
        1 => Some(Encoding::Native),
        _ => by_order(bits.order, size),
    };
    Ok(Element { dtype, encoding, size })
}

fn is_swapped(order: Order) -> bool {
    (order == Order::Little) != cfg!(target_endian = "little")
}

fn by_order(order: Order, size: usize) -> Option<Encoding> {
    match order {
        Order::Mixed => None,
        order if is_swapped(order) => Some(Encoding::Swapped(size)),
        _ => Some(Encoding::Native),
    }
}

fn float(format: &Float, size: usize) -> Element {
    let dtype = if size <= 4 { DType::F32 } else { DType::F64 };
    // IEEE 754 binary16, binary32 and binary64: sign, exponent, mantissa from the highest bit on.
    let ieee = |size: usize, exponent: usize| {
        let mantissa = 8 * size - 1 - exponent;
        *format
            == Float {
                bits: Bits { order: format.bits.order, offset: 0, precision: 8 * size },
                sign: 8 * size - 1,
                exponent: (mantissa, exponent),
                mantissa: (0, mantissa),
                bias: (1 << (exponent - 1)) - 1,
                implied: true,
            }
    };
    let encoding = match size {
        4 if ieee(4, 8) => by_order(format.bits.order, size),
        8 if ieee(8, 11) => by_order(format.bits.order, size),
        2 if ieee(2, 5) && format.bits.order != Order::Mixed => {
            Some(Encoding::Half { swapped: is_swapped(format.bits.order) })
        }
        _ => None,
    };
    Element { dtype, encoding, size }
}

fn is_bool(members: &[(String, Vec<u8>)], size: usize) -> bool {
    let is = |value: u8, name: &str| members.iter().any(|m| m.1 == [value] && m.0.eq_ignore_ascii_case(name));
    size == 1 && members.len() == 2 && is(0, "FALSE") && is(1, "TRUE")
}

fn complex(members: &[Member], size: usize) -> Option<Element> {
    let [re, im] = members else { return None };
    let known = [["r", "i"], ["re", "im"], ["real", "imag"]];
    let named = known.iter().any(|k| re.name.eq_ignore_ascii_case(k[0]) && im.name.eq_ignore_ascii_case(k[1]));
    let Class::Float(format) = &re.datatype.class else { return None };
    if !named || re.datatype != im.datatype || re.datatype.size > MOST_BYTES {
        return None;
    }
    let part = float(format, re.datatype.size);
    let dtype = if part.dtype == DType::F32 { DType::C64 } else { DType::C128 };
    let packed = re.offset == 0 && im.offset == part.size && size == dtype.size();
    let encoding = match part.encoding {
        Some(Encoding::Native | Encoding::Swapped(_)) if packed => part.encoding,
        _ => None,
    };
    Some(Element { dtype, encoding, size })
}

/// What a message or a listing calls a datatype that has no dtype.
pub fn describe(datatype: &Datatype) -> String {
    let size = datatype.size;
    match &datatype.class {
        Class::Sequence { text: true, .. } => "strings".into(),
        Class::Text { .. } => format!("strings of {size} bytes"),
        Class::Compound(members) => {
            let names: Vec<&str> = members.iter().take(8).map(|m| m.name.as_str()).collect();
            format!("compounds of {}{}", names.join(", "), if members.len() > 8 { ", …" } else { "" })
        }
        Class::Complex(_) => format!("complex numbers of {} bits", 8 * size),
        Class::Reference => "references".into(),
        Class::Sequence { base, .. } => format!("sequences of {}", describe(base)),
        Class::Array { base, .. } => format!("arrays of {}", describe(base)),
        Class::Opaque => format!("opaque items of {size} bytes"),
        Class::Time => "times".into(),
        Class::Integer { .. } => format!("integers of {} bits", 8 * size),
        Class::Float(_) => format!("floats of {} bits", 8 * size),
        Class::Enumeration { .. } => "enumerations".into(),
        Class::Bitfield(_) => format!("bit fields of {} bits", 8 * size),
    }
}
