//! Running the scripts in this folder.

use std::path::Path;
use std::process::{Command, Stdio};

/// A Python that has h5py: `DSK_PYTHON`, else the first of the usual ones.
fn python() -> String {
    let named = std::env::var("DSK_PYTHON").ok();
    let candidates = named.iter().map(String::as_str).chain(["python3", "/usr/bin/python3"]);
    for python in candidates {
        let has = Command::new(python).args(["-c", "import h5py, numpy"]).output();
        if has.is_ok_and(|o| o.status.success()) {
            return python.to_string();
        }
    }
    panic!(
        "no Python with h5py was found. `cargo xtask test` installs one; by hand: `apt-get install python3-h5py`, or \
         `pip install h5py` and DSK_PYTHON=…/bin/python"
    );
}

pub fn script(name: &str, args: &[&Path]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/h5py").join(name);
    let mut command = Command::new(python());
    command.arg(path).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Not while another test is opening a file: the script would inherit it, and its lock.
    let started = {
        let _lock = hdf5_sys::LOCK.lock();
        command.spawn()
    };
    let out = started.and_then(|child| child.wait_with_output()).expect("the script runs");
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{name} failed:\n{text}\n{}", String::from_utf8_lossy(&out.stdout));
}
