//! The harness of the benches that set dsk beside its peers, in one run: a table of rows (`rows.toml`) says what each engine is told. For
//! every row the engines take turns in processes of their own, several rounds of them, and the best time of each counts: what else the
//! machine does comes and goes, and hits one engine in one round only. Ratios are to be looked at, not seconds. The most memory that
//! each had resident stands beside, inputs included.
//!
//! Python with the peers is `DSK_PYTHON` or `python3`; a peer that is not there has no column.

#[path = "../memory/mod.rs"]
mod memory;

use dsk::{Config, Engine};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

pub const WORKERS: usize = 2;
/// Rounds of a row, and seconds after which no other begins.
const ROUNDS: usize = 3;
const ENOUGH: f64 = 60.0;
/// Runs of an engine in a round, after one that warms up; and seconds that it may take before it is told to stop trying again.
const RUNS: usize = 3;
const LIMIT: f64 = 4.0;
/// The servers of a stage, in their order; the peers' may not be there.
const DSK: usize = 0;
const BY_HAND: usize = 1;
const PEERS: usize = 2;

/// What a bench has besides its rows.
pub struct Bench {
    pub rows: &'static str,
    /// What the machine can do, measured here: `limit` of a row.
    pub limit: fn(&str) -> Result<Told, String>,
    /// The same written by hand in Rust: `hand` of a row, in a process of its own.
    pub hand: fn(&str),
}

#[derive(serde::Deserialize)]
struct Stages {
    stage: Vec<Stage>,
}

/// What shares its data.
#[derive(serde::Deserialize)]
struct Stage {
    name: String,
    /// What dsk and Python evaluate first. `{folder}` is a folder for files.
    dsk: String,
    python: String,
    #[serde(default)]
    row: Vec<Row>,
}

#[derive(serde::Deserialize)]
struct Row {
    name: String,
    dsk: String,
    /// Bytes moved or operations done, for a rate in GB/s or GFLOPS.
    #[serde(default)]
    amount: f64,
    /// A file that is removed before each run, as the run makes it anew.
    #[serde(default)]
    makes: Option<String>,
    #[serde(default)]
    limit: Option<String>,
    #[serde(default)]
    hand: Option<String>,
    /// As much work by dsk in memory, for what is on disk.
    #[serde(default)]
    in_memory: Option<String>,
    /// What each peer runs.
    #[serde(default)]
    peer: BTreeMap<String, String>,
    /// How many times as fast as each peer it should be.
    #[serde(default)]
    goal: BTreeMap<String, f64>,
}

impl Bench {
    /// Runs the stages and rows whose names have one of the words given to the command, or all.
    pub fn main(&self) {
        let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--bench")).collect();
        match &args[..] {
            [first] if first == "--dsk" => {
                let engine = Engine::with_config(Config { workers: WORKERS, ..Config::default() });
                return serve(|code| engine.eval(code).map(drop).map_err(|error| error.to_string()));
            }
            [first] if first == "--hand" => {
                return serve(|what| {
                    (self.hand)(what);
                    Ok(())
                });
            }
            _ => {}
        }
        let stages: Stages = toml::from_str(self.rows).expect("the rows are well-formed");
        let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| name.contains(arg.as_str()));
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
        for stage in &stages.stage {
            let rows: Vec<&Row> = stage.row.iter().filter(|row| wanted(&stage.name) || wanted(&row.name)).collect();
            if !rows.is_empty() {
                self.run_stage(stage, &rows, folder.path());
            }
        }
    }

    fn run_stage(&self, stage: &Stage, rows: &[&Row], folder: &Path) {
        let bench = concat!(env!("CARGO_MANIFEST_DIR"), "/benches");
        let place = |code: &str| code.replace("{folder}", &folder.display().to_string()).replace("{bench}", bench);
        println!("\n{}", stage.name);
        // Python first: it makes the files.
        let python = std::env::var("DSK_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/beside/peers.py");
        let mut peers = Server::start(Command::new(python).arg(script));
        if let Some(Err(error)) = peers.as_mut().map(|server| server.ask(json!({ "setup": place(&stage.python) }))) {
            println!("  without peers: {error}");
            peers = None;
        }
        let this = std::env::current_exe().expect("this program has a path");
        let mut ours = Server::start(Command::new(&this).arg("--dsk")).expect("this program starts again");
        let by_hand = Server::start(Command::new(&this).arg("--hand")).expect("this program starts again");
        ours.ask(json!({ "setup": place(&stage.dsk) })).expect("what dsk is told is right");
        let mut servers = vec![ours, by_hand];
        servers.extend(peers);
        println!("  {:<28}{:<16}{:>9}{:>10}{:>9}{:>8}", "", "", "s", "rate", "peak MB", "ratio");
        for row in rows {
            let makes = row.makes.as_deref().map(place);
            let tell = |server: &mut Server, code: &str| {
                let told = server.ask(json!({ "run": place(code), "seconds": LIMIT, "runs": RUNS, "makes": makes }));
                // Nor is its space needed any longer.
                makes.iter().for_each(|file| drop(std::fs::remove_file(file)));
                told
            };
            // Which server is told what; the limit none is.
            let mut sides = vec![("dsk", Some(DSK), row.dsk.as_str())];
            sides.extend(row.limit.as_deref().map(|what| ("limit", None, what)));
            sides.extend(row.hand.as_deref().map(|what| ("by hand", Some(BY_HAND), what)));
            sides.extend(row.in_memory.as_deref().map(|code| ("in memory", Some(DSK), code)));
            if servers.len() > PEERS {
                sides.extend(row.peer.iter().map(|(name, code)| (name.as_str(), Some(PEERS), code.as_str())));
            }
            let mut run = |&(_, server, what): &(&str, Option<usize>, &str)| match server {
                Some(at) => tell(&mut servers[at], what),
                None => (self.limit)(&place(what)),
            };
            let begun = Instant::now();
            let mut best: Vec<Result<Told, String>> = sides.iter().map(&mut run).collect();
            for _ in 1..ROUNDS {
                if begun.elapsed().as_secs_f64() > ENOUGH {
                    break;
                }
                for (side, best) in sides.iter().zip(&mut best) {
                    if let Ok(before) = best
                        && let Ok(told) = run(side)
                    {
                        *before = before.better(told);
                    }
                }
            }
            let found = match &best[0] {
                Ok(found) => *found,
                Err(error) => {
                    println!("  {:<28}{error}", row.name);
                    continue;
                }
            };
            let line = |row_name: &str, name: &str, told: &Told, rest: &str| {
                let rate =
                    if row.amount > 0.0 { format!("{:.3}", row.amount / told.seconds / 1e9) } else { String::new() };
                let peak = if told.peak > 0.0 { format!("{:.0}", told.peak / 1e6) } else { String::new() };
                println!("  {row_name:<28}{name:<16}{:>9.4}{rate:>10}{peak:>9}{rest}", told.seconds);
            };
            line(&row.name, "dsk", &found, "");
            for ((name, ..), told) in sides.iter().zip(best).skip(1) {
                match told {
                    Ok(told) => {
                        let ratio = told.seconds / found.seconds;
                        let goal = row.goal.get(*name).map_or(String::new(), |&goal| {
                            let word = if ratio >= goal { "reached" } else { "SHORT of" };
                            format!("  {word} {goal}")
                        });
                        line("", name, &told, &format!("{ratio:>8.2}{goal}"));
                    }
                    Err(error) => println!("  {:<28}{name:<16}{error}", ""),
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
pub struct Told {
    pub seconds: f64,
    /// Bytes; 0 where it is not known.
    pub peak: f64,
}

impl Told {
    fn better(self, other: Told) -> Told {
        Told { seconds: self.seconds.min(other.seconds), peak: self.peak.min(other.peak) }
    }
}

/// A process that answers lines of JSON.
struct Server {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(command: &mut Command) -> Option<Server> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let (orders, answers) = (child.stdin.take()?, child.stdout.take()?);
        Some(Server { child, orders, answers: BufReader::new(answers) })
    }

    fn ask(&mut self, order: Json) -> Result<Told, String> {
        let mut line = String::new();
        writeln!(self.orders, "{order}").map_err(|e| e.to_string())?;
        self.answers.read_line(&mut line).map_err(|e| e.to_string())?;
        let told: Json = serde_json::from_str(&line).map_err(|_| "it ended".to_string())?;
        match (told["seconds"].as_f64(), told["peak"].as_f64()) {
            (Some(seconds), Some(peak)) => Ok(Told { seconds, peak }),
            _ => Err(told["error"].as_str().unwrap_or("no answer").to_string()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The side of an engine in this program, which is what `peers.py` is for the others.
fn serve(run: impl Fn(&str) -> Result<(), String>) {
    for line in std::io::stdin().lines() {
        let line = line.expect("standard input can be read");
        let order: Json = serde_json::from_str(&line).expect("orders are JSON");
        let told = match order["setup"].as_str() {
            Some(setup) => run(setup).map(|()| json!({ "seconds": 0.0, "peak": 0 })),
            None => best(&run, &order),
        };
        let told = told.unwrap_or_else(|error| json!({ "error": error }));
        println!("{told}");
    }
}

fn best(run: impl Fn(&str) -> Result<(), String>, order: &Json) -> Result<Json, String> {
    let code = order["run"].as_str().unwrap_or_default();
    // Where this is refused, the peak is that of the whole life.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || (times.len() <= RUNS && begun.elapsed().as_secs_f64() < LIMIT) {
        order["makes"].as_str().iter().for_each(|file| drop(std::fs::remove_file(file)));
        let start = Instant::now();
        run(code)?;
        times.push(start.elapsed().as_secs_f64());
    }
    let warm = if times.len() > 1 { &times[1..] } else { &times };
    let best = warm.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(json!({ "seconds": best, "peak": memory::peak() }))
}
