//! A timeline of a computation, as a page for the browser: a row for each worker, a bar for each task.

use crate::data::Value;
use crate::schedule::{Observer, TaskEvent};
use crate::text::{Error, Result};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

/// Keeps when each task ran, where, and for how long.
pub struct Profile {
    begin: Instant,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    /// Since when each worker's task runs.
    since: FxHashMap<usize, Instant>,
    tasks: Vec<Ran>,
    /// Results held, whenever that changed.
    live: Vec<(f64, usize)>,
}

struct Ran {
    key: String,
    worker: usize,
    start: f64,
    seconds: f64,
    failed: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Profile { begin: Instant::now(), record: Mutex::default() }
    }
}

impl Observer for Profile {
    fn before_task(&self, task: &TaskEvent) {
        let now = Instant::now();
        let mut record = self.record.lock();
        record.since.insert(task.worker, now);
        record.live.push(((now - self.begin).as_secs_f64(), task.live));
    }

    fn after_task(&self, task: &TaskEvent, result: &Result<Value>) {
        let now = Instant::now();
        let key = task.key().to_string();
        let mut record = self.record.lock();
        let start = record.since.remove(&task.worker).unwrap_or(now);
        record.tasks.push(Ran {
            key,
            worker: task.worker,
            start: (start - self.begin).as_secs_f64(),
            seconds: (now - start).as_secs_f64(),
            failed: result.is_err(),
        });
    }

    fn finish(&self, _error: Option<&Error>) {}
}

impl Profile {
    /// Writes the page.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, self.page())
    }

    fn page(&self) -> String {
        let record = self.record.lock();
        let end = record.tasks.iter().map(|t| t.start + t.seconds).fold(1e-9, f64::max);
        let workers = record.tasks.iter().map(|t| t.worker + 1).max().unwrap_or(0);
        let busy: f64 = record.tasks.iter().map(|t| t.seconds).sum();
        let mut page = String::from(HEAD);
        let share = 100.0 * busy / (end * workers.max(1) as f64);
        let _ = writeln!(
            page,
            "<p>{} tasks on {workers} workers in {end:.3} s; workers were busy {share:.0} % of the time.</p>",
            record.tasks.len(),
        );
        page.push_str(&timeline(&record, end, workers));
        page.push_str(&totals(&record.tasks));
        page.push_str("</body></html>\n");
        page
    }
}

const HEAD: &str = "<!doctype html>
<html><head><meta charset=\"utf-8\"><title>dsk: what ran when</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em }
svg { width: 100%; background: #f6f6f4 }
td, th { text-align: left; padding: 0 1.5em 0 0 }
td + td { font-variant-numeric: tabular-nums }
</style></head><body>
";
const WIDTH: f64 = 1000.0;
const ROW: usize = 16;
/// Height of the curve of results held.
const CURVE: usize = 80;

fn timeline(record: &Record, end: f64, workers: usize) -> String {
    let height = workers * ROW + CURVE + 10;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\">\n");
    for task in &record.tasks {
        let (x, width) = (task.start / end * WIDTH, (task.seconds / end * WIDTH).max(0.2));
        let colour = if task.failed { "#d00".into() } else { format!("hsl({} 55% 60%)", hue(family(&task.key))) };
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.2}\" y=\"{}\" width=\"{width:.2}\" height=\"{}\" fill=\"{colour}\"><title>{} {:.6} s</title></rect>",
            task.worker * ROW,
            ROW - 2,
            escaped(&task.key),
            task.seconds,
        );
    }
    let most = record.live.iter().map(|&(_, n)| n).max().unwrap_or(0).max(1);
    let base = (height - 2) as f64;
    let point = |&(at, n): &(f64, usize)| {
        format!("{:.2},{:.2}", at / end * WIDTH, base - n as f64 / most as f64 * CURVE as f64)
    };
    let points: Vec<String> = record.live.iter().map(point).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#333\"><title>results held, at most {most}</title></polyline>\n</svg>",
        points.join(" ")
    );
    svg
}

/// Where the time went, by the names of layers.
fn totals(tasks: &[Ran]) -> String {
    let mut sums: FxHashMap<&str, (usize, f64)> = FxHashMap::default();
    for task in tasks {
        let sum = sums.entry(family(&task.key)).or_default();
        *sum = (sum.0 + 1, sum.1 + task.seconds);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.1.total_cmp(&a.1.1).then(a.0.cmp(b.0)));
    let mut table = String::from("<table><tr><th>layer<th>tasks<th>seconds</tr>\n");
    for (name, (count, seconds)) in sums {
        let name = escaped(name);
        let _ = writeln!(table, "<tr><td>{name}<td>{count}<td>{seconds:.6}</tr>");
    }
    table.push_str("</table>\n");
    table
}

/// The layer's name of a key: `dot-3f9c` of `[dot-3f9c 0 1]`.
fn family(key: &str) -> &str {
    key.trim_start_matches('[').split([' ', ']']).next().unwrap_or(key)
}

/// The same colour for the same name.
fn hue(name: &str) -> u32 {
    name.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into())) % 360
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
