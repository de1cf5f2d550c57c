//! One wait on several objects: [`wait_any`], [`wait_all`], [`signal_and_wait`].
//!
//! They take the very futures that are awaited singly, in an array, a `Vec` or a tuple:
//!
//! ```
//! use batons::{AutoResetEvent, Semaphore, wait_any};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), batons::WaitError> {
//! let (stop, work) = (AutoResetEvent::new(false), Semaphore::new(1, 5));
//! let (index, (stopped, permit)) = wait_any((stop.wait(), work.acquire())).await?;
//! assert_eq!((index, stopped), (1, None));
//! drop(permit);
//! # Ok(())
//! # }
//! ```

mod list;
mod until;

pub use list::{BoxedWait, WaitList, Waitable};
#[cfg(feature = "event-listener")]
pub use until::until_notified;
pub use until::{Until, until};

use crate::dispatch::{Object, Record, Signals, is_last_call};
use crate::error::WaitError;
use list::{Driven, List, Slot, attend, drive, part};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

// ===== any =====

/// Waits until one of several objects can be had, and takes that one and no other. Win32
/// `WaitForMultipleObjects` without *all*.
///
/// At the first poll the lowest index that is ready wins. After that whoever is signaled first wins, and it
/// is decided by the one who signals: the others are not touched, even if they are signaled before this
/// future is polled again. The answer is the index, and what the single wait would have answered: for an
/// array or a
/// `Vec` its output, for a tuple a tuple of options of which the one is `Some`. The same object may be
/// listed twice. Any number of objects will do; Win32 takes 64.
///
/// In each line it stands in its place by arrival, as a single wait would. An array or a tuple allocates
/// only if it must wait. A wait that was polled alone before gives up its place. Once one object is granted
/// the places in the other lines are passed by newcomers, and removed at the next poll or the drop; until
/// then a larger request to a semaphore may keep those who already stand behind it. The thread's form is
/// [`blocking::wait_any`](crate::blocking::wait_any).
///
/// # Cancel safety
///
/// Cancel safe. Before the grant a drop changes nothing; after it, the one object that was granted and not
/// seen is given back by its own rule.
///
/// # Errors
///
/// [`WaitError::Empty`] for an empty list. A member that is refused answers for itself, like one that is
/// granted, and ends the wait.
///
/// # Panics
///
/// The future panics if it is polled again after it answered.
///
/// # Examples
///
/// ```
/// # use batons::{AutoResetEvent, wait_any};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::WaitError> {
/// let events = [AutoResetEvent::new(false), AutoResetEvent::new(true), AutoResetEvent::new(true)];
/// let (index, ()) = wait_any(events.each_ref().map(|event| event.wait())).await?;
/// assert_eq!(index, 1);
/// assert!(!events[1].is_set() && events[2].is_set());
/// # Ok(())
/// # }
/// ```
pub fn wait_any<L: WaitList>(waits: L) -> WaitAny<L> {
    WaitAny { list: Some(waits.into_list()), record: None }
}

/// Future of [`wait_any`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitAny<L: WaitList> {
    /// Leaves with the answer.
    list: Option<L::List>,
    /// Present while the wait stands in its lines.
    record: Option<Arc<Record>>,
}

impl<L: WaitList> Unpin for WaitAny<L> {}

impl<L: WaitList> Future for WaitAny<L> {
    type Output = Result<(usize, L::Any), WaitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(list) = &mut this.list else { panic!("`WaitAny` polled after completion") };
        if list.len() == 0 {
            this.list = None;
            return Poll::Ready(Err(WaitError::Empty));
        }
        let answered = match &this.record {
            None => first_any(list, &mut this.record, cx),
            Some(record) => again_any(list, &Arc::clone(record), &mut this.record, cx),
        };
        let Some(index) = answered else { return attend(list, cx) };
        this.record = None;
        let answer = list.any(index).expect("the member at the index was answered");
        this.list = None;
        Poll::Ready(Ok((index, answer)))
    }
}

/// Asks every object, and stands in all lines if none can be had.
fn first_any(list: &mut impl List, stands: &mut Option<Arc<Record>>, cx: &mut Context<'_>) -> Option<usize> {
    for index in 0..list.len() {
        list.slot(index).drive(cx);
        if list.slot(index).ask() {
            return Some(index);
        }
    }
    if is_last_call(cx.waker()) {
        return None;
    }
    let record = stands.insert(Record::any(cx.waker().clone()));
    for index in 0..list.len() {
        // Asked again in the same section in which it stands in line (R7).
        if list.slot(index).join(record, index) {
            part(list, Some(index));
            return Some(index);
        }
        if record.claimed().is_some() {
            break;
        }
    }
    record.claimed().and_then(|index| collect(list, index))
}

fn again_any(
    list: &mut impl List,
    record: &Arc<Record>,
    stands: &mut Option<Arc<Record>>,
    cx: &mut Context<'_>,
) -> Option<usize> {
    for index in 0..list.len() {
        // Once a member has won no other future is polled, since its output would be lost.
        if record.claimed().is_none() {
            list.slot(index).drive(cx);
        }
    }
    let waker = cx.waker();
    if is_last_call(waker) {
        if let Err(index) = record.cancel() {
            return collect(list, index);
        }
        part(list, None);
        *stands = None;
        return None;
    }
    if record.is_claimed(waker) { record.claimed().and_then(|index| collect(list, index)) } else { None }
}

/// Takes the answer of the member that was claimed, and takes the others out of their lines.
fn collect(list: &mut impl List, index: usize) -> Option<usize> {
    part(list, Some(index));
    list.slot(index).collect().then_some(index)
}

#[cfg(feature = "futures")]
impl<L: WaitList> futures::future::FusedFuture for WaitAny<L> {
    fn is_terminated(&self) -> bool {
        self.list.is_none()
    }
}

impl<L: WaitList> Drop for WaitAny<L> {
    fn drop(&mut self) {
        if let Some(record) = &self.record {
            // Claimed or not, the waits that are dropped next leave their lines and give back what they have.
            let _ = record.cancel();
        }
    }
}

impl<L: WaitList> fmt::Debug for WaitAny<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAny").finish_non_exhaustive()
    }
}

// ===== all =====

/// Waits until all of several objects can be had at one instant, and takes them in one step. Win32
/// `WaitForMultipleObjects` with *all*.
///
/// Nothing is taken and nothing reserved before: meanwhile others may take single objects. A pulse of the
/// last one that is missing completes the wait. In each line it stands in its place by arrival; those
/// behind it are served if it cannot be, and newcomers too. There is no promise that it is ever granted
/// while others keep its objects busy, nor in Win32.
///
/// The answer is what the single waits would have answered, in an array, `Vec` or tuple; so each mutex says
/// itself whether it was abandoned, where Win32 says that one of them was. The thread's form is
/// [`blocking::wait_all`](crate::blocking::wait_all).
///
/// # Cancel safety
///
/// Cancel safe. Before the grant a drop changes nothing. If all was granted and not seen, all is given back
/// in one step.
///
/// # Errors
///
/// [`WaitError::Empty`]; [`WaitError::SameObject`] if an object is listed twice, through whatever handle,
/// also a baton with two numbers; [`WaitError::Refused`] if a member is, which ends the wait for all.
/// Nothing is changed.
///
/// # Panics
///
/// The future panics if it is polled again after it answered.
///
/// # Examples
///
/// ```
/// use batons::{Mutex, Owner, wait_all};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::WaitError> {
/// let (left, right, me) = (Mutex::new(), Mutex::new(), Owner::new());
/// let forks = wait_all([left.lock(&me), right.lock(&me)]).await?;
/// assert!(left.is_locked() && right.is_locked());
/// drop(forks);
/// # Ok(())
/// # }
/// ```
pub fn wait_all<L: WaitList>(waits: L) -> WaitAll<L> {
    WaitAll { list: Some(waits.into_list()), record: None }
}

/// Future of [`wait_all`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitAll<L: WaitList> {
    /// Leaves with the answer.
    list: Option<L::List>,
    /// Present while the wait stands in its lines.
    record: Option<Arc<Record>>,
}

impl<L: WaitList> Unpin for WaitAll<L> {}

impl<L: WaitList> Future for WaitAll<L> {
    type Output = Result<L::All, WaitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(list) = &mut this.list else { panic!("`WaitAll` polled after completion") };
        drive(list, cx);
        let answered = match &this.record {
            None => first_all(list, &mut this.record),
            Some(_) => Ok(()),
        };
        if let (Ok(()), Some(record)) = (&answered, &this.record) {
            if is_last_call(cx.waker()) && record.cancel().is_ok() {
                part(list, None);
                this.record = None;
                return Poll::Pending;
            }
            if !record.is_claimed(cx.waker()) {
                return attend(list, cx);
            }
        }
        let answer = answered.and_then(|()| collect_all(list));
        this.list = None;
        // Last, so that no line drops it, and a waker with it, under its lock (R3).
        this.record = None;
        Poll::Ready(answer)
    }
}

/// Stands in all lines, and takes all if that is possible now.
fn first_all(list: &mut impl List, stands: &mut Option<Arc<Record>>) -> Result<(), WaitError> {
    check(list)?;
    let record = stands.insert(Record::all(list.len()));
    for index in 0..list.len() {
        if let Err(refusal) = list.slot(index).join_all(record, index) {
            let _ = record.cancel();
            part(list, None);
            return Err(WaitError::Refused { index, refusal });
        }
    }
    record.stands_at((0..list.len()).filter_map(|index| list.slot(index).member()).collect());
    Ok(())
}

/// Refuses an empty list and objects that stand in it twice.
fn check(list: &mut impl List) -> Result<(), WaitError> {
    if list.len() == 0 {
        return Err(WaitError::Empty);
    }
    let mut ids: Vec<_> = (0..list.len()).map(|index| (list.slot(index).id(), index)).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(WaitError::SameObject { first: pair[0].1, second: pair[1].1 }),
        None => Ok(()),
    }
}

fn collect_all<L: List>(list: &mut L) -> Result<L::All, WaitError> {
    for index in 0..list.len() {
        if let Err(refusal) = list.slot(index).collect_all() {
            part(list, None);
            return Err(WaitError::Refused { index, refusal });
        }
    }
    Ok(list.all().expect("all members were answered"))
}

#[cfg(feature = "futures")]
impl<L: WaitList> futures::future::FusedFuture for WaitAll<L> {
    fn is_terminated(&self) -> bool {
        self.list.is_none()
    }
}

impl<L: WaitList> Drop for WaitAll<L> {
    fn drop(&mut self) {
        // The waits that are dropped next leave their lines. Given back one by one, what was granted in one step
        // could complete a wait that never saw all of it.
        if let Some(record) = &self.record {
            if record.cancel().is_err() {
                record.give_back();
            }
        }
    }
}

impl<L: WaitList> fmt::Debug for WaitAll<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAll").finish_non_exhaustive()
    }
}

// ===== signal and wait =====

/// What [`signal_and_wait`] can signal: `&event`, `&semaphore`, or a level of a mutex to be
/// [unlocked](crate::Mutex::unlocking). Sealed.
///
/// # Examples
///
/// See [`signal_and_wait`].
pub trait Signal: Signals {}

impl<S: Signals> Signal for S {}

/// Signals one object and waits for another, in one step: whoever is woken by the signal finds the wait
/// standing in line. Win32 `SignalObjectAndWait`, which may miss a pulse in between.
///
/// The signal is `&event` ([set](crate::Event::set)), `&semaphore` ([release](crate::Semaphore::release) of
/// one), or [`mutex.unlocking(&owner)`](crate::Mutex::unlocking) (one level). Nothing happens before the
/// first poll. If the signal is refused the wait never began, and if the wait is refused at once the signal
/// did not happen. Signal and wait may be on the same object: the wait takes the signal, unless others were
/// in line before. Its request for several permits holds nobody up while it cannot be granted, as that of a
/// [`wait_all`]. It allocates.
///
/// The thread's form is [`blocking::wait`](crate::blocking::wait) on this future; after a
/// [`wait_timeout`](crate::blocking::wait_timeout) that timed out the signal is done, as in Win32.
///
/// # Cancel safety
///
/// Dropped before its first poll it has done nothing. After that the signal stays done, and the wait
/// is withdrawn or given back like any other.
///
/// # Errors
///
/// What the signal refuses: [`ReleaseError`](crate::ReleaseError) for a full semaphore,
/// [`NotOwner`](crate::NotOwner) for a mutex of somebody else, nothing for an event.
///
/// # Panics
///
/// The future panics if it is polled again after it answered.
///
/// # Examples
///
/// ```
/// # use batons::{AutoResetEvent, blocking, signal_and_wait};
/// let (ask, answer) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
/// std::thread::scope(|scope| {
///     scope.spawn(|| blocking::wait(signal_and_wait(&ask, answer.wait())));
///     ask.blocking_wait();
///     answer.pulse(); // finds the wait in line
/// });
/// ```
pub fn signal_and_wait<S: Signal, T: Waitable>(signal: S, wait: T) -> SignalAndWait<S, T> {
    SignalAndWait { signal: Some(signal), slot: Slot::new(wait), record: None, over: false }
}

/// Future of [`signal_and_wait`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SignalAndWait<S: Signal, T: Waitable> {
    /// Present until the signal was given.
    signal: Option<S>,
    slot: Slot<T>,
    /// Present while the wait stands in line.
    record: Option<Arc<Record>>,
    over: bool,
}

impl<S: Signal, T: Waitable> Unpin for SignalAndWait<S, T> {}

impl<S: Signal, T: Waitable> Future for SignalAndWait<S, T> {
    type Output = Result<T::Output, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(!this.over, "`SignalAndWait` polled after completion");
        this.slot.drive(cx);
        if let Some(signal) = this.signal.take() {
            let record = Record::all(1);
            if this.slot.join(&record, 0) {
                // The wait is refused, and the signal not given.
                this.over = true;
                return Poll::Ready(Ok(this.slot.output().expect("it was answered")));
            }
            let member = this.slot.member().expect("it stands in line");
            let signaled: Arc<dyn Object> = Arc::clone(signal.header()) as _;
            if let Err(refusal) = record.signal_and_stand(signaled, |state| signal.change(state), member) {
                this.slot.part();
                this.over = true;
                return Poll::Ready(Err(refusal));
            }
            signal.signaled();
            this.record = Some(record);
        }
        let polled = this.again(cx);
        if polled.is_pending() && !is_last_call(cx.waker()) {
            this.slot.attend();
        }
        polled.map(Ok)
    }
}

impl<S: Signal, T: Waitable> SignalAndWait<S, T> {
    fn again(&mut self, cx: &Context<'_>) -> Poll<T::Output> {
        let Some(record) = &self.record else { return self.alone(cx) };
        if is_last_call(cx.waker()) && record.cancel().is_ok() {
            self.slot.part();
            self.record = None;
            return Poll::Pending;
        }
        if !record.is_claimed(cx.waker()) || !self.slot.collect() {
            return Poll::Pending;
        }
        self.over = true;
        self.slot.output().map_or(Poll::Pending, Poll::Ready)
    }

    /// The signal was given and the wait withdrawn by a deadline: it is a single wait from here on.
    fn alone(&mut self, cx: &Context<'_>) -> Poll<T::Output> {
        let polled = self.slot.poll(cx);
        self.over = polled.is_ready();
        polled
    }
}

#[cfg(feature = "futures")]
impl<S: Signal, T: Waitable> futures::future::FusedFuture for SignalAndWait<S, T> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<S: Signal, T: Waitable> Drop for SignalAndWait<S, T> {
    fn drop(&mut self) {
        if let Some(record) = &self.record {
            // Claimed or not, the wait that is dropped next leaves its line and gives back what it has.
            let _ = record.cancel();
        }
    }
}

impl<S: Signal, T: Waitable> fmt::Debug for SignalAndWait<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalAndWait").finish_non_exhaustive()
    }
}
