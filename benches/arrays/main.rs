//! Arrays beside their peers, in one run: `rows.toml` says what each of them is told, `benches/beside` how they are timed.
//!
//!     cargo bench --bench arrays                      all stages
//!     cargo bench --bench arrays -- elementwise sort  stages or rows whose names have one of these
//!
//! The peers are numpy, dask, h5py, scipy, numexpr, numba, bottleneck, threadpoolctl. `limit` rows are the machine's: reading memory or a
//! file and doing nothing with it.

#[path = "../beside/mod.rs"]
mod beside;
mod limits;

fn main() {
    let limit = |what: &str| limits::measure(what, beside::WORKERS);
    beside::Bench { rows: include_str!("rows.toml"), limit, hand: |_| {} }.main();
}
