//! Changes of short strings, many strings at once: no call for each, and no look at what it is but one.

use super::{Packed, Value};

/// A change of a short ASCII string.
#[derive(Clone, Copy)]
pub enum Edit {
    /// The letters from this one on, `b'a'` or `b'A'`, in the other case.
    Case(u8),
    /// Without these characters, a bit for each, at the start, the end, or both.
    Strip { chars: u128, start: bool, end: bool },
}

/// Texts that are changed together: they stay in the first cache.
const BATCH: usize = 64;

impl Edit {
    fn make(self, texts: &mut [Packed]) {
        match self {
            Edit::Case(first) => texts.iter_mut().for_each(|text| *text = text.with_case_changed(first)),
            Edit::Strip { chars, start, end } => {
                texts.iter_mut().for_each(|text| *text = text.without(chars, start, end));
            }
        }
    }

    /// Makes some changes, one after the other, to each of the values, up to the first that is no short ASCII string: how many there are
    /// before it.
    pub fn all(edits: &[Edit], values: &mut [Value]) -> usize {
        let mut done = 0;
        let mut texts = [Packed::EMPTY; BATCH];
        for values in values.chunks_mut(BATCH) {
            let mut count = 0;
            for (text, value) in texts.iter_mut().zip(&*values) {
                match value {
                    Value::Str(s)
                        if let Some(short) = s.packed()
                            && short.is_ascii() =>
                    {
                        *text = short
                    }
                    _ => break,
                }
                count += 1;
            }
            let texts = &mut texts[..count];
            edits.iter().for_each(|edit| edit.make(texts));
            for (value, text) in values.iter_mut().zip(&*texts) {
                std::mem::replace(value, Value::packed(*text)).done();
            }
            done += count;
            if count < values.len() {
                break;
            }
        }
        done
    }
}
