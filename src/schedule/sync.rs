//! `:sync`: every task on the calling thread, in the static order. For debugging, for tasks within tasks, and where a
//! thread is all there is.

use super::{Run, Scheduler};

pub struct Synchronous;

impl Scheduler for Synchronous {
    fn name(&self) -> &'static str {
        "sync"
    }

    /// The static order runs a task after all it depends on, so there is nothing to choose.
    fn run(&self, run: &Run) {
        let _inside = run.enter();
        let mut inputs = Vec::new();
        for id in 0..run.tasks() as u32 {
            if run.stopped() {
                run.count(id as usize);
                run.state.done_before(id);
                return;
            }
            // SAFETY: lower tasks are done, the others of the run are not started, and nobody else runs tasks.
            unsafe { run.alone(id, &mut inputs) };
        }
        run.count(run.tasks());
    }
}
