//! Answers as they are sent: headers, compression, and bodies that break off.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Response, header};
use http_body::{Body, Frame};

use super::fault::Fault;
use super::moment::Moment;
use super::reply::{Content, Reply};

pub(super) fn response(
    reply: Reply,
    fault: Option<Fault>,
    gzip: bool,
    now: Moment,
) -> Response<CuttableBody> {
    let (kind, mut body) = match reply.content {
        Content::Json(value) => ("application/json", value.to_string().into_bytes()),
        Content::Text(text) => ("text/plain; charset=utf-8", text.into_bytes()),
        Content::Html(text) => ("text/html", text.into_bytes()),
    };
    if fault == Some(Fault::InvalidJson) {
        body.truncate(body.len() / 2);
    }
    let compressed = if gzip { compress(&body) } else { None };
    let mut builder = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::VARY, "Accept-Encoding, Origin")
        .header(header::DATE, now.http_date());
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    if let Some(smaller) = compressed {
        body = smaller;
        builder = builder.header(header::CONTENT_ENCODING, "gzip");
    }
    let cut = fault == Some(Fault::TruncatedBody);
    let response = builder
        .header(header::CONTENT_LENGTH, body.len())
        .body(CuttableBody::new(body, cut));
    response.unwrap_or_else(|_| Response::new(CuttableBody::new(Vec::new(), true)))
}

fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
pub(super) struct ConnectionReset;

/// A body that can end with a connection error after its first half.
pub(super) struct CuttableBody {
    part: Option<Bytes>,
    cut: bool,
    flushed: bool,
}

impl CuttableBody {
    fn new(mut body: Vec<u8>, cut: bool) -> Self {
        if cut {
            body.truncate(body.len() / 2);
        }
        Self {
            part: Some(Bytes::from(body)),
            cut,
            flushed: false,
        }
    }
}

impl Body for CuttableBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(part) = self.part.take().filter(|part| !part.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        // Yields once, so that hyper sends the first half before the connection is closed.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }
}
