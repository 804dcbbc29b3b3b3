//! The exporter's own secrets, which no excerpt of a log may show.

use std::env;

use secrecy::SecretString;

use crate::config::Config;
use crate::gitlab::Client;
use ci_history::Masker;

/// Variables with the static keys of the S3 store.
const VARIABLES: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Secrets that stay the same; the client adds its access tokens, which may be replaced.
pub(super) struct OwnSecrets(Vec<SecretString>);

impl OwnSecrets {
    /// The secrets of the configuration and of the environment.
    pub(super) fn of(config: &Config) -> Self {
        let hooks = config
            .webhooks
            .gitlab
            .iter()
            .flat_map(|hooks| &hooks.secrets);
        let hooks = hooks.filter_map(|secret| secret.token.clone());
        let variables = VARIABLES.iter().filter_map(|name| env::var(name).ok());
        let remediation = super::remediation::secrets(config);
        let all = hooks.chain(variables.map(SecretString::from));
        Self(all.chain(remediation).collect())
    }

    /// A masker that also masks these secrets, and all tokens of the client.
    pub(super) fn masker(&self, client: &Client) -> Masker {
        let tokens = client.secrets();
        Masker::new(
            self.0
                .iter()
                .chain(&tokens)
                .map(secrecy::ExposeSecret::expose_secret),
        )
    }
}
