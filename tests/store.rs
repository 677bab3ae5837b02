//! `read-array`, `store` and their kin, as programs use them.

use dsk::data::Value;
use dsk::text::Code;
use dsk::{Config, Engine};
use std::path::Path;

mod desk;
use desk::Desk;

/// What is in a file of the desk.
fn datasets(d: &Desk, file: &str) -> Vec<String> {
    let entries = dsk::io::hdf5::list(&d.path(file)).expect("it can be listed");
    entries.into_iter().map(|e| e.name).collect()
}

#[test]
fn what_is_stored_is_read_back() {
    let d = Desk::new();
    d.run("(def x (reshape (arange 60 :chunks 60) [6 10]))");
    d.run("(store (rechunk x [4 3]) (at \"a.h5::/g/X\") :attributes {:units \"K\" :levels [1 2 3]})");
    d.is_true("(all (= (read-array (at \"a.h5::/g/X\")) x))");
    d.is_true("(all (= (read-array (at \"a.h5::/g/X\") :chunks [5 -1]) x))");
    d.is_true("(== \"K\" (:units (attributes (at \"a.h5::/g/X\"))))".replace("==", "=").as_str());
    assert!(d.run("(attributes (at \"a.h5\"))").same(&Value::map(dsk::data::Map::new())));
    // A part, with any index.
    d.is_true("(all (= (read (at \"a.h5::/g/X\") 1:5:2 ::-3) (x 1:5:2 ::-3)))");
    d.is_true("(all (= (read (at \"a.h5::/g/X\") ... [7 0 7]) (x ... [7 0 7])))");
    d.is_true("(= (read (at \"a.h5::/g/X\") -1 -1) 59)");
    // Concrete values, numbers and lists too; compressed; of every rank.
    d.run("(store (ones [3 2]) (at \"a.h5::/ones\") :compression true)");
    d.run("(store 2.5 (at \"a.h5::/number\"))");
    d.run("(store [[1 2] [3 4]] (at \"a.h5::/list\"))");
    d.run("(store (zeros [0 3]) (at \"a.h5::/none\"))");
    d.is_true("(= (read-array (at \"a.h5::/number\")) 2.5)");
    d.is_true("(= 10 (sum (read-array (at \"a.h5::/list\"))))");
    d.is_true("(= [0 3] (shape (read-array (at \"a.h5::/none\"))))");
    d.is_true("(all (= 1 (read-array (at \"a.h5::/ones\"))))");
}

/// Rows to columns: written as it comes there is a block for each worker, and else pieces of all.
#[test]
fn what_was_rechunked_is_written_in_the_blocks_that_it_had() {
    let limits = Config { workers: 2, memory_limit: 6 << 20, max_spill: 0, ..Config::default() };
    let d = Desk::with_config(limits);
    d.run("(def x (random/random [2048 1024] :seed 1 :chunks [128 1024]))");
    d.run("(def columns (rechunk x [2048 64]))");
    let stored = |name: &str| d.is_true(&format!("(all (= (read-array (at \"{name}\") :chunks [128 1024]) x))"));
    for (name, keywords) in
        [("a.h5::/x", ":storage-chunks [2048 64]"), ("x.npy", ""), ("x.zarr", ":storage-chunks [128 64]")]
    {
        d.run(&format!("(store columns (at \"{name}\") {keywords})"));
        stored(name);
    }
    // Several times, and along with others.
    d.run("(store [(rechunk columns [512 256]) (+ x 1)] [(at \"a.h5::/y\") (at \"a.h5::/z\")] :storage-chunks [128 64] :compression 1)");
    stored("a.h5::/y");
    // Of a chunk that is compressed, or is a file, parts are not written.
    let (code, ..) = d.fails("(store columns (at \"a.h5::/w\") :storage-chunks [2048 64] :compression 1)");
    assert_eq!(code, Code::Memory);
}

#[test]
fn input_and_output_may_be_one_file_or_one_dataset() {
    let d = Desk::new();
    d.run("(store (random/random [300 200] :seed 1 :chunks [100 100]) (at \"a.h5::/A\"))");
    d.run("(def A (read-array (at \"a.h5::/A\") :chunks [100 50]))");
    d.run("(store (dot (transpose A) A) (at \"a.h5::/C\"))");
    d.is_true("(allclose (read-array (at \"a.h5::/C\")) (dot (transpose A) A))");
    // The same through filters, which are written by the library.
    d.run("(store (* A 2) (at \"a.h5::/D\") :compression 1)");
    d.is_true("(all (= (read-array (at \"a.h5::/D\")) (* A 2)))");
    // In place: the old one is read until the new one is complete.
    d.run("(def total (compute (sum A)))");
    d.run("(store (+ A 1) (at \"a.h5::/A\") :overwrite true)");
    d.is_true("(allclose (sum (read-array (at \"a.h5::/A\"))) (+ total 60000))");
    let (code, message, help) = d.fails("(compute (sum A))");
    assert_eq!(code, Code::Io);
    assert!(message.contains("`a.h5::/A` was replaced") && help.contains("read-array"), "{message} {help}");
}

#[test]
fn several_arrays_are_stored_in_one_computation() {
    let d = Desk::new();
    d.run("(def x (arange 100 :chunks 10))");
    d.run("(store [(+ x 1) (* x 2)] [(at \"a.h5::/X\") (at \"b.h5::/Y\")] :attributes [{:n 1} {:n 2}])");
    d.is_true("(all (= (read-array (at \"a.h5::/X\")) (+ x 1)))");
    d.is_true("(all (= (read-array (at \"b.h5::/Y\")) (* x 2)))");
    d.is_true("(= 2 (:n (attributes (at \"b.h5::/Y\"))))");
    let (_, message, _) = d.fails("(store [x x] [(at \"a.h5::/Z\") (at \"a.h5::/Z\")])");
    assert!(message.contains("is a target twice"), "{message}");
    assert!(d.fails("(store [x x] [(at \"a.h5::/Z\")])").1.contains("2 arrays and 1 targets"));
    // Where one target cannot be, none is written.
    assert!(d.fails("(store [x x] [(at \"a.h5::/Z\") (at \"b.h5::/Y\")])").1.contains("has `/Y` already"));
    assert_eq!(datasets(&d, "a.h5"), ["/", "/X"]);
}

#[test]
fn a_store_that_fails_says_what_is_incomplete() {
    let d = Desk::new();
    d.run("(store (ones [4]) (at \"a.h5::/before\"))");
    d.run(
        "(def bad (map-blocks (fn [b] (if (> (b 0) 20) (throw \"no more\") b)) (arange 40 :chunks 10) :dtype :int64))",
    );
    let (code, message, help) = d.fails("(with-config {:scheduler :sync} (store bad (at \"a.h5::/C\")))");
    assert_eq!(code, Code::User, "{message}");
    assert!(help.contains("`a.h5::/C.incomplete` holds the blocks that were written"), "{help}");
    assert_eq!(datasets(&d, "a.h5"), ["/", "/C.incomplete", "/before"]);
    d.is_true("(all (= 1 (read-array (at \"a.h5::/before\"))))");
    // The next store takes its place.
    d.run("(store (arange 5 :chunks 2) (at \"a.h5::/C\"))");
    assert_eq!(datasets(&d, "a.h5"), ["/", "/C", "/before"]);
}

#[test]
fn a_printed_graph_reads_back_and_opens_the_file_itself() {
    let d = Desk::new();
    d.run("(store (arange 12 :chunks 12) (at \"a.h5::/A\"))");
    let graph = d.run("(graph (sum (read-array (at \"a.h5::/A\") :chunks 5)))");
    let text = d.engine.show(&graph).unwrap();
    assert!(text.contains("a.h5::/A\" 5:10"), "{text}");
    let again = Desk::new();
    again.engine.set("g", again.run(&text)).expect("a name");
    assert_eq!(again.run("(compute g (last (toposort g)))").as_int(), Some(66));
}

#[test]
fn targets_that_are_none_are_explained() {
    let d = Desk::new();
    for (program, message) in [
        ("(read-array \"data.h5\")", "names a file, but no dataset"),
        ("(read-array \"data.xyz::/A\")", "`.xyz` is not a kind of file"),
        ("(store (ones [2]) \"data::/A\")", "does not tell what kind of file"),
        ("(store (ones [2]) :x)", "expected a string `file::/path`"),
        ("(store (ones [2]) \"x.h5::/A\" :compression 12)", "a deflate level from 1 to 9"),
        ("(store (ones [2]) \"x.h5::/A\" :attributes {:f first})", "the attribute `f` cannot be a value"),
        ("(read-array (at \"absent.h5::/A\"))", "there is no file `absent.h5`"),
        ("(store (ones [2]) (at \"no/such/x.h5::/A\"))", "there is no folder `no/such`"),
    ] {
        let (_, found, _) = d.fails(program);
        assert!(found.contains(message), "{program}: {found}");
    }
    assert!(!Path::new("x.h5").exists());
}

#[test]
fn several_programs_store_to_one_file_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.h5");
    let store = |i: usize| {
        // Half of them compressed: these have the file open all the time.
        let options = if i < 4 { "" } else { ":compression 1" };
        let program =
            format!("(store (+ (zeros [200 200] :chunks [50 50]) {i}) \"{}::/d{i}\" {options})", file.display());
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dsk"));
        command.args(["-e", &program]).stderr(std::process::Stdio::piped()).spawn().expect("a process")
    };
    let programs: Vec<_> = (0..8).map(store).collect();
    for program in programs {
        let out = program.wait_with_output().expect("an end");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let engine = Engine::new();
    for i in 0..8 {
        let sum = engine.eval_as::<f64>(&format!("(sum (read-array \"{}::/d{i}\"))", file.display()));
        assert_eq!(sum.expect("it was stored"), 40_000.0 * i as f64);
    }
    let names: Vec<String> = dsk::io::hdf5::list(&file).expect("a list").into_iter().map(|e| e.name).collect();
    assert_eq!(names.len(), 1 + 8, "{names:?}");
}

#[test]
fn programs_that_are_started_meanwhile_do_not_keep_files_locked() {
    let d = Desk::new();
    let start = || std::process::Command::new("sleep").arg("5").spawn().expect("a process");
    let stop = |mut program: std::process::Child| program.kill().and_then(|()| program.wait()).map(drop);
    let (working, is_done) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        // Dropped at the end, also where that is a panic.
        let _working = working;
        // Each of these inherits whatever is open when it begins.
        scope.spawn(move || {
            let mut running = std::collections::VecDeque::new();
            while is_done.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
                running.push_back(start());
                if running.len() > 16 {
                    running.pop_front().map(stop).transpose().expect("it ends");
                }
            }
            running.into_iter().try_for_each(stop).expect("they end");
        });
        for i in 0..100 {
            let options = if i % 2 == 0 { "" } else { ":compression 1" };
            d.run(&format!("(store (+ (zeros [20 20] :chunks [5 5]) {i}) (at \"a.h5::/d{i}\") {options})"));
            d.is_true(&format!("(= (sum (read-array (at \"a.h5::/d{i}\"))) {}.0)", 400 * i));
        }
    });
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let d = Desk::new();
    let pipe = d.folder.path().join("pipe.h5");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a pipe");
    for program in
        ["(read-array (at \"pipe.h5::/A\"))", "(store 1 (at \"pipe.h5::/A\"))", "(attributes (at \"pipe.h5\"))"]
    {
        let (code, message, _) = d.fails(program);
        assert_eq!((code, message.as_str()), (Code::Io, "`pipe.h5` is not a file"), "{program}");
    }
}

#[test]
fn a_file_that_was_cut_off_is_not_said_to_be_locked() {
    let d = Desk::new();
    d.run("(store (ones [100 100]) (at \"a.h5::/A\"))");
    let path = d.folder.path().join("a.h5");
    std::fs::OpenOptions::new().write(true).open(&path).and_then(|f| f.set_len(3000)).expect("it is cut off");
    for program in ["(read-array (at \"a.h5::/A\"))", "(store 1 (at \"a.h5::/B\"))"] {
        let (code, message, help) = d.fails(program);
        assert_eq!(code, Code::Io, "{program}");
        assert!(!format!("{message} {help}").contains("another program"), "{message} {help}");
    }
}

#[test]
fn storage_chunks_are_of_the_array() {
    let d = Desk::new();
    for (chunks, expected) in [
        ("[0]", "expected sizes of 1 or more for `storage-chunks`, found the int 0"),
        ("[5]", "a size of 5 for axis 0, which has 3 elements"),
        ("[1 1]", "a size for each axis: 1 here, found 2"),
    ] {
        let (_, message, _) = d.fails(&format!("(store (ones 3) (at \"a.h5::/A\") :storage-chunks {chunks})"));
        assert!(message.contains(expected), "{message}");
    }
    assert!(!d.folder.path().join("a.h5").exists());
    d.run("(store (ones 3) (at \"a.h5::/A\") :storage-chunks [2])");
}

#[test]
fn the_name_of_a_file_may_hold_two_colons() {
    let d = Desk::new();
    d.run("(store (ones 3) (at \"f::x y.h5::/a\"))");
    assert_eq!(datasets(&d, "f::x y.h5"), ["/", "/a"]);
    d.is_true("(= 3 (sum (read-array (at \"f::x y.h5::/a\"))))");
}

/// The HDF5 library would leave a file half written that may not grow as it must, with all that was in it.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_so_far_is_left_as_it_is() {
    use std::os::unix::process::CommandExt;

    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str, most: Option<u64>| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dsk"));
        command.current_dir(folder.path()).args(["-e", program]);
        let limit = move || {
            let Some(most) = most else { return Ok(()) };
            let most = libc::rlimit { rlim_cur: most, rlim_max: most };
            // SAFETY: a system call that reads the two numbers.
            match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const most) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: nothing is allocated or locked between fork and exec.
        let out = unsafe { command.pre_exec(limit) }.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).to_string())
    };
    assert_eq!(run("(store (arange 1000 :chunks 100) \"x.h5::/old\")", None).0, Some(0));
    let before = std::fs::read(folder.path().join("x.h5")).unwrap();
    for most in [4_000, 100_000, 10_000_000] {
        for target in ["x.h5::/new", "x.h5::/old", "other.h5::/x"] {
            let program = format!("(store (ones [2000 2000] :chunks 500) \"{target}\" :overwrite true)");
            let (code, told) = run(&program, Some(most));
            assert!(code == Some(1) && told.contains("dsk::io") && told.contains("ulimit -f"), "{told}");
        }
    }
    assert_eq!(std::fs::read(folder.path().join("x.h5")).unwrap(), before);
    assert!(!folder.path().join("other.h5").exists());
}
