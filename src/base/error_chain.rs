//! An error together with its causes.

use std::error::Error;

/// The error and its causes, separated by `: `. A cause of several lines begins on its own line; a
/// cause that the text already repeats is left out.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(if words.contains('\n') { ":\n" } else { ": " });
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: &'static str,
        source: Option<Box<Link>>,
    }

    fn chained(words: &[&'static str]) -> String {
        let first_to_last = words
            .iter()
            .rev()
            .fold(None, |source, words| Some(Box::new(Link { words, source })));
        error_chain(&*first_to_last.unwrap())
    }

    #[test]
    fn each_cause_is_told_once() {
        assert_eq!(chained(&["no answer"]), "no answer");
        assert_eq!(chained(&["a", "b: c", "c", "d"]), "a: b: c: d");
        assert_eq!(chained(&["a", "b\nc"]), "a:\nb\nc");
    }
}
