//! What is answered: kinds, headers, codings, methods and refusals.

use std::io::Read as _;

use job_failure_exporter::base::listen_address::ListenAddress;
use job_failure_exporter::http::{Hosts, Limits};
use reqwest::{Method, StatusCode};
use testkit::client;

use super::{many_jobs, serving};
use crate::http_serving::{Daemon, Serving};
use crate::metrics_rows::{failing, job};

#[tokio::test]
async fn every_route_answers_with_its_kind_and_the_security_headers() {
    let serving = serving(vec![job("unit", failing())]).await;
    for (path, status, kind, part) in [
        ("/", 200, "text/html; charset=utf-8", "job-failure-exporter"),
        (
            "/metrics",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "job_consecutive_failures{",
        ),
        ("/-/healthy", 200, "text/plain; charset=utf-8", "healthy\n"),
        ("/-/ready", 200, "text/plain; charset=utf-8", "ready\n"),
        ("/style.css", 200, "text/css; charset=utf-8", ":root"),
        (
            "/nothing",
            404,
            "text/html; charset=utf-8",
            "href=\"/metrics\"",
        ),
        ("/metrics/", 404, "text/html; charset=utf-8", "href=\"/\""),
        ("/api/v1/jbos", 404, "application/json", " /api/v1/jobs,"),
        (
            "/alerts",
            200,
            "text/html; charset=utf-8",
            "<h1>Alerts</h1>",
        ),
        (
            "/remediation",
            200,
            "text/html; charset=utf-8",
            "<h1>Remediation</h1>",
        ),
        (
            "/api/v1/job?project=group/app&ref=main&job_name=unit",
            200,
            "application/json",
            "\"alerting\":null",
        ),
        (
            "/?falling=1",
            400,
            "text/html; charset=utf-8",
            "found the parameter `falling`, wanted q,",
        ),
        (
            "/jobs/group/app/-/main/-/unit?tracks=x",
            400,
            "text/plain; charset=utf-8",
            "wanted track\n",
        ),
        (
            "/api/v1/jobs?branch=x",
            400,
            "application/json",
            "{\"error\":\"found the parameter `branch`, wanted q,",
        ),
        (
            "/api/v1/remediations?ref=x",
            400,
            "application/json",
            "wanted project\"}",
        ),
        (
            "/metrics?x=y",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "job_",
        ),
    ] {
        let answer = serving.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], kind, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none';"),
            "{path}: {policy}"
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[tokio::test]
async fn readiness_says_what_is_waited_for() {
    let serving = serving(Vec::new()).await;
    *serving.daemon.waiting_for.lock().unwrap() = Some("3 projects not polled yet".to_owned());
    let answer = serving.get("/-/ready").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.text().await.unwrap(),
        "not ready: 3 projects not polled yet\n"
    );
    assert_eq!(serving.get("/-/healthy").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_scrape_is_compressed_only_for_a_client_that_wants_it() {
    let serving = serving(vec![job("unit", failing())]).await;
    let get = |accepted: &'static str| {
        let request = client().get(serving.url("/metrics"));
        request.header("Accept-Encoding", accepted).send()
    };
    let answer = get("gzip").await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["vary"], "Accept, Accept-Encoding");
    let gzip = answer.bytes().await.unwrap();
    let mut text = String::new();
    flate2::bufread::GzDecoder::new(&*gzip)
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("job_name=\"unit\"}"), "{text}");
    let answer = get("gzip;q=0, identity").await.unwrap();
    assert!(!answer.headers().contains_key("content-encoding"));
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .starts_with("# HELP job_consecutive_failures ")
    );
}

#[tokio::test]
async fn pages_and_json_are_compressed_for_clients_that_want_it() {
    let serving = serving(many_jobs()).await;
    for path in ["/", "/api/v1/jobs", "/style.css"] {
        let get = |accepted: &'static str| {
            let request = client().get(serving.url(path));
            request.header("Accept-Encoding", accepted).send()
        };
        let plain = get("identity").await.unwrap();
        assert_eq!(plain.headers()["vary"], "Accept-Encoding", "{path}");
        assert!(!plain.headers().contains_key("content-encoding"), "{path}");
        let plain = plain.text().await.unwrap();
        let answer = get("br, gzip").await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{path}");
        let gzip = answer.bytes().await.unwrap();
        assert!(gzip.len() * 2 < plain.len(), "{path}");
        let mut text = String::new();
        let mut decoder = flate2::bufread::GzDecoder::new(&*gzip);
        decoder.read_to_string(&mut text).unwrap();
        assert_eq!(text, plain, "{path}");
    }
}

#[tokio::test]
async fn browsers_find_an_icon() {
    let serving = serving(Vec::new()).await;
    let answer = serving.get("/favicon.ico").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "image/x-icon");
    let icon = answer.bytes().await.unwrap();
    assert_eq!(&icon[..6], [0, 0, 1, 0, 1, 0], "the head of an icon file");
}

#[tokio::test]
async fn a_head_request_gets_the_headers_alone() {
    let serving = serving(vec![job("unit", failing())]).await;
    for path in ["/", "/metrics", "/-/healthy", "/-/ready"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = serving.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let serving = serving(Vec::new()).await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = client()
            .request(method, serving.url("/metrics"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
    }
}

#[tokio::test]
async fn a_request_for_the_name_of_another_site_is_refused() {
    let address = ListenAddress::parse("127.0.0.1:0").unwrap();
    let daemon = Daemon::default();
    let hosts = Hosts::new(&address, None);
    let serving = Serving::start_for(daemon, Limits::default(), Some(hosts)).await;
    for path in ["/", "/metrics", "/api/v1/jobs", "/actions/retry"] {
        let request = client().get(serving.url(path));
        let answer = request.header("host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("`evil.example`, wanted localhost"), "{text}");
        assert!(text.contains("web.external_url"), "{text}");
    }
    assert_eq!(serving.get("/metrics").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_search_beyond_its_bounds_is_refused_with_them() {
    let serving = serving(vec![job("unit", failing())]).await;
    let words = "j+".repeat(1_900);
    for path in ["/?q=", "/api/v1/jobs?q="] {
        let answer = serving.get(&format!("{path}{words}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = answer.text().await.unwrap();
        assert!(text.contains("at most 256"), "{text}");
    }
    let answer = serving.get("/?q=u+n+i+t+g+r+o+p").await;
    assert_eq!(answer.status(), StatusCode::OK);
}
