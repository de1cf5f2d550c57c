//! What the loss of a number means.

/// What a lane does when a number ends without a result: its ticket was dropped, its task aborted, its holder panicked.
///
/// Whatever the policy, [`Ticket::fail`](super::Ticket::fail) fails the number and tells why; only under [`Stop`](OnFailure::Stop)
/// it stops the lane instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// The number is passed over; the next turn can see it by [`gap`](super::Turn::gap).
    Skip,
    /// Everything below is committed and nothing above ever is; all holders of later tickets learn it at once.
    #[default]
    Poison,
    /// Passed over, and the next turn is told so once, as [`LaneError::Gap`](crate::LaneError::Gap), and must accept it.
    Tell,
    /// The lane stops before the number, until it is [repaired](super::Lane::repair).
    Stop,
    /// As `Poison`, but only up to the next [`sync`](super::Lane::sync).
    UntilSync,
}
