//! The tools that check the demonstrations, and what a toolchain has to work on.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether there is such a program. Those that do not know the option start all the same.
pub(crate) fn is_here(tool: &str) -> bool {
    let started = Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !started.is_err_and(|why| why.kind() == ErrorKind::NotFound)
}

/// Whether all `tools` are there, each given with its package; tells what to install if not.
pub(crate) fn have(tools: &[(&str, &str)]) -> bool {
    let missing: Vec<_> = tools.iter().filter(|(tool, _)| !is_here(tool)).collect();
    for (tool, package) in &missing {
        println!("NOT VERIFIED: there is no {tool} here; apt install {package}");
    }
    missing.is_empty()
}

/// The folder of the installed toolchain; empty, which leads to nothing, if there is none.
#[allow(dead_code, reason = "not every demonstration needs it")]
pub(crate) fn sysroot() -> PathBuf {
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).output();
    rustc.map(|ended| String::from_utf8_lossy(&ended.stdout).trim().into()).unwrap_or_default()
}

/// A part of the documentation that comes with the toolchain, or else what the system has.
#[allow(dead_code, reason = "not every demonstration needs it")]
pub(crate) fn documentation(part: &str) -> Result<PathBuf, String> {
    let ours = sysroot().join("share/doc/rust").join(part);
    let found = [ours, "/usr/share/doc".into(), "/usr/include".into()].into_iter().find(|it| it.is_dir());
    found.ok_or_else(|| "there is no documentation here; name a DIR".to_owned())
}
