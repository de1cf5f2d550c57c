//! Waitable timers.
