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
//! (workers, a [`Semaphore`]); how many bytes are out is a third, by [`Lane::ticket_weighted`].
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
mod crew;
mod deposits;
mod failure;
mod issue;
mod iter;
mod keyed;
mod pipeline;
mod snapshot;
mod state;
mod station;
#[cfg(all(feature = "futures", feature = "tokio"))]
mod stream;
mod ticket;
mod turn;
mod value;

pub use builder::LaneBuilder;
pub use commit::{CommitRun, Commits, Run};
pub use deposits::Deposits;
pub use failure::OnFailure;
pub use iter::{InLaneIter, LaneIteratorExt};
pub use keyed::{HeldKeyTurn, KeyTicket, KeyTurn, Keyed, OwnedKeyTurn};
pub use pipeline::{
    Failed, FromIter, FromTryIter, Nothing, Pipeline, Report, Runnable, Source, Stage, Then, ThenBlocking,
    Work, pipeline, try_pipeline,
};
#[cfg(feature = "futures")]
pub use pipeline::{FromStream, FromTryStream, stream_pipeline, try_stream_pipeline};
pub use snapshot::Counters;
pub use station::{Station, StationTurn};
#[cfg(all(feature = "futures", feature = "tokio"))]
pub use stream::{InLane, LaneStreamExt};
pub use ticket::Ticket;
pub use turn::{HeldTurn, OwnedTurn, Turn};

use crate::{Failure, LaneError, ManualResetEvent, Semaphore, blocking};
use commit::Committer;
use state::{After, Slot, Stand, State};
use station::Stations;
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
    /// Where those stand who wait for room. Its permits are numbers that may be issued, as is [`State::spare`].
    room: Semaphore,
    /// Permits for the weight that may still be out.
    weight: Semaphore,
    /// The longest run that is committed in one call.
    longest_run: usize,
    stations: Stations,
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
        let After { wake, passed, weight, ends, dropped, lost, failure } = after;
        if let Some(seq) = lost {
            self.inner.stations.pass_over(seq);
        }
        if let Some(failure) = failure {
            self.inner.stations.fail(&failure);
        }
        if ends {
            self.inner.room.close();
            self.inner.weight.close();
        }
        if passed > 0 {
            // Never over the maximum, which is larger than any window.
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

    // ===== how far it is =====

    /// The number whose turn it is: all below have been committed or passed over.
    #[must_use]
    pub fn frontier(&self) -> u64 {
        self.lock().state.head
    }

    /// How many more numbers could be issued at this moment.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.lock().state.spare.saturating_add(self.inner.room.available())
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
        self.inner.stations.cancel();
    }

    /// Makes the window larger or smaller. A smaller one takes effect as numbers pass.
    ///
    /// # Panics
    ///
    /// If `window` is 0 or more than `i32::MAX`.
    #[track_caller]
    pub fn resize(&self, window: u32) {
        builder::check_window(window);
        let mut after = After::default();
        let mut locked = self.lock();
        let state = &mut locked.state;
        let before = std::mem::replace(&mut state.window, window);
        for _ in before..window {
            state.room_back(&mut after);
        }
        for _ in window..before {
            if state.spare > 0 {
                state.spare -= 1;
            } else {
                match self.inner.room.try_acquire() {
                    Ok(room) => room.forget(),
                    Err(_) => state.owed += 1,
                }
            }
        }
        drop(locked);
        self.follow(after);
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
