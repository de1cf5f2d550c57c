//! The example `resp`: its protocol, and the order of its replies and effects. `resp --verify` has it checked by Redis' own tools.
#![cfg(feature = "tokio")]

#[path = "../examples/resp/protocol.rs"]
mod protocol;
#[path = "../examples/resp/serve.rs"]
#[expect(dead_code, reason = "the program listens, and has more modes")]
mod serve;
#[path = "../examples/resp/store.rs"]
mod store;

use bytes::{Bytes, BytesMut};
use protocol::{Malformed, encode_command, take_command};
use serve::{Mode, Server};
use std::io;
use std::time::Duration;
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

// ===== the protocol =====

fn take_all(input: &mut BytesMut) -> Vec<Vec<Bytes>> {
    std::iter::from_fn(|| take_command(input).expect("well formed")).collect()
}

#[test]
fn commands_are_the_same_wherever_the_network_cuts_them() {
    let mut bytes = b"PING\r\n  ping  x \n\r\n".to_vec();
    encode_command(&[&b"SET"[..], b"", b"line\r\nline"], &mut bytes);
    encode_command(&["ECHO"; 12], &mut bytes);
    bytes.extend_from_slice(b"*0\r\n");
    let whole = take_all(&mut BytesMut::from(&bytes[..]));
    assert_eq!(whole.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 0, 3, 12, 0]);
    assert_eq!(whole[3], ["SET", "", "line\r\nline"]);
    for cut in 0..bytes.len() {
        let mut input = BytesMut::from(&bytes[..cut]);
        let mut commands = take_all(&mut input);
        input.extend_from_slice(&bytes[cut..]);
        commands.extend(take_all(&mut input));
        assert_eq!(commands, whole, "cut at {cut}");
        assert!(input.is_empty());
    }
}

#[test]
fn what_is_not_the_protocol_is_refused() {
    for bad in ["*x\r\n", "*-1\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*1\r\n$99999999999\r\n"] {
        let taken = take_command(&mut BytesMut::from(bad));
        assert!(matches!(taken, Err(Malformed(_))), "{bad:?} gave {taken:?}");
    }
}

// ===== the server =====

/// All that is answered to `commands`, sent in one piece on one connection.
async fn answers(mode: Mode, commands: &[&[&str]]) -> io::Result<String> {
    let mut bytes = Vec::new();
    for command in commands {
        encode_command(command, &mut bytes);
    }
    answers_to(mode, &bytes).await
}

async fn answers_to(mode: Mode, bytes: &[u8]) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (socket, _) = listener.accept().await?;
    tokio::spawn(serve::connection(Server::new(mode, Store::default(), None), socket));
    client.write_all(bytes).await?;
    client.shutdown().await?;
    let mut answers = String::new();
    client.read_to_string(&mut answers).await?;
    Ok(answers)
}

const HOUR: &str = "3600000";

#[tokio::test(start_paused = true)]
async fn replies_are_in_order_and_slow_commands_run_at_once() {
    let start = Instant::now();
    let slow = answers(Mode::Ordered, &[&["SLEEP", HOUR], &["PING"], &["SLEEP", HOUR], &["ECHO", "x"]]);
    assert_eq!(slow.await.unwrap(), "+OK\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n");
    assert!(start.elapsed() < Duration::from_secs(3601), "both hours at once");
}

#[tokio::test(start_paused = true)]
async fn effects_are_in_order_for_each_key_behind_a_slow_command() {
    let commands: &[&[&str]] = &[
        &["SET", "k", "1"],
        &["SLEEP", HOUR, "k", "l"],
        &["INCR", "k"],
        &["MSET", "m", "x", "k", "7"],
        &["INCR", "n"],
        &["MGET", "k", "l", "m", "n"],
        &["DEL", "k", "l", "m"],
        &["GET", "k"],
    ];
    for mode in [Mode::Ordered, Mode::Spawned, Mode::Serial] {
        let expected =
            "+OK\r\n+OK\r\n:2\r\n+OK\r\n:1\r\n*4\r\n$1\r\n7\r\n$-1\r\n$1\r\nx\r\n$1\r\n1\r\n:2\r\n$-1\r\n";
        assert_eq!(answers(mode, commands).await.unwrap(), expected, "{mode:?}");
    }
    // Without it the commands behind the slow one do not wait for it.
    let unkeyed = answers(Mode::Unkeyed, &[&["SLEEP", HOUR, "k"], &["INCR", "k"]]).await.unwrap();
    assert_eq!(unkeyed, "+OK\r\n:1\r\n");
}

#[tokio::test(start_paused = true)]
async fn more_commands_than_the_window_are_all_answered() {
    let mut commands: Vec<&[&str]> = vec![&["INCR", "k"]; 5000];
    commands[7] = &["SLEEP", HOUR, "k"];
    let answers = answers(Mode::Ordered, &commands).await.unwrap();
    let mut expected: Vec<_> = (1..5000).map(|n| format!(":{n}")).collect();
    expected.insert(7, "+OK".to_owned());
    assert_eq!(answers.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn refusals_are_in_their_places() {
    let commands: &[&[&str]] =
        &[&["NO"], &["GET"], &["MSET", "k", "x", "l"], &["SET", "k", "01"], &["INCR", "k"], &["SHA256", "/"]];
    let answers = answers(Mode::Ordered, commands).await.unwrap();
    let kinds: Vec<_> = answers.lines().map(|line| &line[..1]).collect();
    assert_eq!(kinds, ["-", "-", "-", "+", "-", "-"]);
    let malformed = answers_to(Mode::Ordered, b"PING\r\n*x\r\nPING\r\n").await.unwrap();
    assert_eq!(malformed, "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n");
}
