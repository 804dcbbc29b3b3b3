//! A secret in force, which is read again when its file changes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret as _, SecretBox};

use super::secret_source::SecretSource;

/// How often the source is looked at while the secret is used.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub struct LiveSecret<S: ?Sized + Zeroize> {
    /// For messages: the key of the configuration and the file.
    name: String,
    source: Option<Arc<dyn SecretSource<SecretBox<S>>>>,
    state: Mutex<State<S>>,
}

struct State<S: ?Sized + Zeroize> {
    /// All that were in force, the current one last.
    secrets: Vec<SecretBox<S>>,
    next_look: Option<Instant>,
    /// Why the source could not be read the last time.
    trouble: Option<String>,
}

impl<S: ?Sized + Zeroize> LiveSecret<S> {
    /// A secret as it was first read from its source.
    pub fn new(
        name: String,
        first: SecretBox<S>,
        source: Arc<dyn SecretSource<SecretBox<S>>>,
    ) -> Self {
        Self {
            name,
            source: Some(source),
            ..Self::fixed(first)
        }
    }

    /// A secret that stays the same.
    pub fn fixed(secret: SecretBox<S>) -> Self {
        Self {
            name: String::new(),
            source: None,
            state: Mutex::new(State {
                secrets: vec![secret],
                next_look: None,
                trouble: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: ?Sized + Zeroize + PartialEq> LiveSecret<S> {
    /// Uses the secret that is in force, after a look at its source. A source that cannot be read leaves the last one.
    pub fn with<R>(&self, used: impl FnOnce(&S) -> R) -> Option<R> {
        let mut state = self.lock();
        if let Some(source) = &self.source {
            let now = Instant::now();
            if state.next_look.is_none_or(|at| at <= now) {
                state.next_look = now.checked_add(LOOK_EVERY);
                if source.has_changed() {
                    self.read(&mut state, &**source);
                }
            }
        }
        state
            .secrets
            .last()
            .map(|secret| used(secret.expose_secret()))
    }

    /// All secrets that were in force.
    pub fn all(&self) -> Vec<SecretBox<S>>
    where
        SecretBox<S>: Clone,
    {
        self.lock().secrets.clone()
    }

    fn read(&self, state: &mut State<S>, source: &dyn SecretSource<SecretBox<S>>) {
        let name = &self.name;
        match source.read() {
            Ok(secret) => {
                let last = state.secrets.last();
                let is_same =
                    last.is_some_and(|last| last.expose_secret() == secret.expose_secret());
                let had_trouble = state.trouble.take().is_some();
                if !is_same {
                    state.secrets.push(secret);
                    tracing::info!("{name} has been replaced; the new one is used from now on");
                } else if had_trouble {
                    tracing::info!("{name} can be read again");
                }
            }
            Err(why) if state.trouble.as_ref() == Some(&why) => {}
            Err(why) => {
                tracing::warn!("{name} cannot be read again, so the last one stays: {why}");
                state.trouble = Some(why);
            }
        }
    }
}

/// Shows no secret.
impl<S: ?Sized + Zeroize> fmt::Debug for LiveSecret<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LiveSecret")
            .field("name", &self.name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
