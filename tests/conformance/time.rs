//! The time of a program, and waits that it ends.

use super::apcs::Counts;
use super::waits::Waiting;
use batons::{Clock, ManualClock, blocking};
use std::{
    collections::BTreeMap,
    future::Future,
    mem,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    sync::{Arc, Mutex as Lock, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::runtime::{self, Runtime};

/// How far time goes on at once, in milliseconds: what is due at different times is due at different ticks.
pub(crate) const TICK: u64 = 10;

/// The time, in milliseconds from the beginning of the program, and whom to wake when.
#[derive(Debug)]
pub(crate) struct Time {
    now: AtomicU64,
    hands: Hands,
    alarms: Lock<BTreeMap<Alarm, Waker>>,
    entered: AtomicU64,
}

/// What turns the clock by which the timers run.
#[derive(Debug)]
enum Hands {
    Manual(ManualClock),
    /// A runtime whose time is paused.
    Paused(Runtime),
}

/// When, and whose.
type Alarm = (u64, u64);

impl Time {
    /// A time that begins, by the clock of a runtime if it is `paused`.
    pub(crate) fn new(paused: bool) -> Self {
        let hands = if paused {
            let mut runtime = runtime::Builder::new_current_thread();
            Hands::Paused(runtime.enable_time().start_paused(true).build().expect("a runtime with time"))
        } else {
            Hands::Manual(ManualClock::new())
        };
        Self { now: AtomicU64::new(0), hands, alarms: Lock::default(), entered: AtomicU64::new(0) }
    }

    pub(crate) fn clock(&self) -> Clock {
        match &self.hands {
            Hands::Manual(clock) => clock.clock(),
            Hands::Paused(_) => Clock::system(),
        }
    }

    /// Where its clock is to be seen.
    pub(crate) fn enter(&self) -> Option<runtime::EnterGuard<'_>> {
        match &self.hands {
            Hands::Manual(_) => None,
            Hands::Paused(runtime) => Some(runtime.enter()),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }

    /// Goes on to the next tick, at which timers expire.
    pub(crate) fn go_on(&self) {
        self.now.fetch_add(TICK, SeqCst);
        let tick = Duration::from_millis(TICK);
        match &self.hands {
            Hands::Manual(clock) => clock.advance(tick),
            Hands::Paused(runtime) => runtime.block_on(tokio::time::advance(tick)),
        }
    }

    /// Wakes those whose deadline is over.
    pub(crate) fn ring(&self) {
        let due = {
            let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
            let later = alarms.split_off(&(self.now() + 1, 0));
            mem::replace(&mut *alarms, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    fn set(&self, alarm: Alarm, waker: Option<&Waker>) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        match waker {
            Some(waker) => drop(alarms.insert(alarm, waker.clone())),
            None => drop(alarms.remove(&alarm)),
        }
    }
}

/// A wait with a deadline, if it has one.
pub(crate) struct Limited {
    waiting: Waiting,
    time: Arc<Time>,
    alarm: Option<Alarm>,
    /// The answer when the time is over.
    late: &'static str,
    /// Whether the deadline is a poll and a drop, instead of the crate's own last call.
    drops: bool,
    /// The actor's calls, and how many of them it was in when it began to wait.
    calls: Arc<Counts>,
    outside: usize,
    /// Whether the deadline ended it.
    pub(crate) expired: bool,
}

impl Limited {
    pub(crate) fn new(
        waiting: Waiting,
        time: &Arc<Time>,
        limit: Option<u64>,
        late: &'static str,
        drops: bool,
        calls: &Arc<Counts>,
    ) -> Self {
        let alarm = limit.map(|limit| (time.now() + limit, time.entered.fetch_add(1, SeqCst)));
        let (calls, outside) = (Arc::clone(calls), calls.inside.load(SeqCst));
        Self { waiting, time: Arc::clone(time), alarm, late, drops, calls, outside, expired: false }
    }

    /// Whether it is making calls. That ends it, and no deadline does.
    fn is_alerted(&self) -> bool {
        self.calls.inside.load(SeqCst) > self.outside
    }

    fn is_over(&self) -> bool {
        !self.is_alerted() && self.alarm.is_some_and(|(deadline, _)| deadline <= self.time.now())
    }

    fn last_poll(&mut self, cx: &mut Context<'_>) -> Option<String> {
        // A last call leaves a call that waits to the next wait, where Win32 is in it for as long as it takes.
        if self.drops || self.calls.slow.load(SeqCst) > 0 {
            if let Poll::Ready(answer) = self.waiting.as_mut().poll(cx) {
                return Some(answer);
            }
        }
        if self.drops || self.is_alerted() {
            return None;
        }
        blocking::wait_timeout(self.waiting.as_mut(), Duration::ZERO).ok()
    }
}

impl Future for Limited {
    type Output = String;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<String> {
        let this = &mut *self;
        if this.is_over() {
            let answer = this.last_poll(cx);
            if answer.is_some() || !this.is_alerted() {
                this.expired = answer.is_none();
                return Poll::Ready(answer.unwrap_or_else(|| this.late.to_owned()));
            }
            // It has begun a call that waits.
        }
        let answer = this.waiting.as_mut().poll(cx);
        if let Some(alarm) = this.alarm {
            let waits = answer.is_pending() && !this.is_alerted();
            this.time.set(alarm, waits.then_some(cx.waker()));
        }
        answer
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm {
            self.time.set(alarm, None);
        }
    }
}
