//! What Prometheus and Alertmanager told for a page.

use std::sync::Arc;

use crate::alerting::{Overview, Report};

/// What the servers told.
#[derive(Clone)]
pub(super) enum Told {
    /// They were not asked.
    Nothing,
    Alerts(Arc<Overview>),
    Job(Arc<Report>),
}

impl Told {
    /// All alerts, if they were asked for.
    pub(super) fn alerts(&self) -> Option<&Arc<Overview>> {
        match self {
            Self::Alerts(overview) => Some(overview),
            Self::Nothing | Self::Job(_) => None,
        }
    }

    /// The report on the job, if it was asked for.
    pub(super) fn job(&self) -> Option<&Report> {
        match self {
            Self::Job(report) => Some(report),
            Self::Nothing | Self::Alerts(_) => None,
        }
    }
}
