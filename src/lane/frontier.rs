//! How far a lane has come, and how it ends.

use super::{After, Counters, Lane, OnFailure, builder, state::Holder, turn};
use crate::{Failure, LaneError, ManualResetEvent, blocking};

impl<T, D> Lane<T, D> {
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
            Holder::Run(length) => usize::try_from(length).unwrap_or(usize::MAX),
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
