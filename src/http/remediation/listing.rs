//! `GET /remediation` and `GET /api/v1/remediation`: what was decided about each failure, and what was done.

use std::cmp::Ordering;
use std::sync::Arc;

use ci_history::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::super::context::Context;
use super::super::format::{ago, ahead, with_code};
use super::super::job_path::job_page_path;
use super::super::layout::Tab;
use super::super::list_page::{List, ListRow};
use super::super::list_query::{Filter, Row};
use super::super::pipeline_path::pipeline_link;
use super::super::sorting::{Column, Sorting};
use super::about::{about, about_in_json};
use crate::config::Word as _;
use crate::remediation::{Action, Decided, JobName, Ledger, Progress, Verdict};

/// A decision that led to no action, or an action.
pub(in crate::http) struct RemedyListing {
    job: JobName,
    what: What,
}

enum What {
    /// When it is looked at again.
    Decision(Decided, Option<Timestamp>),
    Action(Action),
}

/// A column of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum RemedyColumn {
    Job,
    State,
    What,
    By,
    Pipeline,
    Time,
}

impl Column for RemedyColumn {
    const ALL: &'static [Self] = &[
        Self::Job,
        Self::State,
        Self::What,
        Self::By,
        Self::Pipeline,
        Self::Time,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::State => "state",
            Self::What => "reason",
            Self::By => "by",
            Self::Pipeline => "pipeline",
            Self::Time => "time",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Job => "Job",
            Self::State => "State",
            Self::What => "What and why",
            Self::By => "Rule or caller",
            Self::Pipeline => "Pipeline",
            Self::Time => "When",
        }
    }

    fn descends(self) -> bool {
        matches!(self, Self::Time | Self::Pipeline)
    }
}

impl RemedyListing {
    /// Decisions that led to an action are told by the action.
    fn all_of(ledger: &Ledger, decisions: Vec<(Decided, Option<Timestamp>)>) -> Vec<Self> {
        let is_told = |decided: &Decided| {
            let acted = decided.verdict == Verdict::Act { is_report: false };
            let is_it = |action: &Action| {
                action.job.project_id == decided.job.project_id
                    && action.job_id == decided.job.job_id
            };
            acted && ledger.actions().iter().any(is_it)
        };
        let decisions = decisions.into_iter().filter(|(it, _)| !is_told(it));
        let decisions = decisions.map(|(decided, again)| Self {
            job: JobName::of(&decided.job),
            what: What::Decision(decided, again),
        });
        let actions = ledger.actions().iter().map(|action| Self {
            job: action.job.clone(),
            what: What::Action(action.clone()),
        });
        actions.chain(decisions).collect()
    }

    fn state(&self) -> &'static str {
        match &self.what {
            What::Action(action) => match action.progress {
                Progress::Intended | Progress::Started => "running",
                other => other.into(),
            },
            What::Decision(decided, _) => match decided.verdict {
                Verdict::Act { is_report: false } => "running",
                Verdict::Act { is_report: true } => "would_act",
                Verdict::Wait(_) => "waiting",
                Verdict::Refuse(_) => "left_alone",
                Verdict::NoRule => "no_rule",
            },
        }
    }

    fn at(&self) -> Timestamp {
        match &self.what {
            What::Action(action) => action.at,
            What::Decision(decided, _) => decided.at,
        }
    }

    /// The rule, or whoever asked.
    fn by(&self) -> Option<&Arc<str>> {
        match &self.what {
            What::Action(action) => Some(&action.by),
            What::Decision(decided, _) => decided.rule.as_ref(),
        }
    }

    fn pipeline_id(&self) -> u64 {
        match &self.what {
            What::Action(action) => action.pipeline_id,
            What::Decision(decided, _) => decided.job.pipeline_id,
        }
    }

    fn job_id(&self) -> u64 {
        match &self.what {
            What::Action(action) => action.job_id,
            What::Decision(decided, _) => decided.job.job_id,
        }
    }

    /// The guard's reason, as in metrics.
    fn reason(&self) -> &'static str {
        match &self.what {
            What::Action(_) => "",
            What::Decision(decided, _) => decided.verdict.words().1,
        }
    }

    /// Why nothing is done, in words.
    fn message(&self) -> &str {
        match &self.what {
            What::Action(action) => action.answer.as_deref().unwrap_or_default(),
            What::Decision(decided, _) => match decided.verdict {
                Verdict::Act { is_report: false } => "the action begins",
                Verdict::Act { is_report: true } => "`remediation.mode` is `report`",
                Verdict::Wait(reason) | Verdict::Refuse(reason) => reason.explain(),
                Verdict::NoRule => "no rule matches this failure",
            },
        }
    }

    /// When a decision is looked at again.
    fn again(&self) -> Option<Timestamp> {
        match self.what {
            What::Action(_) => None,
            What::Decision(_, again) => again,
        }
    }

    fn page(&self) -> Option<String> {
        let JobName {
            project,
            ref_name,
            track,
            job,
            ..
        } = &self.job;
        job_page_path(project, ref_name, track.as_deref(), job)
    }
}

impl Row for RemedyListing {
    type Column = RemedyColumn;

    const PATH: &'static str = "/remediation";
    const USUAL: RemedyColumn = RemedyColumn::Time;
    const STATES: &'static [(&'static str, &'static str)] = &[
        ("running", "running"),
        ("waiting", "waiting"),
        ("recovered", "recovered"),
        ("failed_again", "failed again"),
        ("refused", "refused by GitLab"),
        ("not_done", "not done"),
        ("would_act", "would act (mode report)"),
        ("left_alone", "left alone"),
        ("no_rule", "no rule"),
    ];
    const FILTERS: &'static [Filter] = &[Filter {
        key: "project",
        label: "Project",
        choices: &[],
    }];

    fn texts(&self) -> Vec<&str> {
        let JobName {
            project,
            ref_name,
            track,
            job,
            ..
        } = &self.job;
        let by = self.by().map_or("", |by| by);
        let track = track.as_deref().unwrap_or_default();
        vec![project, ref_name, track, job, by, self.reason()]
    }

    fn has_state(&self, state: &str) -> bool {
        self.state() == state
    }

    fn value(&self, _: &str) -> Option<&str> {
        Some(&self.job.project)
    }

    fn compare(&self, other: &Self, sorting: Sorting<RemedyColumn>) -> Ordering {
        match sorting.column {
            RemedyColumn::Job => sorting.compare(&self.job, &other.job),
            RemedyColumn::State => sorting.compare(self.state(), other.state()),
            RemedyColumn::What => sorting.compare(self.reason(), other.reason()),
            RemedyColumn::By => sorting.compare_known(self.by(), other.by()),
            RemedyColumn::Pipeline => sorting.compare(&self.pipeline_id(), &other.pipeline_id()),
            RemedyColumn::Time => sorting.compare(&self.at(), &other.at()),
        }
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        (&self.job, other.job_id()).cmp(&(&other.job, self.job_id()))
    }
}

impl ListRow for RemedyListing {
    const TITLE: &'static str = "Remediation";
    const NAME: &'static str = "entries";
    const SEARCHED: &'static str = "Job, project, ref, rule, caller or reason";
    const NO_MATCH: &'static str = "No decision or action matches.";

    fn none() -> Markup {
        html! { "Nothing was decided or done." }
    }

    fn json(&self) -> Value {
        let mut value = json!(self.job);
        let own = json!({
            "page": self.page(),
            "pipeline_id": self.pipeline_id(),
            "job_id": self.job_id(),
            "timestamp_seconds": self.at().unix(),
            "state": self.state(),
            "by": self.by(),
            "reason": self.reason(),
            "message": self.message(),
            "again_timestamp_seconds": self.again().map(Timestamp::unix),
            "action": if let What::Action(action) = &self.what { Some(action.kind.word()) } else { None },
            "started": if let What::Action(action) = &self.what { action.started } else { None },
        });
        if let (Value::Object(value), Value::Object(own)) = (&mut value, own) {
            value.extend(own);
        }
        value
    }

    fn markup(&self, now: Timestamp) -> Markup {
        row(self, now)
    }
}

impl List for RemedyListing {
    const TAB: Tab = Tab::Remediation;

    fn all(context: &Context, _: Timestamp) -> Vec<Self> {
        let Some(remedies) = &context.remedies else {
            return Vec::new();
        };
        let (ledger, decisions) = remedies.executor.shown();
        Self::all_of(&ledger, decisions)
    }

    fn about(context: &Context, now: Timestamp) -> Markup {
        about(context, now)
    }

    fn about_in_json(context: &Context, _: Timestamp) -> Map<String, Value> {
        about_in_json(context)
    }
}

fn row(listing: &RemedyListing, now: Timestamp) -> Markup {
    let job = &listing.job;
    html! {
        tr {
            th.name scope="row" {
                @match listing.page() { Some(page) => a href=(page) { bdi { (job.job) } }, None => bdi { (job.job) } }
                small { bdi { (job.project) } " · " bdi { (job.ref_name) } @if let Some(track) = &job.track { " · " bdi { (track) } } }
            }
            td.states { (badge(listing)) @if let Some(again) = listing.again() { small { "again " (ahead(again, now)) } } }
            td.reason data-label="What and why" {
                @if let What::Action(action) = &listing.what {
                    (action.kind.word())
                    @if let Some(play) = &action.play { " " bdi { (play) } }
                    @if let Some(id) = action.started { ", started " (id) }
                    @if !listing.message().is_empty() { ": " bdi { (listing.message()) } }
                } @else { (with_code(listing.message())) }
            }
            td data-label="By" { @if let Some(by) = listing.by() { bdi { (by) } } }
            td data-label="Pipeline" {
                @if listing.pipeline_id() > 0 { (pipeline_link(&job.project, listing.pipeline_id())) }
            }
            td data-label="When" { (ago(listing.at(), now)) }
        }
    }
}

fn badge(listing: &RemedyListing) -> Markup {
    let state = listing.state();
    let words = RemedyListing::STATES.iter().find(|(key, _)| *key == state);
    let words = words.map_or(state, |(_, words)| words);
    html! {
        @match state {
            "recovered" => span.badge.good { "✓ " (words) },
            "failed_again" | "refused" | "not_done" => span.badge.bad { "✕ " (words) },
            "running" => span.badge { "▶ " (words) },
            "waiting" => span.badge { "… " (words) },
            _ => span.badge { "– " (words) },
        }
    }
}
