//! A request that was given up, told so that somebody can act on it.

use std::fmt;

use super::fault::Fault;
use crate::base::api::ErrorClass;

/// A request that was given up, with what was asked and what came instead.
#[derive(Debug, Clone)]
pub struct Error(Box<Report>);

#[derive(Debug, Clone)]
pub(super) struct Report {
    /// Method and path, for example `GET /api/v4/projects/7/pipelines`.
    pub(super) asked: String,
    /// Whom it was about, for example `project group/app`.
    pub(super) subject: String,
    /// Whether a token was sent.
    pub(super) with_token: bool,
    /// How often it was sent.
    pub(super) attempts: u32,
    pub(super) fault: Fault,
}

impl Error {
    /// Every value of [`Error::reason`], so that label values can start at zero.
    pub const REASONS: [&'static str; 17] = [
        "unauthorized",
        "forbidden",
        "not_found",
        "refused",
        "rate_limited",
        "server_error",
        "circuit_open",
        "ci_disabled",
        "timeout",
        "connection",
        "certificate",
        "truncated",
        "invalid_json",
        "unexpected",
        "too_large",
        "redirect",
        "paging",
    ];

    pub(super) fn new(report: Report) -> Self {
        Self(Box::new(report))
    }

    /// What came instead of an answer.
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// The fault as a label value, one of [`Error::REASONS`].
    pub fn reason(&self) -> &'static str {
        self.0.fault.reason()
    }

    /// What is counted of the error.
    pub fn class(&self) -> ErrorClass {
        self.0.fault.class()
    }

    /// Whether the same request may be answered later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        self.0.fault.is_retryable()
    }

    /// The same request with what turned out to be behind its error.
    pub(super) fn because(mut self, fault: Fault) -> Self {
        self.0.fault = fault;
        self
    }

    /// Whether GitLab knows no such thing, or hides it.
    pub fn is_not_found(&self) -> bool {
        matches!(self.fault(), Fault::NotFound(_))
    }

    /// How often the request was sent; 0 where it was held back.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &*self.0;
        write!(f, "{}: ", report.asked)?;
        report.write_fault(f)?;
        if report.attempts > 1 {
            write!(f, " ({} attempts)", report.attempts)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_fault(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        match &self.fault {
            Fault::Unauthorized(said) if self.with_token => write!(
                f,
                "401 Unauthorized{}: the token is wrong, expired or revoked; {subject} needs one with scope `read_api`",
                Said(said)
            ),
            Fault::Unauthorized(said) => write!(
                f,
                "401 Unauthorized{}: no token was given; {subject} needs one with scope `read_api`",
                Said(said)
            ),
            Fault::Forbidden(said) => write!(
                f,
                "403 Forbidden{}: the token may not read {subject}; it needs scope `read_api` and at least the Reporter role there",
                Said(said)
            ),
            Fault::CiDisabled => write!(
                f,
                "403 Forbidden: CI/CD is switched off in {subject}; asked again every hour, and no longer if it is left out of what is watched"
            ),
            Fault::NotFound(said) => write!(
                f,
                "404 Not Found{}: {subject} does not exist or is hidden from this token; check its spelling, and that the token has scope `read_api` and is a member there",
                Said(said)
            ),
            Fault::Refused { status, message } => write!(
                f,
                "status {status}{}: GitLab does not answer this for {subject}",
                Said(message)
            ),
            Fault::RateLimited {
                retry_after: Some(wait),
            } => write!(
                f,
                "429 Too Many Requests: GitLab wants {} s without requests; lower `requests_per_second` or watch less often",
                wait.as_secs_f64().ceil()
            ),
            Fault::RateLimited { retry_after: None } => f.write_str(
                "429 Too Many Requests: lower `requests_per_second` or watch less often",
            ),
            Fault::ServerError { status, message } => {
                write!(f, "status {status}{}: GitLab has a problem", Said(message))
            }
            other => other.write_transport(f),
        }
    }
}

/// GitLab's own words, in brackets, where it said any.
struct Said<'a>(&'a str);

impl fmt::Display for Said<'_> {
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

    fn error(fault: Fault, with_token: bool) -> Error {
        Error::new(Report {
            asked: "GET /api/v4/projects/group%2Fapp/pipelines".into(),
            subject: "project group/app".into(),
            with_token,
            attempts: 1,
            fault,
        })
    }

    #[test]
    fn missing_rights_name_the_scope_and_the_project() {
        for fault in [
            Fault::Unauthorized("401 Unauthorized".into()),
            Fault::Forbidden("insufficient_scope".into()),
            Fault::NotFound("404 Project Not Found".into()),
        ] {
            let error = error(fault, true);
            let text = error.to_string();
            assert!(text.contains("`read_api`"), "{text}");
            assert!(text.contains("project group/app"), "{text}");
            assert!(text.starts_with("GET /api/v4/projects/group%2Fapp/pipelines: 40"));
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn without_a_token_the_message_says_that_none_was_given() {
        let text = error(Fault::Unauthorized(String::new()), false).to_string();
        assert!(text.contains("no token was given"), "{text}");
    }
}
