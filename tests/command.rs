//! The command, as a user meets it: the real binary, with arguments, standard input, and exit status.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn dsk(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsk"));
    command.args(args).current_dir(Path::new(env!("CARGO_TARGET_TMPDIR"))).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    dsk(args).output().unwrap()
}

/// Runs with a text as standard input.
fn fed(args: &[&str], input: &[u8]) -> Output {
    let mut child = dsk(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // From a thread: a child that answers while it reads must not wait for us, nor we for it.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let out = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn status(out: &Output) -> i32 {
    out.status.code().unwrap()
}

/// What a successful run prints.
#[track_caller]
fn printed(args: &[&str]) -> String {
    let out = run(args);
    assert_eq!((status(&out), text(&out.stderr).as_str()), (0, ""), "{args:?}");
    text(&out.stdout)
}

fn script(name: &str, source: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, source).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_expression_is_evaluated_computed_and_printed() {
    assert_eq!(printed(&["-e", "(+ 1 2)"]), "3\n");
    assert_eq!(printed(&["-e", "(sum (+ (arange 15 :chunks 5) 100))"]), "1605\n");
    assert_eq!(printed(&["-e", "\"a\""]), "\"a\"\n");
    assert_eq!(printed(&["-e", "nil"]), "");
    assert_eq!(printed(&["-e", "(def x 2) (* x 3)"]), "6\n");
    assert_eq!(printed(&["-e", "-1"]), "-1\n");
}

#[test]
fn a_script_finds_its_arguments_in_args() {
    let path = script("args.dsk", "(print args (count args))");
    assert_eq!(printed(&[&path, "a", "--b", "-c"]), "[\"a\" \"--b\" \"-c\"] 3\n");
    assert_eq!(printed(&["run", &path, "--help"]), "[\"--help\"] 1\n");
    assert_eq!(printed(&["--workers", "1", &path]), "[] 0\n");
    assert_eq!(printed(&["-e", "args", "x", "-y"]), "[\"x\" \"-y\"]\n");
}

#[test]
fn documentation_is_text_to_read() {
    let doc = printed(&["-e", "(doc inc)"]);
    assert_eq!(doc, "(inc x)\nx + 1.\n");
    assert_eq!(printed(&["-e", "(defn f \"Says \\\"f\\\".\" [] 1) (source f)"]), "(defn f \"Says \\\"f\\\".\" [] 1)\n");
    // As a value, it is a string like others.
    assert_eq!(printed(&["-e", "[(doc inc)]"]), "[\"(inc x)\\nx + 1.\"]\n");
}

#[test]
fn a_script_comes_from_standard_input_where_the_file_is_a_dash_or_missing() {
    for args in [&["-"][..], &[], &["run", "-"]] {
        let out = fed(args, b"(def x 20)\n(print (+ x\n 1))\n");
        assert_eq!((status(&out), text(&out.stdout).as_str()), (0, "21\n"), "{args:?}");
    }
    let out = fed(&["-", "z"], b"(print args)");
    assert_eq!(text(&out.stdout), "[\"z\"]\n");
}

#[test]
fn a_script_imports_relative_to_itself() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("imports");
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    std::fs::write(folder.join("lib/twice.dsk"), "(defn twice [x] (* 2 x))").unwrap();
    std::fs::write(folder.join("main.dsk"), "(import \"lib/twice.dsk\") (print (twice 21))").unwrap();
    assert_eq!(printed(&[folder.join("main.dsk").to_str().unwrap()]), "42\n");
}

#[test]
fn a_failure_is_a_report_on_standard_error_and_status_1() {
    let path = script("fails.dsk", "(print 1)\n(dot (ones [2 3]) (ones [2 3]))\n(print 2)\n");
    let out = run(&[&path]);
    assert_eq!((status(&out), text(&out.stdout).as_str()), (1, "1\n"));
    let report = text(&out.stderr);
    assert!(report.contains("dsk::shape") && report.contains("fails.dsk:2:1"), "{report}");
    // Not a terminal: no colours.
    assert!(!report.contains('\x1b'), "{report}");

    assert_eq!(status(&run(&["-e", "(unclosed"])), 1);
    assert_eq!(status(&run(&["-e", "(throw \"mine\")"])), 1);
    let missing = run(&["no-such-file.dsk"]);
    assert_eq!(status(&missing), 1);
    assert!(text(&missing.stderr).contains("no-such-file.dsk"));
}

#[test]
fn wrong_usage_is_status_2() {
    for args in [
        &["--no-such-flag"][..],
        &["eval"],
        &["run"],
        &["info"],
        &["fmt"],
        &["check"],
        &["--workers", "0", "-e", "1"],
        &["--workers", "x", "-e", "1"],
    ] {
        let out = run(args);
        assert_eq!(status(&out), 2, "{args:?}: {}", text(&out.stderr));
        assert!(!out.stderr.is_empty());
    }
    let slip = text(&run(&["--scheduler", "thread", "-e", "1"]).stderr);
    assert!(slip.contains("`:threads` or `:sync`") && slip.contains("--scheduler"), "{slip}");
}

#[test]
fn help_and_version_are_answers() {
    let help = printed(&["--help"]);
    for word in ["eval", "check", "fmt", "doc", "info", "--workers", "--memory-limit", "--profile"] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    assert_eq!(printed(&["--version"]), format!("dsk {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn options_come_from_a_file_from_variables_and_from_flags_the_nearest_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dsk.toml"), "scheduler = \"nonesuch\"").unwrap();
    let run = |variable: Option<&str>, flags: &[&str]| {
        let mut command = dsk(flags);
        command.args(["-e", "(compute (sum (ones [4] :chunks 2)))"]).current_dir(folder.path());
        if let Some(value) = variable {
            command.env("DSK_SCHEDULER", value);
        }
        command.output().unwrap()
    };
    let wrong = run(None, &[]);
    assert_eq!(status(&wrong), 2);
    assert!(text(&wrong.stderr).contains("dsk.toml"), "{}", text(&wrong.stderr));

    std::fs::write(folder.path().join("dsk.toml"), "scheduler = \"sync\"").unwrap();
    assert_eq!(text(&run(None, &[]).stdout), "4.0\n");
    let wrong = run(Some("nonesuch"), &[]);
    assert!(text(&wrong.stderr).contains("DSK_SCHEDULER"), "{}", text(&wrong.stderr));
    assert_eq!(text(&run(Some("sync"), &["--scheduler", "threads"]).stdout), "4.0\n");
}

#[test]
fn eval_json_answers_every_form_with_a_line_and_goes_on_after_errors() {
    let input =
        "1 2.5\n(def x [1 \"a\" nil])\nx\n(dot (ones [2 3]) (ones [2 3]))\n(ones [2 2] :chunks 1)\n(+ 1\n   2)\n";
    let out = fed(&["eval", "--json"], input.as_bytes());
    let lines: Vec<String> = text(&out.stdout).lines().map(String::from).collect();
    assert_eq!(status(&out), 0);
    assert_eq!(
        lines[..4],
        [
            r#"{"ok":true,"type":"int","value":1}"#,
            r#"{"ok":true,"type":"float","value":2.5}"#,
            r#"{"ok":true,"type":"nil","value":null}"#,
            r#"{"ok":true,"type":"list","value":[1,"a",null]}"#,
        ]
    );
    assert!(lines[4].starts_with(r#"{"ok":false,"code":"dsk::shape","message":""#), "{}", lines[4]);
    assert!(lines[4].ends_with(r#","line":4,"column":1}"#), "{}", lines[4]);
    assert_eq!(
        lines[5..],
        [
            r#"{"ok":true,"type":"array","dtype":"float64","shape":[2,2],"value":[[1.0,1.0],[1.0,1.0]]}"#,
            r#"{"ok":true,"type":"int","value":3}"#,
        ]
    );
}

#[test]
fn eval_json_goes_on_after_text_that_is_not_of_the_language() {
    let out = fed(&["eval", "--json", "-"], b"1\n2 ) 3\n\xff\xfe\n4\n(5");
    let answers = text(&out.stdout);
    let value = |line: &str| line.split_once("\"value\":").map(|(_, value)| value.trim_end_matches('}').to_owned());
    let values: Vec<Option<String>> = answers.lines().map(value).collect();
    let is = |n: &str| Some(n.to_owned());
    assert_eq!(values, [is("1"), is("2"), None, None, is("4"), None], "{answers}");
    assert_eq!(answers.matches("dsk::syntax").count(), 3, "{answers}");
    assert!(answers.lines().nth(2).unwrap().ends_with(r#""line":2,"column":3}"#), "{answers}");
}

#[test]
fn eval_json_tells_lines_of_the_whole_input() {
    let out = fed(&["eval", "--json", "-"], b"(defn f [x]\n  (+ x undefined-here))\n\n\n  (f 1)\n");
    let answers = text(&out.stdout);
    assert!(answers.lines().any(|l| l.contains("dsk::unbound") && l.contains(r#""line":2,"column":8}"#)), "{answers}");
}

#[test]
fn eval_json_reads_a_file() {
    let path = script("forms.dsk", "; two forms\n1\n'a\n");
    assert_eq!(
        printed(&["eval", "--json", &path]),
        "{\"ok\":true,\"type\":\"int\",\"value\":1}\n{\"ok\":true,\"type\":\"string\",\"value\":\"a\"}\n"
    );
}

#[test]
fn eval_json_converses_each_answer_comes_before_the_next_form_is_sent() {
    let mut child = dsk(&["eval", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    for n in 0..3 {
        writeln!(to, "(print \"not an answer\")").unwrap();
        writeln!(to, "(* {n} 2)").unwrap();
        let mut lines = [String::new(), String::new()];
        for line in &mut lines {
            from.read_line(line).unwrap();
        }
        assert_eq!(lines[0], "{\"ok\":true,\"type\":\"nil\",\"value\":null}\n");
        assert_eq!(lines[1], format!("{{\"ok\":true,\"type\":\"int\",\"value\":{}}}\n", n * 2));
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_graph_is_answered_as_keys_and_tasks() {
    let out = fed(&["eval", "--json", "-"], b"(graph '{x 1 y (+ x 2) [w 0] [x y]})\n");
    assert_eq!(
        text(&out.stdout),
        "{\"ok\":true,\"type\":\"graph\",\"value\":[[\"x\",\"1\"],[\"y\",\"(+ x 2)\"],[\"[w 0]\",\"[x y]\"]]}\n"
    );
}

#[test]
fn a_reader_that_leaves_early_does_not_make_it_panic() {
    let mut child = dsk(&["-e", "(loop [] (print \"again and again\") (recur))"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let end = wait(&mut child);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(end && said.is_empty(), "{said}");
}

/// Whether the child ends within a while; it is ended if not.
fn wait(child: &mut std::process::Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// What Ctrl-C sends. (A minimal machine has no `kill` program.)
#[cfg(unix)]
fn interrupt(child: &Child) {
    let process = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
}

/// A list that holds a list twice, which holds a list twice, and so on: its text is longer than there are atoms.
const DEEP: &str = "(loop [x [] n 0] (if (= n 300) x (recur [x x] (+ n 1))))";

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_program_with_status_130() {
    let kernels = [
        "(loop [] (recur))",
        ENDLESS,
        // Single calls that take long in themselves.
        "(dot (ones [9000 9000]) (ones [9000 9000]))",
        "(dot (ones [3000 3000] :dtype :i8) (ones [3000 3000] :dtype :i8))",
        "(count (sort (random/random [30000000])))",
        "(sum (** (random/random [80000000]) 1.7))",
        "(var (random/normal 0 1 [80000000]))",
        "(sum (ones [30000000] :chunks 1))",
    ];
    let deep = [
        "(hash x)",
        "(str x)",
        "(json/write x)",
        "(print x)",
        "x",
        "(compute (delay (count x)))",
        "(contains? {x 1} x)",
    ];
    let deep = deep.map(|use_of_it| format!("(def x {DEEP}) {use_of_it}"));
    for program in kernels.into_iter().map(String::from).chain(deep) {
        let program = format!("(print \"ready\") {program}");
        let mut child = dsk(&["-e", &program]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // The loop begins right after the line.
        std::thread::sleep(Duration::from_millis(100));
        interrupt(&child);
        assert!(wait(&mut child), "{program}");
        let out = child.wait_with_output().unwrap();
        assert_eq!(status(&out), 130, "{program}: {}", text(&out.stderr));
        assert!(text(&out.stderr).contains("dsk::interrupted"), "{}", text(&out.stderr));
    }
}

#[test]
fn the_reference_comes_from_the_ops() {
    let one = printed(&["doc", "transpose"]);
    assert!(one.starts_with("(transpose "), "{one}");
    let all = printed(&["doc"]);
    for name in ["transpose", "sum", "let", "graph", "store"] {
        assert!(all.contains(name), "{name} is not in the list");
    }
    let unknown = run(&["doc", "transpoze"]);
    assert_eq!(status(&unknown), 1);
    assert!(text(&unknown.stderr).contains("`transpose`"), "{}", text(&unknown.stderr));
}

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn run_in(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let out = dsk(args).current_dir(folder).output().unwrap();
    (status(&out), text(&out.stdout), text(&out.stderr))
}

#[test]
fn check_reports_all_that_is_wrong_with_files_and_runs_nothing() {
    let wrong = "(print 1)\n(dot (ones [2 3]) (ones [2 3]))\n(defn f [] (nope))\n";
    let folder = folder(&[("right.dsk", "(print 1)"), ("wrong.dsk", wrong), ("unread.dsk", "(f")]);
    assert_eq!(run_in(folder.path(), &["check", "right.dsk"]), (0, String::new(), String::new()));
    let (status, out, report) = run_in(folder.path(), &["check", "wrong.dsk", "none.dsk", "right.dsk", "unread.dsk"]);
    assert_eq!((status, out.as_str()), (1, ""));
    for place in ["wrong.dsk:2:1", "wrong.dsk:3:13", "none.dsk", "unread.dsk:1:1"] {
        assert!(report.contains(place), "{place} is not in {report}");
    }
    for code in ["dsk::shape", "dsk::unbound", "dsk::io", "dsk::syntax"] {
        assert!(report.contains(code), "{code} is not in {report}");
    }
}

#[test]
fn check_takes_standard_input() {
    let out = fed(&["check", "-"], b"(nope)");
    assert_eq!((status(&out), text(&out.stdout).as_str()), (1, ""));
    assert!(text(&out.stderr).contains("<stdin>:1:2"), "{}", text(&out.stderr));
}

#[test]
fn fmt_lays_files_out_in_place() {
    let folder = folder(&[("a.dsk", "(f  a)\r\n"), ("b.dsk", "(f a)\n"), ("wrong.dsk", "(f  a\n(g ]")]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let changed = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
    let before = changed("b.dsk");

    let (status, out, report) = run_in(folder.path(), &["fmt", "--check", "a.dsk", "b.dsk"]);
    assert_eq!((status, out.as_str(), report.as_str()), (1, "a.dsk\n", ""));
    assert_eq!(read("a.dsk"), "(f  a)\r\n");

    let (status, out, report) = run_in(folder.path(), &["fmt", "wrong.dsk", "a.dsk", "missing.dsk", "b.dsk"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(report.contains("dsk::syntax") && report.contains("wrong.dsk:2:4"), "{report}");
    assert!(report.contains("dsk::io") && report.contains("missing.dsk"), "{report}");
    assert_eq!((read("a.dsk").as_str(), read("wrong.dsk").as_str()), ("(f a)\n", "(f  a\n(g ]"));
    assert_eq!(changed("b.dsk"), before);

    assert_eq!(run_in(folder.path(), &["fmt", "--check", "a.dsk", "b.dsk"]), (0, String::new(), String::new()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing unfinished is left");
}

#[test]
fn fmt_of_a_dash_is_from_standard_input_to_standard_output() {
    let out = fed(&["fmt", "-"], b"( f\n a )");
    assert_eq!((status(&out), text(&out.stdout).as_str()), (0, "(f\n  a)\n"));
    let out = fed(&["fmt", "-", "--check"], b"( f\n a )");
    assert_eq!((status(&out), text(&out.stdout).as_str()), (1, "-\n"));
    let out = fed(&["fmt", "-"], b"(f");
    assert_eq!((status(&out), text(&out.stdout).as_str()), (1, ""));
    assert!(text(&out.stderr).contains("<stdin>:1:1"), "{}", text(&out.stderr));
}

#[cfg(unix)]
#[test]
fn fmt_keeps_permissions_and_follows_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder(&[("a.dsk", "(f  a)")]);
    let (file, link) = (folder.path().join("a.dsk"), folder.path().join("link.dsk"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o750)).unwrap();
    symlink("a.dsk", &link).unwrap();
    assert_eq!(run_in(folder.path(), &["fmt", "link.dsk"]), (0, String::new(), String::new()));
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "(f a)\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o750);
}

/// An endless task on every block.
const ENDLESS: &str = "(compute (map-blocks (fn [x] (loop [] (recur))) (ones [4] :chunks 2) :dtype :f8))";

#[cfg(unix)]
#[test]
fn progress_is_told_where_it_is_asked_for() {
    let mut child = dsk(&["--progress", "-e", ENDLESS]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("0 of 2 tasks, "), "{line}");
    interrupt(&child);
    assert!(wait(&mut child));
}

#[test]
fn a_profile_is_a_page_of_every_task() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = dsk(&["--profile", "out.html", "-e", "(compute (sum (ones [4] :chunks 1)))"]);
    let out = command.current_dir(folder.path()).output().unwrap();
    assert_eq!((status(&out), text(&out.stdout).as_str()), (0, "4.0\n"), "{}", text(&out.stderr));
    let page = std::fs::read_to_string(folder.path().join("out.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("sum-"), "{page}");
}

#[test]
fn a_profile_that_cannot_be_written_is_told_before_anything_runs() {
    let out = run(&["--profile", "no-such-folder/out.html", "-e", "(print 1)"]);
    assert_eq!((status(&out), text(&out.stdout).as_str()), (1, ""));
    assert!(text(&out.stderr).contains("no-such-folder/out.html cannot be written"), "{}", text(&out.stderr));
}

#[test]
fn what_computing_the_value_of_an_expression_fails_with_points_at_it() {
    let out = run(&["-e", "(def x 1) (ones [1000000 1000000] :chunks [1000 1000])"]);
    assert!(text(&out.stderr).contains("[-e:1:11]"), "{}", text(&out.stderr));
}
