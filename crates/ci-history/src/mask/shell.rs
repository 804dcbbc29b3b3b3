//! The words of command lines.

use std::ops::Range;

/// A line of a text, with those that follow a backslash at its end.
pub(super) fn command_lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        if start >= bytes.len() {
            return None;
        }
        let is_end =
            |at: &usize| bytes[*at] == b'\n' && bytes.get(at.wrapping_sub(1)) != Some(&b'\\');
        let end = (start..bytes.len()).find(is_end).unwrap_or(bytes.len());
        at = end + 1;
        Some(start..end)
    })
}

/// The words of a line, without their quotes. A quoted text with blanks is one word.
pub(super) fn words(text: &str, line: Range<usize>) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = line.start;
    while at < line.end {
        match bytes[at] {
            byte if byte.is_ascii_whitespace() => at += 1,
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'|' | b';' | b'&' | b'(' | b')' | b'`' | b',' => {
                words.push(at..at + 1);
                at += 1;
            }
            b'[' | b']' | b'$' if bytes.get(at + 1).is_some_and(u8::is_ascii_whitespace) => at += 1,
            _ => {
                let word = word(bytes, at, line.end);
                at = word.end.max(at + 1);
                words.push(trimmed(bytes, word));
            }
        }
    }
    words
}

/// The word at `start`.
fn word(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let mut quote = None;
    let mut at = start;
    while at < end {
        let byte = bytes[at];
        match (quote, byte) {
            (_, b'\\') => at += 1,
            (Some(open), _) if byte == open => quote = None,
            // An apostrophe within a word of prose does not open a quoted text.
            (None, b'"' | b'\'') if at == start || !bytes[at - 1].is_ascii_alphanumeric() => {
                quote = Some(byte)
            }
            (None, b'|' | b';') => break,
            (None, _) if byte.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    // A quoted text that does not end on its line ends with its first word.
    if quote.is_some() && at >= end {
        let blank = bytes[start + 1..end]
            .iter()
            .position(u8::is_ascii_whitespace);
        return start..blank.map_or(end, |blank| start + 1 + blank);
    }
    start..at.min(end)
}

fn trimmed(bytes: &[u8], word: Range<usize>) -> Range<usize> {
    match (bytes.get(word.start), bytes.get(word.end - 1)) {
        (Some(open @ (b'"' | b'\'')), Some(close)) if open == close && word.len() >= 2 => {
            word.start + 1..word.end - 1
        }
        (Some(b'"' | b'\''), _) => word.start + 1..word.end,
        (_, Some(b'"' | b'\'')) if !bytes[word.clone()].contains(&b'=') => word.start..word.end - 1,
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_a_shell() {
        let text = "+ tool -p 'a b' \"c\\\"d\" --x=\"e f\" \\\n next|other it's fine; 'open end";
        let line = command_lines(text).next().unwrap();
        let words: Vec<_> = words(text, line)
            .into_iter()
            .map(|word| &text[word])
            .collect();
        assert_eq!(
            words,
            [
                "+",
                "tool",
                "-p",
                "a b",
                "c\\\"d",
                "--x=\"e f\"",
                "next",
                "|",
                "other",
                "it's",
                "fine",
                ";",
                "open",
                "end"
            ]
        );
    }
}
