//! The example `osearch`: the output of `rg --sort path` for any number of threads, and a prefix of it after a failure.

#[path = "../examples/osearch/search.rs"]
mod search;
mod util {
    pub(crate) mod examples;
}

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use util::examples::{code, here, program, told};

/// Names and contents that ripgrep treats in different ways.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("made");
        fs::write(path, bytes).expect("written");
    };
    // In the order of paths a folder is where its name is, without the `/`.
    put("a/needle", b"a needle\n");
    put("a/b/c", b"no\nneedle 1\nno\nneedle 2\n");
    put("a-b", b"needle without a line end");
    put("a.txt", b"needle\r\n");
    put("empty", b"");
    put("Z", b"needle");
    put(".hidden", b"needle");
    put(".ignore", b"ignored\n*.log\n");
    put(".rgignore", b"unsought\n");
    put("ignored/file", b"needle");
    put("unsought", b"needle");
    put("x.log", b"needle");
    put("binary", b"needle\nneedle\0needle\n");
    put("binary late", &[b"needle\n", &b"hay\n".repeat(50_000)[..], b"\0needle\n"].concat());
    put("binary before", b"\0needle\n");
    put("utf16", b"\xff\xfen\0e\0e\0d\0l\0e\0\n\0");
    put("not utf8", b"\xff needle \xfe\n");
    // More than a ticket keeps in memory.
    put("large", &b"needle in a stack\n".repeat(50_000));
    put("long line", &[&b"needle".repeat(100_000)[..], b"\n"].concat());
    for n in 0..300 {
        put(&format!("many/{n}"), format!("{n} needle\n{n} none\n").as_bytes());
    }
    folder
}

fn searched(folder: &Path, threads: u32) -> Vec<u8> {
    let output = Shared { room: usize::MAX, ..Shared::default() };
    let outcome = search::search("needle", folder, threads, output.clone()).expect("nothing fails");
    assert!(outcome.found && !outcome.complained);
    output.written()
}

/// What was written stays readable; fails when `room` is used up.
#[derive(Clone, Default)]
struct Shared {
    bytes: Arc<Mutex<Vec<u8>>>,
    flushes: Arc<Mutex<Vec<usize>>>,
    room: usize,
}

impl Shared {
    fn written(&self) -> Vec<u8> {
        self.bytes.lock().expect("nobody panics in there").clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let given = bytes.len().min(self.room);
        if given == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        self.room -= given;
        self.bytes.lock().expect("nobody panics in there").extend(&bytes[..given]);
        Ok(given)
    }

    fn flush(&mut self) -> io::Result<()> {
        let length = self.written().len();
        self.flushes.lock().expect("nobody panics in there").push(length);
        Ok(())
    }
}

#[test]
fn any_number_of_threads_finds_the_same_in_the_order_of_paths() {
    let folder = tree();
    let one = searched(folder.path(), 1);
    for threads in [2, 3, 8, 32] {
        assert!(searched(folder.path(), threads) == one, "{threads} threads");
    }
    let text = String::from_utf8_lossy(&one);
    let mut files: Vec<_> =
        text.lines().filter_map(|line| line.split_once(':')).map(|(path, _)| path).collect();
    files.dedup();
    let below = |path: &&str| path.strip_prefix(&*folder.path().to_string_lossy()).map(str::to_owned);
    let files: Vec<_> = files.iter().filter_map(below).collect();
    let named: Vec<_> = files.iter().filter(|path| !path.starts_with("/many")).collect();
    let expected = [
        "/Z",
        "/a/b/c",
        "/a/needle",
        "/a-b",
        "/a.txt",
        "/binary late",
        "/large",
        "/long line",
        "/not utf8",
        "/utf16",
    ];
    // The names of one folder are in order, and `a` is before `a-b`.
    assert_eq!(named, expected);
    assert_eq!(files.len(), expected.len() + 300);
}

#[test]
fn what_is_found_is_written_while_the_search_goes_on() {
    let folder = tree();
    let output = Shared { room: usize::MAX, ..Shared::default() };
    search::search("needle", folder.path(), 1, output.clone()).expect("nothing fails");
    let flushes = output.flushes.lock().expect("nobody panics in there").clone();
    assert!(flushes.len() > 10, "once for each ticket, since nobody else is there: {flushes:?}");
}

#[test]
fn a_writer_that_fails_leaves_a_prefix_and_ends_the_search() {
    let folder = tree();
    let whole = searched(folder.path(), 2);
    for room in [0, 10, 5000, 400_000, whole.len() - 1] {
        for threads in [1, 2, 8] {
            let output = Shared { room, ..Shared::default() };
            let failed = search::search("needle", folder.path(), threads, output.clone());
            let failure = failed.err().expect("it fails");
            let failure = failure.downcast::<batons::Failure>().expect("by the lane");
            let cause = failure.cause().downcast_ref::<io::Error>().expect("as it was told");
            assert_eq!(cause.kind(), ErrorKind::StorageFull);
            assert!(output.written() == whole[..room], "{room} bytes, {threads} threads");
        }
    }
}

#[test]
fn ripgrep_finds_the_same() {
    let folder = tree();
    for threads in ["1", "2", "8"] {
        let mut osearch = Command::new(program("osearch"));
        let ended = osearch.args(["--compare", "needle", "-j", threads]).arg(folder.path()).output();
        let ended = ended.expect("the program starts");
        let report = told(&ended.stdout);
        if here("rg") && here("cmp") && here("grep") {
            assert!(report.contains("identical\n") && report.ends_with("PASS\n"), "{report}");
            // All but three hidden files, three ignored ones, and four that are not text to both.
            let grep = "LC_ALL=C grep -r, both sorted: 50308 lines, the same, but for 10 files (";
            assert!(report.contains(grep), "{report}");
            assert_eq!(code(&ended), 0, "{report}");
        } else {
            assert!(report.contains("NOT VERIFIED") && !report.contains("PASS"), "{report}");
            assert_eq!(code(&ended), 2);
        }
    }
}

#[test]
fn exit_codes_and_messages_are_those_of_ripgrep() {
    let folder = tree();
    let run = |arguments: &[&str]| {
        Command::new(program("osearch"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("it starts")
    };
    let found = run(&["needle", "a"]);
    assert_eq!(told(&found.stdout), "a/b/c:needle 1\na/b/c:needle 2\na/needle:a needle\n");
    assert_eq!((code(&found), told(&found.stderr)), (0, ""));
    let nothing = run(&["haystack", "a"]);
    assert_eq!((code(&nothing), told(&nothing.stdout), told(&nothing.stderr)), (1, "", ""));
    for (arguments, message) in [
        (&["needle", "none"][..], "osearch: none is not a folder\n"),
        (&["needle", "Z"], "osearch: Z is not a folder\n"),
        (&["needle", "a", "-j", "0"], "osearch: -j must be 1 to 256, not 0; see --help\n"),
        (&["needle"], "osearch: PATTERN and DIR are needed; see --help\n"),
    ] {
        let ended = run(arguments);
        assert_eq!((code(&ended), told(&ended.stderr)), (2, message));
    }
    assert_eq!(code(&run(&["(", "a"])), 2);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = tree();
    let mut osearch = Command::new(program("osearch"));
    osearch.args(["needle", "-j", "2"]).arg(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = osearch.spawn().expect("the program starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((code(&ended), told(&ended.stderr)), (0, ""));
}
