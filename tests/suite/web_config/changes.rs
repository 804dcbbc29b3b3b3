//! Files that change while the server runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::StatusCode;
use testkit::daemon::{holds, until};

use super::certificates::Authority;
use super::site::{Site, TLS, trusting, users};
use super::status;

const LOADED: &str = "job_failure_exporter_web_config_last_load_successful";

#[tokio::test]
async fn the_next_connection_gets_a_rotated_certificate_and_no_request_fails_meanwhile() {
    let site = Site::start(TLS).await;
    let url = site.url("/metrics");
    let (stopped, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let traffic = tokio::spawn({
        let (stopped, count, url) = (stopped.clone(), count.clone(), url.clone());
        let client = site.client().build().unwrap();
        async move {
            while !stopped.load(Ordering::Relaxed) {
                let answer = client.get(&url).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                answer.bytes().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let new = Authority::new("the next authority");
    let fresh = || trusting(&new).pool_max_idle_per_host(0).build().unwrap();
    assert!(fresh().get(&url).send().await.is_err());
    site.rotate(&new.server());
    let answer = fresh().get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let seen = count.load(Ordering::Relaxed);
    until("traffic after the rotation", async || {
        let now = count.load(Ordering::Relaxed);
        holds(now > seen + 5, format!("{now} requests"))
    })
    .await;
    stopped.store(true, Ordering::Relaxed);
    traffic.await.unwrap();
}

#[tokio::test]
async fn users_change_with_the_next_request() {
    let site = Site::start(&users(&[("alice", "secret")])).await;
    let url = || site.serving.url("/metrics");
    let (old, new) = (Some(("alice", "secret")), Some(("bob", "other")));
    assert_eq!(status(&testkit::client(), url(), old).await, StatusCode::OK);
    assert_eq!(
        status(&testkit::client(), url(), new).await,
        StatusCode::UNAUTHORIZED
    );
    site.write("web.yml", &users(&[("bob", "other")]));
    assert_eq!(
        status(&testkit::client(), url(), old).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(status(&testkit::client(), url(), new).await, StatusCode::OK);
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_last_ones_in_force() {
    let site = Site::start(TLS).await;
    let old = site.client().pool_max_idle_per_host(0).build().unwrap();
    assert_eq!(site.metric(&old, LOADED).await, Some(1.0));
    let other = site.authority.server();
    for (name, broken) in [
        ("web.yml", "tls_server_config: ["),
        ("web.yml", "tls_server_config: {cert_file: tls.crt}"),
        ("web.yml", "unknown: 1"),
        // Half written.
        ("web.yml", ""),
        ("tls.crt", "no PEM"),
        ("tls.key", ""),
        // The certificate is replaced before its key.
        ("tls.crt", &other.certificate),
    ] {
        let whole = std::fs::read_to_string(site.file(name)).unwrap();
        site.write(name, broken);
        assert_eq!(
            site.metric(&old, LOADED).await,
            Some(0.0),
            "{name} {broken}"
        );
        site.write(name, &whole);
        assert_eq!(
            site.metric(&old, LOADED).await,
            Some(1.0),
            "{name} {broken}"
        );
    }
    std::fs::remove_file(site.file("tls.key")).unwrap();
    assert_eq!(site.metric(&old, LOADED).await, Some(0.0));
}
