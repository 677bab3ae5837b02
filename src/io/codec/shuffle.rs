//! HDF5's shuffle filter: the first bytes of all elements, then all second bytes, and so on, so that similar bytes meet.
//! Bytes beyond the last whole element stay at the end.

/// Elements are put together in groups of this many, so that each plane is read in whole vectors.
const LANES: usize = 16;

/// Puts the bytes of elements of `size` bytes back together.
///
/// # Panics
/// When the two differ in length.
pub fn decode(planes: &[u8], size: usize, out: &mut [u8]) {
    assert_eq!(planes.len(), out.len(), "unshuffling keeps the length");
    match size {
        0 | 1 => out.copy_from_slice(planes),
        // Not one whole element, whatever the file says its size is.
        size if size > planes.len() => out.copy_from_slice(planes),
        2 => gather::<2>(planes, out),
        4 => gather::<4>(planes, out),
        8 => gather::<8>(planes, out),
        16 => gather::<16>(planes, out),
        _ => gather_any(planes, size, out, 0),
    }
}

/// Takes elements of `size` bytes apart.
///
/// # Panics
/// When the two differ in length.
pub fn encode(bytes: &[u8], size: usize, out: &mut [u8]) {
    assert_eq!(bytes.len(), out.len(), "shuffling keeps the length");
    if size <= 1 {
        return out.copy_from_slice(bytes);
    }
    let count = bytes.len() / size;
    if count > 0 {
        for (n, plane) in out[..count * size].chunks_exact_mut(count).enumerate() {
            let column = bytes[..count * size].iter().skip(n).step_by(size);
            plane.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
        }
    }
    out[count * size..].copy_from_slice(&bytes[count * size..]);
}

type Vector = [u8; LANES];

/// Interleaves two vectors: what the compiler turns into a pair of unpack instructions.
#[inline(always)]
fn zip(a: Vector, b: Vector) -> (Vector, Vector) {
    let half = LANES / 2;
    let low = std::array::from_fn(|i| if i % 2 == 0 { a[i / 2] } else { b[i / 2] });
    let high = std::array::from_fn(|i| if i % 2 == 0 { a[half + i / 2] } else { b[half + i / 2] });
    (low, high)
}

/// A transposition of `SIZE` planes by log2(SIZE) rounds of zips: a perfect shuffle of the vectors in each.
fn gather<const SIZE: usize>(planes: &[u8], out: &mut [u8]) {
    let count = planes.len() / SIZE;
    let whole = count / LANES * LANES;
    for (group, out) in out.chunks_exact_mut(SIZE * LANES).enumerate() {
        let at = group * LANES;
        let mut v: [Vector; SIZE] = std::array::from_fn(|n| {
            let from = n * count + at;
            planes[from..from + LANES].try_into().expect("a slice of that length")
        });
        let mut rounds = SIZE;
        while rounds > 1 {
            let mut w = v;
            for i in 0..SIZE / 2 {
                (w[2 * i], w[2 * i + 1]) = zip(v[i], v[i + SIZE / 2]);
            }
            v = w;
            rounds /= 2;
        }
        for (to, from) in out.chunks_exact_mut(LANES).zip(v) {
            to.copy_from_slice(&from);
        }
    }
    gather_any(planes, SIZE, out, whole);
}

/// Elements from `first` on, one by one, and what is left over.
fn gather_any(planes: &[u8], size: usize, out: &mut [u8], first: usize) {
    let count = planes.len() / size;
    for n in 0..size {
        for i in first..count {
            out[i * size + n] = planes[n * count + i];
        }
    }
    out[count * size..].copy_from_slice(&planes[count * size..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_the_first_bytes_then_the_second() {
        let mut out = [0; 7];
        encode(&[1, 2, 11, 12, 21, 22, 99], 2, &mut out);
        assert_eq!(out, [1, 11, 21, 2, 12, 22, 99]);
    }

    #[test]
    fn less_than_an_element_stays_as_it_is() {
        let mut out = [0; 3];
        decode(&[1, 2, 3], usize::MAX, &mut out);
        assert_eq!(out, [1, 2, 3]);
    }

    #[test]
    fn decoding_undoes_encoding_for_every_size_and_length() {
        for size in [1, 2, 3, 4, 7, 8, 12, 16] {
            for len in [0, 1, size, 15 * size, 16 * size, 33 * size + size / 2, 1000] {
                let bytes: Vec<u8> = (0..len).map(|i| (i * 31 % 256) as u8).collect();
                let (mut planes, mut back) = (vec![0; len], vec![0; len]);
                encode(&bytes, size, &mut planes);
                decode(&planes, size, &mut back);
                assert_eq!(back, bytes, "{len} bytes of elements of {size}");
            }
        }
    }
}
