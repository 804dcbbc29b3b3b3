//! TLS, users and headers of the server, by `web.config_file`, with real clients.

pub(crate) mod certificates;
mod changes;
mod clients;
pub(crate) mod site;
mod tls;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use job_failure_exporter::http::Limits;
use reqwest::{Client, StatusCode};

use self::site::{Site, TLS, users};
use testkit::client;

async fn status(client: &Client, url: String, login: Option<(&str, &str)>) -> StatusCode {
    let mut request = client.get(url);
    if let Some((user, password)) = login {
        request = request.basic_auth(user, Some(password));
    }
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn every_page_needs_the_password_of_a_user() {
    let site = Site::start(&format!(
        "{TLS}{}",
        users(&[("alice", "secret"), ("bob", "other")])
    ))
    .await;
    let client = site.client().build().unwrap();
    for path in [
        "/",
        "/metrics",
        "/api/v1/jobs",
        "/-/healthy",
        "/-/ready",
        "/no/such/page",
    ] {
        for login in [
            None,
            Some(("alice", "other")),
            Some(("alice", "")),
            Some(("eve", "secret")),
            Some(("", "")),
        ] {
            let status = status(&client, site.url(path), login).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {login:?}");
        }
        let status = status(&client, site.url(path), Some(("alice", "secret"))).await;
        assert_ne!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for given in [
        "Bearer secret",
        "Basic",
        "Basic ???",
        "Basic YWxpY2U=",
        "basic YWxpY2U6b3RoZXI=",
    ] {
        let asked = client.get(site.url("/")).header(AUTHORIZATION, given);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{given}");
        let wanted = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(wanted.starts_with("Basic realm="), "{wanted}");
        assert!(answer.headers().contains_key("content-security-policy"));
    }
}

#[tokio::test]
async fn users_work_without_tls_and_a_webhook_needs_none() {
    let site = Site::start(&users(&[("alice", "secret")])).await;
    let url = |path| site.serving.url(path);
    let refused = status(&client(), url("/metrics"), None).await;
    assert_eq!(refused, StatusCode::UNAUTHORIZED);
    let login = Some(("alice", "secret"));
    assert_eq!(
        status(&client(), url("/metrics"), login).await,
        StatusCode::OK
    );
    let hook = client().post(url("/hooks/gitlab")).body("{}").send().await;
    assert_eq!(hook.unwrap().status(), StatusCode::ACCEPTED);
    // Nobody may ask for actions here, so these paths are as closed as all others.
    let act = client().put(url("/api/v1/retry")).body("{}").send().await;
    assert_eq!(act.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn configured_headers_replace_the_built_in_ones_also_where_a_request_is_refused() {
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: default-src 'self'\n    X-XSS-Protection: ''\n";
    let site = Site::start(&format!("{headers}{}", users(&[("alice", "secret")]))).await;
    let answer = site.serving.get("/metrics").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let header = |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap());
    assert_eq!(header("x-frame-options"), Some("deny"));
    assert_eq!(
        header("content-security-policy"),
        Some("default-src 'self'")
    );
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert_eq!(header("x-xss-protection"), None);
}

#[tokio::test]
async fn requests_beyond_the_rate_limit_are_refused() {
    let site = Site::start("rate_limit: {interval: 1h, burst: 2}\n").await;
    for expected in [200, 200, 429, 429] {
        let answer = site.serving.get("/-/healthy").await;
        assert_eq!(answer.status(), expected);
    }
}

#[tokio::test]
async fn a_slow_handshake_ends_at_its_deadline_and_makes_room_for_others() {
    let limits = Limits {
        connections: 2,
        first_head_timeout: std::time::Duration::from_millis(500),
        ..Limits::default()
    };
    let site = Site::start_with(TLS, limits).await;
    // The head of a ClientHello whose rest never comes, nothing at all, and half a request in clear text.
    for begun in [&b"\x16\x03\x01\x02\x00\x01"[..], b"", b"\x16"] {
        assert_eq!(site.serving.raw(begun).await, "");
    }
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(site.serving.connect().await);
    }
    let client = site.client().build().unwrap();
    assert_eq!(
        status(&client, site.url("/-/healthy"), None).await,
        StatusCode::OK
    );
}
