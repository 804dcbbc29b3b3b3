//! What came of a form, as a page.

use std::collections::HashSet;

use maud::{Markup, html};

use super::super::format::with_code;
use super::job_names::{job_name, job_names};
use crate::config::{ActionKind, Word as _};
use crate::remediation::{Action, Answer, Ask, Reason, Refusal, Verdict};

/// The answer in words. Jobs that are refused for the same reason share a sentence.
pub(super) fn result(answer: &Answer) -> Markup {
    let restarted: HashSet<u64> = answer
        .actions
        .iter()
        .filter(|action| action.kind == ActionKind::Restart && action.started.is_some())
        .map(|action| action.job.project_id)
        .collect();
    // The new pipeline is for these, too.
    let is_covered = |refused: &Refusal| {
        refused.verdict == Some(Verdict::Refuse(Reason::NewerPipeline))
            && (refused.job.as_ref()).is_some_and(|job| restarted.contains(&job.project_id))
    };
    let refused = answer.refused.iter().filter(|it| !is_covered(it));
    html! {
        @for action in &answer.actions { (started(action)) }
        @if !answer.would.is_empty() { (would(&answer.would)) }
        @for (why, jobs) in by_reason(refused) {
            p { "Not done" @if !jobs.is_empty() { " for " (job_names(jobs)) } ": " (with_code(why)) "." }
        }
    }
}

fn started(action: &Action) -> Markup {
    let progress = <&'static str>::from(action.progress).replace('_', " ");
    html! {
        p {
            @if action.kind == ActionKind::Restart {
                "GitLab was asked to start a new pipeline on the head of " (job_name(&action.job.ref_name)) ": " (progress)
                @if let Some(id) = action.started { ", as pipeline " (id) }
            } @else {
                "GitLab was asked to " (action.kind.word()) " " (job_name(&action.job.job)) ": " (progress)
                @if let Some(id) = action.started { ", as job " (id) }
            }
            @if let Some(words) = &action.answer { ". GitLab answered: " bdi { (words) } }
        }
    }
}

/// All asks of a form are of one kind.
fn would(asks: &[Ask]) -> Markup {
    let kind = asks.first().map(|ask| ask.kind);
    html! {
        p {
            "This would "
            @if kind == Some(ActionKind::Restart) { "start a new pipeline for " } @else { "recover " }
            (job_names(asks.iter().map(|ask| &*ask.job.name)))
            ", but " code { "remediation.mode" } " is " code { "report" } "."
        }
    }
}

fn by_reason<'a>(refused: impl Iterator<Item = &'a Refusal>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for it in refused {
        let job = it.job.as_ref().map(|job| &*job.job);
        match groups.iter_mut().find(|(why, _)| *why == it.why) {
            Some((_, jobs)) => jobs.extend(job),
            None => groups.push((&it.why, job.into_iter().collect())),
        }
    }
    groups
}
