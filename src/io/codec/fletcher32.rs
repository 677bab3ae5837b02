//! Fletcher's 32-bit checksum as HDF5 computes it: over 16-bit big-endian words, an odd last byte as the high half of one.

/// The checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (0u32, 0u32);
    // 360 words are as many as can be added before the sums have to be folded.
    for part in bytes.chunks(720) {
        for word in part.chunks(2) {
            let second = word.get(1).copied().unwrap_or(0);
            low += u32::from(u16::from_be_bytes([word[0], second]));
            high += low;
        }
        (low, high) = (fold(low), fold(high));
    }
    fold(high) << 16 | fold(low)
}

fn fold(sum: u32) -> u32 {
    (sum & 0xffff) + (sum >> 16)
}

/// Whether a chunk's stored checksum is that of its bytes. Files of HDF5 1.6.2 and before on little-endian machines have the
/// bytes of either half exchanged; the library accepts those, too.
pub fn matches(bytes: &[u8], stored: [u8; 4]) -> bool {
    let [a, b, c, d] = stored;
    let sum = checksum(bytes);
    sum == u32::from_le_bytes(stored) || sum == u32::from_le_bytes([b, a, d, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sums_made_by_hand() {
        // Words 0x0102 and 0x0304: low = 0x0406, high = 0x0102 + 0x0406.
        assert_eq!(checksum(&[1, 2, 3, 4]), 0x0508_0406);
        // The odd byte is the word 0x0500.
        assert_eq!(checksum(&[1, 2, 3, 4, 5]), (0x0508 + 0x0906) << 16 | 0x0906);
        assert_eq!(checksum(&[]), 0);
    }

    #[test]
    fn long_runs_of_ones_do_not_overflow() {
        assert_eq!(checksum(&[0xff; 100_000]), 0xffff_ffff);
    }

    #[test]
    fn either_order_of_the_stored_bytes_is_accepted() {
        let sum = checksum(&[9, 8, 7]).to_le_bytes();
        assert!(matches(&[9, 8, 7], sum));
        assert!(matches(&[9, 8, 7], [sum[1], sum[0], sum[3], sum[2]]));
        assert!(!matches(&[9, 8, 6], sum));
    }
}
