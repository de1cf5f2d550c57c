//! One alarm: it wakes a waker at a moment, by whatever rings in that place.

use super::home::Home;
use super::manual::{Entry, Watching};
use super::wall::{self, Watch};
use super::{Clock, Look, Moment, Source};
use futures_timer::Delay;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
#[cfg(feature = "tokio")]
use std::time::Instant;

/// How long an alarm sleeps at most. What is due later is looked at again.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How often a wall clock is looked at that does not tell when it is set.
const GLANCE: Duration = Duration::from_secs(1);

/// How an alarm fared that was armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arming {
    /// It will wake its waker, at the moment or before.
    Rings,
    /// The moment is past.
    Due,
}

/// One alarm. It is silent until it is armed, and when it is dropped.
#[derive(Default)]
pub(crate) struct Alarm {
    bell: Bell,
    watch: Sight,
}

/// Who rings.
#[derive(Default)]
enum Bell {
    #[default]
    Nobody,
    #[allow(dead_code, reason = "rings as long as it lives")]
    Manual(Entry),
    #[cfg(feature = "tokio")]
    Runtime(Sleeping),
    /// The one thread of the process that rings.
    Thread(Delay),
}

/// Who tells that the wall clock was set.
#[derive(Default)]
enum Sight {
    #[default]
    Blind,
    #[allow(dead_code, reason = "watches as long as it lives")]
    Manual(Watching),
    #[allow(dead_code, reason = "watches as long as it lives")]
    System(Watch),
}

impl Alarm {
    /// Arms the alarm for `at` and nothing else, not before `patience` has passed. `waker` may be woken within the call, and
    /// must not be foreign.
    pub(crate) fn arm(
        &mut self,
        clock: &Clock,
        home: &Home,
        at: Moment,
        patience: Duration,
        waker: &Waker,
    ) -> Arming {
        // Before the clock is read: a step that comes after the reading is told.
        self.look(clock, at, waker);
        let mut look = clock.look();
        match &clock.0 {
            Source::Manual(hands) => {
                let deadline = match at {
                    Moment::Monotonic(at) => Some(at),
                    Moment::Wall(_) => look.now().checked_add(at.remaining(&mut look)),
                };
                self.bell = Bell::Nobody;
                match deadline.map(|deadline| hands.enter(deadline, waker.clone())) {
                    Some(Ok(entry)) => self.bell = Bell::Manual(entry),
                    Some(Err(due)) => return due,
                    None => {}
                }
                Arming::Rings
            }
            Source::System => {
                #[cfg(feature = "tokio")]
                if let Home::Runtime(runtime) = home {
                    let deadline = match at {
                        // The runtime knows how late it is. It rounds up, and panics at the end of its range.
                        Moment::Monotonic(at) if patience.is_zero() => at.checked_add(GLANCE).and(Some(at)),
                        _ => look.now().checked_add(self.stretch(at, &mut look).max(patience)),
                    };
                    if let Some(arming) = deadline.and_then(|at| self.ring_in(runtime, at, waker)) {
                        return arming;
                    }
                }
                let _ = home;
                if patience.is_zero() && at.passed(&mut look).is_some() {
                    return Arming::Due;
                }
                let sleep = self.stretch(at, &mut look).max(patience);
                self.ring_after(sleep, waker)
            }
        }
    }

    /// Watches the wall clock exactly if the moment is one of its.
    fn look(&mut self, clock: &Clock, at: Moment, waker: &Waker) {
        match (at, &clock.0, &self.watch) {
            (Moment::Monotonic(_), ..) => self.watch = Sight::Blind,
            (Moment::Wall(_), Source::Manual(hands), Sight::Blind) => {
                self.watch = Sight::Manual(hands.watch(waker.clone()));
            }
            (Moment::Wall(_), Source::System, Sight::Blind) => {
                self.watch = wall::watch(waker).map_or(Sight::Blind, Sight::System);
            }
            (Moment::Wall(_), ..) => {}
        }
    }

    /// How long to sleep at once.
    fn stretch(&self, at: Moment, look: &mut Look<'_>) -> Duration {
        let remaining = at.remaining(look);
        let stretch = match (at, &self.watch) {
            (Moment::Wall(_), Sight::Blind) => remaining.min(GLANCE),
            // A wall clock that is slewed runs fast or slow by 0.05 % at most. Near the end it is hit exactly.
            (Moment::Wall(_), _) if remaining > GLANCE => remaining.saturating_sub(remaining / 512),
            (Moment::Wall(_) | Moment::Monotonic(_), _) => remaining,
        };
        stretch.min(LONGEST)
    }

    /// Lets `runtime` ring; `None` if it cannot.
    #[cfg(feature = "tokio")]
    fn ring_in(&mut self, runtime: &tokio::runtime::Handle, at: Instant, waker: &Waker) -> Option<Arming> {
        let kept = match std::mem::take(&mut self.bell) {
            Bell::Runtime(sleeping) => Some(sleeping),
            _ => None,
        };
        let (sleeping, arming) = Sleeping::until(kept, runtime, at, waker)?;
        self.bell = Bell::Runtime(sleeping);
        Some(arming)
    }

    /// Lets the thread of the process ring.
    fn ring_after(&mut self, sleep: Duration, waker: &Waker) -> Arming {
        let mut delay = match std::mem::take(&mut self.bell) {
            Bell::Thread(mut delay) => {
                delay.reset(sleep);
                delay
            }
            _ => Delay::new(sleep),
        };
        let arming = ringing(Pin::new(&mut delay).poll(&mut Context::from_waker(waker)));
        self.bell = Bell::Thread(delay);
        arming
    }
}

fn ringing(polled: Poll<()>) -> Arming {
    if polled.is_ready() { Arming::Due } else { Arming::Rings }
}

// ===== a runtime's sleep =====

#[cfg(feature = "tokio")]
use runtime::Sleeping;

#[cfg(feature = "tokio")]
mod runtime {
    use super::{Arming, ringing};
    use std::cell::Cell;
    use std::future::Future;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::task::{Context, Waker};
    use std::time::Instant;
    use tokio::runtime::{Handle, Id};
    use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

    thread_local! {
        /// The last runtime that could not ring. To find out costs a panic, caught but told by the panic hook.
        static TIMELESS: Cell<Option<Id>> = const { Cell::new(None) };
    }

    /// A sleep, and whose it is.
    pub(super) struct Sleeping {
        home: Id,
        sleep: Pin<Box<Sleep>>,
    }

    impl Sleeping {
        /// Sleeps until `deadline`, by `kept` if it is of that runtime. `None` if the runtime cannot ring: it keeps no time
        /// or is shutting down.
        pub(super) fn until(
            kept: Option<Self>,
            runtime: &Handle,
            deadline: Instant,
            waker: &Waker,
        ) -> Option<(Self, Arming)> {
            let home = runtime.id();
            let timeless = |last: Option<Id>| last == Some(home);
            if TIMELESS.try_with(Cell::get).is_ok_and(timeless) {
                return None;
            }
            // tokio has no other way to ask whether a runtime keeps time. With `panic = "abort"` this ends the program.
            let slept = catch_unwind(AssertUnwindSafe(|| Self::try_until(kept, runtime, deadline, waker)));
            slept.unwrap_or_else(|_| {
                let _ = TIMELESS.try_with(|last| last.set(Some(home)));
                None
            })
        }

        fn try_until(
            kept: Option<Self>,
            runtime: &Handle,
            deadline: Instant,
            waker: &Waker,
        ) -> Option<(Self, Arming)> {
            let (home, deadline) = (runtime.id(), TokioInstant::from_std(deadline));
            let kept = kept.filter(|kept| kept.home == home).map(|kept| kept.sleep);
            let mut sleep = kept.unwrap_or_else(|| {
                let _context = runtime.enter();
                Box::pin(sleep_until(deadline))
            });
            sleep.as_mut().reset(deadline);
            if sleep.is_elapsed() {
                // Over before its time, as all sleeps are of a runtime that is shutting down; to poll it would panic.
                let over = TokioInstant::now() < deadline;
                return if over { None } else { Some((Self { home, sleep }, Arming::Due)) };
            }
            // The waker is not the task's, so the task's budget is not the limit.
            let mut polled = tokio::task::unconstrained(sleep.as_mut());
            let arming = ringing(Pin::new(&mut polled).poll(&mut Context::from_waker(waker)));
            Some((Self { home, sleep }, arming))
        }
    }
}
