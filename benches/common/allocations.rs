//! Heap allocations of waits, polled by hand.
//!
//! Not for every bench: the counting allocator would be in its figures.

use crate::common::signals::Signal;
use allocation_counter::measure;
use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Waits that stand in line together.
const WAITS: u16 = 64;

/// Allocations for each wait that stands in line and is signaled, the first time and after warm-up. `signal` is
/// called once for each wait; the boxes around the futures are not counted.
pub(crate) fn allocations<F: Future>(wait: impl Fn(usize) -> F, signal: impl Fn(usize)) -> [f64; 2] {
    let round = || {
        let mut waits: Vec<_> = (0..WAITS.into()).map(|index| Box::pin(wait(index))).collect();
        let info = measure(|| {
            for wait in &mut waits {
                assert!(poll(wait.as_mut()).is_pending(), "nothing was signaled");
            }
            // One after the other: some remember one signal only.
            for (index, wait) in waits.iter_mut().enumerate() {
                signal(index);
                assert!(poll(wait.as_mut()).is_ready(), "the first in line was signaled");
            }
        });
        let total = u32::try_from(info.count_total).expect("a count");
        f64::from(total) / f64::from(WAITS)
    };
    let first = round();
    round();
    [first, round()]
}

/// [`allocations`] of an automatic event.
pub(crate) fn of_signal<T: Signal>() -> [f64; 2] {
    let event = T::new();
    allocations(|_| event.wait(), |_| event.set())
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
