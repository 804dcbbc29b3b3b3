//! One job in words: its figures, and the executions of its window.

use std::io::{self, Write};

use ci_history::{FailureClass, Figures, JobRow, Outcome, WindowEntry};

use super::table::{minute, print_aligned, printable, ratio};

/// The executions of the window, a line each.
pub(super) fn print_window(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    let heads = ["PIPELINE", "JOB", "OUTCOME", "FINISHED", "COMMIT"];
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(figures.window.iter().map(execution));
    print_aligned(&lines, out)
}

/// The figures of a job, a line each.
pub(super) fn facts(job: &JobRow) -> Vec<[String; 2]> {
    let figures = &job.figures;
    let [ratio, failed] = ratio(figures);
    let text = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), printable);
    let outcomes = Outcome::ALL.map(|outcome| {
        let count = figures.executions.get(outcome);
        format!("{count} {}", outcome.as_str().replace('_', " "))
    });
    let flaky = figures.flaky_executions;
    let retries = figures.retries;
    let mut facts = vec![
        ["streak", &figures.consecutive_failures.to_string()].map(str::to_owned),
        ["ratio", &format!("{ratio} ({failed} failed)")].map(str::to_owned),
        ["last success", &minute(figures.last_success)].map(str::to_owned),
        ["last failure", &minute(figures.last_failure)].map(str::to_owned),
        ["counted", &outcomes.join(", ")].map(str::to_owned),
        ["besides", &format!("{flaky} flaky, {retries} retries")].map(str::to_owned),
    ];
    if let Some(failing) = &figures.failing {
        let class = failing.failure_class.map(FailureClass::as_str);
        facts.extend([
            ["failing since", &minute(failing.since)].map(str::to_owned),
            ["reason", &text(failing.failure_reason.as_deref())].map(str::to_owned),
            ["class", &text(class)].map(str::to_owned),
            [
                "first failing commit",
                &text(failing.first_failing_commit.as_deref()),
            ]
            .map(str::to_owned),
            [
                "last passing commit",
                &text(failing.last_passing_commit.as_deref()),
            ]
            .map(str::to_owned),
            ["page", &text(failing.web_url.as_deref())].map(str::to_owned),
        ]);
    }
    facts
}

fn execution(entry: &WindowEntry) -> [String; 5] {
    let number = |id: Option<u64>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let outcome = entry.outcome.as_str().replace('_', " ");
    [
        number(entry.pipeline_id),
        number(entry.job_id),
        if entry.flaky {
            format!("{outcome}, flaky")
        } else {
            outcome
        },
        minute(entry.finished_at),
        entry
            .commit
            .as_deref()
            .map_or_else(|| "-".to_owned(), printable),
    ]
}
