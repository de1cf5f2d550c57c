//! `resp --verify`: the server examined by tools that are not ours, and compared with itself in other modes.

use crate::harness::{self, Client, Process, Verdict, bulk};
use crate::protocol::encode_command;
use crate::tools;
use crate::workload::{self, Random, Round};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

const COMMANDS: u32 = 100_000;
/// Read-your-writes: so many clients, rounds of each, and pairs in each round; 20,000 in all.
const CLIENTS: u64 = 4;
const ROUNDS: u64 = 100;
const PAIRS: u64 = 50;

pub(crate) fn run(quick: bool) -> Result<Verdict, String> {
    let tools = [
        ("redis-cli", "redis-tools"),
        ("redis-benchmark", "redis-tools"),
        ("redis-server", "redis-server"),
        ("sha256sum", "coreutils"),
    ];
    if !tools::have(&tools) {
        return Ok(Verdict::NotVerified);
    }
    pipe()?;
    same_replies()?;
    reads_see_writes()?;
    sums(quick)?;
    sleeps(quick)?;
    benchmark(quick)?;
    println!("resp: PASS");
    Ok(Verdict::Verified)
}

fn ours(mode: &str) -> Result<Process, String> {
    Process::ours(&["--mode", mode])
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(why: io::Error) -> String {
    format!("the server does not answer: {why}")
}

// ===== order =====

fn pipe() -> Result<(), String> {
    for mode in ["ordered", "spawned"] {
        let server = ours(mode)?;
        let child = Command::new("redis-cli")
            .args(["-p", &server.port.to_string(), "--pipe"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|why| format!("redis-cli: {why}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&workload::commands(COMMANDS)).map_err(|why| format!("redis-cli: {why}"))?;
        }
        let output = child.wait_with_output().map_err(|why| format!("redis-cli: {why}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        if last != format!("errors: 0, replies: {COMMANDS}") {
            return Err(format!("redis-cli --pipe, {mode}: {text}"));
        }
        println!("redis-cli --pipe, {mode}: {last}: PASS");
    }
    Ok(())
}

/// All replies to the commands, sent in one go.
fn replies(port: u16) -> io::Result<Vec<Vec<u8>>> {
    let mut client = Client::connect(port)?;
    let mut sender = client.sender()?;
    let sends = std::thread::spawn(move || sender.write_all(&workload::commands(COMMANDS)));
    let mut replies = Vec::with_capacity(COMMANDS as usize);
    for _ in 0..COMMANDS {
        let mut reply = Vec::new();
        client.receive(&mut reply)?;
        replies.push(reply);
    }
    sends.join().map_err(|_| io::Error::other("the sender panicked"))??;
    Ok(replies)
}

fn same_replies() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let redis = Process::redis(folder.path(), &[])?;
    let expected = replies(redis.port).map_err(told)?;
    for mode in ["ordered", "spawned", "unkeyed"] {
        let got = replies(ours(mode)?.port).map_err(told)?;
        let wrong = got.iter().zip(&expected).filter(|(got, expected)| got != expected).count();
        let verdict = match (wrong, mode) {
            (0, "unkeyed") => "right by chance",
            (_, "unkeyed") => "so this check can fail",
            (0, _) => "PASS",
            _ => return Err(format!("{mode}: {wrong} replies differ from those of redis-server")),
        };
        println!("replies as redis-server's, {mode}: {wrong} of {COMMANDS} differ: {verdict}");
    }
    Ok(())
}

fn reads_see_writes() -> Result<(), String> {
    let all = CLIENTS * ROUNDS * PAIRS;
    for mode in ["ordered", "spawned", "unkeyed"] {
        let server = ours(mode)?;
        let port = server.port;
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| std::thread::spawn(move || wrong_reads(port, client))).collect();
        let mut wrong = 0;
        for client in clients {
            wrong += client.join().map_err(|_| "a client panicked")?.map_err(told)?;
        }
        let verdict = match (wrong, mode) {
            (0, "unkeyed") => "right by chance",
            (_, "unkeyed") => "ordered replies are not ordered effects",
            (0, _) => "PASS",
            _ => return Err(format!("{mode}: {wrong} reads of {all} did not see the write before them")),
        };
        println!("read your writes, {mode}: {wrong} of {all} wrong: {verdict}");
    }
    Ok(())
}

fn wrong_reads(port: u16, client: u64) -> io::Result<usize> {
    let (mut connection, mut random, mut wrong) = (Client::connect(port)?, Random(client + 1), 0);
    for round in 0..ROUNDS {
        let Round { commands, replies, expected } =
            workload::read_your_writes(client, round, PAIRS, &mut random);
        connection.send(&commands)?;
        let mut got = vec![Vec::new(); replies];
        for reply in &mut got {
            connection.receive(reply)?;
        }
        wrong += expected.iter().filter(|(place, expected)| got[*place] != *expected).count();
    }
    Ok(wrong)
}

// ===== concurrency =====

/// Seconds until all replies to `commands` in one pipeline are there, and the replies.
fn timed(port: u16, commands: &[[&str; 2]]) -> Result<(f64, Vec<Vec<u8>>), String> {
    let mut bytes = Vec::new();
    for command in commands {
        encode_command(command, &mut bytes);
    }
    let mut client = Client::connect(port).map_err(told)?;
    let start = Instant::now();
    client.send(&bytes).map_err(told)?;
    let mut replies = vec![Vec::new(); commands.len()];
    for reply in &mut replies {
        client.receive(reply).map_err(told)?;
    }
    Ok((start.elapsed().as_secs_f64(), replies))
}

/// How long a mode took, and how many cores it kept busy.
#[derive(Debug, Clone, Copy)]
struct Time {
    seconds: f64,
    cores: f64,
}

/// The best of three, in turns, of the serial mode and of the ordered one.
fn compared(
    commands: &[[&str; 2]],
    check: impl Fn(&[Vec<u8>]) -> Result<(), String>,
) -> Result<[Time; 2], String> {
    let servers = [ours("serial")?, ours("ordered")?];
    let mut best = [Time { seconds: f64::INFINITY, cores: 0.0 }; 2];
    for _ in 0..3 {
        for (best, server) in best.iter_mut().zip(&servers) {
            let before = server.cpu();
            let (seconds, replies) = timed(server.port, commands)?;
            check(&replies)?;
            if seconds < best.seconds {
                *best = Time { seconds, cores: (server.cpu() - before) / seconds };
            }
        }
    }
    Ok(best)
}

/// Large files that are there with the toolchain, or else this program.
fn files(count: usize) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(tools::sysroot().join("lib"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.extend(std::env::current_exe());
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().map_or(0, |it| it.len())));
    files.truncate(count);
    files
}

fn sums(quick: bool) -> Result<(), String> {
    let files = files(if quick { 1 } else { 2 });
    let list = harness::printed(Command::new("sha256sum").args(&files))?;
    let sums: Vec<_> = list.lines().map(|line| bulk(line.split(' ').next().unwrap_or_default())).collect();
    let names: Vec<_> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    // Each four times, so that there is enough to do at once.
    let commands: Vec<_> = names.iter().cycle().take(names.len() * 4).map(|name| ["SHA256", name]).collect();
    let [serial, ordered] = compared(&commands, |replies| {
        if replies.iter().zip(sums.iter().cycle()).all(|(reply, sum)| reply == sum) {
            return Ok(());
        }
        Err("SHA256: the sums are not those of sha256sum".to_owned())
    })?;
    let (ratio, count) = (serial.seconds / ordered.seconds, commands.len());
    println!(
        "SHA256 as sha256sum's, {count} pipelined: {:.2} s serial ({:.2} cores), {:.2} s ordered ({:.2} cores), {ratio:.2}x: PASS",
        serial.seconds, serial.cores, ordered.seconds, ordered.cores
    );
    Ok(())
}

fn sleeps(quick: bool) -> Result<(), String> {
    let commands = vec![["SLEEP", "2"]; if quick { 16 } else { 64 }];
    let [serial, ordered] = compared(&commands, |replies| {
        let fine = replies.iter().all(|reply| reply == b"+OK\r\n");
        if fine { Ok(()) } else { Err("SLEEP was refused".to_owned()) }
    })?;
    let [serial, ordered] = [serial, ordered].map(|time| time.seconds * 1e3);
    let (count, ratio) = (commands.len(), serial / ordered);
    println!("SLEEP 2, {count} pipelined: {serial:.1} ms serial, {ordered:.1} ms ordered, {ratio:.1}x: PASS");
    Ok(())
}

/// What `redis-benchmark` makes of a server in one of its tests.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    /// Thousands in a second.
    rate: f64,
    /// Microseconds of the server's cpu time for each.
    cpu: f64,
}

fn rate(server: &Process, test: &str, requests: u32) -> Result<Rate, String> {
    let (port, count) = (server.port.to_string(), requests.to_string());
    let before = server.cpu();
    let csv = harness::printed(
        Command::new("redis-benchmark")
            .args(["-p", &port, "-P", "16"])
            .args(["-n", &count, "-r", "10000", "-t", test, "--csv"]),
    )?;
    let cpu = (server.cpu() - before) * 1e6 / f64::from(requests);
    let row = csv.lines().last().unwrap_or_default();
    let rate = row.split("\",\"").nth(1).and_then(|cell| cell.trim_matches('"').parse::<f64>().ok());
    let rate = rate.ok_or(format!("redis-benchmark did not end {test}: {csv}"))? / 1e3;
    Ok(Rate { rate, cpu })
}

fn benchmark(quick: bool) -> Result<(), String> {
    let (requests, times) = if quick { (100_000, 1) } else { (500_000, 3) };
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let names = ["serial", "ordered", "spawned", "redis"];
    let servers = [ours("serial")?, ours("ordered")?, ours("spawned")?, Process::redis(folder.path(), &[])?];
    println!(
        "redis-benchmark -P 16, {requests} requests, thousands in a second (microseconds of cpu for each):"
    );
    println!("{:<12}{:>15}{:>15}{:>15}{:>15}  ordered/serial", "", names[0], names[1], names[2], names[3]);
    for test in ["ping_mbulk", "set", "get", "incr", "mset"] {
        let mut best = [Rate::default(); 4];
        // In turns, since the machine has others to work for.
        for _ in 0..times {
            for (best, server) in best.iter_mut().zip(&servers) {
                let rate = rate(server, test, requests)?;
                *best = if rate.rate > best.rate { rate } else { *best };
            }
        }
        let cells = best.map(|it| format!("{:>7.0} ({:>4.1})", it.rate, it.cpu));
        let [serial, ordered, ..] = best.map(|it| it.rate);
        println!(
            "{test:<12}{:>15}{:>15}{:>15}{:>15}  {:.2}",
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            ordered / serial
        );
    }
    println!("redis-benchmark: all tests ended: PASS");
    Ok(())
}
