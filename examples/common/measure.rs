//! What the demonstrations share: programs and closures measured in turns with their competitors.

use cpu_time::ProcessTime;
use std::fmt;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait4::Wait4;

/// How often each of the competitors runs, in turns, so that all meet the same moods of the machine.
pub(crate) const ROUNDS: usize = 3;

/// What a run took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// Until the first byte of its output; zero if nobody looked.
    pub(crate) first: Duration,
    /// The most memory that it had, in bytes; 0 if nobody looked.
    pub(crate) memory: u64,
}

impl Taken {
    /// Runs a closure in this process.
    #[allow(dead_code, reason = "not every demonstration does")]
    pub(crate) fn closure<E>(run: impl FnOnce() -> Result<(), E>) -> Result<Self, E> {
        let (wall, cpu) = (Instant::now(), ProcessTime::now());
        run()?;
        Ok(Self { wall: wall.elapsed(), cpu: cpu.elapsed(), ..Self::default() })
    }

    /// Runs a program, whose output goes through a pipe and is thrown away. `accepts` says which exit codes are good.
    #[allow(dead_code, reason = "not every demonstration does")]
    pub(crate) fn program(command: &mut Command, accepts: &[i32]) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let cannot = |why: io::Error| format!("cannot run {name}: {why}");
        let start = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot)?;
        let mut output = child.stdout.take().expect("it is piped");
        let mut buffer = vec![0; 256 * 1024];
        let mut first = Duration::ZERO;
        while output.read(&mut buffer).map_err(cannot)? > 0 {
            if first.is_zero() {
                first = start.elapsed();
            }
        }
        let ended = child.wait4().map_err(cannot)?;
        let wall = start.elapsed();
        if !ended.status.code().is_some_and(|code| accepts.contains(&code)) {
            return Err(format!("{name} ended with {}", ended.status));
        }
        let usage = ended.rusage;
        // A child starts with the peak of its parent, so a smaller one of its own cannot be told.
        let memory = if usage.maxrss > own_peak() { usage.maxrss } else { 0 };
        Ok(Self { wall, cpu: usage.utime + usage.stime, first, memory })
    }

    fn seconds(&self) -> f64 {
        // The smallest run still divides.
        self.wall.as_secs_f64().max(1e-9)
    }

    pub(crate) fn memory(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let mega = self.memory as f64 / 1e6;
        format!("{mega:.1} MB")
    }

    /// How many times as long as this one the other one took.
    pub(crate) fn speedup_over(&self, other: &Self) -> f64 {
        other.seconds() / self.seconds()
    }
}

/// The most memory that this process had, in bytes, where `/proc` tells.
#[allow(dead_code, reason = "not every demonstration runs programs")]
fn own_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse().ok());
    peak.unwrap_or(0_u64) * 1024
}

/// Wall time, processor time, and cores used: the one by the other. Who uses fewer cores than it has threads shared the machine.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, cpu) = (self.seconds(), self.cpu.as_secs_f64());
        write!(f, "{wall:>6.2} s  cpu {cpu:>6.2} s  cores used {:.2}", cpu / wall)?;
        if !self.first.is_zero() {
            write!(f, "  first byte {:>5.1} ms", self.first.as_secs_f64() * 1e3)?;
        }
        if self.memory > 0 {
            write!(f, "  memory {:>9}", self.memory())?;
        }
        Ok(())
    }
}

/// The middle one by wall time.
pub(crate) fn median(mut runs: Vec<Taken>) -> Taken {
    runs.sort_by_key(|run| run.wall);
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

/// Runs the competitors in turns, [`ROUNDS`] times; the middle run of each.
pub(crate) fn in_turns<const N: usize, E>(
    mut run: impl FnMut(usize) -> Result<Taken, E>,
) -> Result<[Taken; N], E> {
    let mut runs = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (who, runs) in runs.iter_mut().enumerate() {
            runs.push(run(who)?);
        }
    }
    Ok(runs.map(median))
}
