//! Kubernetes objects: rules, routes and dashboards as the Prometheus operator and Grafana's sidecar read them.

mod alertmanager_config;
mod config_maps;
mod metadata;
mod prometheus_rule;
mod service_monitor;

pub(super) use self::alertmanager_config::alertmanager_config;
pub(super) use self::config_maps::config_maps;
pub use self::metadata::{DEFAULT_FOLDER, DEFAULT_NAME, Objects};
pub(super) use self::prometheus_rule::prometheus_rules;
pub(super) use self::service_monitor::service_monitor;
