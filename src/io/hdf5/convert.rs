//! Elements as files have them, to elements of a dtype.

use super::datatype::{Bits, Class, Datatype, Float, Order};
use super::element::{Element, Encoding};
use crate::data::{Block, Complex64, DType, Dims};

/// The dtype of a block that elements are read into as they are, and whether it has an axis more: the bytes of an element.
pub fn raw(element: &Element) -> (DType, bool) {
    match element.encoding {
        Encoding::Bool => (DType::U8, false),
        Encoding::Half { .. } => (DType::U16, false),
        Encoding::Odd => (DType::U8, true),
        Encoding::Native | Encoding::Swapped(_) => (element.dtype, false),
    }
}

/// A block for `shape` elements as the file has them.
pub fn alloc(element: &Element, shape: &[usize]) -> Block {
    let (dtype, wide) = raw(element);
    let mut dims = Dims::from_slice(shape);
    dims.extend(wide.then_some(element.size));
    Block::alloc(dtype, &dims)
}

/// The elements of such a block as their dtype has them.
pub fn finish(datatype: &Datatype, element: &Element, mut block: Block) -> Block {
    match element.encoding {
        Encoding::Native => block,
        Encoding::Swapped(unit) => {
            swap(block.as_mut_bytes(), unit);
            block
        }
        Encoding::Bool => bools(&block),
        Encoding::Half { swapped } => {
            convert(&block, move |bits: u16| half(if swapped { bits.swap_bytes() } else { bits }))
        }
        Encoding::Odd => odd(datatype, element, &block),
    }
}

/// Bytes to what they say, true where they are not 0.
pub fn bools(block: &Block) -> Block {
    convert(block, |byte: u8| byte != 0)
}

fn convert<A: crate::data::Element, B: crate::data::Element>(block: &Block, f: impl Fn(A) -> B) -> Block {
    let mut out = Block::alloc(B::DTYPE, block.shape());
    let elements = block.as_slice::<A>().unwrap_or(&[]);
    out.as_mut_slice::<B>().iter_mut().zip(elements).for_each(|(to, &from)| *to = f(from));
    out
}

/// Element by element, whatever bits they are made of.
fn odd(datatype: &Datatype, element: &Element, block: &Block) -> Block {
    let shape = &block.shape()[..block.ndim() - 1];
    let bytes = block.as_slice::<u8>().unwrap_or(&[]).chunks_exact(element.size.max(1));
    let numbers = |f: &dyn Fn(&[u8]) -> f64| Block::from_slice(shape, &bytes.clone().map(f).collect::<Vec<f64>>());
    let block = match &datatype.class {
        Class::Integer { signed, bits } => return integers(shape, bytes, *bits, *signed, element.dtype),
        Class::Bitfield(bits) => return integers(shape, bytes, *bits, false, element.dtype),
        Class::Enumeration { base, .. } => match base.class {
            Class::Integer { signed, bits } => return integers(shape, bytes, bits, signed, element.dtype),
            _ => Block::zeros(element.dtype, shape),
        },
        Class::Float(format) => numbers(&|bytes| float(format, bytes)),
        Class::Compound(members) if members.len() == 2 => {
            let part = |n: usize, bytes: &[u8]| match &members[n].datatype.class {
                Class::Float(format) => {
                    let from = members[n].offset;
                    float(format, &bytes[from..from + members[n].datatype.size])
                }
                _ => 0.0,
            };
            let both = |bytes: &[u8]| Complex64::new(part(0, bytes), part(1, bytes));
            Block::from_slice(shape, &bytes.map(both).collect::<Vec<Complex64>>())
        }
        Class::Complex(base) => {
            let part = |bytes: &[u8]| match &base.class {
                Class::Float(format) => float(format, bytes),
                _ => 0.0,
            };
            let both = |bytes: &[u8]| Complex64::new(part(&bytes[..base.size]), part(&bytes[base.size..]));
            Block::from_slice(shape, &bytes.map(both).collect::<Vec<Complex64>>())
        }
        _ => Block::zeros(element.dtype, shape),
    };
    // Both dtypes are of floats, or of complex numbers: there is always a cast.
    block.cast(element.dtype).unwrap_or(block)
}

fn integers<'a>(
    shape: &[usize],
    bytes: impl Iterator<Item = &'a [u8]>,
    bits: Bits,
    signed: bool,
    dtype: DType,
) -> Block {
    let spare = 128 - bits.precision;
    let values = bytes.map(|bytes| {
        let high = gathered(bits.order, bytes) >> bits.offset << spare;
        if signed { (high as i128 >> spare) as i64 } else { (high >> spare) as i64 }
    });
    let mut block = Block::alloc(dtype, shape);
    let size = dtype.size();
    for (to, value) in block.as_mut_bytes().chunks_exact_mut(size).zip(values) {
        // The low bytes of the number, in the order of memory.
        let number = value.to_le_bytes();
        to.copy_from_slice(&number[..size]);
        if cfg!(target_endian = "big") {
            to.reverse();
        }
    }
    block
}

/// Up to 16 bytes as one number.
fn gathered(order: Order, bytes: &[u8]) -> u128 {
    let push = |sum: u128, &b: &u8| sum << 8 | u128::from(b);
    match order {
        Order::Little => bytes.iter().rev().fold(0, push),
        Order::Big => bytes.iter().fold(0, push),
        Order::Mixed => bytes.chunks(2).fold(0, |sum, pair| pair.iter().rev().fold(sum, push)),
    }
}

fn float(format: &Float, bytes: &[u8]) -> f64 {
    let raw = gathered(format.bits.order, bytes);
    let field = |(at, len): (usize, usize)| {
        let spare = 128 - len;
        if at >= 128 { 0 } else { raw >> at << spare >> spare }
    };
    let sign = if field((format.sign, 1)) == 1 { -1.0 } else { 1.0 };
    let (mut mantissa, exponent) = (field(format.mantissa), field(format.exponent));
    let (mantissa_bits, exponent_bits) = (format.mantissa.1, format.exponent.1.min(32));
    let fraction = if format.implied { mantissa } else { mantissa & !(1 << (mantissa_bits - 1)) };
    if exponent == (1u128 << exponent_bits) - 1 {
        return if fraction == 0 { sign * f64::INFINITY } else { f64::NAN };
    }
    // The number is the mantissa as an integer, times a power of two.
    let mut power = exponent.min(1 << 40) as i64 - format.bias as i64 - mantissa_bits as i64;
    match (format.implied, exponent) {
        (true, 0) => power += 1,
        (true, _) => mantissa |= 1u128.checked_shl(mantissa_bits as u32).unwrap_or(0),
        (false, _) => power += 1,
    }
    sign * scaled(mantissa as f64, power)
}

/// `x` times two to the `power`, in steps that stay within range.
fn scaled(mut x: f64, power: i64) -> f64 {
    let mut left = power.clamp(-5000, 5000);
    while left != 0 && x != 0.0 && x.is_finite() {
        let step = left.clamp(-500, 500);
        x *= 2f64.powi(step as i32);
        left -= step;
    }
    x
}

/// Turns the bytes of every number of `unit` bytes around.
fn swap(bytes: &mut [u8], unit: usize) {
    fn each<const N: usize>(bytes: &mut [u8]) {
        bytes.as_chunks_mut::<N>().0.iter_mut().for_each(|number| number.reverse());
    }
    match unit {
        2 => each::<2>(bytes),
        4 => each::<4>(bytes),
        _ => each::<8>(bytes),
    }
}

/// IEEE 754 binary16 to binary32, exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let mantissa = u32::from(bits & 0x3ff);
    match exponent {
        // Zero and subnormals: multiples of 2^-24.
        0 => f32::from_bits(sign | (mantissa as f32 * 2f32.powi(-24)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | mantissa << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_widened_exactly() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x7c00, f32::INFINITY),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn numbers_are_turned_around() {
        let mut bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        swap(&mut bytes, 4);
        assert_eq!(bytes, [4, 3, 2, 1, 8, 7, 6, 5]);
    }

    #[test]
    fn odd_floats_are_put_together() {
        // The extended precision of the x87: 64 bits of mantissa, the highest of them stored.
        let bits = Bits { order: Order::Little, offset: 0, precision: 80 };
        let x87 = Float { bits, sign: 79, exponent: (64, 15), mantissa: (0, 64), bias: 16383, implied: false };
        let of = |high: u16, low: u64| {
            let mut bytes = low.to_le_bytes().to_vec();
            bytes.extend(high.to_le_bytes());
            bytes.resize(16, 0);
            float(&x87, &bytes)
        };
        assert_eq!(of(0x3fff, 1 << 63), 1.0);
        assert_eq!(of(0xc000, 0xc000_0000_0000_0000), -3.0);
        assert_eq!(of(0, 0), 0.0);
        assert_eq!(of(0x7fff, 1 << 63), f64::INFINITY);
        assert!(of(0x7fff, 3 << 62).is_nan());
        assert_eq!(of(0x7ffe, u64::MAX), f64::INFINITY);
        // binary32 by the long way.
        let bits = Bits { order: Order::Big, offset: 0, precision: 32 };
        let single = Float { bits, sign: 31, exponent: (23, 8), mantissa: (0, 23), bias: 127, implied: true };
        for x in [1.5f32, -0.1, 1e-40, 3e38, f32::NEG_INFINITY, 0.0] {
            assert_eq!(float(&single, &x.to_be_bytes()), f64::from(x));
        }
    }
}
