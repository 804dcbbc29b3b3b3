//! The daemon's report on itself, for the status page.

use super::health::Progress;
use super::shell::State;
use crate::config::Setting;
use crate::daemon::report_sources::ReportSources;
use crate::http::{FirstRound, LimitUse, NotedError, ProjectError, RequestReport, SelfReport};
use crate::metrics::Limit;
use ci_history::Masker;

impl State {
    /// Says where the report comes from. To be called once.
    pub(in crate::daemon) fn report_from(&self, sources: ReportSources) {
        // A second call would be of the same configuration.
        let _ = self.report_sources.set(sources);
    }

    pub(super) fn self_report_of_state(&self) -> SelfReport {
        let Some(sources) = self.report_sources.get() else {
            return SelfReport::default();
        };
        let masker = self.policy.own_secrets.masker(&sources.client);
        let flow = sources.client.request_flow();
        let notes = sources.journal.notes();
        SelfReport {
            started: Some(sources.journal.started()),
            settings: masked_settings(&sources.settings, &masker),
            gitlab_url: masker.masked(&sources.gitlab_url),
            gitlab_version: notes.gitlab_version,
            has_token: sources.has_token,
            requests: RequestReport {
                per_second: flow.per_second,
                per_second_now: flow.per_second_now,
                last_minute: flow.last_minute,
                waiting: flow.waiting,
                paused_for: flow.paused_for,
                next_probe: flow.next_probe,
            },
            first_round: self.first_round(),
            store_kind: sources.store_kind,
            store_place: masker.masked(&sources.store_place),
            save_error: notes
                .save_error
                .as_ref()
                .map(|error| masked_error(error, &masker)),
            queued_webhooks: sources.queued_webhooks.as_ref().map(|count| count()),
            limits: self.limit_uses(flow.largest_listing),
            config_error: notes
                .config_error
                .as_ref()
                .map(|error| masked_error(error, &masker)),
            web_file: sources.journal.web_file(),
            errors: self.project_errors(&masker),
        }
    }

    /// How far polling is.
    pub(super) fn progress(&self, inner: &super::shell::Inner) -> Progress {
        let paths: Vec<_> = inner.projects.watched().map(|facts| &*facts.path).collect();
        let is_read = |path: &&&str| {
            let polls = self.exposition.project(path);
            polls.is_some_and(|polls| polls.last_success.is_some())
        };
        Progress {
            watched: paths.len(),
            read: paths.iter().filter(is_read).count(),
            seconds: self.clock.local_now().unix() - self.started.unix(),
        }
    }

    fn first_round(&self) -> FirstRound {
        let inner = self.lock();
        let progress = self.progress(&inner);
        FirstRound {
            has_ended: inner.health.has_first_round_ended(),
            projects: progress.watched,
            polled: progress.read.max(
                inner
                    .health
                    .round
                    .now
                    .tried
                    .saturating_sub(inner.health.failures().count()),
            ),
            failing: inner.health.failures().count(),
            with_past: inner.health.round.now.with_past,
            time_left: inner.health.round.time_left(),
        }
    }

    fn project_errors(&self, masker: &Masker) -> Vec<ProjectError> {
        let mut errors = self.lock().health.errors();
        for error in &mut errors {
            error.message = masker.masked(&error.message);
        }
        errors
    }

    fn limit_uses(&self, largest_listing: usize) -> Vec<LimitUse> {
        let limits = &self.policy.limits;
        let fullest = self.lock().timelines.fullest();
        let of = |limit, key, most, (used, used_by): (usize, Option<String>)| LimitUse {
            limit,
            key,
            most,
            used,
            used_by,
        };
        vec![
            of(
                Limit::JobsPerRef,
                "limits.jobs_per_ref",
                limits.jobs_per_ref,
                fullest.jobs_of_ref,
            ),
            of(
                Limit::JobsPerProject,
                "limits.jobs_per_project",
                limits.jobs_per_project,
                fullest.jobs_of_project,
            ),
            of(
                Limit::RefsPerProject,
                "limits.refs_per_project",
                limits.refs_per_project,
                fullest.refs_of_project,
            ),
            of(
                Limit::ListingBytes,
                "limits.listing_bytes",
                limits.listing_bytes,
                (largest_listing, None),
            ),
        ]
    }
}

fn masked_settings(settings: &[Setting], masker: &Masker) -> Vec<Setting> {
    let masked = settings.iter().map(|setting| Setting {
        value: setting.value.as_deref().map(|value| masker.masked(value)),
        ..setting.clone()
    });
    masked.collect()
}

fn masked_error(error: &NotedError, masker: &Masker) -> NotedError {
    NotedError {
        at: error.at,
        message: masker.masked(&error.message),
    }
}
