//! The page of one scrape, streamed frame by frame from text that was rendered ahead.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress};
use http_body::{Body, Frame};

use super::format::Format;
use super::fragments::{Fragments, Piece};

/// Everything that was exposed at one moment. Cheap: it shares the rendered text.
#[derive(Debug, Clone)]
pub struct Snapshot {
    format: Format,
    groups: Arc<[Group]>,
}

/// Families that are rendered together, and everything rendered of them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) headers: Headers,
    /// The same number of pieces each.
    pub(super) items: Vec<Arc<Fragments>>,
}

/// HELP and TYPE lines in each format: a piece for each family.
#[derive(Debug, Clone)]
pub(super) struct Headers {
    pub(super) text: Arc<Fragments>,
    pub(super) open_metrics: Arc<Fragments>,
}

impl Headers {
    fn of(&self, format: Format) -> &Fragments {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.open_metrics,
        }
    }
}

impl Snapshot {
    pub(super) fn new(format: Format, groups: impl Into<Arc<[Group]>>) -> Self {
        Self {
            format,
            groups: groups.into(),
        }
    }

    /// The page as one gzip member: joins pieces that were deflated ahead.
    pub fn gzip(&self) -> Page {
        let encoder = Encoder::Gzip { crc: 0, len: 0 };
        self.page(encoder)
    }

    /// The page as plain text: inflates as it goes.
    pub fn identity(&self) -> Page {
        self.page(Encoder::Identity(Box::new(Decompress::new(false))))
    }

    fn page(&self, encoder: Encoder) -> Page {
        Page {
            snapshot: self.clone(),
            position: Position::default(),
            encoder,
            stage: Stage::Start,
        }
    }
}

/// A page on its way: an HTTP body that holds one frame at a time.
#[derive(Debug)]
pub struct Page {
    snapshot: Snapshot,
    position: Position,
    encoder: Encoder,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Pieces,
    End,
}

/// Frames are at least this long, so that the socket is not fed with single families.
const FRAME: usize = 64 * 1024;

impl Page {
    /// The next frame; `None` after the last one.
    fn next_frame(&mut self) -> io::Result<Option<Bytes>> {
        if self.stage == Stage::End {
            return Ok(None);
        }
        let mut frame = Vec::with_capacity(FRAME + FRAME / 4);
        if self.stage == Stage::Start {
            self.encoder.start(&mut frame);
            self.stage = Stage::Pieces;
        }
        while frame.len() < FRAME {
            let Snapshot { format, groups } = &self.snapshot;
            let Some(piece) = self.position.next(groups, *format) else {
                self.encoder.end(&mut frame);
                self.stage = Stage::End;
                break;
            };
            self.encoder.piece(piece, &mut frame)?;
        }
        Ok((!frame.is_empty()).then(|| frame.into()))
    }
}

impl Body for Page {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(
            self.next_frame()
                .map(|frame| frame.map(Frame::data))
                .transpose(),
        )
    }
}

/// Goes through the pieces in the order of the page: by family, then by timeline.
#[derive(Debug, Default)]
struct Position {
    group: usize,
    family: usize,
    item: usize,
    headed: bool,
}

impl Position {
    fn next<'a>(&mut self, groups: &'a [Group], format: Format) -> Option<Piece<'a>> {
        loop {
            let group = groups.get(self.group)?;
            let headers = group.headers.of(format);
            if self.family == headers.len() {
                *self = Self {
                    group: self.group + 1,
                    ..Self::default()
                };
                continue;
            }
            let Some(item) = group.items.get(self.item) else {
                self.family += 1;
                self.item = 0;
                self.headed = false;
                continue;
            };
            let piece = item.piece(self.family);
            // A family without a sample gets no header either.
            if piece.len > 0 && !self.headed {
                self.headed = true;
                return Some(headers.piece(self.family));
            }
            self.item += 1;
            if piece.len > 0 {
                return Some(piece);
            }
        }
    }
}

/// How the pieces are written.
#[derive(Debug)]
enum Encoder {
    Gzip { crc: u32, len: u32 },
    Identity(Box<Decompress>),
}

/// Member header of RFC 1952: deflate, no name, no time, quickest, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// An empty last block, which ends the deflate stream.
const LAST_BLOCK: [u8; 2] = [3, 0];

impl Encoder {
    fn start(&mut self, frame: &mut Vec<u8>) {
        match self {
            Self::Gzip { .. } => frame.extend_from_slice(&GZIP_HEADER),
            Self::Identity(_) => {}
        }
    }

    fn piece(&mut self, piece: Piece<'_>, frame: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Gzip { crc, len } => {
                frame.extend_from_slice(piece.deflated);
                *crc = piece.sum.after(*crc);
                *len = len.wrapping_add(piece.len);
                Ok(())
            }
            Self::Identity(decompress) => inflate(decompress, piece, frame),
        }
    }

    fn end(&mut self, frame: &mut Vec<u8>) {
        match self {
            Self::Gzip { crc, len } => {
                frame.extend_from_slice(&LAST_BLOCK);
                frame.extend_from_slice(&crc.to_le_bytes());
                frame.extend_from_slice(&len.to_le_bytes());
            }
            Self::Identity(_) => {}
        }
    }
}

fn inflate(decompress: &mut Decompress, piece: Piece<'_>, frame: &mut Vec<u8>) -> io::Result<()> {
    let end = frame.len() + piece.len as usize;
    let mut rest = piece.deflated;
    frame.reserve(piece.len as usize + 1);
    while !rest.is_empty() {
        let before = decompress.total_in();
        decompress
            .decompress_vec(rest, frame, FlushDecompress::None)
            .map_err(io::Error::other)?;
        let taken = usize::try_from(decompress.total_in() - before).unwrap_or(rest.len());
        if taken == 0 {
            break;
        }
        rest = &rest[taken..];
    }
    if rest.is_empty() && frame.len() == end {
        Ok(())
    } else {
        Err(io::Error::other(
            "a rendered fragment does not inflate to the length it had",
        ))
    }
}
