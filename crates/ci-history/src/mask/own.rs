//! The exporter's own secrets, which are masked wherever they appear.

use super::spans::Spans;

/// Shorter texts are no secrets, and would mask every text.
const SHORTEST: usize = 4;

/// Adds every place of a secret, also of its base64 and percent-encoding.
pub(super) fn find(text: &str, secrets: &[String], spans: &mut Spans) {
    for secret in secrets {
        for (at, found) in text.match_indices(secret.as_str()) {
            spans.add(at..at + found.len());
        }
    }
}

/// The forms in which a secret may appear.
pub(super) fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned(), percent(secret)];
    for before in 0..3 {
        // In base64 a text has three forms, by its place. The first and last characters depend on the
        // neighbours.
        let mut bytes = vec![0; before];
        bytes.extend(secret.bytes());
        let whole = base64(&bytes);
        let from = [0, 2, 3][before];
        let to = bytes.len() * 8 / 6;
        if to - from >= 2 * SHORTEST {
            forms.push(whole[from..to].replace('+', "-").replace('/', "_"));
            forms.push(whole[from..to].to_owned());
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            encoded.push(char::from(DIGITS[bits >> (18 - 6 * digit) & 63]));
        }
    }
    encoded
}
