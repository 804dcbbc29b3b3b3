//! A text that must appear in no log, error, page or metric.

use std::fmt;
use std::sync::Arc;

/// A secret; printing it, also with `{:?}`, gives `<redacted>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

/// Why a text cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// White space or other signs that cannot stand in an HTTP header.
    #[error("holds something that cannot be a token: spaces, line breaks or other special signs")]
    NotAToken,
}

impl Secret {
    /// Takes a token, without the white space around it.
    ///
    /// # Errors
    ///
    /// Where nothing is left, or something that cannot stand in an HTTP header.
    pub fn token(text: &str) -> Result<Self, SecretError> {
        let token = text.trim();
        if token.is_empty() {
            return Err(SecretError::Empty);
        }
        if !token.chars().all(|c| c.is_ascii_graphic()) {
            return Err(SecretError::NotAToken);
        }
        Ok(Self(token.into()))
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_redacted() {
        let secret = Secret::token(" glpat-x\n").unwrap();
        assert_eq!(secret.expose(), "glpat-x");
        assert_eq!(format!("{secret} {secret:?}"), "<redacted> <redacted>");
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_no_token() {
        assert_eq!(Secret::token(" \n"), Err(SecretError::Empty));
        assert_eq!(Secret::token("two words"), Err(SecretError::NotAToken));
        assert_eq!(Secret::token("a\nb"), Err(SecretError::NotAToken));
        assert_eq!(Secret::token("schlüssel"), Err(SecretError::NotAToken));
    }
}
