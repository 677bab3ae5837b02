//! Zarr arrays: those of zarr-python are read right, those of dsk are what was stored, and what is wrong is told.

use dsk::data::slice::Range;
use dsk::data::{Chunks, DType, Dims, Map, Value};
use dsk::io::stored::{self, Options, Sink, Stored};
use dsk::io::target::Target;
use dsk::text::Code;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

#[path = "zarr/made.rs"]
mod made;
use made::{Expected, assert_same, expected, unpack, values};
mod desk;
use desk::Desk;
mod parts;
use parts::{part, regions, whole};

#[test]
fn arrays_of_zarr_python_read_right_whole_and_in_parts() {
    let all = expected();
    assert!(all.len() > 50, "{}", all.len());
    for Expected { target, values } in all {
        let array = stored::open(&target).unwrap_or_else(|e| panic!("{target}: {e:?}"));
        let read = |region: &[Range]| array.read(region).unwrap_or_else(|e| panic!("{target} {region:?}: {e:?}"));
        assert_same(&read(&whole(values.shape())), &values, &target.to_string());
        for n in 0..60 {
            let region = regions(values.shape(), n);
            assert_same(&read(&region), &part(&values, &region), &format!("{target} {region:?}"));
        }
    }
}

/// A desk with the arrays of zarr-python.
fn desk_with_made() -> Desk {
    let desk = Desk::new();
    unpack(desk.folder.path());
    desk
}

#[test]
fn what_is_stored_is_read_back() {
    let d = Desk::new();
    d.run("(def x (reshape (arange 60 :chunks 60) [6 10]))");
    d.run("(store (rechunk x [4 3]) (at \"a.zarr::/g/h/X\") :attributes {:units \"K\" :levels [1 2 3] :at [[0.5 1] [2 3]]})");
    d.is_true("(all (= (read-array (at \"a.zarr::/g/h/X\")) x))");
    d.is_true("(all (= (read-array (at \"a.zarr::/g/h/X\") :chunks [5 -1]) x))");
    d.is_true("(= \"K\" (:units (attributes (at \"a.zarr::/g/h/X\"))))");
    d.is_true("(all (= [[0.5 1] [2 3]] (:at (attributes (at \"a.zarr::/g/h/X\")))))");
    d.is_true("(= {} (attributes (at \"a.zarr\")))");
    d.is_true("(= {} (attributes (at \"a.zarr::/g\")))");
    // A part, with any index.
    d.is_true("(all (= (read (at \"a.zarr::/g/h/X\") 1:5:2 ::-3) (x 1:5:2 ::-3)))");
    d.is_true("(all (= (read (at \"a.zarr::/g/h/X\") ... [7 0 7]) (x ... [7 0 7])))");
    // The root as an array, compressed; numbers; nothing.
    d.run("(store (ones [300 200] :chunks [100 200]) (at \"b.zarr\") :compression 1 :storage-chunks [64 64])");
    d.is_true("(all (= 1 (read-array (at \"b.zarr\"))))");
    d.run("(store 2.5 (at \"number.zarr\"))");
    d.is_true("(= (read-array (at \"number.zarr\")) 2.5)");
    d.run("(store (zeros [0 3]) (at \"none.zarr\"))");
    d.is_true("(= [0 3] (shape (read-array (at \"none.zarr\"))))");
    assert_eq!(d.names("."), ["a.zarr", "b.zarr", "none.zarr", "number.zarr"]);
    assert_eq!(d.names("a.zarr/g/h/X"), ["c", "zarr.json"]);
    // Blocks that share chunks.
    d.run("(store (rechunk (reshape (arange 10000) [100 100]) [7 13]) (at \"s.zarr\") :compression true :storage-chunks [40 40])");
    d.is_true("(all (= (read-array (at \"s.zarr\")) (reshape (arange 10000) [100 100])))");
    d.run("(store (rechunk (reshape (arange 10000) [100 100]) [7 13]) (at \"s.zarr\") :overwrite true :storage-chunks [40 40])");
    d.is_true("(all (= (read-array (at \"s.zarr\")) (reshape (arange 10000) [100 100])))");
    // Several as one.
    d.run("(store [1 2] (at \"p1.zarr\"))");
    d.run("(store [3] (at \"p2.zarr\"))");
    d.is_true("(all (= [1 2 3] (read-array (at \"p?.zarr\") :concat-axis 0)))");
}

#[test]
fn an_array_is_replaced_once_the_new_one_is_complete() {
    let d = Desk::new();
    d.run("(store (arange 100 :chunks 10) (at \"x.zarr\") :storage-chunks [10])");
    let (code, message, help) = d.fails("(store 1 (at \"x.zarr\"))");
    assert_eq!((code, &*message), (Code::Io, "there is `x.zarr` already"));
    assert!(help.contains(":overwrite true"), "{help}");
    d.run("(store (+ 1 (read-array (at \"x.zarr\"))) (at \"x.zarr\") :overwrite true)");
    d.is_true("(all (= (read-array (at \"x.zarr\")) (+ 1 (arange 100))))");
    assert_eq!(d.names("."), ["x.zarr"]);
    // What was opened before is not read as what has its place now.
    d.run("(def old (read-array (at \"x.zarr\")))");
    d.run("(store (zeros 7) (at \"x.zarr\") :overwrite true)");
    let (code, message, _) = d.fails("(sum old)");
    assert_eq!((code, &*message), (Code::Io, "`x.zarr` was replaced after it was opened"));
    // A store that fails leaves what is there, and what was written beside it.
    d.run("(def bad (map-blocks (fn [b] (if (> (max b) 50) (throw \"no\") b)) (arange 100 :chunks 10) :dtype :int64))");
    let (_, _, help) = d.fails("(store bad (at \"x.zarr\") :overwrite true :workers 1)");
    assert!(help.contains("`x.zarr.incomplete` holds the blocks"), "{help}");
    d.is_true("(all (= 0 (read-array (at \"x.zarr\"))))");
    assert_eq!(d.names("."), ["x.zarr", "x.zarr.incomplete"]);
    d.is_true("(= [100] (shape (read-array (at \"x.zarr.incomplete\"))))");
    // The next store takes its place.
    d.run("(store (ones 3) (at \"x.zarr\") :overwrite true)");
    assert_eq!(d.names("."), ["x.zarr"]);
    // A store that fails before anything is written leaves nothing, nor the groups it made.
    d.run("(def worse (map-blocks (fn [b] (throw \"no\")) (arange 100 :chunks 10) :dtype :int64))");
    let (_, _, help) = d.fails("(store worse (at \"y.zarr::/g/a\"))");
    assert!(help.contains("nothing was written to `y.zarr::/g/a`"), "{help}");
    assert_eq!(d.names("."), ["x.zarr"]);
}

/// Whatever metadata says of chunks, there is an error instead of an end for want of memory or disk.
#[test]
fn chunks_beyond_all_room_are_refused() {
    let d = Desk::new();
    d.run("(store (ones [4]) (at \"x.zarr\"))");
    let sound = std::fs::read_to_string(d.path("x.zarr/zarr.json")).expect("the metadata");
    std::fs::remove_dir_all(d.path("x.zarr/c")).expect("its chunk");
    let mut large = sound.split_whitespace().collect::<String>().replace("[4]", "[100000000000000]");
    for (fill, codecs, what) in [
        ("1.5", "", "are to be written, and the disk has"),
        ("0.0", ",{\"name\":\"gzip\",\"configuration\":{\"level\":1}}", "too much for this machine's memory"),
    ] {
        large = large.replace("\"fill_value\":0.0", &format!("\"fill_value\":{fill}"));
        let text = large.replace("\"name\":\"bytes\"}]", &format!("\"name\":\"bytes\"}}{codecs}]"));
        assert!(codecs.is_empty() || text.contains(codecs), "{text}");
        std::fs::write(d.path("x.zarr/zarr.json"), text).expect("it is written");
        assert_eq!(d.run("(to-list (read (at \"x.zarr\") 0:1))").to_string(), format!("[{fill}]"));
        let (code, message, _) = d.fails("(write (at \"x.zarr\") [1.0 2.0] 0:2)");
        assert!(code == Code::Io && message.contains(what), "{message}");
        large = large.replace("1.5", "0.0");
    }
}

/// A group is written anew where it tells of what was in it, and loses nothing else.
#[test]
fn a_group_keeps_its_attributes() {
    let d = Desk::new();
    d.run("(store (ones [4]) (at \"x.zarr::/g/a\"))");
    let group = "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{\"missing\":NaN,\"valid\":[-Infinity,1.5]},\
                 \"consolidated_metadata\":{\"metadata\":{}}}";
    std::fs::write(d.path("x.zarr/g/zarr.json"), group).expect("it is written");
    d.run("(store (ones [4]) (at \"x.zarr::/g/b\"))");
    let text: String =
        std::fs::read_to_string(d.path("x.zarr/g/zarr.json")).expect("the metadata").split_whitespace().collect();
    assert!(text.contains("\"attributes\":{\"missing\":NaN,\"valid\":[-Infinity,1.5]}"), "{text}");
    assert!(!text.contains("consolidated"), "{text}");
}

#[test]
fn attributes_that_are_nested_without_end_are_refused() {
    let d = Desk::new();
    d.run("(def deep (loop [i 0 x 1] (if (< i 200000) (recur (inc i) [x \"s\"]) x)))");
    for target in ["x.zarr", "x.h5::/a"] {
        let (code, message, _) = d.fails(&format!("(store (ones [2]) (at \"{target}\") :attributes {{:a deep}})"));
        assert!(code == Code::Type && message.contains("the attribute `a` cannot be"), "{message}");
    }
    assert!(d.names(".").is_empty());
}

/// xarray asks for the names of axes, at their place in version 3.
#[test]
fn axes_are_named_by_an_attribute() {
    let d = Desk::new();
    d.run("(store (ones [2 3]) (at \"x.zarr\") :attributes {\"_ARRAY_DIMENSIONS\" [\"lat\" \"lon\"]})");
    let text = std::fs::read_to_string(d.path("x.zarr/zarr.json")).expect("the metadata");
    let names = text.split("\"dimension_names\"").nth(1).expect("names of the axes");
    let names: String = names.split(']').next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(names, ":[\"lat\",\"lon\"");
    d.run("(store (ones [2 3]) (at \"y.zarr\") :attributes {\"_ARRAY_DIMENSIONS\" [\"lat\"]})");
    let text = std::fs::read_to_string(d.path("y.zarr/zarr.json")).expect("the metadata");
    assert!(!text.contains("dimension_names"), "{text}");
}

#[test]
fn parts_are_written_to_arrays_that_are_there() {
    let d = desk_with_made();
    for name in ["gzip", "zstd", "crc32c", "big", "turned", "blosc-lz4"] {
        let target = format!("(at \"v3.zarr::/codecs/{name}\")");
        d.run(&format!("(def x (compute (read-array {target})))"));
        d.run(&format!("(write {target} (astype (full [3 2 9] -7) :int32) 2:5 3:5 0:9)"));
        d.is_true(&format!("(all (= -7 ((read-array {target}) 2:5 3:5)))"));
        d.is_true(&format!("(all (= (x :2) ((read-array {target}) :2)))"));
        d.is_true(&format!("(all (= (x 2: :3) ((read-array {target}) 2: :3)))"));
    }
    for name in ["f", "fplain", "slashes", "none", "shuffled", "bz2"] {
        let target = format!("(at \"v2.zarr::/codecs/{name}\")");
        d.run(&format!("(write {target} (astype (full [7 5 9] -7) :int32) 0:7 0:5 0:9)"));
        d.run(&format!("(write {target} (astype (full [1 1 1] 5) :int32) 6:7 4:5 8:9)"));
        d.is_true(&format!("(= (+ 5 (* -7 314)) (sum (read-array {target})))"));
    }
    // Halves are the nearest; chunks that were not there come to be.
    d.run("(write (at \"v3.zarr::/types/float16\") (astype [[0.1 70000]] :float32) 1:2 1:3)");
    d.is_true("(all (= [0.0999755859375 inf] ((read-array (at \"v3.zarr::/types/float16\")) 1 1:3)))");
    d.run("(write (at \"v3.zarr::/holes\") (astype (ones [1 1]) :float32) 9:10 5:6)");
    d.is_true("(= 1 (nansum ((read-array (at \"v3.zarr::/holes\")) 5:)))");
    let (code, message, _) = d.fails("(write (at \"v3.zarr::/sharded\") (astype [[1]] :uint16) 0:1 0:1)");
    assert_eq!(code, Code::Io);
    assert!(message.contains("shards"), "{message}");
    let (code, _, help) = d.fails("(write (at \"v3.zarr::/holes\") [[1]] 0:1 0:1)");
    assert_eq!(code, Code::Type);
    assert!(help.contains("astype"), "{help}");
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let d = desk_with_made();
    for (target, code, message, help) in [
        ("w3.zarr", Code::Io, "there is no file `w3.zarr`", "did you mean `v3.zarr`?"),
        ("v3.zarr::/codecs/gzi", Code::Io, "`v3.zarr` has no dataset `/codecs/gzi`", "did you mean `/codecs/gzip`?"),
        ("v3.zarr::/nothing", Code::Io, "`v3.zarr` has no dataset `/nothing`", "more"),
        ("v3.zarr", Code::Io, "`v3.zarr` is a group, not a dataset", "`/codecs/big`"),
        ("v2.zarr::/types", Code::Io, "`v2.zarr::/types` is a group, not a dataset", "`/types/b1`"),
        ("v3.zarr::/text", Code::Type, "`v3.zarr::/text` holds string, which no dtype stands for", ""),
        ("v2.zarr::/times", Code::Type, "`v2.zarr::/times` holds <M8[ns], which no dtype stands for", ""),
        ("v2.zarr::/delta", Code::Io, "`v2.zarr::/delta` cannot be read: its codec `delta` is not known here", ""),
        ("v3.zarr::/../a", Code::Value, "`..` cannot be a part of the name of an array, as in `/../a`", ""),
    ] {
        let (found, told, helped) = d.fails(&format!("(read-array (at \"{target}\"))"));
        assert_eq!((found, &*told), (code, message));
        assert!(helped.contains(help), "{helped}");
    }
    std::fs::write(d.path("file.zarr"), "x").unwrap();
    std::fs::create_dir(d.path("empty.zarr")).unwrap();
    std::fs::create_dir_all(d.path("other.zarr/x")).unwrap();
    for (target, message) in [
        ("file.zarr", "`file.zarr` is a file"),
        ("empty.zarr", "`empty.zarr` is neither a Zarr array nor a group"),
        ("other.zarr::/x", "`other.zarr` has no dataset `/x`"),
    ] {
        let (code, told, _) = d.fails(&format!("(read-array (at \"{target}\"))"));
        assert_eq!(code, Code::Io);
        assert!(told.contains(message), "{told}");
    }
    for (target, options, code, message) in [
        ("v3.zarr", "", Code::Io, "`v3.zarr` is a group: an array cannot take its place"),
        ("v3.zarr::/types", ":overwrite true", Code::Io, "is a group"),
        ("root3.zarr::/x", "", Code::Io, "`root3.zarr` is an array, not a group"),
        ("v3.zarr::/none/x", "", Code::Io, "`v3.zarr::/none` is an array, not a group"),
        ("v2.zarr::/x", "", Code::Io, "version 2"),
        ("other.zarr", ":overwrite true", Code::Io, "folder of other files"),
        ("other.zarr::/y", "", Code::Io, "folder of other files"),
        ("file.zarr::/y", "", Code::Io, "`file.zarr` is a file"),
        ("file.zarr", ":overwrite true", Code::Io, "`file.zarr` is a file"),
        ("no/x.zarr", "", Code::Io, "there is no folder `no`"),
        ("no/x.zarr::/a", "", Code::Io, "there is no folder `no`"),
        ("v3.zarr::/zarr.json", "", Code::Value, "keeps it for itself"),
        ("n.zarr", ":storage-chunks [1 1]", Code::Value, "`:storage-chunks`"),
        ("n.zarr", ":shuffle true", Code::Value, "shuffle"),
        ("n.zarr", ":attributes {:f (fn [] 1)}", Code::Type, "the attribute `f`"),
    ] {
        let (found, told, _) = d.fails(&format!("(store [1 2] (at \"{target}\") {options})"));
        assert_eq!(found, code, "{target} {told}");
        assert!(told.contains(message), "{told}");
    }
    // Groups that keep a copy of what is in them are rid of it.
    let text = std::fs::read_to_string(d.path("v3.zarr/types/zarr.json")).unwrap();
    let copied = text.replacen('{', "{\"consolidated_metadata\": {\"metadata\": {}},", 1);
    std::fs::write(d.path("v3.zarr/types/zarr.json"), copied).unwrap();
    // Arrays beside those that there are, and in place of one of version 2; an empty folder is as good as none.
    d.run("(store [1 2] (at \"v3.zarr::/types/new\"))");
    assert!(!std::fs::read_to_string(d.path("v3.zarr/types/zarr.json")).unwrap().contains("consolidated"));
    std::os::unix::fs::symlink("root2.zarr", d.path("link.zarr")).unwrap();
    d.run("(store [1 2] (at \"link.zarr\") :overwrite true)");
    assert!(d.path("link.zarr").symlink_metadata().unwrap().is_symlink());
    assert_eq!(d.names("root2.zarr"), ["c", "zarr.json"]);
    d.run("(store [1 2] (at \"empty.zarr\"))");
    assert!(d.path("n.zarr").symlink_metadata().is_err());
}

#[test]
fn attributes_and_listings() {
    let d = desk_with_made();
    d.is_true("(= \"made by Python\" (:title (attributes (at \"v3.zarr\"))))");
    d.is_true("(isnan (:missing (attributes (at \"v2.zarr\"))))");
    d.is_true("(= \"K\" (:units (attributes (at \"root2.zarr\"))))");
    d.is_true("(all (= [0.5 1.5] (:valid (attributes (at \"root3.zarr\")))))");
    let listing = |name: &str| {
        let text = stored::listing(&d.path(name), &|value| format!("{value:?}")).unwrap();
        let text = text.replace(&format!("{}/", d.folder.path().display()), "");
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect::<String>()
    };
    let text = listing("v3.zarr");
    for line in [
        "/ group\n",
        "/codecs group\n",
        "/codecs/blosc-lz4 int32 [7 5 9] chunks [4 3 6] blosc lz4 1.3 kB, ",
        "/codecs/gzip int32 [7 5 9] chunks [4 3 6] gzip 3 1.3 kB, ",
        "/codecs/turned int32 [7 5 9] chunks [4 3 6] transpose + zstd 0 1.3 kB, ",
        "/scalar float64 [] chunks [] zstd 0 8 B, ",
        "/sharded uint16 [13 10] chunks [2 5] zstd 0 + shards [6 10] 260 B, ",
        "/text string [2] chunks [2]",
        "/types/float16 float32 [3 5] chunks [2 3] 30 B, 48 B stored\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let text = listing("v2.zarr");
    assert!(text.contains("/codecs/shuffled int32 [7 5 9] chunks [4 3 6] shuffle + zstd 1 "), "{text}");
    assert!(text.contains("F + "), "{text}");
    std::fs::write(d.path("v3.zarr/scalar/zarr.json"), "{").unwrap();
    assert!(listing("v3.zarr").contains("/scalar is damaged: "));
}

fn refused(result: dsk::text::Result<impl Sized>) -> String {
    match result {
        Ok(_) => panic!("it was read"),
        Err(error) => {
            assert_eq!(error.code(), Code::Io, "{error:?}");
            error.message().to_string()
        }
    }
}

#[test]
fn chunks_that_are_cut_or_changed_end_in_an_error_or_in_other_elements() {
    let d = desk_with_made();
    let read = |target: &str| {
        let array = stored::open(&Target::parse(target)?)?;
        array.read(&whole(array.shape()))
    };
    for (name, file) in [
        ("v3.zarr::/codecs/gzip", "v3.zarr/codecs/gzip/c/0/0/0"),
        ("v3.zarr::/codecs/zstd", "v3.zarr/codecs/zstd/c/0/0/0"),
        ("v3.zarr::/codecs/big", "v3.zarr/codecs/big/c/0/0/0"),
        ("v3.zarr::/codecs/crc32c", "v3.zarr/codecs/crc32c/c/0/0/0"),
        ("v3.zarr::/sharded", "v3.zarr/sharded/c/0/0"),
        ("v3.zarr::/long", "v3.zarr/long/c/0"),
        ("v3.zarr::/longbits", "v3.zarr/longbits/c/0"),
        ("v3.zarr::/codecs/blosc-zlib", "v3.zarr/codecs/blosc-zlib/c/0/0/0"),
        ("v3.zarr::/codecs/blosc-zstd", "v3.zarr/codecs/blosc-zstd/c/0/0/0"),
        ("v2.zarr::/codecs/bz2", "v2.zarr/codecs/bz2/0.0.0"),
        ("v2.zarr::/codecs/fletcher", "v2.zarr/codecs/fletcher/0.0.0"),
    ] {
        let target = d.path(name).display().to_string();
        let file = d.path(file);
        let bytes = std::fs::read(&file).unwrap();
        for len in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
            std::fs::write(&file, &bytes[..len]).unwrap();
            let told = refused(read(&target));
            assert!(told.contains("cannot be read: its chunk"), "{told}");
        }
        // Whatever else is in it: an error, or elements that are not what they were. Never a panic, nor more memory than there is.
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
            for change in [1, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                std::fs::write(&file, &changed).unwrap();
                let _ = read(&target);
            }
        }
        std::fs::write(&file, &bytes).unwrap();
        read(&target).unwrap();
    }
}

#[test]
fn metadata_that_was_changed_is_an_error_or_another_array() {
    let d = desk_with_made();
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let words = [
        "0",
        "-1",
        "1",
        "1e300",
        "18446744073709551615",
        "9223372036854775807",
        "4294967296",
        "null",
        "[]",
        "{}",
        "\"\"",
        "true",
        "[0]",
        "[1,1]",
        "NaN",
        "\"bytes\"",
        "\"F\"",
        "[[[[]]]]",
    ];
    for (name, file) in [
        ("v3.zarr::/sharded", "v3.zarr/sharded/zarr.json"),
        ("v3.zarr::/codecs/turned", "v3.zarr/codecs/turned/zarr.json"),
        ("v3.zarr::/codecs/blosc-lz4", "v3.zarr/codecs/blosc-lz4/zarr.json"),
        ("v3.zarr::/holes", "v3.zarr/holes/zarr.json"),
        ("v3.zarr::/scalar", "v3.zarr/scalar/zarr.json"),
        ("v2.zarr::/codecs/shuffled", "v2.zarr/codecs/shuffled/.zarray"),
        ("v2.zarr::/codecs/f", "v2.zarr/codecs/f/.zarray"),
    ] {
        let target = Target::parse(&d.path(name).display().to_string()).unwrap();
        let file = d.path(file);
        let text = std::fs::read_to_string(&file).unwrap();
        for _ in 0..400 {
            // A character, a value, or a piece is another one.
            let (from, n) = (random(text.len()), random(12));
            let value = text[from..].find(|c: char| c.is_ascii_digit() || c == '"').map_or(from, |at| from + at);
            let end = text[value..].find([',', '}', ']', '\n']).map_or(text.len(), |at| value + at);
            let changed = match random(4) {
                0 => format!("{}{}", &text[..from], &text[(from + n).min(text.len())..]),
                _ => format!("{}{}{}", &text[..value], words[random(words.len())], &text[end..]),
            };
            std::fs::write(&file, &changed).unwrap();
            let Ok(array) = stored::open(&target) else { continue };
            let _ = array.outside();
            let bytes = array.shape().iter().fold(array.dtype().size(), |n, &d| n.saturating_mul(d));
            if bytes < 1 << 20 {
                let _ = array.read(&whole(array.shape()));
            } else {
                // One element, whatever the size.
                let region: Vec<Range> =
                    array.shape().iter().map(|&n| Range { start: n - 1, step: 1, count: 1 }).collect();
                let _ = array.read(&region);
            }
        }
    }
}

fn create(path: &Path, dtype: DType, chunks: &Chunks, options: &Options) -> Arc<dyn Sink> {
    stored::create(&Target::parse(&path.display().to_string()).unwrap(), dtype, chunks, options).unwrap()
}

fn open(path: &Path) -> Arc<dyn Stored> {
    stored::open(&Target::parse(&path.display().to_string()).unwrap()).unwrap()
}

#[test]
fn every_dtype_is_stored_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for &dtype in DType::ALL {
        for deflate in [None, Some(6)] {
            let path = folder.path().join(format!("{dtype}-{}.zarr", deflate.is_some()));
            let block = values(&[7, 5], dtype);
            let options = Options { deflate, chunks: Some(Dims::from_slice(&[3, 4])), ..Options::default() };
            let sink = create(&path, dtype, &Chunks::whole(&[7, 5]), &options);
            sink.write(&[0, 0], &block).unwrap();
            sink.finish().unwrap();
            let array = open(&path);
            assert_eq!(array.chunks(), Some(&[3, 4][..]));
            assert_same(&array.read(&whole(&[7, 5])).unwrap(), &block, dtype.name());
        }
    }
}

#[test]
fn many_threads_write_to_one_chunk() {
    let folder = tempfile::tempdir().unwrap();
    for deflate in [None, Some(1)] {
        let path = folder.path().join(format!("{}.zarr", deflate.is_some()));
        let options = Options { deflate, chunks: Some(Dims::from_slice(&[64, 64])), ..Options::default() };
        let chunks = Chunks::new(vec![vec![4; 16], vec![8; 8]]);
        let sink = create(&path, DType::I32, &chunks, &options);
        let block = values(&[64, 64], DType::I32);
        std::thread::scope(|scope| {
            for row in 0..16 {
                let (sink, block) = (&sink, &block);
                scope.spawn(move || {
                    for column in 0..8 {
                        let start = [4 * row, 8 * column];
                        let region = [(start[0], 4), (start[1], 8)];
                        let region = region.map(|(start, count)| Range { start, step: 1, count });
                        sink.write(&start, &part(block, &region)).unwrap();
                    }
                });
            }
        });
        sink.finish().unwrap();
        assert_same(&open(&path).read(&whole(&[64, 64])).unwrap(), &block, "all of it");
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // No room for anything: Linux has a device for that.
    let path = folder.path().join("full.zarr");
    let sink = create(&path, DType::F64, &Chunks::whole(&[4]), &Options::default());
    let incomplete = folder.path().join("full.zarr.incomplete");
    std::fs::create_dir(incomplete.join("c")).unwrap();
    std::os::unix::fs::symlink("/dev/full", incomplete.join("c/0")).unwrap();
    let told = refused(sink.write(&[0], &values(&[4], DType::F64)));
    assert!(told.ends_with("full.zarr` cannot be written: the disk is full"), "{told}");
    drop(sink);
    assert!(incomplete.exists() && !path.exists());
    // A file in the place of a folder.
    std::fs::write(folder.path().join("x.zarr.incomplete"), "").unwrap();
    let target = Target::parse(&folder.path().join("x.zarr").display().to_string()).unwrap();
    let told = refused(stored::create(&target, DType::F64, &Chunks::whole(&[4]), &Options::default()));
    assert!(told.contains("which no store left there"), "{told}");
}

/// A shape, its chunks in the file, the blocks it is written in, and a seed for regions.
fn cases() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, Vec<usize>, bool, usize)> {
    let axis = (1usize..12).prop_flat_map(|n| (Just(n), 1..=n, 1..=n));
    (prop::collection::vec(axis, 0..4), any::<bool>(), 0usize..1000).prop_map(|(axes, packed, seed)| {
        let list = |f: fn(&(usize, usize, usize)) -> usize| axes.iter().map(f).collect::<Vec<_>>();
        (list(|a| a.0), list(|a| a.1), list(|a| a.2), packed, seed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_region_is_the_slice_of_the_whole((shape, cut, blocks, packed, seed) in cases()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.zarr");
        let whole_block = values(&shape, DType::I16);
        let split = |&n: &usize, &b: &usize| {
            let mut sizes = vec![b; n / b];
            sizes.extend((n % b > 0).then_some(n % b));
            sizes
        };
        let chunks = Chunks::new(shape.iter().zip(&blocks).map(|(n, b)| split(n, b)).collect());
        let options = Options { deflate: packed.then_some(1), chunks: Some(cut.as_slice().into()), ..Options::default() };
        let sink = create(&path, DType::I16, &chunks, &options);
        let mut starts: Vec<Vec<Range>> = vec![vec![]];
        for (&n, &b) in shape.iter().zip(&blocks) {
            let ranges: Vec<Range> =
                (0..n).step_by(b).map(|start| Range { start, step: 1, count: b.min(n - start) }).collect();
            starts = starts.iter().flat_map(|s| ranges.iter().map(move |r| [&s[..], &[*r]].concat())).collect();
        }
        for region in &starts {
            let start: Vec<usize> = region.iter().map(|r| r.start).collect();
            sink.write(&start, &part(&whole_block, region)).unwrap();
        }
        sink.finish().unwrap();
        let array = open(&path);
        for n in 0..8 {
            let region = regions(&shape, seed * 8 + n);
            assert_same(&array.read(&region).unwrap(), &part(&whole_block, &region), &format!("{region:?}"));
        }
    }
}

#[test]
fn attributes_that_json_has_are_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    let mut attributes = Map::new();
    attributes.set("text", Value::str("ü \" \\"));
    attributes.set("list", Value::list(vec![Value::str("a"), Value::Int(1)]));
    attributes.set("whole", Value::Int(i64::MIN));
    attributes.set("part", Value::Float(0.1));
    let options = Options { attributes: attributes.clone(), ..Options::default() };
    create(&path, DType::U8, &Chunks::whole(&[0]), &options).finish().unwrap();
    let read = stored::attributes(&Target::parse(&path.display().to_string()).unwrap()).unwrap();
    for (name, value) in attributes.iter() {
        assert!(read.get(name).is_some_and(|v| v.same(value)), "{name:?}");
    }
}
