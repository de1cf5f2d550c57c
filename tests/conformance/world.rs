//! What the actors of a program share, and what each of them is to the others: an owner, a queue of APCs
//! and a thread that may end. An APC performs its operation in here while its actor is polled.

use super::apcs::{Counts, Made};
use super::names::Names;
use super::op::{Call, Op, Wait, When};
use super::play::Mode;
use super::slots::{Answer, Failed, Handle, INVALID_HANDLE, INVALID_PARAMETER, Slots, ok, try_one, word};
use super::time::{Limited, Time};
use super::waits::alertable;
use batons::{ApcHandle, ApcQueue, Due, ManualResetEvent, Owner};
use std::{
    mem,
    sync::{Arc, Mutex as Lock, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

pub(crate) struct World {
    mode: Mode,
    pub(crate) time: Arc<Time>,
    slots: Lock<Slots>,
    threads: Vec<Thread>,
}

/// A thread as others see it.
struct Thread {
    life: Lock<Option<Life>>,
    /// What remains of it.
    calls: ApcHandle,
    ended: ManualResetEvent,
    /// The APCs that ran since its last answer.
    notes: Lock<Vec<String>>,
    counts: Arc<Counts>,
}

/// What a thread has until it ends.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) owner: Arc<Owner>,
    pub(crate) queue: Arc<ApcQueue>,
}

/// An operation that was begun.
pub(crate) enum Begun {
    Done(String),
    Waits(Limited),
}

fn lock<T>(of: &Lock<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Thread {
    fn new() -> Self {
        let queue = ApcQueue::new();
        let calls = queue.handle();
        let life = Life { owner: Arc::default(), queue: Arc::new(queue) };
        Self {
            life: Lock::new(Some(life)),
            calls,
            ended: ManualResetEvent::new(false),
            notes: Lock::default(),
            counts: Arc::default(),
        }
    }

    /// Its calls are dropped, also those that refer to its queue.
    fn end(&self) -> Option<Life> {
        let life = lock(&self.life).take()?;
        drop(life.queue.close());
        Some(life)
    }
}

impl World {
    pub(crate) fn new(actors: usize, mode: Mode, time: &Arc<Time>) -> Arc<Self> {
        let slots = Lock::new(Slots::new(Names::new(time.clock())));
        Arc::new(Self {
            mode,
            time: Arc::clone(time),
            slots,
            threads: (0..actors).map(|_| Thread::new()).collect(),
        })
    }

    pub(crate) fn is_dead(&self, actor: usize) -> bool {
        lock(&self.threads[actor].life).is_none()
    }

    /// An actor's thread, which waits no more, is gone: its calls, what it owns, itself.
    pub(crate) fn end(&self, actor: usize) {
        let thread = &self.threads[actor];
        let Some(Life { owner, queue }) = thread.end() else { return };
        assert!(Arc::into_inner(queue).is_some(), "somebody else keeps a dead actor's calls");
        let owner = Arc::into_inner(owner);
        assert!(owner.is_some(), "somebody else keeps a dead actor's mutexes locked");
        drop(owner);
        thread.ended.set();
    }

    // ===== operations =====

    /// Begins an operation of an actor.
    pub(crate) fn begin(self: &Arc<Self>, actor: usize, op: &Op) -> Begun {
        let life = lock(&self.threads[actor].life).clone();
        let Some(life) = life else { return Begun::Done("dead".to_owned()) };
        let answer = match op {
            Op::Wait { limit, alertable, what } => match self.wait(actor, &life, *limit, *alertable, what) {
                Ok(begun) => return begun,
                Err(failed) => Err(failed),
            },
            Op::Thread(slot, of) => {
                let handle = Handle::Thread(self.threads[*of].ended.clone());
                Ok(lock(&self.slots).put(*slot, handle, None))
            }
            Op::SetTimer { timer, due, period, call } => {
                self.set_timer(actor, *timer, *due, *period, call.as_ref())
            }
            Op::Call(of, call) => self.call(*of, call),
            Op::CallNothing(of) => {
                if self.is_dead(*of) {
                    Err(GEN_FAILURE)
                } else {
                    Ok(ok())
                }
            }
            Op::CallNobody => Err(INVALID_HANDLE),
            op => lock(&self.slots).act(op, &life.owner),
        };
        Begun::Done(word(answer))
    }

    fn wait(
        &self,
        actor: usize,
        life: &Life,
        limit: Option<u64>,
        alerts: bool,
        what: &Wait,
    ) -> Result<Begun, Failed> {
        let slots = lock(&self.slots);
        if let (Wait::One(name), Some(0), false, Mode::Lazy) = (what, limit, alerts, self.mode) {
            return Ok(Begun::Done(try_one(slots.get(*name)?, &life.owner)));
        }
        let waiting = what.of(&slots, life)?;
        let waiting = match what {
            // A drain makes the calls itself.
            Wait::Calls => waiting,
            _ if alerts => alertable(waiting, Arc::clone(&life.queue)),
            _ => waiting,
        };
        let late = if matches!(what, Wait::Sleep) { "ok" } else { "timeout" };
        let (drops, counts) = (self.mode == Mode::Dropping, &self.threads[actor].counts);
        Ok(Begun::Waits(Limited::new(waiting, &self.time, limit, late, drops, counts)))
    }

    fn set_timer(
        self: &Arc<Self>,
        actor: usize,
        timer: Option<usize>,
        due: When,
        period: i64,
        call: Option<&Call>,
    ) -> Answer {
        let period = u64::try_from(period).map_err(|_| INVALID_PARAMETER)?;
        let timer = lock(&self.slots).timer(timer)?;
        let due = match due {
            When::In(time) => Due::after(Duration::from_millis(time)),
            When::Past => Due::at(SystemTime::UNIX_EPOCH),
            When::Never => Due::after(Duration::from_secs(365 * 86_400)),
            When::Max => Due::after(Duration::MAX),
        };
        let period = Some(Duration::from_millis(period));
        let was = match call {
            None => timer.set(due, period),
            Some(call) => {
                let made = Made::new(self, actor, call);
                timer.set_with(due, period, self.threads[actor].calls.routine(move |_| made.at_once()))
            }
        };
        Ok(format!("ok({})", u8::from(was)))
    }

    /// Queues an APC to an actor.
    fn call(self: &Arc<Self>, actor: usize, call: &Call) -> Answer {
        let made = Made::new(self, actor, call);
        let calls = &self.threads[actor].calls;
        let queued = if made.waits() {
            calls.queue_async(made.slowly()).is_ok()
        } else {
            calls.queue(move || made.at_once()).is_ok()
        };
        if queued { Ok(ok()) } else { Err(GEN_FAILURE) }
    }

    // ===== what the APCs of an actor leave =====

    pub(crate) fn counts(&self, actor: usize) -> Arc<Counts> {
        Arc::clone(&self.threads[actor].counts)
    }

    pub(crate) fn note(&self, actor: usize, entry: String) {
        lock(&self.threads[actor].notes).push(entry);
    }

    /// An actor's answer, with the APCs that ran before it.
    pub(crate) fn noted(&self, actor: usize, answer: String) -> String {
        let notes = mem::take(&mut *lock(&self.threads[actor].notes));
        if notes.is_empty() { answer } else { format!("{answer}[{}]", notes.join(",")) }
    }
}

const GEN_FAILURE: Failed = Failed("fail(gen_failure)");

impl Drop for World {
    fn drop(&mut self) {
        for thread in &self.threads {
            thread.end();
        }
    }
}
