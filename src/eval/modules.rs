//! `(import "lib.dsk")`, `(import "lib.dsk" :as lib)`: a file is a module, with names of its own. It is evaluated once
//! for each path; importing makes its names mean the same cells elsewhere.

use super::globals::Namespace;
use super::interpreter::Interpreter;
use crate::data::Str;
use crate::err;
use crate::text::{Error, Result, SourceId, Span};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Modules {
    loaded: Mutex<FxHashMap<PathBuf, Arc<Namespace>>>,
    /// Namespaces by the source that fills them: where an `import` in it puts names.
    by_source: Mutex<FxHashMap<SourceId, Arc<Namespace>>>,
    /// The files that are being evaluated, each imported by the one before.
    chain: Mutex<Vec<(std::thread::ThreadId, PathBuf)>>,
}

/// Has the text of a module fill its names.
type Fill<'a> = dyn FnMut(SourceId, &str, &Arc<Namespace>) -> Result<()> + 'a;

impl Modules {
    /// Says whose names a text fills.
    pub fn fill(&self, source: SourceId, module: &Arc<Namespace>) {
        self.by_source.lock().insert(source, module.clone());
    }

    /// The names that a text fills, where it is the text of a module other than `current`.
    pub fn of_text(&self, source: SourceId, current: &Arc<Namespace>) -> Option<Arc<Namespace>> {
        self.by_source.lock().get(&source).filter(|module| !Arc::ptr_eq(module, current)).cloned()
    }
}

impl Interpreter {
    /// Imports a file for the code at `span`: its names as they are, or as `prefix/name`.
    pub fn import(&self, path: &str, prefix: Option<&str>, span: Span) -> Result<()> {
        self.import_by(path, prefix, span, &mut |source, text, module| self.eval_text(source, text, module).map(drop))
    }

    /// The same, with another way to have a module's text fill its names.
    pub(super) fn import_by(&self, path: &str, prefix: Option<&str>, span: Span, fill: &mut Fill) -> Result<()> {
        let from = self.modules.by_source.lock().get(&span.source).cloned();
        let target = from.unwrap_or_else(|| self.main.clone());
        let module = self.module(path, span, fill)?;
        for (name, cell) in module.defined() {
            let name = match prefix {
                Some(prefix) => Str::from(format!("{prefix}/{name}")),
                None => name,
            };
            target.alias(name, cell);
        }
        Ok(())
    }

    fn module(&self, path: &str, span: Span, fill: &mut Fill) -> Result<Arc<Namespace>> {
        let file = self.resolve(path, span)?;
        if let Some(module) = self.modules.loaded.lock().get(&file) {
            return Ok(module.clone());
        }
        let thread = std::thread::current().id();
        {
            let mut chain = self.modules.chain.lock();
            let own: Vec<&PathBuf> = chain.iter().filter(|(t, _)| *t == thread).map(|(_, p)| p).collect();
            if let Some(at) = own.iter().position(|p| **p == file) {
                let mut names: Vec<String> = own[at..].iter().map(|p| short(p)).collect();
                names.push(short(&file));
                return Err(err!(Cycle, "the imports form a cycle: {}", names.join(" -> "))
                    .label(span, "this import closes it")
                    .help("what both files need belongs in a third one"));
            }
            chain.push((thread, file.clone()));
        }
        let result = self.load(&file, path, span, fill);
        let mut chain = self.modules.chain.lock();
        if let Some(at) = chain.iter().rposition(|(t, p)| *t == thread && *p == file) {
            chain.remove(at);
        }
        drop(chain);
        let module = result?;
        self.modules.loaded.lock().insert(file, module.clone());
        Ok(module)
    }

    fn load(&self, file: &Path, path: &str, span: Span, fill: &mut Fill) -> Result<Arc<Namespace>> {
        let text = std::fs::read_to_string(file).map_err(|e| unreadable(path, &e, span))?;
        let source = self.sources().add(file.to_string_lossy(), text.as_str());
        let module = Arc::new(Namespace::behind(self.language.clone()));
        self.modules.fill(source, &module);
        fill(source, &text, &module)?;
        Ok(module)
    }

    /// The file that is meant: relative to the file that imports, to the working folder for code that is in no file.
    fn resolve(&self, path: &str, span: Span) -> Result<PathBuf> {
        let importer = self.sources().get(span.source).map(|s| PathBuf::from(&s.name)).filter(|p| p.is_file());
        let folder = importer.as_deref().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
        let full = folder.join(path);
        full.canonicalize().map_err(|e| unreadable(path, &e, span))
    }
}

fn short(path: &Path) -> String {
    path.file_name().map_or_else(|| path.to_string_lossy().into_owned(), |n| n.to_string_lossy().into_owned())
}

fn unreadable(path: &str, error: &std::io::Error, span: Span) -> Error {
    err!(Io, "`{path}` cannot be imported: {error}").label(span, "imported here")
}
