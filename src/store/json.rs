//! JSON of the documents, and why it could not be read.

use serde::{Deserialize, Serialize};

/// A document that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Written by a newer program.
    #[error(
        "the document is of version {found}, this program reads versions up to {highest}: \
         run the version that wrote it, or a newer one"
    )]
    Newer {
        /// The version found.
        found: u64,
        /// The highest that this program reads.
        highest: u32,
    },
    /// Of a version that this program reads, and whole, with something that it does not know.
    #[error(
        "it is whole, and another version of the program wrote it: at `{path}`: {message}: run the version that wrote it, or a newer \
         one"
    )]
    Unknown {
        /// Where in the document.
        path: String,
        /// Found and wanted.
        message: String,
    },
    /// Not JSON, or not this document.
    #[error("not a readable state document: at `{path}`: {message}")]
    Malformed {
        /// Where in the document.
        path: String,
        /// Found and wanted.
        message: String,
    },
    /// Under another name than its own: a copy.
    #[error("its name is not that of the document, which is {own_name}: a copy of it?")]
    Misplaced {
        /// Where the document belongs.
        own_name: String,
    },
    /// Its text and its checksum do not fit.
    #[error("it was changed since it was saved: its checksum is another one")]
    Altered,
    /// Of another GitLab.
    #[error(
        "it is of another GitLab, {found}, and refused, because `gitlab.url` names {wanted}: choose another state directory or prefix \
         for this GitLab, or run `state adopt` if it is the same GitLab under a new address"
    )]
    OtherInstance {
        /// The GitLab of the document.
        found: String,
        /// The GitLab of the configuration.
        wanted: String,
    },
}

impl DocumentError {
    /// Whether the document is whole, so that the program must neither move nor overwrite it.
    pub(super) fn is_refused(&self) -> bool {
        matches!(
            self,
            Self::Newer { .. } | Self::Unknown { .. } | Self::OtherInstance { .. }
        )
    }
}

#[expect(
    clippy::expect_used,
    reason = "maps with string keys and plain numbers always serialize"
)]
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a document that serializes")
}

pub(super) fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, DocumentError> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    // A list of the right values would pass for an object, and another one for an odd error.
    if first == Some(&b'[') {
        return Err(DocumentError::Malformed {
            path: ".".to_owned(),
            message: "found a list, wanted an object".to_owned(),
        });
    }
    // Noting where each value is takes as long again. Only an error tells it. The whole is checked to be UTF-8 more quickly than
    // each of its texts.
    let whole = std::str::from_utf8(text).ok();
    if let Some(value) = whole.and_then(|text| serde_json::from_str(text).ok()) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        DocumentError::Malformed {
            path: short(error.path().to_string()),
            message: short(error.inner().to_string()),
        }
    })?;
    reader.end().map_err(|error| DocumentError::Malformed {
        path: ".".to_owned(),
        message: short(error.to_string()),
    })?;
    Ok(value)
}

/// Bytes of a document that an error repeats, such as an unknown key.
const REPEATED: usize = 300;

/// The text, without its middle if it is long: the end says where.
fn short(text: String) -> String {
    if text.len() <= 2 * REPEATED {
        return text;
    }
    let head = &text[..text.floor_char_boundary(REPEATED)];
    let tail = &text[text.ceil_char_boundary(text.len() - REPEATED)..];
    format!("{head} .. {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    #[test]
    fn an_error_repeats_little_of_the_document() {
        let text = format!("{{\"{}é\": 1}}", "long key ".repeat(10_000));
        let error = parse::<Empty>(text.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 2000, "{}", error.len());
        assert!(
            error.contains("unknown field") && error.contains("line 1"),
            "{error}"
        );
    }
}
