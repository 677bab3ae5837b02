//! What the line editor asks while one types: is the form whole, what does this name begin, how is this called, which
//! bracket belongs to which.

use super::PROMPT;
use crate::engine::Engine;
use crate::text::SourceId;
use crate::tools::feed::Feed;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter, MatchingBracketHighlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Result};
use std::borrow::Cow;
use std::cell::RefCell;

#[derive(rustyline::Helper)]
pub struct Helper<'e> {
    engine: &'e Engine,
    brackets: MatchingBracketHighlighter,
    /// The brackets that wait to be closed, for the prompt.
    open: RefCell<String>,
}

impl<'e> Helper<'e> {
    pub fn new(engine: &'e Engine) -> Self {
        Helper { engine, brackets: MatchingBracketHighlighter::new(), open: RefCell::default() }
    }
}

/// Enter asks for another line as long as the same reader that will read the form finds it unfinished.
impl Validator for Helper<'_> {
    fn validate(&self, context: &mut ValidationContext) -> Result<ValidationResult> {
        let text = context.input();
        let unfinished = is_unfinished(text);
        let mut feed = Feed::default();
        feed.push(text);
        *self.open.borrow_mut() = if unfinished { feed.open().iter().collect() } else { String::new() };
        Ok(if unfinished { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Helper<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _context: &Context) -> Result<(usize, Vec<Pair>)> {
        let (start, word) = word_before(line, pos);
        if word.is_empty() || in_string(&line[..start]) {
            return Ok((pos, Vec::new()));
        }
        let pair = |name: String| Pair { display: name.clone(), replacement: name };
        let mut names: Vec<String> = match word.strip_prefix(':') {
            // After a colon come the keywords of the call around it.
            Some(part) => {
                let keywords = called(line, start).map_or(Vec::new(), |name| self.engine.keywords(name));
                keywords.into_iter().filter(|k| k.starts_with(part)).map(|k| format!(":{k}")).collect()
            }
            None => self.engine.names().into_iter().filter(|name| name.starts_with(word)).collect(),
        };
        names.sort_unstable();
        names.dedup();
        Ok((start, names.into_iter().map(pair).collect()))
    }
}

/// How the function is called that one is writing the call of: shown, not inserted.
pub struct Usage(String);

impl Hint for Usage {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Helper<'_> {
    type Hint = Usage;

    fn hint(&self, line: &str, pos: usize, _context: &Context) -> Option<Usage> {
        if pos < line.len() || in_string(line) {
            return None;
        }
        let name = called(line, pos)?;
        Some(Usage(format!("   {}", self.engine.usage(name)?)))
    }
}

impl Highlighter for Helper<'_> {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        self.brackets.highlight(line, pos)
    }

    fn highlight_char(&self, line: &str, pos: usize, kind: CmdKind) -> bool {
        self.brackets.highlight_char(line, pos, kind)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }

    /// The innermost open brackets, in as much room as the prompt takes.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, default: bool) -> Cow<'b, str> {
        let open = self.open.borrow();
        if !default || open.is_empty() {
            return Cow::Borrowed(prompt);
        }
        let room = PROMPT.len() - 2;
        let innermost: String = open.chars().skip(open.chars().count().saturating_sub(room)).collect();
        Cow::Owned(format!("{innermost:>room$}> "))
    }
}

/// Whether the text ends before a form does.
fn is_unfinished(text: &str) -> bool {
    crate::read::read(SourceId::default(), text).is_err_and(|error| error.is_incomplete())
}

/// Where the word before the cursor begins, and the word.
fn word_before(line: &str, pos: usize) -> (usize, &str) {
    let before = &line[..pos];
    let ends = |c: char| c.is_whitespace() || "()[]{}\"'`~,;".contains(c);
    let start = before.rfind(ends).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    (start, &before[start..])
}

/// The name at the head of the innermost call that is still open at `pos`, once it is followed by a space.
fn called(line: &str, pos: usize) -> Option<&str> {
    let mut depth = 0usize;
    let before = &line[..pos];
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '(' | '[' | '{' if depth > 0 => depth -= 1,
            '(' => {
                let rest = &before[at + 1..];
                let end = rest.find(|c: char| c.is_whitespace() || "()[]{}\"".contains(c))?;
                return (end > 0).then(|| &rest[..end]);
            }
            '[' | '{' => {}
            _ => {}
        }
    }
    None
}

/// Whether the end of the text lies within a string or a comment.
fn in_string(text: &str) -> bool {
    let mut feed = Feed::default();
    feed.push(text);
    feed.in_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_ends_at_brackets_and_quotes() {
        assert_eq!(word_before("(sum lin", 8), (5, "lin"));
        assert_eq!(word_before("(sum (linalg/", 13), (6, "linalg/"));
        assert_eq!(word_before("'x", 2), (1, "x"));
        assert_eq!(word_before("(sum x :ax", 10), (7, ":ax"));
        assert_eq!(word_before("", 0), (0, ""));
    }

    #[test]
    fn the_innermost_open_call_is_found() {
        assert_eq!(called("(sum (abs x) ", 13), Some("sum"));
        assert_eq!(called("(sum (abs ", 10), Some("abs"));
        assert_eq!(called("(sum [1 2 ", 10), Some("sum"));
        assert_eq!(called("(su", 3), None);
        assert_eq!(called("(abs x)", 7), None);
        assert_eq!(called("((f) ", 5), None);
    }
}
