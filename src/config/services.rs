//! The sections `prometheus` and `alertmanager`: servers that pages and commands ask.

use reqwest::Certificate;
use secrecy::SecretString;
use url::Url;

use super::gitlab::certificates;
use super::key::{Key, keys};
use super::secret::token_of_file;
use super::section::Section;
use super::url::base_url;
use super::value_type::Form;
use super::webhooks::live;
use crate::base::server_access::{Login, ServerAccess};

/// Most bytes of a name in a header.
const LONGEST_NAME: usize = 200;

const PASSWORD_FORM: &str = "the path of a file that holds a password and nothing else";
const TOKEN_FORM: &str = "the path of a file that holds a token and nothing else";
const CA_FORM: &str = "the path of a PEM file with certificates";
const USER_FORM: Form = Form::new("text", "the name of a user, without `:`");
const TENANT_FORM: Form = Form::new("text", "the name of a tenant, such as `platform`");

keys! {
    PROMETHEUS_URL: Key<Url> = Key::text(
        "prometheus.url",
        Form::new("URL", "the address of a Prometheus, such as `http://127.0.0.1:9090`"),
        service_url,
    )
    .doc("Address of the Prometheus that evaluates the alert rules, for the pages of alerts and jobs and for `explain`: which alerts are pending or fire. Counting and exposing do without. Thanos and Mimir answer the same API.");

    PROMETHEUS_USER: Key<String> = Key::text("prometheus.user", USER_FORM, user)
        .doc("Name for basic authentication there. Needs `password_file`.");

    PROMETHEUS_PASSWORD_FILE: Key<SecretString> = Key::file("prometheus.password_file", PASSWORD_FORM, token_of_file)
        .secret()
        .doc("File with its password, read again when it changes.");

    PROMETHEUS_TOKEN_FILE: Key<SecretString> = Key::file("prometheus.token_file", TOKEN_FORM, token_of_file)
        .secret()
        .doc("File with a bearer token, in place of `user` and `password_file`, read again when it changes.");

    PROMETHEUS_TENANT: Key<String> = Key::text("prometheus.tenant", TENANT_FORM, tenant)
        .doc("Sent as `X-Scope-OrgID`, as Mimir, Cortex and Thanos want it.");

    PROMETHEUS_CA_FILE: Key<Vec<Certificate>> = Key::file("prometheus.ca_file", CA_FORM, certificates)
        .doc("PEM file with certificate authorities to trust there, besides the system's.");

    ALERTMANAGER_URL: Key<Url> = Key::text(
        "alertmanager.url",
        Form::new("URL", "the address of an Alertmanager, such as `http://127.0.0.1:9093`"),
        service_url,
    )
    .doc("Address of the Alertmanager, for the same: silences, inhibition and receivers. Counting and exposing do without.");

    ALERTMANAGER_USER: Key<String> = Key::text("alertmanager.user", USER_FORM, user)
        .doc("As `prometheus.user`.");

    ALERTMANAGER_PASSWORD_FILE: Key<SecretString> = Key::file("alertmanager.password_file", PASSWORD_FORM, token_of_file)
        .secret()
        .doc("As `prometheus.password_file`.");

    ALERTMANAGER_TOKEN_FILE: Key<SecretString> = Key::file("alertmanager.token_file", TOKEN_FORM, token_of_file)
        .secret()
        .doc("As `prometheus.token_file`.");

    ALERTMANAGER_TENANT: Key<String> = Key::text("alertmanager.tenant", TENANT_FORM, tenant)
        .doc("As `prometheus.tenant`.");

    ALERTMANAGER_CA_FILE: Key<Vec<Certificate>> = Key::file("alertmanager.ca_file", CA_FORM, certificates)
        .doc("As `prometheus.ca_file`.");
}

/// The keys of one of the sections.
pub(super) struct ServiceKeys {
    url: &'static Key<Url>,
    user: &'static Key<String>,
    password_file: &'static Key<SecretString>,
    token_file: &'static Key<SecretString>,
    tenant: &'static Key<String>,
    ca_file: &'static Key<Vec<Certificate>>,
}

pub(super) const PROMETHEUS: ServiceKeys = ServiceKeys {
    url: &PROMETHEUS_URL,
    user: &PROMETHEUS_USER,
    password_file: &PROMETHEUS_PASSWORD_FILE,
    token_file: &PROMETHEUS_TOKEN_FILE,
    tenant: &PROMETHEUS_TENANT,
    ca_file: &PROMETHEUS_CA_FILE,
};

pub(super) const ALERTMANAGER: ServiceKeys = ServiceKeys {
    url: &ALERTMANAGER_URL,
    user: &ALERTMANAGER_USER,
    password_file: &ALERTMANAGER_PASSWORD_FILE,
    token_file: &ALERTMANAGER_TOKEN_FILE,
    tenant: &ALERTMANAGER_TENANT,
    ca_file: &ALERTMANAGER_CA_FILE,
};

/// The server of a section; `None` without an address.
pub(super) fn read(section: &Section<'_>, keys: &ServiceKeys) -> Option<ServerAccess> {
    let login = login(section, keys);
    let tenant = section.read(keys.tenant);
    let certificates = section.read(keys.ca_file).unwrap_or_default();
    if !section.has(keys.url.info.name()) && !section.is_blank() {
        section.complain("without an address; give url".to_owned());
    }
    Some(ServerAccess {
        url: section.read(keys.url)?,
        login,
        tenant,
        certificates,
    })
}

fn login(section: &Section<'_>, keys: &ServiceKeys) -> Option<Login> {
    let has_password = section.has(keys.password_file.info.name());
    if section.has(keys.user.info.name()) != has_password {
        section.complain("wanted user and password_file together".to_owned());
    }
    if has_password && section.has(keys.token_file.info.name()) {
        section.complain("wanted either a password_file or a token_file".to_owned());
    }
    let user = section.read(keys.user);
    let password = live(section, keys.password_file, token_of_file);
    let token = live(section, keys.token_file, token_of_file).map(Login::Token);
    let named = user.zip(password);
    named
        .map(|(user, password)| Login::Password { user, password })
        .or(token)
}

fn service_url(text: &str) -> Result<Url, String> {
    base_url(
        text,
        "credentials are not taken from a URL; give them as user and password_file",
    )
}

fn user(text: &str) -> Result<String, String> {
    if text.contains(':') {
        return Err("a user of basic authentication has no `:`".to_owned());
    }
    tenant(text)
}

/// A name that can stand in a header.
fn tenant(text: &str) -> Result<String, String> {
    let is_fit = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.trim().is_empty() || text.len() > LONGEST_NAME || !text.chars().all(is_fit) {
        return Err("it has to be short and of printable ASCII".to_owned());
    }
    Ok(text.to_owned())
}
