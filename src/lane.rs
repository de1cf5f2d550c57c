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
//! # Stalls
//!
//! A lane knows who is missing. [`Lane::stall`] tells why the head does not pass: its ticket is alive and its turn was never
//! requested, it is held, its turn has come and nobody polls, it failed and waits for a repair, and so on; and who waits
//! behind it. [`Lane::watch`] tells when one number has been the head for too long, [`Lane::head_deadline`] ends it, and
//! [`Lane::snapshot`] counts. With feature `tracing` the lane tells of tickets, commits, losses and stalls.
//!
//! # Blocking
//!
//! | from | take |
//! |---|---|
//! | a task | [`Ticket::turn`] or [`Ticket::deposit`] |
//! | a thread of its own, `spawn_blocking` | [`Ticket::blocking_turn`] or [`Ticket::deposit`] |
//! | a job of rayon or another fixed pool | [`Ticket::deposit`]: a job that waits for one that has no thread waits for ever; take the ticket before the job is queued |
//! | a foreign callback | [`Ticket::into_token`], and [`Lane::ticket_of`] when it comes back |
//!
//! # On top
//!
//! | you have | take |
//! |---|---|
//! | a source, work for each item, and a place where the results go in order | [`pipeline()`] |
//! | a stream, and `.map(f).buffered(n)` that should use all cores | `LaneStreamExt::in_lane` (features `futures` and `tokio`) |
//! | work that is mostly short, and sometimes waits | `Ticket::spawn` (feature `tokio`) |
//! | an iterator, and threads | [`LaneIteratorExt::in_lane`] |
//! | a consumer that wants the results one by one | [`Lane::into_stream`] |
//! | more than one thing that must be done in order to each number | [`Lane::station`] |
//!
//! # Where the rules come from
//!
//! Win32 has no lanes. They are built on its objects, and their rules are of those who had such things before:
//!
//! | rule | from |
//! |---|---|
//! | numbers are bounded where they are issued; one number for all stations | oneTBB's `parallel_pipeline` |
//! | a result is handed in, and whoever completes the head commits the run | oneTBB, pigz, the commit pipeline of Pebble |
//! | nobody but the head leads a run | MySQL's `replica_preserve_commit_order`, whose leaders could wait for their own followers |
//! | a failure has its place: all before it, nothing after it | `buffered` of the futures crate and Elixir's `Task.async_stream`, for errors and one consumer; for panics, losses and many committers it is ours |
//! | a failure up to a synchronization point | PostgreSQL's pipeline mode |
//! | a ticket that is dropped is an event, and never a place that stays claimed | ours |
//! | how far the head has come can be waited for | write-ahead logs; the offsets of Kafka's consumers |
//! | a deadline for the head | Flink's asynchronous operators |
//! | a lane says who is missing | ours; users of the others ask for it |
//! | [`pass`](Turn::pass) yields once | the next task of a tokio worker, which no other worker can take |

mod builder;
mod commit;
mod commits;
mod crew;
mod deposits;
mod failure;
mod frontier;
mod issue;
mod iter;
mod keyed;
mod losses;
mod next_ticket;
mod pipeline;
mod snapshot;
#[cfg(feature = "tokio")]
mod spawn;
mod stall;
mod state;
mod station;
#[cfg(all(feature = "futures", feature = "tokio"))]
mod stream;
#[cfg(test)]
mod tests;
mod ticket;
mod trace;
mod turn;
mod value;
mod wait;
mod watch;

pub use builder::LaneBuilder;
pub use commit::Run;
pub use commits::{CommitRun, Commits, NextRun};
pub use deposits::Deposits;
pub use failure::OnFailure;
pub use frontier::{DrainLane, ReachNumber};
pub use iter::{InLaneIter, LaneIteratorExt};
pub use keyed::{HeldKeyTurn, KeyTicket, KeyTurn, Keyed, OwnedKeyTurn, TakeKeyTurn};
pub use next_ticket::{NextTicket, NextTickets};
pub use pipeline::{
    Failed, FromIter, FromTryIter, Nothing, Pipeline, Report, Runnable, Source, Stage, Then, ThenBlocking,
    Work, pipeline, try_pipeline,
};
#[cfg(feature = "futures")]
pub use pipeline::{FromStream, FromTryStream, stream_pipeline, try_stream_pipeline};
pub use snapshot::{Counters, Histogram, LaneSnapshot};
pub use stall::{Stall, StallCause};
pub use station::{Station, StationTurn, TakeTurnAt};
#[cfg(all(feature = "futures", feature = "tokio"))]
pub use stream::{InLane, LaneStreamExt};
pub use ticket::Ticket;
pub use turn::{HeldTurn, OwnedTurn, PassTurn, Turn};
pub use wait::TakeTurn;
pub use watch::{Overdue, Watch};

use crate::{LaneError, Semaphore};
use commit::{Begun, Committer};
use state::{After, Rare, Slot, State};
use station::Stations;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An ordered lane that owns a `T`, and takes deposits of type `D`.
///
/// Clones are handles to one lane. It ends by [`close`](Lane::close), [`cancel`](Lane::cancel) or a failure, not by the drop of
/// a handle. See [the module](self).
///
/// # Order
///
/// Numbers are issued in the order in which tickets were first asked for; a newcomer never overtakes who waits for one. Turns come and
/// deposits are committed in the order of the numbers, one at a time, whoever was there first.
///
/// # Memory ordering
///
/// What was done before a deposit or the end of a turn is visible in every later turn, to whoever commits a later number, and to
/// whoever sees that the [frontier](Lane::frontier) has passed the number.
///
/// # Examples
///
/// ```
/// use batons::lane::Lane;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::LaneError> {
/// let lane = Lane::new(Vec::new(), 16);
/// let (mut first, mut second) = (lane.ticket().await?, lane.ticket().await?);
/// let later = tokio::spawn(async move {
///     second.turn().await?.push(2); // waits for the first
///     Ok::<_, batons::LaneError>(())
/// });
/// first.turn().await?.push(1);
/// later.await.unwrap()?;
/// assert_eq!(lane.with_value(|numbers| numbers.clone()), [1, 2]);
/// # Ok(())
/// # }
/// ```
pub struct Lane<T, D = ()> {
    inner: Arc<Inner<T, D>>,
}

/// The value of a lane, and how deposits are committed to it. Whoever has the turn has the box.
pub(crate) struct Owned<T, D> {
    value: T,
    /// Never locked: only whoever has the box reaches it, and so it need not be `Sync`.
    means: Mutex<Means<T, D>>,
}

/// What deposits are committed by.
struct Means<T, D> {
    committer: Option<Committer<T, D>>,
    /// The run that is being committed; in between it keeps its room for the next one.
    run: Run<D>,
}

impl<T, D> Owned<T, D> {
    fn new(value: T, committer: Option<Committer<T, D>>) -> Self {
        Self { value, means: Mutex::new(Means { committer, run: Run::new() }) }
    }

    fn parts(&mut self) -> (&mut T, &mut Means<T, D>) {
        (&mut self.value, self.means.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    fn run(&mut self) -> &mut Run<D> {
        &mut self.parts().1.run
    }
}

struct Inner<T, D> {
    /// Where those stand who wait for room. Its permits are numbers that may be issued, as is [`State::spare`].
    room: Semaphore,
    /// Permits for the weight that may still be out.
    weight: Semaphore,
    /// The longest run that is committed in one call.
    longest_run: usize,
    /// Whether depositors commit.
    commits: bool,
    stations: Stations,
    locked: Mutex<Locked<T, D>>,
}

struct Locked<T, D> {
    state: State<D>,
    /// Absent while somebody has the turn.
    owned: Option<Box<Owned<T, D>>>,
}

/// The panic of foreign code, which goes on when everything is done.
type Panic = Option<Box<dyn Any + Send>>;

/// Lets it go on, unless another one is under way already.
#[inline]
fn go_on(panic: Panic) {
    if let Some(panic) = panic {
        unwind(panic);
    }
}

#[cold]
fn unwind(panic: Box<dyn Any + Send>) {
    if !std::thread::panicking() {
        resume_unwind(panic);
    }
}

impl<T, D> Clone for Lane<T, D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Send> Lane<T> {
    /// A lane over `value` with turns and no deposits, for `window` numbers at once, from 1 to `i32::MAX`. The first number
    /// is 0. For all else, [`builder`](Lane::builder).
    ///
    /// # Panics
    ///
    /// If `window` is out of range.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// let lane = Lane::new(String::new(), 2);
    /// lane.try_ticket()?.try_turn()?.push_str("first");
    /// assert_eq!(lane.with_value(|text| text.clone()), "first");
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn new(value: T, window: u32) -> Self {
        LaneBuilder::new().window(window).build(value)
    }
}

impl Lane<(), ()> {
    /// What can be set before a lane is built.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::{Lane, OnFailure};
    ///
    /// let lane: Lane<Vec<u8>> = Lane::builder().first(1).window(64).on_failure(OnFailure::Skip).build(Vec::new());
    /// assert_eq!(lane.try_ticket()?.seq(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
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
    fn settle(&self, locked: MutexGuard<'_, Locked<T, D>>, after: After<D>) {
        let (begun, woken) = self.advance(locked, after);
        self.commit_after(begun, woken);
    }

    /// Commits a run, and then lets a panic go on: that of a waker before, or of the commit.
    fn commit_after(&self, begun: Option<Begun<T, D>>, woken: Panic) {
        let committed = begun.and_then(|begun| self.commit(begun));
        go_on(woken.or(committed));
    }

    /// The same up to the run to be committed, with the panic of a waker.
    #[inline]
    fn advance(
        &self,
        mut locked: MutexGuard<'_, Locked<T, D>>,
        mut after: After<D>,
    ) -> (Option<Begun<T, D>>, Panic) {
        let run = locked.state.settle(&mut after);
        let begun = if run && self.inner.commits { self.take_run(&mut locked, None) } else { None };
        drop(locked);
        (begun, self.follow(after))
    }

    /// What was put off until the lock was released. One of those who are woken may panic; the others are woken all the
    /// same.
    #[inline]
    fn follow(&self, after: After<D>) -> Panic {
        let told = after.over.is_some() && !self.inner.stations.is_empty();
        if after.is_quiet() && !told { None } else { self.follow_all(after) }
    }

    fn follow_all(&self, after: After<D>) -> Panic {
        let After { wake, passed, weight, ends, over, mut notes, rare } = after;
        let Rare { over_too, failures, cancels, dropped, causes } = *rare.unwrap_or_default();
        let mut panic = None;
        let mut run = |foreign: &mut dyn FnMut()| {
            if let Err(other) = catch_unwind(AssertUnwindSafe(foreign)) {
                panic.get_or_insert(other);
            }
        };
        for track in self.inner.stations.iter() {
            for &seq in over.iter().chain(&over_too) {
                run(&mut || track.pass_over(seq));
            }
            for failure in &failures {
                run(&mut || track.fail(failure.clone()));
            }
            if cancels {
                run(&mut || track.cancel());
            }
        }
        if ends {
            run(&mut || self.inner.room.close());
            run(&mut || self.inner.weight.close());
        }
        if passed > 0 {
            run(&mut || _ = self.inner.room.release(passed));
        }
        if weight > 0 {
            run(&mut || _ = self.inner.weight.release(weight));
        }
        for event in wake {
            run(&mut || _ = event.set());
        }
        run(&mut || notes.tell());
        // One by one: each of them may panic.
        for value in dropped {
            let mut value = Some(value);
            run(&mut || drop(value.take()));
        }
        for cause in failures.into_iter().map(|failure| failure.cause).chain(causes) {
            let mut cause = Some(cause);
            run(&mut || drop(cause.take()));
        }
        panic
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
