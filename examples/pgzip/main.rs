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
//! one block fails must leave the blocks before it and nothing else. On two cores:
//!
//! ```text
//! input librustc_driver-6108105cd7e839cf.so, 153.6 MB, level 6, blocks of 128 KiB
//! memory bound 2.2 MB: 3 workers with 0.7 MB each
//! 3 workers (1 task, 1 thread, 1 job)   1.00x  116.7 MB/s   1.32 s  cpu   2.17 s  cores used 1.65
//! one thread                            1.60x   72.9 MB/s   2.11 s  cpu   2.08 s  cores used 0.99
//! spawn + buffered(3)                   0.97x  119.8 MB/s   1.28 s  cpu   2.17 s  cores used 1.69
//! pigz -p 3                             1.95x   59.9 MB/s   2.56 s  cpu   5.06 s  cores used 1.97  first byte   1.6 ms
//! gzip -6, one run                      4.49x   26.0 MB/s   5.91 s  cpu   5.86 s  cores used 0.99  first byte  34.5 ms
//! the first column: how many times as long as the crew
//! pigz and gzip have another deflate: what they take tells more of it than of the crew
//! output 60.9 MB (39.7 %), the same bytes from the crew and from all others with its code
//! gzip -t: ok; gzip -dc | cmp: identical
//! fault: block 500 could not be compressed: a fault on purpose
//! gzip -dc | cmp: its output is the 65536000 bytes before the fault, and nothing else
//! spawn + buffered with the same fault: the same bytes
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
