//! The types that metadata names, and the dtypes they are here.

use super::json::{self, Json};
use crate::data::DType;
use crate::io::encoding::Encoding;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element {
    pub dtype: DType,
    /// Stored in half precision.
    pub is_half: bool,
}

impl Element {
    /// The type that version 3 calls `name`.
    pub fn v3(name: &str) -> Option<Element> {
        let dtype = match name {
            "float16" => return Some(Element { dtype: DType::F32, is_half: true }),
            // The short names are not Zarr's.
            _ => DType::ALL.iter().copied().find(|d| d.name() == name)?,
        };
        Some(Element::of(dtype))
    }

    /// NumPy's `<f8`, and whether its bytes are in the other order than this machine's.
    pub fn v2(name: &str) -> Option<(Element, bool)> {
        let (order, short) = name.split_at_checked(1)?;
        let swapped = match order {
            "<" => cfg!(target_endian = "big"),
            ">" => cfg!(target_endian = "little"),
            "|" => false,
            _ => return None,
        };
        let element = match short {
            "f2" => Element { dtype: DType::F32, is_half: true },
            _ => Element::of(DType::ALL.iter().copied().find(|d| d.short() == short)?),
        };
        // Without an order only where there is but one.
        (order != "|" || element.size() == 1).then_some((element, swapped))
    }

    /// Elements of a dtype as they are written here.
    pub fn of(dtype: DType) -> Element {
        Element { dtype, is_half: false }
    }

    /// How chunks hold it, with the bytes of numbers in this machine's order or the other one.
    pub fn encoding(&self, swapped: bool) -> Encoding {
        match self.dtype {
            DType::Bool => Encoding::Bool,
            _ if self.is_half => Encoding::Half { swapped },
            _ => Encoding::ordered(swapped, self.unit()),
        }
    }

    /// The dtype of a block that elements are read into as they are.
    pub fn raw(&self) -> DType {
        self.encoding(false).raw(self.dtype)
    }

    /// Bytes it takes in a chunk.
    pub fn size(&self) -> usize {
        self.raw().size()
    }

    /// Bytes that change places in the other byte order.
    pub fn unit(&self) -> usize {
        match self.dtype {
            _ if self.is_half => 2,
            dtype if dtype.is_complex() => dtype.size() / 2,
            dtype => dtype.size(),
        }
    }

    /// The bytes of the fill value that metadata gives, in this machine's order; `None` where there is no such element.
    pub fn fill(&self, json: &Json) -> Option<Vec<u8>> {
        use DType::*;
        if self.is_half {
            let bits = hex(json, 2).map_or_else(|| json::number(json).map(|x| to_half(x as f32)), |n| Some(n as u16));
            return Some(bits?.to_ne_bytes().to_vec());
        }
        macro_rules! integer {
            ($t:ty) => {
                <$t>::try_from(integer(json)?).ok()?.to_ne_bytes().to_vec()
            };
        }
        Some(match self.dtype {
            Bool => vec![u8::from(json.as_bool().or_else(|| Some(json.as_u64()? != 0))?)],
            I8 => integer!(i8),
            I16 => integer!(i16),
            I32 => integer!(i32),
            I64 => integer!(i64),
            U8 => integer!(u8),
            U16 => integer!(u16),
            U32 => integer!(u32),
            U64 => integer!(u64),
            F32 | F64 => float(json, self.dtype.size())?,
            C64 | C128 => {
                let half = self.dtype.size() / 2;
                match json.as_array().map(Vec::as_slice) {
                    Some([re, im]) => [float(re, half)?, float(im, half)?].concat(),
                    Some(_) => return None,
                    None => [float(json, half)?, vec![0; half]].concat(),
                }
            }
        })
    }
}

fn integer(json: &Json) -> Option<i128> {
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 2f64.powi(64)).then_some(x as i128);
    json.as_i64().map(i128::from).or_else(|| json.as_u64().map(i128::from)).or_else(|| whole(json.as_f64()?))
}

fn float(json: &Json, size: usize) -> Option<Vec<u8>> {
    if let Some(bits) = hex(json, size) {
        return Some(match size {
            4 => (bits as u32).to_ne_bytes().to_vec(),
            _ => bits.to_ne_bytes().to_vec(),
        });
    }
    let x = json::number(json)?;
    Some(match size {
        4 => (x as f32).to_ne_bytes().to_vec(),
        _ => x.to_ne_bytes().to_vec(),
    })
}

/// The bits of a number of `size` bytes, written `0x7fc00000`.
fn hex(json: &Json, size: usize) -> Option<u64> {
    let digits = json.as_str()?.strip_prefix("0x").filter(|d| d.len() == 2 * size)?;
    u64::from_str_radix(digits, 16).ok()
}

/// IEEE 754 binary32 to binary16, to the nearest, of two equally near ones to the even one.
pub fn to_half(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // 2^-14, the least that is not subnormal; 65520, from which on it is infinity.
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // A multiple of 2^-24.
        let multiple = (f32::from_bits(magnitude) * 2f32.powi(24)).round_ties_even();
        return sign | multiple as u16;
    }
    let odd = magnitude >> 13 & 1;
    sign | ((magnitude - (112 << 23) + 0xfff + odd) >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn halves_are_the_nearest() {
        for (x, bits) in [
            (0.0, 0),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65504.0, 0x7bff),
            (65519.9, 0x7bff),
            (65520.0, 0x7c00),
            (5.960_464_5e-8, 1),
            (2.9e-8, 0),
            (6.103_515_6e-5, 0x400),
            (6.1e-5, 0x3ff),
            (1.000_488_3, 0x3c00),
            (1.000_976_6, 0x3c01),
            (1.001_464_8, 0x3c02),
            (f32::NEG_INFINITY, 0xfc00),
        ] {
            assert_eq!(to_half(x), bits, "{x}");
        }
        assert_eq!(to_half(f32::NAN) & 0x7e00, 0x7e00);
    }

    #[test]
    fn types_have_names_in_both_versions() {
        for &dtype in DType::ALL {
            assert_eq!(Element::v3(dtype.name()).map(|e| e.dtype), Some(dtype));
            let order = if dtype.size() == 1 { '|' } else { '<' };
            assert_eq!(Element::v2(&format!("{order}{}", dtype.short())).map(|e| e.0.dtype), Some(dtype));
        }
        assert_eq!(Element::v2(">c16").map(|e| (e.0.unit(), e.1)), Some((8, cfg!(target_endian = "little"))));
        for name in ["", "f8", "<M8[ns]", "|S5", "|f8", "é", "=f8"] {
            assert_eq!(Element::v2(name), None, "{name}");
        }
        for name in ["f8", "int", "string", "bfloat16", "r8"] {
            assert_eq!(Element::v3(name), None, "{name}");
        }
    }

    #[test]
    fn fill_values_are_elements_or_none() {
        let fill = |name: &str, json: Json| Element::v3(name).and_then(|e| e.fill(&json));
        assert_eq!(fill("int16", json!(-2)), Some((-2i16).to_ne_bytes().to_vec()));
        assert_eq!(fill("int16", json!(2.0)), Some(2i16.to_ne_bytes().to_vec()));
        assert_eq!(fill("uint64", json!(u64::MAX)), Some(u64::MAX.to_ne_bytes().to_vec()));
        assert_eq!(fill("float32", json!("0x7fc00000")), Some(0x7fc0_0000u32.to_ne_bytes().to_vec()));
        assert_eq!(fill("float64", json!("-Infinity")), Some(f64::NEG_INFINITY.to_ne_bytes().to_vec()));
        assert_eq!(fill("float16", json!(1.0)), Some(0x3c00u16.to_ne_bytes().to_vec()));
        assert_eq!(fill("complex64", json!([1, "NaN"])).map(|b| b.len()), Some(8));
        assert_eq!(fill("bool", json!(true)), Some(vec![1]));
        for (name, json) in [
            ("int8", json!(200)),
            ("uint8", json!(-1)),
            ("int64", json!(1.5)),
            ("uint64", json!(1e300)),
            ("float64", json!("x")),
            ("bool", json!("true")),
            ("complex64", json!([1])),
            ("int32", json!(null)),
        ] {
            assert_eq!(fill(name, json.clone()), None, "{name} {json}");
        }
    }
}
