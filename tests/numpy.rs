//! What NumPy answers: cases recorded by `tests/numpy/record.py`, put to dsk as whole arrays and in several chunkings.

#[path = "numpy/case.rs"]
mod case;
#[path = "numpy/table.rs"]
mod table;

use case::{Case, Expected};
use dsk::{Config, Engine, Value};
use std::path::Path;

/// How the inputs of all cases are cut.
const WAYS: [&str; 4] = ["whole", "in ones", "in twos", "uneven"];

/// The lengths of blocks along an axis of n elements.
fn cut(way: usize, n: usize) -> Vec<usize> {
    match (way, n) {
        (_, 0) => vec![0],
        (1, _) => vec![1; n],
        (2, _) => (0..n).step_by(2).map(|start| 2.min(n - start)).collect(),
        // A block of no elements, too.
        (_, 1) => vec![0, 1],
        _ => vec![1, 0, n - 1],
    }
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An engine that knows the inputs of the cases, cut in one way.
fn engine(way: usize) -> Engine {
    let engine = Engine::with_config(Config { workers: 1, ..Config::default() });
    for input in lines(Path::new("tests/numpy/recorded/inputs.jsonl")) {
        let Expected::Array { dtype, shape, values } = Expected::of(&input) else { panic!("{input}") };
        let values: Vec<String> = values.unwrap().iter().map(case::text).collect();
        let chunks = if way == 0 {
            String::new()
        } else {
            format!(" :chunks {:?}", shape.iter().map(|&n| cut(way, n)).collect::<Vec<_>>())
        };
        // Numbers above those of int64 are not written: they are negative ones, converted.
        let through = if dtype == "uint64" { "int64" } else { &dtype };
        let form = format!(
            "(def {} (astype (array [{}] :dtype :{through} :shape {shape:?}{chunks}) :{dtype}))",
            input["name"].as_str().unwrap(),
            values.join(" ")
        );
        engine.eval(&form).unwrap_or_else(|e| panic!("{form}: {e:?}"));
    }
    engine
}

/// All cases, file by file.
fn cases() -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir("tests/numpy/recorded").unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "jsonl") && p.file_stem().is_some_and(|s| s != "inputs"));
    files.sort();
    files.iter().flat_map(|file| lines(file)).map(|line| Case::of(&line)).collect()
}

/// What is wrong with dsk's answer to a case; nothing, if it is NumPy's.
fn wrong(engine: &Engine, case: &Case) -> Option<String> {
    let answer = engine.eval(&case.form).and_then(|value| engine.compute(&value));
    match (&case.expected, answer) {
        (Expected::Failure(codes), Err(error)) => {
            let code = error.code().as_str().trim_start_matches("dsk::");
            (!codes.iter().any(|c| c == code)).then(|| format!("fails with {code}, not {codes:?}: {}", error.message()))
        }
        (Expected::Failure(codes), Ok(value)) => Some(format!("gives {value:?}, should fail with {codes:?}")),
        (_, Err(error)) => Some(format!("fails: {}: {}", error.code().as_str(), error.message())),
        (expected, Ok(value)) => case.compare(expected, &value).err(),
    }
}

fn failures(way: usize, cases: &[Case]) -> Vec<String> {
    let engine = engine(way);
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        // Whole, and cut in two of the three ways in turn: all of them take too long.
        if way > 0 && (number + way).is_multiple_of(3) {
            continue;
        }
        match (wrong(&engine, case), case.differs) {
            (Some(why), false) => failures.push(format!("{}: {}, {}\n    {why}", case.of, case.form, WAYS[way])),
            (None, true) => failures.push(format!("{}, {}\n    is as NumPy now", case.form, WAYS[way])),
            _ => {}
        }
    }
    failures
}

#[test]
fn every_case_is_answered_as_numpy_answers_it_whole_and_in_blocks() {
    let cases = cases();
    assert!(cases.len() > 2000);
    let all: Vec<String> = std::thread::scope(|scope| {
        let cases = &cases;
        let ways: Vec<_> = (0..WAYS.len()).map(|way| scope.spawn(move || failures(way, cases))).collect();
        ways.into_iter().flat_map(|way| way.join().unwrap()).collect()
    });
    assert!(all.is_empty(), "{} answers are not NumPy's:\n{}", all.len(), all.join("\n"));
}

/// `docs/numpy.md` is what the names, the engine and the cases say; `DSK_WRITE=1` writes it.
#[test]
fn the_table_of_functions_is_up_to_date() {
    let mut evidence = table::Evidence::new();
    for case in cases() {
        let (count, differs) = evidence.entry(case.of).or_default();
        *count += 1;
        *differs |= case.differs;
    }
    let names = std::fs::read_to_string("tests/numpy/names.txt").unwrap();
    let (text, wrong) = table::of(&names, &Engine::new(), &evidence);
    assert!(wrong.is_empty(), "the table cannot be made:\n{}", wrong.join("\n"));
    let path = Path::new("docs/numpy.md");
    if std::env::var_os("DSK_WRITE").is_some() {
        std::fs::create_dir_all("docs").unwrap();
        std::fs::write(path, &text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == text, "docs/numpy.md is out of date: `DSK_WRITE=1 cargo test --test numpy` writes it anew");
}

/// The comparison itself says no where it should.
#[test]
fn a_wrong_answer_is_noticed() {
    let engine = Engine::new();
    let case = |form: &str, expected: &str| {
        let line = format!(r#"{{"form":"{form}","of":"f",{expected}}}"#);
        wrong(&engine, &Case::of(&serde_json::from_str(&line).unwrap()))
    };
    let array = |values: &str| format!(r#""dtype":"float64","shape":[2],"values":{values}"#);
    assert_eq!(case("(array [1.0 -0.0])", &array("[1.0,-0.0]")), None);
    for (form, values) in [
        ("(array [1.0 -0.0])", "[1.0,0.0]"),
        ("(array [1.0 2.0])", "[1.0,2.1]"),
        ("(array [1 2])", "[1.0,2.0]"),
        ("(array [1.0 nan])", "[1.0,2.0]"),
        ("(array [1.0 2.0])", r#"[1.0,"nan"]"#),
        ("(array [1.0 inf])", r#"[1.0,"-inf"]"#),
        ("(array [[1.0 2.0]])", "[1.0,2.0]"),
        ("[1.0 2.0]", "[1.0,2.0]"),
    ] {
        assert!(case(form, &array(values)).is_some(), "{form} {values}");
    }
    assert!(case("(sum 5 :axis 3)", r#""error":["value"]"#).is_some());
    assert!(case("(sum [1 2] :axis 0)", r#""dtype":"float64","shape":[],"values":[3.0]"#).is_some());
    assert!(matches!(engine.eval("1"), Ok(Value::Int(1))));
}
