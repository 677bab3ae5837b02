//! The language, as scripts that say beside each form what it gives: `;=> value`, or `;! dsk::code` for a failure, at the
//! end of the form's line or on the next. Each file of `tests/lang/` is one feature, evaluated by one interpreter.

use dsk::data::Value;
use dsk::eval::Interpreter;
use dsk::read;
use dsk::text::SourceId;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn interpreter() -> Arc<Interpreter> {
    Interpreter::new(dsk::ops::registry().expect("the ops are sound")).expect("the prelude is sound")
}

#[derive(PartialEq, Debug)]
enum Expected<'a> {
    Nothing,
    Value(&'a str),
    Failure(&'a str),
}

/// What is said about the form that ends at `end`.
fn expected(text: &str, end: usize) -> Expected<'_> {
    let mut lines = text[end..].lines();
    let same = lines.next().unwrap_or("").trim();
    let line = if same.starts_with(";=>") || same.starts_with(";!") { same } else { lines.next().unwrap_or("").trim() };
    if let Some(value) = line.strip_prefix(";=>") {
        Expected::Value(value.trim())
    } else if let Some(code) = line.strip_prefix(";!") {
        Expected::Failure(code.trim())
    } else {
        Expected::Nothing
    }
}

/// Evaluates a script, and says where it does not keep its word.
fn check(path: &Path) -> (usize, Vec<String>) {
    let text = fs::read_to_string(path).unwrap();
    let interpreter = interpreter();
    let source = interpreter.sources().add(path.to_string_lossy(), text.as_str());
    let mut wrong = Vec::new();
    let mut checked = 0;
    for form in read::Forms::new(source, &text) {
        let form = match form {
            Ok(form) => form,
            Err(error) => {
                wrong.push(format!("{}: {error:?}", path.display()));
                break;
            }
        };
        let (line, _) = interpreter.sources().get(source).unwrap().position(form.span.start as usize);
        let place = format!("{}:{line}: {}", path.display(), read::print(&Value::Code(Arc::new(form.clone()))));
        let result = interpreter.eval(&form);
        let expected = expected(&text, form.span.end as usize);
        checked += usize::from(expected != Expected::Nothing);
        match (expected, result) {
            (Expected::Nothing, Ok(_)) => {}
            (Expected::Nothing, Err(error)) => wrong.push(format!("{place}\n    failed: {error:?}")),
            (Expected::Value(value), Ok(got)) => {
                let got = read::print(&got);
                if got != value {
                    wrong.push(format!("{place}\n    gives {got}\n    not   {value}"));
                }
            }
            (Expected::Value(value), Err(error)) => {
                wrong.push(format!("{place}\n    failed: {error:?}\n    expected {value}"));
            }
            (Expected::Failure(code), Ok(got)) => {
                wrong.push(format!("{place}\n    gives {}\n    expected to fail with {code}", read::print(&got)));
            }
            (Expected::Failure(expected), Err(error)) => {
                let (code, message) = expected.split_once(' ').unwrap_or((expected, ""));
                if error.code().as_str() != code || !error.message().contains(message.trim()) {
                    wrong.push(format!("{place}\n    failed: {error:?}\n    expected {expected}"));
                }
                if error.span().source == SourceId(0) {
                    wrong.push(format!("{place}\n    failed without a span: {error:?}"));
                }
            }
        }
    }
    (checked, wrong)
}

#[test]
fn every_script_keeps_its_word() {
    let folder = Path::new("tests/lang");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "dsk"));
    files.sort();
    assert!(files.len() >= 10);
    let mut all = Vec::new();
    for file in files {
        let (checked, wrong) = check(&file);
        assert!(checked > 0, "{} checks nothing", file.display());
        all.extend(wrong);
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

#[test]
fn two_interpreters_do_not_interfere() {
    let (a, b) = (interpreter(), interpreter());
    a.eval_source("a", "(def x 1) (defn f [] x)").unwrap();
    b.eval_source("b", "(def x 2) (defn f [] x)").unwrap();
    assert_eq!(read::print(&a.eval_source("a", "(f)").unwrap()), "1");
    assert_eq!(read::print(&b.eval_source("b", "(f)").unwrap()), "2");
}

#[test]
fn an_endless_loop_is_interrupted() {
    let interpreter = interpreter();
    for program in ["(loop [] (recur))", "(defn f [] (f)) (f)", "(defn g [n] (if (g n) 1 2)) (while true nil)"] {
        let other = interpreter.clone();
        let timer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            other.cancel();
        });
        let error = interpreter.eval_source("loop", program).unwrap_err();
        timer.join().unwrap();
        interpreter.resume();
        assert_eq!(error.code().as_str(), "dsk::interrupted", "{program}");
    }
    assert_eq!(read::print(&interpreter.eval_source("after", "(+ 1 2)").unwrap()), "3");
}

#[test]
fn a_fold_changes_its_accumulator_in_place() {
    // Quadratic if each step copied the list: minutes instead of a moment.
    let program = "(loop [i 0 xs []] (if (< i 300000) (recur (+ i 1) (conj xs i)) (count xs)))";
    assert_eq!(read::print(&interpreter().eval_source("fold", program).unwrap()), "300000");
}

#[test]
fn closures_run_on_many_threads() {
    let interpreter = interpreter();
    interpreter.eval_source("setup", "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let value = interpreter.eval_source("thread", "(fib 12)").unwrap();
                    assert_eq!(read::print(&value), "144");
                }
            });
        }
        // Redefinition while others run: they see the old function or the new one.
        scope.spawn(|| {
            for _ in 0..200 {
                let redefine = "(defn fib [n] (if (< n 2) n (+ (fib (- n 2)) (fib (- n 1)))))";
                interpreter.eval_source("redefine", redefine).unwrap();
            }
        });
    });
}

#[test]
fn an_error_points_at_the_argument_at_fault() {
    let interpreter = interpreter();
    for (program, marked) in
        [("(nth [1 2] \"x\")", "\"x\""), ("(defn f [] (nth [1 2] :k)) (f)", ":k"), ("(do (map 5 [1 2]))", "5")]
    {
        let error = interpreter.eval_source("argument", program).unwrap_err();
        let span = error.span();
        assert_eq!(&program[span.start as usize..span.end as usize], marked, "{error:?}");
    }
}

#[test]
fn closures_are_written_down_with_what_they_captured() {
    let interpreter = interpreter();
    for (program, source) in [
        ("(let [n 10] (fn [x] (+ x n)))", "(fn [x] (+ x 10))"),
        ("(let [n [1 2]] (fn [x] (n x)))", "(fn [x] ('[1 2] x))"),
        ("(let [n 10] (fn [x] (let [n (+ n x)] n)))", "(let [n 10] (fn [x] (let [n (+ n x)] n)))"),
        ("(defn double [x] (* 2 x)) double", "(fn double [x] (* 2 x))"),
    ] {
        let Value::Function(f) = interpreter.eval_source("closure", program).unwrap() else { panic!("{program}") };
        let written = f.callable.source().unwrap();
        assert_eq!(read::print(&Value::Code(Arc::new(written))), source);
    }
}

/// The function `boom` of an embedding program, which panics.
fn with_panic() -> Arc<Interpreter> {
    use dsk::data::function::Native;
    use dsk::data::{Args, Function};
    let interpreter = interpreter();
    let boom: fn(Args) -> dsk::text::Result<Value> = |_| panic!("boom");
    let function = Function {
        name: "boom".into(),
        signature: Arc::default(),
        doc: None,
        cost: Default::default(),
        memory: Default::default(),
        callable: Box::new(Native(boom)),
    };
    interpreter.define("boom", function.into());
    interpreter
}

#[test]
fn a_panic_leaves_the_machine_as_it_was() {
    let interpreter = with_panic();
    for _ in 0..3 {
        let run = || interpreter.eval_source("boom", "(defn f [x] (+ x (boom))) (f 1)");
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    }
    assert_eq!(read::print(&interpreter.eval_source("after", "((fn [x] (* x 2)) 4)").unwrap()), "8");
}

#[test]
fn an_interpreter_runs_inside_another() {
    use dsk::data::function::Native;
    use dsk::data::{Args, Function};
    let inner = interpreter();
    inner.eval_source("inner", "(defn f [x] (def g [x]) (+ x 1))").unwrap();
    let outer = interpreter();
    let call = move |args: Args| inner.eval_source("inner", "(def f f) (f 41)").map_err(|e| e.at(args.span));
    let function = Function {
        name: "inner".into(),
        signature: Arc::default(),
        doc: None,
        cost: Default::default(),
        memory: Default::default(),
        callable: Box::new(Native(call)),
    };
    outer.define("inner", function.into());
    assert_eq!(read::print(&outer.eval_source("outer", "(defn f [] (inner)) [(f) (f)]").unwrap()), "[42 42]");
}
