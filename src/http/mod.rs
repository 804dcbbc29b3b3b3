//! HTTP: the server, its routes, the pages and the JSON API.
//!
//! ```text
//! Server::bind(address) -> Bound -> serve(Service, or Current to replace it, shutdown)
//! ```
//!
//! A page is a file with a handler, and a row in the table of routes.

mod answer;
mod api;
mod body;
mod connections;
mod content;
mod context;
mod current;
mod deadline;
mod encoding;
mod favicon;
mod form_token;
mod format;
mod hooks;
mod hosts;
mod job_page;
mod job_path;
mod job_table;
mod job_view;
mod layout;
mod limits;
mod parameters;
mod pipeline_jobs;
mod pipeline_page;
mod pipeline_path;
mod probes;
mod query;
mod reload;
mod remediation;
mod remedies;
mod response;
mod routes;
mod scrape;
mod search;
mod selection;
mod server;
mod status;
mod status_page;
mod window;

pub use current::Current;
pub use hooks::Webhooks;
pub use hosts::Hosts;
pub use job_path::{job_path, job_url};
pub use job_view::{FiguresView, JobView};
pub use limits::Limits;
pub use reload::{ReloadHandle, ReloadRequests, reloads};
pub use remedies::Remedies;
pub use routes::Service;
pub use selection::{Candidate, JobFilter, Paging, Selection, select};
pub use server::{BindError, Bound, Server};
pub use status::{DaemonStatus, JobEntry, JobPage, PipelineEntry, ProjectStatus, Readiness};
