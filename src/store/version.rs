//! Versions of the documents: what this program writes, what it reads, and which fields belong to the version.
//!
//! A field that is added, or gets another meaning, raises the version: an earlier program then refuses the document and
//! leaves it unchanged, instead of dropping what it does not know. A later program reads all earlier versions.

use serde::Deserialize;

use super::json::{DocumentError, parse};
use super::packed::unpack;

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
    refuse_other(parse::<VersionOnly>(text)?.version)
}

/// Refuses a version that this program does not read.
pub(super) fn refuse_other(found: u64) -> Result<(), DocumentError> {
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
    Ok(parse::<VersionOnly>(&unpack(text)?)?.version != 0)
}
