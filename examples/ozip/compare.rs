//! The checks by other tools, and the comparison.

use crate::measure::{Taken, in_turns};
use crate::tools;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The tools, and who has them.
const TOOLS: [(&str, &str); 4] =
    [("unzip", "unzip"), ("zip", "zip"), ("diff", "diffutils"), ("sha256sum", "coreutils")];

pub(crate) fn with_others(folder: &Path, threads: usize, runs: usize) -> Result<ExitCode, String> {
    println!("{}, {threads} threads", folder.display());
    if !tools::have(&TOOLS) {
        return Ok(ExitCode::from(2));
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

/// The different sums of `runs` archives by 1, 2 and 8 threads.
fn sums(folder: &Path, archive: &Path, runs: usize, options: &[&str]) -> Result<BTreeSet<String>, String> {
    let mut sums = BTreeSet::new();
    for threads in [1, 2, 8].into_iter().cycle().take(runs) {
        printed(ozip(folder, archive, threads)?.args(options))?;
        let sum = printed(Command::new("sha256sum").arg("-b").arg(archive))?;
        sums.insert(sum.split_whitespace().next().unwrap_or_default().to_owned());
    }
    Ok(sums)
}

/// Many archives by different numbers of threads: one sum. In the order of completion there are more, which nobody is held to.
fn same(folder: &Path, archive: &Path, runs: usize) -> Result<(), String> {
    let ours = sums(folder, archive, runs, &[])?;
    if ours.len() > 1 {
        return Err(format!("FAIL: {runs} runs gave different archives: {ours:?}"));
    }
    println!("sha256sum: {runs} runs by 1, 2 and 8 threads, one sum, {}", Vec::from_iter(ours).concat());
    let runs = runs.min(6);
    let others = sums(folder, archive, runs, &["--way", "as-done"])?.len();
    println!("entries as they are done: {runs} runs, different sums: {others}");
    Ok(())
}

fn measure(folder: &Path, archive: &Path, threads: usize) -> Result<(), String> {
    let rows = [
        (format!("ozip -j{threads}"), threads, "deposit"),
        ("ozip -j1".into(), 1, "deposit"),
        (format!("rayon collect -j{threads}"), threads, "collect"),
        (format!("as they are done -j{threads}"), threads, "as-done"),
        (format!("par_iter and turns -j{threads}"), threads, "turns"),
    ];
    let taken: [Taken; 6] = in_turns(|who| {
        if let Some(&(_, threads, way)) = rows.get(who) {
            return Taken::program(ozip(folder, archive, threads)?.args(["--way", way]), &[0]);
        }
        remove(archive)?;
        let mut zip = Command::new("zip");
        Taken::program(zip.arg("-rqX").arg(archive).arg(".").current_dir(folder), &[0])
    })?;
    let names = rows.iter().map(|row| &*row.0).chain(["zip -rqX"]);
    let [ours, _, collect, ..] = taken;
    for (name, taken) in names.zip(taken) {
        println!("{name:<24} {taken}  {:.2}x", ours.speedup_over(&taken));
    }
    println!("the last column: how many times as long as ozip -j{threads}");
    println!("memory: {} by deposits, {} by collect", ours.memory(), collect.memory());
    Ok(())
}
