//! A task that failed, run again by itself.
//!
//! When a task fails its run ends, and with it go the results that nobody waits for. What stays until the next computation is the
//! graph as it was before tasks were nested in others, and of the results that were still held those that lead to the task: its inputs that
//! others were to use too, or what these were made of. An input that only this task was to use is gone, since the task may have written into it:
//! it is made again from what is there. Replaying starts from that, one task after the other, with no task nested in another,
//! so that the error names the very call that fails.

use super::compute::{Computation, graph_want};
use super::plan::Plan;
use super::recall::{Cached, with_results};
use super::run::Run;
use super::{Config, Synchronous};
use crate::data::{Graph, Key, Layer, Value};
use crate::err;
use crate::text::{Code, Error, Result};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What is left of a computation that failed.
pub struct Failed {
    /// What was asked for, with slices taken down to what they are of, and rewritten in no other way.
    layers: Vec<Arc<Layer>>,
    /// The task that failed.
    pub key: Key,
    /// With what error.
    error: Error,
    /// Results by layer and position.
    held: FxHashMap<(String, usize), Arc<FxHashMap<u32, Value>>>,
}

/// What tells layers apart: their names, or where they lie if they are written by hand.
fn identity(layer: &Arc<Layer>) -> (String, usize) {
    match layer.is_hand_made() {
        true => (String::new(), Arc::as_ptr(layer) as usize),
        false => (layer.name.to_string(), 0),
    }
}

impl Failed {
    /// What is left of a run; `None` where it was interrupted, or the task that failed is one of another computation, which
    /// a task of this one had begun.
    pub(super) fn of(run: &Run, layers: Vec<Arc<Layer>>, error: &Error) -> Option<Failed> {
        let id = run.failed().filter(|_| error.code() != Code::Interrupted)?;
        let key = run.plan.key(id);
        if error.task()?.key != key.quoted() {
            return None;
        }
        Some(Failed { layers, key, error: error.clone(), held: held(run, id) })
    }
}

/// The results that are held nearest to a task among what it depends on.
fn held(run: &Run, id: u32) -> FxHashMap<(String, usize), Arc<FxHashMap<u32, Value>>> {
    let plan: &Plan = run.plan;
    let mut found: FxHashMap<u32, FxHashMap<u32, Value>> = FxHashMap::default();
    let mut seen = vec![false; plan.len()];
    let mut open: Vec<u32> = plan.dependencies.get(id).to_vec();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut seen[id as usize], true) {
            continue;
        }
        // SAFETY: schedulers return when their workers are back.
        match unsafe { run.state.left_over(id) } {
            Value::Nil => open.extend(plan.dependencies.get(id)),
            value => {
                let place = plan.tasks[id as usize];
                found.entry(place.layer).or_default().insert(place.at, value);
            }
        }
    }
    found.into_iter().map(|(layer, values)| (identity(&plan.layers[layer as usize]), Arc::new(values))).collect()
}

impl Computation<'_> {
    /// Runs a task of the last computation again, with what is needed for it that is not there any more; without a key the task that
    /// failed. The value it gives, or its error.
    ///
    /// # Errors
    /// `dsk::value` where no computation has failed, or another one came after it; `dsk::index` where it had no such key.
    pub fn replay(&self, key: Option<&Key>) -> Result<Value> {
        let failed = self.runtime.failed.lock().clone().ok_or_else(|| {
            err!(Value, "there is no failed computation to replay a task of").help(
                "what a computation that failed leaves behind is there until the next computation, and not where it was interrupted",
            )
        })?;
        let want = graph_want(&Graph::of(&failed.layers), key.unwrap_or(&failed.key))?;
        let wants = with_results(&[want], &mut |layer| failed.held.get(&identity(layer)).cloned().map(Cached::Blocks));
        let config = Config { scheduler: Arc::new(Synchronous), optimize: false, cache: None, ..self.config.clone() };
        let replayed = Computation { config: &config, ..*self }.run_all(&wants, &[None], None);
        // Call by call, nobody knows any more which line of a file an element came from.
        let replayed = replayed.map_err(|error| match error.message() == failed.error.message() {
            true => {
                let known = error.help_lines().to_vec();
                let more = failed.error.help_lines().iter().filter(|line| !known.contains(line));
                more.fold(error, |error, line| error.help(line.clone()))
            }
            false => error,
        });
        // Whatever came of it, the computation that failed is still the last one.
        *self.runtime.failed.lock() = Some(failed);
        Ok(replayed?.into_iter().flatten().next().map(Value::plain).unwrap_or_default())
    }
}
