//! Names: the objects of a program that have one.

use super::op::{Kind, Label, New};
use super::slots::{Failed, Handle, INVALID_HANDLE, INVALID_PARAMETER};
use batons::{
    AutoResetEvent, Clock, ManualResetEvent, Mutex, NameError, Nameable, Named, Namespace, Owner, Semaphore,
    WaitableTimer,
};
use std::{fmt, panic::catch_unwind};

/// What keeps a name: not the object, as others see it, but a handle of the program.
pub(crate) trait Keeps: fmt::Debug + Send {
    fn again(&self) -> Box<dyn Keeps>;
}

impl<T: Nameable> Keeps for Named<T> {
    fn again(&self) -> Box<dyn Keeps> {
        Box::new(self.clone())
    }
}

/// An object that was made or found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) object: Handle,
    pub(crate) name: Option<Box<dyn Keeps>>,
    pub(crate) existed: bool,
}

impl Found {
    fn named<T: Nameable + Into<Handle>>(named: Named<T>, existed: bool) -> Self {
        Self { object: T::clone(&named).into(), name: Some(Box::new(named)), existed }
    }
}

macro_rules! into_handle {
    ($($object:ident => $kind:ident),* $(,)?) => {$(
        impl From<$object> for Handle {
            fn from(object: $object) -> Self {
                Self::$kind(object)
            }
        }
    )*};
}

into_handle! {
    ManualResetEvent => Manual,
    AutoResetEvent => Auto,
    Semaphore => Semaphore,
    Mutex => Mutex,
    WaitableTimer => Timer,
}

impl From<NameError> for Failed {
    fn from(error: NameError) -> Self {
        match error {
            NameError::NotFound => Self("fail(file_not_found)"),
            NameError::WrongType { .. } => INVALID_HANDLE,
            NameError::Empty | NameError::Nul => Self("fail(invalid_name)"),
            NameError::Backslash => Self("fail(path_not_found)"),
            NameError::TooLong { .. } => Self("fail(filename_too_long)"),
            other => panic!("an unknown refusal: {other}"),
        }
    }
}

/// The names of a program, and the clock by which its timers run.
#[derive(Debug)]
pub(crate) struct Names {
    space: Namespace,
    clock: Clock,
}

impl Names {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { space: Namespace::new(), clock }
    }

    /// Makes an object, or finds the one of that name.
    pub(crate) fn create(&self, new: New, label: &Label, owner: &Owner) -> Result<Found, Failed> {
        match new {
            // Win32 has one type of events, and what exists is found whatever its kind.
            New::Event { auto: false, set } => self
                .made(label, || ManualResetEvent::new(set))
                .or_else(|failed| self.existing::<AutoResetEvent>(label, failed)),
            New::Event { auto: true, set } => self
                .made(label, || AutoResetEvent::new(set))
                .or_else(|failed| self.existing::<ManualResetEvent>(label, failed)),
            New::Semaphore { initial, max } => {
                let made = semaphore(initial, max)?;
                self.made(label, || made)
            }
            New::Mutex { owned } => self.made(label, || mutex(owned.then_some(owner))),
            New::Timer { auto: false } => self.made(label, || WaitableTimer::manual_on(&self.clock)),
            New::Timer { auto: true } => self.made(label, || WaitableTimer::auto_on(&self.clock)),
        }
    }

    fn made<T: Nameable + Into<Handle>>(
        &self,
        label: &Label,
        make: impl FnOnce() -> T,
    ) -> Result<Found, Failed> {
        let Some(label) = label else {
            return Ok(Found { object: make().into(), name: None, existed: false });
        };
        let created = self.space.create(label, make)?;
        let existed = created.existed();
        Ok(Found::named(created.into_handle(), existed))
    }

    fn existing<T: Nameable + Into<Handle>>(&self, label: &Label, failed: Failed) -> Result<Found, Failed> {
        let named = label.as_ref().and_then(|label| self.space.open::<T>(label).ok());
        named.map(|named| Found::named(named, true)).ok_or(failed)
    }

    /// Finds the object of that name.
    pub(crate) fn open(&self, kind: Kind, label: &Label) -> Result<Found, Failed> {
        let label = label.as_ref().ok_or(INVALID_PARAMETER)?;
        match kind {
            Kind::Event => {
                self.opened::<ManualResetEvent>(label).or_else(|_| self.opened::<AutoResetEvent>(label))
            }
            Kind::Semaphore => self.opened::<Semaphore>(label),
            Kind::Mutex => self.opened::<Mutex>(label),
            Kind::Timer => self.opened::<WaitableTimer>(label),
        }
    }

    fn opened<T: Nameable + Into<Handle>>(&self, label: &str) -> Result<Found, Failed> {
        Ok(Found::named(self.space.open::<T>(label)?, true))
    }
}

/// A semaphore, if its counts are possible; the crate itself refuses by a panic.
fn semaphore(initial: i64, max: i64) -> Result<Semaphore, Failed> {
    let counts = u32::try_from(initial).and_then(|initial| Ok((initial, u32::try_from(max)?)));
    let (initial, max) = counts.map_err(|_| INVALID_PARAMETER)?;
    catch_unwind(|| Semaphore::new(initial, max)).map_err(|_| INVALID_PARAMETER)
}

/// A mutex, owned from the beginning or free.
fn mutex(owner: Option<&Owner>) -> Mutex {
    let mutex = Mutex::new();
    if let Some(owner) = owner {
        let locked = mutex.try_lock(owner).expect("a new mutex is free");
        locked.expect("nobody has abandoned it").forget();
    }
    mutex
}
