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
//! | bit fields of 8 to 64 bits | the unsigned integer of that size |

use super::library::{Failure, Id, Library, Outcome};
use crate::data::DType;
use hdf5_sys::h5t::{self, H5T_class_t, H5T_order_t, H5T_sign_t};
use std::ffi::{CStr, CString, c_void};

/// How the bytes of an element become those of its dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// As in memory.
    Native,
    /// In the other byte order, numbers of this many bytes.
    Swapped(usize),
    /// One byte, which is true where it is not 0.
    Bool,
    /// IEEE half precision, to be widened.
    Half { swapped: bool },
    /// Only the library converts these.
    Foreign,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element {
    pub dtype: DType,
    pub encoding: Encoding,
    /// Bytes an element takes in the file.
    pub size: usize,
}

const NATIVE_ORDER: H5T_order_t =
    if cfg!(target_endian = "little") { H5T_order_t::H5T_ORDER_LE } else { H5T_order_t::H5T_ORDER_BE };

impl Element {
    /// What the elements of a file datatype are here. The failure names a datatype that no dtype fits.
    pub fn of(lib: &Library, file_type: &Id) -> Outcome<Element> {
        let id = file_type.raw();
        // SAFETY: the lock is held, the id is open.
        let (class, size) = unsafe { (h5t::H5Tget_class(id), h5t::H5Tget_size(id)) };
        match class {
            H5T_class_t::H5T_INTEGER => integer(file_type, true),
            H5T_class_t::H5T_BITFIELD => integer(file_type, false),
            H5T_class_t::H5T_FLOAT => Ok(float(file_type)),
            H5T_class_t::H5T_ENUM => {
                // SAFETY: the lock is held, the id is open.
                let base = lib.id(unsafe { h5t::H5Tget_super(id) })?;
                match is_bool(lib, file_type, size) {
                    true => Ok(Element { dtype: DType::Bool, encoding: Encoding::Bool, size }),
                    false => integer(&base, true),
                }
            }
            H5T_class_t::H5T_COMPOUND => complex(lib, file_type),
            _ => Err(describe(lib, file_type).as_str().into()),
        }
    }

    /// The datatype to give the library so that it hands over elements of the dtype. For `bool` these are the file's own
    /// bytes, of which any but 0 is true.
    pub fn memory_type(&self, lib: &Library, file_type: &Id) -> Outcome<Id> {
        let id = file_type.raw();
        // SAFETY: the lock is held, the ids are open.
        unsafe {
            let class = h5t::H5Tget_class(id);
            match self.dtype {
                DType::Bool => lib.id(h5t::H5Tcopy(id)),
                DType::C64 | DType::C128 => {
                    let names = [member_name(id, 0), member_name(id, 1)];
                    complex_type(lib, self.dtype, &names)
                }
                _ if class == H5T_class_t::H5T_BITFIELD => {
                    lib.id(h5t::H5Tget_native_type(id, h5t::H5T_direction_t::H5T_DIR_ASCEND))
                }
                dtype => native(lib, dtype),
            }
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

fn integer(file_type: &Id, may_be_signed: bool) -> Outcome<Element> {
    let id = file_type.raw();
    // SAFETY: the lock is held (`Element::of` has the proof), the id is open.
    let (size, precision, offset, order, sign) = unsafe {
        (
            h5t::H5Tget_size(id),
            h5t::H5Tget_precision(id),
            h5t::H5Tget_offset(id),
            h5t::H5Tget_order(id),
            h5t::H5Tget_sign(id),
        )
    };
    let signed = may_be_signed && sign == H5T_sign_t::H5T_SGN_2;
    let dtype = match (size, signed) {
        (1, true) => DType::I8,
        (2, true) => DType::I16,
        (3..=4, true) => DType::I32,
        (5..=8, true) => DType::I64,
        (1, false) => DType::U8,
        (2, false) => DType::U16,
        (3..=4, false) => DType::U32,
        (5..=8, false) => DType::U64,
        _ => return Err(format!("integers of {} bits", 8 * size).as_str().into()),
    };
    let whole = size == dtype.size() && precision == 8 * size && offset == 0;
    let encoding = match order {
        _ if !whole => Encoding::Foreign,
        _ if size == 1 => Encoding::Native,
        order => by_order(order, size),
    };
    Ok(Element { dtype, encoding, size })
}

fn by_order(order: H5T_order_t, size: usize) -> Encoding {
    match order {
        order if order == NATIVE_ORDER => Encoding::Native,
        H5T_order_t::H5T_ORDER_LE | H5T_order_t::H5T_ORDER_BE => Encoding::Swapped(size),
        _ => Encoding::Foreign,
    }
}

fn float(file_type: &Id) -> Element {
    let id = file_type.raw();
    // SAFETY: the lock is held (`Element::of` has the proof), the ids are open.
    let (size, order, single, double) = unsafe {
        (
            h5t::H5Tget_size(id),
            h5t::H5Tget_order(id),
            h5t::H5Tequal(id, *h5t::H5T_IEEE_F32LE) > 0 || h5t::H5Tequal(id, *h5t::H5T_IEEE_F32BE) > 0,
            h5t::H5Tequal(id, *h5t::H5T_IEEE_F64LE) > 0 || h5t::H5Tequal(id, *h5t::H5T_IEEE_F64BE) > 0,
        )
    };
    let dtype = if size <= 4 { DType::F32 } else { DType::F64 };
    let encoding = match order {
        order if single || double => by_order(order, size),
        H5T_order_t::H5T_ORDER_LE | H5T_order_t::H5T_ORDER_BE if is_half(file_type) => {
            Encoding::Half { swapped: order != NATIVE_ORDER }
        }
        _ => Encoding::Foreign,
    };
    Element { dtype, encoding, size }
}

/// IEEE 754 binary16: sign at bit 15, five bits of exponent, ten of mantissa.
fn is_half(file_type: &Id) -> bool {
    let id = file_type.raw();
    let (mut sign, mut exponent, mut exponent_bits, mut mantissa, mut mantissa_bits) = (0, 0, 0, 0, 0);
    // SAFETY: the lock is held (`Element::of` has the proof), the id is open, the pointers are to live variables.
    unsafe {
        let got =
            h5t::H5Tget_fields(id, &mut sign, &mut exponent, &mut exponent_bits, &mut mantissa, &mut mantissa_bits);
        got >= 0
            && (sign, exponent, exponent_bits, mantissa, mantissa_bits) == (15, 10, 5, 0, 10)
            && h5t::H5Tget_ebias(id) == 15
            && h5t::H5Tget_size(id) == 2
            && h5t::H5Tget_norm(id) == h5t::H5T_norm_t::H5T_NORM_IMPLIED
    }
}

fn is_bool(lib: &Library, file_type: &Id, size: usize) -> bool {
    let id = file_type.raw();
    // SAFETY: the lock is held, the id is open; the value has room for the one byte of a member.
    let value = |n: u32| unsafe {
        let mut value = 0i8;
        let got = h5t::H5Tget_member_value(id, n, (&raw mut value).cast::<c_void>());
        (got >= 0).then(|| (member_name(id, n).to_ascii_uppercase(), value))
    };
    // SAFETY: the lock is held, the id is open.
    let count = unsafe { h5t::H5Tget_nmembers(id) };
    if size != 1 || count != 2 {
        return false;
    }
    let mut members: Vec<_> = (0..2).filter_map(value).collect();
    members.sort_by_key(|m| m.1);
    let _ = lib;
    members == [("FALSE".into(), 0), ("TRUE".into(), 1)]
}

fn complex(lib: &Library, file_type: &Id) -> Outcome<Element> {
    let id = file_type.raw();
    // SAFETY: the lock is held, the id is open, members are counted.
    let (size, count) = unsafe { (h5t::H5Tget_size(id), h5t::H5Tget_nmembers(id)) };
    let refuse = || Err(describe(lib, file_type).as_str().into());
    if count != 2 {
        return refuse();
    }
    // SAFETY: as above.
    let (names, offsets, parts) = unsafe {
        let part = |n| lib.id(h5t::H5Tget_member_type(id, n));
        (
            [member_name(id, 0).to_ascii_lowercase(), member_name(id, 1).to_ascii_lowercase()],
            [h5t::H5Tget_member_offset(id, 0), h5t::H5Tget_member_offset(id, 1)],
            [part(0)?, part(1)?],
        )
    };
    let known = [["r", "i"], ["re", "im"], ["real", "imag"]];
    // SAFETY: the lock is held, the ids are open.
    let floats = unsafe {
        parts.iter().all(|p| h5t::H5Tget_class(p.raw()) == H5T_class_t::H5T_FLOAT)
            && h5t::H5Tequal(parts[0].raw(), parts[1].raw()) > 0
    };
    if !floats || !known.iter().any(|k| k[0] == names[0] && k[1] == names[1]) {
        return refuse();
    }
    let part = float(&parts[0]);
    let dtype = if part.dtype == DType::F32 { DType::C64 } else { DType::C128 };
    let packed = offsets == [0, part.size] && size == dtype.size();
    let encoding = match part.encoding {
        Encoding::Native | Encoding::Swapped(_) if packed => part.encoding,
        _ => Encoding::Foreign,
    };
    Ok(Element { dtype, encoding, size })
}

/// # Safety
/// The lock is held, `id` is an open compound or enumeration, and has more than `n` members.
unsafe fn member_name(id: hdf5_sys::h5i::hid_t, n: u32) -> String {
    // SAFETY: promised by the caller; the library returns null or a C string that is ours to free.
    unsafe {
        let raw = h5t::H5Tget_member_name(id, n);
        if raw.is_null() {
            return String::new();
        }
        let name = CStr::from_ptr(raw).to_string_lossy().into_owned();
        hdf5_sys::h5::H5free_memory(raw.cast());
        name
    }
}

/// What a message or a listing calls a datatype that has no dtype.
pub fn describe(lib: &Library, file_type: &Id) -> String {
    let id = file_type.raw();
    // SAFETY: the lock is held, the id is open.
    unsafe {
        let size = h5t::H5Tget_size(id);
        let of = || lib.id(h5t::H5Tget_super(id)).map_or("unknown".into(), |base| describe(lib, &base));
        match h5t::H5Tget_class(id) {
            H5T_class_t::H5T_STRING if h5t::H5Tis_variable_str(id) > 0 => "strings".into(),
            H5T_class_t::H5T_STRING => format!("strings of {size} bytes"),
            H5T_class_t::H5T_COMPOUND => {
                let count = u32::try_from(h5t::H5Tget_nmembers(id)).unwrap_or(0);
                let names: Vec<String> = (0..count.min(8)).map(|n| member_name(id, n)).collect();
                format!("compounds of {}{}", names.join(", "), if count > 8 { ", …" } else { "" })
            }
            H5T_class_t::H5T_REFERENCE => "references".into(),
            H5T_class_t::H5T_VLEN => format!("sequences of {}", of()),
            H5T_class_t::H5T_ARRAY => format!("arrays of {}", of()),
            H5T_class_t::H5T_OPAQUE => format!("opaque items of {size} bytes"),
            H5T_class_t::H5T_TIME => "times".into(),
            H5T_class_t::H5T_INTEGER => format!("integers of {} bits", 8 * size),
            H5T_class_t::H5T_FLOAT => format!("floats of {} bits", 8 * size),
            H5T_class_t::H5T_ENUM => "enumerations".into(),
            H5T_class_t::H5T_BITFIELD => format!("bit fields of {} bits", 8 * size),
            _ => "items of an unknown kind".into(),
        }
    }
}
