//! The server. Commands of one connection run at the same time; the replies are in order by a lane of the connection, and the effects
//! are in order for each key by `Keyed`.

use crate::protocol::{self, Malformed, Reply};
use crate::store::{Command, Name, Store};
use batons::lane::{Commits, Keyed, Lane, Ticket};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How many commands of one connection are accepted and not answered.
const WINDOW: u32 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Polled once in place; what is pending then becomes a task.
    Ordered,
    /// Every command is a task.
    Spawned,
    /// The same without `Keyed`: ordered replies, and effects in any order. To show that order is not a matter of luck.
    Unkeyed,
    /// One command after the other.
    Serial,
}

/// What writes are appended to: numbered when they take effect, durable in the order of the numbers.
pub(crate) type Journal = Lane<File, Bytes>;

pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) journal: Option<Journal>,
    pub(crate) mode: Mode,
    order: Keyed<[u8]>,
}

struct Answer {
    reply: Reply,
    /// Up to which number the journal must be durable before the reply goes out.
    durable: u64,
}

impl Server {
    pub(crate) fn new(mode: Mode, store: Store, journal: Option<Journal>) -> Arc<Self> {
        Arc::new(Self { store, journal, mode, order: Keyed::new() })
    }

    /// Serves for ever. Tells its port in the first line that it prints.
    pub(crate) async fn listen(self: Arc<Self>, port: u16) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(connection(Arc::clone(&self), socket));
        }
    }
}

// ===== what is concurrent =====

pub(crate) async fn connection(server: Arc<Server>, socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (input, output) = socket.into_split();
    let replies = Lane::builder().window(WINDOW).build(());
    let outcome = tokio::try_join!(read(&server, input, &replies), write(&server, output, replies.commits()));
    replies.cancel(); // nobody computes any more for a client that is gone
    outcome.map(drop)
}

async fn read(server: &Arc<Server>, mut input: OwnedReadHalf, replies: &Lane<(), Answer>) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(64 << 10);
    loop {
        while let Some(next) = next_command(&mut buffer) {
            let ticket = replies.ticket().await.map_err(io::Error::other)?; // the client waits while the window is full
            match next {
                Next::Command(command) => begin(server, command, ticket).await,
                Next::Refused(reply) => drop(ticket.deposit(Answer { reply, durable: 0 })),
                Next::End(reply) => {
                    let _ = ticket.deposit(Answer { reply, durable: 0 });
                    replies.close();
                    return Ok(());
                }
            }
        }
        if input.read_buf(&mut buffer).await? == 0 {
            replies.close(); // what was accepted is still answered
            return Ok(());
        }
    }
}

/// The order of its effects is fixed here, in the order of the commands; the rest may happen at any time.
async fn begin(server: &Arc<Server>, command: Command, reply: Ticket<(), Answer>) {
    let server = Arc::clone(server);
    let mode = server.mode;
    let keys = command.keys().filter(|_| mode != Mode::Unkeyed);
    let mut order = server.order.tickets(keys);
    let work = async move {
        let turn = order.turn().await; // waits for earlier commands on the same keys only
        let answer = server.execute(command).await;
        drop(turn);
        answer
    };
    // Refused if the client is gone.
    let _ = match mode {
        Mode::Ordered => reply.spawn(work),
        Mode::Spawned | Mode::Unkeyed => {
            tokio::spawn(async move { reply.deposit(work.await) });
            Ok(())
        }
        Mode::Serial => reply.deposit(work.await),
    };
}

/// One write for each run of replies.
async fn write(server: &Server, mut output: OwnedWriteHalf, mut runs: Commits<(), Answer>) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(mut run) = runs.next_run().await {
        let mut durable = 0;
        for answer in run.by_ref() {
            answer.reply.encode(&mut bytes);
            durable = durable.max(answer.durable);
        }
        if let Some(journal) = &server.journal {
            journal.reached(durable).await.map_err(io::Error::other)?;
        }
        output.write_all(&bytes).await?;
        bytes.clear();
        run.done();
    }
    output.shutdown().await
}

// ===== commands =====

impl Server {
    async fn execute(&self, command: Command) -> Answer {
        let reply = match command.name {
            Name::Sleep => sleep(&command.arguments()[0]).await,
            Name::Sha256 => sum(&command.arguments()[0]).await,
            Name::Info => self.info(),
            _ => return self.apply(&command).await,
        };
        Answer { reply, durable: 0 }
    }

    async fn apply(&self, command: &Command) -> Answer {
        let Some(journal) = self.journal.as_ref().filter(|_| command.writes()) else {
            let (reply, durable) = self.store.apply(command, 0);
            return Answer { reply, durable };
        };
        // Its holder has the turns of its keys, so that the journal has the order of the effects, for each key.
        let entry = match journal.ticket().await {
            Ok(entry) => entry,
            Err(why) => return Answer { reply: Reply::error(why), durable: 0 },
        };
        let (reply, durable) = self.store.apply(command, entry.seq() + 1);
        if let Reply::Error(_) = reply {
            entry.skip();
        } else {
            let mut bytes = Vec::new();
            protocol::encode_command(command.words(), &mut bytes);
            let _ = entry.deposit(bytes.into()); // refused, and then it is never reached
        }
        Answer { reply, durable }
    }
}

impl Server {
    fn info(&self) -> Reply {
        let counters = self.journal.as_ref().map(Lane::counters).unwrap_or_default();
        let (writes, runs) = (counters.committed, counters.runs);
        Reply::Bulk(format!("journal_writes:{writes}\r\njournal_syncs:{runs}\r\n").into())
    }
}

async fn sleep(milliseconds: &[u8]) -> Reply {
    match std::str::from_utf8(milliseconds).map(str::parse) {
        Ok(Ok(milliseconds)) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Reply::Simple("OK")
        }
        _ => Reply::error("milliseconds must be a number"),
    }
}

async fn sum(path: &[u8]) -> Reply {
    let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
    let summed = tokio::task::spawn_blocking(move || -> io::Result<String> {
        let (mut file, mut hash, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 256 << 10]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(format!("{:x}", hash.finalize())),
                length => hash.update(&piece[..length]),
            }
        }
    });
    match summed.await {
        Ok(Ok(sum)) => Reply::Bulk(sum.into()),
        Ok(Err(why)) => Reply::error(why),
        Err(why) => Reply::error(why),
    }
}

enum Next {
    Command(Command),
    /// To be answered instead of a command.
    Refused(Reply),
    /// The same, and nothing after it can be understood.
    End(Reply),
}

/// What is at the front of `buffer`; `None` if it is not there as a whole.
fn next_command(buffer: &mut BytesMut) -> Option<Next> {
    loop {
        match protocol::take_command(buffer) {
            Ok(Some(words)) if words.is_empty() => {}
            Ok(words) => {
                return words.map(|words| Command::new(words).map_or_else(Next::Refused, Next::Command));
            }
            Err(Malformed(why)) => {
                return Some(Next::End(Reply::error(format_args!("Protocol error: {why}"))));
            }
        }
    }
}
