//! The daemon: wiring of polling, state, saving and serving, from start to orderly end.
//!
//! ```text
//! Daemon::prepare (store taken, address bound) -> Daemon::run (until a signal)
//!                                                  Generation (of one configuration) -> the next one at a reload
//! ```

pub mod backfill;
mod client;
mod empty_log;
mod error;
mod expiry;
mod generation;
mod gitlab_clock;
mod hook_filter;
mod instance;
mod journal;
mod loading;
mod log_queue;
mod log_reader;
mod notify;
mod own_secrets;
mod owners_cache;
mod owners_reader;
mod policy;
mod reload;
mod remediation;
mod report_sources;
mod saver;
mod signals;
mod state;
mod steady_offset;
pub mod storage;
mod telemetry;
mod webhooks;
mod writers;

use crate::base::build_info;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use self::client::{acting_gitlab, client, client_for_checks};
pub use self::error::DaemonError;
use self::generation::{Generation, Process};
use self::gitlab_clock::GitLabClock;
use self::journal::Journal;
use self::notify::Watchdog;
pub use self::reload::Load;
use self::reload::Reloader;
use self::signals::{Asked, Signals};
use crate::config::Config;
use crate::http::{Bound, Server, WebConfig, reloads};
use crate::metrics::{Build, Telemetry};
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
    config: Config,
    load: Load,
    process: Process,
    generation: Generation,
    server: Bound,
    signals: Signals,
}

impl Daemon {
    /// Takes the store and binds the address. Asks GitLab nothing. `load` is called for each reload.
    pub async fn prepare(
        config: Config,
        load: Load,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DaemonError> {
        let signals = Signals::catch()?;
        let clock = Arc::new(GitLabClock::new(clock, config.clock_jump_hold));
        let telemetry = Telemetry::new(Build {
            version: build_info::VERSION,
            revision: build_info::REVISION,
        })?;
        telemetry.config_loaded(clock.local_now());
        let web = config.web_file.as_deref();
        let web = web.map(|path| WebConfig::open(path, telemetry.clone()));
        let web = web.transpose()?;
        let store = storage::open(&config.store, Some(&config.gitlab.url)).await?;
        let mut server = Server::bind(&config.listen_address).await?;
        let journal = Arc::new(Journal::new(clock.local_now(), web.clone()));
        if let Some(web) = web {
            server = server.with_web_config(web);
        }
        let process = Process {
            telemetry,
            clock,
            store,
            journal,
        };
        let generation = Generation::build(&config, &process)?;
        Ok(Self {
            config,
            load,
            process,
            generation,
            server,
            signals,
        })
    }

    /// The address it serves on: says the port where 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.server.local_addr()
    }

    /// Serves, polls and saves until a signal. The first one lets running requests end and saves; the
    /// second one waits for nothing. SIGHUP loads the configuration again.
    pub async fn run(self) -> Result<Ended, DaemonError> {
        let (handle, mut requests) = reloads();
        let stop = CancellationToken::new();
        let (mut reloader, service) = Reloader::start(
            self.config,
            self.load,
            self.process,
            self.generation,
            handle,
        );
        let shutdown = stop.clone().cancelled_owned();
        let serving = tokio::spawn(self.server.serve(service, shutdown));
        let mut waiting = Waiting::new(self.signals);
        notify::ready();
        let mut is_ending = false;
        while !is_ending {
            let reply = tokio::select! {
                error = reloader.failed() => {
                    stop.cancel();
                    let _ = serving.await;
                    return Err(error.into());
                }
                () = waiting.watchdog.is_due() => {
                    // Waits for the lock of the state: a deadlock ends the process.
                    reloader.is_loaded();
                    notify::lives();
                    continue;
                }
                reply = requests.next() => Some(reply),
                asked = waiting.signals.next() => match asked {
                    Asked::Reload => None,
                    Asked::End(name) => {
                        tracing::info!("{name}: no more polling, saving the state");
                        break;
                    }
                },
            };
            notify::reloading();
            let Some(result) = waiting.wait(&mut is_ending, reloader.reload()).await else {
                return Ok(Ended::Aborted);
            };
            notify::ready();
            if let Some(reply) = reply {
                // Whoever asked may have gone.
                let _ = reply.send(result);
            }
        }
        notify::stopping();
        is_ending = true;
        stop.cancel();
        let ending = async {
            let saved = reloader.end().await;
            let _ = serving.await;
            saved
        };
        let Some(saved) = waiting.wait(&mut is_ending, ending).await else {
            return Ok(Ended::Aborted);
        };
        let count = saved.map_err(DaemonError::NotSaved)?;
        tracing::info!("everything is saved ({count} timelines at last); ended");
        Ok(Ended::Orderly)
    }
}

/// What is listened to while the daemon does something longer.
struct Waiting {
    signals: Signals,
    watchdog: Watchdog,
}

impl Waiting {
    fn new(signals: Signals) -> Self {
        Self {
            signals,
            watchdog: Watchdog::new(),
        }
    }

    /// Waits for the work. The first signal to end is noted, a second one waits for nothing: `None`.
    async fn wait<T>(&mut self, is_ending: &mut bool, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return Some(result),
                () = self.watchdog.is_due() => notify::lives(),
                name = self.signals.next_end() => {
                    if std::mem::replace(is_ending, true) {
                        tracing::warn!("{name} again: not waiting any longer");
                        return None;
                    }
                    tracing::info!("{name}: ending as soon as the configuration is loaded");
                }
            }
        }
    }
}
