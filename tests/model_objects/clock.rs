//! The clock of a run, its timers, and the queues of calls.

use super::naive::BEGIN;
use super::real::{Wait, keep};
use super::words::{Call, Outcome, Setting};
use batons::{Alertable, ApcHandle, ApcQueue, Due, ManualClock, WaitableTimer};
use futures::FutureExt;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

/// The calls that were made and not told yet.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Call>>>);

impl Log {
    fn note(&self, call: Call) {
        self.0.lock().expect("no call panics").push(call);
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().expect("no call panics"))
    }
}

pub(crate) struct Hands {
    clock: ManualClock,
    begin: (Instant, SystemTime),
    pub(crate) queues: &'static [ApcQueue; 2],
    log: Log,
}

fn span(ticks: u64) -> Duration {
    Duration::from_millis(ticks)
}

impl Hands {
    pub(super) fn new() -> Self {
        let clock = ManualClock::new();
        let begin = (clock.now(), clock.clock().wall());
        clock.advance(span(BEGIN));
        Self { clock, begin, queues: keep([ApcQueue::new(), ApcQueue::new()]), log: Log::default() }
    }

    pub(super) fn timer(&self, auto: bool) -> WaitableTimer {
        let clock = self.clock.clock();
        if auto { WaitableTimer::auto_on(&clock) } else { WaitableTimer::manual_on(&clock) }
    }

    pub(crate) fn advance(&self, by: u64) {
        self.clock.advance(span(by));
    }

    pub(crate) fn set(&self, timer: &WaitableTimer, object: usize, setting: Setting) -> bool {
        let Setting { due, date, period, queue } = setting;
        let period = (period > 0).then(|| span(period));
        let (begin, wall) = self.begin;
        let at = begin + span(due);
        let due = match at.checked_duration_since(self.clock.now()) {
            _ if date => Due::at(wall + span(due)),
            // Either way is the same.
            Some(rest) if due % 2 == 0 => Due::after(rest),
            _ => Due::at_instant(at),
        };
        let Some(queue) = queue else { return timer.set(due, period) };
        let log = self.log.clone();
        let routine = self.queues[queue].handle().routine(move |at: Instant| {
            let due = u64::try_from((at - begin).as_millis()).expect("a small number");
            log.note(Call::Expiry { object, due });
        });
        timer.set_with(due, period, routine)
    }

    /// Whether the queue took the call.
    pub(crate) fn queue(&self, queue: usize, call: Call) -> bool {
        queue_call(&self.queues[queue].handle(), self.log.clone(), call)
    }

    /// Calls that were made and not told.
    pub(crate) fn untold(&self) -> Vec<Call> {
        self.log.take()
    }

    pub(super) fn alertable(&self, queue: usize, wait: Wait) -> Wait {
        let log = self.log.clone();
        Box::pin(self.queues[queue].alertable(wait).map(move |answer| match answer {
            Alertable::Done(answer) => answer,
            Alertable::Alerted => (Outcome::Alerted(log.take()), Vec::new()),
        }))
    }
}

fn queue_call(handle: &ApcHandle, log: Log, call: Call) -> bool {
    let queue = handle.clone();
    let made = move || {
        log.note(call);
        if let Call::Plain { number, again: true } = call {
            let call = Call::Plain { number, again: false };
            assert!(queue_call(&queue, log, call), "a closed queue makes no calls");
        }
    };
    handle.queue(made).is_ok()
}
