//! The section `tls_server_config`.

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::CertificateDer;

use super::super::key::{Key, keys};
use super::super::section::Section;
use super::super::value_type::Form;
use super::super::word::words;
use super::pem::{PrivateKey, certificates, private_key};

/// How the server speaks TLS.
#[derive(Debug)]
pub struct TlsServer {
    /// The server's own certificate, followed by those between it and its authority.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Its key. `None` only where a check could not read it.
    pub key: Option<PrivateKey>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// The authorities of clients.
    pub client_ca: Vec<CertificateDer<'static>>,
    /// One of these names must be in the certificate of a client. `None`: any certificate will do.
    pub client_allowed_sans: Option<Vec<String>>,
    /// Oldest version.
    pub min_version: TlsVersion,
    /// Newest version.
    pub max_version: TlsVersion,
    /// Suites of TLS 1.2, the preferred one first. Empty: all.
    pub cipher_suites: Vec<CipherSuite>,
    /// Whether the server's order of suites decides.
    pub prefer_server_cipher_suites: bool,
    /// The preferred one first. Empty: all.
    pub curves: Vec<Curve>,
}

/// What is asked of clients, named as Go names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Go's documentation describes them")]
pub enum ClientAuth {
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    /// Older name of [`ClientAuth::RequireAnyClientCert`].
    RequireClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

words!(ClientAuth {
    NoClientCert = "NoClientCert",
    RequestClientCert = "RequestClientCert",
    RequireAnyClientCert = "RequireAnyClientCert",
    RequireClientCert = "RequireClientCert",
    VerifyClientCertIfGiven = "VerifyClientCertIfGiven",
    RequireAndVerifyClientCert = "RequireAndVerifyClientCert",
});

impl ClientAuth {
    /// Whether authorities decide about certificates.
    pub fn verifies(self) -> bool {
        matches!(
            self,
            Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert
        )
    }

    /// Whether a client without a certificate is refused.
    pub fn is_mandatory(self) -> bool {
        matches!(
            self,
            Self::RequireAnyClientCert | Self::RequireClientCert | Self::RequireAndVerifyClientCert
        )
    }
}

/// A version of TLS. Older ones are not safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each would say its name")]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

words!(TlsVersion {
    Tls12 = "TLS12",
    Tls13 = "TLS13",
});

/// A cipher suite. Those without forward secrecy or with CBC are not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each would say its name")]
pub enum CipherSuite {
    EcdheEcdsaAes128,
    EcdheEcdsaAes256,
    EcdheEcdsaChaCha20,
    EcdheRsaAes128,
    EcdheRsaAes256,
    EcdheRsaChaCha20,
    Tls13Aes128,
    Tls13Aes256,
    Tls13ChaCha20,
}

words!(CipherSuite {
    EcdheEcdsaAes128 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    EcdheEcdsaAes256 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    EcdheEcdsaChaCha20 = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    EcdheRsaAes128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    EcdheRsaAes256 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    EcdheRsaChaCha20 = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    Tls13Aes128 = "TLS_AES_128_GCM_SHA256",
    Tls13Aes256 = "TLS_AES_256_GCM_SHA384",
    Tls13ChaCha20 = "TLS_CHACHA20_POLY1305_SHA256",
});

impl CipherSuite {
    /// Whether it is one of TLS 1.3, all of which are always on, as in Go.
    pub fn is_of_tls13(self) -> bool {
        matches!(
            self,
            Self::Tls13Aes128 | Self::Tls13Aes256 | Self::Tls13ChaCha20
        )
    }
}

/// A group for the exchange of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each would say its name")]
pub enum Curve {
    P256,
    P384,
    X25519,
    X25519MlKem768,
}

words!(Curve {
    P256 = "CurveP256",
    P384 = "CurveP384",
    X25519 = "X25519",
    X25519MlKem768 = "X25519MLKEM768",
});

type Certificates = Vec<CertificateDer<'static>>;

const PEM_TEXT: Form = Form {
    discreet: true,
    ..Form::new("PEM", "PEM in a text of several lines (`|`)")
};

fn certificates_of_text(text: &str) -> Result<Certificates, String> {
    certificates(text.as_bytes())
}

fn key_of_text(text: &str) -> Result<PrivateKey, String> {
    private_key(text.as_bytes())
}

keys! {
    CERT: Key<Certificates> = Key::text("tls_server_config.cert", PEM_TEXT, certificates_of_text);
    KEY: Key<PrivateKey> = Key::text("tls_server_config.key", PEM_TEXT, key_of_text);
    CLIENT_CA: Key<Certificates> = Key::text("tls_server_config.client_ca", PEM_TEXT, certificates_of_text);
    CERT_FILE: Key<Certificates> = Key::file("tls_server_config.cert_file", "the path of a file with certificates in PEM, the server's own first", certificates).secret();
    KEY_FILE: Key<PrivateKey> = Key::file("tls_server_config.key_file", "the path of a file with the key of the certificate in PEM", private_key).secret();
    CLIENT_CA_FILE: Key<Certificates> = Key::file("tls_server_config.client_ca_file", "the path of a file with certificates of authorities in PEM", certificates).secret();
    CLIENT_AUTH_TYPE: Key<ClientAuth> = Key::word("tls_server_config.client_auth_type").default("NoClientCert");
    CLIENT_ALLOWED_SANS: Key<String> = Key::text("tls_server_config.client_allowed_sans", Form::new("name", "a DNS name, IP address, e-mail address or URI"), name).list();
    MIN_VERSION: Key<TlsVersion> = Key::word("tls_server_config.min_version").default("TLS12");
    MAX_VERSION: Key<TlsVersion> = Key::word("tls_server_config.max_version").default("TLS13");
    CIPHER_SUITES: Key<CipherSuite> = Key::word("tls_server_config.cipher_suites").list().default("[]");
    PREFER_SERVER: Key<bool> = Key::bool("tls_server_config.prefer_server_cipher_suites").default("true");
    CURVES: Key<Curve> = Key::word("tls_server_config.curve_preferences").list().default("[]");
}

fn name(text: &str) -> Result<String, String> {
    match text {
        "" => Err(String::new()),
        _ => Ok(text.to_owned()),
    }
}

impl TlsServer {
    /// The files that the section names.
    pub(super) fn files(section: &Section<'_>) -> impl Iterator<Item = PathBuf> {
        let names = [&CERT_FILE.info, &KEY_FILE.info, &CLIENT_CA_FILE.info];
        let files = names.map(|key| section.path_of_file(key.name()));
        files.into_iter().flatten()
    }

    /// `None` without TLS.
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let server = Self {
            certificates: one_of(section, &CERT, &CERT_FILE).unwrap_or_default(),
            key: one_of(section, &KEY, &KEY_FILE),
            client_auth: section
                .read_unless_blank(&CLIENT_AUTH_TYPE)
                .unwrap_or(ClientAuth::NoClientCert),
            client_ca: one_of(section, &CLIENT_CA, &CLIENT_CA_FILE).unwrap_or_default(),
            client_allowed_sans: section.read_list_unless_blank(&CLIENT_ALLOWED_SANS),
            min_version: section
                .read_unless_blank(&MIN_VERSION)
                .unwrap_or(TlsVersion::Tls12),
            max_version: section
                .read_unless_blank(&MAX_VERSION)
                .unwrap_or(TlsVersion::Tls13),
            cipher_suites: section
                .read_list_unless_blank(&CIPHER_SUITES)
                .unwrap_or_default(),
            prefer_server_cipher_suites: section.read_unless_blank(&PREFER_SERVER).unwrap_or(true),
            curves: section.read_list_unless_blank(&CURVES).unwrap_or_default(),
        };
        let has_cert = has_one_of(section, &CERT, &CERT_FILE);
        let has_key = has_one_of(section, &KEY, &KEY_FILE);
        if !has_cert && !has_key && section.is_blank() {
            return None;
        }
        if !has_cert {
            section.complain("without a certificate; give cert_file or cert".to_owned());
        }
        if !has_key {
            section.complain("without the key of the certificate; give key_file or key".to_owned());
        }
        server.refuse_contradictions(section);
        Some(server)
    }

    fn refuse_contradictions(&self, section: &Section<'_>) {
        let has_ca = has_one_of(section, &CLIENT_CA, &CLIENT_CA_FILE);
        if has_ca && self.client_auth == ClientAuth::NoClientCert {
            section.complain(
                "authorities of clients are given, but no client_auth_type; wanted `RequireAndVerifyClientCert`"
                    .to_owned(),
            );
        }
        if !has_ca && self.client_auth.verifies() {
            section.complain_of(
                CLIENT_AUTH_TYPE.info.name(),
                "certificates of clients cannot be verified without their authority; give client_ca_file or client_ca"
                    .to_owned(),
            );
        }
        if self.client_allowed_sans.is_some() && !self.client_auth.is_mandatory() {
            section.complain_of(
                CLIENT_ALLOWED_SANS.info.name(),
                "has no effect unless client_auth_type is `RequireAndVerifyClientCert` or `RequireAnyClientCert`"
                    .to_owned(),
            );
        }
        if self.min_version > self.max_version {
            section.complain_of(
                MIN_VERSION.info.name(),
                "found `TLS13`, newer than max_version, `TLS12`".to_owned(),
            );
        }
        let suites = &self.cipher_suites;
        if self.max_version == TlsVersion::Tls12
            && !suites.is_empty()
            && suites.iter().all(|suite| suite.is_of_tls13())
        {
            section.complain_of(
                CIPHER_SUITES.info.name(),
                "all of these are of TLS 1.3, which max_version excludes".to_owned(),
            );
        }
    }
}

fn has_one_of<T>(section: &Section<'_>, text: &Key<T>, file: &Key<T>) -> bool {
    [text, file].iter().any(|key| section.is_given(key))
}

fn one_of<T>(section: &Section<'_>, text: &Key<T>, file: &Key<T>) -> Option<T> {
    if section.is_given(text) && section.is_given(file) {
        let (text, file) = (text.info.name(), file.info.name());
        section.complain_of(
            text,
            format!("given together with {file}; keep one of them"),
        );
    }
    section
        .read_unless_blank(file)
        .or_else(|| section.read_unless_blank(text))
}
