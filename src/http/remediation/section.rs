//! The part of a job's page about bringing it back.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::Timestamp;
use maud::{Markup, html};

use super::super::context::Context;
use super::super::form_token::Session;
use super::super::format::{ago, in_gitlab, link, with_code};
use super::super::status::JobEntry;
use super::form;
use super::job_names::job_name;
use crate::config::{ActionKind, Word as _};
use crate::remediation::{Action, Decided, JobName, Progress, Verdict};

/// Actions that are shown.
const SHOWN: usize = 10;

/// What was decided and done about a job, and the buttons for more.
pub(in crate::http) fn section(
    context: &Context,
    job: &JobEntry,
    session: Option<&Session>,
    now: Timestamp,
) -> Markup {
    let Some(remedies) = &context.remedies else {
        return html! {};
    };
    let is_ours = |name: &JobName| is_of(name, job);
    let (ledger, decisions) = remedies.executor.shown();
    let actions = ledger.actions().iter().rev();
    let actions: Vec<&Action> = actions.filter(|it| is_ours(&it.job)).take(SHOWN).collect();
    let mut circuits = ledger.circuits().iter();
    let circuit = circuits.find(|circuit| is_ours(&circuit.job) && circuit.opened.is_some());
    let job_id = job.row.figures.failing.as_ref().and_then(|it| it.job_id);
    let mut decisions = decisions.iter().map(|(decided, _)| decided);
    let decided =
        decisions.find(|it| is_ours(&JobName::of(&it.job)) && Some(it.job.job_id) == job_id);
    if actions.is_empty() && circuit.is_none() && decided.is_none() && job_id.is_none() {
        return html! {};
    }
    html! {
        section.remediation {
            h2 { "Bringing it back" }
            @if let Some(since) = circuit.and_then(|circuit| circuit.opened) {
                p { span.badge.bad { "Circuit open" } " given up " (ago(since, now)) ": it failed too often in a row" }
            }
            @if let Some(decided) = decided { p { (words(decided)) } }
            @if let Some(session) = session { (form::buttons(remedies, job, session)) }
            @if !actions.is_empty() { (record(&actions, job.project_url.as_deref(), false, now)) }
        }
    }
}

/// The pipelines in which an action made a job pass, and who wanted it.
pub(in crate::http) fn recovered(context: &Context, job: &JobEntry) -> BTreeMap<u64, Arc<str>> {
    let Some(remedies) = &context.remedies else {
        return BTreeMap::new();
    };
    let (ledger, _) = remedies.executor.shown();
    let actions = ledger.actions().iter();
    let recovered = actions.filter(|action| {
        action.progress == Progress::Recovered
            && action.kind == ActionKind::Recover
            && is_of(&action.job, job)
    });
    recovered
        .map(|action| (action.pipeline_id, action.by.clone()))
        .collect()
}

fn is_of(name: &JobName, job: &JobEntry) -> bool {
    name.project == job.project
        && name.ref_name == job.ref_name
        && name.track == job.track
        && name.job == job.row.name
}

fn words(decided: &Decided) -> Markup {
    let rule = decided.rule.as_deref().unwrap_or_default();
    html! {
        @match decided.verdict {
            Verdict::NoRule => "No rule brings this failure back.",
            Verdict::Act { is_report: false } => { "Rule " b { (rule) } " brought it back." },
            Verdict::Act { is_report: true } => { "Rule " b { (rule) } " would bring it back, but the mode is " code { "report" } "." },
            Verdict::Wait(reason) => { "Rule " b { (rule) } " waits: " (with_code(reason.explain())) "." },
            Verdict::Refuse(reason) => { "Rule " b { (rule) } " leaves it alone: " (with_code(reason.explain())) "." },
        }
    }
}

/// Actions as a table. On a pipeline's page they are about several jobs, and have their names.
pub(super) fn record(
    actions: &[&Action],
    project_url: Option<&str>,
    has_names: bool,
    now: Timestamp,
) -> Markup {
    html! {
        table.executions {
            thead { tr { th scope="col" { "Action" } th scope="col" { "By" } th scope="col" { "Failed job" } th scope="col" { "Result" } th scope="col" { "When" } } }
            tbody {
                @for action in actions {
                    @let failed = project_url.map(|base| in_gitlab(base, "jobs", &action.job_id.to_string()));
                    tr {
                        td { (action.kind.word()) }
                        td data-label="By" { @if action.by_rule { "rule " } bdi { (action.by) } }
                        td data-label="Failed job" { @if has_names { (job_name(&action.job.job)) " · " } (link(failed.as_deref(), &html! { (action.job_id) })) }
                        td data-label="Result" {
                            (<&'static str>::from(action.progress).replace('_', " "))
                            @if let Some((url, id)) = started(action, project_url) { " · " (link(url.as_deref(), &html! { (id) })) }
                            @if let Some(answer) = &action.answer { " · " bdi { (answer) } }
                        }
                        td data-label="When" { (ago(action.at, now)) }
                    }
                }
            }
        }
    }
}

/// The job or pipeline that an action started. The id of a schedule leads nowhere.
fn started(action: &Action, project_url: Option<&str>) -> Option<(Option<String>, u64)> {
    let id = action.started?;
    let kind = match action.kind {
        ActionKind::Recover | ActionKind::Play => "jobs",
        ActionKind::Restart => "pipelines",
        ActionKind::RunSchedule => return None,
    };
    let url = project_url.map(|base| in_gitlab(base, kind, &id.to_string()));
    Some((url, id))
}
