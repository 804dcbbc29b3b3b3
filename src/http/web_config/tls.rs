//! The settings of `tls_server_config` for rustls.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::{self, cipher_suite as suites, kx_group as groups};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::client_certificates::verifier;
use crate::config::{CipherSuite, Curve, TlsServer, TlsVersion};

/// The error says what was found and what is wanted.
pub(super) fn acceptor(server: TlsServer, http2: bool) -> Result<TlsAcceptor, String> {
    let provider = Arc::new(provider(&server));
    let versions = versions(&server);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| format!("tls_server_config: {error}"))?;
    let builder = match verifier(&server, &provider)? {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let key = server
        .key
        .as_ref()
        .ok_or("tls_server_config: the key is missing")?;
    let mut config = builder
        .with_single_cert(server.certificates, key.der())
        .map_err(|error| {
            format!(
                "tls_server_config: the certificate and the key cannot be used: {error}; wanted a certificate and its own key"
            )
        })?;
    config.ignore_client_order = server.prefer_server_cipher_suites;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if http2 {
        config.alpn_protocols.insert(0, b"h2".to_vec());
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn provider(server: &TlsServer) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if !server.cipher_suites.is_empty() {
        let given = server.cipher_suites.iter();
        let given: Vec<_> = given.filter(|suite| !suite.is_of_tls13()).collect();
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some());
        provider
            .cipher_suites
            .extend(given.into_iter().map(|suite| of_suite(*suite)));
    }
    if !server.curves.is_empty() {
        provider.kx_groups = server.curves.iter().map(|curve| of_curve(*curve)).collect();
    }
    provider
}

fn versions(server: &TlsServer) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
    let allowed = server.min_version..=server.max_version;
    let versions = all
        .into_iter()
        .filter(|(version, _)| allowed.contains(version));
    versions.map(|(_, version)| version).collect()
}

fn of_suite(suite: CipherSuite) -> SupportedCipherSuite {
    match suite {
        CipherSuite::EcdheEcdsaAes128 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheEcdsaAes256 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheEcdsaChaCha20 => suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite::EcdheRsaAes128 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::EcdheRsaAes256 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::EcdheRsaChaCha20 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite::Tls13Aes128 => suites::TLS13_AES_128_GCM_SHA256,
        CipherSuite::Tls13Aes256 => suites::TLS13_AES_256_GCM_SHA384,
        CipherSuite::Tls13ChaCha20 => suites::TLS13_CHACHA20_POLY1305_SHA256,
    }
}

fn of_curve(curve: Curve) -> &'static dyn SupportedKxGroup {
    match curve {
        Curve::P256 => groups::SECP256R1,
        Curve::P384 => groups::SECP384R1,
        Curve::X25519 => groups::X25519,
        Curve::X25519MlKem768 => groups::X25519MLKEM768,
    }
}
