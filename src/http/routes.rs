//! Which handler answers which request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ci_history::Timestamp;
use http::{Method, Request, StatusCode, header};
use http_body::Body;

use super::alerts_page::AlertListing;
use super::asking::Subject;
use super::context::{Context, Handler, Head};
use super::encoding::{compressed, prefers_gzip};
use super::hooks::{self, Webhooks};
use super::hosts::Hosts;
use super::job_path::{JobPath, LONGEST_PATH};
use super::parameters;
use super::projects_page::ProjectRow;
use super::reload::{self, ReloadHandle};
use super::remediation::{Action, RemedyListing};
use super::remedies::Remedies;
use super::response::{
    HTML, Response, closing, insert, method_not_allowed, refusal, secured, text,
};
use super::route_prefix::{RoutePrefix, is_over_tls};
use super::schedules_page::ScheduleListing;
use super::search::Searches;
use super::status::DaemonStatus;
use super::told::Told;
use super::{
    api, favicon, grid_page, grid_path, job_endpoint, job_page, jobs_page, layout, list_page,
    openapi, pipeline_page, pipeline_path, pipelines_page, probes, remediation, scrape,
    static_files, status_page,
};
use crate::alerting::Monitor;
use crate::metrics::{Exposition, Telemetry};

/// Answers requests from the rendered metrics and from the daemon's status.
pub struct Service {
    context: Arc<Context>,
    searches: Searches,
    webhooks: Option<Arc<dyn Webhooks>>,
    hosts: Hosts,
    reload: Option<ReloadHandle>,
}

/// The path of the metrics.
pub(super) const SCRAPED_PATH: &str = "/metrics";

const HEALTHY_PATH: &str = "/-/healthy";
const READY_PATH: &str = "/-/ready";

/// How a path is answered.
#[derive(Clone, Copy)]
struct Route {
    way: Way,
    /// The parameters of the query that it knows; `None`: any.
    parameters: Option<&'static [&'static str]>,
}

#[derive(Clone, Copy)]
enum Way {
    /// At once.
    Quick(Handler),
    /// As soon as the saved state was read.
    Scrape(Handler),
    /// In its turn: it goes through all jobs.
    Search(Handler),
    /// The same, once Prometheus and Alertmanager were asked.
    Asking(Subject, Handler),
}

const fn quick(handler: Handler, parameters: Option<&'static [&'static str]>) -> Route {
    Route {
        way: Way::Quick(handler),
        parameters,
    }
}

const fn search(handler: Handler, parameters: &'static [&'static str]) -> Route {
    Route {
        way: Way::Search(handler),
        parameters: Some(parameters),
    }
}

/// Refuses wrong parameters itself, with its form.
const fn listing(handler: Handler) -> Route {
    Route {
        way: Way::Search(handler),
        parameters: None,
    }
}

/// The list of alerts.
const fn alerts(handler: Handler) -> Route {
    Route {
        way: Way::Asking(Subject::AllAlerts, handler),
        parameters: None,
    }
}

/// The page of a job.
const JOB: Route = Route {
    way: Way::Asking(Subject::Job(job_page::named), job_page::respond),
    parameters: Some(&["track"]),
};

/// A scrape has the parameters that its configuration gives it.
const SCRAPE: Route = Route {
    way: Way::Scrape(scrape::respond),
    parameters: None,
};

/// Every fixed path that is read; [`JobPath`] and [`pipeline_path`] have the pages of jobs and pipelines.
const ROUTES: [(&str, Route); 23] = [
    ("/", listing(jobs_page::respond)),
    ("/projects", listing(list_page::respond::<ProjectRow>)),
    ("/schedules", listing(list_page::respond::<ScheduleListing>)),
    ("/status", search(status_page::respond, &[])),
    ("/alerts", alerts(list_page::respond::<AlertListing>)),
    ("/api/v1/alerts", alerts(list_page::list::<AlertListing>)),
    ("/remediation", listing(list_page::respond::<RemedyListing>)),
    (
        "/api/v1/remediation",
        listing(list_page::list::<RemedyListing>),
    ),
    (SCRAPED_PATH, SCRAPE),
    (HEALTHY_PATH, quick(probes::healthy, None)),
    (READY_PATH, quick(probes::ready, None)),
    ("/api/v1/jobs", listing(api::respond)),
    (
        "/api/v1/job",
        Route {
            way: Way::Asking(Subject::Job(job_endpoint::named), job_endpoint::respond),
            parameters: None,
        },
    ),
    ("/api/v1/projects", listing(list_page::list::<ProjectRow>)),
    (
        "/api/v1/schedules",
        listing(list_page::list::<ScheduleListing>),
    ),
    ("/api/v1/grid", listing(grid_page::list)),
    ("/api/v1/pipelines", listing(pipelines_page::list)),
    ("/api/v1/status", search(status_page::give, &[])),
    (openapi::PATH, quick(openapi::respond, Some(&[]))),
    (
        remediation::LIST_PATH,
        search(remediation::list, &["project"]),
    ),
    (
        static_files::STYLE_PATH,
        quick(static_files::style, Some(&["v"])),
    ),
    (
        static_files::SCRIPT_PATH,
        quick(static_files::script, Some(&["v"])),
    ),
    (favicon::PATH, quick(favicon::respond, Some(&[]))),
];

/// Whether a path is answered also while everything else is refused.
pub(super) fn is_essential(path: &str) -> bool {
    matches!(path, SCRAPED_PATH | HEALTHY_PATH | READY_PATH)
}

/// Bytes of a body that a request without use for one may have. None of them are read.
const LARGEST_BODY: u64 = 64 * 1024;

impl Service {
    /// `now` is only used to say how long ago something was.
    pub fn new(
        exposition: Exposition,
        status: Arc<dyn DaemonStatus>,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            context: Arc::new(Context {
                exposition,
                status,
                now,
                remedies: None,
                monitor: None,
                told: Told::Nothing,
                prefix: RoutePrefix::default(),
            }),
            searches: Searches::new(),
            webhooks: None,
            hosts: Hosts::any(),
            reload: None,
        }
    }

    /// Takes requests for reloads, too.
    #[must_use]
    pub fn with_reload(self, reload: ReloadHandle) -> Self {
        Self {
            reload: Some(reload),
            ..self
        }
    }

    /// Takes webhooks, too.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Arc<dyn Webhooks>) -> Self {
        Self {
            webhooks: Some(webhooks),
            ..self
        }
    }

    /// Answers only requests for these names.
    #[must_use]
    pub fn with_hosts(self, hosts: Hosts) -> Self {
        Self { hosts, ..self }
    }

    /// Shows remediation, and takes what asks for it.
    #[must_use]
    pub fn with_remedies(self, remedies: Arc<Remedies>) -> Self {
        let context = Context {
            remedies: Some(remedies),
            ..(*self.context).clone()
        };
        Self {
            context: Arc::new(context),
            ..self
        }
    }

    /// Shows what Prometheus and Alertmanager say.
    #[must_use]
    pub fn with_monitor(self, monitor: Arc<Monitor>) -> Self {
        let context = Context {
            monitor: Some(monitor),
            ..(*self.context).clone()
        };
        Self {
            context: Arc::new(context),
            ..self
        }
    }

    /// Serves everything below a path.
    #[must_use]
    pub fn with_prefix(self, prefix: RoutePrefix) -> Self {
        let context = Context {
            prefix,
            ..(*self.context).clone()
        };
        Self {
            context: Arc::new(context),
            ..self
        }
    }

    /// Removes the prefix from the path of a request. Everything else looks at the path without it.
    pub(super) fn enter<B>(&self, request: Request<B>) -> Request<B> {
        self.context.prefix.enter(request)
    }

    /// Whether a path asks for a secret of its own, and so for no user: GitLab and Alertmanager have but one.
    pub(super) fn has_own_secret(&self, path: &str) -> bool {
        let remedies = self.context.remedies.as_ref();
        (path == hooks::GITLAB && self.webhooks.is_some())
            || (Action::at(path).is_some()
                && remedies.is_some_and(|remedies| !remedies.callers.is_empty()))
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        self.context.exposition.telemetry()
    }

    /// Reads the bodies of webhooks and of requests for actions, and of no others.
    pub(super) async fn respond<B>(&self, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes>,
    {
        let is_over_tls = is_over_tls(&request);
        let mut response = secured(self.answer(request).await);
        let prefix = &self.context.prefix;
        prefix.bind_cookies(response.headers_mut(), is_over_tls);
        response
    }

    async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes>,
    {
        let path = request.uri().path();
        let is_outside = self.context.prefix.outside(&request);
        if path == hooks::GITLAB && is_outside.is_none() {
            return hooks::respond(self.webhooks.as_deref(), request).await;
        }
        let action = Action::at(path);
        // Webhooks prove who they are.
        let is_hook = action == Some(Action::Alertmanager);
        if !is_hook && let Err(why) = self.hosts.check(&request, is_essential(path)) {
            let mut refused = refusal(path, StatusCode::MISDIRECTED_REQUEST, &why);
            insert(&mut refused, header::CONNECTION, "close");
            return refused;
        }
        if let Some(answer) = is_outside {
            return answer;
        }
        if path == reload::PATH {
            if self.hosts.is_from_elsewhere(&request) {
                let message = "a page of another site sent this\n";
                return closing(StatusCode::FORBIDDEN, message);
            }
            return reload::respond(self.reload.as_ref(), &request).await;
        }
        if let Some(action) = action {
            let remedies = self.context.remedies.as_ref();
            let answer = action.respond(remedies, &self.hosts, request).await;
            return self.context.prefix.link(answer);
        }
        if let Some(status) = early_refusal(&request) {
            return closing(status, format!("{status}\n"));
        }
        let for_gzip = prefers_gzip(request.headers());
        // A search is compressed where it runs.
        compressed(self.route(&request).await, for_gzip)
    }

    async fn route<B>(&self, request: &Request<B>) -> Response {
        let path = request.uri().path();
        let Some(route) = route(path) else {
            return self.context.prefix.link(not_found(path));
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return method_not_allowed(path, "GET, HEAD");
        }
        let query = request.uri().query().unwrap_or_default();
        if let Some(known) = route.parameters
            && let Err(why) = parameters::check(query, known)
        {
            return refusal(path, StatusCode::BAD_REQUEST, &why);
        }
        let head = Head {
            path,
            query,
            headers: request.headers(),
        };
        match route.way {
            Way::Quick(handler) => self.context.answer(handler, head),
            Way::Scrape(handler) => {
                // What is not read in time is missing, and the page tells it by its own metrics.
                let loaded = self.context.status.loaded();
                tokio::time::timeout(LOADING, loaded).await.ok();
                handler(&self.context, head)
            }
            Way::Search(handler) => self.searches.respond(handler, &self.context, head).await,
            Way::Asking(subject, handler) => {
                let context = Box::pin(subject.asked(&self.context, head)).await;
                self.searches.respond(handler, &context, head).await
            }
        }
    }
}

/// Longest time that a scrape waits for the saved state. Prometheus waits 10 seconds by default.
const LOADING: Duration = Duration::from_secs(8);

fn route(path: &str) -> Option<Route> {
    let fixed = ROUTES.iter().find(|(fixed, _)| *fixed == path);
    let of_job = || JobPath::parse(path).map(|_| JOB);
    let of_pipeline = || pipeline_path::is_one(path).then_some(search(pipeline_page::respond, &[]));
    let of_grid = || grid_path::is_one(path).then_some(listing(grid_page::respond));
    let of_ref = || grid_path::is_of_pipelines(path).then_some(listing(pipelines_page::respond));
    fixed
        .map(|(_, route)| *route)
        .or_else(of_grid)
        .or_else(of_ref)
        .or_else(of_job)
        .or_else(of_pipeline)
}

fn not_found(path: &str) -> Response {
    if !path.starts_with("/api/") {
        return text(StatusCode::NOT_FOUND, HTML, layout::not_found());
    }
    let paths = ROUTES.iter().map(|(path, _)| *path);
    let paths = paths.chain(Action::PATHS.iter().map(|(path, _)| *path));
    let paths: Vec<_> = paths.filter(|path| path.starts_with("/api/")).collect();
    let message = format!(
        "nothing is at this path, wanted one of: {}",
        paths.join(", ")
    );
    refusal(path, StatusCode::NOT_FOUND, &message)
}

/// Why a request is answered without a look at its path.
fn early_refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    let uri = request.uri();
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let path_and_query = uri.path().len() + uri.query().map_or(0, str::len);
    if path_and_query > LONGEST_PATH {
        Some(StatusCode::URI_TOO_LONG)
    } else if length.is_some_and(|length| length > LARGEST_BODY) {
        Some(StatusCode::PAYLOAD_TOO_LARGE)
    } else {
        None
    }
}
