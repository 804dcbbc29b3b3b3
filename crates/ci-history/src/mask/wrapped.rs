//! Secrets that go on in the next lines.

use std::collections::HashSet;
use std::ops::Range;

use super::entropy;
use super::spans::Spans;

/// Most lines that one secret goes on over.
const MOST_LINES: usize = 100;

/// Adds lines of base64 that are a block, such as a key without its first line, and all random words.
pub(super) fn find_random(text: &str, spans: &mut Spans) {
    let mut start = 0;
    for (at, byte) in text.bytes().chain([b'\n']).enumerate() {
        // At the end of base64 `=` fills up, elsewhere it separates.
        let separates = byte == b'='
            && text
                .as_bytes()
                .get(at + 1)
                .is_some_and(u8::is_ascii_alphanumeric);
        if entropy::is_token_byte(byte) && !separates {
            continue;
        }
        if start == at {
            start = at + 1;
            continue;
        }
        let word = &text[start..at];
        let behind = &text[text.floor_char_boundary(start.saturating_sub(12))..start];
        if entropy::is_random(word) && !is_digest(word, behind) {
            spans.add(start..at);
        }
        start = at + 1;
    }
}

/// Whether a random word is a checksum, a mangled symbol or a path.
fn is_digest(word: &str, before: &str) -> bool {
    const MARKS: &[&str] = &["sha1", "sha256", "sha384", "sha512", "md5"];
    let is_marked = MARKS.iter().any(|mark| {
        let rest = word.strip_prefix(mark);
        rest.is_some_and(|rest| rest.starts_with(['-', '=', ':']))
            || before.ends_with(&format!("{mark}:"))
    });
    let is_checksum = is_marked
        || before.ends_with("h1:")
        || before.ends_with("SHA256:")
        || before.ends_with("MD5:");
    is_checksum
        || word.starts_with("_ZN")
        || word.starts_with("_R")
        || word.starts_with('/') && word.matches('/').count() > 2
        || is_path(word)
}

/// Whether a word has directories of small letters, and no random name in them.
fn is_path(word: &str) -> bool {
    let is_directory =
        |part: &str| part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    word.contains('/')
        && word.split('/').any(is_directory)
        && !word.split('/').any(entropy::is_random)
}

/// Adds the continuations of the secrets that end with their lines.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let mut further = Vec::new();
    // Secrets in consecutive lines have the same continuations.
    let mut ends = HashSet::new();
    for span in spans.merged(text) {
        let mut end = span.end;
        for _ in 0..MOST_LINES {
            if !ends.insert(end) {
                break;
            }
            let Some(next) = continuation(text, end) else {
                break;
            };
            end = next.end;
            further.push(next);
        }
    }
    for span in further {
        spans.add(span);
    }
}

/// The piece of a secret at the beginning of the next line, if the secret ends with this one.
pub(super) fn continuation(text: &str, end: usize) -> Option<Range<usize>> {
    let rest = &text[end..];
    let line = rest
        .trim_start_matches(['"', '\'', '\\', '|', ' '])
        .strip_prefix('\n')?;
    let trimmed = line.trim_start_matches([' ', '\t', '|', '"', '\'', '>']);
    let start = text.len() - trimmed.len();
    let length = trimmed
        .bytes()
        .position(|byte| !entropy::is_token_byte(byte) && byte != b'.');
    let length = length.unwrap_or(trimmed.len());
    let piece = &trimmed[..length];
    let after = trimmed[length..].trim_start_matches(['"', '\'', '\\', '|', ' ', ',']);
    let is_alone = after.is_empty() || after.starts_with('\n');
    let goes_on = if is_alone {
        entropy::is_piece(piece)
    } else {
        piece.len() >= 8 && entropy::is_likely(piece)
    };
    (goes_on && !piece.contains('.') || is_alone && entropy::is_random(piece))
        .then(|| start..start + length)
}
