//! APCs.
