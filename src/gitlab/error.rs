//! A request that failed for good, with a message that says what to do.

use std::fmt;
use std::time::Duration;

use super::error_kind::{ErrorKind, RateLimit};
use crate::base::api::ErrorClass;

/// A request that failed for good.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
pub(super) struct Details {
    /// Method and path, for example `GET /api/v4/projects/7/pipelines`.
    pub(super) asked: String,
    /// Whom it was about, for example `project group/app`.
    pub(super) subject: String,
    /// Whether a token was sent.
    pub(super) with_token: bool,
    /// How often it was sent.
    pub(super) attempts: u32,
    pub(super) kind: ErrorKind,
}

impl Error {
    pub(super) fn new(details: Details) -> Self {
        Self(Box::new(details))
    }

    /// Why the request failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The kind as a word.
    pub fn reason(&self) -> &'static str {
        self.kind().into()
    }

    /// The class that the error is counted under.
    pub fn class(&self) -> ErrorClass {
        self.kind().class()
    }

    /// Whether the same request may succeed later without a change of the configuration.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// The same request with the cause that turned out to be behind its error.
    pub(super) fn because(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Whether GitLab's API itself refused or denied the requested record. Any other error says nothing about it: it
    /// may exist, and the token may be allowed to read it.
    pub fn is_refusal(&self) -> bool {
        self.kind().is_refusal()
    }

    /// Whether GitLab refused the token as a whole, and not only the requested record.
    pub fn is_of_the_token(&self) -> bool {
        self.kind().is_of_the_token()
    }

    /// 404: GitLab knows no such thing, or hides it.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind(), ErrorKind::NotFound(_))
    }

    /// How often the request was sent; 0 where it was held back.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        write!(f, "{}: ", details.asked)?;
        details.write_refusal(f)?;
        if details.attempts > 1 {
            write!(f, " ({} attempts)", details.attempts)?;
        }
        Ok(())
    }
}

impl Details {
    fn write_refusal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        let acts = self.asked.starts_with("POST");
        let scope = if acts { "api" } else { "read_api" };
        match &self.kind {
            ErrorKind::Unauthorized(message) => {
                let problem = if self.with_token {
                    "the token is wrong, expired or revoked"
                } else {
                    "no token was given"
                };
                let message = Quoted(message);
                write!(
                    f,
                    "401 Unauthorized{message}: {problem}; {subject} needs one with scope `{scope}`"
                )
            }
            ErrorKind::Forbidden(message) if acts => write!(
                f,
                "403 Forbidden{}: the token may not change {subject}; it needs scope `{scope}`, at least the Developer role \
                 there, and the right to merge into a protected branch",
                Quoted(message)
            ),
            ErrorKind::Forbidden(message) => write!(
                f,
                "403 Forbidden{}: the token may not read {subject}; it needs scope `{scope}` and at least the Reporter role there",
                Quoted(message)
            ),
            ErrorKind::CiDisabled => write!(
                f,
                "403 Forbidden: CI/CD is switched off in {subject}; it is asked again every hour until it is left out of `watch`"
            ),
            ErrorKind::NotFound(message) => write!(
                f,
                "404 Not Found{}: {subject} does not exist or is hidden from this token; check its spelling, and that the token has scope `read_api` and is a member there",
                Quoted(message)
            ),
            ErrorKind::Refused { status, message } => write!(
                f,
                "status {status}{}: GitLab does not answer this for {subject}",
                Quoted(message)
            ),
            ErrorKind::RateLimited { retry_after, told } => {
                write_rate_limit(f, *told, *retry_after)?;
                f.write_str("lower `requests_per_second` or watch less often")
            }
            ErrorKind::ServerError { status, message } => {
                let whose = match status {
                    520..=530 => "the proxy in front of GitLab",
                    _ => "GitLab",
                };
                write!(
                    f,
                    "status {status}{}: {whose} has a problem",
                    Quoted(message)
                )
            }
            other => other.write_no_answer(f),
        }
    }
}

fn write_rate_limit(
    f: &mut fmt::Formatter<'_>,
    told: RateLimit,
    wait: Option<Duration>,
) -> fmt::Result {
    let seconds = wait.map(|wait| wait.as_secs_f64().ceil());
    match told {
        RateLimit::Answer => f.write_str("429 Too Many Requests: ")?,
        RateLimit::EarlierAnswer => {
            f.write_str("not sent, because GitLab answered 429 Too Many Requests before: ")?;
        }
        RateLimit::SpentBudget => f.write_str(
            "not sent, because an earlier answer of GitLab had the header `RateLimit-Remaining: 0`: ",
        )?,
    }
    match (told, seconds) {
        (_, None) => Ok(()),
        (RateLimit::Answer, Some(seconds)) => {
            write!(f, "GitLab wants {seconds} s without requests; ")
        }
        (_, Some(seconds)) => write!(f, "it is asked again in {seconds} s; "),
    }
}

/// A message of the server, in brackets, where there is one.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, " (\"{}\")", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, with_token: bool) -> Error {
        Error::new(Details {
            asked: "GET /api/v4/projects/group%2Fapp/pipelines".into(),
            subject: "project group/app".into(),
            with_token,
            attempts: 1,
            kind,
        })
    }

    #[test]
    fn missing_rights_name_the_scope_and_the_project() {
        for kind in [
            ErrorKind::Unauthorized("401 Unauthorized".into()),
            ErrorKind::Forbidden("insufficient_scope".into()),
            ErrorKind::NotFound("404 Project Not Found".into()),
        ] {
            let error = error(kind, true);
            let text = error.to_string();
            assert!(text.contains("`read_api`"), "{text}");
            assert!(text.contains("project group/app"), "{text}");
            assert!(text.starts_with("GET /api/v4/projects/group%2Fapp/pipelines: 40"));
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn without_a_token_the_message_says_that_none_was_given() {
        let text = error(ErrorKind::Unauthorized(String::new()), false).to_string();
        assert!(text.contains("no token was given"), "{text}");
    }
}
