//! Values that stand behind a telling name: `NAME=value`, `"name": "value"`, `name => value`.

use std::ops::Range;

use super::entropy;
use super::names::{Telling, is_file, telling};
use super::spans::Spans;
use super::values::{LOOKED_AT, Separator, separator, value};

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
        // A parameter of an address ends with `&`.
        let end = if before(text, &name, b"?&") {
            let parameter = text.as_bytes()[separator.end..end].iter();
            let length = parameter.take_while(|byte| **byte != b'&').count();
            separator.end + length
        } else {
            end
        };
        let Some(value) = value(&text[..end], separator.end, is_line) else {
            continue;
        };
        let is_prose = separator.is_colon
            && separator.is_spaced
            && (telling == Telling::Surely && says_something(text, &name, &text[value.clone()])
                || is_complaint(&text[value.clone()]));
        if !is_prose && is_secret(&text[value.clone()], named, telling) {
            done = value.end;
            spans.add(value);
        }
    }
}

/// Whether `name: value` is a part of a message or of a program: `failed to get token: unauthorized`,
/// `let token: Token`, `random_password.db: Creation complete`.
fn says_something(text: &str, name: &Range<usize>, value: &str) -> bool {
    let value = value.trim_end_matches(['.', ',', ';', '"', '\'', ')', ']']);
    let is_word = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphabetic());
    let before = text.as_bytes()[..name.start].iter().rev();
    let mut before = before
        .take_while(|byte| **byte != b'\n')
        .skip_while(|byte| **byte == b' ');
    let follows_word = before.next().is_some_and(u8::is_ascii_alphanumeric);
    let is_resource = text[name.clone()].contains('.');
    is_word && (follows_word || is_resource && value.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Whether the text behind a name says what is wrong with it: `password: required field is missing`.
fn is_complaint(value: &str) -> bool {
    const FIRST: &[&str] = &[
        "required", "missing", "invalid", "must", "cannot", "should", "is", "expected", "unknown",
    ];
    let words = value.split_whitespace().map(unquoted);
    let is_word = |word: &str| {
        let is_short_number = word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
        let word = word
            .trim_start_matches(['(', '`'])
            .trim_end_matches(['.', ':', '`', ')']);
        is_short_number || word.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    words.clone().count() >= 3
        && words
            .clone()
            .next()
            .is_some_and(|first| FIRST.contains(&first))
        && words.clone().all(is_word)
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
    if inner.is_empty() || is_plain(inner) || is_reference(inner, name) {
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
        Telling::Weakly if is_compound(inner) => false,
        Telling::Weakly => {
            let secret = inner.rsplit_once(':').map_or(inner, |(_, secret)| secret);
            entropy::is_likely(inner) || entropy::is_likely(secret)
        }
    }
}

/// Values that point to something: an address in memory, an ARN, the id of a public key, a field of the same name.
fn is_reference(value: &str, name: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_address = value
        .strip_prefix("0x")
        .is_some_and(|digits| digits.len() <= 16 && is_hex(digits));
    let name = name.to_ascii_lowercase();
    let is_key_id = name.ends_with("gpg_key") && matches!(value.len(), 16 | 40) && is_hex(value);
    let is_field = value.rsplit_once('.').is_some_and(|(object, field)| {
        field.eq_ignore_ascii_case(&name)
            && object
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
    });
    // `token = policy::hash(&user)?;`
    let is_call = value.split_once('(').is_some_and(|(function, rest)| {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || b"_:.".contains(&byte);
        !function.is_empty() && function.bytes().all(is_name) && rest.contains(')')
    });
    is_call || is_address || is_key_id || is_field || value.starts_with("arn:")
}

/// Whether a value is a name of words with a version or a digest, such as the key of a cache: `main-7f3a2b1c`.
fn is_compound(value: &str) -> bool {
    let mut parts = value.split(['-', '_', '/', '.']);
    let is_word =
        |part: &str| part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_digest = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let begins_with_word = parts.next().is_some_and(is_word);
    let mut rest = parts.peekable();
    begins_with_word
        && rest.peek().is_some()
        && rest.all(|part| is_digest(part) || !entropy::is_likely(part))
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
pub(super) fn names(text: &str) -> impl Iterator<Item = Range<usize>> {
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
