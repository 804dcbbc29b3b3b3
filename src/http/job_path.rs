//! The path of a job's page, written and read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::status::JobEntry;

/// Bytes of a path with its query at most. No page here has a longer one.
pub(super) const LONGEST_PATH: usize = 4 * 1024;

const PREFIX: &str = "/jobs/";

/// Between project, ref and job. GitLab allows no `-` as a segment of a project's path.
pub(super) const SEPARATOR: &str = "/-/";

/// Encodes a `/` of a ref or a job, so that no name looks like a separator.
pub(super) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// Keeps the slashes of a project.
pub(super) const ENCODED_PROJECT: &AsciiSet = &ENCODED.remove(b'/');

/// The names in the path of a job's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobPath {
    pub(super) project: String,
    pub(super) ref_name: String,
    pub(super) job: String,
}

/// A name in a path; `None` if it is empty or no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

impl JobPath {
    /// `None` for the path of anything else.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (project, rest) = path.strip_prefix(PREFIX)?.split_once(SEPARATOR)?;
        let (ref_name, job) = rest.split_once(SEPARATOR)?;
        Some(Self {
            project: decode(project)?,
            ref_name: decode(ref_name)?,
            job: decode(job)?,
        })
    }
}

/// The path of a job's page, with the track as its query.
pub(super) fn page_of(entry: &JobEntry) -> Option<String> {
    job_page_path(
        &entry.project,
        &entry.ref_name,
        entry.track.as_deref(),
        &entry.row.name,
    )
}

/// The same by names.
pub(super) fn job_page_path(
    project: &str,
    ref_name: &str,
    track: Option<&str>,
    job: &str,
) -> Option<String> {
    let path = job_path(project, ref_name, job)?;
    Some(match track {
        None => path,
        Some(track) => format!("{path}?track={}", utf8_percent_encode(track, ENCODED)),
    })
}

/// Whether a browser takes a segment of a path for a directory.
pub(super) fn is_directory(name: &str) -> bool {
    matches!(name, "." | "..")
}

/// The address of a job's page for a reader elsewhere. `external_url` is where the pages are reached; its path ends in `/`.
pub fn job_url(
    external_url: &Url,
    project: &str,
    ref_name: &str,
    track: Option<&str>,
    job: &str,
) -> Option<String> {
    let path = job_page_path(project, ref_name, track, job)?;
    Some(format!("{external_url}{}", path.trim_start_matches('/')))
}

/// The path of a job's page on the unnamed track. `None` for names that do not fit into a path: very long ones, and `.` and `..`,
/// which a browser takes for directories even if they are encoded.
pub fn job_path(project: &str, ref_name: &str, job: &str) -> Option<String> {
    if is_directory(ref_name) || is_directory(job) || project.split('/').any(is_directory) {
        return None;
    }
    let path = format!(
        "{PREFIX}{}{SEPARATOR}{}{SEPARATOR}{}",
        utf8_percent_encode(project, ENCODED_PROJECT),
        utf8_percent_encode(ref_name, ENCODED),
        utf8_percent_encode(job, ENCODED),
    );
    let leads_back = JobPath::parse(&path).is_some_and(|back| {
        back.project == project && back.ref_name == ref_name && back.job == job
    });
    (leads_back && path.len() <= LONGEST_PATH).then_some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_can_be_read_and_typed() {
        assert_eq!(
            job_path("group/sub/app", "release/1.0", "test: [a, b]/c").unwrap(),
            "/jobs/group/sub/app/-/release%2F1.0/-/test:%20%5Ba%2C%20b%5D%2Fc"
        );
        let typed = JobPath::parse("/jobs/group/app/-/release/1.0/-/deploy/eu").unwrap();
        assert_eq!(
            (&*typed.ref_name, &*typed.job),
            ("release/1.0", "deploy/eu")
        );
    }

    #[test]
    fn the_path_of_anything_else_is_none() {
        for path in [
            "/jobs/",
            "/jobs/a/-/b",
            "/jobs/a/-//-/c",
            "/jobs/-/-/x",
            "/jobs/a/-/b/-/%ff",
            "/a/-/b/-/c",
        ] {
            assert_eq!(JobPath::parse(path), None, "{path}");
        }
        for name in [".", "..", "", &"x".repeat(5000)] {
            assert_eq!(job_path("group/app", "main", name), None, "{name}");
        }
    }

    #[test]
    fn an_address_goes_on_from_the_path_of_a_proxy() {
        for (base, wanted) in [
            (
                "https://ci.example/",
                "https://ci.example/jobs/group/app/-/main/-/unit%20%221%22?track=nightly%26x",
            ),
            (
                "http://ci.example:8080/exporter/",
                "http://ci.example:8080/exporter/jobs/group/app/-/main/-/unit%20%221%22?track=nightly%26x",
            ),
        ] {
            let base = Url::parse(base).unwrap();
            let found = job_url(&base, "group/app", "main", Some("nightly&x"), "unit \"1\"");
            assert_eq!(found.as_deref(), Some(wanted));
            assert_eq!(job_url(&base, "group/app", "main", None, ".."), None);
        }
    }

    proptest! {
        #[test]
        fn any_name_has_a_path_of_harmless_characters_that_leads_back(
            ref_name in "[^.].{0,20}", job in "(/-/|-/|/|[^.]).{0,20}(/-/|/-|)",
        ) {
            let path = job_path("group/app", &ref_name, &job).unwrap();
            prop_assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/%".contains(&b)));
            let back = JobPath::parse(&path).unwrap();
            prop_assert_eq!((back.project, back.ref_name, back.job), ("group/app".to_owned(), ref_name, job));
        }
    }
}
