//! A server with five workers and a queue of five places, which refuses what it has no place for.
//!
//! `cargo run --example bounded_server` runs the server and its clients on the loopback and prints what
//! each client is told:
//!
//! ```text
//! client 1: accepted
//! client 2: accepted
//! client 3: accepted
//! client 4: accepted
//! client 5: accepted
//! client 6: server busy
//! client 1: 1 squared is 1
//! client 2: 2 squared is 4
//! client 3: 3 squared is 9
//! client 4: 4 squared is 16
//! client 5: 5 squared is 25
//! client 6: accepted
//! client 6: 6 squared is 36
//! 6 answered, 1 refused, 5 workers went home
//! ```
//!
//! The count of the semaphore is the number of requests in the queue. To put one in is a release, and the
//! release of a full semaphore is refused: "server busy". A worker waits for work or for the stop, whichever
//! comes first; work stands first in its list, so what was accepted is answered before anybody goes
//! home. A gate holds the workers back at first, so that the queue fills up in every run. Exit code 1: it was
//! not as printed here.

use batons::{ManualResetEvent, Semaphore, wait_any};
use std::{collections::VecDeque, error::Error, net::SocketAddr, sync::Arc};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::{sync::Mutex, task::JoinSet};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let [gate, stop] = [(); 2].map(|()| ManualResetEvent::new(false));
    let server = Arc::new(Server { queue: Mutex::default(), work: Semaphore::new(0, 5), gate, stop });
    let door = tokio::spawn(Arc::clone(&server).listen(listener));
    let workers: JoinSet<_> = (0..5).map(|_| Arc::clone(&server).work()).collect();

    let mut queued = Vec::new();
    for number in 1..=5 {
        let mut client = Client::call(address, number).await?;
        client.is_told("accepted").await?;
        queued.push(client);
    }
    Client::call(address, 6).await?.is_told("server busy").await?;
    server.gate.set();
    for client in &mut queued {
        client.is_answered().await?;
    }
    let mut last = Client::call(address, 6).await?;
    last.is_told("accepted").await?;
    server.stop.set();
    last.is_answered().await?;

    let refused = door.await??;
    let answered: Vec<usize> = workers.join_all().await.into_iter().collect::<Result<_, _>>()?;
    let (total, home) = (answered.iter().sum::<usize>(), answered.len());
    println!("{total} answered, {refused} refused, {home} workers went home");
    ensure((total, refused, home, server.work.available()) == (6, 1, 5, 0), "a wrong count")
}

fn ensure(holds: bool, else_what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(else_what.into()) }
}

// ===== the server =====

struct Server {
    /// Numbers to be squared, and who asks.
    queue: Mutex<VecDeque<(u64, TcpStream)>>,
    /// Its count is the number of requests in the queue.
    work: Semaphore,
    gate: ManualResetEvent,
    stop: ManualResetEvent,
}

impl Server {
    /// Accepts clients until the stop; returns how many were refused.
    async fn listen(self: Arc<Self>, listener: TcpListener) -> Result<usize, Failure> {
        let mut refused = 0;
        loop {
            let mut client = tokio::select! {
                accepted = listener.accept() => BufReader::new(accepted?.0),
                () = self.stop.wait() => return Ok(refused),
            };
            let mut line = String::new();
            client.read_line(&mut line).await?;
            let number = line.trim().parse()?;
            refused += usize::from(!self.enqueue(number, client.into_inner()).await?);
        }
    }

    /// Whether there was a place for the request.
    async fn enqueue(&self, number: u64, mut client: TcpStream) -> Result<bool, Failure> {
        // The worker that is woken by the release finds the request in the queue when it gets the lock.
        let mut queue = self.queue.lock().await;
        let has_place = self.work.release(1).is_ok();
        client.write_all(if has_place { b"accepted\n" } else { &b"server busy\n"[..] }).await?;
        if has_place {
            queue.push_back((number, client));
        }
        Ok(has_place)
    }

    /// Answers requests until the stop; returns how many.
    async fn work(self: Arc<Self>) -> Result<usize, Failure> {
        self.gate.wait().await;
        let mut answered = 0;
        while let (_, (Some(permit), _)) = wait_any((self.work.acquire(), self.stop.wait())).await? {
            permit?.forget(); // otherwise its drop would say that the request is in the queue again
            let request = self.queue.lock().await.pop_front();
            let (number, mut client) = request.ok_or("a permit without a request")?;
            client.write_all(format!("{number} squared is {}\n", number * number).as_bytes()).await?;
            answered += 1;
        }
        Ok(answered)
    }
}

// ===== the clients =====

/// Its number, and the lines that it is sent.
struct Client(u64, Lines<BufReader<TcpStream>>);

impl Client {
    async fn call(server: SocketAddr, number: u64) -> Result<Self, Failure> {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(format!("{number}\n").as_bytes()).await?;
        Ok(Self(number, BufReader::new(stream).lines()))
    }

    async fn is_told(&mut self, expected: &str) -> Result<(), Failure> {
        let told = self.1.next_line().await?.unwrap_or_default();
        println!("client {}: {told}", self.0);
        ensure(told == expected, &format!("client {} should be told: {expected}", self.0))
    }

    async fn is_answered(&mut self) -> Result<(), Failure> {
        self.is_told(&format!("{0} squared is {1}", self.0, self.0 * self.0)).await
    }
}
