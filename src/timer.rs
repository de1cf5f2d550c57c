//! Waitable timers: a flag that time sets.
//!
//! The states are those of an event; the [`Policy`] of the file is the code of this table.
//!
//! | state | `wait`                              | expiry                                    | `set` | `cancel` |
//! |-------|-------------------------------------|-------------------------------------------|-------|----------|
//! | unset | stands in line                      | manual: set, all in line are released; automatic: the first in line is released, or set if there is none | unset | unset |
//! | set   | manual: at once; automatic: at once, then unset | set                           | unset | set      |
//!
//! An expiry carries the stamp of its setting and how many came before; one that the state has
//! left behind is refused. So it happens once, whoever notices it, and never after `set` or `cancel`.
//!
//! A release that its waiter never saw: a manual timer is left as it is. An automatic timer's goes to the next in
//! line, or sets the timer; but if the timer was set again since, it is gone.

mod core;
mod due;
#[cfg(test)]
mod tests;
mod wait;

pub use due::Due;
pub use wait::WaitTimer;

use self::core::Core;
use crate::clock::Clock;
use crate::dispatch::{Leave, Offer, Policy, Routine, Verdict, Wait};
use std::convert::Infallible;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

// ===== policy: pure, knows no waiter and no clock =====

/// The rules of a timer.
#[derive(Debug)]
pub struct Tick {
    auto: bool,
}

/// A state: bit 0 set, bit 1 if an expiry is to come, 30 bits how many came since the timer was set, and above them how often it was
/// set. Both counts may wrap: an expiry is told within few of either.
const SET: u64 = 1;
const ARMED: u64 = 2;
const TICK: u64 = 4;
const SETTING: u64 = 1 << 32;
const SETTINGS: u64 = (1 << 31) - 1;

/// Which expiry comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    setting: u64,
    tick: u64,
}

impl Stamp {
    fn of(state: u64) -> Self {
        Self { setting: state / SETTING, tick: state % SETTING / TICK }
    }

    /// That of the expiry after it.
    fn next(self) -> Self {
        Self { tick: (self.tick + 1) % (SETTING / TICK), ..self }
    }

    fn state(self) -> u64 {
        self.setting * SETTING + self.tick * TICK
    }
}

impl Policy for Tick {
    type Request = ();
    /// The setting that released.
    type Grant = u64;
    type Refusal = Infallible;

    fn judge(&self, state: u64, (): (), _: u64) -> Verdict<u64, Infallible> {
        if !is_set(state) {
            return Verdict::Queue;
        }
        Verdict::Take(if self.auto { state & !SET } else { state }, Stamp::of(state).setting)
    }

    fn give_back(&self, state: u64, (): (), setting: u64) -> Offer {
        // An expiry before the last `set` signals nobody any more, also not by way of one who is gone.
        if self.auto && setting == Stamp::of(state).setting {
            Offer::Anybody(state | SET)
        } else {
            Offer::Nothing
        }
    }
}

impl Tick {
    /// Whether nothing changes but by a new setting.
    fn is_settled(&self, state: u64) -> bool {
        !self.auto && is_set(state)
    }
}

fn is_set(state: u64) -> bool {
    state & SET != 0
}

/// Whether an expiry may be to come.
fn is_armed(state: u64) -> bool {
    state & ARMED != 0
}

/// The state by a new setting, whether it was set before, and the stamp of the first expiry.
fn start(state: u64, armed: bool) -> (u64, (bool, Stamp)) {
    let stamp = Stamp { setting: (Stamp::of(state).setting + 1) & SETTINGS, tick: 0 };
    (stamp.state() | if armed { ARMED } else { 0 }, (is_set(state), stamp))
}

/// The state after a cancel, and whether it was set before.
fn stop(state: u64) -> (u64, bool) {
    (state & !ARMED, is_set(state))
}

/// The state after the expiry of `stamp`; refused if that is not the next to come.
fn expire(state: u64, stamp: Stamp, repeats: bool) -> Result<(u64, ()), ()> {
    if !is_armed(state) || Stamp::of(state) != stamp {
        return Err(());
    }
    Ok((stamp.next().state() | SET | if repeats { ARMED } else { 0 }, ()))
}

// ===== the object =====

/// A flag that time sets: once or every period, for one waiter or for all. Win32 `CreateWaitableTimer`.
///
/// A timer made by [`auto`](WaitableTimer::auto) releases one waiter per expiry, as an
/// [`AutoResetEvent`](crate::AutoResetEvent) does; one made by [`manual`](WaitableTimer::manual) stays set
/// until it is [set](WaitableTimer::set) again, as a [`ManualResetEvent`](crate::ManualResetEvent) does; there is no reset.
///
/// Clones are handles to one timer. A wait borrows a handle and so keeps its timer alive; a timer whose last handle is
/// gone is cancelled.
///
/// # Time
///
/// Due times and periods run on the monotonic clock, but for [`Due::at`]. A timer never expires early. Late it is by what its waiters'
/// runtime, or else the operating system, is late; tokio's granularity is a millisecond.
///
/// A timer costs no task and no thread. As long as nobody waits for it and it has no completion call nothing happens at
/// its due time; whoever looks next finds it set. While somebody waits, tokio's timer rings in the waiter's runtime
/// (feature `tokio`); for threads, other executors, waiters from several runtimes and runtimes without time, one thread of the process rings. It is
/// started when it is first needed. A runtime that is shut down hands its ringing on to that thread. A current-thread
/// runtime that is entered and not run rings for nobody, as its own sleeps show; the blocking forms do not depend on it.
///
/// Whether a runtime keeps time tokio tells only by a panic, which is caught. In a program built with `panic = "abort"`
/// it cannot be: a task that waits there in a runtime without time ends the program, as a sleep of tokio's would. Call
/// `enable_time` on its builder, or wait by the blocking forms.
///
/// # Order
///
/// Waiters are released in the order of their first poll, tasks and threads in one line; a newcomer never overtakes.
///
/// # Memory ordering
///
/// What was done before a [`set`](WaitableTimer::set) is visible to whoever its expiry releases.
///
/// # Examples
///
/// ```
/// use batons::{Due, WaitableTimer};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let timer = WaitableTimer::auto();
/// timer.set(Due::after(Duration::from_secs(1)), Some(Duration::from_secs(60)));
/// timer.wait().await; // after a second
/// timer.wait().await; // after 61
/// timer.cancel();
/// # }
/// ```
#[derive(Clone)]
pub struct WaitableTimer {
    core: Arc<Core>,
}

impl WaitableTimer {
    /// A timer that stays set until it is set again, and is neither set nor running. Win32 `CreateWaitableTimer` with manual reset, a
    /// notification timer.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::manual();
    /// timer.set(Due::after(Duration::ZERO), None);
    /// assert!(timer.try_wait() && timer.try_wait());
    /// ```
    #[must_use]
    pub fn manual() -> Self {
        Self::manual_on(&Clock::system())
    }

    /// A timer each expiry of which one waiter takes, and that is neither set nor running. Win32 `CreateWaitableTimer` without manual reset, a
    /// synchronization timer.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::after(Duration::ZERO), None);
    /// assert!(timer.try_wait());
    /// assert!(!timer.try_wait());
    /// ```
    #[must_use]
    pub fn auto() -> Self {
        Self::auto_on(&Clock::system())
    }

    /// [`manual`](WaitableTimer::manual) by another clock.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, ManualClock, WaitableTimer};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let timer = WaitableTimer::manual_on(&clock.clock());
    /// timer.set(Due::after(Duration::from_secs(1)), None);
    /// clock.advance(Duration::from_secs(1));
    /// assert!(timer.is_set());
    /// ```
    #[must_use]
    pub fn manual_on(clock: &Clock) -> Self {
        Self { core: Core::new(false, clock.clone()) }
    }

    /// [`auto`](WaitableTimer::auto) by another clock.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, ManualClock, WaitableTimer};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let timer = WaitableTimer::auto_on(&clock.clock());
    /// timer.set(Due::after(Duration::from_secs(1)), None);
    /// clock.advance(Duration::from_secs(1));
    /// assert!(timer.try_wait() && !timer.is_set());
    /// ```
    #[must_use]
    pub fn auto_on(clock: &Clock) -> Self {
        Self { core: Core::new(true, clock.clone()) }
    }

    /// Stops the timer, clears it and sets it to expire at `due` and, with a period, every `period` after that; returns whether it was
    /// set before. Win32 `SetWaitableTimer`.
    ///
    /// Once it has returned the old setting can never signal, and a release by it that its waiter never saw is gone. Whoever waits waits
    /// on, for the new setting. A due time that has passed signals before this returns.
    ///
    /// The phase is kept: an expiry is due at `due` and a whole number of periods, however late the ones before were noticed.
    /// Expiries that nobody took are one, since a timer is a flag. The period is monotonic also after [`Due::at`]. A period
    /// of zero is none, as in Win32, where it is in milliseconds; any other is kept to the nanosecond, but who waits is woken at most once a
    /// millisecond. A time beyond the range of the clock never comes.
    ///
    /// That an automatic timer is cleared is the kernel's rule; Wine leaves it set. The state before is what the kernel
    /// tells and `SetWaitableTimer` does not. There is no tolerable delay, and nothing wakes a machine that sleeps.
    ///
    /// # Panics
    ///
    /// Only if a waker does, or a completion call in its drop, or if the thread that rings cannot be started; the timer has been set
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, ManualClock, WaitableTimer};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let timer = WaitableTimer::manual_on(&clock.clock());
    /// assert!(!timer.set(Due::after(Duration::from_secs(1)), None));
    /// clock.advance(Duration::from_secs(2));
    /// assert!(timer.set(Due::after(Duration::from_secs(1)), None));
    /// assert!(!timer.is_set());
    /// ```
    #[allow(clippy::must_use_candidate)] // the state before is of use to some
    pub fn set(&self, due: Due, period: Option<Duration>) -> bool {
        self.core.set(due, period, None)
    }

    /// [`set`](WaitableTimer::set) with a completion call: `routine` is queued at each expiry and told when that was due. Win32
    /// `SetWaitableTimer` with a completion routine.
    ///
    /// The routine is an [`ApcRoutine<Instant>`](crate::ApcRoutine), made by [`ApcHandle::routine`](crate::ApcHandle::routine) of the
    /// queue of the task or thread that is to make the call.
    ///
    /// The expiry signals first and queues then, so that an alertable wait for this very timer is answered and the call
    /// stays queued; that is the kernel's order, and not Wine's. A call that is queued and not yet made is not queued again.
    /// Setting the timer again, cancelling it, or dropping its last handle takes a call back that was queued and not begun. If at an expiry
    /// nobody will ever make the call, the timer is cancelled and its state stays, as when a Win32 thread ends. A release given back
    /// queues nothing.
    ///
    /// The timer keeps the routine until it is set again or cancelled, also after its last expiry. So a routine that has a handle to its own
    /// timer, to set it again, keeps that timer: [`cancel`](WaitableTimer::cancel) it when it is done with.
    ///
    /// The runtime in which this is called rings, or where there is none the thread of the process.
    ///
    /// # Panics
    ///
    /// As [`set`](WaitableTimer::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{Alertable, ApcQueue, Due, WaitableTimer};
    /// use std::time::{Duration, Instant};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let (queue, timer) = (ApcQueue::new(), WaitableTimer::auto());
    /// let tick = queue.handle().routine(|due: Instant| println!("due at {due:?}"));
    /// timer.set_with(Due::after(Duration::from_secs(1)), Some(Duration::from_secs(60)), tick);
    /// for _ in 0..3 {
    ///     // The call is made in here.
    ///     assert_eq!(queue.alertable(std::future::pending::<()>()).await, Alertable::Alerted);
    /// }
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate)] // as `set`
    pub fn set_with<R: Routine<Instant>>(&self, due: Due, period: Option<Duration>, routine: R) -> bool {
        self.core.set(due, period, Some(Arc::new(routine)))
    }

    /// Stops the timer and returns whether it is set. Win32 `CancelWaitableTimer`.
    ///
    /// The state stays as it is, and whoever waits waits on until the timer is set again. Once it has returned the setting
    /// can never signal. An expiry that was due by then has signaled.
    ///
    /// # Panics
    ///
    /// Only if a waker does, or a completion call in its drop; the timer has been cancelled then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, ManualClock, WaitableTimer};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let timer = WaitableTimer::manual_on(&clock.clock());
    /// timer.set(Due::after(Duration::from_secs(1)), None);
    /// timer.cancel();
    /// clock.advance(Duration::from_secs(2));
    /// assert!(!timer.is_set());
    /// ```
    #[allow(clippy::must_use_candidate)] // as `set`
    pub fn cancel(&self) -> bool {
        self.core.cancel()
    }

    /// Whether the timer is set. Stale as soon as it is read: report it, do not act on it.
    ///
    /// An expiry that is due and was not noticed happens now, and releases who waits.
    ///
    /// # Panics
    ///
    /// Only if the waker of somebody released does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::after(Duration::ZERO), None);
    /// assert!(timer.is_set() && timer.is_set()); // looking takes nothing
    /// ```
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.core.settle();
        is_set(self.core.header.state())
    }

    /// Waits until the timer is set, or expires while standing in line. Win32 `WaitForSingleObject`.
    ///
    /// The future does nothing before its first poll. The first poll goes on if the timer is set, clearing an
    /// automatic one, or stands in line; it cannot be refused. It may be polled in any runtime or in none. The
    /// thread's form is [`blocking_wait`](WaitableTimer::blocking_wait).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future before its release gives up the place and changes nothing. After
    /// the release, and before the poll that would have shown it, the release of an automatic timer goes to
    /// the next in line or sets the timer again; if the timer was set since, it is gone. A cancel since
    /// does not matter.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered, if no thread can be started where one must
    /// ring, or if the waker of another does that is released by an expiry noticed here.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{Due, WaitableTimer};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let timer = WaitableTimer::manual();
    /// timer.set(Due::after(Duration::from_secs(3600)), None);
    /// timer.wait().await; // tokio's paused clock goes on by itself
    /// assert!(timer.is_set());
    /// # }
    /// ```
    pub fn wait(&self) -> WaitTimer<'_> {
        WaitTimer::new(self)
    }

    /// Whether the timer is set; an automatic timer is cleared then. Never waits. Win32
    /// `WaitForSingleObject` with a time-out of 0.
    ///
    /// # Panics
    ///
    /// As [`is_set`](WaitableTimer::is_set).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::auto();
    /// assert!(!timer.try_wait());
    /// timer.set(Due::after(Duration::ZERO), None);
    /// assert!(timer.try_wait());
    /// ```
    #[must_use]
    pub fn try_wait(&self) -> bool {
        self.core.settle();
        Wait::new((), 0, Leave::Vacant).now(&self.core.header).is_some()
    }
}

impl fmt::Debug for WaitableTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not settled: that would signal.
        let header = &self.core.header;
        f.debug_struct("WaitableTimer")
            .field("auto", &header.policy().auto)
            .field("set", &is_set(header.state()))
            .finish_non_exhaustive()
    }
}
