//! A queue, and calls that say when they are made.

#![allow(dead_code, reason = "each test file uses its own part")]

use batons::{ApcHandle, ApcQueue};
use std::sync::{Arc, Mutex};

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lock().expect("no writer panics").push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no writer panics"))
    }

    /// Queues a call that writes `line`.
    pub(crate) fn queue(&self, handle: &ApcHandle, line: &str) {
        let (this, line) = (self.clone(), line.to_owned());
        handle.queue(move || this.write(line)).expect("the queue is there");
    }

    pub(crate) fn queue_all<const N: usize>(&self, handle: &ApcHandle, lines: [&str; N]) {
        for line in lines {
            self.queue(handle, line);
        }
    }
}

pub(crate) fn start() -> (ApcQueue, ApcHandle, Journal) {
    let queue = ApcQueue::new();
    let handle = queue.handle();
    (queue, handle, Journal::default())
}
