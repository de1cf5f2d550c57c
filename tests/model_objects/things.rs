//! The objects of the model without anybody who waits: what their tables say.

use super::words::{Grant, Setting};
use batons::AcquireError;
use std::collections::BTreeSet;

/// How far ahead a baton's number may be.
pub(crate) const WINDOW: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    Take,
    Later,
    Refuse(AcquireError),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Thing {
    Event {
        auto: bool,
        set: bool,
        pulsed: bool,
        resets: u32,
    },
    Semaphore {
        count: u32,
        max: u32,
        closed: bool,
    },
    Mutex {
        owner: u64,
        depth: u32,
        abandoned: bool,
    },
    Baton {
        next: u64,
        held: bool,
        closed: bool,
        skipped: BTreeSet<u64>,
    },
    /// `sets` counts how often it was set; without a setting nothing is to come.
    Timer {
        auto: bool,
        set: bool,
        sets: u32,
        setting: Option<Setting>,
    },
}

/// Who may be served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Due {
    First,
    Number(u64),
    Nobody,
}

use Thing::{Baton, Event, Mutex, Semaphore, Timer};

fn permits(what: u64) -> u32 {
    u32::try_from(what).expect("few permits")
}

impl Thing {
    pub(crate) fn judge(&self, what: u64) -> Verdict {
        let take_if = |now| if now { Verdict::Take } else { Verdict::Later };
        match self {
            Event { set, .. } | Timer { set, .. } => take_if(*set),
            Semaphore { closed: true, .. } | Baton { closed: true, .. } => {
                Verdict::Refuse(AcquireError::Closed)
            }
            Semaphore { max, .. } if permits(what) > *max => {
                Verdict::Refuse(AcquireError::TooMany { max: *max })
            }
            Semaphore { count, .. } => take_if(permits(what) <= *count),
            Mutex { owner, depth, .. } => take_if(*depth == 0 || *owner == what),
            Baton { next, skipped, .. } if what < *next || skipped.contains(&what) => {
                Verdict::Refuse(AcquireError::Passed)
            }
            Baton { next, .. } if what >= next + WINDOW => {
                Verdict::Refuse(AcquireError::TooFar { limit: next + WINDOW - 1 })
            }
            Baton { next, held, .. } => take_if(what == *next && !held),
        }
    }

    pub(crate) fn take(&mut self, what: u64) -> Grant {
        let mut grant = Grant::default();
        match self {
            Event { auto, set, pulsed, resets } => {
                (grant.pulse, grant.resets) = (*pulsed, *resets);
                *set &= !*auto;
            }
            Timer { auto, set, sets, .. } => {
                grant.resets = *sets;
                *set &= !*auto;
            }
            Semaphore { count, .. } => *count -= permits(what),
            Mutex { owner, depth, abandoned } => {
                if *depth == 0 {
                    grant.abandoned = *abandoned;
                    (*owner, *abandoned) = (what, false);
                }
                *depth += 1;
            }
            Baton { next, held, .. } => (*next, *held) = (*next + 1, true),
        }
        grant
    }

    /// Passes skipped numbers over, and tells who may be served then.
    pub(crate) fn due(&mut self) -> Due {
        match self {
            Baton { held, closed, .. } if *held || *closed => Due::Nobody,
            Baton { next, skipped, .. } => {
                while skipped.remove(next) {
                    *next += 1;
                }
                Due::Number(*next)
            }
            _ => Due::First,
        }
    }

    /// Whether the owner may pass those in line.
    pub(crate) fn is_owned_by(&self, what: u64) -> bool {
        matches!(self, Mutex { owner, depth, .. } if *depth > 0 && *owner == what)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Semaphore { closed: true, .. } | Baton { closed: true, .. })
    }

    /// Takes back a grant; true if only those can have it who stood in line when it was made.
    pub(crate) fn give_back(&mut self, what: u64, grant: Grant) -> bool {
        match self {
            Event { auto: false, .. } => {}
            // What expired before the timer was set again is nobody's.
            Timer { auto, set, sets, .. } => *set |= *auto && grant.resets == *sets,
            Event { set, pulsed, resets, .. } => {
                *set = true;
                *pulsed = grant.pulse || grant.resets != *resets;
                return *pulsed;
            }
            Semaphore { .. } | Baton { .. } => self.put_down(what, false),
            Mutex { .. } => self.put_down(what, grant.abandoned),
        }
        false
    }

    /// An offer to a few is over.
    pub(crate) fn withdraw(&mut self, before: Thing) {
        if let Event { set: true, .. } = self {
            *self = before;
        }
        self.unpulse();
    }

    fn unpulse(&mut self) {
        if let Event { pulsed, .. } = self {
            *pulsed = false;
        }
    }

    /// A permit, a lock or a turn is dropped.
    pub(crate) fn put_down(&mut self, what: u64, disorder: bool) {
        match self {
            Semaphore { count, max, .. } => *count = (*count + permits(what)).min(*max),
            Mutex { .. } => drop(self.unlock(what, disorder)),
            Baton { held, .. } => *held = false,
            Event { .. } | Timer { .. } => {}
        }
    }

    pub(crate) fn set(&mut self) -> bool {
        let Event { set, .. } = self else { unreachable!("only events are set") };
        std::mem::replace(set, true)
    }

    pub(crate) fn reset(&mut self) -> bool {
        let Event { set, resets, .. } = self else { unreachable!("only events are reset") };
        // A pulse clears it as well.
        *resets += 1;
        std::mem::replace(set, false)
    }

    pub(crate) fn pulse(&mut self) -> bool {
        let before = self.set();
        if let Event { pulsed, .. } = self {
            *pulsed = true;
        }
        before
    }

    pub(crate) fn settle(&mut self) {
        self.reset();
        self.unpulse();
    }

    pub(crate) fn release(&mut self, n: u32) -> Option<u32> {
        let Semaphore { count, max, .. } = self else { unreachable!("only semaphores are released") };
        if n == 0 || *count + n > *max {
            return None;
        }
        *count += n;
        Some(*count - n)
    }

    pub(crate) fn resize(&mut self, to: u32) -> u32 {
        let Semaphore { count, max, .. } = self else { unreachable!("only semaphores are resized") };
        *count = to.min(*count);
        std::mem::replace(max, to)
    }

    pub(crate) fn unlock(&mut self, by: u64, disorder: bool) -> Option<u32> {
        let Mutex { owner, depth, abandoned } = self else { unreachable!("only mutexes are unlocked") };
        if *depth == 0 || *owner != by {
            return None;
        }
        *depth -= 1;
        *abandoned |= disorder;
        Some(*depth + 1)
    }

    pub(crate) fn skip(&mut self, number: u64) {
        if let Baton { skipped, .. } = self {
            skipped.insert(number);
        }
    }

    pub(crate) fn close(&mut self) {
        match self {
            Semaphore { closed, .. } => *closed = true,
            Baton { closed, skipped, .. } => {
                *closed = true;
                skipped.clear();
            }
            _ => unreachable!("only semaphores and batons are closed"),
        }
    }
}
