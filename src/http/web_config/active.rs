//! The configuration of the server that is in force, and what it says to a request.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_history::Timestamp;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body::Body;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::super::response::{Response, closing, come_again, insert, plain};
use super::passwords::{Passwords, Users};
use super::rate_limiter::RateLimiter;
use super::tls::acceptor;
use crate::config::{RateLimit, WebFile};

/// What is remembered of requests. It survives a change of the files.
pub(in crate::http) struct Checks {
    passwords: Passwords,
    rate_limiter: RateLimiter,
}

impl Checks {
    pub(super) fn new() -> Self {
        Self {
            passwords: Passwords::new(),
            rate_limiter: RateLimiter::new(),
        }
    }
}

/// See the module.
pub(in crate::http) struct Active {
    tls: Option<TlsAcceptor>,
    /// End of the first of the server's certificates to end.
    certificate_expiry: Option<Timestamp>,
    headers: Vec<(HeaderName, HeaderValue)>,
    users: Option<Users>,
    rate_limit: Option<RateLimit>,
}

impl Active {
    /// The error says what was found and what is wanted.
    pub(super) fn of(file: WebFile) -> Result<Self, String> {
        let certificates = file.tls.iter().flat_map(|tls| &tls.certificates);
        let certificate_expiry = certificates.filter_map(|it| expiry(it)).min();
        let tls = file.tls.map(|tls| acceptor(tls, file.http2)).transpose()?;
        Ok(Self {
            tls,
            certificate_expiry,
            headers: file.headers,
            users: Users::of(file.users),
            rate_limit: file.rate_limit,
        })
    }

    /// A file that is being written is empty for a moment, which must not open the server.
    pub(super) fn may_follow(&self, last: &Self) -> Result<(), String> {
        let lost = |what: &str| {
            Err(format!(
                "it has {what} no more; to serve without, restart the exporter"
            ))
        };
        if last.speaks_tls() && !self.speaks_tls() {
            return lost("`tls_server_config`");
        }
        if last.asks_for_users() && !self.asks_for_users() {
            return lost("`basic_auth_users`");
        }
        Ok(())
    }

    pub(in crate::http) fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn certificate_expiry(&self) -> Option<Timestamp> {
        self.certificate_expiry
    }

    pub(super) fn asks_for_users(&self) -> bool {
        self.users.is_some()
    }

    /// Speaks TLS on a new connection; plain HTTP where there is none. With an error comes the connection, on which the
    /// client was told about it.
    pub(in crate::http) async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Result<Handshaken, (io::Error, TcpStream)> {
        match &self.tls {
            None => Ok(Handshaken::Plain(stream)),
            Some(acceptor) => {
                let stream = acceptor.accept(stream).into_fallible().await?;
                Ok(Handshaken::Tls(Box::new(stream)))
            }
        }
    }

    /// Why a request is refused. `has_own_secret`: its path asks for another secret itself.
    pub(in crate::http) async fn refusal<B: Body>(
        &self,
        checks: &Checks,
        request: &Request<B>,
        has_own_secret: bool,
    ) -> Option<Response> {
        if let Some(limit) = self.rate_limit
            && !checks.rate_limiter.admits(limit)
        {
            let message = "more requests than `rate_limit` allows\n";
            let response = refused(request, StatusCode::TOO_MANY_REQUESTS, message);
            return Some(come_again(response, "1"));
        }
        let users = self.users.as_ref().filter(|_| !has_own_secret)?;
        let given = request.headers().get(header::AUTHORIZATION);
        if let Some((name, password)) = given.and_then(credentials)
            && checks.passwords.fits(users, name, password).await
        {
            return None;
        }
        let message = "wanted the name and password of one of the users, as basic authentication\n";
        let mut response = refused(request, StatusCode::UNAUTHORIZED, message);
        let wanted = "Basic realm=\"job-failure-exporter\", charset=\"UTF-8\"";
        insert(&mut response, header::WWW_AUTHENTICATE, wanted);
        Some(response)
    }

    /// Adds the configured headers, in place of the built-in ones.
    pub(in crate::http) fn add_headers(&self, response: &mut Response) {
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
}

fn expiry(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_unix(certificate.validity().not_after.timestamp())
}

/// A connection that is ready for HTTP.
pub(in crate::http) enum Handshaken {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Ends the connection if there is a body: it was not read.
fn refused<B: Body>(request: &Request<B>, status: StatusCode, message: &'static str) -> Response {
    if request.body().is_end_stream() {
        plain(status, message)
    } else {
        closing(status, message)
    }
}

/// Name and password of basic authentication.
fn credentials(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((name, decoded[colon + 1..].to_vec()))
}
