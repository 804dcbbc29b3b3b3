//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.
//!
//! ```text
//! HTTP bytes -> wire shapes -> observations -> timelines -> what changed -> exposition -> scrape
//!               (gitlab)       (model)         (model, pure)     |          (metrics)
//!                                                                +-> saved documents (store)
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | [`model`] | what was observed and how it is counted: pure |
//! | [`config`] | file, flags and environment, checked as a whole |
//! | [`gitlab`] | the adapter: transport, paging, retries, validation record by record |
//! | [`store`] | documents, their versions, and the places that hold them |
//! | [`metrics`] | the families, their rendered text, and the exporter's own metrics |
//! | [`ingest`] | when which project is polled, and from where on |
//! | [`http`] | server, routes, status page |
//! | [`daemon`] | the only owner of the state: wiring, saving, orderly end |
//! | [`cli`] | one file a command |
//! | [`clock`] | the time, passed in: the only reader of the wall clock |
//! | [`simulator`] | a simulated GitLab for the demo and the tests; the exporter knows nothing of it |
//!
//! `model` <- `config`, `gitlab`, `store`, `metrics` <- `ingest`, `http` <- `daemon` <- `cli`: each
//! uses only what stands before it, and what stands side by side knows nothing of each other.

pub mod base;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod gitlab;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod model;
pub mod simulator;
pub mod store;
