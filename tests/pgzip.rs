//! The example `pgzip`: the same bytes from every crew, failures in their place, and whole files or none.

#[path = "../examples/pgzip/block.rs"]
mod block;
#[path = "../examples/pgzip/crew.rs"]
mod crew;
#[path = "../examples/pgzip/files.rs"]
#[expect(dead_code, reason = "the input is chosen and read by the program alone")]
mod files;
#[path = "../examples/pgzip/others.rs"]
mod others;
#[path = "../examples/common/tools.rs"]
mod tools;
mod util {
    pub(crate) mod bytes;
    pub(crate) mod folders;
}
#[path = "../examples/pgzip/verify.rs"]
#[expect(dead_code, reason = "tools are run by the program alone")]
mod verify;

use block::{BLOCK, Block, Input, MEMORY, Output};
use crew::{Crew, Failure, Undone};
use files::Destination;
use flate2::read::{GzDecoder, MultiGzDecoder};
use indicatif::ProgressBar;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use util::bytes::{noise, text};
use util::folders::names;
use verify::Same;

// ===== the parts, in this process =====

const CREWS: [Crew; 12] = [
    Crew { tasks: 1, threads: 0, jobs: 0 },
    Crew { tasks: 0, threads: 1, jobs: 0 },
    Crew { tasks: 0, threads: 0, jobs: 1 },
    Crew { tasks: 2, threads: 0, jobs: 0 },
    Crew { tasks: 0, threads: 2, jobs: 0 },
    Crew { tasks: 0, threads: 0, jobs: 2 },
    Crew { tasks: 1, threads: 1, jobs: 0 },
    Crew { tasks: 1, threads: 1, jobs: 1 },
    Crew { tasks: 0, threads: 1, jobs: 3 },
    Crew { tasks: 8, threads: 0, jobs: 0 },
    Crew { tasks: 0, threads: 0, jobs: 8 },
    Crew { tasks: 3, threads: 3, jobs: 2 },
];

/// Runs `body` and fails, rather than hangs, if it does not end.
fn ends<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, heard) = mpsc::channel();
    let runner = thread::spawn(move || drop(told.send(body())));
    match heard.recv_timeout(Duration::from_secs(120)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the crew hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(runner.join().expect_err("it told nothing, so it panicked"))
        }
    }
}

fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        ("one byte", vec![7]),
        ("one block", text(BLOCK)),
        ("blocks and a rest", text(3 * BLOCK + 12_345)),
        ("noise", noise(2 * BLOCK + 1)),
    ]
}

fn output<W: Write>(writer: W, level: u32) -> Output<W> {
    Output::new(writer, level, ProgressBar::hidden())
}

fn by_crew(crew: Crew, level: u32, data: &[u8]) -> Vec<u8> {
    let input = Input::new(Cursor::new(data.to_vec()));
    ends(move || {
        let done = crew::run(crew, input, output(Vec::new(), level), move |block| block.pack(level));
        done.expect("nothing fails")
    })
}

fn by_one_thread(level: u32, data: &[u8]) -> Vec<u8> {
    let done = others::alone(Input::new(data), output(Vec::new(), level), |block| block.pack(level));
    done.expect("nothing fails")
}

fn unpacked(reader: impl Read) -> Vec<u8> {
    let mut data = Vec::new();
    { reader }.read_to_end(&mut data).expect("a valid gzip");
    data
}

/// What the system's gzip makes of it; `None` if there is none.
fn unpacked_by_gzip(packed: &[u8]) -> Option<Vec<u8>> {
    let gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut gzip = gzip.ok()?;
    let mut stdin = gzip.stdin.take().expect("piped");
    let packed = packed.to_vec();
    let feeder = thread::spawn(move || stdin.write_all(&packed));
    let ended = gzip.wait_with_output().expect("gzip ends");
    feeder.join().expect("no panic").expect("gzip reads all");
    assert!(ended.status.success());
    Some(ended.stdout)
}

#[test]
fn every_crew_makes_the_bytes_of_one_thread() {
    for (name, data) in inputs() {
        let expected = by_one_thread(6, &data);
        for crew in CREWS {
            assert!(by_crew(crew, 6, &data) == expected, "{name}, {crew:?}");
        }
        let output = output(Vec::new(), 6);
        let buffered = others::buffered(3, Input::new(&data[..]), output, |block| block.pack(6));
        assert!(buffered.expect("nothing fails") == expected, "{name}, buffered");
    }
}

#[test]
fn the_output_unpacks_to_the_input_at_every_kind_of_level() {
    for (name, data) in inputs() {
        for level in [0, 1, 4, 7, 9] {
            let packed = by_crew(Crew { tasks: 1, threads: 1, jobs: 1 }, level, &data);
            assert!(packed == by_one_thread(level, &data), "{name}, level {level}");
            assert!(unpacked(MultiGzDecoder::new(&packed[..])) == data, "{name}, level {level}");
            // One member, with nothing behind it.
            let mut rest = &packed[..];
            assert!(unpacked(GzDecoder::new(&mut rest)) == data, "{name}, level {level}");
            assert_eq!(rest.len(), 0, "{name}, level {level}");
        }
    }
}

#[test]
fn a_member_takes_no_more_memory_than_is_printed() {
    let taken = allocation_counter::measure(|| {
        let mut block = Block::new();
        assert!(Input::new(&noise(BLOCK)[..]).fill(&mut block).expect("it can be read"));
        block.pack(9).expect("it can be compressed");
    });
    // The noise, and the input's memory of the block before, are not the member's.
    let others = (BLOCK + 32 * 1024) as u64;
    assert!(taken.bytes_max <= MEMORY as u64 + others, "{} bytes", taken.bytes_max);
}

#[test]
fn the_systems_gzip_reads_the_output() {
    for (name, data) in inputs() {
        if let Some(read) = unpacked_by_gzip(&by_crew(Crew { tasks: 1, threads: 1, jobs: 2 }, 6, &data)) {
            assert!(read == data, "{name}");
        }
    }
}

#[test]
fn a_block_refers_to_the_one_before_it() {
    // Each block is the same noise: it compresses only by what came before it.
    let data = noise(BLOCK / 8).repeat(32);
    let alone = by_one_thread(6, &data[..BLOCK]).len();
    let packed = by_one_thread(6, &data).len();
    assert!(packed < alone + alone / 2, "{packed} bytes for four blocks, {alone} for one");
}

// ===== failures =====

/// Fails or panics at the first call when `room` is used up.
struct Limited<I> {
    inner: I,
    room: usize,
    panics: bool,
}

impl<I> Limited<I> {
    fn give(&mut self, asked: usize) -> io::Result<usize> {
        assert!(self.room > 0 || !self.panics, "a panic on purpose");
        if self.room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let given = asked.min(self.room);
        self.room -= given;
        Ok(given)
    }
}

impl<I: Write> Write for Limited<I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let given = self.give(bytes.len())?;
        self.inner.write_all(&bytes[..given])?;
        Ok(given)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<I: Read> Read for Limited<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.give(buffer.len())?;
        self.inner.read_exact(&mut buffer[..given])?;
        Ok(given)
    }
}

/// What was written stays readable when the writer is gone.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics in here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What fails is told and done alike at all levels, so it is tested at the fastest.
const LEVEL: u32 = 0;

/// Eight blocks and a rest.
fn nine_blocks() -> Vec<u8> {
    text(8 * BLOCK + 99)
}

/// How many bytes the header and the first `blocks` blocks take.
fn length_of(blocks: usize) -> usize {
    let behind_header = by_one_thread(LEVEL, &[]).len() - 10;
    by_one_thread(LEVEL, &nine_blocks()[..blocks * BLOCK]).len() - behind_header
}

fn pack(block: &mut Block) -> io::Result<()> {
    block.pack(LEVEL)
}

/// Runs each crew on nine blocks with something that fails. `check` gets the failure, what was written
/// before it, and what would have been written without it.
fn failing<R: Read + Send + 'static>(
    read: impl Fn(Cursor<Vec<u8>>) -> R,
    pack: impl Fn(&mut Block) -> io::Result<()> + Clone + Send + Sync + 'static,
    room: Option<(usize, bool)>,
    check: impl Fn(Failure, &[u8], &[u8]),
) {
    let data = nine_blocks();
    let whole = by_one_thread(LEVEL, &data);
    let (room, panics) = room.unwrap_or((usize::MAX, false));
    for crew in CREWS {
        let written = Shared::default();
        let output = output(Limited { inner: written.clone(), room, panics }, LEVEL);
        let input = Input::new(read(Cursor::new(data.clone())));
        let pack = pack.clone();
        let failure = ends(move || crew::run(crew, input, output, pack).err());
        let written = written.0.lock().expect("nobody panics in there");
        check(failure.expect("it fails"), &written, &whole);
    }
}

#[test]
fn a_reader_that_fails_lets_all_before_it_be_written_and_nothing_after_it() {
    let read = |inner| Limited { inner, room: 4 * BLOCK + 5, panics: false };
    failing(read, pack, None, |failure, written, whole| {
        let Failure::Block(4, cause) = failure else { panic!("{failure}") };
        let undone = cause.downcast_ref::<Undone>().expect("it is told");
        assert_eq!((undone.0, undone.1.kind()), ("read", ErrorKind::StorageFull));
        assert!(written == &whole[..length_of(4)]);
    });
}

#[test]
fn the_first_failure_in_the_order_of_blocks_is_told() {
    let pack = |block: &mut Block| match block.number {
        2.. => Err(io::Error::other("on purpose")),
        _ => pack(block),
    };
    failing(
        |inner| inner,
        pack,
        None,
        |failure, written, whole| {
            assert_eq!(failure.to_string(), "block 2 could not be compressed: on purpose");
            assert!(written == &whole[..length_of(2)]);
        },
    );
}

#[test]
fn a_writer_that_fails_is_told_with_its_block() {
    let room = Some((length_of(3) + 1, false));
    failing(
        |inner| inner,
        pack,
        room,
        |failure, written, whole| {
            assert!(failure.to_string().starts_with("block 3 could not be written: "), "{failure}");
            assert!(written == &whole[..=length_of(3)]);
        },
    );
}

fn is_lost(failure: &Failure, block: u64) -> bool {
    failure.to_string() == format!("block {block} was lost: its holder panicked")
}

#[test]
fn a_member_that_panics_leaves_a_gap_that_is_found() {
    // Block 8 is the last: nobody behind it can see that it is missing.
    for lost in [0, 5, 8] {
        let pack = move |block: &mut Block| {
            assert!(block.number != lost, "a panic on purpose");
            pack(block)
        };
        failing(
            |inner| inner,
            pack,
            None,
            move |failure, written, whole| {
                assert!(is_lost(&failure, lost), "{failure}");
                let blocks = usize::try_from(lost).expect("a small number");
                assert!(written == if lost == 0 { &[] } else { &whole[..length_of(blocks)] });
            },
        );
    }
}

#[test]
fn a_reader_and_a_writer_that_panic_stop_everybody() {
    let read = |inner| Limited { inner, room: 4 * BLOCK, panics: true };
    failing(read, pack, None, |failure, written, whole| {
        assert!(is_lost(&failure, 4), "{failure}");
        assert!(written == &whole[..length_of(4)]);
    });
    let room = Some((length_of(3), true));
    failing(
        |inner| inner,
        pack,
        room,
        |failure, written, whole| {
            assert!(is_lost(&failure, 3), "{failure}");
            assert!(written == &whole[..length_of(3)]);
        },
    );
}

#[test]
fn a_full_disk_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.gz");
    let destination = Destination::create(&path, Path::new("input"), false).expect("a new file");
    let writer = Limited { inner: destination.writer().expect("open"), room: 1000, panics: false };
    let input = Input::new(Cursor::new(noise(3 * BLOCK)));
    let failure = ends(move || crew::run(CREWS[7], input, output(writer, LEVEL), pack).err());
    let failure = failure.expect("it fails").to_string();
    assert!(failure.starts_with("block 0 could not be written: "), "{failure}");
    drop(destination);
    assert_eq!(names(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_comparison_finds_a_byte_too_few_too_many_and_wrong() {
    let same = |bytes: &[u8]| {
        let mut same = Same::new(&b"baton"[..]);
        same.write_all(bytes)?;
        same.finish()
    };
    assert!(same(b"baton").is_ok());
    for wrong in [&b"bato"[..], b"batons", b"bacon", b""] {
        assert!(same(wrong).is_err());
    }
}
