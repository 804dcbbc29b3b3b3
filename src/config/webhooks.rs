//! The section `webhooks`: who may send events.

use std::sync::Arc;

use secrecy::zeroize::Zeroize;
use secrecy::{SecretBox, SecretSlice, SecretString};

use super::key::{Key, keys};
use super::secret::{hook_token_of_file, signing_key_of_file};
use super::secret_file::SecretFile;
use super::section::Section;
use super::value_type::Form;
use super::watch::path_or_id;
use crate::base::live_secret::LiveSecret;

/// Who may send events; nobody by default.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// GitLab, at `/hooks/gitlab`.
    pub gitlab: Option<GitLabHooks>,
}

/// The secrets of GitLab's webhooks. A webhook must prove to know one of them.
#[derive(Debug, Clone)]
pub struct GitLabHooks {
    /// In the order of the configuration.
    pub secrets: Vec<HookSecret>,
}

/// What a webhook proves to know, all that is given, and the projects that it may be about.
#[derive(Debug, Clone)]
pub struct HookSecret {
    /// The projects.
    pub scope: HookScope,
    /// The hook's secret token.
    pub token: Option<Arc<LiveSecret<str>>>,
    /// The hook's signing token, decoded.
    pub signing_key: Option<Arc<LiveSecret<[u8]>>>,
}

/// The projects that the owner of a secret may send webhooks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookScope {
    /// Every watched project.
    All,
    /// One, by its path or numeric id.
    Project(String),
    /// Those of a group and its subgroups, by its path.
    Group(String),
}

impl HookScope {
    /// Whether a project belongs to it.
    pub fn covers(&self, id: u64, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Project(project) => project == path || project.parse() == Ok(id),
            Self::Group(group) => path
                .strip_prefix(group.as_str())
                .is_some_and(|rest| rest.starts_with('/')),
        }
    }
}

const TOKEN_FORM: &str = "the path of a file that holds a secret token and nothing else";
const KEY_FORM: &str =
    "the path of a file that holds a signing token, `whsec_` and base64, and nothing else";

keys! {
    TOKEN_FILE: Key<SecretString> = Key::file("webhooks.gitlab.token_file", TOKEN_FORM, hook_token_of_file)
        .secret()
        .doc("File with the secret token of GitLab's webhooks, at least 16 characters, which opens `POST /hooks/gitlab`. This, `signing_key_file` or `secrets` is required; with a token and a signing key, a webhook needs both. The files of webhooks are read again when they change.");

    SIGNING_KEY_FILE: Key<SecretSlice<u8>> = Key::file("webhooks.gitlab.signing_key_file", KEY_FORM, signing_key_of_file)
        .secret()
        .doc("File with the signing token of GitLab's webhooks (GitLab 19.0 and newer).");

    SECRET_PROJECT: Key<String> = Key::text(
        "webhooks.gitlab.secrets[].project",
        Form {
            numeric: true,
            ..Form::new("path or id", "a project's path such as `group/app`, or its numeric id")
        },
        path_or_id,
    )
    .doc("A project with a secret of its own: webhooks with this secret are taken about this project alone. Either this or `group`.");

    SECRET_GROUP: Key<String> = Key::text(
        "webhooks.gitlab.secrets[].group",
        Form::new("path", "a group's path such as `platform/backend`"),
        path_or_id,
    )
    .doc("A group with a secret of its own, for its projects and those of its subgroups.");

    SECRET_TOKEN_FILE: Key<SecretString> = Key::file("webhooks.gitlab.secrets[].token_file", TOKEN_FORM, hook_token_of_file)
        .secret()
        .doc("File with the secret token of this project or group. This or `signing_key_file` is required, or both.");

    SECRET_SIGNING_KEY_FILE: Key<SecretSlice<u8>> = Key::file("webhooks.gitlab.secrets[].signing_key_file", KEY_FORM, signing_key_of_file)
        .secret()
        .doc("File with the signing token of this project or group.");
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
        let has_secret = has_secret(section);
        if !has_secret && section.is_empty_list("secrets") {
            section.complain(
                "nobody could send webhooks; give token_file, signing_key_file or secrets"
                    .to_owned(),
            );
        }
        let mut secrets = Vec::new();
        if has_secret {
            secrets.push(HookSecret {
                scope: HookScope::All,
                token: live(section, &TOKEN_FILE, hook_token_of_file),
                signing_key: live(section, &SIGNING_KEY_FILE, signing_key_of_file),
            });
        }
        let scoped = section.sections("secrets");
        secrets.extend(scoped.iter().filter_map(HookSecret::read));
        Self { secrets }
    }
}

impl HookSecret {
    fn read(section: &Section<'_>) -> Option<Self> {
        if !has_secret(section) {
            section.complain("without a secret; give token_file or signing_key_file".to_owned());
        }
        let token = live(section, &SECRET_TOKEN_FILE, hook_token_of_file);
        let signing_key = live(section, &SECRET_SIGNING_KEY_FILE, signing_key_of_file);
        let project = section.read(&SECRET_PROJECT);
        let scope = match (project, section.read(&SECRET_GROUP)) {
            (Some(project), None) => HookScope::Project(project),
            (None, Some(group)) => HookScope::Group(group),
            _ => {
                section.complain("wanted either a project or a group".to_owned());
                return None;
            }
        };
        Some(Self {
            scope,
            token,
            signing_key,
        })
    }
}

/// The secret of a file, which is read again when the file changes.
pub(super) fn live<S: ?Sized + Zeroize + 'static>(
    section: &Section<'_>,
    key: &Key<SecretBox<S>>,
    parse: fn(&[u8]) -> Result<SecretBox<S>, String>,
) -> Option<Arc<LiveSecret<S>>> {
    let first = section.read(key)?;
    let path = section.path_of_file(key.info.name())?;
    let name = format!("the secret of `{}`, {},", key.info.path, path.display());
    let file = Arc::new(SecretFile::new(path, parse));
    Some(Arc::new(LiveSecret::new(name, first, file)))
}

/// The names of the files are the same in both sections.
fn has_secret(section: &Section<'_>) -> bool {
    section.has(TOKEN_FILE.info.name()) || section.has(SIGNING_KEY_FILE.info.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_good_for_its_own_projects_alone() {
        let project = HookScope::Project("acme/shop".to_owned());
        assert!(project.covers(1, "acme/shop"));
        assert!(!project.covers(1, "acme/shop-two"));
        let by_id = HookScope::Project("7".to_owned());
        assert!(by_id.covers(7, "acme/shop") && !by_id.covers(8, "acme/shop"));
        let group = HookScope::Group("acme".to_owned());
        assert!(group.covers(1, "acme/backend/api"));
        assert!(!group.covers(1, "acme-two/api") && !group.covers(1, "acme"));
        assert!(HookScope::All.covers(1, "any/thing"));
    }
}
