//! What every public type is and is not, decided at compile time: a change of these tables is a change
//! of the API.

use batons::{
    Abandoned, AcquireError, AcquireTimeoutError, Alertable, Apc, ApcHandle, ApcQueue, ApcRoutine, Auto,
    AutoResetEvent, Baton, BatonBuilder, BatonGuard, BatonSnapshot, BoxedWait, Clock, CompletionPort,
    Created, CriticalSection, CriticalSectionGuard, Due, Failure, HeldBaton, LaneError, Lost, Manual,
    ManualClock, ManualResetEvent, Mutex, MutexGuard, NameError, Named, Namespace, NextTimeoutError,
    NotOwner, Operation, OperationError, OperationTask, OwnedBatonGuard, OwnedMutexGuard, OwnedPacket,
    OwnedPackets, OwnedPermit, Owner, Packet, Permit, PortClosed, QueueClosed, ReleaseError,
    ResultTimeoutError, Semaphore, SkipError, Ticket, TimedOut, TryAcquireError, TryNextError,
    TryResultError, Unlocking, WaitError, WaitableTimer, WorkPanic,
    futures::{
        Acquire, AcquirePermits, AlertableWait, DrainApcs, LockMutex, NextPacket, SignalAndWait, TakeResult,
        WaitAll, WaitAny, WaitEvent, WaitOperation, WaitOwnedEvent, WaitTimer,
    },
    lane::{
        CommitRun, Commits, Counters, Deposits, DrainLane, Failed, FromIter, Histogram, InLaneIter,
        KeyTicket, KeyTurn, Keyed, Lane, LaneBuilder, LaneSnapshot, NextRun, NextTicket, NextTickets,
        Nothing, OnFailure, Overdue, OwnedKeyTurn, OwnedTurn, PassTurn, Pipeline, ReachNumber, Report, Run,
        Stage, Stall, StallCause, Station, StationTurn, TakeKeyTurn, TakeTurn, TakeTurnAt,
        Ticket as LaneTicket, Turn, Watch,
    },
};
use std::{
    error::Error,
    fmt::{Debug, Display},
    future::Future,
    hash::Hash,
    ops::Deref,
    panic::{RefUnwindSafe, UnwindSafe},
};

/// `is!(Type: Traits)`: a line of the table that holds, or else does not compile.
macro_rules! is {
    ($type:ty: $($bounds:tt)+) => {
        const _: () = {
            const fn holds<T: ?Sized + $($bounds)+>() {}
            holds::<$type>();
        };
    };
}

/// `is_not!(Type: Trait)`: if the type had the trait, which `probe` is meant would be ambiguous.
macro_rules! is_not {
    ($type:ty: $trait:path) => {
        const _: () = {
            trait Probe<Which> {
                const PROBE: () = ();
            }
            impl<T: ?Sized> Probe<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Probe<Has> for T {}
            <$type as Probe<_>>::PROBE
        };
    };
}

// ===== they go everywhere =====

/// `Send + Sync + Unpin`, safe to unwind through, and with a `Debug`.
trait Everywhere: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug {}
impl<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug> Everywhere for T {}

/// The same without a word on unwinding.
trait Goes: Send + Sync + Unpin + Debug {}
impl<T: Send + Sync + Unpin + Debug> Goes for T {}

is!(Baton: Everywhere + Clone + 'static);
is!(BatonBuilder: Everywhere + Clone + 'static);
is!(BatonSnapshot: Everywhere + Clone + Eq + Display + 'static);
is!(Ticket: Everywhere + 'static);
is!(Acquire<&'static Baton>: Everywhere + Future);
is!(Acquire<Baton>: Everywhere + Future + 'static);
is!(BatonGuard<'static>: Everywhere);
is!(OwnedBatonGuard: Everywhere + 'static);
is!(HeldBaton<Baton>: Everywhere + 'static);

is!(ManualResetEvent: Everywhere + Clone + 'static);
is!(AutoResetEvent: Everywhere + Clone + 'static);
is!(Manual: Everywhere + 'static);
is!(Auto: Everywhere + 'static);
is!(WaitEvent<'static, Manual>: Everywhere + Future<Output = ()> + 'static);
is!(WaitEvent<'static, Auto>: Everywhere + Future<Output = ()> + 'static);

is!(Semaphore: Everywhere + Clone + 'static);
is!(AcquirePermits<&'static Semaphore>: Everywhere + Future<Output = Result<Permit<'static>, AcquireError>>);
is!(AcquirePermits<Semaphore>: Everywhere + Future<Output = Result<OwnedPermit, AcquireError>> + 'static);
is!(Permit<'static>: Everywhere);
is!(OwnedPermit: Everywhere + 'static);

is!(Mutex: Everywhere + Clone + Default + 'static);
is!(Owner: Everywhere + Default + 'static);
is!(LockMutex<&'static Mutex>: Everywhere + Future);
is!(LockMutex<Mutex>: Everywhere + Future + 'static);
is!(MutexGuard<'static>: Everywhere);
is!(OwnedMutexGuard: Everywhere + 'static);
is!(Unlocking<'static>: Everywhere);
is!(Abandoned<MutexGuard<'static>>: Everywhere + Error);
is!(Abandoned<OwnedMutexGuard>: Everywhere + Error + 'static);
is!(CriticalSection: Everywhere + 'static);
is!(CriticalSectionGuard<'static>: Debug);

/// `Send`, and no more.
type Movable = std::cell::Cell<u8>;

// Whatever the value is, the handles go everywhere.
is!(Operation<Movable>: Everywhere + Clone + 'static);
is!(WaitOperation<'static, Movable>: Everywhere + Future<Output = ()>);
is!(TakeResult<'static, Movable>: Everywhere + Future<Output = Result<Movable, OperationError>>);
is!(OperationTask<std::future::Pending<Movable>>: Goes + Future<Output = ()> + 'static);
is!(CompletionPort<Movable>: Everywhere + Clone + 'static);
is!(NextPacket<&'static CompletionPort<Movable>, Movable>: Everywhere + Future<Output = Result<Packet<'static, Movable>, PortClosed>>);
is!(NextPacket<CompletionPort<Movable>, Movable>: Everywhere + Future<Output = Result<OwnedPacket<Movable>, PortClosed>>);
is!(NextPacket<CompletionPort<Movable>, Vec<Movable>>: Everywhere + Future<Output = Result<OwnedPackets<Movable>, PortClosed>>);
is!(Packet<'static, u8>: Everywhere);
is!(OwnedPacket<u8>: Everywhere + 'static);
is!(OwnedPackets<u8>: Everywhere + 'static);
is!(WaitableTimer: Everywhere + Clone + 'static);
is!(WaitTimer<'static>: Everywhere + Future<Output = ()> + 'static);
is!(Due: Everywhere + Copy + Eq + 'static);
is!(Clock: Everywhere + Clone + Default + 'static);
is!(ManualClock: Everywhere + Clone + Default + 'static);

is!(WaitAny<[WaitEvent<'static, Auto>; 2]>: Goes + Future);
is!(WaitAny<(WaitEvent<'static, Manual>, AcquirePermits<Semaphore>)>: Goes + Future);
is!(WaitAll<[WaitEvent<'static, Auto>; 2]>: Goes + Future);
is!(WaitAll<(LockMutex<Mutex>, Acquire<Baton>)>: Goes + Future);
is!(SignalAndWait<&'static AutoResetEvent, WaitEvent<'static, Manual>>: Goes + Future);
is!(BoxedWait<'static, u8>: Goes + 'static);

is!(ApcQueue: Everywhere + Default + 'static);
is!(ApcHandle: Everywhere + Clone + 'static);
is!(ApcRoutine<()>: Everywhere + Clone + 'static);
is!(Apc: Everywhere + Future<Output = ()> + 'static);
is!(Alertable<u8>: Everywhere + Copy + Eq + Hash + 'static);
is!(AlertableWait<'static, WaitEvent<'static, Auto>>: Everywhere + Future<Output = Alertable<()>>);
is!(AlertableWait<'static, WaitAny<[WaitEvent<'static, Auto>; 2]>>: Goes + Future);
is!(DrainApcs<'static>: Everywhere + Future<Output = usize>);

// Whatever the value and the deposits are.
is!(Lane<Movable, Movable>: Everywhere + Clone + 'static);
is!(LaneTicket<Movable, Movable>: Everywhere + 'static);
is!(LaneBuilder: Everywhere + Clone + 'static);
is!(Turn<'static, u8, Movable>: Goes + Deref<Target = u8>);
is!(OwnedTurn<u8, Movable>: Everywhere + Deref<Target = u8> + 'static);
is!(Commits<Movable, Movable>: Everywhere + 'static);
is!(CommitRun<u8, u8>: Everywhere + Deref<Target = u8> + Iterator + 'static);
is!(Run<u8>: Everywhere + ExactSizeIterator + 'static);
is!(NextTicket<'static, Movable, Movable>: Everywhere + Future<Output = Result<LaneTicket<Movable, Movable>, LaneError>>);
is!(NextTickets<'static, Movable, Movable>: Everywhere + Future<Output = Result<Vec<LaneTicket<Movable, Movable>>, LaneError>>);
is!(TakeTurn<&'static mut LaneTicket<u8, u8>, u8, u8>: Goes + Future<Output = Result<Turn<'static, u8, u8>, LaneError>>);
is!(TakeTurn<LaneTicket<Movable, Movable>, Movable, Movable>: Everywhere + Future<Output = Result<OwnedTurn<Movable, Movable>, LaneError>> + 'static);
is!(PassTurn<OwnedTurn<u8, u8>>: Everywhere + Future<Output = ()> + 'static);
is!(ReachNumber<'static, Movable, Movable>: Everywhere + Future<Output = Result<(), LaneError>>);
is!(DrainLane<'static, Movable, Movable>: Everywhere + Future<Output = Result<(), LaneError>>);
is!(NextRun<'static, Movable, Movable>: Goes + Future<Output = Option<CommitRun<Movable, Movable>>>);
is!(Counters: Everywhere + Clone + Default + Eq + 'static);
is!(Histogram: Everywhere + Clone + Eq + 'static);
is!(LaneSnapshot: Everywhere + Clone + Display + 'static);
is!(Stall: Everywhere + Clone + Eq + Display + 'static);
is!(StallCause: Everywhere + Copy + Eq + Hash + 'static);
is!(Watch: Everywhere + 'static);
is!(Overdue: Everywhere + Copy + Eq + Hash + 'static);
is!(OnFailure: Everywhere + Copy + Eq + Hash + Default + 'static);
is!(LaneError: Send + Sync + Unpin + Error + Clone + 'static);
is!(Failure: Send + Sync + Unpin + Error + Clone + 'static);
is!(Lost: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(WaitOwnedEvent<Auto>: Everywhere + Future<Output = ()> + 'static);

is!(Keyed<str>: Everywhere + Clone + Default + 'static);
is!(Keyed<Movable>: Everywhere + Clone + Default + 'static);
is!(KeyTicket: Everywhere + 'static);
is!(KeyTurn<'static>: Goes);
is!(OwnedKeyTurn: Everywhere + 'static);

is!(Namespace: Everywhere + Clone + Default + 'static);
is!(Named<Baton>: Everywhere + Clone + Deref<Target = Baton> + 'static);
is!(Created<Mutex>: Everywhere + Deref<Target = Named<Mutex>> + 'static);

is!(Station<Movable>: Everywhere + Clone + 'static);
is!(StationTurn<'static, u8, u8>: Send + Unpin + Debug);
is!(TakeTurnAt<'static, u8, u8, u8>: Goes + Unpin + Future<Output = Result<StationTurn<'static, u8, u8, u8>, LaneError>>);
is!(TakeKeyTurn<&'static mut KeyTicket>: Goes + Future<Output = Result<KeyTurn<'static>, LaneError>>);
is!(TakeKeyTurn<KeyTicket>: Everywhere + Future<Output = Result<OwnedKeyTurn, LaneError>> + 'static);
is!(PassTurn<StationTurn<'static, u8, u8>>: Send + Unpin + Debug + Future<Output = ()>);
is!(Deposits<Movable, Movable>: Goes + 'static);
is!(InLaneIter<std::ops::Range<u8>, fn(u8) -> u8, u8>: Goes + Iterator<Item = u8> + 'static);
is!(Pipeline<FromIter<std::ops::Range<u8>>, Nothing>: Everywhere + 'static);
is!(Report: Everywhere + Clone + Eq + Display + 'static);
is!(Stage: Everywhere + Copy + Eq + Hash + Display + 'static);
is!(Failed: Goes + Error + Clone + 'static);

is!(NameError: Everywhere + Error + Clone + Eq + Hash + 'static);
is!(QueueClosed<fn()>: Everywhere + Error + Copy + 'static);
is!(AcquireError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(TryAcquireError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(AcquireTimeoutError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(SkipError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(TimedOut: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(ReleaseError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(NotOwner: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(OperationError: Everywhere + Error + 'static);
is!(TryResultError: Everywhere + Error + From<OperationError> + 'static);
is!(ResultTimeoutError: Everywhere + Error + From<OperationError> + From<TimedOut> + 'static);
is!(WorkPanic: Everywhere + Error + 'static);
is!(PortClosed: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(TryNextError: Everywhere + Error + Copy + Eq + Hash + From<PortClosed> + 'static);
is!(NextTimeoutError: Everywhere + Error + Copy + Eq + Hash + From<PortClosed> + From<TimedOut> + 'static);
is!(WaitError: Send + Sync + Unpin + Error + 'static);

is!(TryAcquireError: From<AcquireError>);
is!(AcquireTimeoutError: From<AcquireError> + From<TimedOut>);
is!(SkipError: From<AcquireError>);
is!(WaitError: From<TimedOut>);

// ===== a turn is had by one =====

is_not!(Ticket: Clone);
is_not!(Acquire<&'static Baton>: Clone);
is_not!(Acquire<Baton>: Clone);
is_not!(BatonGuard<'static>: Clone);
is_not!(OwnedBatonGuard: Clone);
is_not!(Baton: Copy);
is_not!(KeyTicket: Clone);
is_not!(LaneTicket<u8, u8>: Clone);
is_not!(OwnedTurn<u8, u8>: Clone);
is_not!(TakeTurn<LaneTicket<u8, u8>, u8, u8>: Clone);
// One task or thread drives the commits.
is_not!(Commits<u8, u8>: Clone);
// A watch ends once.
is_not!(Watch: Clone);
is_not!(OwnedKeyTurn: Clone);
is_not!(WaitEvent<'static, Auto>: Clone);
is_not!(WaitTimer<'static>: Clone);
is_not!(AcquirePermits<Semaphore>: Clone);
is_not!(Permit<'static>: Clone);
is_not!(OwnedPermit: Clone);
is_not!(Owner: Clone);
is_not!(LockMutex<Mutex>: Clone);
is_not!(MutexGuard<'static>: Clone);
is_not!(OwnedMutexGuard: Clone);
is_not!(OwnedPacket<u8>: Clone);
is_not!(NextPacket<CompletionPort<u8>, u8>: Clone);
is_not!(TakeResult<'static, u8>: Clone);
is_not!(Abandoned<OwnedMutexGuard>: Clone);
// One task or thread makes the calls.
is_not!(ApcQueue: Clone);
is_not!(Apc: Clone);
// One is told that it made the object.
is_not!(Created<Mutex>: Clone);
// It is the thread that owns a critical section.
is_not!(CriticalSectionGuard<'static>: Send);

// A future that is polled twice panics; `select!` has to be told that it knows.
#[cfg(not(feature = "futures"))]
is_not!(Acquire<Baton>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(Acquire<Baton>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(Acquire<&'static Baton>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(WaitEvent<'static, Auto>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(WaitOwnedEvent<Manual>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(NextTicket<'static, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(NextTickets<'static, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(TakeTurn<LaneTicket<u8, u8>, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(PassTurn<OwnedTurn<u8, u8>>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(TakeTurnAt<'static, u8, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(TakeKeyTurn<KeyTicket>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(ReachNumber<'static, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(DrainLane<'static, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(NextRun<'static, u8, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(AcquirePermits<Semaphore>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(TakeResult<'static, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(WaitOperation<'static, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(NextPacket<CompletionPort<u8>, u8>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(LockMutex<Mutex>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(AlertableWait<'static, WaitEvent<'static, Auto>>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(DrainApcs<'static>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(Apc: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(WaitTimer<'static>: futures::future::FusedFuture);

// ===== and so do the tasks that hold them =====

fn everywhere<T: Send + Sync>(value: T) -> T {
    value
}

#[test]
fn a_task_that_holds_a_guard_over_an_await_may_move_between_threads() {
    let baton = Baton::new(0);
    drop(everywhere(async {
        let guard = baton.acquire(0).await;
        std::future::ready(()).await;
        drop(guard);
    }));
    drop(everywhere(async {
        let mut ticket = baton.ticket();
        let guard = ticket.acquire().await;
        std::future::ready(()).await;
        drop(guard);
    }));
    drop(everywhere(async move {
        let _guard = baton.acquire_owned(0).await;
        std::future::ready(()).await;
    }));
}

#[test]
fn what_is_owned_outlives_every_handle() {
    let wait = Baton::new(7).acquire_owned(7);
    let guard = std::thread::spawn(move || batons::blocking::wait(wait)).join().unwrap().unwrap();
    assert_eq!(guard.seq(), 7);
    let ticket = Baton::new(7).ticket();
    assert_eq!(batons::blocking::wait(ticket.acquire_owned()).unwrap().seq(), 7);
}

#[test]
fn debug_names_the_type_and_the_number() {
    let baton = Baton::new(41);
    let told = [
        (format!("{baton:?}"), "Baton { next: 41, held: false, closed: false"),
        (format!("{:?}", baton.acquire(42)), "Acquire { seq: Some(42)"),
        (format!("{:?}", baton.ticket()), "Ticket { seq: 41"),
        (format!("{:?}", baton.try_acquire(42).unwrap()), "HeldBaton { seq: 42"),
        (format!("{:?}", Baton::builder().first(3)), "BatonBuilder { first: 3"),
    ];
    for (told, expected) in told {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
}
