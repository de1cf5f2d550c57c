//! What is printed.

use crate::args::Options;
use crate::block::{BLOCK, MEMORY};
use crate::crew::Crew;
use cpu_time::ProcessTime;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a run took.
pub(crate) struct Run {
    wall: Duration,
    cpu: Duration,
}

impl Run {
    pub(crate) fn measure(run: impl FnOnce() -> Result<(), String>) -> Result<Self, String> {
        let (wall, cpu) = (Instant::now(), ProcessTime::now());
        run()?;
        Ok(Self { wall: wall.elapsed(), cpu: cpu.elapsed() })
    }

    fn seconds(&self) -> f64 {
        // The smallest run still divides.
        self.wall.as_secs_f64().max(1e-9)
    }

    fn cores(&self) -> f64 {
        self.cpu.as_secs_f64() / self.seconds()
    }
}

pub(crate) fn print_input(input: &Path, size: u64, options: &Options) {
    let name = input.file_name().unwrap_or(input.as_os_str()).to_string_lossy();
    let (level, block) = (options.level, BLOCK / 1024);
    println!("input {name}, {:.1} MB, level {level}, blocks of {block} KiB", mega(size));
    let workers = options.crew.tasks + options.crew.threads;
    let (all, each) = (mega((workers * MEMORY) as u64), mega(MEMORY as u64));
    println!("memory bound {all:.1} MB: {} with {each:.1} MB each", count(workers, "worker"));
}

pub(crate) fn print_runs(size: u64, alone: &Run, crew: &Run, kind: Crew) {
    let members = [(kind.tasks, "task"), (kind.threads, "thread")];
    let members: Vec<_> = members.into_iter().filter(|m| m.0 > 0).map(|m| count(m.0, m.1)).collect();
    let name = format!("{} ({})", count(kind.tasks + kind.threads, "worker"), members.join(", "));
    print_run("one thread", size, alone, "");
    print_run(&name, size, crew, &format!("{:.2}x", alone.seconds() / crew.seconds()));
}

fn print_run(name: &str, size: u64, run: &Run, ratio: &str) {
    let (seconds, cores) = (run.seconds(), run.cores());
    let speed = mega(size) / seconds;
    println!("{name:<32} {seconds:>6.2} s {speed:>8.1} MB/s {ratio:>6}  cores used {cores:.2}");
}

pub(crate) fn print_output(input: u64, output: u64) {
    let (size, part) = (mega(output), 100.0 * mega(output) / mega(input.max(1)));
    println!("output {size:.1} MB ({part:.1} %), the same bytes from the crew and from one thread");
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
