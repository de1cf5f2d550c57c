//! What is printed.

use crate::args::Options;
use crate::block::{BLOCK, MEMORY};
use crate::crew::Crew;
use crate::runs::Row;
use std::fmt;
use std::path::Path;

pub(crate) fn print_input(input: &Path, size: u64, options: &Options) {
    let name = input.file_name().unwrap_or(input.as_os_str()).to_string_lossy();
    let (level, block) = (options.level, BLOCK / 1024);
    println!("input {name}, {:.1} MB, level {level}, blocks of {block} KiB", mega(size));
    let workers = options.crew.members();
    let (all, each) = (mega(u64::from(workers) * MEMORY as u64), mega(MEMORY as u64));
    println!("memory bound {all:.1} MB: {} with {each:.1} MB each", count(workers, "worker"));
}

/// Prints what each took, and how many times as long as the crew, which is the first.
pub(crate) fn print_rows(size: u64, rows: &[Row]) {
    let crew = rows.iter().find_map(|(_, taken)| *taken).unwrap_or_default();
    for (name, taken) in rows {
        let Some(taken) = taken else {
            let package = name.split(' ').next().unwrap_or_default();
            println!("{name:<36} not installed: apt install {package}");
            continue;
        };
        let speed = mega(size) / taken.wall.as_secs_f64().max(1e-9);
        let ratio = crew.speedup_over(taken);
        println!("{name:<36} {ratio:>5.2}x {speed:>6.1} MB/s {taken}");
    }
    println!("the first column: how many times as long as the crew");
    if rows.len() > 2 {
        println!("pigz and gzip have another deflate: what they take tells more of it than of the crew");
    }
}

pub(crate) fn print_output(input: u64, output: u64) {
    let (size, part) = (mega(output), 100.0 * mega(output) / mega(input.max(1)));
    println!(
        "output {size:.1} MB ({part:.1} %), the same bytes from the crew and from all others with its code"
    );
}

impl fmt::Display for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [(self.tasks, "task"), (self.threads, "thread"), (self.jobs, "job")];
        let kinds: Vec<_> =
            kinds.into_iter().filter(|kind| kind.0 > 0).map(|kind| count(kind.0, kind.1)).collect();
        write!(f, "{} ({})", count(self.members(), "worker"), kinds.join(", "))
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
