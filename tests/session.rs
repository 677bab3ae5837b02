//! The interactive session, typed into on a terminal that the system's `script` command provides.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A session, and what the terminal shows of it.
struct Session {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    /// How much of the screen was waited for.
    seen: usize,
    _folder: tempfile::TempDir,
}

impl Session {
    fn start() -> Session {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("script")
            .args(["-qec", env!("CARGO_BIN_EXE_dsk"), "/dev/null"])
            .env("DSK_HISTORY", folder.path().join("history"))
            .env("TERM", "xterm")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script` is part of every Debian and Fedora");
        let keys = child.stdin.take().unwrap();
        let mut out = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        let mut session = Session { child, keys, screen, seen: 0, _folder: folder };
        session.wait_for("dsk> ");
        session
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the terminal shows a text, after what was waited for before.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            let screen = self.screen.lock().unwrap();
            if let Some(at) = screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{text:?} is not in {:?}", &screen[self.seen..]);
            drop(screen);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types a form, and waits for a line of the answer.
    #[track_caller]
    fn answers(&mut self, form: &str, line: &str) {
        self.press(&format!("{form}\r"));
        self.wait_for(&format!("\n{line}\r\n"));
        self.wait_for("dsk> ");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn values_are_shown_and_remembered() {
    let mut session = Session::start();
    session.answers("[*1 *e]", "[nil nil]");
    session.answers("(+ 1 2)", "3");
    session.answers("(def x 10) (* x 2)", "20");
    session.answers("[*1 *2 *3]", "[20 nil 3]");
    session.answers("(+ x 1) :two", ":two");
    session.press("\x04");
    assert!(session.child.wait().unwrap().success(), "Ctrl-D leaves with status 0");
}

#[test]
fn a_form_may_have_many_lines_and_the_prompt_shows_what_is_open() {
    let mut session = Session::start();
    session.press("(count [1\r");
    session.wait_for(" ([> ");
    session.press("2\r");
    session.answers("])", "2");
}

/// As a terminal without bracketed paste hands in what was pasted, or typed while a form was evaluated.
#[test]
fn lines_that_come_all_at_once_are_all_read() {
    let mut session = Session::start();
    session.press("(def a 20)\r(def b 22)\r(+ a b)\r");
    session.wait_for("\n42\r\n");
    session.wait_for("dsk> ");
    session.press("(defn f [x]\r(* x\r2))\r(f 21.5)\r");
    session.wait_for("\n43.0\r\n");
}

#[test]
fn an_error_is_reported_and_kept_and_the_session_goes_on() {
    let mut session = Session::start();
    session.press("(transpoze 1)\r");
    session.wait_for("repl:1:1:");
    session.wait_for("did you mean `transpose`?");
    session.answers("(:code *e)", "\"dsk::unbound\"");
}

#[test]
fn the_report_of_a_task_that_failed_says_how_to_run_it_again() {
    let mut session = Session::start();
    session.answers("(def n 0) (def g (graph '{x 8 y (// x n)})) 1", "1");
    session.press("(compute g 'y)\r");
    session.wait_for("(replay '\"y\")");
    session.wait_for("dsk> ");
    session.answers("(def n 2) [(:key *e) (replay (:key *e))]", "[y 4]");
}

#[test]
fn results_are_kept_for_the_next_form() {
    let mut session = Session::start();
    session.answers("(> (:limit (cache-info)) 1_000_000)", "true");
    session.answers("(def s (std (random/normal 0 1 [1000 1000] :chunks 500 :seed 1))) 1", "1");
    session.answers("(= (compute s) (compute s))", "true");
    session.answers("(> (:hits (cache-info)) 0)", "true");
}

#[test]
fn ctrl_c_stops_the_computation_only() {
    let mut session = Session::start();
    session.answers("(def kept 5) kept", "5");
    session.press("(loop [] (recur))\r");
    thread::sleep(Duration::from_millis(500));
    session.press("\x03");
    session.wait_for("dsk::interrupted");
    session.answers("kept", "5");
    // However often it comes, and whatever it stops.
    session.press("(dot (ones [9000 9000]) (ones [9000 9000]))\r");
    thread::sleep(Duration::from_millis(500));
    for _ in 0..3 {
        session.press("\x03");
    }
    session.wait_for("dsk::interrupted");
    session.answers("kept", "5");
    // On a line, it clears the line.
    session.press("(never finished\x03");
    session.wait_for("dsk> ");
    session.answers("(* kept 2)", "10");
}

#[test]
fn tab_completes_names_and_keywords_and_usage_is_shown() {
    let mut session = Session::start();
    session.press("(transp\t");
    session.wait_for("transpose");
    session.press(" ");
    session.wait_for("(transpose x");
    session.press(":a\t");
    session.wait_for(":axes");
    session.press("\x03");
}
