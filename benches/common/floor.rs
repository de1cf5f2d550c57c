//! The least that a hand-over can cost on tokio: wakers in an array, found by number.

use super::turns::{Plan, Turns};
use futures::task::AtomicWaker;
use std::{
    cell::RefCell,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

/// Wakers in a plain array, no synchronization at all: the floor on one thread.
#[derive(Clone)]
pub(crate) struct Array;

#[derive(Default)]
struct Wakers {
    next: u64,
    ring: Vec<Option<Waker>>,
}

impl Wakers {
    fn cell(&mut self, seq: u64) -> &mut Option<Waker> {
        let mask = self.ring.len() - 1;
        &mut self.ring[index(seq, mask)]
    }
}

thread_local! {
    // The thread's own, since tokio wants tasks to be `Send`.
    static WAKERS: RefCell<Wakers> = RefCell::default();
}

impl Turns for Array {
    const NAME: &'static str = "floor: array of wakers";
    const ONE_THREAD: bool = true;

    fn new(plan: &Plan) -> Self {
        WAKERS.set(Wakers { next: 0, ring: vec![None; plan.ring()] });
        Self
    }

    async fn turn(&mut self, seq: u64) {
        poll_fn(|cx| {
            WAKERS.with_borrow_mut(|wakers| {
                if wakers.next == seq {
                    return Poll::Ready(());
                }
                *wakers.cell(seq) = Some(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
        let next = WAKERS.with_borrow_mut(|wakers| {
            wakers.next = seq + 1;
            wakers.cell(seq + 1).take()
        });
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// A ring of `AtomicWaker`: the floor on several threads. With two tasks it is two tasks that wake each
/// other.
#[derive(Clone)]
pub(crate) struct AtomicRing(Arc<(AtomicU64, Box<[AtomicWaker]>)>);

impl Turns for AtomicRing {
    const NAME: &'static str = "ring of AtomicWaker";

    fn new(plan: &Plan) -> Self {
        let ring = (0..plan.ring()).map(|_| AtomicWaker::new()).collect();
        Self(Arc::new((AtomicU64::new(0), ring)))
    }

    async fn turn(&mut self, seq: u64) {
        let (next, ring) = &*self.0;
        let mask = ring.len() - 1;
        poll_fn(|cx| {
            if next.load(Ordering::Acquire) == seq {
                return Poll::Ready(());
            }
            ring[index(seq, mask)].register(cx.waker());
            // Looked at again: the turn may have come before the waker did.
            if next.load(Ordering::Acquire) == seq { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        next.store(seq + 1, Ordering::Release);
        ring[index(seq + 1, mask)].wake();
    }
}

/// The cell of `seq` in a ring whose length is a power of two.
#[allow(clippy::cast_possible_truncation, reason = "the mask cuts it")]
pub(crate) fn index(seq: u64, mask: usize) -> usize {
    seq as usize & mask
}
