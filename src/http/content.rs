//! The body of a response: whole, shared and sent part by part, or a page of metrics that is rendered as it goes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::metrics::Page;

/// Bytes of a whole body that are sent at a time, so that each one that a client reads is progress.
const PART: usize = 32 * 1024;

/// The body of a response.
pub(super) enum Content {
    Whole(Bytes),
    Metrics(Box<Page>),
}

impl Content {
    /// Bytes that it keeps in memory until they are read.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Metrics(_) => 0,
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let part = bytes.split_to(bytes.len().min(PART));
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            Self::Metrics(page) => Pin::new(page.as_mut()).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Metrics(page) => page.size_hint(),
        }
    }
}
