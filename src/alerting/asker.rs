//! Who asks the servers: for how long an answer is waited for, and how the addresses are set.

use std::time::Duration;

/// Who asks the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A command, whose flags have the addresses and perhaps a user with a password.
    Command,
    /// The exporter for its pages, by its configuration.
    Exporter,
}

impl Asker {
    /// Time for all that one server is asked together.
    pub(super) fn timeout(self) -> Duration {
        match self {
            Self::Command => Duration::from_secs(10),
            Self::Exporter => Duration::from_secs(2),
        }
    }

    /// What sets the address of the server with this name.
    pub(super) fn setting(self, server: &str) -> String {
        let key = format!("{}.url", server.to_lowercase());
        match self {
            Self::Command => format!("--{key}"),
            Self::Exporter => format!("`{key}`"),
        }
    }

    /// What to do about a server that wants a login.
    pub(super) fn on_login(self, server: &str) -> String {
        let setting = self.setting(server);
        match self {
            Self::Command => {
                let section = server.to_lowercase();
                format!(
                    "give a user and a password in {setting}, as in https://user:password@host, or `{section}.url` \
                     with a login in the configuration."
                )
            }
            Self::Exporter => {
                let section = server.to_lowercase();
                format!(
                    "give the exporter a login: `{section}.user` and `{section}.password_file`, or `{section}.token_file`."
                )
            }
        }
    }

    /// What to do if the server with this name was not asked.
    pub(super) fn how_to_set(self, server: &str) -> String {
        let key = format!("{}.url", server.to_lowercase());
        match self {
            Self::Command => format!("give --{key}, or `{key}` in the configuration"),
            Self::Exporter => format!("set `{key}` in the configuration"),
        }
    }
}
