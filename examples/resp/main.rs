//! A server of Redis' protocol whose commands run concurrently, with replies in order and effects in order for each key.
//!
//! A lane of each connection orders the replies, a `Keyed` of the server orders the effects. `resp --verify` has it
//! examined by tools that are not ours; see `--help`.

mod harness;
mod protocol;
mod serve;
mod store;
#[path = "../common/tools.rs"]
mod tools;
mod verify;
mod workload;

use lexopt::prelude::*;
use serve::{Mode, Server};
use std::process::ExitCode;
use store::Store;

const HELP: &str = "\
resp: a server of Redis' protocol; commands run concurrently, replies and effects are in order

resp --port P [options]    serves on 127.0.0.1 until it is killed; port 0 chooses one
resp --verify [--quick]    starts itself, and lets redis-cli, redis-benchmark, redis-server and sha256sum check it

  --workers N   threads, 1 to 256; as many as there are processors unless given
  --mode M      ordered: polled once in place, what is pending becomes a task (unless given)
                spawned: every command is a task
                unkeyed: the same, with effects in any order; this is wrong, and --verify shows it
                serial:  one command of a connection after the other
  --quick       less of everything
  --help        this text

Commands: PING ECHO GET SET DEL INCR MGET MSET, SLEEP ms [key ...], SHA256 path

Exit code 0: verified; 1: failed; 2: NOT VERIFIED because a tool is missing.
";

struct Options {
    port: Option<u16>,
    workers: usize,
    mode: Mode,
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
    let port = options.port.ok_or("--port or --verify is missing; see --help")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_all()
        .build()
        .map_err(|why| why.to_string())?;
    let server = Server::new(options.mode, Store::default(), None);
    runtime.block_on(server.listen(port)).map_err(|why| format!("cannot serve: {why}"))
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let mut options = Options { port: None, workers, mode: Mode::Ordered, verify: false, quick: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => options.port = Some(parser.value()?.parse()?),
            Long("workers") => options.workers = parser.value()?.parse()?,
            Long("mode") => {
                options.mode = match parser.value()?.string()?.as_str() {
                    "ordered" => Mode::Ordered,
                    "spawned" => Mode::Spawned,
                    "unkeyed" => Mode::Unkeyed,
                    "serial" => Mode::Serial,
                    other => {
                        return Err(format!(
                            "--mode must be ordered, spawned, unkeyed or serial, not {other}"
                        )
                        .into());
                    }
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
