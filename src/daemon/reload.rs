//! Loads the configuration again and replaces what it made. Counters and histories go on, and no scrape notices.

use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};

use super::error::DaemonError;
use super::generation::{Generation, Process, Running};
use crate::config::{Config, Problems};
use crate::http::{Current, Hosts, ReloadHandle, RoutePrefix, Service};
use crate::store::StoreError;

/// Loads the configuration again, as at the start.
pub type Load = Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>;

/// What is at work, and what replaces it.
pub(super) struct Reloader {
    config: Config,
    load: Load,
    process: Process,
    handle: ReloadHandle,
    service: Current,
    /// `None` only while it is replaced.
    running: Option<Running>,
}

/// With what a reload was refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Problems(#[from] Problems),
    #[error(transparent)]
    Unusable(#[from] DaemonError),
    #[error("loading the configuration failed: {0}")]
    Panicked(#[from] JoinError),
}

impl Reloader {
    /// Starts a generation, and says who answers requests.
    pub(super) fn start(
        config: Config,
        load: Load,
        process: Process,
        generation: Generation,
        handle: ReloadHandle,
    ) -> (Self, Current) {
        let service = Current::from(service(&generation, &config, &handle));
        let running = Some(generation.start());
        let reloader = Self {
            config,
            load,
            process,
            handle,
            service: service.clone(),
            running,
        };
        (reloader, service)
    }

    /// Waits for an end that nobody asked for.
    pub(super) async fn failed(&mut self) -> StoreError {
        match &mut self.running {
            Some(running) => running.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the saved state was read.
    pub(super) fn is_loaded(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.state.is_loaded())
    }

    /// Ends polling and saves. Returns how many timelines were saved at last.
    pub(super) async fn end(&mut self) -> Result<usize, StoreError> {
        match self.running.take() {
            Some(running) => running.end().await,
            None => Ok(0),
        }
    }

    /// Loads the configuration. One that cannot be used changes nothing; the error is what is wrong with it.
    pub(super) async fn reload(&mut self) -> Result<(), String> {
        match self.try_reload().await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.process.telemetry.config_refused();
                let error = error.to_string();
                let now = self.process.clock.local_now();
                self.process.journal.config_refused(now, error.clone());
                tracing::error!(
                    "the configuration was not loaded, the one before stays in force: {error}"
                );
                Err(error)
            }
        }
    }

    async fn try_reload(&mut self) -> Result<(), Refused> {
        let load = self.load.clone();
        let mut config = spawn_blocking(move || load()).await??;
        let changed = config.changes_since(&self.config).join(", ");
        let kept = config.keep_for_life(&self.config).join(", ");
        let next = Generation::build(&config, &self.process)?;
        self.replace(next, &config).await;
        let clock = &self.process.clock;
        self.process.telemetry.config_loaded(clock.local_now());
        self.process.journal.config_loaded();
        if !kept.is_empty() {
            tracing::warn!(
                "these keys hold for the life of the process, restart to change them: {kept}"
            );
        }
        if changed.is_empty() {
            tracing::info!("the configuration was loaded again; no key changed");
        } else {
            tracing::info!(%changed, "the configuration was loaded again");
        }
        self.config = config;
        Ok(())
    }

    /// The new generation takes over what the old one knows, in memory: the store may be away.
    async fn replace(&mut self, next: Generation, config: &Config) {
        if let Some(old) = self.running.take() {
            let before = old.state.clone();
            if let Err(error) = old.end().await {
                tracing::warn!(
                    "the last changes are not saved yet: {error}; the next save has them"
                );
            }
            if before.is_loaded() {
                let state = next.state.clone();
                let taken = spawn_blocking(move || state.take_over(before.hand_over())).await;
                // Without its histories the exporter would tell that nothing fails.
                taken.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            }
        }
        self.service.replace(service(&next, config, &self.handle));
        self.running = Some(next.start());
    }
}

fn service(generation: &Generation, config: &Config, handle: &ReloadHandle) -> Service {
    let hosts = Hosts::new(&config.listen_address, config.external_url.clone());
    let prefix = RoutePrefix::new(config.route_prefix.as_deref(), config.external_url.as_ref());
    let service = generation.service().with_hosts(hosts).with_prefix(prefix);
    if config.enables_lifecycle {
        service.with_reload(handle.clone())
    } else {
        service
    }
}
