//! What is printed.

use crate::args::Options;
use crate::block::{BLOCK, MEMORY};
use crate::crew::Crew;
use crate::measure::Taken;
use std::path::Path;

pub(crate) fn print_input(input: &Path, size: u64, options: &Options) {
    let name = input.file_name().unwrap_or(input.as_os_str()).to_string_lossy();
    let (level, block) = (options.level, BLOCK / 1024);
    println!("input {name}, {:.1} MB, level {level}, blocks of {block} KiB", mega(size));
    let workers = options.crew.tasks + options.crew.threads;
    let (all, each) = (mega(u64::from(workers) * MEMORY as u64), mega(MEMORY as u64));
    println!("memory bound {all:.1} MB: {} with {each:.1} MB each", count(workers, "worker"));
}

pub(crate) fn print_runs(size: u64, alone: &Taken, crew: &Taken, kind: Crew) {
    let members = [(kind.tasks, "task"), (kind.threads, "thread")];
    let members: Vec<_> = members.into_iter().filter(|m| m.0 > 0).map(|m| count(m.0, m.1)).collect();
    let name = format!("{} ({})", count(kind.tasks + kind.threads, "worker"), members.join(", "));
    for (name, run) in [("one thread", alone), (&*name, crew)] {
        let speed = mega(size) / run.wall.as_secs_f64().max(1e-9);
        println!("{name:<32} {run}  {speed:>6.1} MB/s  {:.2}x", run.speedup_over(alone));
    }
}

pub(crate) fn print_output(input: u64, output: u64) {
    let (size, part) = (mega(output), 100.0 * mega(output) / mega(input.max(1)));
    println!("output {size:.1} MB ({part:.1} %), the same bytes from the crew and from one thread");
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
