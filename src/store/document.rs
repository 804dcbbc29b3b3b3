//! The document of one timeline: version 3, a superset of `job_executions.v2.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ci_history::stored::{FinishedPipelines, KEPT_FINISHED};
use ci_history::{Rules, Timeline, TimelineKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::history_document::{HistoryDocument, Interner, ProjectDocument, is_zero};

/// Version this program writes; the highest it reads.
const VERSION: u32 = 3;

/// A document that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Written by a newer program.
    #[error(
        "the document is of version {found}, this program reads versions up to {VERSION}: \
         run the version that wrote it, or a newer one"
    )]
    Newer {
        /// The version found.
        found: u64,
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
        matches!(self, Self::Newer { .. } | Self::OtherInstance { .. })
    }
}

/// A timeline as saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The timeline.
    pub timeline: Timeline,
    /// Up to when everything of the project's pipelines is in the saved documents.
    pub watermark: Option<Timestamp>,
    /// Whether some of its past pipelines may not have been read, so that it is backfilled as a new ref is.
    pub has_gap: bool,
    /// What was watched when it was saved.
    pub scope: SavedScope,
}

/// What was watched when a timeline was saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SavedScope {
    /// Whether the ref was the default branch of its project.
    pub default_branch: bool,
    /// The watched sources of pipelines; `None` in an older document.
    pub sources: Option<Vec<Arc<str>>>,
    /// Jobs that were no longer watched.
    pub unwatched: BTreeSet<Arc<str>>,
}

impl Saved {
    /// Joins what another replica saved of the same timeline.
    pub fn merge(&mut self, other: &Self, rules: &Rules) {
        self.timeline.merge(&other.timeline);
        self.timeline.trim(rules);
        // Each says up to when everything is in the documents, and it still is.
        self.watermark = self.watermark.max(other.watermark);
        // Whoever has read everything brings it along.
        self.has_gap &= other.has_gap;
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimelineDocument {
    version: u32,
    project: ProjectDocument,
    #[serde(rename = "ref")]
    ref_name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    track: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watermark: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_gap: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    default_branch: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<Arc<str>>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unwatched: BTreeSet<Arc<str>>,
    /// How often the ref began again.
    #[serde(default, skip_serializing_if = "is_zero")]
    generation: u64,
    /// Up to this pipeline, those of other tracks are in the sums.
    #[serde(default, skip_serializing_if = "is_zero")]
    mixed_through: u64,
    /// The newest finished pipeline, as in version 2.
    pipeline_id: u64,
    /// Finished pipelines by source: id and time of creation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    finished: FinishedDocument,
    pipelines: HistoryDocument,
    jobs: BTreeMap<Arc<str>, HistoryDocument>,
    /// The envelope writes this field and the next.
    #[serde(default, skip_serializing)]
    gitlab: Option<Arc<str>>,
    #[serde(default, skip_serializing)]
    checksum: Option<Arc<str>>,
}

/// What the envelope of a document says.
pub(super) struct EnvelopeFacts {
    /// Host and path of the GitLab.
    pub(super) instance: Option<Arc<str>>,
    pub(super) has_checksum: bool,
}

/// Writes a timeline's document.
pub fn encode(saved: &Saved, rules: &Rules) -> Vec<u8> {
    let mut text = to_json(&TimelineDocument::of(saved, rules));
    text.push(b'\n');
    text
}

/// A timeline's document as a part of another one.
#[expect(
    clippy::expect_used,
    reason = "maps with string keys and plain numbers always serialize"
)]
pub(super) fn embed(saved: &Saved, rules: &Rules) -> Box<RawValue> {
    to_raw_value(&TimelineDocument::of(saved, rules)).expect("a document that serializes")
}

impl TimelineDocument {
    fn of(saved: &Saved, rules: &Rules) -> Self {
        let timeline = &saved.timeline;
        Self {
            version: VERSION,
            project: ProjectDocument {
                id: timeline.key.project_id,
                path: timeline.project.clone(),
                web_url: timeline.project_url.clone(),
            },
            ref_name: timeline.key.ref_name.clone(),
            track: timeline.key.track.clone(),
            watermark: saved.watermark.map(Timestamp::unix),
            has_gap: saved.has_gap,
            default_branch: saved.scope.default_branch,
            sources: saved.scope.sources.clone(),
            unwatched: saved.scope.unwatched.clone(),
            generation: timeline.generation,
            mixed_through: timeline.mixed_through,
            pipeline_id: timeline.newest_finished,
            finished: finished_document(&timeline.finished),
            pipelines: HistoryDocument::of(&timeline.pipelines, rules),
            jobs: timeline
                .jobs
                .iter()
                .map(|(name, job)| (name.clone(), HistoryDocument::of_job(job, rules)))
                .collect(),
            gitlab: None,
            checksum: None,
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "maps with string keys and plain numbers always serialize"
)]
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a document that serializes")
}

/// Reads a timeline's document, wherever it comes from. Fields that this version does not know are refused.
pub fn decode(text: &[u8]) -> Result<Saved, DocumentError> {
    Ok(decode_with_instance(text)?.0)
}

pub(super) fn decode_with_instance(text: &[u8]) -> Result<(Saved, EnvelopeFacts), DocumentError> {
    let version = parse::<VersionOnly>(text)?.version;
    if version > u64::from(VERSION) {
        return Err(DocumentError::Newer { found: version });
    }
    if version != u64::from(VERSION) {
        return Err(DocumentError::Malformed {
            path: "version".to_owned(),
            message: format!(
                "found {version}, wanted {VERSION}: a `job_executions.v2.json` names no project and is imported, not loaded"
            ),
        });
    }
    let document: TimelineDocument = parse(text)?;
    let facts = EnvelopeFacts {
        instance: document.gitlab,
        has_checksum: document.checksum.is_some(),
    };
    let mut commits = Interner::default();
    let mut timeline = Timeline::new(
        TimelineKey::new(document.project.id, document.ref_name).with_track(document.track),
        document.project.path,
        document.project.web_url,
    );
    timeline.generation = document.generation;
    timeline.mixed_through = document.mixed_through;
    timeline.newest_finished = document.pipeline_id;
    timeline.finished = finished_pipelines(document.finished);
    timeline.pipelines = document.pipelines.into_history(&mut commits);
    timeline.jobs = document
        .jobs
        .into_iter()
        .map(|(name, job)| (name, Box::new(job.into_job(&mut commits))))
        .collect();
    let saved = Saved {
        timeline,
        watermark: document.watermark.and_then(Timestamp::from_unix),
        has_gap: document.has_gap,
        scope: SavedScope {
            default_branch: document.default_branch,
            sources: document.sources,
            unwatched: document.unwatched,
        },
    };
    Ok((saved, facts))
}

type FinishedDocument = BTreeMap<Arc<str>, Vec<(u64, Option<i64>)>>;

fn finished_document(finished: &FinishedPipelines) -> FinishedDocument {
    let by_source = finished.0.iter().map(|(source, pipelines)| {
        let pipelines = pipelines.iter();
        let pipelines = pipelines.map(|(id, at)| (*id, at.map(Timestamp::unix)));
        (source.clone(), pipelines.collect())
    });
    by_source.collect()
}

fn finished_pipelines(document: FinishedDocument) -> FinishedPipelines {
    let by_source = document.into_iter().map(|(source, pipelines)| {
        let time = |at: Option<i64>| at.and_then(Timestamp::from_unix);
        let mut pipelines: Vec<_> = pipelines
            .into_iter()
            .map(|(id, at)| (id, time(at)))
            .collect();
        pipelines.sort_unstable();
        pipelines.dedup_by_key(|(id, _)| *id);
        pipelines.drain(..pipelines.len().saturating_sub(KEPT_FINISHED));
        (source, pipelines)
    });
    FinishedPipelines(by_source.collect())
}

/// Whether a text names a version, as only the documents of this program do.
pub fn names_a_version(text: &[u8]) -> Result<bool, DocumentError> {
    Ok(parse::<VersionOnly>(text)?.version != 0)
}

#[derive(Deserialize)]
struct VersionOnly {
    #[serde(default)]
    version: u64,
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
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        DocumentError::Malformed {
            path: error.path().to_string(),
            message: error.inner().to_string(),
        }
    })?;
    reader.end().map_err(|error| DocumentError::Malformed {
        path: ".".to_owned(),
        message: error.to_string(),
    })?;
    Ok(value)
}

/// `job_executions.v2.json`, as datadog-agent reads and writes it.
#[derive(Serialize, Deserialize)]
struct DocumentV2 {
    #[serde(default)]
    pipeline_id: u64,
    jobs: BTreeMap<Arc<str>, JobV2>,
}

#[derive(Serialize, Deserialize)]
struct JobV2 {
    consecutive_failures: u64,
    jobs_info: Vec<EntryV2>,
}

#[derive(Serialize, Deserialize)]
struct EntryV2 {
    id: Option<u64>,
    failing: bool,
    commit: Option<Arc<str>>,
}

/// Reads a `job_executions.v2.json` into a timeline; unknown keys are ignored, as the original does.
pub fn decode_v2(
    text: &[u8],
    key: TimelineKey,
    project: Arc<str>,
    rules: &Rules,
) -> Result<Timeline, DocumentError> {
    let document: DocumentV2 = parse(text)?;
    let mut timeline = Timeline::new(key, project, None);
    timeline.newest_finished = document.pipeline_id;
    for (name, job) in document.jobs {
        let entries = job.jobs_info.into_iter();
        let entries = entries.map(|entry| (entry.id, entry.failing, entry.commit));
        timeline.import_job(
            name,
            document.pipeline_id,
            job.consecutive_failures,
            entries.collect(),
            rules,
        );
    }
    Ok(timeline)
}

/// Writes a timeline as `job_executions.v2.json`: id and commit of failing entries only, as the original.
pub fn encode_v2(timeline: &Timeline, rules: &Rules) -> Vec<u8> {
    let rows = timeline.rows(rules);
    let jobs = rows.jobs.into_iter().map(|row| {
        let entries = row.figures.window.into_iter().map(|entry| {
            let failing = entry.outcome == ci_history::Outcome::Failed;
            // What was imported is given back as it was; of our own, the original knows failures only.
            let told = failing || entry.pipeline_id.is_none();
            EntryV2 {
                id: entry.job_id.filter(|_| told),
                failing,
                commit: entry.commit.filter(|_| told),
            }
        });
        let job = JobV2 {
            consecutive_failures: row.figures.consecutive_failures,
            jobs_info: entries.collect(),
        };
        (row.name, job)
    });
    to_json(&DocumentV2 {
        pipeline_id: timeline.newest_finished(),
        jobs: jobs.collect(),
    })
}
