//! HTTP: the server, its routes, the pages and the JSON API.
//!
//! ```text
//! Server::bind(address) -> Bound -> serve(Service, or Current to replace it, shutdown)
//! ```
//!
//! A page is a file with a handler, and a row in the table of routes.

mod alert_subject;
mod alerts_page;
mod answer;
mod api;
mod asking;
mod body;
mod client;
mod connections;
mod content;
mod context;
mod current;
mod deadline;
mod duration_chart;
mod encoding;
mod favicon;
mod folded_names;
mod form_token;
mod format;
mod grid_page;
mod grid_path;
mod grid_view;
mod hooks;
mod hosts;
mod job_alerts;
mod job_column;
mod job_endpoint;
mod job_filters;
mod job_group;
mod job_page;
mod job_path;
mod job_state;
mod job_table;
mod job_view;
mod jobs_page;
mod layout;
mod limits;
mod list_page;
mod list_query;
mod listed_job;
mod listing;
mod openapi;
mod parameters;
mod pipeline_jobs;
mod pipeline_page;
mod pipeline_path;
mod pipelines_page;
mod pipelines_row;
mod probes;
mod projects_page;
mod query;
mod reload;
mod remediation;
mod remedies;
mod response;
mod route_prefix;
mod routes;
mod schedules_page;
mod scrape;
mod search;
mod selection;
mod self_report;
mod server;
mod sorting;
mod static_files;
mod status;
mod status_page;
mod status_panels;
mod status_problems;
mod status_view;
mod told;
mod web_config;
mod window;
mod word_search;

pub use current::Current;
pub use folded_names::FoldedNames;
pub use hooks::Webhooks;
pub use hosts::Hosts;
pub use job_column::JobColumn;
pub use job_group::JobGroup;
pub use job_path::{job_path, job_url};
pub use job_state::{JobFacts, JobState};
pub use job_view::{FiguresView, JobView};
pub use limits::Limits;
pub use listed_job::ListedJob;
pub use reload::{ReloadHandle, ReloadRequests, reloads};
pub use remedies::Remedies;
pub use route_prefix::RoutePrefix;
pub use routes::Service;
pub use selection::{JobFilter, JobQuery, Paging, Selection, select};
pub use self_report::{
    FirstRound, LimitUse, NotedError, ProjectError, RequestReport, SelfReport, WebFileReport,
};
pub use server::{BindError, Bound, Server};
pub use sorting::{Column, Sorting};
pub use status::{
    DaemonStatus, GridEntry, JobEntry, JobPage, PipelineEntry, PipelineListing, ProjectStatus,
    Readiness, RefPipelines, RefStatus, ScheduleEntry,
};
pub use web_config::{WebConfig, WebConfigError};
