//! The client for the GitLab of a configuration.

use std::sync::Arc;

use super::error::DaemonError;
use crate::config::Config;
use crate::gitlab::{Client, Observer, Options, Token, TokenError};

/// A client whose traffic `observer` sees.
pub fn client(config: &Config, observer: Arc<dyn Observer>) -> Result<Client, DaemonError> {
    Ok(Client::new(options(config)?, observer)?)
}

fn options(config: &Config) -> Result<Options, TokenError> {
    let gitlab = &config.gitlab;
    let token = gitlab.token.as_ref();
    let token = token.map(|secret| Token::new(secret.expose().to_owned()));
    let mut options = Options::new(gitlab.url.clone(), token.transpose()?);
    options.ca_file.clone_from(&gitlab.ca_file);
    options.timeout = gitlab.timeout;
    options.requests_per_second = gitlab.requests_per_second;
    Ok(options)
}
