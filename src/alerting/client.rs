//! Asks a server for JSON, with a bound on time and bytes. Its errors say what to do.

use std::fmt;

use reqwest::redirect::Policy;
use reqwest::{Client as HttpClient, RequestBuilder, Response, StatusCode, header};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;
use url::Url;

use super::asker::Asker;
use crate::base::loopback::is_loopback;
use crate::base::server_access::{Login, ServerAccess};

/// Bytes of an answer. The alerts of ten thousand failing jobs fit.
const LARGEST_BODY: usize = 64 << 20;

/// Characters of a server's message that an error repeats.
const EXCERPT: usize = 200;

/// A server that speaks JSON over HTTP.
pub(super) struct Client {
    name: &'static str,
    asker: Asker,
    server: ServerAccess,
    http: HttpClient,
    /// One request at a time.
    turn: Mutex<()>,
}

/// The HTTP client cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask {name}: {source}; check the certificates of this machine and the `ca_file`")]
pub struct ClientError {
    name: &'static str,
    source: reqwest::Error,
}

/// An answer that cannot be used.
#[derive(Debug)]
pub(super) struct AskError {
    name: &'static str,
    asker: Asker,
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
    /// A client of the server with this name.
    pub(super) fn new(
        name: &'static str,
        server: ServerAccess,
        asker: Asker,
    ) -> Result<Self, ClientError> {
        let mut builder = HttpClient::builder()
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            ))
            .timeout(asker.timeout())
            .redirect(Policy::none());
        if is_loopback(&server.url) {
            // A server on this machine is never behind the proxy of the environment.
            builder = builder.no_proxy();
        }
        builder = if server.url.scheme() == "http" {
            // Works on machines without certificates.
            builder.tls_certs_only([])
        } else {
            builder.tls_certs_merge(server.certificates.iter().cloned())
        };
        Ok(Self {
            name,
            asker,
            server,
            http: builder
                .build()
                .map_err(|source| ClientError { name, source })?,
            turn: Mutex::default(),
        })
    }

    /// The address without a password.
    pub(super) fn url(&self) -> String {
        let mut url = self.server.url.clone();
        // Fails only for addresses that cannot have a password.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Bounds the time of several requests together.
    pub(super) async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, AskError>>,
    ) -> Result<T, AskError> {
        let answer = timeout(self.asker.timeout(), asking).await;
        answer.unwrap_or_else(|_| Err(self.failed(Found::late(self.asker))))
    }

    fn failed(&self, found: Found) -> AskError {
        AskError {
            name: self.name,
            asker: self.asker,
            url: self.url(),
            found,
        }
    }

    /// Asks for a path below the address, when the requests before have ended.
    pub(super) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, AskError> {
        let failed = |found| self.failed(found);
        let _turn = self.turn.lock().await;
        let mut url = self.server.url.clone();
        url.set_path(&format!("{}{path}", url.path()));
        url.query_pairs_mut().extend_pairs(query);
        let response = self.signed(self.http.get(url)).send().await;
        let response = response.map_err(|error| failed(Found::silence(error, self.asker)))?;
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or("no content type");
        let kind = kind.to_owned();
        let body = bounded(response, self.asker).await.map_err(failed)?;
        if !status.is_success() {
            return Err(failed(Found::Status(status, message(&body))));
        }
        if !kind.contains("json") {
            return Err(failed(Found::NoJson(kind)));
        }
        // A large answer takes long to read.
        let reading = tokio::task::spawn_blocking(move || serde_json::from_slice(&body)).await;
        reading
            .unwrap_or_else(|_| Err(serde::de::Error::custom("the program is ending")))
            .map_err(|error| failed(Found::OtherJson(error)))
    }
}

impl Client {
    /// Adds what the server wants to know of who asks.
    fn signed(&self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some(tenant) = &self.server.tenant {
            request = request.header("X-Scope-OrgID", tenant);
        }
        let unsigned = || request.try_clone();
        let signed = match &self.server.login {
            None => None,
            Some(Login::Password { user, password }) => {
                password.with(|password| Some(unsigned()?.basic_auth(user, Some(password))))
            }
            Some(Login::Token(token)) => token.with(|token| Some(unsigned()?.bearer_auth(token))),
        };
        signed.flatten().unwrap_or(request)
    }
}

async fn bounded(mut response: Response, asker: Asker) -> Result<Vec<u8>, Found> {
    let mut body = Vec::new();
    let failed = |error| Found::silence(error, asker);
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
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
    fn late(asker: Asker) -> Self {
        Self::Silence(format!("no answer within {} s", asker.timeout().as_secs()))
    }

    fn silence(error: reqwest::Error, asker: Asker) -> Self {
        if error.is_timeout() {
            return Self::late(asker);
        }
        let error = anyhow::Error::new(error.without_url());
        let innermost = error.root_cause();
        Self::Silence(innermost.to_string())
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, asker, url, ..
        } = self;
        let flag = asker.setting(name);
        match &self.found {
            Found::Silence(why) => write!(
                f,
                "{name} at {url} does not answer: {why}; check that it runs, and {flag}."
            ),
            Found::Status(status, message) => {
                let colon = if message.is_empty() { "" } else { ": " };
                write!(f, "{name} at {url} answered {status}{colon}{message}; ")?;
                match *status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                        f.write_str(&asker.on_login(name))
                    }
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
        let client = Client::new("Prometheus", url.into(), Asker::Command).unwrap();
        assert_eq!(client.url(), "https://x.example/prometheus");
        for text in ["x.example", "ftp://x.example", "http://x.example/?a"] {
            assert!(
                server_url(text).unwrap_err().contains("wanted an address"),
                "{text}"
            );
        }
    }
}
