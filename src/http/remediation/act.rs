//! Requests that act: who may, and what they ask for.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::form_urlencoded;

use super::super::api::json_body;
use super::super::body::{Unread, read};
use super::super::hosts::Hosts;
use super::super::remedies::Remedies;
use super::super::response::{Response, closing, come_again, insert, method_not_allowed, plain};
use super::form;
use crate::config::{ActionKind, Word as _};
use crate::remediation::{AnswerView, JobName, RetryRequest, wishes_of};

/// Bytes of a request's body.
const LARGEST_BODY: usize = 1 << 20;

/// A path that acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Action {
    /// Webhook messages of Alertmanager.
    Alertmanager,
    /// `PUT`, with JSON.
    Retry,
    /// `POST`, with JSON.
    ResetCircuit,
    /// `POST`, with JSON: stops everything, or lets it go on.
    Halt,
    /// `POST`, from the form of a page.
    Form,
}

/// Of the body of [`Action::ResetCircuit`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CircuitRequest {
    project: String,
    #[serde(rename = "ref")]
    ref_name: String,
    track: Option<String>,
    job_name: String,
}

/// Of the body of [`Action::Halt`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HaltRequest {
    halted: bool,
}

impl Action {
    /// Every path that acts.
    pub(in crate::http) const PATHS: [(&str, Self); 5] = [
        ("/hooks/alertmanager", Self::Alertmanager),
        ("/api/v1/retry", Self::Retry),
        ("/api/v1/circuits/reset", Self::ResetCircuit),
        ("/api/v1/remediations/halt", Self::Halt),
        (form::PATH, Self::Form),
    ];

    /// The action at a path.
    pub(in crate::http) fn at(path: &str) -> Option<Self> {
        let mut paths = Self::PATHS.iter();
        paths
            .find(|(known, _)| *known == path)
            .map(|(_, action)| *action)
    }

    fn method(self) -> Method {
        match self {
            Self::Retry => Method::PUT,
            Self::Alertmanager | Self::ResetCircuit | Self::Halt | Self::Form => Method::POST,
        }
    }

    /// Refuses whoever may not act before the body is read.
    pub(in crate::http) async fn respond<B>(
        self,
        remedies: Option<&Arc<Remedies>>,
        hosts: &Hosts,
        request: Request<B>,
    ) -> Response
    where
        B: Body<Data = Bytes>,
    {
        if request.method() != self.method() {
            let allowed = if self == Self::Retry { "PUT" } else { "POST" };
            return method_not_allowed(request.uri().path(), allowed);
        }
        let Some(remedies) = remedies else {
            let message = "remediation is off; set `remediation.mode` to `report` or `act`\n";
            return closing(StatusCode::NOT_FOUND, message);
        };
        if remedies.callers.is_empty() {
            let message = "nobody may ask for actions; name who may in `remediation.callers`\n";
            return closing(StatusCode::NOT_FOUND, message);
        }
        let Some(caller) = remedies.caller(request.headers()) else {
            return unauthorized();
        };
        if hosts.is_from_elsewhere(&request) {
            let message =
                "a page of another site sent this; send it from a page of this exporter\n";
            return closing(StatusCode::FORBIDDEN, message);
        }
        let (head, body) = request.into_parts();
        let body = match read(body, LARGEST_BODY).await {
            Ok(body) => body,
            Err(Unread::TooLarge) => {
                let message = format!("larger than the {LARGEST_BODY} bytes that are read\n");
                return closing(StatusCode::PAYLOAD_TOO_LARGE, message);
            }
            Err(Unread::Cut) => return closing(StatusCode::BAD_REQUEST, "the body ended early\n"),
        };
        let query = head.uri.query().unwrap_or_default();
        match self {
            Self::Alertmanager => remedies.take_alerts(&body, caller),
            Self::Retry => remedies.retry(query, &body, caller).await,
            Self::ResetCircuit => remedies.reset_circuit(&body, &caller).await,
            Self::Halt => remedies.halt(&body, caller).await,
            Self::Form => form::respond(remedies, &head.headers, &body, caller).await,
        }
    }
}

impl Remedies {
    /// Answers at once: Alertmanager waits for nothing.
    fn take_alerts(self: &Arc<Self>, body: &[u8], caller: Arc<str>) -> Response {
        let (wishes, problems) = match wishes_of(body) {
            Ok(wishes) => wishes,
            Err(why) => return plain(StatusCode::BAD_REQUEST, format!("{why}\n")),
        };
        for problem in &problems {
            tracing::warn!("an alert asks for what cannot be done: {problem}");
        }
        let Ok(turn) = self.turns.clone().try_acquire_owned() else {
            return busy();
        };
        if !wishes.is_empty() {
            let remedies = self.clone();
            tokio::spawn(async move {
                let answer = remedies.executor.ask(&wishes, &caller, false).await;
                for refused in &answer.refused {
                    tracing::info!(
                        "an alert asked for an action that is not done: {}",
                        refused.why
                    );
                }
                drop(turn);
            });
        }
        let message = problems.into_iter().map(|problem| format!("{problem}\n"));
        plain(
            StatusCode::ACCEPTED,
            format!("taken\n{}", message.collect::<String>()),
        )
    }

    async fn retry(self: &Arc<Self>, query: &str, body: &[u8], caller: Arc<str>) -> Response {
        let wishes = kind_and_trial(query).and_then(|(kind, is_trial)| {
            let request: RetryRequest = object(body)?;
            Ok((request.wishes(kind)?, is_trial))
        });
        let (wishes, is_trial) = match wishes {
            Ok(wishes) => wishes,
            Err(why) => return json_body(StatusCode::BAD_REQUEST, &json!({ "error": why })),
        };
        let Ok(turn) = self.turns.clone().try_acquire_owned() else {
            return busy();
        };
        let remedies = self.clone();
        // In a task of its own: a client that goes away stops no action half-way.
        let work = tokio::spawn(async move {
            let answer = remedies.executor.ask(&wishes, &caller, is_trial).await;
            drop(turn);
            answer
        });
        match work.await {
            Ok(answer) => {
                let mode = self.executor.mode();
                json_body(StatusCode::OK, &AnswerView::of(&answer, mode))
            }
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the exporter is ending\n"),
        }
    }

    async fn halt(&self, body: &[u8], caller: Arc<str>) -> Response {
        let halted = match object(body) {
            Ok(HaltRequest { halted }) => halted,
            Err(why) => {
                return json_body(StatusCode::BAD_REQUEST, &json!({ "error": why }));
            }
        };
        tracing::warn!(by = &*caller, halted, "remediation was stopped or resumed");
        match self.executor.halt(halted.then_some(caller)).await {
            Ok(()) => json_body(StatusCode::OK, &json!({ "halted": halted })),
            Err(why) => json_body(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": why })),
        }
    }

    async fn reset_circuit(&self, body: &[u8], caller: &str) -> Response {
        let request: CircuitRequest = match object(body) {
            Ok(request) => request,
            Err(why) => {
                return json_body(StatusCode::BAD_REQUEST, &json!({ "error": why }));
            }
        };
        let Some(project_id) = self.executor.project_id(&request.project) else {
            let why = format!("no watched project has the path `{}`", request.project);
            return json_body(StatusCode::NOT_FOUND, &json!({ "error": why }));
        };
        let job = JobName {
            project_id,
            project: request.project.into(),
            ref_name: request.ref_name.into(),
            track: request.track.map(Into::into),
            job: request.job_name.into(),
        };
        match self.executor.reset_circuit(&job).await {
            Ok(was_open) => {
                if was_open {
                    let (project, name) = (&*job.project, &*job.job);
                    tracing::info!(project, job = name, by = caller, "the circuit was reset");
                }
                json_body(StatusCode::OK, &json!({ "was_open": was_open }))
            }
            Err(why) => json_body(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": why })),
        }
    }
}

/// The JSON object of a body. A list of the right values would pass for one.
fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err("the body is not what is wanted: it is no JSON object".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| format!("the body is not what is wanted: {error}"))
}

/// The parameters `type` and `dry_run`.
fn kind_and_trial(query: &str) -> Result<(ActionKind, bool), String> {
    let (mut kind, mut is_trial) = (ActionKind::Recover, false);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*key, &*value) {
            ("type", "recover") => kind = ActionKind::Recover,
            ("type", "restart") => kind = ActionKind::Restart,
            ("type", other) => {
                return Err(format!(
                    "the parameter type is `{other}`, wanted `{}` or `{}`",
                    ActionKind::Recover.word(),
                    ActionKind::Restart.word()
                ));
            }
            ("dry_run", "true") => is_trial = true,
            ("dry_run", "false") => is_trial = false,
            ("dry_run", other) => {
                return Err(format!(
                    "the parameter dry_run is `{other}`, wanted `true` or `false`"
                ));
            }
            (other, _) => {
                return Err(format!(
                    "found the parameter `{other}`, wanted type and dry_run"
                ));
            }
        }
    }
    Ok((kind, is_trial))
}

fn unauthorized() -> Response {
    let message = "wanted the name and secret of one of `remediation.callers`, as basic authentication or bearer token\n";
    let mut response = closing(StatusCode::UNAUTHORIZED, message);
    let wanted = "Basic realm=\"job-failure-exporter\", charset=\"UTF-8\"";
    insert(&mut response, header::WWW_AUTHENTICATE, wanted);
    response
}

fn busy() -> Response {
    let message = "too many requests for actions at the same time; try again soon\n";
    let response = plain(StatusCode::SERVICE_UNAVAILABLE, message);
    come_again(response, "10")
}
