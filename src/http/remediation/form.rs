//! The buttons of the pages: a form that works without a script.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use url::form_urlencoded;

use super::super::form_token::Session;
use super::super::job_path::job_page_path;
use super::super::layout;
use super::super::pipeline_path::pipeline_path;
use super::super::remedies::Remedies;
use super::super::response::{HTML, Response, come_again, uncached};
use super::super::status::{JobEntry, PipelineEntry};
use super::result::result;
use crate::config::{ActionKind, Word as _};
use crate::remediation::Wish;

/// Where forms are sent.
pub(super) const PATH: &str = "/actions/retry";

/// The fields of a form.
struct Fields {
    token: String,
    action: String,
    wish: Option<Wish>,
    back: Back,
}

/// The page that has the form.
struct Back {
    path: String,
    words: &'static str,
}

/// The buttons for a failing job.
pub(super) fn buttons(remedies: &Remedies, job: &JobEntry, session: &Session) -> Markup {
    let Some(token) = remedies.form_tokens.issue(session) else {
        return html! {};
    };
    let failing = job.row.figures.failing.as_ref();
    let Some(job_id) = failing.and_then(|failing| failing.job_id) else {
        return html! {};
    };
    html! {
        form.actions method="post" action=(PATH) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="project" value=(job.project);
            input type="hidden" name="ref" value=(job.ref_name);
            @if let Some(track) = &job.track { input type="hidden" name="track" value=(track); }
            input type="hidden" name="job_name" value=(job.row.name);
            input type="hidden" name="job_id" value=(job_id);
            button type="submit" name="action" value="recover" { "Retry the job" } " "
            button type="submit" name="action" value="restart" { "Start a new pipeline" }
        }
    }
}

/// The buttons for a pipeline with failing jobs.
pub(super) fn pipeline_buttons(
    remedies: &Remedies,
    pipeline: &PipelineEntry,
    session: &Session,
) -> Markup {
    let Some(token) = remedies.form_tokens.issue(session) else {
        return html! {};
    };
    html! {
        form.actions method="post" action=(PATH) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="project" value=(pipeline.project);
            input type="hidden" name="pipeline_id" value=(pipeline.row.id);
            button type="submit" name="action" value="recover" { "Recover the failed jobs of this pipeline" } " "
            button type="submit" name="action" value="restart" { "Restart: a new pipeline on the head of the ref" }
        }
    }
}

/// Does what a form asks for, and shows what came of it.
pub(super) async fn respond(
    remedies: &Arc<Remedies>,
    headers: &HeaderMap,
    body: &[u8],
    caller: Arc<str>,
) -> Response {
    let fields = Fields::parse(body);
    let is_ours = remedies.form_tokens.is_issued(headers, &fields.token);
    let kind = ActionKind::from_word(&fields.action)
        .filter(|kind| matches!(kind, ActionKind::Recover | ActionKind::Restart));
    let (Some(wish), Some(kind), true) = (fields.wish, kind, is_ours) else {
        let text = html! { p { "This form is not of a page of this exporter in this browser, or the exporter was restarted since, or the browser keeps no cookies. Load the page again." } };
        return shown(StatusCode::FORBIDDEN, &text, &fields.back);
    };
    let Ok(turn) = remedies.turns.clone().try_acquire_owned() else {
        let text = html! { p { "Nothing was done: too many requests for actions at the same time. Try again soon." } };
        let response = shown(StatusCode::SERVICE_UNAVAILABLE, &text, &fields.back);
        return come_again(response, "10");
    };
    let wish = Wish { kind, ..wish };
    let worker = remedies.clone();
    // In a task of its own: a browser that goes away stops no action half-way.
    let work = tokio::spawn(async move {
        let answer = worker.executor.ask(&[wish], &caller, false).await;
        drop(turn);
        answer
    });
    if let Ok(answer) = work.await {
        shown(StatusCode::OK, &result(&answer), &fields.back)
    } else {
        let text = html! { p { "The exporter is ending." } };
        shown(StatusCode::SERVICE_UNAVAILABLE, &text, &fields.back)
    }
}

fn shown(status: StatusCode, result: &Markup, back: &Back) -> Response {
    let content = html! {
        main { section.empty {
            h1 { "Bringing jobs back" }
            (result)
            p { a href=(back.path) { (back.words) } }
        } }
    };
    uncached(
        status,
        HTML,
        layout::plain_page("Bringing jobs back", &content),
    )
}

impl Fields {
    fn parse(body: &[u8]) -> Self {
        let (mut token, mut action) = (String::new(), String::new());
        let mut wish = Wish::anywhere(ActionKind::Recover);
        for (key, value) in form_urlencoded::parse(body) {
            match &*key {
                "token" => token = value.into_owned(),
                "action" => action = value.into_owned(),
                "project" => wish.project = Some(value.into()),
                "ref" => wish.ref_name = Some(value.into()),
                "track" => wish.track = Some(value.into()),
                "job_name" => wish.job = Some(value.into()),
                "job_id" => wish.job_id = value.parse().ok(),
                "pipeline_id" => wish.pipeline_id = value.parse().ok(),
                _ => {}
            }
        }
        let is_of_job = wish.ref_name.is_some() && wish.job.is_some() && wish.job_id.is_some();
        let is_whole = wish.project.is_some() && (is_of_job || wish.pipeline_id.is_some());
        Self {
            token,
            action,
            back: Back::of(&wish),
            wish: is_whole.then_some(wish),
        }
    }
}

impl Back {
    fn of(wish: &Wish) -> Self {
        let project = wish.project.as_deref();
        let of_job = || {
            let (ref_name, job) = (wish.ref_name.as_deref()?, wish.job.as_deref()?);
            job_page_path(project?, ref_name, wish.track.as_deref(), job)
        };
        let of_pipeline = || pipeline_path(project?, wish.pipeline_id?);
        let pages = [
            (of_job(), "Back to the job"),
            (of_pipeline(), "Back to the pipeline"),
        ];
        let found = pages
            .into_iter()
            .find_map(|(path, words)| path.map(|path| Self { path, words }));
        found.unwrap_or_else(|| Self {
            path: "/".to_owned(),
            words: "All jobs",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_leads_back_to_the_page_with_the_form() {
        for (body, path, words) in [
            (
                "project=group/app&ref=main&track=nightly&job_name=a%2Fb&job_id=7",
                "/jobs/group/app/-/main/-/a%2Fb?track=nightly",
                "Back to the job",
            ),
            (
                "project=group/app&pipeline_id=7",
                "/pipelines/group/app/-/7",
                "Back to the pipeline",
            ),
            ("project=group/app&pipeline_id=x", "/", "All jobs"),
            ("project=..&pipeline_id=7", "/", "All jobs"),
        ] {
            let back = Fields::parse(body.as_bytes()).back;
            assert_eq!((&*back.path, back.words), (path, words));
        }
    }

    #[test]
    fn a_form_that_names_too_little_wishes_for_nothing() {
        for body in [
            "",
            "project=group/app",
            "pipeline_id=7",
            "project=group/app&ref=main&job_name=unit",
            "project=group/app&job_id=7",
            "ref=main&job_name=unit&job_id=7",
        ] {
            assert_eq!(Fields::parse(body.as_bytes()).wish, None, "{body}");
        }
        let wish = Fields::parse(b"project=group/app&pipeline_id=7")
            .wish
            .unwrap();
        assert_eq!(wish.pipeline_id, Some(7));
    }
}
