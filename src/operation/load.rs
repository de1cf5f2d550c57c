//! The rules of a completion port.
//!
//! The whole behaviour is this table; the [`Policy`] of the file is its code. `q` is the number of packets queued,
//! `r` how many guards are running, `c` the concurrency.
//!
//! | state                       | `next`                                  | `post`                       | guard dropped  | `close`                         |
//! |-----------------------------|-----------------------------------------|------------------------------|----------------|---------------------------------|
//! | open, `q = 0` or `r = c`    | stands in line                          | `q + 1`, then the line is served | `r - 1`, then the line is served | closed; if `q = 0` everybody in line is refused |
//! | open, `q > 0` and `r < c`   | takes the packet at the head: `q - 1`, `r + 1`; if nobody is in line | `q + 1` | `r - 1`        | closed                          |
//! | closed, `q > 0`             | as if open                              | refused                      | as if open     | nothing                         |
//! | closed, `q = 0`             | refused                                 | refused                      | `r - 1`        | nothing                         |
//!
//! The packets lie beside the word. One is put there in the section that counts it, and taken out when its guard is
//! made; so a packet that was granted and never seen is still at the head when it is counted again.

use crate::dispatch::{Offer, Policy, Verdict};
use crate::error::PortClosed;

/// The rules of a port.
#[derive(Debug)]
pub struct Desk {
    pub(super) concurrency: u32,
}

/// A state: bits 0 to 30 the number running, bit 31 closed, above them the number queued.
#[derive(Clone, Copy)]
pub(super) struct Load(pub(super) u64);

impl Load {
    pub(super) const RUNNING: u64 = 1;
    pub(super) const CLOSED: u64 = 1 << 31;
    pub(super) const QUEUED: u64 = 1 << 32;
    /// The largest number queued.
    pub(super) const MOST: u32 = (1 << 31) - 1;

    #[allow(clippy::cast_possible_truncation)] // 31 bits
    pub(super) fn running(self) -> u32 {
        (self.0 & (Self::CLOSED - 1)) as u32
    }

    #[allow(clippy::cast_possible_truncation)] // 31 bits
    pub(super) fn queued(self) -> u32 {
        (self.0 / Self::QUEUED) as u32
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }
}

impl Policy for Desk {
    /// How many packets at most.
    type Request = u32;
    /// How many packets.
    type Grant = u32;
    type Refusal = PortClosed;

    fn judge(&self, state: u64, most: u32, _: u64) -> Verdict<u32, PortClosed> {
        let load = Load(state);
        let n = load.queued().min(most);
        if n > 0 && load.running() < self.concurrency {
            Verdict::Take(state - u64::from(n) * Load::QUEUED + Load::RUNNING, n)
        } else if load.is_closed() && load.queued() == 0 {
            Verdict::Refuse(PortClosed(()))
        } else {
            Verdict::Queue
        }
    }

    fn give_back(&self, state: u64, _: u32, n: u32) -> Offer {
        Offer::Anybody(state + u64::from(n) * Load::QUEUED - Load::RUNNING)
    }

    fn closed(&self, state: u64) -> Option<PortClosed> {
        let load = Load(state);
        (load.is_closed() && load.queued() == 0).then_some(PortClosed(()))
    }
}
