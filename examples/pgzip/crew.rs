//! The crew: concurrent work between two ordered stations.
//!
//! Every member, task or thread, runs the same loop: it waits for its turn to read, reads a block,
//! compresses it while others read and compress theirs, waits for its turn to write, and writes it.
//!
//! *One number for both stations.* A member takes its ticket for writing while it has the turn to
//! read, so the tickets are taken in the order of the blocks, and the ticket's number is the block's.
//!
//! *Failures have their place.* Whatever goes wrong with a block is told in the block's turn to write.
//! Nobody before it can fail any more then, so it is the first failure in the order of blocks; all
//! before it is written and nothing behind it. Closing both batons sends everybody else home. A member
//! that panics drops its ticket, which is passed over; the next one finds the gap.
//!
//! *Memory is bounded* because a member keeps its block until it is written: no more blocks than members.

use crate::block::{Block, Input, Output};
use batons::{Baton, HeldBaton, blocking};
use std::borrow::Borrow;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// How many members of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crew {
    pub(crate) tasks: usize,
    pub(crate) threads: usize,
}

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A thread could not be started.
    Start(io::Error),
    Read(u64, io::Error),
    Pack(u64, io::Error),
    Write(u64, io::Error),
    /// The member that had this block is gone.
    Lost(u64),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(why) => write!(f, "the crew could not be started: {why}"),
            Self::Read(block, why) => write!(f, "block {block} could not be read: {why}"),
            Self::Pack(block, why) => write!(f, "block {block} could not be compressed: {why}"),
            Self::Write(block, why) => write!(f, "block {block} could not be written: {why}"),
            Self::Lost(block) => write!(f, "block {block} was lost: a crew member panicked"),
        }
    }
}

/// The two stations. The baton of each gives its value to one member at a time; the compiler cannot
/// know that, so the values are in mutexes that nobody ever waits for.
struct Stations<R, W> {
    reading: Baton,
    input: Mutex<Input<R>>,
    writing: Baton,
    output: Mutex<Output<W>>,
}

impl<R, W> Stations<R, W> {
    fn close(&self) {
        self.reading.close();
        self.writing.close();
    }
}

/// What the turn of a station protects. A panic in an earlier turn is no matter here: the input was
/// marked as ended before, and the output finds the gap that a panic leaves.
fn enter<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    match value.try_lock() {
        Ok(value) => value,
        Err(TryLockError::Poisoned(value)) => value.into_inner(),
        Err(TryLockError::WouldBlock) => unreachable!("two members have the turn of one baton"),
    }
}

/// Releases a turn before a long computation.
///
/// tokio puts the task that a release wakes into a slot of the releasing worker from which no other
/// worker takes it; without the yield it would stay there until the computation is over. On a thread
/// the yield does nothing.
async fn pass<H: Borrow<Baton>>(turn: HeldBaton<H>) {
    turn.release();
    tokio::task::yield_now().await;
}

/// The life of a member, task or thread. Closed batons mean that another one has told a failure.
async fn member<R: Read, W: Write>(
    stations: Arc<Stations<R, W>>,
    pack: impl Fn(&mut Block) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut block = Block::new();
    loop {
        let Ok(turn) = stations.reading.ticket().acquire_owned().await else { return Ok(()) };
        let mut place = stations.writing.ticket();
        let number = place.seq();
        let read = enter(&stations.input).fill(&mut block);
        pass(turn).await;

        block.number = number;
        let packed = match read {
            Ok(true) => pack(&mut block).map_err(|why| Failure::Pack(number, why)),
            Ok(false) => return Ok(()),
            Err(why) => Err(Failure::Read(number, why)),
        };

        let Ok(turn) = place.acquire().await else { return Ok(()) };
        if let Err(failure) = settle(&stations.output, &block, packed) {
            stations.close();
            return Err(failure);
        }
        pass(turn).await;
    }
}

/// Writes a block in its turn, or tells why it, or one before it, will never be written.
fn settle<W: Write>(
    output: &Mutex<Output<W>>,
    block: &Block,
    packed: Result<(), Failure>,
) -> Result<(), Failure> {
    let mut output = enter(output);
    if output.next() != block.number {
        return Err(Failure::Lost(output.next()));
    }
    packed?;
    output.write(block).map_err(|why| Failure::Write(block.number, why))
}

/// Compresses with a crew, each block by `pack`.
pub(crate) fn run<R, W, P>(crew: Crew, input: Input<R>, output: Output<W>, pack: P) -> Result<W, Failure>
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
    P: Fn(&mut Block) -> io::Result<()> + Clone + Send + 'static,
{
    let stations = Arc::new(Stations {
        reading: Baton::new(0),
        input: Mutex::new(input),
        writing: Baton::new(0),
        output: Mutex::new(output),
    });
    let runtime = runtime(crew.tasks).map_err(Failure::Start)?;
    let member = || member(Arc::clone(&stations), pack.clone());
    let tasks: Vec<_> =
        runtime.iter().flat_map(|runtime| (0..crew.tasks).map(|_| runtime.spawn(member()))).collect();
    let threads: Vec<_> = (0..crew.threads)
        .map(|_| {
            let member = member();
            thread::Builder::new().spawn(move || blocking::wait(member))
        })
        .collect();

    if threads.iter().any(Result::is_err) {
        stations.close();
    }
    let mut result = Ok(());
    let mut lost = false;
    for thread in threads {
        match thread.map(thread::JoinHandle::join) {
            Ok(Ok(end)) => result = result.and(end),
            Ok(Err(_panic)) => lost = true,
            Err(why) => result = Err(Failure::Start(why)),
        }
    }
    for task in tasks {
        match runtime.as_ref().map(|runtime| runtime.block_on(task)) {
            Some(Ok(end)) => result = result.and(end),
            _ => lost = true,
        }
    }
    result?;
    let stations = Arc::into_inner(stations).expect("the members are gone and so are their handles");
    let output = stations.output.into_inner().unwrap_or_else(PoisonError::into_inner);
    if lost || !output.is_complete() {
        return Err(Failure::Lost(output.next()));
    }
    Ok(output.into_writer())
}

/// A runtime with a worker for every task: each task computes for long and would block the others.
fn runtime(tasks: usize) -> io::Result<Option<Runtime>> {
    (tasks > 0).then(|| Builder::new_multi_thread().worker_threads(tasks).build()).transpose()
}

/// The same on the calling thread: no crew, no batons.
pub(crate) fn alone<R: Read, W: Write>(
    mut input: Input<R>,
    mut output: Output<W>,
    pack: impl Fn(&mut Block) -> io::Result<()>,
) -> Result<W, Failure> {
    let mut block = Block::new();
    for number in 0.. {
        block.number = number;
        if !input.fill(&mut block).map_err(|why| Failure::Read(number, why))? {
            break;
        }
        pack(&mut block).map_err(|why| Failure::Pack(number, why))?;
        output.write(&block).map_err(|why| Failure::Write(number, why))?;
    }
    Ok(output.into_writer())
}
