//! Synchronization objects for tasks and threads that hand over exactly.
//!
//! Win32 gave threads a family of objects that obey one rule: a wait is satisfied by the one who
//! signals, exactly once, and precisely the right waiter wakes. This crate is that family for async
//! Rust. Its heart is the [`Baton`], a turn that is passed on in the order of sequence numbers.
//!
//! # Which object do I need?
//!
//! | you want | take |
//! |---|---|
//! | turns in the order of numbers that you have | [`Baton::acquire`] |
//! | turns in the order in which they were asked for, none lost by a panic or an abort | [`Baton::ticket`] |
//! | concurrent work whose results are committed in order | [`lane::Lane`], [`lane::pipeline`](lane::pipeline()) |
//! | order for each key, and none among keys | [`lane::Keyed`] |
//! | a flag that stays set for everybody | [`ManualResetEvent`] |
//! | a signal that one waiter takes | [`AutoResetEvent`] |
//! | at most so many at once | [`Semaphore`] |
//! | exclusion with an explicit owner, recursion and abandonment | [`Mutex`], [`Owner`] |
//! | exclusion among threads, light | [`CriticalSection`] |
//! | whichever of several objects comes first, and only that one | [`wait_any`] |
//! | several objects in one step, or none | [`wait_all`] |
//! | to signal one object and wait for another in one step | [`signal_and_wait`] |
//! | another future among them | [`until`] |
//! | something at a time, once or every period | [`WaitableTimer`] |
//! | time in a test's hands | [`ManualClock`] |
//! | calls that one task makes while it waits | [`ApcQueue`] |
//! | one object found by its name | [`Namespace`] |
//! | work in flight that can be waited for and cancelled | [`Operation`] |
//! | the results of many operations as they complete, and a bound on who works on them | [`CompletionPort`] |
//! | the same from a thread | the `blocking_…` methods, [`blocking::wait`] |
//! | a deadline, from a thread | [`blocking::wait_timeout`] |
//! | a deadline, in a task | your runtime's timeout around the future, see below |
//!
//! # What holds for every object
//!
//! * Handles are cheap to clone, and clones are the same object. They are `Send`, `Sync` and unwind safe.
//! * A waiter is granted the object before it is woken, and one release wakes one waiter.
//! * Waiters are tasks and threads in one line, served in the order of their first polls (a baton's: of their
//!   numbers); a newcomer never overtakes.
//! * Every future does nothing before its first poll, is cancel safe at every stage, and panics with its
//!   name if it is polled after it answered. The documentation of each method says what a drop gives up.
//! * Waking, cloning and dropping a waker happens outside every lock: an executor may call any object from
//!   within any of them.
//! * The futures know no executor and need no runtime.
//!
//! A task's deadline is its runtime's, for example `tokio::time::timeout(duration, baton.acquire(n))`.
//! It drops the future, and a grant that falls between its last poll and that drop is given back; for a
//! baton that means that `n` has had its turn. [`blocking::wait_timeout`] has no such gap, and a [`Ticket`]
//! keeps its turn in either case. Several waits in a `select!` may likewise be granted together, and all but
//! one are given back; [`wait_any`] takes exactly one.
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | wait | one request that is not answered yet; a future, or a thread inside a blocking form |
//! | waiter | who makes it: a task or a thread |
//! | line | where waits stand, in the order of their numbers |
//! | grant | the object is given to a wait: its state says so before the waiter is woken |
//! | hand over | release and grant in one step |
//! | turn | what a baton grants: to be the only holder until it is released |
//! | sequence number | what orders the turns of a baton |
//!
//! # Coming from Win32
//!
//! | Win32 | here | differences |
//! |---|---|---|
//! | `QueueUserAPC` to the thread of the next number, which waits in `SleepEx` | [`Baton`] | the wait is what is woken, not the thread; no other APC can be mistaken for the grant |
//! | `DuplicateHandle`, `CloseHandle` | `clone`, drop | no access rights; a waiter keeps its object alive |
//! | `CreateEvent` | [`ManualResetEvent::new`](Event::new), [`AutoResetEvent::new`](Event::new) | the kind is a type |
//! | `SetEvent`, `ResetEvent` | [`Event::set`], [`Event::reset`] | return the state before, as the kernel does |
//! | `PulseEvent` | [`Event::pulse`] | reliable: who has been polled once stands in line; one step |
//! | `CreateSemaphore` | [`Semaphore::new`] | panics where Win32 fails; the maximum can be [resized](Semaphore::resize) |
//! | wait for a semaphore | [`Semaphore::acquire`], [`acquire_many`](Semaphore::acquire_many) | a permit goes back when dropped; [`forget`](HeldPermits::forget) it for a Win32 unit |
//! | `ReleaseSemaphore` | [`Semaphore::release`] | same previous count; same refusal of 0 and above the maximum |
//! | `CreateMutex` | [`Mutex::new`] and one [`Owner`] per party | the owner is a token, not a thread; never owned from the start |
//! | wait for a mutex | [`Mutex::lock`] | the guard is one level; 65,535 levels at most |
//! | `ReleaseMutex` | drop the guard; [`Mutex::unlock`] after [`forget`](HeldMutex::forget) | tells the depth before |
//! | `ERROR_NOT_OWNER` | [`NotOwner`] | only from `unlock` and `unlocking`; a guard cannot cause it |
//! | `WAIT_ABANDONED` | [`Abandoned`], holding the guard | also after a panic or [`abandon`](HeldMutex::abandon); kept for the next owner if dropped unopened |
//! | `InitializeCriticalSection`, `…AndSpinCount`, `DeleteCriticalSection` | [`CriticalSection::new`], [`with_spin_count`](CriticalSection::with_spin_count), drop | a handle that can be cloned, and the last one frees it; the count is not ignored on one processor |
//! | `EnterCriticalSection`, `TryEnterCriticalSection` | [`enter`](CriticalSection::enter), [`try_enter`](CriticalSection::try_enter) | those who sleep are served in order |
//! | `LeaveCriticalSection` | drop the guard | cannot be called by another thread or too often |
//! | `SetCriticalSectionSpinCount` | [`set_spin_count`](CriticalSection::set_spin_count) | the same |
//! | `WaitForSingleObject` | `await`; [`blocking::wait`], [`blocking::wait_timeout`] | order is guaranteed; a time-out of 0 is `try_…` |
//! | `WaitForMultipleObjects`, any | [`wait_any`], [`blocking::wait_any_timeout`] | any number, not 64; an object may be listed twice; a refused member answers for itself |
//! | `WaitForMultipleObjects`, all | [`wait_all`], [`blocking::wait_all_timeout`] | each mutex says itself whether it was abandoned; the same object twice is refused, as in Win32 |
//! | `WAIT_TIMEOUT` | [`TimedOut`], a variant of that name, `false` where a wait has nothing else to answer | a grant beats the deadline |
//! | `SignalObjectAndWait` | [`signal_and_wait`] | one step: no pulse is missed; after a time-out the signal is done, as in Win32 |
//! | `CreateWaitableTimer` | [`WaitableTimer::manual`], [`auto`](WaitableTimer::auto) | a constructor for each kind; [`manual_on`](WaitableTimer::manual_on) another clock |
//! | `SetWaitableTimer`, `…Ex` | [`WaitableTimer::set`], [`set_with`](WaitableTimer::set_with) | returns the state before, and clears both kinds; periods in nanoseconds; cannot wake the machine; no tolerable delay |
//! | negative and positive due time | [`Due::after`], [`Due::at`] | never, if it is out of range; [`Due::at_instant`] has no counterpart |
//! | `CancelWaitableTimer` | [`WaitableTimer::cancel`] | returns the state; never changes it, as in Win32 |
//! | timer completion routine | [`set_with`](WaitableTimer::set_with) an [`ApcHandle::routine`] | signaled first, called then; one call outstanding; taken back by set, cancel and the last drop |
//! | `QueueUserAPC` | [`ApcHandle::queue`], [`queue_async`](ApcHandle::queue_async) | to a queue, not to a thread; one that was closed gives the call back; no special APC (`QueueUserAPC2`), which runs in the middle of anything |
//! | `SleepEx`, `WaitForSingleObjectEx`, `WaitForMultipleObjectsEx`, alertable | [`ApcQueue::alertable`] around any future, [`blocking_sleep`](ApcQueue::blocking_sleep) | the object, then the calls, then the deadline, as the kernel has it; one drain is bounded |
//! | `WAIT_IO_COMPLETION` | [`Alertable::Alerted`] | the same: the wait is over and took nothing |
//! | `NtTestAlert` | [`ApcQueue::drain`] | tells how many |
//! | `ReadFile` and others with `OVERLAPPED` | [`Operation::spawn`], [`Operation::new`] | any future or closure; owns its buffers until it is complete |
//! | `GetOverlappedResult`, `…Ex` | [`Operation::result`], [`try_result`](Operation::try_result) | the value is taken once; waits consume nothing |
//! | `HasOverlappedIoCompleted` | [`Operation::is_complete`] | sees what the work did |
//! | `CancelIoEx` | [`Operation::cancel`] | tells who won; a cancellation that won is final |
//! | `CloseHandle` while I/O is pending | drop of the last handle | cancels, unless [detached](Operation::detach) |
//! | `ReadFileEx` with a completion routine | [`Operation::spawn_with`], [`with_routine`](Operation::with_routine) | the operation is signaled as well |
//! | `CreateIoCompletionPort` | [`CompletionPort::new`], [`CompletionPort::spawn`] | each operation names its port; a guard counts as running, not a thread |
//! | `PostQueuedCompletionStatus` | [`CompletionPort::post`] | any value; given back after a close |
//! | `GetQueuedCompletionStatus`, `…Ex` | [`next`](CompletionPort::next), [`next_many`](CompletionPort::next_many), [`try_next`](CompletionPort::try_next) | waiters first in, first out; a packet not seen is at the head again |
//! | `ERROR_ABANDONED_WAIT_0` | [`PortClosed`] | what was queued is still taken |
//! | `Create…` with a name, `ERROR_ALREADY_EXISTS` | [`Namespace::create`], [`Created::existed`] | initial values are not even evaluated if it exists |
//! | `OpenEvent`, `OpenSemaphore`, `OpenMutex`, `OpenWaitableTimer` | [`Namespace::open`] | no access rights |
//! | `ERROR_INVALID_HANDLE`, `ERROR_FILE_NOT_FOUND` of a name | [`NameError`] | tells both types |
//! | `DuplicateHandle` of a named object | clone of [`Named`] | a clone of the object itself keeps the object and not the name |
//! | waiting for a thread or process | [`until`] around a join handle or any future | its output comes with it |
//! | ownership by thread | ownership by guard (a mutex: by [`Owner`]; a critical section: by thread) | a guard may be sent to another task or thread |
//!
//! # What Win32 has and this crate leaves to others
//!
//! | Win32 | take | differences |
//! |---|---|---|
//! | `InitializeConditionVariable`, `SleepConditionVariableCS`, `…SRW`, `WakeConditionVariable`, `WakeAll…` | [`std::sync::Condvar`]; in tasks an event of this crate or [`tokio::sync::Notify`] beside the lock | a `Condvar` belongs to one `Mutex`; both may wake for nothing, as in Win32; `Notify` remembers one notification, a condition variable none |
//! | `InitializeSRWLock`, `AcquireSRWLockExclusive`, `…Shared`, `Release…`, `TryAcquire…` | [`std::sync::RwLock`], [`tokio::sync::RwLock`] | std's is poisoned by a panic; tokio's serves in order of arrival, where SRW locks promise none; released by guards |
//! | `InitOnceExecuteOnce` | [`std::sync::OnceLock`], [`std::sync::LazyLock`], [`tokio::sync::OnceCell`] | the routine returns the value; one that fails may be tried again only with tokio's `get_or_try_init` |
//! | `InitOnceBeginInitialize`, `InitOnceComplete` | [`OnceLock::set`](std::sync::OnceLock::set) | the synchronous form has no counterpart; whoever loses the asynchronous one gets its value back |
//! | `InterlockedIncrement`, `InterlockedCompareExchange` and their family | [`std::sync::atomic`] | the order is named by the caller; Win32's are [`SeqCst`](std::sync::atomic::Ordering::SeqCst) unless their name says otherwise; a `fetch_…` returns the value before, `InterlockedIncrement` the one after |
//! | `InitializeSListHead`, `InterlockedPushEntrySList`, `InterlockedFlushSList` | [`crossbeam_queue::SegQueue`] | first in first out, not last in; no need to align or to own entries; no flush in one step |
//! | `MemoryBarrier` | [`fence(SeqCst)`](std::sync::atomic::fence) | the same |
//! | `CreateTimerQueueTimer`, `DeleteTimerQueueTimer`, `ChangeTimerQueueTimer`, `SetThreadpoolTimer` | a task around [`tokio::time::interval`]; [`tokio_util::time::DelayQueue`] for many | calls of one timer never overlap; [`abort`] returns before a running call ends, await the handle for that |
//! | `RegisterWaitForSingleObject`, `UnregisterWaitEx`, `SetThreadpoolWait` | a task that waits and calls | to end it, [`abort`] it; from within, return, where `UnregisterWaitEx` may wait for itself |
//! | `InitializeSynchronizationBarrier`, `EnterSynchronizationBarrier` | [`std::sync::Barrier`], [`tokio::sync::Barrier`] | no spin count; a dropped wait of tokio's has arrived all the same |
//! | `WaitOnAddress`, `WakeByAddressSingle`, `…All` | an [`AutoResetEvent`] or [`ManualResetEvent`] beside the atomic | no comparison in one step: set the event after each store |
//! | `Sleep` | [`tokio::time::sleep`], [`std::thread::sleep`] | not alertable; [`ApcQueue::alertable`] around a sleep is |
//!
//! [`tokio::sync::Notify`]: https://docs.rs/tokio/latest/tokio/sync/struct.Notify.html
//! [`tokio::sync::RwLock`]: https://docs.rs/tokio/latest/tokio/sync/struct.RwLock.html
//! [`tokio::sync::OnceCell`]: https://docs.rs/tokio/latest/tokio/sync/struct.OnceCell.html
//! [`tokio::sync::Barrier`]: https://docs.rs/tokio/latest/tokio/sync/struct.Barrier.html
//! [`tokio::time::interval`]: https://docs.rs/tokio/latest/tokio/time/fn.interval.html
//! [`tokio::time::sleep`]: https://docs.rs/tokio/latest/tokio/time/fn.sleep.html
//! [`tokio_util::time::DelayQueue`]: https://docs.rs/tokio-util/latest/tokio_util/time/delay_queue/struct.DelayQueue.html
//! [`crossbeam_queue::SegQueue`]: https://docs.rs/crossbeam-queue/latest/crossbeam_queue/struct.SegQueue.html
//! [`abort`]: https://docs.rs/tokio/latest/tokio/task/struct.JoinHandle.html#method.abort
//!
//! # Features
//!
//! * `tokio` (default): blocking forms panic with advice on a tokio worker thread; operations can be spawned on its
//!   runtimes; its timer rings for timers that its tasks wait for.
//! * `wall-clock` (default): on Linux, timers that are due at a `SystemTime` notice at once when that clock is set.
//! * `futures`: `FusedFuture` for `futures::select!`.
//! * `event-listener`: an `event_listener::Event` takes part in [`wait_any`] and [`wait_all`].
//! * `tracing`: a [`Lane`](lane::Lane) tells of tickets and commits at level trace, and of losses, failures and
//!   [watched](lane::Lane::watch) stalls at level warn, with target `batons::lane`.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apc;
mod baton;
pub mod blocking;
mod clock;
mod dispatch;
mod error;
mod event;
pub mod futures;
pub mod lane;
mod multi_wait;
mod mutex;
mod names;
mod operation;
mod semaphore;
mod sync;
mod timer;

pub use apc::{Alertable, Apc, ApcHandle, ApcQueue, ApcRoutine};
pub use baton::{Baton, BatonBuilder, BatonGuard, BatonSnapshot, HeldBaton, OwnedBatonGuard, Ticket};
pub use blocking::{
    wait_all as blocking_wait_all, wait_all_timeout as blocking_wait_all_timeout,
    wait_any as blocking_wait_any, wait_any_timeout as blocking_wait_any_timeout,
};
pub use clock::{Clock, ManualClock};
pub use error::{
    Abandoned, AcquireError, AcquireTimeoutError, NameError, NotOwner, QueueClosed, ReleaseError, SkipError,
    TimedOut, TryAcquireError, WaitError,
};
pub use error::{Cause, Failure, LaneError, Lost};
pub use error::{
    NextTimeoutError, OperationError, PortClosed, ResultTimeoutError, TryNextError, TryResultError, WorkPanic,
};
pub use event::{Auto, AutoResetEvent, Event, Manual, ManualResetEvent};
#[cfg(feature = "event-listener")]
pub use multi_wait::until_notified;
pub use multi_wait::{BoxedWait, Signal, WaitList, Waitable, signal_and_wait, until, wait_all, wait_any};
pub use mutex::{
    CriticalSection, CriticalSectionGuard, HeldMutex, Mutex, MutexGuard, OwnedMutexGuard, Owner, Unlocking,
};
pub use names::{Created, Nameable, Named, Namespace};
pub use operation::{
    CompletionPort, HeldPacket, Operation, OperationTask, OwnedPacket, OwnedPackets, Packet, Packets,
};
pub use semaphore::{HeldPermits, OwnedPermit, Permit, Semaphore};
pub use timer::{Due, WaitableTimer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
