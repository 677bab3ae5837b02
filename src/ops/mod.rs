//! Floor 7: the ops. One file an op, or a table of rows for a family of small ones; each folder's `OPS` lists them in
//! documentation order, and [`all`] is the one list that help, completion, the reference, arity errors and the doc tests
//! read. To add an op: its file, and its line in the folder's list.

pub mod array;
pub mod bag;
pub mod core;
pub mod forms;
pub mod graph;
pub mod io;
mod options;
pub mod text;

use crate::op::registry::Ways;
use crate::op::{Op, Registry};
use crate::text::Result;

/// A chapter of the reference.
pub struct Chapter {
    pub title: &'static str,
    /// Ops by file: one, or a table of them.
    pub ops: &'static [&'static [Op]],
}

/// Every op, chapter by chapter, in documentation order.
pub static CHAPTERS: &[Chapter] = &[
    Chapter { title: "Special forms", ops: forms::OPS },
    Chapter { title: "Values, lists and maps", ops: core::OPS },
    Chapter { title: "Text", ops: text::OPS },
    Chapter { title: "Arrays", ops: array::OPS },
    Chapter { title: "Bags", ops: bag::OPS },
    Chapter { title: "Graphs and computing", ops: graph::OPS },
    Chapter { title: "Files", ops: io::OPS },
];

/// Other names of ops: operators are the short names of NumPy's functions.
pub static ALIASES: &[(&str, &str)] = &[
    ("+", "add"),
    ("-", "subtract"),
    ("*", "multiply"),
    ("/", "divide"),
    ("//", "floor-divide"),
    ("%", "mod"),
    ("**", "power"),
    ("@", "matmul"),
    ("=", "equal"),
    ("!=", "not-equal"),
    ("<", "less"),
    ("<=", "less-equal"),
    (">", "greater"),
    (">=", "greater-equal"),
    ("not=", "not-equal"),
    ("abs", "absolute"),
    ("remainder", "mod"),
    ("pow", "power"),
    ("true-divide", "divide"),
    ("println", "print"),
];

/// Ops that do more than answer, or whose answers depend on more than their arguments. What tasks make by them is never kept
/// for another computation, unless the task itself settles it: a seed, a dataset that is open already.
pub static EFFECTS: &[&str] = &[
    "random/random",
    "random/uniform",
    "random/normal",
    "random/integers",
    "random/drawn",
    "random/seed",
    "random-sample",
    "gensym",
    "eval",
    "expand",
    "doc",
    "source",
    "apropos",
    "timed",
    "configured",
    "compute",
    "persist",
    "explain",
    "cache-info",
    "cache-clear",
    "replay",
    "visualize",
    "glob",
    "list-dir",
    "path/exists?",
    "path/file?",
    "path/size",
    "read",
    "read-text",
    "read-json",
    "read-csv",
    "bag/lines",
    "bag/json",
    "bag/csv",
    "bag/written",
    "write-text",
    "write-json",
    "read-array",
    "attributes",
    "store",
    "write",
    "print",
];

/// The only op of a file, as a table.
pub const fn one(op: &'static Op) -> &'static [Op] {
    std::slice::from_ref(op)
}

/// Every op, in documentation order.
pub fn all() -> impl Iterator<Item = &'static Op> {
    CHAPTERS.iter().flat_map(|chapter| chapter.ops).copied().flatten()
}

/// The functions that programs start with.
pub fn registry() -> Result<Registry> {
    Registry::new(all(), ALIASES, EFFECTS, |name| Ways {
        on_bags: bag::rule(name),
        direct: text::direct(name),
        flow: bag::flow(name),
    })
}

/// The documentation of a name: usage, text, examples with results, related ops. `None` where there is no such op.
pub fn doc(name: &str) -> Option<String> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    let op = all().find(|op| op.name() == name)?;
    let aliases: Vec<&str> = ALIASES.iter().filter(|(_, of)| *of == name).map(|(alias, _)| *alias).collect();
    Some(crate::op::doc::of_op(op, &aliases))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_usage_line_is_read() {
        registry().unwrap();
    }

    #[test]
    fn every_file_is_in_its_folders_list() {
        let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
        for folder in fs::read_dir(ops).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
            let list = fs::read_to_string(folder.join("mod.rs")).unwrap();
            let (_, list) = list.split_once("pub static OPS").expect("a folder of ops has its list");
            for file in fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
                let text = if file.is_dir() { String::new() } else { fs::read_to_string(&file).unwrap() };
                let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                let holds_ops = text.contains("pub static OP: Op") || text.contains("pub static OPS: &[Op]");
                if holds_ops {
                    assert!(
                        list.contains(&format!("{name}::OP")),
                        "{} is not in the list of its folder",
                        file.display()
                    );
                }
            }
        }
    }

    #[test]
    fn what_has_effects_exists() {
        let missing: Vec<&&str> = EFFECTS.iter().filter(|name| !all().any(|op| op.name() == **name)).collect();
        assert!(missing.is_empty(), "not ops: {missing:?}");
    }

    #[test]
    fn what_is_seen_also_exists() {
        let names: Vec<&str> = all().map(Op::name).chain(ALIASES.iter().map(|(alias, _)| *alias)).collect();
        let prelude = crate::eval::STDLIB.iter();
        let defined = |text: &str, name: &str| {
            ["(defn ", "(defmacro "].iter().any(|head| text.contains(&format!("{head}{name} ")))
        };
        let there = |name: &str| names.contains(&name) || prelude.clone().any(|(_, text)| defined(text, name));
        let missing: Vec<String> = all()
            .flat_map(|op| op.see.iter().map(move |see| (op, see)))
            .filter(|(_, see)| !there(see))
            .map(|(op, see)| format!("`{}` refers to `{see}`", op.name()))
            .collect();
        assert!(missing.is_empty(), "what is not there: {missing:?}");
    }
}
