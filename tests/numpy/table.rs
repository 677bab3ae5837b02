//! The table of functions in `docs/numpy.md`: what `names.txt` lists, what the engine has, and what the recorded cases show.

use dsk::Engine;
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "\
# NumPy's functions in dsk

Made by `DSK_WRITE=1 cargo test --test numpy` from [`names.txt`](../tests/numpy/names.txt) and the recorded cases beside it; a test
says when it is out of date.

*As NumPy* says that NumPy's answers were recorded, and that dsk gives the same: values, shape, dtype and kind of error, for
whole arrays and for arrays in blocks of several shapes. How many such cases there are is in the last column. A ✓ marks what the
[Python array API standard](https://data-apis.org/array-api/2024.12/) has; its special values of elementwise functions are
[another test](../tests/array_api/special.txt).

All over:

- names are in kebab-case, and so are parameters, which are keywords: `np.cumulative_sum(x, include_initial=True)` is
  `(cumulative-sum x :include-initial true)`; tuples are lists, and a function with several results gives a list of them;
- what says where a result goes, how it lies in memory, or how fast it is found has no keyword, or one that makes no difference:
  `out`, `order`, `copy`, `kind`, `sorted`, `optimize`, `hermitian`, `assume_unique`; nor have `where`, `casting` and `dtype` of
  elementwise functions;
- what has to be given may be given by name, too: `(delete x :obj 1)`;
- there is no float16: where NumPy's result has it, dsk's has float32;
- a result without axes is a plain number once it is computed;
- an axis that is not there is `dsk::axis`, other shapes than are wanted `dsk::shape`, whatever NumPy's exception is called.
";

/// How many recorded cases there are of each name, and whether dsk differs in one.
pub type Evidence = BTreeMap<String, (usize, bool)>;

struct Row<'a> {
    name: &'a str,
    standard: bool,
    own: String,
    differs: Option<&'a str>,
    missing: Option<&'a str>,
}

fn row(line: &str) -> Row<'_> {
    let (line, standard) = line.strip_prefix('*').map_or((line, false), |rest| (rest, true));
    let (line, missing) = line.split_once(" !").map_or((line, None), |(line, how)| (line, Some(how.trim())));
    let (line, differs) = line.split_once(" : ").map_or((line, None), |(line, how)| (line, Some(how.trim())));
    let (name, own) = match line.split_once(" = ") {
        Some((name, own)) => (name.trim(), own.trim().to_string()),
        None => (line.trim(), line.trim().replace('_', "-").replace('.', "/")),
    };
    Row { name, standard, own, differs, missing }
}

/// The table, and what speaks against it.
pub fn of(names: &str, engine: &Engine, evidence: &Evidence) -> (String, Vec<String>) {
    let mut text = String::from(HEAD);
    let (mut wrong, mut counts) = (Vec::new(), [0; 3]);
    let constants = ["inf", "nan", "newaxis", "pi", "e"];
    for line in names.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(part) = line.strip_prefix("## ") {
            write!(text, "\n## {part}\n\n| NumPy, Dask | dsk | |  | cases |\n| --- | --- | --- | --- | ---: |\n")
                .unwrap();
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let row = row(line);
        let there = engine.usage(&row.own).is_some() || constants.contains(&row.name);
        let (cases, differing) = evidence.get(row.name).copied().unwrap_or_default();
        let (own, verdict) = match (row.missing, row.differs) {
            (Some(_), _) if there => {
                wrong.push(format!("{} is said to be missing, and is there", row.name));
                continue;
            }
            (Some(instead), _) => {
                counts[2] += 1;
                ("".into(), if instead.is_empty() { "missing".into() } else { format!("missing; {instead}") })
            }
            (None, _) if !there => {
                wrong.push(format!("{} is not there, and not said to be missing", row.name));
                continue;
            }
            (None, Some(how)) => {
                counts[1] += 1;
                (format!("`{}`", row.own), format!("differs: {how}"))
            }
            (None, None) => {
                if cases == 0 {
                    wrong.push(format!("there are no recorded cases of {}", row.name));
                }
                if differing {
                    wrong.push(format!("a case of {} says that dsk differs, and its line does not say how", row.name));
                }
                counts[0] += 1;
                (format!("`{}`", row.own), "as NumPy".into())
            }
        };
        let (mark, cases) =
            (if row.standard { "✓" } else { "" }, if cases == 0 { String::new() } else { cases.to_string() });
        writeln!(text, "| {} | {own} | {mark} | {verdict} | {cases} |", row.name).unwrap();
    }
    let [same, differs, missing] = counts;
    let sum = format!("\n{same} of the names below are as NumPy's, {differs} differ, {missing} are missing.\n");
    (text.replacen("\n## ", &format!("{sum}\n## "), 1), wrong)
}
