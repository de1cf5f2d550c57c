//! [`Baton`] in the clothes of the old ones: has none of their faults, and counts its looks, which are its polls.

use super::{Duplicates, OldBaton, Refusal};
use batons::{AcquireError, Baton, BatonGuard, blocking};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) struct Ours {
    baton: Baton,
    looks: AtomicU64,
}

impl OldBaton for Ours {
    const NAME: &'static str = "batons::Baton";
    const DUPLICATES: Duplicates = Duplicates::AtOnce;
    const HERD: bool = false;

    type Turn<'a> = BatonGuard<'a>;

    fn new(first: u64) -> Self {
        Self { baton: Baton::new(first), looks: AtomicU64::new(0) }
    }

    fn acquire(&self, seq: u64) -> Result<BatonGuard<'_>, Refusal> {
        let mut turn = pin!(self.baton.acquire(seq));
        let counted = poll_fn(|cx| {
            self.looks.fetch_add(1, Relaxed);
            turn.as_mut().poll(cx)
        });
        blocking::wait(counted).map_err(|refusal| match refusal {
            AcquireError::Duplicate => Refusal::Duplicate,
            AcquireError::Passed => Refusal::Passed,
            AcquireError::TooFar { .. } => Refusal::TooFar,
            other => unreachable!("nobody closes it: {other}"),
        })
    }

    fn looks(&self) -> u64 {
        self.looks.load(Relaxed)
    }
}
