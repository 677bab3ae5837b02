//! Every example runs, and prints what it did when its snapshot was taken.

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../examples/embed.rs"]
mod embed;

/// Runs an example by the real binary in a folder of its own, and gives what it prints: the same when it is run again.
fn printed(example: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let out = Command::new(env!("CARGO_BIN_EXE_dsk")).arg(example).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success() && said.is_empty(), "{}: {said}", example.display());
        String::from_utf8(out.stdout).unwrap()
    };
    let first = run();
    assert_eq!(run(), first, "{}", example.display());
    first
}

#[test]
fn every_script_runs_and_prints_the_same_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "dsk")).collect();
    scripts.sort();
    assert!(scripts.len() >= 4);
    // Names of layers end in a hash of what they compute.
    let hash = regex::Regex::new("-[0-9a-f]{16}").unwrap();
    for script in scripts {
        let name = script.file_stem().unwrap().to_str().unwrap().to_owned();
        insta::assert_snapshot!(name, hash.replace_all(&printed(&script), "-…"));
    }
}

#[test]
fn the_embedding_example_runs() {
    embed::main().unwrap();
}
