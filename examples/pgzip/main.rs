//! A parallel gzip whose crew is tokio tasks, OS threads and jobs of rayon in one order.
//!
//! ```text
//! cargo run --release --example pgzip -- INPUT OUTPUT.gz [--workers N] [--level L] [--crew KIND] [--fault N] [--compare] [--force]
//! cargo run --release --example pgzip
//! ```
//!
//! Without arguments it compresses a large library of the installed Rust toolchain into a temporary
//! folder. Blocks of 128 KiB are read in order, compressed at the same time, and written in order: two
//! lanes, one at each end (`crew.rs`). The output is one gzip member that any `gunzip` reads, and its
//! bytes are the same for every number of workers and every kind of crew.
//!
//! It runs the crew and the same code on one thread in turns, three times, and prints the middle run of each with its
//! cores used (processor time by wall time; one thread that uses less than one core shares the machine with others). With
//! `--compare`, and without arguments, a task for each block with `buffered`, `pigz` and `gzip` run as well. The
//! bytes by the same code must be the same, and `gzip -t` and `gzip -dc | cmp - INPUT` check them. A further run in which
//! one block fails must leave the blocks before it and nothing else:
//!
//! ```text
//! PLACEHOLDER
//! ```
//!
//! The output appears under its name only when it is complete and checked. Exit code 0: checked; 1: it
//! failed and left nothing behind; 2: a tool to check with is missing, and the output is NOT VERIFIED.

mod args;
mod block;
mod crew;
mod files;
#[path = "../common/measure.rs"]
mod measure;
mod others;
mod report;
mod runs;
#[path = "../common/tools.rs"]
mod tools;
mod verify;

use args::{Command, Options};
use files::Destination;
use runs::Runs;
use std::process::ExitCode;
use verify::Verdict;

fn main() -> ExitCode {
    let done = args::parse(lexopt::Parser::from_env()).and_then(|command| match command {
        Command::Help => {
            print!("{}", args::HELP);
            Ok(ExitCode::SUCCESS)
        }
        Command::Compress(options) => compress(&options).map(ExitCode::from),
    });
    done.unwrap_or_else(|message| {
        eprintln!("pgzip: {message}");
        ExitCode::FAILURE
    })
}

/// Compresses, compares with others, checks, and only then gives the output its name.
fn compress(options: &Options) -> Result<Verdict, String> {
    let job = files::choose(options.paths.as_ref())?;
    // Reads the input once, so that none of the runs is the one that waits for the disk.
    let size = files::read_through(&job.input)?;
    let destination = Destination::create(&job.output, &job.input, options.force)?;
    report::print_input(&job.input, size, options);

    let runs = Runs { options, input: &job.input, size, to: &destination };
    report::print_rows(size, &runs.measure()?);
    report::print_output(size, destination.size()?);

    let mut verdict = verify::with_tools(&destination, &job.input)?;
    if let (Some(block), Verdict::Verified) = (options.fault, verdict) {
        verdict = runs.fault(block)?;
    }
    destination.persist()?;
    match job.scratch {
        // Removed here and not by a silent drop, so that a failure is told.
        Some(folder) => folder.close().map_err(|why| format!("cannot remove the temporary folder: {why}"))?,
        None => println!("written to {}", job.output.display()),
    }
    Ok(verdict)
}
