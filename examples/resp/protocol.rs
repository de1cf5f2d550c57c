//! The protocol of Redis: commands come as arrays of bulk strings or as plain lines, replies go as they are encoded here.

use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// A command that is longer is taken for a mistake.
const MOST_WORDS: usize = 1 << 20;
const LONGEST_WORD: usize = 64 << 20;

/// What is not the protocol; the connection ends after it was told.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) &'static str);

// ===== commands =====

/// Takes one command off the front of `input`, if it is there as a whole.
pub(crate) fn take_command(input: &mut BytesMut) -> Result<Option<Vec<Bytes>>, Malformed> {
    let mut words = Vec::with_capacity(4);
    let Some(length) = find_command(input, &mut words)? else { return Ok(None) };
    let whole = input.split_to(length).freeze();
    Ok(Some(words.into_iter().map(|word| whole.slice(word)).collect()))
}

/// Where the words of the first command are, and where it ends.
fn find_command(input: &[u8], words: &mut Vec<Range<usize>>) -> Result<Option<usize>, Malformed> {
    let Some(line) = find_line(input, 0) else { return Ok(None) };
    if input[0] != b'*' {
        let text = &input[line.clone()];
        for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            let start = word.as_ptr() as usize - input.as_ptr() as usize;
            words.push(start..start + word.len());
        }
        return Ok(Some(after(&line, input)));
    }
    let count = number(&input[1..line.end], MOST_WORDS).ok_or(Malformed("invalid multibulk length"))?;
    let mut at = after(&line, input);
    for _ in 0..count {
        let Some(line) = find_line(input, at) else { return Ok(None) };
        if input[at] != b'$' {
            return Err(Malformed("expected '$'"));
        }
        let length =
            number(&input[at + 1..line.end], LONGEST_WORD).ok_or(Malformed("invalid bulk length"))?;
        let start = after(&line, input);
        if input.len() < start + length + 2 {
            return Ok(None);
        }
        words.push(start..start + length);
        at = start + length + 2;
    }
    Ok(Some(at))
}

/// The line that starts at `start`, without its end.
fn find_line(input: &[u8], start: usize) -> Option<Range<usize>> {
    let end = start + input.get(start..)?.iter().position(|&byte| byte == b'\n')?;
    let carriage = end > start && input[end - 1] == b'\r';
    Some(start..end - usize::from(carriage))
}

fn after(line: &Range<usize>, input: &[u8]) -> usize {
    line.end + if input[line.end] == b'\r' { 2 } else { 1 }
}

fn number(digits: &[u8], most: usize) -> Option<usize> {
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number <= most).then_some(number)
}

/// A command as it goes over the wire, and into an append-only file.
pub(crate) fn encode_command<W: AsRef<[u8]>>(words: &[W], out: &mut Vec<u8>) {
    header(out, b'*', words.len());
    for word in words {
        bulk(out, word.as_ref());
    }
}

// ===== replies =====

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    pub(crate) fn error(why: impl std::fmt::Display) -> Self {
        Self::Error(format!("ERR {why}"))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, b'+', text.as_bytes()),
            Self::Error(text) => line(out, b'-', text.as_bytes()),
            Self::Integer(number) => line(out, b':', number.to_string().as_bytes()),
            Self::Bulk(bytes) => bulk(out, bytes),
            Self::Nil => out.extend_from_slice(b"$-1\r\n"),
            Self::Array(replies) => {
                header(out, b'*', replies.len());
                for reply in replies {
                    reply.encode(out);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut Vec<u8>, kind: u8, length: usize) {
    // Almost all are short.
    match u8::try_from(length) {
        Ok(digit @ 0..=9) => line(out, kind, &[b'0' + digit]),
        _ => line(out, kind, length.to_string().as_bytes()),
    }
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
