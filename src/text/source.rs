//! Where text came from, and the ranges of it that tasks and errors point at.

use std::sync::{Arc, RwLock};

/// Names one [`Source`] of an engine's [`Sources`]. Id 0 is "nowhere": code made by the program itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A range of bytes of one source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The span of code that no text stands behind.
    pub const NONE: Span = Span { source: SourceId(0), start: 0, end: 0 };

    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        Span { source, start: start as u32, end: end as u32 }
    }

    pub fn is_none(self) -> bool {
        self.source == SourceId(0)
    }

    /// This span, or `other` where this one points nowhere.
    pub fn or(self, other: Span) -> Span {
        if self.is_none() { other } else { self }
    }

    /// The smallest span that covers both; `self` when they are of different sources.
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One piece of text that was read: a file, a line of the REPL, an argument of `-e`.
#[derive(Debug)]
pub struct Source {
    /// What a report calls it: a path as the user gave it, `repl:4`, `-e`, `<stdin>`.
    pub name: String,
    pub text: String,
}

impl Source {
    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let before = &self.text.as_bytes()[..offset];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        (line, column)
    }
}

/// Every source an engine has read, so that spans stay small and reports can still quote the text.
#[derive(Default, Debug)]
pub struct Sources {
    all: RwLock<Vec<Arc<Source>>>,
}

impl Sources {
    pub fn add(&self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let mut all = self.all.write().unwrap_or_else(|e| e.into_inner());
        all.push(Arc::new(Source { name: name.into(), text: text.into() }));
        SourceId(all.len() as u32)
    }

    /// The last source of that name.
    pub fn named(&self, name: &str) -> Option<SourceId> {
        let all = self.all.read().unwrap_or_else(|e| e.into_inner());
        all.iter().rposition(|source| source.name == name).map(|at| SourceId(at as u32 + 1))
    }

    /// The source of that id; `None` for [`Span::NONE`]'s.
    pub fn get(&self, id: SourceId) -> Option<Arc<Source>> {
        let all = self.all.read().unwrap_or_else(|e| e.into_inner());
        all.get((id.0 as usize).checked_sub(1)?).cloned()
    }
}
