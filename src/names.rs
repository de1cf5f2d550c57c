//! Names for objects: one name space over all types.
//!
//! | the name belongs to | `create::<T>`                   | `open::<T>`                |
//! |---------------------|---------------------------------|----------------------------|
//! | nothing             | makes the object                | [`NameError::NotFound`]    |
//! | a `T`               | gives that; nothing of its own counts | gives it             |
//! | another type        | [`NameError::WrongType`]        | [`NameError::WrongType`]   |
//!
//! The registry holds objects weakly: a name lives as long as a [`Named`] handle does. Nothing foreign runs
//! under its lock: objects are made and dropped outside (R3).

mod handle;

pub use handle::{Created, Nameable, Named};

use crate::error::NameError;
use crate::sync::Lock;
use handle::Object;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

/// How many bytes a name may have, without its prefix.
const LONGEST: usize = 32_767;

/// Names for objects of this crate, so that parties find one object without handing handles around. Win32 gives
/// named objects one name space per session and a global one.
///
/// All types share the names, which are case sensitive and up to 32,767 bytes of UTF-8 long (Win32 documents
/// 260 characters and takes more). A prefix says which half of the space is meant: `Local\x` is `x`, and `Global\x` is
/// another name. Prefixes are case sensitive too. Elsewhere a name has neither a backslash nor a NUL.
///
/// A name lives as long as a [`Named`] handle to its object; see there for what keeps the object alone. After
/// that it can be given again, also to another type.
///
/// Clones are the same name space. It lives within the process; [`global`](Namespace::global) is the one that
/// parties share which know nothing of each other.
///
/// # Examples
///
/// ```
/// use batons::{AutoResetEvent, NameError, Namespace, Semaphore};
///
/// let names = Namespace::new();
/// let ready = names.create("ready", || AutoResetEvent::new(false))?;
/// assert!(!ready.existed());
/// let same = names.open::<AutoResetEvent>("ready")?;
/// same.set();
/// assert!(ready.try_wait());
///
/// let refused = names.open::<Semaphore>("ready").unwrap_err();
/// assert_eq!(refused, NameError::WrongType { found: "AutoResetEvent", wanted: "Semaphore" });
/// drop((ready, same));
/// assert_eq!(names.open::<AutoResetEvent>("ready").unwrap_err(), NameError::NotFound);
/// # Ok::<_, NameError>(())
/// ```
#[derive(Clone)]
pub struct Namespace {
    registry: Arc<Registry>,
}

impl Namespace {
    /// Creates a name space without names.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AutoResetEvent, Namespace};
    /// let (one, other) = (Namespace::new(), Namespace::new());
    /// let _here = one.create("x", || AutoResetEvent::new(true))?;
    /// assert!(other.open::<AutoResetEvent>("x").is_err());
    /// # Ok::<_, batons::NameError>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { registry: Arc::default() }
    }

    /// The one name space of the process.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Namespace, Semaphore};
    /// let slots = Namespace::global().create("my-crate/slots", || Semaphore::new(4, 4))?;
    /// assert_eq!(Namespace::global().open::<Semaphore>("my-crate/slots")?.available(), 4);
    /// # drop(slots);
    /// # Ok::<_, batons::NameError>(())
    /// ```
    #[must_use]
    pub fn global() -> Self {
        static GLOBAL: LazyLock<Namespace> = LazyLock::new(Namespace::new);
        GLOBAL.clone()
    }

    /// Gives the object of that name, or makes it by `make`. Win32 `CreateEvent`, `CreateSemaphore`, `CreateMutex`
    /// and so on, with a name.
    ///
    /// [`Created::existed`] tells which. If two create one name at once, both get one object, and one of them is
    /// told that it made it.
    ///
    /// `make` is not called if the name exists, so that its values are ignored; Win32 checks them all the same, and
    /// so does who makes the object first and passes it: `create(name, || made)`. It runs under no lock
    /// and may use the name space. If another made the object meanwhile, what `make` returned is dropped.
    ///
    /// With the empty name it makes an object without a name.
    ///
    /// # Errors
    ///
    /// [`NameError`], but not [`NotFound`](NameError::NotFound); nothing was made and no name taken.
    ///
    /// # Panics
    ///
    /// If `make` does; the name stays free.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Namespace, Semaphore};
    /// let names = Namespace::new();
    /// let first = names.create("slots", || Semaphore::new(1, 2))?;
    /// let second = names.create("slots", || Semaphore::new(5, 9))?;
    /// assert_eq!((first.existed(), second.existed()), (false, true));
    /// assert_eq!((second.available(), second.max()), (1, 2));
    /// # Ok::<_, batons::NameError>(())
    /// ```
    pub fn create<T: Nameable>(
        &self,
        name: impl AsRef<str>,
        make: impl FnOnce() -> T,
    ) -> Result<Created<T>, NameError> {
        let Some(key) = Key::parse(name.as_ref())? else {
            return Ok(Created::new(Named::unnamed(make()), false));
        };
        if let Some(found) = self.registry.find(&key)? {
            return Ok(Created::new(found, true));
        }
        let fresh = Named::new(make(), key.to_owned(), Arc::downgrade(&self.registry));
        // What was made in vain dies outside the lock.
        let found = self.registry.find_or_enter(&key, &fresh)?;
        let existed = found.is_some();
        Ok(Created::new(found.unwrap_or(fresh), existed))
    }

    /// Gives the object of that name. Win32 `OpenEvent`, `OpenSemaphore`, `OpenMutex` and so on.
    ///
    /// There are no access rights: every handle may do everything.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Baton, NameError, Namespace};
    /// let refused = Namespace::new().open::<Baton>("nobody").unwrap_err();
    /// assert_eq!(refused, NameError::NotFound);
    /// ```
    pub fn open<T: Nameable>(&self, name: impl AsRef<str>) -> Result<Named<T>, NameError> {
        let key = Key::parse(name.as_ref())?.ok_or(NameError::Empty)?;
        self.registry.find(&key)?.ok_or(NameError::NotFound)
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.registry.spaces.lock().iter().map(HashMap::len).sum::<usize>();
        f.debug_struct("Namespace").field("names", &names).finish_non_exhaustive()
    }
}

// ===== names =====

/// A name that may be given.
#[derive(Debug, Clone, Copy)]
struct Key<N> {
    /// Which half of the space: 0 local, 1 global.
    space: usize,
    name: N,
}

impl<'a> Key<&'a str> {
    /// Reads `name`; none if it is empty.
    fn parse(name: &'a str) -> Result<Option<Self>, NameError> {
        if name.is_empty() {
            return Ok(None);
        }
        let (space, name) = match (name.strip_prefix("Global\\"), name.strip_prefix("Local\\")) {
            (Some(global), _) => (1, global),
            (None, Some(local)) => (0, local),
            (None, None) => (0, name),
        };
        if name.is_empty() {
            Err(NameError::Empty)
        } else if name.len() > LONGEST {
            Err(NameError::TooLong { max: LONGEST })
        } else if name.contains('\\') {
            Err(NameError::Backslash)
        } else if name.contains('\0') {
            Err(NameError::Nul)
        } else {
            Ok(Some(Self { space, name }))
        }
    }

    fn to_owned(self) -> Key<Box<str>> {
        Key { space: self.space, name: self.name.into() }
    }
}

// ===== the registry =====

/// Who has which name.
#[derive(Debug, Default)]
struct Registry {
    /// Local, global.
    spaces: Lock<[HashMap<Box<str>, Entry>; 2]>,
}

/// Whose a name is.
#[derive(Debug)]
struct Entry {
    /// Which object, in case the name was given anew.
    id: u64,
    kind: &'static str,
    /// Dead from the end of the last handle to the removal of the entry.
    object: Weak<dyn Any + Send + Sync>,
}

impl Entry {
    /// The object, if there is one. What is returned may be the last handle: to be dropped outside the lock.
    fn object(&self) -> Option<(Arc<dyn Any + Send + Sync>, &'static str)> {
        Some((self.object.upgrade()?, self.kind))
    }
}

/// The object as what was asked for.
fn cast<T: Nameable>(
    (object, found): (Arc<dyn Any + Send + Sync>, &'static str),
) -> Result<Named<T>, NameError> {
    let object = object.downcast::<Object<T>>();
    object.map(Named::from_object).map_err(|_| NameError::WrongType { found, wanted: T::KIND })
}

impl Registry {
    fn find<T: Nameable>(&self, key: &Key<&str>) -> Result<Option<Named<T>>, NameError> {
        let found = self.spaces.lock()[key.space].get(key.name).and_then(Entry::object);
        found.map(cast).transpose()
    }

    /// The object of that name, or else `made` becomes it.
    fn find_or_enter<T: Nameable>(
        &self,
        key: &Key<&str>,
        made: &Named<T>,
    ) -> Result<Option<Named<T>>, NameError> {
        let found = {
            let mut spaces = self.spaces.lock();
            let names = &mut spaces[key.space];
            let found = names.get(key.name).and_then(Entry::object);
            if found.is_none() {
                let entry = Entry { id: made.id(), kind: T::KIND, object: made.downgrade() };
                names.insert(key.name.into(), entry);
            }
            found
        };
        found.map(cast).transpose()
    }

    /// The last handle to object `id` is gone.
    fn remove(&self, key: &Key<Box<str>>, id: u64) {
        let mut spaces = self.spaces.lock();
        let names = &mut spaces[key.space];
        // The name may have been given anew since the last handle ceased to be found.
        if names.get(&key.name).is_some_and(|entry| entry.id == id) {
            names.remove(&key.name);
        }
    }
}
