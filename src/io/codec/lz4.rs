//! LZ4's block format: runs of literals, and references back by up to 64 KiB.
//!
//! A token has the number of literals in its upper four bits and the length of the reference, less four, in its lower ones; 15 is
//! continued in the bytes that follow, for as long as these are 255. The last run has no reference.

/// Decodes into `out`, which must be exactly as long as what was encoded; otherwise says what is wrong.
pub fn decode(encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
    const DAMAGED: &str = "the compressed data is damaged";
    const LONGER: &str = "the compressed data is longer than a chunk";
    let mut from = encoded;
    let mut at = 0;
    loop {
        let (&token, rest) = from.split_first().ok_or(DAMAGED)?;
        from = rest;
        let literals = length(usize::from(token >> 4), &mut from).ok_or(DAMAGED)?;
        let (run, rest) = from.split_at_checked(literals).ok_or(DAMAGED)?;
        out.get_mut(at..at + literals).ok_or(LONGER)?.copy_from_slice(run);
        at += literals;
        if rest.is_empty() {
            break;
        }
        let (&distance, rest) = rest.split_first_chunk::<2>().ok_or(DAMAGED)?;
        from = rest;
        let len = length(usize::from(token & 15), &mut from).ok_or(DAMAGED)? + 4;
        if len > out.len() - at {
            return Err(LONGER);
        }
        super::repeat(out, at, usize::from(u16::from_le_bytes(distance)), len).ok_or(DAMAGED)?;
        at += len;
    }
    if at == out.len() { Ok(()) } else { Err("the compressed data is shorter than a chunk") }
}

/// A length whose first four bits are known.
fn length(first: usize, from: &mut &[u8]) -> Option<usize> {
    let mut len = first;
    if first == 15 {
        loop {
            let (&more, rest) = from.split_first()?;
            *from = rest;
            len += usize::from(more);
            if more != 255 {
                break;
            }
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_references() {
        // "abc", 4 + 2 from 3 back; "x", 4 + 15 + 1 from 1 back; "yz".
        let encoded = [0x32, b'a', b'b', b'c', 3, 0, 0x1f, b'x', 1, 0, 1, 0x20, b'y', b'z'];
        let mut out = [0; 32];
        decode(&encoded, &mut out).unwrap();
        assert_eq!(&out, b"abcabcabcxxxxxxxxxxxxxxxxxxxxxyz");
        assert!(decode(&encoded, &mut [0; 31]).is_err());
        assert!(decode(&encoded, &mut [0; 33]).is_err());
        for cut in 0..encoded.len() {
            assert!(decode(&encoded[..cut], &mut out).is_err(), "{cut}");
        }
        // A reference to before the beginning, and one to itself.
        assert!(decode(&[0x10, b'a', 2, 0, 0], &mut [0; 5]).is_err());
        assert!(decode(&[0x10, b'a', 0, 0, 0], &mut [0; 5]).is_err());
    }
}
