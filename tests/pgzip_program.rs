//! The example `pgzip` as a program: its bytes, its checks, its messages, and nothing left behind.

mod util {
    pub(crate) mod bytes;
    pub(crate) mod examples;
    pub(crate) mod folders;
}

use flate2::read::MultiGzDecoder;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output as Ended};
use util::bytes::{noise, text};
use util::examples::{code, here, program, told};
use util::folders::names;

const BLOCK: usize = 128 * 1024;

fn run(arguments: &[&str], folder: &Path) -> Ended {
    Command::new(program("pgzip")).args(arguments).current_dir(folder).output().expect("the program starts")
}

/// A folder with a file `in`.
fn folder_with(data: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("in"), data).expect("written");
    folder
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    MultiGzDecoder::new(packed).read_to_end(&mut data).expect("a valid gzip");
    data
}

#[test]
fn the_program_compresses_compares_and_checks() {
    let data = text(5 * BLOCK + 1);
    let folder = folder_with(&data);
    let mut made = Vec::new();
    for crew in ["tasks", "threads", "jobs", "mixed"] {
        let ended = run(&["in", crew, "--crew", crew, "--workers", "3"], folder.path());
        assert_eq!(told(&ended.stderr), "", "no progress where there is no terminal");
        let report = told(&ended.stdout);
        assert!(report.contains("one thread") && report.contains("3 workers"), "{report}");
        if here("gzip") && here("cmp") {
            assert!(report.contains("gzip -t: ok; gzip -dc | cmp: identical"), "{report}");
            assert_eq!(code(&ended), 0);
        } else {
            assert!(report.contains("NOT VERIFIED"), "{report}");
            assert_eq!(code(&ended), 2);
        }
        made.push(fs::read(folder.path().join(crew)).expect("the output is there"));
    }
    assert_eq!(names(folder.path()).len(), 5, "nothing else is left behind");
    assert!(made.iter().all(|bytes| *bytes == made[0]));
    assert!(unpacked(&made[0]) == data);
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
        assert!(!report.contains("buffered"), "others are measured on demand: {report}");
    } else {
        assert!(report.contains("NOT VERIFIED"), "{report}");
    }
}

#[test]
fn others_are_measured_where_they_are() {
    let folder = folder_with(&text(3 * BLOCK));
    let ended = run(&["in", "out.gz", "--compare", "--fault", "1", "--workers", "2"], folder.path());
    assert_eq!(told(&ended.stderr), "");
    let report = told(&ended.stdout);
    let row = |name: &str| report.lines().find(|line| line.starts_with(name)).expect("a row").to_owned();
    assert!(row("spawn + buffered(2)").contains("cores used"), "{report}");
    for (tool, name) in [("pigz", "pigz -p 2"), ("gzip", "gzip -6")] {
        let missing = format!("not installed: apt install {tool}");
        let expected = if here(tool) { "cores used" } else { &*missing };
        assert!(row(name).contains(expected), "{report}");
    }
    if here("gzip") && here("cmp") {
        assert!(report.contains("spawn + buffered with the same fault: the same bytes\n"), "{report}");
    }
}

#[test]
fn an_output_that_exists_is_replaced_only_by_force() {
    let folder = folder_with(b"new");
    let output = folder.path().join("out.gz");
    fs::write(&output, "old").expect("written");
    let ended = run(&["in", "out.gz"], folder.path());
    assert_eq!(told(&ended.stderr), "pgzip: out.gz exists; --force replaces it\n");
    assert_eq!(code(&ended), 1);
    assert_eq!(fs::read(&output).expect("still there"), b"old");

    let ended = run(&["in", "out.gz", "--force", "--workers", "1"], folder.path());
    assert_eq!(told(&ended.stderr), "");
    assert_eq!(unpacked(&fs::read(&output).expect("there")), b"new");

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
        (&["in", "out.gz", "--crew", "sailors"], "pgzip: --crew must be tasks, threads, jobs or mixed"),
        (&["in", "out.gz", "--fast"], "pgzip: "),
    ] {
        let ended = run(arguments, folder.path());
        assert!(told(&ended.stderr).starts_with(message), "{arguments:?}: {}", told(&ended.stderr));
        assert_eq!(code(&ended), 1, "{arguments:?}");
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
    let ended = Command::new(program("pgzip"))
        .args(["in", "out.gz", "--compare"])
        .current_dir(folder.path())
        .env("PATH", &empty)
        .output()
        .expect("the program starts");
    let report = told(&ended.stdout);
    assert!(report.contains("NOT VERIFIED: there is no gzip here; apt install gzip"), "{report}");
    for tool in ["cmp here; apt install diffutils\n", "not installed: apt install pigz\n"] {
        assert!(report.contains(tool), "{report}");
    }
    assert!(!report.contains("ok"), "{report}");
    assert_eq!(code(&ended), 2);
    assert!(folder.path().join("out.gz").exists());
}

/// The shell limits the size of files, which for the program is a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let folder = folder_with(&noise(3 * BLOCK));
    let ended = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" in out.gz"])
        .arg(program("pgzip"))
        .current_dir(folder.path())
        .output()
        .expect("there is a shell");
    let message = told(&ended.stderr);
    assert!(message.starts_with("pgzip: in: block 0 could not be written: "), "{message}");
    assert!(message.ends_with("; no output was made\n"), "{message}");
    assert_eq!(code(&ended), 1);
    assert_eq!(names(folder.path()), [Path::new("in")]);
}
