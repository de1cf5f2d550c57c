//! A parallel search whose output is in path order, on ripgrep's own crates.
//!
//! ```text
//! cargo run --release --example osearch -- PATTERN DIR [-j N]
//! cargo run --release --example osearch -- --compare [PATTERN DIR] [-j N]
//! ```
//!
//! It prints, byte for byte, what `rg --sort path PATTERN DIR` prints into a pipe. That option of ripgrep searches with one
//! thread: to sort the results of many, all of them would have to be kept until the last. Here a lane
//! (`search.rs`) writes each file's matches as soon as those of all files before it are written, so the first line comes early,
//! and no more is kept than the window of the lane allows.
//!
//! `--compare` runs it, `rg --sort path` and `rg -j N`, which does not sort, in turns, prints what they took, and lets `cmp`
//! compare the outputs of the first two; then `LC_ALL=C grep -r` must find the same lines, but for files that ripgrep's rules leave
//! out or that are not text. Without PATTERN and DIR it looks for `CString` in the documentation of the installed toolchain.
//!
//! Exit code as ripgrep: 0 something was found, 1 nothing, 2 something could not be read. With `--compare` 0: the same; 1:
//! not the same; 2: NOT VERIFIED, a tool is missing.

mod compare;
mod grep;
#[path = "../common/measure.rs"]
mod measure;
mod search;
#[path = "../common/tools.rs"]
mod tools;

use lexopt::prelude::*;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
osearch: a parallel search, output in path order

osearch PATTERN DIR [-j N]              searches the files below DIR as `rg --sort path` does
osearch --compare [PATTERN DIR] [-j N]  compares itself with ripgrep and grep

  -j, --threads N   threads, 1 to 256; as many as there are processors unless given
";

/// More would only take memory.
const MAX_THREADS: u32 = 256;

struct Options {
    compare: bool,
    threads: u32,
    what: Option<(String, PathBuf)>,
}

fn main() -> ExitCode {
    let done = match options() {
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run(options),
        Err(why) => Err(format!("{why}; see --help").into()),
    };
    done.unwrap_or_else(|why| {
        eprintln!("osearch: {why}");
        ExitCode::from(2)
    })
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let processors = std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok());
    let mut options =
        Options { compare: false, threads: processors.unwrap_or(1).min(MAX_THREADS), what: None };
    let mut values: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('j') | Long("threads") => options.threads = parser.value()?.parse()?,
            Long("compare") => options.compare = true,
            Long("help") | Short('h') => return Ok(None),
            Value(value) if values.len() < 2 => values.push(value),
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=MAX_THREADS).contains(&options.threads) {
        return Err(format!("-j must be 1 to {MAX_THREADS}, not {}", options.threads).into());
    }
    let mut values = values.into_iter();
    options.what = match (values.next(), values.next()) {
        (Some(pattern), Some(folder)) => Some((pattern.string()?, folder.into())),
        (None, _) if options.compare => None,
        _ => return Err("PATTERN and DIR are needed".into()),
    };
    Ok(Some(options))
}

fn run(options: Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Options { compare, threads, what } = options;
    let (pattern, folder) = match what {
        Some(what) => what,
        None => ("CString".to_owned(), tools::documentation("html")?),
    };
    if !folder.is_dir() {
        return Err(format!("{} is not a folder", folder.display()).into());
    }
    if compare {
        return Ok(compare::with_others(&pattern, &folder, threads)?);
    }
    let outcome = search::search(&pattern, &folder, threads, io::stdout());
    match outcome {
        Ok(outcome) if outcome.complained => Ok(ExitCode::from(2)),
        Ok(outcome) => Ok(if outcome.found { ExitCode::SUCCESS } else { ExitCode::from(1) }),
        // Whoever read the output has seen enough.
        Err(why) if is_broken_pipe(&*why) => Ok(ExitCode::SUCCESS),
        Err(why) => Err(why),
    }
}

fn is_broken_pipe(why: &(dyn std::error::Error + 'static)) -> bool {
    let cause = why.downcast_ref::<batons::Failure>().map(batons::Failure::cause);
    cause
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|why| why.kind() == ErrorKind::BrokenPipe)
}
