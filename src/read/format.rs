//! Programs laid out the one way: `dsk fmt`.
//!
//! ```text
//! (defn norm [x]            (defn norm [x]
//!    (sqrt (sum   (* x  -->   (sqrt (sum (* x
//!    x)))  )                               x))))
//! ```
//!
//! Where lines break is for who writes to say, and so are comments and literals, which stay as they are. Given are the
//! spaces between: how far a line is indented, one space elsewhere, one blank line at most, none within brackets. Two
//! things keep their places on a line: comments at its end, and second columns that stand below each other. What is laid
//! out stays as it is.

use super::reader::{Forms, Rule};
use crate::text::{Result, SourceId};
use pest::Token;
use std::borrow::Cow;

/// Lines are indented no further: the text of deep brackets, each on a line of its own, stays about as long as it is.
const MOST_INDENT: usize = 400;

/// Forms with a body, which is indented by two columns; and all that are called `def…` or `with-…`.
const BODIES: &[&str] = &[
    "as->", "case", "catch", "do", "dotimes", "doto", "finally", "fn", "for", "if", "if-let", "let", "loop", "try",
    "unless", "when", "when-let", "while",
];

/// Functions that are not called `def…` because they define something.
const NO_DEFINITIONS: &[&str] = &["default", "defer", "deflate"];

/// The text of a program, laid out.
///
/// # Errors
/// The first error of the reader, where there is one.
pub fn format(source: SourceId, text: &str) -> Result<String> {
    let mut forms = Forms::new(source, text);
    let mut layout = Layout::default();
    let (mut at, mut seen) = (0, 0);
    loop {
        let more = forms.next().transpose()?.is_some();
        let mut parts = Parts { text, seen, ..Parts::default() };
        parts.take(at, forms.tokens(at)?);
        seen = parts.seen;
        parts.list.iter().for_each(|part| layout.put(part));
        at = forms.offset();
        if !more {
            return Ok(layout.end());
        }
    }
}

/// What a text is made of: words, brackets, comments.
struct Part<'a> {
    kind: Kind,
    text: Cow<'a, str>,
    gap: Gap,
    /// Columns of the whole form, if it stands on one line.
    width: Option<usize>,
    /// Spaces before it, where it does not begin a line.
    spaces: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Open(Bracket),
    Close,
    /// A literal or name, and whether it may be what a call calls.
    Word {
        callable: bool,
    },
    /// `#| … |#`
    Block,
    /// `; …`
    Comment,
}

#[derive(Clone, Copy, PartialEq)]
enum Bracket {
    Call,
    Data,
    /// `'`, `~@` and the like: around one form, without an end of its own.
    Prefix,
    /// `#_`
    Drop,
}

/// White space before a part.
#[derive(Clone, Copy, Default)]
struct Gap {
    lines: usize,
    comma: bool,
    /// What stands before the part on its line.
    spaces: usize,
    /// Of a comment: the columns of its line before it, without those that the line is indented by.
    code: usize,
}

impl Gap {
    fn of(text: &str) -> Gap {
        let behind = text.rsplit(['\n', ',']).next().unwrap_or_default();
        Gap {
            lines: text.bytes().filter(|&b| b == b'\n').count(),
            comma: text.contains(','),
            spaces: behind.chars().count(),
            code: 0,
        }
    }
}

/// The parts of a form, in the order of the text.
#[derive(Default)]
struct Parts<'a> {
    text: &'a str,
    list: Vec<Part<'a>>,
    open: Vec<Group>,
    /// How far the text is in parts.
    seen: usize,
}

/// A bracket that is open.
#[derive(Default)]
struct Group {
    /// Its part.
    at: usize,
    is_call: bool,
    is_empty: bool,
    /// Columns of what is in it so far, if that stands on one line.
    width: Option<usize>,
    /// The forms of the last line.
    line: Vec<usize>,
    /// For each line of two forms: the second, and how far behind the first it begins.
    rows: Vec<Option<(usize, usize)>>,
}

impl<'a> Parts<'a> {
    /// Takes what the grammar tells apart; places count from `base`.
    fn take(&mut self, base: usize, tokens: impl Iterator<Item = Token<'a, Rule>>) {
        // Within a literal or comment: its rule, where it begins, and how often the rule was begun within.
        let mut word: Option<(Rule, usize, usize)> = None;
        for token in tokens {
            match (token, &mut word) {
                (Token::Start { rule, .. }, Some((own, _, depth))) => *depth += usize::from(rule == *own),
                (Token::End { rule, .. }, Some((own, _, depth))) if rule != *own || *depth > 0 => {
                    *depth -= usize::from(rule == *own);
                }
                (Token::End { pos, .. }, Some((rule, start, _))) => {
                    let (rule, start) = (*rule, *start);
                    self.word(rule, start, base + pos.pos());
                    word = None;
                }
                (
                    Token::Start { rule: Rule::first | Rule::end, .. }
                    | Token::End { rule: Rule::first | Rule::end, .. },
                    None,
                ) => {}
                (Token::Start { rule, pos }, None) => match bracket(rule) {
                    Some((bracket, len)) => self.begin(bracket, base + pos.pos(), len),
                    None => word = Some((rule, base + pos.pos(), 0)),
                },
                (Token::End { rule, pos }, None) => {
                    let is_prefix = matches!(bracket(rule), Some((Bracket::Prefix | Bracket::Drop, _)));
                    self.finish(base + pos.pos(), usize::from(!is_prefix));
                }
            }
        }
    }

    fn word(&mut self, rule: Rule, start: usize, end: usize) {
        let mut gap = self.gap(start, end);
        let text = &self.text[start..end];
        let (kind, text) = match rule {
            Rule::comment => {
                let line = self.text[..start].rfind('\n').map_or(0, |end| end + 1);
                gap.code = self.text[line..start].trim_start().chars().count();
                (Kind::Comment, text.trim_end().into())
            }
            Rule::block => (Kind::Block, trimmed(text)),
            Rule::symbol | Rule::keyword | Rule::odd | Rule::slice => (Kind::Word { callable: true }, text.into()),
            _ => (Kind::Word { callable: false }, text.into()),
        };
        let width = (!text.contains('\n')).then(|| text.chars().count());
        self.add(Part { kind, text, gap, width, spaces: 1 });
        self.widen(width);
    }

    fn begin(&mut self, bracket: Bracket, start: usize, len: usize) {
        let gap = self.gap(start, start + len);
        let text = self.text[start..start + len].into();
        self.add(Part { kind: Kind::Open(bracket), text, gap, width: None, spaces: 1 });
        self.open.push(Group {
            at: self.list.len() - 1,
            is_call: bracket == Bracket::Call,
            is_empty: true,
            width: Some(0),
            ..Group::default()
        });
    }

    fn finish(&mut self, end: usize, len: usize) {
        let gap = self.gap(end - len, end);
        let text = &self.text[end - len..end];
        self.list.push(Part { kind: Kind::Close, text: text.into(), gap, width: Some(len), spaces: 0 });
        let Some(mut group) = self.open.pop() else { return };
        group.end_line(&self.list);
        group.align(&mut self.list);
        let open = &mut self.list[group.at];
        open.width = group.width.map(|inner| open.text.len() + inner + len);
        let width = open.width;
        self.widen(width);
    }

    /// The white space before a part, which stands from `start` to `end`.
    fn gap(&mut self, start: usize, end: usize) -> Gap {
        let gap = Gap::of(&self.text[self.seen..start]);
        self.seen = end;
        gap
    }

    fn add(&mut self, mut part: Part<'a>) {
        if let Some(group) = self.open.last_mut() {
            // A comma belongs to the form before it.
            part.gap.comma &= !group.is_empty;
            if part.gap.lines > 0 && !group.is_empty {
                group.end_line(&self.list);
                group.width = None;
            }
            if part.kind == Kind::Comment {
                group.width = None;
            } else {
                group.line.push(self.list.len());
            }
            let between = usize::from(!group.is_empty) + usize::from(part.gap.comma);
            group.width = group.width.map(|width| width + between);
            group.is_empty = false;
        }
        self.list.push(part);
    }

    /// Says how wide the form is that was just added.
    fn widen(&mut self, form: Option<usize>) {
        if let Some(group) = self.open.last_mut() {
            group.width = group.width.zip(form).map(|(width, form)| width + form);
        }
    }
}

impl Group {
    /// Ends a line of forms. Of the first line of a call the head does not count.
    fn end_line(&mut self, parts: &[Part]) {
        let head = usize::from(self.is_call && self.rows.is_empty());
        if let Some(forms) = self.line.get(head..) {
            let row = match forms {
                &[first, second] if !parts[second].gap.comma => {
                    parts[first].width.map(|width| (second, width + parts[second].gap.spaces))
                }
                _ => None,
            };
            self.rows.push(row);
        }
        self.line.clear();
    }

    /// Lets second forms of lines stand where they do, if that is below each other.
    fn align(&self, parts: &mut [Part]) {
        for pair in self.rows.windows(2) {
            if let [Some((a, above)), Some((b, below))] = pair
                && above == below
            {
                parts[*a].spaces = parts[*a].gap.spaces;
                parts[*b].spaces = parts[*b].gap.spaces;
            }
        }
    }
}

/// What a rule opens, and how long the sign for it is.
fn bracket(rule: Rule) -> Option<(Bracket, usize)> {
    Some(match rule {
        Rule::call => (Bracket::Call, 1),
        Rule::short => (Bracket::Call, 2),
        Rule::list | Rule::map => (Bracket::Data, 1),
        Rule::quote | Rule::quasiquote | Rule::unquote => (Bracket::Prefix, 1),
        Rule::splice => (Bracket::Prefix, 2),
        Rule::dropped => (Bracket::Drop, 2),
        _ => return None,
    })
}

/// A comment of several lines, without white space at their ends.
fn trimmed(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return text.into();
    }
    text.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n").into()
}

/// The text that parts make.
struct Layout {
    out: String,
    /// Where the last line begins, and its characters.
    line: usize,
    column: usize,
    /// What is open: the text itself, and brackets in it.
    frames: Vec<Frame>,
    /// Whether the last part goes to the end of its line.
    in_comment: bool,
}

/// A bracket that is open.
struct Frame {
    bracket: Bracket,
    /// The column behind it.
    column: usize,
    is_empty: bool,
    /// How the rest of a call is indented, once its head is known.
    style: Option<Style>,
    /// The column of a call's first argument, if that stands on the line of its head.
    first: Option<usize>,
    arguments: usize,
    /// Whether a line ended behind the head.
    is_broken: bool,
}

#[derive(Clone, Copy)]
enum Style {
    /// By two columns.
    Body,
    /// Below the first argument, or by two columns where that begins a line.
    Arguments,
    /// Below the first argument, or as a list.
    Called,
    /// As a list.
    Items,
}

impl Style {
    /// That of a call whose head is the part.
    fn of(head: &Part) -> Style {
        // `linalg/with-columns` is named as `with-columns` is.
        let name = head.text.rsplit('/').next().unwrap_or_default();
        let defines = name.starts_with("def") && !NO_DEFINITIONS.iter().any(|no| name.starts_with(no));
        match head.kind {
            Kind::Word { callable: false } => Style::Items,
            Kind::Open(_) => Style::Called,
            _ if defines || name.starts_with("with-") || BODIES.contains(&name) => Style::Body,
            _ => Style::Arguments,
        }
    }
}

impl Frame {
    fn new(bracket: Bracket, column: usize) -> Frame {
        Frame { bracket, column, is_empty: true, style: None, first: None, arguments: 0, is_broken: false }
    }

    /// Where a line in it begins.
    fn indent(&self) -> usize {
        match self.style {
            Some(Style::Body) => self.column + 1,
            Some(Style::Arguments) => self.first.unwrap_or(self.column + 1),
            Some(Style::Called) => self.first.unwrap_or(self.column),
            Some(Style::Items) | None => self.column,
        }
    }

    /// Takes note of what comes next, which stands at a column.
    fn note(&mut self, part: &Part, column: usize) {
        let is_aside = match part.kind {
            Kind::Block | Kind::Comment => true,
            // What is dropped is as wide as an argument, but no head.
            Kind::Open(Bracket::Drop) => self.style.is_none(),
            _ => false,
        };
        if self.bracket != Bracket::Call || is_aside {
            return;
        }
        if self.style.is_none() {
            self.style = Some(Style::of(part));
        } else {
            if self.arguments == 0 && !self.is_broken {
                self.first = Some(column);
            }
            self.arguments += 1;
        }
    }
}

impl Default for Layout {
    fn default() -> Layout {
        Layout { out: String::new(), line: 0, column: 0, frames: vec![Frame::new(Bracket::Data, 0)], in_comment: false }
    }
}

impl Layout {
    fn put(&mut self, part: &Part) {
        let Some(frame) = self.frames.last_mut() else { return };
        if part.kind == Kind::Close {
            if self.in_comment {
                self.in_comment = false;
                let indent = frame.indent();
                self.new_line(indent);
            }
            self.push(&part.text);
            self.frames.pop();
            return;
        }
        if frame.is_empty {
            // `~ @` is no `~@`.
            let stays_apart = frame.bracket == Bracket::Prefix && part.text == "@" && self.out.ends_with('~');
            self.push(if stays_apart { " " } else { "" });
        } else {
            self.push(if part.gap.comma && !self.in_comment { "," } else { "" });
            self.space(part);
        }
        let column = self.column;
        if let Some(frame) = self.frames.last_mut() {
            frame.is_empty = false;
            frame.note(part, column);
        }
        self.push(&part.text);
        self.in_comment = part.kind == Kind::Comment;
        if let Kind::Open(bracket) = part.kind {
            self.frames.push(Frame::new(bracket, self.column));
        }
    }

    /// What stands between a part and the one before it.
    fn space(&mut self, part: &Part) {
        match self.frames.last_mut() {
            Some(frame) if part.gap.lines > 0 => {
                frame.is_broken |= frame.style.is_some();
                let indent = frame.indent();
                if part.gap.lines > 1 {
                    self.new_line(0);
                }
                self.new_line(indent);
            }
            _ => {
                let spaces = match part.kind {
                    // It stays as far to the right as it is, so that comments of several lines stay below each other.
                    Kind::Comment if part.gap.spaces > 1 => {
                        let code = self.column - self.indent();
                        part.gap.code.saturating_sub(code).max(1)
                    }
                    Kind::Comment => 1,
                    _ => part.spaces,
                };
                self.push(&" ".repeat(spaces));
            }
        }
    }

    fn new_line(&mut self, indent: usize) {
        self.push("\n");
        self.push(&" ".repeat(indent.min(MOST_INDENT)));
    }

    fn push(&mut self, text: &str) {
        if let Some(end) = text.rfind('\n') {
            self.line = self.out.len() + end + 1;
            self.column = 0;
        }
        let last = text.rsplit('\n').next().unwrap_or_default();
        self.column += last.chars().count();
        self.out.push_str(text);
    }

    /// The columns that the last line is indented by.
    fn indent(&self) -> usize {
        self.out[self.line..].chars().take_while(|c| c.is_whitespace()).count()
    }

    fn end(mut self) -> String {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}
