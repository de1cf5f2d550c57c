//! The deposits of a lane one by one, in order, to whoever polls for them.

use super::{After, Commits, Lane, go_on};
use crate::futures::WaitOwnedEvent;
use crate::{LaneError, Manual};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The deposits of a lane in their order; made by [`Lane::into_stream`]. With feature `futures` it is a `futures::Stream`.
///
/// A deposit counts as committed, and makes room in the window, when it is taken. That errors come in their places is the
/// manner of `buffered` of the futures crate; that a slow first one cannot pile up what is behind it is that of oneTBB's pipelines.
///
/// # Examples
///
/// See [`Lane::into_stream`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct Deposits<T, D> {
    lane: Lane<T, D>,
    commits: Commits<T, D>,
    /// The wait for the next deposit, if it was not there when it was last looked for.
    wait: Option<WaitOwnedEvent<Manual>>,
    over: bool,
}

/// What the head of a lane is to someone who wants its deposit.
pub(super) enum Head<D> {
    Deposit(D),
    NotYet,
    /// Nothing will ever be there any more; because of a failure, or not.
    Over(Option<LaneError>),
}

impl<T, D> Lane<T, D> {
    /// The deposits as a stream, in order, each as soon as it is the head; for a lane that was
    /// [built](super::LaneBuilder::build) without a committer.
    ///
    /// It ends when the lane is [closed](Lane::close) and everything has passed. A failure is its last item, in its place, so that
    /// an early end is never mistaken for the end. The window bounds what is in memory, however slow its consumer is.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{blocking, lane::Lane};
    /// use std::future::poll_fn;
    ///
    /// let lane: Lane<(), u32> = Lane::builder().window(8).build(());
    /// let (one, two) = (lane.try_ticket()?, lane.try_ticket()?);
    /// two.deposit(2)?;
    /// one.deposit(1)?;
    /// lane.close();
    /// let mut deposits = lane.into_stream();
    /// assert_eq!(blocking::wait(poll_fn(|cx| deposits.poll_deposit(cx))).transpose()?, Some(1));
    /// assert_eq!(blocking::wait(poll_fn(|cx| deposits.poll_deposit(cx))).transpose()?, Some(2));
    /// assert!(blocking::wait(poll_fn(|cx| deposits.poll_deposit(cx))).is_none());
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn into_stream(self) -> Deposits<T, D> {
        self.commits().into_stream()
    }

    /// Takes the deposit at the head.
    pub(super) fn take_deposit(&self) -> Head<D> {
        let mut after = After::default();
        let mut locked = self.lock();
        let state = &mut locked.state;
        let ready = state.settle(&mut after);
        let head = if let Some(deposit) = ready.then(|| state.take_head(&mut after)).flatten() {
            // A turn behind it may have come.
            let _ = state.settle(&mut after);
            Head::Deposit(deposit)
        } else if state.is_over() {
            Head::Over(state.issues().err().filter(|error| !matches!(error, LaneError::Closed)))
        } else {
            Head::NotYet
        };
        drop(locked);
        go_on(self.follow(after));
        head
    }
}

impl<T, D> Commits<T, D> {
    /// The deposits one by one instead of in runs; see [`Lane::into_stream`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{blocking, lane::Lane};
    /// # use std::future::poll_fn;
    /// let lane: Lane<(), u32> = Lane::builder().build(());
    /// let commits = lane.commits(); // from here on deposits wait for who asks
    /// lane.try_ticket()?.deposit(7)?;
    /// let mut deposits = commits.into_stream();
    /// assert_eq!(blocking::wait(poll_fn(|cx| deposits.poll_deposit(cx))).transpose()?, Some(7));
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn into_stream(self) -> Deposits<T, D> {
        Deposits { lane: self.lane().clone(), commits: self, wait: None, over: false }
    }
}

impl<T, D> Deposits<T, D> {
    /// The lane.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let deposits = Lane::builder().window(2).build::<(), u8>(()).into_stream();
    /// deposits.lane().try_ticket()?.deposit(1)?; // as long as the stream is there, so is the lane
    /// assert_eq!(deposits.lane().room(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn lane(&self) -> &Lane<T, D> {
        &self.lane
    }

    /// The next deposit, as soon as it is the head; see [`Lane::into_stream`]. For those without feature `futures`. After the end it
    /// answers the end again.
    ///
    /// # Cancel safety
    ///
    /// A deposit is taken only by the poll that answers it. The waker of the last poll is the one that is woken.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`] and [`Cancelled`](LaneError::Cancelled), and the end after them.
    ///
    /// # Examples
    ///
    /// See [`Lane::into_stream`].
    pub fn poll_deposit(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<D, LaneError>>> {
        loop {
            match self.look() {
                Some(answer) => return Poll::Ready(answer),
                None if self.wait.is_none() => {
                    let event = self.commits.event();
                    event.reset();
                    self.wait = Some(event.wait_owned());
                    // Looked at after the reset: who deposits later sets it again.
                    if let Some(answer) = self.look() {
                        return Poll::Ready(answer);
                    }
                }
                None => {}
            }
            match self.wait.as_mut().map(|wait| Pin::new(wait).poll(cx)) {
                Some(Poll::Pending) => return Poll::Pending,
                _ => self.wait = None,
            }
        }
    }

    #[allow(clippy::option_option, reason = "an answer, which may be the end")]
    fn look(&mut self) -> Option<Option<Result<D, LaneError>>> {
        if self.over {
            return Some(None);
        }
        match self.lane.take_deposit() {
            Head::Deposit(deposit) => Some(Some(Ok(deposit))),
            Head::NotYet => None,
            Head::Over(error) => {
                self.over = true;
                Some(error.map(Err))
            }
        }
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::Stream for Deposits<T, D> {
    type Item = Result<D, LaneError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_deposit(cx)
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::stream::FusedStream for Deposits<T, D> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<T, D> fmt::Debug for Deposits<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deposits").field("lane", &self.lane).field("over", &self.over).finish_non_exhaustive()
    }
}
