//! Files that h5py writes are read right, and files that dsk writes are read right by h5py.

use dsk::data::slice::Range;
use dsk::data::{Block, Chunks, DType, Dims, Map, Value};
use dsk::io::hdf5::{Dataset, Sink};
use dsk::io::stored::Options;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[path = "h5py/mod.rs"]
mod h5py;
use h5py::script;
mod parts;
use parts::{part, regions};

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

/// The files of make.py, made once a run.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("h5py");
        let _ = std::fs::remove_dir_all(&folder);
        script("make.py", &[&folder]);
        folder
    })
}

#[test]
fn files_of_h5py_read_right_whole_and_in_parts() {
    let folder = made();
    for e in expected(folder) {
        let path = folder.join(&e.file);
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
fn only_data_of_other_files_takes_the_library() {
    let folder = made();
    let by_library = ["/virtual", "/external"];
    for e in expected(folder) {
        let dataset = Dataset::open(&folder.join(&e.file), &e.dataset).expect("it is there");
        let foreign = by_library.iter().any(|p| e.dataset.starts_with(p));
        assert_eq!(dataset.is_direct(), !foreign, "{}{}", e.file, e.dataset);
    }
}

/// Everything that is written, to be checked by h5py.
struct Written {
    folder: tempfile::TempDir,
    lines: Vec<String>,
}

impl Written {
    fn new() -> Written {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("expected")).expect("a folder in it");
        Written { folder, lines: Vec::new() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes a dataset block by block, two threads at a time, and reads it back.
    fn write(&mut self, file: &str, dataset: &str, values: &Block, chunks: &Chunks, options: &Options) {
        let name = format!("{file} {dataset}");
        let path = self.path(file);
        let sink =
            Sink::create(&path, dataset, values.dtype(), chunks, options).unwrap_or_else(|e| panic!("{name}: {e}"));
        let grid = chunks.grid();
        let total: usize = grid.iter().product();
        std::thread::scope(|scope| {
            for half in 0..2 {
                let (sink, grid, name) = (&sink, &grid, &name);
                scope.spawn(move || {
                    for n in (half..total).step_by(2) {
                        let index = dsk::data::graph::unravel(n, grid);
                        let region: Vec<Range> = (chunks.region(&index).iter().zip(values.shape()))
                            .map(|(slice, &len)| slice.resolve(len).expect("a step of 1"))
                            .collect();
                        let start: Vec<usize> = region.iter().map(|r| r.start).collect();
                        sink.write(&start, &part(values, &region)).unwrap_or_else(|e| panic!("{name}: {e}"));
                    }
                });
            }
        });
        sink.finish().unwrap_or_else(|e| panic!("{name}: {e}"));
        let back = Dataset::open(&path, dataset).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(back.read_all().unwrap_or_else(|e| panic!("{name}: {e}")).same(values), "{name} reads back");
        assert!(back.is_direct(), "{name}");
        let list = |dims: &[usize]| match dims {
            [] => "-".to_string(),
            dims => dims.iter().map(usize::to_string).collect::<Vec<_>>().join(","),
        };
        let filters = match (options.shuffle, options.deflate) {
            _ if back.chunks().is_none() => "-",
            (true, Some(_)) => "shuffle+gzip",
            (true, None) => "shuffle",
            (false, Some(_)) => "gzip",
            (false, None) => "-",
        };
        let (dtype, shape, chunks) = (values.dtype(), list(values.shape()), list(back.chunks().unwrap_or(&[])));
        self.lines.push(format!("{file} {dataset} {dtype} {shape} {chunks} {filters}"));
        let raw = self.path("expected").join(format!("{file}{}.raw", dataset.replace('/', "-")));
        std::fs::write(raw, values.contiguous().as_bytes().expect("contiguous")).expect("it can be written");
    }

    fn check(self) {
        std::fs::write(self.path("written.txt"), self.lines.join("\n")).expect("it can be written");
        script("check.py", &[self.folder.path()]);
    }
}

/// Values that are all different, in every dtype.
fn counted(dtype: DType, shape: &[usize]) -> Block {
    let count: usize = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|i| (i as f64) * 1.25 - 7.0).collect();
    match dtype {
        DType::Bool => Block::from_slice(shape, &(0..count).map(|i| i % 3 == 1).collect::<Vec<_>>()),
        DType::C64 | DType::C128 => {
            let values: Vec<_> = values.iter().map(|&x| dsk::data::Complex64::new(x, -2.0 * x)).collect();
            Block::from_slice(shape, &values).cast(dtype).expect("a cast")
        }
        dtype => Block::from_slice(shape, &values).cast(dtype).expect("a cast"),
    }
}

#[test]
fn files_of_dsk_read_right_in_h5py() {
    let mut w = Written::new();
    let plain = Options::default();
    for &dtype in DType::ALL {
        let values = counted(dtype, &[60, 50]);
        w.write("types.h5", &format!("/{dtype}-whole"), &values, &Chunks::whole(&[60, 50]), &plain);
        let cut = Chunks::regular(&[60, 50], &[25, 20]);
        let chunked = Options { chunks: Some(Dims::from_slice(&[5, 10])), ..plain.clone() };
        w.write("types.h5", &format!("/g/{dtype}-chunked"), &values, &cut, &chunked);
        let packed = Options { deflate: Some(4), shuffle: true, ..plain.clone() };
        w.write("types.h5", &format!("/g/h/{dtype}-gzip"), &values, &cut, &packed);
    }
    let values = counted(DType::F64, &[700, 601]);
    let ragged = Chunks::new(vec![vec![1, 399, 300], vec![200, 1, 400]]);
    let regular = Chunks::regular(&[700, 601], &[300, 256]);
    for (label, cut) in [("ragged", &ragged), ("regular", &regular)] {
        for (filters, options) in [
            ("plain", plain.clone()),
            ("gzip", Options { deflate: Some(1), ..plain.clone() }),
            ("shuffle", Options { shuffle: true, ..plain.clone() }),
            ("odd-chunks", Options { chunks: Some(Dims::from_slice(&[33, 77])), ..plain.clone() }),
            (
                "odd-gzip",
                Options { deflate: Some(9), shuffle: true, chunks: Some(Dims::from_slice(&[33, 77])), ..plain.clone() },
            ),
        ] {
            w.write("cuts.h5", &format!("/{label}-{filters}"), &values, cut, &options);
        }
    }
    // A view: neither contiguous nor in row-major order.
    let turned = values.transpose(&[1, 0]);
    w.write("cuts.h5", "/turned", &turned, &Chunks::regular(&[601, 700], &[128, 128]), &plain);
    for (label, shape) in
        [("scalar", &[][..]), ("none", &[0]), ("none-2", &[3, 0]), ("one", &[1]), ("five", &[3, 4, 2, 5, 6])]
    {
        let values = counted(DType::I32, shape);
        w.write("shapes.h5", &format!("/{label}"), &values, &Chunks::whole(shape), &plain);
        let packed = Options { deflate: Some(4), shuffle: true, ..plain.clone() };
        w.write("shapes.h5", &format!("/{label}-gzip"), &values, &Chunks::whole(shape), &packed);
    }
    // A longer one takes the place of what is there.
    let longer = counted(DType::I64, &[9]);
    let over = Options { overwrite: true, ..plain.clone() };
    w.write("over.h5", "/x", &longer, &Chunks::whole(&[9]), &plain);
    w.lines.pop();
    w.write("over.h5", "/x", &counted(DType::F32, &[4, 4]), &Chunks::whole(&[4, 4]), &over);
    // Attributes.
    let mut attributes = Map::new();
    attributes.set("int", Value::Int(7));
    attributes.set("float", Value::Float(2.5));
    attributes.set("flag", Value::Bool(true));
    attributes.set("complex", Value::complex(1.0, -2.0));
    attributes.set("text", Value::str("Grad Celsius, °C"));
    attributes.set("texts", Value::list(vec!["a".into(), "".into(), "ä".into()]));
    attributes.set("numbers", Value::list(vec![1.5.into(), 2i64.into()]));
    attributes.set("block", counted(DType::F32, &[2, 2]).into());
    attributes.set("none", Block::zeros(DType::F64, &[0]).into());
    let with = Options { attributes, ..plain.clone() };
    w.write("attributes.h5", "/x", &counted(DType::F64, &[3]), &Chunks::whole(&[3]), &with);
    // One that fails.
    let path = w.path("failed.h5");
    let before = Block::from_slice(&[2, 3], &[0i64, 1, 2, 3, 4, 5]);
    w.write("failed.h5", "/before", &before, &Chunks::whole(&[2, 3]), &plain);
    w.lines.pop();
    let cut = Chunks::regular(&[400, 400], &[100, 100]);
    let sink = Sink::create(&path, "/C", DType::F64, &cut, &plain).expect("a new dataset");
    sink.write(&[100, 100], &counted(DType::F64, &[100, 100])).expect("a block");
    drop(sink);
    w.check();
}

fn refused(result: dsk::text::Result<impl Sized>) -> (String, String) {
    match result {
        Ok(_) => panic!("it should be refused"),
        Err(error) => {
            assert_eq!(error.code(), dsk::text::Code::Io, "{error}");
            (error.message().to_string(), error.help_lines().join("\n"))
        }
    }
}

#[test]
fn a_store_touches_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.h5");
    let plain = Options::default();
    let cut = Chunks::regular(&[300, 300], &[100, 100]);
    let create = |name: &str, options: &Options| Sink::create(&path, name, DType::F64, &cut, options);
    let write = |sink: &Sink, x: f64| {
        for n in 0..9 {
            let block = Block::from_slice(&[100, 100], &[x; 10_000]);
            sink.write(&[n / 3 * 100, n % 3 * 100], &block).expect("a block");
        }
    };
    // A store that fails before its first block leaves no file behind that was not there.
    drop(create("/deep/er/C", &plain).expect("a new file"));
    assert!(!path.exists());
    let sink = create("/C", &plain).expect("a new file");
    write(&sink, 1.0);
    sink.finish().expect("it is complete");
    assert!(refused(sink.write(&[0, 0], &Block::zeros(DType::F64, &[100, 100]))).0.contains("complete"));
    // It is there now.
    let (message, help) = refused(create("/C", &plain));
    assert!(message.contains("has `/C` already") && help.contains(":overwrite true"), "{message} {help}");
    let first = Dataset::open(&path, "/C").expect("it is there");
    let ones = first.read_all().expect("it reads");
    let over = Options { overwrite: true, ..Options::default() };
    // One that fails leaves the old one in place.
    let sink = create("/C", &over).expect("it may be replaced");
    sink.write(&[0, 0], &Block::zeros(DType::F64, &[100, 100])).expect("a block");
    assert!(refused(create("/C", &over)).0.contains("is being written"));
    drop(sink);
    assert!(Dataset::open(&path, "/C").expect("it is there").read_all().expect("it reads").same(&ones));
    assert!(first.read_all().expect("it reads").same(&ones));
    // One that ends well takes its place, and what was opened before says so.
    let sink = create("/C", &over).expect("it may be replaced, and what failed removed");
    write(&sink, 2.0);
    sink.finish().expect("it is complete");
    assert!(refused(first.read_all()).0.contains("was replaced"));
    assert_eq!(
        Dataset::open(&path, "/C").expect("it is there").read_all().expect("it reads").get::<f64>(&[299, 0]),
        2.0
    );
    assert!(Dataset::open(&path, "/C.incomplete").is_err());
    // Names that cannot be.
    assert!(refused(create("/C/D", &plain)).0.contains("`/C` is not a group"));
    let sink = create("/g/D", &plain).expect("a group is made");
    write(&sink, 3.0);
    sink.finish().expect("it is complete");
    assert!(refused(create("/g", &over)).0.contains("is a group"));
    assert!(
        refused(Sink::create(&folder.path().join("no/such/b.h5"), "/C", DType::F64, &cut, &plain))
            .0
            .contains("no folder")
    );
    let text = folder.path().join("text.h5");
    std::fs::write(&text, "not HDF5 at all").expect("it can be written");
    assert!(refused(Sink::create(&text, "/C", DType::F64, &cut, &plain)).0.contains("is not an HDF5 file"));
    assert_eq!(std::fs::read(&text).expect("it is there"), b"not HDF5 at all");
}

#[test]
fn many_threads_read_and_write_one_file_and_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = folder.path().join("shared.h5");
    let values = counted(DType::F64, &[256, 256]);
    let cut = Chunks::regular(&[256, 256], &[64, 64]);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (shared, values, cut, folder) = (&shared, &values, &cut, folder.path());
            scope.spawn(move || {
                let own = folder.join(format!("own-{thread}.h5"));
                for round in 0..6 {
                    let path = if round % 2 == 0 { shared } else { &own };
                    let name = format!("/t{thread}/r{round}");
                    let options = match round % 3 {
                        0 => Options::default(),
                        1 => Options { deflate: Some(1), shuffle: true, ..Options::default() },
                        _ => Options {
                            chunks: Some(Dims::from_slice(&[50, 30])),
                            deflate: Some(1),
                            ..Options::default()
                        },
                    };
                    let sink = Sink::create(path, &name, DType::F64, cut, &options).expect("a new dataset");
                    for n in 0..16 {
                        let region: Vec<Range> =
                            [n / 4, n % 4].map(|i| Range { start: i * 64, step: 1, count: 64 }).into();
                        sink.write(&[region[0].start, region[1].start], &part(values, &region)).expect("a block");
                    }
                    sink.finish().expect("it is complete");
                    // What fails elsewhere must not disturb.
                    assert!(Dataset::open(path, "/absent").is_err());
                    assert!(Dataset::open(&folder.join("absent.h5"), "/x").is_err());
                    let back = Dataset::open(path, &name).expect("it is there");
                    assert!(back.read_all().expect("it reads").same(values), "{name}");
                }
            });
        }
    });
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let folder = made();
    let file = folder.join("earliest.h5");
    let open = |name: &str| refused(Dataset::open(&file, name));
    let (message, help) = open("/shapes/rosw");
    assert!(message.ends_with("earliest.h5` has no dataset `/shapes/rosw`"), "{message}");
    assert!(help.contains("did you mean `/shapes/rows`?") && help.contains("datasets in it: `/"), "{help}");
    let (message, help) = open("/shapes");
    assert!(message.contains("is a group, not a dataset") && help.contains("`/shapes/five`"), "{message} {help}");
    assert!(open("/not/dangling").0.contains("cannot be opened"));
    assert!(open("/not/datatype").0.contains("is a datatype"));
    assert!(refused(Dataset::open(&folder.join("links.h5"), "/gone")).0.contains("cannot be opened"));
    let (message, help) = refused(Dataset::open(&folder.join("earlist.h5"), "/x"));
    assert!(message.contains("there is no file") && help.contains("earliest.h5"), "{message} {help}");
    for (name, what) in [
        ("text", "strings"),
        ("texts", "strings"),
        ("fixed-text", "strings of 3 bytes"),
        ("records", "compounds of x, y"),
        ("empty", "empty dataspace"),
    ] {
        let error = Dataset::open(&file, &format!("/not/{name}")).err().expect("it is refused");
        assert_eq!(error.code(), dsk::text::Code::Type);
        assert!(error.message().contains(what), "{error}");
    }
}

#[test]
fn attributes_are_values() {
    let folder = made();
    for version in ["earliest", "latest"] {
        let file = folder.join(format!("{version}.h5"));
        let map = dsk::io::hdf5::attributes(&file, "/shapes/one").expect("it has attributes");
        let get = |name: &str| map.get_text(name).unwrap_or_else(|| panic!("{name} is there"));
        let text = |name: &str| get(name).as_text().unwrap_or_default().to_string();
        assert_eq!(get("int").as_int(), Some(7));
        assert!(get("float").same(&Value::Float(2.5)));
        assert_eq!(text("text"), "temperature of ä");
        assert_eq!(text("bytes"), "fixed");
        assert!(get("texts").same(&Value::list(vec!["a".into(), "bc".into()])));
        assert!(get("array").same(&Block::from_slice(&[3], &[0i32, 1, 2]).into()));
        assert!(get("big").same(&Block::from_slice(&[2], &[1.5, 2.5]).into()));
        assert!(get("flag").same(&Value::Bool(true)));
        assert!(get("complex").same(&Value::complex(1.0, 2.0)));
        assert!(get("nothing").same(&Value::Nil));
        assert_eq!(text("record"), "<compounds of x, y>");
        assert_eq!(map.len(), 11);
        let root = dsk::io::hdf5::attributes(&file, "/").expect("it has attributes");
        assert_eq!(root.get_text("title").and_then(Value::as_text), Some("kinds"));
    }
    assert_eq!(dsk::io::hdf5::attributes(&folder.join("dense.h5"), "/x").expect("many").len(), 40);
}
