//! Damaged files end in an error that says so: no panic, no crash, no endless loop, no wrong values without a word where
//! there is a checksum to tell.

use dsk::data::{Block, Chunks, DType, Dims, Map, Value};
use dsk::io::hdf5::{Dataset, Options, Sink, attributes, list};
use dsk::text::Code;
use std::path::{Path, PathBuf};

/// A small file with datasets of several layouts.
fn sound(folder: &Path) -> PathBuf {
    let path = folder.join("sound.h5");
    let values: Vec<f64> = (0..40 * 30).map(|i| f64::from(i) / 8.0).collect();
    let block = Block::from_slice(&[40, 30], &values);
    let mut said = Map::new();
    said.set("units", Value::str("K"));
    said.set("levels", Block::from_slice(&[3], &[1.0, 2.0, 3.0]).into());
    let chunks = Some(Dims::from_slice(&[7, 11]));
    for (name, options) in [
        ("/whole", Options { attributes: said, ..Options::default() }),
        ("/g/chunked", Options { chunks: chunks.clone(), ..Options::default() }),
        ("/g/packed", Options { chunks, deflate: Some(4), shuffle: true, ..Options::default() }),
    ] {
        let sink = Sink::create(&path, name, DType::F64, &Chunks::whole(&[40, 30]), &options).expect("a new dataset");
        sink.write(&[0, 0], &block).expect("it is written");
        sink.finish().expect("it is complete");
    }
    path
}

/// Looks at everything in a file; what cannot be read must say why, in a way a user understands.
fn look(path: &Path) -> usize {
    let mut errors = 0;
    let mut seen = |result: dsk::text::Result<()>| {
        if let Err(error) = result {
            assert!(matches!(error.code(), Code::Io | Code::Type | Code::Memory), "{error:?}");
            assert!(!error.message().is_empty());
            errors += 1;
        }
    };
    seen(list(path).map(|_| ()));
    for name in ["/whole", "/g/chunked", "/g/packed"] {
        seen(attributes(path, name).map(|_| ()));
        seen(Dataset::open(path, name).and_then(|d| {
            // A damaged shape may be larger than any memory; a part is what programs read.
            let region: Vec<_> =
                d.shape().iter().map(|&n| dsk::data::slice::Range { start: 0, step: 1, count: n.min(64) }).collect();
            d.read(&region).map(|_| ())
        }));
    }
    errors
}

#[test]
fn a_file_that_was_cut_off_is_an_error_wherever_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(sound(folder.path())).expect("it is there");
    let cut = folder.path().join("cut.h5");
    for len in (0..bytes.len()).step_by(61) {
        std::fs::write(&cut, &bytes[..len]).expect("it can be written");
        assert!(look(&cut) > 0, "cut to {len} bytes");
    }
}

/// Where a file holds data of `/whole` and nodes of chunk indexes: what dsk looks at by itself. Damage elsewhere is the
/// library's to find.
fn ours(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let find = |pattern: &[u8]| -> Vec<usize> {
        let windows = bytes.windows(pattern.len()).enumerate();
        windows.filter(|(_, window)| *window == pattern).map(|(at, _)| at).collect()
    };
    let first: Vec<u8> = (0..40).flat_map(|i| (f64::from(i) / 8.0).to_le_bytes()).collect();
    let data = find(&first).into_iter().map(|at| at..at + 40 * 30 * 8).collect::<Vec<_>>();
    let packed = [find(b"\x78\x5e"), find(b"\x78\x9c")].concat().into_iter().map(|at| at..at + 64).collect::<Vec<_>>();
    let nodes = find(b"TREE\x01").into_iter().map(|at| at..at + 24 + 30 * 40).collect::<Vec<_>>();
    assert!(!data.is_empty() && !packed.is_empty() && nodes.len() == 2, "{data:?} {packed:?} {nodes:?}");
    [data, packed, nodes].concat()
}

#[test]
fn flipped_bytes_end_in_values_or_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = sound(folder.path());
    let bytes = std::fs::read(&sound).expect("it is there");
    let places: Vec<usize> = ours(&bytes).into_iter().flatten().collect();
    let broken = folder.path().join("broken.h5");
    let mut state = 12345u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut errors = 0;
    for _ in 0..500 {
        let mut bytes = bytes.clone();
        for _ in 0..1 + random(4) {
            let at = places[random(places.len())];
            bytes[at] = match random(3) {
                0 => 0xff,
                1 => 0,
                _ => random(256) as u8,
            };
        }
        std::fs::write(&broken, &bytes).expect("it can be written");
        for name in ["/whole", "/g/chunked", "/g/packed"] {
            match Dataset::open(&broken, name).and_then(|d| d.read_all()) {
                Ok(block) => assert_eq!(block.shape(), [40, 30]),
                Err(error) => {
                    assert_eq!(error.code(), Code::Io, "{error:?}");
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 100, "only {errors} were noticed");
}

#[test]
fn a_wrong_checksum_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sums.h5");
    // fletcher32 is not written here: the library does.
    let file = hdf5::File::create(&path).expect("a new file");
    let values: Vec<f64> = (0..1000).map(f64::from).collect();
    file.new_dataset::<f64>()
        .shape([1000])
        .chunk([100])
        .fletcher32()
        .create("x")
        .expect("a dataset")
        .write(&values)
        .expect("data");
    drop(file);
    let bytes = std::fs::read(&path).expect("it is there");
    let pattern: Vec<u8> = (500..510).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    let at = bytes.windows(pattern.len()).position(|w| w == pattern).expect("the data is in it");
    let mut bytes = bytes;
    bytes[at + 13] ^= 1;
    std::fs::write(&path, &bytes).expect("it can be written");
    let dataset = Dataset::open(&path, "/x").expect("it opens");
    let range = |start| [dsk::data::slice::Range { start, step: 1, count: 100 }];
    assert!(dataset.read(&range(300)).is_ok());
    let error = dataset.read(&range(500)).expect_err("the chunk is damaged");
    assert!(error.message().contains("checksum is wrong"), "{error}");
}
