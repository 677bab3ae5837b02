//! The roof: what the `dsk` command is made of. Uses `Engine` and what it is built on; nothing below knows of it.

pub mod doc;
pub mod eval;
mod feed;
pub mod info;
mod job;
pub mod json;
mod options;
mod profile;
mod progress;
pub mod repl;
pub mod run;

pub use options::Options;

/// Makes writing to a pipe that nobody reads end the process, as it does for other commands (`dsk … | head`). Rust
/// programs start with that signal ignored.
pub fn end_quietly_on_broken_pipes() {
    #[cfg(unix)]
    // SAFETY: called first of all in `main`, before there are other threads; the default action needs no handler.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
