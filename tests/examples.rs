//! The small examples, run as programs: they print what their headers say. `tests/pgzip.rs` is for the large one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The folder of the examples, built from the sources as they are now in the profile of this test.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // .../PROFILE/deps/examples-HASH
        let test = std::env::current_exe().expect("this test has a path");
        let folder = test.ancestors().nth(2).expect("two folders up");
        let profile = folder.file_name().expect("named after the profile").to_str().expect("plain ASCII");
        let profile = if profile == "debug" { "dev" } else { profile };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--profile", profile])
            .args(["--example", "hello_baton", "--example", "bounded_server", "--example", "philosophers"])
            .args(["--example", "overlapped_read"])
            .arg("--target-dir")
            .arg(folder.parent().expect("the target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo runs").success());
        folder.join("examples")
    })
}

/// What the example prints; it must succeed and complain of nothing.
fn printed(example: &str) -> String {
    printed_with(example, &[])
}

fn printed_with(example: &str, arguments: &[&Path]) -> String {
    let Output { status, stdout, stderr } = run(example, arguments);
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).expect("plain text"));
    assert_eq!(stderr, "", "{example}");
    assert!(status.success(), "{example}: {status}\n{stdout}");
    stdout
}

fn run(example: &str, arguments: &[&Path]) -> Output {
    let program = folder().join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    Command::new(program).args(arguments).output().expect("the program starts")
}

/// The block of text in the header of an example.
fn promised(source: &str) -> String {
    let source = source.replace("//! ", "");
    let (_, text) = source.split_once("```text\n").expect("the header shows what is printed");
    let (text, _) = text.split_once("```").expect("the block ends");
    text.to_owned()
}

#[test]
fn hello_baton_has_its_turns_in_order() {
    let printed = printed("hello_baton");
    let (turns, arrivals): (Vec<_>, Vec<_>) = printed.lines().partition(|line| line.starts_with("turn "));
    assert_eq!(turns, ["turn 1", "turn 2", "turn 3", "turn 4", "turn 5", "turn 6"]);
    let mut arrivals: Vec<_> = arrivals.into_iter().map(str::trim).collect();
    arrivals.sort_unstable();
    let [task, thread] = ["task", "thread"].map(|who| move |number| format!("{who} {number} arrives"));
    let expected: Vec<_> = [1, 2, 4, 5, 6].into_iter().map(task).chain([thread(3)]).collect();
    assert_eq!(arrivals, expected);
}

#[test]
fn the_bounded_server_refuses_the_sixth_and_answers_everybody_it_accepted() {
    assert_eq!(printed("bounded_server"), promised(include_str!("../examples/bounded_server/main.rs")));
}

#[test]
fn the_philosophers_all_eat() {
    assert_eq!(printed("philosophers"), promised(include_str!("../examples/philosophers.rs")));
}

// cases: OV-06
#[test]
fn overlapped_reads_give_the_file_whatever_their_order() {
    let printed = printed("overlapped_read");
    let head =
        "input input.bin, 8400953 bytes: 129 pieces, 16 in flight, 2 workers\n65 pieces read by tasks, 64";
    assert!(printed.starts_with(head) && printed.ends_with("verified\n"), "{printed}");
}

#[test]
fn overlapped_reads_of_a_given_file_leave_a_copy_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let [input, copy] = ["input", "copy"].map(|name| folder.path().join(name));
    for length in [0, 1, 65_535, 65_536, 65_537, 1_000_003] {
        let bytes: Vec<u8> = (0..length).map(|n: u32| (n.wrapping_mul(n) >> 8).to_le_bytes()[0]).collect();
        std::fs::write(&input, &bytes).expect("written");
        let printed = printed_with("overlapped_read", &[&input, &copy]);
        let sum = format!("{:08x}", crc32fast::hash(&bytes));
        assert_eq!(printed.matches(&sum).count(), 3, "{length}: {printed}");
        assert!(std::fs::read(&copy).expect("a copy") == bytes, "{length}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run("overlapped_read", &[&folder.path().join("nothing"), &folder.path().join("copy")]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).starts_with("overlapped_read: "));
}
