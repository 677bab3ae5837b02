//! A program that is killed at any moment: nothing is left where results waited on disk, what it read is as it was, and what it
//! was writing can be written again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: u32 = 50;

/// Stores what does not fit in memory without the disk.
const PROGRAM: &str = "
    (let [x (read-array \"in.h5::/x\" :chunks [4 400])]
      (store (rechunk (map-blocks sqrt x) [400 4]) \"out.h5::/y\" :overwrite true))";

fn dsk(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsk"));
    command.current_dir(folder).args([
        "--workers",
        "2",
        "--memory-limit",
        "400kB",
        "--spill-dir",
        "spill",
        "-e",
        program,
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn fifty_killed_programs_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("spill")).unwrap();
    let run = |program: &str| {
        let out = dsk(folder, program).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    run("(store (random/uniform 0 1 [400 400] :chunks [40 400] :seed 1) \"in.h5::/x\")");
    let input = std::fs::read(folder.join("in.h5")).unwrap();
    let begun = Instant::now();
    run(PROGRAM);
    let whole = begun.elapsed();
    let mut killed = 0;
    for n in 0..RUNS {
        let mut child = dsk(folder, PROGRAM).spawn().unwrap();
        // Every moment of a run, in a scattered order.
        let moment = whole.mul_f64(f64::from(n * 37 % RUNS) / f64::from(RUNS));
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let left: Vec<_> = std::fs::read_dir(folder.join("spill")).unwrap().collect();
        assert!(left.is_empty(), "after the kill at {moment:?}: {left:?}");
        assert!(std::fs::read(folder.join("in.h5")).unwrap() == input, "the input changed by the kill at {moment:?}");
    }
    assert!(killed >= RUNS / 2, "only {killed} of {RUNS} programs were killed before they had ended");
    // The next one finds a file that it can go on with, or says what is wrong with it; a new file is always fine.
    run(PROGRAM);
    run(
        "(when (compute (any (!= (read-array \"out.h5::/y\") (sqrt (read-array \"in.h5::/x\")))) :memory-limit \"1GB\") (throw \"another result\"))",
    );
}
