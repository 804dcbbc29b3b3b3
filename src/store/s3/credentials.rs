//! The source of credentials, and why it gave none the last time.

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::future;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::base::error_chain::error_chain;

/// Looks for credentials, and remembers why there are none: the SDK tells only that its time was over
/// where the source fails slowly.
#[derive(Debug, Clone)]
pub(super) struct Source {
    inner: SharedCredentialsProvider,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Source {
    pub(super) fn of(inner: SharedCredentialsProvider) -> Self {
        Self {
            inner,
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
            let found = self.inner.provide_credentials().await;
            self.note(found.as_ref().err().map(|error| error_chain(error)));
            found
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.inner.fallback_on_interrupt()
    }
}
