//! The command line.

use crate::crew::Crew;
use lexopt::prelude::*;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
pgzip: a parallel gzip; tasks and threads take turns in lanes

pgzip INPUT OUTPUT.gz [options]   compresses INPUT
pgzip [options]                   compresses a library of the Rust toolchain into a temporary folder

  --workers N   crew members, 1 to 256; as many as there are processors (3 at least) unless given
  --level L     compression level, 0 to 9; 6 unless given
  --crew KIND   tasks, threads, jobs (of rayon) or mixed; mixed unless given
  --fault N     lets block N fail in a further run, and checks that its output is the blocks before N and
                nothing else; 500 where INPUT is not given
  --compare     measures spawned tasks with `buffered`, pigz and gzip as well; so where INPUT is not given
  --force       replaces OUTPUT.gz if it exists
  --help        this text

Exit code 0: the output is checked; 1: failed, nothing is left behind; 2: made, but NOT VERIFIED
because a tool to check with is missing.
";

/// More would only take memory.
const MAX_WORKERS: u32 = 256;

/// The block that fails where nobody names one.
const FAULT: u64 = 500;

pub(crate) enum Command {
    Help,
    Compress(Options),
}

pub(crate) struct Options {
    /// Input and output; `None` for the library of the toolchain.
    pub(crate) paths: Option<(PathBuf, PathBuf)>,
    pub(crate) crew: Crew,
    pub(crate) level: u32,
    pub(crate) force: bool,
    /// Whether others are measured as well.
    pub(crate) compare: bool,
    /// The block that fails in a further run.
    pub(crate) fault: Option<u64>,
}

pub(crate) fn parse(parser: lexopt::Parser) -> Result<Command, String> {
    options(parser).map_err(|why| format!("{why}; see --help"))
}

fn options(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut paths = Vec::new();
    let (mut kind, mut level, mut fault) = ("mixed".to_owned(), 6, None);
    let (mut force, mut compare) = (false, false);
    let processors = std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok());
    // One of each kind at least.
    let mut workers = processors.unwrap_or(3).clamp(3, MAX_WORKERS);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("workers") => workers = parser.value()?.parse()?,
            Long("level") => level = parser.value()?.parse()?,
            Long("crew") => kind = parser.value()?.string()?,
            Long("fault") => fault = Some(parser.value()?.parse()?),
            Long("compare") => compare = true,
            Long("force") => force = true,
            Long("help") | Short('h') => return Ok(Command::Help),
            Value(path) if paths.len() < 2 => paths.push(PathBuf::from(path)),
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=MAX_WORKERS).contains(&workers) {
        return Err(format!("--workers must be 1 to {MAX_WORKERS}, not {workers}").into());
    }
    if level > 9 {
        return Err(format!("--level must be 0 to 9, not {level}").into());
    }
    let crew = match kind.as_str() {
        "tasks" => Crew { tasks: workers, threads: 0, jobs: 0 },
        "threads" => Crew { tasks: 0, threads: workers, jobs: 0 },
        "jobs" => Crew { tasks: 0, threads: 0, jobs: workers },
        "mixed" => Crew { tasks: workers.div_ceil(3), threads: (workers + 1) / 3, jobs: workers / 3 },
        _ => return Err(format!("--crew must be tasks, threads, jobs or mixed, not {kind}").into()),
    };
    let mut given = paths.into_iter();
    let paths = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(input), Some(output)) => Some((input, output)),
        (Some(_), None) => return Err("OUTPUT.gz is missing".into()),
    };
    if paths.is_none() {
        fault = fault.or(Some(FAULT));
        compare = true;
    }
    Ok(Command::Compress(Options { paths, crew, level, force, compare, fault }))
}
