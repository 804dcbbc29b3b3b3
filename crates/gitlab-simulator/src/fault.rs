//! The kinds of faults.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Fault {
    /// 500 with JSON.
    InternalError,
    /// 502 with HTML, as from a proxy in front of GitLab.
    BadGateway,
    /// 503 with HTML.
    Unavailable,
    /// 520 with HTML, as from Cloudflare while GitLab does not answer it.
    OriginError,
    /// 404 with HTML, as from a proxy that does not find GitLab.
    ProxyNotFound,
    /// 403 with JSON.
    Forbidden,
    /// The true answer without headers about pages.
    StrippedPaging,
    /// 429 of GitLab's request throttle: plain text with `Retry-After`.
    TooManyRequests,
    /// 429 of an application limit: JSON without headers.
    TooManyRequestsBare,
    /// The connection is closed after half of the body.
    TruncatedBody,
    /// A complete body with only the first half of the JSON.
    InvalidJson,
    /// The connection is closed without an answer, after GitLab did what was asked.
    Reset,
    /// 502 with HTML, after GitLab did what was asked. Only on demand.
    AnswerLost,
    /// A list contains an additional record without `id`.
    RecordWithoutId,
    /// 404, as from a replica that does not have the record yet. Only on demand: a 404 is an answer, too.
    NotYetThere,
    /// An empty list, as from a replica that does not have the records yet. Only on demand.
    EmptyList,
    /// 503 with JSON, as when the database gives up. Only on demand.
    StatementTimeout,
    /// The connection stays open without an answer. Only on demand.
    Hang,
}

impl Fault {
    /// Faults that pass by themselves. A client that took the others for true would be right.
    pub const RANDOM: [Self; 10] = [
        Self::InternalError,
        Self::BadGateway,
        Self::Unavailable,
        Self::OriginError,
        Self::TooManyRequests,
        Self::TooManyRequestsBare,
        Self::TruncatedBody,
        Self::InvalidJson,
        Self::Reset,
        Self::RecordWithoutId,
    ];

    /// Name of the fault on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
