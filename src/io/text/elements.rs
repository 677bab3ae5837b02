//! The elements of a JSON array, one by one, while it is read: only as much of the text is held as one of them takes.

use crate::data::cancel;
use crate::err;
use crate::text::Result;
use std::io::Read;

/// Bytes that are read at a time.
const CHUNK: u64 = 256 << 10;

/// Most bytes of one element.
const MOST: usize = 1 << 31;

/// Takes the text of an element and the line that it begins in; false where no more are wanted.
pub type NextElement<'a> = dyn FnMut(&[u8], usize) -> Result<bool> + 'a;

#[derive(PartialEq)]
enum Place {
    Before,
    Inside,
    After,
    /// There is no array, but another value, or several.
    Other,
}

/// Where in the text we are.
struct Scan {
    place: Place,
    depth: usize,
    in_string: bool,
    /// The last byte was a backslash in a string.
    escaped: bool,
    /// Where the element begins, and how many were before it.
    start: usize,
    count: usize,
    /// Lines that end before the position, and before the element.
    lines: usize,
    lines_before: usize,
}

/// Hands on the elements of the array in a text; a text that is no array is handed on whole.
///
/// # Errors
/// Those of `next`, of reading (by `failed`), and `dsk::value` for an array that does not end, or has something behind it: `name` says
/// of what.
pub fn elements(
    from: &mut dyn Read,
    name: &str,
    failed: &dyn Fn(&std::io::Error) -> crate::text::Error,
    next: &mut NextElement,
) -> Result<()> {
    let mut text = Vec::new();
    let mut scan = Scan {
        place: Place::Before,
        depth: 0,
        in_string: false,
        escaped: false,
        start: 0,
        count: 0,
        lines: 0,
        lines_before: 0,
    };
    let mut at = 0;
    loop {
        cancel::check()?;
        let before = text.len();
        from.take(CHUNK).read_to_end(&mut text).map_err(|error| failed(&error))?;
        if text.len() == before {
            break;
        }
        if !scan.go(&text, &mut at, name, next)? {
            return Ok(());
        }
        if text.len() - scan.start > MOST {
            return Err(err!(Memory, "`{name}` has an element of more than {MOST} bytes"));
        }
        // What was handed on is done with.
        text.drain(..scan.start);
        at -= scan.start;
        scan.start = 0;
    }
    match scan.place {
        Place::Before => next(&text, 1).map(drop),
        Place::Other => next(&text, 1).map(drop),
        Place::After => Ok(()),
        Place::Inside => {
            Err(err!(Value, "`{name}`, line {}: this is not JSON: the array does not end", scan.lines + 1))
        }
    }
}

impl Scan {
    /// Goes on to the end of the text. Whether more elements are wanted.
    fn go(&mut self, text: &[u8], at: &mut usize, name: &str, next: &mut NextElement) -> Result<bool> {
        while *at < text.len() {
            if self.in_string {
                self.string(text, at);
                continue;
            }
            let byte = text[*at];
            *at += 1;
            if byte == b'\n' {
                self.lines += 1;
            }
            match self.place {
                Place::Inside => match byte {
                    b'"' => self.in_string = true,
                    b'[' | b'{' => self.depth += 1,
                    b']' | b'}' if self.depth > 1 => self.depth -= 1,
                    b']' => {
                        self.place = Place::After;
                        if !self.element(&text[self.start..*at - 1], true, next)? {
                            return Ok(false);
                        }
                        self.start = *at;
                    }
                    b',' if self.depth == 1 => {
                        if !self.element(&text[self.start..*at - 1], false, next)? {
                            return Ok(false);
                        }
                        self.start = *at;
                    }
                    _ => {}
                },
                Place::Before => match byte {
                    b'[' => {
                        (self.place, self.depth, self.start) = (Place::Inside, 1, *at);
                        self.lines_before = self.lines;
                    }
                    // A byte order mark.
                    0xef | 0xbb | 0xbf if *at <= 3 => {}
                    byte if byte.is_ascii_whitespace() => {}
                    _ => (self.place, *at) = (Place::Other, text.len()),
                },
                Place::After if byte.is_ascii_whitespace() => self.start = *at,
                Place::After => {
                    let line = self.lines + 1;
                    return Err(err!(
                        Value,
                        "`{name}`, line {line}: this is not JSON: there is something behind the array"
                    )
                    .help("`:lines true` reads files with a value on every line"));
                }
                Place::Other => *at = text.len(),
            }
        }
        Ok(true)
    }

    /// Goes to the end of a string, or of the text.
    fn string(&mut self, text: &[u8], at: &mut usize) {
        if std::mem::take(&mut self.escaped) {
            *at += 1;
            return;
        }
        match memchr::memchr2(b'"', b'\\', &text[*at..]) {
            None => *at = text.len(),
            Some(found) => {
                *at += found + 1;
                match text[*at - 1] {
                    b'"' => self.in_string = false,
                    _ => self.escaped = true,
                }
            }
        }
    }

    fn element(&mut self, text: &[u8], last: bool, next: &mut NextElement) -> Result<bool> {
        let blank = text.iter().take_while(|byte| byte.is_ascii_whitespace());
        let (mut skipped, mut lines) = (0, 0);
        for byte in blank {
            skipped += 1;
            lines += usize::from(*byte == b'\n');
        }
        let line = self.lines_before + lines + 1;
        self.lines_before = self.lines;
        if last && self.count == 0 && skipped == text.len() {
            return Ok(true);
        }
        self.count += 1;
        next(&text[skipped..], line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(to.len()).min(self.0.len());
            let (some, rest) = self.0.split_at(n);
            to[..n].copy_from_slice(some);
            self.0 = rest;
            Ok(n)
        }
    }

    fn found(text: &str) -> Result<Vec<(String, usize)>> {
        let mut all = Vec::new();
        let failed = |error: &std::io::Error| err!(Io, "{error}");
        elements(&mut Slow(text.as_bytes(), 3), "f", &failed, &mut |text, line| {
            all.push((String::from_utf8(text.into()).unwrap(), line));
            Ok(true)
        })?;
        Ok(all)
    }

    fn texts(text: &str) -> Vec<String> {
        found(text).unwrap().into_iter().map(|(text, _)| text.trim().to_string()).collect()
    }

    #[test]
    fn an_array_is_its_elements() {
        assert_eq!(texts("[1, 2 ,3]"), ["1", "2", "3"]);
        assert_eq!(texts("\u{feff} [ ] \n"), Vec::<String>::new());
        assert_eq!(texts(r#"[{"a": [1, "],"]}, "\"]", []]"#), [r#"{"a": [1, "],"]}"#, r#""\"]""#, "[]"]);
        assert_eq!(texts("[1,]"), ["1", ""]);
        assert_eq!(texts("{\"a\": [1]}"), ["{\"a\": [1]}"]);
        assert_eq!(texts(""), [""]);
    }

    #[test]
    fn lines_are_those_that_elements_begin_in() {
        let lines: Vec<usize> = found("\n[1,\n\n {\n},3\n]").unwrap().into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines, [2, 4, 5]);
    }

    #[test]
    fn what_is_cut_off_or_goes_on_is_told() {
        for (text, told) in [("[1, [2]\n", "line 2: this is not JSON: the array does not end"), ("[1]\n[2]", "line 2")]
        {
            let message = found(text).unwrap_err().message().to_string();
            assert!(message.contains(told), "{message}");
        }
    }

    proptest! {
        /// The elements of any array, wherever it is cut while it is read.
        #[test]
        fn elements_are_those_of_a_parser(values in prop::collection::vec(("[\\[\\]{},\"\\\\ a]{0,6}", any::<i8>()), 0..6), n in 1usize..5) {
            let values: Vec<serde_json::Value> =
                values.into_iter().map(|(text, n)| serde_json::json!([text, {"n": n, "t": [text]}])).collect();
            let text = serde_json::to_string_pretty(&values).unwrap();
            let mut all = Vec::new();
            let failed = |error: &std::io::Error| err!(Io, "{error}");
            elements(&mut Slow(text.as_bytes(), n), "f", &failed, &mut |text, _| {
                all.push(serde_json::from_slice::<serde_json::Value>(text).unwrap());
                Ok(true)
            }).unwrap();
            prop_assert_eq!(all, values);
        }
    }
}
