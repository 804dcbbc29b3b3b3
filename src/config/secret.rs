//! Secrets, which must appear in no log, error, page or metric.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::file;

/// GitLab's prefix of signing tokens.
const SIGNING_PREFIX: &str = "whsec_";

/// A token without the white space around it, which can stand in an HTTP header.
pub(super) fn token(text: &str) -> Result<SecretString, &'static str> {
    let token = text.trim();
    if token.is_empty() {
        return Err("is empty");
    }
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(
            "holds characters that no token has: spaces, line breaks or other special characters",
        );
    }
    Ok(token.into())
}

/// The token that a file holds.
pub(super) fn token_of_file(content: &[u8]) -> Result<SecretString, String> {
    token(file::text(content)?).map_err(|why| format!("the file {why}"))
}

/// Fewest characters of a webhook's token, and bytes of its signing key.
const SHORTEST_HOOK_SECRET: usize = 16;

/// A webhook's token: whoever guesses it can send webhooks.
pub(super) fn hook_token_of_file(content: &[u8]) -> Result<SecretString, String> {
    let token = token_of_file(content)?;
    long_enough(token.expose_secret().len())?;
    Ok(token)
}

fn long_enough(length: usize) -> Result<(), String> {
    if length >= SHORTEST_HOOK_SECRET {
        return Ok(());
    }
    Err(format!(
        "the file holds a secret of length {length}, which is easy to guess; it needs at least {SHORTEST_HOOK_SECRET} characters, such as those of `openssl rand -hex 32`"
    ))
}

/// The bytes of the signing token that a file holds.
pub(super) fn signing_key_of_file(content: &[u8]) -> Result<SecretSlice<u8>, String> {
    let text = file::text(content)?.trim();
    if text.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let encoded = text.strip_prefix(SIGNING_PREFIX).unwrap_or(text);
    match STANDARD.decode(encoded) {
        Ok(key) if !key.is_empty() => {
            long_enough(key.len())?;
            Ok(key.into())
        }
        _ => Err(format!("the file holds no base64 after `{SIGNING_PREFIX}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_without_the_white_space_around_it() {
        assert_eq!(token(" glpat-x\n").unwrap().expose_secret(), "glpat-x");
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_not_a_token() {
        for text in [" \n", "two words", "a\nb", "schlüssel", "secret\u{0}"] {
            let refused = token(text).unwrap_err();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_signing_key_is_base64_with_or_without_its_prefix() {
        let encoded = STANDARD.encode([7; SHORTEST_HOOK_SECRET]);
        for text in [format!("whsec_{encoded}\n"), encoded] {
            let key = signing_key_of_file(text.as_bytes()).unwrap();
            assert_eq!(key.expose_secret(), [7; SHORTEST_HOOK_SECRET]);
        }
        for text in ["", "whsec_", "whsec_not base64"] {
            assert!(signing_key_of_file(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_of_a_webhook_that_can_be_guessed_is_refused() {
        assert!(hook_token_of_file(b"0123456789abcdef\n").is_ok());
        for text in ["x", "0123456789abcde"] {
            let refused = hook_token_of_file(text.as_bytes()).unwrap_err();
            assert!(refused.contains("at least 16"), "{refused}");
            assert!(!refused.contains("abcde"), "{refused}");
        }
        let refused = signing_key_of_file(b"whsec_AQID").unwrap_err();
        assert!(refused.contains("length 3"), "{refused}");
    }
}
