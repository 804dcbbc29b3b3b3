//! One job in words: its figures, and the executions of its window.

use std::fmt::Display;
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
    let fact = |name: &str, value: &dyn Display| [name.to_owned(), value.to_string()];
    let mut facts = vec![
        fact("streak", &figures.consecutive_failures),
        fact("ratio", &format!("{ratio} ({failed} failed)")),
        fact("last success", &minute(figures.last_success)),
        fact("last failure", &minute(figures.last_failure)),
        fact("counted", &outcomes.join(", ")),
        fact("besides", &format!("{flaky} flaky, {retries} retries")),
    ];
    if let Some(failing) = &figures.failing {
        let class = failing.failure_class.map(FailureClass::as_str);
        let first = failing.first_failing_commit.as_deref();
        facts.extend([
            fact("failing since", &minute(failing.since)),
            fact("reason", &text(failing.failure_reason.as_deref())),
            fact("class", &text(class)),
            fact("first failing commit", &text(first)),
            fact(
                "last passing commit",
                &text(failing.last_passing_commit.as_deref()),
            ),
            fact("page", &text(failing.web_url.as_deref())),
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
