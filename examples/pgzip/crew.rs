//! The crew: concurrent work between two ordered stations, each a lane that owns what is used there.
//!
//! Every member, task or thread, runs the same loop: it waits for its turn to read, reads a block, compresses it while others
//! read and compress theirs, waits for its turn to write, and writes it.
//!
//! *One number for both stations.* A member takes its ticket for writing while it has the turn to read, so the
//! tickets are taken in the order of the blocks, and the ticket's number is the block's.
//!
//! *Failures have their place.* Whatever goes wrong with a block, an error or a panic, fails the block's ticket for writing. The
//! lane writes all before it and nothing behind it, sends everybody else home, and keeps the first failure in the order of blocks.
//!
//! *Memory is bounded* because a member keeps its block until it is written: no more blocks than members.

use crate::block::{Block, Input, Output};
use batons::lane::Lane;
use batons::{Cause, LaneError, Lost, blocking};
use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// How many members of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crew {
    pub(crate) tasks: u32,
    pub(crate) threads: u32,
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

/// The life of a member, task or thread. It ends with the input; and with an error where another one has failed.
async fn member<R: Read, W: Write>(
    reading: Lane<Input<R>>,
    writing: Lane<Output<W>>,
    pack: impl Fn(&mut Block) -> io::Result<()>,
) -> Result<(), LaneError> {
    let mut block = Block::new();
    loop {
        let mut place = reading.ticket().await?;
        let mut input = place.turn().await?;
        let mut ticket = writing.ticket().await?;
        block.number = ticket.seq();
        let read = input.fill(&mut block);
        input.pass().await;

        let packed = match read {
            Ok(true) => pack(&mut block).map_err(|why| Undone("compressed", why)),
            Ok(false) => break ticket.skip(),
            Err(why) => Err(Undone("read", why)),
        };
        if let Err(why) = packed {
            break ticket.fail(why);
        }

        let mut output = ticket.turn().await?;
        match output.write(&block) {
            Ok(()) => output.pass().await,
            Err(why) => break output.fail(Undone("written", why)),
        }
    }
    Ok(())
}

/// Compresses with a crew, each block by `pack`.
pub(crate) fn run<R, W, P>(crew: Crew, input: Input<R>, output: Output<W>, pack: P) -> Result<W, Failure>
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
    P: Fn(&mut Block) -> io::Result<()> + Clone + Send + 'static,
{
    // Nobody has more than one ticket of each, so the windows are never full.
    let window = crew.tasks + crew.threads;
    let (reading, writing) = (Lane::new(input, window), Lane::new(output, window));
    let member = || member(reading.clone(), writing.clone(), pack.clone());
    let runtime = runtime(crew.tasks).map_err(Failure::Start)?;
    let tasks: Vec<_> =
        runtime.iter().flat_map(|runtime| (0..crew.tasks).map(|_| runtime.spawn(member()))).collect();
    let threads: Vec<_> = (0..crew.threads)
        .map(|_| {
            let member = member();
            thread::Builder::new().spawn(move || blocking::wait(member))
        })
        .collect();

    if threads.iter().any(Result::is_err) {
        reading.close();
    }
    let mut started = Ok(());
    // What a member ends with, a panic too, the lane knows better: with its place.
    for thread in threads {
        started = started.and(thread.map(|thread| drop(thread.join())));
    }
    for (runtime, task) in runtime.iter().cycle().zip(tasks) {
        drop(runtime.block_on(task));
    }
    started.map_err(Failure::Start)?;
    match writing.failure() {
        Some(failure) => Err(Failure::Block(failure.seq(), Arc::clone(failure.cause()))),
        None => {
            Ok(writing.into_value().expect("the members are gone and so are their handles").into_writer())
        }
    }
}

/// A runtime with a worker for every task: each task computes for long and would block the others.
fn runtime(tasks: u32) -> io::Result<Option<Runtime>> {
    (tasks > 0).then(|| Builder::new_multi_thread().worker_threads(tasks as usize).build()).transpose()
}

/// The same on the calling thread: no crew, no lanes.
pub(crate) fn alone<R: Read, W: Write>(
    mut input: Input<R>,
    mut output: Output<W>,
    pack: impl Fn(&mut Block) -> io::Result<()>,
) -> Result<W, Failure> {
    let mut block = Block::new();
    for number in 0.. {
        block.number = number;
        let undone = |what| move |why| Failure::Block(number, Arc::new(Undone(what, why)));
        if !input.fill(&mut block).map_err(undone("read"))? {
            break;
        }
        pack(&mut block).map_err(undone("compressed"))?;
        output.write(&block).map_err(undone("written"))?;
    }
    Ok(output.into_writer())
}
