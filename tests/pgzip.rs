//! The example `pgzip`: the same bytes from every crew, failures in their place, and whole files or none.

#[path = "../examples/pgzip/block.rs"]
mod block;
#[path = "../examples/pgzip/crew.rs"]
mod crew;
#[path = "../examples/pgzip/files.rs"]
#[expect(dead_code, reason = "the input is chosen and read by the program alone")]
mod files;
#[path = "../examples/pgzip/verify.rs"]
#[expect(dead_code, reason = "tools are run by the program alone")]
mod verify;

use block::{BLOCK, Block, Input, MEMORY, Output};
use crew::{Crew, Failure, Undone};
use files::Destination;
use flate2::read::{GzDecoder, MultiGzDecoder};
use indicatif::ProgressBar;
use std::fs;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Ended, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;
use verify::Same;

// ===== the parts, in this process =====

const CREWS: [Crew; 10] = [
    Crew { tasks: 1, threads: 0 },
    Crew { tasks: 0, threads: 1 },
    Crew { tasks: 2, threads: 0 },
    Crew { tasks: 0, threads: 2 },
    Crew { tasks: 1, threads: 1 },
    Crew { tasks: 3, threads: 0 },
    Crew { tasks: 2, threads: 1 },
    Crew { tasks: 8, threads: 0 },
    Crew { tasks: 0, threads: 8 },
    Crew { tasks: 4, threads: 4 },
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

/// Bytes that no compressor makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Text that compresses, with repetitions that reach over the bounds of blocks.
fn text(length: usize) -> Vec<u8> {
    let words = noise(length / 4 + 1);
    words.iter().flat_map(|byte| [b'a' + byte % 16, b' ', b'a' + byte / 16, b'\n']).take(length).collect()
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
    let done = crew::alone(Input::new(data), output(Vec::new(), level), |block| block.pack(level));
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
    }
}

#[test]
fn the_output_unpacks_to_the_input_at_every_kind_of_level() {
    for (name, data) in inputs() {
        for level in [0, 1, 4, 7, 9] {
            let packed = by_crew(Crew { tasks: 1, threads: 1 }, level, &data);
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
        if let Some(read) = unpacked_by_gzip(&by_crew(Crew { tasks: 1, threads: 2 }, 6, &data)) {
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
    pack: impl Fn(&mut Block) -> io::Result<()> + Clone + Send + 'static,
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
    let failure = ends(move || crew::run(CREWS[4], input, output(writer, LEVEL), pack).err());
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

// ===== the program =====

/// The program, built from the sources as they are now in the folder and the profile of this test.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // .../PROFILE/deps/pgzip-HASH
        let test = std::env::current_exe().expect("this test has a path");
        let folder = test.ancestors().nth(2).expect("two folders up");
        let profile = folder.file_name().expect("named after the profile").to_str().expect("plain ASCII");
        let profile = if profile == "debug" { "dev" } else { profile };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--example", "pgzip", "--profile", profile, "--target-dir"])
            .arg(folder.parent().expect("the target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo runs").success());
        folder.join("examples").join(format!("pgzip{}", std::env::consts::EXE_SUFFIX))
    })
}

fn run(arguments: &[&str], folder: &Path) -> Ended {
    Command::new(program()).args(arguments).current_dir(folder).output().expect("the program starts")
}

/// A folder with a file `in`.
fn folder_with(data: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("in"), data).expect("written");
    folder
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into()).collect();
    names.sort();
    names
}

fn here(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

fn told(stream: &[u8]) -> &str {
    std::str::from_utf8(stream).expect("plain text")
}

#[test]
fn the_program_compresses_compares_and_checks() {
    let data = text(5 * BLOCK + 1);
    let folder = folder_with(&data);
    let mut made = Vec::new();
    for crew in ["tasks", "threads", "mixed"] {
        let ended = run(&["in", crew, "--crew", crew, "--workers", "3"], folder.path());
        assert_eq!(told(&ended.stderr), "", "no progress where there is no terminal");
        let report = told(&ended.stdout);
        assert!(report.contains("one thread") && report.contains("3 workers"), "{report}");
        if here("gzip") && here("cmp") {
            assert!(report.contains("gzip -t: ok; gzip -dc | cmp: identical"), "{report}");
            assert_eq!(ended.status.code(), Some(0));
        } else {
            assert!(report.contains("NOT VERIFIED"), "{report}");
            assert_eq!(ended.status.code(), Some(2));
        }
        made.push(fs::read(folder.path().join(crew)).expect("the output is there"));
    }
    assert_eq!(names(folder.path()).len(), 4, "nothing else is left behind");
    assert!(made.iter().all(|bytes| *bytes == by_one_thread(6, &data)));
}

#[test]
fn a_fault_leaves_the_blocks_before_it() {
    let folder = folder_with(&text(9 * BLOCK));
    let ended = run(&["in", "out.gz", "--fault", "5", "--workers", "4"], folder.path());
    assert_eq!(told(&ended.stderr), "");
    let report = told(&ended.stdout);
    if here("gzip") && here("cmp") {
        let fault = "fault: block 5 could not be compressed: a fault on purpose\n\
                     gzip -dc | cmp: its output is the 655360 bytes before the fault, and nothing else\n";
        assert!(report.contains(fault), "{report}");
    } else {
        assert!(report.contains("NOT VERIFIED"), "{report}");
    }
}

#[test]
fn an_output_that_exists_is_replaced_only_by_force() {
    let folder = folder_with(b"new");
    let output = folder.path().join("out.gz");
    fs::write(&output, "old").expect("written");
    let ended = run(&["in", "out.gz"], folder.path());
    assert_eq!(told(&ended.stderr), "pgzip: out.gz exists; --force replaces it\n");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(fs::read(&output).expect("still there"), b"old");

    let ended = run(&["in", "out.gz", "--force", "--workers", "1"], folder.path());
    assert_eq!(told(&ended.stderr), "");
    assert_eq!(unpacked(GzDecoder::new(&fs::read(&output).expect("there")[..])), b"new");

    let ended = run(&["in", "in", "--force"], folder.path());
    assert_eq!(told(&ended.stderr), "pgzip: in is the input\n");
    assert_eq!(names(folder.path()), [Path::new("in"), Path::new("out.gz")]);
}

#[test]
fn what_cannot_be_done_is_told_and_leaves_nothing() {
    let folder = folder_with(b"data");
    for (arguments, message) in [
        (&["none", "out.gz"][..], "pgzip: cannot read none: "),
        (&[".", "out.gz"], "pgzip: "),
        (&["in", "none/out.gz"], "pgzip: cannot make a file in none: "),
        (&["in"], "pgzip: OUTPUT.gz is missing; see --help"),
        (&["in", "out.gz", "--workers", "0"], "pgzip: --workers must be 1 to 256, not 0"),
        (&["in", "out.gz", "--level", "10"], "pgzip: --level must be 0 to 9, not 10"),
        (&["in", "out.gz", "--crew", "sailors"], "pgzip: --crew must be tasks, threads or mixed"),
        (&["in", "out.gz", "--fast"], "pgzip: "),
    ] {
        let ended = run(arguments, folder.path());
        assert!(told(&ended.stderr).starts_with(message), "{arguments:?}: {}", told(&ended.stderr));
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert_eq!(names(folder.path()), [Path::new("in")], "{arguments:?}");
    }
    let ended = run(&["--help"], folder.path());
    assert!(told(&ended.stdout).contains("--workers N") && ended.status.success());
}

#[test]
fn without_tools_nothing_is_called_verified() {
    let folder = folder_with(b"data");
    let empty = folder.path().join("bin");
    fs::create_dir(&empty).expect("made");
    let ended = Command::new(program())
        .args(["in", "out.gz"])
        .current_dir(folder.path())
        .env("PATH", &empty)
        .output()
        .expect("the program starts");
    let report = told(&ended.stdout);
    assert!(report.contains("NOT VERIFIED: there is no gzip here; install gzip"), "{report}");
    assert!(!report.contains("ok"), "{report}");
    assert_eq!(ended.status.code(), Some(2));
    assert!(folder.path().join("out.gz").exists());
}

/// The shell limits the size of files, which for the program is a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let folder = folder_with(&noise(3 * BLOCK));
    let ended = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" in out.gz"])
        .arg(program())
        .current_dir(folder.path())
        .output()
        .expect("there is a shell");
    let message = told(&ended.stderr);
    assert!(message.starts_with("pgzip: in: block 0 could not be written: "), "{message}");
    assert!(message.ends_with("; no output was made\n"), "{message}");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(names(folder.path()), [Path::new("in")]);
}
