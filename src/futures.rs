//! The names of all future types, for those who store them.

pub use crate::baton::Acquire;
