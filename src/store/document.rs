//! The document of one timeline, a superset of `job_executions.v2.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arcstr::ArcStr;
use ci_history::stored::{FinishedPipelines, KEPT_FINISHED};
use ci_history::{Rules, Timeline, TimelineKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::commit_document::{CommitDocument, Commits};
use super::history_document::{HistoryDocument, Interner, ProjectDocument, is_zero};
use super::json::{DocumentError, parse, to_json};
use super::packed::unpack;
use super::text::Text;
use super::times::{seconds, time};
use super::version::{self, VERSION};

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
pub(super) struct TimelineDocument<'a> {
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
    /// Titles and authors of the commits at which jobs failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    commits: BTreeMap<ArcStr, CommitDocument>,
    #[serde(borrow)]
    pipelines: HistoryDocument<'a>,
    #[serde(borrow)]
    jobs: BTreeMap<Text<'a>, Box<HistoryDocument<'a>>>,
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

impl<'a> TimelineDocument<'a> {
    fn of(saved: &'a Saved, rules: &Rules) -> Self {
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
            watermark: seconds(saved.watermark),
            has_gap: saved.has_gap,
            default_branch: saved.scope.default_branch,
            sources: saved.scope.sources.clone(),
            unwatched: saved.scope.unwatched.clone(),
            generation: timeline.generation,
            mixed_through: timeline.mixed_through,
            pipeline_id: timeline.newest_finished,
            finished: finished_document(&timeline.finished),
            commits: Commits::of(timeline).documents(),
            pipelines: HistoryDocument::of(&timeline.pipelines, rules),
            jobs: timeline
                .jobs
                .iter()
                .map(|(name, job)| {
                    (
                        Text::from(&**name),
                        Box::new(HistoryDocument::of_job(job, rules)),
                    )
                })
                .collect(),
            gitlab: None,
            checksum: None,
        }
    }
}

/// Reads a timeline's document, wherever it comes from. Fields that this version does not know are refused.
pub fn decode(text: &[u8]) -> Result<Saved, DocumentError> {
    Ok(decode_with_instance(&unpack(text)?)?.0)
}

pub(super) fn decode_with_instance(text: &[u8]) -> Result<(Saved, EnvelopeFacts), DocumentError> {
    // The version of one with unknown fields says more than these.
    let document: TimelineDocument<'_> =
        parse(text).map_err(|error| version::check(text).err().unwrap_or(error))?;
    version::refuse_other(u64::from(document.version))?;
    let facts = EnvelopeFacts {
        instance: document.gitlab,
        has_checksum: document.checksum.is_some(),
    };
    let mut interner = Interner::new(Commits::read(document.commits));
    let mut timeline = Timeline::new(
        TimelineKey::new(document.project.id, document.ref_name).with_track(document.track),
        document.project.path,
        document.project.web_url,
    );
    timeline.generation = document.generation;
    timeline.mixed_through = document.mixed_through;
    timeline.newest_finished = document.pipeline_id;
    timeline.finished = finished_pipelines(document.finished);
    timeline.pipelines = document.pipelines.into_history(&mut interner);
    timeline.jobs = document
        .jobs
        .into_iter()
        .map(|(name, job)| (Arc::from(&*name), Box::new(job.into_job(&mut interner))))
        .collect();
    let saved = Saved {
        timeline,
        watermark: time(document.watermark),
        has_gap: document.has_gap,
        scope: SavedScope {
            default_branch: document.default_branch,
            sources: document.sources,
            unwatched: document.unwatched,
        },
    };
    Ok((saved, facts))
}

type FinishedDocument = BTreeMap<ArcStr, Vec<(u64, Option<i64>)>>;

fn finished_document(finished: &FinishedPipelines) -> FinishedDocument {
    let by_source = finished.0.iter().map(|(source, pipelines)| {
        let pipelines = pipelines.iter();
        let pipelines = pipelines.map(|(id, at)| (*id, seconds(*at)));
        (source.clone(), pipelines.collect())
    });
    by_source.collect()
}

fn finished_pipelines(document: FinishedDocument) -> FinishedPipelines {
    let by_source = document.into_iter().map(|(source, pipelines)| {
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
    commit: Option<ArcStr>,
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

#[cfg(test)]
mod tests {
    use super::super::history_document as history;
    use super::*;

    /// The fields that a part of a document may have, as serde names them.
    fn fields<'de, T: Deserialize<'de>>() -> Vec<String> {
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
        let timeline = "version project ref track watermark has_gap default_branch sources unwatched generation mixed_through \
                        pipeline_id finished commits pipelines jobs gitlab checksum";
        let history = "consecutive_failures jobs_info before_window outside_window imported_window first_seen carried \
                       excerpt job";
        let entry = "id failing commit pipeline_id finished withdrawn counted attempts";
        let attempt = "id phase at duration queued version allow_failure failure_reason web_url member log_class log_rule withdrawals";
        let baseline = "floor idle_floor streak streak_since first_failing_commit last_passing_commit executions failures \
                        flaky retries last_execution last_success last_failure last_ended";
        assert_eq!(fields::<TimelineDocument>().join(" "), timeline);
        assert_eq!(fields::<history::HistoryDocument>().join(" "), history);
        assert_eq!(fields::<history::EntryDocument>().join(" "), entry);
        assert_eq!(fields::<history::AttemptDocument>().join(" "), attempt);
        assert_eq!(fields::<history::BaselineDocument>().join(" "), baseline);
        assert_eq!(
            fields::<history::DescriptionDocument>(),
            [
                "stage",
                "tags",
                "allow_failure",
                "newest_attempt",
                "sources"
            ]
        );
        assert_eq!(fields::<history::ExcerptDocument>(), ["id", "text", "line"]);
        assert_eq!(fields::<CommitDocument>(), ["title", "author", "handle"]);
        assert_eq!(
            fields::<history::ProjectDocument>(),
            ["id", "path", "web_url"]
        );
    }
}
