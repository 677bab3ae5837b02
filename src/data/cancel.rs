//! Whether what this thread computes is still wanted.
//!
//! Work that may be long, one product of two large blocks for instance, asks between its parts. That costs a load, so that
//! no tile is too small to ask after.

use crate::err;
use crate::text::Result;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

thread_local! {
    /// The flag of the innermost [`during`] of this thread.
    static FLAG: Cell<Option<NonNull<AtomicBool>>> = const { Cell::new(None) };
}

/// Puts back the flag that was in force before.
struct Restore(Option<NonNull<AtomicBool>>);

impl Drop for Restore {
    fn drop(&mut self) {
        FLAG.set(self.0);
    }
}

/// Runs `f` on this thread such that it is cancelled when the flag is set.
pub fn during<R>(flag: &AtomicBool, f: impl FnOnce() -> R) -> R {
    let _restore = Restore(FLAG.replace(Some(NonNull::from(flag))));
    f()
}

/// Calls `f` with the flag in force on this thread, for threads that help it.
pub fn with_flag<R>(f: impl FnOnce(Option<&AtomicBool>) -> R) -> R {
    // SAFETY: the flag is borrowed by a `during` further down this thread's stack, which outlives this call.
    f(FLAG.get().map(|flag| unsafe { flag.as_ref() }))
}

/// Whether what this thread does is no longer wanted. Who stops early because of it must not pass off what there is as a
/// result: [`check`] says what to answer.
pub fn cancelled() -> bool {
    with_flag(|flag| flag.is_some_and(|flag| flag.load(Relaxed)))
}

/// `dsk::interrupted` where what this thread does is no longer wanted.
pub fn check() -> Result<()> {
    if cancelled() { Err(err!(Interrupted, "the computation was interrupted")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_flag_counts_and_the_outer_one_comes_back() {
        let (outer, inner) = (AtomicBool::new(false), AtomicBool::new(true));
        assert!(check().is_ok());
        during(&outer, || {
            assert!(during(&inner, check).is_err());
            assert!(check().is_ok());
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| during(&inner, || panic!("stop"))));
            assert!(unwound.is_err() && check().is_ok());
            outer.store(true, Relaxed);
            assert!(check().is_err());
        });
        assert!(check().is_ok());
    }
}
