//! Immutable strings. Short ones lie in the value itself, so that words, keywords and keys of maps cost no allocation and
//! no reference count; longer ones are shared.

use arcstr::ArcStr;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Deref;

/// Bytes that fit without an allocation: what is left of a [`Value`](super::Value) beside its tag and the length.
pub(super) const MOST: usize = 14;

/// The length that says that the bytes are a pointer.
const SHARED: u8 = u8::MAX;

/// An immutable string, fifteen bytes; cloning copies it, or counts a reference.
///
/// Either `len` is at most [`MOST`], and that many bytes are UTF-8 and those after them zero; or it is [`SHARED`], and the
/// first bytes are an `ArcStr`, not aligned, and those after it zero.
pub struct Str {
    bytes: [MaybeUninit<u8>; MOST],
    len: u8,
}

impl Str {
    pub const fn new() -> Self {
        Str { bytes: [MaybeUninit::new(0); MOST], len: 0 }
    }

    #[inline(always)]
    fn short(text: &str) -> Option<Self> {
        let packed = Packed::of(text)?;
        let mut short = Str { len: packed.len, ..Str::new() };
        let bytes = packed.bits.to_le_bytes();
        // SAFETY: so many bytes are there on both sides, and the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), short.bytes.as_mut_ptr().cast(), MOST) };
        Some(short)
    }

    /// The text as a number, if it is a short one.
    #[inline(always)]
    pub fn packed(&self) -> Option<Packed> {
        if self.is_shared() {
            return None;
        }
        // SAFETY: the bytes of short strings are text or zeros; two loads that overlap stay inside of them.
        let (low, high) = unsafe {
            let at = self.bytes.as_ptr();
            (at.cast::<u64>().read_unaligned(), at.add(MOST - 8).cast::<u64>().read_unaligned())
        };
        let bits = u128::from(u64::from_le(low)) | u128::from(u64::from_le(high)) << (8 * (MOST - 8));
        Some(Packed { bits, len: self.len })
    }

    #[cold]
    pub(super) fn shared(text: ArcStr) -> Self {
        let mut shared = Str { len: SHARED, ..Str::new() };
        // SAFETY: the bytes are more than the pointer takes; it is written as what may stand anywhere.
        unsafe { shared.bytes.as_mut_ptr().cast::<ArcStr>().write_unaligned(text) };
        shared
    }

    #[inline(always)]
    fn is_shared(&self) -> bool {
        self.len == SHARED
    }

    /// The shared string behind this one, whose count stays as it is.
    ///
    /// # Safety
    /// `is_shared`.
    #[inline(always)]
    unsafe fn pointer(&self) -> ManuallyDrop<ArcStr> {
        // SAFETY: the bytes are an `ArcStr`, which this value holds as long as it lives.
        unsafe { self.bytes.as_ptr().cast::<ManuallyDrop<ArcStr>>().read_unaligned() }
    }

    /// Bytes of memory beside its own: of a long string's, its share.
    pub(super) fn held_bytes(&self) -> usize {
        if !self.is_shared() {
            return 0;
        }
        // SAFETY: it is shared.
        let shared = unsafe { self.pointer() };
        ArcStr::strong_count(&shared).map_or(0, |owners| (shared.len() + 2 * size_of::<usize>()) / owners.max(1))
    }

    /// Where the text of a long string lies that others hold, too.
    pub fn shared_place(&self) -> Option<*const u8> {
        if !self.is_shared() {
            return None;
        }
        // SAFETY: it is shared.
        let shared = unsafe { self.pointer() };
        ArcStr::strong_count(&shared).filter(|&owners| owners > 1).map(|_| shared.as_ptr())
    }

    #[inline(always)]
    pub fn as_str(&self) -> &str {
        // SAFETY: one of the two cases that the type allows; a shared text stays where it is while `self` holds it.
        unsafe {
            if self.is_shared() {
                return &*std::ptr::from_ref::<str>(self.pointer().as_str());
            }
            let bytes = std::slice::from_raw_parts(self.bytes.as_ptr().cast::<u8>(), self.len as usize);
            std::str::from_utf8_unchecked(bytes)
        }
    }
}

/// A text of at most [`MOST`] bytes as a number: its first byte is the lowest, what is above the last is zero. What is done to it is done in
/// registers of the processor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    bits: u128,
    len: u8,
}

impl Packed {
    pub const EMPTY: Packed = Packed { bits: 0, len: 0 };

    #[inline(always)]
    pub fn of(text: &str) -> Option<Packed> {
        let len = text.len();
        if len > MOST {
            return None;
        }
        let at = text.as_ptr();
        // SAFETY: each of these reads lies in the text. Two that overlap find the same bytes where they do.
        let bits = unsafe {
            if len >= 8 {
                let low = u64::from_le(at.cast::<u64>().read_unaligned());
                let high = u64::from_le(at.add(len - 8).cast::<u64>().read_unaligned());
                u128::from(low) | u128::from(high) << (8 * (len - 8))
            } else if len >= 4 {
                let low = u32::from_le(at.cast::<u32>().read_unaligned());
                let high = u32::from_le(at.add(len - 4).cast::<u32>().read_unaligned());
                (u64::from(low) | u64::from(high) << (8 * (len - 4))).into()
            } else if len > 0 {
                let byte = |n: usize| u64::from(*at.add(n)) << (8 * n);
                (byte(0) | byte(len / 2) | byte(len - 1)).into()
            } else {
                0
            }
        };
        Some(Packed { bits, len: len as u8 })
    }

    /// A part of a text, if it is a short one.
    ///
    /// # Panics
    /// Where the part is none, or begins or ends inside of a character.
    #[inline(always)]
    pub fn part_of(text: &str, start: usize, end: usize) -> Option<Packed> {
        let len = end.checked_sub(start)?;
        if len <= MOST
            && let Some(bytes) = text.as_bytes().get(start..).and_then(<[u8]>::first_chunk::<16>)
        {
            // Sixteen bytes are read and those of the part kept: how long it is changes no way that is gone.
            let part = Packed { bits: u128::from_le_bytes(*bytes) & ((1 << (8 * len)) - 1), len: len as u8 };
            if part.is_ascii() {
                return Some(part);
            }
        }
        Packed::of(&text[start..end])
    }

    /// Without the ASCII characters that have a bit in `chars`, at its start, its end, or both.
    ///
    /// # Panics
    /// Where it is not ASCII.
    #[inline(always)]
    pub fn without(self, chars: u128, start: bool, end: bool) -> Packed {
        assert!(self.is_ascii());
        let Packed { mut bits, mut len } = self;
        let has = |byte: u128| chars >> (byte & 0x7f) & 1 != 0;
        while start && len > 0 && has(bits) {
            bits >>= 8;
            len -= 1;
        }
        let mut cut = false;
        while end && len > 0 && has(bits >> (8 * (len - 1))) {
            len -= 1;
            cut = true;
        }
        if cut {
            bits &= (1 << (8 * len)) - 1;
        }
        Packed { bits, len }
    }

    #[inline(always)]
    pub fn bits(self) -> u128 {
        self.bits
    }

    #[inline(always)]
    pub fn len(self) -> usize {
        self.len.into()
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    pub fn is_ascii(self) -> bool {
        self.bits & every(0x80) == 0
    }

    /// The part between two positions.
    ///
    /// # Panics
    /// Where it is not ASCII, or not so long.
    #[inline(always)]
    pub fn part(self, from: usize, to: usize) -> Packed {
        assert!(self.is_ascii() && from <= to && to <= self.len());
        let len = to - from;
        let bits = self.bits >> (8 * from) & ((1 << (8 * len)) - 1);
        Packed { bits, len: len as u8 }
    }

    /// With the letters from `first`, which is `b'a'` or `b'A'`, in the other case.
    ///
    /// # Panics
    /// Where it is not ASCII.
    #[inline(always)]
    pub fn with_case_changed(self, first: u8) -> Packed {
        assert!(self.is_ascii() && matches!(first, b'a' | b'A'));
        // The highest bit of a byte says whether it is as high as the first, and not higher than the last.
        let from = self.bits.wrapping_add(every(0x80 - first));
        let behind = self.bits.wrapping_add(every(0x7f - (first + 25)));
        let letters = (from & !behind) & every(0x80);
        Packed { bits: self.bits ^ letters >> 2, len: self.len }
    }
}

/// The byte in every place where a short text has one.
#[inline(always)]
const fn every(byte: u8) -> u128 {
    byte as u128 * (((1 << (8 * MOST)) - 1) / 0xff)
}

impl Default for Str {
    fn default() -> Self {
        Str::new()
    }
}

impl Clone for Str {
    #[inline(always)]
    fn clone(&self) -> Self {
        if self.is_shared() {
            // SAFETY: it is shared; the new string holds the count that is added here.
            let shared = unsafe { self.pointer() };
            std::mem::forget(ArcStr::clone(&shared));
        }
        Str { bytes: self.bytes, len: self.len }
    }
}

impl Drop for Str {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_shared() {
            // SAFETY: it is shared, and not looked at again.
            drop(ManuallyDrop::into_inner(unsafe { self.pointer() }));
        }
    }
}

impl Deref for Str {
    type Target = str;
    #[inline(always)]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

/// Equality, order and hash are those of the text.
impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for Str {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        if self.len != other.len {
            return false;
        }
        if self.is_shared() {
            return self.as_str() == other.as_str();
        }
        self.packed() == other.packed()
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Str {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Str> for str {
    fn eq(&self, other: &Str) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Str> for &str {
    fn eq(&self, other: &Str) -> bool {
        *self == other.as_str()
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<&str> for Str {
    #[inline]
    fn from(text: &str) -> Self {
        Str::short(text).unwrap_or_else(|| Str::shared(text.into()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Str::from(text.as_str())
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Self {
        Str::from(text.as_str())
    }
}

impl From<&Str> for Str {
    fn from(text: &Str) -> Self {
        text.clone()
    }
}

impl From<Cow<'_, str>> for Str {
    fn from(text: Cow<str>) -> Self {
        Str::from(&*text)
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        text.as_str().into()
    }
}

impl FromIterator<char> for Str {
    fn from_iter<I: IntoIterator<Item = char>>(chars: I) -> Self {
        Str::from(chars.into_iter().collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustc_hash::FxBuildHasher;
    use std::hash::BuildHasher;

    #[test]
    fn a_value_holds_a_short_string_whole() {
        assert_eq!(size_of::<Str>(), MOST + 1);
        assert_eq!(size_of::<super::super::Value>(), 16);
        assert!(!Str::from("fourteen bytes").is_shared());
        assert!(Str::from("fifteen bytes, ").is_shared());
    }

    #[test]
    fn a_long_string_is_shared_and_freed_with_its_last_holder() {
        let text = ArcStr::from("longer than fourteen bytes");
        let one = Str::shared(text.clone());
        let two = one.clone();
        assert_eq!(ArcStr::strong_count(&text), Some(3));
        assert!(std::ptr::eq(one.as_str(), two.as_str()));
        drop(one);
        assert_eq!(two, "longer than fourteen bytes");
        drop(two);
        assert_eq!(ArcStr::strong_count(&text), Some(1));
    }

    proptest! {
        /// On both sides of the border, a `Str` is the text it was made of.
        #[test]
        fn it_is_its_text(a in "[a-b\0é]{0,20}", b in "[a-b\0é]{0,20}") {
            let (x, y) = (Str::from(a.as_str()), Str::from(b.clone()));
            prop_assert_eq!(x.as_str(), &a);
            prop_assert_eq!(&x.clone(), &x);
            prop_assert_eq!(x == y, a == b);
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(FxBuildHasher.hash_one(&x), FxBuildHasher.hash_one(a.as_str()));
        }
    }
}
