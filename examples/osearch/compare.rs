//! The comparison with ripgrep and grep.

use crate::measure::{Taken, in_turns};
use crate::{grep, tools};
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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
pub(crate) fn with_others(pattern: &str, folder: &Path, threads: u32) -> Result<ExitCode, String> {
    println!("\"{pattern}\" below {}, {threads} threads", folder.display());
    if !tools::have(&[("rg", "ripgrep"), ("cmp", "diffutils"), ("grep", "grep")]) {
        return Ok(ExitCode::from(2));
    }
    let scratch = tempfile::tempdir().map_err(|why| format!("cannot make a temporary folder: {why}"))?;
    let [ours, theirs] = ["osearch", "rg"].map(|name| scratch.path().join(name));
    let same =
        same(pattern, folder, threads, [&ours, &theirs]).map_err(|why| format!("cannot compare: {why}"))?;
    // Good codes: something was found, nothing was. What cannot be read is the same for all.
    let rows: [_; 3] =
        in_turns(|who| Taken::program(&mut command(who, pattern, folder, threads)?, &[0, 1, 2]))?;
    let names =
        [format!("osearch -j{threads}"), "rg --sort path".into(), format!("rg -j{threads}, unsorted")];
    for (name, taken) in names.iter().zip(rows) {
        println!("{name:<24} {taken}  {:.2}x", rows[0].speedup_over(&taken));
    }
    println!("the last column: how many times as long as osearch");
    let pass = grep::agrees(pattern, folder, &ours, scratch.path())? && same;
    println!("{}", if pass { "PASS" } else { "FAIL" });
    Ok(if pass { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether `cmp` finds the outputs of this program and of `rg --sort path` the same; it leaves them in `outputs`.
fn same(pattern: &str, folder: &Path, threads: u32, outputs: [&PathBuf; 2]) -> Result<bool, Box<dyn Error>> {
    let mut codes = Vec::new();
    for (who, path) in outputs.into_iter().enumerate() {
        let mut command = command(who, pattern, folder, threads)?;
        codes.push(command.stdout(File::create(path)?).status()?.code());
    }
    let length = outputs[0].metadata()?.len();
    let same = Command::new("cmp").args(outputs).status()?.success();
    println!("cmp with rg --sort path: {length} bytes, {}", if same { "identical" } else { "DIFFERENT" });
    if codes[0] != codes[1] {
        println!("exit codes differ: {codes:?}");
    }
    Ok(same && codes[0] == codes[1])
}
