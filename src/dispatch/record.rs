//! Waits on several objects: the claim, and sections that hold several objects still.

use super::Policy;
use super::place::{Leave, Woken};
use super::still::Still;
use crate::sync::{AtomicU64, Lock, Ordering};
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

const OPEN: u64 = u64::MAX;
const CANCELLED: u64 = u64::MAX - 1;

/// One wait on several objects. Each of them has a place that refers to it.
#[derive(Debug)]
pub struct Record {
    /// `OPEN`, then once and for ever the index of the object that claimed it (0 for a wait on all), or
    /// `CANCELLED` (R1).
    claim: AtomicU64,
    /// Its lock is a leaf: nothing is locked inside, and no waker is cloned, woken or dropped.
    waker: Lock<Option<Waker>>,
    /// Where it stands. Only a wait on all has members; it cannot be granted before it has stood in
    /// all their lines.
    members: Option<OnceLock<Vec<Member>>>,
    /// Whether it makes those behind it wait, as a wait on one object does.
    keeps_place: bool,
}

/// One of the places of a wait on all.
#[derive(Debug, Clone)]
pub struct Member {
    pub(super) object: Arc<dyn Object>,
    pub(super) number: u64,
    pub(super) leave: Leave,
}

impl Record {
    pub(crate) fn any(waker: Waker) -> Arc<Self> {
        Arc::new(Self {
            claim: AtomicU64::new(OPEN),
            waker: Lock::new(Some(waker)),
            members: None,
            keeps_place: true,
        })
    }

    /// Its waker comes by [`is_claimed`](Record::is_claimed), after it stands: whoever begins the wait is not woken by it.
    /// A wait on several passes its place on to those behind it as long as it takes more than this object.
    pub(crate) fn all(objects: usize) -> Arc<Self> {
        let members = Some(OnceLock::new());
        let (claim, waker) = (AtomicU64::new(OPEN), Lock::new(None));
        Arc::new(Self { claim, waker, members, keeps_place: objects == 1 })
    }

    pub(super) fn is_all(&self) -> bool {
        self.members.is_some()
    }

    pub(super) fn keeps_place(&self) -> bool {
        self.keeps_place
    }

    pub(super) fn members(&self) -> &[Member] {
        self.members.as_ref().and_then(OnceLock::get).map_or(&[], Vec::as_slice)
    }

    /// Claims the wait for the object at `index`: true for one caller only.
    pub(super) fn claim(&self, index: usize) -> bool {
        // Ordering: Release hands what the claimer did to the Acquire in `claimed`; Acquire orders it
        // after the wait's own entries.
        let claimed = self.claim.compare_exchange(OPEN, index as u64, Ordering::AcqRel, Ordering::Acquire);
        claimed.is_ok()
    }

    /// Ends the wait unless it was claimed.
    pub(crate) fn cancel(&self) -> Result<(), usize> {
        // Ordering: as in `claim`.
        let exchanged = self.claim.compare_exchange(OPEN, CANCELLED, Ordering::AcqRel, Ordering::Acquire);
        exchanged.map(drop).map_err(|index| usize::try_from(index).unwrap_or(usize::MAX))
    }

    /// Whether nobody has claimed or cancelled the wait.
    pub(super) fn is_open(&self) -> bool {
        // Ordering: as in `claimed`; only a look, made good by the claim.
        self.claim.load(Ordering::Acquire) == OPEN
    }

    /// The index of the object that claimed the wait.
    pub(crate) fn claimed(&self) -> Option<usize> {
        // Ordering: Acquire pairs with the Release of the claim.
        let claim = self.claim.load(Ordering::Acquire);
        (claim < CANCELLED).then(|| usize::try_from(claim).unwrap_or(usize::MAX))
    }

    /// Whether the wait was claimed; if not, `waker` is the one to wake when it is.
    pub(crate) fn is_claimed(&self, waker: &Waker) -> bool {
        if self.claimed().is_none() {
            self.renew(waker);
        }
        // Looked at after the waker was stored: whoever claims takes the waker after the claim, so one of
        // the two sees the other.
        self.claimed().is_some()
    }

    fn renew(&self, waker: &Waker) {
        if self.waker.lock().as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        // Cloned, and the old one dropped, outside the lock (R3).
        let fresh = waker.clone();
        let _old = self.waker.lock().replace(fresh);
    }

    pub(super) fn take_waker(&self) -> Option<Waker> {
        self.waker.lock().take()
    }

    /// The wait now stands at all of `members`: from here on it can be granted. Grants it, if that is
    /// possible at this moment (R7).
    pub(crate) fn stands_at(&self, members: Vec<Member>) {
        let Some(cell) = &self.members else { return };
        let members = cell.get_or_init(|| members);
        let mut woken = Woken::default();
        let objects = members.iter().map(|member| Arc::clone(&member.object)).collect();
        hold_all(
            objects,
            |_| Vec::new(),
            |held| {
                if let Some((own, others)) = held.split_first_mut() {
                    attempt(self, &mut **own, others, &mut woken);
                }
            },
        );
        woken.wake();
    }

    /// Signals an object by `change` and lets the wait stand at `member`, in one step. If `change` refuses,
    /// nothing has happened and the wait is over.
    pub(crate) fn signal_and_stand<T, E>(
        &self,
        signaled: Arc<dyn Object>,
        change: impl FnOnce(u64) -> Result<(u64, T), E>,
        member: Member,
    ) -> Result<T, E> {
        let ids = [signaled.id(), member.object.id()];
        let objects = vec![signaled, Arc::clone(&member.object)];
        let reached = |held: &[Box<dyn Held + '_>]| {
            held.iter().filter(|held| ids.contains(&held.id())).flat_map(|held| held.reached()).collect()
        };
        let mut woken = Woken::default();
        let told = hold_all(objects, reached, |held| {
            let signaled = held.iter().position(|held| held.id() == ids[0]).unwrap_or(0);
            let state = held[signaled].state_mut();
            let told = match change(*state) {
                Ok((changed, told)) => {
                    *state = changed;
                    told
                }
                Err(refusal) => {
                    let _ = self.cancel();
                    return Err(refusal);
                }
            };
            if let Some(cell) = &self.members {
                cell.get_or_init(|| vec![member]);
            }
            for id in ids {
                let Some(index) = held.iter().position(|held| held.id() == id) else { continue };
                held.swap(0, index);
                let Some((own, others)) = held.split_first_mut() else { continue };
                serve(&mut **own, others, &mut woken);
            }
            // One who may pass the others in line does not wait for them to be served.
            if let Some((own, others)) = held.split_first_mut() {
                attempt(self, &mut **own, others, &mut woken);
            }
            Ok(told)
        });
        woken.wake();
        told
    }

    /// Gives back all that was granted to the wait, in one step (R4).
    pub(crate) fn give_back(&self) {
        let members = self.members();
        let objects = members.iter().map(|member| Arc::clone(&member.object)).collect();
        let ids: Vec<_> = members.iter().map(|member| member.object.id()).collect();
        let mut woken = Woken::default();
        let reached = |held: &[Box<dyn Held + '_>]| {
            held.iter().filter(|held| ids.contains(&held.id())).flat_map(|held| held.reached()).collect()
        };
        hold_all(objects, reached, |held| {
            let mut offers = Vec::new();
            for member in members {
                if let Some(held) = held.iter_mut().find(|held| held.id() == member.object.id()) {
                    offers.push((held.id(), held.offer(member.number, member.leave)));
                }
            }
            for (id, offered) in offers {
                let Some(index) = held.iter().position(|held| held.id() == id) else { continue };
                held.swap(0, index);
                let Some((own, others)) = held.split_first_mut() else { continue };
                serve(&mut **own, others, &mut woken);
                own.withdraw(offered);
            }
        });
        woken.wake();
    }
}

// ===== several objects held still =====

/// An object that can be held still beside others.
pub(crate) trait Object: Debug + Send + Sync {
    /// Its place in the one order of all locks (R5).
    fn id(&self) -> u64;
    fn hold(&self) -> Box<dyn Held + '_>;
}

/// An offer of a grant that was given back, until it is withdrawn: the state of the offer, and the one to
/// return to if nobody takes it.
pub(crate) type Offered = Option<(u64, u64)>;

/// An object held still, whatever its kind.
pub(crate) trait Held {
    fn id(&self) -> u64;
    /// Serves those from number `from` on as far as the state goes. Stops at a wait on all, which takes
    /// more than this object.
    fn serve(&mut self, from: u64, woken: &mut Woken) -> Option<(u64, Arc<Record>)>;
    /// Whether the wait on all at `number` could have this object now.
    fn can(&mut self, number: u64) -> bool;
    /// Grants this object to the wait on all at `number`, which can have it.
    fn grant(&mut self, number: u64);
    /// Offers what was granted at `number` to others, or puts it back where it was reserved.
    fn offer(&mut self, number: u64, leave: Leave) -> Offered;
    fn state_mut(&mut self) -> &mut u64;
    /// Takes an offer back that nobody took up.
    fn withdraw(&mut self, offered: Offered);
    /// The objects that the waits on all in its line depend on.
    fn reached(&self) -> Vec<Arc<dyn Object>>;
}

/// Grants all its objects to a wait on all, or nothing.
fn attempt(record: &Record, own: &mut dyn Held, others: &mut [Box<dyn Held + '_>], woken: &mut Woken) {
    fn find<'h>(
        own: &'h mut dyn Held,
        others: &'h mut [Box<dyn Held + '_>],
        id: u64,
    ) -> Option<&'h mut dyn Held> {
        if own.id() == id {
            return Some(own);
        }
        others.iter_mut().find(|held| held.id() == id).map(|held| &mut **held as &mut dyn Held)
    }

    let members = record.members();
    let possible = members
        .iter()
        .all(|member| find(own, others, member.object.id()).is_some_and(|held| held.can(member.number)));
    if members.is_empty() || !possible || !record.claim(0) {
        return;
    }
    for member in members {
        if let Some(held) = find(own, others, member.object.id()) {
            held.grant(member.number);
        }
    }
    woken.extend(record.take_waker());
}

/// Serves the line of `own` with the help of the other objects held still.
fn serve(own: &mut dyn Held, others: &mut [Box<dyn Held + '_>], woken: &mut Woken) {
    if let Some(first) = own.serve(0, woken) {
        serve_from(first, own, others, woken);
    }
}

/// Goes on from the first wait on all that was met.
#[cold]
fn serve_from(
    first: (u64, Arc<Record>),
    own: &mut dyn Held,
    others: &mut [Box<dyn Held + '_>],
    woken: &mut Woken,
) {
    let mut met = Some(first);
    while let Some((number, record)) = met {
        attempt(&record, own, others, woken);
        met = own.serve(number + 1, woken);
    }
}

/// Holds `objects` still in the order of their ids, and whatever else `reached` finds necessary then.
fn hold_all<T>(
    mut objects: Vec<Arc<dyn Object>>,
    reached: impl Fn(&[Box<dyn Held + '_>]) -> Vec<Arc<dyn Object>>,
    inside: impl FnOnce(&mut [Box<dyn Held + '_>]) -> T,
) -> T {
    loop {
        in_order(&mut objects);
        let mut held: Vec<_> = objects.iter().map(|object| object.hold()).collect();
        let missing = missing(&objects, reached(&held));
        if missing.is_empty() {
            return inside(&mut held);
        }
        drop(held);
        objects.extend(missing);
    }
}

fn in_order(objects: &mut Vec<Arc<dyn Object>>) {
    objects.sort_unstable_by_key(|object| object.id());
    objects.dedup_by_key(|object| object.id());
}

fn missing(held: &[Arc<dyn Object>], needed: Vec<Arc<dyn Object>>) -> Vec<Arc<dyn Object>> {
    let is_held = |object: &Arc<dyn Object>| held.iter().any(|held| held.id() == object.id());
    needed.into_iter().filter(|object| !is_held(object)).collect()
}

/// What can be reached from a section on one object: nothing else, or the objects of the waits on all
/// in its line.
pub(crate) struct Reach<'r, 'h> {
    others: &'r mut [Box<dyn Held + 'h>],
    woken: &'r mut Woken,
}

impl<'r> Reach<'r, '_> {
    /// No wait on all is in the line.
    #[inline]
    pub(super) fn alone(woken: &'r mut Woken) -> Self {
        Self { others: &mut [], woken }
    }

    /// Serves the line of `own`.
    #[inline]
    pub(super) fn serve<P: Policy>(&mut self, own: &mut Still<'_, P>) {
        if let Some(first) = own.serve(0, self.woken) {
            serve_from(first, own, self.others, self.woken);
        }
    }

    /// Runs `inside` on an object held still together with all that the waits on all in its line depend on.
    #[cold]
    pub(super) fn wide<P: Policy, T>(
        own: Still<'_, P>,
        woken: &mut Woken,
        inside: impl FnOnce(&mut Still<'_, P>, &mut Reach<'_, '_>) -> T,
    ) -> T {
        let header = own.header;
        let mut objects = own.reached();
        // Its turn in the order of the ids may come later (R5).
        drop(own);
        loop {
            in_order(&mut objects);
            let mut others = Vec::new();
            let mut own = None;
            for object in &objects {
                if own.is_none() && object.id() >= Object::id(header) {
                    own = Some(header.hold_still());
                }
                if object.id() != Object::id(header) {
                    others.push(object.hold());
                }
            }
            let mut own = own.unwrap_or_else(|| header.hold_still());
            let missing: Vec<_> = missing(&objects, own.reached());
            if missing.iter().all(|object| object.id() == Object::id(header)) {
                return inside(&mut own, &mut Reach { others: &mut others, woken });
            }
            drop((own, others));
            objects.extend(missing);
        }
    }
}
