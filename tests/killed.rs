//! A program that is killed at any moment: nothing is left where results waited on disk once the next one has started, what it
//! read is as it was, and what it was writing can be written again. On every kind of file system.

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

fn run(folder: &Path, program: &str) {
    let out = dsk(folder, program).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Kills programs on a file system as `on` makes it, and has a program end well after each; what it then says of the names that
/// each left in the spill folder is told to `check`.
fn kill_fifty(on: impl Fn(&mut Command), mut check: impl FnMut(&[String], &[String])) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("spill")).unwrap();
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(folder.join("spill")).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    };
    run(folder, "(store (random/uniform 0 1 [400 400] :chunks [40 400] :seed 1) \"in.h5::/x\")");
    let input = std::fs::read(folder.join("in.h5")).unwrap();
    let timed = |_| {
        let begun = Instant::now();
        run(folder, PROGRAM);
        begun.elapsed()
    };
    // Whatever else the machine does, most programs must not be over before they are killed.
    let whole = (0..4).map(timed).min().unwrap_or_default();
    let mut killed = 0;
    for n in 0..RUNS {
        let mut command = dsk(folder, PROGRAM);
        on(&mut command);
        let mut child = command.spawn().unwrap();
        // Every moment of a run, in a scattered order.
        let moment = whole.mul_f64(f64::from(n * 37 % RUNS) / f64::from(RUNS));
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let left = names();
        run(folder, "(compute (sum (read-array \"in.h5::/x\" :chunks [40 400])))");
        check(&left, &names());
        assert!(std::fs::read(folder.join("in.h5")).unwrap() == input, "the input changed by the kill at {moment:?}");
    }
    assert!(killed >= RUNS / 4, "only {killed} of {RUNS} programs were killed before they had ended");
    // The next one finds a file that it can go on with, or says what is wrong with it; a new file is always fine.
    run(folder, PROGRAM);
    run(
        folder,
        "(when (compute (any (!= (read-array \"out.h5::/y\") (sqrt (read-array \"in.h5::/x\")))) :memory-limit \"1GB\") (throw \"another result\"))",
    );
}

#[test]
fn fifty_killed_programs_leave_nothing_behind() {
    kill_fifty(|_| (), |left, _| assert!(left.is_empty(), "{left:?}"));
}

#[cfg(target_os = "linux")]
#[test]
fn fifty_killed_programs_leave_nothing_behind_where_every_file_has_a_name() {
    let on = |command: &mut Command| refuse(command, &[(libc::SYS_openat, Some((2, O_TMPFILE)), libc::EOPNOTSUPP)]);
    kill_fifty(on, |_, then| assert!(then.is_empty(), "{then:?}"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_next_program_removes_what_fifty_killed_ones_left_where_names_stay() {
    let on = |command: &mut Command| {
        let unnamed = (libc::SYS_openat, Some((2, O_TMPFILE)), libc::EOPNOTSUPP);
        refuse(
            command,
            &[
                unnamed,
                (libc::SYS_unlinkat, None, libc::EBUSY),
                #[cfg(target_arch = "x86_64")]
                (libc::SYS_unlink, None, libc::EBUSY),
            ],
        );
    };
    let mut found = 0;
    kill_fifty(on, |left, then| {
        assert!(left.iter().all(|name| name.starts_with("dsk-spill-")), "{left:?}");
        assert!(then.is_empty(), "{then:?}");
        found += left.len();
    });
    assert!(found > 0, "no program was killed while it had a spill file");
}

/// The flag that tells `O_TMPFILE` from `O_DIRECTORY`.
#[cfg(target_os = "linux")]
const O_TMPFILE: u32 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

/// A system call, a flag in one of its arguments that decides where not every such call is meant, and the error it ends with.
#[cfg(target_os = "linux")]
type Refusal = (libc::c_long, Option<(u32, u32)>, i32);

/// Makes system calls fail in a program, as they do on file systems that cannot do what they ask for.
#[cfg(target_os = "linux")]
fn refuse(command: &mut Command, refusals: &[Refusal]) {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};
    use std::os::unix::process::CommandExt;

    let op = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: code as u16, jt, jf, k };
    let load = |at: u32| op(BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
    let mut filter = Vec::new();
    for &(call, flag, errno) in refusals {
        // `struct seccomp_data`: the number of the call is at 0, its arguments from 16 on, of which the low half counts.
        filter.push(load(0));
        match flag {
            Some((argument, flag)) => filter.extend([
                op(BPF_JMP | BPF_JEQ | BPF_K, call as u32, 0, 3),
                load(16 + 8 * argument + if cfg!(target_endian = "big") { 4 } else { 0 }),
                op(BPF_JMP | BPF_JSET | BPF_K, flag, 0, 1),
            ]),
            None => filter.push(op(BPF_JMP | BPF_JEQ | BPF_K, call as u32, 0, 1)),
        }
        filter.push(op(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0));
    }
    filter.push(op(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0));
    let install = move || {
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: two system calls, which read the filter and nothing else.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: nothing is allocated or locked between fork and exec.
    unsafe { command.pre_exec(install) };
}
