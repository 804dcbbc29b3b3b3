//! A job's window as cells, and their legend.

use ci_history::{Outcome, WindowEntry};
use maud::{Markup, html};

use super::format::{link, short};
use crate::base::human::utc;

/// The window as cells, oldest first. Signs tell outcomes apart, not colours alone. `project_url` is the project's page in
/// GitLab.
pub(super) fn window(window: &[WindowEntry], most: usize, project_url: Option<&str>) -> Markup {
    let drawn = &window[window.len().saturating_sub(most)..];
    html! {
        span.window {
            // Keeps the newest at the right end.
            @for _ in drawn.len()..most { span.cell { } }
            @for entry in drawn { (cell(entry, project_url)) }
        }
    }
}

/// CSS class, sign and words of an execution.
pub(super) fn sign(outcome: Outcome, flaky: bool) -> (&'static str, &'static str, &'static str) {
    match (outcome, flaky) {
        (Outcome::Passed, false) => ("passed", "✓", "passed"),
        (Outcome::Passed, true) => ("flaky", "↻", "passed on a retry"),
        (Outcome::Failed, _) => ("failed", "✕", "failed"),
        (Outcome::AllowedFailure, _) => ("allowed", "!", "failed, which is allowed"),
        (Outcome::Canceled | Outcome::Skipped, _) => ("other", "–", outcome.as_str()),
    }
}

fn cell(entry: &WindowEntry, project_url: Option<&str>) -> Markup {
    let (class, sign, outcome) = sign(entry.outcome, entry.flaky);
    let pipeline = entry.pipeline_id.map(|id| format!("pipeline {id}"));
    let commit = entry
        .commit
        .as_deref()
        .map(|commit| format!("commit {}", short(commit)));
    let finished = entry.finished_at.map(|at| utc(at.unix()));
    let known = [Some(outcome.to_owned()), pipeline, commit, finished];
    let words = known.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let cell = html! {
        span class={ "cell " (class) } role="img" aria-label=(outcome) title=(words) { (sign) }
    };
    link(entry.web_url(project_url).as_deref(), &cell)
}

pub(super) fn legend() -> Markup {
    let of = |class: &str, sign: &str, words: &str| {
        html! { li { span class={ "cell " (class) } aria-hidden="true" { (sign) } " " (words) } }
    };
    html! {
        ul.legend {
            (of("passed", "✓", "passed"))
            (of("flaky", "↻", "passed on a retry"))
            (of("failed", "✕", "failed"))
            (of("allowed", "!", "allowed failure"))
            li { "oldest left, newest right" }
        }
    }
}
