//! What one configuration makes: the state, polling, saving, logs, remediation. A reload replaces all of it.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::client;
use super::error::DaemonError;
use super::gitlab_clock::GitLabClock;
use super::instance::Instance;
use super::journal::Journal;
use super::log_reader::LogReader;
use super::own_secrets::OwnSecrets;
use super::owners_reader::OwnersReader;
use super::policy::Policy;
use super::report_sources::{Count, ReportSources};
use super::saver::Saver;
use super::state::State;
use super::telemetry::Traffic;
use super::webhooks::{self, Inbox, Work};
use super::{loading, remediation};
use crate::alerting::{Asker, Monitor, Servers};
use crate::config::Config;
use crate::http::{Remedies, Service, job_url};
use crate::ingest::Poller;
use crate::metrics::{Exposition, ExpositionOptions, Telemetry};
use crate::remediation::Executor;
use crate::store::{Store, StoreError};

/// What lives as long as the process.
pub(super) struct Process {
    pub(super) telemetry: Telemetry,
    pub(super) clock: Arc<GitLabClock>,
    pub(super) store: Store,
    pub(super) journal: Arc<Journal>,
}

/// Everything that one configuration makes, before it begins.
pub(super) struct Generation {
    logs: Option<LogReader>,
    owners: Option<OwnersReader>,
    poller: Poller,
    webhooks: Option<(Arc<Inbox>, Work)>,
    instance: Instance,
    saver: Saver,
    remediation: Option<(Arc<Remedies>, Arc<Executor>)>,
    monitor: Option<Arc<Monitor>>,
    pub(super) state: Arc<State>,
}

/// A generation at work.
pub(super) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<usize, StoreError>>,
    pub(super) state: Arc<State>,
}

/// Prometheus and Alertmanager; `None` if neither has an address.
fn monitor(config: &Config) -> Result<Option<Arc<Monitor>>, DaemonError> {
    let (prometheus, alertmanager) = (config.prometheus.clone(), config.alertmanager.clone());
    if prometheus.is_none() && alertmanager.is_none() {
        return Ok(None);
    }
    let servers = Servers::new(prometheus, alertmanager, Asker::Exporter)?;
    Ok(Some(Arc::new(Monitor::new(servers))))
}

/// What is exposed.
fn exposition_options(config: &Config) -> ExpositionOptions {
    let disabled = config.disabled_metrics.iter().copied();
    let mut options = ExpositionOptions::default().without(disabled);
    if !config.exposes_log_lines {
        options = options.without_log_lines();
    }
    let Some(external_url) = config.external_url.clone() else {
        return options;
    };
    options.with_job_urls(move |rows, job| {
        let track = rows.track.as_deref();
        job_url(&external_url, &rows.project, &rows.ref_name, track, job)
    })
}

/// Counts the webhooks that wait. The queue ends with the service that owns it.
fn queued(inbox: &Arc<Inbox>) -> Count {
    let inbox = Arc::downgrade(inbox);
    Box::new(move || inbox.upgrade().map_or(0, |inbox| inbox.queued()))
}

impl Generation {
    /// Asks GitLab and the store nothing.
    pub(super) fn build(config: &Config, process: &Process) -> Result<Self, DaemonError> {
        let Process {
            telemetry,
            clock,
            store,
            journal,
        } = process;
        let traffic = Traffic::new(telemetry.clone(), clock.clone());
        let client = client(&config.gitlab, Some(&config.limits), Arc::new(traffic))?;
        let exposition = Exposition::with_options(telemetry.clone(), exposition_options(config));
        let state = Arc::new(State::new(Policy::of(config), exposition, clock.clone()));
        let logs = &config.classification;
        let own = || OwnSecrets::of(config);
        let logs = logs
            .read_logs
            .then(|| LogReader::new(client.clone(), state.clone(), logs, own()));
        let owners = config.owners.repository_file.clone();
        let owners = owners.map(|path| OwnersReader::new(client.clone(), path, state.clone()));
        let instance = Instance {
            client: client.clone(),
            telemetry: telemetry.clone(),
            clock: clock.clone(),
            journal: journal.clone(),
            has_token: config.gitlab.token.is_some(),
        };
        let poller = Poller::new(client.clone(), config.watch.clone(), state.clone())
            .with_api(config.gitlab.api);
        let remediation = remediation::open(config, &state, store, poller.waker())?;
        let hooks = config.webhooks.gitlab.as_ref();
        let webhooks =
            hooks.map(|it| webhooks::open(it, &config.watch, &state, clock, poller.waker()));
        let queued = webhooks.as_ref().map(|(inbox, _)| queued(inbox));
        state.report_from(ReportSources::of(config, client, queued, journal.clone()));
        Ok(Self {
            logs,
            owners,
            poller,
            webhooks,
            instance,
            saver: Saver {
                state: state.clone(),
                store: store.clone(),
                clock: clock.clone(),
                journal: journal.clone(),
                interval: config.store.save_interval,
            },
            remediation,
            monitor: monitor(config)?,
            state,
        })
    }

    /// Answers requests from its state.
    pub(super) fn service(&self) -> Service {
        let clock = self.saver.clock.clone();
        let now = Arc::new(move || clock.local_now());
        let state = &self.state;
        let mut service = Service::new(state.exposition.clone(), state.clone(), now);
        if let Some((remedies, _)) = &self.remediation {
            service = service.with_remedies(remedies.clone());
        }
        if let Some(monitor) = &self.monitor {
            service = service.with_monitor(monitor.clone());
        }
        if let Some((inbox, _)) = &self.webhooks {
            service = service.with_webhooks(inbox.clone());
        }
        service
    }

    /// Polls and saves until it is to end. Polling waits for a saved state that could not be read yet.
    pub(super) fn start(self) -> Running {
        let stop = CancellationToken::new();
        let state = self.state.clone();
        let task = tokio::spawn(self.run(stop.clone()));
        Running { stop, task, state }
    }

    async fn run(self, stop: CancellationToken) -> Result<usize, StoreError> {
        let Self {
            logs,
            owners,
            poller,
            webhooks,
            instance,
            saver,
            remediation,
            monitor: _,
            state,
        } = self;
        if let Some((_, work)) = webhooks {
            // Ends with the service, which holds the other end of the queue.
            tokio::spawn(work.run());
        }
        tokio::spawn(instance.run(stop.clone()));
        let first = async {
            if state.is_loaded() {
                return Ok(());
            }
            tokio::select! {
                first = loading::load_at_once(&saver.store, &state) => first,
                () = stop.cancelled() => Ok(()),
            }
        };
        let first = first.await;
        state.first_load_ended();
        first?;
        if !state.is_loaded() && !loading::load(&saver.store, &state, &stop).await {
            return Ok(0);
        }
        let polling = tokio::spawn(poller.run(stop.clone()));
        let logs = logs.map(|logs| tokio::spawn(logs.run(stop.clone())));
        let owners = owners.map(|owners| tokio::spawn(owners.run(stop.clone())));
        let remediation = remediation.map(|(_, executor)| {
            let stop = stop.clone();
            tokio::spawn(async move { executor.run(stop).await })
        });
        saver.run(stop).await;
        // All end at once, in the middle of their work: what was not read will be read again.
        let _ = polling.await;
        for task in [logs, owners, remediation].into_iter().flatten() {
            let _ = task.await;
        }
        saver.save().await
    }
}

impl Running {
    /// Waits for an end that nobody asked for: the saved state is none of this program or GitLab.
    pub(super) async fn failed(&mut self) -> StoreError {
        match (&mut self.task).await {
            Err(error) => std::panic::resume_unwind(error.into_panic()),
            Ok(Err(error)) => error,
            Ok(Ok(_)) => std::future::pending().await,
        }
    }

    /// Ends polling and saves. Returns how many timelines were saved at last.
    pub(super) async fn end(self) -> Result<usize, StoreError> {
        self.stop.cancel();
        match self.task.await {
            Ok(saved) => saved,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
