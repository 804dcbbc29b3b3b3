//! URLs of HTTP servers.

use url::Url;

/// The URL of an HTTP server. Its path ends in `/`, so that paths can be joined to it. `advice` says where
/// credentials go instead.
pub(super) fn base_url(text: &str, advice: &str) -> Result<Url, String> {
    let mut url = http_url(text, advice)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("leave out what follows `?` or `#`".to_owned());
    }
    url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
    Ok(url)
}

/// An `http` or `https` URL without a user.
pub(super) fn http_url(text: &str, advice: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => "`https://` is missing".to_owned(),
        other => other.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("neither http nor https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(advice.to_owned());
    }
    Ok(url)
}
