//! What a lane tells to whoever traces, by feature `tracing`, under no lock. Without the feature nothing is
//! kept and nothing told.

use super::{OnFailure, Stall};
use crate::Failure;

pub(super) use imp::Notes;

#[cfg(feature = "tracing")]
mod imp {
    use super::{Failure, OnFailure};

    /// Losses and failures, kept until the lock is released.
    #[derive(Debug, Default)]
    pub(in crate::lane) struct Notes(Vec<Note>);

    #[derive(Debug)]
    enum Note {
        Committed(u64, u64),
        Lost(u64, OnFailure),
        Skipped(u64),
        Failed(Failure),
    }

    impl Notes {
        pub(in crate::lane) fn committed(&mut self, seq: u64, count: u64) {
            self.0.push(Note::Committed(seq, count));
        }

        pub(in crate::lane) fn lost(&mut self, seq: u64, policy: OnFailure, declared: bool) {
            self.0.push(if declared { Note::Skipped(seq) } else { Note::Lost(seq, policy) });
        }

        pub(in crate::lane) fn failed(&mut self, failure: &Failure) {
            self.0.push(Note::Failed(failure.clone()));
        }

        pub(in crate::lane) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }

        pub(in crate::lane) fn tell(&mut self) {
            for note in self.0.drain(..) {
                match note {
                    Note::Committed(seq, count) => {
                        tracing::trace!(target: "batons::lane", seq, count, "committed");
                    }
                    Note::Skipped(seq) => tracing::trace!(target: "batons::lane", seq, "skipped"),
                    Note::Lost(seq, policy) => {
                        tracing::warn!(target: "batons::lane", seq, ?policy, "lost");
                    }
                    Note::Failed(failure) => {
                        tracing::warn!(target: "batons::lane", seq = failure.seq(), %failure, "failed");
                    }
                }
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use super::{Failure, OnFailure};

    #[derive(Debug, Default)]
    pub(in crate::lane) struct Notes(());

    impl Notes {
        #[allow(clippy::unused_self)]
        pub(in crate::lane) fn committed(&mut self, _: u64, _: u64) {}

        #[allow(clippy::unused_self)]
        pub(in crate::lane) fn lost(&mut self, _: u64, _: OnFailure, _: bool) {}

        #[allow(clippy::unused_self)]
        pub(in crate::lane) fn failed(&mut self, _: &Failure) {}

        #[allow(clippy::unused_self)]
        pub(in crate::lane) fn is_empty(&self) -> bool {
            true
        }

        #[allow(clippy::unused_self)]
        pub(in crate::lane) fn tell(&mut self) {}
    }
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(super) fn issued(seq: u64, count: u32) {
    #[cfg(feature = "tracing")]
    tracing::trace!(target: "batons::lane", seq, count, "issued");
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(super) fn stalled(stall: &Stall) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "batons::lane", seq = stall.seq(), %stall, "stalled");
}
