//! Block memory: aligned raw buffers, and the pool that keeps freed ones for the next block.
//!
//! First touch of fresh pages costs several times the arithmetic done on them, so large buffers are recycled by size
//! class and huge pages are asked for. A buffer is always initialised memory: zeros when fresh, old contents when recycled.

use crate::err;
use crate::text::{Bytes, Result};
use parking_lot::Mutex;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Buffers below this come from the allocator and go back to it.
const POOLED: usize = 64 * 1024;
/// Buffers from here on are mapped from the kernel, and all of it is the kernel's again once they are given back: an
/// allocator would keep what lies between others that are in use.
const MAPPED: usize = 256 * 1024;
/// Smaller buffers that are freed the allocator keeps for later ones. From so many bytes on it is asked to give them back before the
/// kernel is asked for more than was ever in use.
const LEFT_BEHIND: usize = 1 << 20;
/// Buffers below this are so small that nobody counts what they leave behind.
const SMALL: usize = 4096;
/// What is in use and what is kept may exceed what was in use at once by so many bytes, and by one in so many of these.
const MORE: usize = 1 << 20;
const MORE_PART: usize = 16;
/// Buffers from here on come in huge pages, where the kernel has them.
const HUGE: usize = 4 * 1024 * 1024;
const CACHE_LINE: usize = 64;

/// Raw, aligned, initialised memory of one block.
pub struct Buffer {
    pointer: NonNull<u8>,
    len: usize,
    capacity: usize,
    /// The contents are known to be zero: nothing was written since the system handed it out.
    fresh: bool,
    home: Option<Arc<Inner>>,
}

// SAFETY: a buffer owns its memory; shared access is read-only, and writing takes `&mut`.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` bytes, whose contents are arbitrary but initialised, from the pool in force on this thread.
    pub fn new(len: usize) -> Self {
        CURRENT.with_borrow(|current| match current {
            Some(current) => current.pool.take(len),
            None => Buffer::fresh(len, len, None),
        })
    }

    /// A buffer of zeros.
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Buffer::new(len);
        if !buffer.fresh {
            buffer.bytes_mut().fill(0);
        }
        buffer
    }

    fn fresh(len: usize, capacity: usize, home: Option<Arc<Inner>>) -> Self {
        let pointer = obtain(capacity);
        count(capacity as isize);
        if let Some(home) = &home {
            home.allocated(capacity);
            home.live.fetch_add(capacity, Relaxed);
            home.peak.fetch_max(home.live.load(Relaxed), Relaxed);
        }
        Buffer { pointer, len, capacity, fresh: true, home }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that it takes in memory.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `pointer` is valid for `capacity >= len` initialised bytes while `self` lives.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.len) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.fresh = false;
        // SAFETY: as `bytes`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), self.len) }
    }

    pub(super) fn pointer(&self) -> *const u8 {
        self.pointer.as_ptr()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        count(-(self.capacity as isize));
        if let Some(home) = self.home.take() {
            home.live.fetch_sub(self.capacity, Relaxed);
            if home.keep(self) {
                return;
            }
            home.freed(self.capacity);
        }
        // SAFETY: obtained with this capacity, and nobody else has the pointer.
        unsafe { give_back(self.pointer, self.capacity) }
    }
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity.max(1), CACHE_LINE).expect("a block's size fits an isize")
}

/// What unwinds where the system has no memory for a block of so many bytes.
pub struct OutOfMemory(pub usize);

/// Unwinds without a word: it is no defect, and whoever catches it says what it was.
pub fn out_of_memory(bytes: usize) -> ! {
    std::panic::resume_unwind(Box::new(OutOfMemory(bytes)))
}

/// Zeroed memory from the system; large pieces straight from the kernel, and untouched.
fn obtain(capacity: usize) -> NonNull<u8> {
    #[cfg(unix)]
    if capacity >= MAPPED {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let mapped = unsafe { mmap_anonymous(std::ptr::null_mut(), capacity, access, MapFlags::PRIVATE) };
        let Some(pointer) = mapped.ok().and_then(|p| NonNull::new(p.cast::<u8>())) else { out_of_memory(capacity) };
        #[cfg(target_os = "linux")]
        if capacity >= HUGE {
            let advice = rustix::mm::Advice::LinuxHugepage;
            // SAFETY: the range was just mapped; the advice does not change contents. A kernel without huge pages refuses it.
            let _ = unsafe { rustix::mm::madvise(pointer.as_ptr().cast(), capacity, advice) };
        }
        return pointer;
    }
    // SAFETY: the layout has a size above zero.
    let pointer = unsafe { alloc_zeroed(layout(capacity)) };
    NonNull::new(pointer).unwrap_or_else(|| handle_alloc_error(layout(capacity)))
}

/// Returns memory to the system.
///
/// # Safety
/// `pointer` is from [`obtain`] with this capacity, and nothing uses it any more.
unsafe fn give_back(pointer: NonNull<u8>, capacity: usize) {
    #[cfg(unix)]
    if capacity >= MAPPED {
        // SAFETY: the caller's; the mapping is as long as it was made. It cannot fail for a mapping that exists.
        let _ = unsafe { rustix::mm::munmap(pointer.as_ptr().cast(), capacity) };
        return;
    }
    // SAFETY: the caller's; allocated with this very layout.
    unsafe { dealloc(pointer.as_ptr(), layout(capacity)) }
}

/// Has the allocator return what it keeps of freed memory to the system.
fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it may be called at any time, by any thread, and changes no memory that is in use.
        unsafe { malloc_trim(0) };
    }
}

/// Takes note that so many bytes were freed which no buffer had, as when lists are put away. Once they are many the allocator is asked to
/// give them back.
pub fn freed_elsewhere(bytes: usize) {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    const MANY: usize = 32 << 20;
    if FREED.fetch_add(bytes, Relaxed) + bytes >= MANY {
        FREED.store(0, Relaxed);
        give_back_freed();
    }
}

thread_local! {
    /// Bytes that this thread's blocks took less what they gave back since [`watch_growth`], and the most there was of that.
    static GROWTH: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // A buffer may be dropped by a thread that is ending.
    let _ = GROWTH.try_with(|growth| {
        let (now, most) = growth.get();
        growth.set((now + bytes, most.max(now + bytes)));
    });
}

/// Runs `f` and tells by how many bytes the blocks that its thread holds grew meanwhile, at most.
pub fn watch_growth<R>(f: impl FnOnce() -> R) -> (R, usize) {
    let outer = GROWTH.replace((0, 0));
    let result = f();
    let (now, most) = GROWTH.get();
    GROWTH.set((outer.0 + now, outer.1.max(outer.0 + most)));
    (result, most as usize)
}

/// Begins to count anew what this thread's blocks grow by.
pub fn forget_growth() {
    GROWTH.set((0, 0));
}

/// Memory that was freed by one block and waits for the next.
struct Free(NonNull<u8>);
// SAFETY: free memory belongs to whoever holds the list.
unsafe impl Send for Free {}

#[derive(Default)]
struct Inner {
    /// Free memory by capacity.
    free: Mutex<std::collections::BTreeMap<usize, Vec<Free>>>,
    /// Bytes in `free`.
    idle: AtomicUsize,
    /// Bytes in use by blocks.
    live: AtomicUsize,
    peak: AtomicUsize,
    /// No more than this is kept idle; nor more, or not much more, than was ever in use.
    keep: AtomicUsize,
    /// Bytes of the allocator's that buffers have, and the most they had since it gave memory back to the system.
    small: AtomicUsize,
    most_small: AtomicUsize,
}

impl Inner {
    /// Takes over the memory of a dying buffer, if there is room for it.
    fn keep(&self, buffer: &Buffer) -> bool {
        let idle = self.idle.load(Relaxed) + buffer.capacity;
        // What is kept and what is in use together stay below what was in use at once, but for a little: recycling never costs memory, and
        // no large block goes for a small result that is new.
        let peak = self.peak.load(Relaxed);
        let most = peak + MORE.min(peak / MORE_PART);
        let room = self.keep.load(Relaxed).min(most.saturating_sub(self.live.load(Relaxed)));
        if buffer.capacity < POOLED || idle > room {
            return false;
        }
        self.idle.fetch_add(buffer.capacity, Relaxed);
        self.free.lock().entry(buffer.capacity).or_default().push(Free(buffer.pointer));
        true
    }

    /// A buffer was made that the allocator gave, if it did.
    fn allocated(&self, capacity: usize) {
        if (SMALL..MAPPED).contains(&capacity) {
            let small = self.small.fetch_add(capacity, Relaxed) + capacity;
            self.most_small.fetch_max(small, Relaxed);
        }
    }

    fn freed(&self, capacity: usize) {
        if (SMALL..MAPPED).contains(&capacity) {
            self.small.fetch_sub(capacity, Relaxed);
        }
    }

    /// Bytes that the allocator may keep of buffers that were freed.
    fn left_behind(&self) -> usize {
        self.most_small.load(Relaxed).saturating_sub(self.small.load(Relaxed))
    }

    /// Has the allocator give freed memory back, where it has so much that another `capacity` bytes of the system's would come to more
    /// than was ever in use.
    fn trim(&self, capacity: usize) {
        let left_behind = self.left_behind();
        let all = self.live.load(Relaxed) + self.idle.load(Relaxed) + left_behind + capacity;
        if left_behind >= LEFT_BEHIND && all > self.peak.load(Relaxed) {
            self.most_small.store(self.small.load(Relaxed), Relaxed);
            give_back_freed();
        }
    }

    fn release(&self) {
        for (capacity, pointers) in std::mem::take(&mut *self.free.lock()) {
            for Free(pointer) in pointers {
                self.idle.fetch_sub(capacity, Relaxed);
                self.freed(capacity);
                // SAFETY: `keep` took the memory over from a buffer of this capacity.
                unsafe { give_back(pointer, capacity) }
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release();
    }
}

/// Where an engine's blocks get their memory from, and return it to.
#[derive(Clone, Default)]
pub struct Pool(Arc<Inner>);

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// The pool in force on a thread.
struct Current {
    pool: Pool,
    room: Room,
    /// What the thread's blocks grew by before.
    outer: (isize, isize),
}

/// What ops may make on a thread, in bytes, as far as [`check_room`] is asked.
#[derive(Clone, Copy)]
pub enum Room {
    Any,
    /// All blocks of the pool together.
    All(usize),
    /// The blocks that were made on this thread since it was said how much, or since [`forget_growth`].
    Own(usize),
}

/// `dsk::memory` where an array or a list of so many bytes is more than this thread may make.
pub fn check_room(what: &str, bytes: usize) -> Result<()> {
    if bytes < POOLED {
        return Ok(());
    }
    CURRENT.with_borrow(|current| {
        let Some(Current { pool, room, .. }) = current else { return Ok(()) };
        let (limit, taken) = match *room {
            Room::Any => return Ok(()),
            Room::All(limit) => (limit, pool.live()),
            Room::Own(limit) => (limit, usize::try_from(GROWTH.get().0).unwrap_or(0)),
        };
        let left = limit.saturating_sub(taken);
        if bytes <= left {
            return Ok(());
        }
        let limit = match bytes > limit {
            true => format!("the memory limit is {}", Bytes(limit)),
            false => format!("{} are left of the memory limit", Bytes(left)),
        };
        Err(err!(Memory, "the {what} takes {}, and {limit}", Bytes(bytes)))
    })
}

/// While it lives, blocks made on this thread come from its pool.
pub struct Entered {
    previous: Option<Current>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(current) = CURRENT.replace(self.previous.take()) {
            let (outer, (now, most)) = (current.outer, GROWTH.get());
            GROWTH.set((outer.0 + now, outer.1.max(outer.0 + most)));
        }
    }
}

impl Pool {
    /// A pool that keeps at most `keep` bytes of freed memory.
    pub fn new(keep: usize) -> Self {
        let pool = Pool::default();
        pool.0.keep.store(keep, Relaxed);
        pool
    }

    /// Makes this the pool of the calling thread until the guard is dropped.
    pub fn enter(&self) -> Entered {
        self.enter_within(Room::Any)
    }

    /// As [`Pool::enter`]; ops make no more there than there is room for.
    pub fn enter_within(&self, room: Room) -> Entered {
        let outer = GROWTH.replace((0, 0));
        Entered { previous: CURRENT.replace(Some(Current { pool: self.clone(), room, outer })) }
    }

    /// Bytes that blocks hold now.
    pub fn live(&self) -> usize {
        self.0.live.load(Relaxed)
    }

    /// The most bytes that blocks held since the last [`Pool::reset_peak`].
    pub fn peak(&self) -> usize {
        self.0.peak.load(Relaxed)
    }

    /// Bytes that were freed and are kept for the next blocks.
    pub fn idle(&self) -> usize {
        self.0.idle.load(Relaxed)
    }

    pub fn reset_peak(&self) {
        self.0.peak.store(self.live(), Relaxed);
    }

    /// Gives idle memory back to the system.
    pub fn release(&self) {
        self.0.release();
    }

    fn take(&self, len: usize) -> Buffer {
        if len < POOLED {
            return Buffer::fresh(len, len, Some(self.0.clone()));
        }
        let capacity = size_class(len);
        let found = self.0.free.lock().get_mut(&capacity).and_then(Vec::pop);
        match found {
            None => {
                // Idle memory of other sizes must not add to what is in use.
                if self.idle() + self.live() + capacity > self.peak() && self.idle() > 0 {
                    self.release();
                }
                if capacity >= MAPPED {
                    self.0.trim(capacity);
                }
                Buffer::fresh(len, capacity, Some(self.0.clone()))
            }
            Some(Free(pointer)) => {
                count(capacity as isize);
                self.0.idle.fetch_sub(capacity, Relaxed);
                let live = self.0.live.fetch_add(capacity, Relaxed) + capacity;
                self.0.peak.fetch_max(live, Relaxed);
                Buffer { pointer, len, capacity, fresh: false, home: Some(self.0.clone()) }
            }
        }
    }
}

/// Bytes that a pooled buffer of `len` bytes takes in memory.
pub fn capacity(len: usize) -> usize {
    if len < POOLED { len } else { size_class(len) }
}

/// Capacities are multiples of an eighth of the power of two below: at most an eighth is lost.
fn size_class(len: usize) -> usize {
    let step = (len.next_power_of_two() / 16).max(4096);
    len.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_buffer_is_used_again_and_zeroed_when_asked() {
        let pool = Pool::new(1 << 20);
        let _on = pool.enter();
        let mut first = Buffer::new(100_000);
        first.bytes_mut().fill(7);
        let at = first.pointer();
        drop(first);
        let second = Buffer::zeroed(100_001);
        assert_eq!(second.pointer(), at);
        assert!(second.bytes().iter().all(|&b| b == 0));
        assert_eq!(pool.live(), size_class(100_001));
    }

    #[test]
    fn what_freed_small_buffers_leave_behind_is_given_back_before_more_is_mapped() {
        let pool = Pool::new(0);
        let _on = pool.enter();
        let small = || (0..100).map(|_| Buffer::new(32 << 10)).collect::<Vec<Buffer>>();
        drop(small());
        assert_eq!(pool.0.left_behind(), 100 * (32 << 10));
        // What is as small takes the place of what was freed.
        let again = small();
        assert_eq!(pool.0.left_behind(), 0);
        drop(again);
        let _mapped = Buffer::new(1 << 20);
        assert_eq!(pool.0.left_behind(), 0);
        // Little of it is not worth asking for.
        drop(Buffer::new(32 << 10));
        let _more = Buffer::new(8 << 20);
        assert_eq!(pool.0.left_behind(), 32 << 10);
    }

    #[test]
    fn a_large_buffer_is_kept_though_small_ones_came_since_the_most_was_in_use() {
        const LARGE: usize = 4 << 20;
        let kept = |small: usize| {
            let pool = Pool::new(64 << 20);
            let _on = pool.enter();
            let two = (Buffer::new(LARGE), Buffer::new(LARGE));
            drop(two.0);
            let _small: Vec<Buffer> = (0..small).map(|_| Buffer::new(32 << 10)).collect();
            drop(two.1);
            pool.0.idle.load(Relaxed)
        };
        assert_eq!(kept(2), 2 * LARGE);
        // More than one in sixteen bytes: recycling is not to cost memory.
        assert_eq!(kept(17), LARGE);
    }

    #[test]
    fn a_pool_keeps_no_more_than_it_may() {
        let pool = Pool::new(0);
        let _on = pool.enter();
        drop(Buffer::new(100_000));
        assert_eq!(pool.0.idle.load(Relaxed), 0);
        assert_eq!(pool.live(), 0);
    }
}
