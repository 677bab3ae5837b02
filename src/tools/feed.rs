//! Text that comes line by line, and when it is worth reading: brackets are followed as they come, so that a form of many
//! lines is read once when it is whole, not again with every line.

/// What was fed since forms were last taken.
#[derive(Default)]
pub struct Feed {
    text: String,
    /// How far `state` has followed the text.
    seen: usize,
    state: State,
    open: Vec<char>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Code,
    Comment,
    /// `#| … |#`, which nests this deep.
    Block(usize),
    /// A string, or a regular expression.
    String,
    Escape,
}

impl Feed {
    /// Adds a piece of text; whether the whole may now be complete forms. The reader has the last word.
    pub fn push(&mut self, text: &str) -> bool {
        self.text.push_str(text);
        self.follow();
        self.open.is_empty() && matches!(self.state, State::Code | State::Comment)
    }

    /// The brackets that wait to be closed, outermost first.
    pub fn open(&self) -> &[char] {
        &self.open
    }

    /// Whether the text ends within a string or a comment.
    pub fn in_text(&self) -> bool {
        self.state != State::Code
    }

    /// Gives the text away, and begins anew.
    pub fn take(&mut self) -> String {
        std::mem::take(self).text
    }

    fn follow(&mut self) {
        let mut chars = self.text[self.seen..].chars().peekable();
        while let Some(c) = chars.next() {
            self.state = match (self.state, c) {
                (State::Code, '"') => State::String,
                (State::Code, ';') => State::Comment,
                (State::Code, '#') if chars.next_if_eq(&'|').is_some() => State::Block(1),
                (State::Code, '(' | '[' | '{') => {
                    self.open.push(c);
                    State::Code
                }
                (State::Code, ')' | ']' | '}') => {
                    self.open.pop();
                    State::Code
                }
                (State::Comment, '\n') => State::Code,
                (State::Block(depth), '#') if chars.next_if_eq(&'|').is_some() => State::Block(depth + 1),
                (State::Block(depth), '|') if chars.next_if_eq(&'#').is_some() => match depth {
                    1 => State::Code,
                    _ => State::Block(depth - 1),
                },
                (State::String, '\\') => State::Escape,
                (State::String, '"') => State::Code,
                (State::Escape, _) => State::String,
                (state, _) => state,
            };
        }
        self.seen = self.text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> bool {
        let mut feed = Feed::default();
        text.split_inclusive('\n').fold(true, |_, line| feed.push(line))
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        for text in ["(a [b {c}])", "\"(\"", "; (\n", "; (", "#| ( #| [ |# |# x", "#\"\\(\" 1", "\"\\\"(\"", ")"] {
            assert!(whole(text), "{text}");
        }
        for text in ["(a", "(a [b)", "\"", "\"\\\"", "#| #| |#", "(\n; )\n"] {
            assert!(!whole(text), "{text}");
        }
    }

    #[test]
    fn the_open_brackets_are_known() {
        let mut feed = Feed::default();
        assert!(!feed.push("(let [x 1\n"));
        assert_eq!(feed.open(), ['(', '[']);
        assert!(!feed.push("]\n"));
        assert!(feed.push("x)\n"));
        assert_eq!(feed.take(), "(let [x 1\n]\nx)\n");
        assert_eq!(feed.take(), "");
    }
}
