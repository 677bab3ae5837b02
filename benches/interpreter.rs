//! The interpreter beside CPython and Koto, another language for Rust programs to embed, in one run: `cargo bench --bench interpreter`.
//!
//! A word chooses programs, `-- fib`; `DSK_BENCH_ALONE=1` leaves the others out.
//!
//! Each program is said in each language, run several times by each, and the fastest runs are compared.

use dsk::eval::Interpreter;
use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

struct Program {
    name: &'static str,
    /// Defined once.
    setup: &'static str,
    dsk: &'static str,
    python: &'static str,
    /// Run once, then the program.
    koto: [&'static str; 2],
}

const WORDS: usize = 180_000;

const PROGRAMS: &[Program] = &[
    Program {
        name: "fib 30",
        setup: "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))",
        dsk: "(fib 30)",
        python: "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\ndef run(text):\n    return fib(30)",
        koto: ["export fib = |n|\n  if n < 2\n    n\n  else\n    (fib n - 1) + (fib n - 2)", "fib 30"],
    },
    Program {
        name: "loop 1e7",
        setup: "",
        dsk: "(loop [i 0 s 0] (if (< i 10000000) (recur (+ i 1) (+ s i)) s))",
        python: "def run(text):\n    i = s = 0\n    while i < 10000000:\n        s += i\n        i += 1\n    return s",
        koto: ["", "i, s = 0, 0\nwhile i < 10000000\n  s += i\n  i += 1\ns"],
    },
    Program {
        name: "split and count",
        setup: "",
        dsk: "(count (reduce (fn [counts word] (assoc counts word (+ 1 (get counts word 0)))) {} (str/split text)))",
        python: "def run(text):\n    counts = {}\n    for word in text.split():\n        counts[word] = counts.get(word, 0) + 1\n    return len(counts)",
        koto: [
            "",
            "counts = {}\nfor word in text.split(' ')\n  if not word.is_empty()\n    n = counts.get word, 0\n    counts.insert word, n + 1\nsize counts",
        ],
    },
    Program {
        name: "mapped lambda 1e6",
        setup: "",
        dsk: "(sum (map #(+ (* % %) 1) (range 1000000)))",
        python: "def run(text):\n    return sum(map(lambda x: x * x + 1, range(1000000)))",
        koto: ["", "(0..1000000).each(|x| x * x + 1).sum()"],
    },
    Program {
        name: "build and read a map",
        setup: "(def N 200000)",
        dsk: "(let [squares (loop [i 0 m {}] (if (< i N) (recur (+ i 1) (assoc m i (* i i))) m))]
                (loop [i 0 s 0] (if (< i N) (recur (+ i 1) (+ s (get squares i))) s)))",
        python: "N = 200000\ndef run(text):\n    m = {}\n    i = 0\n    while i < N:\n        m[i] = i * i\n        i += 1\n    \
                 i = s = 0\n    while i < N:\n        s += m[i]\n        i += 1\n    return s",
        koto: ["", "m = {}\nfor i in 0..200000\n  m.insert i, i * i\ns = 0\nfor i in 0..200000\n  s += m.get i\ns"],
    },
    Program {
        name: "sort by a key",
        setup: "(def numbers (map #(mod (* % 7919) 100003) (range 200000)))",
        dsk: "(nth (sort-by #(- 0 %) numbers) 1000)",
        python: "numbers = [i * 7919 % 100003 for i in range(200000)]\ndef run(text):\n    \
                 return sorted(numbers, key=lambda x: 0 - x)[1000]",
        koto: [
            "export numbers = (0..200000).each(|i| (i * 7919) % 100003).to_list()",
            "x = copy numbers\nx.sort |n| 0 - n\nx[1000]",
        ],
    },
];

const ROUNDS: usize = 5;

fn words() -> String {
    let mut text = String::new();
    let mut state = 1u64;
    for _ in 0..WORDS {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        write!(text, "w{} ", (state >> 33) % 20_000).expect("writing to a string");
    }
    text
}

fn dsk(program: &Program, text: &str) -> Result<(String, Duration), String> {
    let registry = dsk::ops::registry().map_err(|e| e.to_string())?;
    let interpreter = Interpreter::new(registry).map_err(|e| e.to_string())?;
    interpreter.define("text", text.into());
    interpreter.eval_source("setup", program.setup).map_err(|e| e.to_string())?;
    let mut best = Duration::MAX;
    let mut result = String::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let value = interpreter.eval_source("bench", program.dsk).map_err(|e| e.to_string())?;
        best = best.min(start.elapsed());
        result = format!("{value:?}");
    }
    Ok((result, best))
}

fn python(program: &Program, text: &str) -> Option<(String, Duration)> {
    let file = std::env::temp_dir().join(format!("dsk-bench-{}.txt", std::process::id()));
    std::fs::write(&file, text).ok()?;
    let script = format!(
        "import time\n{}\ntext = open({:?}).read()\nbest = 1e9\nfor _ in range({ROUNDS}):\n    start = time.perf_counter()\n    \
         result = run(text)\n    best = min(best, time.perf_counter() - start)\nprint(result, best)",
        program.python,
        file.display()
    );
    let output = Command::new("python3").args(["-c", &script]).output().ok();
    std::fs::remove_file(&file).ok();
    let output = String::from_utf8(output?.stdout).ok()?;
    let (result, seconds) = output.trim().rsplit_once(' ')?;
    Some((result.to_string(), Duration::from_secs_f64(seconds.parse().ok()?)))
}

fn koto(program: &Program, text: &str) -> Result<(String, Duration), String> {
    let told = |error: koto::Error| error.to_string();
    let mut koto = koto::Koto::default();
    koto.prelude().insert("text", text);
    let [setup, run] = program.koto;
    koto.compile_and_run(setup).map_err(told)?;
    let mut best = Duration::MAX;
    let mut result = String::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let value = koto.compile_and_run(run).map_err(told)?;
        best = best.min(start.elapsed());
        result = koto.value_to_string(value).map_err(told)?;
    }
    Ok((result, best))
}

fn main() {
    let text = words();
    println!("{:<22}{:>12}{:>12}{:>9}{:>12}{:>9}", "", "dsk", "CPython", "ratio", "Koto", "ratio");
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let alone = std::env::var_os("DSK_BENCH_ALONE").is_some();
    for program in PROGRAMS.iter().filter(|p| words.iter().all(|w| p.name.contains(w))) {
        let (result, ours) = match dsk(program, &text) {
            Ok(done) => done,
            Err(error) => {
                println!("{:<20}{error}", program.name);
                continue;
            }
        };
        let ms = |d: Duration| format!("{:.1} ms", d.as_secs_f64() * 1e3);
        let others = [
            (!alone).then(|| python(program, &text)).flatten(),
            (!alone).then(|| koto(program, &text).map_err(|error| eprintln!("{error}")).ok()).flatten(),
        ];
        print!("{:<22}{:>12}", program.name, ms(ours));
        for other in others {
            match other {
                Some((expected, theirs)) => {
                    assert_eq!(result, expected, "{}: they disagree", program.name);
                    print!("{:>12}{:>8.1}x", ms(theirs), theirs.as_secs_f64() / ours.as_secs_f64());
                }
                None => print!("{:>12}{:>9}", "-", ""),
            }
        }
        println!();
    }
}
