//! Runs of which nobody knows before what they take, as users' functions are all there is in them. Most are small, and are run as
//! fast as small ones are; one that outgrows its part of the memory goes on task by task, from where it is.

use super::bounded::Bounded;
use super::{Run, Scheduler};
use crate::data::Held;
use crate::text::Result;

pub struct Outgrow<'a> {
    pub scheduler: &'a dyn Scheduler,
    /// Bytes that the run may take until somebody has to watch.
    pub most: usize,
    /// Who goes on, where so many bytes are held.
    pub resumed: &'a (dyn Fn(usize) -> Result<Bounded> + Sync),
}

impl Scheduler for Outgrow<'_> {
    fn name(&self) -> &'static str {
        self.scheduler.name()
    }

    fn run(&self, run: &Run) {
        run.pause_beyond(self.most);
        self.scheduler.run(run);
        if !run.resume() {
            return;
        }
        let mut held = 0;
        // SAFETY: the scheduler came back, and with it all that it had at work.
        unsafe { run.state.survey(|_, value| held += value.map_or(0, |value| Held::by(value).bytes()), |_| {}) };
        match (self.resumed)(held) {
            Ok(bounded) => bounded.run(run),
            Err(error) => run.fail(0, error),
        }
    }
}
