//! What a user sees: every program in `errors/` beside the reports it gives.

use dsk::read::Forms;
use dsk::{Config, Engine};

#[test]
fn reports() {
    insta::glob!("errors/*.dsk", |path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(path).unwrap();
        insta::with_settings!({
            snapshot_path => "errors",
            prepend_module_to_snapshot => false,
            omit_expression => true,
            snapshot_suffix => "",
        }, {
            insta::assert_snapshot!(name.as_ref(), reports_of(&format!("{name}.dsk"), &text));
        });
    });
}

/// What no program can bring about by itself: an interrupt, and a defect.
#[test]
fn reports_of_what_comes_from_outside() {
    let engine = Engine::new();
    let canceller = engine.canceller();
    engine.register("(press-ctrl-c)", move || canceller.cancel()).unwrap();
    engine.register("(defect)", || -> i64 { panic!("the host's own function panicked") }).unwrap();
    let report = |text: &str| {
        let error = engine.eval_named("outside.dsk", text).and_then(|value| engine.compute(&value)).unwrap_err();
        engine.report(&error, false)
    };
    let reports = [
        report("(press-ctrl-c)\n(loop [n 0]\n  (recur (+ n 1)))"),
        report("(sum (map-blocks (fn [x] (press-ctrl-c) (dot x x)) (ones [4] :chunks 4) :dtype :f8))"),
        report("(+ 1 (defect))"),
        report("(map-blocks (fn [x] (defect) x) (ones [4] :chunks 4) :dtype :f8)"),
    ];
    insta::with_settings!({ snapshot_path => "errors", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("outside", reports.join("\n"));
    });
}

/// The reports of everything that is wrong with a program, one below the other: it goes on after what it gets wrong.
fn reports_of(name: &str, text: &str) -> String {
    // The same on every machine.
    let engine = Engine::with_config(Config { memory_limit: 18_000_000_000, ..Config::default() });
    let source = engine.sources().add(name, text);
    let values = Forms::new(source, text).map(|form| engine.eval_form(&form?).and_then(|value| engine.compute(&value)));
    let reports: Vec<String> = values.filter_map(Result::err).map(|error| engine.report(&error, false)).collect();
    reports.join("\n")
}
