//! Options of a computation. Nearest wins: a call's keywords, `with-config`, the command line, `DSK_*` variables,
//! `dsk.toml`, the defaults; whoever has a source of options lays it over the ones below with [`Config::with`].

use super::{Observer, Scheduler, Synchronous, Threads, machine};
use crate::data::{Map, Value};
use crate::err;
use crate::text::{Result, suggest};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone)]
pub struct Config {
    /// `:threads`, `:sync`, or one of the embedding program's own.
    pub scheduler: Arc<dyn Scheduler>,
    /// Tasks that run at the same time under `:threads`.
    pub workers: usize,
    /// Bytes that blocks may take.
    pub memory_limit: usize,
    /// Where results go that do not fit into that.
    pub spill_dir: PathBuf,
    /// Bytes that may lie there.
    pub max_spill: u64,
    /// Bytes that results may take which are kept for later computations; `None` is "none, unless in a session".
    pub cache: Option<usize>,
    /// Whether passes rewrite the graph before it runs.
    pub optimize: bool,
    /// Whether progress is shown; `None` is "where standard error is a terminal".
    pub progress: Option<bool>,
    /// Told of every task.
    pub observers: Vec<Arc<dyn Observer>>,
}

/// The option's name and what it takes.
pub const OPTIONS: &[(&str, &str)] = &[
    ("scheduler", "`:threads` or `:sync`"),
    ("workers", "a number of threads, from 1 to 1024"),
    ("memory-limit", "a size, as \"1GB\", or a number of bytes"),
    ("spill-dir", "a folder"),
    ("max-spill", "a size, as \"1GB\", or a number of bytes"),
    ("cache", "a size, as \"1GB\", a number of bytes, or `false`"),
    ("optimize", "`true` or `false`"),
    ("progress", "`true`, `false`, or `nil` for \"where standard error is a terminal\""),
];

impl Default for Config {
    fn default() -> Self {
        Config {
            scheduler: Arc::new(Threads),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            memory_limit: default_memory_limit(),
            spill_dir: std::env::temp_dir(),
            max_spill: u64::MAX,
            cache: None,
            optimize: true,
            progress: None,
            observers: Vec::new(),
        }
    }
}

impl Config {
    /// These options with those of a keyword map laid over them.
    pub fn with(&self, options: &Map) -> Result<Config> {
        let mut config = self.clone();
        for (name, value) in options.iter() {
            let Some(name) = name.as_text() else {
                return Err(err!(Type, "an option is a keyword, as `:workers`, not {}", name.a_type_name()));
            };
            config.set(name, value)?;
        }
        Ok(config)
    }

    /// Sets one option. Text is taken for what it says, so that `DSK_WORKERS=2` is `:workers 2`.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<()> {
        let wrong = || {
            let takes = OPTIONS.iter().find(|(n, _)| *n == name).map_or("", |(_, takes)| takes);
            err!(Value, "`:{name}` takes {takes}, not `{value:?}`")
        };
        let bytes = |value: &Value| match value {
            Value::Int(n) => usize::try_from(*n).ok(),
            other => other.as_text().and_then(parse_bytes),
        };
        let flag = |value: &Value| match (value, value.as_text()) {
            (Value::Bool(on), _) => Some(*on),
            (_, Some("true" | "1" | "yes" | "on")) => Some(true),
            (_, Some("false" | "0" | "no" | "off")) => Some(false),
            _ => None,
        };
        match name {
            "scheduler" => {
                self.scheduler = match value.as_text() {
                    Some("threads") => Arc::new(Threads),
                    Some("sync") => Arc::new(Synchronous),
                    _ => return Err(wrong()),
                }
            }
            "workers" => {
                let number = value.as_int().or_else(|| value.as_text()?.trim().parse().ok());
                self.workers = number
                    .and_then(|n| usize::try_from(n).ok())
                    .filter(|n| (1..=MOST_WORKERS).contains(n))
                    .ok_or_else(wrong)?;
            }
            "memory-limit" => self.memory_limit = bytes(value).filter(|&n| n > 0).ok_or_else(wrong)?,
            "spill-dir" => {
                let folder = Path::new(value.as_text().ok_or_else(wrong)?);
                if !folder.is_dir() {
                    return Err(err!(Io, "`:spill-dir`: there is no folder `{}`", folder.display()));
                }
                self.spill_dir = folder.to_path_buf();
            }
            "max-spill" => self.max_spill = bytes(value).ok_or_else(wrong)? as u64,
            "cache" => {
                let off = flag(value) == Some(false);
                self.cache = Some(if off { 0 } else { bytes(value).ok_or_else(wrong)? });
            }
            "optimize" => self.optimize = flag(value).ok_or_else(wrong)?,
            "progress" => {
                self.progress = match value {
                    Value::Nil => None,
                    other => Some(flag(other).ok_or_else(wrong)?),
                }
            }
            _ => {
                let error = err!(Arity, "there is no option `:{name}`");
                return Err(match suggest::nearest(name, OPTIONS.iter().map(|(n, _)| *n)) {
                    Some(near) => error.help(format!("did you mean `:{near}`?")),
                    None => error.help(format!(
                        "the options are {}",
                        OPTIONS.iter().map(|(n, _)| format!("`:{n}`")).collect::<Vec<_>>().join(", ")
                    )),
                });
            }
        }
        Ok(())
    }
}

const MOST_WORKERS: usize = 1024;

/// A size as people write it: `1GB`, `200 MB`, `1.5GiB`, `4096`. Decimal units are powers of 1000, `KiB` and its kin of
/// 1024. `None` where it is not a size or does not fit.
pub fn parse_bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_'))).unwrap_or(text.len());
    let number: f64 = text[..digits].replace('_', "").parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number * unit;
    (bytes.is_finite() && bytes < isize::MAX as f64).then_some(bytes as usize)
}

/// 70 % of the machine's memory, or of what its control groups leave of that.
fn default_memory_limit() -> usize {
    machine::memory().unwrap_or(4 << 30) / 10 * 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown_as_people_write_them() {
        for (text, bytes) in [("1GB", 1_000_000_000), ("1.5 GiB", 3 << 29), ("200mb", 200_000_000), ("4_096", 4096)] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "GB", "1XB", "-1GB", "1e3", "99999999999TB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
        let shown = |n| crate::text::Bytes(n).to_string();
        assert_eq!(
            [shown(8), shown(1500), shown(8_000_000), shown(64_000_000_000)],
            ["8 B", "1.5 kB", "8 MB", "64 GB"]
        );
    }

    #[test]
    fn the_nearest_layer_wins_and_slips_are_named() {
        let mut options = Map::new();
        options.set("workers", Value::Int(3));
        options.set("scheduler", Value::keyword("sync"));
        let below = Config { workers: 8, optimize: false, ..Config::default() };
        let config = below.with(&options).unwrap();
        assert_eq!((config.workers, config.scheduler.name(), config.optimize), (3, "sync", false));

        let slip = config.clone().set("worker", &Value::Int(1)).unwrap_err();
        assert_eq!(slip.help_lines(), ["did you mean `:workers`?"]);
        assert!(config.clone().set("workers", &Value::Int(0)).unwrap_err().message().contains("from 1 to 1024"));
    }
}
