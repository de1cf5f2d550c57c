#![doc = include_str!("README.md")]

mod calls;
mod header;
mod holdings;
mod line;
mod numbers;
mod once;
mod place;
mod policy;
mod record;
mod routine;
mod still;
mod strays;
#[cfg(test)]
mod tests;
mod waiter;

pub(crate) use calls::{Calls, call_each};
pub(crate) use header::{Answer, Header};
pub(crate) use holdings::Holdings;
pub(crate) use place::{Leave, Place};
pub(crate) use policy::{Due, Offer, Policy, Standing, Verdict};
pub(crate) use record::{Member, Object, Record};
pub(crate) use routine::Routine;
pub(crate) use waiter::{Halves, Part, Signals, Wait, drop_part, is_last_call, last_call, poll_part};
