//! The exporter's own secrets, which neither an excerpt of a log nor the title of a commit may show.

use std::env;
use std::sync::Arc;

use secrecy::SecretString;

use crate::base::live_secret::LiveSecret;
use crate::config::Config;
use crate::gitlab::Client;
use ci_history::Masker;

/// Variables with the static keys of the S3 store.
const VARIABLES: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The secrets; the client adds its access tokens.
pub(super) struct OwnSecrets {
    live: Vec<Arc<LiveSecret<str>>>,
    /// They stay the same.
    others: Vec<SecretString>,
}

impl OwnSecrets {
    /// The secrets of the configuration and of the environment.
    pub(super) fn of(config: &Config) -> Self {
        let hooks = config
            .webhooks
            .gitlab
            .iter()
            .flat_map(|hooks| &hooks.secrets);
        let hooks = hooks.filter_map(|secret| secret.token.clone());
        let servers = config.prometheus.iter().chain(&config.alertmanager);
        let logins = servers.filter_map(|server| Some(server.login.as_ref()?.secret().clone()));
        let variables = VARIABLES.iter().filter_map(|name| env::var(name).ok());
        Self {
            live: hooks.chain(logins).collect(),
            others: variables
                .map(SecretString::from)
                .chain(of_remediation(config))
                .collect(),
        }
    }

    /// A masker that also masks these secrets, and all tokens of the client.
    pub(super) fn masker(&self, client: &Client) -> Masker {
        let (own, tokens) = (self.all(), client.secrets());
        let secrets = own.iter().chain(&tokens);
        Masker::new(secrets.map(secrecy::ExposeSecret::expose_secret))
    }

    /// All but the tokens of the client.
    pub(super) fn all(&self) -> Vec<SecretString> {
        let live = self.live.iter().flat_map(|secret| secret.all());
        live.chain(self.others.iter().cloned()).collect()
    }
}

/// The tokens that act and that ask for actions.
fn of_remediation(config: &Config) -> Vec<SecretString> {
    let settings = &config.remediation;
    let callers = settings.callers.iter();
    let tokens = callers.filter_map(|caller| caller.token.as_ref());
    let tokens = tokens.flat_map(|token| token.all());
    tokens.chain(settings.token.clone()).collect()
}
