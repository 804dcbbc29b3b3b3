//! The section `gitlab`: which GitLab, with which token.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use secrecy::SecretString;
use url::Url;

use super::key::{Key, keys};
use super::node::Origin;
use super::problem::Report;
use super::secret::{token, token_of_file};
use super::secret_file::SecretFile;
use super::section::Section;
use super::url::base_url;
use super::value_type::Form;
use super::word::words;
use crate::base::error_chain::error_chain;
use crate::base::loopback::is_loopback;
use crate::base::secret_source::SecretSource as _;

/// The environment variable that holds the token where no file is given.
pub const TOKEN_VARIABLE: &str = "GITLAB_TOKEN";
/// The variable by which systemd names the directory of a unit's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// The credential that holds the token where neither a file nor the variable is given.
const TOKEN_CREDENTIAL: &str = "gitlab-token";

/// How to reach GitLab.
#[derive(Debug, Clone)]
pub struct GitLab {
    /// Its path ends in `/`.
    pub url: Url,
    /// Access token; `None` sees public projects only.
    pub token: Option<SecretString>,
    /// The file that the token comes from.
    pub token_file: Option<Arc<SecretFile>>,
    /// Certificate authorities to trust besides the system's.
    pub certificates: Vec<Certificate>,
    /// Longest time one request may take.
    pub timeout: Duration,
    /// Most requests a second.
    pub requests_per_second: f64,
    /// How to learn which pipelines moved.
    pub api: Api,
}

/// The API that tells which pipelines of many projects moved. Everything else is read by REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// GraphQL, from ten projects on and where GitLab answers such questions; else REST.
    #[default]
    Auto,
    /// REST, project by project.
    Rest,
    /// GraphQL, however few projects there are. REST where GitLab does not answer.
    Graphql,
}

words!(Api {
    Auto = "auto",
    Rest = "rest",
    Graphql = "graphql",
});

keys! {
    URL: Key<Url> = Key::text(
        "gitlab.url",
        Form::new("URL", "the address of a GitLab, such as `https://gitlab.com`"),
        gitlab_url,
    )
    .default("https://gitlab.com")
    .doc("The GitLab to watch, without `/api/v4`. Flag: `--gitlab.url`.");

    TOKEN_FILE: Key<SecretString> = Key::file(
        "gitlab.token_file",
        "the path of a file that holds an access token and nothing else",
        token_of_file,
    )
    .secret()
    .doc("File with an access token of scope `read_api`. Overrides the environment variable `GITLAB_TOKEN`, which overrides the credential `gitlab-token` of a systemd unit. The file is read again when it changes, and when GitLab refuses the token. Without any token only public projects can be watched.");

    CA_FILE: Key<Vec<Certificate>> = Key::file(
        "gitlab.ca_file",
        "the path of a PEM file with certificates",
        certificates,
    )
    .doc("PEM file with certificate authorities to trust, besides the system's.");

    TIMEOUT: Key<Duration> = Key::duration("gitlab.timeout", Duration::from_millis(100))
        .default("10s")
        .doc("Longest time one request may take.");

    REQUESTS_PER_SECOND: Key<f64> = Key::rate("gitlab.requests_per_second", 1000.0)
        .default("10")
        .doc("Most requests a second, over all projects.");

    API: Key<Api> = Key::word("gitlab.api")
        .default("auto")
        .doc("How to learn which pipelines moved: by GraphQL, with one request for up to 100 projects, from ten projects on and where GitLab answers such questions (`auto`), by `graphql` however few projects there are, or by `rest`, with a request for each project. The jobs of running pipelines are read together, too. What GraphQL does not tell is asked by REST.");
}

impl GitLab {
    pub(super) fn read(
        section: &Section<'_>,
        report: &Report,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let (token, path) = if section.has(TOKEN_FILE.info.name()) {
            let path = section.path_of_file(TOKEN_FILE.info.name());
            (section.read(&TOKEN_FILE), path)
        } else if let Some(text) = env(TOKEN_VARIABLE).filter(|text| !text.is_empty()) {
            (token_of_environment(&text, report), None)
        } else {
            token_of_credential(report, env)
        };
        let token_file = path.map(|path| Arc::new(SecretFile::new(path, token_of_file)));
        Self {
            url: section.get(&URL),
            token,
            token_file,
            certificates: section.read(&CA_FILE).unwrap_or_default(),
            timeout: section.get(&TIMEOUT),
            requests_per_second: section.get(&REQUESTS_PER_SECOND),
            api: section.get(&API),
        }
    }

    /// A warning where the token would go over a network unencrypted.
    pub fn unencrypted_token(&self) -> Option<String> {
        let has_token = self.token.is_some() || self.token_file.is_some();
        let is_exposed = self.url.scheme() == "http" && !is_loopback(&self.url);
        (has_token && is_exposed).then(|| {
            format!(
                "the GitLab token goes to {} unencrypted, and whoever is on the way can read it; use https in \
                 gitlab.url",
                self.url
            )
        })
    }
}

fn gitlab_url(text: &str) -> Result<Url, String> {
    let url = base_url(text, "give the token in a file or in the environment")?;
    if url.path().ends_with("/api/v4/") {
        return Err("leave out `/api/v4`".to_owned());
    }
    Ok(url)
}

/// An empty variable counts as none.
fn token_of_environment(text: &str, report: &Report) -> Option<SecretString> {
    let refuse = |why| {
        let message = format!("the variable {why}; wanted an access token or no variable");
        report.add(Origin::Unset, TOKEN_VARIABLE, message);
    };
    token(text).map_err(refuse).ok()
}

/// The token of `LoadCredential=gitlab-token:..` of a systemd unit, with the file that systemd put it into.
fn token_of_credential(
    report: &Report,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Option<SecretString>, Option<PathBuf>) {
    let path =
        env(CREDENTIALS_VARIABLE).map(|directory| Path::new(&directory).join(TOKEN_CREDENTIAL));
    let Some(path) = path.filter(|path| path.exists()) else {
        return (None, None);
    };
    let refuse = |why| {
        let message = format!("{}: {why}", path.display());
        report.add(Origin::Unset, CREDENTIALS_VARIABLE, message);
    };
    let read = SecretFile::new(path.clone(), token_of_file).read();
    (read.map_err(refuse).ok(), Some(path))
}

/// The certificates of a PEM file.
pub(super) fn certificates(content: &[u8]) -> Result<Vec<Certificate>, String> {
    let certificates = Certificate::from_pem_bundle(content).unwrap_or_default();
    if certificates.is_empty() {
        return Err("the file holds no PEM certificate".to_owned());
    }
    // Building a client is what looks into them.
    let client = reqwest::Client::builder().tls_certs_only(certificates.iter().cloned());
    match client.build() {
        Ok(_) => Ok(certificates),
        Err(error) => Err(format!(
            "a certificate of the file cannot be used: {}",
            error_chain(&error)
        )),
    }
}
