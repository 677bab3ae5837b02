//! What a computation would take, told before it: the same plan as it would run, weighed and not run.

use super::compute::{Computation, LAYER_BYTES, Lazy, graph_want, want};
use super::keep::{self, Keeper};
use super::outlook::{self, Outlook, Watch};
use super::plan::{Plan, Want};
use super::recall::{Asks, Recalled, layer_of};
use super::refusal;
use super::weigh::{Load, Loads};
use crate::data::{Array, Graph, Key, Value, buffer};
use crate::text::{Code, Result};

/// What a computation would take; see [`Computation::forecast`].
pub struct Forecast {
    /// Tasks before the passes, and after.
    pub tasks_before: usize,
    pub tasks: usize,
    /// Bytes of the arrays asked for.
    pub result_bytes: usize,
    /// Bytes of data read from files, and written to files.
    pub read_bytes: usize,
    pub written_bytes: usize,
    /// Of these, about so many go to the spill folder and come back.
    pub spilled_bytes: usize,
    /// Bytes that the computation takes, at most: results, blocks that tasks make in passing, what workers keep for
    /// decoding, and the tasks themselves.
    pub peak_bytes: usize,
    /// Bytes of the whole process that will be in memory, at most; where the system tells how many are now.
    pub resident_bytes: Option<usize>,
    /// Whether these bounds hold for certain: what users' functions make in passing is a guess, and so are parts as large as data decide.
    pub exact: bool,
}

/// Bytes of the program and its libraries that may come into memory only when a computation needs them.
const PROGRAM: usize = 6 << 20;

/// Bytes of a worker: its stack, as far as it is used, and what the allocator keeps for it of small blocks that were freed.
const THREAD: usize = 3 << 20;

/// Bytes of this process that are in memory.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

impl Computation<'_> {
    /// What computing these values together would take, with what the cache has of them.
    ///
    /// # Errors
    /// As computing them, where their plan is refused before it starts.
    pub fn forecast(&self, values: &[Value]) -> Result<Forecast> {
        let lazy = Lazy::of(values);
        let wants: Vec<Want> = lazy.found.iter().map(want).collect();
        let arrays: Vec<Option<&Array>> = lazy.found.iter().map(array).collect();
        self.check_result(&arrays).map_err(|error| error.help("`:store true` tells of storing it instead"))?;
        self.forecast_of(wants, &arrays)
    }

    /// What computing the results of keys of a graph would take.
    ///
    /// # Errors
    /// As for [`Computation::forecast`], and for a key that the graph does not have.
    pub fn forecast_keys(&self, graph: &Graph, keys: &[Key]) -> Result<Forecast> {
        let wants = keys.iter().map(|key| graph_want(graph, key)).collect::<Result<Vec<Want>>>()?;
        let arrays = vec![None; wants.len()];
        self.forecast_of(wants, &arrays)
    }

    /// Tasks before the passes, and bytes that passes take.
    fn before(&self, wants: &[Want]) -> Result<(usize, usize)> {
        match Plan::new(self.host, wants, self.room()) {
            Ok(plan) => Ok((plan.len(), plan.layers.len() * LAYER_BYTES)),
            // Those that are left may fit.
            Err(error) if error.code() == Code::Memory => {
                let layers = Graph::of(&wants.iter().map(layer_of).cloned().collect::<Vec<_>>()).layers;
                let tasks = layers.iter().map(|layer| layer.len()).fold(0, usize::saturating_add);
                Ok((tasks, layers.len() * LAYER_BYTES))
            }
            Err(error) => Err(error),
        }
    }

    /// For each want that is an array's, that array.
    fn forecast_of(&self, wants: Vec<Want>, arrays: &[Option<&Array>]) -> Result<Forecast> {
        let (tasks_before, passes_bytes) = self.before(&wants)?;
        let together: Vec<bool> = arrays.iter().map(|a| a.is_some_and(|a| a.chunks.block_count() > 1)).collect();
        let recalled = self.cache_limit().map(|limit| Recalled::of(self, &wants, &together, Asks::ToTell(limit)));
        let recalled = recalled.transpose()?;
        // What is not there as it is asked for.
        let is_open = |n: &usize| recalled.as_ref().is_none_or(|recalled| recalled.known[*n].is_none());
        let open: Vec<usize> = (0..wants.len()).filter(is_open).collect();
        let (recall, wants) = match &recalled {
            Some(recalled) => (Some(&recalled.recall), recalled.wants.clone()),
            None => (None, wants),
        };
        let apart = recall.map_or_else(Vec::new, |recall| recall.apart(&wants));
        let wants = if self.config.optimize { self.optimized(&wants, apart)? } else { wants };
        let plan = Plan::new(self.host, &wants, self.room())?;
        let (mut keep, mut gathered, mut gathers) = (Vec::new(), 0, vec![false; plan.layers.len()]);
        for (tasks, n) in plan.wanted.iter().zip(open) {
            match (arrays[n].filter(|_| together[n]), tasks.first()) {
                (Some(array), Some(&first)) => {
                    gathered += buffer::capacity(array.nbytes());
                    gathers[plan.tasks[first as usize].layer as usize] = true;
                }
                _ => keep.extend_from_slice(tasks),
            }
        }
        let keeper = recall.and_then(|recall| Keeper::of(recall, &plan, &|layer| gathers[layer]));
        let shared = |layer: u32| keeper.as_ref().is_some_and(|keeper| keeper.may_keep(layer));
        let workers = if self.config.scheduler.name() == "sync" { 1 } else { self.config.workers };
        let outlook = Outlook::of(self.host, &plan, &keep, workers, &shared)?;
        // The cache gives way to the run, and may grow beside it.
        let cached = self.runtime.cache.bytes();
        let left = self.left().saturating_sub(gathered);
        let left = left + outlook.wants().saturating_sub(left).min(cached);
        let room = keeper.as_ref().map_or(0, |keeper| keeper.room());
        let least = refusal::least(&plan, &keep, &outlook.loads);
        let (left, growth) = keep::shared_out(left, outlook.wants(), least + outlook.scratch_each(), room);
        let outlook = outlook.within(left, least);
        refusal::check(&plan, &keep, &outlook, &|share| Loads::of(self.host, &plan, &shared, share))?;
        let bound = match Watch::of(self.host, &plan, workers, left) {
            Watch::Nothing | Watch::Memory => outlook.unwatched(workers),
            Watch::Tasks => outlook.bound,
        };
        let sum = |figure: fn(&Load) -> usize| outlook.loads.iter().map(figure).fold(0, usize::saturating_add);
        let spilled_bytes = match outlook.spills {
            true => outlook::spilled(&plan, &outlook.loads, &keep, outlook.limit),
            false => 0,
        };
        let kept = growth.min(keeper.as_ref().map_or(0, |keeper| keeper.most_bytes(&outlook.loads)));
        let peak_bytes = gathered + bound + outlook.scratch + kept + plan.own_bytes();
        Ok(Forecast {
            tasks_before,
            tasks: plan.len(),
            result_bytes: arrays.iter().flatten().map(|array| array.nbytes()).sum(),
            read_bytes: sum(|load| load.read) + spilled_bytes,
            written_bytes: sum(|load| load.written) + spilled_bytes,
            spilled_bytes,
            peak_bytes,
            resident_bytes: resident().map(|now| now + peak_bytes + passes_bytes + PROGRAM + workers * THREAD),
            exact: outlook.exact,
        })
    }
}

fn array(value: &Value) -> Option<&Array> {
    match value {
        Value::Array(array) => Some(array),
        _ => None,
    }
}
