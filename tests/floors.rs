//! A module uses only the floors below it: the one rule of the house that does not bend.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up; what stands in one line is on one floor.
const FLOORS: &[&[&str]] = &[
    &["text"],
    &["data"],
    &["kernel", "io"],
    &["read"],
    &["op"],
    &["optimize"],
    &["memory"],
    &["schedule"],
    &["eval"],
    &["ops"],
    &["engine"],
    &["tools"],
];

/// Blocks convert and copy their elements, which is a kernel's work.
const EXCEPTIONS: &[(&str, &str)] = &[("data", "kernel::cast"), ("data", "kernel::layout")];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The paths after `crate::` in a file's code, one for each module: `data::{Key`, `kernel::cast::cast`.
fn mentions(code: &str) -> Vec<&str> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let after = lines.flat_map(|line| line.split("crate::").skip(1));
    after
        .flat_map(|path| match path.strip_prefix('{') {
            // `use crate::{err, data::Key};`
            Some(group) => group.split([',', '}']).map(str::trim).collect(),
            None => vec![path],
        })
        .collect()
}

#[test]
fn no_module_uses_a_floor_above_its_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut upward = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(own) = floor(module) else { continue };
        for mention in mentions(&fs::read_to_string(&file).unwrap()) {
            let used = mention.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            let allowed = match floor(used) {
                // The module itself, and macros, which live at the root.
                None => true,
                Some(_) if used == module => true,
                Some(below) => below < own || EXCEPTIONS.iter().any(|(m, p)| *m == module && mention.starts_with(p)),
            };
            if !allowed {
                upward.push(format!("{}: {module} uses crate::{used}", inside.display()));
            }
        }
    }
    assert!(upward.is_empty(), "modules that use what is not below them:\n{}", upward.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for line in lib.lines() {
        let Some(module) = line.trim().strip_prefix("pub mod ").or(line.trim().strip_prefix("mod ")) else { continue };
        let module = module.trim_end_matches(';');
        assert!(floor(module).is_some(), "`{module}` is on no floor of tests/floors.rs");
    }
}
