//! Reads the body of a request, up to a bound.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;

/// Why a body was not read to its end.
pub(super) enum Unread {
    TooLarge,
    Cut,
}

/// Joins the body as it comes: kept apart, chunks of a byte would take many times their size.
pub(super) async fn read<B: Body<Data = Bytes>>(
    body: B,
    most_bytes: usize,
) -> Result<Bytes, Unread> {
    let mut body = pin!(body);
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else {
            continue;
        };
        if data.len() > most_bytes - read.len() {
            return Err(Unread::TooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}
