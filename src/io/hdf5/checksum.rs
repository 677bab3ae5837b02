//! The checksum of the format's newer metadata: Bob Jenkins' `lookup3`, `hashlittle` with 0 to begin with.
//!
//! Source: <https://burtleburtle.net/bob/c/lookup3.c>, as the HDF5 File Format Specification refers to it.

/// The checksum of some bytes.
pub fn lookup3(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let add = |twelve: &[u8; 12], a: &mut u32, b: &mut u32, c: &mut u32| {
        let word = |n: usize| u32::from_le_bytes([twelve[n], twelve[n + 1], twelve[n + 2], twelve[n + 3]]);
        *a = a.wrapping_add(word(0));
        *b = b.wrapping_add(word(4));
        *c = c.wrapping_add(word(8));
    };
    let mut rest = bytes;
    while let Some((twelve, left)) = rest.split_first_chunk::<12>()
        && !left.is_empty()
    {
        add(twelve, &mut a, &mut b, &mut c);
        for (turn, which) in [(4, 0), (6, 1), (8, 2), (16, 0), (19, 1), (4, 2)] {
            let (x, y, z) = match which {
                0 => (&mut a, &mut c, &mut b),
                1 => (&mut b, &mut a, &mut c),
                _ => (&mut c, &mut b, &mut a),
            };
            *x = x.wrapping_sub(*y) ^ y.rotate_left(turn);
            *y = y.wrapping_add(*z);
        }
        rest = left;
    }
    if rest.is_empty() {
        return c;
    }
    let mut last = [0; 12];
    last[..rest.len()].copy_from_slice(rest);
    add(&last, &mut a, &mut b, &mut c);
    for (turn, which) in [(14, 0), (11, 1), (25, 2), (16, 0), (4, 1), (14, 2), (24, 0)] {
        let (x, y) = match which {
            0 => (&mut c, b),
            1 => (&mut a, c),
            _ => (&mut b, a),
        };
        *x = (*x ^ y).wrapping_sub(y.rotate_left(turn));
    }
    c
}

#[cfg(test)]
mod tests {
    use super::lookup3;

    #[test]
    fn the_values_of_its_author() {
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
    }
}
