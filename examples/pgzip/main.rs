//! A parallel gzip whose crew is tokio tasks and OS threads in one order.
//!
//! ```text
//! cargo run --release --example pgzip -- INPUT OUTPUT.gz [--workers N] [--level L] [--crew KIND] [--fault N] [--force]
//! cargo run --release --example pgzip
//! ```
//!
//! Without arguments it compresses a large library of the installed Rust toolchain into a temporary
//! folder. Blocks of 128 KiB are read in order, compressed at the same time, and written in order: two
//! lanes, one at each end (`crew.rs`). The output is one gzip member that any `gunzip` reads, and its
//! bytes are the same for every number of workers and every kind of crew.
//!
//! It runs the crew and the same code on one thread in turns, three times, and prints the middle run of each with its
//! cores used (processor time by wall time; one thread that uses less than one core shares the machine with others). Their
//! bytes must be the same, and `gzip -t` and `gzip -dc | cmp - INPUT` check them. A further run in which
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
mod report;
mod verify;

use args::{Command, Options};
use block::{BLOCK, Input, Output};
use files::Destination;
use indicatif::{ProgressBar, ProgressStyle};
use measure::{Taken, in_turns};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use verify::{Same, Verdict};

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

/// Compresses, compares with one thread, checks, and only then gives the output its name.
fn compress(options: &Options) -> Result<Verdict, String> {
    let job = files::choose(options.paths.as_ref())?;
    // Reads the input once, so that neither of the two runs is the one that waits for the disk.
    let size = files::read_through(&job.input)?;
    let destination = Destination::create(&job.output, &job.input, options.force)?;
    report::print_input(&job.input, size, options);

    let [crew, alone] = in_turns(|who| {
        Taken::closure(|| match who {
            0 => run_crew(options, size, &job.input, &destination),
            _ => run_alone(options, size, &job.input, &destination),
        })
    })?;
    report::print_runs(size, &alone, &crew, options.crew);
    report::print_output(size, destination.size()?);

    let mut verdict = verify::with_tools(&destination, &job.input)?;
    if let (Some(block), Verdict::Verified) = (options.fault, verdict) {
        verdict = fault(options, block, &job.input, &destination)?;
    }
    destination.persist()?;
    match job.scratch {
        // Removed here and not by a silent drop, so that a failure is told.
        Some(folder) => folder.close().map_err(|why| format!("cannot remove the temporary folder: {why}"))?,
        None => println!("written to {}", job.output.display()),
    }
    Ok(verdict)
}

fn run_crew(options: &Options, size: u64, input: &Path, to: &Destination) -> Result<(), String> {
    let progress = progress(size, "crew");
    let output = Output::new(to.writer()?, options.level, progress.clone());
    let level = options.level;
    let result =
        crew::run(options.crew, Input::new(files::open(input)?), output, move |block| block.pack(level));
    progress.finish_and_clear();
    result.map(drop).map_err(|failure| format!("{}: {failure}; no output was made", input.display()))
}

/// Lets a block fail, and checks that the blocks before it are written and nothing else.
fn fault(options: &Options, block: u64, input: &Path, whole: &Destination) -> Result<Verdict, String> {
    let cannot = |why| format!("cannot make a temporary file: {why}");
    let file = tempfile::NamedTempFile::new().map_err(cannot)?;
    let output = Output::new(file.reopen().map_err(cannot)?, options.level, ProgressBar::hidden());
    let level = options.level;
    let failed = crew::run(options.crew, Input::new(files::open(input)?), output, move |packed| {
        if packed.number == block { Err(io::Error::other("a fault on purpose")) } else { packed.pack(level) }
    });
    let Err(failure) = failed else {
        println!("no fault: the input has no block {block}");
        return Ok(Verdict::Verified);
    };
    println!("fault: {failure}");
    verify::prefix(file.path(), block * BLOCK as u64, input, whole)
}

/// The same blocks on one thread, without lanes. Its bytes go nowhere: they are compared with the
/// crew's as they come.
fn run_alone(options: &Options, size: u64, input: &Path, to: &Destination) -> Result<(), String> {
    let progress = progress(size, "one thread");
    let output = Output::new(Same::new(to.reader()?), options.level, progress.clone());
    let input = Input::new(files::open(input)?);
    let result = crew::alone(input, output, |block| block.pack(options.level));
    progress.finish_and_clear();
    let same = result.map_err(|failure| format!("one thread: {failure}; no output was made"))?;
    same.finish().map_err(|why| format!("one thread: {why}; no output was made"))
}

/// A progress bar on a terminal; nothing if standard error is something else.
fn progress(size: u64, who: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")
        .expect("the template is well formed");
    ProgressBar::new(size).with_style(style).with_message(who)
}
