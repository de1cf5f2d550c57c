//! Handles that keep a name.

use super::{Key, Registry};
use crate::baton::Baton;
use crate::event::{AutoResetEvent, ManualResetEvent};
use crate::mutex::Mutex;
use crate::operation::CompletionPort;
use crate::semaphore::Semaphore;
use crate::sync::unique_id;
use crate::timer::WaitableTimer;
use std::any::Any;
use std::sync::{Arc, Weak};
use std::{fmt, ops::Deref};

// ===== what can have a name =====

/// The objects that can have a name. They all share one name space.
///
/// Sealed: the crate implements it for its objects.
///
/// # Examples
///
/// Code over whatever has a name:
///
/// ```
/// use batons::{Baton, Created, NameError, Nameable, Namespace, Semaphore};
///
/// fn fresh<T: Nameable>(names: &Namespace, name: &str, make: impl FnOnce() -> T) -> Result<Created<T>, NameError> {
///     let created = names.create(name, make)?;
///     assert!(!created.existed(), "another {} is called {name}", T::KIND);
///     Ok(created)
/// }
/// let names = Namespace::new();
/// let _baton = fresh(&names, "turns", || Baton::new(0))?;
/// assert!(fresh(&names, "turns", || Semaphore::new(1, 1)).is_err(), "one name space for all types");
/// # Ok::<_, NameError>(())
/// ```
pub trait Nameable: sealed::Sealed + Clone + fmt::Debug + Send + Sync + 'static {
    /// What the type is called in a [`NameError::WrongType`](crate::NameError::WrongType).
    const KIND: &'static str;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! nameable {
    ($($object:ident),* $(,)?) => {$(
        impl sealed::Sealed for $object {}

        impl Nameable for $object {
            const KIND: &'static str = stringify!($object);
        }
    )*};
}

nameable! {
    AutoResetEvent,
    Baton,
    ManualResetEvent,
    Mutex,
    Semaphore,
    WaitableTimer,
}

impl<T: Send + 'static> sealed::Sealed for CompletionPort<T> {}

/// Ports of different packets are different types under one kind.
impl<T: Send + 'static> Nameable for CompletionPort<T> {
    const KIND: &'static str = "CompletionPort";
}

// ===== the handle =====

/// A handle that keeps the name of its object. From [`Namespace::create`](crate::Namespace::create) and
/// [`Namespace::open`](crate::Namespace::open).
///
/// It is used like the object. Its `clone` is another such handle, as by Win32 `DuplicateHandle`; dropping it is
/// `CloseHandle`. When the last one is dropped the name is free. What has a handle of its own to the object keeps the
/// object and not the name: a clone of the object (`T::clone(&named)`), an owned wait or guard made from
/// one, and a waiter in line for it; a new object of the same name has nothing to do with them. Win32 and its
/// kernel treat a waiting thread so.
///
/// # Examples
///
/// ```
/// use batons::{AutoResetEvent, Namespace};
///
/// let names = Namespace::new();
/// let named = names.create("x", || AutoResetEvent::new(true))?.into_handle();
/// let object = AutoResetEvent::clone(&named);
/// drop(named);
/// assert!(names.open::<AutoResetEvent>("x").is_err());
/// assert!(object.try_wait());
/// # Ok::<_, batons::NameError>(())
/// ```
pub struct Named<T: Nameable>(Arc<Object<T>>);

/// An object and its name.
pub(super) struct Object<T: Nameable> {
    value: T,
    id: u64,
    /// Absent if it has none.
    name: Option<(Key<Box<str>>, Weak<Registry>)>,
}

impl<T: Nameable> Named<T> {
    pub(super) fn new(value: T, name: Key<Box<str>>, registry: Weak<Registry>) -> Self {
        Self(Arc::new(Object { value, id: unique_id(), name: Some((name, registry)) }))
    }

    pub(super) fn unnamed(value: T) -> Self {
        Self(Arc::new(Object { value, id: unique_id(), name: None }))
    }

    pub(super) fn from_object(object: Arc<Object<T>>) -> Self {
        Self(object)
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn downgrade(&self) -> Weak<dyn Any + Send + Sync> {
        let object: Weak<Object<T>> = Arc::downgrade(&self.0);
        object
    }

    /// The name, without its prefix; none if it was created without one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Named, Namespace};
    /// let mutex = Namespace::global().create("Local\\m", Mutex::new)?;
    /// assert_eq!(Named::name(&mutex), Some("m"));
    /// # Ok::<_, batons::NameError>(())
    /// ```
    #[must_use]
    pub fn name(this: &Self) -> Option<&str> {
        this.0.name.as_ref().map(|(key, _)| &*key.name)
    }
}

impl<T: Nameable> Drop for Object<T> {
    fn drop(&mut self) {
        if let Some((key, registry)) = &self.name {
            if let Some(registry) = registry.upgrade() {
                registry.remove(key, self.id);
            }
        }
        // The object itself is dropped after this, outside the registry's lock (R3).
    }
}

impl<T: Nameable> Clone for Named<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Nameable> Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Nameable> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = f.debug_struct("Named");
        told.field("name", &Named::name(self)).field("object", &self.0.value).finish_non_exhaustive()
    }
}

// ===== the answer =====

/// What [`Namespace::create`](crate::Namespace::create) gave: a [`Named`] handle, and whether its object existed.
///
/// # Examples
///
/// ```
/// # use batons::{AutoResetEvent, Namespace};
/// let event = Namespace::new().create("x", || AutoResetEvent::new(true))?;
/// assert!(!event.existed());
/// assert!(event.try_wait()); // used like the handle
/// # Ok::<_, batons::NameError>(())
/// ```
#[derive(Debug)]
pub struct Created<T: Nameable> {
    handle: Named<T>,
    existed: bool,
}

impl<T: Nameable> Created<T> {
    pub(super) fn new(handle: Named<T>, existed: bool) -> Self {
        Self { handle, existed }
    }

    /// Whether the object was there before, so that the values of this call were ignored. Win32
    /// `ERROR_ALREADY_EXISTS`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AutoResetEvent, Namespace};
    /// let names = Namespace::new();
    /// let first = names.create("x", || AutoResetEvent::new(true))?;
    /// assert!(names.create("x", || AutoResetEvent::new(false))?.existed());
    /// # drop(first);
    /// # Ok::<_, batons::NameError>(())
    /// ```
    #[must_use]
    pub fn existed(&self) -> bool {
        self.existed
    }

    /// The handle alone.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Baton, Named, Namespace};
    /// let baton: Named<Baton> = Namespace::new().create("b", || Baton::new(1))?.into_handle();
    /// assert_eq!(baton.next(), 1);
    /// # Ok::<_, batons::NameError>(())
    /// ```
    #[must_use]
    pub fn into_handle(self) -> Named<T> {
        self.handle
    }
}

impl<T: Nameable> Deref for Created<T> {
    type Target = Named<T>;

    fn deref(&self) -> &Named<T> {
        &self.handle
    }
}
