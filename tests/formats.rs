//! `.npy` and classic netCDF files, and several files as one array. The files in `tests/formats` were made by NumPy and by the
//! netCDF library; `make.py` there says how.

use dsk::data::slice::Range;
use dsk::data::{Block, Chunks, Complex64, DType, Map, Value};
use dsk::io::stored::{self, Options};
use dsk::io::target::Target;
use dsk::text::Code;
use std::path::Path;

mod desk;
use desk::Desk;
mod parts;
use parts::{part, random, regions, whole};

/// A file that is committed.
fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(name).display().to_string()
}

/// A desk whose programs name the files that are committed, too: `(made "a.npy")`.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.engine.register("(made name)", |name: String| fixture(&name)).expect("a new name");
    desk
}

/// That a program fails so, with these parts in its message or help.
#[track_caller]
fn fails_with(d: &Desk, text: &str, code: Code, parts: &[&str]) {
    let (found, message, help) = d.fails(text);
    let told = format!("{message}\n{help}").replace(&fixture(""), "");
    assert_eq!(found, code, "{told}");
    parts.iter().for_each(|part| assert!(told.contains(part), "{part}: {told}"));
}

/// What the fixtures hold, as `make.py` makes it.
fn values(dtype: DType) -> Block {
    let shape = [2, 3, 4];
    match dtype {
        DType::Bool => Block::from_slice(&shape, &(0..24).map(|n| n % 2 == 1).collect::<Vec<bool>>()),
        DType::C64 | DType::C128 => {
            let all: Vec<Complex64> = (0..24).map(|n| Complex64::new(f64::from(n), f64::from(n))).collect();
            Block::from_slice(&shape, &all).cast(dtype).expect("a cast")
        }
        _ => Block::from_slice(&shape, &(0..24).collect::<Vec<i64>>()).cast(dtype).expect("a cast"),
    }
}

/// The name of a dtype in the fixtures.
fn short(dtype: DType) -> &'static str {
    if dtype == DType::Bool { "b1" } else { dtype.short() }
}

#[test]
fn files_of_numpy_are_read() {
    let mut random = random(1);
    let mut seen = 0;
    for &dtype in DType::ALL {
        for order in ["little", "big", "fortran"] {
            let file = fixture(&format!("{}-{order}.npy", short(dtype)));
            if !Path::new(&file).exists() {
                continue;
            }
            seen += 1;
            let stored = stored::open(&Target::parse(&file).expect("a target")).expect("it is sound");
            assert_eq!((stored.dtype(), stored.shape()), (dtype, &[2, 3, 4][..]), "{file}");
            let all = stored.read(&whole(&[2, 3, 4])).expect("it is read");
            assert!(all.same(&values(dtype)), "{file}");
            for _ in 0..30 {
                let region = regions(&[2, 3, 4], random(1 << 20));
                let read = stored.read(&region).expect("it is read");
                assert!(read.same(&part(&values(dtype), &region)), "{file} {region:?}");
            }
        }
    }
    assert_eq!(seen, 26);
    let d = desk();
    // Debug builds see to it that no task takes more memory than was foreseen: these are large enough to tell.
    for (descr, size) in [("<f8", 8), (">f2", 2), ("|b1", 1), (">i4", 4)] {
        for order in ["True", "False"] {
            let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (1000, 900), }}");
            let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
            bytes.extend(format!("{text:<117}\n").bytes());
            bytes.resize(bytes.len() + 900_000 * size, 0);
            std::fs::write(d.path("large.npy"), bytes).expect("it is written");
            for chunks in [":auto", "[300 -1]", "[-1 300]"] {
                d.run(&format!("(def x (read-array (at \"large.npy\") :chunks {chunks}))"));
                d.is_true("(= 0 (+ (sum x) (sum (x ::-2 ::-1)) (sum (x 7)) (sum (transpose x)) (x 8 9)))");
                d.run("(store (x ::-1 :) (at \"other.npy\") :overwrite true)");
            }
        }
    }
    for file in ["f2-little.npy", "f2-big.npy", "version-2.npy", "version-3.npy"] {
        d.is_true(&format!("(all (= (read-array (made \"{file}\") :chunks 2) (reshape (arange 24) [2 3 4])))"));
    }
    d.is_true("(= :float32 (dtype (read-array (made \"f2-big.npy\"))))");
    d.is_true("(= 2.5 (read-array (made \"scalar.npy\")))");
    d.is_true("(= [0 3] (shape (read-array (made \"empty.npy\"))))");
    d.is_true("(= 17 (read (made \"i2-big.npy\") 1 1 1))");
    d.is_true("(= {} (attributes (made \"i2-big.npy\")))");
    fails_with(&d, "(read-array (made \"text.npy\"))", Code::Type, &["`text.npy` holds strings of 2 characters"]);
    fails_with(&d, "(read-array (made \"records.npy\"))", Code::Type, &["`records.npy` holds records of a, b"]);
    fails_with(&d, "(read-array (made \"i2-big.npy::/a\"))", Code::Value, &["holds one array", "`i2-big.npy`"]);
    fails_with(&d, "(read-array (made \"i2-bug.npy\"))", Code::Io, &["there is no file", "did you mean"]);
}

#[test]
fn files_are_those_that_numpy_writes() {
    let d = desk();
    for &dtype in DType::ALL {
        d.engine.set("x", Value::from(values(dtype))).expect("a name");
        let name = format!("{}.npy", short(dtype));
        d.run(&format!("(store (rechunk x [1 2 3]) (at \"{name}\"))"));
        let made = fixture(&format!("{}-little.npy", short(dtype)));
        let (ours, theirs) = (std::fs::read(d.path(&name)), std::fs::read(&made));
        assert!(ours.expect("it is there") == theirs.expect("it is there"), "{name}");
        d.is_true(&format!("(all (= (read-array (at \"{name}\") :chunks [2 1 3]) x))"));
    }
    // Of every rank.
    d.run("(store 2.5 (at \"number.npy\"))");
    d.run("(store (zeros [0 3]) (at \"none.npy\"))");
    for (ours, theirs) in [("number.npy", "scalar.npy"), ("none.npy", "empty.npy")] {
        let (ours, theirs) = (std::fs::read(d.path(ours)), std::fs::read(fixture(theirs)));
        assert_eq!(ours.expect("it is there"), theirs.expect("it is there"));
    }
}

#[test]
fn a_file_is_replaced_only_by_a_whole_one() {
    let d = desk();
    d.run("(store (arange 40 :chunks 10) (at \"a.npy\"))");
    let before = std::fs::read(d.path("a.npy")).expect("it is there");
    fails_with(&d, "(store 1 (at \"a.npy\"))", Code::Io, &["`a.npy` is there already", ":overwrite true"]);
    d.run(
        "(def bad (map-blocks (fn [b] (if (> (b 0) 20) (throw \"no more\") b)) (arange 40 :chunks 10) :dtype :int64))",
    );
    fails_with(
        &d,
        "(with-config {:scheduler :sync} (store bad (at \"a.npy\") :overwrite true))",
        Code::User,
        &["`a.npy.incomplete` holds the blocks that were written"],
    );
    assert_eq!(d.names("."), ["a.npy", "a.npy.incomplete"]);
    assert_eq!(std::fs::read(d.path("a.npy")).expect("it is there"), before);
    // What was written can be looked at, and the next store takes its place.
    d.is_true("(all (= (arange 10) ((read-array (at \"a.npy.incomplete\")) :10)))");
    // In place: what is read is the old file, until the new one is complete.
    d.run("(def old (read-array (at \"a.npy\") :chunks 7))");
    d.run("(store (+ 1 old) (at \"a.npy\") :overwrite true)");
    assert_eq!(d.names("."), ["a.npy"]);
    d.is_true("(all (= (+ 1 (arange 40)) (read-array (at \"a.npy\"))))");
    // A store that fails before it has written a block leaves nothing.
    d.run("(def worse (map-blocks (fn [b] (throw \"nothing\")) (arange 40 :chunks 10) :dtype :int64))");
    fails_with(&d, "(store worse (at \"b.npy\"))", Code::User, &["nothing was written to `b.npy`"]);
    assert_eq!(d.names("."), ["a.npy"]);
    // The same of a dataset; nothing is held that the next store would wait for.
    fails_with(&d, "(store worse (at \"b.h5::/x\"))", Code::User, &["nothing was written to `b.h5::/x`"]);
    assert_eq!(d.names("."), ["a.npy"]);
    fails_with(&d, "(store bad (at \"b.npy\"))", Code::User, &["`b.npy.incomplete` holds"]);
    d.run("(store 1 (at \"b.npy\"))");
    std::fs::remove_file(d.path("b.npy")).expect("it is there");
    fails_with(&d, "(store [1 2] [(at \"c.npy\") (at \"a.npy\")])", Code::Io, &["`a.npy` is there already"]);
    fails_with(&d, "(store 1 (at \"no/a.npy\"))", Code::Io, &["there is no folder `no`"]);
    std::fs::create_dir(d.path("folder.npy")).expect("a folder");
    fails_with(&d, "(store 1 (at \"folder.npy\") :overwrite true)", Code::Io, &["is not a file"]);
    fails_with(&d, "(read-array (at \"folder.npy\"))", Code::Io, &["is not a file"]);
    assert_eq!(d.names("."), ["a.npy", "folder.npy"]);
}

#[test]
fn a_file_that_is_being_written_is_left_alone() {
    let d = desk();
    let target = Target::parse(&d.path("a.npy").display().to_string()).expect("a target");
    let chunks = Chunks::whole(&[3]);
    let sink = stored::create(&target, DType::I64, &chunks, &Options::default()).expect("a new file");
    fails_with(&d, "(store 1 (at \"a.npy\"))", Code::Io, &["`a.npy` is being written already"]);
    sink.write(&[0], &Block::from_slice(&[3], &[1i64, 2, 3])).expect("it is written");
    assert!(sink.write(&[1], &Block::from_slice(&[3], &[1i64, 2, 3])).is_err());
    sink.finish().expect("it is complete");
    drop(sink);
    d.run("(store (* 2 (read-array (at \"a.npy\"))) (at \"a.npy\") :overwrite true)");
    d.is_true("(= [2 4 6] (to-list (read-array (at \"a.npy\"))))");
}

/// What an array was opened as is not read from what is there in its place.
#[test]
fn an_array_that_was_replaced_is_told_of() {
    let d = desk();
    std::fs::copy(fixture("i4-little.npy"), d.path("x.npy")).expect("a copy");
    std::fs::copy(fixture("classic.nc"), d.path("x.nc")).expect("a copy");
    let name = "`x.npy` was replaced after it was opened";
    d.run("(def x (read-array (at \"x.npy\")))");
    d.run("(write (at \"x.npy\") (astype [[[7]]] :i4) 0:1 0:1 0:1)");
    d.is_true("(= 7 (x 0 0 0))");
    // Written over by another program, in place.
    std::fs::copy(fixture("f8-little.npy"), d.path("x.npy")).expect("a copy");
    fails_with(&d, "(sum x)", Code::Io, &[name, "call `read-array` again"]);
    d.run("(def x (read-array (at \"x.npy\")))");
    d.run("(store (+ 1 x) (at \"x.npy\") :overwrite true)");
    fails_with(&d, "(sum x)", Code::Io, &[name]);
    d.run("(def x (read-array (at \"x.npy\")))");
    std::fs::remove_file(d.path("x.npy")).expect("a file");
    fails_with(&d, "(sum x)", Code::Io, &[name]);
    d.run("(def v (read-array (at \"x.nc::t2m\")))");
    std::fs::copy(fixture("offset.nc"), d.path("y.nc")).expect("a copy");
    std::fs::rename(d.path("y.nc"), d.path("x.nc")).expect("a new name");
    fails_with(&d, "(compute v)", Code::Io, &["`x.nc::/t2m` was replaced after it was opened"]);
}

#[test]
fn what_no_store_made_is_not_written_over() {
    let d = desk();
    std::fs::write(d.path("x.npy.incomplete"), "precious").expect("a file");
    fails_with(&d, "(store [1 2] (at \"x.npy\"))", Code::Io, &["`x.npy.incomplete`, which no store left there"]);
    assert_eq!(std::fs::read(d.path("x.npy.incomplete")).expect("the file"), b"precious");
    std::fs::create_dir(d.path("y.npy.incomplete")).expect("a folder");
    fails_with(&d, "(store [1 2] (at \"y.npy\"))", Code::Io, &["`y.npy.incomplete`, which no store left there"]);
    assert_eq!(d.names("."), ["x.npy.incomplete", "y.npy.incomplete"]);
}

#[test]
fn arrays_do_not_lie_within_arrays() {
    let d = desk();
    for targets in ["\"x.zarr\" \"x.zarr::/a\"", "\"x.zarr::/a/b\" \"x.zarr::a\"", "\"x.h5::/a\" \"x.h5::/a/b\""] {
        let text = format!("(store [(ones [3]) (zeros [3])] (map at [{targets}]))");
        fails_with(&d, &text, Code::Value, &["would lie within the array"]);
    }
    assert!(d.names(".").is_empty(), "nothing was begun");
}

/// Their datasets hold zeros that nobody wrote.
#[test]
fn a_dimension_without_a_variable_is_no_array() {
    let d = desk();
    let name = "This is a netCDF dimension but not a netCDF variable.         5";
    d.run(&format!("(store (zeros [5]) (at \"x.nc::/x\") :attributes {{\"NAME\" \"{name}\"}})"));
    fails_with(&d, "(read-array (at \"x.nc::/x\"))", Code::Io, &["`x.nc::/x` is a dimension, and no variable"]);
}

#[test]
fn options_that_a_kind_of_file_does_not_have_are_errors() {
    let d = desk();
    for (keyword, name) in [
        (":compression 3", "`:compression`"),
        (":shuffle true", "`:shuffle`"),
        (":storage-chunks [2]", "`:storage-chunks`"),
        (":attributes {:units \"K\"}", "`:attributes`"),
    ] {
        let text = format!("(store (arange 4) (at \"a.npy\") {keyword})");
        fails_with(&d, &text, Code::Value, &["`a.npy` cannot have", name, "one array"]);
    }
    assert!(d.names(".").is_empty());
    d.run("(store (arange 4) (at \"a.npy\") :compression false :attributes {})");
}

#[test]
fn a_part_is_written_to_a_file_that_is_there() {
    let d = desk();
    for file in ["i4-little.npy", "i4-big.npy", "i2-big.npy", "b1-fortran.npy"] {
        std::fs::copy(fixture(file), d.path("x.npy")).expect("a copy");
        d.run("(def before (compute (read-array (at \"x.npy\"))))");
        d.run("(write (at \"x.npy\") (astype (- 1 (astype (before 1: :2 1:3) :i4)) (dtype before)) 1:2 0:2 1:3)");
        d.run("(def after (assoc before [1: :2 1:3] (astype (- 1 (astype (before 1: :2 1:3) :i4)) (dtype before))))");
        d.is_true("(all (= after (read-array (at \"x.npy\"))))");
        d.is_true("(= false (all (= before (read-array (at \"x.npy\")))))");
    }
    fails_with(&d, "(write (at \"x.npy\") [true] 0:1)", Code::Shape, &["does not fit `x.npy`"]);
    fails_with(&d, "(write (at \"x.npy\") [[[1]]] 0:1 0:1 0:1)", Code::Type, &["`x.npy` holds bool", "astype"]);
    fails_with(
        &d,
        "(write (made \"f2-big.npy\") (array [[[1]]] :dtype :f4) 0:1 0:1 0:1)",
        Code::Type,
        &["half-precision"],
    );
    fails_with(&d, "(write (made \"alone.nc::flag\") [[1]] 0:1 0:1)", Code::Io, &["only read"]);
}

/// Any region of any small array, written in any chunks, is that of the whole.
#[test]
fn any_region_is_the_slice_of_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = Target::parse(&folder.path().join("x.npy").display().to_string()).expect("a target");
    let mut random = random(7);
    for _ in 0..150 {
        let shape: Vec<usize> = (0..random(4)).map(|_| random(9)).collect();
        let dtype = DType::ALL[random(DType::ALL.len())];
        let count: usize = shape.iter().product();
        let values: Vec<i64> = (0..count).map(|_| random(100) as i64).collect();
        let block = Block::from_slice(&shape, &values).cast(dtype).expect("a cast");
        let cut: Vec<usize> = shape.iter().map(|&n| 1 + random(n)).collect();
        let chunks = Chunks::regular(&shape, &cut);
        let options = Options { overwrite: true, ..Options::default() };
        let sink = stored::create(&target, dtype, &chunks, &options).expect("a new file");
        for index in 0..chunks.grid().iter().product() {
            let index = dsk::data::graph::unravel(index, &chunks.grid());
            let size = chunks.block_shape(&index);
            let start: Vec<usize> = index.iter().zip(&cut).map(|(&i, &c)| i as usize * c).collect();
            let ranges: Vec<Range> =
                start.iter().zip(&size[..]).map(|(&start, &count)| Range { start, step: 1, count }).collect();
            sink.write(&start, &part(&block, &ranges)).expect("it is written");
        }
        sink.finish().expect("it is complete");
        let stored = stored::open(&target).expect("it is sound");
        for _ in 0..8 {
            let region = regions(&shape, random(1 << 20));
            let read = stored.read(&region).expect("it is read");
            assert!(read.same(&part(&block, &region)), "{dtype} {shape:?} {region:?}");
        }
    }
}

#[test]
fn classic_netcdf_is_read() {
    let d = desk();
    for file in ["classic.nc", "offset.nc", "data.nc"] {
        let read = |name: &str| format!("(read-array (made \"{file}::{name}\"))");
        for name in ["t2m", "/t2m"] {
            d.is_true(&format!("(all (= {} (reshape (arange 60) [4 3 5])))", read(name)));
        }
        d.is_true(&format!("(= :float32 (dtype {}))", read("t2m")));
        d.is_true(&format!("(all (= ({} ::-2 1 1:4) ((reshape (arange 60) [4 3 5]) ::-2 1 1:4)))", read("t2m")));
        d.is_true(&format!("(all (= {} (- (reshape (arange 12) [4 3]) 6)))", read("flag")));
        d.is_true(&format!("(= [0.0 6.0 12.0 18.0] (to-list {}))", read("hours")));
        d.is_true(&format!("(all (= {} (* 100 (reshape (arange 15) [3 5]))))", read("height")));
        d.is_true(&format!("(= 42 {})", read("number")));
        d.is_true(&format!("(= {{\"units\" \"K\" \"offset\" 7}} (attributes (made \"{file}::t2m\")))"));
        d.is_true(&format!("(= \"made by netCDF4\" (get (attributes (made \"{file}\")) \"title\"))"));
        d.is_true(&format!("(= [1.5 2.5] (to-list (get (attributes (made \"{file}\")) \"numbers\")))"));
        fails_with(&d, &read("name"), Code::Type, &["/name` holds text"]);
        fails_with(&d, &read("t2n"), Code::Io, &["has no dataset `/t2n`", "did you mean `/t2m`?", "`/flag`"]);
        fails_with(&d, &format!("(store 1 (made \"{file}::x\"))"), Code::Io, &["classic netCDF files are only read"]);
    }
    for kind in ["u1", "u2", "u4", "i8", "u8"] {
        d.is_true(&format!("(= [3 4 5 6 7] (to-list (read-array (made \"data.nc::{kind}\"))))"));
        d.is_true(&format!("(= (dtype (array [] :dtype :{kind})) (dtype (read-array (made \"data.nc::{kind}\"))))"));
    }
    d.is_true("(all (= (reshape (arange 15) [5 3]) (read-array (made \"alone.nc::flag\") :chunks 2)))");
    fails_with(&d, "(store 1 (at \"new.cdf::x\"))", Code::Io, &["classic netCDF files are only read"]);
    // By any name that HDF5 files have.
    std::fs::copy(fixture("alone.nc"), d.path("alone.h5")).expect("a copy");
    d.is_true("(= 105 (sum (read-array (at \"alone.h5::flag\"))))");
    std::fs::copy(fixture("alone.nc"), d.path("alone.cdf")).expect("a copy");
    d.is_true("(= 105 (sum (read-array (at \"alone.cdf::flag\"))))");
}

#[test]
fn listings_tell_what_is_in_a_file() {
    let listing = |name: &str| stored::listing(Path::new(&fixture(name)), &|v| format!("{v:?}")).expect("a listing");
    assert!(
        listing("i2-little.npy").ends_with("i2-little.npy  176 B\n  int16 [2 3 4]  48 B\n"),
        "{}",
        listing("i2-little.npy")
    );
    let text = listing("classic.nc");
    for line in
        ["/        group", "/t2m     float32 [4 3 5]  240 B", "/name    text [3]  3 B", "/number  int32 []  4 B"]
    {
        assert!(text.lines().any(|l| l.trim_end() == line), "{line}\n{text}");
    }
    assert!(text.contains("@units"), "{text}");
}

#[test]
fn several_files_are_one_array() {
    let d = desk();
    for (name, numbers) in [("b-2.npy", "4:6"), ("b-1.npy", "0:4"), ("b-10.npy", "6:7")] {
        d.run(&format!("(store ((reshape (arange 21) [7 3]) {numbers}) (at \"{name}\"))"));
        let h5 = name.replace(".npy", ".h5::/g/x");
        d.run(&format!("(store ((reshape (arange 21) [7 3]) {numbers}) (at \"{h5}\"))"));
    }
    // By the order of names: b-1 b-10 b-2.
    for pattern in ["b-*.npy", "b-*.h5::/g/x"] {
        d.run(&format!("(def x (read-array (at \"{pattern}\") :concat-axis 0))"));
        d.is_true("(= [7 3] (shape x))");
        d.is_true("(= [0 3 6 9 18 12 15] (to-list (x : 0)))");
        d.is_true("(= [9 18] (to-list (x 3:5 0)))");
        d.run(&format!("(def x (read-array (at \"{pattern}\") :concat-axis -2 :chunks [2 2]))"));
        d.is_true("(= [[2 2 1 2] [2 1]] (chunks x))");
        d.is_true("(= 210 (sum x))");
    }
    d.run("(def y (read-array [(at \"b-1.npy\") (at \"b-2.h5::/g/x\") (at \"b-10.npy\")] :concat-axis 0))");
    d.is_true("(all (= y (reshape (arange 21) [7 3])))");
    d.is_true("(= [4 3] (shape (read-array [(at \"b-1.npy\")])))");
    d.is_true("(= [1 3] (shape (read-array (at \"b-1*0.npy\"))))");
    d.is_true("(= [4 6] (shape (read-array [(at \"b-1.npy\") (at \"b-1.npy\")] :concat-axis 1)))");
    let several = "(read-array (at \"b-*.npy\"))";
    fails_with(&d, several, Code::Value, &["`b-*.npy` matches 3 files", "`:concat-axis 0`"]);
    fails_with(&d, "(read-array [(at \"b-1.npy\") (at \"b-2.npy\")])", Code::Value, &["2 targets", "`:concat-axis 0`"]);
    fails_with(&d, "(read-array (at \"c-*.npy\") :concat-axis 0)", Code::Io, &["no file matches `c-*.npy`"]);
    fails_with(&d, "(read-array (at \"b-*.npy\") :concat-axis 2)", Code::Axis, &["no axis 2"]);
    fails_with(&d, "(read-array [] :concat-axis 0)", Code::Value, &["list of targets is empty"]);
    fails_with(&d, "(read-array [3] :concat-axis 0)", Code::Type, &["`target`"]);
    d.run("(store (ones [2 3]) (at \"b-3.npy\"))");
    fails_with(
        &d,
        "(read-array (at \"b-*.npy\") :concat-axis 0)",
        Code::Type,
        &["`b-3.npy` holds float64, `b-1.npy` int64"],
    );
    d.run("(store (arange 4) (at \"b-3.npy\") :overwrite true)");
    let told = ["`b-3.npy` is of shape [4], `b-1.npy` of [4 3]", "along axis 0 only"];
    fails_with(&d, "(read-array (at \"b-*.npy\") :concat-axis 0)", Code::Shape, &told);
    // A file may be named like a pattern.
    d.run("(store (arange 3) (at \"c[1].npy\"))");
    d.is_true("(= 3 (sum (read-array (at \"c[1].npy\"))))");
}

#[test]
fn more_files_than_may_be_open_are_one_array() {
    let d = desk();
    let header = std::fs::read(fixture("scalar.npy")).expect("it is there");
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }";
    let mut bytes = header[..10].to_vec();
    bytes.extend(format!("{text:<117}\n").bytes());
    bytes.push(1);
    for n in 0..1200 {
        std::fs::write(d.path(&format!("{n:04}.npy")), &bytes).expect("it is written");
    }
    d.is_true("(= 1200 (sum (read-array (at \"*.npy\") :concat-axis 0)))");
}

/// Opens a file that may be anything, and looks at what is in it.
fn look(path: &Path, name: &str) {
    let sound = |code: Code| matches!(code, Code::Io | Code::Type | Code::Memory);
    let target = Target::parse(&format!("{}{name}", path.display())).expect("a target");
    let looked = stored::open(&target).and_then(|stored| {
        let part: Vec<Range> = stored.shape().iter().map(|&n| Range { start: 0, step: 1, count: n.min(8) }).collect();
        // No file of some hundred bytes has more elements; but strides of netCDF may overlap.
        stored.read(&part).map(|_| ())
    });
    let listed = stored::listing(path, &|_| String::new()).map(|_| ());
    let said = stored::attributes(&target).map(|_: Map| ());
    for error in [looked, listed, said].into_iter().filter_map(Result::err) {
        assert!(sound(error.code()), "{error:?}");
    }
}

#[test]
fn damaged_files_end_in_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = random(3);
    for (name, variables, header) in [
        ("f8-big.npy", &[""][..], 128),
        ("records.npy", &[""], 128),
        ("version-2.npy", &[""], 128),
        ("classic.nc", &["::t2m", "::flag", "::number"], 600),
        ("data.nc", &["::t2m", "::u8"], 900),
        ("alone.nc", &["::flag"], 100),
    ] {
        let sound = std::fs::read(fixture(name)).expect("it is there");
        let path = folder.path().join(name);
        let see = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("it is written");
            variables.iter().for_each(|variable| look(&path, variable));
        };
        (0..sound.len()).step_by(3).for_each(|len| see(&sound[..len]));
        for _ in 0..600 {
            let mut bytes = sound.clone();
            for _ in 0..1 + random(3) {
                let at = random(header.min(bytes.len()));
                match random(5) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes[at] = *b"()[]{},:'0123456789-LFTu".get(random(24)).expect("one of them"),
                    3 => {
                        let end = (at + 4).min(bytes.len());
                        bytes[at..end].fill(if random(2) == 0 { 0xff } else { 0 });
                    }
                    _ => {
                        let from = random(bytes.len());
                        bytes.swap(at, from);
                    }
                }
            }
            see(&bytes);
        }
    }
}
