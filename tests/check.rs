//! `dsk check`: what is wrong with a program is found without running it, and nothing is found in one that runs.

use dsk::read::Forms;
use dsk::text::{Code, Error, SourceId};
use dsk::{Config, Engine};

fn engine() -> Engine {
    let engine = Engine::with_config(Config { memory_limit: 1 << 20, ..Config::default() });
    engine.set_output(std::io::sink());
    engine
}

fn problems(text: &str) -> Vec<Error> {
    engine().check("program.dsk", text)
}

#[test]
fn reports() {
    let engine = engine();
    let text = std::fs::read_to_string("tests/check/problems.dsk").unwrap();
    let problems = engine.check("tests/check/problems.dsk", &text);
    let reports: Vec<String> = problems.iter().map(|error| engine.report(error, false)).collect();
    insta::with_settings!({ snapshot_path => "check", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("problems", reports.join("\n"));
    });
}

#[test]
fn what_is_wrong_is_found() {
    for (program, codes) in [
        ("(dot (ones [3 4] :chunks 2) (ones [5 2] :chunks 2))", &["shape"][..]),
        ("(def n 4) (def x (ones [n 3])) (print [(dot x x) 1])", &["shape"]),
        ("(x 1) (y 2)", &["unbound", "unbound"]),
        ("(fn [x] (fn [y] (+ x z)))", &["unbound"]),
        ("(defn f [x] x) (defn g [] (f)) (g 1)", &["arity", "arity"]),
        ("(deftask f [x] x) (f 1 2)", &["arity"]),
        ("(defn f [x] (if (g) (clip)))", &["unbound", "arity"]),
        ("(sum [1 2] :axs 0)", &["arity"]),
        ("(a (b ]\n(let [x] 1)\n", &["syntax", "syntax"]),
        ("(if)\n(nope)", &["syntax", "unbound"]),
        ("(import \"nowhere.dsk\")", &["io"]),
        ("(when)", &["arity"]),
        ("(def table {:a 1}) (defmacro m [] `(+ ~(:a table) open)) (m)", &["unbound"]),
        ("(defn sizes [] [3 4]) (defmacro m [x] (throw \"no\")) (m 1)", &["user"]),
    ] {
        let problems = problems(program);
        let found: Vec<&str> = problems.iter().map(|error| error.code().as_str()).collect();
        let wanted: Vec<String> = codes.iter().map(|code| format!("dsk::{code}")).collect();
        assert_eq!(found, wanted, "{program}: {problems:?}");
        assert!(problems.iter().all(|error| !error.span().is_none()), "{program}: {problems:?}");
    }
}

#[test]
fn nothing_is_found_where_it_may_be_right() {
    for program in [
        "(defn even [n] (if (= n 0) true (odd (- n 1)))) (defn odd [n] (if (= n 0) false (even (- n 1))))",
        "(print args (first args))",
        "(try (nowhere 1) (catch e (:code e)))",
        "(try (dot (ones [2 3]) (ones [2 3])) (catch e (:code e)))",
        "(when (first args) (def x 1)) (print x)",
        "(def load (first args)) (load 1 2 3)",
        "(defn f [x] x) (when (first args) (defn f [x y] y)) (f 1 2)",
        "(eval '(def made-later 1)) (+ made-later 1)",
        "(def table (if (first args) [1] [2])) (defmacro from-table [] `(def ~(symbol (str \"t\" (first table))) 1)) (from-table) t1",
        "(defmacro define [name] `(def ~name 1)) (define seven) (+ seven 1)",
        "(defn f [x :by 1] x) (let [name :by] (f 1 name 2))",
        "(def x (read-array \"nowhere.h5::/A\")) (dot x (ones [3 4]))",
        "(def x (ones [100000 100000])) (dot x (ones [3 4]))",
        "(ones [2 3] :chunks 1) (def ones 5) (+ ones 1)",
        "(if (first args) (dot (ones [2 3]) (ones [2 3])))",
        "(defn set-x [] (def x (ones [3 4]))) (def x (ones [4 3])) (set-x) (dot x (ones [4 4]))",
        "(graph '{x 1 y (inc x) z (nowhere y)})",
        "(sum (broadcast-to 1 [1000000 1000000 1000000]))",
    ] {
        assert_eq!(format!("{:?}", problems(program)), "[]", "{program}");
    }
}

#[test]
fn nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (text, array) = (path("out.txt"), path("out.h5"));
    let program = format!(
        "(write-text \"{text}\" [\"a\"]) (store (ones [2]) \"{array}::/A\") (defn f [] (write-text \"{text}\" [\"a\"])) (f)\n\
         (loop [] (recur)) (compute (delay (loop [] (recur))))"
    );
    assert_eq!(format!("{:?}", problems(&program)), "[]");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_wrong_with_the_examples() {
    for entry in std::fs::read_dir("examples").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "dsk") {
            let text = std::fs::read_to_string(&path).unwrap();
            let problems = engine().check(&path.to_string_lossy(), &text);
            assert_eq!(format!("{problems:?}"), "[]", "{}", path.display());
        }
    }
}

/// In the scripts of the language forms that fail are followed by `;!`: only these may be found. What a macro throws points at the macro.
#[test]
fn of_the_scripts_only_what_fails_is_found() {
    for entry in std::fs::read_dir("tests/lang").unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let forms: Vec<_> = Forms::new(SourceId(1), &text).map(|form| form.unwrap().span).collect();
        for problem in engine().check(&path.to_string_lossy(), &text) {
            let says = problem.labels().iter().any(|label| {
                let form = forms.iter().find(|form| form.end > label.span.start).unwrap();
                text[form.end as usize..].lines().take(2).any(|line| line.trim().starts_with(";!"))
            });
            assert!(says || problem.code() == Code::User, "{}: {problem:?}", path.display());
        }
    }
}

#[test]
fn nothing_is_wrong_with_the_examples_of_the_reference() {
    let mut found = Vec::new();
    for op in dsk::ops::all() {
        for (code, _) in op.examples {
            let problems = problems(code);
            if !problems.is_empty() {
                found.push(format!("{code}: {problems:?}"));
            }
        }
    }
    for (file, text) in dsk::eval::STDLIB {
        let text = text.replace("\n(defn- ", "\n(defn ");
        let problems = problems(&text);
        if !problems.is_empty() {
            found.push(format!("{file}: {problems:?}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
