//! Kinds of files, and which of them each option changes.

use strum::IntoStaticStr;

/// A kind of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Rule files of Prometheus.
    Rules,
    /// Alertmanager's configuration and templates.
    Alertmanager,
    /// Grafana's dashboards.
    Dashboards,
    /// Rules for the time before the first scrape.
    History,
    /// A PrometheusRule for each rule file.
    PrometheusRule,
    /// The routes as an AlertmanagerConfig.
    AlertmanagerConfig,
    /// A Service and a ServiceMonitor.
    ServiceMonitor,
    /// Dashboards, templates and rules as ConfigMaps.
    ConfigMaps,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Rules,
        Self::Alertmanager,
        Self::Dashboards,
        Self::History,
        Self::PrometheusRule,
        Self::AlertmanagerConfig,
        Self::ServiceMonitor,
        Self::ConfigMaps,
    ];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The folder that it has where all kinds are written.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Alertmanager => "alertmanager",
            Self::Dashboards => "dashboards",
            Self::History => "history",
            _ => "kubernetes",
        }
    }

    /// Whether its files contain alert rules and thresholds.
    pub fn has_rules(self) -> bool {
        matches!(self, Self::Rules | Self::PrometheusRule | Self::ConfigMaps)
    }

    /// Whether its files contain Alertmanager's receivers.
    pub fn has_receivers(self) -> bool {
        matches!(self, Self::Alertmanager | Self::AlertmanagerConfig)
    }

    /// Whether its files are Kubernetes objects.
    pub fn is_kubernetes(self) -> bool {
        self.folder() == "kubernetes"
    }
}
