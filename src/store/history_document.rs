//! How histories look in a document.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ci_history::stored::{
    Attempt, Baseline, Counted, Detail, Execution, History, Imported, Job, Phase,
};
use ci_history::{ClassCounts, FailureClass, LogExcerpt, Outcome, OutcomeCounts, Rules, Span};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::commit_document::Commits;
use super::text::Text;
use super::times::{seconds, time};

/// Gives equal texts one allocation: all jobs of a pipeline share its commit.
#[derive(Default)]
pub(super) struct Interner {
    texts: HashSet<Arc<str>>,
    commits: Commits,
}

impl Interner {
    pub(super) fn new(commits: Commits) -> Self {
        Self {
            texts: HashSet::new(),
            commits,
        }
    }

    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    fn intern_some(&mut self, text: Option<&Text<'_>>) -> Option<Arc<str>> {
        text.map(|text| self.intern(text))
    }
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

    pub(super) fn into_job(mut self, commits: &mut Interner) -> Job {
        let description = self.job.take();
        let history = self.into_history(commits);
        description.map_or_else(Job::default, |description| Job {
            history,
            stage: commits.intern(&description.stage),
            tags: commits.intern(&description.tags),
            allow_failure: description.allow_failure,
            newest_attempt: description.newest_attempt,
            sources: description
                .sources
                .into_iter()
                .map(|(source, id)| (commits.intern(&source), id))
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
                .imported
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
            imported_window: history.imported_window as u64,
            first_seen: seconds(history.first_seen),
            baseline: BaselineDocument::of(&history.baseline),
            excerpt: history.excerpt.as_deref().map(ExcerptDocument::of),
            job: None,
        }
    }

    pub(super) fn into_history(self, commits: &mut Interner) -> History {
        let mut history = History {
            imported_window: usize::try_from(self.imported_window).unwrap_or(0),
            baseline: self.baseline.into_baseline(commits),
            first_seen: time(self.first_seen),
            excerpt: self.excerpt.map(|excerpt| Box::new(excerpt.into_excerpt())),
            ..History::default()
        };
        let entries = self.before_window.into_iter().chain(self.jobs_info);
        for entry in entries.chain(self.outside_window) {
            match entry.pipeline_id {
                Some(pipeline_id) => history
                    .kept
                    .push(entry.into_execution(pipeline_id, commits)),
                None => history.imported.push(entry.into_imported(commits)),
            }
        }
        history.kept.sort_by_key(|execution| execution.pipeline_id);
        history.kept.dedup_by_key(|execution| execution.pipeline_id);
        history.kept.shrink_to_fit();
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
            commit: Text::some(entry.commit.as_ref()),
            pipeline_id: None,
            finished: false,
            withdrawn: false,
            counted: (0, 0),
            attempts: SmallVec::new(),
        }
    }

    fn into_execution(self, pipeline_id: u64, commits: &mut Interner) -> Execution {
        let commit = self.commit.unwrap_or_default();
        let mut execution = Execution::new(pipeline_id, commits.intern(&commit));
        execution.finished = self.finished;
        execution.withdrawn = self.withdrawn;
        execution.counted = Counted {
            outcomes: self.counted.0,
            classes: self.counted.1,
        };
        for attempt in self.attempts {
            let mut attempt = attempt.into_attempt(commits);
            // Only failed ones note it: the others are spared the lookup.
            if attempt.phase == Phase::Failed {
                attempt.note_commit(commits.commits.get(&execution.commit).as_ref());
            }
            execution.join_attempt(attempt);
        }
        execution
    }

    fn into_imported(self, commits: &mut Interner) -> Imported {
        Imported {
            id: self.id,
            failing: self.failing,
            commit: commits.intern_some(self.commit.as_ref()),
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
    failure_reason: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    web_url: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    member: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_class: Option<FailureClass>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    log_rule: Option<Text<'a>>,
    /// Odd: GitLab does not have the attempt.
    #[serde(default, skip_serializing_if = "is_default")]
    withdrawals: u8,
}

impl<'a> AttemptDocument<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        let detail = attempt.detail.as_deref();
        let text = |of: fn(&Detail) -> Option<&Arc<str>>| Text::some(detail.and_then(of));
        Self {
            id: attempt.id,
            phase: attempt.phase,
            at: seconds(attempt.at),
            duration: attempt.duration.map(Span::micros),
            queued: attempt.queued.map(Span::micros),
            version: attempt.version,
            allow_failure: attempt.allow_failure,
            failure_reason: text(|it| it.failure_reason.as_ref()),
            web_url: detail.and_then(|it| it.web_url.as_deref()).map(Text::from),
            member: text(|it| it.member.as_ref()),
            log_class: detail.and_then(|it| it.log_class),
            log_rule: text(|it| it.log_rule.as_ref()),
            withdrawals: attempt.withdrawals,
        }
    }

    fn into_attempt(self, interner: &mut Interner) -> Attempt {
        let detail = Detail {
            failure_reason: interner.intern_some(self.failure_reason.as_ref()),
            web_url: self.web_url.map(Box::from),
            member: interner.intern_some(self.member.as_ref()),
            log_class: self.log_class,
            log_rule: interner.intern_some(self.log_rule.as_ref()),
            commit_info: None,
        };
        Attempt {
            id: self.id,
            at: time(self.at),
            duration: self.duration.map(Span::from_micros),
            queued: self.queued.map(Span::from_micros),
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
    executions: BTreeMap<Outcome, u64>,
    failures: BTreeMap<FailureClass, u64>,
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
        Self {
            floor: baseline.settled_through,
            idle_floor: baseline.idle_settled_through,
            streak: baseline.streak,
            streak_since: seconds(baseline.streak_since),
            first_failing_commit: Text::some(baseline.first_failing_commit.as_ref()),
            last_passing_commit: Text::some(baseline.last_passing_commit.as_ref()),
            executions: Outcome::ALL
                .map(|outcome| (outcome, baseline.executions.get(outcome)))
                .into(),
            failures: FailureClass::ALL
                .map(|class| (class, baseline.failures.get(class)))
                .into(),
            flaky: baseline.flaky,
            retries: baseline.retries,
            last_execution: seconds(baseline.last_execution),
            last_success: seconds(baseline.last_success),
            last_failure: seconds(baseline.last_failure),
            last_ended: baseline.last_ended.as_deref().map(AttemptDocument::of),
        }
    }

    fn into_baseline(self, commits: &mut Interner) -> Baseline {
        let mut executions = OutcomeCounts::default();
        for (outcome, count) in self.executions {
            *executions.get_mut(outcome) = count;
        }
        let mut failures = ClassCounts::default();
        for (class, count) in self.failures {
            *failures.get_mut(class) = count;
        }
        let first_failing = self.first_failing_commit.as_ref();
        Baseline {
            first_failing_info: first_failing.and_then(|commit| commits.commits.get(commit)),
            settled_through: self.floor,
            idle_settled_through: self.idle_floor,
            streak: self.streak,
            streak_since: time(self.streak_since),
            first_failing_commit: commits.intern_some(self.first_failing_commit.as_ref()),
            last_passing_commit: commits.intern_some(self.last_passing_commit.as_ref()),
            executions,
            failures,
            flaky: self.flaky,
            retries: self.retries,
            last_execution: time(self.last_execution),
            last_success: time(self.last_success),
            last_failure: time(self.last_failure),
            last_ended: self
                .last_ended
                .map(|attempt| Box::new(attempt.into_attempt(commits))),
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
