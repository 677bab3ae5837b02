//! Immutable strings. Short ones lie in the value itself, so that words, keywords and keys of maps cost no allocation and
//! no reference count; longer ones are shared.

use arcstr::ArcStr;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Deref;

/// Bytes that fit without an allocation: what is left of a [`Value`](super::Value) beside its tag and the length.
const MOST: usize = 14;

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

    fn short(text: &str) -> Option<Self> {
        let len = text.len();
        if len > MOST {
            return None;
        }
        let mut short = Str { len: len as u8, ..Str::new() };
        // SAFETY: `len` bytes fit, and the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), short.bytes.as_mut_ptr().cast(), len) };
        Some(short)
    }

    #[cold]
    fn shared(text: ArcStr) -> Self {
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
        // SAFETY: the bytes of short strings are text or zeros.
        let bytes = |s: &Str| unsafe { s.bytes.as_ptr().cast::<[u8; MOST]>().read() };
        bytes(self) == bytes(other)
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
