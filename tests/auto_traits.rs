//! What every public type is and is not, decided at compile time: a change of these tables is a change
//! of the API.

use batons::{
    AcquireError, AcquireTimeoutError, Baton, BatonBuilder, BatonGuard, BatonSnapshot, HeldBaton,
    OwnedBatonGuard, SkipError, Ticket, TimedOut, TryAcquireError, futures::Acquire,
};
use std::{
    error::Error,
    fmt::{Debug, Display},
    future::Future,
    hash::Hash,
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

is!(Baton: Everywhere + Clone + 'static);
is!(BatonBuilder: Everywhere + Clone + 'static);
is!(BatonSnapshot: Everywhere + Clone + Eq + Display + 'static);
is!(Ticket: Everywhere + 'static);
is!(Acquire<&'static Baton>: Everywhere + Future);
is!(Acquire<Baton>: Everywhere + Future + 'static);
is!(BatonGuard<'static>: Everywhere);
is!(OwnedBatonGuard: Everywhere + 'static);
is!(HeldBaton<Baton>: Everywhere + 'static);

is!(AcquireError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(TryAcquireError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(AcquireTimeoutError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(SkipError: Everywhere + Error + Copy + Eq + Hash + 'static);
is!(TimedOut: Everywhere + Error + Copy + Eq + Hash + 'static);

is!(TryAcquireError: From<AcquireError>);
is!(AcquireTimeoutError: From<AcquireError> + From<TimedOut>);
is!(SkipError: From<AcquireError>);

// ===== a turn is had by one =====

is_not!(Ticket: Clone);
is_not!(Acquire<&'static Baton>: Clone);
is_not!(Acquire<Baton>: Clone);
is_not!(BatonGuard<'static>: Clone);
is_not!(OwnedBatonGuard: Clone);
is_not!(Baton: Copy);

// A future that is polled twice panics; `select!` has to be told that it knows.
#[cfg(not(feature = "futures"))]
is_not!(Acquire<Baton>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(Acquire<Baton>: futures::future::FusedFuture);
#[cfg(feature = "futures")]
is!(Acquire<&'static Baton>: futures::future::FusedFuture);

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
