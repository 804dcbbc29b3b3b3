//! Secrets in disguise: base64, percent-encoding and hexadecimal digits.

use std::ops::Range;

use super::spans::Spans;

/// Texts that are decoded are at least that long.
const SHORTEST: usize = 16;

/// Adds encoded texts that hold secrets when decoded. `has_secret` looks at a decoded text.
pub(super) fn find(text: &str, has_secret: &dyn Fn(&str) -> bool, spans: &mut Spans) {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte);
    for run in runs(text, &is_base64) {
        let content = text[run.clone()].as_bytes();
        let decoded = hexadecimal(content).or_else(|| base64(content));
        if decoded.is_some_and(|decoded| is_pair(&decoded) || has_secret(&decoded)) {
            spans.add(run);
        }
    }
    let is_word = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>');
    for run in runs(text, &is_word) {
        let content = &text[run.clone()];
        if percent(content).is_some_and(|decoded| has_secret(&decoded)) {
            spans.add(run);
        }
    }
}

fn runs(text: &str, is_part: &dyn Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = 0;
    for (at, byte) in text.bytes().chain([b' ']).enumerate() {
        if at == text.len() || !is_part(byte) {
            if at - start >= SHORTEST {
                runs.push(start..at);
            }
            start = at + 1;
        }
    }
    runs
}

/// Whether a decoded text is `user:password`.
fn is_pair(text: &str) -> bool {
    let Some((user, password)) = text.trim().split_once(':') else {
        return false;
    };
    let is_user = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@-$+".contains(&byte);
    let is_graphic = password.bytes().all(|byte| byte.is_ascii_graphic());
    !user.is_empty() && user.bytes().all(is_user) && password.len() >= 4 && is_graphic
}

fn base64(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    readable(bytes)
}

fn hexadecimal(text: &[u8]) -> Option<String> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.chunks_exact(2).map(|pair| byte(pair[0], pair[1]));
    readable(pairs.collect::<Option<_>>()?)
}

fn percent(text: &str) -> Option<String> {
    if text.bytes().filter(|byte| *byte == b'%').count() < 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(next) = rest.next() {
        let mut digits = rest.clone();
        match (next, digits.next(), digits.next()) {
            (b'%', Some(high), Some(low)) if byte(high, low).is_some() => {
                bytes.extend(byte(high, low));
                rest = digits;
            }
            _ => bytes.push(next),
        }
    }
    readable(bytes)
}

fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The text, unless it has control characters: then it was not encoded.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    (text.len() >= 8 && text.chars().all(is_text)).then_some(text)
}
