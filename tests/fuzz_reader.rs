//! Nothing that the reader is given makes it panic or hang, and what it accepts it prints, and lays out, so that it reads back.
//! `DSK_FUZZ_SECONDS=600 cargo test --test fuzz_reader` runs as long as that; by default it is a second.

mod choices;

use choices::Choices;
use dsk::read::Forms;
use dsk::text::{SourceId, Sources, report::render};
use std::time::{Duration, Instant};

/// Text that has something of everything.
const SEEDS: &[&str] = &[
    "(defn f \"doc\" [x & rest :axis 0] (-> x (* 2) #(+ % %2 %&))) ; comment\n",
    "`(let [a# ~x] (f a# ~@(map #(* % 2) xs))) '[a {b \"c\"}] #_(gone) #| b #| c |# |#",
    "{:a 1 \"b\" 2.5e-3 nil 0xff_ff 1_000 -7 inf -inf nan 2j 1+2j nan-infj ... newaxis}",
    "(slice x : 2: :5 2:10 ::4 10:2:-1 -3: (: a b)) |odd name| :|odd key| @ -> ->> linalg/svd",
    "#\"(?P<a>\\d+)\\s\\\"x\" \"tab\\t \\u{1F600} \\\\ \\\"\" '`~~@ #!line\n é 日本 \u{a0}\u{feff}",
    "(graph '{x 1 [y 0] (inc x) [y 1] [x [y 0]]})\r\n",
];

/// Pieces that mean something to the grammar.
const PIECES: &[&str] = &[
    "(", ")", "[", "]", "{", "}", "#(", "#_", "#|", "|#", "'", "`", "~", "~@", "\"", "#\"", "\\", "|", ":", "::", ";",
    "\n", " ", ",", "%", "%1", "%&", "-", "+", "1", "0x", "e", "j", ".", "...", "_", "nan", "inf", "a", "é", "\u{0}",
    "@", "#", "^",
];

fn noise(random: &mut Choices) -> String {
    let bytes: Vec<u8> = (0..random.below(80)).map(|_| random.next() as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pieces(random: &mut Choices) -> String {
    (0..random.below(40)).map(|_| random.of(PIECES)).collect()
}

/// A valid program, and some changes.
fn mutated(random: &mut Choices) -> String {
    let mut text: Vec<char> = random.of(SEEDS).chars().collect();
    for _ in 0..1 + random.below(6) {
        let at = random.below(text.len());
        match random.below(4) {
            0 => drop(text.splice(at..(at + random.below(6)).min(text.len()), [])),
            1 => drop(text.splice(at..at, random.of(PIECES).chars())),
            2 => drop(text.splice(at..at, random.of(SEEDS).chars())),
            _ => text.truncate(at),
        }
    }
    text.into_iter().collect()
}

fn nested(random: &mut Choices) -> String {
    let unit = format!("{}{}", random.of(PIECES), random.of(PIECES));
    let close = random.of(&[")", "]", "}", "|#", "\"", ""]);
    let n = random.below(3_000);
    format!("{}{}{}", unit.repeat(n), random.of(SEEDS), close.repeat(n))
}

/// Reads all forms, renders all errors, and holds the reader to what it promises.
fn check(text: &str) {
    let start = Instant::now();
    let sources = Sources::default();
    let source = sources.add("fuzz", text);
    let mut forms = Forms::new(source, text);
    let mut at = 0;
    while let Some(form) = forms.next() {
        assert!(forms.offset() > at || forms.offset() == text.len(), "no way forward at {at}");
        at = forms.offset();
        match form {
            Err(error) => {
                assert!(!error.span().is_none(), "an error without a span: {error:?}");
                assert!(render(&error, &sources, false, 100).contains("fuzz:"), "the text is not shown: {error:?}");
            }
            Ok(task) => {
                assert!(
                    text.get(task.span.start as usize..task.span.end as usize).is_some()
                        && task.span.end as usize <= at
                );
                let printed = task.to_string();
                let again = dsk::read::read_one(SourceId(1), &printed);
                assert!(again.is_ok_and(|t| t == task), "does not read back: {}", dsk::read::brief(&task, 500));
            }
        }
    }
    if let Ok(once) = dsk::read::format(source, text) {
        assert_eq!(dsk::read::format(source, &once).unwrap(), once, "what is laid out is not yet so");
        assert_eq!(dsk::read::read(source, &once).unwrap(), dsk::read::read(source, text).unwrap(), "{once}");
        let has_end = |line: &str| line.ends_with([' ', '\t']) && !text.contains(['"', '|']);
        assert!(!once.lines().any(has_end) && !once.starts_with('\n'), "{once:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "took {:?}", start.elapsed());
}

#[test]
fn nothing_makes_the_reader_fail() {
    SEEDS.iter().for_each(|text| check(text));
    let seconds = std::env::var("DSK_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let until = Instant::now() + Duration::from_secs_f64(seconds.unwrap_or(1.0));
    // A long run begins elsewhere each time; the short one is always the same.
    let begin = seconds.map_or(1, |_| std::process::id().into());
    let mut random = Choices(begin);
    while Instant::now() < until {
        let state = random.0;
        let text = match random.below(20) {
            0..5 => noise(&mut random),
            5..10 => pieces(&mut random),
            10..19 => mutated(&mut random),
            _ => nested(&mut random),
        };
        let result = std::panic::catch_unwind(|| check(&text));
        assert!(result.is_ok(), "state {state:#x}, {} bytes: {:?}", text.len(), &text[..text.floor_char_boundary(500)]);
    }
}
