//! The alertable wait, and the drain that waits for nothing.

use super::calls::{Calls, Run};
use crate::dispatch::{is_last_call, last_call};
use crate::event::{Auto, WaitEvent};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::Alertable;

pin_project! {
    /// Future of [`ApcQueue::alertable`](crate::ApcQueue::alertable).
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct AlertableWait<'a, F: Future> {
        // Absent once it was answered, or withdrawn for a call.
        #[pin]
        wait: Option<F>,
        // Present while it stands in line for an alert.
        alert: Option<WaitEvent<'a, Auto>>,
        run: Run<'a>,
        over: bool,
    }
}

impl<'a, F: Future> AlertableWait<'a, F> {
    pub(super) fn new(calls: &'a Calls, wait: F) -> Self {
        Self { wait: Some(wait), alert: None, run: Run::new(calls), over: false }
    }
}

impl<F: Future> Future for AlertableWait<'_, F> {
    type Output = Alertable<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.over, "`AlertableWait` polled after completion");
        if !self.run.has_begun() {
            match self.as_mut().wait(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(output)) => {
                    self.as_mut().end();
                    return Poll::Ready(Alertable::Done(output));
                }
                // Dropped before the call runs: it might be in its way.
                Poll::Ready(None) => self.as_mut().project().wait.set(None),
            }
        }
        let last = is_last_call(cx.waker());
        ready!(self.as_mut().project().run.poll(cx, last));
        self.end();
        Poll::Ready(Alertable::Alerted)
    }
}

impl<F: Future> AlertableWait<'_, F> {
    /// The wait's answer; or none if it was withdrawn and a call has begun.
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let mut this = self.project();
        let calls = this.run.calls();
        let last = is_last_call(cx.waker());
        let mut alerted = false;
        let answer = loop {
            let wait = this.wait.as_mut().as_pin_mut().expect("it was neither answered nor withdrawn");
            if last || calls.count() > 0 {
                let taken = alerted.then(|| Taken(calls));
                // Withdraws the wait and looks for its grant in one step: the object comes first.
                match wait.poll(&mut Context::from_waker(last_call())) {
                    Poll::Ready(answer) => break Some(answer),
                    Poll::Pending if this.run.begin() => {
                        mem::forget(taken);
                        // The alert, if there was one, has served its purpose: it must not wake another.
                        if let Some(alert) = this.alert {
                            let _ = Pin::new(alert).poll(&mut Context::from_waker(last_call()));
                        }
                        break None;
                    }
                    Poll::Pending if last => {
                        *this.alert = None;
                        return Poll::Pending;
                    }
                    // The call was taken back in between. The wait begins anew.
                    Poll::Pending => {}
                }
            } else {
                if let Poll::Ready(answer) = wait.poll(cx) {
                    break Some(answer);
                }
                // A call that was queued since has set the alert, or finds this wait in line.
                let alert = this.alert.get_or_insert_with(|| calls.alerted().wait());
                ready!(Pin::new(alert).poll(cx));
                *this.alert = None;
                alerted = true;
            }
        };
        *this.alert = None;
        Poll::Ready(answer)
    }

    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        *this.over = true;
        this.wait.set(None);
    }
}

impl<F: Future> fmt::Debug for AlertableWait<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertableWait").field("alerted", &self.run.has_begun()).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<F: Future> futures::future::FusedFuture for AlertableWait<'_, F> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

/// An alert that was taken. It is for another wait if this one ends without making calls, be it by a panic.
struct Taken<'a>(&'a Calls);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.alert_if_any();
    }
}

// ===== without a wait =====

/// Future of [`ApcQueue::drain`](crate::ApcQueue::drain).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct DrainApcs<'a> {
    run: Run<'a>,
    over: bool,
}

impl<'a> DrainApcs<'a> {
    pub(super) fn new(calls: &'a Calls) -> Self {
        Self { run: Run::new(calls), over: false }
    }
}

impl Future for DrainApcs<'_> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = &mut *self;
        assert!(!this.over, "`DrainApcs` polled after completion");
        if !this.run.has_begun() {
            this.run.begin();
        }
        let made = ready!(this.run.poll(cx, is_last_call(cx.waker())));
        this.over = true;
        Poll::Ready(made)
    }
}

impl fmt::Debug for DrainApcs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainApcs").field("run", &self.run).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl futures::future::FusedFuture for DrainApcs<'_> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}
