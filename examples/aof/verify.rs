//! `aof --verify`: every write that was answered is in the file, says a real Redis, after `kill -9` and after a disk that was full.

use crate::harness::{Client, Process, Verdict, bulk};
use crate::log::NAME;
use crate::protocol::encode_command;
use crate::tools;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The beginning of a command, as a crash leaves it.
const TORN: &[u8] = b"*3\r\n$3\r\nSET\r\n$9\r\nhalf a";
/// How many pipelined commands are asked at once.
const PIECE: u64 = 1000;

pub(crate) fn run(quick: bool) -> Result<Verdict, String> {
    let tools = [("redis-check-aof", "redis-tools"), ("redis-server", "redis-server")];
    if !tools::have(&tools) {
        return Ok(Verdict::NotVerified);
    }
    let (clients, time) = if quick { (32, 500) } else { (128, 2000) };
    killed(clients, Duration::from_millis(time))?;
    full(clients)?;
    compare(quick)?;
    println!("aof: PASS");
    Ok(Verdict::Verified)
}

fn told(why: impl std::fmt::Display) -> String {
    why.to_string()
}

fn folder() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(told)
}

fn ours(folder: &Path, sync: &str) -> Result<Process, String> {
    let folder = folder.to_string_lossy();
    Process::ours(&["--dir", &folder, "--sync", sync])
}

// ===== clients =====

/// What one client was told: its keys from 0 on, and how often its counter was raised.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    client: usize,
    sets: u64,
    raised: u64,
}

impl Acknowledged {
    fn key(client: usize, n: u64) -> String {
        format!("c{client}:{n}")
    }
}

/// Writes one key after the other, each when the one before was answered, until the server is gone or refuses.
fn write_keys(port: u16, client: usize, until: Instant) -> Acknowledged {
    let mut it = Acknowledged { client, sets: 0, raised: 0 };
    let Ok(mut connection) = Client::connect(port) else { return it };
    let counter = format!("counter{client}");
    while Instant::now() < until {
        let key = Acknowledged::key(client, it.sets);
        match connection.call(&["SET", &key, &format!("value of {key}")]).as_deref() {
            Ok(b"+OK\r\n") => it.sets += 1,
            _ => break,
        }
        if it.sets % 8 == 0 {
            match connection.call(&["INCR", &counter]).as_deref() {
                Ok([b':', ..]) => it.raised += 1,
                _ => break,
            }
        }
    }
    it
}

/// So many clients at once. `meanwhile` is called on this thread.
fn load(
    port: u16,
    clients: usize,
    time: Duration,
    meanwhile: impl FnOnce(),
) -> Result<Vec<Acknowledged>, String> {
    let until = Instant::now() + time;
    let clients: Vec<_> =
        (0..clients).map(|client| thread::spawn(move || write_keys(port, client, until))).collect();
    meanwhile();
    clients.into_iter().map(|client| client.join().map_err(|_| "a client panicked".to_owned())).collect()
}

/// Whether the server at `port` has all of it.
fn has_all(port: u16, acknowledged: &[Acknowledged]) -> Result<u64, String> {
    let mut connection = Client::connect(port).map_err(told)?;
    let mut keys = 0;
    for it in acknowledged {
        for start in (0..it.sets).step_by(usize::try_from(PIECE).unwrap_or(1)) {
            let piece: Vec<_> =
                (start..it.sets.min(start + PIECE)).map(|n| Acknowledged::key(it.client, n)).collect();
            let mut bytes = Vec::new();
            for key in &piece {
                encode_command(&["GET", key], &mut bytes);
            }
            connection.send(&bytes).map_err(told)?;
            for key in &piece {
                let mut reply = Vec::new();
                connection.receive(&mut reply).map_err(told)?;
                if reply != bulk(&format!("value of {key}")) {
                    return Err(format!(
                        "{key} was acknowledged, and is {:?}",
                        String::from_utf8_lossy(&reply)
                    ));
                }
            }
            keys += piece.len() as u64;
        }
        let reply = connection.call(&["GET", &format!("counter{}", it.client)]).map_err(told)?;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        let counter: u64 = reply.lines().nth(1).and_then(|text| text.parse().ok()).unwrap_or_default();
        // The last one may have happened without an answer.
        if counter != it.raised && counter != it.raised + 1 {
            return Err(format!("counter {} was raised {} times, and is {counter}", it.client, it.raised));
        }
    }
    Ok(keys)
}

// ===== by Redis =====

/// What `redis-check-aof` says, and whether it is content.
fn check_aof(file: &Path, fix: bool) -> Result<bool, String> {
    let mut command = Command::new("redis-check-aof");
    command.args(fix.then_some("--fix")).arg(file);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|why| format!("redis-check-aof: {why}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(b"y\n"); // it asks before it cuts, and is gone if there is nothing to cut
    }
    Ok(child.wait_with_output().map_err(told)?.status.success())
}

/// The file in `folder` in the eyes of Redis: its checker, then its server; then a torn command at the end.
fn examine(folder: &Path, acknowledged: &[Acknowledged]) -> Result<(), String> {
    let copy = self::folder()?;
    let file = copy.path().join(NAME);
    let length = fs::copy(folder.join(NAME), &file).map_err(told)?;
    let valid = check_aof(&file, false)?;
    if !(valid || check_aof(&file, true)? && check_aof(&file, false)?) {
        return Err("redis-check-aof finds fault with the file".to_owned());
    }
    let cut = length - fs::metadata(&file).map_err(told)?.len();
    println!(
        "  redis-check-aof: valid{}: PASS",
        if valid { String::new() } else { format!(" when {cut} torn bytes are cut off") }
    );

    let redis = Process::redis(copy.path(), &["--appendonly", "yes", "--appendfilename", NAME])?;
    let keys = has_all(redis.port, acknowledged)?;
    println!("  redis-server loads {length} bytes and has all {keys} keys that were acknowledged: PASS");
    drop(redis);

    // Ours loads it with a torn end, and cuts off what the checker would.
    let whole = fs::metadata(folder.join(NAME)).map_err(told)?.len() - cut;
    let append = OpenOptions::new().append(true).open(folder.join(NAME));
    append.and_then(|mut file| if cut > 0 { Ok(()) } else { file.write_all(TORN) }).map_err(told)?;
    let again = ours(folder, "group")?;
    let keys = has_all(again.port, acknowledged)?;
    let left = fs::metadata(folder.join(NAME)).map_err(told)?.len();
    if left != whole {
        return Err(format!("{left} bytes are left of a torn file, not {whole}"));
    }
    println!("  aof starts again on it with a torn command at its end and has all {keys}: PASS");
    Ok(())
}

fn count(acknowledged: &[Acknowledged]) -> u64 {
    acknowledged.iter().map(|it| it.sets + it.raised).sum()
}

fn killed(clients: usize, time: Duration) -> Result<(), String> {
    let folder = folder()?;
    let server = ours(folder.path(), "group")?;
    let port = server.port;
    // The clients would go on; the server is not asked.
    let acknowledged = load(port, clients, time * 100, || {
        thread::sleep(time);
        drop(server);
    })?;
    println!("kill -9 under the load of {clients} clients, {} writes acknowledged", count(&acknowledged));
    examine(folder.path(), &acknowledged)
}

/// A file that cannot grow beyond a limit, as on a disk that is full.
fn full(clients: usize) -> Result<(), String> {
    let folder = folder()?;
    let program = std::env::current_exe().map_err(told)?;
    let limited = "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(program).args(["--port", "0", "--dir"]).arg(folder.path());
    // What it says may go to a file, which the limit would end as well.
    command.stderr(Stdio::null());
    let server = Process::start(&mut command)?;
    let acknowledged = load(server.port, clients, Duration::from_secs(60), || ())?;
    println!("the disk is full; {} writes were acknowledged before", count(&acknowledged));
    let length = fs::metadata(folder.path().join(NAME)).map_err(told)?.len();
    if !(32 << 10..=256 << 10).contains(&length) {
        return Err(format!("the limit did not hold: the file has {length} bytes"));
    }
    let reply = Client::connect(server.port).and_then(|mut client| client.call(&["SET", "k", "v"]));
    let reply = String::from_utf8_lossy(&reply.map_err(told)?).trim().to_owned();
    if !reply.starts_with('-') {
        return Err(format!("a write on a full disk is answered by {reply}"));
    }
    println!("  SET on a full disk: {reply}: PASS");
    drop(server);
    examine(folder.path(), &acknowledged)
}

// ===== how fast =====

/// Writes in a second, and how many of them one synchronization made durable, where it tells.
fn rate(server: &Process, clients: usize, time: Duration) -> Result<(f64, Option<f64>), String> {
    let before = counters(server.port).map_err(told)?;
    let start = Instant::now();
    let acknowledged = load(server.port, clients, time, || ())?;
    let seconds = start.elapsed().as_secs_f64();
    let after = counters(server.port).map_err(told)?;
    let grouped =
        before.zip(after).map(|(before, after)| (after[0] - before[0]) / (after[1] - before[1]).max(1.0));
    let writes = u32::try_from(count(&acknowledged)).map_err(told)?;
    Ok((f64::from(writes) / seconds, grouped))
}

/// What the journal counted: writes, and synchronizations. A real Redis has none.
fn counters(port: u16) -> io::Result<Option<[f64; 2]>> {
    let reply = Client::connect(port)?.call(&["INFO", "journal"])?;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let find = |name: &str| reply.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    Ok(find("journal_writes:").zip(find("journal_syncs:")).map(|(writes, syncs)| [writes, syncs]))
}

fn compare(quick: bool) -> Result<(), String> {
    let (all_clients, times, time) = if quick { (&[32][..], 1, 500) } else { (&[8, 32, 128][..], 3, 1000) };
    let folders = [folder()?, folder()?, folder()?];
    let always = ["--appendonly", "yes", "--appendfsync", "always"];
    let servers = [
        ours(folders[0].path(), "each")?,
        ours(folders[1].path(), "group")?,
        Process::redis(folders[2].path(), &always)?,
    ];
    println!("durable writes in a second, one at a time for each client:");
    println!(
        "{:>8} {:>10} {:>10} {:>10} {:>11} {:>12} {:>12}",
        "clients", "each", "group", "redis", "group/each", "group/redis", "writes/sync"
    );
    for &clients in all_clients {
        let mut best = [0.0_f64; 3];
        let mut grouped = 0.0_f64;
        for _ in 0..times {
            for (index, server) in servers.iter().enumerate() {
                let (rate, run) = rate(server, clients, Duration::from_millis(time))?;
                best[index] = best[index].max(rate);
                grouped = grouped.max(run.unwrap_or_default());
            }
        }
        let [each, group, redis] = best;
        println!(
            "{clients:>8} {each:>10.0} {group:>10.0} {redis:>10.0} {:>11.1} {:>12.2} {grouped:>12.1}",
            group / each,
            group / redis
        );
    }
    Ok(())
}
