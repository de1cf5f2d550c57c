//! The comparison with `grep -r`, which knows nothing of ripgrep's rules.

use crate::search;
use ignore::{DirEntry, WalkBuilder};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of an output, sorted.
type Lines<'a> = Vec<&'a [u8]>;

/// Whether `grep -r` finds the lines that are in the file `ours`; `scratch` is for what `cmp` compares. If the lines are not
/// the same, those of files that grep treats in another way are left out.
pub(crate) fn agrees(pattern: &str, folder: &Path, ours: &Path, scratch: &Path) -> Result<bool, String> {
    if !means_the_same(pattern) {
        println!("grep -r: not compared, since this pattern may mean something else to it");
        return Ok(true);
    }
    let cannot = |why: io::Error| format!("cannot compare with grep: {why}");
    let mut grep = Command::new("grep");
    grep.args(["-rHIE", "--color=never", "-e", pattern, "--"]).arg(folder);
    let theirs = grep.env("LC_ALL", "C").stderr(Stdio::null()).output().map_err(cannot)?.stdout;
    let ours = fs::read(ours).map_err(cannot)?;
    let [mut ours, mut theirs] = [&ours, &theirs].map(|text| sorted(text));
    let mut same = same(&ours, &theirs, scratch).map_err(cannot)?;
    let mut but = String::new();
    if !same {
        let other = others(folder).map_err(|why| format!("cannot compare with grep: {why}"))?;
        for lines in [&mut ours, &mut theirs] {
            lines.retain(|line| !is_of(&other, line));
        }
        same = self::same(&ours, &theirs, scratch).map_err(cannot)?;
        but = format!(
            ", but for {} files (hidden, ignored, or with a zero byte or an order mark)",
            other.len()
        );
    }
    let verdict = if same { "the same" } else { "DIFFERENT" };
    println!("cmp with LC_ALL=C grep -r, both sorted: {} lines, {verdict}{but}", ours.len());
    Ok(same)
}

/// Text without operators, and few of those: what is left out has another syntax in grep, or another meaning in its locale.
fn means_the_same(pattern: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-:;,<>=/'\"#@!%[]*+?|".contains(c);
    pattern.chars().all(is_plain) && !pattern.contains("--") && !pattern.contains("[[")
}

fn sorted(text: &[u8]) -> Lines<'_> {
    let mut lines: Lines<'_> = text.split_inclusive(|&byte| byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

fn same(ours: &Lines<'_>, theirs: &Lines<'_>, scratch: &Path) -> io::Result<bool> {
    let paths = ["ours sorted", "grep sorted"].map(|name| scratch.join(name));
    for (path, lines) in paths.iter().zip([ours, theirs]) {
        fs::write(path, lines.concat())?;
    }
    Ok(Command::new("cmp").arg("-s").args(paths).status()?.success())
}

/// The files of which grep need not print what ripgrep prints.
fn others(folder: &Path) -> Result<HashSet<Vec<u8>>, ignore::Error> {
    let all = WalkBuilder::new(folder).standard_filters(false).build();
    let files =
        |walk: ignore::Walk| walk.filter(search::is_searched).map(|file| file.map(DirEntry::into_path));
    let searched = files(search::walk(folder)).collect::<Result<HashSet<_>, _>>()?;
    let is_other = |path: &PathBuf| !searched.contains(path) || !is_text(path);
    let others = files(all).filter(|path| path.as_ref().map_or(true, is_other));
    others.map(|path| Ok(path?.into_os_string().into_encoded_bytes())).collect()
}

/// Whether it is text to both: no zero byte, and no mark that makes ripgrep read it as UTF-16, or without the mark.
fn is_text(path: &PathBuf) -> bool {
    let marks = [&b"\xff\xfe"[..], b"\xfe\xff", b"\xef\xbb\xbf"];
    fs::read(path).is_ok_and(|bytes| !bytes.contains(&0) && !marks.iter().any(|mark| bytes.starts_with(mark)))
}

/// Whether the line is of one of these files. A path may hold a colon, so that each may be its end.
fn is_of(files: &HashSet<Vec<u8>>, line: &[u8]) -> bool {
    let longest = files.iter().map(Vec::len).max().unwrap_or(0);
    let colons = line.iter().take(longest + 1).enumerate().filter(|&(_, &byte)| byte == b':');
    colons.into_iter().any(|(at, _)| files.contains(&line[..at]))
}
