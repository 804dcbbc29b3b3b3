//! The part of a pipeline's page about bringing its jobs back.

use std::collections::HashSet;

use ci_history::Timestamp;
use maud::{Markup, html};

use super::super::context::Context;
use super::super::form_token::Session;
use super::super::format::with_code;
use super::super::pipeline_path::pipeline_link;
use super::super::status::PipelineEntry;
use super::form;
use super::job_names::job_names;
use super::section::record;
use crate::config::ActionKind;
use crate::remediation::{Action, Decided, JobName, Verdict};

/// Actions that are shown.
const SHOWN: usize = 25;

/// What was decided and done about the jobs of a pipeline, and the buttons for more.
pub(in crate::http) fn pipeline_section(
    context: &Context,
    pipeline: &PipelineEntry,
    session: Option<&Session>,
    now: Timestamp,
) -> Markup {
    let Some(remedies) = &context.remedies else {
        return html! {};
    };
    let (ledger, decisions) = remedies.executor.shown();
    let (id, project_url) = (pipeline.row.id, pipeline.project_url.as_deref());
    let of_project = (ledger.actions().iter().rev()).filter(|it| is_of(&it.job, pipeline));
    let actions: Vec<&Action> = (of_project.clone())
        .filter(|it| it.pipeline_id == id)
        .collect();
    let origin = { of_project }
        .find(|action| action.kind == ActionKind::Restart && action.started == Some(id));
    let decided = decisions.iter().map(|(decided, _)| decided);
    let decided: Vec<_> = decided
        .filter(|it| it.job.pipeline_id == id && it.job.project == pipeline.project)
        .collect();
    let failing = pipeline.row.jobs.iter().filter(|job| job.is_newest_failure);
    let failing: HashSet<&str> = failing.map(|job| &*job.job_name).collect();
    let open = ledger.circuits().iter().filter(|circuit| {
        circuit.opened.is_some()
            && is_of(&circuit.job, pipeline)
            && failing.contains(&*circuit.job.job)
    });
    let open: Vec<_> = open.map(|circuit| &*circuit.job.job).collect();
    if actions.is_empty() && origin.is_none() && decided.is_empty() && failing.is_empty() {
        return html! {};
    }
    html! {
        section.remediation {
            h2 { "Bringing its jobs back" }
            @if let Some(action) = origin {
                p { (wanted_by(action)) " started this pipeline in place of " (pipeline_link(&pipeline.project, action.pipeline_id)) "." }
            }
            @if !open.is_empty() { p { span.badge.bad { "Circuit open" } " given up after too many failures in a row: " (job_names(open)) } }
            @for (first, jobs) in by_decision(&decided) { p { (words(first, jobs)) } }
            @if failing.is_empty() {
                p.faint { "No job has its newest failure in this pipeline, so there is nothing to bring back." }
            } @else if let Some(session) = session {
                (form::pipeline_buttons(remedies, pipeline, session))
            }
            @if !actions.is_empty() { (record(&actions[..actions.len().min(SHOWN)], project_url, true, now)) }
            @if actions.len() > SHOWN { p.more { (actions.len() - SHOWN) " older actions are in " code { "/api/v1/remediations" } "." } }
        }
    }
}

fn is_of(name: &JobName, pipeline: &PipelineEntry) -> bool {
    name.project == pipeline.project
        && name.ref_name == pipeline.ref_name
        && name.track == pipeline.track
}

fn wanted_by(action: &Action) -> Markup {
    html! { @if action.by_rule { "Rule " } b { bdi { (action.by) } } }
}

/// What was decided about these jobs.
fn words(decided: &Decided, jobs: Vec<&str>) -> Markup {
    let rule = html! { "Rule " b { (decided.rule.as_deref().unwrap_or_default()) } };
    let jobs = job_names(jobs);
    html! {
        @match decided.verdict {
            Verdict::NoRule => { "No rule brings back " (jobs) "." },
            Verdict::Act { is_report: false } => { (rule) " brought back " (jobs) "." },
            Verdict::Act { is_report: true } => { (rule) " would bring back " (jobs) ", but the mode is " code { "report" } "." },
            Verdict::Wait(reason) => { (rule) " waits with " (jobs) ": " (with_code(reason.explain())) "." },
            Verdict::Refuse(reason) => { (rule) " leaves alone " (jobs) ": " (with_code(reason.explain())) "." },
        }
    }
}

/// The jobs about which the same was decided, each group with its first decision.
fn by_decision<'a>(decided: &[&'a Decided]) -> Vec<(&'a Decided, Vec<&'a str>)> {
    let mut groups: Vec<(&Decided, Vec<&str>)> = Vec::new();
    for it in decided {
        let is_same = |other: &Decided| (other.verdict, &other.rule) == (it.verdict, &it.rule);
        match groups.iter_mut().find(|(first, _)| is_same(first)) {
            Some((_, jobs)) => jobs.push(&it.job.name),
            None => groups.push((it, vec![&it.job.name])),
        }
    }
    groups
}
