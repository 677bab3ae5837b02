//! Blosc, version 1: a chunk in blocks, each shuffled and compressed by one of several codecs. All of it is read; what is
//! written is neither.
//!
//! ```text
//! version  codec's version  flags  bytes of an element  bytes  bytes of a block  bytes encoded   1 1 1 1 4 4 4
//! where each block begins                                                                        4 a block
//! a block: one stream, or one for each byte of an element: its length (4), itself
//! ```
//!
//! Source: c-blosc, README_CHUNK_FORMAT.rst and `blosc_d` in blosc.c.

use super::{deflate, lz4, shuffle, zstd};

const DAMAGED: &str = "the compressed data is damaged";
const HEADER: usize = 16;
/// Blocks are split into streams only for elements of up to so many bytes, and if the streams are at least so long.
const MOST_STREAMS: usize = 16;
const LEAST_STREAM: usize = 128;

/// What is said about the bytes of a chunk before them.
struct Head {
    flags: u8,
    /// Bytes of an element.
    size: usize,
    bytes: usize,
    block: usize,
}

impl Head {
    fn of(encoded: &[u8]) -> Option<Head> {
        let number = |at: usize| encoded.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let version = *encoded.first()?;
        let head = Head {
            flags: *encoded.get(2)?,
            size: usize::from(*encoded.get(3)?).max(1),
            bytes: number(4)? as usize,
            block: number(8)? as usize,
        };
        let sound = (1..=2).contains(&version) && number(12)? as usize == encoded.len();
        (sound && (head.block > 0 || head.bytes == 0)).then_some(head)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

const SHUFFLED: u8 = 1;
const PLAIN: u8 = 2;
const BITS_SHUFFLED: u8 = 4;
const ONE_STREAM: u8 = 16;

/// How many bytes were encoded, as the chunk says itself.
pub fn decoded_len(encoded: &[u8]) -> Result<usize, &'static str> {
    Head::of(encoded).map(|head| head.bytes).ok_or(DAMAGED)
}

/// Decodes into `out`, which must be exactly as long as what was encoded; otherwise says what is wrong. `spare` is working
/// memory.
pub fn decode(encoded: &[u8], out: &mut [u8], spare: &mut Vec<u8>) -> Result<(), &'static str> {
    let head = Head::of(encoded).ok_or(DAMAGED)?;
    match head.bytes.cmp(&out.len()) {
        std::cmp::Ordering::Less => return Err("the compressed data is shorter than a chunk"),
        std::cmp::Ordering::Greater => return Err("the compressed data is longer than a chunk"),
        std::cmp::Ordering::Equal if out.is_empty() => return Ok(()),
        std::cmp::Ordering::Equal => {}
    }
    if head.has(PLAIN) {
        out.copy_from_slice(encoded.get(HEADER..HEADER + head.bytes).ok_or(DAMAGED)?);
        return Ok(());
    }
    let block = head.block.min(out.len());
    for (n, out) in out.chunks_mut(block).enumerate() {
        let start = encoded.get(HEADER + 4 * n..).and_then(|s| s.first_chunk::<4>()).ok_or(DAMAGED)?;
        let from = encoded.get(u32::from_le_bytes(*start) as usize..).ok_or(DAMAGED)?;
        // The last block may be shorter, and is in one piece then.
        let split = out.len() == head.block
            && !head.has(ONE_STREAM)
            && head.size <= MOST_STREAMS
            && head.block / head.size >= LEAST_STREAM;
        let streams = if split { head.size } else { 1 };
        let shuffled = head.has(SHUFFLED) && head.size > 1;
        if !shuffled && !head.has(BITS_SHUFFLED) {
            decode_block(from, streams, head.flags >> 5, out)?;
            continue;
        }
        spare.resize(out.len(), 0);
        decode_block(from, streams, head.flags >> 5, spare)?;
        match shuffled {
            true => shuffle::decode(spare, head.size, out),
            false => unshuffle_bits(spare, head.size, out),
        }
    }
    Ok(())
}

/// Puts bytes of elements of `size` bytes into the container, as they are.
pub fn wrap(bytes: &[u8], size: u8, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let long = |n: usize| u32::try_from(n).map_err(|_| "Blosc's chunks take 4 GiB at most");
    out.clear();
    out.extend([2, 1, PLAIN, size.max(1)]);
    for n in [bytes.len(), bytes.len(), bytes.len() + HEADER] {
        out.extend(long(n)?.to_le_bytes());
    }
    out.extend(bytes);
    Ok(())
}

/// The streams of a block, one after the other.
fn decode_block(mut from: &[u8], streams: usize, codec: u8, out: &mut [u8]) -> Result<(), &'static str> {
    let len = out.len() / streams;
    if len * streams != out.len() {
        return Err(DAMAGED);
    }
    for out in out.chunks_exact_mut(len) {
        let (&count, rest) = from.split_first_chunk::<4>().ok_or(DAMAGED)?;
        let (stream, rest) = rest.split_at_checked(u32::from_le_bytes(count) as usize).ok_or(DAMAGED)?;
        from = rest;
        if stream.len() == len {
            out.copy_from_slice(stream);
            continue;
        }
        match codec {
            0 => decode_lz(stream, out)?,
            1 => lz4::decode(stream, out)?,
            3 => deflate::decode(stream, out)?,
            4 => zstd::decode(stream, out)?,
            2 => return Err("it is compressed by snappy, which is not read here"),
            _ => return Err("it is compressed by a codec of Blosc that is not known"),
        }
    }
    Ok(())
}

/// Blosc's own codec. A control byte below 32 stands for that many literals plus one. Otherwise its upper three bits are a length
/// less two (7 is continued in the bytes that follow, for as long as these are 255) and its lower five the upper part of a distance, less
/// one, whose rest is the byte that follows; where all of them are set, two bytes more are a distance beyond that.
fn decode_lz(stream: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
    /// The greatest distance of a short reference.
    const NEAR: usize = 8191;
    let mut bytes = stream.iter().map(|&b| usize::from(b));
    let mut at = 0;
    let mut control = bytes.next().ok_or(DAMAGED)? & 31;
    loop {
        if control < 32 {
            for _ in 0..=control {
                *out.get_mut(at).ok_or(DAMAGED)? = bytes.next().ok_or(DAMAGED)? as u8;
                at += 1;
            }
        } else {
            let mut len = (control >> 5) + 2;
            if control >> 5 == 7 {
                loop {
                    let more = bytes.next().ok_or(DAMAGED)?;
                    len += more;
                    if more != 255 {
                        break;
                    }
                }
            }
            let low = bytes.next().ok_or(DAMAGED)?;
            let mut distance = (control & 31) << 8 | low;
            if distance == NEAR {
                let (high, low) = (bytes.next().ok_or(DAMAGED)?, bytes.next().ok_or(DAMAGED)?);
                distance += high << 8 | low;
            }
            if len > out.len() - at {
                return Err(DAMAGED);
            }
            super::repeat(out, at, distance + 1, len).ok_or(DAMAGED)?;
            at += len;
        }
        match bytes.next() {
            Some(next) => control = next,
            None if at == out.len() => return Ok(()),
            None => return Err(DAMAGED),
        }
    }
}

/// Puts the bits of elements of `size` bytes back together: the lowest bits of all first bytes come first, eight to a byte, then
/// the bits above these, and so on. Elements that are no multiple of eight were left as they are.
fn unshuffle_bits(planes: &[u8], size: usize, out: &mut [u8]) {
    let count = planes.len() / size;
    if count == 0 || !count.is_multiple_of(8) {
        return out.copy_from_slice(planes);
    }
    let row = count / 8;
    for byte in 0..size {
        for group in 0..row {
            let at = |bit: usize| planes[(byte * 8 + bit) * row + group];
            let matrix = u64::from_le_bytes(std::array::from_fn(at));
            for (n, value) in transposed(matrix).to_le_bytes().into_iter().enumerate() {
                out[(group * 8 + n) * size + byte] = value;
            }
        }
    }
    out[count * size..].copy_from_slice(&planes[count * size..]);
}

/// Eight bytes as a matrix of bits, rows for columns.
fn transposed(mut x: u64) -> u64 {
    // Halves, quarters, and eighths of the matrix change places.
    let mut t = (x ^ x >> 7) & 0x00aa_00aa_00aa_00aa;
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & 0x0000_cccc_0000_cccc;
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ t << 28
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_of_bits_is_turned() {
        for (row, column) in [(0, 0), (0, 7), (3, 5), (7, 1), (6, 6)] {
            assert_eq!(transposed(1 << (8 * row + column)), 1 << (8 * column + row));
        }
    }

    #[test]
    fn literals_and_references_near_and_far() {
        let mut out = [0; 12];
        // "abc", then 3 from 3 back, then 3 + 6 - 3 from 1 back.
        decode_lz(&[2, b'a', b'b', b'c', 1 << 5, 2, 4 << 5, 0], &mut out).unwrap();
        assert_eq!(&out, b"abcabccccccc");
        // From 8191 + 9 + 1 back.
        let mut encoded = Vec::new();
        for n in 0..300u32 {
            encoded.push(31);
            encoded.extend((0..32).map(|i| (n * 7 + i) as u8));
        }
        encoded.extend([2 << 5 | 31, 255, 0, 9]);
        let mut out = vec![0; 9604];
        decode_lz(&encoded, &mut out).unwrap();
        assert_eq!(out[9600..], out[9600 - 8201..9604 - 8201]);
    }

    #[test]
    fn nothing_that_is_not_blosc_is_decoded() {
        let mut spare = Vec::new();
        assert!(decode(&[], &mut [0; 4], &mut spare).is_err());
        // Sound but for its blocks: bytes that are as they were, of every length less than they should be.
        let mut encoded = vec![2, 1, PLAIN, 1, 4, 0, 0, 0, 4, 0, 0, 0, 20, 0, 0, 0, 1, 2, 3, 4];
        let mut out = [0; 4];
        decode(&encoded, &mut out, &mut spare).unwrap();
        assert_eq!(out, [1, 2, 3, 4]);
        encoded[2] = 0;
        assert!(decode(&encoded, &mut out, &mut spare).is_err());
        for len in 0..20 {
            encoded.truncate(19 - len);
            assert!(decode(&encoded, &mut out, &mut spare).is_err());
        }
    }
}
