//! The access token, which is read again when its file changes and when GitLab refuses it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::options::BuildError;
use crate::base::secret_source::SecretSource;

/// How often the source is looked at while requests go.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Credentials {
    source: Option<Arc<dyn SecretSource>>,
    state: Mutex<State>,
    renewed: Notify,
}

/// The token in the form in which it is sent.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    /// Counts the tokens of this process.
    number: usize,
}

struct State {
    current: Option<Token>,
    /// All tokens that were in force, the current one last: messages of GitLab may repeat each of them.
    secrets: Vec<SecretString>,
    next_look: Instant,
    /// The token after whose refusal the source was read.
    refused: Option<usize>,
    /// Why the source could not be read the last time.
    trouble: Option<String>,
}

impl Credentials {
    pub(super) fn new(
        token: Option<SecretString>,
        source: Option<Arc<dyn SecretSource>>,
    ) -> Result<Self, BuildError> {
        let mut state = State {
            current: None,
            secrets: Vec::new(),
            next_look: Instant::now(),
            refused: None,
            trouble: None,
        };
        if let Some(token) = token {
            state.replace(token)?;
        }
        Ok(Self {
            source,
            state: Mutex::new(state),
            renewed: Notify::new(),
        })
    }

    /// The token to send, after a look at its source.
    pub(super) fn token(&self) -> Option<Token> {
        let mut state = self.lock();
        if let Some(source) = &self.source
            && Instant::now() >= state.next_look
        {
            state.next_look = Instant::now() + LOOK_EVERY;
            if source.has_changed() {
                self.read(&mut state, &**source);
            }
        }
        state.current.clone()
    }

    /// GitLab refused a token. Returns whether there is another one now. The source is read once for each token.
    pub(super) fn refused(&self, token: &Token) -> bool {
        let mut state = self.lock();
        let is_current = |state: &State| {
            let current = state.current.as_ref();
            current.is_some_and(|current| current.number == token.number)
        };
        if is_current(&state)
            && state.refused != Some(token.number)
            && let Some(source) = &self.source
        {
            state.refused = Some(token.number);
            self.read(&mut state, &**source);
        }
        !is_current(&state)
    }

    pub(super) fn has_token(&self) -> bool {
        self.lock().current.is_some()
    }

    /// Waits until another token comes into force.
    pub(super) async fn renewed(&self) {
        self.renewed.notified().await;
    }

    /// All tokens that were in force.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        self.lock().secrets.clone()
    }

    /// A text without any of the tokens.
    pub(super) fn redact(&self, text: &str) -> String {
        let state = self.lock();
        state.secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose_secret(), "<redacted>")
        })
    }

    fn read(&self, state: &mut State, source: &dyn SecretSource) {
        let replaced = match source.read() {
            Ok(token) => state.replace(token).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        match replaced {
            Ok(true) => {
                state.trouble = None;
                tracing::info!(
                    "the GitLab token has been replaced; the new one is used from now on"
                );
                self.renewed.notify_one();
            }
            Ok(false) => {
                if state.trouble.take().is_some() {
                    tracing::info!("the GitLab token can be read again");
                }
            }
            Err(why) if state.trouble.as_ref() == Some(&why) => {}
            Err(why) => {
                tracing::warn!(
                    "the GitLab token cannot be read again, so the last one stays: {why}"
                );
                state.trouble = Some(why);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts a token in force. Returns whether it is another one.
    fn replace(&mut self, token: SecretString) -> Result<bool, BuildError> {
        let last = self.secrets.last();
        if last.is_some_and(|last| last.expose_secret() == token.expose_secret()) {
            return Ok(false);
        }
        let header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut header = header.map_err(|_| BuildError::Token)?;
        header.set_sensitive(true);
        self.secrets.push(token);
        let number = self.secrets.len();
        self.current = Some(Token { header, number });
        Ok(true)
    }
}
