//! Prometheus, curl and the own commands as clients.

use std::path::Path;

use testkit::daemon::{holds, until};
use tokio::process::Command;

use super::site::{Site, TLS, users};
use crate::monitoring::Tool;

const VERIFIED: &str = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
     client_allowed_sans: [prometheus.example]\n";

/// A server that wants a certificate and a password.
async fn guarded() -> Site {
    let site = Site::start(&format!("{TLS}{VERIFIED}{}", users(&[("alice", "secret")]))).await;
    let signed = site.authority.client("prometheus.example");
    site.write("client.crt", &signed.certificate);
    site.write("client.key", &signed.key);
    site.write("password", "secret\n");
    site.write("wrong-password", "guessed\n");
    site
}

#[tokio::test]
async fn prometheus_scrapes_with_a_certificate_and_a_password() {
    let site = guarded().await;
    let job = |name: &str, login: &str, certificate: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    {login}\n    \
             tls_config: {{ca_file: ca.crt{certificate}}}\n    \
             static_configs: [{{targets: ['{}']}}]\n",
            site.serving.address
        )
    };
    let certificate = ", cert_file: client.crt, key_file: client.key";
    let user = "basic_auth: {username: alice, password_file: password}";
    let jobs = [
        job("both", user, certificate),
        job("no-certificate", user, ""),
        job("no-user", "honor_labels: true", certificate),
        job(
            "wrong",
            "basic_auth: {username: alice, password_file: wrong-password}",
            certificate,
        ),
    ];
    let config = format!(
        "global: {{scrape_interval: 200ms}}\nscrape_configs:\n{}",
        jobs.concat()
    );
    let config = site.write("prometheus.yml", &config);
    let prometheus = Tool::start("prometheus", |address| {
        vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", site.file("data").display()),
            format!("--web.listen-address={address}"),
        ]
    })
    .await;
    until("scrapes of all jobs", async || {
        let all = prometheus.query("count(up)").await;
        let own = prometheus.query("up{job=\"both\"}").await;
        holds(all == [4.0] && own == [1.0], format!("{all:?} {own:?}"))
    })
    .await;
    assert_eq!(prometheus.query("sum(up)").await, [1.0]);
    let failures = prometheus
        .query("count(job_consecutive_failures{job=\"both\"})")
        .await;
    assert_eq!(failures, [1.0]);
}

async fn curl(site: &Site, args: &[&str]) -> (bool, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "--max-time",
            "20",
        ])
        .args(["--write-out", "\n%{http_version} %{response_code}\n"])
        .args(args)
        .arg(site.url("/-/healthy"))
        .current_dir(site.folder.path())
        .output()
        .await
        .expect("curl is in PATH; run: make install-tools");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn curl_is_served_and_told_why_it_is_not() {
    let site = guarded().await;
    let trusting = ["--cacert", "ca.crt"];
    let certificate = ["--cert", "client.crt", "--key", "client.key"];
    let user = ["--user", "alice:secret"];
    let (ok, text) = curl(&site, &[&trusting[..], &certificate, &user].concat()).await;
    assert!(
        ok && text.contains("healthy") && text.contains("2 200"),
        "{text}"
    );
    let old = ["--http1.1", "--tls-max", "1.2"];
    let (ok, text) = curl(&site, &[&trusting[..], &certificate, &user, &old].concat()).await;
    assert!(ok && text.contains("1.1 200"), "{text}");
    let (ok, text) = curl(&site, &[&trusting[..], &certificate].concat()).await;
    assert!(!ok && text.contains("401"), "{text}");
    let (ok, text) = curl(&site, &[&trusting[..], &user].concat()).await;
    assert!(!ok && text.contains("certificate required"), "{text}");
    let (ok, text) = curl(&site, &[&certificate[..], &user].concat()).await;
    assert!(!ok && text.contains("certificate"), "{text}");
    let outdated = ["--tls-max", "1.1"];
    let (ok, _) = curl(
        &site,
        &[&trusting[..], &certificate, &user, &outdated].concat(),
    )
    .await;
    assert!(!ok);
}

#[tokio::test]
async fn the_own_commands_go_through_tls_and_users() {
    let site = guarded().await;
    let url = site.url("");
    let run = async |more: &[&str]| {
        let output = Command::new(Path::new(env!("CARGO_BIN_EXE_job-failure-exporter")))
            .args(["circuit", "list", "--exporter.url", &url])
            .args(more)
            .current_dir(site.folder.path())
            .output()
            .await
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let trusting = ["--exporter.ca-file", "ca.crt"];
    let certificate = [
        "--exporter.cert-file",
        "client.crt",
        "--exporter.key-file",
        "client.key",
    ];
    let user = [
        "--exporter.user",
        "alice",
        "--exporter.password-file",
        "password",
    ];
    let text = run(&[&trusting[..], &certificate, &user].concat()).await;
    assert!(text.contains("no circuit is open"), "{text}");
    let text = run(&[&trusting[..], &certificate].concat()).await;
    assert!(
        text.contains("asks for a user") && text.contains("--exporter.user"),
        "{text}"
    );
    for (missing, part) in [
        ([&trusting[..], &user].concat(), "no answer"),
        ([&certificate[..], &user].concat(), "certificate"),
        (
            vec!["--exporter.ca-file", "password"],
            "password has no certificate, wanted PEM",
        ),
        (
            vec!["--exporter.ca-file", "no-such-file"],
            "cannot read no-such-file",
        ),
    ] {
        let text = run(&missing).await;
        assert!(text.contains(part), "{missing:?}: {text}");
    }
}
