//! Elements as files have them, to elements of a dtype.

use super::datatype::{Bits, Class, Datatype, Float, Order};
use super::element::Element;
use crate::data::{Block, Complex64, DType, Dims};

/// A block for `shape` elements as the file has them: those that are put together bit by bit have an axis more, of their bytes.
pub fn alloc(element: &Element, shape: &[usize]) -> Block {
    match element.encoding {
        Some(encoding) => encoding.alloc(element.dtype, shape),
        None => {
            let mut dims = Dims::from_slice(shape);
            dims.push(element.size);
            Block::alloc(DType::U8, &dims)
        }
    }
}

/// The elements of such a block as their dtype has them.
pub fn finish(datatype: &Datatype, element: &Element, block: Block) -> Block {
    match element.encoding {
        Some(encoding) => encoding.finish(block),
        None => odd(datatype, element, &block),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
