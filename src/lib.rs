//! A Prometheus exporter for GitLab CI jobs that fail consistently: it polls, counts, saves and exposes.
//!
//! ```text
//! HTTP bytes -> wire types -> observations -> timelines -> changes -> exposition -> scrape
//!               (gitlab)      (ci-history)    (ci-history)   |        (metrics)
//!                                                            +-> saved documents (store)
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | [`base`] | helpers without knowledge of the program: backoff, error chains, did-you-mean, times in words |
//! | [`config`] | file, flags and environment, validated as a whole |
//! | [`gitlab`] | the GitLab client: transport, paging, retries, validation of each record |
//! | [`store`] | documents, their versions, and the directory or bucket that holds them |
//! | [`metrics`] | metric families, their rendered text, and the exporter's own metrics |
//! | [`ingest`] | polling: when each project is read, and from where on |
//! | [`remediation`] | bringing failed jobs back: rules, guard, actions and their record |
//! | [`http`] | server, routes and pages |
//! | [`alerting`] | the answers of Prometheus and Alertmanager |
//! | [`assets`] | the shipped rules, routes and dashboards, written with given addresses and thresholds |
//! | [`daemon`] | the state, wiring, saving and shutdown |
//! | [`cli`] | commands, one file each |
//!
//! `base` <- `config`, `gitlab`, `store`, `metrics`, `alerting`, `assets` <- `ingest`, `http`, `remediation` <- `daemon` <- `cli`: a module
//! imports only modules to its left, and modules at the same place do not import each other. All of them use the
//! crate [`ci_history`], which counts. Its [`ci_history::clock`] is the only reader of the wall clock.

pub mod alerting;
pub mod assets;
pub mod base;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod gitlab;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod remediation;
pub mod store;
