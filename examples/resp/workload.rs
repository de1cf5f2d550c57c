//! Commands to check with: always the same ones.

use crate::protocol::encode_command;

/// A small generator of numbers that look random.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn key(&mut self) -> String {
        format!("k:{}", self.below(200))
    }

    fn counter(&mut self) -> String {
        format!("n:{}", self.below(50))
    }
}

/// `count` commands on few keys, encoded one after the other. All of them succeed.
pub(crate) fn commands(count: u32) -> Vec<u8> {
    let (mut random, mut bytes) = (Random(0x9E37_79B9_7F4A_7C15), Vec::new());
    for n in 0..count {
        let words = match random.below(10) {
            0 | 1 => vec!["SET".to_owned(), random.key(), format!("value {n}")],
            2 | 3 => vec!["GET".to_owned(), random.key()],
            4 | 5 => vec!["INCR".to_owned(), random.counter()],
            6 => vec!["MGET".to_owned(), random.key(), random.counter(), random.key()],
            7 => vec!["MSET".to_owned(), random.key(), format!("a{n}"), random.key(), format!("b{n}")],
            8 => vec!["DEL".to_owned(), random.key(), random.counter()],
            _ => vec!["ECHO".to_owned(), format!("echo {n}")],
        };
        encode_command(&words, &mut bytes);
    }
    bytes
}

/// Of one client with keys of its own: a write and a read of it, pipelined. The replies must be `expected`.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) commands: Vec<u8>,
    pub(crate) replies: usize,
    /// Which reply is the read, and what it must be.
    pub(crate) expected: Vec<(usize, Vec<u8>)>,
}

/// `pairs` of them in one pipeline. With every 64th write something slow comes between that keeps the key.
pub(crate) fn read_your_writes(client: u64, round: u64, pairs: u64, random: &mut Random) -> Round {
    let mut it = Round { commands: Vec::new(), replies: 0, expected: Vec::new() };
    for pair in 0..pairs {
        let (key, value) = (format!("{client}:{}", random.below(4)), format!("{round}:{pair}"));
        encode_command(&["SET", &key, &value], &mut it.commands);
        if random.below(64) == 0 {
            encode_command(&["SLEEP", "1", &key], &mut it.commands);
            it.replies += 1;
        }
        encode_command(&["GET", &key], &mut it.commands);
        it.replies += 2;
        it.expected.push((it.replies - 1, crate::harness::bulk(&value)));
    }
    it
}
