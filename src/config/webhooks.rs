//! The section `webhooks`: who may send events.

use secrecy::{SecretSlice, SecretString};

use super::key::{Key, keys};
use super::secret::{signing_key_of_file, token_of_file};
use super::section::Section;

/// Who may send events; nobody by default.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// GitLab, at `/hooks/gitlab`.
    pub gitlab: Option<GitLabHooks>,
}

/// Secrets that a webhook of GitLab must prove to know, all that are given.
#[derive(Debug, Clone)]
pub struct GitLabHooks {
    /// The hook's secret token.
    pub token: Option<SecretString>,
    /// The hook's signing token, decoded.
    pub signing_key: Option<SecretSlice<u8>>,
}

keys! {
    TOKEN_FILE: Key<SecretString> = Key::file(
        "webhooks.gitlab.token_file",
        "the path of a file that holds a secret token and nothing else",
        token_of_file,
    )
    .secret()
    .doc("File with the secret token of GitLab's webhooks, which opens `POST /hooks/gitlab`. Either this or `signing_key_file` is required; with both, a webhook needs both.");

    SIGNING_KEY_FILE: Key<SecretSlice<u8>> = Key::file(
        "webhooks.gitlab.signing_key_file",
        "the path of a file that holds a signing token, `whsec_` and base64, and nothing else",
        signing_key_of_file,
    )
    .secret()
    .doc("File with the signing token of GitLab's webhooks (GitLab 19.0 and newer).");
}

impl Webhooks {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let gitlab = section.has("gitlab").then(|| section.section("gitlab"));
        Self {
            gitlab: gitlab.as_ref().map(GitLabHooks::read),
        }
    }
}

impl GitLabHooks {
    fn read(section: &Section<'_>) -> Self {
        if !section.has(TOKEN_FILE.info.name()) && !section.has(SIGNING_KEY_FILE.info.name()) {
            section.complain(
                "nobody could send webhooks; give token_file or signing_key_file".to_owned(),
            );
        }
        Self {
            token: section.read(&TOKEN_FILE),
            signing_key: section.read(&SIGNING_KEY_FILE),
        }
    }
}
