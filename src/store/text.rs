//! Texts in documents, borrowed: a document repeats commits and reasons in each entry, and most are known already.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A text, borrowed from the document that is read, or from what is written. A type of its own, because within an `Option`
/// serde would copy a `Cow`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text to be written, if there is one.
    pub(super) fn some(text: Option<&'a str>) -> Option<Self> {
        text.map(Self::from)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<Text<'_>> for Box<str> {
    fn from(text: Text<'_>) -> Self {
        text.0.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_a_text_with_escapes_is_copied() {
        let read: Vec<Option<Text<'_>>> = serde_json::from_str(r#"["c1", "a\nb", null]"#).unwrap();
        let is_borrowed = |text: &Option<Text<'_>>| {
            let text = text.as_ref();
            text.map(|text| matches!(text.0, Cow::Borrowed(_)))
        };
        let borrowed: Vec<_> = read.iter().map(is_borrowed).collect();
        assert_eq!(borrowed, [Some(true), Some(false), None]);
        assert_eq!(read[1].as_deref(), Some("a\nb"));
    }

    #[test]
    fn keys_are_equal_however_they_are_escaped_and_the_last_one_wins() {
        let text = r#"{"a": 1, "\u0061": 2, "\"b": 3}"#;
        let read: BTreeMap<Text<'_>, u8> = serde_json::from_str(text).unwrap();
        let read: Vec<_> = read.iter().map(|(key, value)| (&**key, *value)).collect();
        assert_eq!(read, [("\"b", 3), ("a", 2)]);
    }
}
