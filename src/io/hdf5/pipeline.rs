//! A dataset's filters: what happened to a chunk's bytes on the way to the file, and how it is undone (or done) here.

use super::message::FilterMessage;
use crate::io::codec::bits::{NBit, ScaleOffset};
use crate::io::codec::{deflate, fletcher32, lzf, shuffle};

/// A filter that is worked here, without the library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    /// The level counts for writing only.
    Deflate(u8),
    /// Elements of this many bytes.
    Shuffle(usize),
    Fletcher32,
    /// Reading only.
    Lzf,
    /// Reading only.
    NBit(NBit),
    /// Reading only.
    ScaleOffset(ScaleOffset),
}

/// Filters in the order they are applied on writing.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    filters: Vec<Filter>,
    /// As a listing shows them.
    pub names: Vec<String>,
    /// Whether all of them are worked here.
    pub ours: bool,
}

/// Working memory of one thread: chunks as stored, and between filters.
#[derive(Default)]
pub struct Scratch {
    pub stored: Vec<u8>,
    front: Vec<u8>,
    back: Vec<u8>,
}

const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;
const NBIT: u16 = 5;
const SCALE_OFFSET: u16 = 6;
const LZF: u16 = 32000;

impl Pipeline {
    pub fn new(filters: Vec<Filter>) -> Pipeline {
        let names = filters.iter().map(Filter::name).collect();
        Pipeline { filters, names, ours: true }
    }

    /// The filters of a dataset whose elements have `size` bytes.
    pub fn of(messages: &[FilterMessage], size: usize) -> Pipeline {
        let mut pipeline = Pipeline { ours: true, ..Pipeline::default() };
        for message in messages {
            let first = message.values.first().copied().unwrap_or(0);
            let filter = match message.id {
                DEFLATE => Some(Filter::Deflate(first.min(9) as u8)),
                // Files of old versions do not say how long elements are.
                SHUFFLE if first == 0 => Some(Filter::Shuffle(size)),
                SHUFFLE => Some(Filter::Shuffle(first as usize)),
                FLETCHER32 => Some(Filter::Fletcher32),
                LZF => Some(Filter::Lzf),
                NBIT => NBit::of(&message.values).map(Filter::NBit),
                SCALE_OFFSET => ScaleOffset::of(&message.values).map(Filter::ScaleOffset),
                _ => None,
            };
            match filter {
                Some(filter) => {
                    pipeline.names.push(filter.name());
                    pipeline.filters.push(filter);
                }
                None => {
                    pipeline.names.push(foreign_name(message.id, &message.name));
                    pipeline.ours = false;
                }
            }
        }
        // Only one filter may change lengths freely: then every length on the way is known.
        let free = pipeline.filters.iter().filter(|f| f.is_free()).count();
        pipeline.ours &= free <= 1;
        pipeline
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// Undoes the filters on `scratch.stored` but for those whose bit is set in `mask`: the `bytes` bytes of the chunk.
    pub fn decode<'a>(&self, mask: u32, bytes: usize, scratch: &'a mut Scratch) -> Result<&'a [u8], String> {
        // Lengths before each filter, as far as they are known.
        let mut before = Some(bytes);
        let mut stages: Vec<(Filter, Option<usize>)> = Vec::with_capacity(self.filters.len());
        for (n, &filter) in self.filters.iter().enumerate() {
            if n < 32 && mask & (1 << n) != 0 {
                continue;
            }
            stages.push((filter, before));
            before = match filter {
                Filter::Shuffle(_) => before,
                Filter::Fletcher32 => before.map(|n| n + 4),
                _ => None,
            };
        }
        let Scratch { stored, front, back } = scratch;
        let mut current = stored;
        let mut other = front;
        let mut spare = back;
        for &(filter, before) in stages.iter().rev() {
            match filter {
                Filter::Fletcher32 => {
                    let at = current.len().checked_sub(4).ok_or("a chunk is too short for its checksum")?;
                    let (data, sum) = current.split_at(at);
                    let sum: [u8; 4] = sum.try_into().map_err(|_| "a checksum has four bytes")?;
                    if !fletcher32::matches(data, sum) {
                        return Err("a chunk's checksum is wrong: the file is damaged".into());
                    }
                    current.truncate(at);
                    continue;
                }
                Filter::Shuffle(size) => {
                    set_len(other, current.len());
                    shuffle::decode(current, size, other);
                }
                filter => {
                    let len = before.ok_or("compressed twice")?;
                    set_len(other, len);
                    match filter {
                        Filter::Lzf => lzf::decode(current, other)?,
                        Filter::NBit(filter) => filter.decode(current, other)?,
                        Filter::ScaleOffset(filter) => filter.decode(current, other)?,
                        _ => deflate::decode(current, other)?,
                    }
                }
            }
            std::mem::swap(&mut current, &mut other);
            std::mem::swap(&mut other, &mut spare);
        }
        match current.len() == bytes {
            true => Ok(current),
            false => Err(format!("a chunk holds {} bytes, not {bytes}", current.len())),
        }
    }
}

/// The length asked for, with arbitrary contents.
fn set_len(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        // Fresh zeroed pages are only touched when they are written.
        *buffer = vec![0; len];
    } else {
        buffer.truncate(len);
    }
}

impl Filter {
    /// Whether the length of what it makes is not known before.
    fn is_free(&self) -> bool {
        !matches!(self, Filter::Shuffle(_) | Filter::Fletcher32)
    }

    fn name(&self) -> String {
        match self {
            Filter::Deflate(level) => format!("deflate {level}"),
            Filter::Shuffle(_) => "shuffle".into(),
            Filter::Fletcher32 => "fletcher32".into(),
            Filter::Lzf => "lzf".into(),
            Filter::NBit(_) => "nbit".into(),
            Filter::ScaleOffset(_) => "scale-offset".into(),
        }
    }
}

fn foreign_name(id: u16, name: &str) -> String {
    match id {
        4 => "szip".into(),
        5 => "nbit".into(),
        6 => "scale-offset".into(),
        32001 => "blosc".into(),
        32004 => "lz4".into(),
        32008 => "bitshuffle".into(),
        32015 => "zstd".into(),
        _ => format!("filter {id} {name}").trim_end().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::codec::deflate::Encoder;

    /// What the library would store.
    fn encode(filters: &[Filter], bytes: &[u8]) -> Vec<u8> {
        let mut current = bytes.to_vec();
        for filter in filters {
            let mut next = Vec::new();
            match filter {
                Filter::Deflate(level) => Encoder::new(*level).encode(&current, &mut next),
                Filter::Shuffle(size) => {
                    next.resize(current.len(), 0);
                    shuffle::encode(&current, *size, &mut next);
                }
                Filter::Fletcher32 => {
                    next.clone_from(&current);
                    next.extend(fletcher32::checksum(&current).to_le_bytes());
                }
                _ => unreachable!("not written here"),
            }
            current = next;
        }
        current
    }

    #[test]
    fn filters_are_undone_in_any_order() {
        let bytes: Vec<u8> = (0..8000u32).flat_map(|i| (i / 3).to_le_bytes()).collect();
        let (d, s, f) = (Filter::Deflate(4), Filter::Shuffle(4), Filter::Fletcher32);
        let mut scratch = Scratch::default();
        for filters in [&[][..], &[d], &[s, d], &[d, s], &[f], &[s, d, f], &[f, s, d], &[d, f], &[s, f, d], &[f, f, s]]
        {
            scratch.stored = encode(filters, &bytes);
            let pipeline = Pipeline::new(filters.to_vec());
            assert_eq!(pipeline.decode(0, bytes.len(), &mut scratch).unwrap(), bytes, "{filters:?}");
        }
    }

    #[test]
    fn a_masked_filter_is_skipped() {
        let bytes = vec![5; 64];
        let pipeline = Pipeline::new(vec![Filter::Shuffle(8), Filter::Deflate(1)]);
        let mut scratch = Scratch { stored: bytes.clone(), ..Scratch::default() };
        assert_eq!(pipeline.decode(0b11, 64, &mut scratch).unwrap(), bytes);
        scratch.stored = encode(&[Filter::Deflate(1)], &bytes);
        assert_eq!(pipeline.decode(0b01, 64, &mut scratch).unwrap(), bytes);
    }

    #[test]
    fn damage_is_told() {
        let bytes = vec![5; 64];
        let mut scratch = Scratch { stored: encode(&[Filter::Fletcher32], &bytes), ..Scratch::default() };
        scratch.stored[3] ^= 1;
        let told = Pipeline::new(vec![Filter::Fletcher32]).decode(0, 64, &mut scratch).unwrap_err();
        assert!(told.contains("checksum"), "{told}");
        scratch.stored = vec![1, 2];
        assert!(Pipeline::new(vec![Filter::Fletcher32]).decode(0, 64, &mut scratch).is_err());
        scratch.stored = vec![1, 2];
        assert!(Pipeline::new(vec![]).decode(0, 64, &mut scratch).is_err());
    }
}
