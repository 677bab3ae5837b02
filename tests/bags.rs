//! Bags from files and to files, and in any partitions.

use dsk::{Config, Engine};
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

fn engine(workers: usize) -> Engine {
    Engine::with_config(Config { workers, ..Config::default() })
}

fn shown(engine: &Engine, code: &str) -> String {
    match engine.eval(code) {
        Ok(value) => value.to_string(),
        Err(error) => format!("{:?}: {error}", error.code()),
    }
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    path.display().to_string()
}

#[test]
fn lines_are_read_alike_however_files_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(folder.path(), "a.txt", "one\r\ntwo\n\nλόγος\nlast".as_bytes());
    let engine = engine(2);
    assert_eq!(
        shown(&engine, &format!("(compute (read-text {path:?}))")),
        r#"["one\n" "two\n" "\n" "λόγος\n" "last"]"#
    );
    for size in 1..32 {
        let code = format!("(compute (read-text {path:?} :blocksize {size}))");
        assert_eq!(shown(&engine, &code), r#"["one\r\n" "two\n" "\n" "λόγος\n" "last"]"#, "{size}");
    }
}

#[test]
fn what_is_written_reads_back_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(2);
    for ending in ["txt", "gz", "zst", "bz2", "xz"] {
        let target = folder.path().join(format!("{ending}-*.{ending}")).display().to_string();
        let code = format!(
            "(do (write-text {target:?} (map str (range 1000 :npartitions 3)))
                 [(count (glob {target:?})) (compute (sum (map #(int (str/strip %)) (read-text {target:?}))))])"
        );
        assert_eq!(shown(&engine, &code), "[3 499500]", "{ending}");
        let target = folder.path().join(format!("json-*.json.{ending}")).display().to_string();
        let code = format!(
            "(do (write-json {target:?} (from-list [{{:a 1}} [2.5 nil] \"x\"] :npartitions 2)) (compute (read-json {target:?})))"
        );
        assert_eq!(shown(&engine, &code), r#"[{"a" 1} [2.5 nil] "x"]"#, "{ending}");
    }
    // Nothing is left beside the files.
    assert!(
        std::fs::read_dir(folder.path()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().starts_with('.'))
    );
}

#[test]
fn a_file_appears_only_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let target = put(folder.path(), "a.txt", b"before\n");
    let engine = engine(1);
    let told = shown(&engine, &format!("(write-text {target:?} (compute (map #(/ 1 %) (from-list [1 0]))))"));
    assert!(!told.starts_with('['), "{told}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "before\n");
    let told = shown(&engine, &format!("(write-json {target:?} [1 nan])"));
    assert!(told.contains("JSON has no way"), "{told}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "before\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Partitions are read while others are written: a file gets its name when all of them are complete.
#[test]
fn files_may_be_written_over_what_they_are_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |from: usize| (from..from + 10).map(|n| format!("line {n}\n")).collect::<String>();
    put(folder.path(), "q1.dat", lines(0).as_bytes());
    put(folder.path(), "q2.dat", lines(10).as_bytes());
    let pattern = folder.path().join("q*.dat").display().to_string();
    for workers in [1, 2, 8] {
        let engine = engine(workers);
        shown(
            &engine,
            &format!("(write-text {pattern:?} (repartition (read-text {pattern:?} :blocksize 25) :npartitions 3))"),
        );
        let told = shown(&engine, &format!("(sort (distinct (compute (str/strip (read-text {pattern:?})))))"));
        assert_eq!(told.matches("line").count(), 20, "{told}");
    }
    // One that fails leaves all as they were, and nothing beside them.
    let told = shown(
        &engine(2),
        &format!("(write-text {pattern:?} (map #(if (= % \"line 15\\n\") (throw 1) %) (read-text {pattern:?})))"),
    );
    assert!(!told.starts_with('['), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn broken_files_are_told_of_by_name_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, bytes: &[u8]| put(folder.path(), name, bytes);
    let engine = engine(2);
    let told = |code: String| shown(&engine, &code);
    let text = at("latin.txt", b"abc\ncaf\xe9\n");
    assert!(told(format!("(compute (read-text {text:?}))")).contains("line 2, byte 7 is 0xe9"));
    assert_eq!(told(format!("(compute (read-text {text:?} :encoding \"latin-1\"))")), r#"["abc\n" "café\n"]"#);
    assert_eq!(told(format!("(compute (read-text {text:?} :errors \"ignore\"))")), r#"["abc\n" "caf\n"]"#);
    let json = at("a.json", b"{\"a\": 1}\n{\"a\":\n");
    assert!(told(format!("(compute (read-json {json:?}))")).contains("a.json`, line 2"));
    let csv = at("a.csv", b"a,b\n1,2,3\n");
    assert!(told(format!("(compute (read-csv {csv:?}))")).contains("line 2: 3 fields, and there are 2 names"));
    let gz = at("a.gz", b"no gzip");
    assert!(told(format!("(compute (read-text {gz:?}))")).contains("a.gz` cannot be read"));
    assert!(told(format!("(read-text {gz:?} :blocksize 10)")).contains("compressed"));
    assert!(told("(read-text \"no-such.txt\")".into()).starts_with("Io"));
    assert!(told("(read-text \"no-such/*.txt\")".into()).starts_with("Io"));
    assert!(told(format!("(read-text {:?})", folder.path().display().to_string())).contains("is a folder"));
    assert!(told(format!("(read-text {text:?} :encoding \"klingon\")")).contains("no encoding"));
    let empty = at("empty.txt", b"");
    assert_eq!(told(format!("(compute [(read-text {empty:?}) (count (read-json {empty:?}))])")), "[[] 0]");
}

#[test]
fn an_error_names_the_line_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (1..=20_000).map(|n| if n == 12_345 { "oops\n".into() } else { format!("{n}\n") }).collect();
    let path = put(folder.path(), "c.txt", text.as_bytes());
    for options in ["", ":blocksize 5000"] {
        let engine = engine(2);
        let code = format!("(compute (sum (map (fn [x] (int (str/strip x))) (read-text {path:?} {options}))))");
        let error = engine.eval(&code).unwrap_err();
        let wanted = format!("in line 12345 of `{path}`: oops");
        assert!(error.help_lines().contains(&wanted), "{:?}", error.help_lines());
    }
}

/// A packed file is never in memory as a whole: its lines are handed on as they are unpacked.
#[test]
fn long_files_are_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = folder.path().join("long-*.txt.gz").display().to_string();
    let target = folder.path().join("long-0.txt.gz").display().to_string();
    let engine = engine(2);
    let line = "x".repeat(40);
    let made = shown(
        &engine,
        &format!(
            "(write-text {pattern:?} (map (fn [n] (if (= n 150000) \"oops\" (format \"{line}{{}}\" n))) (range 200000 :npartitions 1)))"
        ),
    );
    assert_eq!(made, format!("[{target:?}]"));
    let read = format!("(read-text {target:?})");
    assert_eq!(
        shown(&engine, &format!("(compute [(count {read}) (take 1 {read})])")),
        format!("[200000 [\"{line}0\\n\"]]")
    );
    let error =
        engine.eval(&format!("(compute (sum (map (fn [s] (int (get (str/split s \"x\") 40))) {read})))")).unwrap_err();
    assert!(error.help_lines().contains(&format!("in line 150001 of `{target}`: oops")), "{:?}", error.help_lines());
}

#[test]
fn tables_are_records() {
    let folder = tempfile::tempdir().unwrap();
    let csv = put(folder.path(), "a.csv", "name,n,x\n\"Smith, J\",007,1.5\nÅsa,,-2e3\n".as_bytes());
    let engine = engine(2);
    assert_eq!(
        shown(&engine, &format!("(compute (read-csv {csv:?}))")),
        r#"[{"name" "Smith, J" "n" 7 "x" 1.5} {"name" "Åsa" "n" nil "x" -2000.0}]"#
    );
    assert_eq!(
        shown(&engine, &format!("(compute (pluck [:n :x] (read-csv {csv:?} :strings true)))")),
        r#"[["007" "1.5"] ["" "-2e3"]]"#
    );
    assert_eq!(shown(&engine, &format!("(compute (count (read-csv {csv:?} :header nil)))")), "3");
    let other = put(folder.path(), "b.csv", b"x,name\n1,Bo\n");
    assert_eq!(
        shown(&engine, &format!("(compute (pluck \"name\" (read-csv [{csv:?} {other:?}])))")),
        r#"["Smith, J" "Åsa" "Bo"]"#
    );
    let twice = put(folder.path(), "c.csv", b"a,a\n1,2\n");
    assert!(shown(&engine, &format!("(compute (read-csv {twice:?}))")).contains("two columns have the name"));
    let one = put(folder.path(), "one.json", b"{\"a\":\n 1}");
    assert_eq!(shown(&engine, &format!("(compute (read-json {one:?} :lines false))")), r#"[{"a" 1}]"#);
    let array = put(folder.path(), "a.json", b" [1, {\"a\": [2]},\n 3]");
    assert_eq!(shown(&engine, &format!("(compute (read-json {array:?}))")), r#"[1 {"a" [2]} 3]"#);
    let rows = put(folder.path(), "rows.json", b"[1, 2]\n[3]\n");
    assert_eq!(shown(&engine, &format!("(compute (read-json {rows:?}))")), "[[1 2] [3]]");
}

/// What is done with bags, the list being `xs`. Elements may come in another order where `sort` is around them.
const SAID: &[&str] = &[
    "(map inc xs)",
    "(filter odd? xs)",
    "(->> xs (map #(* % %)) (remove even?) (map (fn [x] [x 1])) (flatten))",
    "(map + xs xs)",
    "(starmap + (map (fn [x] [x x]) xs))",
    "(sum xs)",
    "(count xs)",
    "(any (filter odd? xs))",
    "(all xs)",
    "(fold + xs :initial 0)",
    "(fold (fn [l x] (conj l x)) xs :initial [] :combine concat)",
    "(sort (frequencies (map #(% % 3) xs)))",
    "(sort (foldby odd? + xs))",
    "(sort (foldby odd? (fn [n x] (inc n)) 0 xs :combine +))",
    "(sort (map (fn [p] [(first p) (sort (second p))]) (groupby #(% % 3) xs)))",
    "(sort (distinct xs))",
    "(topk 3 xs)",
    "(accumulate + xs)",
    "(accumulate + xs :initial 1)",
    "(sort (join [1 2 3] #(% % 4) xs))",
    "(count (product xs xs))",
    "(concat xs xs)",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_bag_is_its_list(parts in prop::collection::vec(prop::collection::vec(-9i64..9, 0..5), 1..12)) {
        let (one, many) = (engine(1), engine(8));
        let partitions = format!("{parts:?}");
        for code in SAID {
            let list = shown(&one, &format!("(let [xs (flatten {partitions})] (def whole {code}))"));
            prop_assert_eq!(list, "nil");
            let wanted = shown(&one, "whole");
            let bag = format!("(let [xs (from-list {partitions} :partitioned true)] (compute {code}))");
            prop_assert_eq!(&shown(&many, &bag), &wanted, "{} of {}", code, partitions);
        }
    }
}

/// Of records no more is made than is read; what comes of them is the same as with all of it, and so are errors.
#[test]
fn records_are_made_as_far_as_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let record = |n: usize| {
        let kind = ["push", "fork", "a kind with a longer name"][n % 3];
        format!(
            "{{\"kind\": \"{kind}\", \"a name longer than others\": {{\"n\": [{n}, null]}}, \"n\": {n}, \"n\": {}}}\n",
            n + 1
        )
    };
    let lines: String = (0..400).map(record).collect();
    let path = put(folder.path(), "a.json", lines.as_bytes());
    put(folder.path(), "b.json", lines.as_bytes());
    let both = folder.path().join("?.json").display().to_string();
    let engine = engine(2);
    engine.eval(&format!("(do (def lazy (read-json {both:?})) (def whole (compute lazy)))")).unwrap();
    for code in [
        "(count xs)",
        "(count (filter #(= (:kind %) \"push\") xs))",
        "(count (remove (fn [{:keys [n]}] (< n 100)) xs))",
        "(frequencies (map :kind xs))",
        "(sort (map (fn [[k n]] [n k]) (frequencies (pluck [\"n\" :kind] xs))))",
        "(foldby :kind (fn [n _] (+ n 1)) 0 xs)",
        "(foldby :kind (fn [n e] (+ n (get e \"n\"))) 0 xs)",
        "(map (fn [e] (get (get e \"a name longer than others\") :n)) xs)",
        "(map (fn [e] (:no e 7)) xs)",
        "(sum (map :n (filter #(even? (get % :n)) xs)))",
        "(map count xs)",
        "(map (fn [e] [e (:n e)]) xs)",
        "(take 3 (map :n xs))",
        "(fold (fn [n e] (+ n (:n e))) xs :initial 0)",
    ] {
        let combined = code.replace(" 0 xs)", " 0 xs :combine +)").replace(":initial 0)", ":initial 0 :combine +)");
        let wanted = shown(&engine, &format!("(let [xs whole] {code})"));
        let found = shown(&engine, &format!("(let [xs lazy] (compute {combined}))"));
        assert!(!found.contains("dsk"), "{code}: {found}");
        match code.starts_with("(take") {
            true => assert_eq!(found, "[1 2 3]"),
            false => assert_eq!(found, wanted, "{code}"),
        }
    }
    // What is passed over has to be JSON, too.
    put(folder.path(), "b.json", format!("{}{{\"kind\": \"push\", \"n\": [1, }}\n", record(0)).as_bytes());
    let told = shown(&engine, &format!("(compute (count (filter #(= (:kind %) 1) (read-json {both:?}))))"));
    assert!(told.contains("b.json`, line 2"), "{told}");
    assert!(shown(&engine, &format!("(compute (count (read-json {both:?})))")).contains("b.json`, line 2"));
    let told = shown(&engine, &format!("(compute (map #(+ 1 (:kind %)) (read-json {path:?})))"));
    assert!(told.starts_with("Type"), "{told}");
}

/// Several answers about the elements of one source are made in one pass, which is the same as one after the other.
#[test]
fn what_is_asked_of_one_source_is_answered_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..5 {
        let lines: String = (0..300).map(|k| format!("word{} {}\n", k % 7, k * n)).collect();
        put(folder.path(), &format!("{n}.txt"), lines.as_bytes());
    }
    let files = folder.path().join("*.txt").display().to_string();
    let parts = [
        "(count b)",
        "(frequencies (flatten (map str/split b)))",
        "(take 2 (filter (fn [s] (str/contains s \"3\")) b))",
        "(foldby (fn [s] (first (str/split s))) (fn [n _] (+ n 1)) 0 b :combine +)",
        "(distinct (map (fn [s] (first (str/split s))) b))",
        "(map str/upper b)",
    ];
    for workers in [1, 2, 8] {
        let engine = engine(workers);
        engine.eval(&format!("(def b (read-text {files:?}))")).unwrap();
        let alone: Vec<String> = parts.iter().map(|part| shown(&engine, &format!("(compute {part})"))).collect();
        let together = shown(&engine, &format!("(compute [{}])", parts.join(" ")));
        assert_eq!(together, format!("[{}]", alone.join(" ")), "{workers} workers");
        let told = shown(&engine, "(compute [(count b) (sum (map (fn [s] (int (get (str/split s) 0))) b))])");
        assert!(told.contains("word0"), "{told}");
    }
    let engine = engine(2);
    engine.eval(&format!("(def b (read-text {files:?}))")).unwrap();
    let tasks = shown(&engine, "(:tasks (explain [(count b) (frequencies b)]))");
    let apart = shown(&engine, "(+ (:tasks (explain (count b))) (:tasks (explain (frequencies b))))");
    assert!(tasks.parse::<usize>().unwrap() <= apart.parse::<usize>().unwrap() + 5, "{tasks}, {apart}");
}

/// A function that only calls ops runs without the machine where it can, and is the same function where it cannot.
#[test]
fn straight_functions_are_functions() {
    let engine = engine(2);
    let compute = |code: &str| shown(&engine, &format!("(compute {code})"));
    let words = r#"(from-list ["Ab," "ÉTÉ." "" "a longer word, with MARKS..." "x"] :npartitions 2)"#;
    assert_eq!(
        compute(&format!("(map (fn [w] (str/rstrip (str/lower w) \".,\")) {words})")),
        r#"["ab" "été" "" "a longer word, with marks" "x"]"#
    );
    assert_eq!(
        compute(&format!("(map #(str/startswith (str/upper %) \"A\") {words})")),
        "[true false false true false]"
    );
    // Each argument more than once, and in any place.
    assert_eq!(compute(&format!("(map #(str/startswith % (str/strip %)) {words})")), "[true true true true true]");
    // What is no string fails as ever, and tells where.
    let told = compute("(map (fn [w] (str/strip (str/lower w))) (from-list [\"a\" 1]))");
    assert!(told.contains("str/lower") && told.starts_with("Type"), "{told}");
    // A name that is bound to something else means that.
    engine.eval("(do (defn str/lower [s] 7) (defn f [w] (str/lower w)))").unwrap();
    assert_eq!(compute("(map f (from-list [\"A\"]))"), "[7]");
}

/// An error with all that is said to help.
fn told(engine: &Engine, code: &str) -> String {
    let error = engine.eval(code).unwrap_err();
    format!("{}\n{}", error.message(), error.help_lines().join("\n"))
}

#[test]
fn arrays_of_json_are_read_element_by_element() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(2);
    let array = put(folder.path(), "a.json", b"[\n {\"a\": 1, \"b\": [1]},\n {\"a\": 0, \"b\": \"],\"}\n]\n");
    assert_eq!(shown(&engine, &format!("(compute (pluck \"b\" (read-json {array:?})))")), r#"[[1] "],"]"#);
    let zero = told(&engine, &format!("(compute (map #(mod 1 (:a %)) (read-json {array:?})))"));
    assert!(zero.contains("in line 3 of") && zero.contains("a.json"), "{zero}");
    // No more is read than is asked for: the end is not there.
    let cut = put(folder.path(), "cut.json", &[b"[1, 2, 3".as_slice(), &b", 4".repeat(1 << 20)].concat());
    assert_eq!(shown(&engine, &format!("(compute (take 2 (read-json {cut:?})))")), "[1 2]");
    assert!(told(&engine, &format!("(compute (count (read-json {cut:?})))")).contains("the array does not end"));
    let bad = put(folder.path(), "bad.json", b"[{\"a\": 1},\n {\"a\" 2}]");
    let told = shown(&engine, &format!("(compute (read-json {bad:?}))"));
    assert!(told.contains("line 2, column 6: this is not JSON: expected `:`"), "{told}");
    let wide = put(
        folder.path(),
        "wide.json",
        "[\"日\", 2]".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>().as_slice(),
    );
    assert_eq!(
        shown(&engine, &format!("(compute (read-json {wide:?} :lines false :encoding \"utf-16\"))")),
        r#"["日" 2]"#
    );
}

#[test]
fn tables_say_where_they_are_broken() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(2);
    let told = |name: &str, text: &str, options: &str| {
        let path = put(folder.path(), name, text.as_bytes());
        shown(&engine, &format!("(compute (read-csv {path:?} {options}))"))
    };
    let many = "a,b\n1,2\n3,4\n5,6,7\n8,9\n";
    for options in ["", ":blocksize 4", ":blocksize 7"] {
        let told = told("many.csv", many, options);
        assert!(told.contains("many.csv`, line 4: 3 fields, and there are 2 names"), "{options}: {told}");
    }
    assert!(
        told("open.csv", "a,b\n1,2\n\"3,4\n5,6\n", "")
            .contains("line 3: a quote that is opened in this row is never closed")
    );
    assert!(told("open.csv", "a,b\n1,\"2", "").contains("never closed"));
    assert!(told("none.csv", "", "").contains("is empty, and has no first row"));
    assert_eq!(told("none.csv", "", ":header nil"), "[]");
    assert_eq!(told("closed.csv", "\u{feff}a,b\n1,\"2\n3\"\n4,\"5\"", ""), r#"[{"a" 1 "b" "2\n3"} {"a" 4 "b" 5}]"#);
    let error = self::told(
        &engine,
        &format!("(compute (map #(mod 1 (:b %)) (read-csv {:?})))", put(folder.path(), "zero.csv", b"a,b\n1,2\n3,0\n")),
    );
    assert!(error.contains("in line 3 of") && error.contains("zero.csv`: 3,0"), "{error}");
}

#[test]
fn a_replayed_error_still_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(2);
    let path = put(folder.path(), "n.txt", b"1\n0\n");
    let calls = [
        "(map #(mod 1 (int %)) b)",
        "(groupby #(mod 1 (int %)) b)",
        "(topk 1 b :key #(mod 1 (int %)))",
        "(join [1] #(mod 1 (int %)) b :on-other identity)",
    ];
    for what in calls {
        let first = told(&engine, &format!("(let [b (read-text {path:?})] (compute {what}))"));
        assert!(first.contains("in line 2 of"), "{what}: {first}");
        let again = told(&engine, "(replay)");
        assert!(again.contains("in line 2 of"), "{what}, replayed: {again}");
    }
}

#[test]
fn encodings_are_those_of_python() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(2);
    let target = folder.path().join("t.txt").display().to_string();
    for (name, line) in
        [("utf-16", "日本"), ("utf-16-be", "日本"), ("utf-8-sig", "日本"), ("latin-1", "é"), ("cp1252", "€")]
    {
        let written = shown(&engine, &format!("(write-text {target:?} [{line:?} \"b\"] :encoding {name:?})"));
        assert!(written.contains("t.txt"), "{written}");
        let read = shown(&engine, &format!("(compute (read-text {target:?} :encoding {name:?}))"));
        assert_eq!(read, format!("[\"{line}\\n\" \"b\\n\"]"), "{name}");
    }
    assert!(shown(&engine, &format!("(write-text {target:?} [\"h€\"] :encoding \"latin-1\")")).contains("has no '€'"));
    let bytes = put(folder.path(), "b.txt", b"a\x80\n");
    assert_eq!(shown(&engine, &format!("(compute (read-text {bytes:?} :encoding \"latin-1\"))")), r#"["a\u{80}\n"]"#);
    assert!(
        shown(&engine, &format!("(compute (read-text {bytes:?} :encoding \"ascii\"))"))
            .contains("is not ASCII: line 1, byte 1")
    );
    assert_eq!(
        shown(&engine, &format!("(compute (read-text {bytes:?} :encoding \"ascii\" :errors \"ignore\"))")),
        "[\"a\\n\"]"
    );
    assert!(
        shown(&engine, &format!("(read-text {bytes:?} :encoding \"utf-16\" :blocksize 2)"))
            .contains("cannot be read in parts")
    );
}

#[test]
fn empty_files_are_empty_however_they_are_packed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(1);
    for name in ["e.txt", "e.gz", "e.zst", "e.bz2", "e.xz"] {
        let path = put(folder.path(), name, b"");
        assert_eq!(shown(&engine, &format!("(compute (read-text {path:?}))")), "[]", "{name}");
    }
    for name in ["e.zip", "e.lz4"] {
        let path = put(folder.path(), name, b"");
        assert!(shown(&engine, &format!("(read-text {path:?})")).contains("there is no packing"), "{name}");
        assert!(shown(&engine, &format!("(write-text {path:?} [1])")).contains("there is no packing"), "{name}");
    }
}

#[test]
fn what_is_hidden_is_not_meant_by_a_pattern() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a.part", b"1\n");
    put(folder.path(), ".b.part.7-1.unfinished", b"2\n");
    let all = folder.path().join("*").display().to_string();
    assert_eq!(shown(&engine(1), &format!("(compute (read-text {all:?}))")), r#"["1\n"]"#);
}

#[cfg(unix)]
#[test]
fn a_file_is_written_where_a_link_leads_with_the_permissions_that_were() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(1);
    let file = put(folder.path(), "a.txt", b"old\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let link = folder.path().join("link.txt");
    symlink(&file, &link).unwrap();
    shown(&engine, &format!("(write-text {:?} [\"new\"])", link.display().to_string()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "new\n");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        shown(&engine, &format!("(write-text {:?} [1] )", folder.path().display().to_string()))
            .contains("it is a folder")
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// The system has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let told = shown(&engine(1), "(write-text \"/dev/full\" [1])");
    assert!(told.starts_with("Io") && told.contains("/dev/full"), "{told}");
    assert!(std::fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}
