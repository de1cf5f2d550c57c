//! Completion calls, by the trait that timers and operations use.
