//! Names of the documents: `<project id>/<percent-encoded ref>.json`, or `..~track-<track>.json`.

use ci_history::TimelineKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but letters, digits, `-`, `_` and `.` is encoded; so `~` is free to mark a cut name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Longest encoded ref that is used as it is; file systems take names of 255 bytes.
const LONGEST_NAME: usize = 180;

/// Folder of the documents that fell to the retention, `attic/<project id>/<percent-encoded ref>@<time>.json`.
pub(super) const ATTIC: &str = "attic";

/// Locked by the process that uses a directory.
pub(super) const LOCK_FILE: &str = ".lock";

/// The record of remediation.
pub(super) const REMEDIATION: &str = ".remediation.json";

/// Path of a timeline's document below the store's root, with `/` between its two parts.
pub(super) fn document_path(key: &TimelineKey) -> String {
    let stem = file_stem(&key.ref_name);
    match &key.track {
        None => format!("{}/{stem}.json", key.project_id),
        Some(track) => {
            let track = utf8_percent_encode(track, ENCODED);
            format!("{}/{stem}~track-{track}.json", key.project_id)
        }
    }
}

/// Path of the checkpoint of a backfill; its name keeps it from being loaded.
pub(super) fn checkpoint_path(project_id: u64) -> String {
    format!("{project_id}/.backfill")
}

/// Name of a project's own document in the folder of the project.
pub(super) const PROJECT_FILE: &str = ".project";

/// Path of a project's own document.
pub(super) fn project_path(project_id: u64) -> String {
    format!("{project_id}/{PROJECT_FILE}")
}

/// The project whose own document has this path.
pub(super) fn project_of_path(path: &str) -> Option<u64> {
    project_of_file(path, PROJECT_FILE)
}

/// Name of the document of a project's sights in the folder of the project. Programs that do not know it leave it alone.
pub(super) const SIGHTS_FILE: &str = ".sights";

/// Path of the document of a project's sights.
pub(super) fn sights_path(project_id: u64) -> String {
    format!("{project_id}/{SIGHTS_FILE}")
}

/// The project whose sights have this path.
pub(super) fn project_of_sights(path: &str) -> Option<u64> {
    project_of_file(path, SIGHTS_FILE)
}

fn project_of_file(path: &str, wanted: &str) -> Option<u64> {
    let (id, file) = path.split_once('/')?;
    id.parse().ok().filter(|_| file == wanted)
}

/// The project whose documents are in the folder of this name; `None` if the folder is somebody else's.
pub(super) fn project_of_folder(name: &str) -> Option<u64> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| is_number)
}

fn file_stem(ref_name: &str) -> String {
    let mut stem = utf8_percent_encode(ref_name, ENCODED).to_string();
    if stem.starts_with('.') {
        stem.replace_range(..1, "%2E");
    }
    if stem.len() > LONGEST_NAME {
        // A long name is cut and told apart by its checksum; the document itself has the whole ref.
        let checksum = crc32fast::hash(ref_name.as_bytes());
        stem.truncate(LONGEST_NAME);
        stem = format!("{stem}~{checksum:08x}");
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(ref_name: &str) -> String {
        document_path(&TimelineKey::new(7, ref_name))
    }

    #[test]
    fn a_ref_becomes_one_file_name_whatever_it_holds() {
        assert_eq!(path("main"), "7/main.json");
        assert_eq!(path("release/1.2"), "7/release%2F1.2.json");
        assert_eq!(path("../../etc"), "7/%2E.%2F..%2Fetc.json");
        assert_eq!(path("é~\0"), "7/%C3%A9%7E%00.json");
    }

    #[test]
    fn long_refs_are_cut_and_stay_apart() {
        let (a, b) = ("é".repeat(200), format!("{}x", "é".repeat(199)));
        assert_ne!(path(&a), path(&b));
        assert!(path(&a).len() < 220);
    }
}
