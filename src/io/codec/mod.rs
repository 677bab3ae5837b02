//! Codecs: one a file. Bytes in, bytes out; they know nothing of files.

pub mod bits;
pub mod blosc;
pub mod crc32c;
pub mod deflate;
pub mod fletcher32;
pub mod lz4;
pub mod lzf;
pub mod shuffle;
pub mod zstd;

/// Repeats at `at` the `len` bytes from `distance` before on, which may run into what they make; `None` where there is no such
/// place.
fn repeat(out: &mut [u8], at: usize, distance: usize, len: usize) -> Option<()> {
    let from = at.checked_sub(distance).filter(|_| distance > 0)?;
    if distance >= len {
        out.copy_within(from..from + len, at);
        return Some(());
    }
    // What was made doubles what there is to copy.
    let mut done = 0;
    while done < len {
        let piece = (distance + done).min(len - done);
        out.copy_within(from..from + piece, at + done);
        done += piece;
    }
    Some(())
}
