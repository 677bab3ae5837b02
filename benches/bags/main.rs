//! Bags beside their peers, in one run: `rows.toml` says what each of them is told, `benches/beside` how they are timed. `by hand` is the same
//! written in Rust with rayon (`by_hand.rs`), and the limit of each row.
//!
//!     cargo bench --bench bags            words, flows, events
//!     cargo bench --bench bags -- words
//!
//! `DSK_BENCH_MB` is the size of the files of each, 300 unless it is said. The peers are dask, duckdb, polars, orjson and pyspark.

#[path = "../beside/mod.rs"]
mod beside;
mod by_hand;

fn main() {
    let limit = |_: &str| Err("there is none".to_string());
    beside::Bench { rows: include_str!("rows.toml"), limit, hand: by_hand::run }.main();
}
