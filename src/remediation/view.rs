//! Requests and answers of the HTTP API; `docs/api.md` has their shapes.

use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::decisions::{Decided, Verdict};
use super::id::Id;
use super::ledger::{Action, Circuit, JobName, Ledger};
use super::request::{Answer, Refusal, Wish};
use crate::config::{ActionKind, Mode, Word as _};
use ci_history::Timestamp;

/// Most jobs, ids and pipelines that one request may name.
const MOST_NAMED: usize = 1000;

/// `PUT /api/v1/retry`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryRequest {
    jobs: Vec<NamedJob>,
    job_ids: Vec<Id>,
    pipelines: Vec<Id>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedJob {
    project: String,
    #[serde(rename = "ref")]
    ref_name: Option<String>,
    track: Option<String>,
    job_name: String,
}

impl RetryRequest {
    /// What it wishes for.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn wishes(self, kind: ActionKind) -> Result<Vec<Wish>, String> {
        let count = self.jobs.len() + self.job_ids.len() + self.pipelines.len();
        if count == 0 {
            return Err(
                "found no job, wanted at least one in `jobs`, `job_ids` or `pipelines`".to_owned(),
            );
        }
        if count > MOST_NAMED {
            return Err(format!(
                "found {count} jobs and pipelines, wanted at most {MOST_NAMED}"
            ));
        }
        let jobs = self.jobs.into_iter().map(|job| Wish {
            ref_name: job.ref_name.map(Into::into),
            track: job.track.map(Into::into),
            job: Some(job.job_name.into()),
            ..Wish::new(kind, &job.project)
        });
        let ids = self.job_ids.into_iter().map(|Id(id)| Wish {
            job_id: Some(id),
            ..Wish::anywhere(kind)
        });
        let pipelines = self.pipelines.into_iter().map(|Id(id)| Wish {
            pipeline_id: Some(id),
            ..Wish::anywhere(kind)
        });
        Ok(jobs.chain(ids).chain(pipelines).collect())
    }
}

/// The answer of `PUT /api/v1/retry`.
#[derive(Debug, Serialize)]
pub struct AnswerView<'a> {
    /// Actions that were started.
    total: usize,
    mode: &'static str,
    actions: Vec<ActionView<'a>>,
    would: Vec<WouldView<'a>>,
    refused: Vec<RefusedView<'a>>,
}

#[derive(Debug, Serialize)]
struct WouldView<'a> {
    #[serde(flatten)]
    job: JobName,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    play: Option<&'a str>,
    pipeline_id: u64,
    job_id: u64,
}

#[derive(Debug, Serialize)]
struct RefusedView<'a> {
    #[serde(flatten)]
    job: Option<&'a JobName>,
    reason: &'static str,
    message: &'a str,
}

/// An action, with its times in Unix seconds.
#[derive(Debug, Serialize)]
pub struct ActionView<'a> {
    number: u64,
    #[serde(flatten)]
    job: &'a JobName,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    play: Option<&'a str>,
    by: &'a str,
    rule: &'a str,
    pipeline_id: u64,
    job_id: u64,
    timestamp_seconds: i64,
    result: &'static str,
    started: Option<u64>,
    answer: Option<&'a str>,
}

/// `GET /api/v1/remediations`.
#[derive(Debug, Serialize)]
pub struct RemediationsView<'a> {
    mode: &'static str,
    /// The newest first.
    actions: Vec<ActionView<'a>>,
    decisions: Vec<DecisionView<'a>>,
    circuits: Vec<CircuitView<'a>>,
    halted: Option<HaltView<'a>>,
}

#[derive(Debug, Serialize)]
struct HaltView<'a> {
    by: &'a str,
    timestamp_seconds: i64,
}

#[derive(Debug, Serialize)]
struct DecisionView<'a> {
    #[serde(flatten)]
    job: JobName,
    pipeline_id: u64,
    job_id: u64,
    rule: Option<&'a str>,
    decision: &'static str,
    reason: &'static str,
    again_timestamp_seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
struct CircuitView<'a> {
    #[serde(flatten)]
    job: &'a JobName,
    opened_timestamp_seconds: i64,
}

impl<'a> AnswerView<'a> {
    /// The view of an answer.
    pub fn of(answer: &'a Answer, mode: Mode) -> Self {
        Self {
            total: answer.actions.len(),
            mode: mode.word(),
            actions: answer.actions.iter().map(ActionView::of).collect(),
            would: answer.would.iter().map(WouldView::of).collect(),
            refused: answer.refused.iter().map(RefusedView::of).collect(),
        }
    }
}

impl<'a> WouldView<'a> {
    fn of(ask: &'a Ask) -> Self {
        Self {
            job: JobName::of(&ask.job),
            action: ask.kind.word(),
            play: ask.play.as_deref(),
            pipeline_id: ask.job.pipeline_id,
            job_id: ask.job.job_id,
        }
    }
}

impl<'a> RefusedView<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        let reason = match refusal.verdict {
            Some(Verdict::Wait(reason) | Verdict::Refuse(reason)) => reason.as_str(),
            Some(Verdict::Act { .. } | Verdict::NoRule) => "already_done",
            None if refusal.job.is_none() => "no_failure",
            None => "too_many",
        };
        Self {
            job: refusal.job.as_ref(),
            reason,
            message: &refusal.why,
        }
    }
}

impl<'a> ActionView<'a> {
    /// The view of an action.
    pub fn of(action: &'a Action) -> Self {
        Self {
            number: action.number,
            job: &action.job,
            action: action.kind.word(),
            play: action.play.as_deref(),
            by: &action.by,
            rule: action.rule(),
            pipeline_id: action.pipeline_id,
            job_id: action.job_id,
            timestamp_seconds: action.at.unix(),
            result: action.progress.into(),
            started: action.started,
            answer: action.answer.as_deref(),
        }
    }
}

impl<'a> RemediationsView<'a> {
    /// The view of the record and of the newest decisions, of the jobs that `is_wanted`.
    pub fn of(
        mode: Mode,
        ledger: &'a Ledger,
        decisions: &'a [(Decided, Option<Timestamp>)],
        is_wanted: impl Fn(&JobName) -> bool,
    ) -> Self {
        let actions = ledger.actions().iter().rev();
        let actions = actions.filter(|action| is_wanted(&action.job));
        let decisions = decisions.iter().map(DecisionView::of);
        let circuits = ledger.circuits().iter().filter_map(CircuitView::of);
        Self {
            mode: mode.word(),
            actions: actions.map(ActionView::of).collect(),
            decisions: decisions.filter(|it| is_wanted(&it.job)).collect(),
            circuits: circuits.filter(|it| is_wanted(it.job)).collect(),
            halted: ledger.halt().map(|halt| HaltView {
                by: &halt.by,
                timestamp_seconds: halt.at.unix(),
            }),
        }
    }
}

impl<'a> DecisionView<'a> {
    fn of((decided, again): &'a (Decided, Option<Timestamp>)) -> Self {
        let (decision, reason) = decided.verdict.words();
        Self {
            job: JobName::of(&decided.job),
            pipeline_id: decided.job.pipeline_id,
            job_id: decided.job.job_id,
            rule: decided.rule.as_deref(),
            decision,
            reason,
            again_timestamp_seconds: again.map(Timestamp::unix),
        }
    }
}

impl<'a> CircuitView<'a> {
    fn of(circuit: &'a Circuit) -> Option<Self> {
        Some(Self {
            job: &circuit.job,
            opened_timestamp_seconds: circuit.opened?.unix(),
        })
    }
}
