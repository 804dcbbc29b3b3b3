//! The ways a request can fail, and which of them pass by themselves.

use std::fmt;
use std::time::Duration;

use crate::base::api::ErrorClass;

/// What rustls says of an answer that is no TLS.
const NO_TLS: &str = "InvalidContentType";

/// Why a request failed. Its words are those of [`Error::reason`](super::Error::reason).
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// 401; with GitLab's words.
    Unauthorized(String),
    /// 403; with GitLab's words.
    Forbidden(String),
    /// 404; with GitLab's words.
    NotFound(String),
    /// A page or text of a proxy in front of GitLab, where GitLab's API would have answered with JSON. It says
    /// nothing about the requested record.
    NotFromGitLab {
        /// The HTTP status.
        status: u16,
        /// The start of the text, or the title of the page.
        message: String,
    },
    /// Another status that is no answer and that asking again does not change.
    Refused {
        /// The HTTP status.
        status: u16,
        /// GitLab's words.
        message: String,
    },
    /// 429, or a request held back because of an earlier one.
    RateLimited {
        /// The wait GitLab asked for, where it did.
        retry_after: Option<Duration>,
        /// How GitLab said so.
        told: RateLimit,
    },
    /// A status of 500 and above.
    ServerError {
        /// The HTTP status.
        status: u16,
        /// GitLab's words.
        message: String,
    },
    /// Not asked, because GitLab kept failing.
    CircuitOpen {
        /// Time until it is asked again.
        retry_in: Duration,
    },
    /// 403, because CI/CD is switched off in the project.
    CiDisabled,
    /// Not answered within the configured time.
    Timeout {
        /// The configured time.
        after: Duration,
    },
    /// Not connected, or the connection broke before an answer.
    Connection(String),
    /// The server's certificate is not trusted.
    Certificate(String),
    /// The body ended before its end.
    Truncated(String),
    /// The body is no JSON.
    InvalidJson(String),
    /// JSON, but not the shape this endpoint answers with.
    Unexpected(String),
    /// The body is larger than allowed.
    TooLarge {
        /// The configured number of bytes.
        limit: usize,
    },
    /// The pages of a list together are larger than allowed.
    ListingTooLarge {
        /// The configured number of bytes.
        limit: usize,
    },
    /// A redirect that is not followed, as it leaves this GitLab's API.
    Redirect {
        /// Where to, as far as it was said.
        to: String,
    },
    /// The pages of a list do not end, or lead elsewhere.
    Paging(String),
}

/// How GitLab said that a request comes too soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// It answered this request with 429.
    Answer,
    /// It answered an earlier request with 429.
    EarlierAnswer,
    /// The headers of an earlier answer leave no more requests: `RateLimit-Remaining: 0`.
    SpentBudget,
}

impl ErrorKind {
    pub(super) fn class(&self) -> ErrorClass {
        match self {
            Self::Timeout { .. } => ErrorClass::Timeout,
            Self::Connection(_) | Self::Certificate(_) => ErrorClass::Connection,
            Self::Unauthorized(_) => ErrorClass::Unauthorized,
            Self::Forbidden(_) => ErrorClass::Forbidden,
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::RateLimited { .. } => ErrorClass::RateLimited,
            Self::ServerError { .. } => ErrorClass::ServerError,
            Self::CircuitOpen { .. } => ErrorClass::CircuitOpen,
            Self::CiDisabled => ErrorClass::CiDisabled,
            Self::Truncated(_)
            | Self::InvalidJson(_)
            | Self::Unexpected(_)
            | Self::NotFromGitLab { .. } => ErrorClass::InvalidAnswer,
            Self::Refused { .. }
            | Self::TooLarge { .. }
            | Self::ListingTooLarge { .. }
            | Self::Redirect { .. }
            | Self::Paging(_) => ErrorClass::Other,
        }
    }

    /// The same error with each text that came from outside put through `change`.
    pub(super) fn map_text(mut self, change: impl FnOnce(&str) -> String) -> Self {
        match &mut self {
            Self::Unauthorized(text)
            | Self::Forbidden(text)
            | Self::NotFound(text)
            | Self::Connection(text)
            | Self::Certificate(text)
            | Self::Truncated(text)
            | Self::InvalidJson(text)
            | Self::Unexpected(text)
            | Self::Paging(text)
            | Self::Redirect { to: text }
            | Self::Refused { message: text, .. }
            | Self::NotFromGitLab { message: text, .. }
            | Self::ServerError { message: text, .. } => *text = change(text),
            Self::RateLimited { .. }
            | Self::CircuitOpen { .. }
            | Self::CiDisabled
            | Self::Timeout { .. }
            | Self::TooLarge { .. }
            | Self::ListingTooLarge { .. } => {}
        }
        self
    }

    /// Whether GitLab itself answered, also with a refusal.
    pub(super) fn is_an_answer(&self) -> bool {
        !matches!(
            self,
            Self::ServerError { .. }
                | Self::Timeout { .. }
                | Self::Connection(_)
                | Self::Certificate(_)
                | Self::Truncated(_)
                | Self::InvalidJson(_)
                | Self::NotFromGitLab { .. }
        )
    }

    pub(super) fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::CircuitOpen { .. }
                | Self::Timeout { .. }
                | Self::Connection(_)
                | Self::Truncated(_)
                | Self::InvalidJson(_)
                | Self::NotFromGitLab { .. }
                | Self::ServerError { .. }
        )
    }

    /// Whether GitLab's API itself refused or denied the requested record. Any other error says nothing about it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Forbidden(_) | Self::NotFound(_) | Self::CiDisabled | Self::Refused { .. }
        )
    }

    /// Whether GitLab refused the token, and not only one record: 401, or 403 for a missing scope.
    pub(super) fn is_of_the_token(&self) -> bool {
        match self {
            Self::Unauthorized(_) => true,
            Self::Forbidden(message) => {
                let words = [
                    "insufficient_scope",
                    "insufficient scope",
                    "higher privileges",
                ];
                words.iter().any(|words| message.contains(words))
            }
            _ => false,
        }
    }

    /// Whether the request took longer than GitLab, its database or a proxy in between allows.
    pub(super) fn is_too_slow(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::ServerError { status, .. } => matches!(status, 500 | 503 | 504 | 524),
            _ => false,
        }
    }

    /// Writes the kinds that need no subject.
    pub(super) fn write_no_answer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CircuitOpen { retry_in } => write!(
                f,
                "not asked: GitLab kept failing; the next try is in {} s",
                retry_in.as_secs_f64().ceil()
            ),
            Self::Timeout { after } => write!(
                f,
                "not answered within {} s; raise `timeout` if this GitLab is that slow",
                after.as_secs_f64()
            ),
            Self::Connection(detail) if detail.contains(NO_TLS) => write!(
                f,
                "no connection: the server answers without TLS ({detail}); is its address http:// in place of https://?"
            ),
            Self::Connection(detail) => write!(
                f,
                "no connection: {detail}; is GitLab up, and its address right?"
            ),
            Self::Certificate(detail) => write!(
                f,
                "GitLab's certificate is not trusted: {detail}; name its CA in `ca_file`"
            ),
            Self::Truncated(detail) => write!(f, "the answer was cut off: {detail}"),
            Self::InvalidJson(detail) => write!(
                f,
                "the answer is no JSON: {detail}; is the address that of GitLab, or of something before it?"
            ),
            Self::NotFromGitLab { status, message } => write!(
                f,
                "status {status} from something in front of GitLab, not from its API: {message}; is the address that of GitLab, \
                 with its path?"
            ),
            Self::Unexpected(detail) => write!(f, "the answer is not what GitLab sends: {detail}"),
            Self::TooLarge { limit } => {
                write!(f, "the answer is larger than the {limit} bytes allowed")
            }
            Self::ListingTooLarge { limit } => write!(
                f,
                "the list has more than {limit} bytes; raise `limits.listing_bytes`"
            ),
            Self::Redirect { to } => write!(
                f,
                "redirected to {to}, outside of this GitLab's API; not followed, so that the token stays here: put the right address into `url`"
            ),
            Self::Paging(detail) => write!(f, "the list has no end that can be reached: {detail}"),
            _ => f.write_str(self.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_a_word_for_the_kind() {
        let kind = ErrorKind::InvalidJson(String::new());
        assert_eq!(<&str>::from(&kind), "invalid_json");
        assert_eq!(<&str>::from(&ErrorKind::CiDisabled), "ci_disabled");
    }

    #[test]
    fn every_server_error_and_every_page_of_a_proxy_passes_and_denies_nothing() {
        let message = String::new;
        for status in [500, 501, 502, 503, 504, 505, 511, 520, 524, 530, 599] {
            let kind = ErrorKind::ServerError {
                status,
                message: message(),
            };
            assert!(kind.is_retryable() && !kind.is_refusal(), "{status}");
        }
        for status in [200, 401, 403, 404] {
            let kind = ErrorKind::NotFromGitLab {
                status,
                message: message(),
            };
            assert!(kind.is_retryable() && !kind.is_refusal(), "{status}");
            assert!(!kind.is_an_answer() && !kind.is_of_the_token(), "{status}");
        }
    }

    #[test]
    fn a_refused_part_is_told_from_a_refused_token() {
        let forbidden = |message: &str| ErrorKind::Forbidden(message.to_owned());
        assert!(forbidden("insufficient_scope").is_of_the_token());
        let described = "The request requires higher privileges than provided by the access token.";
        assert!(forbidden(described).is_of_the_token());
        assert!(ErrorKind::Unauthorized(String::new()).is_of_the_token());
        for message in [
            "403 Forbidden",
            "",
            "You are not authorized to perform this action",
        ] {
            assert!(!forbidden(message).is_of_the_token(), "{message}");
            assert!(forbidden(message).is_refusal());
        }
    }
}
