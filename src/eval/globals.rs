//! Global names. A name is looked up once, when code that mentions it is compiled; from then on the code holds its
//! [`Cell`], and reading it is one atomic load, from any thread.
//!
//! Redefining a name swaps the cell's [`Binding`]. Code that runs may still hold the old one by plain pointer (a frame
//! runs a closure without counting a reference to it), so old bindings are kept until no thread runs dsk code.

use super::closure::Closure;
use super::stdlib::Later;
use crate::data::{Direct, Str, Task, Value};
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::*};

/// What a name is bound to.
pub struct Binding {
    pub value: Value,
    /// The value as a closure, found out once: calls go by it.
    pub(super) closure: *const Closure,
    /// Its short way, if it is an op that has one.
    pub(super) direct: Option<Direct>,
    pub role: Role,
    pub doc: Option<Str>,
    /// The form that defined it.
    pub source: Option<Arc<Task>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// An op, as the registry has it. The compiler may go by what it is known to do.
    Op,
    Value,
    Macro,
}

// SAFETY: `closure` points into `value`, which the binding owns and never changes; values are Send and Sync.
unsafe impl Send for Binding {}
unsafe impl Sync for Binding {}

impl Binding {
    pub fn new(value: Value, role: Role) -> Self {
        let (closure, direct) = match &value {
            Value::Function(f) => (Closure::of(f).map_or(ptr::null(), ptr::from_ref), f.callable.direct()),
            _ => (ptr::null(), None),
        };
        Binding { value, closure, direct, role, doc: None, source: None }
    }
}

/// A global name; unbound as long as its binding is null.
#[derive(Default)]
pub struct Cell {
    pub name: Str,
    binding: AtomicPtr<Binding>,
}

impl Cell {
    pub fn is_bound(&self) -> bool {
        !self.binding.load(Acquire).is_null()
    }

    /// The binding, if the name is bound. The reference is good while the caller is inside [`Globals::enter`].
    #[inline]
    pub fn get<'a>(&self, _running: &'a Running) -> Option<&'a Binding> {
        // SAFETY: bindings are freed only when no thread is running (`Globals::retire`), and `_running` says this one is.
        unsafe { self.binding.load(Acquire).as_ref() }
    }
}

impl Cell {
    /// [`Cell::get`] for the machine, which runs.
    ///
    /// # Safety
    /// This thread is inside [`Globals::enter`] as long as the reference is used.
    #[inline(always)]
    pub(super) unsafe fn load<'a>(&self) -> Option<&'a Binding> {
        // SAFETY: as in `get`.
        unsafe { self.binding.load(Acquire).as_ref() }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let binding = *self.binding.get_mut();
        if !binding.is_null() {
            // SAFETY: the pointer came from `Box::into_raw` in `Globals::set`, and nobody else has the cell.
            drop(unsafe { Box::from_raw(binding) });
        }
    }
}

/// Threads that run are counted in stripes, so that workers don't contend for one counter.
const STRIPES: usize = 16;

#[repr(align(128))]
#[derive(Default)]
struct Stripe(AtomicUsize);

/// Which threads run, and the bindings they may still look at.
#[derive(Default)]
pub struct Globals {
    running: [Stripe; STRIPES],
    #[expect(clippy::vec_box, reason = "others may still point at a binding, so it must not move")]
    retired: Mutex<Vec<Box<Binding>>>,
    any_retired: AtomicBool,
}

/// Names and their cells: those of a module, and behind them those of the language.
#[derive(Default)]
pub struct Namespace {
    cells: RwLock<FxHashMap<Str, Arc<Cell>>>,
    /// Names that mean another module's cells: a definition here leaves those alone.
    imported: RwLock<FxHashSet<Str>>,
    behind: Option<Arc<Namespace>>,
    /// Definitions of the language itself that are evaluated when their names are asked for.
    later: Later,
}

impl Namespace {
    pub fn behind(behind: Arc<Namespace>) -> Self {
        Namespace { behind: Some(behind), ..Namespace::default() }
    }

    /// The cell to define a name in, made if need be.
    pub fn own(&self, name: &str) -> Arc<Cell> {
        if let Some(cell) = self.cells.read().get(name)
            && !self.imported.read().contains(name)
        {
            return cell.clone();
        }
        let name = Str::from(name);
        let mut cells = self.cells.write();
        if self.imported.write().remove(&name) {
            cells.remove(&name);
        }
        let new = || Arc::new(Cell { name: name.clone(), binding: AtomicPtr::default() });
        cells.entry(name.clone()).or_insert_with(new).clone()
    }

    /// The cell a mention of the name means: this module's, else the language's, else this module's once it is defined.
    pub fn cell(&self, name: &str) -> Arc<Cell> {
        self.bound(name).unwrap_or_else(|| self.own(name))
    }

    /// The cell of a name that is bound.
    pub fn bound(&self, name: &str) -> Option<Arc<Cell>> {
        let own = || self.cells.read().get(name).filter(|c| c.is_bound()).cloned();
        own().or_else(|| match &self.behind {
            Some(behind) => behind.bound(name),
            None => self.later.define(name).then(own)?,
        })
    }

    pub(super) fn later(&self) -> &Later {
        &self.later
    }

    /// Makes `name` mean what another module's cell means.
    pub fn alias(&self, name: Str, cell: Arc<Cell>) {
        self.imported.write().insert(name.clone());
        self.cells.write().insert(name, cell);
    }

    /// The names this module defines and their cells, without those it imported and those behind it.
    pub fn defined(&self) -> Vec<(Str, Arc<Cell>)> {
        let mut cells = self.cells();
        let imported = self.imported.read();
        cells.retain(|(name, _)| !imported.contains(name));
        cells
    }

    /// The bound names of this module and their cells, without those behind it.
    pub fn cells(&self) -> Vec<(Str, Arc<Cell>)> {
        let cells = self.cells.read();
        let mut all: Vec<_> = cells.iter().filter(|(_, c)| c.is_bound()).map(|(n, c)| (n.clone(), c.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Every bound name, sorted; not those of the standard library's helpers.
    pub fn names(&self) -> Vec<Str> {
        let mut all: Vec<Str> = self.cells().into_iter().map(|(n, _)| n).collect();
        all.extend(self.later.names());
        if let Some(behind) = &self.behind {
            all.extend(behind.names());
        }
        all.retain(|name| !self.later.is_helper(name));
        all.sort();
        all.dedup();
        all
    }
}

/// Proof that this thread counts as running dsk code.
pub struct Running(());

thread_local! {
    static STRIPE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Relaxed) % STRIPES
    };
}

impl Globals {
    pub fn set(&self, cell: &Cell, binding: Binding) {
        let old = cell.binding.swap(Box::into_raw(Box::new(binding)), SeqCst);
        if !old.is_null() {
            // SAFETY: the pointer came from `Box::into_raw` above, and the swap made it ours.
            self.retire(unsafe { Box::from_raw(old) });
        }
    }

    fn retire(&self, binding: Box<Binding>) {
        let mut retired = self.retired.lock();
        retired.push(binding);
        self.any_retired.store(true, SeqCst);
        drop(retired);
        self.reclaim();
    }

    /// Counts this thread as running until `leave`.
    pub fn enter(&self) -> Running {
        STRIPE.with(|&s| self.running[s].0.fetch_add(1, SeqCst));
        Running(())
    }

    pub fn leave(&self, _running: Running) {
        STRIPE.with(|&s| self.running[s].0.fetch_sub(1, SeqCst));
        if self.any_retired.load(Relaxed) {
            self.reclaim();
        }
    }

    /// Frees retired bindings if nobody runs. A thread that enters later finds the new bindings: it counts itself
    /// before it loads, and here the swap came before the count.
    fn reclaim(&self) {
        let mut retired = self.retired.lock();
        let running: usize = self.running.iter().map(|s| s.0.load(SeqCst)).sum();
        if running == 0 {
            let freed = std::mem::take(&mut *retired);
            self.any_retired.store(false, SeqCst);
            drop(retired);
            drop(freed);
        } else if running == 1 {
            // Only the thread that defines runs. It points at functions without counting; other values it counts.
            let (keep, freed): (Vec<_>, Vec<_>) =
                std::mem::take(&mut *retired).into_iter().partition(|b| matches!(b.value, Value::Function(_)));
            *retired = keep;
            drop(retired);
            drop(freed);
        }
    }
}
