//! CRC-32C, Castagnoli's: of Zarr's chunks and of the indexes of its shards.

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut rest = n as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { rest >> 1 ^ 0x82f6_3b78 } else { rest >> 1 };
            bit += 1;
        }
        table[n] = rest;
        n += 1;
    }
    table
}

/// The checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &b| TABLE[usize::from(sum as u8 ^ b)] ^ sum >> 8)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sum_of_the_standard() {
        assert_eq!(super::checksum(b"123456789"), 0xe306_9283);
        assert_eq!(super::checksum(b""), 0);
    }
}
