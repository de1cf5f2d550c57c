//! What is in a folder.

use std::fs;
use std::path::{Path, PathBuf};

/// The names in `folder`, sorted.
pub(crate) fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().into()).collect();
    names.sort();
    names
}
