//! The checks by other tools, and the comparison.

use crate::measure::{Taken, in_turns};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// The documentation of `std` that comes with the toolchain, or else what the system has.
pub(crate) fn documentation() -> Result<PathBuf, String> {
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = rustc.map(|ended| PathBuf::from(String::from_utf8_lossy(&ended.stdout).trim()));
    let candidates = [sysroot.unwrap_or_default().join("share/doc/rust/html/std"), "/usr/include".into()];
    let found = candidates.into_iter().find(|folder| folder.is_dir());
    found.ok_or_else(|| "there is no documentation here; name a DIR".to_owned())
}

/// The tools, an option that each of them takes, and who has them.
const TOOLS: [(&str, &str, &str); 4] = [
    ("unzip", "-v", "unzip"),
    ("zip", "-v", "zip"),
    ("diff", "--version", "diffutils"),
    ("sha256sum", "--version", "coreutils"),
];

pub(crate) fn with_others(folder: &Path, threads: usize, runs: usize) -> Result<ExitCode, String> {
    println!("{}, {threads} threads", folder.display());
    for (tool, option, package) in TOOLS {
        if Command::new(tool).arg(option).stdin(Stdio::null()).output().is_err() {
            println!("NOT VERIFIED: there is no {tool} here; install {package}");
            return Ok(ExitCode::from(2));
        }
    }
    let scratch = tempfile::tempdir().map_err(|why| format!("cannot make a temporary folder: {why}"))?;
    let archive = scratch.path().join("archive.zip");
    check(folder, &archive, scratch.path())?;
    same(folder, &archive, runs)?;
    measure(folder, &archive, threads)?;
    println!("PASS");
    Ok(ExitCode::SUCCESS)
}

/// This program, making `archive`.
fn ozip(folder: &Path, archive: &Path, threads: usize) -> Result<Command, String> {
    let itself = std::env::current_exe().map_err(|why| format!("this program has no path: {why}"))?;
    remove(archive)?;
    let mut command = Command::new(itself);
    command.args(["-j", &threads.to_string()]).args([archive, folder]);
    Ok(command)
}

fn remove(archive: &Path) -> Result<(), String> {
    match fs::remove_file(archive) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(format!("cannot remove: {why}")),
        _ => Ok(()),
    }
}

/// What the command prints; it must succeed.
fn printed(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended =
        command.stderr(Stdio::inherit()).output().map_err(|why| format!("cannot run {name}: {why}"))?;
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    if ended.status.success() {
        Ok(text)
    } else {
        Err(format!("FAIL: {name} ends with {}\n{text}", ended.status))
    }
}

fn check(folder: &Path, archive: &Path, scratch: &Path) -> Result<(), String> {
    printed(&mut ozip(folder, archive, 2)?)?;
    printed(Command::new("unzip").arg("-tqq").arg(archive))?;
    let unpacked = scratch.join("unpacked");
    printed(Command::new("unzip").arg("-q").arg(archive).arg("-d").arg(&unpacked))?;
    printed(Command::new("diff").args(["-r", "--no-dereference"]).args([folder, &unpacked]))?;
    fs::remove_dir_all(&unpacked).map_err(|why| format!("cannot remove: {why}"))?;
    println!("unzip -t: ok; unzip, diff -r: identical");
    Ok(())
}

/// Many archives by different numbers of threads: one sum.
fn same(folder: &Path, archive: &Path, runs: usize) -> Result<(), String> {
    let mut sums = Vec::new();
    for threads in [1, 2, 8].into_iter().cycle().take(runs) {
        printed(&mut ozip(folder, archive, threads)?)?;
        let sum = printed(Command::new("sha256sum").arg("-b").arg(archive))?;
        sums.push(sum.split_whitespace().next().unwrap_or_default().to_owned());
    }
    let first = sums.first().cloned().unwrap_or_default();
    sums.dedup();
    if sums.len() > 1 {
        return Err(format!("FAIL: {runs} runs gave different archives: {sums:?}"));
    }
    println!("sha256sum: {runs} runs by 1, 2 and 8 threads, one sum, {first}");
    Ok(())
}

fn measure(folder: &Path, archive: &Path, threads: usize) -> Result<(), String> {
    let [ours, alone, collect, zip] = in_turns(|who| {
        let mut command = match who {
            0 | 2 => ozip(folder, archive, threads)?,
            1 => ozip(folder, archive, 1)?,
            _ => {
                remove(archive)?;
                Command::new("zip")
            }
        };
        match who {
            2 => command.arg("--collect"),
            3 => command.arg("-rqX").arg(archive).arg(".").current_dir(folder),
            _ => &mut command,
        };
        Taken::program(&mut command, &[0])
    })?;
    let names = [
        format!("ozip -j{threads}"),
        "ozip -j1".into(),
        format!("rayon collect -j{threads}"),
        "zip -rqX".into(),
    ];
    for (name, taken) in names.iter().zip([ours, alone, collect, zip]) {
        println!("{name:<20} {taken}  {:.2}x", taken.speedup_over(&alone));
    }
    Ok(())
}
