//! Whether the output is right: against one thread's bytes, and by tools that are not ours.

use crate::files::Destination;
use crate::tools;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{self, Path};
use std::process::{Child, Command, ExitCode, Stdio};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Verified,
    /// A tool is missing.
    NotVerified,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Verified => Self::SUCCESS,
            Verdict::NotVerified => Self::from(2),
        }
    }
}

// ===== against the same bytes =====

/// Takes what is written if it is what `expected` holds.
#[derive(Debug)]
pub(crate) struct Same<R> {
    expected: R,
    buffer: Vec<u8>,
    offset: u64,
}

impl<R: Read> Same<R> {
    pub(crate) fn new(expected: R) -> Self {
        Self { expected, buffer: Vec::new(), offset: 0 }
    }

    /// Fails if something more was expected.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.expect(1)? {
            0 => Ok(()),
            _ => Err(self.differs()),
        }
    }

    /// Reads what is expected next, fewer bytes than asked for at the end.
    fn expect(&mut self, length: usize) -> io::Result<usize> {
        self.buffer.clear();
        (&mut self.expected).take(length as u64).read_to_end(&mut self.buffer)
    }

    fn differs(&self) -> io::Error {
        io::Error::other(format!("the output differs from the crew's in a piece at byte {}", self.offset))
    }
}

impl<R: Read> Write for Same<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.expect(bytes.len())?;
        if self.buffer != bytes {
            return Err(self.differs());
        }
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// ===== by tools =====

/// Lets `gzip` and `cmp` check the output; an error if they find fault.
pub(crate) fn with_tools(output: &Destination, input: &Path) -> Result<Verdict, String> {
    if !tools::have(&[("gzip", "gzip"), ("cmp", "diffutils")]) {
        return Ok(Verdict::NotVerified);
    }
    let mut gzip = start("gzip", Command::new("gzip").arg("-t").stdin(output.reader()?))?;
    end("gzip -t", &mut gzip)?;

    let mut gzip = Command::new("gzip");
    let mut unpacking = start("gzip", gzip.arg("-dc").stdin(output.reader()?).stdout(Stdio::piped()))?;
    let unpacked = unpacking.stdout.take().map_or_else(Stdio::null, Stdio::from);
    // An absolute name cannot be taken for an option, or for standard input.
    let input = path::absolute(input).map_err(|why| format!("cannot find {}: {why}", input.display()))?;
    let comparing = start("cmp", Command::new("cmp").arg("-s").arg("-").arg(input).stdin(unpacked));
    // Both are waited for before either's verdict is looked at; if there is no cmp, gzip has no reader and ends.
    let compared = comparing.and_then(|mut cmp| end("gzip -dc | cmp - INPUT", &mut cmp));
    let unpacked = end("gzip -dc", &mut unpacking);
    compared.and(unpacked)?;
    println!("gzip -t: ok; gzip -dc | cmp: identical");
    Ok(Verdict::Verified)
}

/// Lets `gzip` and `cmp` check an output that ends early: it unpacks to the first `length` bytes of the input, and is
/// itself the first bytes of the whole output.
pub(crate) fn prefix(part: &Path, length: u64, input: &Path, whole: &Destination) -> Result<Verdict, String> {
    let cannot = |why: io::Error| format!("cannot check the faulty output: {why}");
    let unpacked = tempfile::NamedTempFile::new().map_err(cannot)?;
    let packed = File::open(part).map_err(cannot)?;
    let size = packed.metadata().map_err(cannot)?.len();
    // It finds that the end is missing, after it has written what is there.
    let mut gzip = Command::new("gzip");
    gzip.arg("-dc").stdin(packed).stdout(unpacked.reopen().map_err(cannot)?).stderr(Stdio::null());
    if gzip.status().map_err(cannot)?.success() {
        return Err("gzip takes the faulty output for a whole one".to_owned());
    }
    let found = unpacked.as_file().metadata().map_err(cannot)?.len();
    if found != length {
        return Err(format!("the faulty output unpacks to {found} bytes, not {length}"));
    }
    let input = File::open(input).map_err(cannot)?;
    for (bytes, path, of) in [(length, unpacked.path(), input), (size, part, whole.reader()?)] {
        let mut cmp = Command::new("cmp");
        cmp.args(["-s", "-n", &bytes.to_string()]).arg("-").arg(path).stdin(of);
        if !cmp.status().map_err(cannot)?.success() {
            return Err("cmp finds that the faulty output is no prefix".to_owned());
        }
    }
    println!("gzip -dc | cmp: its output is the {length} bytes before the fault, and nothing else");
    Ok(Verdict::Verified)
}

fn start(tool: &str, command: &mut Command) -> Result<Child, String> {
    command.spawn().map_err(|why| format!("cannot run {tool}: {why}"))
}

fn end(tool: &str, child: &mut Child) -> Result<(), String> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{tool} finds fault with the output ({status}); no output was made")),
        Err(why) => Err(format!("cannot wait for {tool}: {why}")),
    }
}
