//! Asks a server for JSON, with a bound on time and bytes. Its errors say what to do.

use std::fmt;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client as HttpClient, Response, StatusCode, header};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use url::Url;

use crate::base::loopback::is_loopback;

/// Time for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer. The alerts of ten thousand failing jobs fit.
const LARGEST_BODY: usize = 64 << 20;

/// Characters of a server's message that an error repeats.
const EXCERPT: usize = 200;

/// A server that speaks JSON over HTTP.
pub(super) struct Client {
    name: &'static str,
    flag: &'static str,
    base: Url,
    http: HttpClient,
}

/// The HTTP client cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask {name}: {source}; check the certificates of this machine")]
pub struct ClientError {
    name: &'static str,
    source: reqwest::Error,
}

/// An answer that cannot be used.
#[derive(Debug)]
pub(super) struct AskError {
    name: &'static str,
    flag: &'static str,
    url: String,
    found: Found,
}

#[derive(Debug)]
enum Found {
    Silence(String),
    Status(StatusCode, String),
    TooLarge,
    NoJson(String),
    OtherJson(serde_json::Error),
}

/// Reads the address of a server. Its path ends in `/`, so that paths can be joined to it.
///
/// # Errors
///
/// What is wrong with the address, and what is wanted.
pub fn server_url(text: &str) -> Result<Url, String> {
    let wanted = "wanted an address such as http://127.0.0.1:9090";
    let mut url = Url::parse(text).map_err(|error| format!("{error}; {wanted}"))?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_plain {
        return Err(wanted.to_owned());
    }
    url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
    Ok(url)
}

impl Client {
    /// `flag` is the flag that sets `base`, for errors.
    pub(super) fn new(
        name: &'static str,
        flag: &'static str,
        base: Url,
    ) -> Result<Self, ClientError> {
        let mut builder = HttpClient::builder()
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ))
            .timeout(TIMEOUT)
            .redirect(Policy::none());
        if is_loopback(&base) {
            // A server on this machine is never behind the proxy of the environment.
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            // Works on machines without certificates.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            name,
            flag,
            base,
            http: builder
                .build()
                .map_err(|source| ClientError { name, source })?,
        })
    }

    /// The address without a password.
    pub(super) fn url(&self) -> String {
        let mut url = self.base.clone();
        // Fails only for addresses that cannot have a password.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Asks for a path below the address.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, AskError> {
        let failed = |found| AskError {
            name: self.name,
            flag: self.flag,
            url: self.url(),
            found,
        };
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url.query_pairs_mut().extend_pairs(query);
        let response = self.http.get(url).send().await;
        let response = response.map_err(|error| failed(Found::silence(error)))?;
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("no content type");
        let kind = kind.to_owned();
        let body = bounded(response).await.map_err(failed)?;
        if !status.is_success() {
            return Err(failed(Found::Status(status, message(&body))));
        }
        if !kind.contains("json") {
            return Err(failed(Found::NoJson(kind)));
        }
        serde_json::from_slice(&body).map_err(|error| failed(Found::OtherJson(error)))
    }
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, Found> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Found::silence)? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Found::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The message of an error: Prometheus answers an object with `error`, Alertmanager a string.
fn message(body: &[u8]) -> String {
    let message = match serde_json::from_slice(body) {
        Ok(Value::String(text)) => text,
        Ok(value) => value["error"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    };
    message
        .chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT)
        .collect()
}

impl Found {
    fn silence(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Silence(format!("no answer within {} s", TIMEOUT.as_secs()));
        }
        let error = anyhow::Error::new(error.without_url());
        let innermost = error.root_cause();
        Self::Silence(innermost.to_string())
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, flag, url, ..
        } = self;
        match &self.found {
            Found::Silence(why) => write!(
                f,
                "{name} at {url} does not answer: {why}; check that it runs, and {flag}."
            ),
            Found::Status(status, message) => {
                let colon = if message.is_empty() { "" } else { ": " };
                write!(f, "{name} at {url} answered {status}{colon}{message}; ")?;
                match *status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => write!(
                        f,
                        "give a user and a password in {flag}, as in https://user:password@host."
                    ),
                    status if status.is_redirection() => {
                        write!(
                            f,
                            "give {flag} the address behind the redirection or the login."
                        )
                    }
                    StatusCode::NOT_FOUND => {
                        write!(f, "give {flag} the address with its whole path prefix.")
                    }
                    _ => write!(f, "look into its log."),
                }
            }
            Found::TooLarge => write!(
                f,
                "{name} at {url} answered more than {} MiB; is it the right server ({flag})?",
                LARGEST_BODY >> 20
            ),
            Found::NoJson(kind) => write!(
                f,
                "{name} at {url} answered {kind}, wanted JSON: a login page or another server? Give \
                 {flag} the address of {name} itself."
            ),
            Found::OtherJson(error) => write!(
                f,
                "{name} at {url} answered JSON that is not of its API ({error}); is it the right \
                 server ({flag})?"
            ),
        }
    }
}

impl std::error::Error for AskError {}

/// Reads RFC 3339 as Unix seconds.
pub(super) fn unix<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
    let text = String::deserialize(input)?;
    let time = text.parse::<jiff::Timestamp>();
    time.map(jiff::Timestamp::as_second)
        .map_err(D::Error::custom)
}

pub(super) fn optional_unix<'de, D: Deserializer<'de>>(input: D) -> Result<Option<i64>, D::Error> {
    unix(input).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_server_ends_in_a_slash_and_is_shown_without_its_password() {
        let url = server_url("https://me:secret@x.example/prometheus").unwrap();
        assert_eq!(url.path(), "/prometheus/");
        let client = Client::new("Prometheus", "--prometheus.url", url).unwrap();
        assert_eq!(client.url(), "https://x.example/prometheus");
        for text in ["x.example", "ftp://x.example", "http://x.example/?a"] {
            assert!(
                server_url(text).unwrap_err().contains("wanted an address"),
                "{text}"
            );
        }
    }
}
