//! How elements are written in a file, where it is nearly as memory has them, and what makes them elements of a dtype.

use crate::data::{Block, DType, Element};

/// How the bytes of an element become those of its dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// As in memory.
    Native,
    /// In the other byte order, numbers of this many bytes.
    Swapped(usize),
    /// One byte, which is true where it is not 0.
    Bool,
    /// IEEE half precision, to be widened to `float32`.
    Half { swapped: bool },
}

impl Encoding {
    /// Numbers of `unit` bytes, in the order of memory or the other one.
    pub fn ordered(swapped: bool, unit: usize) -> Encoding {
        if swapped && unit > 1 { Encoding::Swapped(unit) } else { Encoding::Native }
    }

    /// The dtype of the block that elements are read into as they are.
    pub fn raw(self, dtype: DType) -> DType {
        match self {
            Encoding::Native | Encoding::Swapped(_) => dtype,
            Encoding::Bool => DType::U8,
            Encoding::Half { .. } => DType::U16,
        }
    }

    /// A block for `shape` elements as the file has them.
    pub fn alloc(self, dtype: DType, shape: &[usize]) -> Block {
        Block::alloc(self.raw(dtype), shape)
    }

    /// The elements of such a block as their dtype has them.
    pub fn finish(self, mut block: Block) -> Block {
        match self {
            Encoding::Native => block,
            Encoding::Swapped(unit) => {
                swap(block.as_mut_bytes(), unit);
                block
            }
            Encoding::Bool => bools(&block),
            Encoding::Half { swapped } => {
                convert(&block, move |bits: u16| half(if swapped { bits.swap_bytes() } else { bits }))
            }
        }
    }

    /// Bytes an element takes while it is read, besides those of its dtype.
    pub fn wider(self) -> usize {
        match self {
            Encoding::Native | Encoding::Swapped(_) => 0,
            Encoding::Bool => 1,
            Encoding::Half { .. } => 2,
        }
    }
}

/// Bytes to what they say, true where they are not 0.
pub fn bools(block: &Block) -> Block {
    convert(block, |byte: u8| byte != 0)
}

fn convert<A: Element, B: Element>(block: &Block, f: impl Fn(A) -> B) -> Block {
    let mut out = Block::alloc(B::DTYPE, block.shape());
    let elements = block.as_slice::<A>().unwrap_or(&[]);
    out.as_mut_slice::<B>().iter_mut().zip(elements).for_each(|(to, &from)| *to = f(from));
    out
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
}
