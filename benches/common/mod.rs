//! What the benches share: command line, harness, report, and the contenders.

// Each bench is a crate of its own and uses a part.
#![allow(dead_code, reason = "each bench uses a part")]

pub(crate) mod beside;
pub(crate) mod broadcasts;
pub(crate) mod floor;
pub(crate) mod harness;
pub(crate) mod herd;
pub(crate) mod keyed;
pub(crate) mod permits;
pub(crate) mod plot;
pub(crate) mod report;
pub(crate) mod signals;
pub(crate) mod turns;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything.
    Full,
    /// Small sizes and few repetitions: shows that the bench works, not what things cost.
    Quick,
}

impl Mode {
    /// `cargo bench` measures; `-- --quick`, and `cargo test`, which does not pass `--bench`, look
    /// only whether the bench still works.
    pub(crate) fn from_args() -> Self {
        let has = |name: &str| std::env::args().any(|arg| arg == name);
        if has("--bench") && !has("--quick") { Self::Full } else { Self::Quick }
    }

    pub(crate) fn pick<T>(self, full: T, quick: T) -> T {
        if self == Self::Full { full } else { quick }
    }
}

/// The argument after `name`, if the command line has one.
pub(crate) fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}
