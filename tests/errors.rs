//! What a user sees: every program in `errors/` beside the reports it gives.

use dsk::read::Forms;
use dsk::text::Sources;

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

/// The reports of everything that is wrong with a program, one below the other.
fn reports_of(name: &str, text: &str) -> String {
    let sources = Sources::default();
    let source = sources.add(name, text);
    let errors = Forms::new(source, text).filter_map(Result::err);
    let reports: Vec<String> = errors.map(|e| dsk::text::report::render(&e, &sources, false, 100)).collect();
    reports.join("\n")
}
