//! Where results lie between the task that made them and the tasks that need them.

use crate::data::Value;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering::*};

/// Where a list of waiting tasks ends.
pub const NOBODY: u32 = u32::MAX;
/// In place of the list: the task is done.
const DONE: u32 = u32::MAX - 1;

/// One slot a task, and how many uses of its result are still to come.
///
/// The protocol that makes sharing sound: a slot is written once, by the worker that ran the task, before any task that
/// depends on it is told that it may run (`waiting` orders the two, see [`super::state`]); every such task reads it by
/// [`Results::claim`], which counts down the uses; only who holds the last use takes the value out.
pub struct Results(Box<[Slot]>);

/// Together, since whoever reaches for one reaches for the others.
struct Slot {
    value: UnsafeCell<Value>,
    uses: AtomicU32,
    /// The first of the tasks that wait for this one, `NOBODY`, or `DONE`.
    waiting: AtomicU32,
}

// SAFETY: slots are reached only by the protocol above.
unsafe impl Sync for Results {}

impl Results {
    pub fn new(uses: impl ExactSizeIterator<Item = u32>) -> Self {
        let slot = |uses| Slot {
            value: UnsafeCell::new(Value::Nil),
            uses: AtomicU32::new(uses),
            waiting: AtomicU32::new(NOBODY),
        };
        Results(uses.map(slot).collect())
    }

    /// Counts one more use to come.
    pub fn add_use(&mut self, id: u32) {
        *self.0[id as usize].uses.get_mut() += 1;
    }

    /// Enters a task into the list of those that wait for `id`; `next` is where it keeps who comes after it there. False where `id`
    /// is done: then what it made can be seen.
    pub fn wait(&self, id: u32, task: u32, next: &AtomicU32) -> bool {
        let waiting = &self.0[id as usize].waiting;
        let mut first = waiting.load(Acquire);
        while first != DONE {
            next.store(first, Relaxed);
            match waiting.compare_exchange_weak(first, task, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(now) => first = now,
            }
        }
        false
    }

    /// Whether a task is done; if so, what it made can be seen.
    pub fn is_done(&self, id: u32) -> bool {
        self.0[id as usize].waiting.load(Acquire) == DONE
    }

    /// Calls a task done, after its result was stored. The first of those that waited for it.
    pub fn done(&self, id: u32) -> u32 {
        self.0[id as usize].waiting.swap(DONE, AcqRel)
    }

    /// Stores a result, if anything is to use it. Whether it is.
    ///
    /// # Safety
    /// The caller is the only one to store the result of `id`, does it once, and nobody claims it before.
    pub unsafe fn store(&self, id: u32, value: Value) -> bool {
        let slot = &self.0[id as usize];
        if slot.uses.load(Relaxed) == 0 {
            return false;
        }
        // SAFETY: nobody else reaches the slot yet, says the caller.
        unsafe { *slot.value.get() = value };
        true
    }

    /// One use of a result: the value itself if it is the last one (then the second answer is true), else a clone.
    ///
    /// # Safety
    /// The result was stored, what stored it happened before this, and no more uses are claimed than were counted.
    pub unsafe fn claim(&self, id: u32) -> (Value, bool) {
        let Slot { value: slot, uses, .. } = &self.0[id as usize];
        let slot = slot.get();
        if uses.load(Acquire) == 1 {
            uses.store(0, Relaxed);
            // SAFETY: this use is the last: all others counted down (and released) after their clone was made.
            return (unsafe { std::mem::take(&mut *slot) }, true);
        }
        // SAFETY: as long as this use is not counted down, nobody takes the value out; others only clone it.
        let value = unsafe { (*slot).clone() };
        if uses.fetch_sub(1, AcqRel) == 1 {
            // SAFETY: the others finished while this one cloned, and now none is left.
            drop(unsafe { std::mem::take(&mut *slot) });
            return (value, true);
        }
        (value, false)
    }

    /// As [`Results::claim`], where nobody else claims at the same time: that takes no locked instruction.
    ///
    /// # Safety
    /// As for [`Results::claim`], and no other claim is made at the same time.
    pub unsafe fn claim_alone(&self, id: u32) -> (Value, bool) {
        let Slot { value: slot, uses, .. } = &self.0[id as usize];
        let left = uses.load(Relaxed) - 1;
        uses.store(left, Relaxed);
        // SAFETY: nobody else reaches the slot now, says the caller.
        let slot = unsafe { &mut *slot.get() };
        if left == 0 { (std::mem::take(slot), true) } else { (slot.clone(), false) }
    }

    /// Appends a result to a task's inputs, if it is a value without memory of its own, such as a number: those are copied, and their
    /// uses not counted, so that workers who need the same one do not wait for each other's count. Whether it was.
    ///
    /// # Safety
    /// As for [`Results::claim`].
    pub unsafe fn copy_to(&self, id: u32, inputs: &mut Vec<Value>) -> bool {
        // SAFETY: this use is to come, so that nobody takes the value out; others only read it.
        unsafe { &*self.0[id as usize].value.get() }.copy_to(inputs)
    }

    /// Takes a result out of its slot, or puts another in, while uses of it are to come: a claim gets what lies there.
    ///
    /// # Safety
    /// As for [`Results::claim`], and no claim is made at the same time.
    pub unsafe fn exchange(&self, id: u32, value: Value) -> Value {
        // SAFETY: no claim is made at the same time, says the caller.
        std::mem::replace(unsafe { &mut *self.0[id as usize].value.get() }, value)
    }

    /// What lies in a slot.
    ///
    /// # Safety
    /// Nothing is stored, claimed or exchanged as long as the answer is looked at.
    pub unsafe fn peek(&self, id: u32) -> &Value {
        // SAFETY: the caller's.
        unsafe { &*self.0[id as usize].value.get() }
    }

    /// Whether the next claim is the last one.
    pub fn is_last_use(&self, id: u32) -> bool {
        self.0[id as usize].uses.load(Relaxed) == 1
    }

    pub fn uses(&self, id: u32) -> u32 {
        self.0[id as usize].uses.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Block;
    use std::sync::Arc;

    #[test]
    fn the_last_use_gets_the_value_itself() {
        let results = Results::new([2].into_iter());
        // SAFETY: one thread, stored once, claimed twice as counted.
        let ((mut first, more), (mut last, done)) = unsafe {
            results.store(0, Block::scalar(1.0).into());
            (results.claim(0), results.claim(0))
        };
        assert_eq!((more, done, results.uses(0)), (false, true, 0));
        let unshared = |v: &mut Value| if let Value::Block(b) = v { Arc::get_mut(b).is_some() } else { false };
        assert!(!unshared(&mut first));
        drop(first);
        assert!(unshared(&mut last));
    }

    #[test]
    fn many_threads_claim_what_was_counted() {
        for _ in 0..200 {
            let results = Results::new([4].into_iter());
            let block = Arc::new(Block::scalar(1.0));
            // SAFETY: stored before the threads start; four claims for four uses.
            unsafe { results.store(0, Value::Block(block.clone())) };
            std::thread::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| unsafe { results.claim(0) });
                }
            });
            assert_eq!((results.uses(0), Arc::strong_count(&block)), (0, 1));
        }
    }
}
