//! The clock of the model, its timers, and the queues of calls.

use super::naive::Model;
use super::things::{Thing, Verdict};
use super::words::{Call, Setting, Want};

/// Calls for one party at a time.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) calls: Vec<Call>,
    pub(crate) closed: bool,
}

impl Queue {
    /// Makes all calls, and what they queue meanwhile.
    pub(super) fn make(&mut self) -> Vec<Call> {
        let mut made = Vec::new();
        while !self.calls.is_empty() {
            let call = self.calls.remove(0);
            if let Call::Plain { number, again: true } = call {
                self.calls.push(Call::Plain { number, again: false });
            }
            made.push(call);
        }
        made
    }
}

impl Model {
    // ===== calls =====

    /// Queues a call, unless the queue is closed; tells which.
    pub(crate) fn queue(&mut self, queue: usize, again: bool) -> Option<Call> {
        if self.queues[queue].closed {
            return None;
        }
        self.numbers += 1;
        let call = Call::Plain { number: self.numbers, again };
        self.queues[queue].calls.push(call);
        self.alert(queue);
        Some(call)
    }

    /// How many calls were not made.
    pub(crate) fn close_queue(&mut self, queue: usize) -> usize {
        self.queues[queue].closed = true;
        std::mem::take(&mut self.queues[queue].calls).len()
    }

    /// Whether the call is for that timer.
    fn is_of(object: usize, call: &Call) -> bool {
        matches!(call, Call::Expiry { object: of, .. } if *of == object)
    }

    /// The timer's call is taken back.
    fn withdraw(&mut self, object: usize) {
        for queue in &mut self.queues {
            queue.calls.retain(|call| !Self::is_of(object, call));
        }
    }

    // ===== timers =====

    /// Lets time pass, from one expiry to the next.
    pub(crate) fn advance(&mut self, by: u64) {
        let goal = self.time + by;
        loop {
            let due = |(object, thing): (usize, &Thing)| match thing {
                Thing::Timer { setting: Some(setting), .. } => Some((setting.due, object)),
                _ => None,
            };
            let first = self.things.iter().enumerate().filter_map(due).min();
            let Some((due, object)) = first.filter(|(due, _)| *due <= goal) else { break };
            self.time = due;
            self.expire(object);
        }
        self.time = goal;
    }

    /// What is due by now; several expiries are one.
    fn expire(&mut self, object: usize) {
        let Thing::Timer { set, setting, .. } = &mut self.things[object] else { unreachable!() };
        let Setting { due, period, queue, .. } = setting.take().expect("something is due");
        if queue.is_some_and(|queue| self.queues[queue].closed) {
            // It goes with the queue, and its state stays.
            return;
        }
        let mut next = due;
        while next <= self.time && period > 0 {
            next += period;
        }
        *setting = (period > 0).then_some(Setting { due: next, date: false, period, queue });
        *set = true;
        self.serve(object);
        let Some(queue) = queue else { return };
        if !self.queues[queue].calls.iter().any(|call| Self::is_of(object, call)) {
            self.queues[queue].calls.push(Call::Expiry { object, due });
        }
        self.alert(queue);
    }

    /// Whether it was set before.
    pub(crate) fn set_timer(&mut self, object: usize, mut anew: Setting) -> bool {
        if anew.date {
            anew.due = anew.due.max(self.time);
        }
        let was = self.cancel(object);
        let now = self.time;
        let Thing::Timer { set, sets, setting, .. } = &mut self.things[object] else { unreachable!() };
        (*set, *setting) = (false, Some(anew));
        *sets += 1;
        if anew.due <= now {
            self.expire(object);
        }
        was
    }

    /// Whether it is set.
    pub(crate) fn cancel(&mut self, object: usize) -> bool {
        self.withdraw(object);
        let Thing::Timer { set, setting, .. } = &mut self.things[object] else { unreachable!() };
        *setting = None;
        *set
    }

    /// A wait that does not wait.
    pub(crate) fn try_wait(&mut self, object: usize) -> bool {
        let now = self.ask(Want { object, what: 0 }) == Verdict::Take;
        if now {
            self.things[object].take(0);
        }
        now
    }
}
