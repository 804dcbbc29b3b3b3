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

/// A path as it stands in every request, without a `/` at its end. Proxies and browsers change other characters, double slashes
/// and `..` on the way.
pub(super) fn route_prefix(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let names = text.split('/').skip(1);
    let why = if text.is_empty() {
        None
    } else if !text.starts_with('/') {
        Some("it does not begin with `/`")
    } else if text.ends_with('/') {
        Some("leave out the `/` at its end")
    } else if text.contains("//") {
        Some("it has two `/` in a row")
    } else if !text.bytes().all(|byte| is_plain(byte) || byte == b'/') {
        Some("its path has other characters than letters, digits, `-`, `.`, `_`, `~` and `/`")
    } else if names.into_iter().any(|name| matches!(name, "." | "..")) {
        Some("`.` and `..` are not names")
    } else {
        None
    };
    match why {
        None => Ok(text.to_owned()),
        Some(why) => Err(why.to_owned()),
    }
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
