//! The same blocks without lanes: on one thread, and by the usual stream of spawned tasks.

use crate::block::{Block, Input, Output};
use crate::crew::{Failure, Undone};
use futures::stream::{self, StreamExt};
use std::io::{self, Read, Write};
use std::sync::Arc;
use tokio::runtime::Builder;

fn undone(number: u64, what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |why| Failure::Block(number, Arc::new(Undone(what, why)))
}

/// On the calling thread.
pub(crate) fn alone<R: Read, W: Write>(
    mut input: Input<R>,
    mut output: Output<W>,
    pack: impl Fn(&mut Block) -> io::Result<()>,
) -> Result<W, Failure> {
    let mut block = Block::new();
    for number in 0.. {
        block.number = number;
        if !input.fill(&mut block).map_err(undone(number, "read"))? {
            break;
        }
        pack(&mut block).map_err(undone(number, "compressed"))?;
        output.write(&block).map_err(undone(number, "written"))?;
    }
    Ok(output.into_writer())
}

/// A task for each block, `buffered(tasks)` of them at once: it counts those that are done and wait for an earlier one
/// as well. The calling thread reads and writes.
pub(crate) fn buffered<R: Read, W: Write>(
    tasks: u32,
    mut input: Input<R>,
    mut output: Output<W>,
    pack: impl Fn(&mut Block) -> io::Result<()> + Clone + Send + 'static,
) -> Result<W, Failure> {
    let runtime =
        Builder::new_multi_thread().worker_threads(tasks as usize).build().map_err(Failure::Start)?;
    let blocks = (0..).map_while(|number| {
        let mut block = Block::new();
        block.number = number;
        let read = input.fill(&mut block).map_err(undone(number, "read"));
        read.map(|more| more.then_some(block)).transpose()
    });
    runtime.block_on(async {
        let mut packed = stream::iter(blocks)
            .map(|read| {
                let pack = pack.clone();
                let task = tokio::spawn(async move {
                    let mut block = read?;
                    pack(&mut block).map_err(undone(block.number, "compressed"))?;
                    Ok(block)
                });
                async { task.await.unwrap_or_else(|gone| std::panic::resume_unwind(gone.into_panic())) }
            })
            .buffered(tasks as usize);
        while let Some(block) = packed.next().await {
            let block = block?;
            output.write(&block).map_err(undone(block.number, "written"))?;
        }
        Ok(output.into_writer())
    })
}
