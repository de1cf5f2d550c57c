//! Several calls to foreign code in a row.

use crate::sync::panicking;
use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Calls to foreign code of which none keeps the next from being made, nor what lies between them.
#[derive(Default)]
pub(crate) struct Calls {
    panic: Option<Box<dyn Any + Send>>,
}

impl Calls {
    /// What `call` answers; `None` if it panicked.
    pub(crate) fn make<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
        // Whatever is locked or half changed was settled before: the call is foreign (R3).
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(answer) => Some(answer),
            Err(panic) if self.panic.is_none() => {
                self.panic = Some(panic);
                None
            }
            Err(panic) => {
                drop_quietly(panic);
                None
            }
        }
    }

    /// Lets the first panic go on, unless one is under way already.
    pub(crate) fn end(self) {
        match self.panic {
            Some(panic) if !panicking() => resume_unwind(panic),
            panic => panic.map_or((), drop_quietly),
        }
    }

    /// Lets no panic go on: the thread that made the calls is not of those whom they concern.
    pub(crate) fn end_quietly(self) {
        if let Some(panic) = self.panic {
            drop_quietly(panic);
        }
    }
}

/// What a panic carries is foreign too, and may panic in its turn.
fn drop_quietly(panic: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(another);
    }
}

/// Makes every call. One that panics does not keep the others from being made; the first panic goes on
/// afterwards.
pub(crate) fn call_each<F: FnOnce()>(each: impl Iterator<Item = F>) {
    let mut calls = Calls::default();
    for call in each {
        calls.make(call);
    }
    calls.end();
}
