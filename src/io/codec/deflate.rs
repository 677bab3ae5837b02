//! Deflate in the wrappings of zlib (RFC 1950) and gzip (RFC 1952), by libdeflate.

use libdeflater::{CompressionLvl, Compressor, DecompressionError, Decompressor};
use std::cell::RefCell;

thread_local! {
    /// The working memory of the decoder, some 10 KiB, made once a thread.
    static DECODER: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

/// Decodes into `out`, which must be exactly as long as what was encoded; otherwise says what is wrong.
pub fn decode(encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
    told(DECODER.with_borrow_mut(|decoder| decoder.zlib_decompress(encoded, out)), out)
}

/// As [`decode`], of gzip's wrapping.
pub fn decode_gzip(encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
    told(DECODER.with_borrow_mut(|decoder| decoder.gzip_decompress(encoded, out)), out)
}

fn told(decoded: Result<usize, DecompressionError>, out: &[u8]) -> Result<(), &'static str> {
    match decoded {
        Ok(len) if len == out.len() => Ok(()),
        Ok(_) => Err("the compressed data is shorter than a chunk"),
        Err(DecompressionError::InsufficientSpace) => Err("the compressed data is longer than a chunk"),
        Err(DecompressionError::BadData) => Err("the compressed data is damaged"),
    }
}

/// An encoder of one level, 0 (none) to 9 (what zlib calls best).
pub struct Encoder(Compressor);

impl Encoder {
    pub fn new(level: u8) -> Encoder {
        let level = CompressionLvl::new(i32::from(level.min(9))).unwrap_or_default();
        Encoder(Compressor::new(level))
    }

    /// Encodes into `out`, replacing what it held.
    pub fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.resize(self.0.zlib_compress_bound(bytes.len()), 0);
        let len = self.0.zlib_compress(bytes, out).expect("the bound leaves room for anything");
        out.truncate(len);
    }

    /// As [`Encoder::encode`], in gzip's wrapping.
    pub fn encode_gzip(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.resize(self.0.gzip_compress_bound(bytes.len()), 0);
        let len = self.0.gzip_compress(bytes, out).expect("the bound leaves room for anything");
        out.truncate(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encoded_and_nothing_of_another_length() {
        let bytes: Vec<u8> = (0..10_000u32).map(|i| (i / 7 % 251) as u8).collect();
        for level in [0, 1, 4, 9] {
            let mut encoded = Vec::new();
            Encoder::new(level).encode(&bytes, &mut encoded);
            let mut out = vec![0; bytes.len()];
            decode(&encoded, &mut out).unwrap();
            assert_eq!(out, bytes);
            assert!(decode(&encoded, &mut vec![0; bytes.len() + 1]).unwrap_err().contains("shorter"));
            assert!(decode(&encoded, &mut vec![0; bytes.len() - 1]).unwrap_err().contains("longer"));
            let end = encoded.len() - 1;
            encoded[end] ^= 1;
            assert!(decode(&encoded, &mut out).unwrap_err().contains("damaged"));
            Encoder::new(level).encode_gzip(&bytes, &mut encoded);
            decode_gzip(&encoded, &mut out).unwrap();
            assert_eq!(out, bytes);
        }
    }
}
