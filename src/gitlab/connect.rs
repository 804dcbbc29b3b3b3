//! The HTTP client underneath: address, certificates, redirects and the meaning of its errors.

use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use url::Url;

use super::answer::excerpt;
use super::error_kind::ErrorKind;
use super::options::{BuildError, Options};
use crate::base::error_chain::error_chain;
use crate::base::loopback::is_loopback;

/// GitLab redirects once, from the old to the new path of a moved project.
const MAX_REDIRECTS: usize = 3;
/// A host that is up accepts faster; the rest of the timeout is for the answer.
const MAX_CONNECT: Duration = Duration::from_secs(5);
/// Finds connections that a firewall dropped silently.
const KEEPALIVE: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The root of the REST API, `<url>/api/v4/`.
pub(super) fn api_url(url: &Url) -> Result<Url, BuildError> {
    let refused = |problem| {
        let mut shown = url.clone();
        // Fails only for addresses that cannot have a password.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        shown.set_query(None);
        BuildError::Url {
            url: shown.into(),
            problem,
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("holds a user or a password; give a token instead"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("has a query or a fragment"));
    }
    let root = url.as_str().trim_end_matches('/');
    let root = root.strip_suffix("/api/v4").unwrap_or(root);
    Url::parse(&format!("{root}/api/v4/")).map_err(|_| refused("cannot be extended by `/api/v4`"))
}

pub(super) fn check_limits(options: &Options) -> Result<(), BuildError> {
    let rate = options.requests_per_second;
    // Also refuses what is not a number.
    if rate.is_nan() || rate <= 0.0 {
        return Err(BuildError::Limit {
            option: "requests_per_second",
            found: rate,
        });
    }
    if options.timeout.is_zero() {
        return Err(BuildError::Limit {
            option: "timeout",
            found: 0.0,
        });
    }
    Ok(())
}

/// Same scheme, host and port as `api`, and a path below it.
pub(super) fn is_below(url: &Url, api: &Url) -> bool {
    url.origin() == api.origin()
        && url.path().starts_with(api.path())
        && url.username().is_empty()
        && url.password().is_none()
}

pub(super) fn http_client(options: &Options, api: &Url) -> Result<reqwest::Client, BuildError> {
    let root = api.clone();
    let mut builder = ClientBuilder::new()
        .user_agent(USER_AGENT)
        .timeout(options.timeout)
        .connect_timeout(options.timeout.min(MAX_CONNECT))
        .tcp_keepalive(KEEPALIVE)
        .referer(false)
        .redirect(Policy::custom(move |attempt| {
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("redirected again and again")
            } else if is_below(attempt.url(), &root) {
                attempt.follow()
            } else {
                attempt.stop()
            }
        }));
    if is_loopback(api) {
        // What runs on this machine is never behind the proxy that the environment names.
        builder = builder.no_proxy();
    }
    if api.scheme() == "http" {
        // No TLS is spoken: works where the system has no certificates at all.
        builder = builder.tls_certs_only([]);
    }
    if api.scheme() == "https" {
        builder = builder.tls_certs_merge(options.certificates.clone());
    }
    builder.build().map_err(|error| BuildError::Tls {
        problem: error_chain(&error.without_url()),
    })
}

/// The kind of an error of the HTTP client, without the address, which [`Error`](super::Error) has.
pub(super) fn error_of(error: reqwest::Error, timeout: Duration) -> ErrorKind {
    let error = error.without_url();
    let detail = excerpt(&error_chain(&error));
    if error.is_timeout() {
        ErrorKind::Timeout { after: timeout }
    } else if error.is_redirect() {
        ErrorKind::Redirect {
            to: "itself, again and again".into(),
        }
    } else if error.is_body() || error.is_decode() {
        ErrorKind::Truncated(detail)
    } else if detail.contains("certificate") {
        ErrorKind::Certificate(detail)
    } else {
        ErrorKind::Connection(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(url: &str) -> Result<String, String> {
        api_url(&Url::parse(url).unwrap())
            .map(String::from)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_api_is_found_below_any_address() {
        for (url, wanted) in [
            ("https://gitlab.com", "https://gitlab.com/api/v4/"),
            ("https://x.example/git/", "https://x.example/git/api/v4/"),
            ("https://x.example/api/v4", "https://x.example/api/v4/"),
            ("http://[::1]:8080", "http://[::1]:8080/api/v4/"),
        ] {
            assert_eq!(api(url).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused_without_their_password() {
        for url in [
            "ftp://x.example",
            "mailto:x@example.com",
            "https://x.example/?private_token=secret",
            "https://user:secret@x.example",
        ] {
            let message = api(url).unwrap_err();
            assert!(message.contains("wanted something like"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn only_addresses_below_the_api_get_the_token() {
        let api = Url::parse("https://x.example/git/api/v4/").unwrap();
        for (url, ours) in [
            ("https://x.example/git/api/v4/projects/1", true),
            ("https://x.example:443/git/api/v4/projects/1", true),
            ("http://x.example/git/api/v4/projects/1", false),
            ("https://x.example:8443/git/api/v4/projects/1", false),
            ("https://y.example/git/api/v4/projects/1", false),
            ("https://x.example.evil/git/api/v4/projects/1", false),
            ("https://user@x.example/git/api/v4/projects/1", false),
            ("https://x.example/users/sign_in", false),
            ("https://x.example/git/api/v4/../../users/sign_in", false),
        ] {
            assert_eq!(is_below(&Url::parse(url).unwrap(), &api), ours, "{url}");
        }
    }

    #[test]
    fn limits_that_let_nothing_through_are_refused() {
        for rate in [0.0, -1.0, f64::NAN] {
            let mut options = Options::new(Url::parse("http://x.example").unwrap(), None);
            options.requests_per_second = rate;
            assert!(check_limits(&options).is_err(), "{rate}");
        }
    }
}
