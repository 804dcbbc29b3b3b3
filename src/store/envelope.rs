//! What a stored document says about itself: its GitLab, and a checksum of its text.
//!
//! Both stand at its end: `.., "gitlab": "gitlab.example.com", "checksum": "9ae0daaf"}`. Documents of earlier versions have
//! neither. They are read, and saved again with both.

use super::checksum::{add_checksum, named_checksum, without_checksum};
use super::document::{EnvelopeFacts, Saved, decode_with_instance};
use super::json::DocumentError;
use super::layout::{document_path, project_of_path, project_of_sights, project_path};
use super::packed;
use super::project_document::{self, SavedMemory};
use super::sights_document::{self, SavedSights};

/// A document as it was found in a store.
#[derive(Debug)]
pub(super) struct Opened<T = Content> {
    pub(super) saved: T,
    /// Whether it has a checksum, and names its GitLab if the store knows one.
    pub(super) is_sealed: bool,
    pub(super) is_packed: bool,
    /// Of its text, uncompressed; `None` if it has none.
    pub(super) checksum: Option<u32>,
}

/// What a document is about.
#[derive(Debug)]
pub(super) enum Content {
    Timeline(Box<Saved>),
    Project(SavedMemory),
    /// `None`: they are of no use.
    Sights(Option<SavedSights>),
}

/// Adds the GitLab and the checksum to the text of a document.
pub(super) fn seal(mut text: Vec<u8>, instance: Option<&str>) -> Vec<u8> {
    while text.pop_if(|byte| byte.is_ascii_whitespace()).is_some() {}
    let brace = text.pop();
    debug_assert_eq!(brace, Some(b'}'), "a document is an object");
    if let Some(instance) = instance {
        let name = serde_json::Value::from(instance).to_string();
        text.extend_from_slice(format!(",\"gitlab\":{name}").as_bytes());
    }
    add_checksum(text)
}

/// Reads a document that the store of this GitLab holds under `name`.
///
/// # Errors
///
/// Also if the document belongs elsewhere, or was changed since it was saved.
pub(super) fn open(
    text: &[u8],
    name: &str,
    instance: Option<&str>,
) -> Result<Opened, DocumentError> {
    if let Some(project) = project_of_sights(name) {
        return Ok(Opened {
            saved: Content::Sights(sights_document::decode(text, project, instance)),
            is_sealed: true,
            is_packed: false,
            checksum: None,
        });
    }
    if project_of_path(name).is_none() {
        let opened = open_timeline(text, name, instance)?;
        return Ok(Opened {
            saved: Content::Timeline(Box::new(opened.saved)),
            is_sealed: opened.is_sealed,
            is_packed: opened.is_packed,
            checksum: opened.checksum,
        });
    }
    let (saved, facts) = project_document::decode(text).map_err(|error| if_whole(error, text))?;
    let is_sealed = check(&facts, project_path(saved.project_id), text, name, instance)?;
    Ok(Opened {
        saved: Content::Project(saved),
        is_sealed,
        is_packed: false,
        checksum: None,
    })
}

/// The same, of a timeline's document.
pub(super) fn open_timeline(
    text: &[u8],
    name: &str,
    instance: Option<&str>,
) -> Result<Opened<Saved>, DocumentError> {
    let is_packed = packed::is_packed(text);
    let text = &*packed::unpack(text)?;
    let (saved, facts) = decode_with_instance(text).map_err(|error| if_whole(error, text))?;
    let own_name = document_path(&saved.timeline.key);
    let is_sealed = check(&facts, own_name, text, name, instance)?;
    Ok(Opened {
        saved,
        is_sealed,
        is_packed,
        checksum: named_checksum(text),
    })
}

/// A document with the right checksum is as a program of ours wrote it, so one that cannot be read is of another version.
fn if_whole(error: DocumentError, text: &[u8]) -> DocumentError {
    match error {
        DocumentError::Malformed { path, message } if has_right_checksum(text) => {
            DocumentError::Unknown { path, message }
        }
        error => error,
    }
}

/// Returns whether the document has a checksum, and names its GitLab if the store knows one.
fn check(
    facts: &EnvelopeFacts,
    own_name: String,
    text: &[u8],
    name: &str,
    instance: Option<&str>,
) -> Result<bool, DocumentError> {
    if own_name != name {
        return Err(DocumentError::Misplaced { own_name });
    }
    if facts.has_checksum && !has_right_checksum(text) {
        return Err(DocumentError::Altered);
    }
    if let (Some(found), Some(wanted)) = (&facts.instance, instance)
        && **found != *wanted
    {
        return Err(DocumentError::OtherInstance {
            found: found.to_string(),
            wanted: wanted.to_owned(),
        });
    }
    let names_instance = facts.instance.is_some() || instance.is_none();
    Ok(facts.has_checksum && names_instance)
}

fn has_right_checksum(text: &[u8]) -> bool {
    without_checksum(text).is_some()
}

#[cfg(test)]
mod tests {
    use ci_history::{Rules, Timeline, TimelineKey};

    use super::super::document::encode;
    use super::*;
    use crate::base::project_memory::ProjectMemory;

    fn document(instance: Option<&str>) -> Vec<u8> {
        let timeline = Timeline::new(TimelineKey::new(7, "main"), "acme/shop".into(), None);
        let saved = Saved {
            timeline,
            watermark: None,
            has_gap: false,
            scope: super::super::document::SavedScope::default(),
        };
        seal(encode(&saved, &Rules::default()), instance)
    }

    fn opened(text: &[u8], name: &str, instance: &str) -> Result<Opened, DocumentError> {
        open(text, name, Some(instance))
    }

    #[test]
    fn a_sealed_document_opens_under_its_name_and_at_its_gitlab_only() {
        let text = document(Some("a.example/\"git\""));
        let own = "a.example/\"git\"";
        assert!(opened(&text, "7/main.json", own).unwrap().is_sealed);
        let elsewhere = opened(&text, "7/main_backup.json", own);
        assert!(matches!(elsewhere, Err(DocumentError::Misplaced { .. })));
        let other = opened(&text, "7/main.json", "b.example");
        assert!(matches!(other, Err(DocumentError::OtherInstance { .. })));
    }

    #[test]
    fn a_changed_document_is_told_wherever_it_was_changed() {
        let text = document(Some("a.example"));
        let text = String::from_utf8(text).unwrap();
        for (from, to) in [
            ("acme/shop", "acme/shoq"),
            ("\"pipeline_id\":0", "\"pipeline_id\":1"),
            ("{\"version\"", "{ \"version\""),
            ("\"a.example\"", "\"b.example\""),
        ] {
            assert!(text.contains(from), "{text}");
            let changed = text.replacen(from, to, 1);
            let found = opened(changed.as_bytes(), "7/main.json", "a.example");
            assert!(matches!(found, Err(DocumentError::Altered)), "{changed}");
        }
    }

    #[test]
    fn a_whole_document_with_an_unknown_field_is_of_another_version_and_left_alone() {
        let text = document(Some("a.example"));
        let at = text
            .windows(10)
            .position(|part| part == b",\"checksum")
            .unwrap();
        let newer = [&text[..at], b",\"future\":1}"].concat();
        let found = opened(&seal(newer.clone(), None), "7/main.json", "a.example");
        let Err(error @ DocumentError::Unknown { .. }) = found else {
            panic!("{found:?}");
        };
        assert!(error.is_refused() && error.to_string().contains("unknown field `future`"));
        let without_checksum = opened(&newer, "7/main.json", "a.example");
        assert!(matches!(
            without_checksum,
            Err(DocumentError::Malformed { .. })
        ));
    }

    #[test]
    fn the_document_of_a_project_comes_back_as_it_was_saved() {
        let saved = SavedMemory {
            project_id: 7,
            memory: ProjectMemory {
                path: "acme/shop".into(),
                group: Some("acme".into()),
                default_branch: Some("main".into()),
                ..ProjectMemory::default()
            },
        };
        let text = seal(project_document::encode(&saved), Some("a.example"));
        let found = opened(&text, "7/.project", "a.example").unwrap();
        let Content::Project(found) = found.saved else {
            panic!("{found:?}");
        };
        assert_eq!(found, saved);
        let elsewhere = opened(&text, "8/.project", "a.example");
        assert!(matches!(elsewhere, Err(DocumentError::Misplaced { .. })));
        let other = opened(&text, "7/.project", "b.example");
        assert!(matches!(other, Err(DocumentError::OtherInstance { .. })));
    }

    #[test]
    fn a_document_without_checksum_or_gitlab_is_read_and_told_as_unsealed() {
        let text = document(None);
        assert!(!opened(&text, "7/main.json", "a.example").unwrap().is_sealed);
        let at = text
            .windows(10)
            .position(|part| part == b",\"checksum")
            .unwrap();
        let bare = [&text[..at], b"}"].concat();
        assert!(!opened(&bare, "7/main.json", "a.example").unwrap().is_sealed);
    }
}
