//! How histories look in a document.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arcstr::ArcStr;
use ci_history::stored::{
    Attempt, AttemptTimes, Baseline, Counted, Detail, Execution, History, Imported, ImportedWindow,
    Job, Phase, StreakStart,
};
use ci_history::{FailureClass, LogExcerpt, Outcome, Rules, Span};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::commit_document::Commits;
use super::counts_document::CountsDocument;
use super::text::Text;
use super::times::{seconds, time};

/// Gives equal texts one allocation: all jobs of a pipeline share its commit. A document has few different ones, so a tree
/// finds them sooner than a table.
#[derive(Default)]
pub(super) struct Interner {
    texts: BTreeSet<Arc<str>>,
    ids: BTreeSet<ArcStr>,
    /// What is known of the commits.
    infos: Commits,
}

impl Interner {
    pub(super) fn new(infos: Commits) -> Self {
        Self {
            infos,
            ..Self::default()
        }
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        interned(&mut self.texts, text)
    }

    fn some_text(&mut self, text: Option<&Text<'_>>) -> Option<Arc<str>> {
        text.map(|text| self.text(text))
    }

    /// A commit, or a source of pipelines.
    fn id(&mut self, id: &str) -> ArcStr {
        interned(&mut self.ids, id)
    }

    fn some_id(&mut self, id: Option<&Text<'_>>) -> Option<ArcStr> {
        id.map(|id| self.id(id))
    }
}

fn interned<T>(known: &mut BTreeSet<T>, text: &str) -> T
where
    T: Borrow<str> + Clone + Ord + for<'a> From<&'a str>,
{
    if let Some(known) = known.get(text) {
        return known.clone();
    }
    let text = T::from(text);
    known.insert(text.clone());
    text
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectDocument {
    pub(super) id: u64,
    pub(super) path: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) web_url: Option<Arc<str>>,
}

/// The fields of a job besides its history.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DescriptionDocument<'a> {
    #[serde(borrow)]
    stage: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Text::is_empty")]
    tags: Text<'a>,
    allow_failure: bool,
    newest_attempt: u64,
    /// Newest pipeline with the job, by source.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    sources: BTreeMap<Text<'a>, u64>,
}

/// A history: `consecutive_failures` and `jobs_info` as in version 2, and fields that version 2 lacks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryDocument<'a> {
    consecutive_failures: u64,
    /// The window, oldest first.
    #[serde(borrow)]
    jobs_info: Vec<EntryDocument<'a>>,
    /// Executions kept beyond the window.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    before_window: Vec<EntryDocument<'a>>,
    /// Executions without an outcome of the window.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    outside_window: Vec<EntryDocument<'a>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    imported_window: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_seen: Option<i64>,
    #[serde(borrow, rename = "carried")]
    baseline: BaselineDocument<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    excerpt: Option<ExcerptDocument>,
    /// Of jobs; the pipelines as a unit have none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    job: Option<DescriptionDocument<'a>>,
}

impl<'a> HistoryDocument<'a> {
    pub(super) fn of_job(job: &'a Job, rules: &Rules) -> Self {
        let sources = job.sources.iter();
        Self {
            job: Some(DescriptionDocument {
                stage: Text::from(&*job.stage),
                tags: Text::from(&*job.tags),
                allow_failure: job.allow_failure,
                newest_attempt: job.newest_attempt,
                sources: sources
                    .map(|(source, id)| (Text::from(&**source), *id))
                    .collect(),
            }),
            ..Self::of(&job.history, rules)
        }
    }

    pub(super) fn into_job(mut self, interner: &mut Interner) -> Job {
        let description = self.job.take();
        let history = self.into_history(interner);
        description.map_or_else(Job::default, |description| Job {
            history,
            stage: interner.text(&description.stage),
            tags: interner.text(&description.tags),
            allow_failure: description.allow_failure,
            newest_attempt: description.newest_attempt,
            sources: description
                .sources
                .into_iter()
                .map(|(source, id)| (interner.id(&source), id))
                .collect(),
        })
    }

    pub(super) fn of(history: &'a History, rules: &Rules) -> Self {
        let counted: Vec<(&'a Execution, Outcome)> = history.window_candidates(rules).collect();
        let first_of_window = counted.len().saturating_sub(history.window(rules));
        let shape = |(execution, outcome): &(&'a Execution, Outcome)| {
            EntryDocument::of(execution, *outcome == Outcome::Failed, rules)
        };
        let is_counted = |execution: &Execution| {
            counted
                .iter()
                .any(|(known, _)| std::ptr::eq(*known, execution))
        };
        Self {
            consecutive_failures: history.figures(rules, None).consecutive_failures,
            jobs_info: history
                .imported()
                .iter()
                .map(EntryDocument::imported)
                .chain(counted[first_of_window..].iter().map(shape))
                .collect(),
            before_window: counted[..first_of_window].iter().map(shape).collect(),
            outside_window: history
                .kept
                .iter()
                .filter(|execution| !is_counted(execution))
                .map(|execution| EntryDocument::of(execution, false, rules))
                .collect(),
            imported_window: history.imported_window() as u64,
            first_seen: seconds(history.first_seen),
            baseline: BaselineDocument::of(&history.baseline),
            excerpt: history.excerpt.as_deref().map(ExcerptDocument::of),
            job: None,
        }
    }

    pub(super) fn into_history(self, interner: &mut Interner) -> History {
        let entries = [&self.before_window, &self.jobs_info, &self.outside_window];
        let most = entries.iter().map(|entries| entries.len()).sum();
        let mut imported = Vec::new();
        let mut history = History {
            kept: Vec::with_capacity(most),
            baseline: self.baseline.into_baseline(interner),
            first_seen: time(self.first_seen),
            excerpt: self.excerpt.map(|excerpt| Box::new(excerpt.into_excerpt())),
            ..History::default()
        };
        let entries = self.before_window.into_iter().chain(self.jobs_info);
        for entry in entries.chain(self.outside_window) {
            match entry.pipeline_id {
                Some(pipeline_id) => history
                    .kept
                    .push(entry.into_execution(pipeline_id, interner)),
                None => imported.push(entry.into_imported(interner)),
            }
        }
        history.kept.sort_by_key(|execution| execution.pipeline_id);
        history.kept.dedup_by_key(|execution| execution.pipeline_id);
        history.kept.shrink_to_fit();
        let imported = ImportedWindow {
            entries: imported,
            length: usize::try_from(self.imported_window).unwrap_or(0),
        };
        history.imported = imported.boxed();
        history
    }
}

/// The last lines of a failure's log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExcerptDocument {
    id: u64,
    text: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<Arc<str>>,
}

impl ExcerptDocument {
    fn of(excerpt: &LogExcerpt) -> Self {
        Self {
            id: excerpt.job_id,
            text: excerpt.text.clone(),
            line: Some(excerpt.line.clone()),
        }
    }

    fn into_excerpt(self) -> LogExcerpt {
        match self.line {
            Some(line) => LogExcerpt {
                job_id: self.id,
                text: self.text,
                line,
            },
            None => LogExcerpt::of_text(self.id, self.text),
        }
    }
}

/// An entry of `jobs_info`: `id`, `failing` and `commit` as in version 2.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryDocument<'a> {
    id: Option<u64>,
    failing: bool,
    #[serde(borrow)]
    commit: Option<Text<'a>>,
    /// Absent in entries that were imported from version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline_id: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    finished: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    withdrawn: bool,
    /// Bits of the outcomes and classes that were counted.
    #[serde(default, skip_serializing_if = "is_default")]
    counted: (u8, u8),
    /// Nearly always one.
    #[serde(borrow, default, skip_serializing_if = "SmallVec::is_empty")]
    attempts: SmallVec<[AttemptDocument<'a>; 1]>,
}

impl<'a> EntryDocument<'a> {
    fn of(execution: &'a Execution, failing: bool, rules: &Rules) -> Self {
        Self {
            id: execution.deciding(rules).map(|attempt| attempt.id),
            failing,
            commit: Some(Text::from(&*execution.commit)),
            pipeline_id: Some(execution.pipeline_id),
            finished: execution.finished,
            withdrawn: execution.withdrawn,
            counted: (execution.counted.outcomes, execution.counted.classes),
            attempts: execution.attempts.iter().map(AttemptDocument::of).collect(),
        }
    }

    fn imported(entry: &'a Imported) -> Self {
        Self {
            id: entry.id,
            failing: entry.failing,
            commit: Text::some(entry.commit.as_deref()),
            pipeline_id: None,
            finished: false,
            withdrawn: false,
            counted: (0, 0),
            attempts: SmallVec::new(),
        }
    }

    fn into_execution(self, pipeline_id: u64, interner: &mut Interner) -> Execution {
        let commit = self.commit.unwrap_or_default();
        let mut execution = Execution::new(pipeline_id, interner.id(&commit));
        execution.finished = self.finished;
        execution.withdrawn = self.withdrawn;
        execution.counted = Counted {
            outcomes: self.counted.0,
            classes: self.counted.1,
        };
        for attempt in self.attempts {
            let mut attempt = attempt.into_attempt(interner);
            // Only failed ones note it: the others are spared the lookup.
            if attempt.phase == Phase::Failed {
                attempt.note_commit(interner.infos.get(&execution.commit).as_ref());
            }
            execution.join_attempt(&attempt);
        }
        execution
    }

    fn into_imported(self, interner: &mut Interner) -> Imported {
        Imported {
            id: self.id,
            failing: self.failing,
            commit: interner.some_id(self.commit.as_ref()),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttemptDocument<'a> {
    id: u64,
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    /// Microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    /// Microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queued: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    version: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    allow_failure: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    failure_reason: Option<Box<Text<'a>>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    web_url: Option<Box<Text<'a>>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    member: Option<Box<Text<'a>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_class: Option<FailureClass>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    log_rule: Option<Box<Text<'a>>>,
    /// Odd: GitLab does not have the attempt.
    #[serde(default, skip_serializing_if = "is_default")]
    withdrawals: u8,
}

impl<'a> AttemptDocument<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        let detail = attempt.detail.as_deref();
        let text = |of: fn(&Detail) -> Option<&str>| {
            let text = Text::some(detail.and_then(of));
            text.map(Box::new)
        };
        Self {
            id: attempt.id,
            phase: attempt.phase,
            at: seconds(attempt.times.at()),
            duration: attempt.times.duration().map(Span::micros),
            queued: attempt.times.queued().map(Span::micros),
            version: attempt.version,
            allow_failure: attempt.allow_failure,
            failure_reason: text(|it| it.failure_reason.as_deref()),
            web_url: text(|it| it.web_url.as_deref()),
            member: text(|it| it.member.as_deref()),
            log_class: detail.and_then(|it| it.log_class),
            log_rule: text(|it| it.log_rule.as_deref()),
            withdrawals: attempt.withdrawals,
        }
    }

    fn into_attempt(self, interner: &mut Interner) -> Attempt {
        let detail = Detail {
            failure_reason: interner.some_text(self.failure_reason.as_deref()),
            web_url: self.web_url.map(|url| Box::from(*url)),
            member: interner.some_text(self.member.as_deref()),
            log_class: self.log_class,
            log_rule: interner.some_text(self.log_rule.as_deref()),
            commit_info: None,
        };
        Attempt {
            id: self.id,
            times: AttemptTimes::new(
                time(self.at),
                self.duration.map(Span::from_micros),
                self.queued.map(Span::from_micros),
            ),
            detail: (detail != Detail::default()).then(|| Box::new(detail)),
            version: self.version,
            phase: self.phase,
            allow_failure: self.allow_failure,
            withdrawals: self.withdrawals,
        }
    }
}

/// Totals of the executions before the kept ones.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaselineDocument<'a> {
    floor: u64,
    idle_floor: u64,
    streak: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    streak_since: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    first_failing_commit: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    last_passing_commit: Option<Text<'a>>,
    executions: CountsDocument<Outcome, { Outcome::ALL.len() }>,
    failures: CountsDocument<FailureClass, { FailureClass::ALL.len() }>,
    flaky: u64,
    retries: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_execution: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_success: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_failure: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    last_ended: Option<AttemptDocument<'a>>,
}

impl<'a> BaselineDocument<'a> {
    fn of(baseline: &'a Baseline) -> Self {
        let start = baseline.streak_start.as_deref();
        let first_failing = start.and_then(|start| start.commit.as_ref());
        Self {
            floor: baseline.settled_through,
            idle_floor: baseline.idle_settled_through,
            streak: baseline.streak,
            streak_since: seconds(start.and_then(|start| start.since)),
            first_failing_commit: Text::some(first_failing.map(|commit| &**commit)),
            last_passing_commit: Text::some(baseline.last_passing_commit.as_deref()),
            executions: CountsDocument(baseline.executions),
            failures: CountsDocument(baseline.failures),
            flaky: baseline.flaky,
            retries: baseline.retries,
            last_execution: seconds(baseline.last_execution),
            last_success: seconds(baseline.last_success),
            last_failure: seconds(baseline.last_failure),
            last_ended: baseline.last_ended.as_deref().map(AttemptDocument::of),
        }
    }

    fn into_baseline(self, interner: &mut Interner) -> Baseline {
        let first_failing = self.first_failing_commit.as_ref();
        let start = StreakStart {
            since: time(self.streak_since),
            commit: interner.some_id(first_failing),
            info: first_failing.and_then(|commit| interner.infos.get(commit)),
        };
        Baseline {
            settled_through: self.floor,
            idle_settled_through: self.idle_floor,
            streak: self.streak,
            streak_start: start.boxed(),
            last_passing_commit: interner.some_id(self.last_passing_commit.as_ref()),
            executions: self.executions.0,
            failures: self.failures.0,
            flaky: self.flaky,
            retries: self.retries,
            last_execution: time(self.last_execution),
            last_success: time(self.last_success),
            last_failure: time(self.last_failure),
            last_ended: self
                .last_ended
                .map(|attempt| Box::new(attempt.into_attempt(interner))),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if takes a reference"
)]
pub(super) fn is_zero(value: &u64) -> bool {
    *value == 0
}
