//! Reading and writing 512 MB of HDF5, beside the library, on one thread and on two: `cargo bench --bench hdf5`.
//!
//! The files stay in the page cache, so this measures what workers do, not the disk. `DSK_BENCH_MB` makes it smaller.

use dsk::data::slice::Range;
use dsk::data::{Block, Chunks, DType, Dims, Pool};
use dsk::io::hdf5::{Dataset, Sink};
use dsk::io::stored::Options;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Side of a block, and of the storage chunks.
const BLOCK: usize = 1000;
const CHUNK: usize = 250;

fn main() {
    let megabytes: usize = std::env::var("DSK_BENCH_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(512);
    let side = (megabytes * 1_000_000 / 8).isqrt().div_ceil(BLOCK) * BLOCK;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.h5");
    let gigabytes = (side * side * 8) as f64 / 1e9;
    println!(
        "{side} x {side} float64, {gigabytes:.2} GB, blocks {BLOCK} x {BLOCK}, storage chunks {CHUNK} x {CHUNK}\n"
    );
    println!("{:34} {:>8} {:>8}   ratio to the library, 1 thread", "GB/s", "1 thread", "2");
    let chunks = Some(Dims::from_slice(&[CHUNK, CHUNK]));
    let raw = Options { chunks: chunks.clone(), ..Options::default() };
    let packed = Options { chunks, deflate: Some(4), shuffle: true, ..Options::default() };
    for (label, options) in [("raw", &raw), ("deflate 4 + shuffle", &packed)] {
        let write = |name: &str, threads| write(&path, name, side, options, threads);
        let one = gigabytes / write("/one", 1);
        let two = gigabytes / write("/two", 2);
        println!("{:34} {one:8.2} {two:8.2}", format!("write {label}"));
        let library = [1, 2].map(|threads| gigabytes / read_by_library(&path, "/one", side, threads));
        let direct = [1, 2].map(|threads| gigabytes / read(&path, "/one", side, threads));
        println!("{:34} {:8.2} {:8.2}   1.0", format!("read {label}, library"), library[0], library[1]);
        println!(
            "{:34} {:8.2} {:8.2}   {:.1} and {:.1}",
            format!("read {label}, direct"),
            direct[0],
            direct[1],
            direct[0] / library[0],
            direct[1] / library[0]
        );
        for name in ["/one", "/two"] {
            hdf5::File::open_rw(&path).and_then(|f| f.unlink(name)).expect("it is there");
        }
    }
    index(&folder.path().join("many.h5"));
}

/// Learning where 40 000 chunks lie.
fn index(path: &Path) {
    let options = Options { chunks: Some(Dims::from_slice(&[10, 10])), ..Options::default() };
    let sink = Sink::create(path, "/x", DType::I8, &Chunks::whole(&[2000, 2000]), &options).expect("a new dataset");
    sink.write(&[0, 0], &Block::zeros(DType::I8, &[2000, 2000])).expect("it is written");
    sink.finish().expect("it is complete");
    let start = Instant::now();
    let dataset = Dataset::open(path, "/x").expect("it is there");
    dataset.read(&[Range { start: 1999, step: 1, count: 1 }; 2]).expect("it reads");
    println!("\nopening a dataset of 40 000 chunks and reading one: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
}

/// Runs `f` for every block on that many threads; seconds.
fn blocks(side: usize, threads: usize, f: impl Fn(usize, usize) + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    let across = side / BLOCK;
    let pool = Pool::new(1 << 30);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _pool = pool.enter();
                loop {
                    let n = next.fetch_add(1, Relaxed);
                    if n >= across * across {
                        return;
                    }
                    f(n / across * BLOCK, n % across * BLOCK);
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}

fn read(path: &Path, name: &str, side: usize, threads: usize) -> f64 {
    let dataset = Dataset::open(path, name).expect("it is there");
    assert!(dataset.is_direct());
    blocks(side, threads, |row, column| {
        let range = |start| Range { start, step: 1, count: BLOCK };
        std::hint::black_box(dataset.read(&[range(row), range(column)]).expect("it reads"));
    })
}

fn read_by_library(path: &Path, name: &str, side: usize, threads: usize) -> f64 {
    let file = hdf5::File::open(path).expect("it is there");
    let dataset = file.dataset(name).expect("it is there");
    blocks(side, threads, |row, column| {
        let part = dataset.read_slice_2d::<f64, _>((row..row + BLOCK, column..column + BLOCK));
        std::hint::black_box(part.expect("it reads"));
    })
}

fn write(path: &Path, name: &str, side: usize, options: &Options, threads: usize) -> f64 {
    // Neither constant nor noise: what measurements look like to a compressor.
    let values: Vec<f64> = (0..BLOCK * BLOCK).map(|i| (((i * 7919) % 4099) as f64 / 16.0).floor()).collect();
    let block = Block::from_slice(&[BLOCK, BLOCK], &values);
    let cut = Chunks::regular(&[side, side], &[BLOCK, BLOCK]);
    let start = Instant::now();
    let sink = Sink::create(path, name, DType::F64, &cut, options).expect("a new dataset");
    blocks(side, threads, |row, column| sink.write(&[row, column], &block).expect("it is written"));
    sink.finish().expect("it is complete");
    start.elapsed().as_secs_f64()
}
