//! Jobs that begin to fail or recover: one line in the log each time.

use std::sync::Arc;

use arcstr::ArcStr;

use crate::http::{JobFacts, ListedJob};
use ci_history::{Absence, Figures, JobRow, Outcome, TimelineRows, Timestamp};

/// How a job was when its timeline was rendered last: its place in the list of jobs.
#[derive(Clone)]
pub(super) struct Rank {
    pub(super) name: Arc<str>,
    /// Its owner as of the newest exposition.
    pub(super) team: Option<Arc<str>>,
    pub(super) facts: JobFacts,
    /// Boxed, because few jobs are absent.
    absence: Option<Box<Absence>>,
}

/// How the pipelines of a timeline were when it was rendered last.
#[derive(Clone, Copy, Default)]
pub(super) struct PipelineRank {
    pub(super) consecutive_failures: u64,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) last_execution: Option<Timestamp>,
}

impl Rank {
    pub(super) fn of(row: &JobRow) -> Self {
        let absence = Absence {
            pipelines: row.figures.absent_pipelines,
            gone_since: row.figures.gone_since,
        };
        Self::new(row.name.clone(), JobFacts::of(row), absence)
    }

    pub(super) fn new(name: Arc<str>, facts: JobFacts, absence: Absence) -> Self {
        Self {
            name,
            team: None,
            facts,
            absence: (absence != Absence::default()).then(|| Box::new(absence)),
        }
    }

    pub(super) fn owned_by(self, team: Option<Arc<str>>) -> Self {
        Self { team, ..self }
    }

    pub(super) fn absence(&self) -> Absence {
        self.absence.as_deref().copied().unwrap_or_default()
    }
}

impl ListedJob for Rank {
    fn name(&self) -> &str {
        &self.name
    }

    fn team(&self) -> Option<&str> {
        self.team.as_deref()
    }

    fn facts(&self) -> &JobFacts {
        &self.facts
    }
}

impl PipelineRank {
    pub(super) fn of(pipelines: &Figures) -> Self {
        let failing = pipelines.failing.as_ref();
        Self {
            consecutive_failures: pipelines.consecutive_failures,
            failing_since: failing.and_then(|failing| failing.since),
            last_execution: pipelines.last_execution,
        }
    }
}

/// A streak that began or ended between two renderings of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transition {
    job: Arc<str>,
    kind: Kind,
    /// Consecutive failures: of the new streak, or of the one that ended.
    streak: u64,
    /// Of the first failing execution, or of the one that ended the streak.
    commit: Option<ArcStr>,
    /// Page in GitLab of the last failed attempt, or of the one that ended the streak.
    link: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    BeganToFail,
    Recovered,
    /// The streak ended without a pass: its failures were reclassified, or the job may fail now.
    NoLongerCounts,
}

impl Transition {
    /// The transitions since the last rendering. `before` is sorted by name.
    pub(super) fn between(before: &[Rank], rows: &TimelineRows) -> Vec<Self> {
        let project_url = rows.project_url.as_deref();
        let transitions = rows.jobs.iter().filter_map(|row| {
            let known = before.binary_search_by(|rank| rank.name.cmp(&row.name));
            let former = known.map_or(0, |at| before[at].facts.consecutive_failures());
            match (former, row.figures.consecutive_failures) {
                (0, 0) => None,
                (0, streak) => Some(Self::began(row, streak)),
                (streak, 0) => Some(Self::ended(row, streak, project_url)),
                _ => None,
            }
        });
        transitions.collect()
    }

    fn began(row: &JobRow, streak: u64) -> Self {
        let failing = row.figures.failing.as_ref();
        Self {
            job: row.name.clone(),
            kind: Kind::BeganToFail,
            streak,
            commit: failing.and_then(|failing| failing.first_failing_commit.clone()),
            link: failing.and_then(|failing| failing.web_url.clone()),
        }
    }

    fn ended(row: &JobRow, streak: u64, project_url: Option<&str>) -> Self {
        let last = row.figures.window.last();
        let passed = last.is_some_and(|last| last.outcome == Outcome::Passed);
        Self {
            job: row.name.clone(),
            kind: if passed {
                Kind::Recovered
            } else {
                Kind::NoLongerCounts
            },
            streak,
            commit: last.and_then(|last| last.commit.clone()),
            link: last.and_then(|last| last.web_url(project_url).map(Box::from)),
        }
    }

    pub(super) fn log(&self, timeline: &TimelineRows) {
        let message = match self.kind {
            Kind::BeganToFail => "job began to fail",
            Kind::Recovered => "job recovered",
            Kind::NoLongerCounts => "job no longer counts as failing",
        };
        tracing::info!(
            project = &*timeline.project,
            "ref" = &*timeline.ref_name,
            track = timeline.track.as_deref(),
            job = &*self.job,
            streak = self.streak,
            commit = self.commit.as_deref(),
            link = self.link.as_deref(),
            "{message}"
        );
    }
}
