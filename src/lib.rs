#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod baton;
pub mod blocking;
mod dispatch;
mod error;
pub mod futures;
mod sync;

pub use baton::{Baton, BatonBuilder, BatonGuard, BatonSnapshot, HeldBaton, OwnedBatonGuard, Ticket};
pub use error::{AcquireError, AcquireTimeoutError, SkipError, TimedOut, TryAcquireError};
