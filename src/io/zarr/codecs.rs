//! The codecs that turn the bytes of a chunk into others, and back.

use super::json::Json;
use crate::io::codec::{blosc, crc32c, deflate, fletcher32, shuffle, zstd};
use crate::io::gather;
use std::io::{Read, Write};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// Levels count for writing only.
    Gzip(u8),
    Zlib(u8),
    Zstd(i32),
    Bz2(u32),
    /// The container of some codecs and a shuffle; only their results without either are written.
    Blosc {
        size: u8,
    },
    /// Elements of this many bytes.
    Shuffle(usize),
    /// Checksums follow the bytes.
    Crc32c,
    Fletcher32,
}

/// Working memory of one thread: a chunk as it is now, what it becomes, and Blosc's own.
#[derive(Default)]
pub struct Scratch {
    pub bytes: Vec<u8>,
    other: Vec<u8>,
    spare: Vec<u8>,
}

impl Codec {
    /// The codec of that name, as either version writes it, for elements of `size` bytes; `None` for one that is not known.
    pub fn of(name: &str, settings: &Json, size: usize) -> Option<Codec> {
        let level = |name: &str, default: i64| settings.get(name).and_then(Json::as_i64).unwrap_or(default);
        let between = |level: i64, low: i64, high: i64| level.clamp(low, high);
        // What Python's numcodecs has and version 3 does not bears its name there.
        Some(match name.strip_prefix("numcodecs.").unwrap_or(name) {
            "gzip" => Codec::Gzip(between(level("level", 5), 0, 9) as u8),
            "zlib" => Codec::Zlib(between(level("level", 1), 0, 9) as u8),
            "zstd" => Codec::Zstd(between(level("level", 0), -7, 22) as i32),
            "bz2" => Codec::Bz2(between(level("level", 1), 1, 9) as u32),
            "blosc" => Codec::Blosc { size: u8::try_from(size).unwrap_or(1) },
            "shuffle" => Codec::Shuffle(usize::try_from(level("elementsize", 4)).ok()?),
            "crc32c" => Codec::Crc32c,
            "fletcher32" => Codec::Fletcher32,
            _ => return None,
        })
    }

    /// How many bytes come of `len` of them, where that does not depend on which they are.
    fn encoded_len(self, len: usize) -> Option<usize> {
        match self {
            Codec::Shuffle(_) => Some(len),
            Codec::Crc32c | Codec::Fletcher32 => len.checked_add(4),
            _ => None,
        }
    }

    /// Undoes it on `scratch.bytes`, of which `len` bytes come, or at most `most` where that is not known.
    fn decode(self, len: Option<usize>, most: usize, scratch: &mut Scratch) -> Result<(), String> {
        let Scratch { bytes, other, spare } = scratch;
        match self {
            Codec::Crc32c | Codec::Fletcher32 => {
                let (data, &sum) = bytes.split_last_chunk::<4>().ok_or("a chunk is too short for its checksum")?;
                let right = match self {
                    Codec::Crc32c => crc32c::checksum(data) == u32::from_le_bytes(sum),
                    _ => fletcher32::matches(data, sum),
                };
                if !right {
                    return Err("a chunk's checksum is wrong: it is damaged".into());
                }
                bytes.truncate(bytes.len() - 4);
                return Ok(());
            }
            Codec::Shuffle(size) => {
                set_len(other, bytes.len())?;
                shuffle::decode(bytes, size, other);
            }
            Codec::Blosc { .. } => {
                set_len(other, len.map_or_else(|| blosc::decoded_len(bytes), Ok)?.min(most))?;
                blosc::decode(bytes, other, spare)?;
            }
            _ => match len {
                Some(len) => {
                    set_len(other, len)?;
                    self.decode_exactly(bytes, other)?;
                }
                // Compressed twice.
                None => {
                    let reader: Box<dyn Read + '_> = match self {
                        Codec::Gzip(_) => Box::new(flate2::read::GzDecoder::new(&bytes[..])),
                        Codec::Zlib(_) => Box::new(flate2::read::ZlibDecoder::new(&bytes[..])),
                        Codec::Bz2(_) => Box::new(bzip2::read::BzDecoder::new(&bytes[..])),
                        _ => Box::new(::zstd::stream::read::Decoder::new(&bytes[..]).map_err(|e| e.to_string())?),
                    };
                    other.clear();
                    let read = reader.take(most as u64).read_to_end(other);
                    read.map_err(|_| "the compressed data is damaged")?;
                }
            },
        }
        std::mem::swap(bytes, other);
        Ok(())
    }

    fn decode_exactly(self, bytes: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
        match self {
            Codec::Gzip(_) => deflate::decode_gzip(bytes, out),
            Codec::Zlib(_) => deflate::decode(bytes, out),
            Codec::Zstd(_) => zstd::decode(bytes, out),
            _ => {
                let mut reader = bzip2::read::BzDecoder::new(bytes);
                reader.read_exact(out).map_err(|_| "the compressed data is damaged, or shorter than a chunk")?;
                match reader.read(&mut [0]) {
                    Ok(0) => Ok(()),
                    _ => Err("the compressed data is longer than a chunk"),
                }
            }
        }
    }

    /// Does it to `scratch.bytes`.
    fn encode(self, scratch: &mut Scratch) -> Result<(), String> {
        let Scratch { bytes, other, .. } = scratch;
        other.clear();
        match self {
            Codec::Crc32c => {
                bytes.extend(crc32c::checksum(bytes).to_le_bytes());
                return Ok(());
            }
            Codec::Fletcher32 => {
                bytes.extend(fletcher32::checksum(bytes).to_le_bytes());
                return Ok(());
            }
            Codec::Shuffle(size) => {
                other.resize(bytes.len(), 0);
                shuffle::encode(bytes, size, other);
            }
            Codec::Gzip(level) => deflate::Encoder::new(level).encode_gzip(bytes, other),
            Codec::Zlib(level) => deflate::Encoder::new(level).encode(bytes, other),
            Codec::Zstd(level) => *other = ::zstd::bulk::compress(bytes, level).map_err(|e| e.to_string())?,
            Codec::Bz2(level) => {
                let level = bzip2::Compression::new(level);
                let mut encoder = bzip2::write::BzEncoder::new(std::mem::take(other), level);
                *other = encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|e| e.to_string())?;
            }
            Codec::Blosc { size } => blosc::wrap(bytes, size, other)?,
        }
        std::mem::swap(bytes, other);
        Ok(())
    }
}

/// Undoes codecs, the last one first, on `scratch.bytes`, which are `len` bytes then.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn decode(codecs: &[Codec], len: usize, scratch: &mut Scratch) -> Result<(), String> {
    /// No codec makes its input so many times as short.
    const SHORTEST: usize = 1 << 16;
    if len / SHORTEST > scratch.bytes.len() + 64 {
        return Err("a chunk is far too short for what it should hold".into());
    }
    let most = len.saturating_mul(2).saturating_add(1 << 20);
    // The lengths before each codec, as far as they are known.
    let mut lens = Vec::with_capacity(codecs.len());
    let mut known = Some(len);
    for codec in codecs {
        lens.push(known);
        known = known.and_then(|len| codec.encoded_len(len));
    }
    for (codec, len) in codecs.iter().zip(lens).rev() {
        codec.decode(len, most, scratch)?;
    }
    match scratch.bytes.len() {
        n if n == len => Ok(()),
        n => Err(format!("a chunk holds {n} bytes, not {len}")),
    }
}

/// The length of a stored chunk, whose elements take `bytes` bytes.
///
/// # Errors
/// Says that it is longer than codecs make it.
pub fn stored_len(len: u64, bytes: usize) -> Result<usize, String> {
    let most = bytes.saturating_mul(2).saturating_add(4096);
    let len = usize::try_from(len).ok().filter(|&len| len <= most);
    len.ok_or_else(|| format!("it takes more space than a chunk of {bytes} bytes can"))
}

/// Does codecs, the first one first, to `scratch.bytes`.
///
/// # Errors
/// Says which of them cannot be done.
pub fn encode(codecs: &[Codec], scratch: &mut Scratch) -> Result<(), String> {
    codecs.iter().try_for_each(|codec| codec.encode(scratch))
}

/// The length asked for, with arbitrary contents.
///
/// # Errors
/// Says that there is no memory for it: metadata may say anything.
pub fn set_len(buffer: &mut Vec<u8>, len: usize) -> Result<(), String> {
    if buffer.len() >= len {
        buffer.truncate(len);
        return Ok(());
    }
    let what = || format!("{len} bytes of it at once are too much for this machine's memory");
    // The system may promise more than it has.
    if len as u64 > gather::machine_memory() {
        return Err(what());
    }
    *buffer = Vec::new();
    buffer.try_reserve_exact(len).map_err(|_| what())?;
    // Given back and asked for again as zeros, of which only what is written will be touched.
    *buffer = Vec::new();
    *buffer = vec![0; len];
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_undone_in_any_order() {
        let bytes: Vec<u8> = (0..5000u32).flat_map(|i| (i / 3).to_le_bytes()).collect();
        use Codec::*;
        let blosc = Blosc { size: 4 };
        for codecs in [
            &[][..],
            &[Gzip(4)],
            &[Zlib(1)],
            &[Zstd(3)],
            &[Bz2(1)],
            &[blosc],
            &[Shuffle(4), Zstd(1), Crc32c],
            &[Fletcher32, Shuffle(4), Gzip(1)],
            &[Zlib(1), Bz2(9)],
            &[Zstd(1), Gzip(1), Crc32c, blosc],
            &[Gzip(1), Zlib(1), Zstd(1), Zstd(1)],
        ] {
            let mut scratch = Scratch { bytes: bytes.clone(), ..Scratch::default() };
            encode(codecs, &mut scratch).unwrap();
            let encoded = scratch.bytes.clone();
            decode(codecs, bytes.len(), &mut scratch).unwrap();
            assert_eq!(scratch.bytes, bytes, "{codecs:?}");
            for len in [bytes.len() - 1, bytes.len() + 1, 0, usize::MAX] {
                scratch.bytes.clone_from(&encoded);
                assert!(decode(codecs, len, &mut scratch).is_err(), "{codecs:?} {len}");
            }
            for cut in [0, 1, 10, encoded.len() / 2, encoded.len() - 1] {
                scratch.bytes = encoded[..cut].to_vec();
                assert!(decode(codecs, bytes.len(), &mut scratch).is_err(), "{codecs:?} {cut}");
            }
        }
    }
}
