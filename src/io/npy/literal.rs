//! Python literals, as far as headers have them: `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.

/// How deep a literal may be nested. Records within records are; arrays of numbers have a tuple in a dictionary.
const DEEPEST: usize = 32;

#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    Text(String),
    Bool(bool),
    /// `None` is one that 64 bits do not hold.
    Int(Option<i64>),
    /// A tuple or a list.
    Items(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
    Nothing,
}

/// The one literal that a text is; `None` where it is none.
pub fn parse(text: &str) -> Option<Literal> {
    let mut reader = Reader { left: text };
    let literal = reader.literal(0)?;
    reader.left.trim().is_empty().then_some(literal)
}

struct Reader<'a> {
    left: &'a str,
}

impl Reader<'_> {
    /// Takes `what`, after spaces, if it comes next.
    fn takes(&mut self, what: &str) -> bool {
        self.left = self.left.trim_start();
        let rest = self.left.strip_prefix(what);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }

    fn literal(&mut self, depth: usize) -> Option<Literal> {
        if depth > DEEPEST {
            return None;
        }
        for (word, literal) in
            [("True", Literal::Bool(true)), ("False", Literal::Bool(false)), ("None", Literal::Nothing)]
        {
            if self.takes(word) {
                return Some(literal);
            }
        }
        for (open, close) in [("(", ")"), ("[", "]")] {
            if self.takes(open) {
                return self.items(close, |reader| reader.literal(depth + 1)).map(Literal::Items);
            }
        }
        if self.takes("{") {
            let entry = |reader: &mut Self| {
                let key = reader.literal(depth + 1)?;
                let value = reader.takes(":").then(|| reader.literal(depth + 1))??;
                Some((key, value))
            };
            return self.items("}", entry).map(Literal::Dict);
        }
        match self.left.chars().next()? {
            quote @ ('\'' | '"') => self.text(quote),
            _ => self.int(),
        }
    }

    /// Items with commas between them, up to what closes them.
    fn items<T>(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while !self.takes(close) {
            items.push(item(self)?);
            if !self.takes(",") && !self.left.trim_start().starts_with(close) {
                return None;
            }
        }
        Some(items)
    }

    fn text(&mut self, quote: char) -> Option<Literal> {
        let mut text = String::new();
        let mut chars = self.left.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.left = &self.left[at + c.len_utf8()..];
                    return Some(Literal::Text(text));
                }
                // What it stands for is not asked: only names of fields have such.
                '\\' => text.push(chars.next()?.1),
                c => text.push(c),
            }
        }
        None
    }

    fn int(&mut self) -> Option<Literal> {
        let negative = self.takes("-");
        let end = self.left.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.left.len());
        let (digits, rest) = self.left.split_at(end);
        if digits.is_empty() {
            return None;
        }
        // Python 2 wrote long integers as `3L`.
        self.left = rest.strip_prefix('L').unwrap_or(rest);
        let number = digits.parse::<i64>().ok();
        Some(Literal::Int(number.map(|n| if negative { -n } else { n })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_python_writes_them() {
        let text = |s: &str| Literal::Text(s.into());
        let int = |n| Literal::Int(Some(n));
        assert_eq!(parse("(3, 4L,)"), Some(Literal::Items(vec![int(3), int(4)])));
        assert_eq!(parse(" [] \n"), Some(Literal::Items(vec![])));
        assert_eq!(parse("-7"), Some(int(-7)));
        assert_eq!(parse("99999999999999999999"), Some(Literal::Int(None)));
        let pair = Literal::Items(vec![text("it's"), text("<f8")]);
        assert_eq!(
            parse("{'descr': [(\"it's\", '<f8')], 'x': None, }"),
            Some(Literal::Dict(vec![(text("descr"), Literal::Items(vec![pair])), (text("x"), Literal::Nothing)]))
        );
        for wrong in ["", "(", "(3 4)", "{'a' 1}", "{'a':}", "'open", "'\\", "[1]]", "-", "x", "1.5", "(,)"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse(&"(".repeat(100_000)), None);
    }
}
