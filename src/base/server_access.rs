//! How to reach a server that pages and commands ask.

use std::sync::Arc;

use reqwest::Certificate;
use url::Url;

use super::live_secret::LiveSecret;

/// A Prometheus or Alertmanager, or what stands in front of it.
#[derive(Debug, Clone)]
pub struct ServerAccess {
    /// The path ends in `/`.
    pub url: Url,
    /// What the server wants to know before it answers.
    pub login: Option<Login>,
    /// The value of `X-Scope-OrgID`: whose series a Mimir, Cortex or Thanos shows.
    pub tenant: Option<String>,
    /// Certificate authorities to trust besides the system's.
    pub certificates: Vec<Certificate>,
}

/// A proof, read again when its file changes.
#[derive(Debug, Clone)]
pub enum Login {
    /// Basic authentication.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Arc<LiveSecret<str>>,
    },
    /// `Authorization: Bearer`.
    Token(Arc<LiveSecret<str>>),
}

impl Login {
    /// The password or token.
    pub fn secret(&self) -> &Arc<LiveSecret<str>> {
        match self {
            Self::Password { password, .. } => password,
            Self::Token(token) => token,
        }
    }
}

impl From<Url> for ServerAccess {
    fn from(url: Url) -> Self {
        Self {
            url,
            login: None,
            tenant: None,
            certificates: Vec::new(),
        }
    }
}
