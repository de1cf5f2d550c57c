//! The handles of a program, and what is done with them at once.

use super::names::{Found, Keeps, Names};
use super::op::{Name, Op};
use batons::{
    AcquireError, AutoResetEvent, ManualResetEvent, Mutex, Owner, ReleaseError, Semaphore, TryAcquireError,
    WaitableTimer,
};

/// A handle of any kind.
#[derive(Debug, Clone)]
pub(crate) enum Handle {
    Manual(ManualResetEvent),
    Auto(AutoResetEvent),
    Semaphore(Semaphore),
    Mutex(Mutex),
    Timer(WaitableTimer),
    /// A thread: the event that its end sets.
    Thread(ManualResetEvent),
}

/// Why an operation failed, as the traces call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) &'static str);

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

pub(crate) fn ok() -> String {
    "ok".to_owned()
}

/// The handle variables of a program, and the names that the handles keep.
#[derive(Debug)]
pub(crate) struct Slots {
    open: Vec<Option<Open>>,
    names: Names,
}

#[derive(Debug)]
struct Open {
    object: Handle,
    name: Option<Box<dyn Keeps>>,
}

impl Slots {
    pub(crate) fn new(names: Names) -> Self {
        Self { open: (0..128).map(|_| None).collect(), names }
    }

    fn open(&self, name: Name) -> Result<&Open, Failed> {
        name.and_then(|slot| self.open[slot].as_ref()).ok_or(INVALID_HANDLE)
    }

    /// The object behind a handle.
    pub(crate) fn get(&self, name: Name) -> Result<&Handle, Failed> {
        self.open(name).map(|open| &open.object)
    }

    /// The timer behind a handle.
    pub(crate) fn timer(&self, name: Name) -> Result<WaitableTimer, Failed> {
        match self.get(name)? {
            Handle::Timer(timer) => Ok(timer.clone()),
            _ => Err(INVALID_HANDLE),
        }
    }

    /// The handles of a list for a wait: a bad number of them comes before a bad one among them.
    pub(crate) fn list(&self, names: &[Name]) -> Result<Vec<Handle>, Failed> {
        if names.len() > 64 {
            return Err(INVALID_PARAMETER);
        }
        names.iter().map(|&name| self.get(name).cloned()).collect()
    }

    /// Fills a slot.
    pub(crate) fn put(&mut self, slot: usize, object: Handle, name: Option<Box<dyn Keeps>>) -> String {
        assert!(self.open[slot].is_none(), "slot {slot} is overwritten while it is open");
        self.open[slot] = Some(Open { object, name });
        ok()
    }

    /// Performs an operation that neither waits nor has to do with another actor.
    pub(crate) fn act(&mut self, op: &Op, owner: &Owner) -> Answer {
        match *op {
            Op::Create(slot, new, ref label) => {
                let Found { object, name, existed } = self.names.create(new, label, owner)?;
                let made = self.put(slot, object, name);
                Ok(if existed { "exists".to_owned() } else { made })
            }
            Op::Open(slot, kind, ref label) => {
                let Found { object, name, .. } = self.names.open(kind, label)?;
                Ok(self.put(slot, object, name))
            }
            Op::Duplicate { slot, of } => {
                let of = self.open(of)?;
                let (object, name) = (of.object.clone(), of.name.as_ref().map(|name| name.again()));
                Ok(self.put(slot, object, name))
            }
            Op::Close(name) => {
                self.open(name)?;
                name.map(|slot| self.open[slot].take());
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
            Op::Cancel(name) => Ok(format!("ok({})", u8::from(self.timer(name)?.cancel()))),
            Op::Query(name) => state(self.get(name)?, owner),
            Op::Nothing => Ok(ok()),
            ref other => unreachable!("{other:?} is performed elsewhere"),
        }
    }
}

fn event(
    handle: &Handle,
    manual: fn(&ManualResetEvent) -> bool,
    auto: fn(&AutoResetEvent) -> bool,
) -> Answer {
    let before = match handle {
        Handle::Manual(event) => manual(event),
        Handle::Auto(event) => auto(event),
        _ => return Err(INVALID_HANDLE),
    };
    Ok(format!("ok({})", u8::from(before)))
}

/// What an object looks like to `owner`.
fn state(handle: &Handle, owner: &Owner) -> Answer {
    Ok(match handle {
        Handle::Manual(event) => format!("E(M,{})", u8::from(event.is_set())),
        Handle::Auto(event) => format!("E(A,{})", u8::from(event.is_set())),
        Handle::Semaphore(semaphore) => format!("S({}/{})", semaphore.available(), semaphore.max()),
        Handle::Mutex(mutex) => {
            let (mine, abandoned) = (mutex.is_owned_by(owner), mutex.is_abandoned());
            format!("X({},{},{})", mutex.depth(), u8::from(mine), u8::from(abandoned))
        }
        Handle::Timer(timer) => format!("T({})", u8::from(timer.is_set())),
        Handle::Thread(_) => return Err(INVALID_HANDLE),
    })
}

/// A single wait with time-out 0, by the forms that never wait.
pub(crate) fn try_one(handle: &Handle, owner: &Owner) -> String {
    let abandoned = match handle {
        Handle::Manual(event) | Handle::Thread(event) => event.try_wait().then_some(false),
        Handle::Auto(event) => event.try_wait().then_some(false),
        Handle::Semaphore(semaphore) => match semaphore.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Some(false)
            }
            Err(TryAcquireError::WouldBlock) => None,
            Err(refusal) => panic!("{refusal}"),
        },
        Handle::Timer(timer) => timer.try_wait().then_some(false),
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
