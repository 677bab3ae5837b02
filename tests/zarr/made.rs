//! The arrays of `made.tar.gz`, which `make.py` makes, so that tests need no Python; and blocks to compare arrays with.

use dsk::data::{Block, Complex64, DType};
use dsk::io::target::Target;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

/// The folder that the arrays of zarr-python are unpacked to, once.
fn made() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        unpack(folder.path());
        folder
    })
    .path()
}

/// A header of 512 bytes has the name and the length of the file that follows, padded to as many again.
pub fn unpack(folder: &Path) {
    let packed =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zarr/made.tar.gz")).expect("it is there");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).expect("it is gzip");
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim_matches('\0').to_string();
    let mut rest = &bytes[..];
    while rest.len() >= 512 && rest[0] != 0 {
        let path = folder.join(text(&rest[..100]));
        let len = usize::from_str_radix(text(&rest[124..136]).trim(), 8).expect("a length");
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, &rest[512..512 + len]).expect("it can be written");
        rest = &rest[512 + len.next_multiple_of(512)..];
    }
}

/// What `make.py` puts into every array.
pub fn values(shape: &[usize], dtype: DType) -> Block {
    let n = shape.iter().product::<usize>();
    match dtype {
        DType::Bool => Block::from_slice(shape, &(0..n).map(|i| i % 3 == 0).collect::<Vec<_>>()),
        dtype if dtype.is_complex() => {
            let number = |i: usize| Complex64::new((i % 50) as f64, 0.0 - (i % 7) as f64);
            Block::from_slice(shape, &(0..n).map(number).collect::<Vec<_>>()).cast(dtype).expect("a cast")
        }
        _ => {
            let number = |i: usize| match dtype {
                dtype if dtype.is_float() => (i % 90) as f64 / 4.0 - 3.0,
                dtype if dtype.range().is_some_and(|r| r.0 < 0) => (i % 100) as f64 - 30.0,
                _ => (i % 100) as f64,
            };
            Block::from_slice(shape, &(0..n).map(number).collect::<Vec<_>>()).cast(dtype).expect("a cast")
        }
    }
}

pub struct Expected {
    pub target: Target,
    pub values: Block,
}

pub fn expected() -> Vec<Expected> {
    let text = std::fs::read(made().join("expected.json")).expect("make.py wrote it");
    let list: Vec<serde_json::Value> = serde_json::from_slice(&text).expect("JSON");
    let sizes = |json: &serde_json::Value| -> Vec<usize> {
        json.as_array().expect("a list").iter().map(|n| n.as_u64().expect("a size") as usize).collect()
    };
    list.iter()
        .map(|item| {
            let text = |name: &str| item[name].as_str().expect("a string");
            let path = made().join(text("path"));
            let target = match text("name") {
                "" => path.display().to_string(),
                name => format!("{}::/{name}", path.display()),
            };
            let dtype = match text("dtype") {
                "float16" => DType::F32,
                name => DType::parse(name).expect("a dtype"),
            };
            let shape = sizes(&item["shape"]);
            let mut values = values(&shape, dtype);
            for hole in item["holes"].as_array().expect("a list") {
                let region: Vec<Vec<usize>> = hole["region"].as_array().expect("a list").iter().map(sizes).collect();
                let fill = hole["value"].as_f64().unwrap_or(f64::NAN);
                let fill = Block::from_slice(&[1], &[fill]).cast(dtype).expect("a cast");
                let size = dtype.size();
                let bytes = values.as_mut_bytes();
                for n in 0..bytes.len() / size {
                    let mut rest = n;
                    let inside = (0..shape.len()).rev().all(|axis| {
                        let at = rest % shape[axis];
                        rest /= shape[axis];
                        (region[axis][0]..region[axis][1]).contains(&at)
                    });
                    if inside {
                        bytes[n * size..(n + 1) * size].copy_from_slice(fill.as_bytes().expect("one element"));
                    }
                }
            }
            Expected { target: Target::parse(&target).expect("a target"), values }
        })
        .collect()
}

pub fn assert_same(read: &Block, wanted: &Block, what: &str) {
    assert_eq!((read.dtype(), read.shape()), (wanted.dtype(), wanted.shape()), "{what}");
    let (read, wanted) = (read.contiguous(), wanted.contiguous());
    assert_eq!(read.as_bytes(), wanted.as_bytes(), "{what}");
}
