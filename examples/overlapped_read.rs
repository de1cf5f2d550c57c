//! Overlapped reads of one file at many offsets, collected by a completion port.
//!
//! ```text
//! cargo run --release --example overlapped_read
//! cargo run --release --example overlapped_read -- INPUT COPY
//! ```
//!
//! Without arguments it makes a file of 8 MB in a temporary folder. Sixteen reads are in flight at any time: half of
//! them are tasks on `tokio::fs`, half closures on threads that may block. They go to and fro in the file, from both
//! ends to the middle, and complete in any order. Each posts its piece to the port, where two workers take them: one
//! at a time each, which is the port's concurrency. A worker starts the next read, computes the checksum of its piece,
//! and writes it into the copy by an overlapped write, for whose result it waits.
//!
//! Then the checksums of the pieces, in the order of the file, are combined and compared with that of the file
//! read from beginning to end, and so is the copy:
//!
//! ```text
//! input input.bin, 8400953 bytes: 129 pieces, 16 in flight, 2 workers
//! 65 pieces read by tasks, 64 by threads that block; 37 overtook the one before
//! crc32 of the pieces in order: 8c3cf853; of the file in sequence: 8c3cf853
//! copy: crc32 8c3cf853, 8400953 bytes
//! verified
//! ```
//!
//! The file's `crc32` is that of `gzip` and of the tool of this name, and `cmp INPUT COPY` compares the copy. Exit
//! code 0: verified; 1: it failed, or the checksums differ.

use batons::{CompletionPort, Operation};
use crc32fast::Hasher;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const PIECE: u64 = 64 * 1024;
const IN_FLIGHT: usize = 16;
const WORKERS: u32 = 2;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).map(PathBuf::from).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("overlapped_read: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<PathBuf>) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (input, copy) = match <[PathBuf; 2]>::try_from(arguments) {
        Ok([input, copy]) => (input, copy),
        Err(arguments) if arguments.is_empty() => {
            let input = folder.path().join("input.bin");
            make(&input)?;
            (input, folder.path().join("copy.bin"))
        }
        Err(_) => return Err("usage: overlapped_read [INPUT COPY]".into()),
    };
    let length = std::fs::metadata(&input)?.len();
    File::create(&copy)?.set_len(length)?;
    let plan = Arc::new(Plan { pieces: length.div_ceil(PIECE), length, input, copy });
    let name = plan.input.file_name().unwrap_or_default().to_string_lossy();
    let pieces = plan.pieces;
    println!("input {name}, {length} bytes: {pieces} pieces, {IN_FLIGHT} in flight, {WORKERS} workers");
    let sums = Arc::new(Collected::default());
    transfer(&plan, &sums).await?;
    verify(&plan, &sums)
}

/// Reads all pieces and hands them to the workers.
async fn transfer(plan: &Arc<Plan>, sums: &Arc<Collected>) -> Result<(), Failure> {
    let port = CompletionPort::new(WORKERS);
    for _ in 0..IN_FLIGHT {
        start_next(plan, sums, &port);
    }
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| Operation::spawn(work(Arc::clone(plan), Arc::clone(sums), port.clone())))
        .collect();
    for worker in &workers {
        worker.result().await??;
    }
    Ok(())
}

// ===== what is read =====

struct Plan {
    pieces: u64,
    length: u64,
    input: PathBuf,
    copy: PathBuf,
}

impl Plan {
    /// The `n`th piece to be read: from both ends to the middle.
    fn nth(&self, n: u64) -> u64 {
        if n % 2 == 0 { n / 2 } else { self.pieces - 1 - n / 2 }
    }

    fn length_of(&self, piece: u64) -> usize {
        usize::try_from((self.length - piece * PIECE).min(PIECE)).expect("a piece fits into memory")
    }
}

/// What a read posts.
struct Packet {
    /// Which read it was.
    n: u64,
    bytes: Result<Vec<u8>, Failure>,
}

/// Starts the next read, or closes the port if all pieces are there.
fn start_next(plan: &Arc<Plan>, sums: &Collected, port: &CompletionPort<Packet>) {
    let Some(n) = sums.begin(plan.pieces) else { return };
    let piece = plan.nth(n);
    let (source, length) = (plan.input.clone(), plan.length_of(piece));
    if n % 2 == 0 {
        let read = async move {
            let mut file = tokio::fs::File::open(source).await?;
            file.seek(SeekFrom::Start(piece * PIECE)).await?;
            let mut bytes = vec![0; length];
            file.read_exact(&mut bytes).await?;
            io::Result::Ok(bytes)
        };
        port.spawn(read, move |result| Packet { n, bytes: flat(result) });
    } else {
        let read = move || {
            let mut file = File::open(source)?;
            file.seek(SeekFrom::Start(piece * PIECE))?;
            let mut bytes = vec![0; length];
            file.read_exact(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        port.spawn_blocking(read, move |result| Packet { n, bytes: flat(result) });
    }
}

/// A read that failed, was cancelled or panicked is a packet like any other.
fn flat(result: Result<io::Result<Vec<u8>>, batons::OperationError>) -> Result<Vec<u8>, Failure> {
    Ok(result??)
}

// ===== what is done with it =====

/// Works until the port is closed, and closes it if something fails, so that the other worker ends as well.
async fn work(plan: Arc<Plan>, sums: Arc<Collected>, port: CompletionPort<Packet>) -> Result<(), Failure> {
    let worked = take_all(&plan, &sums, &port).await;
    if worked.is_err() {
        port.close();
    }
    worked
}

async fn take_all(plan: &Arc<Plan>, sums: &Collected, port: &CompletionPort<Packet>) -> Result<(), Failure> {
    if plan.pieces == 0 {
        port.close();
    }
    // The packet counts as running until the next turn of the loop.
    while let Ok(mut packet) = port.next().await {
        start_next(plan, sums, port);
        let piece = plan.nth(packet.n);
        let bytes = std::mem::replace(&mut packet.bytes, Ok(Vec::new()))?;
        let sum = crc32fast::hash(&bytes);
        let copy = plan.copy.clone();
        let write = Operation::spawn_blocking(move || {
            let mut file = File::options().write(true).open(copy)?;
            file.seek(SeekFrom::Start(piece * PIECE))?;
            file.write_all(&bytes)
        });
        write.result().await??;
        if sums.end(packet.n, sum) == plan.pieces {
            port.close();
        }
    }
    Ok(())
}

/// What the workers know together.
#[derive(Default)]
struct Collected(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    begun: u64,
    /// Read and checksum, in the order in which the workers were done with them.
    done: Vec<(u64, u32)>,
}

impl Collected {
    /// Counts a read, if one is left to begin.
    fn begin(&self, pieces: u64) -> Option<u64> {
        let mut sums = self.0.lock().expect("nobody panics inside");
        let n = sums.begun;
        sums.begun = (n + 1).min(pieces);
        (n < pieces).then_some(n)
    }

    /// Adds a checksum, and tells how many there are.
    fn end(&self, n: u64, sum: u32) -> u64 {
        let mut sums = self.0.lock().expect("nobody panics inside");
        sums.done.push((n, sum));
        sums.done.len() as u64
    }
}

// ===== whether it is right =====

fn verify(plan: &Plan, sums: &Collected) -> Result<(), Failure> {
    let mut done = std::mem::take(&mut sums.0.lock().expect("nobody panics inside").done);
    let early = done.windows(2).filter(|pair| pair[0].0 > pair[1].0).count();
    let (tasks, threads) = (plan.pieces.div_ceil(2), plan.pieces / 2);
    println!(
        "{tasks} pieces read by tasks, {threads} by threads that block; {early} overtook the one before"
    );
    done.sort_unstable_by_key(|&(n, _)| plan.nth(n));
    let mut pieces = Hasher::new();
    for (piece, &(n, sum)) in (0..).zip(&done) {
        if plan.nth(n) != piece {
            return Err(format!("piece {piece} was not read exactly once").into());
        }
        pieces.combine(&Hasher::new_with_initial_len(sum, plan.length_of(piece) as u64));
    }
    let pieces = pieces.finalize();
    let (sequence, length) = in_sequence(&plan.input)?;
    println!("crc32 of the pieces in order: {pieces:08x}; of the file in sequence: {sequence:08x}");
    let (copied, copied_length) = in_sequence(&plan.copy)?;
    println!("copy: crc32 {copied:08x}, {copied_length} bytes");
    if pieces != sequence || (copied, copied_length) != (sequence, length) {
        return Err("the checksums differ".into());
    }
    println!("verified");
    Ok(())
}

/// The checksum of a file, read from beginning to end, and its length.
fn in_sequence(path: &Path) -> io::Result<(u32, u64)> {
    let (mut file, mut hasher, mut length) = (File::open(path)?, Hasher::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hasher.finalize(), length));
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
    }
}

/// Makes a file of which no two pieces are the same, and the last is not full.
fn make(path: &Path) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.take((128 * (1 << 16) + 12_344) / 8).flatten().collect();
    bytes.push(b'!');
    File::create(path)?.write_all(&bytes)
}
