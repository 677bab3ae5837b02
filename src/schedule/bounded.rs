//! Running a plan within a bound.
//!
//! Used where tasks are large enough that one lock around all decisions is no burden. What every task takes is known
//! before ([`super::weigh`]), and so is what one worker would hold at each of them ([`super::outlook`]). The rules, in this
//! order:
//!
//! - A task starts when what it will take fits beside what is held: its result, its temporary blocks, and inputs that have
//!   to be read back. Where it is a guess, as for users' functions, what earlier tasks took that are alike counts too, and
//!   where memory is short none of these runs beside the first one.
//! - The lowest number goes first. If it does not fit, a ready task that fits and lets go of a result may.
//! - Tasks may run ahead of the lowest one that is not done, as long as every task up to them could still run as it
//!   would with one worker: nobody is kept from going on by what was made too early.
//! - Where results have to go to disk, ready tasks that together let go of as much as they make run one after the other: otherwise
//!   what they need may go, and come back for each of them.
//! - If nothing fits, what is needed last goes to the [`Chest`], unless a running task is about to make room and the
//!   static order needs no chest. What was put there once and has not changed is never written again.
//! - A task that does not fit even when it is alone, with everything else away, is refused before the run starts
//!   ([`super::refusal`]); where only the run shows it, because a function made more than anybody knew, the run ends then.

use super::outlook::Outlook;
use super::task::Code;
use super::weigh::makes_lists;
use super::{Plan, Run, Scheduler};
use crate::data::panicked::panicked;
use crate::data::{Held, Value, buffer};
use crate::err;
use crate::memory::{Chest, Stowed};
use crate::text::{Bytes, Error, Result};
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

pub struct Bounded {
    chest: Chest,
    outlook: Outlook,
}

impl Bounded {
    /// For a plan that was not refused ([`super::refusal`]).
    pub fn new(outlook: Outlook, chest: Chest) -> Bounded {
        Bounded { chest, outlook }
    }
}

impl Scheduler for Bounded {
    fn name(&self) -> &'static str {
        "bounded"
    }

    fn run(&self, run: &Run) {
        let workers = self.outlook.workers;
        let kinds = run.plan.codes.iter().map(callees).collect();
        let floor = Floor { bounds: self, run, shelf: Mutex::new(Shelf::of(run)), changed: Condvar::new(), kinds };
        let work = |worker: usize| floor.work(worker);
        run.runtime.crew.with(workers - 1, &work, |party| {
            party.invite(workers - 1);
            floor.work(0);
        });
    }
}

/// What all workers decide by.
struct Shelf {
    ready: BinaryHeap<Reverse<u32>>,
    next_root: usize,
    /// Bytes of each result that lies in its slot.
    held: FxHashMap<u32, usize>,
    /// Results that are on disk; some of them also in their slots.
    away: FxHashMap<u32, Stowed>,
    /// Results on their way to the disk.
    leaving: FxHashSet<u32>,
    /// For results in their slots: how many running tasks have them.
    users: FxHashMap<u32, u32>,
    /// Bytes of what is held, and what running tasks may take.
    used: usize,
    /// The tasks that run now, and the bytes given to each.
    running: SmallVec<[(u32, usize); 8]>,
    done: usize,
    /// Tasks that are done, and the lowest one that is not.
    finished: Vec<bool>,
    frontier: u32,
    /// Bytes of what is held that tasks before the frontier made.
    behind: usize,
    /// Ready tasks that together let go of as much as they make, the next one last.
    together: Vec<u32>,
    /// For kinds of tasks: the most bytes by which memory grew during one of its tasks, where that was watched.
    growth: FxHashMap<u64, usize>,
}

impl Shelf {
    /// For a run that nobody is at, and which may have begun.
    fn of(run: &Run) -> Shelf {
        let mut shelf = Shelf::new(run.plan);
        let mut ready = Vec::new();
        let mut held = Vec::new();
        let done = |id: u32, value: Option<&Value>| {
            shelf.finished[id as usize] = true;
            shelf.done += 1;
            held.extend(value.map(|value| (id, Held::by(value).bytes())));
        };
        // SAFETY: nobody is at the run yet, or any more.
        unsafe { run.state.survey(done, |id| ready.push(Reverse(id))) };
        let is_finished = |id: &u32| shelf.finished[*id as usize];
        shelf.next_root = run.roots().iter().take_while(|id| is_finished(id)).count();
        shelf.frontier = shelf.finished.iter().take_while(|done| **done).count() as u32;
        ready.retain(|Reverse(id)| !run.plan.dependencies.get(*id).is_empty());
        shelf.ready = ready.into();
        held.into_iter().for_each(|(id, bytes)| shelf.hold(id, bytes));
        shelf
    }

    fn new(plan: &Plan) -> Shelf {
        Shelf {
            ready: BinaryHeap::new(),
            next_root: 0,
            held: FxHashMap::default(),
            away: FxHashMap::default(),
            leaving: FxHashSet::default(),
            users: FxHashMap::default(),
            used: 0,
            running: SmallVec::new(),
            done: 0,
            finished: vec![false; plan.len()],
            frontier: 0,
            behind: 0,
            together: Vec::new(),
            growth: FxHashMap::default(),
        }
    }

    /// Counts a result that lies in its slot.
    fn hold(&mut self, id: u32, bytes: usize) {
        self.held.insert(id, bytes);
        self.used += bytes;
        self.behind += if id < self.frontier { bytes } else { 0 };
    }

    /// Counts a result no more.
    fn let_go(&mut self, id: u32) {
        let bytes = self.held.remove(&id).unwrap_or(0);
        self.used -= bytes;
        self.behind -= if id < self.frontier { bytes } else { 0 };
    }

    /// Takes note that a task is done.
    fn finish(&mut self, id: u32) {
        self.done += 1;
        self.finished[id as usize] = true;
        while self.finished.get(self.frontier as usize) == Some(&true) {
            self.behind += self.held.get(&self.frontier).copied().unwrap_or(0);
            self.frontier += 1;
        }
    }

    /// Bytes of what was made, or is being made, ahead of the frontier.
    fn ahead(&self) -> usize {
        let first = self.running.iter().find(|(id, _)| *id == self.frontier).map_or(0, |(_, given)| *given);
        self.used - self.behind - first
    }
}

/// What a task is going to take.
#[derive(Clone, Copy)]
struct Need {
    bytes: usize,
    /// Of these, what has to be read back.
    away: usize,
    /// Otherwise it is a guess, and no task that is like it has run yet.
    known: bool,
}

enum Choice {
    /// This ready task, which is taken out, and the bytes it is given.
    Run(u32, usize),
    Spill(u32),
    Wait,
}

struct Floor<'r, 'a> {
    bounds: &'r Bounded,
    run: &'r Run<'a>,
    shelf: Mutex<Shelf>,
    changed: Condvar,
    /// For each code of the plan which functions it calls.
    kinds: Vec<u64>,
}

/// Tasks that run one after the other for what they let go of together.
const MOST_TOGETHER: usize = 256;

/// A result takes much of the memory if it takes one part of so many.
const MUCH: usize = 64;

/// Bytes that calls of functions are presumed to take as long as nobody knows.
const PRESUMED: usize = 256 << 20;

/// Ready tasks that are looked at when the best one does not fit.
const LOOKS: usize = 256;

impl Floor<'_, '_> {
    fn work(&self, worker: usize) {
        let _inside = self.run.enter();
        let mut shelf = self.shelf.lock();
        while !self.run.stopped() && shelf.done < self.run.tasks() {
            match self.choose(&mut shelf) {
                Choice::Run(id, given) => shelf = self.task(shelf, id, given, worker),
                Choice::Spill(id) => shelf = self.spill(shelf, id),
                // The time limit is for the cancel flag, which nobody rings a bell for.
                Choice::Wait => {
                    self.changed.wait_for(&mut shelf, Duration::from_millis(20));
                }
            }
        }
        drop(shelf);
        self.changed.notify_all();
    }

    fn choose(&self, shelf: &mut Shelf) -> Choice {
        let root = self.run.roots().get(shelf.next_root).copied();
        let queued = shelf.ready.peek().map(|Reverse(id)| *id);
        while shelf.together.last().is_some_and(|&id| !self.run.state.is_ready(id)) {
            shelf.together.pop();
        }
        let next = shelf.together.last().copied();
        let Some(best) = next.or(root.into_iter().chain(queued).min()) else { return Choice::Wait };
        let need = self.need(shelf, best);
        if self.fits(shelf, best, need) {
            return self.take(shelf, best, need);
        }
        let others = shelf.ready.iter().take(LOOKS).map(|Reverse(id)| *id);
        let freeing = others.filter(|&id| id != best && self.run.state.frees(id));
        if let Some(id) = freeing.filter(|&id| self.fits(shelf, id, self.need(shelf, id))).min() {
            return self.take(shelf, id, self.need(shelf, id));
        }
        // Somebody is at it who may make room, or tell how much a task of this layer takes.
        let spills = self.bounds.outlook.spills;
        if !shelf.running.is_empty() && (!need.known || !spills) || self.waits_for_disk(shelf, best) {
            return Choice::Wait;
        }
        // Guesses were too low; the memory limit is another matter.
        let within_limit = shelf.used + need.bytes <= self.bounds.outlook.limit;
        if (spills || !within_limit)
            && let Some(victim) = self.needed_last(shelf, best)
        {
            return Choice::Spill(victim);
        }
        if !shelf.running.is_empty() || !shelf.leaving.is_empty() {
            return Choice::Wait;
        }
        if next.is_some() {
            shelf.together.clear();
            return self.choose(shelf);
        }
        // There is nothing left to put away: all that is held is wanted of this run, or this task's.
        if shelf.used + need.away > self.bounds.outlook.limit {
            self.run.fail(best, self.too_much(shelf, best, need));
            return Choice::Wait;
        }
        self.take(shelf, best, need)
    }

    /// The error where what nobody knew before does not fit.
    fn too_much(&self, shelf: &Shelf, id: u32, need: Need) -> Error {
        let plan = self.run.plan;
        let inputs = plan.dependencies.get(id).iter().collect::<FxHashSet<_>>();
        let taken: usize = inputs.iter().filter_map(|d| shelf.held.get(d)).sum();
        let (limit, wanted) = (Bytes(self.bounds.outlook.limit), shelf.used - taken);
        let error = match wanted > self.bounds.outlook.limit {
            true => err!(Memory, "the results take {} so far, and {limit} are left of the memory limit", Bytes(wanted)),
            false => {
                let (key, takes) = (plan.key(id).quoted(), Bytes(taken + need.away));
                let beside = if wanted == 0 { String::new() } else { format!(" beside results of {}", Bytes(wanted)) };
                err!(Memory, "the task {key} takes {takes} at a time{beside}, and {limit} are left of the memory limit")
            }
        };
        let error = match makes_lists(&plan.layers[plan.tasks[id as usize].layer as usize]) {
            true => error.help("more partitions, by `:blocksize` or `:npartitions`, take less each"),
            false => error,
        };
        error.help("`:memory-limit` raises the limit").at(plan.span(id))
    }

    /// Takes a ready task out.
    fn take(&self, shelf: &mut Shelf, id: u32, need: Need) -> Choice {
        if self.run.roots().get(shelf.next_root) == Some(&id) {
            shelf.next_root += 1;
        } else if shelf.ready.peek() == Some(&Reverse(id)) {
            shelf.ready.pop();
        } else {
            shelf.ready.retain(|Reverse(other)| *other != id);
        }
        Choice::Run(id, need.bytes)
    }

    /// What a task is going to take: inputs that have to be read back, and what it makes.
    fn need(&self, shelf: &Shelf, id: u32) -> Need {
        let (mut here, mut away) = (0, 0);
        for d in self.run.plan.dependencies.get(id) {
            match shelf.held.get(d) {
                Some(bytes) => here += bytes,
                None => away += shelf.away.get(d).map_or(0, Stowed::takes),
            }
        }
        let load = self.bounds.outlook.loads.get(id);
        let seen = shelf.growth.get(&self.kind(id)).copied();
        // Of what nobody knows anything, as much as it is made of.
        let guess = seen.unwrap_or(if load.exact { 0 } else { here + away });
        Need { bytes: away + load.takes().max(guess), away, known: load.exact || seen.is_some() }
    }

    /// What tasks have in common that are alike: layers that make the same blocks, or of lazy calls the functions that they call.
    fn kind(&self, id: u32) -> u64 {
        let plan = self.run.plan;
        let place = plan.tasks[id as usize];
        match (&plan.layers[place.layer as usize].blocks, self.kinds.get(place.code as usize)) {
            (None, Some(kind)) => *kind,
            _ => plan.like[place.layer as usize].into(),
        }
    }

    fn fits(&self, shelf: &Shelf, id: u32, need: Need) -> bool {
        if self.waits_for_disk(shelf, id) {
            return false;
        }
        let Outlook { alone, spills, .. } = &self.bounds.outlook;
        let room = self.bounds.outlook.room();
        let is_safe = || shelf.ahead() + need.bytes + alone.most(shelf.frontier, id) <= room;
        shelf.used + need.bytes <= room
            && match need.known {
                true => *spills || id <= shelf.frontier || is_safe(),
                // The first one tells what the others are going to take; where there is much room nobody waits for it.
                false => {
                    let alike = shelf.running.iter().filter(|(other, _)| self.kind(*other) == self.kind(id)).count();
                    alike == 0 || shelf.used + (alike + 1) * PRESUMED <= room
                }
            }
    }

    fn waits_for_disk(&self, shelf: &Shelf, id: u32) -> bool {
        !shelf.leaving.is_empty() && self.run.plan.dependencies.get(id).iter().any(|d| shelf.leaving.contains(d))
    }

    /// The held result whose next use is the last one of all, later than a task that is to run, and than those that run together.
    fn needed_last(&self, shelf: &Shelf, task: u32) -> Option<u32> {
        let inputs = |&id: &u32| self.run.plan.dependencies.get(id).iter().copied();
        let soon: FxHashSet<u32> = shelf.together.iter().rev().take(MOST_TOGETHER).flat_map(inputs).collect();
        // These run before others of lower numbers.
        let before = if soon.is_empty() { task } else { 0 };
        let next_use = |&id: &u32| {
            let users = self.run.plan.dependents.get(id).iter();
            // What no task needs is wanted of the run.
            users.copied().filter(|&user| !self.run.state.is_started(user)).min().filter(|&user| user > before)
        };
        let movable = shelf.held.iter().filter(|&(id, &bytes)| {
            bytes > 0 && !soon.contains(id) && !shelf.leaving.contains(id) && !shelf.users.contains_key(id)
        });
        movable.filter_map(|(id, _)| Some((next_use(id)?, *id))).max().map(|(_, id)| id)
    }

    /// Puts a result away.
    fn spill<'s>(&'s self, mut shelf: MutexGuard<'s, Shelf>, id: u32) -> MutexGuard<'s, Shelf> {
        // SAFETY: results are claimed and exchanged under the lock only, and this one has uses to come.
        let value = unsafe { self.run.state.exchange(id, Value::Nil) };
        shelf.leaving.insert(id);
        if !shelf.away.contains_key(&id) {
            match MutexGuard::unlocked(&mut shelf, || self.bounds.chest.stow(&value)) {
                Ok(stowed) => {
                    self.run.runtime.spilled.fetch_add(stowed.bytes() as u64, Relaxed);
                    shelf.away.insert(id, stowed);
                }
                Err(error) => {
                    shelf.leaving.remove(&id);
                    // SAFETY: as above; tasks that need it waited while it was leaving.
                    unsafe { self.run.state.exchange(id, value) };
                    self.run.fail(id, error);
                    self.changed.notify_all();
                    return shelf;
                }
            }
        }
        // Its memory counts until it is given back.
        MutexGuard::unlocked(&mut shelf, || {
            let plain = Held::by(&value).plain;
            drop(value);
            buffer::freed_elsewhere(plain);
        });
        shelf.leaving.remove(&id);
        shelf.let_go(id);
        self.changed.notify_all();
        shelf
    }

    /// Has all tasks that need a result run next, if they are ready and let go of as much as they make: otherwise what they need may go
    /// to disk, and come back for each of them.
    fn use_up(&self, shelf: &mut Shelf, id: u32) {
        let (plan, state) = (self.run.plan, &self.run.state);
        let users = |d: u32| plan.dependents.get(d).iter().copied().filter(|&user| !state.is_started(user));
        let next: SmallVec<[u32; 16]> = users(id).take(MOST_TOGETHER + 1).collect();
        let Outlook { spills, exact, .. } = self.bounds.outlook;
        let is_worth_it = (spills || !exact) && (2..=MOST_TOGETHER).contains(&next.len());
        if !is_worth_it || !next.iter().all(|&user| state.is_ready(user)) {
            return;
        }
        if !spills {
            // Nobody knows what they make: of what takes much of the memory, parts.
            let takes_much = shelf.held.get(&id).is_some_and(|&bytes| bytes > self.bounds.outlook.room() / MUCH);
            if takes_much && next.iter().all(|&user| plan.dependencies.get(user) == [id]) {
                shelf.together.extend(next.iter().rev());
            }
            return;
        }
        let mut inputs: Vec<u32> = next.iter().flat_map(|&user| plan.dependencies.get(user)).copied().collect();
        inputs.sort_unstable();
        inputs.dedup();
        let lets_go =
            |d: u32| state.results.uses(d) as usize == users(d).count() && users(d).all(|u| next.contains(&u));
        let load = |id: u32| self.bounds.outlook.loads.get(id).result;
        let freed: usize = inputs.iter().filter(|&&d| lets_go(d)).map(|&d| load(d)).sum();
        let made: usize = next.iter().map(|&user| load(user)).sum();
        // Memory comes in sizes of which an eighth may be lost.
        if made <= freed + freed / 8 {
            shelf.together.extend(next.iter().rev());
        }
    }

    /// Runs a task that was given so many bytes.
    fn task<'s>(
        &'s self,
        mut shelf: MutexGuard<'s, Shelf>,
        id: u32,
        given: usize,
        worker: usize,
    ) -> MutexGuard<'s, Shelf> {
        let run = self.run;
        run.state.start(id);
        shelf.running.push((id, given));
        shelf.used += given;
        let dependencies = run.plan.dependencies.get(id);
        let mut inputs = Vec::new();
        // SAFETY: the task was ready and was taken out by this worker alone; results are claimed under the lock.
        unsafe { run.state.inputs_alone(id, true, &mut inputs) };
        // What has to be read back; nobody else touches it until this task is done.
        let mut absent: SmallVec<[(u32, Stowed); 4]> = SmallVec::new();
        for &d in dependencies {
            if !shelf.held.contains_key(&d)
                && let Some(stowed) = shelf.away.remove(&d)
            {
                shelf.leaving.insert(d);
                absent.push((d, stowed));
            } else if !shelf.leaving.contains(&d) {
                *shelf.users.entry(d).or_default() += 1;
            }
        }
        let (value, growth, read) = MutexGuard::unlocked(&mut shelf, || {
            run.before(id, worker);
            let read: Result<Vec<Value>> = absent
                .iter()
                .map(|(d, stowed)| {
                    let fetched = catch_unwind(AssertUnwindSafe(|| self.bounds.chest.fetch(stowed)));
                    let value = fetched
                        .unwrap_or_else(|panic| Err(panicked("a result that was read back panicked", &*panic)))?;
                    run.runtime.read_back.fetch_add(stowed.bytes() as u64, Relaxed);
                    let places = dependencies.iter().zip(&mut inputs).filter(|(other, _)| *other == d);
                    places.for_each(|(_, input)| *input = value.clone());
                    // A task that is the last to need a block may write into it.
                    Ok(if run.state.results.uses(*d) == 0 { Value::Nil } else { value })
                })
                .collect();
            match read {
                Ok(back) => {
                    let (value, growth) = buffer::watch_growth(|| {
                        let mut value = Value::Nil;
                        let done = run.perform(id, worker, &mut inputs, &mut value);
                        inputs.clear();
                        done.then_some(value)
                    });
                    (value, growth, Ok(back))
                }
                Err(error) => (None, 0, Err(error)),
            }
        });
        // A result is gone when the last running task that had it is done, whichever claimed it last.
        let mut freed = 0;
        for d in dependencies {
            let Some(users) = shelf.users.get_mut(d) else { continue };
            *users -= 1;
            if *users == 0 {
                shelf.users.remove(d);
            }
            if run.state.results.uses(*d) == 0 {
                freed += shelf.held.get(d).copied().unwrap_or(0);
                if !shelf.users.contains_key(d) {
                    if let Some(stowed) = shelf.away.remove(d) {
                        self.bounds.chest.clear(stowed);
                    }
                    shelf.let_go(*d);
                }
            }
        }
        shelf.running.retain(|(running, _)| *running != id);
        shelf.used -= given;
        let back = read.unwrap_or_else(|error| {
            run.fail(id, error);
            Vec::new()
        });
        for ((d, stowed), value) in absent.into_iter().zip(back) {
            shelf.leaving.remove(&d);
            if run.state.results.uses(d) == 0 {
                self.bounds.chest.clear(stowed);
                continue;
            }
            shelf.away.insert(d, stowed);
            let bytes = Held::by(&value).bytes();
            if shelf.used + bytes <= self.bounds.outlook.room() {
                // SAFETY: under the lock, and uses of it are to come: others waited while it was leaving.
                unsafe { run.state.exchange(d, value) };
                shelf.hold(d, bytes);
                self.use_up(&mut shelf, d);
            }
        }
        let load = self.bounds.outlook.loads.get(id);
        let result = value.as_ref().map_or_else(Held::default, Held::by);
        if cfg!(debug_assertions) && load.exact && load.is_exceeded_by(growth, result.blocks) {
            let (key, task) = (run.plan.key(id).quoted(), crate::read::brief(&run.plan.task(id), 1000));
            run.fail(
                id,
                err!(Internal, "{key} took {growth} bytes and keeps {result:?}, not as expected: {load:?} {task}"),
            );
        }
        // Only blocks are counted while the task runs, and only of these may inputs that it was the last to need have made room: for
        // the next task of the layer they may not.
        let made_room = if growth + result.blocks > 0 { freed } else { 0 };
        let growth = growth + result.plain;
        if !load.exact || growth > load.takes() {
            let seen = shelf.growth.entry(self.kind(id)).or_default();
            *seen = (*seen).max(growth + made_room);
        }
        if let Some(value) = value {
            let bytes = result.plain + if load.exact { load.result } else { result.blocks };
            let shelf = &mut *shelf;
            // SAFETY: this worker alone ran the task, and says so once.
            unsafe { run.state.finish(id, value, |next| shelf.ready.push(Reverse(next))) };
            if run.state.results.uses(id) > 0 {
                shelf.hold(id, bytes);
                self.use_up(shelf, id);
            }
        }
        shelf.finish(id);
        run.count(1);
        self.changed.notify_all();
        shelf
    }
}

/// A number that codes have in common which call the same functions.
fn callees(code: &Code) -> u64 {
    let mut hasher = FxHasher::default();
    code.hash_callees(&mut hasher);
    hasher.finish()
}
