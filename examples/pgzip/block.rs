//! The gzip format, block by block: how a block is cut off the input, compressed, and put on the output.
//!
//! Every block but the last is [`BLOCK`] bytes long and its deflate data end on a byte boundary (a sync
//! flush), so the blocks can be made apart and stand one behind the other. A shorter block is the last
//! one; if the input ends with a full block, an empty one follows. So no block needs to know more than
//! itself and the bytes before it, which serve it as a dictionary.

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};
use indicatif::ProgressBar;
use std::io::{self, Read, Write};

pub(crate) const BLOCK: usize = 128 * 1024;
/// How far back deflate can refer.
const WINDOW: usize = 32 * 1024;
/// Room for a compressed block. Deflate needs at worst an eighth more than its input, and a few bytes.
const PACKED: usize = BLOCK + BLOCK / 4;
/// What a compressor of zlib-rs allocates, rounded up.
const COMPRESSOR: usize = 400 * 1024;

/// What one crew member needs at most, however large the input is.
pub(crate) const MEMORY: usize = WINDOW + BLOCK + PACKED + COMPRESSOR;

/// The buffers of one block. A crew member uses its own again and again.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) number: u64,
    /// The bytes before this block, as far as deflate can refer to them.
    before: Vec<u8>,
    data: Vec<u8>,
    packed: Box<[u8]>,
    packed_len: usize,
    crc: Hasher,
}

impl Block {
    pub(crate) fn new() -> Self {
        Self {
            number: 0,
            before: Vec::with_capacity(WINDOW),
            data: Vec::with_capacity(BLOCK),
            packed: vec![0; PACKED].into_boxed_slice(),
            packed_len: 0,
            crc: Hasher::new(),
        }
    }

    fn is_last(&self) -> bool {
        self.data.len() < BLOCK
    }
}

// ===== reading =====

/// The input and what a block must know of the one before it.
#[derive(Debug)]
pub(crate) struct Input<R> {
    reader: R,
    tail: Vec<u8>,
    ended: bool,
}

impl<R: Read> Input<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, tail: Vec::with_capacity(WINDOW), ended: false }
    }

    /// Reads the next block; false if the last one has been read. After an error, or a panic of the
    /// reader, there is none either.
    pub(crate) fn fill(&mut self, block: &mut Block) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.ended = true;
        block.before.clone_from(&self.tail);
        block.data.clear();
        (&mut self.reader).take(BLOCK as u64).read_to_end(&mut block.data)?;
        self.ended = block.is_last();
        let tail = &block.data[block.data.len().saturating_sub(WINDOW)..];
        self.tail.clear();
        self.tail.extend_from_slice(tail);
        Ok(true)
    }
}

// ===== compressing =====

impl Block {
    /// Compresses the block and sums it up. The result depends on the block alone.
    ///
    /// So the compressor is a new one, though making it takes a fiftieth of the time: when it is reset
    /// and given a dictionary, zlib-rs 0.6.8 hashes one byte behind the dictionary, which is whatever
    /// an earlier block left there, and now and then it finds other matches. And one call has
    /// room for all, so that the bytes cannot depend on where the compressor had to stop.
    pub(crate) fn pack(&mut self, level: u32) -> io::Result<()> {
        let mut compressor = Compress::new(Compression::new(level), false);
        if !self.before.is_empty() {
            compressor.set_dictionary(&self.before)?;
        }
        let flush = if self.is_last() { FlushCompress::Finish } else { FlushCompress::Sync };
        let status = compressor.compress(&self.data, &mut self.packed, flush)?;
        self.packed_len = usize::try_from(compressor.total_out()).map_err(io::Error::other)?;
        let taken = compressor.total_in() == self.data.len() as u64;
        let ended = (status == Status::StreamEnd) == self.is_last();
        if !taken || !ended || self.packed_len == self.packed.len() {
            return Err(io::Error::other("the compressor did not finish the block in one call"));
        }
        self.crc = Hasher::new();
        self.crc.update(&self.data);
        Ok(())
    }
}

// ===== writing =====

/// The output and what its trailer will say.
#[derive(Debug)]
pub(crate) struct Output<W> {
    writer: W,
    level: u32,
    crc: Hasher,
    length: u64,
    begun: bool,
    progress: ProgressBar,
}

impl<W: Write> Output<W> {
    pub(crate) fn new(writer: W, level: u32, progress: ProgressBar) -> Self {
        Self { writer, level, crc: Hasher::new(), length: 0, begun: false, progress }
    }

    pub(crate) fn into_writer(self) -> W {
        self.writer
    }

    /// Puts a block behind the one before it, with the header before the first and the trailer behind
    /// the last.
    pub(crate) fn write(&mut self, block: &Block) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.writer.write_all(&self.header())?;
        }
        self.writer.write_all(&block.packed[..block.packed_len])?;
        self.crc.combine(&block.crc);
        self.length += block.data.len() as u64;
        if block.is_last() {
            self.writer.write_all(&self.crc.clone().finalize().to_le_bytes())?;
            // The format keeps the length modulo 2^32.
            self.writer.write_all(&self.length.to_le_bytes()[..4])?;
            self.writer.flush()?;
        }
        self.progress.inc(block.data.len() as u64);
        Ok(())
    }

    /// RFC 1952: magic, deflate, no flags, no time (it would make equal inputs differ), the effort, and
    /// an unknown system.
    fn header(&self) -> [u8; 10] {
        let effort = match self.level {
            9 => 2,
            1 => 4,
            _ => 0,
        };
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 255]
    }
}
