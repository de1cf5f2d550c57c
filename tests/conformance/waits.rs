//! The waits of a program: futures that own the handles they wait for, as a thread in a Win32 wait
//! keeps its objects alive.

use super::op::Wait;
use super::slots::{Failed, Handle, INVALID_HANDLE, INVALID_PARAMETER, Slots, ok, refused, word};
use super::world::Life;
use batons::futures::{AcquirePermits, LockMutex, WaitEvent, WaitTimer};
use batons::{
    Abandoned, AcquireError, Alertable, ApcQueue, Auto, AutoResetEvent, HeldMutex, HeldPermits, Manual,
    ManualResetEvent, Mutex, Owner, Semaphore, WaitError, WaitList, Waitable, WaitableTimer, signal_and_wait,
    wait_all, wait_any,
};
use std::{borrow::Borrow, future::Future, pin::Pin, sync::Arc};

/// A wait that answers in the words of the traces.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = String> + Send>>;

impl Wait {
    /// The wait for the objects in these slots.
    pub(crate) fn of(&self, slots: &Slots, party: &Life) -> Result<Waiting, Failed> {
        let owner = &party.owner;
        match self {
            Self::One(name) => Ok(one(slots.get(*name)?.clone(), owner)),
            Self::Any(names) => Ok(Several::Any.of(slots.list(names)?, owner)),
            Self::All(names) => Ok(Several::All.of(slots.list(names)?, owner)),
            // Both must be there before anything is done.
            Self::Signal { signal, wait } => {
                signal_then(slots.get(*signal)?.clone(), slots.get(*wait)?.clone(), owner)
            }
            Self::Sleep => Ok(Box::pin(std::future::pending())),
            Self::Calls => {
                let queue = Arc::clone(&party.queue);
                Ok(Box::pin(async move {
                    queue.drain().await;
                    ok()
                }))
            }
        }
    }
}

/// The same wait, in which APCs run.
pub(crate) fn alertable(waiting: Waiting, queue: Arc<ApcQueue>) -> Waiting {
    Box::pin(async move {
        match queue.alertable(waiting).await {
            Alertable::Done(answer) => answer,
            Alertable::Alerted => "apc".to_owned(),
        }
    })
}

/// What a single wait answers.
trait Granted {
    /// Keeps what was granted without a guard, as Win32 does; tells whether it was abandoned.
    fn keep(self) -> bool;
}

impl Granted for () {
    fn keep(self) -> bool {
        false
    }
}

impl<H: Borrow<Semaphore>> Granted for Result<HeldPermits<H>, AcquireError> {
    fn keep(self) -> bool {
        self.unwrap_or_else(|refusal| refused(refusal)).forget();
        false
    }
}

impl<H: Borrow<Mutex>> Granted for Result<HeldMutex<H>, Abandoned<HeldMutex<H>>> {
    fn keep(self) -> bool {
        let abandoned = self.is_err();
        self.unwrap_or_else(Abandoned::into_inner).forget();
        abandoned
    }
}

/// An object that can be waited for.
trait Ask: Send + Sync + 'static {
    type Granted<'a>: Granted + Send + Sync;
    type Wait<'a>: Waitable + Future<Output = Self::Granted<'a>> + Send + Sync;

    fn ask<'a>(&'a self, owner: &Owner) -> Self::Wait<'a>;
}

impl Ask for ManualResetEvent {
    type Granted<'a> = ();
    type Wait<'a> = WaitEvent<'a, Manual>;

    fn ask<'a>(&'a self, _: &Owner) -> Self::Wait<'a> {
        self.wait()
    }
}

impl Ask for AutoResetEvent {
    type Granted<'a> = ();
    type Wait<'a> = WaitEvent<'a, Auto>;

    fn ask<'a>(&'a self, _: &Owner) -> Self::Wait<'a> {
        self.wait()
    }
}

impl Ask for Semaphore {
    type Granted<'a> = Result<HeldPermits<&'a Self>, AcquireError>;
    type Wait<'a> = AcquirePermits<&'a Self>;

    fn ask<'a>(&'a self, _: &Owner) -> Self::Wait<'a> {
        self.acquire()
    }
}

impl Ask for Mutex {
    type Granted<'a> = Result<HeldMutex<&'a Self>, Abandoned<HeldMutex<&'a Self>>>;
    type Wait<'a> = LockMutex<&'a Self>;

    fn ask<'a>(&'a self, owner: &Owner) -> Self::Wait<'a> {
        self.lock(owner)
    }
}

impl Ask for WaitableTimer {
    type Granted<'a> = ();
    type Wait<'a> = WaitTimer<'a>;

    fn ask<'a>(&'a self, _: &Owner) -> Self::Wait<'a> {
        self.wait()
    }
}

// ===== one =====

/// Runs `$then` with the object in `$handle`, whatever its kind.
macro_rules! whatever {
    ($handle:expr, $object:ident => $then:expr) => {
        match $handle {
            Handle::Manual($object) => $then,
            Handle::Auto($object) => $then,
            Handle::Semaphore($object) => $then,
            Handle::Mutex($object) => $then,
            Handle::Timer($object) => $then,
            Handle::Thread($object) => $then,
        }
    };
}

fn satisfied(abandoned: bool) -> String {
    if abandoned { "abandoned" } else { "ok" }.to_owned()
}

/// A wait for one object.
fn one(handle: Handle, owner: &Arc<Owner>) -> Waiting {
    async fn wait<H: Ask>(object: H, owner: Arc<Owner>) -> String {
        satisfied(object.ask(&owner).await.keep())
    }

    let owner = Arc::clone(owner);
    whatever!(handle, object => Box::pin(wait(object, owner)))
}

// ===== signal and wait =====

/// Signals one object and waits for another, in one step.
fn signal_then(signal: Handle, wait: Handle, owner: &Arc<Owner>) -> Result<Waiting, Failed> {
    let owner = Arc::clone(owner);
    macro_rules! then {
        ($signal:expr) => {
            whatever!(wait, object => Box::pin(async move {
                let answered = signal_and_wait($signal, object.ask(&owner)).await;
                word(answered.map(|granted| satisfied(granted.keep())).map_err(Failed::from))
            }))
        };
    }
    Ok(match signal {
        Handle::Manual(event) => then!(&event),
        Handle::Auto(event) => then!(&event),
        Handle::Semaphore(semaphore) => then!(&semaphore),
        Handle::Mutex(mutex) => then!(mutex.unlocking(&owner)),
        // No time and no end can be signaled.
        Handle::Timer(_) | Handle::Thread(_) => return Err(INVALID_HANDLE),
    })
}

// ===== lists =====

/// A wait for several objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Several {
    Any,
    All,
}

impl Several {
    /// The wait for `handles`, as what they are if they are of one kind.
    fn of(self, handles: Vec<Handle>, owner: &Arc<Owner>) -> Waiting {
        let owner = Arc::clone(owner);
        macro_rules! alike {
            ($kind:ident) => {{
                let alike = handles.iter().map(|handle| match handle {
                    Handle::$kind(object) => Some(object.clone()),
                    _ => None,
                });
                if let Some(objects) = alike.collect::<Option<Vec<_>>>() {
                    return Box::pin(self.alike(objects, owner));
                }
            }};
        }
        alike!(Manual);
        alike!(Auto);
        alike!(Semaphore);
        alike!(Mutex);
        alike!(Timer);
        alike!(Thread);
        Box::pin(self.mixed(handles, owner))
    }

    async fn alike<H: Ask>(self, objects: Vec<H>, owner: Arc<Owner>) -> String {
        let waits: Vec<_> = objects.iter().map(|object| object.ask(&owner)).collect();
        self.answer(waits, Granted::keep).await
    }

    async fn mixed(self, handles: Vec<Handle>, owner: Arc<Owner>) -> String {
        let mut waits = Vec::new();
        for handle in &handles {
            waits.push(whatever!(handle, object => object.ask(&owner).boxed(Granted::keep)));
        }
        self.answer(waits, |abandoned| abandoned).await
    }

    async fn answer<L, O>(self, waits: L, keep: fn(O) -> bool) -> String
    where
        L: WaitList<Any = O, All = Vec<O>>,
    {
        let answered = match self {
            Self::Any => wait_any(waits).await.map(|(index, granted)| {
                let abandoned = keep(granted);
                format!("{}({index})", satisfied(abandoned))
            }),
            Self::All => wait_all(waits).await.map(|granted| {
                // All of them, whatever the first ones say.
                let abandoned: Vec<_> = granted.into_iter().map(keep).collect();
                satisfied(abandoned.contains(&true))
            }),
        };
        word(answered.map_err(|error| match error {
            WaitError::Empty | WaitError::SameObject { .. } => INVALID_PARAMETER,
            other => panic!("a wait on several objects was refused: {other}"),
        }))
    }
}
