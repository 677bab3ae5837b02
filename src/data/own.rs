//! Shared values made one's own.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// What is shared, to be changed: itself where nobody else has it, else a copy, as with [`Arc::make_mut`], which has the processor lock the count
/// in any case. Of what is shared in dsk nobody makes weak references.
#[inline(always)]
pub fn own<T: Clone>(shared: &mut Arc<T>) -> &mut T {
    if Arc::strong_count(shared) != 1 {
        return Arc::make_mut(shared);
    }
    debug_assert_eq!(Arc::weak_count(shared), 0);
    // What others did with it before they let go of it has happened.
    fence(Ordering::Acquire);
    // SAFETY: this is the only reference, strong or weak, and as it is borrowed here nobody makes another.
    unsafe { &mut *Arc::as_ptr(shared).cast_mut() }
}
