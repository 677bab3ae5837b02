//! Threads that wait for work. They live as long as their engine, so that a computation costs no thread.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The threads of one engine. None until they are needed.
#[derive(Default)]
pub struct Crew {
    board: Arc<Board>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Where work is offered.
#[derive(Default)]
struct Board {
    state: Mutex<Offers>,
    offered: Condvar,
    returned: Condvar,
}

#[derive(Default)]
struct Offers {
    open: VecDeque<Offer>,
    /// Threads that wait for an offer.
    waiting: usize,
    next_party: u64,
    /// For each party with members at work: how many.
    working: Vec<(u64, usize)>,
    closed: bool,
}

type Work<'a> = dyn Fn(usize) + Sync + 'a;

struct Offer {
    party: u64,
    member: usize,
    work: *const Work<'static>,
}

// SAFETY: the work is `Sync`, and `Party` keeps it alive until every member is back.
unsafe impl Send for Offer {}

/// Work that several threads do together. Ends (when dropped) by taking back what nobody has begun, and waiting for the
/// others.
pub struct Party<'a> {
    crew: &'a Crew,
    id: u64,
    work: &'a Work<'a>,
    members: Mutex<usize>,
    most: usize,
}

impl Crew {
    /// A party for `work`, which members call with their number, from 1. Nobody comes until [`Party::invite`].
    ///
    /// At most `most` members. The party must be dropped, not leaked: `with` sees to that.
    pub fn with<R>(&self, most: usize, work: &Work, main: impl FnOnce(&Party) -> R) -> R {
        let id = {
            let mut offers = self.board.state.lock();
            offers.next_party += 1;
            offers.next_party
        };
        let party = Party { crew: self, id, work, members: Mutex::new(0), most };
        main(&party)
    }

    fn grow(&self, to: usize) {
        let mut threads = self.threads.lock();
        while threads.len() < to {
            let board = self.board.clone();
            let name = format!("dsk-worker-{}", threads.len() + 1);
            match std::thread::Builder::new().name(name).spawn(move || board.serve()) {
                Ok(thread) => threads.push(thread),
                // The computation goes on with the threads there are.
                Err(_) => return,
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.board.state.lock().closed = true;
        self.board.offered.notify_all();
        let here = std::thread::current().id();
        for thread in self.threads.get_mut().drain(..) {
            // An engine may be dropped by a task; its thread cannot wait for itself.
            if thread.thread().id() != here {
                let _ = thread.join();
            }
        }
    }
}

impl Board {
    fn serve(&self) {
        let mut offers = self.state.lock();
        loop {
            if let Some(offer) = offers.open.pop_front() {
                match offers.working.iter_mut().find(|(party, _)| *party == offer.party) {
                    Some((_, members)) => *members += 1,
                    None => offers.working.push((offer.party, 1)),
                }
                drop(offers);
                // SAFETY: the party waits for this member (`working`) before the work goes away.
                let work = unsafe { &*offer.work };
                work(offer.member);
                offers = self.state.lock();
                if let Some(at) = offers.working.iter().position(|(party, _)| *party == offer.party) {
                    offers.working[at].1 -= 1;
                    if offers.working[at].1 == 0 {
                        offers.working.swap_remove(at);
                        self.returned.notify_all();
                    }
                }
            } else if offers.closed {
                return;
            } else {
                offers.waiting += 1;
                self.offered.wait(&mut offers);
                offers.waiting -= 1;
            }
        }
    }
}

impl Party<'_> {
    /// Asks up to `more` threads to join.
    pub fn invite(&self, more: usize) {
        let mut members = self.members.lock();
        let more = more.min(self.most - *members);
        if more == 0 {
            return;
        }
        self.crew.grow(*members + more);
        let work: *const Work<'_> = self.work;
        // SAFETY: only the lifetime changes; `Party::drop` lets no offer outlive it.
        let work: *const Work<'static> = unsafe { std::mem::transmute(work) };
        let mut offers = self.crew.board.state.lock();
        for _ in 0..more {
            *members += 1;
            offers.open.push_back(Offer { party: self.id, member: *members, work });
            self.crew.board.offered.notify_one();
        }
    }
}

impl Drop for Party<'_> {
    fn drop(&mut self) {
        let board = &self.crew.board;
        let mut offers = board.state.lock();
        offers.open.retain(|o| o.party != self.id);
        while offers.working.iter().any(|(party, _)| *party == self.id) {
            board.returned.wait(&mut offers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::*};

    #[test]
    fn a_party_ends_when_its_members_are_back() {
        let crew = Crew::default();
        for round in 0..100 {
            let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let work = |_member: usize| {
                begun.fetch_add(1, SeqCst);
                std::thread::yield_now();
                ended.fetch_add(1, SeqCst);
            };
            crew.with(3, &work, |party| party.invite(round % 5));
            // Some may not have come at all; none is still at it.
            assert_eq!(begun.load(SeqCst), ended.load(SeqCst));
            assert!(ended.load(SeqCst) <= 3);
        }
    }

    #[test]
    fn parties_do_not_wait_for_each_other() {
        let crew = Crew::default();
        let gate = std::sync::Barrier::new(2);
        let busy = |_| {
            gate.wait();
            gate.wait();
        };
        crew.with(1, &busy, |party| {
            party.invite(1);
            gate.wait();
            // The only thread is taken: this party gets nobody, and ends all the same.
            crew.with(1, &|_| {}, |other| other.invite(1));
            gate.wait();
        });
    }
}
