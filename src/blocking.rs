//! The same waits for threads: one parker drives every future of the crate.
//!
//! A thread stands in the same line as the tasks and is woken by the same hand-over. Each object also
//! has its waits as methods named `blocking_…` and `blocking_…_timeout`; they are the functions of this
//! module applied to its futures.
//!
//! # Where not to block
//!
//! A worker thread of an async runtime that blocks stops the tasks behind it, perhaps the very one it
//! waits for. With feature `tokio` (on by default) every function here panics when it is called there, as tokio's
//! own blocking calls do, with tokio's own advice and the caller's place; even if it would not have
//! had to wait, so that the fault shows at the first call and not under load. Plain threads,
//! [`spawn_blocking`], [`block_in_place`] and a thread that has only
//! [entered](https://docs.rs/tokio/latest/tokio/runtime/struct.Runtime.html#method.enter) a runtime are
//! fine. Other runtimes cannot be detected.
//!
//! [`spawn_blocking`]: https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html
//! [`block_in_place`]: https://docs.rs/tokio/latest/tokio/task/fn.block_in_place.html

mod forms;
mod operation_forms;
mod timer_forms;

pub use forms::{wait_all, wait_all_timeout, wait_any, wait_any_timeout};

use crate::clock::Parked;
use crate::dispatch::last_call;
use crate::error::TimedOut;
use crate::sync::{AtomicBool, Ordering, Thread, current, park, park_until, thread_local};
use std::{
    cell::RefCell,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

/// Waits for `future` on the calling thread.
///
/// Works for every future; those of this crate are woken by whoever grants them. Win32
/// `WaitForSingleObject` with `INFINITE`.
///
/// # Panics
///
/// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the module](self).
///
/// # Examples
///
/// ```
/// use batons::{Baton, blocking};
///
/// let baton = Baton::new(1);
/// let guard = blocking::wait(baton.acquire(1))?;
/// assert_eq!(guard.seq(), 1);
/// # Ok::<_, batons::AcquireError>(())
/// ```
#[track_caller]
pub fn wait<F: Future>(future: F) -> F::Output {
    refuse_on_runtime_worker();
    let mut future = pin!(future);
    with_parker(|parker, waker| {
        let mut cx = Context::from_waker(waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            parker.park();
        }
    })
}

/// Waits for `future` on the calling thread, for `duration` at most.
///
/// A grant beats the deadline: an object that is available is taken even if `duration` is zero, and a
/// wait that was granted before it could be withdrawn is answered, however late it is looked at. A wait
/// that timed out has changed nothing: it used up no number and left no trace. (A future that owns its
/// ticket is dropped with it, and the number passed over; [`Ticket::blocking_acquire_timeout`](crate::Ticket::blocking_acquire_timeout) keeps it.)
/// Win32 `WaitForSingleObject` with a time-out.
///
/// A deadline beyond the clock's range is no deadline. The clock is [`Instant`].
///
/// For a future that is not of this crate, the deadline is one last poll and then a drop.
///
/// # Errors
///
/// [`TimedOut`] if the deadline passed first.
///
/// # Panics
///
/// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the module](self).
///
/// # Examples
///
/// ```
/// use batons::{Baton, blocking};
/// use std::time::Duration;
///
/// let baton = Baton::new(1);
/// assert!(blocking::wait_timeout(baton.acquire(2), Duration::from_millis(1)).is_err());
/// assert!(baton.snapshot().waiting().is_empty());
/// ```
#[track_caller]
pub fn wait_timeout<F: Future>(future: F, duration: Duration) -> Result<F::Output, TimedOut> {
    let Some(deadline) = Instant::now().checked_add(duration) else { return Ok(wait(future)) };
    refuse_on_runtime_worker();
    let mut future = pin!(future);
    with_parker(|parker, waker| {
        while Instant::now() < deadline {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                return Ok(output);
            }
            parker.park_until(deadline);
        }
        // The last call withdraws the wait and looks for its grant in one step.
        match future.as_mut().poll(&mut Context::from_waker(last_call())) {
            Poll::Ready(output) => Ok(output),
            Poll::Pending => Err(TimedOut(())),
        }
    })
}

// ===== the parker =====

/// What a waker of a thread points at.
struct Parker {
    /// Set by a wake, taken by the thread before it looks again.
    notified: AtomicBool,
    thread: Thread,
}

impl Parker {
    fn new() -> Arc<Self> {
        Arc::new(Self { notified: AtomicBool::new(false), thread: current() })
    }

    fn park(&self) {
        while !self.take() {
            park();
        }
    }

    fn park_until(&self, deadline: Instant) {
        while !self.take() && Instant::now() < deadline {
            park_until(deadline);
        }
    }

    fn take(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `wake`: what was done before the wake is seen by
        // the poll after it.
        self.notified.swap(false, Ordering::Acquire)
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: see `take`. A flag that was set already has an unpark under way.
        if !self.notified.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

thread_local! {
    /// Kept between waits, so that a wait allocates nothing; absent while a wait is using it, so that a
    /// wait inside another wait's poll cannot take the outer one's wake.
    #[allow(clippy::missing_const_for_thread_local)] // loom's macro takes no const block
    static PARKER: RefCell<Option<(Arc<Parker>, Waker)>> = RefCell::new(None);
}

fn with_parker<R>(wait: impl FnOnce(&Parker, &Waker) -> R) -> R {
    // While the thread is ending its locals are gone; the wait then makes its own.
    let kept = PARKER.try_with(|parker| parker.borrow_mut().take()).ok().flatten();
    let (parker, waker) = kept.unwrap_or_else(|| {
        let parker = Parker::new();
        (Arc::clone(&parker), Waker::from(parker))
    });
    let blocked = Parked::begin();
    let result = wait(&parker, &waker);
    drop(blocked);
    let _ = PARKER.try_with(|kept| *kept.borrow_mut() = Some((parker, waker)));
    result
}

/// Panics on a runtime's worker thread.
#[cfg(feature = "tokio")]
#[track_caller]
fn refuse_on_runtime_worker() {
    // A runtime can be entered without forbidding to block, and tokio tells the two apart only by
    // trying: `block_on` of a future that is ready panics in the one case and is nothing in the other.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.block_on(std::future::ready(()));
    }
}

#[cfg(not(feature = "tokio"))]
fn refuse_on_runtime_worker() {}
