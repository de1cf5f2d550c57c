//! Examples run as programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The example that a test is about, built from the sources as they are now in the folder and the profile of this test.
pub(crate) fn program(example: &str) -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // .../PROFILE/deps/TEST-HASH
        let test = std::env::current_exe().expect("this test has a path");
        let folder = test.ancestors().nth(2).expect("two folders up");
        let profile = folder.file_name().expect("named after the profile").to_str().expect("plain ASCII");
        let profile = if profile == "debug" { "dev" } else { profile };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--example", example, "--profile", profile, "--target-dir"])
            .arg(folder.parent().expect("the target folder"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo runs").success());
        folder.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX))
    })
}

pub(crate) fn here(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

pub(crate) fn told(stream: &[u8]) -> &str {
    std::str::from_utf8(stream).expect("plain text")
}

pub(crate) fn code(ended: &Output) -> i32 {
    ended.status.code().expect("no signal ended it")
}
