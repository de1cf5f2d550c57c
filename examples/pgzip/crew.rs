//! The crew: concurrent work between two ordered stations, each a lane that owns what is used there.
//!
//! A member that is a task or a thread runs a loop: it waits for its turn to read, reads a block, compresses it while others
//! read and compress theirs, waits for its turn to write, and writes it. A job of rayon never waits, since one that waits for
//! another that has no thread waits for ever: the calling thread reads for the jobs, and a job compresses its block,
//! deposits it and is done. Whoever completes the head of the lane, with a turn or a deposit, writes all that is ready.
//!
//! *One number for both stations.* The ticket for writing is taken by whoever has the turn to read, so the
//! tickets are taken in the order of the blocks, and the ticket's number is the block's.
//!
//! *Failures have their place.* Whatever goes wrong with a block, an error or a panic, fails the block's ticket for writing. The
//! lane writes all before it and nothing behind it, sends everybody else home, and keeps the first failure in the order of blocks.
//!
//! *Memory is bounded* because a member keeps its block until it is written, and a job's block keeps its permit: no more
//! blocks than members.

use crate::block::{Block, Input, Output};
use batons::lane::{Lane, Ticket};
use batons::{Cause, LaneError, Lost, OwnedPermit, Semaphore, blocking};
use futures::future::join_all;
use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};
use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// How many members of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crew {
    pub(crate) tasks: u32,
    pub(crate) threads: u32,
    /// Jobs of rayon that run at the same time.
    pub(crate) jobs: u32,
}

impl Crew {
    pub(crate) fn members(self) -> u32 {
        self.tasks + self.threads + self.jobs
    }
}

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A thread could not be started.
    Start(io::Error),
    /// The first block that is not written, and why.
    Block(u64, Cause),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(why) => write!(f, "the crew could not be started: {why}"),
            Self::Block(block, why) if why.is::<Lost>() => write!(f, "block {block} was lost: {why}"),
            Self::Block(block, why) => write!(f, "block {block} could not be {why}"),
        }
    }
}

/// What could not be done with a block.
#[derive(Debug)]
pub(crate) struct Undone(pub(crate) &'static str, pub(crate) io::Error);

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0, self.1)
    }
}

impl Error for Undone {}

/// A block that a job has compressed, and its right to be in memory.
type Packed = (Block, OwnedPermit);

/// The two stations, and what is done between them.
struct Work<R, W, P> {
    reading: Lane<Input<R>>,
    writing: Lane<Output<W>, Packed>,
    pack: P,
}

impl<R: Read + Send, W: Write + Send, P: Fn(&mut Block) -> io::Result<()> + Sync> Work<R, W, P> {
    /// Reads the next block; the ticket to write it has its number. `None` where the input ends.
    async fn next(&self, block: &mut Block) -> Result<Option<Ticket<Output<W>, Packed>>, LaneError> {
        let mut place = self.reading.ticket().await?;
        let mut input = place.turn().await?;
        let ticket = self.writing.ticket().await?;
        block.number = ticket.seq();
        let read = input.fill(block);
        input.pass().await;
        match read {
            Ok(true) => return Ok(Some(ticket)),
            Ok(false) => ticket.skip(),
            Err(why) => ticket.fail(Undone("read", why)),
        }
        Ok(None)
    }

    /// The life of a member, task or thread. It ends with the input; and with an error where another one has failed.
    async fn member(self: Arc<Self>) -> Result<(), LaneError> {
        let mut block = Block::new();
        loop {
            let Some(mut ticket) = self.next(&mut block).await? else { break };
            if let Err(why) = (self.pack)(&mut block) {
                break ticket.fail(Undone("compressed", why));
            }
            let mut output = ticket.turn().await?;
            match output.write(&block) {
                Ok(()) => output.pass().await,
                Err(why) => break output.fail(Undone("written", why)),
            }
        }
        Ok(())
    }

    /// Reads for `jobs` jobs, until the input ends or something has failed.
    async fn feed<'s>(&'s self, jobs: u32, scope: &ScopeFifo<'s>) -> Result<(), LaneError> {
        let places = Semaphore::new(jobs, jobs);
        loop {
            let place = places.acquire_owned().await.expect("nobody closes it");
            let mut block = Block::new();
            let Some(ticket) = self.next(&mut block).await? else { return Ok(()) };
            scope.spawn_fifo(move |_| match (self.pack)(&mut block) {
                Ok(()) => drop(ticket.deposit((block, place))), // refused: an earlier one has failed
                Err(why) => ticket.fail(Undone("compressed", why)),
            });
        }
    }
}

/// Compresses with a crew, each block by `pack`.
pub(crate) fn run<R, W, P>(crew: Crew, input: Input<R>, output: Output<W>, pack: P) -> Result<W, Failure>
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
    P: Fn(&mut Block) -> io::Result<()> + Send + Sync + 'static,
{
    let (runtime, pool) = (runtime(crew.tasks)?, pool(crew.jobs)?);
    // Nobody has more than one ticket of each, so the windows are never full.
    let (reading, writing) = (Lane::new(input, crew.members()), Lane::builder().window(crew.members()));
    let writing = writing.committer(output, |output, run| {
        run.try_for_each(|(block, _place)| Ok(output.write(&block).map_err(|why| Undone("written", why))?))
    });
    let work = Arc::new(Work { reading, writing, pack });
    let member = || Arc::clone(&work).member();
    let tasks: Vec<_> =
        runtime.iter().flat_map(|runtime| (0..crew.tasks).map(|_| runtime.spawn(member()))).collect();
    let started = thread::scope(|scope| {
        let started = (0..crew.threads).try_for_each(|_| {
            let (member, thread) = (member(), thread::Builder::new());
            thread.spawn_scoped(scope, || to_the_end(|| blocking::wait(member))).map(drop)
        });
        if started.is_err() {
            work.reading.close();
        }
        if let Some(pool) = pool {
            to_the_end(|| pool.in_place_scope_fifo(|jobs| blocking::wait(work.feed(crew.jobs, jobs))));
        }
        started
    });
    drop(runtime.map(|runtime| runtime.block_on(join_all(tasks))));
    started.map_err(Failure::Start)?;
    if let Some(failure) = work.writing.failure() {
        return Err(Failure::Block(failure.seq(), Arc::clone(failure.cause())));
    }
    let output = Arc::into_inner(work).and_then(|work| work.writing.into_value().ok());
    Ok(output.expect("the members are gone and so are their handles").into_writer())
}

/// What a member ends with, a panic too, the lane knows better: with its place.
fn to_the_end<T>(life: impl FnOnce() -> T) {
    drop(catch_unwind(AssertUnwindSafe(life)));
}

/// A runtime with a worker for every task: each task computes for long and would block the others.
fn runtime(tasks: u32) -> Result<Option<Runtime>, Failure> {
    let runtime = (tasks > 0).then(|| Builder::new_multi_thread().worker_threads(tasks as usize).build());
    runtime.transpose().map_err(Failure::Start)
}

fn pool(jobs: u32) -> Result<Option<ThreadPool>, Failure> {
    let pool = (jobs > 0).then(|| ThreadPoolBuilder::new().num_threads(jobs as usize).build());
    pool.transpose().map_err(|why| Failure::Start(io::Error::other(why)))
}
