//! `str/…` of letters: small and capital ones, and what kinds of characters there are. As Python's methods, by Unicode's tables.

use crate::data::{Args, Value};
use crate::op;
use crate::op::{Kind, Op};
use crate::text::Result;
use regex::Regex;
use std::sync::LazyLock;

/// A string to a string.
macro_rules! change {
    ($usage:literal, $doc:literal, $code:literal => $result:literal, |$s:ident| $change:expr) => {
        op!(
            Kind::Now(|args| {
                let $s = args.text("s")?;
                Ok(Value::from($change))
            }),
            $usage,
            $doc,
            [$code => $result],
            []
        )
    };
}

/// Whether all characters are of a kind, and there is one.
macro_rules! all {
    ($usage:literal, $doc:literal, $code:literal => $result:literal, |$c:ident| $test:expr) => {
        op!(
            Kind::Now(|args| {
                let s = args.text("s")?;
                Ok(Value::Bool(!s.is_empty() && s.chars().all(|$c| $test)))
            }),
            $usage,
            $doc,
            [$code => $result],
            []
        )
    };
}

/// Whether a string is as a pattern says.
macro_rules! whole {
    ($usage:literal, $doc:literal, $code:literal => $result:literal, $pattern:literal) => {
        op!(
            Kind::Now(|args| {
                static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new($pattern).expect("a pattern is one"));
                Ok(Value::Bool(PATTERN.is_match(&args.text("s")?)))
            }),
            $usage,
            $doc,
            [$code => $result],
            []
        )
    };
}

pub static OPS: &[Op] = &[
    change!("(str/upper s)", "In capitals.", "(str/upper \"aé\")" => "\"AÉ\"", |s| s.to_uppercase()),
    change!("(str/lower s)", "In small letters.", "(str/lower \"AÉ\")" => "\"aé\"", |s| s.to_lowercase()),
    change!("(str/casefold s)", "With letters alike that differ in nothing but being small or capital: for comparing.",
        "(str/casefold \"Straße\")" => "\"strasse\"", |s| folded(&s)),
    change!("(str/capitalize s)", "The first letter a capital, the others small.",
        "(str/capitalize \"hELLO\")" => "\"Hello\"", |s| capitalized(&s)),
    change!("(str/title s)", "The first letter of every word a capital, the others small.",
        "(str/title \"hello wORLD\")" => "\"Hello World\"", |s| titled(&s)),
    change!("(str/swapcase s)", "Capitals small and small letters capitals.", "(str/swapcase \"aB\")" => "\"Ab\"", |s| swapped(&s)),
    op!(Kind::Now(isupper), "(str/isupper s)", "Whether all letters are capitals, and there is one.",
        ["(str/isupper \"A1\")" => "true"], ["str/upper"]),
    op!(Kind::Now(islower), "(str/islower s)", "Whether all letters are small, and there is one.",
        ["(str/islower \"a1\")" => "true"], ["str/lower"]),
    op!(Kind::Now(istitle), "(str/istitle s)", "Whether capitals begin words, small letters do not, and there is a letter.",
        ["(str/istitle \"Ab Cd1E\")" => "true", "(str/istitle \"AB\")" => "false"], ["str/title"]),
    all!("(str/isalpha s)", "Whether there are letters only.", "(str/isalpha \"aé\")" => "true", |c| is_letter(c)),
    all!("(str/isalnum s)", "Whether there are letters and digits only.", "(str/isalnum \"a1\")" => "true",
        |c| is_letter(c) || c.is_numeric()),
    whole!("(str/isdecimal s)", "Whether there are digits only, of any script.", "(str/isdecimal \"12\")" => "true", r"^\d+$"),
    whole!("(str/isdigit s)", "Whether there are digits only, raised and circled ones among them.", "(str/isdigit \"12²\")" => "true",
        r"^[\d²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒፩-፱᧚𐩀-𐩃𐹠-𐹨𑁒-𑁚🄀-🄊]+$"),
    all!("(str/isnumeric s)", "Whether there are numbers only, fractions and Roman ones among them.", "(str/isnumeric \"½\")" => "true",
        |c| c.is_numeric() || "〇一二三四五六七八九十百千万亿".contains(c)),
    all!("(str/isspace s)", "Whether there is white space only.", "(str/isspace \" \\t\")" => "true",
        |c| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)),
    whole!("(str/isascii s)", "Whether there is nothing but ASCII.", "(str/isascii \"é\")" => "false", r"^\p{ASCII}*$"),
    whole!("(str/isidentifier s)", "Whether Python could call a variable so.", "(str/isidentifier \"a_1\")" => "true",
        r"^[\p{XID_Start}_]\p{XID_Continue}*$"),
    whole!("(str/isprintable s)", "Whether all characters have a shape or are blanks.", "(str/isprintable \"a\\n\")" => "false",
        r"^(?:[^\p{C}\p{Z}]| )*$"),
];

/// A letter by its category, which marks that are alphabetic are not.
fn is_letter(c: char) -> bool {
    static LETTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\p{L}$").expect("a pattern is one"));
    match c.is_ascii() {
        true => c.is_ascii_alphabetic(),
        false => c.is_alphabetic() && LETTER.is_match(c.encode_utf8(&mut [0; 4])),
    }
}

/// Whether a letter is one of two in one, of which the first is a capital.
fn is_title(c: char) -> bool {
    matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}' | 'ᾼ' | 'ῌ' | 'ῼ')
}

/// Whether there is another case of it.
fn has_case(c: char) -> bool {
    c.is_uppercase() || c.is_lowercase() || is_title(c)
}

/// The letter as the first of a word.
fn title_of(c: char) -> String {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => "ǅ".into(),
        'Ǉ' | 'ǈ' | 'ǉ' => "ǈ".into(),
        'Ǌ' | 'ǋ' | 'ǌ' => "ǋ".into(),
        'Ǳ' | 'ǲ' | 'ǳ' => "ǲ".into(),
        // Georgian has no capitals within text.
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c.into(),
        c if is_title(c) => c.into(),
        c => {
            // Two letters that one becomes: `ß` is `Ss`.
            let mut capital = c.to_uppercase();
            let first = capital.next();
            first.into_iter().chain(capital.flat_map(char::to_lowercase)).collect()
        }
    }
}

fn folded(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.chars() {
        match c {
            'ı' => out.push(c),
            'ẞ' => out.push_str("ss"),
            // Cherokee is folded the other way.
            'Ꭰ'..='Ᏽ' => out.push(c),
            'ᏸ'..='ᏽ' | 'ꭰ'..='ꮿ' => out.extend(c.to_uppercase()),
            c if c.is_ascii() => out.push(c.to_ascii_lowercase()),
            c => out.extend(c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)),
        }
    }
    out
}

fn capitalized(s: &str) -> String {
    match s.chars().next() {
        // Small letters may depend on those before them, as the last sigma of a word does.
        Some(first) => title_of(first) + &lower_behind(s, first.len_utf8()),
        None => String::new(),
    }
}

/// What is behind a place in small letters.
fn lower_behind(s: &str, at: usize) -> String {
    let (before, _) = s.split_at(at);
    s.to_lowercase().split_off(before.to_lowercase().len())
}

fn titled(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut rest = s;
    while let Some(at) = rest.find(has_case) {
        let word = &rest[at..];
        let end = word.find(|c| !has_case(c)).unwrap_or(word.len());
        out.push_str(&rest[..at]);
        out.push_str(&capitalized(&word[..end]));
        rest = &word[end..];
    }
    out + rest
}

fn swapped(s: &str) -> String {
    // Whole, as the small letter of a sigma depends on what is around it. Both are equally long.
    let lower = s.to_lowercase();
    let (mut out, mut at) = (String::with_capacity(s.len()), 0);
    for c in s.chars() {
        let end = at + c.to_lowercase().map(char::len_utf8).sum::<usize>();
        match c {
            c if c.is_uppercase() => out.push_str(lower.get(at..end).unwrap_or_default()),
            c if is_title(c) => out.push(c),
            c => out.extend(c.to_uppercase()),
        }
        at = end;
    }
    out
}

fn isupper(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    Ok(Value::Bool(s.chars().any(char::is_uppercase) && !s.chars().any(|c| c.is_lowercase() || is_title(c))))
}

fn islower(args: Args) -> Result<Value> {
    let s = args.text("s")?;
    Ok(Value::Bool(s.chars().any(char::is_lowercase) && !s.chars().any(|c| c.is_uppercase() || is_title(c))))
}

fn istitle(args: Args) -> Result<Value> {
    let (mut in_word, mut any) = (false, false);
    for c in args.text("s")?.chars() {
        let begins = c.is_uppercase() || is_title(c);
        if begins && in_word || c.is_lowercase() && !in_word {
            return Ok(Value::Bool(false));
        }
        in_word = has_case(c);
        any |= in_word;
    }
    Ok(Value::Bool(any))
}
