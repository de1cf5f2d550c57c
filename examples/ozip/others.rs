//! Other ways to fill the archive with what rayon's jobs compress, to be compared with.

use crate::pack::{Fault, entries, pool};
use batons::LaneError;
use batons::lane::Lane;
use rayon::iter::{IntoParallelIterator, ParallelBridge, ParallelIterator};
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use zip::ZipWriter;

/// The usual way: all results first, then the archive. The same bytes, and all of them in memory.
pub(crate) fn collect<W: Write + Seek>(folder: &Path, threads: usize, writer: W) -> Result<W, Fault> {
    let entries = entries(folder).enumerate().par_bridge();
    let packed = entries.map(|(n, entry)| Ok((n, entry?.pack()?)));
    let mut packed = pool(threads)?.install(|| packed.collect::<Result<Vec<_>, Fault>>())?;
    packed.sort_by_key(|&(n, _)| n);
    let mut archive = ZipWriter::new(writer);
    for (_, packed) in packed {
        archive.merge_archive(packed)?;
    }
    Ok(archive.finish()?)
}

/// Entries as they are done: nothing is kept, and which bytes come out depends on who is faster.
pub(crate) fn as_done<W: Write + Seek + Send>(folder: &Path, threads: usize, writer: W) -> Result<W, Fault> {
    let archive = Mutex::new(ZipWriter::new(writer));
    let entries = entries(folder).par_bridge();
    pool(threads)?.install(|| {
        entries.try_for_each(|entry| {
            let packed = entry?.pack()?;
            archive.lock().unwrap_or_else(PoisonError::into_inner).merge_archive(packed)?;
            Ok::<_, Fault>(())
        })
    })?;
    Ok(archive.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?)
}

/// Jobs of `par_iter` that wait for their turns. The same bytes, and no faster than one thread: rayon gives each thread
/// a part of the entries, and whoever has a later part waits until all before it is done.
///
/// It does not hang, since each thread goes through its part from the front and leaves behind only what comes later: the first
/// entry that is not written never waits for a thread. Jobs in any other order would.
pub(crate) fn turns<W: Write + Seek + Send>(folder: &Path, threads: usize, writer: W) -> Result<W, Fault> {
    let entries = entries(folder).collect::<Result<Vec<_>, _>>()?;
    let lane: Lane<_> = Lane::new(ZipWriter::new(writer), u32::try_from(entries.len().max(1))?);
    let jobs = entries.into_iter().map(|entry| Ok((lane.try_ticket()?, entry)));
    let jobs = jobs.collect::<Result<Vec<_>, LaneError>>()?;
    pool(threads)?.install(|| {
        jobs.into_par_iter().for_each(|(mut ticket, entry)| {
            let packed = match entry.pack() {
                Ok(packed) => packed,
                Err(why) => return ticket.fail(why),
            };
            // Refused: an earlier one has failed.
            let Ok(mut archive) = ticket.blocking_turn() else { return };
            if let Err(why) = archive.merge_archive(packed) {
                archive.fail(why);
            }
        });
    });
    match lane.failure() {
        Some(failure) => Err(failure.into()),
        None => Ok(lane.into_value().expect("the jobs are done").finish()?),
    }
}
