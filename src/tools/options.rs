//! The flags that every subcommand takes, laid over `DSK_*` variables and `dsk.toml`.

use crate::data::Value;
use crate::err;
use crate::schedule::Config;
use crate::text::Result;
use std::path::PathBuf;

/// Where options stand that hold for a folder.
const FILE: &str = "dsk.toml";

#[derive(clap::Args, Clone, Debug, Default)]
pub struct Options {
    /// How tasks are run: `threads` or `sync`.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Options of computations")]
    scheduler: Option<String>,
    /// Tasks that run at the same time [default: one for each core].
    #[arg(long, global = true, value_name = "N", help_heading = "Options of computations")]
    workers: Option<String>,
    /// What blocks may take, as `1GB` [default: 70 % of the machine's memory].
    #[arg(long, global = true, value_name = "SIZE", help_heading = "Options of computations")]
    memory_limit: Option<String>,
    /// Where results go that do not fit in memory.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Options of computations")]
    spill_dir: Option<String>,
    /// What these may take there, as `100GB` [default: all there is].
    #[arg(long, global = true, value_name = "SIZE", help_heading = "Options of computations")]
    max_spill: Option<String>,
    /// What results may take that are kept for later computations, as `1GB` [default: none; in a session a tenth of the memory limit].
    #[arg(long, global = true, value_name = "SIZE", help_heading = "Options of computations")]
    cache: Option<String>,
    /// Shows progress also where standard error is not a terminal.
    #[arg(long, global = true, overrides_with = "no_progress", help_heading = "Options of computations")]
    progress: bool,
    /// Shows no progress.
    #[arg(long, global = true, overrides_with = "progress", help_heading = "Options of computations")]
    no_progress: bool,
    /// Writes a timeline of every task to a page for the browser.
    #[arg(long, global = true, value_name = "OUT.html", help_heading = "Options of computations")]
    pub profile: Option<PathBuf>,
    /// Prints results and errors only.
    #[arg(long, short, global = true, help_heading = "Options of computations")]
    pub quiet: bool,
}

impl Options {
    /// The defaults, under `dsk.toml` of the current folder, under `DSK_*` variables, under the flags.
    pub fn config(&self) -> Result<Config> {
        let mut config = Config::default();
        if let Some(text) = read_if_there(FILE)? {
            set_from_toml(&mut config, &text)?;
        }
        for (name, value) in std::env::vars_os() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            let Some(name) = name.strip_prefix("DSK_") else { continue };
            let option = name.to_ascii_lowercase().replace('_', "-");
            // Other programs may use the prefix: only names that are options count.
            if crate::schedule::config::OPTIONS.iter().any(|(known, _)| *known == option) {
                config
                    .set(&option, &Value::from(value))
                    .map_err(|e| e.help(format!("from the variable DSK_{name}")))?;
            }
        }
        for (name, value) in [
            ("scheduler", &self.scheduler),
            ("workers", &self.workers),
            ("memory-limit", &self.memory_limit),
            ("spill-dir", &self.spill_dir),
            ("max-spill", &self.max_spill),
            ("cache", &self.cache),
        ] {
            if let Some(value) = value {
                config
                    .set(name, &Value::from(value.as_str()))
                    .map_err(|e| e.help(format!("from the flag --{name}")))?;
            }
        }
        if self.progress {
            config.progress = Some(true);
        } else if self.no_progress || self.quiet {
            config.progress = Some(false);
        }
        Ok(config)
    }
}

fn read_if_there(path: &str) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(err!(Io, "{path} cannot be read: {e}")),
    }
}

fn set_from_toml(config: &mut Config, text: &str) -> Result<()> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        err!(Syntax, "{FILE}, line {line}: {}", e.message())
    })?;
    for (name, value) in table {
        let value = match value {
            toml::Value::String(s) => Value::from(s),
            toml::Value::Integer(n) => Value::Int(n),
            toml::Value::Float(x) => Value::Float(x),
            toml::Value::Boolean(b) => Value::Bool(b),
            other => return Err(err!(Type, "`{name}` in {FILE} cannot be {}", other.type_str())),
        };
        config.set(&name, &value).map_err(|e| e.help(format!("from {FILE}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_sets_options_by_their_names() {
        let mut config = Config::default();
        set_from_toml(&mut config, "workers = 3\nmemory-limit = \"1GB\"\noptimize = false").unwrap();
        assert_eq!((config.workers, config.memory_limit, config.optimize), (3, 1_000_000_000, false));
    }

    #[test]
    fn what_the_file_gets_wrong_is_said_with_its_name() {
        let wrong = |text: &str| set_from_toml(&mut Config::default(), text).unwrap_err();
        assert!(wrong("workers = ").message().starts_with("dsk.toml, line 1: "));
        assert_eq!(wrong("worker = 1").help_lines(), ["did you mean `:workers`?", "from dsk.toml"]);
        assert_eq!(wrong("workers = [1]").message(), "`workers` in dsk.toml cannot be array");
    }
}
