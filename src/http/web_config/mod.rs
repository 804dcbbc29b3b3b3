//! TLS, users and headers of the server: what the file of `web.config_file` says, read again when it changes.
//!
//! ```text
//! WebConfig::open(path, telemetry) -> current() for each connection and request -> Active
//! ```

mod active;
mod client_certificates;
mod passwords;
mod rate_limiter;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use self::active::Handshaken;
use self::active::{Active, Checks};
use super::self_report::WebFileReport;
use crate::config::{Problems, Sources, WebFile};
use crate::metrics::Telemetry;

/// Why the file of `web.config_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// Each has its line.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// What is only seen once all is put together.
    #[error("{}: {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What was found, and what is wanted.
        problem: String,
    },
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct WebConfig(Arc<Inner>);

impl fmt::Debug for WebConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("WebConfig").field(&self.0.path).finish()
    }
}

struct Inner {
    path: PathBuf,
    telemetry: Telemetry,
    checks: Checks,
    state: Mutex<State>,
    /// Held while the files are read, so that they are read once.
    reading: Mutex<()>,
}

struct State {
    active: Arc<Active>,
    sources: Sources,
    /// Why the files could not be used the last time.
    trouble: Option<String>,
}

impl WebConfig {
    /// Reads the file for the first time.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub fn open(path: &Path, telemetry: Telemetry) -> Result<Self, WebConfigError> {
        let (sources, active) = read(path);
        let active = active?;
        telemetry.web_config_loaded(true);
        tracing::info!(
            file = %path.display(),
            tls = active.speaks_tls(),
            users = active.asks_for_users(),
            "read the configuration of the server"
        );
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            telemetry,
            checks: Checks::new(),
            state: Mutex::new(State {
                active: Arc::new(active),
                sources,
                trouble: None,
            }),
            reading: Mutex::default(),
        })))
    }

    /// Checks the file elsewhere than where the exporter runs: certificates and keys that cannot be read are warnings,
    /// which are given back.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub fn check(path: &Path) -> Result<Option<Problems>, WebConfigError> {
        let (file, unreadable) = WebFile::check(path)?;
        if unreadable.is_none() {
            Active::of(file).map_err(|problem| unusable(path, problem))?;
        }
        Ok(unreadable)
    }

    /// What the status page tells of it.
    pub fn report(&self) -> WebFileReport {
        let state = self.lock();
        WebFileReport {
            path: self.0.path.display().to_string(),
            has_tls: state.active.speaks_tls(),
            has_users: state.active.asks_for_users(),
            error: state.trouble.clone(),
            certificate_expiry: state.active.certificate_expiry(),
        }
    }

    /// What holds now. Files that changed are read again first; if they cannot be used, what held before goes on.
    pub(super) async fn current(&self) -> Arc<Active> {
        if self.lock().sources.has_changed() {
            let this = self.clone();
            // Fails only if reading panics: then, too, what held before goes on.
            let _ = tokio::task::spawn_blocking(move || this.read_again()).await;
        }
        Arc::clone(&self.lock().active)
    }

    fn read_again(&self) {
        let inner = &self.0;
        let _reading = inner.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.lock().sources.has_changed() {
            // Another connection was quicker.
            return;
        }
        let (sources, new) = read(&inner.path);
        let mut state = self.lock();
        state.sources = sources;
        let new = new.map_err(|error| error.to_string());
        match new.and_then(|new| new.may_follow(&state.active).map(|()| new)) {
            Ok(new) => {
                tracing::info!(file = %inner.path.display(), "read the changed configuration of the server");
                inner.telemetry.web_config_loaded(true);
                state.active = Arc::new(new);
                state.trouble = None;
            }
            Err(trouble) => {
                inner.telemetry.web_config_loaded(false);
                if state.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(
                        "the changed configuration of the server cannot be used, the last one stays in force: {trouble}"
                    );
                    state.trouble = Some(trouble);
                }
            }
        }
    }

    pub(super) fn checks(&self) -> &Checks {
        &self.0.checks
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> (Sources, Result<Active, WebConfigError>) {
    let (sources, file) = WebFile::load(path);
    let active = file.map_err(WebConfigError::from);
    let active =
        active.and_then(|file| Active::of(file).map_err(|problem| unusable(path, problem)));
    (sources, active)
}

fn unusable(path: &Path, problem: String) -> WebConfigError {
    WebConfigError::Unusable {
        path: path.to_owned(),
        problem,
    }
}
