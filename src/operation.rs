//! Operations and completion ports.
