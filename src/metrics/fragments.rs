//! Rendered text, deflated ahead so that any sequence of pieces makes one ordinary gzip member.
//!
//! Every piece ends in a full flush: it ends on a byte boundary and nothing after it refers back to
//! it, so pieces may be put into any order (RFC 1951, 3.2.4). The checksum of the whole follows
//! from those of the pieces.

use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Compression, FlushCompress, Status};

/// Pieces of text that are kept together, one for each family of a group.
#[derive(Debug)]
pub(super) struct Fragments {
    deflated: Box<[u8]>,
    pieces: Box<[Entry]>,
    /// Samples in all pieces.
    pub(super) samples: u64,
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
    end: u32,
    len: u32,
    sum: Sum,
}

/// Deflates texts into [`Fragments`]; keeps its tables between uses.
pub(super) struct Deflater {
    compress: Compress,
    out: Vec<u8>,
    pieces: Vec<Entry>,
}

impl Deflater {
    pub(super) fn new() -> Self {
        Self {
            compress: Compress::new(LEVEL, false),
            out: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Adds a piece; an empty text makes an empty piece.
    pub(super) fn push(&mut self, text: &str) {
        if !text.is_empty() {
            deflate(&mut self.compress, text.as_bytes(), &mut self.out);
        }
        self.pieces.push(Entry {
            end: bounded(self.out.len()),
            len: bounded(text.len()),
            sum: Sum::of(text.as_bytes()),
        });
    }

    /// The pieces added since the last call.
    pub(super) fn finish(&mut self, samples: u64) -> Fragments {
        self.compress.reset();
        let fragments = Fragments {
            deflated: Box::from(&*self.out),
            pieces: Box::from(&*self.pieces),
            samples,
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
    /// Works with a deflater that nobody else uses meanwhile.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Deflater) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut deflater = idle().pop().unwrap_or_else(Deflater::new);
        let done = work(&mut deflater);
        idle().push(deflater);
        done
    }
}

/// Names repeat line after line, so the quickest level is nearly as good as the best.
const LEVEL: Compression = Compression::new(2);

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

fn bounded(len: usize) -> u32 {
    u32::try_from(len).expect("the text of a shard's timelines stays below 4 GiB")
}

impl Fragments {
    /// Joins each piece with those of the same index; all have the same number of pieces.
    pub(super) fn join(parts: &[&Self]) -> Self {
        let count = parts.first().map_or(0, |part| part.len());
        let size = parts.iter().map(|part| part.deflated.len()).sum();
        let mut deflated = Vec::with_capacity(size);
        let mut pieces = Vec::with_capacity(count);
        for index in 0..count {
            let (mut len, mut sum) = (0, Sum::EMPTY);
            for piece in parts.iter().map(|part| part.piece(index)) {
                deflated.extend_from_slice(piece.deflated);
                len += piece.len as usize;
                sum = sum.then(piece.sum);
            }
            pieces.push(Entry {
                end: bounded(deflated.len()),
                len: bounded(len),
                sum,
            });
        }
        Self {
            deflated: deflated.into(),
            pieces: pieces.into(),
            samples: parts.iter().map(|part| part.samples).sum(),
        }
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The piece at `index`, which is below [`Self::len`].
    pub(super) fn piece(&self, index: usize) -> Piece<'_> {
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.pieces[before].end);
        let Entry { end, len, sum } = self.pieces[index];
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
