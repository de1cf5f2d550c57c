//! Calls queued to one task or thread, which makes them itself while it waits alertably.
//!
//! What an alertable wait answers at the moment in which it looks:
//!
//! | the wait itself | calls are queued | deadline | answer            | the calls | the object      |
//! |-----------------|------------------|----------|-------------------|-----------|-----------------|
//! | granted         | yes or no        | any      | [`Alertable::Done`]    | stay      | taken           |
//! | not granted     | yes              | any      | [`Alertable::Alerted`] | are made  | as if never asked |
//! | not granted     | no               | over     | time-out          | none      | as if never asked |
//! | not granted     | no               | ahead    | waits             | none      | in line for it  |
//!
//! The alert is an event of this crate, set after each call that is queued, so that who waits alertably is
//! woken like any other waiter. Calls are made by the future itself, in its poll, under no lock.

mod calls;
mod forms;
mod routine;
#[cfg(test)]
mod tests;
mod wait;

pub use calls::Apc;
pub use routine::ApcRoutine;
pub use wait::{AlertableWait, DrainApcs};

use crate::error::QueueClosed;
use calls::{Calls, Work};
use std::{fmt, future::Future, sync::Arc};

// ===== the answer =====

/// The answer of an alertable wait: its own, or that calls were made instead.
///
/// Win32 `WAIT_IO_COMPLETION` is [`Alerted`](Alertable::Alerted).
///
/// # Examples
///
/// The loop of a task that has calls made while it waits for work:
///
/// ```
/// use batons::{Alertable, ApcQueue, Semaphore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (queue, work) = (ApcQueue::new(), Semaphore::new(0, 1));
/// queue.handle().queue({
///     let work = work.clone();
///     move || assert_eq!(work.release(1), Ok(0))
/// })?;
/// let mut alerted = 0;
/// let permit = loop {
///     match queue.alertable(work.acquire()).await {
///         Alertable::Done(permit) => break permit?,
///         Alertable::Alerted => alerted += 1, // the wait took nothing: again
///     }
/// };
/// assert_eq!((permit.num_permits(), alerted), (1, 1));
/// # Ok(())
/// # }
/// ```
#[must_use = "an alerted wait took nothing: it is to be made again"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alertable<T> {
    /// The wait was answered; calls that are queued stay queued.
    Done(T),
    /// Calls were made. The wait is over and took nothing.
    Alerted,
}

impl<T> Alertable<T> {
    /// The wait's own answer, if it was answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Alertable;
    /// assert_eq!(Alertable::Done(7).done(), Some(7));
    /// assert_eq!(Alertable::<u8>::Alerted.done(), None);
    /// ```
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(answer) => Some(answer),
            Self::Alerted => None,
        }
    }

    /// Whether calls were made instead.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Alertable;
    /// assert!(Alertable::<u8>::Alerted.is_alerted());
    /// ```
    #[must_use]
    pub fn is_alerted(&self) -> bool {
        matches!(self, Self::Alerted)
    }
}

// ===== the queue =====

/// Calls for one task or thread, which makes them in its alertable waits. Win32 gives each thread such a queue.
///
/// The task or thread keeps the queue and gives out [handles](ApcQueue::handle); whoever has one queues a call
/// by [`ApcHandle::queue`]. The calls are made one after the other, in the order in which they were queued, by
/// the task or thread itself, and only while it waits [alertably](ApcQueue::alertable): never in the middle of
/// anything else. If calls should run as soon as possible and no matter where, spawn a task instead.
///
/// One wait makes all that is queued, and what those calls queue meanwhile, up to 1,024 calls more than were
/// queued when it began; the rest is left to the next wait. If a call panics, the panic goes through the wait, the
/// rest stays queued and the queue usable.
///
/// A call may itself wait alertably, if it has the queue (by an `Arc`): what is queued then is made inside. The
/// depth of that is the user's risk. Of several waits on one queue at a time any may make a call.
///
/// Dropping the queue drops the calls that were not made; [`close`](ApcQueue::close) gives them back.
///
/// # Memory ordering
///
/// What was done before a call was queued is visible to the call.
///
/// # Examples
///
/// ```
/// use batons::{Alertable, ApcQueue, AutoResetEvent};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (queue, event) = (ApcQueue::new(), AutoResetEvent::new(false));
/// let handle = queue.handle();
/// let sender = tokio::spawn({
///     let event = event.clone();
///     async move { handle.queue(move || assert!(!event.set())) }
/// });
/// // The call runs here, and the event that it sets is not taken by the wait it interrupted.
/// assert_eq!(queue.alertable(event.wait()).await, Alertable::Alerted);
/// assert_eq!(queue.alertable(event.wait()).await, Alertable::Done(()));
/// # assert!(sender.await?.is_ok());
/// # Ok(())
/// # }
/// ```
pub struct ApcQueue {
    calls: Arc<Calls>,
}

impl ApcQueue {
    /// Creates a queue without calls.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// assert_eq!(ApcQueue::new().pending(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { calls: Calls::new() }
    }

    /// A handle by which others queue calls. It does not keep the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let queue = ApcQueue::new();
    /// let handle = queue.handle();
    /// drop(queue);
    /// assert!(handle.is_closed());
    /// ```
    #[must_use]
    pub fn handle(&self) -> ApcHandle {
        ApcHandle { calls: Arc::clone(&self.calls) }
    }

    /// Waits for `wait`, or makes the calls that are queued or come meanwhile. Win32 `WaitForSingleObjectEx`,
    /// `WaitForMultipleObjectsEx`, `SignalObjectAndWait` and `SleepEx` with *alertable*.
    ///
    /// `wait` is any future: the wait of an object, [`wait_any`](crate::wait_any),
    /// [`wait_all`](crate::wait_all), [`signal_and_wait`](crate::signal_and_wait), the `sleep` of a runtime. Its
    /// answer comes first: if it can be had, the calls stay queued. If not, and calls are queued (before or during
    /// the wait), the wait is withdrawn in one step and dropped, as if it had never been made; and then the calls
    /// are made, all in one poll unless one of them [waits](ApcHandle::queue_async). A signal that belongs to the
    /// wait stays given. A future that is not of this crate is polled a last time and dropped. If all calls are
    /// [taken back](ApcRoutine::withdraw) while the wait is being withdrawn for them, it begins anew, at the end of its line.
    ///
    /// For a deadline put the runtime's timeout around it, for example
    /// `tokio::time::timeout(d, queue.alertable(wait))`: the object comes first, then the calls, then the
    /// time-out. [`blocking_alertable_timeout`](ApcQueue::blocking_alertable_timeout) is the form for threads.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe if `wait` is. Dropped before the poll that would have made calls, it took none: they stay
    /// queued. Dropped while a call [waits](ApcHandle::queue_async), those before it are done, and that call stays
    /// at the head of the queue and goes on in the next alertable wait.
    ///
    /// # Panics
    ///
    /// As a call does that panics. The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// A sleep that calls may end, as Win32 `SleepEx`:
    ///
    /// ```
    /// use batons::{Alertable, ApcQueue};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let queue = ApcQueue::new();
    /// let hour = Duration::from_secs(3_600);
    /// queue.handle().queue(|| println!("enough slept"))?;
    /// assert_eq!(queue.alertable(tokio::time::sleep(hour)).await, Alertable::Alerted);
    /// # Ok(())
    /// # }
    /// ```
    pub fn alertable<F: Future>(&self, wait: F) -> AlertableWait<'_, F> {
        AlertableWait::new(&self.calls, wait)
    }

    /// Makes the calls that are queued and returns how many. Win32 `NtTestAlert`.
    ///
    /// It waits for nothing but what a call [waits](ApcHandle::queue_async) for. A task that begins with it makes
    /// the calls that were queued before it ran, as a thread of Win32 does.
    ///
    /// # Cancel safety
    ///
    /// As [`alertable`](ApcQueue::alertable).
    ///
    /// # Panics
    ///
    /// As [`alertable`](ApcQueue::alertable).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let queue = ApcQueue::new();
    /// queue.handle().queue(|| println!("made"))?;
    /// assert_eq!(queue.drain().await, 1);
    /// assert_eq!(queue.drain().await, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self) -> DrainApcs<'_> {
        DrainApcs::new(&self.calls)
    }

    /// How many calls are queued. Stale as soon as it is read: report it, do not act on it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let queue = ApcQueue::new();
    /// queue.handle().queue(|| {})?;
    /// assert_eq!(queue.pending(), 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        self.calls.count()
    }

    /// Refuses calls from now on, and gives back those that are queued, in their order.
    ///
    /// A call that is being made at the moment is not among them. Alertable waits go on as plain ones. In Win32
    /// the calls of a thread that ends are lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let queue = ApcQueue::new();
    /// queue.handle().queue(|| {})?;
    /// assert_eq!(queue.close().len(), 1);
    /// assert!(queue.handle().queue(|| {}).is_err());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::must_use_candidate)] // the calls may be dropped
    pub fn close(&self) -> Vec<Apc> {
        self.calls.close().into_values().collect()
    }

    /// Whether the queue was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// assert!(!ApcQueue::new().is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.calls.is_closed()
    }
}

impl Default for ApcQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ApcQueue {
    fn drop(&mut self) {
        drop(self.calls.close());
    }
}

impl fmt::Debug for ApcQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, "ApcQueue", &self.calls)
    }
}

fn debug(f: &mut fmt::Formatter<'_>, name: &str, calls: &Calls) -> fmt::Result {
    let told = (calls.count(), calls.is_closed());
    f.debug_struct(name).field("pending", &told.0).field("closed", &told.1).finish_non_exhaustive()
}

// ===== the handle =====

/// Queues calls to one [`ApcQueue`], from anywhere.
///
/// Clones are handles to one queue. They do not keep it. In Win32 the handle of the thread serves for that.
///
/// # Examples
///
/// ```
/// use batons::{ApcQueue, blocking};
/// use std::sync::mpsc;
///
/// let queue = ApcQueue::new();
/// let (say, said) = mpsc::channel();
/// std::thread::scope(|scope| {
///     for n in [1, 2] {
///         let (handle, say) = (queue.handle(), say.clone());
///         scope.spawn(move || handle.queue(move || say.send(n).unwrap()).unwrap());
///     }
/// });
/// assert!(said.try_recv().is_err(), "nobody has waited alertably");
/// assert_eq!(blocking::wait(queue.drain()), 2);
/// assert_eq!(said.try_iter().sum::<i32>(), 3);
/// ```
#[derive(Clone)]
pub struct ApcHandle {
    calls: Arc<Calls>,
}

impl ApcHandle {
    /// Queues `call` and wakes one who waits alertably. Win32 `QueueUserAPC`.
    ///
    /// It may be queued at any time, also by another call of the queue; it counts for the alertable waits that
    /// come later. The waiter is woken by the calling thread, under no lock.
    ///
    /// # Errors
    ///
    /// [`QueueClosed`], with the call in it, if the queue was dropped or closed.
    ///
    /// # Panics
    ///
    /// Only if the waker does; the call is queued then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Alertable, ApcQueue, blocking};
    /// let queue = ApcQueue::new();
    /// queue.handle().queue(|| println!("first"))?;
    /// queue.handle().queue(|| println!("second"))?;
    /// let answer = blocking::wait(queue.alertable(std::future::pending::<()>()));
    /// assert_eq!(answer, Alertable::Alerted);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue<F: FnOnce() + Send + 'static>(&self, call: F) -> Result<(), QueueClosed<F>> {
        self.push(Box::new(call), |call| Work::Closure(call))
    }

    /// Queues a call that may wait: `future` is polled to its end inside one alertable wait, before the calls
    /// behind it begin.
    ///
    /// That is an APC of Win32 that makes a wait which is not alertable. If the alertable wait is dropped
    /// meanwhile, the future keeps the head of the queue and its own places in line, and goes on in the next
    /// alertable wait.
    ///
    /// # Errors
    ///
    /// As [`queue`](ApcHandle::queue).
    ///
    /// # Panics
    ///
    /// As [`queue`](ApcHandle::queue).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ApcQueue, AutoResetEvent, blocking};
    /// let (queue, event) = (ApcQueue::new(), AutoResetEvent::new(true));
    /// queue.handle().queue_async({
    ///     let event = event.clone();
    ///     async move { event.wait().await }
    /// })?;
    /// assert_eq!(blocking::wait(queue.drain()), 1);
    /// assert!(!event.is_set());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue_async<F>(&self, future: F) -> Result<(), QueueClosed<F>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.push(Box::new(future), |future| Work::Future(Box::into_pin(future)))
    }

    fn push<W>(&self, call: Box<W>, into_work: impl FnOnce(Box<W>) -> Work) -> Result<(), QueueClosed<W>> {
        match self.calls.push(call, into_work) {
            Ok(_) => {
                self.calls.alert();
                Ok(())
            }
            Err(call) => Err(QueueClosed(*call)),
        }
    }

    /// Makes `call` one that can be queued many times, waits once at most, and can be taken back; see
    /// [`ApcRoutine`]. Nothing is queued yet.
    ///
    /// If the call panics once, it is called again all the same when it is queued again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ApcQueue, blocking};
    /// let queue = ApcQueue::new();
    /// let routine = queue.handle().routine(|()| println!("called"));
    /// routine.queue(());
    /// assert_eq!(blocking::wait(queue.drain()), 1);
    /// ```
    #[must_use = "nothing is queued yet"]
    pub fn routine<T, F>(&self, call: F) -> ApcRoutine<T>
    where
        T: Copy + Send + 'static,
        F: FnMut(T) + Send + 'static,
    {
        ApcRoutine::new(Arc::clone(&self.calls), call)
    }

    /// Whether the queue was dropped or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let queue = ApcQueue::new();
    /// let handle = queue.handle();
    /// assert!(!handle.is_closed());
    /// drop(queue.close());
    /// assert!(handle.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.calls.is_closed()
    }
}

impl fmt::Debug for ApcHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, "ApcHandle", &self.calls)
    }
}
