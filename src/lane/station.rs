//! Stations: several points that the numbers of one lane pass in order.

mod turn;
mod wait;

pub use turn::StationTurn;
pub use wait::TakeTurnAt;

use super::state::Stand;
use super::{After, Lane, Locked, OnFailure, Owned, ReachNumber, Stall, StallCause, go_on};
use crate::{Failure, ManualResetEvent};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};
use std::{fmt, iter};

/// A further point of a lane that its numbers pass in order, one at a time; made by [`Lane::station`]. It owns an `S`.
///
/// A ticket passes the stations in whatever order its holder likes, mostly one after the other, and ends with the lane's own turn or
/// deposit, which is the last station. Whatever it did not pass by then it passes over; so a ticket that is dropped,
/// skipped or failed frees all stations at once, and one error path does for all of them.
///
/// A failure is positional here as well: a number above one that failed gets no turn, and
/// [`LaneError::Poisoned`](crate::LaneError::Poisoned) instead. Under [`OnFailure::Tell`] only the lane's own turn tells of a gap.
/// Clones are handles to one station.
///
/// # Examples
///
/// ```
/// use batons::{LaneError, lane::Lane};
///
/// let lane = Lane::new((), 4);
/// let gate = lane.station("gate", Vec::new());
/// let (mut first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
/// assert!(matches!(second.try_turn_at(&gate), Err(LaneError::WouldBlock)));
/// let ready = second.ready_at(&gate);
/// first.try_turn_at(&gate)?.push("first");
/// assert!(ready.is_set() && gate.reached_event(1).is_set());
/// second.blocking_turn_at(&gate)?.push("second"); // whatever the first one is doing meanwhile
/// assert_eq!((gate.name(), gate.frontier(), lane.frontier()), ("gate", 2, 0));
/// assert_eq!(gate.with_value(|names| names.len()), 2);
/// # Ok::<_, LaneError>(())
/// ```
pub struct Station<S> {
    name: Arc<str>,
    /// The same numbers on another track.
    track: Lane<S, ()>,
    /// Which lane it is of.
    lane: usize,
}

impl<S> Clone for Station<S> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), track: self.track.clone(), lane: self.lane }
    }
}

impl<T, D> Lane<T, D> {
    /// A station for the numbers that are issued from now on.
    ///
    /// # Examples
    ///
    /// Blocks are read in order, compressed at once, and written in order:
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let output = Lane::new(String::new(), 16);
    /// let input = output.station("read", "abcdef".chars());
    /// let mut workers = tokio::task::JoinSet::new();
    /// for _ in 0..3 {
    ///     let (input, output) = (input.clone(), output.clone());
    ///     workers.spawn(async move {
    ///         loop {
    ///             let mut ticket = output.ticket().await?;
    ///             let mut turn = ticket.turn_at(&input).await?;
    ///             let Some(c) = turn.next() else {
    ///                 drop(turn);
    ///                 ticket.skip();
    ///                 return Ok::<_, batons::LaneError>(());
    ///             };
    ///             turn.pass().await; // the next one reads while this one computes
    ///             let computed = c.to_ascii_uppercase();
    ///             ticket.turn().await?.push(computed);
    ///         }
    ///     });
    /// }
    /// while let Some(worker) = workers.join_next().await {
    ///     worker.unwrap()?;
    /// }
    /// assert_eq!(output.with_value(|text| text.clone()), "ABCDEF");
    /// # Ok(())
    /// # }
    /// ```
    pub fn station<S: Send + 'static>(&self, name: impl Into<Arc<str>>, value: S) -> Station<S> {
        let name = name.into();
        let locked = self.lock();
        let state = &locked.state;
        // Tell and Stop are said where a number ends; here it is passed over, or waited for.
        let policy = match state.on_failure {
            OnFailure::UntilSync => OnFailure::UntilSync,
            _ => OnFailure::Poison,
        };
        let mut builder = Lane::builder().first(state.next()).window(i32::MAX as u32).on_failure(policy);
        if let Some(clock) = &state.clock {
            builder = builder.timed_by(clock);
        }
        let track: Lane<S, ()> = builder.build(value);
        track.lock().state.inherit(state);
        self.inner.stations.push(Arc::clone(&name), Arc::new(track.clone()));
        drop(locked);
        Station { name, track, lane: self.address() }
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }
}

impl<S> Station<S> {
    /// What it is called.
    ///
    /// # Examples
    ///
    /// See [`Station`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number whose turn it is here: all below have passed.
    ///
    /// # Examples
    ///
    /// See [`Station`].
    #[must_use]
    pub fn frontier(&self) -> u64 {
        self.track.frontier()
    }

    /// As [`Lane::reached_event`], of this station.
    ///
    /// # Examples
    ///
    /// See [`Station`].
    #[must_use]
    pub fn reached_event(&self, seq: u64) -> ManualResetEvent {
        self.track.reached_event(seq)
    }

    /// As [`Lane::reached`], of this station.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    ///
    /// As `Lane::reached`.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane = Lane::new((), 4);
    /// let gate = lane.station("gate", ());
    /// let mut ticket = lane.ticket().await?;
    /// drop(ticket.turn_at(&gate).await?);
    /// gate.reached(1).await?; // the number is through the gate, and not yet committed
    /// # Ok(())
    /// # }
    /// ```
    pub fn reached(&self, seq: u64) -> ReachNumber<'_, S> {
        self.track.reached(seq)
    }

    /// As [`Lane::with_value`], of this station.
    ///
    /// # Panics
    ///
    /// If `look` does.
    ///
    /// # Examples
    ///
    /// See [`Station`].
    pub fn with_value<R>(&self, look: impl FnOnce(&mut S) -> R) -> R {
        self.track.with_value(look)
    }
}

impl<S> fmt::Debug for Station<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station")
            .field("name", &self.name)
            .field("track", &self.track)
            .finish_non_exhaustive()
    }
}

// ===== what a lane tells its stations =====

/// A station without the type of its value.
pub(super) trait Track: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The number comes here no more.
    fn pass_over(&self, seq: u64);
    fn fail(&self, failure: Failure);
    fn sync(&self, seq: u64);
    fn cancel(&self);
    /// What is waited for, if `seq` is at the head here, and has come.
    fn stall(&self, seq: u64) -> Option<Stall>;
}

impl<S: Send> Track for Lane<S, ()> {
    fn pass_over(&self, seq: u64) {
        let mut locked = self.lock();
        if seq >= locked.state.head {
            self.come(&mut locked, seq, Stand::Lost);
            self.settle(locked, After::default());
        } else {
            let mut after = After::default();
            locked.state.owe_less(seq, &mut after);
            drop(locked);
            go_on(self.follow(after));
        }
    }

    fn fail(&self, failure: Failure) {
        let mut after = After::default();
        let mut locked = self.lock();
        self.come(&mut locked, failure.seq, Stand::Lost);
        locked.state.fail(failure, &mut after);
        self.settle(locked, after);
    }

    fn sync(&self, seq: u64) {
        self.lock().state.sync(seq);
    }

    fn cancel(&self) {
        Lane::cancel(self);
    }

    fn stall(&self, seq: u64) -> Option<Stall> {
        let here = |cause| matches!(cause, StallCause::Held | StallCause::NotTaken | StallCause::LookedAt);
        Lane::stall(self).filter(|stall| stall.seq() == seq && here(stall.cause()))
    }
}

impl<S> Lane<S, ()> {
    /// Numbers come to a station when they are first heard of there, and those before them as well.
    #[allow(clippy::unused_self, reason = "a step of a method of a track")]
    fn come(&self, locked: &mut Locked<S, ()>, seq: u64, stand: Stand<()>) {
        let state = &mut locked.state;
        while state.next() <= seq {
            // Bounded by the window of the lane.
            state.spare -= 1;
            state.push(Stand::Vacant, 0);
        }
        let now = state.now();
        if let Some(slot) = state.slot(seq) {
            (slot.stand, slot.since) = (stand, now);
        }
    }

    /// Gives back what a turn had; the number has not passed.
    fn give_back(&self, owned: Box<Owned<S, ()>>) {
        let mut locked = self.lock();
        locked.owned = Some(owned);
        locked.state.let_go();
        self.settle(locked, After::default());
    }
}

/// The stations of a lane: a list that only grows, so that it is read without a lock.
#[derive(Default)]
pub(super) struct Stations(OnceLock<Box<Link>>);

struct Link {
    name: Arc<str>,
    track: Arc<dyn Track>,
    rest: Stations,
}

impl Stations {
    fn push(&self, name: Arc<str>, track: Arc<dyn Track>) {
        let mut link = Box::new(Link { name, track, rest: Self::default() });
        let mut end = self;
        while let Err(back) = end.0.set(link) {
            link = back;
            end = &end.0.get().expect("it could not be set").rest;
        }
    }

    fn links(&self) -> impl Iterator<Item = &Link> {
        iter::successors(self.0.get(), |link| link.rest.0.get()).map(|link| &**link)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn Track> {
        self.links().map(|link| &*link.track)
    }

    /// Where `seq`, for whose turn nobody waits, is meanwhile, and what is waited for there.
    pub(super) fn stall(&self, seq: u64) -> Option<(Arc<str>, Stall)> {
        self.links().find_map(|link| Some((Arc::clone(&link.name), link.track.stall(seq)?)))
    }

    /// The number comes no more, to none of them.
    #[inline]
    pub(super) fn pass_over(&self, seq: u64) {
        self.iter().for_each(|track| track.pass_over(seq));
    }

    pub(super) fn sync(&self, seq: u64) {
        self.iter().for_each(|track| track.sync(seq));
    }
}
