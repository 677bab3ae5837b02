//! What the documentation shows is so: every example of every op, and of every docstring of the prelude, is run.

use dsk::Engine;

/// `(take 2 xs)  ;=> [1 2]` lines of a docstring, as code and result.
fn examples_of(doc: &str) -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut code = String::new();
    for line in doc.lines().map(str::trim) {
        if let Some((last, result)) = line.split_once(";=>") {
            code.push_str(last.trim());
            examples.push((std::mem::take(&mut code), result.trim().to_string()));
        } else if line.starts_with('(') || !code.is_empty() {
            code.push_str(line);
            code.push('\n');
        }
    }
    examples
}

/// What is wrong with an example; nothing, if it prints what it says.
fn wrong(code: &str, result: &str) -> Option<String> {
    let engine = Engine::new();
    let got = match engine.eval(code).and_then(|value| engine.show(&engine.compute(&value)?)) {
        Ok(shown) => shown,
        Err(error) => format!("{error:?}"),
    };
    (got != result).then(|| format!("{code}\n    says   {result}\n    prints {got}"))
}

#[test]
fn every_example_of_every_op_prints_what_it_says() {
    let mut all = Vec::new();
    for op in dsk::ops::all() {
        for (code, result) in op.examples {
            all.extend(wrong(code, result).map(|w| format!("{}: {w}", op.name())));
        }
    }
    assert!(all.is_empty(), "{} examples are wrong:\n{}", all.len(), all.join("\n"));
}

#[test]
fn every_example_of_the_prelude_prints_what_it_says() {
    let read = |(_, text): &(&str, &str)| dsk::read::read(dsk::text::SourceId(1), text).unwrap();
    let tasks: Vec<dsk::data::Task> = dsk::eval::STDLIB.iter().flat_map(read).collect();
    let mut count = 0;
    for task in &tasks {
        let dsk::data::Form::Call(items) = &task.form else { continue };
        let doc = items.iter().find_map(|t| match &t.form {
            dsk::data::Form::Data(dsk::data::Value::Str(doc)) => Some(doc),
            _ => None,
        });
        for (code, result) in doc.map(|doc| examples_of(doc)).unwrap_or_default() {
            count += 1;
            assert_eq!(wrong(&code, &result), None);
        }
    }
    assert!(count > 10, "the examples were found");
}

/// Blocks of code in the pages of `docs/`: each page is one program.
#[test]
fn every_example_of_the_pages_prints_what_it_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut count = 0;
    for page in std::fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        let engine = Engine::new();
        for block in text.split("```clojure\n").skip(1) {
            let block = block.split("```").next().unwrap();
            for form in block.split_inclusive(";=>").collect::<Vec<_>>().windows(2) {
                // What a form prints stands behind the mark, at the beginning of the next part.
                let code = form[0].trim_end_matches(";=>");
                let code =
                    if is_first(block, form[0]) { code } else { code.split_once('\n').map_or("", |(_, code)| code) };
                let wanted = form[1].lines().next().unwrap_or_default().trim();
                let shown = match engine.eval(code).and_then(|value| engine.show(&engine.compute(&value)?)) {
                    Ok(shown) => shown,
                    Err(error) => format!("{error:?}"),
                };
                assert_eq!(shown, wanted, "{}: {code}", page.display());
                count += 1;
            }
        }
    }
    assert!(count > 15, "the examples were found");
}

/// Whether a part is the first of its block.
fn is_first(block: &str, part: &str) -> bool {
    std::ptr::eq(block.as_ptr(), part.as_ptr())
}
