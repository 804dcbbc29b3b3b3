//! How remediation stands: mode, limits, what pauses it, and the circuits of jobs.

use ci_history::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::super::context::Context;
use super::super::format::ago;
use super::super::job_path::job_page_path;
use super::super::remedies::Remedies;
use crate::base::human::span;
use crate::config::{CircuitReset, Mode, Word as _};
use crate::remediation::{Circuit, Condition, Ledger};

/// Circuits that are shown. The JSON has all of them.
const SHOWN: usize = 50;

/// Above the list of decisions and actions.
pub(super) fn about(context: &Context, now: Timestamp) -> Markup {
    let Some(remedies) = &context.remedies else {
        return off();
    };
    let (ledger, _) = remedies.executor.shown();
    html! {
        @for words in paused(remedies, &ledger, now) { p.stale role="status" { b { "Paused: " } (words) } }
        section.panels {
            (mode(remedies))
            (budget(remedies))
        }
        (circuits(remedies, &ledger, now))
    }
}

fn off() -> Markup {
    html! {
        p.stale {
            b { "Remediation is off." } " Set " code { "remediation.mode" } " to " code { "report" }
            " to see here which failed jobs would be brought back and why others are not, and to " code { "act" }
            " with a token of its own to have it done. " code { "remediation.rules" } " says which jobs."
        }
    }
}

/// What stops everything.
fn paused(remedies: &Remedies, ledger: &Ledger, now: Timestamp) -> Vec<Markup> {
    let pauses = remedies.executor.pauses().into_iter();
    let pauses = pauses.filter(|(_, count)| *count > 0);
    let words = pauses.map(|(condition, count)| match condition {
        Condition::Outage => {
            html! { "many jobs fail at the same time, as in an outage. It goes on by itself." }
        }
        Condition::GitlabDown => html! { "GitLab keeps failing. It goes on by itself." },
        Condition::NotSaved => {
            html! { "the record of actions cannot be read or saved. The log says why." }
        }
        Condition::Halted => html! {
            "an operator stopped everything"
            @if let Some(halt) = ledger.halt() { ": " bdi { (halt.by) } ", " (ago(halt.at, now)) }
            ". " code { "circuit reset --all" } " lets it go on."
        },
        Condition::NoRights => {
            html! { "the token may not act in " (count) " projects. The log names them." }
        }
    });
    words.collect()
}

fn mode(remedies: &Remedies) -> Markup {
    let executor = &remedies.executor;
    let limits = executor.limits();
    html! {
        div.panel {
            h2 { "Mode" }
            p {
                b { (executor.mode().word()) } ": "
                @if executor.mode() == Mode::Act { "failed jobs are brought back" } @else { "decides, and changes nothing in GitLab" }
            }
            dl.facts {
                dt { "Failures younger than" } dd { (span(limits.younger_than.as_secs_f64())) }
                dt { "Circuits open at" } dd { (executor.circuit_rule().failures) " failures in a row" }
            }
        }
    }
}

fn budget(remedies: &Remedies) -> Markup {
    let limits = remedies.executor.limits();
    html! {
        div.panel {
            h2 { "Budget" }
            dl.facts {
                dt { "Left in this hour" } dd { (left(remedies)) " of " (limits.actions_per_hour) }
                dt { "An hour in one project" } dd { (limits.per_project_per_hour) }
                dt { "In one pipeline" } dd { (limits.per_pipeline) }
            }
        }
    }
}

fn left(remedies: &Remedies) -> usize {
    let executor = &remedies.executor;
    executor
        .limits()
        .actions_per_hour
        .saturating_sub(executor.used())
}

fn circuits(remedies: &Remedies, ledger: &Ledger, now: Timestamp) -> Markup {
    let all = ledger.circuits();
    let closes = match remedies.executor.circuit_rule().reset {
        CircuitReset::Pass => "A circuit closes when the job passes, or an operator closes it",
        CircuitReset::Manual => "Only an operator closes a circuit",
    };
    html! {
        h2 { "Circuits" }
        @if all.is_empty() { p.faint { "No circuit is open: no job is given up." } }
        @else {
            p.faint { (closes) ", with " code { "circuit reset" } "." }
            ul.circuits { @for circuit in all.iter().take(SHOWN) { li { (one_circuit(circuit, now)) } } }
            @if all.len() > SHOWN { p.more { (all.len() - SHOWN) " more are in " code { "/api/v1/remediation" } "." } }
        }
    }
}

fn one_circuit(circuit: &Circuit, now: Timestamp) -> Markup {
    let job = &circuit.job;
    let page = job_page_path(&job.project, &job.ref_name, job.track.as_deref(), &job.job);
    html! {
        @match circuit.opened {
            Some(at) => { span.badge.bad { "✕ Open" } " " (ago(at, now)) },
            None => { span.badge { "✓ Closed" } " by an operator after " (circuit.reset_at_streak) " failures" },
        }
        " · "
        @match page { Some(page) => a href=(page) { bdi { (job.job) } }, None => bdi { (job.job) } }
        " of " bdi { (job.project) } " on " bdi { (job.ref_name) }
        @if let Some(track) = &job.track { " · " bdi { (track) } }
    }
}

/// The same as JSON.
pub(super) fn about_in_json(context: &Context) -> Map<String, Value> {
    let Some(remedies) = &context.remedies else {
        return object(json!({ "mode": Mode::Off.word() }));
    };
    let executor = &remedies.executor;
    let (ledger, _) = executor.shown();
    let limits = executor.limits();
    let pauses = executor.pauses().into_iter();
    let pauses = pauses.filter(|(_, count)| *count > 0);
    let circuits = ledger.circuits().iter().map(|circuit| {
        let mut value = object(json!(circuit.job));
        let own = json!({
            "opened_timestamp_seconds": circuit.opened.map(Timestamp::unix),
            "closed_at_streak": circuit.opened.is_none().then_some(circuit.reset_at_streak),
        });
        value.extend(object(own));
        Value::Object(value)
    });
    object(json!({
        "mode": executor.mode().word(),
        "limits": {
            "actions_per_hour": limits.actions_per_hour,
            "per_project_per_hour": limits.per_project_per_hour,
            "per_pipeline": limits.per_pipeline,
            "younger_than_seconds": limits.younger_than.as_secs(),
        },
        "actions_left_in_hour": left(remedies),
        "paused_by": pauses.map(|(condition, _)| condition.as_str()).collect::<Vec<_>>(),
        "halted": ledger.halt().map(|halt| json!({ "by": halt.by, "timestamp_seconds": halt.at.unix() })),
        "circuits": circuits.collect::<Vec<_>>(),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
