//! The server `resp` with an append-only file in Redis' format: a write is answered when it is durable, and one `fdatasync` makes all
//! those durable that have come meanwhile.
//!
//! A lane numbers the writes in the order of their effects and commits them in runs; the replies wait until the lane has reached their
//! numbers. `aof --verify` kills the server under load and has its file loaded by a real `redis-server`; see `--help`.

mod log;
mod verify;

#[path = "../resp/harness.rs"]
#[expect(dead_code, reason = "resp checks more")]
mod harness;
#[path = "../resp/protocol.rs"]
mod protocol;
#[path = "../resp/serve.rs"]
#[expect(dead_code, reason = "resp has more modes")]
mod serve;
#[path = "../resp/store.rs"]
mod store;
#[path = "../common/tools.rs"]
mod tools;

use lexopt::prelude::*;
use log::Sync;
use serve::{Mode, Server};
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;

const HELP: &str = "\
aof: a server of Redis' protocol whose writes are durable when they are answered

aof --port P --dir DIR [options]   serves on 127.0.0.1 until it is killed; port 0 chooses one
aof --verify [--quick]             kills itself under load, and lets redis-check-aof and redis-server see the file

  --workers N   threads, 1 to 256; as many as there are processors unless given
  --sync S      group: one fdatasync for all that has come meanwhile (unless given); each: one for each command
  --quick       less of everything
  --help        this text

Exit code 0: verified; 1: failed; 2: NOT VERIFIED because a tool is missing.
";

struct Options {
    port: Option<u16>,
    folder: Option<PathBuf>,
    workers: usize,
    sync: Sync,
    verify: bool,
    quick: bool,
}

fn main() -> ExitCode {
    let done = match parse(lexopt::Parser::from_env()) {
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) if options.verify => verify::run(options.quick),
        Ok(Some(options)) => serve(&options).map(|()| harness::Verdict::Verified),
        Err(why) => Err(format!("{why}; see --help")),
    };
    harness::exit(done)
}

fn serve(options: &Options) -> Result<(), String> {
    let (Some(port), Some(folder)) = (options.port, &options.folder) else {
        return Err("--port and --dir, or --verify, are missing; see --help".to_owned());
    };
    let store = Store::default();
    let journal = log::open(folder, &store, options.sync);
    let journal = journal.map_err(|why| format!("{}: {why}", folder.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_all()
        .build()
        .map_err(|why| why.to_string())?;
    let server = Server::new(Mode::Ordered, store, Some(journal));
    runtime.block_on(server.listen(port)).map_err(|why| format!("cannot serve: {why}"))
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let mut options =
        Options { port: None, folder: None, workers, sync: Sync::Group, verify: false, quick: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => options.port = Some(parser.value()?.parse()?),
            Long("dir") => options.folder = Some(parser.value()?.into()),
            Long("workers") => options.workers = parser.value()?.parse()?,
            Long("sync") => {
                options.sync = match parser.value()?.string()?.as_str() {
                    "group" => Sync::Group,
                    "each" => Sync::Each,
                    other => return Err(format!("--sync must be group or each, not {other}").into()),
                }
            }
            Long("verify") => options.verify = true,
            Long("quick") => options.quick = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=256).contains(&options.workers) {
        return Err(format!("--workers must be 1 to 256, not {}", options.workers).into());
    }
    Ok(Some(options))
}
