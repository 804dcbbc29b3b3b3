//! TLS itself: versions, protocols and certificates of clients.

use http::Version;
use reqwest::StatusCode;

use super::certificates::{Authority, Signed};
use super::site::{Site, TLS};

#[tokio::test]
async fn a_client_chooses_http2_unless_it_is_off() {
    let site = Site::start(TLS).await;
    let client = site.client().build().unwrap();
    let old = site.client().http1_only().build().unwrap();
    for (client, version) in [(client, Version::HTTP_2), (old, Version::HTTP_11)] {
        for path in ["/metrics", "/", "/metrics"] {
            let answer = client.get(site.url(path)).send().await.unwrap();
            assert_eq!(
                (answer.status(), answer.version()),
                (StatusCode::OK, version)
            );
            assert!(answer.text().await.unwrap().contains("unit"));
        }
    }
    let site = Site::start(&format!("{TLS}http_server_config: {{http2: false}}\n")).await;
    let client = site.client().build().unwrap();
    let answer = client.get(site.url("/metrics")).send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
}

#[tokio::test]
async fn many_requests_at_once_over_http2_are_all_answered() {
    let site = Site::start(TLS).await;
    let client = site.client().build().unwrap();
    let requests = (0..50).map(|_| {
        let asked = client.get(site.url("/metrics")).send();
        tokio::spawn(async move { asked.await.unwrap().text().await.unwrap() })
    });
    for answer in requests.collect::<Vec<_>>() {
        assert!(answer.await.unwrap().contains("job_name=\"unit\""));
    }
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_told_to_use_https() {
    let site = Site::start(TLS).await;
    let answer = site
        .serving
        .raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.0 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("Use https://"), "{answer}");
}

/// Whether clients without a certificate and with each of these are served.
async fn served(site: &Site, certificates: &[&Signed]) -> Vec<bool> {
    let mut served = Vec::new();
    let all = certificates.iter().map(|signed| Some(signed.identity()));
    for identity in std::iter::once(None).chain(all) {
        let client = site.client();
        let client = match identity {
            Some(identity) => client.identity(identity),
            None => client,
        };
        let asked = client.build().unwrap().get(site.url("/metrics")).send();
        served.push(
            asked
                .await
                .is_ok_and(|answer| answer.status() == StatusCode::OK),
        );
    }
    served
}

#[tokio::test]
async fn each_client_auth_type_takes_its_certificates_and_no_others() {
    let foreign = Authority::new("another authority").client("prometheus.example");
    for (auth, expected) in [
        ("client_auth_type: NoClientCert", [true, true, true, true]),
        (
            "client_auth_type: RequestClientCert",
            [true, true, true, true],
        ),
        (
            "client_auth_type: RequireAnyClientCert",
            [false, true, true, true],
        ),
        (
            "client_auth_type: RequireClientCert",
            [false, true, true, true],
        ),
        (
            "client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt",
            [true, true, false, false],
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt",
            [false, true, false, false],
        ),
    ] {
        let site = Site::start(&format!("{TLS}  {auth}\n")).await;
        let own = site.authority.client("prometheus.example");
        let expired = site.authority.expired_client("prometheus.example");
        assert_eq!(
            served(&site, &[&own, &expired, &foreign]).await,
            expected,
            "{auth}"
        );
    }
}

#[tokio::test]
async fn a_certificate_needs_one_of_the_allowed_names() {
    let site = Site::start(&format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
         client_allowed_sans: [prometheus.example, 10.1.2.3]\n"
    ))
    .await;
    let [named, by_ip, other, longer] = [
        "prometheus.example",
        "10.1.2.3",
        "other.example",
        "x.prometheus.example",
    ]
    .map(|name| site.authority.client(name));
    let expected = [false, true, true, false, false];
    assert_eq!(
        served(&site, &[&named, &by_ip, &other, &longer]).await,
        expected
    );
}

#[tokio::test]
async fn a_suite_and_a_curve_that_clients_have_are_used() {
    for more in [
        "min_version: TLS13\n  curve_preferences: [CurveP384]",
        "max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
        "cipher_suites: [TLS_AES_128_GCM_SHA256]\n  prefer_server_cipher_suites: false",
    ] {
        let site = Site::start(&format!("{TLS}  {more}\n")).await;
        assert_eq!(served(&site, &[]).await, [true], "{more}");
    }
    let rsa = "max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]";
    let site = Site::start(&format!("{TLS}  {rsa}\n")).await;
    assert_eq!(
        served(&site, &[]).await,
        [false],
        "the certificate has no key of RSA"
    );
}
