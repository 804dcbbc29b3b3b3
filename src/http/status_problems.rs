//! What is wrong with the exporter now, and what to do about it.

use ci_history::Timestamp;

use super::status_view::{Problem, Severity, StatusView};
use crate::base::DAY;
use crate::base::human::{ago, rate, span, utc};

/// The end of a token or certificate is a problem from so many days before it on.
const DAYS_OF_NOTICE: i64 = 14;

/// The problems, critical ones first.
pub(super) fn problems(view: &StatusView) -> Vec<Problem> {
    let mut found = Vec::new();
    polling(view, &mut found);
    token(view, &mut found);
    store(view, &mut found);
    configuration(view, &mut found);
    web_config(view, &mut found);
    limits(view, &mut found);
    webhooks(view, &mut found);
    if view.clock_suspect {
        found.push(warning(
            "GitLab's clock or this machine's has jumped, or they differ",
            "Check the time synchronisation of both. No history is dropped by them meanwhile.",
        ));
    }
    found.sort_by_key(|problem| problem.severity);
    found
}

fn critical(what: impl Into<String>, advice: impl Into<String>) -> Problem {
    Problem {
        severity: Severity::Critical,
        what: what.into(),
        advice: advice.into(),
    }
}

fn warning(what: impl Into<String>, advice: impl Into<String>) -> Problem {
    Problem {
        severity: Severity::Warning,
        ..critical(what, advice)
    }
}

fn polling(view: &StatusView, found: &mut Vec<Problem>) {
    let breaker = &view.circuit_breaker;
    if breaker.state != "closed" {
        let next = breaker.next_probe_seconds.map_or_else(String::new, |left| {
            format!(", the next in {}", span(left.as_secs_f64()))
        });
        found.push(critical(
            format!("GitLab kept failing: only probes are sent{next}"),
            "See whether GitLab is up and reachable from here, and the errors below. The exporter goes on by itself.",
        ));
    } else if let Some(reason) = &view.stale_reason {
        found.push(critical(
            format!("The figures are old: {reason}"),
            "See the errors below.",
        ));
    }
    if let Some(reason) = &view.not_ready_reason {
        found.push(warning(
            format!("Not ready: {reason}"),
            "Wait for the end of the first round. If it does not go on, see the errors below and the log.",
        ));
    }
    if let Some(left) = view.requests.paused_seconds {
        found.push(warning(
            format!(
                "GitLab limits requests: none is sent for {}",
                span(left.as_secs_f64())
            ),
            "If this happens often, lower `gitlab.requests_per_second`, raise `watch.interval`, or raise the limit in GitLab.",
        ));
    }
    if let Some(problem) = too_few_requests(view) {
        found.push(problem);
    }
    let failing = view.errors.iter().filter(|error| !error.over).count();
    if failing > 0 {
        found.push(warning(
            format!("The last poll of {} failed", projects(failing)),
            "Each has its error below. Their series stay as they were.",
        ));
    }
}

/// Polling needs more requests than may be sent. While all is read for the first time, it always does.
fn too_few_requests(view: &StatusView) -> Option<Problem> {
    let needed = view.requests.needed_per_second?;
    let allowed = view.requests.per_second_now;
    let (needed, allowed) =
        (view.first_round.ended && needed > allowed).then_some((needed, allowed))?;
    Some(warning(
        format!(
            "Polling needs {} requests a second and may send {}",
            rate(needed),
            rate(allowed)
        ),
        "Raise `gitlab.requests_per_second` (and GitLab's own limit, if that is lower), raise `watch.interval` and \
         `watch.idle_interval`, set up webhooks, or watch less.",
    ))
}

fn projects(count: usize) -> String {
    if count == 1 {
        "one project".to_owned()
    } else {
        format!("{count} projects")
    }
}

fn token(view: &StatusView, found: &mut Vec<Problem>) {
    let gitlab = &view.gitlab;
    if let Some(scopes) = &gitlab.token_scopes
        && !scopes.iter().any(|it| it == "read_api" || it == "api")
    {
        found.push(critical(
            format!(
                "The GitLab token has neither `read_api` nor `api`, but: {}",
                scopes.join(", ")
            ),
            "Create a token with the scope `read_api` and put it into the file of `gitlab.token_file`, which is read again.",
        ));
    }
    let advice =
        "Create another one and replace the content of `gitlab.token_file`, which is read again.";
    found.extend(ending(
        "The GitLab token",
        gitlab.token_expiry,
        view.now,
        advice,
    ));
}

/// What ends soon, or has ended.
fn ending(what: &str, end: Option<Timestamp>, now: Timestamp, advice: &str) -> Option<Problem> {
    let end = end?.unix();
    let left = end.saturating_sub(now.unix());
    if left <= 0 {
        return Some(critical(
            format!("{what} has ended {} ({})", ago(-left), utc(end)),
            advice,
        ));
    }
    (left < DAYS_OF_NOTICE * DAY).then(|| {
        let days = left / DAY;
        warning(format!("{what} ends in {days} days ({})", utc(end)), advice)
    })
}

fn store(view: &StatusView, found: &mut Vec<Problem>) {
    let store = &view.store;
    if let Some(error) = &store.error {
        found.push(critical(
            format!(
                "The state is not saved: {}. {} timelines wait",
                error.message.trim_end_matches('.'),
                store.unsaved_timelines
            ),
            "Mend the store. Changes wait in memory and are lost if the exporter ends before.",
        ));
    }
    if store.documents_set_aside_total > 0 {
        found.push(warning(
            format!(
                "{} saved documents could not be read and were moved aside",
                store.documents_set_aside_total
            ),
            "Their histories are read from GitLab again. The log names the documents; find out what damaged them.",
        ));
    }
    if store.conditional_writes == Some(false) {
        found.push(warning(
            "The S3 store ignores conditional writes",
            "Run only one replica on this bucket, or use a store that honours them.",
        ));
    }
}

fn configuration(view: &StatusView, found: &mut Vec<Problem>) {
    if view.configuration_load.last_successful == Some(false) {
        let error = view.configuration_load.error.as_ref();
        let why = error.map_or_else(String::new, |error| format!(": {}", error.message));
        found.push(critical(
            format!("The changed configuration was refused{why}"),
            "Mend the file and load it again with SIGHUP. The one before stays in force.",
        ));
    }
}

fn web_config(view: &StatusView, found: &mut Vec<Problem>) {
    let Some(file) = &view.web_config else {
        return;
    };
    if file.last_load_successful == Some(false) {
        let why = file.error.as_ref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        found.push(critical(
            format!("The changed file of `web.config_file` cannot be used{why}"),
            "Mend it. The exporter reads it again when it changes; the last one stays in force.",
        ));
    }
    let advice = "Renew it: the exporter reads its file again when it changes.";
    let what = "The certificate of this server";
    found.extend(ending(what, file.certificate_expiry, view.now, advice));
}

fn limits(view: &StatusView, found: &mut Vec<Problem>) {
    for limit in view.limits.iter().filter(|limit| limit.reached) {
        let of = limit.used_by.as_ref();
        let of = of.map_or_else(String::new, |name| format!(" by {name}"));
        let advice = match limit.key {
            Some(key) => format!("Raise `{key}`, or watch less."),
            None => "It cannot be raised: watch less. CIExporterLimitReached says more.".to_owned(),
        };
        found.push(warning(
            format!("The limit `{}` is reached{of}", limit.limit),
            advice,
        ));
    }
}

fn webhooks(view: &StatusView, found: &mut Vec<Problem>) {
    if view.webhooks.rejected_total > 0 {
        found.push(warning(
            format!(
                "{} webhooks were rejected since the start",
                view.webhooks.rejected_total
            ),
            "See the results below. Unauthorized: compare the secret token of the webhook in GitLab with `webhooks.gitlab`.",
        ));
    }
}
