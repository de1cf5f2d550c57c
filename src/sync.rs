//! The few primitives the crate stands on: from std, or from loom under `--cfg batons_loom`.
//!
//! This is the only file that knows the difference. It wraps rather than re-exports where the two
//! differ (a loom lock has no poison, a loom thread no deadline).

use std::time::Instant;

#[cfg(batons_loom)]
mod imp {
    pub(crate) use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64},
    };
    pub(crate) use loom::thread::{Thread, current, park};
    pub(crate) use loom::thread_local;

    // A model has no clock: time passes by letting the others run.
    pub(super) fn park_timeout(_: std::time::Duration) {
        loom::thread::yield_now();
    }
}

#[cfg(not(batons_loom))]
mod imp {
    pub(super) use std::sync::Mutex;
    pub(crate) use std::sync::MutexGuard;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(super) use std::thread::park_timeout;
    pub(crate) use std::thread::{Thread, current, park};
    pub(crate) use std::thread_local;
}

pub(crate) use imp::{AtomicBool, AtomicU64, MutexGuard as LockGuard, Thread, current, park, thread_local};
pub(crate) use std::sync::atomic::Ordering;

/// A mutex without poison: nothing foreign runs inside, so no panic leaves the data half changed.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(imp::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The value without the lock: nobody else can have it.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Parks the calling thread until it is unparked or `deadline` has passed; may return early.
pub(crate) fn park_until(deadline: Instant) {
    imp::park_timeout(deadline.saturating_duration_since(Instant::now()));
}

/// How many threads can run at once.
pub(crate) fn processors() -> u32 {
    let known = std::thread::available_parallelism().ok();
    known.and_then(|count| u32::try_from(count.get()).ok()).unwrap_or(1)
}

/// Whether the calling thread is unwinding.
pub(crate) fn panicking() -> bool {
    std::thread::panicking()
}

/// A number that no other object of the process has.
pub(crate) fn unique_id() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    // Ordering: only the number matters.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The number of the calling thread as an owner; no object and no other owner has it.
pub(crate) fn calling_party() -> u64 {
    thread_local! {
        #[allow(clippy::missing_const_for_thread_local)] // loom's macro takes no const block
        static PARTY: u64 = unique_id() + 1;
    }
    PARTY.with(|party| *party)
}

/// A number that may be changed at any time and orders nothing.
#[derive(Debug)]
pub(crate) struct Setting(AtomicU64);

impl Setting {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    pub(crate) fn get(&self) -> u64 {
        // Ordering: it orders nothing.
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn replace(&self, value: u64) -> u64 {
        // Ordering: it orders nothing.
        self.0.swap(value, Ordering::Relaxed)
    }
}
