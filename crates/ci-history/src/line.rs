//! Texts from outside as one visible line.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern::pattern;

/// ECMA-48 control sequences and operating system commands: colours, cursor movements, titles.
static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])",
    )
});

/// The text without colours and cursor movements.
pub(crate) fn without_escapes(text: &str) -> std::borrow::Cow<'_, str> {
    ESCAPES.replace_all(text, "")
}

/// Whether a terminal shows the character: it is no control character, has a width, and does not change the
/// direction of writing.
pub(crate) fn is_visible(c: char) -> bool {
    !(c.is_control() || is_invisible(c))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The visible characters of a text on one line, with single spaces.
pub(crate) fn visible_line(text: &str) -> String {
    let text = without_escapes(text);
    let mut line = String::with_capacity(text.len());
    for word in text.split(char::is_whitespace) {
        let start = line.len();
        line.extend(word.chars().filter(|c| is_visible(*c)));
        if line.len() > start {
            line.push(' ');
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// The text, or its beginning and `…`: at most so many characters and bytes.
pub(crate) fn shortened(text: &str, chars: usize, bytes: usize) -> String {
    if text.len() <= bytes && text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars().take(chars.saturating_sub(1)) {
        if short.len() + c.len_utf8() + '…'.len_utf8() > bytes {
            break;
        }
        short.push(c);
    }
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_neither_colours_nor_breaks_nor_signs_that_cannot_be_seen() {
        let text = " \u{1b}[31;1mred\u{1b}[0m\r\n\tnext\u{202e}\u{0} \u{200b} \u{2028}end\u{85}";
        assert_eq!(visible_line(text), "red next end");
    }

    #[test]
    fn a_long_text_is_cut_by_characters_and_by_bytes() {
        assert_eq!(shortened("four", 4, 99), "four");
        assert_eq!(shortened("fives", 4, 99), "fiv…");
        assert_eq!(shortened("two words", 5, 99), "two…");
        assert_eq!(shortened("äääää", 99, 9), "äää…");
    }
}
