//! Programs that are wrong in ways nobody thought of: mutations of the scripts in `tests/lang/`. Whatever they are, the
//! interpreter answers with a value or an error, within bounded time and memory.
//!
//! `DSK_FUZZ_SECONDS=600 cargo test --release --test fuzz_eval` runs for longer; `DSK_FUZZ_SEED` starts elsewhere.

use dsk::Config;
use dsk::data::panicked::panicked;
use dsk::eval::Interpreter;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program may run this long before it is interrupted, and this long after that until it has stopped.
const PATIENCE: Duration = Duration::from_millis(100);
const STOPPING: Duration = Duration::from_secs(20);

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// xorshift64*, so that a seed says everything.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

/// Pieces that a mutation puts in.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "`",
    "~",
    "~@",
    "#(",
    "%",
    "&",
    "_",
    ":as",
    ":keys",
    ":or",
    "nil",
    "true",
    "0",
    "-1",
    "9223372036854775807",
    "1.5",
    "nan",
    "\"\"",
    "\"é\"",
    ":k",
    "(fn [x] x)",
    "(recur)",
    "(loop [] (recur))",
    "(throw 1)",
    "(def f ",
    "(defmacro f [& xs] ",
    "(let [x 1 ",
    "(try ",
    "(catch e ",
    "(finally ",
    "(delay ",
    "(compute ",
    "(apply f xs)",
    "(quote ",
    "(quasiquote (a (unquote ",
    "[x & y]",
    "{:keys [a]}",
    "(f f)",
    "(map f [1 2 3])",
    "2:10",
    "...",
    "1+2j",
    "x#",
];

fn mutate(random: &mut Random, forms: &[String]) -> String {
    let mut text = forms[random.below(forms.len())].clone();
    if random.below(2) == 0 {
        text.push('\n');
        text.push_str(&forms[random.below(forms.len())]);
    }
    for _ in 0..1 + random.below(5) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let at = places[random.below(places.len())];
        let to = places[random.below(places.len())];
        let (from, to) = (at.min(to), at.max(to).min(at.min(to) + 40));
        let to = places.iter().copied().rfind(|&p| p <= to).unwrap_or(from);
        match random.below(4) {
            0 => text.replace_range(from..to, ""),
            1 => {
                let piece = text[from..to].to_string();
                let into = places[random.below(places.len())];
                text.insert_str(into, &piece);
            }
            _ => text.insert_str(at, PIECES[random.below(PIECES.len())]),
        }
    }
    text
}

#[test]
fn mutated_programs_end_with_a_value_or_an_error() {
    let mut forms = Vec::new();
    for file in fs::read_dir("tests/lang").unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        let text = fs::read_to_string(file).unwrap();
        let read = dsk::read::read(dsk::text::SourceId(1), &text).unwrap();
        // These would touch files, and `time` prints.
        let loud = ["import", "store", "write-", "visualize", "time"];
        let quiet = |form: &&str| !loud.iter().any(|name| form.contains(name));
        let parts = read.iter().map(|f| &text[f.span.start as usize..f.span.end as usize]);
        forms.extend(parts.filter(quiet).map(String::from));
    }
    let seconds = from_env("DSK_FUZZ_SECONDS", 5);
    let mut random = Random(from_env("DSK_FUZZ_SEED", 0x5eed) | 1);

    let interpreter = Interpreter::new(dsk::ops::registry().unwrap()).unwrap();
    interpreter.set_stack_limit(200_000);
    interpreter.set_config(Config { memory_limit: 256 << 20, ..Config::default() });
    // Interrupts what takes too long, and gives up on what does not stop even then.
    let started = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let running = Arc::new(Mutex::new(String::new()));
    let epoch = Instant::now();
    let watch = {
        let (interpreter, started, over) = (interpreter.clone(), started.clone(), over.clone());
        let running = running.clone();
        std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
                let start = started.load(Ordering::SeqCst);
                let now = epoch.elapsed().as_millis() as u64;
                if start != 0 && now > start + PATIENCE.as_millis() as u64 {
                    interpreter.cancel();
                }
                if start != 0 && now > start + STOPPING.as_millis() as u64 {
                    eprintln!("this program does not stop when interrupted:\n{}", running.lock().unwrap());
                    std::process::abort();
                }
            }
        })
    };
    let mut runs = 0;
    while epoch.elapsed() < Duration::from_secs(seconds) {
        let program = mutate(&mut random, &forms);
        if std::env::var_os("DSK_FUZZ_PRINT").is_some() {
            eprintln!("---\n{program}");
        }
        running.lock().unwrap().clone_from(&program);
        started.store(epoch.elapsed().as_millis() as u64 + 1, Ordering::SeqCst);
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| interpreter.eval_source("fuzz", &program)));
        started.store(0, Ordering::SeqCst);
        interpreter.resume();
        match result {
            // An engine makes an error of it that the system has no memory.
            Err(panic) if panicked("", &*panic).code().as_str() != "dsk::internal" => runs += 1,
            Err(_) => panic!("this program panics:\n{program}"),
            Ok(Err(error)) if error.code().as_str() == "dsk::internal" => panic!("{error:?}:\n{program}"),
            Ok(_) => runs += 1,
        }
    }
    over.store(true, Ordering::SeqCst);
    watch.join().unwrap();
    assert!(runs > 10);
}
