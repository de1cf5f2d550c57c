//! Several calls to foreign code in a row.

use crate::sync::panicking;
use std::any::Any;
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
            Err(panic) => {
                self.panic.get_or_insert(panic);
                None
            }
        }
    }

    /// Lets the first panic go on, unless one is under way already.
    pub(crate) fn end(self) {
        if let Some(panic) = self.panic.filter(|_| !panicking()) {
            resume_unwind(panic);
        }
    }
}
