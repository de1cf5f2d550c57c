//! Which files, and an output that appears whole or not at all.

use crate::tools;
use std::env::consts::DLL_EXTENSION;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// What to compress to where.
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    /// The folder of an output that nobody asked to keep.
    pub(crate) scratch: Option<TempDir>,
}

/// The files of the command line, or else the toolchain's library.
pub(crate) fn choose(paths: Option<&(PathBuf, PathBuf)>) -> Result<Job, String> {
    if let Some((input, output)) = paths.cloned() {
        return Ok(Job { input, output, scratch: None });
    }
    let input = toolchain_library().map_err(|why| format!("{why}; name an INPUT and an OUTPUT.gz"))?;
    let scratch = TempDir::new().map_err(|why| format!("cannot make a temporary folder: {why}"))?;
    Ok(Job { input, output: scratch.path().join("library.gz"), scratch: Some(scratch) })
}

/// The largest shared library of the Rust toolchain; it is the compiler itself.
fn toolchain_library() -> Result<PathBuf, String> {
    let sysroot = tools::sysroot();
    // Libraries are in `bin` on Windows and in `lib` elsewhere.
    let files = ["lib", "bin"].into_iter().filter_map(|folder| fs::read_dir(sysroot.join(folder)).ok());
    files
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == DLL_EXTENSION))
        .max_by_key(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()))
        .ok_or_else(|| format!("no library of the toolchain was found in {}", sysroot.display()))
}

pub(crate) fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|why| format!("cannot read {}: {why}", path.display()))
}

/// Reads the whole file once and tells its size.
pub(crate) fn read_through(path: &Path) -> Result<u64, String> {
    let cannot = |why| format!("cannot read {}: {why}", path.display());
    let mut file = open(path)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        // It is read more than once.
        return Err(format!("{} is not a regular file", path.display()));
    }
    io::copy(&mut file, &mut io::sink()).map_err(cannot)
}

/// A file without its name. Dropped, it is removed.
pub(crate) struct Destination {
    file: NamedTempFile,
    path: PathBuf,
    force: bool,
}

impl Destination {
    /// Makes a nameless file in the folder of `path`, so that it can be renamed to it.
    pub(crate) fn create(path: &Path, input: &Path, force: bool) -> Result<Self, String> {
        if path.symlink_metadata().is_ok() && !force {
            return Err(format!("{} exists; --force replaces it", path.display()));
        }
        if let (Ok(output), Ok(input)) = (path.canonicalize(), input.canonicalize()) {
            if output == input {
                return Err(format!("{} is the input", path.display()));
            }
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        // Temporary files are private; this one becomes a file like any other.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.prefix(".pgzip-").tempfile_in(folder);
        let file = file.map_err(|why| format!("cannot make a file in {}: {why}", folder.display()))?;
        Ok(Self { file, path: path.to_owned(), force })
    }

    /// Empties the file and starts at its beginning.
    pub(crate) fn writer(&self) -> Result<File, String> {
        let mut file = self.file.as_file();
        let emptied = file.set_len(0).and_then(|()| file.rewind());
        emptied.and_then(|()| file.try_clone()).map_err(|why| self.cannot("write", &why))
    }

    /// From the beginning, whatever others do with theirs.
    pub(crate) fn reader(&self) -> Result<File, String> {
        self.file.reopen().map_err(|why| self.cannot("read back", &why))
    }

    pub(crate) fn size(&self) -> Result<u64, String> {
        let metadata = self.file.as_file().metadata();
        metadata.map(|metadata| metadata.len()).map_err(|why| self.cannot("read back", &why))
    }

    /// Gives the file its name, once its bytes are on the disk.
    pub(crate) fn persist(self) -> Result<(), String> {
        let Self { file, path, force } = self;
        let named = file.as_file().sync_all().and_then(|()| {
            let named = if force { file.persist(&path) } else { file.persist_noclobber(&path) };
            named.map(drop).map_err(|refused| refused.error)
        });
        named.map_err(|why| format!("cannot write {}: {why}; no output was made", path.display()))
    }

    fn cannot(&self, what: &str, why: &io::Error) -> String {
        format!("cannot {what} {}: {why}", self.path.display())
    }
}
