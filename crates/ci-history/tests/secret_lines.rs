//! Lines with secrets, as tools and logs write them: `tests/data/secrets/lines.txt`.
//!
//! A secret stands between `⟦` and `⟧`, `\n` is the end of a line and `\x1b` begins an escape sequence.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use ci_history::{LogText, Masker};

const LINES: &str = include_str!("../../../tests/data/secrets/lines.txt");

/// The text of a line without its marks, and its secrets.
fn read(line: &str) -> (String, Vec<String>) {
    let text = line.replace("\\\\n", "\\\u{1}").replace("\\n", "\n");
    let text = text.replace('\u{1}', "\n").replace("\\x1b", "\x1b");
    let marked = text.split('⟦').skip(1);
    let secrets = marked.filter_map(|rest| rest.split_once('⟧'));
    let secrets = secrets.flat_map(|(secret, _)| secret.split(['\n', '\x1b']));
    let secrets = secrets.filter(|part| part.len() >= 3).map(str::to_owned);
    let secrets = secrets.collect();
    (text.replace(['⟦', '⟧'], ""), secrets)
}

#[test]
fn no_half_of_a_secret_is_shown_and_the_lines_around_are() {
    let mut leaks = Vec::new();
    for line in LINES.lines() {
        let (text, secrets) = read(line);
        assert!(!secrets.is_empty(), "{line}");
        let log = format!("the line before\n{text}\nthe line after\n");
        let log = LogText::read(log.as_bytes(), true);
        let shown = log.excerpt(7, &Masker::default(), None).unwrap().text;
        let half =
            |secret: &String| secret[secret.ceil_char_boundary(secret.len() / 2)..].to_owned();
        if secrets.iter().any(|secret| shown.contains(&half(secret))) {
            leaks.push(shown.to_string());
        } else {
            assert!(shown.starts_with("the line before\n"), "{shown}");
            assert!(shown.ends_with("\nthe line after"), "{shown}");
        }
    }
    assert!(LINES.lines().count() >= 150);
    assert!(
        leaks.is_empty(),
        "{} leak:\n{}",
        leaks.len(),
        leaks.join("\n\n")
    );
}
