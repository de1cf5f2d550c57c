//! The archive: rayon's jobs compress, a lane puts what they made in the order of names.
//!
//! *Numbers.* The thread that walks takes a ticket for each entry before it queues the job, so the tickets are in the order of
//! names. It is the only one that ever waits, and it is none of rayon's.
//!
//! *Results.* A job deposits what it made, and never waits: a job of a fixed pool that waits for one that has no thread waits for
//! ever. Whoever completes the head of the lane appends all that is ready.
//!
//! *Memory is bounded* by the weight of the tickets that are out: the sizes of their files.

use batons::lane::Lane;
use batons::{LaneError, blocking};
use ignore::{DirEntry, WalkBuilder};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::error::Error;
use std::fs;
use std::io::{self, Cursor, Seek, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipArchive, ZipWriter};

/// How many bytes of files may be between the walk and the archive.
const WEIGHT: u32 = 32 << 20;

pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// One entry, compressed: an archive of its own, to be appended to the whole one.
pub(crate) type Packed = ZipArchive<Cursor<Vec<u8>>>;

/// Makes the archive of `folder` by `threads` threads.
pub(crate) fn pack<W: Write + Seek + Send>(folder: &Path, threads: usize, writer: W) -> Result<W, Fault> {
    let pool = pool(threads)?;
    let lane = Lane::builder().max_weight(WEIGHT).committer(ZipWriter::new(writer), |archive, run| {
        for packed in run {
            archive.merge_archive(packed)?;
        }
        Ok(())
    });
    let walked = pool.in_place_scope_fifo(|scope| {
        for entry in entries(folder) {
            let entry = entry?;
            let ticket = match blocking::wait(lane.ticket_weighted(entry.weight())) {
                Ok(ticket) => ticket.label(&*entry.name),
                Err(LaneError::Poisoned(_)) => break,
                Err(why) => return Err(why.into()),
            };
            scope.spawn_fifo(move |_| match entry.pack() {
                Ok(packed) => drop(ticket.deposit(packed)), // refused: an earlier one has failed
                Err(why) => ticket.fail(why),
            });
        }
        Ok::<_, Fault>(())
    });
    if let Some(failure) = lane.failure() {
        return Err(failure.into());
    }
    walked?;
    Ok(lane.into_value().expect("the jobs are done").finish()?)
}

pub(crate) fn pool(threads: usize) -> Result<ThreadPool, Fault> {
    Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
}

// ===== entries =====

/// What becomes one entry of the archive.
pub(crate) struct Entry {
    /// Relative, with `/` between its parts.
    name: String,
    path: PathBuf,
    kind: fs::FileType,
    length: u64,
}

/// All below `folder`, each folder before what is in it, in the order of names.
pub(crate) fn entries(folder: &Path) -> impl Iterator<Item = Result<Entry, Fault>> + Send {
    let all = WalkBuilder::new(folder).standard_filters(false).sort_by_file_name(Ord::cmp).build();
    let folder = folder.to_owned();
    let below = all.filter(|entry| entry.as_ref().map_or(true, |entry| entry.depth() > 0));
    below.map(move |entry| Entry::new(&entry?, &folder))
}

impl Entry {
    fn new(entry: &DirEntry, folder: &Path) -> Result<Self, Fault> {
        let path = entry.path().to_owned();
        let metadata = entry.metadata()?;
        let parts: Option<Vec<_>> = path.strip_prefix(folder)?.iter().map(|part| part.to_str()).collect();
        let parts = parts.ok_or_else(|| format!("the name of {} is not UTF-8", path.display()))?;
        let (kind, length) = (metadata.file_type(), if metadata.is_file() { metadata.len() } else { 0 });
        Ok(Self { name: parts.join("/"), path, kind, length })
    }

    fn weight(&self) -> u32 {
        u32::try_from(self.length).unwrap_or(u32::MAX)
    }

    /// Compresses it. The bytes depend on names and contents alone: no times, no users, and of the permissions
    /// whether it can be executed.
    pub(crate) fn pack(&self) -> Result<Packed, Fault> {
        let told = |why: io::Error| format!("{}: {why}", self.path.display());
        let mut alone = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().last_modified_time(DateTime::DEFAULT);
        if self.kind.is_dir() {
            alone.add_directory(&*self.name, options.unix_permissions(0o755))?;
        } else if self.kind.is_symlink() {
            let to = fs::read_link(&self.path).map_err(told)?;
            let to = to.to_str().ok_or_else(|| format!("{} leads to no UTF-8", self.path.display()))?;
            alone.add_symlink(&*self.name, to, options)?;
        } else if self.kind.is_file() {
            let mut file = fs::File::open(&self.path).map_err(told)?;
            let options = options.unix_permissions(mode(&file).map_err(told)?);
            alone.start_file(&*self.name, options.large_file(self.length >= u64::from(u32::MAX)))?;
            io::copy(&mut file, &mut alone).map_err(told)?;
        } else {
            return Err(format!("{} is no file, folder or link", self.path.display()).into());
        }
        Ok(alone.finish_into_readable()?)
    }
}

#[cfg(unix)]
fn mode(file: &fs::File) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    Ok(if file.metadata()?.mode() & 0o100 == 0 { 0o644 } else { 0o755 })
}

#[cfg(not(unix))]
fn mode(_: &fs::File) -> io::Result<u32> {
    Ok(0o644)
}
