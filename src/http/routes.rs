//! Which handler answers which request.

use std::sync::Arc;

use bytes::Bytes;
use ci_history::Timestamp;
use http::{Method, Request, StatusCode, header};
use http_body::Body;

use super::context::{Context, Head};
use super::hooks::{self, Webhooks};
use super::job_path::{JobPath, LONGEST_PATH};
use super::reload::{self, ReloadHandle};
use super::remediation::Action;
use super::remedies::Remedies;
use super::response::{HTML, Response, closing, method_not_allowed, secured, text};
use super::search::Searches;
use super::status::DaemonStatus;
use super::{
    api, grid_page, grid_path, job_page, jobs_page, layout, pipeline_page, pipeline_path, probes,
    projects_page, remediation, schedules_page, scrape,
};
use crate::metrics::{Exposition, Telemetry};

/// Answers requests from the rendered metrics and from the daemon's status.
pub struct Service {
    context: Arc<Context>,
    searches: Searches,
    webhooks: Option<Arc<dyn Webhooks>>,
    reload: Option<ReloadHandle>,
}

/// The path of the metrics.
pub(super) const SCRAPED_PATH: &str = "/metrics";

type Handler = fn(&Context, Head<'_>) -> Response;

/// How a path is answered.
#[derive(Clone, Copy)]
enum Route {
    /// At once.
    Quick(Handler),
    /// In its turn: it goes through all jobs.
    Search(Handler),
}

/// Every fixed path that is read; [`JobPath`] and [`pipeline_path`] have the pages of jobs and pipelines.
const ROUTES: [(&str, Route); 12] = [
    ("/", Route::Search(jobs_page::respond)),
    ("/projects", Route::Search(projects_page::respond)),
    ("/schedules", Route::Search(schedules_page::respond)),
    (SCRAPED_PATH, Route::Quick(scrape::respond)),
    ("/-/healthy", Route::Quick(probes::healthy)),
    ("/-/ready", Route::Quick(probes::ready)),
    ("/api/v1/jobs", Route::Search(api::respond)),
    ("/api/v1/projects", Route::Search(projects_page::list)),
    ("/api/v1/schedules", Route::Search(schedules_page::list)),
    ("/api/v1/grid", Route::Search(grid_page::list)),
    (remediation::LIST_PATH, Route::Search(remediation::list)),
    (layout::STYLE_PATH, Route::Quick(layout::style)),
];

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
            }),
            searches: Searches::new(),
            webhooks: None,
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

    /// Shows remediation, and takes what asks for it.
    #[must_use]
    pub fn with_remedies(self, remedies: Arc<Remedies>) -> Self {
        let context = &*self.context;
        let context = Context {
            exposition: context.exposition.clone(),
            status: context.status.clone(),
            now: context.now.clone(),
            remedies: Some(remedies),
        };
        Self {
            context: Arc::new(context),
            ..self
        }
    }

    pub(super) fn telemetry(&self) -> &Telemetry {
        self.context.exposition.telemetry()
    }

    /// Reads the bodies of webhooks and of requests for actions, and of no others.
    pub(super) async fn respond<B>(&self, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes>,
    {
        secured(if request.uri().path() == hooks::GITLAB {
            hooks::respond(self.webhooks.as_deref(), request).await
        } else if request.uri().path() == reload::PATH {
            reload::respond(self.reload.as_ref(), &request).await
        } else if let Some(action) = Action::at(request.uri().path()) {
            action
                .respond(self.context.remedies.as_ref(), request)
                .await
        } else if let Some(status) = refusal(&request) {
            closing(status, format!("{status}\n"))
        } else {
            self.route(&request).await
        })
    }

    async fn route<B>(&self, request: &Request<B>) -> Response {
        let path = request.uri().path();
        let Some(route) = route(path) else {
            return text(StatusCode::NOT_FOUND, HTML, layout::not_found());
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return method_not_allowed(path, "GET, HEAD");
        }
        let head = Head {
            path,
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
        };
        match route {
            Route::Quick(handler) => handler(&self.context, head),
            Route::Search(handler) => self.searches.respond(handler, &self.context, head).await,
        }
    }
}

fn route(path: &str) -> Option<Route> {
    let fixed = ROUTES.iter().find(|(fixed, _)| *fixed == path);
    let of_job = || JobPath::parse(path).map(|_| Route::Search(job_page::respond));
    let of_pipeline =
        || pipeline_path::is_one(path).then_some(Route::Search(pipeline_page::respond));
    let of_grid = || grid_path::is_one(path).then_some(Route::Search(grid_page::respond));
    fixed
        .map(|(_, route)| *route)
        .or_else(of_grid)
        .or_else(of_job)
        .or_else(of_pipeline)
}

/// Why a request is answered without a look at its path.
fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
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
