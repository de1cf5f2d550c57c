//! A call that is queued again and again, and waits once at most.

use super::calls::{Calls, Noted, Work};
use crate::dispatch::Routine;
use crate::sync::Lock;
use std::{fmt, mem, sync::Arc};

/// A call that can be queued many times and waits in its queue once at most; the completion call of a timer or
/// of an operation. Made by [`ApcHandle::routine`](crate::ApcHandle::routine).
///
/// While it waits, what it is told again is dropped: it runs once, with what it was told first. It can be taken
/// back until it begins. From inside the call everything is allowed, also to queue it again (it then comes after
/// those that are queued by the time it ends) or to take that back. Clones are the same call. Whoever sets a
/// timer in Win32 gives a completion routine; at most one APC of a timer is outstanding there.
///
/// # Examples
///
/// ```
/// use batons::{ApcQueue, blocking};
///
/// let queue = ApcQueue::new();
/// let tick = queue.handle().routine(|n: u32| println!("tick {n}"));
/// assert!(tick.queue(1) && tick.queue(2)); // prints "tick 1"
/// assert_eq!(blocking::wait(queue.drain()), 1);
/// ```
pub struct ApcRoutine<T>(Arc<Inner<T>>);

struct Inner<T> {
    calls: Arc<Calls>,
    /// Taken before the lock of the list, never after it.
    state: Lock<State<T>>,
}

struct State<T> {
    note: Note<T>,
    /// Absent while it runs.
    call: Option<Box<dyn FnMut(T) + Send>>,
}

/// Whether the call is due.
enum Note<T> {
    Nothing,
    Queued {
        place: u64,
        told: T,
    },
    Begun {
        /// Absent while it runs.
        told: Option<T>,
        /// It was noted again meanwhile.
        again: Option<T>,
    },
}

impl<T: Copy + Send + 'static> ApcRoutine<T> {
    pub(super) fn new(calls: Arc<Calls>, call: impl FnMut(T) + Send + 'static) -> Self {
        let state = Lock::new(State { note: Note::Nothing, call: Some(Box::new(call)) });
        Self(Arc::new(Inner { calls, state }))
    }

    /// Queues the call, unless it waits already, and wakes who is to make it. Returns false if the queue is
    /// closed or gone, so that nobody will.
    ///
    /// # Panics
    ///
    /// Only if the waker does; the call is queued then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let queue = ApcQueue::new();
    /// let routine = queue.handle().routine(|()| {});
    /// assert!(routine.queue(()));
    /// drop(queue);
    /// assert!(!routine.queue(()));
    /// ```
    #[allow(clippy::must_use_candidate)] // most do not mind
    pub fn queue(&self, told: T) -> bool {
        let noted = self.post(told);
        self.alert();
        noted
    }

    /// Takes the call back if it waits and has not begun; returns whether it did.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let queue = ApcQueue::new();
    /// let routine = queue.handle().routine(|()| unreachable!());
    /// routine.queue(());
    /// assert!(routine.withdraw());
    /// assert_eq!(queue.pending(), 0);
    /// ```
    #[allow(clippy::must_use_candidate)]
    pub fn withdraw(&self) -> bool {
        let removed;
        let withdrawn;
        {
            let mut state = self.0.state.lock();
            (withdrawn, removed) = match &mut state.note {
                Note::Nothing => (false, None),
                Note::Begun { again, .. } => (again.take().is_some(), None),
                Note::Queued { place, .. } => {
                    let place = *place;
                    state.note = Note::Nothing;
                    (true, self.0.calls.remove(place))
                }
            };
        }
        drop(removed);
        withdrawn
    }
}

impl<T: Copy + Send + 'static> Inner<T> {
    /// Puts the call into the list. What it is then.
    fn note(self: &Arc<Self>, told: T) -> Note<T> {
        let this: Arc<dyn Noted> = Arc::clone(self) as _;
        self.calls.push(this, Work::Routine).map_or(Note::Nothing, |place| Note::Queued { place, told })
    }
}

impl<T: Copy + Send + 'static> Routine<T> for ApcRoutine<T> {
    fn post(&self, told: T) -> bool {
        let mut state = self.0.state.lock();
        match &mut state.note {
            Note::Nothing => {
                state.note = self.0.note(told);
                matches!(state.note, Note::Queued { .. })
            }
            // Once at most; the first one stays.
            Note::Queued { .. } => !self.is_over(),
            Note::Begun { again, .. } => {
                again.get_or_insert(told);
                !self.is_over()
            }
        }
    }

    fn alert(&self) {
        self.0.calls.alert();
    }

    fn withdraw(&self) {
        ApcRoutine::withdraw(self);
    }

    fn is_over(&self) -> bool {
        self.0.calls.is_closed()
    }
}

impl<T: Copy + Send + 'static> Noted for Inner<T> {
    fn begin(&self, place: u64) -> bool {
        let mut state = self.state.lock();
        match state.note {
            Note::Queued { place: at, told } if at == place => {
                state.note = Note::Begun { told: Some(told), again: None };
                true
            }
            _ => false,
        }
    }

    fn put_back(self: Arc<Self>, place: u64) {
        let mut state = self.state.lock();
        if let Note::Begun { told: Some(told), .. } = state.note {
            // In one section, so that whoever takes it back finds it in the list or not noted.
            let this: Arc<dyn Noted> = Arc::clone(&self) as _;
            let back = self.calls.insert(place, Work::Routine(this));
            state.note = back.map_or(Note::Nothing, |()| Note::Queued { place, told });
        }
    }

    fn make(self: Arc<Self>) {
        let taken = {
            let mut state = self.state.lock();
            match &mut state.note {
                Note::Begun { told, .. } => told.take().zip(state.call.take()),
                _ => None,
            }
        };
        let Some((told, call)) = taken else { return };
        let mut running = Running { routine: &self, call: Some(call) };
        if let Some(call) = &mut running.call {
            call(told);
        }
    }
}

/// The call while it runs; also a panic ends it.
struct Running<'a, T: Copy + Send + 'static> {
    routine: &'a Arc<Inner<T>>,
    call: Option<Box<dyn FnMut(T) + Send>>,
}

impl<T: Copy + Send + 'static> Drop for Running<'_, T> {
    fn drop(&mut self) {
        let mut state = self.routine.state.lock();
        state.call = self.call.take();
        if let Note::Begun { again: Some(told), .. } = mem::replace(&mut state.note, Note::Nothing) {
            state.note = self.routine.note(told);
        }
    }
}

impl<T> Clone for ApcRoutine<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for ApcRoutine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noted = !matches!(self.0.state.lock().note, Note::Nothing);
        f.debug_struct("ApcRoutine").field("noted", &noted).finish_non_exhaustive()
    }
}
