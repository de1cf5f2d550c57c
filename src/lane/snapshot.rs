//! What a lane counts.

/// How often each thing happened in a lane since it was built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Tickets issued.
    pub issued: u64,
    /// Numbers committed, by turns and by deposits.
    pub committed: u64,
    /// Of them, those deposited.
    pub deposited: u64,
    /// Runs in which deposits were committed.
    pub runs: u64,
    /// How long the runs were: at index i those of 2^i to 2^(i+1) - 1 deposits, the last index for all longer ones.
    pub run_lengths: [u64; 16],
    /// Tickets that ended without a result.
    pub lost: u64,
    /// Numbers passed over.
    pub skipped: u64,
    /// Failures told.
    pub failed: u64,
    /// Turns that had come when they were asked for.
    pub immediate: u64,
    /// Turns that were waited for.
    pub waited: u64,
    /// The most numbers that were out at once.
    pub most_out: u64,
}

impl Counters {
    pub(super) fn turn(&mut self, waited: bool) {
        self.waited += u64::from(waited);
        self.immediate += u64::from(!waited);
    }

    pub(super) fn run(&mut self, length: u64) {
        self.runs += 1;
        let index = usize::try_from(length.max(1).ilog2()).unwrap_or(0).min(self.run_lengths.len() - 1);
        self.run_lengths[index] += 1;
    }
}
