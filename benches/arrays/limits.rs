//! What the machine can do.

use super::beside::Told;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// `read BYTES` of memory, `copy BYTES`, or `pread FILE`, on so many threads: the best of five.
pub fn measure(what: &str, threads: usize) -> Result<Told, String> {
    let (verb, object) = what.split_once(' ').ok_or("what is it a limit of?")?;
    let seconds = match verb {
        "read" | "copy" => {
            let words = object.parse::<usize>().map_err(|e| e.to_string())? / 8;
            let from = vec![1.0f64; words];
            match verb {
                "read" => best(|| {
                    in_parts(threads, words, &|range| {
                        black_box(sum(&from[range]));
                    })
                }),
                _ => {
                    let mut to = vec![0.0f64; words];
                    best(|| {
                        std::thread::scope(|scope| {
                            let size = words.div_ceil(threads);
                            for (to, from) in to.chunks_mut(size).zip(from.chunks(size)) {
                                scope.spawn(move || to.copy_from_slice(from));
                            }
                        });
                    })
                }
            }
        }
        "pread" => {
            let file = File::open(object).map_err(|e| e.to_string())?;
            let len = file.metadata().map_err(|e| e.to_string())?.len() as usize;
            best(|| {
                in_parts(threads, len, &|range| {
                    let mut buffer = vec![0; 4 << 20];
                    let mut at = range.start;
                    while at < range.end {
                        let n = file.read_at(&mut buffer, at as u64).unwrap_or(0);
                        if n == 0 {
                            break;
                        }
                        at += n;
                    }
                })
            })
        }
        _ => return Err(format!("no limit is called {verb}")),
    };
    Ok(Told { seconds, peak: 0.0 })
}

fn best(mut f: impl FnMut()) -> f64 {
    let mut once = || {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    (0..6).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn in_parts(threads: usize, len: usize, f: &(dyn Fn(std::ops::Range<usize>) + Sync)) {
    let size = len.div_ceil(threads);
    std::thread::scope(|scope| {
        for i in 0..threads {
            scope.spawn(move || f(i * size..len.min((i + 1) * size)));
        }
    });
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512dq+avx512vl", "x86_64+avx2+fma"))]
fn sum(words: &[f64]) -> f64 {
    let lanes = words.chunks_exact(64).fold([0.0; 64], |mut lanes: [f64; 64], chunk| {
        lanes.iter_mut().zip(chunk).for_each(|(a, x)| *a += x);
        lanes
    });
    lanes.iter().sum()
}
