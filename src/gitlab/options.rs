//! How the client is set up: address, token, certificates and limits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use secrecy::SecretString;
use url::Url;

use crate::base::backoff::Backoff;
use crate::base::secret_source::SecretSource;

/// Settings of a [`Client`](super::Client).
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of GitLab; may have a path (installations below a relative URL).
    pub url: Url,
    /// Access token; none reads public projects only.
    pub token: Option<SecretString>,
    /// Where the token is read again when it changes, and when GitLab refuses it.
    pub token_source: Option<Arc<dyn SecretSource>>,
    /// Certificate authorities to trust besides the system's.
    pub certificates: Vec<Certificate>,
    /// For one request, from connecting to the last byte of the body.
    pub timeout: Duration,
    /// For all requests of this client and its clones together.
    pub requests_per_second: f64,
    /// Largest body read, after decompression.
    pub max_response_bytes: usize,
    /// Bytes of the pages of one list after which no further page is read.
    pub max_listing_bytes: usize,
    /// How often one request is sent before its error is given back; at least 1.
    pub max_attempts: u32,
    /// Pauses between the attempts where GitLab names none.
    pub backoff: Backoff,
    /// Longest time one request spends on pauses; a longer wait asked for by GitLab ends it.
    pub max_wait: Duration,
}

impl Options {
    /// The defaults: 10 s, 10 requests a second, 32 MiB a page and 256 MiB a list, 4 attempts, 0.5 s to 30 s of backoff,
    /// two minutes of pauses.
    pub fn new(url: Url, token: Option<SecretString>) -> Self {
        Self {
            url,
            token,
            token_source: None,
            certificates: Vec::new(),
            timeout: Duration::from_secs(10),
            requests_per_second: 10.0,
            max_response_bytes: 32 << 20,
            max_listing_bytes: 256 << 20,
            max_attempts: 4,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30))
                .with_jitter(1.0),
            max_wait: Duration::from_mins(2),
        }
    }
}

/// Why no client can be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address cannot be asked.
    #[error("GitLab's address {url} {problem}; wanted something like https://gitlab.example.com")]
    Url {
        /// The address, without a password.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The token cannot stand in an HTTP header.
    #[error("the token holds characters that no token has; copy it again from GitLab")]
    Token,
    /// A limit that would let no request through.
    #[error("{option} is {found}; wanted a number above 0")]
    Limit {
        /// The field of [`Options`].
        option: &'static str,
        /// Its value.
        found: f64,
    },
    /// TLS could not be set up.
    #[error(
        "cannot set up TLS: {problem}; are the system's certificates (`ca-certificates`) installed?"
    )]
    Tls {
        /// What the TLS library says.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_print_without_their_token() {
        let url = Url::parse("https://example.com").unwrap();
        let options = Options::new(url, Some("glpat-secret".into()));
        assert!(!format!("{options:?}").contains("secret"));
    }
}
