//! The daemon: wiring of polling, state, saving and serving, from start to orderly end.
//!
//! ```text
//! Daemon::prepare (store taken, address bound) -> Daemon::run (until a signal)
//! ```

pub mod backfill;
mod client;
mod empty_log;
mod error;
mod expiry;
mod gitlab_clock;
mod hook_filter;
mod instance;
mod loading;
mod log_queue;
mod log_reader;
mod own_secrets;
mod owners_cache;
mod owners_reader;
mod policy;
mod remediation;
mod saver;
mod signals;
mod state;
mod steady_offset;
pub mod storage;
mod telemetry;
mod webhooks;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use self::client::client;
pub use self::error::DaemonError;
use self::gitlab_clock::GitLabClock;
use self::instance::Instance;
use self::log_reader::LogReader;
use self::own_secrets::OwnSecrets;
use self::owners_reader::OwnersReader;
use self::policy::Policy;
use self::saver::Saver;
use self::signals::Signals;
use self::state::State;
use self::telemetry::Traffic;
use self::webhooks::{Inbox, Work};
use crate::config::Config;
use crate::http::{Bound, Hosts, Remedies, Server, Service, job_url};
use crate::ingest::Poller;
use crate::metrics::{Build, Exposition, FailureOptions, Telemetry};
use crate::remediation::Executor;
use ci_history::clock::Clock;

/// How the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A signal asked for it, running requests were answered, and everything is saved.
    Orderly,
    /// A second signal asked to wait for nothing.
    Aborted,
}

/// A daemon that has everything it needs, and has not begun.
pub struct Daemon {
    logs: Option<LogReader>,
    owners: Option<OwnersReader>,
    poller: Poller,
    webhooks: Option<(Arc<Inbox>, Work)>,
    instance: Instance,
    saver: Saver,
    remediation: Option<(Arc<Remedies>, Arc<Executor>)>,
    state: Arc<State>,
    hosts: Hosts,
    server: Bound,
    signals: Signals,
    clock: Arc<GitLabClock>,
}

/// What is exposed of failing jobs besides their figures.
fn failure_options(config: &Config) -> FailureOptions {
    let mut options = FailureOptions::default();
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

impl Daemon {
    /// Takes the store and binds the address. Asks GitLab nothing.
    pub async fn prepare(config: Config, clock: Arc<dyn Clock>) -> Result<Self, DaemonError> {
        let signals = Signals::catch()?;
        let clock = Arc::new(GitLabClock::new(clock, config.clock_jump_hold));
        let telemetry = Telemetry::new(Build {
            version: env!("CARGO_PKG_VERSION"),
            revision: option_env!("JOB_FAILURE_EXPORTER_REVISION").unwrap_or("unknown"),
        })?;
        telemetry.config_loaded(clock.local_now());
        let store = storage::open(&config.store, Some(&config.gitlab.url)).await?;
        let server = Server::bind(&config.listen_address).await?;
        let traffic = Traffic::new(telemetry.clone(), clock.clone());
        let client = client(&config.gitlab, Some(&config.limits), Arc::new(traffic))?;
        let exposition = Exposition::with_options(telemetry.clone(), failure_options(&config));
        let state = Arc::new(State::new(Policy::of(&config), exposition, clock.clone()));
        let logs = &config.classification;
        let own = || OwnSecrets::of(&config);
        let logs = logs
            .read_logs
            .then(|| LogReader::new(client.clone(), state.clone(), logs, own()));
        let owners = config.owners.repository_file.clone();
        let owners = owners.map(|path| OwnersReader::new(client.clone(), path, state.clone()));
        let instance = Instance {
            client: client.clone(),
            telemetry,
            clock: clock.clone(),
            has_token: config.gitlab.token.is_some(),
        };
        let poller = Poller::new(client, config.watch.clone(), state.clone());
        let remediation = remediation::open(&config, &state, &store, poller.waker())?;
        let webhooks = config.webhooks.gitlab.as_ref();
        let webhooks = webhooks
            .map(|hooks| webhooks::open(hooks, &config.watch, &state, &clock, poller.waker()));
        Ok(Self {
            logs,
            owners,
            poller,
            webhooks,
            instance,
            saver: Saver {
                state: state.clone(),
                store,
                clock: clock.clone(),
                interval: config.store.save_interval,
            },
            remediation,
            state,
            hosts: Hosts::new(&config.listen_address, config.external_url),
            server,
            signals,
            clock,
        })
    }

    /// The address it serves on: says the port where 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.server.local_addr()
    }

    /// Serves, polls and saves until a signal. The first one lets running requests end and saves; the
    /// second one waits for nothing. Polling waits for a state that could not be read at once.
    pub async fn run(self) -> Result<Ended, DaemonError> {
        let Self {
            logs,
            owners,
            poller,
            webhooks,
            instance,
            saver,
            remediation,
            state,
            hosts,
            server,
            mut signals,
            clock,
        } = self;
        let stop = CancellationToken::new();
        let now = Arc::new(move || clock.local_now());
        let service = Service::new(state.exposition.clone(), state.clone(), now);
        let mut service = service.with_hosts(hosts);
        if let Some((remedies, _)) = &remediation {
            service = service.with_remedies(remedies.clone());
        }
        if let Some((inbox, work)) = webhooks {
            service = service.with_webhooks(inbox);
            // Ends with the server, which holds the other end of the queue.
            tokio::spawn(work.run());
        }
        tokio::spawn(instance.run(stop.clone()));
        let serving = tokio::spawn(server.serve(service, stop.clone().cancelled_owned()));
        let work = async {
            let first = tokio::select! {
                first = loading::load_at_once(&saver.store, &state) => first,
                () = stop.cancelled() => Ok(false),
            };
            state.first_load_ended();
            let mut saved = Ok(0);
            let loaded = match first {
                Ok(loaded) => loaded,
                Err(refused) => {
                    stop.cancel();
                    let _ = serving.await;
                    return Err(refused.into());
                }
            };
            if loaded || loading::load(&saver.store, &state, &stop).await {
                let polling = tokio::spawn(poller.run(stop.clone()));
                let logs = logs.map(|logs| tokio::spawn(logs.run(stop.clone())));
                let owners = owners.map(|owners| tokio::spawn(owners.run(stop.clone())));
                let remediation = remediation.map(|(_, executor)| {
                    let stop = stop.clone();
                    tokio::spawn(async move { executor.run(stop).await })
                });
                saver.run(stop.clone()).await;
                // All end at once, in the middle of their work: what was not read will be read again.
                let _ = polling.await;
                for task in [logs, owners, remediation].into_iter().flatten() {
                    let _ = task.await;
                }
                saved = saver.save().await;
            }
            let _ = serving.await;
            saved.map_err(DaemonError::NotSaved)
        };
        tokio::pin!(work);
        loop {
            tokio::select! {
                saved = &mut work => {
                    let count = saved?;
                    tracing::info!("everything is saved ({count} timelines at last); ended");
                    return Ok(Ended::Orderly);
                }
                name = signals.next() => {
                    if stop.is_cancelled() {
                        tracing::warn!("{name} again: not waiting any longer");
                        return Ok(Ended::Aborted);
                    }
                    tracing::info!("{name}: no more polling, saving the state");
                    stop.cancel();
                }
            }
        }
    }
}
