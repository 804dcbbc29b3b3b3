//! Which webhooks are let in: recorded ones, signed ones, and none of strangers.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitlab_simulator::{Options, start};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use testkit::daemon::Place;

use super::{PROJECT, TOKEN, events, place, post};

pub(super) const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn every_recorded_hook_is_let_in_and_what_is_not_watched_is_ignored() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let place = place(&gitlab, "groups: [{path: acme}]");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let token = TOKEN.replace(' ', "-");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/webhooks");
    for path in testkit::daemon::folder(&folder) {
        if path.extension().is_some_and(|ending| ending == "json") {
            let body = std::fs::read(&path).unwrap();
            let status = post(&exporter, &[("X-Gitlab-Token", &token)], body).await;
            assert_eq!(status, 202, "{}", path.display());
        }
    }
    for body in ["", "nonsense", "[]"] {
        assert_eq!(
            post(&exporter, &[("X-Gitlab-Token", &token)], body).await,
            202
        );
    }
    events(&exporter, "job", "ignored", 4.0).await;
    events(&exporter, "pipeline", "ignored", 5.0).await;
    events(&exporter, "other", "ignored", 3.0).await;
    events(&exporter, "other", "invalid", 3.0).await;
    exporter.stop().await;
}

#[tokio::test]
async fn strangers_and_oversized_bodies_are_turned_away() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let place = place(&gitlab, "groups: [{path: acme}]");
    let exporter = place.start().await;
    let token = TOKEN.replace(' ', "-");
    let secret = [("X-Gitlab-Token", &*token)];
    assert_eq!(post(&exporter, &[], "{}").await, 401);
    assert_eq!(
        post(&exporter, &[("X-Gitlab-Token", "guess")], "{}").await,
        401
    );
    assert_eq!(post(&exporter, &secret, "{}").await, 202);
    let large = format!(
        "{{\"object_kind\":\"build\",\"x\":\"{}\"}}",
        "x".repeat(6 << 20)
    );
    assert_eq!(post(&exporter, &secret, large).await, 413);
    let (status, _) = exporter.get("/hooks/gitlab").await;
    assert_eq!(status, 405);
    events(&exporter, "other", "unauthorized", 2.0).await;
    events(&exporter, "other", "too_large", 1.0).await;
    assert!(!exporter.log().contains(&token), "{}", exporter.log());
    exporter.stop().await;
}

#[tokio::test]
async fn without_configuration_there_are_no_webhooks() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let exporter = place.start().await;
    assert_eq!(post(&exporter, &[], "{}").await, 404);
    exporter.stop().await;
}

pub(super) fn signature(id: &str, at: i64, body: &str) -> String {
    let mut code = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    code.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()))
}

#[tokio::test]
async fn a_signed_hook_counts_once_and_by_gitlabs_clock() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let key = format!("whsec_{}\n", STANDARD.encode(KEY));
    std::fs::write(place.config().with_file_name("key"), key).unwrap();
    place.configure_also("webhooks: {gitlab: {signing_key_file: key}}\n");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let now = gitlab.with(|world| world.now().unix());
    let body = r#"{"object_kind":"push"}"#;
    let send = async |id: &str, at: i64, body: &'static str, signature: &str| {
        let at = at.to_string();
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", &at),
            ("webhook-signature", signature),
        ];
        post(&exporter, &headers, body).await
    };
    let valid = signature("one", now, body);
    assert_eq!(send("one", now, body, &valid).await, 202);
    assert_eq!(send("one", now, body, &valid).await, 202);
    assert_eq!(send("two", now, body, &valid).await, 401);
    let old = signature("three", now - 400, body);
    assert_eq!(send("three", now - 400, body, &old).await, 401);
    assert_eq!(post(&exporter, &[], body).await, 401);
    events(&exporter, "other", "ignored", 1.0).await;
    events(&exporter, "other", "replayed", 1.0).await;
    events(&exporter, "other", "unauthorized", 3.0).await;
    exporter.stop().await;
}
