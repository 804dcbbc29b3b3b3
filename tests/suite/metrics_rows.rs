//! Rows for the tests of the exposition and of the status page.

use std::sync::Arc;

use ci_history::TimelineKey;
use ci_history::{
    CommitInfo, Failing, FailureClass, Figures, JobRow, Outcome, Span, TimelineRows, Timestamp,
    WindowEntry,
};
use job_failure_exporter::metrics::{Build, Exposition, Telemetry};

/// A name that tries to close the label, forge a series, script a page and reverse the line.
pub(crate) const HOSTILE: &str =
    "a\"} 1\nforged{x=\"\\\"<script>document.title='owned'</script>\u{202e}\0'&amp;\r\u{7}";

pub(crate) fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_unix(seconds)
}

pub(crate) fn telemetry() -> Telemetry {
    let build = Build {
        version: "0.0.0-test",
        revision: "unknown",
    };
    Telemetry::new(build).unwrap()
}

pub(crate) fn exposition() -> Exposition {
    Exposition::new(telemetry())
}

pub(crate) fn timeline(project: &str, ref_name: &str, jobs: Vec<JobRow>) -> TimelineRows {
    TimelineRows {
        project_id: 7,
        project: project.into(),
        project_url: Some(format!("https://gitlab.example/{project}").into()),
        ref_name: ref_name.into(),
        track: None,
        pipelines: Figures::default(),
        jobs,
    }
}

pub(crate) fn key(rows: &TimelineRows) -> TimelineKey {
    TimelineKey::new(rows.project_id, Arc::clone(&rows.ref_name))
}

pub(crate) fn job(name: &str, figures: Figures) -> JobRow {
    JobRow {
        name: name.into(),
        stage: "test".into(),
        tags: "docker,linux".into(),
        allow_failure: false,
        figures,
    }
}

pub(crate) fn commit_info(title: &str, handle: &str) -> Arc<CommitInfo> {
    let info = CommitInfo::saved(title.into(), "".into(), Some(handle.into()));
    Arc::new(info)
}

fn entry(outcome: Outcome, id: u64) -> WindowEntry {
    WindowEntry {
        outcome,
        flaky: false,
        job_id: Some(id),
        pipeline_id: Some(id / 10),
        commit: Some("0123456789abcdef".into()),
        own_url: None,
        finished_at: time(1_700_000_000),
        duration: Span::from_seconds(id as f64 / 10.0),
    }
}

/// Passed once, then failed three times.
pub(crate) fn failing() -> Figures {
    let mut window = vec![entry(Outcome::Passed, 100)];
    window.extend((1..4).map(|n| entry(Outcome::Failed, 100 + n)));
    let mut figures = Figures {
        consecutive_failures: 3,
        window_executions: 4,
        window_failures: 3,
        window,
        retries: 2,
        last_execution: time(1_700_000_300),
        last_success: time(1_700_000_000),
        last_failure: time(1_700_000_300),
        first_seen: time(1_699_999_000),
        duration: Span::from_seconds(12.5),
        queued_duration: Span::from_seconds(0.192),
        usual_duration: Span::from_seconds(11.0),
        running_since: time(1_700_000_400),
        pending_since: None,
        failing: Some(Failing {
            since: time(1_700_000_100),
            first_failing_commit: Some("feed".into()),
            first_failing_info: Some(commit_info("Raise the limit", "ada")),
            last_passing_commit: Some("beef".into()),
            job_id: Some(103),
            pipeline_id: Some(10),
            commit: Some("0123456789abcdef".into()),
            failure_reason: Some("script_failure".into()),
            failure_class: Some(FailureClass::Script),
            web_url: Some("https://gitlab.example/group/app/-/jobs/103".into()),
            ..Failing::default()
        }),
        ..Figures::default()
    };
    figures.executions.set(Outcome::Passed, 1);
    figures.executions.set(Outcome::Failed, 3);
    figures.failures.set(FailureClass::Script, 3);
    figures
}

/// Passed `count` times.
pub(crate) fn passing(count: u64) -> Figures {
    let window: Vec<_> = (0..count.min(10))
        .map(|n| entry(Outcome::Passed, n))
        .collect();
    let mut figures = Figures {
        window_executions: window.len(),
        window,
        last_execution: time(1_700_000_000),
        last_success: time(1_700_000_000),
        ..Figures::default()
    };
    figures.executions.set(Outcome::Passed, count);
    figures
}
