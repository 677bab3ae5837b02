//! Classes of ASCII bytes, found sixteen bytes at a time.

use smallvec::SmallVec;

/// A class of ASCII bytes.
pub struct Bytes {
    pub members: u128,
    /// For each byte whether it is one.
    table: [bool; 256],
    /// The members, or if `inverted` all others, as ranges: the lower end, and how far it is to the upper.
    ranges: SmallVec<[(u8, u8); 4]>,
    inverted: bool,
}

impl Bytes {
    pub fn of(ranges: impl IntoIterator<Item = (u8, u8)>) -> Bytes {
        let members = ranges.into_iter().flat_map(|(low, high)| low..=high).fold(0u128, |all, b| all | 1 << b);
        let (inside, outside) = (ranges_of(members), ranges_of(!members));
        let table = std::array::from_fn(|b| b < 128 && members >> b & 1 != 0);
        match outside.len() < inside.len() {
            true => Bytes { members, table, ranges: outside, inverted: true },
            false => Bytes { members, table, ranges: inside, inverted: false },
        }
    }

    /// Whether an ASCII byte is a member.
    #[inline(always)]
    pub fn has(&self, byte: u8) -> bool {
        self.table[usize::from(byte)]
    }

    /// How many members are at the start of an ASCII text, but at most so many.
    #[inline(always)]
    pub fn run(&self, text: &[u8], most: usize) -> usize {
        // Many a run is a single byte, always or never.
        match text {
            [first, ..] if !self.has(*first) => return 0,
            [_, second, ..] if !self.has(*second) => return most.min(1),
            _ => {}
        }
        let mut at = 0;
        #[cfg(target_arch = "x86_64")]
        for chunk in text.as_chunks::<16>().0 {
            let others = !self.among(chunk) & 0xffff;
            at += others.trailing_zeros().min(16) as usize;
            if others != 0 || at >= most {
                return at.min(most);
            }
        }
        while at < most && text.get(at).is_some_and(|b| self.has(*b)) {
            at += 1;
        }
        at
    }

    /// Which of at most 64 bytes are members, a bit for each.
    #[inline(always)]
    fn places(&self, text: &[u8]) -> u64 {
        let mut found = 0;
        let mut at = 0;
        #[cfg(target_arch = "x86_64")]
        for chunk in text.as_chunks::<16>().0 {
            found |= u64::from(self.among(chunk)) << at;
            at += 16;
        }
        for byte in &text[at..] {
            found |= u64::from(self.has(*byte)) << at;
            at += 1;
        }
        found
    }

    /// Calls `each` with the beginning and the end of every part of an ASCII text that has no members.
    #[inline(always)]
    pub fn parts(&self, text: &[u8], mut each: impl FnMut(usize, usize)) {
        let mut open = None;
        for (n, chunk) in text.chunks(64).enumerate() {
            let members = self.places(chunk);
            let before = members << 1 | u64::from(open.is_none());
            // A part begins at one that is none behind one that is, and ends the other way round.
            let (mut begins, mut ends) = (!members & before, members & !before);
            if chunk.len() < 64 {
                begins &= (1 << chunk.len()) - 1;
            }
            let base = 64 * n;
            loop {
                let start = match open {
                    Some(start) => start,
                    None if begins == 0 => break,
                    None => {
                        let start = base + begins.trailing_zeros() as usize;
                        begins &= begins - 1;
                        open = Some(start);
                        start
                    }
                };
                if ends == 0 {
                    break;
                }
                each(start, base + ends.trailing_zeros() as usize);
                ends &= ends - 1;
                open = None;
            }
        }
        if let Some(start) = open {
            each(start, text.len());
        }
    }

    /// Which of the bytes are members, a bit for each.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn among(&self, chunk: &[u8; 16]) -> u32 {
        use std::arch::x86_64::*;
        // SAFETY: sixteen bytes are there; SSE2 is part of every x86-64.
        unsafe {
            let bytes = _mm_loadu_si128(chunk.as_ptr().cast());
            let mut found = _mm_setzero_si128();
            for &(low, length) in &self.ranges {
                let from = _mm_sub_epi8(bytes, _mm_set1_epi8(low as i8));
                let within = _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8(length as i8)), from);
                found = _mm_or_si128(found, within);
            }
            let found = _mm_movemask_epi8(found) as u32;
            if self.inverted { !found & 0xffff } else { found }
        }
    }
}

fn ranges_of(members: u128) -> SmallVec<[(u8, u8); 4]> {
    let mut ranges = SmallVec::new();
    let mut at = 0u32;
    while at < 128 && members >> at != 0 {
        at += (members >> at).trailing_zeros();
        let length = (members >> at).trailing_ones();
        ranges.push((at as u8, (length - 1) as u8));
        at += length;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_those_between_members(text in "[ a-c\t\n\u{b}\u{c}\r\u{1c}\u{0}]{0,200}") {
            let space = Bytes::of([(9, 13), (32, 32)]);
            let mut parts = Vec::new();
            space.parts(text.as_bytes(), |start, end| parts.push(&text[start..end]));
            prop_assert_eq!(parts, text.split_whitespace().collect::<Vec<_>>());
        }

        #[test]
        fn runs_end_where_members_do(text in "[ab]{0,40}", most in 0usize..50) {
            let wanted = text.bytes().take_while(|b| *b == b'a').count().min(most);
            prop_assert_eq!(Bytes::of([(b'a', b'a')]).run(text.as_bytes(), most), wanted);
            prop_assert_eq!(Bytes::of([(0, b'a'), (b'c', 127)]).run(text.as_bytes(), most), wanted);
        }
    }
}
