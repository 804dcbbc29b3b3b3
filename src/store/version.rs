//! Versions of the documents: what this program writes, what it reads, and which fields belong to the version.
//!
//! A field that is added, or gets another meaning, raises the version: an earlier program then refuses the document and
//! leaves it unchanged, instead of dropping what it does not know. A later program reads all earlier versions.

use serde::Deserialize;

use super::document::{DocumentError, parse};

/// Version this program writes; the highest it reads.
pub(super) const VERSION: u32 = 4;

/// The lowest version it reads. Version 3 is version 4 without the fields that are absent by default.
pub(super) const OLDEST: u32 = 3;

#[derive(Deserialize)]
struct VersionOnly {
    #[serde(default)]
    version: u64,
}

/// Refuses documents of versions that this program does not read.
pub(super) fn check(text: &[u8]) -> Result<(), DocumentError> {
    let found = parse::<VersionOnly>(text)?.version;
    if found > u64::from(VERSION) {
        return Err(DocumentError::Newer {
            found,
            highest: VERSION,
        });
    }
    if found < u64::from(OLDEST) {
        return Err(DocumentError::Malformed {
            path: "version".to_owned(),
            message: format!(
                "found {found}, wanted {OLDEST} to {VERSION}: a `job_executions.v2.json` names no project and is imported, not loaded"
            ),
        });
    }
    Ok(())
}

/// Whether a text names a version, as only the documents of this program do.
pub fn names_a_version(text: &[u8]) -> Result<bool, DocumentError> {
    Ok(parse::<VersionOnly>(text)?.version != 0)
}

#[cfg(test)]
mod tests {
    use super::super::document::TimelineDocument;
    use super::super::history_document as history;
    use super::*;

    /// The fields that a part of a document may have, as serde names them.
    fn fields<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = match serde_json::from_str::<T>(r#"{"?":0}"#) {
            Ok(_) => panic!("unknown fields are refused"),
            Err(error) => error.to_string(),
        };
        let (_, fields) = error.split_once("expected one of ").unwrap();
        let names = fields.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect()
    }

    #[test]
    fn a_version_has_these_fields_and_another_one_raises_it() {
        assert_eq!(VERSION, 4);
        let timeline = "version project ref track watermark has_gap default_branch sources unwatched generation \
                        pipeline_id finished pipelines jobs gitlab checksum";
        let history = "consecutive_failures jobs_info before_window outside_window imported_window first_seen carried \
                       excerpt job";
        let entry = "id failing commit pipeline_id finished withdrawn counted attempts";
        let attempt = "id phase at duration queued version allow_failure failure_reason web_url member log_class";
        let baseline = "floor idle_floor streak streak_since first_failing_commit last_passing_commit executions failures \
                        flaky retries last_execution last_success last_failure last_ended";
        assert_eq!(fields::<TimelineDocument>().join(" "), timeline);
        assert_eq!(fields::<history::HistoryDocument>().join(" "), history);
        assert_eq!(fields::<history::EntryDocument>().join(" "), entry);
        assert_eq!(fields::<history::AttemptDocument>().join(" "), attempt);
        assert_eq!(fields::<history::BaselineDocument>().join(" "), baseline);
        assert_eq!(
            fields::<history::DescriptionDocument>(),
            ["stage", "allow_failure", "newest_attempt", "sources"]
        );
        assert_eq!(
            fields::<history::ProjectDocument>(),
            ["id", "path", "web_url"]
        );
    }
}
