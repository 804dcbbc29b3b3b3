//! Values that stand behind a telling name: `NAME=value`, `"name": "value"`, `name => value`.

use std::ops::Range;

use super::entropy;
use super::names::{Telling, is_file, telling};
use super::spans::Spans;

/// Longest value that is looked at for whether it is a secret. A bound keeps the search linear.
const LOOKED_AT: usize = 1024;

/// Adds the values of all telling names.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let mut done = 0;
    for name in names(text) {
        let named = &text[name.clone()];
        if name.start < done {
            continue;
        }
        let Some((telling, separator)) = of_name(text, &name) else {
            continue;
        };
        let end = match telling {
            Telling::Weakly => text.ceil_char_boundary(separator.end + LOOKED_AT),
            _ => text.len(),
        };
        let is_line = separator.is_colon && telling == Telling::Password && separator.is_spaced;
        for mut value in values(&text[..end], separator.end, is_line) {
            if let Some(end) = text[value.clone()]
                .find('&')
                .filter(|_| before(text, &name, b"?&"))
            {
                value.end = value.start + end;
            }
            if is_secret(&text[value.clone()], named, telling) {
                done = value.end;
                spans.add(value);
            }
        }
    }
}

/// What a name tells about its value, and what separates it from it.
fn of_name(text: &str, name: &Range<usize>) -> Option<(Telling, Separator)> {
    let named = &text[name.clone()];
    let separator = separator(text, name.end)?;
    let telling = telling(named)?;
    if !separator.is_colon {
        return Some((telling, separator));
    }
    // `registry/token:1.2` and `:token:test` are images and tasks.
    let is_part = !separator.is_spaced && before(text, name, b"/:") && !named.starts_with('_');
    if is_part || is_file(named) {
        return None;
    }
    let is_test_result = named.eq_ignore_ascii_case("pass");
    let is_weak = is_test_result || separator.is_column;
    Some((if is_weak { Telling::Weakly } else { telling }, separator))
}

/// Whether one of these characters stands before a name.
fn before(text: &str, name: &Range<usize>, characters: &[u8]) -> bool {
    let before = name
        .start
        .checked_sub(1)
        .map(|before| text.as_bytes()[before]);
    before.is_some_and(|before| characters.contains(&before))
}

/// Whether the value of a name is masked.
pub(super) fn is_secret(value: &str, name: &str, telling: Telling) -> bool {
    let inner = unquoted(value);
    if inner.is_empty() || is_plain(inner) {
        return false;
    }
    let is_number = inner
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b':' | b'%' | b's'));
    let is_directory = inner.starts_with('/') || inner.get(1..3) == Some(":\\");
    match telling {
        Telling::Password => true,
        Telling::Surely if inner.contains('.') && is_number => false,
        _ if name.to_ascii_lowercase().ends_with("pwd") && is_directory => false,
        Telling::Surely if name.to_ascii_lowercase().ends_with("pass") => !is_number,
        Telling::Surely => !is_number || inner.len() >= 6 || is_one_time(name),
        Telling::Weakly => {
            let secret = inner.rsplit_once(':').map_or(inner, |(_, secret)| secret);
            entropy::is_likely(inner) || entropy::is_likely(secret)
        }
    }
}

fn is_one_time(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["otp", "pin", "passcode"]
        .iter()
        .any(|word| name.ends_with(word))
}

fn unquoted(value: &str) -> &str {
    value.trim_matches(|c: char| {
        matches!(c, '"' | '\'' | '\\' | ',' | ';' | ')' | '}' | ']') || c.is_whitespace()
    })
}

/// Values that say that there is none, or of which type it is; and what is masked already.
fn is_plain(value: &str) -> bool {
    const PLAIN: &[&str] = &[
        "true",
        "false",
        "null",
        "none",
        "nil",
        "yes",
        "no",
        "on",
        "off",
        "undefined",
        "string",
        "str",
        "bool",
        "boolean",
        "number",
        "int",
        "integer",
        "any",
        "object",
        "optional",
        "required",
        "ok",
        "failed",
        "missing",
        "invalid",
        "empty",
        "unset",
        "redacted",
        "[redacted]",
        "<redacted>",
        "[masked",
        "(sensitive",
        "<sensitive>",
        "(sensitive value",
        "[filtered",
        "<none>",
        "unknown",
        "expired",
        "error",
        "enabled",
        "disabled",
    ];
    let value = value.trim_start_matches('[');
    value
        .bytes()
        .all(|byte| matches!(byte, b'*' | b'.' | b'x' | b'X'))
        || PLAIN
            .iter()
            .any(|plain| value.eq_ignore_ascii_case(plain.trim_start_matches('[')))
}

/// The identifiers of a text.
fn names(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(is_name)?;
        let length = bytes[start..].iter().position(|byte| !is_name(byte));
        at = length.map_or(bytes.len(), |length| start + length);
        Some(start..at)
    })
}

struct Separator {
    end: usize,
    is_colon: bool,
    /// Whether a blank follows.
    is_spaced: bool,
    /// Whether a colon stands in a column of its own, as in `name   : message`.
    is_column: bool,
}

/// The separator behind a name: `=`, `:`, `=>` or `:=`, with blanks, and behind a closing quote or bracket.
fn separator(text: &str, name_end: usize) -> Option<Separator> {
    let bytes = text.as_bytes();
    let mut at = name_end;
    // `"name":`, `\"name\":`, `['name'] =`
    while at < name_end + 4 && matches!(bytes.get(at), Some(b'\\' | b'"' | b'\'' | b']' | b'`')) {
        at += 1;
    }
    let is_bracket = bytes[name_end..at] == *b"]";
    let name_end = at;
    at = after_blanks(bytes, at);
    let (length, is_colon) = match (bytes.get(at)?, bytes.get(at + 1)) {
        // A comparison.
        (b'=', Some(b'=')) => return None,
        (b':', Some(b':')) => return None,
        // `fatal: [host]: message`
        (b':', _) if is_bracket => return None,
        (b':', Some(b'=')) | (b'=', Some(b'>')) => (2, false),
        (b'=', _) => (1, false),
        (b':', _) => (1, true),
        _ => return None,
    };
    let end = after_blanks(bytes, at + length);
    Some(Separator {
        end,
        is_colon,
        is_spaced: end > at + length,
        is_column: is_colon && at >= name_end + 2,
    })
}

/// Behind blanks, and line ends after a backslash.
fn after_blanks(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b' ' | b'\t'), _) => at += 1,
            (Some(b'\\'), Some(b'\n')) => at += 2,
            _ => return at,
        }
    }
}

/// The value that begins at `start`: a quoted text, the texts of a list, the line, or one word.
fn values(text: &str, start: usize, is_line: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let escapes = bytes[start..]
        .iter()
        .take(3)
        .take_while(|byte| **byte == b'\\')
        .count();
    match bytes.get(start + escapes) {
        Some(b'"' | b'\'') => vec![start..quoted_end(bytes, start + escapes, escapes)],
        Some(b'[' | b'(')
            if bytes
                .get(start + 1)
                .is_some_and(|byte| matches!(byte, b'"' | b'\'')) =>
        {
            let line = line_end(bytes, start);
            let end = bytes[start..line]
                .iter()
                .position(|byte| matches!(byte, b']' | b')'));
            vec![start + 1..end.map_or(line, |end| start + end)]
        }
        Some(b'[' | b'{' | b'(' | b'|' | b'>' | b'&') => Vec::new(),
        _ if is_line => vec![start..line_end(bytes, start)],
        _ => vec![start..word_end(bytes, start)],
    }
}

/// Behind the closing quote, which is escaped as often as the opening one at `open`; else the end of the line.
fn quoted_end(bytes: &[u8], open: usize, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (at, &byte) in bytes.iter().enumerate().skip(open + 1) {
        match byte {
            b'\n' if backslashes == 0 => return at,
            b'\\' => backslashes += 1,
            _ if byte == bytes[open] && (backslashes <= escapes || bytes[open] == b'\'') => {
                return at + 1;
            }
            _ => backslashes = 0,
        }
    }
    bytes.len()
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    let length = bytes[start..].iter().position(|byte| *byte == b'\n');
    length.map_or(bytes.len(), |length| start + length)
}

/// The end of a word, which may go on after a backslash at the end of a line.
pub(super) fn word_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'"' | b'\'' => return at,
            byte if byte.is_ascii_whitespace() => return at,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut spans = Spans::default();
        find(text, &mut spans);
        spans.replace(text)
    }

    #[test]
    fn values_of_telling_names_are_found() {
        for (text, wanted) in [
            ("DB_PW=hunter2 next", "DB_PW=[masked] next"),
            ("set DB_PW=hunter2", "set DB_PW=[masked]"),
            ("$env:DB_PW = 'hunter2 x' y", "$env:DB_PW = [masked] y"),
            ("password: hunter 2", "password: [masked]"),
            (
                "{\"appToken\": \"hunt\\\"er2\", a",
                "{\"appToken\": [masked], a",
            ),
            (
                "{\\\"appToken\\\":\\\"hunter2\\\", a",
                "{\\\"appToken\\\":[masked], a",
            ),
            ("tokens: [\"hunter\", \"2\"] a", "tokens: [[masked]] a"),
            (
                "config['db_password'] = \"hunter2\"",
                "config['db_password'] = [masked]",
            ),
            (
                "export PASSWORD=\\\nhunter2\nnext",
                "export PASSWORD=\\\n[masked]\nnext",
            ),
            ("MNEMONIC=\"a b c\" d", "MNEMONIC=[masked] d"),
            ("one_time_pin=123", "one_time_pin=[masked]"),
            (
                "BUNDLE_GEMS__A__COM=user:0a1b2c3d4e5f6g7h",
                "BUNDLE_GEMS__A__COM=[masked]",
            ),
            ("session=aB3dEfGhIjKlMn", "session=[masked]"),
        ] {
            assert_eq!(masked(text), wanted, "{text}");
        }
    }

    #[test]
    fn other_values_stay() {
        for text in [
            "--- PASS: TestLogin (0.00s)",
            "tests: pass=12 fail=1",
            "PWD=/builds/acme/shop",
            "tokens: 1234",
            "password: string",
            "password=***",
            "secrets.rs:12:5: error",
            "secretName: db",
            "if token == other",
            "auth::login",
            "cache key: main-7f3a",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
