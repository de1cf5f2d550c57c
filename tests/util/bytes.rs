//! Bytes to compress.

/// Bytes that no compressor makes smaller.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Text that compresses, with repetitions that reach over the bounds of blocks.
pub(crate) fn text(length: usize) -> Vec<u8> {
    let words = noise(length / 4 + 1);
    words.iter().flat_map(|byte| [b'a' + byte % 16, b' ', b'a' + byte / 16, b'\n']).take(length).collect()
}
