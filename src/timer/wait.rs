//! The wait for a timer.

use super::{Tick, WaitableTimer};
use crate::dispatch::{Answer, Calls, Halves, Leave, Part, Wait, drop_part, is_last_call, poll_part};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Future of [`WaitableTimer::wait`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitTimer<'a> {
    /// Leaves with the answer.
    timer: Option<&'a WaitableTimer>,
    wait: Wait<Tick>,
    /// Whether the timer knows that it has to ring.
    attends: bool,
}

impl<'a> WaitTimer<'a> {
    pub(super) fn new(timer: &'a WaitableTimer) -> Self {
        Self { timer: Some(timer), wait: Wait::new((), 0, Leave::Vacant), attends: false }
    }

    fn unattend(&mut self, answered: bool) {
        if let Some(timer) = self.timer.filter(|_| std::mem::take(&mut self.attends)) {
            timer.core.unattend(answered);
        }
    }
}

impl Part for WaitTimer<'_> {
    type Policy = Tick;

    fn wait(&mut self) -> Option<Halves<'_, Tick>> {
        Some((&self.timer?.core.header, &mut self.wait))
    }

    fn finish(&mut self, _: Answer<Tick>) {
        self.unattend(true);
        self.timer = None;
    }

    fn drive(&mut self, _: &mut Context<'_>) {
        if let Some(timer) = self.timer {
            timer.core.settle();
        }
    }

    // Once it stands in line, and only then: a timer that is set needs nobody who rings.
    fn attend(&mut self) {
        if let Some(timer) = self.timer {
            timer.core.attend(!std::mem::replace(&mut self.attends, true));
        }
    }
}

impl Future for WaitTimer<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.drive(cx);
        let answer = poll_part(this, cx, "WaitTimer");
        if answer.is_pending() && !is_last_call(cx.waker()) {
            this.attend();
        }
        answer
    }
}

impl Drop for WaitTimer<'_> {
    fn drop(&mut self) {
        let mut calls = Calls::default();
        // May hand its release to somebody whose waker panics.
        calls.make(|| drop_part(self));
        calls.make(|| self.unattend(false));
        calls.end();
    }
}

impl fmt::Debug for WaitTimer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitTimer").field("timer", &self.timer).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl futures::future::FusedFuture for WaitTimer<'_> {
    fn is_terminated(&self) -> bool {
        self.timer.is_none()
    }
}
