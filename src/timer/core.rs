//! A timer beside its header: the setting, and the bell that rings for those who wait.
//!
//! Nobody has to drive a timer. Whoever looks at it settles it first: what is due by then signals. Only
//! while somebody waits, or a call is to be made, an alarm is armed, which does no more than look.
//!
//! Locks: the setting's, then the header's. Under the setting's lock nobody is served and nothing foreign runs. The
//! alarm is armed outside of it, since that may ring in the same breath.

use super::{Due, Stamp, Tick, expire, is_armed, start, stop};
use crate::clock::{Alarm, Arming, Clock, Home, Homes, Look, Moment};
use crate::dispatch::{Calls, Header, Routine};
use crate::sync::Lock;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// How far apart an alarm rings at least, if it is always due.
const PATIENCE: Duration = Duration::from_millis(1);

type Call = Arc<dyn Routine<Instant>>;

pub(super) struct Core {
    pub(super) header: Arc<Header<Tick>>,
    clock: Clock,
    setting: Lock<Setting>,
}

/// What the timer is set to.
#[derive(Default)]
struct Setting {
    /// How often it was set or cancelled.
    changes: u64,
    /// What the state shows until the next expiry.
    stamp: Stamp,
    /// The next expiry; `None` if there is none to come.
    due: Option<Moment>,
    /// Zero if it expires once.
    period: Duration,
    routine: Option<Call>,
    /// Absent until somebody waits.
    bell: Option<Box<Bell>>,
}

/// What a setting leaves behind, to be dropped outside every lock.
#[derive(Default)]
struct Old {
    #[allow(dead_code, reason = "what counts is where it is dropped")]
    call: Option<Call>,
    #[allow(dead_code, reason = "what counts is where it is dropped")]
    homes: Option<Homes>,
}

/// Who waits, and who rings for them.
struct Bell {
    /// Futures that were polled and are neither answered nor dropped.
    waiters: usize,
    homes: Homes,
    /// Absent while somebody is arming it.
    alarm: Option<Alarm>,
    /// What the alarm is armed for.
    rings: Option<Moment>,
    busy: bool,
    /// Whether something changed while it was armed.
    again: bool,
    waker: Waker,
}

/// One expiry that has come.
struct Expiry {
    changes: u64,
    stamp: Stamp,
    /// When it was due.
    due: Instant,
    next: Option<Moment>,
}

impl Core {
    pub(super) fn new(auto: bool, clock: Clock) -> Arc<Self> {
        let header = Arc::new(Header::new(Tick { auto }, 0));
        Arc::new(Self { header, clock, setting: Lock::default() })
    }

    // ===== set, cancel =====

    pub(super) fn set(self: &Arc<Self>, due: Due, period: Option<Duration>, routine: Option<Call>) -> bool {
        let (mut look, mut calls) = (self.clock.look(), Calls::default());
        self.settle_by(&mut look, &mut calls);
        let moment = due.moment(&mut look);
        let home = routine.as_ref().map(|_| self.clock.home());
        let (was, old) = {
            let mut setting = self.setting.lock();
            let (was, stamp) = self.header.change(|state| start(state, moment.is_some()));
            let old = setting.replace(routine);
            (setting.stamp, setting.due, setting.period) = (stamp, moment, period.unwrap_or_default());
            let moved = home.and_then(|home| setting.bell(self).welcome(home));
            (was, (old, moved))
        };
        calls.make(|| drop(old));
        // What is due by now signals before this returns, also while somebody else is at the alarm.
        self.settle_by(&mut look, &mut calls);
        self.tend(&mut calls);
        calls.end();
        was
    }

    pub(super) fn cancel(self: &Arc<Self>) -> bool {
        let mut calls = Calls::default();
        self.settle_by(&mut self.clock.look(), &mut calls);
        let (was, old) = {
            let mut setting = self.setting.lock();
            self.stop(&mut setting)
        };
        calls.make(|| drop(old));
        self.tend(&mut calls);
        calls.end();
        was
    }

    /// Stops the setting without touching what is signaled. What comes back is to be dropped outside the lock.
    fn stop(&self, setting: &mut Setting) -> (bool, Old) {
        setting.due = None;
        (self.header.change(stop), setting.replace(None))
    }

    // ===== expiry =====

    /// Lets what is due by now expire.
    pub(super) fn settle(&self) {
        let mut calls = Calls::default();
        self.settle_by(&mut self.clock.look(), &mut calls);
        calls.end();
    }

    /// One look for all: the shortest period is over again before the clock can be read again.
    fn settle_by(&self, look: &mut Look<'_>, calls: &mut Calls) {
        if is_armed(self.header.state()) {
            self.expire_by(look, calls);
        }
    }

    /// The same if the state may be ahead of the setting: an expiry has signaled, and whoever is about to tell the setting so
    /// is still waking those it released, perhaps further up on this very stack.
    fn expire_by(&self, look: &mut Look<'_>, calls: &mut Calls) {
        while let Some(expiry) = self.expired(look, calls) {
            let Expiry { stamp, next, .. } = expiry;
            // Whoever else has seen this expiry may have been faster; and after a new setting, or none, it is refused.
            let signal = |_: &Tick, state| expire(state, stamp, next.is_some());
            let signaled = calls.make(|| self.header.signal(signal, |_, state| state));
            let (call, old) = self.move_on(&expiry, !matches!(signaled, Some(Err(()))));
            if let Some(call) = call {
                calls.make(move || call.alert());
            }
            calls.make(|| drop(old));
            if next.is_none() {
                return;
            }
        }
    }

    /// The expiry that has come by the time of the `look`, and was not told.
    fn expired(&self, look: &mut Look<'_>, calls: &mut Calls) -> Option<Expiry> {
        let mut setting = self.setting.lock();
        let due = setting.due?;
        let late = due.passed(look)?;
        if setting.routine.as_ref().is_some_and(|routine| routine.is_over()) {
            // It goes with the party that was to be called, as in Win32.
            let (_, old) = self.stop(&mut setting);
            drop(setting);
            calls.make(|| drop(old));
            return None;
        }
        // A period is monotonic, whatever the first due time was.
        let told = match due {
            Moment::Monotonic(at) => at,
            Moment::Wall(_) => look.now().checked_sub(late).unwrap_or(look.now()),
        };
        let next = until_next(late, setting.period).and_then(|rest| look.now().checked_add(rest));
        Some(Expiry {
            changes: setting.changes,
            stamp: setting.stamp,
            due: told,
            next: next.map(Moment::Monotonic),
        })
    }

    /// Goes on to the next expiry, and notes the call if this one was `signaled` by the caller. Whom to alert, and what to
    /// drop.
    fn move_on(&self, expiry: &Expiry, signaled: bool) -> (Option<Call>, Old) {
        let mut setting = self.setting.lock();
        if setting.changes != expiry.changes {
            return (None, Old::default());
        }
        if setting.stamp == expiry.stamp {
            (setting.stamp, setting.due) = (expiry.stamp.next(), expiry.next);
        }
        let Some(call) = setting.routine.clone().filter(|_| signaled) else { return (None, Old::default()) };
        if call.post(expiry.due) {
            return (Some(call), Old::default());
        }
        // The setting has it still, and leaves it with the rest.
        drop(call);
        (None, self.stop(&mut setting).1)
    }

    // ===== the bell =====

    /// Somebody begins to wait, or waits on (`first` is false), and is at home here. What is due by then is settled.
    pub(super) fn attend(self: &Arc<Self>, first: bool) {
        let home = self.clock.home();
        // What is left over is dropped outside the lock.
        let _moved = {
            let mut setting = self.setting.lock();
            let bell = setting.bell(self);
            bell.waiters += usize::from(first);
            bell.welcome(home)
        };
        self.tend_now();
    }

    /// Somebody is done with waiting. An alarm goes on if they were answered: most will wait again.
    pub(super) fn unattend(self: &Arc<Self>, answered: bool) {
        // What is left over is dropped outside the lock.
        let (last, _homes) = {
            let mut setting = self.setting.lock();
            let called = setting.routine.is_some();
            let bell = setting.bell(self);
            bell.waiters -= 1;
            let last = bell.waiters == 0;
            (last, (last && !called).then(|| std::mem::take(&mut bell.homes)))
        };
        if last && !answered {
            self.tend_now();
        }
    }

    /// The alarm rang, or it may have to.
    fn ring(self: &Arc<Self>, calls: &mut Calls) {
        if let Some(bell) = &mut self.setting.lock().bell {
            bell.rings = None;
            bell.again = true;
        }
        self.settle_by(&mut self.clock.look(), calls);
        self.tend(calls);
    }

    fn tend_now(self: &Arc<Self>) {
        let mut calls = Calls::default();
        self.tend(&mut calls);
        calls.end();
    }

    /// Arms the alarm as it is needed, or silences it.
    fn tend(self: &Arc<Self>, calls: &mut Calls) {
        let mut patience = Duration::ZERO;
        while let Some(job) = self.begin() {
            let Job { mut alarm, at, home, waker } = job;
            let arming = calls.make(|| alarm.arm(&self.clock, &home, at, patience, &waker));
            self.end(alarm, at, arming == Some(Arming::Rings));
            match arming {
                Some(Arming::Rings) => {}
                Some(Arming::Due) => {
                    self.expire_by(&mut self.clock.look(), calls);
                    patience = PATIENCE;
                }
                None => return,
            }
        }
    }

    /// Takes the alarm out, if it is to be armed anew.
    fn begin(self: &Arc<Self>) -> Option<Job> {
        let mut setting = self.setting.lock();
        let rings_for = setting.rings_for(self.header.policy().is_settled(self.header.state()));
        let bell = setting.bell.as_mut()?;
        if bell.busy {
            bell.again = true;
            return None;
        }
        if bell.rings == rings_for {
            return None;
        }
        bell.rings = None;
        let alarm = bell.alarm.take();
        let Some(at) = rings_for else {
            drop(setting);
            // To drop it takes the locks of whoever rings.
            drop(alarm);
            return None;
        };
        (bell.busy, bell.again) = (true, false);
        let (home, waker) = (bell.homes.common(), bell.waker.clone());
        Some(Job { alarm: alarm.unwrap_or_default(), at, home, waker })
    }

    /// Puts the alarm back.
    fn end(&self, alarm: Alarm, at: Moment, rings: bool) {
        let mut setting = self.setting.lock();
        let Some(bell) = &mut setting.bell else { return };
        bell.busy = false;
        bell.rings = (rings && !bell.again).then_some(at);
        bell.alarm = Some(alarm);
    }
}

#[cfg(test)]
impl Core {
    /// Whether an alarm is armed.
    pub(super) fn is_rung_for(&self) -> bool {
        self.setting.lock().bell.as_ref().is_some_and(|bell| bell.rings.is_some())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let old = self.setting.lock().replace(None);
        drop(old);
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Setting {
    /// Ends the setting for a new one with `routine`: what the old one noted is taken back.
    fn replace(&mut self, routine: Option<Call>) -> Old {
        self.changes += 1;
        let call = std::mem::replace(&mut self.routine, routine);
        if let Some(call) = &call {
            call.withdraw();
        }
        let unused = self.bell.as_mut().filter(|bell| bell.waiters == 0);
        Old { call, homes: unused.map(|bell| std::mem::take(&mut bell.homes)) }
    }

    fn bell(&mut self, core: &Arc<Core>) -> &mut Bell {
        self.bell.get_or_insert_with(|| Box::new(Bell::new(Arc::downgrade(core))))
    }

    /// When somebody has to look at the timer. Nobody if it is `settled`, but for a call to be made.
    fn rings_for(&self, settled: bool) -> Option<Moment> {
        let awaited = !settled && self.bell.as_ref().is_some_and(|bell| bell.waiters > 0);
        self.due.filter(|_| awaited || self.routine.is_some())
    }
}

impl Bell {
    /// Somebody at home here is to be rung for. What was before is to be dropped outside the lock; if something was, the alarm is to
    /// be armed anew.
    fn welcome(&mut self, home: Home) -> Option<Homes> {
        let moved = self.homes.add(home);
        if moved.is_some() {
            self.rings = None;
            self.again = true;
        }
        moved
    }

    fn new(core: Weak<Core>) -> Self {
        Self {
            waiters: 0,
            homes: Homes::None,
            alarm: None,
            rings: None,
            busy: false,
            again: false,
            waker: Waker::from(Arc::new(Ring(core))),
        }
    }
}

/// What the alarm is armed with.
struct Job {
    alarm: Alarm,
    at: Moment,
    home: Home,
    waker: Waker,
}

/// Whom the alarm wakes: the timer itself.
struct Ring(Weak<Core>);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(core) = self.0.upgrade() {
            // A waiter's waker that panics is the waiter's fault, and must not end the thread that rings for all; no more must
            // a call that goes with its timer, if the last handle went meanwhile.
            let mut calls = Calls::default();
            core.ring(&mut calls);
            calls.make(|| drop(core));
            calls.end_quietly();
        }
    }
}

/// From now to the next expiry, if the last one was due `late` ago. Missed ones are passed over, and the phase is kept.
fn until_next(late: Duration, period: Duration) -> Option<Duration> {
    if period.is_zero() {
        return None;
    }
    let past = late.as_nanos() % period.as_nanos();
    let (seconds, nanos) = (past / 1_000_000_000, past % 1_000_000_000);
    // Both fit, since a period has them.
    period.checked_sub(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?))
}
