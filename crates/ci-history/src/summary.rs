//! Computes the figures of histories and the rows of timelines.

use std::ops::Bound::{self, Unbounded};
use std::sync::Arc;

use super::absence::Absence;
use super::attempt::{Attempt, Phase};
use super::baseline::{Baseline, Imported};
use super::execution::Execution;
use super::history::History;
use super::timeline::{Job, Timeline};
use super::{Failing, Figures, JobRow, Outcome, Rules, Span, TimelineRows, Timestamp, WindowEntry};

impl Timeline {
    /// Figures of one job.
    pub fn row(&self, name: &str, rules: &Rules) -> Option<JobRow> {
        let known = self.jobs.get_key_value(name);
        let (name, job) = known.filter(|(_, job)| !job.history.is_withdrawn())?;
        Some(job.row(name, self, rules))
    }

    /// Figures of all histories.
    pub fn rows(&self, rules: &Rules) -> TimelineRows {
        TimelineRows {
            jobs: self.rows_of((Unbounded, Unbounded), rules).collect(),
            ..self.rows_without_jobs(rules)
        }
    }

    /// Figures of the jobs in a range of names.
    pub fn rows_of<'a>(
        &'a self,
        names: (Bound<&str>, Bound<&str>),
        rules: &'a Rules,
    ) -> impl Iterator<Item = JobRow> + use<'a> {
        let jobs = self.jobs.range::<str, _>(names);
        jobs.filter(|(_, job)| !job.history.is_withdrawn())
            .map(|(name, job)| job.row(name, self, rules))
    }

    /// Figures of the pipelines alone.
    pub fn rows_without_jobs(&self, rules: &Rules) -> TimelineRows {
        let pipelines = self.pipelines.figures(&rules.for_pipelines(), None);
        TimelineRows {
            project_id: self.key.project_id,
            project: self.project.clone(),
            project_url: self.project_url.clone(),
            ref_name: self.key.ref_name.clone(),
            track: self.key.track.clone(),
            pipelines,
            jobs: Vec::new(),
        }
    }
}

impl Job {
    fn row(&self, name: &Arc<str>, timeline: &Timeline, rules: &Rules) -> JobRow {
        let url = timeline.project_url.as_deref();
        let Absence {
            pipelines,
            gone_since,
        } = self.absence(&timeline.finished, rules);
        JobRow {
            name: name.clone(),
            stage: self.stage.clone(),
            tags: self.tags.clone(),
            allow_failure: self.allow_failure,
            figures: Figures {
                absent_pipelines: pipelines,
                gone_since,
                ..self.history.figures(rules, url)
            },
        }
    }
}

/// A kept execution that enters the window, with its outcome.
type Candidate<'a> = (&'a Execution, Outcome);

impl History {
    /// Computes every figure of the history. `project_url` is the base of the attempts' pages.
    pub fn figures(&self, rules: &Rules, project_url: Option<&str>) -> Figures {
        let totals = self.tally_all();
        let baseline = &self.baseline;
        let candidates: Vec<_> = self.window_candidates(rules).collect();
        let mut figures = Figures {
            executions: totals.executions,
            failures: totals.failures,
            flaky_executions: totals.flaky,
            retries: totals.retries,
            last_execution: baseline.last_execution,
            last_success: baseline.last_success,
            last_failure: baseline.last_failure,
            first_seen: self.first_seen,
            window: self.window_entries(&candidates, rules),
            ..Figures::default()
        };
        latest_times(&candidates, rules, &mut figures);
        self.in_flight(&mut figures);
        self.last_durations(&mut figures);
        figures.window_executions = figures.window.len();
        figures.window_failures = count(&figures.window, |entry| entry.outcome == Outcome::Failed);
        figures.window_flaky = count(&figures.window, |entry| entry.flaky);
        figures.usual_duration = self.usual_duration(&candidates, rules);
        let mut streak = self.streak(&candidates, rules, project_url);
        streak.failing.excerpt.clone_from(&self.excerpt);
        figures.consecutive_failures = streak.length;
        figures.failing = (streak.length > 0).then_some(streak.failing);
        figures
    }

    fn window_entries(&self, candidates: &[Candidate<'_>], rules: &Rules) -> Vec<WindowEntry> {
        let window = self.window(rules);
        let surplus = candidates.len().saturating_sub(window);
        let own = &candidates[surplus..];
        let imported = self.imported();
        let surplus = imported.len().saturating_sub(window - own.len());
        let imported = imported[surplus..].iter().map(imported_entry);
        let own = own.iter();
        let own = own.map(|(execution, outcome)| entry(execution, *outcome, rules));
        imported.chain(own).collect()
    }

    fn in_flight(&self, figures: &mut Figures) {
        let oldest = |phase: Phase| -> Option<Timestamp> {
            self.kept
                .iter()
                .flat_map(Execution::last_attempts)
                .filter(|attempt| attempt.phase == phase)
                .filter_map(|attempt| attempt.times.at())
                .min()
        };
        figures.running_since = oldest(Phase::Running);
        figures.pending_since = oldest(Phase::Pending);
    }

    fn last_durations(&self, figures: &mut Figures) {
        let last = self
            .kept
            .iter()
            .flat_map(Execution::listed_attempts)
            .filter(|attempt| attempt.phase.is_decided() && !attempt.is_outdated())
            .chain(self.baseline.last_ended.as_deref())
            .max_by_key(|attempt| attempt.order_of_end());
        figures.duration = last.and_then(|attempt| attempt.times.duration());
        figures.queued_duration = last.and_then(|attempt| attempt.times.queued());
    }

    fn usual_duration(&self, candidates: &[Candidate<'_>], rules: &Rules) -> Option<Span> {
        let newest_first = candidates.iter().rev();
        let mut spans: Vec<u64> = newest_first
            .take(self.window(rules))
            .filter(|(_, outcome)| *outcome == Outcome::Passed)
            .filter_map(|(execution, _)| execution.deciding(rules)?.times.duration())
            .map(Span::micros)
            .collect();
        spans.sort_unstable();
        let middle = spans.len() / 2;
        let upper = *spans.get(middle)?;
        Some(Span::from_micros(if spans.len().is_multiple_of(2) {
            u64::midpoint(spans[middle - 1], upper)
        } else {
            upper
        }))
    }

    fn streak(
        &self,
        candidates: &[Candidate<'_>],
        rules: &Rules,
        project_url: Option<&str>,
    ) -> Streak {
        let mut streak = Streak::default();
        let mut newest_first = candidates.iter().rev();
        for (execution, outcome) in newest_first.by_ref() {
            if *outcome != Outcome::Failed {
                streak.failing.last_passing_commit = (*outcome == Outcome::Passed)
                    .then(|| execution.commit.clone())
                    .or_else(|| {
                        newest_first
                            .find(|(_, outcome)| *outcome == Outcome::Passed)
                            .map(|(execution, _)| execution.commit.clone())
                    })
                    .or_else(|| self.baseline.last_passing_commit.clone());
                return streak;
            }
            streak.add(execution, execution.deciding(rules), project_url);
        }
        streak.extend_with_baseline(&self.baseline, self.imported().last());
        streak
    }
}

/// A failing streak while it is built, newest execution first.
#[derive(Default)]
struct Streak {
    length: u64,
    failing: Failing,
}

impl Streak {
    fn add(&mut self, execution: &Execution, attempt: Option<&Attempt>, project_url: Option<&str>) {
        let failing = &mut self.failing;
        if self.length == 0 {
            failing.job_id = attempt.map(|attempt| attempt.id);
            failing.pipeline_id = Some(execution.pipeline_id);
            failing.commit = Some(execution.commit.clone());
            failing.failure_reason = attempt.and_then(|a| a.failure_reason().cloned());
            failing.failure_class = attempt.map(Attempt::failure_class);
            failing.log_rule = attempt.and_then(|attempt| attempt.log_rule().cloned());
            failing.log_was_read = attempt.is_some_and(|attempt| attempt.log_class().is_some());
            failing.web_url = attempt.and_then(|attempt| attempt.web_url(project_url));
        }
        self.length = self.length.saturating_add(1);
        failing.since = attempt.and_then(|attempt| attempt.times.at());
        failing.first_failing_commit = Some(execution.commit.clone());
        failing.first_failing_info = attempt.and_then(Attempt::commit_info).cloned();
    }

    /// Continues the streak into the baseline. All kept executions failed.
    fn extend_with_baseline(&mut self, baseline: &Baseline, imported: Option<&Imported>) {
        if self.length == 0 && baseline.streak > 0 {
            let last = imported.filter(|entry| entry.failing);
            self.failing.job_id = last.and_then(|entry| entry.id);
            self.failing.commit = last.and_then(|entry| entry.commit.clone());
        }
        if baseline.streak > 0 {
            let start = baseline.streak_start.as_deref().cloned();
            let start = start.unwrap_or_default();
            self.failing.since = start.since;
            self.failing.first_failing_commit = start.commit;
            self.failing.first_failing_info = start.info;
        }
        self.length = self.length.saturating_add(baseline.streak);
        self.failing
            .last_passing_commit
            .clone_from(&baseline.last_passing_commit);
    }
}

/// Notes when an execution ended last, passed last and failed last.
fn latest_times(candidates: &[Candidate<'_>], rules: &Rules, figures: &mut Figures) {
    for (execution, outcome) in candidates {
        let deciding = execution.deciding(rules);
        let at = deciding.and_then(|attempt| attempt.times.at());
        figures.last_execution = figures.last_execution.max(at);
        match outcome {
            Outcome::Passed => figures.last_success = figures.last_success.max(at),
            Outcome::Failed => figures.last_failure = figures.last_failure.max(at),
            _ => {}
        }
    }
}

fn entry(execution: &Execution, outcome: Outcome, rules: &Rules) -> WindowEntry {
    let attempt = execution.deciding(rules);
    WindowEntry {
        outcome,
        flaky: execution.is_flaky(rules),
        job_id: attempt.map(|attempt| attempt.id),
        pipeline_id: Some(execution.pipeline_id),
        commit: Some(execution.commit.clone()),
        own_url: attempt.and_then(|attempt| attempt.detail.as_ref()?.web_url.clone()),
        finished_at: attempt.and_then(|attempt| attempt.times.at()),
        duration: attempt.and_then(|attempt| attempt.times.duration()),
    }
}

fn imported_entry(imported: &Imported) -> WindowEntry {
    WindowEntry {
        outcome: if imported.failing {
            Outcome::Failed
        } else {
            Outcome::Passed
        },
        flaky: false,
        job_id: imported.id,
        pipeline_id: None,
        commit: imported.commit.clone(),
        own_url: None,
        finished_at: None,
        duration: None,
    }
}

fn count(window: &[WindowEntry], is: impl Fn(&WindowEntry) -> bool) -> usize {
    window.iter().filter(|entry| is(entry)).count()
}
