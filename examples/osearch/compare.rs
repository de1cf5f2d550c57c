//! The comparison with ripgrep.

use crate::measure::{Taken, in_turns};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The documentation that comes with the toolchain, or else what the system has.
pub(crate) fn documentation() -> Result<PathBuf, String> {
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = rustc.map(|ended| PathBuf::from(String::from_utf8_lossy(&ended.stdout).trim()));
    let candidates = [
        sysroot.unwrap_or_default().join("share/doc/rust/html"),
        PathBuf::from("/usr/share/doc"),
        PathBuf::from("/usr/include"),
    ];
    let found = candidates.into_iter().find(|folder| folder.is_dir());
    found.ok_or_else(|| "there is no documentation here; name a PATTERN and a DIR".to_owned())
}

/// The three that are compared.
fn command(who: usize, pattern: &str, folder: &Path, threads: u32) -> Result<Command, String> {
    let threads = threads.to_string();
    let mut command = if who == 0 {
        let itself = std::env::current_exe().map_err(|why| format!("this program has no path: {why}"))?;
        Command::new(itself)
    } else {
        let mut rg = Command::new("rg");
        // Whatever the user has set, and whatever the version: this is what a pipe gets.
        rg.args(["--no-config", "--color=never"]);
        rg
    };
    match who {
        0 | 2 => command.args(["-j", &threads]),
        _ => command.args(["--sort", "path"]),
    };
    command.arg("--").arg(pattern).arg(folder);
    Ok(command)
}

/// Prints what each took, and whether the outputs are the same.
pub(crate) fn with_ripgrep(pattern: &str, folder: &Path, threads: u32) -> Result<ExitCode, String> {
    println!("\"{pattern}\" below {}, {threads} threads", folder.display());
    for (tool, package) in [("rg", "ripgrep"), ("cmp", "diffutils")] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("NOT VERIFIED: there is no {tool} here; install {package}");
            return Ok(ExitCode::from(2));
        }
    }
    let same = compare(pattern, folder, threads)?;
    // Good codes: something was found, nothing was. What cannot be read is the same for all.
    let [ours, sorted, unsorted] =
        in_turns(|who| Taken::program(&mut command(who, pattern, folder, threads)?, &[0, 1, 2]))?;
    println!("{:<24} {ours}", format!("osearch -j{threads}"));
    println!("{:<24} {sorted}", "rg --sort path");
    println!("{:<24} {unsorted}", format!("rg -j{threads}, unsorted"));
    let (gained, lost) = (ours.speedup_over(&sorted), ours.speedup_over(&unsorted));
    println!("{gained:.2}x as fast as rg --sort path, {lost:.2}x as fast as rg -j{threads}");
    println!("{}", if same { "PASS" } else { "FAIL" });
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether `cmp` finds the outputs of this program and of `rg --sort path` the same.
fn compare(pattern: &str, folder: &Path, threads: u32) -> Result<bool, String> {
    let cannot = |why: std::io::Error| format!("cannot compare: {why}");
    let scratch = tempfile::tempdir().map_err(cannot)?;
    let [ours, theirs] = ["osearch", "rg"].map(|name| scratch.path().join(name));
    let mut codes = Vec::new();
    for (who, path) in [&ours, &theirs].into_iter().enumerate() {
        let mut command = command(who, pattern, folder, threads)?;
        let ended = command.stdout(File::create(path).map_err(cannot)?).status().map_err(cannot)?;
        codes.push(ended.code());
    }
    let length = ours.metadata().map_err(cannot)?.len();
    let same = Command::new("cmp").args([&ours, &theirs]).status().map_err(cannot)?.success();
    println!("cmp with rg --sort path: {length} bytes, {}", if same { "identical" } else { "DIFFERENT" });
    if codes[0] != codes[1] {
        println!("exit codes differ: {codes:?}");
    }
    Ok(same && codes[0] == codes[1])
}
