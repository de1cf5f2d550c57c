//! The append-only file: loaded when the server starts, and written by one thread, a run at a time.

use crate::protocol::{self, Malformed};
use crate::serve::Journal;
use crate::store::{Command, Store};
use batons::lane::{Commits, Lane};
use bytes::{Bytes, BytesMut};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Its name in the folder, as Redis has it.
pub(crate) const NAME: &str = "appendonly.aof";

/// How many writes may wait for the disk.
const WINDOW: u32 = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Once for everything that has come meanwhile.
    Group,
    /// Once for each command.
    Each,
}

/// Loads the file in `folder` into `store`, makes it if there is none, and takes writes from then on.
pub(crate) fn open(folder: &Path, store: &Store, sync: Sync) -> io::Result<Journal> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(folder.join(NAME))?;
    let mut input = BytesMut::new();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    input.extend_from_slice(&bytes);
    let commands = load(&mut input, store)?;
    // A command that was cut off by a crash was never acknowledged.
    let whole = bytes.len() - input.len();
    file.set_len(whole as u64)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()?; // the name of a new file
    eprintln!("{NAME}: {commands} commands, {} bytes of a torn one cut off", input.len());

    let longest = if sync == Sync::Each { 1 } else { WINDOW as usize };
    let journal: Journal = Lane::builder().window(WINDOW).longest_run(longest).build(file);
    let runs = journal.commits();
    std::thread::Builder::new().name(NAME.to_owned()).spawn(move || write(runs))?;
    Ok(journal)
}

/// Takes all whole commands off `input`.
fn load(input: &mut BytesMut, store: &Store) -> io::Result<u64> {
    let mut commands = 0;
    let bad = |why: &str| io::Error::other(format!("{NAME} is damaged: {why}; see redis-check-aof"));
    while let Some(words) = protocol::take_command(input).map_err(|Malformed(why)| bad(why))? {
        // Redis writes which of its data bases is meant.
        if words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"select")) {
            continue;
        }
        match (words.is_empty(), Command::new(words)) {
            (false, Ok(command)) if command.writes() => store.apply(&command, 0),
            _ => return Err(bad("something that is no write command")),
        };
        commands += 1;
    }
    Ok(commands)
}

// ===== what makes it durable =====

/// One write and one `fdatasync` for each run. Whatever is deposited during those is the next run.
fn write(mut runs: Commits<File, Bytes>) {
    let mut bytes = Vec::new();
    while let Some(mut run) = runs.blocking_next_run() {
        let first = run.run().next_seq();
        bytes.clear();
        for command in run.by_ref() {
            bytes.extend_from_slice(&command);
        }
        match run.write_all(&bytes).and_then(|()| run.sync_data()) {
            Ok(()) => run.done(), // whoever waits for these numbers answers now
            Err(why) => {
                eprintln!("{NAME}: {why}; nothing is written any more");
                run.run().fail_at(first); // nothing tells how much of it is there
                let _ = run.fail(why); // and nothing above is ever acknowledged
            }
        }
    }
}
