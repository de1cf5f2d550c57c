#![doc = include_str!("README.md")]

mod header;
mod line;
mod policy;
#[cfg(test)]
mod tests;
mod waiter;

pub(crate) use header::Header;
pub(crate) use policy::{Policy, Standing, Verdict};
pub(crate) use waiter::{Leave, Place, Wait, last_call};
