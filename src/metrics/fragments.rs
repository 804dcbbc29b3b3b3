//! Rendered text, deflated ahead so that any sequence of pieces makes one ordinary gzip member.
//!
//! Every piece ends in a full flush: it ends on a byte boundary and nothing after it refers back to
//! it, so pieces may be put into any order (RFC 1951, 3.2.4). The checksum of the whole follows
//! from those of the pieces.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Pieces of text that are kept together, one for each family of a group.
#[derive(Debug)]
pub(super) struct Fragments {
    /// The pieces, and others if they share their memory.
    deflated: Bytes,
    pieces: Box<[Entry]>,
    /// Samples in all pieces.
    pub(super) samples: u64,
    /// Whether the text is wrapped and not compressed.
    pub(super) is_plain: bool,
}

/// One piece: deflated bytes, their length and checksum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// Raw deflate, ended by a full flush.
    pub(super) deflated: &'a [u8],
    /// Length of the text.
    pub(super) len: u32,
    /// Checksum of the text, ready to be joined.
    pub(super) sum: Sum,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    end: u32,
    len: u32,
    sum: Sum,
}

/// Deflates texts into [`Fragments`]; keeps its tables between uses.
pub(super) struct Deflater {
    compress: Compress,
    /// Whether texts are only wrapped: a full flush takes longer than rendering a short text.
    is_plain: bool,
    out: Vec<u8>,
    pieces: Vec<Entry>,
}

impl Deflater {
    pub(super) fn new() -> Self {
        Self {
            compress: Compress::new(LEVEL, false),
            is_plain: false,
            out: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Adds a piece; an empty text makes an empty piece.
    pub(super) fn push(&mut self, text: &str) {
        let start = bounded(self.out.len());
        if self.is_plain {
            wrap(text.as_bytes(), &mut self.out);
        } else if !text.is_empty() {
            deflate(&mut self.compress, text.as_bytes(), &mut self.out);
        }
        self.pieces.push(Entry {
            start,
            end: bounded(self.out.len()),
            len: bounded(text.len()),
            sum: Sum::of(text.as_bytes()),
        });
    }

    /// The pieces added since the last call.
    pub(super) fn finish(&mut self, samples: u64) -> Fragments {
        if !self.is_plain {
            self.compress.reset();
        }
        let fragments = Fragments {
            deflated: Bytes::copy_from_slice(&self.out),
            pieces: Box::from(&*self.pieces),
            samples,
            is_plain: self.is_plain,
        };
        self.out.clear();
        self.pieces.clear();
        fragments
    }
}

/// Deflaters that are not in use. Each takes some 300 KB, and there are as many as were in use at one time.
#[derive(Default)]
pub(super) struct Deflaters(Mutex<Vec<Deflater>>);

impl Deflaters {
    /// Works with a deflater that nobody else uses meanwhile. `is_plain`: its texts are not compressed.
    pub(super) fn with<T>(&self, is_plain: bool, work: impl FnOnce(&mut Deflater) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut deflater = idle().pop().unwrap_or_else(Deflater::new);
        deflater.is_plain = is_plain;
        let done = work(&mut deflater);
        idle().push(deflater);
        done
    }
}

/// Names repeat line after line: the quickest level takes a third of the time of the next one, for a fifth more bytes. From
/// level 2 on, each text gets Huffman codes of its own, which take longer to make than a short text to compress.
const LEVEL: Compression = Compression::new(1);

fn deflate(compress: &mut Compress, text: &[u8], out: &mut Vec<u8>) {
    let start = compress.total_in();
    loop {
        out.reserve(text.len() / 4 + 64);
        let done = usize::try_from(compress.total_in() - start).unwrap_or(text.len());
        let status = compress.compress_vec(&text[done..], out, FlushCompress::Full);
        let taken = compress.total_in() - start == text.len() as u64;
        // Room that is left says that the flush is complete.
        if taken && out.len() < out.capacity() {
            break;
        }
        debug_assert!(matches!(status, Ok(Status::Ok | Status::BufError)));
    }
}

/// Stored blocks (RFC 1951, 3.2.4), each of at most 65,535 bytes.
fn wrap(text: &[u8], out: &mut Vec<u8>) {
    for block in text.chunks(usize::from(u16::MAX)) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
}

/// The text of stored blocks.
fn unwrap(mut blocks: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(blocks.len());
    while let Some(([_, low, high, _, _], rest)) = blocks.split_first_chunk() {
        let (block, rest) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])));
        text.extend_from_slice(block);
        blocks = rest;
    }
    text
}

fn bounded(len: usize) -> u32 {
    u32::try_from(len).expect("the text of a shard's timelines stays below 4 GiB")
}

impl Fragments {
    /// Joins each piece with those of the same index; all have the same number of pieces. Returns the parts, too, which share
    /// the memory of the whole.
    pub(super) fn join(parts: &[&Self]) -> (Self, Vec<Self>) {
        let count = parts.first().map_or(0, |part| part.len());
        let size = parts.iter().map(|part| part.size()).sum();
        let mut deflated = Vec::with_capacity(size);
        let mut pieces = Vec::with_capacity(count);
        let mut shared = vec![Vec::with_capacity(count); parts.len()];
        for index in 0..count {
            let start = bounded(deflated.len());
            let (mut len, mut sum) = (0, Sum::EMPTY);
            for (part, shared) in parts.iter().zip(&mut shared) {
                let piece = part.piece(index);
                let start = bounded(deflated.len());
                deflated.extend_from_slice(piece.deflated);
                shared.push(Entry {
                    start,
                    end: bounded(deflated.len()),
                    len: piece.len,
                    sum: piece.sum,
                });
                len += piece.len as usize;
                sum = sum.then(piece.sum);
            }
            pieces.push(Entry {
                start,
                end: bounded(deflated.len()),
                len: bounded(len),
                sum,
            });
        }
        let deflated = Bytes::from(deflated);
        let shared = parts.iter().zip(shared).map(|(part, pieces)| Self {
            deflated: deflated.clone(),
            pieces: pieces.into(),
            ..**part
        });
        let shared = shared.collect();
        let whole = Self {
            deflated,
            pieces: pieces.into(),
            samples: parts.iter().map(|part| part.samples).sum(),
            is_plain: false,
        };
        (whole, shared)
    }

    /// Whether no other pieces share its memory.
    pub(super) fn has_memory_of_its_own(&self) -> bool {
        self.deflated.len() == self.size()
    }

    /// Bytes of all pieces.
    fn size(&self) -> usize {
        let pieces = self.pieces.iter();
        pieces.map(|it| (it.end - it.start) as usize).sum()
    }

    /// The same text compressed; `self` is plain.
    pub(super) fn compressed(&self, deflater: &mut Deflater) -> Self {
        for index in 0..self.len() {
            let start = bounded(deflater.out.len());
            let text = unwrap(self.piece(index).deflated);
            if !text.is_empty() {
                deflate(&mut deflater.compress, &text, &mut deflater.out);
            }
            let entry = Entry {
                start,
                end: bounded(deflater.out.len()),
                ..self.pieces[index]
            };
            deflater.pieces.push(entry);
        }
        deflater.finish(self.samples)
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The piece at `index`, which is below [`Self::len`].
    pub(super) fn piece(&self, index: usize) -> Piece<'_> {
        let Entry {
            start,
            end,
            len,
            sum,
        } = self.pieces[index];
        Piece {
            deflated: &self.deflated[start as usize..end as usize],
            len,
            sum,
        }
    }
}

/// CRC-32 of a text, ready to be appended to that of another one.
///
/// `crc32fast::Hasher::combine` works the length's power out at every joining, which would take
/// longer than sending the page. Here it is worked out once and kept: joining is one
/// multiplication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    crc: u32,
    /// x to the power of 8 times the length, modulo the polynomial.
    shift: u32,
}

impl Sum {
    /// Of no text.
    const EMPTY: Self = Self {
        crc: 0,
        shift: 1 << 31,
    };

    fn of(text: &[u8]) -> Self {
        let mut shift = Self::EMPTY.shift;
        let mut square = 1 << 23;
        let mut len = text.len();
        while len > 0 {
            if len & 1 == 1 {
                shift = multiplied(square, shift);
            }
            square = multiplied(square, square);
            len >>= 1;
        }
        let crc = crc32fast::hash(text);
        Self { crc, shift }
    }

    /// The sum of both texts, one after the other.
    fn then(self, next: Self) -> Self {
        Self {
            crc: next.after(self.crc),
            shift: multiplied(next.shift, self.shift),
        }
    }

    /// The checksum of this text after one that has the checksum `crc`; that of no text is 0.
    pub(super) fn after(self, crc: u32) -> u32 {
        multiplied(self.shift, crc) ^ self.crc
    }
}

/// Product of two polynomials over GF(2), bits reversed, modulo the polynomial of CRC-32.
fn multiplied(a: u32, mut b: u32) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut product = 0;
    for bit in (0..32).rev() {
        product ^= b & ((a >> bit) & 1).wrapping_neg();
        b = (b >> 1) ^ ((b & 1).wrapping_neg() & POLYNOMIAL);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_of_any_length_is_the_same_compressed() {
        let deflaters = Deflaters::default();
        let texts = [0, 1, 65_535, 65_536, 200_000].map(|length| "ab".repeat(length));
        let push_all = |deflater: &mut Deflater| {
            for text in &texts {
                deflater.push(text);
            }
            deflater.finish(7)
        };
        let plain = deflaters.with(true, push_all);
        let at_once = deflaters.with(false, push_all);
        let later = deflaters.with(false, |deflater| plain.compressed(deflater));
        assert_eq!(later.samples, 7);
        assert!(later.size() < plain.size() / 10);
        for index in 0..texts.len() {
            let (later, at_once) = (later.piece(index), at_once.piece(index));
            assert_eq!(later.deflated, at_once.deflated);
            assert_eq!((later.len, later.sum), (at_once.len, at_once.sum));
        }
    }

    #[test]
    fn joined_parts_are_what_they_were_and_take_no_memory_of_their_own() {
        let deflaters = Deflaters::default();
        let part = |texts: [&str; 3]| {
            deflaters.with(false, |deflater| {
                for text in texts {
                    deflater.push(text);
                }
                deflater.finish(texts.len() as u64)
            })
        };
        let parts = [part(["a", "", "c"]), part(["d", "e", ""])];
        let (whole, shared) = Fragments::join(&[&parts[0], &parts[1]]);
        assert_eq!((whole.samples, whole.piece(0).len), (6, 2));
        for (part, shared) in parts.iter().zip(&shared) {
            assert_eq!(part.samples, shared.samples);
            for index in 0..3 {
                let (part, shared) = (part.piece(index), shared.piece(index));
                assert_eq!(part.deflated, shared.deflated);
                assert_eq!((part.len, part.sum), (shared.len, shared.sum));
                let whole = whole.deflated.as_ptr_range();
                assert!(whole.contains(&shared.deflated.as_ptr()) || part.len == 0);
            }
        }
        // Of parts that share their memory with others, too.
        let (again, _) = Fragments::join(&[&shared[1], &shared[0]]);
        assert_eq!(again.size(), whole.size());
    }

    #[test]
    fn sums_of_parts_join_to_the_sum_of_the_whole() {
        let text: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        for at in [0, 1, 2, 255, 256, 9_999, 10_000] {
            let (head, tail) = text.split_at(at);
            let joined = Sum::EMPTY.then(Sum::of(head)).then(Sum::of(tail));
            assert_eq!(joined, Sum::of(&text), "split at {at}");
            assert_eq!(joined.after(0), crc32fast::hash(&text));
        }
    }
}
