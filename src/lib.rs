//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.
//!
//! ```text
//! HTTP bytes -> wire shapes -> observations -> timelines -> what changed -> exposition -> scrape
//!               (gitlab)       (ci-history)    (ci-history)      |          (metrics)
//!                                                                +-> saved documents (store)
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | [`base`] | small leaves that know nothing of the program: backoff, error chains, near words, times in words |
//! | [`config`] | file, flags and environment, checked as a whole |
//! | [`gitlab`] | the adapter: transport, paging, retries, validation record by record |
//! | [`store`] | documents, their versions, and the places that hold them |
//! | [`metrics`] | the families, their rendered text, and the exporter's own metrics |
//! | [`ingest`] | when which project is polled, and from where on |
//! | [`http`] | server, routes, status page |
//! | [`explain`] | what Prometheus and Alertmanager say of one job |
//! | [`daemon`] | the only owner of the state: wiring, saving, orderly end |
//! | [`cli`] | one file a command |
//!
//! `base` <- `config`, `gitlab`, `store`, `metrics`, `explain` <- `ingest`, `http` <- `daemon` <- `cli`: each uses only what
//! stands before it, and what stands side by side knows nothing of each other. All of them use the
//! crate [`ci_history`], which counts, and whose [`ci_history::clock`] is the only reader of the wall clock.

pub mod base;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod explain;
pub mod gitlab;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod store;
