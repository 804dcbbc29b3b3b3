//! Tells random texts from words, paths, versions, digests and ids.

/// Kinds of characters in a text.
#[derive(Debug, Default, Clone, Copy)]
struct Kinds {
    upper: usize,
    lower: usize,
    digit: usize,
    other: usize,
    /// Changes from one kind to another, other than from a capital to the small letters of its word.
    changes: usize,
}

impl Kinds {
    fn of(text: &str) -> Self {
        let mut kinds = Self::default();
        let mut last = 0;
        for byte in text.bytes() {
            let (count, kind) = match byte {
                b'A'..=b'Z' => (&mut kinds.upper, 1),
                b'a'..=b'z' => (&mut kinds.lower, 2),
                b'0'..=b'9' => (&mut kinds.digit, 3),
                _ => (&mut kinds.other, 0),
            };
            *count += 1;
            kinds.changes +=
                usize::from(last != 0 && kind != 0 && kind != last && (last, kind) != (1, 2));
            last = kind;
        }
        kinds
    }

    fn letters_and_digits(self) -> usize {
        self.upper + self.lower + self.digit
    }
}

/// Characters of tokens and of base64.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-')
}

/// Whether a text without any context is a secret by its look: long, with capitals, small letters and digits
/// in no order. Digests and UUIDs have one case, words few changes.
pub(super) fn is_random(text: &str) -> bool {
    let kinds = Kinds::of(text);
    let length = kinds.letters_and_digits();
    length >= 20
        && kinds.upper >= 3
        && kinds.lower >= 3
        && kinds.digit >= 1
        && kinds.other * 4 <= length
        // A random text of 62 characters changes in a little under half of its places.
        && kinds.changes * 4 >= length
}

/// Whether a text behind a word such as `key` is likely a secret: random, or hex digits.
pub(super) fn is_likely(text: &str) -> bool {
    let kinds = Kinds::of(text);
    let length = kinds.letters_and_digits();
    if length < 12 || text.contains("://") || text.starts_with(['/', '.', '~', '$']) {
        return false;
    }
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mixed =
        kinds.digit >= 2 && kinds.upper + kinds.lower >= 2 || kinds.upper >= 3 && kinds.lower >= 3;
    is_hex && length >= 24 || mixed && kinds.other * 6 <= length && kinds.changes * 5 >= length
}

/// Whether a word may be a piece of a secret: not a plain word, number or path.
pub(super) fn is_piece(text: &str) -> bool {
    let kinds = Kinds::of(text);
    let has_two = [kinds.upper, kinds.lower, kinds.digit]
        .iter()
        .filter(|n| **n > 0)
        .count()
        >= 2;
    text.len() >= 4 && text.bytes().all(is_token_byte) && has_two && kinds.changes * 6 >= text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_are_told_from_ids_and_words() {
        for secret in [
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCY",
            "aB3dEfGhIjKlMnOpQr9sT2u",
            "Zm9vYmFyOmJhejEyMzQ1Njc4OTA=",
        ] {
            assert!(is_random(secret), "{secret}");
        }
        for text in [
            "0123456789abcdef0123456789abcdef01234567",
            "123e4567-e89b-12d3-a456-426614174000",
            "AbstractSingletonProxyFactoryBean2",
            "TestHTTPServerWithTLS13AndHTTP2",
            "/builds/acme/Shop/src/Cart2.java",
            "2026-01-05T08:01:00.123456Z",
            "x86_64-unknown-linux-gnu-1.95.0",
            "serde_derive-1.0.219.crate",
        ] {
            assert!(!is_random(text), "{text}");
        }
    }
}
