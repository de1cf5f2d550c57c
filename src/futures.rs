//! The names of all future types, for those who store them.

pub use crate::apc::{AlertableWait, DrainApcs};
pub use crate::baton::Acquire;
pub use crate::event::{AwaitEvent, WaitEvent, WaitOwnedEvent};
pub use crate::lane::{
    DrainLane, NextRun, NextTicket, NextTickets, PassTurn, ReachNumber, TakeKeyTurn, TakeTurn, TakeTurnAt,
};
pub use crate::multi_wait::{SignalAndWait, Until, WaitAll, WaitAny};
pub use crate::mutex::LockMutex;
pub use crate::operation::{NextPacket, OperationTask, TakeResult, WaitOperation};
pub use crate::semaphore::AcquirePermits;
pub use crate::timer::WaitTimer;
