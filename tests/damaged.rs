//! Damaged files end in an error that says so: no panic, no crash, no endless loop, no wrong values without a word where
//! there is a checksum to tell.

use dsk::data::{Block, Chunks, DType, Dims, Map, Value};
use dsk::io::hdf5::{Dataset, Sink, attributes, list};
use dsk::io::stored::Options;
use dsk::text::Code;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

#[path = "h5py/mod.rs"]
mod h5py;

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

fn random(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    }
}

/// Where a file holds data of `/whole` and nodes of chunk indexes: damage there is mostly noticed.
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
    let mut random = random(12345);
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

/// The files of small.py, made once a run.
fn small() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("small");
        let _ = std::fs::remove_dir_all(&folder);
        h5py::script("small.py", &[&folder]);
        folder
    })
}

/// A copy of a small file beside it, to be broken, and the names in it.
struct Patient {
    path: PathBuf,
    file: std::fs::File,
    bytes: Vec<u8>,
    names: Vec<String>,
    /// What is refused of the sound file, too: to read a group as an array, say.
    refused: usize,
}

impl Patient {
    fn all(label: &str) -> Vec<Patient> {
        let entries = std::fs::read_dir(small()).expect("it was made");
        let mut paths: Vec<_> = entries.map(|e| e.expect("it is listed").path()).collect();
        paths.retain(|p| {
            let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.ends_with(".h5") && !name.starts_with("broken")
        });
        paths.sort();
        paths.iter().map(|path| Patient::of(path, label)).collect()
    }

    fn of(sound: &Path, label: &str) -> Patient {
        let name = sound.file_name().and_then(|n| n.to_str()).expect("a name");
        let path = sound.with_file_name(format!("broken-{label}-{name}"));
        let bytes = std::fs::read(sound).expect("it is there");
        std::fs::write(&path, &bytes).expect("it can be written");
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("it can be opened");
        let names = list(sound).expect("it is sound").into_iter().map(|e| e.name).collect();
        let mut patient = Patient { path, file, bytes, names, refused: 0 };
        patient.refused = patient.look();
        patient
    }

    /// Looks at everything with some bytes changed; how much more is refused than before.
    fn with(&self, changes: &[(usize, u8)]) -> usize {
        for &(at, byte) in changes {
            self.file.write_all_at(&[byte], at as u64).expect("it can be written");
        }
        let errors = self.look();
        for &(at, _) in changes {
            self.file.write_all_at(&self.bytes[at..=at], at as u64).expect("it can be written");
        }
        errors.saturating_sub(self.refused)
    }

    fn look(&self) -> usize {
        let path = &self.path;
        let mut errors = 0;
        let mut seen = |result: dsk::text::Result<()>| {
            if let Err(error) = result {
                assert!(matches!(error.code(), Code::Io | Code::Type | Code::Memory), "{error:?}");
                errors += 1;
            }
        };
        seen(dsk::io::hdf5::listing(path, &|_| String::new()).map(|_| ()));
        for name in &self.names {
            seen(attributes(path, name).map(|_| ()));
            seen(Dataset::open(path, name).and_then(|d| {
                let part = |&n: &usize| dsk::data::slice::Range { start: 0, step: 1, count: n.min(64) };
                d.read(&d.shape().iter().map(part).collect::<Vec<_>>()).map(|_| ())
            }));
        }
        errors
    }

    /// Stores something beside what is there; the file is made anew afterwards.
    fn store(&self, changes: &[(usize, u8)]) {
        let mut bytes = self.bytes.clone();
        changes.iter().for_each(|&(at, byte)| bytes[at] = byte);
        let path = self.path.with_extension("store.h5");
        std::fs::write(&path, bytes).expect("it can be written");
        let beside =
            self.names.iter().rfind(|n| n.matches('/').count() > 1).map_or("", |n| &n[..n.rfind('/').unwrap_or(0)]);
        for name in [format!("{beside}/new"), self.names.last().cloned().unwrap_or_default()] {
            let options = Options { overwrite: true, ..Options::default() };
            let stored = Sink::create(&path, &name, DType::F64, &Chunks::whole(&[3]), &options).and_then(|sink| {
                sink.write(&[0], &Block::from_slice(&[3], &[1.0, 2.0, 3.0]))?;
                sink.finish()
            });
            if let Err(error) = stored {
                assert!(!error.message().is_empty());
            }
        }
    }
}

/// Ends the process where one look takes longer than any should.
fn watched(f: impl FnOnce(&dyn Fn(String))) {
    let (beats, what) = (AtomicU64::new(0), Mutex::new(String::new()));
    let (done, wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let (beats, what) = (&beats, &what);
        scope.spawn(move || {
            let mut last = u64::MAX;
            while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = wait.recv_timeout(Duration::from_secs(60)) {
                let now = beats.load(Relaxed);
                if now == last {
                    eprintln!("this takes forever: {}", what.lock().expect("no panic"));
                    std::process::abort();
                }
                last = now;
            }
        });
        f(&|now| {
            beats.fetch_add(1, Relaxed);
            *what.lock().expect("no panic") = now;
        });
        drop(done);
    });
}

/// A byte within what is not just empty space.
fn is_used(bytes: &[u8], at: usize) -> bool {
    bytes[at.saturating_sub(8)..(at + 16).min(bytes.len())].iter().any(|&b| b != 0)
}

/// Every fourth byte, as much as there is time for each day; `DSK_EVERY=1` takes them all.
#[test]
fn a_changed_byte_anywhere_is_harmless() {
    let every = std::env::var("DSK_EVERY").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    watched(|beat| {
        let mut errors = 0;
        for patient in Patient::all("bytes") {
            for at in (0..patient.bytes.len()).filter(|&at| is_used(&patient.bytes, at)).step_by(every) {
                let byte = match at % 3 {
                    0 => patient.bytes[at] ^ 1 << (at / 3 % 8),
                    1 => !patient.bytes[at],
                    _ => patient.bytes[at].wrapping_add(1),
                };
                beat(format!("{} {at} {byte}", patient.path.display()));
                errors += patient.with(&[(at, byte)]);
            }
        }
        assert!(errors > 1000, "only {errors} were noticed");
    });
}

#[test]
fn a_store_into_a_damaged_file_is_harmless() {
    watched(|beat| {
        for patient in Patient::all("stores") {
            for at in (0..patient.bytes.len()).filter(|&at| is_used(&patient.bytes, at)).step_by(23) {
                let byte = patient.bytes[at] ^ 1 << (at % 8);
                beat(format!("store {} {at} {byte}", patient.path.display()));
                patient.store(&[(at, byte)]);
            }
        }
    });
}

/// As long as one likes: `DSK_FLIPS=20000 cargo test --test damaged -- --ignored`.
#[test]
#[ignore = "takes as long as it is told"]
fn many_random_changes_are_harmless() {
    let count: usize = std::env::var("DSK_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let seed = std::env::var("DSK_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    watched(|beat| {
        let patients = Patient::all("random");
        let mut random = random(seed);
        let mut errors = 0;
        for n in 0..count {
            let patient = &patients[random(patients.len())];
            let mut changes = Vec::new();
            while changes.len() < 1 + n % 3 {
                let at = random(patient.bytes.len());
                if is_used(&patient.bytes, at) {
                    changes.push((at, [0, 0xff, patient.bytes[at] ^ 1 << random(8), random(256) as u8][random(4)]));
                }
            }
            beat(format!("{} {changes:?}", patient.path.display()));
            errors += usize::from(patient.with(&changes) > 0);
            if n % 10 == 0 {
                patient.store(&changes);
            }
        }
        println!("{count} changed files, {errors} with errors");
    });
}
