//! Programs that work on files in a folder of their own.

#![allow(dead_code, reason = "each test file uses what it needs")]

use dsk::data::Value;
use dsk::text::Code;
use dsk::{Config, Engine};
use std::path::PathBuf;

/// An engine whose programs name files in its folder: `(at "a.h5::/A")`.
pub struct Desk {
    pub folder: tempfile::TempDir,
    pub engine: Engine,
}

impl Desk {
    pub fn new() -> Desk {
        Desk::with_config(Config::default())
    }

    pub fn with_config(config: Config) -> Desk {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::with_config(config);
        let path = folder.path().display().to_string();
        engine.register("(at name)", move |name: String| format!("{path}/{name}")).expect("a new name");
        Desk { folder, engine }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The computed value of a program.
    pub fn run(&self, text: &str) -> Value {
        let value = self.engine.eval(text).and_then(|v| self.engine.compute(&v));
        value.unwrap_or_else(|e| panic!("{text}\n{e:?}\n{:?}", e.help_lines())).plain()
    }

    pub fn is_true(&self, text: &str) {
        assert!(self.run(text).same(&Value::Bool(true)), "{text}");
    }

    /// The code, message and help of a program that fails.
    pub fn fails(&self, text: &str) -> (Code, String, String) {
        match self.engine.eval(text).and_then(|v| self.engine.compute(&v)) {
            Ok(value) => panic!("{text} is {value:?}"),
            Err(error) => {
                let plain = |s: &str| s.replace(&format!("{}/", self.folder.path().display()), "");
                (error.code(), plain(error.message()), plain(&error.help_lines().join("\n")))
            }
        }
    }

    /// What is in a folder, hidden or not.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
