//! The example `ozip`: one archive whoever makes it, all or nothing of it.

#[path = "../examples/ozip/others.rs"]
mod others;
#[path = "../examples/ozip/pack.rs"]
mod pack;
mod util {
    pub(crate) mod examples;
    pub(crate) mod folders;
}

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;
use util::examples::{code, here, program, told};
use util::folders::names;
use zip::ZipArchive;

/// Folders, files of many sizes, and on Unix links and something that can be executed.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let below = |name: &str| folder.path().join(name);
    fs::create_dir_all(below("deep/er/empty")).expect("made");
    for n in 0..200_usize {
        let text = format!("line {n} of {}\n", n * n).repeat(n * n / 10);
        fs::write(below(&format!("deep/{n}")), text).expect("written");
    }
    fs::write(below("deep.txt"), "a name that sorts near that of a folder").expect("written");
    fs::write(below(".hidden"), "").expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink("deep/7", below("link")).expect("made");
        symlink("nowhere", below("dangling")).expect("made");
        fs::write(below("script"), "#!/bin/sh\n").expect("written");
        fs::set_permissions(below("script"), fs::Permissions::from_mode(0o700)).expect("allowed");
    }
    folder
}

fn packed(folder: &Path, threads: usize) -> Vec<u8> {
    pack::pack(folder, threads, Cursor::new(Vec::new())).expect("nothing fails").into_inner()
}

#[test]
fn any_number_of_threads_makes_the_same_bytes() {
    let folder = tree();
    let one = packed(folder.path(), 1);
    for threads in [1, 2, 3, 8, 8, 8] {
        assert!(packed(folder.path(), threads) == one, "{threads} threads");
    }
    let collected = others::collect(folder.path(), 2, Cursor::new(Vec::new())).expect("nothing fails");
    assert!(collected.into_inner() == one);
    for threads in [1, 2, 3, 8] {
        let turns = others::turns(folder.path(), threads, Cursor::new(Vec::new())).expect("nothing fails");
        assert!(turns.into_inner() == one, "turns of {threads} threads");
    }
    // Neither times nor the permissions of others matter.
    let file = fs::File::options().append(true).open(folder.path().join("deep.txt")).expect("opened");
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).expect("set");
    assert!(packed(folder.path(), 2) == one);
}

#[test]
fn entries_as_they_are_done_are_all_there() {
    let folder = tree();
    let names = |packed: Vec<u8>| {
        let archive = ZipArchive::new(Cursor::new(packed)).expect("an archive");
        archive.file_names().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let done = others::as_done(folder.path(), 8, Cursor::new(Vec::new())).expect("nothing fails");
    assert_eq!(names(done.into_inner()), names(packed(folder.path(), 1)));
}

#[test]
fn everything_is_in_there_in_the_order_of_names() {
    let folder = tree();
    let mut archive = ZipArchive::new(Cursor::new(packed(folder.path(), 4))).expect("an archive");
    let names: Vec<_> = archive.file_names().map(str::to_owned).collect();
    let place = |name: &str| names.iter().position(|other| other == name).expect("it is there");
    let order = [".hidden", "deep/", "deep/0", "deep/1", "deep/10", "deep/er/", "deep/er/empty/", "deep.txt"];
    assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])), "{names:?}");
    for n in [0, 1, 100, 199] {
        let name = format!("deep/{n}");
        let mut bytes = Vec::new();
        archive.by_name(&name).expect("it is there").read_to_end(&mut bytes).expect("it can be read");
        assert!(bytes == fs::read(folder.path().join(&name)).expect("read"), "{name}");
    }
    #[cfg(unix)]
    {
        assert!(archive.by_name("dangling").expect("it is there").is_symlink());
        let mode = |mode: Option<u32>| mode.map(|mode| mode & 0o777);
        assert_eq!(mode(archive.by_name("script").expect("it is there").unix_mode()), Some(0o755));
        assert_eq!(mode(archive.by_name("deep.txt").expect("it is there").unix_mode()), Some(0o644));
    }
}

#[test]
fn the_tools_agree() {
    let folder = tree();
    let mut ozip = Command::new(program("ozip"));
    let ended = ozip.args(["--compare", "--runs", "6", "-j", "2"]).arg(folder.path()).output();
    let ended = ended.expect("the program starts");
    let report = told(&ended.stdout);
    // Neither `zip` nor `unzip` knows `--version`, but they start.
    if here("unzip") && here("zip") && here("diff") && here("sha256sum") {
        assert!(
            report.contains("unzip -t: ok; unzip, diff -r: identical\n"),
            "{report}{}",
            told(&ended.stderr)
        );
        assert!(
            report.contains("6 runs by 1, 2 and 8 threads, one sum") && report.ends_with("PASS\n"),
            "{report}"
        );
        // How many there are is nobody's promise.
        assert!(report.contains("as they are done: 6 runs, different sums: "), "{report}");
        for way in ["collect", "as they are done", "par_iter and turns"] {
            assert!(report.lines().any(|line| line.contains(way) && line.contains("cores used")), "{report}");
        }
        assert_eq!(code(&ended), 0);
    } else {
        assert!(report.contains("NOT VERIFIED") && !report.contains("PASS"), "{report}");
        assert_eq!(code(&ended), 2);
    }
}

#[test]
fn what_cannot_be_done_is_told_and_leaves_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    fs::create_dir(place.path().join("dir")).expect("made");
    fs::write(place.path().join("dir/file"), "data").expect("written");
    fs::write(place.path().join("old.zip"), "old").expect("written");
    let run = |arguments: &[&str]| {
        Command::new(program("ozip")).args(arguments).current_dir(place.path()).output().expect("it starts")
    };
    for (arguments, message) in [
        (&["new.zip", "none"][..], "ozip: none is not a folder\n"),
        (&["dir/new.zip", "dir"], "ozip: dir/new.zip would be an entry of itself\n"),
        (&["old.zip", "dir"], "ozip: old.zip: "),
        (&["new.zip"], "ozip: OUT.zip and DIR are needed; see --help\n"),
        (
            &["new.zip", "dir", "--way", "any"],
            "ozip: --way must be deposit, collect, as-done or turns, not any",
        ),
        (&["new.zip", "dir", "-j", "0"], "ozip: -j must be 1 to 256, not 0; see --help\n"),
    ] {
        let ended = run(arguments);
        assert!(told(&ended.stderr).starts_with(message), "{}", told(&ended.stderr));
        assert_eq!(code(&ended), 1);
        assert_eq!(names(place.path()), [Path::new("dir"), Path::new("old.zip")]);
    }
    assert_eq!(fs::read(place.path().join("old.zip")).expect("still there"), b"old");
    assert_eq!(code(&run(&["new.zip", "dir"])), 0);
    assert!(ZipArchive::new(fs::File::open(place.path().join("new.zip")).expect("there")).is_ok());
}

/// A socket can be found by everybody and opened by nobody.
#[cfg(unix)]
#[test]
fn an_entry_that_fails_is_named_by_every_crew() {
    let folder = tree();
    let _socket =
        std::os::unix::net::UnixListener::bind(folder.path().join("deep/100 is a socket")).expect("bound");
    for threads in [1, 2, 8] {
        let failed = others::turns(folder.path(), threads, Cursor::new(Vec::new())).expect_err("it fails");
        assert!(failed.to_string().contains("is no file, folder or link"), "{failed}");
        let failed = pack::pack(folder.path(), threads, Cursor::new(Vec::new())).expect_err("it fails");
        let failure = failed.downcast::<batons::Failure>().expect("by the lane");
        assert_eq!(failure.label(), Some("deep/100 is a socket"));
        assert!(failure.cause().to_string().ends_with("is no file, folder or link"), "{failure}");
    }
}
