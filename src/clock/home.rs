//! Who turns the clock for a waiter: the runtime that polls it, or else a thread of the process.

use std::cell::Cell;
use std::time::{Instant, SystemTime};

/// The monotonic time, as the calling task or thread sees it.
#[cfg(feature = "tokio")]
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(not(feature = "tokio"))]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The time of the wall clock, as the calling task or thread sees it: in a runtime whose clock was paused or advanced it goes
/// with that one. Otherwise who waits there for a due time of it would be rung for again and again, since every ring of a
/// paused clock comes at once and the wall clock does not move.
pub(super) fn wall() -> SystemTime {
    let (before, seen, wall, after) = (Instant::now(), now(), SystemTime::now(), Instant::now());
    if before <= seen && seen <= after {
        return wall;
    }
    // Against the later reading: never ahead of the time, so that nothing expires early.
    let shifted = match seen.checked_duration_since(after) {
        Some(ahead) => wall.checked_add(ahead),
        None => wall.checked_sub(after - seen),
    };
    shifted.unwrap_or(wall)
}

/// Who can ring for a waiter.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// Its tokio runtime.
    #[cfg(feature = "tokio")]
    Runtime(tokio::runtime::Handle),
    /// Any thread: it is polled by none, or blocks.
    Anywhere,
}

impl Home {
    pub(super) fn here() -> Self {
        #[cfg(feature = "tokio")]
        if let (Ok(parked), Ok(runtime)) = (PARKED.try_with(Cell::get), tokio::runtime::Handle::try_current())
        {
            // One that was entered since is run by this thread, within the poll.
            if parked != Some(Some(runtime.id())) {
                return Self::Runtime(runtime);
            }
        }
        Self::Anywhere
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            #[cfg(feature = "tokio")]
            (Self::Runtime(ours), Self::Runtime(theirs)) => ours.id() == theirs.id(),
            (Self::Anywhere, Self::Anywhere) => true,
            #[cfg(feature = "tokio")]
            _ => false,
        }
    }
}

/// Where all the waiters of a timer are at home.
#[derive(Debug, Default)]
pub(crate) enum Homes {
    #[default]
    None,
    One(Home),
    /// A runtime that is not running would keep the others waiting: only a thread rings for all.
    Many,
}

impl Homes {
    /// Adds one. What it was before if that changes who may ring, to be dropped outside every lock: a runtime's handle may be
    /// the last, and drops what its users gave it.
    pub(crate) fn add(&mut self, home: Home) -> Option<Self> {
        let now = match self {
            Self::None => Self::One(home),
            Self::One(other) if other.is(&home) => return None,
            Self::One(_) => Self::Many,
            Self::Many => return None,
        };
        Some(std::mem::replace(self, now))
    }

    /// Who may ring for all of them.
    pub(crate) fn common(&self) -> Home {
        match self {
            Self::One(home) => home.clone(),
            Self::None | Self::Many => Home::Anywhere,
        }
    }
}

/// Which runtime a thread has entered.
#[cfg(feature = "tokio")]
type Entered = Option<tokio::runtime::Id>;
#[cfg(not(feature = "tokio"))]
type Entered = Option<std::convert::Infallible>;

#[cfg(feature = "tokio")]
fn entered() -> Entered {
    tokio::runtime::Handle::try_current().ok().map(|runtime| runtime.id())
}

#[cfg(not(feature = "tokio"))]
fn entered() -> Entered {
    None
}

thread_local! {
    /// Whether the calling thread is blocked while it waits, and what it had entered then: that runtime may be turned by
    /// nobody.
    static PARKED: Cell<Option<Entered>> = const { Cell::new(None) };
}

/// While this lives, the calling thread blocks between its polls.
pub(crate) struct Parked {
    before: Option<Entered>,
}

impl Parked {
    pub(crate) fn begin() -> Self {
        Self { before: PARKED.try_with(|parked| parked.replace(Some(entered()))).ok().flatten() }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let _ = PARKED.try_with(|parked| parked.set(self.before));
    }
}
