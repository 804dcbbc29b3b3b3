//! Asks Prometheus and Alertmanager before a page is made.

use std::sync::Arc;

use super::context::{Context, Head};
use super::status::JobEntry;
use super::told::Told;
use crate::alerting::JobLabels;

/// What the servers are asked about.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    AllAlerts,
    /// The job that a request names.
    Job(fn(&Context, Head<'_>) -> Option<JobEntry>),
}

impl Subject {
    /// The context with the answers.
    pub(super) async fn asked(self, context: &Arc<Context>, head: Head<'_>) -> Arc<Context> {
        let Some(monitor) = &context.monitor else {
            return context.clone();
        };
        let told = match self {
            Self::AllAlerts => Told::Alerts(monitor.overview().await),
            Self::Job(find) => {
                let Some(job) = find(context, head) else {
                    return context.clone();
                };
                let labels = JobLabels {
                    project: &job.project,
                    ref_name: Some(&job.ref_name),
                    track: Some(job.track.as_deref().unwrap_or_default()),
                    job_name: &job.row.name,
                };
                let now = (context.now)().unix();
                let report = monitor.job(labels, now).await;
                report.map_or(Told::Nothing, Told::Job)
            }
        };
        Arc::new(Context {
            told,
            ..(**context).clone()
        })
    }
}
