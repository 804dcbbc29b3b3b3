//! Where a value behind a name begins and ends.

use std::ops::Range;

/// Longest value that is looked at for whether it is a secret. A bound keeps the search linear.
pub(super) const LOOKED_AT: usize = 1024;

/// What separates a value from its name.
pub(super) struct Separator {
    pub(super) end: usize,
    pub(super) is_colon: bool,
    /// Whether a blank follows.
    pub(super) is_spaced: bool,
    /// Whether a colon stands in a column of its own, as in `name   : message`.
    pub(super) is_column: bool,
}

/// The separator behind a name: `=`, `:`, `=>` or `:=`, with blanks, and behind a closing quote or bracket.
pub(super) fn separator(text: &str, name_end: usize) -> Option<Separator> {
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
        // A comparison, or a path of modules.
        (b'=', Some(b'=')) | (b':', Some(b':')) => return None,
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

/// The value behind the name that ends here, also one of several indented lines. Ends with a comma, which separates
/// fields.
pub(super) fn value_of(text: &str, name_end: usize) -> Option<Range<usize>> {
    let separator = separator(text, name_end)?;
    let text = &text[..text.ceil_char_boundary(separator.end + LOOKED_AT)];
    let bytes = text.as_bytes();
    if separator.is_colon && matches!(bytes.get(separator.end), Some(b'|' | b'>')) {
        let start = line_end(bytes, separator.end);
        let mut end = start;
        while matches!(bytes.get(end + 1), Some(b' ' | b'\t')) {
            end = line_end(bytes, end + 1);
        }
        return Some(start..end);
    }
    let mut value = value(text, separator.end, false)?;
    let is_quoted = matches!(bytes.get(value.start), Some(b'"' | b'\'' | b'\\'));
    if !is_quoted {
        let fields = bytes[value.clone()].iter();
        let length = fields
            .take_while(|byte| !matches!(byte, b',' | b'}'))
            .count();
        value.end = value.start + length;
    }
    Some(value)
}

/// The value that begins at `start`: a quoted text, the content of a list, the line, or one word.
pub(super) fn value(text: &str, start: usize, is_line: bool) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let escapes = bytes[start..]
        .iter()
        .take(3)
        .take_while(|byte| **byte == b'\\')
        .count();
    if let Some(open) = prefixed_quote(bytes, start) {
        return Some(open..quoted_end(bytes, open, 0));
    }
    match bytes.get(start + escapes) {
        Some(b'"' | b'\'') => Some(start..quoted_end(bytes, start + escapes, escapes)),
        Some(b'[' | b'(')
            if bytes
                .get(start + 1)
                .is_some_and(|byte| matches!(byte, b'"' | b'\'')) =>
        {
            let line = line_end(bytes, start);
            let end = bytes[start..line]
                .iter()
                .position(|byte| matches!(byte, b']' | b')'));
            Some(start + 1..end.map_or(line, |end| start + end))
        }
        Some(b'[' | b'{' | b'(' | b'|' | b'>' | b'&') => None,
        _ if is_line => Some(start..line_end(bytes, start)),
        _ => Some(start..word_end(bytes, start)),
    }
}

/// The quote behind a prefix, such as `N'` of SQL and `b"` of Python, or in the call of a constructor: `Some("`.
fn prefixed_quote(bytes: &[u8], start: usize) -> Option<usize> {
    const LONGEST: usize = 40;
    let word = bytes[start..].iter().take(LONGEST);
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_:.@$".contains(*byte);
    let length = word.take_while(is_word).count();
    let (prefix, rest) = bytes[start..].split_at(length);
    let is_prefix = matches!(
        prefix,
        b"N" | b"L" | b"b" | b"r" | b"u" | b"f" | b"rb" | b"br" | b"@" | b"$"
    );
    match rest {
        [b'"' | b'\'', ..] if is_prefix => Some(start + length),
        [b'(', b'"' | b'\'', ..] if length > 0 && !reads_elsewhere(prefix) => {
            Some(start + length + 1)
        }
        _ => None,
    }
}

/// Whether a function looks a value up by its name: `getenv("X")`.
fn reads_elsewhere(function: &[u8]) -> bool {
    let function = String::from_utf8_lossy(function).to_ascii_lowercase();
    [
        "env", "get", "var", "read", "input", "config", "lookup", "require",
    ]
    .iter()
    .any(|word| function.contains(word))
}

/// Behind the closing quote, which is escaped as often as the opening one at `open`; else the end of the line.
fn quoted_end(bytes: &[u8], open: usize, escapes: usize) -> usize {
    let mut backslashes = 0;
    let mut at = open;
    while let Some(&byte) = bytes.get(at + 1) {
        at += 1;
        match byte {
            // `'it'\''s'`: how a shell writes an apostrophe.
            b'\'' if bytes[open] == b'\'' && bytes[at + 1..].starts_with(br"\''") => at += 3,
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
