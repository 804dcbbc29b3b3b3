//! The section `webhooks`: who may send us events.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::gitlab::token_of_file;
use super::reader::Section;
use super::secret::Secret;

/// Who may send us events; nobody unless it is configured.
#[derive(Debug, Clone, Default)]
pub struct Webhooks {
    /// GitLab, at `/hooks/gitlab`.
    pub gitlab: Option<GitLabHooks>,
}

/// How a hook of GitLab proves itself: by all that is given here.
#[derive(Debug, Clone)]
pub struct GitLabHooks {
    /// The hook's secret token.
    pub token: Option<Secret>,
    /// The hook's signing token, `whsec_` and base64.
    pub signing_key: Option<Secret>,
}

impl Webhooks {
    pub(super) fn read(section: &Section<'_>, folder: &Path) -> Option<Self> {
        if !section.has("gitlab") {
            return Some(Self::default());
        }
        let gitlab = GitLabHooks::read(&section.section("gitlab"), folder);
        Some(Self {
            gitlab: Some(gitlab?),
        })
    }
}

impl GitLabHooks {
    fn read(section: &Section<'_>, folder: &Path) -> Option<Self> {
        let token = section.text("token_file", |path| token_of_file(folder, path));
        let signing_key = section.text("signing_key_file", |path| key_of_file(folder, path));
        if !section.has("token_file") && !section.has("signing_key_file") {
            section.complain(
                "nothing says who may send webhooks; give token_file or signing_key_file"
                    .to_owned(),
            );
            return None;
        }
        Some(Self { token, signing_key })
    }
}

fn key_of_file(folder: &Path, path: &str) -> Result<Secret, String> {
    if path.is_empty() {
        return Err(String::new());
    }
    let text = fs::read_to_string(folder.join(path)).map_err(|error| error.to_string())?;
    let key = Secret::token(&text).map_err(|error| format!("the file {error}"))?;
    let encoded = key.expose();
    let encoded = encoded.strip_prefix("whsec_").unwrap_or(encoded);
    match STANDARD.decode(encoded) {
        Ok(bytes) if !bytes.is_empty() => Ok(key),
        _ => Err("the file holds no base64 after `whsec_`".to_owned()),
    }
}
