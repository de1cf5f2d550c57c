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
mod frontier;
mod issue;
mod snapshot;
mod state;
mod ticket;
mod turn;

pub use builder::LaneBuilder;
pub use commit::{CommitRun, Commits, Run};
pub use failure::OnFailure;
pub use snapshot::Counters;
pub use ticket::Ticket;
pub use turn::{HeldTurn, OwnedTurn, Turn};

use crate::{LaneError, Semaphore};
use commit::Committer;
use state::{After, Slot, State};
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
