//! Lanes: work runs concurrently, by tasks and threads alike, and is committed in order.
//!
//! A **lane** hands out numbers and owns what must be used in their order. A **ticket** is the right to one number.
//! Its holder does its work whenever and wherever it likes, and then either takes its **turn**, for which it
//! waits, or **deposits** its result, for which it does not: whoever completes the head of the lane commits
//! everything that is ready.
//!
//! ```
//! use batons::lane::Lane;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), batons::LaneError> {
//! // At most 16 numbers are out; what is deposited is written as it comes in order, one call for each run.
//! let lane = Lane::builder().window(16).committer(String::new(), |text, run| {
//!     for word in run {
//!         text.push_str(word);
//!     }
//!     Ok(())
//! });
//! let mut work = Vec::new();
//! for word in ["in ", "order ", "whatever ", "happens"] {
//!     let ticket = lane.ticket().await?;
//!     work.push(tokio::spawn(async move { ticket.deposit(word) }));
//! }
//! for deposit in work.into_iter().rev() {
//!     deposit.await.unwrap()?;
//! }
//! lane.drain().await?;
//! assert_eq!(lane.with_value(|text| text.clone()), "in order whatever happens");
//! # Ok(())
//! # }
//! ```
//!
//! # Windows
//!
//! The window bounds how many numbers are out, from the head to the newest, and it bounds them where they are *issued*: number
//! `n` is not issued before `head + window > n`. So the head always has a number, and no buffer can be full of
//! results that wait for the one that cannot get in. How many bodies run at once is another bound, which is yours
//! (workers, a [`Semaphore`](crate::Semaphore)); how many bytes are out is a third, by [`Lane::ticket_weighted`].
//!
//! # Failure
//!
//! Dropping a ticket, an early `?`, an abort and a panic are events, and [`OnFailure`] says what they mean. By default the lane is
//! *poisoned* at that number: everything below is committed, nothing above ever is, every holder of a
//! later ticket learns it at once, and the cause that is kept is that of the lowest number. In every policy what was
//! committed is what was issued up to some number, without the numbers declared lost.
//!
//! # Blocking
//!
//! | from | take |
//! |---|---|
//! | a task | [`Ticket::turn`] or [`Ticket::deposit`] |
//! | a thread of its own, `spawn_blocking` | [`Ticket::blocking_turn`] or [`Ticket::deposit`] |
//! | a job of rayon or another fixed pool | [`Ticket::deposit`]: a job that waits for one that has no thread waits for ever; take the ticket before the job is queued |
//! | a foreign callback | [`Ticket::into_token`], and [`Lane::ticket_of`] when it comes back |

mod builder;
mod commit;
mod failure;
mod keyed;
mod snapshot;
mod state;
mod ticket;
mod turn;

pub use builder::LaneBuilder;
pub use commit::{CommitRun, Commits, Run};
pub use failure::OnFailure;
pub use keyed::{HeldKeyTurn, KeyTicket, KeyTurn, Keyed, OwnedKeyTurn};
pub use snapshot::Counters;
pub use ticket::Ticket;
pub use turn::{HeldTurn, OwnedTurn, Turn};

use crate::{AcquireError, Failure, LaneError, ManualResetEvent, Semaphore, blocking};
use commit::Committer;
use state::{After, Slot, Stand, State};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An ordered lane that owns a `T`, and takes deposits of type `D`.
///
/// Clones are handles to one lane. See [the module](self).
pub struct Lane<T, D = ()> {
    inner: Arc<Inner<T, D>>,
}

/// The value of a lane, and how deposits are committed to it. Whoever has the turn has the box.
pub(crate) struct Owned<T, D> {
    value: T,
    committer: Option<Committer<T, D>>,
    /// The room of the last run, for the next one.
    spare: VecDeque<D>,
}

struct Inner<T, D> {
    /// Permits for the numbers that may still be issued.
    room: Semaphore,
    /// Permits for the weight that may still be out.
    weight: Semaphore,
    /// The longest run that is committed in one call.
    longest_run: usize,
    locked: Mutex<Locked<T, D>>,
}

struct Locked<T, D> {
    state: State<D>,
    /// Absent while somebody has the turn.
    owned: Option<Box<Owned<T, D>>>,
}

impl<T, D> Clone for Lane<T, D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Send> Lane<T> {
    /// A lane over `value` with turns and no deposits, for `window` numbers at once.
    ///
    /// # Panics
    ///
    /// If `window` is 0 or more than `i32::MAX`.
    #[track_caller]
    #[must_use]
    pub fn new(value: T, window: u32) -> Self {
        LaneBuilder::new().window(window).build(value)
    }
}

impl Lane<(), ()> {
    /// What can be set before a lane is built.
    #[must_use]
    pub fn builder() -> LaneBuilder {
        LaneBuilder::new()
    }
}

impl<T, D> Lane<T, D> {
    fn lock(&self) -> MutexGuard<'_, Locked<T, D>> {
        // Nothing foreign runs under it, so nothing is half done.
        self.inner.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Settles what can be settled, releases the lock, commits what is ready, and wakes who is concerned.
    fn settle(&self, mut locked: MutexGuard<'_, Locked<T, D>>, mut after: After<D>) {
        let run = locked.state.settle(&mut after);
        let committing = if run { self.begin_run(&mut locked) } else { None };
        drop(locked);
        self.follow(after);
        if let Some(committing) = committing {
            self.commit(committing);
        }
    }

    /// What was put off until the lock was released.
    fn follow(&self, after: After<D>) {
        let After { wake, passed, weight, ends, dropped } = after;
        if ends {
            self.inner.room.close();
            self.inner.weight.close();
        }
        if passed > 0 {
            // Over the maximum only after the window was made smaller: those permits are gone.
            let _ = self.inner.room.release(passed);
        }
        if weight > 0 {
            let _ = self.inner.weight.release(weight);
        }
        for event in wake {
            event.set();
        }
        drop(dropped);
    }

    // ===== tickets =====

    /// The next number, in the order of the calls. Waits while the window is full.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready no number was issued.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`], [`Closed`](LaneError::Closed) or [`Cancelled`](LaneError::Cancelled).
    pub async fn ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        self.ticket_weighted(0).await
    }

    /// [`ticket`](Lane::ticket) for a thread.
    ///
    /// # Errors
    ///
    /// As `ticket`.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
    #[track_caller]
    pub fn blocking_ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        blocking::wait(self.ticket())
    }

    /// [`ticket`](Lane::ticket) if there is room at this moment and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As `ticket`, and [`LaneError::WouldBlock`].
    pub fn try_ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        match self.inner.room.try_acquire() {
            Ok(room) => {
                room.forget();
                self.issue(0, Stand::Issued)
            }
            Err(_) => Err(self.lock().state.issues().err().unwrap_or(LaneError::WouldBlock)),
        }
    }

    /// The next number for something that weighs `weight` (bytes, mostly): waits while the window or the
    /// [maximum weight](LaneBuilder::max_weight) is full. Something heavier than the maximum is admitted when it is alone.
    ///
    /// # Cancel safety
    ///
    /// As [`ticket`](Lane::ticket).
    ///
    /// # Errors
    ///
    /// As `ticket`.
    pub async fn ticket_weighted(&self, weight: u32) -> Result<Ticket<T, D>, LaneError> {
        let weight = weight.min(self.inner.weight.max());
        let heavy = match weight {
            0 => None,
            _ => Some(self.inner.weight.acquire_many(weight).await.map_err(|_| self.ended())?),
        };
        self.inner.room.acquire().await.map_err(|_| self.ended())?.forget();
        if let Some(heavy) = heavy {
            heavy.forget();
        }
        self.issue(weight, Stand::Issued)
    }

    /// `count` numbers in a row, at once.
    ///
    /// # Cancel safety
    ///
    /// As [`ticket`](Lane::ticket): all or none.
    ///
    /// # Errors
    ///
    /// As `ticket`, and [`LaneError::TooMany`] if the window is smaller.
    pub async fn tickets(&self, count: u32) -> Result<Vec<Ticket<T, D>>, LaneError> {
        let mut tickets = Vec::with_capacity(count as usize);
        if count == 0 {
            return Ok(tickets);
        }
        match self.inner.room.acquire_many(count).await {
            Ok(room) => room.forget(),
            Err(AcquireError::TooMany { max }) => return Err(LaneError::TooMany { max }),
            Err(_) => return Err(self.ended()),
        }
        let mut locked = self.lock();
        if let Err(error) = locked.state.issues() {
            drop(locked);
            let _ = self.inner.room.release(count);
            return Err(error);
        }
        for _ in 0..count {
            let seq = Self::push(&mut locked.state, 0, Stand::Issued);
            tickets.push(Ticket::new(self.clone(), seq));
        }
        Ok(tickets)
    }

    /// The number `seq`, which the caller names. Numbers in between stay free to be named.
    ///
    /// # Errors
    ///
    /// [`Duplicate`](LaneError::Duplicate), [`Passed`](LaneError::Passed) and [`TooFar`](LaneError::TooFar), never a silent wait; and as [`ticket`](Lane::ticket).
    pub fn ticket_at(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        let state = &mut locked.state;
        state.issues()?;
        if seq < state.head {
            return Err(LaneError::Passed);
        }
        if let Some(slot) = state.slot(seq) {
            if !matches!(slot.stand, Stand::Vacant) {
                return Err(LaneError::Duplicate);
            }
            slot.stand = Stand::Issued;
            state.counters.issued += 1;
        } else {
            let limit = state.head + u64::from(self.inner.room.max()) - 1;
            let missing = seq - state.next() + 1;
            // Inside the lock: two who name numbers at once must not both think that there is room.
            let room = u32::try_from(missing)
                .ok()
                .and_then(|missing| self.inner.room.try_acquire_many(missing).ok());
            room.ok_or(LaneError::TooFar { limit })?.forget();
            for _ in 1..missing {
                state.slots.push_back(Slot::new(Stand::Vacant));
            }
            Self::push(state, 0, Stand::Issued);
        }
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// The ticket that went away as a bare number by [`Ticket::into_token`].
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] or [`Duplicate`](LaneError::Duplicate) if `seq` is not such a number.
    pub fn ticket_of(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        self.revive(seq, |stand| matches!(stand, Stand::Token))
    }

    /// A new ticket for the number at which the lane [stopped](OnFailure::Stop).
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] or [`Duplicate`](LaneError::Duplicate) if the lane did not stop there.
    pub fn repair(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        self.revive(seq, |stand| matches!(stand, Stand::Stopped))
    }

    fn revive(&self, seq: u64, was: impl FnOnce(&Stand<D>) -> bool) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        let Some(slot) = locked.state.slot(seq) else { return Err(LaneError::Passed) };
        if !was(&slot.stand) {
            return Err(LaneError::Duplicate);
        }
        slot.stand = Stand::Issued;
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// The next number as a point up to which a failure poisons, under [`OnFailure::UntilSync`]; elsewhere an ordinary
    /// ticket.
    ///
    /// # Errors
    ///
    /// As [`ticket`](Lane::ticket).
    pub async fn sync(&self) -> Result<Ticket<T, D>, LaneError> {
        self.inner.room.acquire().await.map_err(|_| self.ended())?.forget();
        let ticket = self.issue(0, Stand::Issued)?;
        let mut locked = self.lock();
        if ticket.seq() >= locked.state.head {
            locked.state.syncs.insert(ticket.seq());
        }
        self.settle(locked, After::default());
        Ok(ticket)
    }

    fn issue(&self, weight: u32, stand: Stand<D>) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        if let Err(error) = locked.state.issues() {
            drop(locked);
            let _ = self.inner.room.release(1);
            if weight > 0 {
                let _ = self.inner.weight.release(weight);
            }
            return Err(error);
        }
        let seq = Self::push(&mut locked.state, weight, stand);
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    fn push(state: &mut State<D>, weight: u32, stand: Stand<D>) -> u64 {
        let seq = state.next();
        let slot = Slot { weight, issued: state.now(), ..Slot::new(stand) };
        state.slots.push_back(slot);
        state.counters.issued += 1;
        state.counters.most_out = state.counters.most_out.max(state.slots.len() as u64);
        seq
    }

    fn ended(&self) -> LaneError {
        self.lock().state.issues().err().unwrap_or(LaneError::Closed)
    }

    // ===== how far it is =====

    /// The number whose turn it is: all below have been committed or passed over.
    #[must_use]
    pub fn frontier(&self) -> u64 {
        self.lock().state.head
    }

    /// How many more numbers could be issued at this moment.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.inner.room.available()
    }

    /// An event that is set as soon as all numbers below `seq` have passed, or never will: a member for
    /// [`wait_any`](crate::wait_any) and [`wait_all`](crate::wait_all).
    #[must_use]
    pub fn reached_event(&self, seq: u64) -> ManualResetEvent {
        let mut locked = self.lock();
        let state = &mut locked.state;
        let never = state.cancelled || state.poisoned(seq).is_some();
        if state.head >= seq || never && state.on_failure != OnFailure::UntilSync {
            return ManualResetEvent::new(true);
        }
        state.reached.entry(seq).or_insert_with(|| ManualResetEvent::new(false)).clone()
    }

    /// Waits until all numbers below `seq` have been committed or passed over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`] or [`Cancelled`](LaneError::Cancelled) if they never will.
    pub async fn reached(&self, seq: u64) -> Result<(), LaneError> {
        loop {
            let event = self.reached_event(seq);
            event.wait().await;
            let locked = self.lock();
            if locked.state.head >= seq {
                return Ok(());
            }
            if let Some(failure) = locked.state.poisoned(seq) {
                return Err(LaneError::Poisoned(failure.clone()));
            }
            if locked.state.cancelled {
                return Err(LaneError::Cancelled);
            }
        }
    }

    /// [`reached`](Lane::reached) for a thread.
    ///
    /// # Errors
    ///
    /// As `reached`.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
    #[track_caller]
    pub fn blocking_reached(&self, seq: u64) -> Result<(), LaneError> {
        blocking::wait(self.reached(seq))
    }

    /// Waits until everything that was issued has passed, or everything below the failure.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`] with the root failure, [`Cancelled`](LaneError::Cancelled).
    pub async fn drain(&self) -> Result<(), LaneError> {
        loop {
            let (head, next, root) = {
                let locked = self.lock();
                let state = &locked.state;
                if state.cancelled {
                    return Err(LaneError::Cancelled);
                }
                let root = match state.on_failure {
                    OnFailure::UntilSync => None,
                    _ => state.failures.values().next().cloned(),
                };
                (state.head, state.next(), root)
            };
            match root {
                Some(failure) if head >= failure.seq() => return Err(LaneError::Poisoned(failure)),
                Some(failure) => {
                    let _ = self.reached(failure.seq()).await;
                }
                None if head >= next => return Ok(()),
                None => {
                    let _ = self.reached(next).await;
                }
            }
        }
    }

    /// [`drain`](Lane::drain) for a thread.
    ///
    /// # Errors
    ///
    /// As `drain`.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
    #[track_caller]
    pub fn blocking_drain(&self) -> Result<(), LaneError> {
        blocking::wait(self.drain())
    }

    /// The failure with the lowest number, if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.lock().state.failures.values().next().cloned()
    }

    /// What it counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.lock().state.counters.clone()
    }

    // ===== ending =====

    /// Issues no more tickets; those that are out go on. Returns whether it was closed before.
    #[allow(clippy::must_use_candidate)]
    pub fn close(&self) -> bool {
        let mut locked = self.lock();
        let before = std::mem::replace(&mut locked.state.closed, true);
        let after =
            After { ends: true, wake: locked.state.driver.iter().cloned().collect(), ..After::default() };
        drop(locked);
        self.follow(after);
        before
    }

    /// Ends the lane: everybody who waits is told [`LaneError::Cancelled`]; whoever has the turn finishes. What was deposited
    /// and not committed is dropped.
    pub fn cancel(&self) {
        let mut after = After { ends: true, ..After::default() };
        let mut locked = self.lock();
        let state = &mut locked.state;
        state.cancelled = true;
        let busy = match state.holder {
            state::Holder::Run(length) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => 0,
        };
        for slot in state.slots.iter_mut().skip(busy) {
            slot.refuse(&mut after);
        }
        after.wake.extend(std::mem::take(&mut state.reached).into_values());
        after.wake.extend(state.driver.clone());
        drop(locked);
        self.follow(after);
    }

    /// Makes the window larger or smaller. A smaller one takes effect as numbers pass.
    ///
    /// # Panics
    ///
    /// If `window` is 0 or more than `i32::MAX`.
    #[track_caller]
    pub fn resize(&self, window: u32) {
        builder::check_window(window);
        let before = self.inner.room.resize(window);
        if let Some(more) = window.checked_sub(before).filter(|&more| more > 0) {
            let _ = self.inner.room.release(more);
        }
    }

    /// Calls `look` with the value while nobody has the turn; waits for that on the calling thread, and not for numbers.
    ///
    /// For looking at the end, or for statistics; what must be in order takes a turn.
    ///
    /// # Panics
    ///
    /// If `look` does.
    pub fn with_value<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        turn::borrow_value(self, look)
    }
}

impl<T, D> fmt::Debug for Lane<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locked = self.lock();
        f.debug_struct("Lane")
            .field("head", &locked.state.head)
            .field("next", &locked.state.next())
            .finish_non_exhaustive()
    }
}

/// A deadline for a blocking form of a lane.
fn by_deadline<R>(waited: Result<Result<R, LaneError>, crate::TimedOut>) -> Result<R, LaneError> {
    waited.unwrap_or(Err(LaneError::TimedOut))
}
