//! The section `gitlab`: which GitLab, with which token.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::address::base_url;
use super::node::Place;
use super::reader::{Report, Section};
use super::secret::Secret;

/// The environment variable that holds the token where no file is named.
pub const TOKEN_VARIABLE: &str = "GITLAB_TOKEN";

/// How to reach GitLab.
#[derive(Debug, Clone)]
pub struct GitLab {
    /// Where it is; the path ends in `/`. Default: `https://gitlab.com/`.
    pub url: Url,
    /// Access token; `None` sees public projects only.
    pub token: Option<Secret>,
    /// PEM file of certificate authorities to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Longest time one request may take. Default: 10 s.
    pub timeout: Duration,
    /// Most requests a second. Default: 10.
    pub requests_per_second: f64,
}

impl GitLab {
    pub(super) fn read(
        section: &Section<'_>,
        report: &Report,
        folder: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let url = section.text("url", address);
        let token = if section.has("token_file") {
            section.text("token_file", |path| token_of_file(folder, path))
        } else {
            token_of_environment(report, env)
        };
        let ca_file = section.text("ca_file", |path| certificates(folder, path));
        let timeout = section.duration("timeout");
        let requests_per_second = section.rate("requests_per_second");
        Some(Self {
            url: url?,
            token,
            ca_file,
            timeout: timeout?,
            requests_per_second: requests_per_second?,
        })
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = base_url(text).map_err(|why| match why.as_str() {
        "credentials are not taken from here" => {
            "give the token in a file or in the environment".to_owned()
        }
        _ => why,
    })?;
    if url.path().ends_with("/api/v4/") {
        return Err("leave out `/api/v4`".to_owned());
    }
    Ok(url)
}

pub(super) fn token_of_file(folder: &Path, path: &str) -> Result<Secret, String> {
    if path.is_empty() {
        return Err(String::new());
    }
    let text = fs::read_to_string(folder.join(path)).map_err(|error| error.to_string())?;
    Secret::token(&text).map_err(|error| format!("the file {error}"))
}

/// An empty variable counts as none.
fn token_of_environment(report: &Report, env: &dyn Fn(&str) -> Option<String>) -> Option<Secret> {
    let text = env(TOKEN_VARIABLE).filter(|text| !text.is_empty())?;
    let refuse = |error| {
        let message = format!("the variable {error}; wanted an access token or no variable");
        report.add(Place::Nowhere, TOKEN_VARIABLE, message);
    };
    Secret::token(&text).map_err(refuse).ok()
}

fn certificates(folder: &Path, path: &str) -> Result<PathBuf, String> {
    let path = folder.join(path);
    let text = fs::read(&path).map_err(|error| error.to_string())?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    if !text.windows(marker.len()).any(|window| window == marker) {
        return Err("the file holds no PEM certificate".to_owned());
    }
    Ok(path)
}
