//! Events: a flag that waiters wait for.
//!
//! The whole behaviour is this table; the [`Policy`] of the file is its code.
//!
//! | state | `wait`                             | `set`                                     | `reset` | `pulse`                                |
//! |-------|------------------------------------|-------------------------------------------|---------|----------------------------------------|
//! | unset | stands in line                     | manual: set, all in line are released; automatic: the first in line is released, or set if there is none | unset | as `set` for those in line, then unset |
//! | set   | manual: at once; automatic: at once, then unset | set                          | unset   | unset                                  |
//!
//! A release that its waiter never saw: a manual event is left as it is. An automatic event's goes to
//! the next in line, or sets the event; but if the event was reset since, or if it was a pulse, only
//! somebody who stood in line at the signal can have it.

mod wait;

pub use wait::{AwaitEvent, WaitEvent, WaitOwnedEvent};

use crate::dispatch::{Header, Leave, Offer, Policy, Signals, Verdict, Wait};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::{fmt, sync::Arc};

// ===== policy: pure, knows no waiter =====

/// The rules of an event.
#[derive(Debug)]
pub struct Flag {
    auto: bool,
}

/// A state: bit 0 set, bit 1 by a pulse, above them how often it was cleared by a reset
/// or a pulse.
const SET: u64 = 1;
const PULSE: u64 = 2;
const RESET: u64 = 4;

/// What is known of a release if it must be given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Release(u64);

impl Release {
    /// The release that `state` grants: how often it was cleared before, and whether it is a pulse.
    #[inline]
    fn by(state: u64) -> Self {
        Self(state & !SET)
    }

    /// Whether only those can have it who stood in line at the signal.
    #[inline]
    fn is_past(self, state: u64) -> bool {
        self.0 & PULSE != 0 || self.0 / RESET != state / RESET
    }
}

impl Policy for Flag {
    type Request = ();
    type Grant = Release;
    type Refusal = Infallible;

    #[inline]
    fn judge(&self, state: u64, (): (), _: u64) -> Verdict<Release, Infallible> {
        if !is_set(state) {
            return Verdict::Queue;
        }
        Verdict::Take(if self.auto { state & !(SET | PULSE) } else { state }, Release::by(state))
    }

    #[inline]
    fn give_back(&self, state: u64, (): (), release: Release) -> Offer {
        if !self.auto {
            Offer::Nothing
        } else if release.is_past(state) {
            Offer::Earlier(state | SET | PULSE)
        } else {
            Offer::Anybody(state | SET)
        }
    }
}

#[inline]
fn is_set(state: u64) -> bool {
    state & SET != 0
}

// ===== the object =====

pub(crate) use sealed::Kind;

mod sealed {
    pub trait Kind: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe + 'static {
        const AUTO: bool;
        const NAME: &'static str;
    }
}

/// Marks [`ManualResetEvent`], which is `Event<Manual>`. Nobody has a value of it. See [`Event`] for code over both kinds.
#[derive(Debug)]
pub struct Manual(());

/// Marks [`AutoResetEvent`], which is `Event<Auto>`. Nobody has a value of it. See [`Event`] for code over both kinds.
#[derive(Debug)]
pub struct Auto(());

impl Kind for Manual {
    const AUTO: bool = false;
    const NAME: &'static str = "ManualResetEvent";
}

impl Kind for Auto {
    const AUTO: bool = true;
    const NAME: &'static str = "AutoResetEvent";
}

/// A flag that stays set until it is reset: everybody who waits while it is set, or is in line when it
/// is set, goes on. Win32 `CreateEvent` with manual reset.
///
/// See [`Event`] for its methods. If one release should let one waiter through, take an
/// [`AutoResetEvent`].
///
/// # Examples
///
/// ```
/// use batons::ManualResetEvent;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let ready = ManualResetEvent::new(false);
/// let waiter = tokio::spawn({
///     let ready = ready.clone();
///     async move { ready.wait().await }
/// });
/// ready.set();
/// waiter.await.unwrap();
/// ready.wait().await; // still set
/// # }
/// ```
pub type ManualResetEvent = Event<Manual>;

/// A flag that one waiter takes: each `set` lets one through, now or later. Win32 `CreateEvent` with
/// automatic reset.
///
/// See [`Event`] for its methods. It remembers one signal, not how many; to count, take a
/// [`Semaphore`](crate::Semaphore).
///
/// # Examples
///
/// ```
/// use batons::AutoResetEvent;
///
/// let event = AutoResetEvent::new(false);
/// event.set();
/// event.set(); // set already
/// assert!(event.try_wait());
/// assert!(!event.try_wait());
/// ```
pub type AutoResetEvent = Event<Auto>;

/// An event: [`ManualResetEvent`] or [`AutoResetEvent`].
///
/// Clones are handles to one event. There is no `close`: a wait borrows a handle and so keeps its event
/// alive, as a waiting thread does in Win32. To wait in a task of its own, move a clone into the task.
///
/// # Order
///
/// Waiters are released in the order of their first poll, tasks and threads in one line. A newcomer never
/// overtakes: while an automatic event is set nobody is in line but [waits on all](crate::wait_all), which
/// reserve nothing. Win32 promises no order; this is the one of its kernel and of ntsync.
///
/// # Memory ordering
///
/// What was done before a `set` or `pulse` is visible to whoever it releases, and to whoever finds the event
/// set by it.
///
/// # Examples
///
/// ```
/// use batons::{Auto, Event, Manual};
///
/// let (gate, signal) = (Event::<Manual>::new(true), Event::<Auto>::new(true));
/// assert_eq!([gate.try_wait(), gate.try_wait()], [true, true]);
/// assert_eq!([signal.try_wait(), signal.try_wait()], [true, false]);
/// ```
pub struct Event<K: Kind> {
    header: Arc<Header<Flag>>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Event<K> {
    /// Creates an event that is set or not. Win32 `CreateEvent`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualResetEvent;
    /// assert!(ManualResetEvent::new(true).is_set());
    /// ```
    #[must_use]
    pub fn new(set: bool) -> Self {
        Self { header: Arc::new(Header::new(Flag { auto: K::AUTO }, u64::from(set))), kind: PhantomData }
    }

    /// Sets the event and returns whether it was set before. Win32 `SetEvent`.
    ///
    /// A manual event releases everybody in line. An automatic event releases the first in line and stays
    /// unset, or becomes set if there is none. The decision is taken here: a
    /// [`reset`](Event::reset) that follows does not take it back. Those released are woken by the calling
    /// thread, under no lock. The state before is what the kernel tells and `SetEvent` does not.
    ///
    /// # Panics
    ///
    /// Only if a waker does; the others have been woken then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualResetEvent;
    /// let event = ManualResetEvent::new(false);
    /// assert!(!event.set());
    /// assert!(event.set());
    /// ```
    #[allow(clippy::must_use_candidate)] // the state before is of use to some
    #[inline]
    pub fn set(&self) -> bool {
        self.header.change(|state| (state | SET, is_set(state)))
    }

    /// Clears the event and returns whether it was set before. Win32 `ResetEvent`.
    ///
    /// Whoever was released before stays released.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::AutoResetEvent;
    /// let event = AutoResetEvent::new(true);
    /// assert!(event.reset());
    /// assert!(!event.try_wait());
    /// ```
    #[allow(clippy::must_use_candidate)]
    #[inline]
    pub fn reset(&self) -> bool {
        self.header.change(|state| ((state & !SET) + RESET, is_set(state)))
    }

    /// Sets the event for those in line and clears it, in one step; returns whether it was set before.
    /// Win32 `PulseEvent`.
    ///
    /// A manual event releases all who stood in line before, an automatic event the first of them; nobody who
    /// comes later, and nobody ever sees it set. It completes a [wait on all](crate::wait_all) for which
    /// this event alone was missing. With nobody in line it only clears.
    ///
    /// Win32 calls its own unreliable: a waiter misses the pulse while it is briefly away from its wait. Here
    /// whoever has been polled once stands in line. One step is ntsync's rule.
    ///
    /// # Panics
    ///
    /// Only if a waker does; the others have been woken then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualResetEvent;
    /// let event = ManualResetEvent::new(true);
    /// assert!(event.pulse());
    /// assert!(!event.is_set());
    /// ```
    #[allow(clippy::must_use_candidate)]
    #[inline]
    pub fn pulse(&self) -> bool {
        let pulse = |_: &Flag, state| Ok::<_, Infallible>((state | SET | PULSE, is_set(state)));
        let Ok(before) = self.header.signal(pulse, |_, state| (state & !(SET | PULSE)) + RESET);
        before
    }

    /// Whether the event is set. Stale as soon as it is read: report it, do not act on it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::AutoResetEvent;
    /// let event = AutoResetEvent::new(true);
    /// assert!(event.is_set() && event.is_set()); // looking takes nothing
    /// ```
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        is_set(self.header.state())
    }

    /// Waits until the event is set, or is set or pulsed while standing in line. Win32 `WaitForSingleObject`.
    ///
    /// The future does nothing before its first poll. The first poll goes on if the event is set, clearing an
    /// automatic one, or stands in line; it cannot be refused. Whoever sets or pulses decides whom that
    /// releases; the released one tests nothing again, so a reset in between does not hold it back. The
    /// thread's form is [`blocking_wait`](Event::blocking_wait).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future before its release gives up the place and changes nothing. After
    /// the release, and before the poll that would have shown it, the release of an automatic event goes to
    /// the next in line or sets the event again; if the event was reset since, or it was a pulse, only
    /// somebody who stood in line at that time can have it.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::AutoResetEvent;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let event = AutoResetEvent::new(true);
    /// event.wait().await;
    /// assert!(!event.is_set());
    /// # }
    /// ```
    #[inline]
    pub fn wait(&self) -> WaitEvent<'_, K> {
        AwaitEvent::new(self)
    }

    /// [`wait`](Event::wait) that has a handle of its own, for what stores the future or moves it to another
    /// task.
    ///
    /// # Cancel safety
    ///
    /// As `wait`.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualResetEvent;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let wait = ManualResetEvent::new(true).wait_owned(); // the last handle to it
    /// tokio::spawn(wait).await.unwrap();
    /// # }
    /// ```
    #[inline]
    pub fn wait_owned(&self) -> WaitOwnedEvent<K> {
        AwaitEvent::new(self.clone())
    }

    #[inline]
    pub(crate) fn header(&self) -> &Arc<Header<Flag>> {
        &self.header
    }

    /// Whether the event is set; an automatic event is cleared then. Never waits. Win32
    /// `WaitForSingleObject` with a time-out of 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::AutoResetEvent;
    /// let event = AutoResetEvent::new(true);
    /// assert!(event.try_wait());
    /// assert!(!event.try_wait());
    /// ```
    #[must_use]
    #[inline]
    pub fn try_wait(&self) -> bool {
        Wait::new((), 0, Leave::Vacant).now(&self.header).is_some()
    }
}

impl<K: Kind> Clone for Event<K> {
    fn clone(&self) -> Self {
        Self { header: Arc::clone(&self.header), kind: PhantomData }
    }
}

impl<K: Kind> fmt::Debug for Event<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(K::NAME).field("set", &self.is_set()).finish_non_exhaustive()
    }
}

impl<K: Kind> Signals for &Event<K> {
    type Policy = Flag;
    type Error = Infallible;

    #[inline]
    fn header(&self) -> &Arc<Header<Flag>> {
        &self.header
    }

    fn change(&self, state: u64) -> Result<(u64, ()), Infallible> {
        Ok((state | SET, ()))
    }

    fn signaled(self) {}
}
