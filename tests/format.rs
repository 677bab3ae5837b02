//! `dsk fmt`: what is written above, and how it is laid out below. What is laid out stays as it is, and means what it meant.

use dsk::read::{format, read};
use dsk::text::{Code, SourceId};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn laid_out(text: &str) -> String {
    format(SourceId(1), text).unwrap()
}

/// Holds the layout of a text to what it promises.
#[track_caller]
fn check(text: &str) -> String {
    let once = laid_out(text);
    assert_eq!(laid_out(&once), once, "of {text:?}");
    assert_eq!(read(SourceId(1), &once).unwrap(), read(SourceId(1), text).unwrap(), "of {text:?}");
    once
}

#[track_caller]
fn becomes(pairs: &[(&str, &str)]) {
    for (written, wanted) in pairs {
        assert_eq!(check(written), *wanted, "of {written}");
    }
}

/// Already so.
#[track_caller]
fn stays(texts: &[&str]) {
    for text in texts {
        assert_eq!(check(text), *text);
    }
}

#[test]
fn one_space_stands_between_forms_and_none_within_brackets() {
    becomes(&[
        ("( f   a\t[ 1  2 ]{:a  1})", "(f a [1 2] {:a 1})\n"),
        ("(f a)(g \"b\")[1]", "(f a) (g \"b\") [1]\n"),
        ("(f\n a\n)\n", "(f\n  a)\n"),
        ("(\n f a)", "(f a)\n"),
        ("' a ` (b ~ c ~@ d) #_ e f", "'a `(b ~c ~@d) #_e f\n"),
        ("`(~ @ ~ ~@ @ ~ |@|)", "`(~ @ ~~@@ ~|@|)\n"),
        ("#( * %  2 )", "#(* % 2)\n"),
        ("(: a b) (% 2 3) #(% % 2)", "(: a b) (% 2 3) #(% % 2)\n"),
        ("{:a 1 , :b 2,}[,1,2 ,, 3]", "{:a 1, :b 2} [1, 2, 3]\n"),
        ("{:a 1\n , :b 2}", "{:a 1,\n :b 2}\n"),
        ("\u{feff}1\u{a0}2\x0b3", "1 2 3\n"),
    ]);
}

#[test]
fn lines_break_where_they_did() {
    let long = format!("(f {})\n", "argument ".repeat(30).trim_end());
    stays(&[&long, "(f\n  a\n  b)\n", "(f a\n   b)\n", "[1\n 2]\n", "(let\n  [x 1]\n  x)\n"]);
}

#[test]
fn bodies_are_indented_by_two_columns() {
    stays(&[
        "(defn f\n  \"Doc.\"\n  [x]\n  (if x\n    1\n    2))\n",
        "(defn- f [x]\n  (let [y 1\n        z 2]\n    (when y\n      z)))\n",
        "(deftask t :nout 2\n  [x]\n  x)\n",
        "(with-config {:scheduler :sync}\n  (compute x))\n",
        "(print (try (f)\n         (catch e\n           (:code e))\n         (finally\n           1)))\n",
        "(for [x xs\n      :when x]\n  (do\n    x))\n",
        "(map #(if %\n        1\n        2)\n     xs)\n",
        "(defmacro m [x]\n  `(if ~x\n     1\n     2))\n",
        "(case x\n  1 :a\n  :b)\n",
        "(cond\n  a b\n  :else c)\n",
        "(cond a b\n      :else c)\n",
    ]);
    becomes(&[("(fn [x]\nx)", "(fn [x]\n  x)\n"), ("(when x\n        y)", "(when x\n  y)\n")]);
}

#[test]
fn arguments_stand_below_the_first() {
    stays(&[
        "(store (dot A B) \"c.h5::/C\"\n       :overwrite true)\n",
        "(->> xs\n     (map f)\n     sum)\n",
        "(->>\n  xs\n  (map f))\n",
        "((f a)\n b)\n",
        "((f a) b\n       c)\n",
        "(deflate x\n         y)\n",
        "'(1 2\n  3 4)\n",
        "(f \"a\nb\" c\n   d)\n",
        "(f 日本 (g a\n         b))\n",
    ]);
    becomes(&[("(+ 1\n 2)", "(+ 1\n   2)\n"), ("{:a 1\n:b [1\n2]}", "{:a 1\n :b [1\n     2]}\n")]);
}

#[test]
fn comments_stay_where_they_are() {
    stays(&[
        "; alone\n\n;; above\n(f a) ; behind\n",
        "(f 1)     ;=> 2\n(g 10 20) ;=> 3\n",
        "(let [a 1 ; one\n      ; two\n      b 2 ; last\n      ]\n  a)\n",
        "(f ; head\n  a)\n",
        "[; first\n 1]\n",
        "'; why\n a\n",
        "#!/usr/bin/env dsk\n(f)\n",
        "(f #| in |# a\n            b)\n",
        "#| a\n     b |# 1\n",
        "(#_gone f a\n          b)\n",
        "#_(gone\n    1) 2\n",
        "1 #_#_a b\n",
    ]);
    becomes(&[
        ("(f a);c  \n", "(f a) ;c\n"),
        ("(f  a)   ; c\n(g bc)   ; d\n", "(f a)    ; c\n(g bc)   ; d\n"),
        ("(f\n      a    ; c\n      (g  b)  ; d\n)", "(f\n  a    ; c\n  (g b)   ; d\n  )\n"),
        ("(f a )  ;=> 1\n(f  b)   ;=> 2\n", "(f a)   ;=> 1\n(f b)    ;=> 2\n"),
        ("(f\n; c\na)", "(f\n  ; c\n  a)\n"),
        ("  ; c\n  1", "; c\n1\n"),
        ("#| a  \r\n b\t\n|#", "#| a\n b\n|#\n"),
        ("1 ; c\n, 2", "1 ; c\n2\n"),
        ("1, ; c\n2", "1, ; c\n2\n"),
    ]);
}

#[test]
fn one_blank_line_stays() {
    becomes(&[
        ("\n\n1\n\n\n\n2\n3\n\n", "1\n\n2\n3\n"),
        ("(f\n\n\n a\n\n)", "(f\n\n  a)\n"),
        ("1\r\n\r\n\r\n2\r\n", "1\n\n2\n"),
        ("1", "1\n"),
        ("", ""),
        (" \n ", ""),
        ("; c", "; c\n"),
    ]);
}

#[test]
fn literals_stay_as_they_are() {
    stays(&[
        "\"a  b\\n\n   c \r\n\t\"\n",
        "#\"\\d+  \\\"\n x\"\n",
        "[0xff_FF 1_000 1.50 6.02e23 1+2j nan-infj :a :|b  c| |d  e| ... 2::-1]\n",
    ]);
}

#[test]
fn columns_that_stand_below_each_other_stay() {
    stays(&[
        "(graph '{a       (load \"north\")\n         both    (+ a b)\n         [w 0]   1\n         answer  2})\n",
        "(let [x   1\n      abc (f x\n             y)\n      z 2]\n  x)\n",
        "(cond\n  a   1\n  bcd 2)\n",
    ]);
    becomes(&[
        ("{a   1\n bc 2}", "{a 1\n bc 2}\n"),
        ("{a   1 bc 2}", "{a 1 bc 2}\n"),
        ("{[w  0] 1\n abcdef  2}", "{[w 0] 1\n abcdef 2}\n"),
    ]);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    assert_eq!(format(SourceId(1), "(f a) (b ]").unwrap_err().code(), Code::Syntax);
    assert_eq!(format(SourceId(1), "1 #| a").unwrap_err().code(), Code::Syntax);
    for unit in ["(", "[", "{1 ", "'", "#_"] {
        let error = format(SourceId(1), &format!("1 {}", unit.repeat(100_000))).unwrap_err();
        assert_eq!(error.code(), Code::Limit, "{unit}");
    }
}

#[test]
fn deep_and_long_texts_are_laid_out_in_linear_time() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    let texts = [
        deep("(", ")"),
        deep("(f\n", "\n)"),
        deep("(a b ", ")"),
        deep("{1\n", "}"),
        deep("'", ""),
        format!("{}1{} 2", "#_[ ".repeat(5_000), "]".repeat(5_000)),
        "(f a   1\n b 2)\n".repeat(20_000),
        format!("[{}]", "a   1\n".repeat(50_000)),
        format!("(f {})", "a ".repeat(200_000)),
        "; c\n".repeat(100_000),
    ];
    for text in texts {
        let start = Instant::now();
        let once = laid_out(&text);
        assert!(start.elapsed() < Duration::from_secs(20), "{} took {:?}", &text[..20], start.elapsed());
        assert_eq!(laid_out(&once), once);
    }
}

fn programs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            programs(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "dsk") {
            found.push(path);
        }
    }
}

#[test]
fn programs_of_this_project_are_laid_out() {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    programs(root, &mut files);
    assert!(files.len() > 50, "the programs were found");
    let mut differ = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        if format(SourceId(1), &text).is_err() {
            continue;
        }
        let shown = file.strip_prefix(root).unwrap().to_owned();
        let is_ours = shown.starts_with("examples") || shown.starts_with("stdlib");
        if check(&text) != text && is_ours {
            differ.push(shown);
        }
    }
    assert!(differ.is_empty(), "`dsk fmt` changes {differ:?}");
}
