//! The few primitives the crate stands on: from std, or from loom under `--cfg batons_loom`.
//!
//! This is the only file that knows the difference. It wraps rather than re-exports where the two
//! differ (a loom lock has no poison, a loom thread no deadline).

use std::time::Instant;

#[cfg(batons_loom)]
mod imp {
    pub(crate) use loom::sync::{
        Arc, Mutex, MutexGuard,
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
    pub(crate) use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    };
    pub(super) use std::sync::{Mutex, MutexGuard};
    pub(super) use std::thread::park_timeout;
    pub(crate) use std::thread::{Thread, current, park};
    pub(crate) use std::thread_local;
}

pub(crate) use imp::{Arc, AtomicBool, AtomicU64, Thread, current, park, thread_local};
pub(crate) use std::sync::atomic::Ordering;

/// A mutex without poison: nothing foreign runs inside, so no panic leaves the data half changed.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(imp::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> imp::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Parks the calling thread until it is unparked or `deadline` has passed; may return early.
pub(crate) fn park_until(deadline: Instant) {
    imp::park_timeout(deadline.saturating_duration_since(Instant::now()));
}
