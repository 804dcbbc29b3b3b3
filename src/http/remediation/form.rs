//! The buttons of a job's page: a form that works without a script.

use std::sync::Arc;

use http::StatusCode;
use maud::{Markup, html};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use super::super::format::with_code;
use super::super::remedies::Remedies;
use super::super::response::{HTML, Response, uncached};
use super::super::status::JobEntry;
use super::super::{job_path, layout};
use crate::config::{ActionKind, Word as _};
use crate::remediation::{Answer, Wish};

/// Where forms are sent.
pub(super) const PATH: &str = "/actions/retry";

/// The fields of a form.
#[derive(Default)]
struct Fields {
    token: String,
    action: String,
    wish: Option<Wish>,
    back: String,
}

/// The buttons for a failing job.
pub(super) fn buttons(remedies: &Remedies, job: &JobEntry) -> Markup {
    let failing = job.row.figures.failing.as_ref();
    let Some(job_id) = failing.and_then(|failing| failing.job_id) else {
        return html! {};
    };
    html! {
        form.actions method="post" action=(PATH) {
            input type="hidden" name="token" value=(remedies.form_token);
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

/// Does what a form asks for, and shows what came of it.
pub(super) async fn respond(remedies: &Arc<Remedies>, body: &[u8], caller: Arc<str>) -> Response {
    let fields = Fields::parse(body);
    let is_ours = bool::from(
        fields
            .token
            .as_bytes()
            .ct_eq(remedies.form_token.as_bytes()),
    );
    let kind = ActionKind::from_word(&fields.action)
        .filter(|kind| matches!(kind, ActionKind::Recover | ActionKind::Restart));
    let (Some(wish), Some(kind), true) = (fields.wish, kind, is_ours) else {
        let text = html! { p { "This form is not of a page of this exporter, or the exporter was restarted since. Load the page again." } };
        return shown(StatusCode::FORBIDDEN, &text, &fields.back);
    };
    let wish = Wish { kind, ..wish };
    let worker = remedies.clone();
    let work = tokio::spawn(async move { worker.executor.ask(&[wish], &caller, false).await });
    if let Ok(answer) = work.await {
        shown(StatusCode::OK, &result(&answer), &fields.back)
    } else {
        let text = html! { p { "The exporter is ending." } };
        shown(StatusCode::SERVICE_UNAVAILABLE, &text, &fields.back)
    }
}

fn result(answer: &Answer) -> Markup {
    html! {
        @for action in &answer.actions {
            p { "GitLab was asked to " (action.kind.word()) " " bdi { (action.job.job) } ": " (<&'static str>::from(action.progress))
                @if let Some(id) = action.started { ", as " (id) }
                @if let Some(words) = &action.answer { ". GitLab answered: " bdi { (words) } }
            }
        }
        @for ask in &answer.would { p { "This would " (ask.kind.word()) " " bdi { (ask.job.name) } ", but " code { "remediation.mode" } " is " code { "report" } "." } }
        @for refused in &answer.refused { p { "Not done: " (with_code(&refused.why)) "." } }
    }
}

fn shown(status: StatusCode, result: &Markup, back: &str) -> Response {
    let content = html! {
        main { section.empty {
            h2 { "Bringing a job back" }
            (result)
            p { a href=(back) { "Back to the job" } }
        } }
    };
    uncached(
        status,
        HTML,
        layout::plain_page("Bringing a job back", &content),
    )
}

impl Fields {
    fn parse(body: &[u8]) -> Self {
        let mut fields = Self::default();
        let mut wish = Wish::anywhere(ActionKind::Recover);
        for (key, value) in form_urlencoded::parse(body) {
            match &*key {
                "token" => fields.token = value.into_owned(),
                "action" => fields.action = value.into_owned(),
                "project" => wish.project = Some(value.into()),
                "ref" => wish.ref_name = Some(value.into()),
                "track" => wish.track = Some(value.into()),
                "job_name" => wish.job = Some(value.into()),
                "job_id" => wish.job_id = value.parse().ok(),
                _ => {}
            }
        }
        let names = (&wish.project, &wish.ref_name, &wish.job);
        let (Some(project), Some(ref_name), Some(job)) = names else {
            "/".clone_into(&mut fields.back);
            return fields;
        };
        let page = job_path::job_path(project, ref_name, job);
        fields.back = page.unwrap_or_else(|| "/".to_owned());
        fields.wish = wish.job_id.is_some().then_some(wish);
        fields
    }
}
