//! The roof: what the `dsk` command is made of. Uses `Engine` and what it is built on; nothing below knows of it.

pub mod check;
pub mod doc;
pub mod eval;
mod feed;
pub mod fmt;
pub mod info;
mod job;
pub mod json;
mod options;
mod profile;
mod progress;
pub mod repl;
pub mod run;

pub use options::Options;

/// Has the system's signals end the process, or not, as for other commands.
pub fn choose_signals() {
    #[cfg(unix)]
    // SAFETY: called first of all in `main`, before there are other threads; neither action needs a handler.
    unsafe {
        // Writing to a pipe that nobody reads ends the process quietly (`dsk … | head`). Rust programs start with that ignored.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        // Writing more than `ulimit -f` lets a file have is an error like any other.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
