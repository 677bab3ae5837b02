//! Plain patterns, matched at the start of an ASCII text: characters, classes, runs of a class and groups, one after the other, as lines of
//! logs are described. These need no automaton: a run takes all it can, sixteen bytes at a time, and gives back where what follows
//! asks for it. The preferences are those of the `regex` crate, which matches all other patterns and texts.

use super::bytes::Bytes;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use smallvec::SmallVec;

pub struct Scanner {
    items: Vec<Item>,
    classes: Vec<Bytes>,
    /// Groups, that of the whole counted.
    groups: usize,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Byte(u8),
    /// One byte of a class.
    One(usize),
    Run(Run),
    /// The beginning of a group, or its end.
    Slot(usize),
    /// The end of the text.
    End,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    class: usize,
    min: usize,
    max: usize,
    /// Takes no more than it has to.
    lazy: bool,
    /// Whether what follows may match from inside of the run.
    gives_back: bool,
    /// The slot of the group that it is, if it is one alone; else that of none.
    group: usize,
}

/// The slot of no group, behind those of all.
const NO_GROUP: usize = usize::MAX;

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Matched,
    Different,
    /// Too many ways would have to be tried, or the text is not ASCII.
    Unknown,
}

/// Where to go on when what follows a run did not match.
struct Way {
    item: usize,
    run: Run,
    /// Where the run begins, and where it ended last.
    start: usize,
    end: usize,
}

impl Scanner {
    /// Of a pattern in the syntax of the `regex` crate, if it is a plain one.
    pub fn new(pattern: &str) -> Option<Scanner> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let mut scanner = Scanner { items: vec![Item::Slot(0)], classes: Vec::new(), groups: 1 };
        scanner.add(&hir)?;
        scanner.items.push(Item::Slot(1));
        scanner.mark();
        // Of `(a){0}(b)` nothing is left of the first group, whose number is still counted.
        let all = hir.properties().explicit_captures_len() + 1;
        (scanner.groups == all && scanner.highest_slot() < 2 * all).then_some(scanner)
    }

    /// How many groups there are, that of the whole counted.
    pub fn groups(&self) -> usize {
        self.groups
    }

    fn highest_slot(&self) -> usize {
        let slot = |item: &Item| match item {
            Item::Slot(slot) => Some(*slot),
            Item::Run(run) if run.group != NO_GROUP => Some(run.group + 1),
            _ => None,
        };
        self.items.iter().filter_map(slot).max().unwrap_or(0)
    }

    fn add(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                literal.0.is_ascii().then_some(())?;
                self.items.extend(literal.0.iter().map(|b| Item::Byte(*b)));
            }
            HirKind::Class(class) => {
                let class = self.class(class);
                self.items.push(Item::One(class));
            }
            HirKind::Look(Look::Start) if self.items.iter().all(|item| matches!(item, Item::Slot(_))) => {}
            HirKind::Look(Look::End) => self.items.push(Item::End),
            HirKind::Repetition(repetition) => {
                let class = match repetition.sub.kind() {
                    HirKind::Class(class) => self.class(class),
                    HirKind::Literal(literal) if literal.0.len() == 1 && literal.0.is_ascii() => {
                        self.known(Bytes::of([(literal.0[0], literal.0[0])]))
                    }
                    _ => return None,
                };
                self.items.push(Item::Run(Run {
                    class,
                    min: repetition.min as usize,
                    max: repetition.max.map_or(usize::MAX, |max| max as usize),
                    lazy: !repetition.greedy,
                    gives_back: true,
                    group: NO_GROUP,
                }));
            }
            HirKind::Capture(capture) => {
                let slot = 2 * capture.index as usize;
                self.groups += 1;
                let at = self.items.len();
                self.items.push(Item::Slot(slot));
                self.add(&capture.sub)?;
                match &mut self.items[at + 1..] {
                    [Item::Run(run)] if run.group == NO_GROUP => {
                        run.group = slot;
                        self.items.remove(at);
                    }
                    _ => self.items.push(Item::Slot(slot + 1)),
                }
            }
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.add(part))?,
            _ => return None,
        }
        Some(())
    }

    /// The ASCII members of a class.
    fn class(&mut self, class: &Class) -> usize {
        let bytes = match class {
            Class::Unicode(class) => {
                let ascii = class.iter().filter(|range| range.start().is_ascii());
                Bytes::of(ascii.map(|range| (range.start() as u8, range.end().min('\x7f') as u8)))
            }
            Class::Bytes(class) => {
                let ascii = class.iter().filter(|range| range.start().is_ascii());
                Bytes::of(ascii.map(|range| (range.start(), range.end().min(0x7f))))
            }
        };
        self.known(bytes)
    }

    fn known(&mut self, bytes: Bytes) -> usize {
        match self.classes.iter().position(|class| class.members == bytes.members) {
            Some(at) => at,
            None => {
                self.classes.push(bytes);
                self.classes.len() - 1
            }
        }
    }

    /// Finds out which runs need not give back: where nothing that follows begins with a byte of the class, and where all that follows
    /// may be empty.
    fn mark(&mut self) {
        let (mut first, mut may_be_empty) = (0u128, true);
        for item in self.items.iter_mut().rev() {
            match item {
                Item::Slot(_) => {}
                Item::Byte(b) => (first, may_be_empty) = (1 << *b, false),
                Item::One(class) => (first, may_be_empty) = (self.classes[*class].members, false),
                // A run that gave back ends before the end of the text.
                Item::End => (first, may_be_empty) = (0, false),
                Item::Run(run) => {
                    let members = self.classes[run.class].members;
                    run.gives_back = run.lazy || !may_be_empty && members & first != 0;
                    match run.min {
                        0 => first |= members,
                        _ => (first, may_be_empty) = (members, false),
                    }
                }
            }
        }
    }

    /// Matches at the start of a text, and says where groups begin and end.
    pub fn matches(&self, text: &str, slots: &mut Vec<usize>) -> Outcome {
        if !text.is_ascii() {
            return Outcome::Unknown;
        }
        let text = text.as_bytes();
        slots.resize(2 * self.groups, 0);
        let mut ways: SmallVec<[Way; 8]> = SmallVec::new();
        // Work is counted, so that the time stays linear in the text, as with the `regex` crate: failures, and sixteens of bytes.
        let mut left = 256 + 8 * text.len();
        let (mut item, mut at) = (0, 0);
        loop {
            let fits = match self.items.get(item) {
                None => return Outcome::Matched,
                Some(Item::Byte(b)) => {
                    at += 1;
                    text.get(at - 1) == Some(b)
                }
                Some(Item::One(class)) => {
                    at += 1;
                    text.get(at - 1).is_some_and(|b| self.classes[*class].has(*b))
                }
                Some(Item::Slot(slot)) => {
                    slots[*slot] = at;
                    true
                }
                Some(Item::End) => at == text.len(),
                Some(Item::Run(run)) => {
                    let most = if run.lazy { run.min } else { run.max };
                    let found = self.classes[run.class].run(&text[at..], most);
                    let start = at;
                    at += found;
                    left = left.saturating_sub(found / 16);
                    if let Some([begin, end]) = slots.get_mut(run.group..).and_then(<[usize]>::first_chunk_mut::<2>) {
                        (*begin, *end) = (start, at);
                    }
                    if run.gives_back && found >= run.min {
                        ways.push(Way { item, run: *run, start, end: at });
                    }
                    found >= run.min
                }
            };
            if fits {
                item += 1;
                continue;
            }
            // The next way of the last run that has one.
            loop {
                let Some(way) = ways.last_mut() else { return Outcome::Different };
                let run = way.run;
                let more = match run.lazy {
                    true => {
                        let next = text.get(way.end).is_some_and(|b| self.classes[run.class].has(*b));
                        way.end += 1;
                        next && way.end - way.start <= run.max
                    }
                    false => {
                        let more = way.end - way.start > run.min;
                        way.end -= usize::from(more);
                        more
                    }
                };
                if more {
                    (item, at) = (way.item + 1, way.end);
                    if let Some(end) = slots.get_mut(run.group.saturating_add(1)) {
                        *end = at;
                    }
                    break;
                }
                ways.pop();
            }
            left = left.saturating_sub(1);
            if left == 0 {
                return Outcome::Unknown;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn part() -> impl Strategy<Value = String> {
        let one = prop::sample::select(vec![
            "a", "b", ".", r"\d", r"\w", r"\s", r"\S", "[^ab]", "[a-c]", r"\.", "-", "(?i:k)",
        ]);
        let often = prop::sample::select(vec!["", "", "+", "*", "?", "{2}", "{1,3}", "+?", "*?", "{2,}?", "??"]);
        let group = prop::sample::select(vec!["", "", "(", "(?:"]);
        (one, often, group).prop_map(|(one, often, group)| match group {
            "" => format!("{one}{often}"),
            open => format!("{open}{one}{often})"),
        })
    }

    proptest! {
        /// A plain pattern finds what the `regex` crate finds.
        #[test]
        fn it_matches_as_the_regex_crate_does(
            parts in prop::collection::vec(part(), 1..7),
            end in prop::sample::select(vec!["", "$", "()", "(a*)$"]),
            text in "[abck 1.\n-]{0,40}",
        ) {
            let pattern = format!("{}{end}", parts.concat());
            let scanner = Scanner::new(&pattern);
            prop_assert!(scanner.is_some(), "{pattern} is plain");
            let mut slots = Vec::new();
            let outcome = scanner.map_or(Outcome::Unknown, |scanner| scanner.matches(&text, &mut slots));
            let regex = Regex::new(&format!(r"\A(?:{pattern})")).map_err(|e| TestCaseError::fail(e.to_string()))?;
            match (outcome, regex.captures(&text)) {
                (Outcome::Unknown, _) => {}
                (Outcome::Different, found) => prop_assert!(found.is_none(), "{pattern:?} matches {text:?}"),
                (Outcome::Matched, None) => prop_assert!(false, "{pattern:?} does not match {text:?}"),
                (Outcome::Matched, Some(found)) => {
                    for n in 0..found.len() {
                        let wanted = found.get(n).map(|m| (m.start(), m.end()));
                        prop_assert_eq!(wanted, Some((slots[2 * n], slots[2 * n + 1])), "group {} of {:?} in {:?}", n, pattern, text);
                    }
                }
            }
        }
    }

    #[test]
    fn other_patterns_and_texts_are_left_alone() {
        for pattern in ["a|bc", "(ab)+", r"\ba", "(?m)^a$", "a(b)?", "é", "(a){0}(b)"] {
            assert!(Scanner::new(pattern).is_none(), "{pattern}");
        }
        let scanner = Scanner::new(r"\w+").unwrap();
        assert_eq!(scanner.matches("año", &mut Vec::new()), Outcome::Unknown);
    }

    /// A pattern that would try forever gives up, and says so.
    #[test]
    fn it_gives_up() {
        let scanner = Scanner::new("a*a*a*a*a*a*a*a*b").unwrap();
        assert_eq!(scanner.matches(&"a".repeat(200), &mut Vec::new()), Outcome::Unknown);
        // Here failures are few, but each is found out by going through all that is left.
        let scanner = Scanner::new("[ab]*a*x").unwrap();
        assert_eq!(scanner.matches(&"a".repeat(3_000_000), &mut Vec::new()), Outcome::Unknown);
    }
}
