//! The search: a crew of threads over one walk, and a lane that puts what they find in its order.
//!
//! *Numbers.* A member takes the next paths and the next ticket under the lock of the walk, so the tickets are in path
//! order. The window bounds how many are out, so a slow file holds back the walk and not the memory.
//!
//! *Results.* What a ticket's paths gave is deposited; whoever completes the head of the lane writes all that is ready. Nobody
//! waits, except one who has found more than [`SPILL`]: it takes its turn and from then on writes through. So no file is too
//! large, and memory is bounded by window times `SPILL`.

use batons::lane::{Lane, OwnedTurn, Ticket};
use batons::{LaneError, blocking};
use grep_printer::StandardBuilder;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, SearcherBuilder};
use ignore::{DirEntry, Walk, WalkBuilder};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::{mem, thread};

/// Paths for each ticket: handing out one costs less than opening a file, but wakes others.
const PATHS: usize = 16;
/// How much one ticket may keep in memory.
const SPILL: usize = 256 * 1024;
/// Tickets that may be out, for each member of the crew.
const WINDOW: u32 = 8;

/// What the lane owns.
pub(crate) struct Output<W> {
    writer: W,
    found: bool,
    complained: bool,
}

/// What was found and what could not be read, of some paths.
#[derive(Default)]
pub(crate) struct Found {
    lines: Vec<u8>,
    errors: Vec<u8>,
}

impl<W: Write> Output<W> {
    fn put(&mut self, found: &mut Found) -> io::Result<()> {
        self.found |= !found.lines.is_empty();
        self.complained |= !found.errors.is_empty();
        self.writer.write_all(&found.lines)?;
        found.lines.clear();
        io::stderr().write_all(&mem::take(&mut found.errors))
    }
}

type Place<W> = Ticket<Output<W>, Found>;

/// What a member writes to: memory first, the output itself once that is too much.
struct Pending<W> {
    place: Option<Place<W>>,
    turn: Option<OwnedTurn<Output<W>, Found>>,
    found: Found,
}

impl<W: Write> Pending<W> {
    fn spill(&mut self) -> io::Result<()> {
        if let Some(place) = self.place.take() {
            self.turn = Some(blocking::wait(place.turn_owned()).map_err(io::Error::other)?);
        }
        self.turn.as_mut().map_or(Ok(()), |turn| turn.put(&mut self.found))
    }

    fn end(&mut self) -> Result<(), LaneError> {
        if let Some(place) = self.place.take() {
            return place.deposit(mem::take(&mut self.found));
        }
        let put = self.spill();
        match (self.turn.take(), put) {
            (Some(turn), Err(why)) => turn.fail(why),
            (turn, _) => drop(turn),
        }
        Ok(())
    }
}

impl<W: Write> Write for Pending<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.found.lines.extend_from_slice(bytes);
        if self.found.lines.len() > SPILL {
            self.spill()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether something was found, and whether something could not be read.
pub(crate) struct Outcome {
    pub(crate) found: bool,
    pub(crate) complained: bool,
}

/// What is below `folder` and ripgrep looks at, in the order of paths.
pub(crate) fn walk(folder: &Path) -> Walk {
    WalkBuilder::new(folder).add_custom_ignore_filename(".rgignore").sort_by_file_name(Ord::cmp).build()
}

/// Searches all files below `folder`, and writes what matches in the order of paths.
pub(crate) fn search<W: Write + Send>(
    pattern: &str,
    folder: &Path,
    threads: u32,
    writer: W,
) -> Result<Outcome, Box<dyn std::error::Error>> {
    let matcher = RegexMatcherBuilder::new().line_terminator(Some(b'\n')).multi_line(true).build(pattern)?;
    let walk = Mutex::new(walk(folder));
    let output = Output { writer, found: false, complained: false };
    let lane = Lane::builder().window(threads.saturating_mul(WINDOW)).committer(output, |output, run| {
        for mut found in run {
            output.put(&mut found)?;
        }
        output.writer.flush().map_err(Into::into)
    });
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| member(&walk, &lane, &matcher));
        }
    });
    if let Some(failure) = lane.failure() {
        return Err(Box::new(failure));
    }
    Ok(lane.with_value(|output| Outcome { found: output.found, complained: output.complained }))
}

/// The life of a member: it ends with the walk, or when the lane has failed.
fn member<W: Write>(walk: &Mutex<Walk>, lane: &Lane<Output<W>, Found>, matcher: &RegexMatcher) {
    let mut searcher =
        SearcherBuilder::new().line_number(false).binary_detection(BinaryDetection::quit(0)).build();
    let nothing = Pending { place: None, turn: None, found: Found::default() };
    let mut printer = StandardBuilder::new().build_no_color(nothing);
    loop {
        let (place, paths) = {
            let mut walk = walk.lock().unwrap_or_else(PoisonError::into_inner);
            let paths: Vec<_> = walk.by_ref().filter(is_searched).take(PATHS).collect();
            let Ok(place) = lane.blocking_ticket() else { return };
            if paths.is_empty() {
                return place.skip();
            }
            (place, paths)
        };
        printer.get_mut().get_mut().place = Some(place);
        for path in paths {
            let done = path.map_err(|why| why.to_string()).and_then(|path| {
                let path = path.path();
                let done = searcher.search_path(matcher, path, printer.sink_with_path(matcher, path));
                done.map_err(|why| format!("{}: {why}", path.display()))
            });
            if let Err(why) = done {
                let errors = &mut printer.get_mut().get_mut().found.errors;
                errors.extend_from_slice(format!("osearch: {why}\n").as_bytes());
            }
        }
        if printer.get_mut().get_mut().end().is_err() {
            return;
        }
    }
}

/// Files, and what went wrong.
pub(crate) fn is_searched(entry: &Result<DirEntry, ignore::Error>) -> bool {
    entry.as_ref().map_or(true, |entry| entry.file_type().is_some_and(|kind| kind.is_file()))
}
