//! Panics as errors: where what a program runs is called from, so that nothing it does ends the process.

use super::buffer::OutOfMemory;
use crate::err;
use crate::text::{Bytes, Error};
use std::any::Any;

/// What unwound, as an error: no memory for a block, or a panic, which is a defect.
pub fn panicked(what: &str, panic: &(dyn Any + Send)) -> Error {
    if let Some(OutOfMemory(bytes)) = panic.downcast_ref() {
        return err!(Memory, "the system has no memory for {}", Bytes(*bytes));
    }
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    err!(Internal, "{what}: {}", said.unwrap_or("without a message"))
}
