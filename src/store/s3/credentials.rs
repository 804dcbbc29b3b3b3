//! The source of credentials: the SDK's, built anew when the files of its profiles change.

use std::env;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use ci_history::clock::{Clock as _, SystemClock};
use futures_util::future::BoxFuture;

use crate::base::error_chain::error_chain;
use crate::base::file_stamp::FileStamp;

/// How long the SDK keeps credentials that do not end, which a file may replace. It asks again 10 s before.
const KEPT: Duration = Duration::from_secs(15);

/// The files of the profiles: a variable with the path, and the path below the home directory without it.
const FILES: [(&str, &str); 2] = [
    ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ("AWS_CONFIG_FILE", ".aws/config"),
];

/// Builds the SDK's source anew: it reads the files of the profiles only once.
pub(super) type Rebuild =
    Arc<dyn Fn() -> BoxFuture<'static, Option<SharedCredentialsProvider>> + Send + Sync>;

/// Looks for credentials, and remembers why there are none: the SDK tells only that its time was over
/// where the source fails slowly.
#[derive(Clone)]
pub(super) struct Source {
    state: Arc<Mutex<State>>,
    /// `None` of a source that is not the SDK's own.
    rebuild: Option<Rebuild>,
    trouble: Arc<Mutex<Option<String>>>,
}

struct State {
    inner: SharedCredentialsProvider,
    files: Stamps,
    /// The last credentials, unless they end.
    last: Option<Credentials>,
    /// Whether the last ones stay in force because there are no others.
    is_told: bool,
}

type Stamps = [Option<FileStamp>; 2];

impl Source {
    pub(super) fn of(inner: SharedCredentialsProvider, rebuild: Option<Rebuild>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                inner,
                files: stamps(),
                last: None,
                is_told: false,
            })),
            rebuild,
            trouble: Arc::default(),
        }
    }

    /// Why the last look brought nothing, if it did not.
    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SDK's source, built anew if the files have changed.
    async fn current(&self) -> SharedCredentialsProvider {
        let files = stamps();
        let has_changed = self.lock().files != files;
        if has_changed
            && let Some(rebuild) = &self.rebuild
            && let Some(inner) = rebuild().await
        {
            let mut state = self.lock();
            state.inner = inner;
            state.files = files;
        }
        self.lock().inner.clone()
    }

    async fn look(&self) -> Result<Credentials, CredentialsError> {
        let inner = self.current().await;
        let found = inner.provide_credentials().await;
        if self.rebuild.is_none() {
            return found;
        }
        let mut state = self.lock();
        match found {
            Ok(credentials) if credentials.expiry().is_none() => {
                let is_other = state.last.as_ref().is_some_and(|last| {
                    last.access_key_id() != credentials.access_key_id()
                        || last.secret_access_key() != credentials.secret_access_key()
                });
                if is_other {
                    tracing::info!(
                        "the credentials of S3 have been replaced; the new ones are used from now on"
                    );
                }
                state.last = Some(credentials.clone());
                state.is_told = false;
                Ok(kept(credentials))
            }
            Ok(credentials) => {
                state.last = None;
                Ok(credentials)
            }
            Err(error) => {
                let Some(last) = state.last.clone() else {
                    return Err(error);
                };
                if !std::mem::replace(&mut state.is_told, true) {
                    let why = error_chain(&error);
                    tracing::warn!(
                        "the credentials of S3 cannot be read again, so the last ones stay: {why}"
                    );
                }
                Ok(kept(last))
            }
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            // Stays where nobody waits for the end of this.
            if self.trouble().is_none() {
                self.note(Some("no answer from where they come from".to_owned()));
            }
            let found = self.look().await;
            self.note(found.as_ref().err().map(|error| error_chain(error)));
            found
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        let state = self.lock();
        let fallback = state.inner.fallback_on_interrupt();
        fallback.or_else(|| state.last.clone().map(kept))
    }
}

/// Makes the SDK ask again soon.
fn kept(mut credentials: Credentials) -> Credentials {
    *credentials.expiry_mut() = Some(SystemClock.now() + KEPT);
    credentials
}

fn stamps() -> Stamps {
    FILES.map(|(variable, below_home)| {
        let given = env::var_os(variable).filter(|path| !path.is_empty());
        let path = given.map(PathBuf::from).or_else(|| {
            let home = env::var_os("HOME")?;
            Some(PathBuf::from(home).join(below_home))
        });
        FileStamp::of(&path?)
    })
}
