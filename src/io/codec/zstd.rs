//! Zstandard.

/// Decodes into `out`, which must be exactly as long as what was encoded; otherwise says what is wrong.
pub fn decode(encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
    // The decoder is not told what the data says about its own length: it is given this room and no more.
    match zstd::bulk::decompress_to_buffer(encoded, out) {
        Ok(len) if len == out.len() => Ok(()),
        Ok(_) => Err("the compressed data is shorter than a chunk"),
        Err(error) if error.to_string().contains("too small") => Err("the compressed data is longer than a chunk"),
        Err(_) => Err("the compressed data is damaged"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_is_as_long_as_it_should_be() {
        let bytes: Vec<u8> = (0..10_000u32).map(|i| (i / 7 % 251) as u8).collect();
        let encoded = zstd::bulk::compress(&bytes, 1).unwrap();
        let mut out = vec![0; bytes.len()];
        decode(&encoded, &mut out).unwrap();
        assert_eq!(out, bytes);
        assert!(decode(&encoded, &mut vec![0; bytes.len() + 1]).unwrap_err().contains("shorter"));
        assert!(decode(&encoded, &mut vec![0; bytes.len() - 1]).unwrap_err().contains("longer"));
        assert!(decode(&encoded[..20], &mut out).unwrap_err().contains("damaged"));
    }
}
