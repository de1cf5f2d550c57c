//! What the commands mean: names, keys, and their effects on the values.

use crate::protocol::Reply;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Ping,
    Echo,
    Get,
    Set,
    Del,
    Incr,
    MGet,
    MSet,
    /// `SLEEP ms [key ...]` keeps the turns of its keys meanwhile.
    Sleep,
    Sha256,
    /// `redis-benchmark` asks first; there is nothing to tell.
    Config,
    /// What the journal counted.
    Info,
}

/// By name: what it is, and how many arguments it has at least and at most.
const NAMES: &[(&str, Name, usize, usize)] = &[
    ("ping", Name::Ping, 0, 1),
    ("echo", Name::Echo, 1, 1),
    ("get", Name::Get, 1, 1),
    ("set", Name::Set, 2, 2),
    ("del", Name::Del, 1, usize::MAX),
    ("incr", Name::Incr, 1, 1),
    ("mget", Name::MGet, 1, usize::MAX),
    ("mset", Name::MSet, 2, usize::MAX),
    ("sleep", Name::Sleep, 1, usize::MAX),
    ("sha256", Name::Sha256, 1, 1),
    ("config", Name::Config, 1, usize::MAX),
    ("info", Name::Info, 0, usize::MAX),
];

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: Name,
    /// Its name included.
    words: Vec<Bytes>,
}

impl Command {
    pub(crate) fn new(words: Vec<Bytes>) -> Result<Self, Reply> {
        let called = String::from_utf8_lossy(&words[0]);
        let found = NAMES.iter().find(|(name, ..)| called.eq_ignore_ascii_case(name));
        let Some(&(text, name, least, most)) = found else {
            return Err(Reply::error(format_args!("unknown command '{called}'")));
        };
        let arguments = words.len() - 1;
        if arguments < least || arguments > most || name == Name::MSet && arguments % 2 == 1 {
            return Err(Reply::error(format_args!("wrong number of arguments for '{text}' command")));
        }
        Ok(Self { name, words })
    }

    pub(crate) fn words(&self) -> &[Bytes] {
        &self.words
    }

    pub(crate) fn arguments(&self) -> &[Bytes] {
        &self.words[1..]
    }

    /// The keys whose order matters to it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let (keys, step) = match self.name {
            Name::Get | Name::Set | Name::Incr => (&self.words[1..2], 1),
            Name::Del | Name::MGet => (&self.words[1..], 1),
            Name::MSet => (&self.words[1..], 2),
            Name::Sleep => (&self.words[2..], 1),
            Name::Ping | Name::Echo | Name::Sha256 | Name::Config | Name::Info => (&self.words[..0], 1),
        };
        keys.iter().step_by(step).map(|key| &key[..])
    }

    /// Whether it may change a value.
    pub(crate) fn writes(&self) -> bool {
        matches!(self.name, Name::Set | Name::Del | Name::Incr | Name::MSet)
    }
}

// ===== values =====

/// The values. Its lock is held for one command; the order of commands is not its business.
#[derive(Debug, Default)]
pub(crate) struct Store {
    locked: Mutex<Values>,
}

#[derive(Debug, Default)]
struct Values {
    values: HashMap<Bytes, Value>,
    /// Below which number of the journal all removals are.
    removed: u64,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    /// Below which number of the journal the write is.
    written: u64,
}

impl Store {
    /// The reply, and up to which number the journal must be durable before anybody is told. The effect, if there is one, has the
    /// journal's number right below `number`.
    pub(crate) fn apply(&self, command: &Command, number: u64) -> (Reply, u64) {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let arguments = command.arguments();
        match command.name {
            Name::Ping if arguments.is_empty() => (Reply::Simple("PONG"), 0),
            Name::Ping | Name::Echo => (Reply::Bulk(arguments[0].clone()), 0),
            Name::Get => locked.get(&arguments[0]),
            Name::MGet => {
                let found: Vec<_> = arguments.iter().map(|key| locked.get(key)).collect();
                let durable = found.iter().map(|(_, durable)| *durable).max().unwrap_or_default();
                (Reply::Array(found.into_iter().map(|(reply, _)| reply).collect()), durable)
            }
            Name::Set | Name::MSet => {
                for pair in arguments.chunks_exact(2) {
                    locked.set(&pair[0], &pair[1], number);
                }
                (Reply::Simple("OK"), number)
            }
            Name::Del => {
                let gone = arguments.iter().filter(|key| locked.values.remove(&key[..]).is_some()).count();
                locked.removed = locked.removed.max(number);
                (Reply::Integer(i64::try_from(gone).unwrap_or(i64::MAX)), number)
            }
            Name::Incr => locked.increment(&arguments[0], number),
            Name::Config => (Reply::Array(Vec::new()), 0),
            Name::Sleep | Name::Sha256 | Name::Info => (Reply::error("not a command on values"), 0),
        }
    }
}

impl Values {
    fn get(&self, key: &[u8]) -> (Reply, u64) {
        match self.values.get(key) {
            Some(value) => (Reply::Bulk(value.bytes.clone()), value.written),
            None => (Reply::Nil, self.removed),
        }
    }

    fn set(&mut self, key: &[u8], bytes: &[u8], written: u64) {
        // Copies: what came over the network is a piece of a larger buffer.
        let value = Value { bytes: Bytes::copy_from_slice(bytes), written };
        match self.values.get_mut(key) {
            Some(place) => *place = value,
            None => drop(self.values.insert(Bytes::copy_from_slice(key), value)),
        }
    }

    fn increment(&mut self, key: &[u8], number: u64) -> (Reply, u64) {
        let (before, written) = match self.values.get(key) {
            None => (Some(0), self.removed),
            Some(value) => (integer(&value.bytes), value.written),
        };
        let Some(before) = before else {
            return (Reply::error("value is not an integer or out of range"), written);
        };
        let Some(after) = before.checked_add(1) else {
            return (Reply::error("increment or decrement would overflow"), written);
        };
        self.set(key, after.to_string().as_bytes(), number);
        (Reply::Integer(after), number)
    }
}

/// An integer as Redis writes it: no sign that says nothing, no leading zeros.
fn integer(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}
