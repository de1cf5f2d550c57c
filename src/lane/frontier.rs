//! How far a lane has come, and how it ends.

use super::state::State;
use super::wait::poll_wait;
use super::{After, Lane, OnFailure, go_on, turn};
use crate::futures::WaitOwnedEvent;
use crate::{Failure, LaneError, Manual, ManualResetEvent, blocking};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<T, D> Lane<T, D> {
    /// The number whose turn it is: all below have been committed or passed over.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// lane.try_ticket()?.skip();
    /// assert_eq!(lane.frontier(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn frontier(&self) -> u64 {
        self.lock().state.head
    }

    /// An event that is set as soon as all numbers below `seq` have passed, or never will: a member for
    /// [`wait_any`](crate::wait_any) and [`wait_all`](crate::wait_all).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// let ticket = lane.try_ticket()?;
    /// let durable = lane.reached_event(ticket.seq() + 1);
    /// assert!(!durable.is_set());
    /// ticket.skip();
    /// assert!(durable.is_set());
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn reached_event(&self, seq: u64) -> ManualResetEvent {
        reached_event(&mut self.lock().state, seq)
    }

    /// Waits until all numbers below `seq` have been committed or passed over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    ///
    /// If they never will: [`LaneError::Poisoned`] or [`Cancelled`](LaneError::Cancelled), and [`Closed`](LaneError::Closed) if so
    /// many are never issued.
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
    /// let lane = Lane::builder().committer(Vec::new(), |log: &mut Vec<u8>, run| {
    ///     log.extend(run);
    ///     Ok(()) // written and synchronized
    /// });
    /// let ticket = lane.ticket().await?;
    /// let seq = ticket.seq();
    /// ticket.deposit(b'x')?;
    /// lane.reached(seq + 1).await?; // now it may be acknowledged
    /// # Ok(())
    /// # }
    /// ```
    pub fn reached(&self, seq: u64) -> ReachNumber<'_, T, D> {
        ReachNumber { lane: Some(self), seq, wait: None }
    }

    /// [`reached`](Lane::reached) for a thread.
    ///
    /// # Errors
    ///
    /// As `reached`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// lane.try_ticket()?.skip();
    /// lane.blocking_reached(1)?;
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[track_caller]
    pub fn blocking_reached(&self, seq: u64) -> Result<(), LaneError> {
        blocking::wait(self.reached(seq))
    }

    /// Waits until everything that was issued has passed, or everything below the failure. A lane that
    /// [stopped](OnFailure::Stop) has not; [repair](Lane::repair) or [cancel](Lane::cancel) it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`] with the root failure, [`Cancelled`](LaneError::Cancelled).
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
    /// let lane = Lane::new(0, 4);
    /// for _ in 0..3 {
    ///     let mut ticket = lane.ticket().await?;
    ///     tokio::spawn(async move { *ticket.turn().await.unwrap() += 1 });
    /// }
    /// lane.close();
    /// lane.drain().await?;
    /// assert_eq!(lane.with_value(|sum| *sum), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self) -> DrainLane<'_, T, D> {
        DrainLane { lane: Some(self), wait: None }
    }

    /// [`drain`](Lane::drain) for a thread.
    ///
    /// # Errors
    ///
    /// As `drain`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::new((), 4);
    /// drop(lane.try_ticket()?);
    /// assert!(matches!(lane.blocking_drain(), Err(LaneError::Poisoned(_))));
    /// # Ok::<_, LaneError>(())
    /// ```
    #[track_caller]
    pub fn blocking_drain(&self) -> Result<(), LaneError> {
        blocking::wait(self.drain())
    }

    /// The failure with the lowest number that there was so far.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// let (first, second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// second.fail("late");
    /// first.fail("early");
    /// assert_eq!(lane.failure().expect("two failed").to_string(), "number 0 failed: early");
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.lock().state.root.clone()
    }

    // ===== ending =====

    /// Issues no more tickets; those that are out go on. Returns whether it was closed before.
    ///
    /// Numbers below a [named](Lane::ticket_at) one that nobody has named are lost then, as [`OnFailure`] says.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::new((), 4);
    /// let mut ticket = lane.try_ticket()?;
    /// assert!(!lane.close());
    /// assert!(matches!(lane.try_ticket(), Err(LaneError::Closed)));
    /// assert!(ticket.try_turn().is_ok());
    /// # Ok::<_, LaneError>(())
    /// ```
    #[allow(clippy::must_use_candidate)] // whether it was closed is of use to some
    pub fn close(&self) -> bool {
        let mut after = After::default();
        let mut locked = self.lock();
        let before = locked.state.close(&mut after);
        self.settle(locked, after);
        before
    }

    /// Ends the lane: everybody who waits is told [`LaneError::Cancelled`]; whoever has the turn, or commits a run, finishes. What
    /// was deposited and not committed is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::new((), 4);
    /// let mut ticket = lane.try_ticket()?;
    /// lane.cancel(); // the client has gone
    /// assert!(matches!(ticket.try_turn(), Err(LaneError::Cancelled)));
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn cancel(&self) {
        let mut after = After::default();
        let mut locked = self.lock();
        locked.state.cancel(&mut after);
        drop(locked);
        go_on(self.follow(after));
    }

    /// Calls `look` with the value while nobody has the turn; waits for that on the calling thread, and not for numbers.
    ///
    /// For looking at the end, or for statistics; what must be in order takes a turn. From within a turn of the same lane,
    /// or a look, it would wait for itself.
    ///
    /// # Panics
    ///
    /// If `look` does; and, with feature `tokio`, if it has to wait on a worker thread of a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new(vec![1, 2, 3], 4);
    /// assert_eq!(lane.with_value(|numbers| numbers.len()), 3);
    /// ```
    #[track_caller]
    pub fn with_value<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        turn::borrow_value(self, look)
    }
}

/// What is set when the head has reached `seq`, or never will.
fn reached_event<D>(state: &mut State<D>, seq: u64) -> ManualResetEvent {
    if state.head >= seq || state.never_reaches(seq) {
        return ManualResetEvent::new(true);
    }
    state.reached.entry(seq).or_insert_with(|| ManualResetEvent::new(false)).clone()
}

// ===== futures =====

/// What a wait for the frontier sees: an answer, or a number to wait for.
type Seen = Result<Result<(), LaneError>, u64>;

/// Looks, and waits for what it is to look again at.
fn poll_frontier<T, D>(
    lane: &Lane<T, D>,
    wait: &mut Option<WaitOwnedEvent<Manual>>,
    look: impl Fn(&State<D>) -> Seen,
    cx: &mut Context<'_>,
) -> Poll<Result<(), LaneError>> {
    loop {
        ready!(poll_wait(wait, cx));
        let mut locked = lane.lock();
        match look(&locked.state) {
            Ok(answer) => return Poll::Ready(answer),
            Err(seq) => *wait = Some(reached_event(&mut locked.state, seq).wait_owned()),
        }
    }
}

/// Future of [`Lane::reached`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReachNumber<'a, T, D = ()> {
    /// Leaves with the answer.
    lane: Option<&'a Lane<T, D>>,
    seq: u64,
    wait: Option<WaitOwnedEvent<Manual>>,
}

impl<T, D> Future for ReachNumber<'_, T, D> {
    type Output = Result<(), LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lane = this.lane.expect("`ReachNumber` polled after completion");
        let seq = this.seq;
        let look = |state: &State<D>| {
            if state.head >= seq {
                return Ok(Ok(()));
            }
            if !state.never_reaches(seq) {
                return Err(seq);
            }
            Ok(Err(match state.poisoned(seq) {
                Some(failure) if state.on_failure != OnFailure::UntilSync => {
                    LaneError::Poisoned(failure.clone())
                }
                _ if state.cancelled => LaneError::Cancelled,
                _ => LaneError::Closed,
            }))
        };
        let answer = ready!(poll_frontier(lane, &mut this.wait, look, cx));
        this.lane = None;
        Poll::Ready(answer)
    }
}

impl<T, D> fmt::Debug for ReachNumber<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReachNumber").field("seq", &self.seq).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::future::FusedFuture for ReachNumber<'_, T, D> {
    fn is_terminated(&self) -> bool {
        self.lane.is_none()
    }
}

/// Future of [`Lane::drain`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct DrainLane<'a, T, D = ()> {
    /// Leaves with the answer.
    lane: Option<&'a Lane<T, D>>,
    wait: Option<WaitOwnedEvent<Manual>>,
}

impl<T, D> Future for DrainLane<'_, T, D> {
    type Output = Result<(), LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lane = this.lane.expect("`DrainLane` polled after completion");
        let look = |state: &State<D>| {
            if state.cancelled {
                return Ok(Err(LaneError::Cancelled));
            }
            let root = state.root.as_ref().filter(|_| state.on_failure != OnFailure::UntilSync);
            match root {
                Some(failure) if state.head >= failure.seq => Ok(Err(LaneError::Poisoned(failure.clone()))),
                Some(failure) => Err(failure.seq),
                None if state.slots.is_empty() => Ok(Ok(())),
                None => Err(state.next()),
            }
        };
        let answer = ready!(poll_frontier(lane, &mut this.wait, look, cx));
        this.lane = None;
        Poll::Ready(answer)
    }
}

impl<T, D> fmt::Debug for DrainLane<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainLane").field("lane", &self.lane).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::future::FusedFuture for DrainLane<'_, T, D> {
    fn is_terminated(&self) -> bool {
        self.lane.is_none()
    }
}
