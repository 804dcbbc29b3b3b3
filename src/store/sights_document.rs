//! The document of a project's sights, `<project id>/.sights`: what polling knew, and of which documents it is true.
//!
//! It only spares requests. A document that is damaged, of another version or of another GitLab is as good as none.

use std::collections::BTreeSet;

use ci_history::{Status, Timestamp};
use serde::{Deserialize, Serialize};

use super::checksum::without_checksum;
use super::json::{parse, to_json};
use super::times::time;
use crate::base::poll_sights::PollSights;

/// Version this program writes, and the only one it reads.
const VERSION: u32 = 1;

/// Longer documents are not read, in bytes. Those of this program are shorter.
const LONGEST: usize = 256 << 10;

/// What polling knew of a project, as it is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSights {
    /// GitLab's id of the project.
    pub project_id: u64,
    /// Checksum of what was watched and how it was counted.
    pub scope: u32,
    /// Checksum of the documents of the project's timelines, which contain all that the sights speak of.
    pub documents: u32,
    /// What polling knew.
    pub sights: PollSights,
}

#[derive(Serialize, Deserialize)]
struct SightsDocument {
    version: u32,
    id: u64,
    scope: u32,
    documents: u32,
    asked_at: i64,
    watermark: i64,
    /// Id, time of the last movement, status.
    ended: Vec<(u64, i64, String)>,
    open: BTreeSet<u64>,
    has_no_schedules: bool,
    /// The envelope writes it.
    #[serde(default, skip_serializing)]
    gitlab: Option<String>,
}

pub(super) fn encode(saved: &SavedSights) -> Vec<u8> {
    let SavedSights {
        project_id,
        scope,
        documents,
        sights,
    } = saved;
    let ended = sights.ended.iter();
    let ended = ended.filter_map(|(id, (moved, status))| {
        let word = word_of(*status)?;
        Some((*id, moved.unix(), word.to_owned()))
    });
    to_json(&SightsDocument {
        version: VERSION,
        id: *project_id,
        scope: *scope,
        documents: *documents,
        asked_at: sights.asked_at.unix(),
        watermark: sights.watermark.unix(),
        ended: ended.collect(),
        open: sights.open.clone(),
        has_no_schedules: sights.has_no_schedules,
        gitlab: None,
    })
}

/// The sights of a project; `None` where they are of no use.
pub(super) fn decode(text: &[u8], project_id: u64, instance: Option<&str>) -> Option<SavedSights> {
    if text.len() > LONGEST || without_checksum(text).is_none() {
        return None;
    }
    let document: SightsDocument = parse(text).ok()?;
    let is_elsewhere = instance.is_some() && document.gitlab.as_deref() != instance;
    if document.version != VERSION || document.id != project_id || is_elsewhere {
        return None;
    }
    let ended = document.ended.into_iter();
    let ended = ended.filter_map(|(id, moved, word)| {
        let status = Status::parse(&word);
        word_of(status)?;
        Some((id, (time(Some(moved))?, status)))
    });
    Some(SavedSights {
        project_id,
        scope: document.scope,
        documents: document.documents,
        sights: PollSights {
            asked_at: Timestamp::of_clock(document.asked_at),
            watermark: time(Some(document.watermark))?,
            ended: ended.collect(),
            open: document.open,
            has_no_schedules: document.has_no_schedules,
        },
    })
}

/// GitLab's word for the status of a pipeline that stays as it is until a user acts.
fn word_of(status: Status) -> Option<&'static str> {
    Some(match status {
        Status::Success => "success",
        Status::Failed => "failed",
        Status::Canceled => "canceled",
        Status::Skipped => "skipped",
        Status::Blocked => "manual",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::envelope::seal;
    use super::*;

    fn saved() -> SavedSights {
        let at = Timestamp::of_clock;
        SavedSights {
            project_id: 7,
            scope: 1,
            documents: u32::MAX,
            sights: PollSights {
                asked_at: at(1_700_000_900),
                watermark: at(1_700_000_000),
                ended: BTreeMap::from([
                    (3, (at(1_700_000_000), Status::Success)),
                    (4, (at(1_699_999_990), Status::Blocked)),
                ]),
                open: BTreeSet::from([5]),
                has_no_schedules: true,
            },
        }
    }

    #[test]
    fn sights_come_back_as_they_were_saved() {
        let text = seal(encode(&saved()), Some("a.example"));
        assert_eq!(decode(&text, 7, Some("a.example")), Some(saved()));
        assert_eq!(decode(&text, 7, None), Some(saved()));
    }

    #[test]
    fn sights_that_are_changed_or_belong_elsewhere_are_none() {
        let text = seal(encode(&saved()), Some("a.example"));
        assert_eq!(decode(&text, 8, Some("a.example")), None);
        assert_eq!(decode(&text, 7, Some("b.example")), None);
        let without_instance = seal(encode(&saved()), None);
        assert_eq!(decode(&without_instance, 7, Some("a.example")), None);
        for (from, to) in [
            ("\"success\"", "\"failed\""),
            ("{\"version\":1", "{\"version\":2"),
        ] {
            let changed = String::from_utf8(text.clone())
                .unwrap()
                .replacen(from, to, 1);
            assert_eq!(decode(changed.as_bytes(), 7, Some("a.example")), None);
        }
        for length in 0..text.len() - 1 {
            assert_eq!(decode(&text[..length], 7, Some("a.example")), None);
        }
    }
}
