//! The file of `web.config_file`, in the format of Prometheus' exporter-toolkit: TLS, headers and users of the server.

mod pem;
mod server;
mod sources;
mod tls;
mod users;

use std::path::Path;

use http::{HeaderName, HeaderValue};

pub use self::server::RateLimit;
pub use self::sources::Sources;
pub use self::tls::{CipherSuite, ClientAuth, Curve, TlsServer, TlsVersion};
pub use self::users::User;
use super::key_info::KeyInfo;
use super::load::open;
use super::problem::{Problems, Report};
use super::regexes::RegexBudget;
use super::section::Section;
use super::value::Context;

/// The file of `web.config_file` without problems. Printing it shows no secret.
#[derive(Debug)]
pub struct WebFile {
    /// `None`: plain HTTP.
    pub tls: Option<TlsServer>,
    /// Whether clients may choose HTTP/2; only with TLS.
    pub http2: bool,
    /// Headers of all responses.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Users that may read. Empty: no user and password are asked for.
    pub users: Vec<User>,
    /// Bound on the requests of all clients together.
    pub rate_limit: Option<RateLimit>,
}

/// Every key of the file.
const KEYS: &[&[KeyInfo]] = &[tls::KEYS, server::KEYS, users::KEYS];

impl WebFile {
    /// Reads the file, and those that it names. Relative paths start at the directory of the file.
    ///
    /// # Errors
    ///
    /// Every problem that was found.
    pub fn load(path: &Path) -> (Sources, Result<Self, Problems>) {
        let (sources, loaded) = read(path);
        let loaded = loaded.and_then(|(file, unreadable)| match unreadable {
            None => Ok(file),
            Some(unreadable) => Err(unreadable),
        });
        (sources, loaded)
    }

    /// The same, for a check elsewhere than where the exporter runs: certificates and keys that cannot be read are
    /// warnings, which are given back.
    ///
    /// # Errors
    ///
    /// Every other problem that was found.
    pub fn check(path: &Path) -> Result<(Self, Option<Problems>), Problems> {
        read(path).1
    }
}

type Read = Result<(WebFile, Option<Problems>), Problems>;

fn read(path: &Path) -> (Sources, Read) {
    let mut sources = Sources::of(path);
    let document = match open(path) {
        Ok(document) => document,
        Err(problem) => return (sources, Err(Problems::new(Some(path), vec![problem]))),
    };
    let report = Report::default();
    let context = Context {
        report: &report,
        folder: path.parent().unwrap_or(Path::new("")),
        regexes: &RegexBudget::default(),
    };
    let root = Section::root(context, KEYS, &document);
    let tls = root.section("tls_server_config");
    // Before they are read: a change in between is a change after it.
    TlsServer::files(&tls).for_each(|file| sources.add(file));
    let server = root.section("http_server_config");
    let file = WebFile {
        tls: TlsServer::read(&tls),
        http2: server::http2(&server),
        headers: server::headers(&server.section("headers")),
        users: users::read(&root),
        rate_limit: RateLimit::read(&root.section("rate_limit")),
    };
    let (mut problems, mut warnings) = report.into_inner();
    if problems.is_empty() {
        let warnings = (!warnings.is_empty()).then(|| Problems::new(Some(path), warnings));
        return (sources, Ok((file, warnings)));
    }
    problems.append(&mut warnings);
    (sources, Err(Problems::new(Some(path), problems)))
}

#[cfg(test)]
mod tests;
