//! How the client is set up: address, token, certificates and limits.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::base::backoff::Backoff;

/// Settings of a [`Client`](super::Client).
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of GitLab; may have a path (installations below a relative URL).
    pub url: Url,
    /// Access token; none reads public projects only.
    pub token: Option<Token>,
    /// PEM file with further trusted certificates, on top of the system's.
    pub ca_file: Option<PathBuf>,
    /// For one request, from connecting to the last byte of the body.
    pub timeout: Duration,
    /// For all requests of this client and its clones together.
    pub requests_per_second: f64,
    /// Largest body read, after decompression.
    pub max_response_bytes: usize,
    /// How often one request is sent before its error is given back; at least 1.
    pub max_attempts: u32,
    /// Pauses between the attempts where GitLab names none.
    pub backoff: Backoff,
    /// Longest time one request spends on pauses; a longer wait asked for by GitLab ends it.
    pub max_wait: Duration,
}

impl Options {
    /// The defaults: 10 s, 10 requests a second, 32 MiB, 4 attempts, 0.5 s to 30 s of backoff,
    /// two minutes of pauses.
    pub fn new(url: Url, token: Option<Token>) -> Self {
        Self {
            url,
            token,
            ca_file: None,
            timeout: Duration::from_secs(10),
            requests_per_second: 10.0,
            max_response_bytes: 32 << 20,
            max_attempts: 4,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30))
                .with_jitter(1.0),
            max_wait: Duration::from_mins(2),
        }
    }
}

/// An access token. Prints as `<redacted>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// Takes a token as GitLab issued it; the error never repeats it.
    pub fn new(secret: String) -> Result<Self, TokenError> {
        if secret.is_empty() {
            Err(TokenError::Empty)
        } else if secret.chars().any(char::is_whitespace) {
            Err(TokenError::Whitespace)
        } else if !secret.chars().all(|c| c.is_ascii_graphic()) {
            Err(TokenError::Characters)
        } else {
            Ok(Self(secret.into()))
        }
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Why a text is no access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing at all.
    #[error("the token is empty; give a GitLab access token with scope `read_api`")]
    Empty,
    /// A blank or a line end, mostly from a file with more than the token in it.
    #[error("the token holds blanks or line ends; give the token alone, on one line")]
    Whitespace,
    /// Control characters or letters outside of ASCII, which no token has.
    #[error("the token holds characters other than visible ASCII; copy it again from GitLab")]
    Characters,
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
    /// The certificate file cannot be read.
    #[error("CA file {path}: {source}; give a readable PEM file", path = path.display())]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate file was read but is not what it should be.
    #[error("CA file {path}: {problem}; wanted one or more PEM blocks `BEGIN CERTIFICATE`", path = path.display())]
    CaInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
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
    fn a_token_prints_as_redacted() {
        let token = Token::new("glpat-secret".into()).unwrap();
        assert_eq!(format!("{token} {token:?}"), "<redacted> <redacted>");
        let options = Options::new(Url::parse("https://example.com").unwrap(), Some(token));
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn a_text_that_is_no_token_is_refused_without_repeating_it() {
        for (text, wanted) in [
            ("", TokenError::Empty),
            ("glpat-secret\n", TokenError::Whitespace),
            (" ", TokenError::Whitespace),
            ("secret\u{0}", TokenError::Characters),
            ("secrét", TokenError::Characters),
        ] {
            let refused = Token::new(text.into()).unwrap_err();
            assert_eq!(refused, wanted);
            assert!(!refused.to_string().contains("secr"));
        }
    }
}
