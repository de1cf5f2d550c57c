//! The turns of numbers at stations.

use super::{Station, TakeTurnAt};
use crate::lane::losses::Why;
use crate::lane::state::Stand;
use crate::lane::turn::Asked;
use crate::lane::{After, Owned, PassTurn, Ticket, by_deadline};
use crate::{LaneError, Lost, ManualResetEvent, blocking};
use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

impl<T, D> Ticket<T, D> {
    /// Waits for the turn at `station`: all numbers before have passed it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the ticket keeps its place, and a turn that came meanwhile is still there.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`], [`Cancelled`](LaneError::Cancelled), and [`Passed`](LaneError::Passed) after its turn there or
    /// for a number that was issued before the station was made.
    ///
    /// # Panics
    ///
    /// If the station is one of another lane.
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// See [`Lane::station`](crate::lane::Lane::station).
    #[track_caller]
    pub fn turn_at<'a, S>(&'a mut self, station: &'a Station<S>) -> TakeTurnAt<'a, S, T, D> {
        station.check(self);
        TakeTurnAt::new(self, station)
    }

    /// [`turn_at`](Ticket::turn_at) for a thread.
    ///
    /// # Errors
    ///
    /// As `turn_at`.
    ///
    /// # Panics
    ///
    /// As `turn_at`, and on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// See [`Station`].
    #[track_caller]
    pub fn blocking_turn_at<'a, S>(
        &'a mut self,
        station: &'a Station<S>,
    ) -> Result<StationTurn<'a, S, T, D>, LaneError> {
        blocking::wait(self.turn_at(station))
    }

    /// [`blocking_turn_at`](Ticket::blocking_turn_at) for `duration` at most.
    ///
    /// # Errors
    ///
    /// As `turn_at`, and [`LaneError::TimedOut`]; the place is kept.
    ///
    /// # Panics
    ///
    /// As `blocking_turn_at`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// # use std::time::Duration;
    /// let lane = Lane::new((), 4);
    /// let gate = lane.station("gate", ());
    /// let (_first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// let waited = second.blocking_turn_at_timeout(&gate, Duration::from_millis(1));
    /// assert!(matches!(waited, Err(LaneError::TimedOut)));
    /// # Ok::<_, LaneError>(())
    /// ```
    #[track_caller]
    pub fn blocking_turn_at_timeout<'a, S>(
        &'a mut self,
        station: &'a Station<S>,
        duration: Duration,
    ) -> Result<StationTurn<'a, S, T, D>, LaneError> {
        by_deadline(blocking::wait_timeout(self.turn_at(station), duration))
    }

    /// The turn at `station`, if it has come.
    ///
    /// # Errors
    ///
    /// As [`turn_at`](Ticket::turn_at), and [`LaneError::WouldBlock`].
    ///
    /// # Panics
    ///
    /// As `turn_at`.
    ///
    /// # Examples
    ///
    /// See [`Station`].
    #[track_caller]
    pub fn try_turn_at<'a, S>(
        &'a mut self,
        station: &'a Station<S>,
    ) -> Result<StationTurn<'a, S, T, D>, LaneError> {
        station.check(self);
        station.welcome(self);
        match station.track.ask(self.seq(), None)? {
            Asked::Turn(owned, gap) => Ok(StationTurn::begin(self, station, owned, gap)),
            Asked::Wait(_) => Err(LaneError::WouldBlock),
        }
    }

    /// As [`ready`](Ticket::ready), of `station`.
    ///
    /// # Panics
    ///
    /// As `turn_at`.
    ///
    /// # Examples
    ///
    /// See [`Station`].
    #[track_caller]
    #[must_use]
    pub fn ready_at<S>(&self, station: &Station<S>) -> ManualResetEvent {
        station.check(self);
        station.welcome(self);
        station.track.ready(self.seq())
    }
}

impl<S> Station<S> {
    #[track_caller]
    fn check<T, D>(&self, ticket: &Ticket<T, D>) {
        assert!(self.lane == ticket.lane().address(), "the station is one of another lane");
    }

    /// The number comes here, unless it did before.
    pub(super) fn welcome<T, D>(&self, ticket: &Ticket<T, D>) {
        let mut locked = self.track.lock();
        let came = locked.state.slot(ticket.seq()).is_some_and(|slot| !matches!(slot.stand, Stand::Vacant));
        if !came && !ticket.is_over() {
            self.track.come(&mut locked, ticket.seq(), Stand::Issued);
            self.track.settle(locked, After::default());
        }
    }
}

/// The turn of a number at a [`Station`]: derefs to what the station owns. Dropping it hands the turn on, to the next
/// number.
///
/// If the holder panics the number is lost, here and for the whole lane, as [`LaneBuilder::on_panic`](crate::lane::LaneBuilder::on_panic)
/// says.
///
/// # Examples
///
/// See [`Lane::station`](crate::lane::Lane::station).
#[must_use = "a turn that is dropped is over"]
#[clippy::has_significant_drop]
pub struct StationTurn<'a, S, T, D = ()> {
    ticket: &'a mut Ticket<T, D>,
    station: &'a Station<S>,
    /// Absent once it was handed on.
    owned: Option<Box<Owned<S, ()>>>,
    gap: u64,
}

impl<'a, S, T, D> StationTurn<'a, S, T, D> {
    pub(super) fn begin(
        ticket: &'a mut Ticket<T, D>,
        station: &'a Station<S>,
        owned: Box<Owned<S, ()>>,
        gap: u64,
    ) -> Self {
        Self { ticket, station, owned: Some(owned), gap }
    }

    /// Its number.
    ///
    /// # Examples
    ///
    /// See [`gap`](StationTurn::gap).
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ticket.seq()
    }

    /// How many numbers right before it ended without a turn here.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// let gate = lane.station("gate", ());
    /// lane.try_ticket()?.skip();
    /// let mut ticket = lane.try_ticket()?;
    /// let turn = ticket.try_turn_at(&gate)?;
    /// assert_eq!((turn.seq(), turn.gap()), (1, 1));
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// Hands the turn on, and lets others run, for the reason told at [`Turn::pass`](crate::lane::Turn::pass).
    ///
    /// # Cancel safety
    ///
    /// The turn is handed on at the first poll; dropped before that it is handed on as well.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// See [`Lane::station`](crate::lane::Lane::station).
    pub fn pass(self) -> PassTurn<Self> {
        PassTurn::new(self)
    }

    /// The number fails, here and for the whole lane, and this is why; what was done to the value stays done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// let gate = lane.station("gate", ());
    /// lane.try_ticket()?.try_turn_at(&gate)?.fail("no such file");
    /// assert_eq!(lane.failure().expect("it failed").seq(), 0);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        if let Some(owned) = self.owned.take() {
            self.station.track.give_back(owned);
            self.ticket.fail_now(cause.into());
        }
    }
}

impl<S, T, D> Deref for StationTurn<'_, S, T, D> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.owned.as_ref().expect("it was not handed on").value
    }
}

impl<S, T, D> DerefMut for StationTurn<'_, S, T, D> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.owned.as_mut().expect("it was not handed on").value
    }
}

impl<S, T, D> Drop for StationTurn<'_, S, T, D> {
    fn drop(&mut self) {
        let Some(owned) = self.owned.take() else { return };
        if std::thread::panicking() {
            self.station.track.give_back(owned);
            let policy = self.ticket.lane().lock().state.on_panic;
            self.ticket.lose(policy, Why::Lost(Lost::Panicked));
        } else {
            self.station.track.end_turn(self.ticket.seq(), owned, None);
        }
    }
}

impl<S: fmt::Debug, T, D> fmt::Debug for StationTurn<'_, S, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationTurn")
            .field("seq", &self.seq())
            .field("station", &self.station.name)
            .field("value", &**self)
            .finish()
    }
}
