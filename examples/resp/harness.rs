//! What the checks of both servers need: servers as child processes, tools, and a client.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

/// A reply that takes longer is taken for lost.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Verified,
    /// A tool is missing.
    NotVerified,
}

pub(crate) fn exit(done: Result<Verdict, String>) -> ExitCode {
    match done {
        Ok(Verdict::Verified) => ExitCode::SUCCESS,
        Ok(Verdict::NotVerified) => ExitCode::from(2),
        Err(why) => {
            eprintln!("FAIL: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What a tool prints, if it succeeds.
pub(crate) fn printed(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|why| format!("{command:?}: {why}"))?;
    let text = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        return Ok(text);
    }
    Err(format!("{command:?}: {status}\n{text}{}", String::from_utf8_lossy(&stderr)))
}

// ===== servers =====

/// A server in a process of its own, killed by signal 9 when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// This program with other arguments; it tells its port.
    pub(crate) fn ours<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|why| why.to_string())?;
        Self::start(Command::new(program).args(["--port", "0"]).args(arguments))
    }

    /// One that tells its port.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|why| format!("cannot start {command:?}: {why}"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let mut process = Self { child, port: 0 };
        let told = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        process.port = told.ok_or(format!("it did not tell its port but {line:?}"))?;
        Ok(process)
    }

    /// The real one, on files in `folder`.
    pub(crate) fn redis(folder: &Path, arguments: &[&str]) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|why| why.to_string())?.port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--daemonize", "no", "--save", "", "--port", &port.to_string()])
            .arg("--dir")
            .arg(folder)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn();
        let mut process = Self { child: child.map_err(|why| format!("redis-server: {why}"))?, port };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            // While it loads its file it answers with errors.
            if let Ok(b"+PONG\r\n") = Client::connect(port).and_then(|mut it| it.call(&["PING"])).as_deref() {
                return Ok(process);
            }
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(format!("redis-server does not run on {}: {status}", folder.display()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("redis-server does not answer".to_owned())
    }

    /// Seconds of cpu time that it has used, where `/proc` tells.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // After the name in brackets; the 14th and 15th of all, in hundredths of a second.
        let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
        f64::from(ticks.sum::<u32>()) / 100.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // -9
        let _ = self.child.wait();
    }
}

// ===== a client =====

#[derive(Debug)]
pub(crate) struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let output = TcpStream::connect(("127.0.0.1", port))?;
        output.set_nodelay(true)?;
        output.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { input: BufReader::with_capacity(64 << 10, output.try_clone()?), output })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.write_all(bytes)
    }

    /// Another handle to send by, while this one receives.
    pub(crate) fn sender(&self) -> io::Result<TcpStream> {
        self.output.try_clone()
    }

    pub(crate) fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        crate::protocol::encode_command(words, &mut bytes);
        self.send(&bytes)?;
        let mut reply = Vec::new();
        self.receive(&mut reply)?;
        Ok(reply)
    }

    /// Appends one reply to `reply` as it came.
    pub(crate) fn receive(&mut self, reply: &mut Vec<u8>) -> io::Result<()> {
        let start = reply.len();
        if self.input.read_until(b'\n', reply)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = &reply[start..];
        let length = || std::str::from_utf8(&line[1..]).ok().and_then(|text| text.trim().parse::<i64>().ok());
        match line[0] {
            b'$' => {
                // -1 is nothing at all.
                if let Some(length) = length().and_then(|length| usize::try_from(length).ok()) {
                    let at = reply.len();
                    reply.resize(at + length + 2, 0);
                    self.input.read_exact(&mut reply[at..])?;
                }
            }
            b'*' => {
                for _ in 0..length().unwrap_or_default() {
                    self.receive(reply)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A bulk string as it comes.
pub(crate) fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}
