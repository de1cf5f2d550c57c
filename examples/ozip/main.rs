//! A parallel zip whose archive does not depend on who made it: the same bytes from any number of threads.
//!
//! ```text
//! cargo run --release --example ozip -- OUT.zip DIR [-j N]
//! cargo run --release --example ozip -- --compare [DIR] [-j N] [--runs R]
//! ```
//!
//! Jobs of rayon compress the files below DIR, and the entries of the archive are in the order of names. A lane
//! (`pack.rs`) lets no job wait and keeps no more than a bounded weight of results. Three other ways (`others.rs`) keep all
//! results, have another archive each time, or are no faster than one thread.
//!
//! `--compare` makes the archive of DIR, or of the documentation of `std` that comes with the toolchain, has it checked by
//! `unzip -t`, and by `unzip` and `diff -r`, makes it R times by 1, 2 and 8 threads, which must give one sum by
//! `sha256sum`, and prints what N threads, one thread, the other ways and `zip -r` take.
//!
//! Exit code 0: made, or checked; 1: failed, and nothing is left behind; 2: NOT VERIFIED, a tool is missing.

mod compare;
#[path = "../common/measure.rs"]
mod measure;
mod others;
mod pack;
#[path = "../common/tools.rs"]
mod tools;

use lexopt::prelude::*;
use pack::Fault;
use std::ffi::OsString;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
ozip: a parallel zip, the same bytes from any number of threads

ozip OUT.zip DIR [-j N]                  makes the archive of what is below DIR
ozip --compare [DIR] [-j N] [--runs R]   checks itself with unzip and diff, compares itself with others

  -j, --threads N   threads, 1 to 256; as many as there are processors unless given
  --runs R          archives that must be the same, 1 to 1000; 20 unless given
  --way WAY         how the jobs' results come into the archive; deposit unless given
                    deposit: by a lane, in the order of names, in bounded memory
                    collect: all of them are in memory first
                    as-done: in any order, so that the archive is another one each time
                    turns: each job waits until it is the next, so that nearly all do
";

#[derive(Clone, Copy)]
enum Way {
    Deposit,
    Collect,
    AsDone,
    Turns,
}

struct Options {
    compare: bool,
    way: Way,
    threads: usize,
    runs: usize,
    paths: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let done = match options() {
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run(&options),
        Err(why) => Err(format!("{why}; see --help").into()),
    };
    done.unwrap_or_else(|why| {
        eprintln!("ozip: {why}");
        ExitCode::FAILURE
    })
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(256);
    let mut options = Options { compare: false, way: Way::Deposit, threads, runs: 20, paths: Vec::new() };
    let mut values: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('j') | Long("threads") => options.threads = parser.value()?.parse()?,
            Long("runs") => options.runs = parser.value()?.parse()?,
            Long("way") => options.way = way(&parser.value()?.string()?)?,
            Long("compare") => options.compare = true,
            Long("help") | Short('h') => return Ok(None),
            Value(value) => values.push(value),
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=256).contains(&options.threads) {
        return Err(format!("-j must be 1 to 256, not {}", options.threads).into());
    }
    if !(1..=1000).contains(&options.runs) {
        return Err(format!("--runs must be 1 to 1000, not {}", options.runs).into());
    }
    match (options.compare, values.len()) {
        (true, 0 | 1) | (false, 2) => {}
        (true, _) => return Err("one DIR is compared".into()),
        (false, _) => return Err("OUT.zip and DIR are needed".into()),
    }
    options.paths = values.into_iter().map(PathBuf::from).collect();
    Ok(Some(options))
}

fn way(name: &str) -> Result<Way, String> {
    match name {
        "deposit" => Ok(Way::Deposit),
        "collect" => Ok(Way::Collect),
        "as-done" => Ok(Way::AsDone),
        "turns" => Ok(Way::Turns),
        _ => Err(format!("--way must be deposit, collect, as-done or turns, not {name}")),
    }
}

fn run(options: &Options) -> Result<ExitCode, Fault> {
    if options.compare {
        let folder = options.paths.first().cloned().map_or_else(|| tools::documentation("html/std"), Ok)?;
        is_folder(&folder)?;
        return Ok(compare::with_others(&folder, options.threads, options.runs)?);
    }
    let [output, folder] = &options.paths[..] else { return Err("OUT.zip and DIR are needed".into()) };
    is_folder(folder)?;
    make(output, folder, options)?;
    Ok(ExitCode::SUCCESS)
}

fn is_folder(path: &Path) -> Result<(), Fault> {
    if path.is_dir() { Ok(()) } else { Err(format!("{} is not a folder", path.display()).into()) }
}

/// Makes the archive under a temporary name; it gets its own when it is complete.
fn make(output: &Path, folder: &Path, options: &Options) -> Result<(), Fault> {
    let into = output.parent().filter(|into| !into.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if into.canonicalize()?.starts_with(folder.canonicalize()?) {
        return Err(format!("{} would be an entry of itself", output.display()).into());
    }
    let mut builder = tempfile::Builder::new();
    // Temporary files are private; this one becomes a file like any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.prefix(".ozip-").tempfile_in(into)?;
    let writer = BufWriter::with_capacity(1 << 20, file);
    let way = match options.way {
        Way::Deposit => pack::pack,
        Way::Collect => others::collect,
        Way::AsDone => others::as_done,
        Way::Turns => others::turns,
    };
    let writer = way(folder, options.threads, writer)?;
    let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.persist_noclobber(output).map_err(|refused| format!("{}: {}", output.display(), refused.error))?;
    Ok(())
}
