//! LZF, the compression that h5py brings along: literal runs and references back by up to 8 KiB.
//!
//! A control byte below 32 stands for that many literals plus one. Otherwise its upper three bits are a length less two (7 is
//! continued in the next byte) and its lower five the upper part of a distance, less one, whose rest is the byte that follows.

/// Decodes into `out`, which must be exactly as long as what was encoded; otherwise says what is wrong.
pub fn decode(encoded: &[u8], out: &mut [u8]) -> Result<(), &'static str> {
    const DAMAGED: &str = "the compressed data is damaged";
    const LONGER: &str = "the compressed data is longer than a chunk";
    let mut bytes = encoded.iter();
    let mut at = 0;
    while let Some(&control) = bytes.next() {
        let control = usize::from(control);
        if control < 32 {
            let literals = bytes.as_slice().get(..=control).ok_or(DAMAGED)?;
            out.get_mut(at..at + literals.len()).ok_or(LONGER)?.copy_from_slice(literals);
            at += literals.len();
            bytes = bytes.as_slice()[literals.len()..].iter();
            continue;
        }
        let mut len = control >> 5;
        if len == 7 {
            len += usize::from(*bytes.next().ok_or(DAMAGED)?);
        }
        let len = len + 2;
        let low = usize::from(*bytes.next().ok_or(DAMAGED)?);
        let distance = ((control & 0x1f) << 8 | low) + 1;
        let from = at.checked_sub(distance).ok_or(DAMAGED)?;
        if at + len > out.len() {
            return Err(LONGER);
        }
        if distance >= len {
            out.copy_within(from..from + len, at);
        } else {
            // The reference runs into what it makes.
            (0..len).for_each(|i| out[at + i] = out[from + i]);
        }
        at += len;
    }
    if at == out.len() { Ok(()) } else { Err("the compressed data is shorter than a chunk") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_references() {
        // "abc", then 4 bytes from 3 back, then 9 + 2 from 1 back.
        let encoded = [2, b'a', b'b', b'c', 2 << 5, 2, 7 << 5, 2, 0];
        let mut out = [0; 18];
        decode(&encoded, &mut out).unwrap();
        assert_eq!(&out, b"abcabcaaaaaaaaaaaa");
        assert!(decode(&encoded, &mut [0; 17]).is_err());
        assert!(decode(&encoded, &mut [0; 19]).is_err());
        assert!(decode(&encoded[..8], &mut out).is_err());
        assert!(decode(&[1 << 5, 0], &mut out).is_err());
    }
}
