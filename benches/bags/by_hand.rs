//! What somebody would write in Rust for each row: rayon over pieces of the files, a table of counts a thread, the crates `regex` and
//! `serde_json`.

use rayon::prelude::*;
use regex::Regex;
use rustc_hash::FxHashMap;
use std::fs::{File, read_dir};
use std::hash::Hash;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const PIECE: u64 = 4 << 20;

/// `words FOLDER`, `flows FOLDER`, `events FOLDER`.
pub fn run(what: &str) {
    let (name, folder) = what.split_once(' ').expect("a name and a folder");
    let folder = Path::new(folder);
    let told = match name {
        "words" => format!("{:?}", words(folder)),
        "flows" => format!("{:?}", flows(folder)),
        "events" => format!("{:?}", events(folder)),
        other => panic!("nothing is called {other}"),
    };
    std::hint::black_box(told);
}

/// Runs `each` on every line of the files, with a table of counts a thread, and adds these up.
fn counted<K: Hash + Eq + Send>(
    folder: &Path,
    ending: &str,
    each: impl Fn(&mut FxHashMap<K, u64>, &str) + Sync,
) -> FxHashMap<K, u64> {
    let mut pieces: Vec<(PathBuf, u64)> = Vec::new();
    for entry in read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|found| found == ending) {
            let length = path.metadata().expect("the file is there").len();
            pieces.extend((0..length.div_ceil(PIECE)).map(|n| (path.clone(), n * PIECE)));
        }
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(crate::beside::WORKERS).build().expect("threads start");
    pool.install(|| {
        pieces
            .par_iter()
            .fold(FxHashMap::default, |mut counts, (path, at)| {
                let text = piece(path, *at);
                text.lines().for_each(|line| each(&mut counts, line));
                counts
            })
            .reduce(FxHashMap::default, |mut all, some| {
                some.into_iter().for_each(|(key, n)| *all.entry(key).or_insert(0) += n);
                all
            })
    })
}

/// The lines that begin in a piece of a file.
fn piece(path: &Path, at: u64) -> String {
    let mut file = File::open(path).expect("the file is there");
    let from = at.saturating_sub(1);
    file.seek(SeekFrom::Start(from)).expect("it can be read");
    let mut bytes = Vec::with_capacity(PIECE as usize + 4096);
    (&mut file).take(at + PIECE - from).read_to_end(&mut bytes).expect("it can be read");
    // Up to the end of the line that begins in it.
    let mut more = [0; 4096];
    while bytes.last() != Some(&b'\n') {
        let n = file.read(&mut more).expect("it can be read");
        if n == 0 {
            break;
        }
        let end = memchr::memchr(b'\n', &more[..n]).map_or(n, |end| end + 1);
        bytes.extend_from_slice(&more[..end]);
    }
    if at > 0 {
        let begin = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1);
        bytes.drain(..begin);
    }
    String::from_utf8(bytes).expect("it is UTF-8")
}

fn top<K: Ord + Clone>(counts: FxHashMap<K, u64>) -> Vec<(K, u64)> {
    let mut all: Vec<(K, u64)> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(10);
    all
}

fn words(folder: &Path) -> Vec<(String, u64)> {
    top(counted(folder, "txt", |counts, line| {
        for word in line.split_whitespace() {
            let word = word.to_lowercase();
            let stem = word.trim_end_matches([',', '.', '!', ':', ';', '\'', '-', '"']).trim_start_matches(['\'', '"']);
            match counts.get_mut(stem) {
                Some(n) => *n += 1,
                None => drop(counts.insert(stem.to_string(), 1)),
            }
        }
    }))
}

fn flows(folder: &Path) -> Vec<((String, String), u64)> {
    let pattern = Regex::new(include_str!("flow.regex").trim()).expect("the pattern is one");
    top(counted(folder, "log", |counts, line| {
        let found = pattern.captures(line).expect("every line is a flow");
        *counts.entry((found["client_ip"].to_string(), found["server_ip"].to_string())).or_insert(0) += 1;
    }))
}

#[derive(serde::Deserialize)]
struct Event {
    r#type: String,
}

fn events(folder: &Path) -> (u64, Vec<(String, u64)>) {
    let counts = counted(folder, "json", |counts, line| {
        let event: Event = serde_json::from_str(line).expect("every line is JSON");
        *counts.entry(event.r#type).or_insert(0) += 1;
    });
    let pushes = counts.get("PushEvent").copied().unwrap_or(0);
    (pushes, top(counts))
}
