//! HDF5's filters that keep only the bits that count: n-bit and scale-offset, undone.
//!
//! Source: HDF5 1.10, `H5Znbit.c` and `H5Zscaleoffset.c`, and what they write; the format's specification leaves both open.

/// What the n-bit filter says of numbers that are no part of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NBit {
    /// Nothing was left out.
    whole: bool,
    size: usize,
    big: bool,
    precision: usize,
    offset: usize,
}

impl NBit {
    /// From the filter's values; `None` for compounds and arrays.
    pub fn of(values: &[u32]) -> Option<NBit> {
        let &[_, whole, _, 1, size, order, precision, offset, ..] = values else { return None };
        let [size, precision, offset] = [size, precision, offset].map(|n| n as usize);
        let sound = (1..=16).contains(&size) && (1..=128).contains(&precision) && offset <= 128;
        (sound && offset + precision <= 8 * size && order <= 1).then_some(NBit {
            whole: whole != 0,
            size,
            big: order == 1,
            precision,
            offset,
        })
    }

    pub fn decode(&self, encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
        if self.whole {
            return copy(encoded, out);
        }
        let mut bits = Bits { bytes: encoded, at: 0 };
        for element in out.chunks_exact_mut(self.size) {
            let number = bits.take(self.precision)? << self.offset;
            put(number, self.big, element);
        }
        Ok(())
    }
}

/// What the scale-offset filter says of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScaleOffset {
    /// Decimal digits that floats were cut to; integers are as they were.
    digits: Option<i32>,
    size: usize,
    big: bool,
    /// What the greatest number stands for.
    fill: Option<u64>,
}

/// Smallest number, and its length, before the bits; what follows is kept free.
const HEAD: usize = 21;

impl ScaleOffset {
    /// From the filter's values; `None` for kinds that no program writes.
    pub fn of(values: &[u32]) -> Option<ScaleOffset> {
        let &[way, factor, _, class, size, _, order, has_fill, ref fill @ ..] = values else { return None };
        let digits = match (way, class) {
            (0, 1) if matches!(size, 4 | 8) => Some(factor as i32),
            (2, 0) if matches!(size, 1 | 2 | 4 | 8) => None,
            _ => return None,
        };
        let word = |n: usize| u64::from(fill.get(n).copied().unwrap_or(0));
        let fill = (has_fill == 1).then(|| word(0) | word(1) << 32);
        (order <= 1).then_some(ScaleOffset { digits, size: size as usize, big: order == 1, fill })
    }

    pub fn decode(&self, encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
        let (head, rest) = encoded.split_at_checked(HEAD).ok_or(SHORT)?;
        let width = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let least_len = usize::from(head[4]).min(8);
        let least = head[5..5 + least_len].iter().rev().fold(0u64, |sum, &b| sum << 8 | u64::from(b));
        if width > 8 * self.size {
            return Err("a chunk has more bits than its elements");
        }
        if width == 8 * self.size {
            copy(rest, out)?;
            if self.big {
                out.chunks_exact_mut(self.size).for_each(<[u8]>::reverse);
            }
            return Ok(());
        }
        let mut bits = Bits { bytes: rest, at: 0 };
        let top = (1u64 << width) - 1;
        let scale = 10f64.powi(self.digits.unwrap_or(0));
        for element in out.chunks_exact_mut(self.size) {
            let number = bits.take(width)? as u64;
            let value = match (self.fill, self.digits, self.size) {
                (Some(fill), ..) if number == top => fill,
                (_, None, _) => least.wrapping_add(number),
                (_, Some(_), 4) => {
                    let value = (number as u32 as i32) as f32 / scale as f32 + f32::from_bits(least as u32);
                    u64::from(value.to_bits())
                }
                (_, Some(_), _) => ((number as i64) as f64 / scale + f64::from_bits(least)).to_bits(),
            };
            put(u128::from(value), self.big, element);
        }
        Ok(())
    }
}

const SHORT: &str = "a chunk ends before its last element";

fn copy(from: &[u8], to: &mut [u8]) -> Result<(), &'static str> {
    to.copy_from_slice(from.get(..to.len()).ok_or(SHORT)?);
    Ok(())
}

/// The low bytes of a number.
fn put(number: u128, big: bool, element: &mut [u8]) {
    let len = element.len();
    element.copy_from_slice(&number.to_le_bytes()[..len]);
    if big {
        element.reverse();
    }
}

/// Takes bits off bytes, the highest of each first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, mut count: usize) -> Result<u128, &'static str> {
        let mut number = 0;
        while count > 0 {
            let byte = *self.bytes.get(self.at / 8).ok_or(SHORT)?;
            let left = 8 - self.at % 8;
            let taken = left.min(count);
            let part = u32::from(byte) >> (left - taken) & ((1 << taken) - 1);
            number = number << taken | u128::from(part);
            self.at += taken;
            count -= taken;
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_from_the_highest_on() {
        let mut bits = Bits { bytes: &[0b1010_0110, 0b1100_0001], at: 0 };
        let taken: Vec<u128> = [1, 3, 6, 5].iter().map(|&n| bits.take(n).unwrap()).collect();
        assert_eq!(taken, [0b1, 0b010, 0b011011, 0b00000]);
        assert!(bits.take(2).is_err());
    }

    #[test]
    fn n_bit_numbers_go_to_their_places() {
        let filter = NBit::of(&[8, 0, 2, 1, 2, 1, 12, 4]).unwrap();
        let mut out = [0; 4];
        filter.decode(&[0x12, 0x3a, 0xbc], &mut out).unwrap();
        assert_eq!(out, [0x12, 0x30, 0xab, 0xc0]);
        assert!(filter.decode(&[0x12, 0x3a], &mut out).is_err());
        assert_eq!(NBit::of(&[8, 0, 2, 3, 2, 1, 12, 4]), None);
        assert_eq!(NBit::of(&[8, 0, 2, 1, 2, 1, 12, 5]), None);
    }

    #[test]
    fn scaled_numbers_are_counted_from_the_least() {
        let filter = ScaleOffset::of(&[2, 0, 3, 0, 2, 1, 0, 1, 99]).unwrap();
        let mut encoded = vec![4, 0, 0, 0, 8];
        encoded.extend((-3i64).to_le_bytes());
        encoded.resize(HEAD, 0);
        encoded.extend([0x05, 0xf0]);
        let mut out = [0; 6];
        filter.decode(&encoded, &mut out).unwrap();
        let numbers: Vec<i16> = out.chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(numbers, [-3, 2, 99]);
        encoded[0] = 17;
        assert!(filter.decode(&encoded, &mut out).is_err());
        assert!(filter.decode(&[], &mut out).is_err());
    }
}
