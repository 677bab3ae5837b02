//! Files that h5py writes are read right, and files that dsk writes are read right by h5py.

use dsk::data::slice::Range;
use dsk::data::{Block, DType};
use dsk::io::hdf5::Dataset;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that has h5py: `DSK_PYTHON`, else the first of the usual ones.
fn python() -> String {
    let named = std::env::var("DSK_PYTHON").ok();
    let candidates = named.iter().map(String::as_str).chain(["python3", "/usr/bin/python3"]);
    for python in candidates {
        let has = Command::new(python).args(["-c", "import h5py, numpy"]).output();
        if has.is_ok_and(|o| o.status.success()) {
            return python.to_string();
        }
    }
    panic!(
        "no Python with h5py was found. `cargo xtask test` installs one; by hand: `apt-get install python3-h5py`, or \
         `pip install h5py` and DSK_PYTHON=…/bin/python"
    );
}

fn script(name: &str, args: &[&Path]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/h5py").join(name);
    let out = Command::new(python()).arg(path).args(args).output().expect("the script starts");
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{name} failed:\n{text}\n{}", String::from_utf8_lossy(&out.stdout));
}

/// A dataset and what it should read as.
struct Expected {
    file: String,
    dataset: String,
    dtype: DType,
    shape: Vec<usize>,
    values: Block,
}

fn expected(folder: &Path) -> Vec<Expected> {
    let text = std::fs::read_to_string(folder.join("expected.txt")).expect("make.py wrote it");
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("four words a line").to_string();
            let (file, dataset, dtype, shape) = (word(), word(), word(), word());
            let raw = folder.join("expected").join(format!("{file}{}.raw", dataset.replace('/', "-")));
            let dtype = DType::parse(&dtype).expect("a dtype of dsk");
            let shape: Vec<usize> = match shape.as_str() {
                "-" => vec![],
                shape => shape.split(',').map(|d| d.parse().expect("a size")).collect(),
            };
            let bytes = std::fs::read(raw).expect("make.py wrote it");
            let values = block(dtype, &shape, &bytes);
            Expected { file, dataset, dtype, shape, values }
        })
        .collect()
}

/// A block from little-endian bytes.
fn block(dtype: DType, shape: &[usize], bytes: &[u8]) -> Block {
    if dtype == DType::Bool {
        return Block::from_slice(shape, &bytes.iter().map(|&b| b != 0).collect::<Vec<_>>());
    }
    let mut block = Block::alloc(dtype, shape);
    block.as_mut_bytes().copy_from_slice(bytes);
    block
}

/// A part of a block by plain slicing, to compare with.
fn part(block: &Block, region: &[Range]) -> Block {
    region.iter().enumerate().fold(block.clone(), |block, (axis, &range)| block.slice_axis(axis, range))
}

/// Ranges of every kind, one after the other: whole, short, stepped, backwards, empty.
fn regions(shape: &[usize], n: usize) -> Vec<Range> {
    let mut state = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below.max(1)
    };
    shape
        .iter()
        .map(|&len| {
            if len == 0 || random(20) == 0 {
                return Range { start: 0, step: 1, count: 0 };
            }
            let start = random(len);
            let step = 1 + random(4) * random(3);
            let count = 1 + random((len - start).div_ceil(step));
            match random(4) {
                0 => Range { start: start + (count - 1) * step, step: -(step as isize), count },
                _ => Range { start, step: step as isize, count },
            }
        })
        .collect()
}

fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    script("make.py", &[folder.path()]);
    folder
}

#[test]
fn files_of_h5py_read_right_whole_and_in_parts() {
    let folder = made();
    for e in expected(folder.path()) {
        let path = folder.path().join(&e.file);
        let dataset =
            Dataset::open(&path, &e.dataset).unwrap_or_else(|error| panic!("{}{}: {error}", e.file, e.dataset));
        let name = format!("{}{}", e.file, e.dataset);
        assert_eq!(dataset.dtype(), e.dtype, "{name}");
        assert_eq!(dataset.shape(), e.shape, "{name}");
        let all = dataset.read_all().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(all.same(&e.values), "{name} is {all:?}\nnot {:?}", e.values);
        for n in 0..12 {
            let region = regions(&e.shape, n);
            let got = dataset.read(&region).unwrap_or_else(|error| panic!("{name} {region:?}: {error}"));
            assert!(got.same(&part(&e.values, &region)), "{name} {region:?}");
        }
    }
}

/// Which layouts are read without the library is a promise, too: a change of the file's format must not slow it down unseen.
#[test]
fn only_foreign_filters_types_and_layouts_take_the_library() {
    let folder = made();
    let by_library =
        ["/filters/scale-offset", "/odd/twelve-bits", "/odd/long-double", "/odd/compact", "/virtual", "/external"];
    for e in expected(folder.path()) {
        let dataset = Dataset::open(&folder.path().join(&e.file), &e.dataset).expect("it is there");
        let foreign = by_library.iter().any(|p| e.dataset.starts_with(p));
        assert_eq!(dataset.is_direct(), !foreign, "{}{}", e.file, e.dataset);
    }
}
