//! The handles of a program, and what is done with them at once.

use super::parse::{Name, Op};
use batons::{
    AcquireError, AutoResetEvent, ManualResetEvent, Mutex, Owner, ReleaseError, Semaphore, TryAcquireError,
};
use std::panic::catch_unwind;

/// A handle of any kind.
#[derive(Debug, Clone)]
pub(crate) enum Handle {
    Manual(ManualResetEvent),
    Auto(AutoResetEvent),
    Semaphore(Semaphore),
    Mutex(Mutex),
}

/// Why an operation failed, as the traces call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed(&'static str);

/// There is no such handle, or none of this kind.
pub(crate) const INVALID_HANDLE: Failed = Failed("fail(invalid_handle)");
pub(crate) const INVALID_PARAMETER: Failed = Failed("fail(invalid_parameter)");
pub(crate) const NOT_OWNER: Failed = Failed("fail(not_owner)");

impl From<ReleaseError> for Failed {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::Zero => INVALID_PARAMETER,
            ReleaseError::OverMaximum { .. } => Self("fail(too_many_posts)"),
            other => panic!("an unknown refusal: {other}"),
        }
    }
}

impl From<batons::NotOwner> for Failed {
    fn from(_: batons::NotOwner) -> Self {
        NOT_OWNER
    }
}

impl From<std::convert::Infallible> for Failed {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

pub(crate) type Answer = Result<String, Failed>;

/// An answer in the words of the traces.
pub(crate) fn word(answer: Answer) -> String {
    answer.unwrap_or_else(|Failed(word)| word.to_owned())
}

fn ok() -> String {
    "ok".to_owned()
}

/// The handle variables of a program.
#[derive(Debug)]
pub(crate) struct Slots(Vec<Option<Handle>>);

impl Slots {
    pub(crate) fn new() -> Self {
        Self(vec![None; 128])
    }

    pub(crate) fn get(&self, name: Name) -> Result<&Handle, Failed> {
        name.and_then(|slot| self.0[slot].as_ref()).ok_or(INVALID_HANDLE)
    }

    /// The handles of a list for a wait: a bad number of them comes before a bad one among them.
    pub(crate) fn list(&self, names: &[Name]) -> Result<Vec<Handle>, Failed> {
        if names.len() > 64 {
            return Err(INVALID_PARAMETER);
        }
        names.iter().map(|&name| self.get(name).cloned()).collect()
    }

    /// Fills a slot.
    fn put(&mut self, slot: usize, handle: Handle) -> String {
        assert!(self.0[slot].is_none(), "slot {slot} is overwritten while it is open");
        self.0[slot] = Some(handle);
        ok()
    }

    /// Performs an operation that neither waits nor ends its actor.
    pub(crate) fn act(&mut self, op: &Op, owner: &Owner) -> Answer {
        match *op {
            Op::Event { slot, auto: false, set } => {
                Ok(self.put(slot, Handle::Manual(ManualResetEvent::new(set))))
            }
            Op::Event { slot, auto: true, set } => Ok(self.put(slot, Handle::Auto(AutoResetEvent::new(set)))),
            Op::Semaphore { slot, initial, max } => {
                Ok(self.put(slot, Handle::Semaphore(semaphore(initial, max)?)))
            }
            Op::Mutex { slot, owned } => {
                let mutex = Mutex::new();
                if owned {
                    let locked = mutex.try_lock(owner).expect("a new mutex is free");
                    locked.expect("nobody has abandoned it").forget();
                }
                Ok(self.put(slot, Handle::Mutex(mutex)))
            }
            Op::Duplicate { slot, of } => Ok(self.put(slot, self.get(of)?.clone())),
            Op::Close(name) => {
                self.get(name)?;
                name.map(|slot| self.0[slot].take());
                Ok(ok())
            }
            Op::Set(name) => event(self.get(name)?, ManualResetEvent::set, AutoResetEvent::set),
            Op::Reset(name) => event(self.get(name)?, ManualResetEvent::reset, AutoResetEvent::reset),
            Op::Pulse(name) => event(self.get(name)?, ManualResetEvent::pulse, AutoResetEvent::pulse),
            Op::Release(name, count) => {
                let Handle::Semaphore(semaphore) = self.get(name)? else { return Err(INVALID_HANDLE) };
                let count = u32::try_from(count).map_err(|_| INVALID_PARAMETER)?;
                Ok(format!("ok({})", semaphore.release(count)?))
            }
            Op::Unlock(name) => {
                let Handle::Mutex(mutex) = self.get(name)? else { return Err(INVALID_HANDLE) };
                Ok(format!("ok({})", mutex.unlock(owner)?))
            }
            Op::Query(name) => Ok(state(self.get(name)?, owner)),
            Op::Nothing => Ok(ok()),
            Op::Wait(..) | Op::Batch(_) | Op::Exit | Op::Lacking(_) => {
                unreachable!("{op:?} is performed elsewhere")
            }
        }
    }
}

/// A semaphore, if its counts are possible; the crate itself refuses by a panic.
fn semaphore(initial: i64, max: i64) -> Result<Semaphore, Failed> {
    let counts = u32::try_from(initial).and_then(|initial| Ok((initial, u32::try_from(max)?)));
    let (initial, max) = counts.map_err(|_| INVALID_PARAMETER)?;
    catch_unwind(|| Semaphore::new(initial, max)).map_err(|_| INVALID_PARAMETER)
}

fn event(
    handle: &Handle,
    manual: fn(&ManualResetEvent) -> bool,
    auto: fn(&AutoResetEvent) -> bool,
) -> Answer {
    let before = match handle {
        Handle::Manual(event) => manual(event),
        Handle::Auto(event) => auto(event),
        Handle::Semaphore(_) | Handle::Mutex(_) => return Err(INVALID_HANDLE),
    };
    Ok(format!("ok({})", u8::from(before)))
}

/// What an object looks like to `owner`.
fn state(handle: &Handle, owner: &Owner) -> String {
    match handle {
        Handle::Manual(event) => format!("E(M,{})", u8::from(event.is_set())),
        Handle::Auto(event) => format!("E(A,{})", u8::from(event.is_set())),
        Handle::Semaphore(semaphore) => format!("S({}/{})", semaphore.available(), semaphore.max()),
        Handle::Mutex(mutex) => {
            let (mine, abandoned) = (mutex.is_owned_by(owner), mutex.is_abandoned());
            format!("X({},{},{})", mutex.depth(), u8::from(mine), u8::from(abandoned))
        }
    }
}

/// A single wait with time-out 0, by the forms that never wait.
pub(crate) fn try_one(handle: &Handle, owner: &Owner) -> String {
    let abandoned = match handle {
        Handle::Manual(event) => event.try_wait().then_some(false),
        Handle::Auto(event) => event.try_wait().then_some(false),
        Handle::Semaphore(semaphore) => match semaphore.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Some(false)
            }
            Err(TryAcquireError::WouldBlock) => None,
            Err(refusal) => panic!("{refusal}"),
        },
        Handle::Mutex(mutex) => mutex.try_lock(owner).map(|locked| {
            let abandoned = locked.is_err();
            locked.unwrap_or_else(batons::Abandoned::into_inner).forget();
            abandoned
        }),
    };
    abandoned.map_or("timeout", |abandoned| if abandoned { "abandoned" } else { "ok" }).to_owned()
}

/// No program closes a semaphore or asks it for too much.
pub(crate) fn refused(refusal: AcquireError) -> ! {
    panic!("a semaphore refused: {refusal}")
}
