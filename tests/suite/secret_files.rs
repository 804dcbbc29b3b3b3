//! Files with secrets that are replaced while the exporter runs: of webhooks and of S3.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitlab_simulator::{Options, start};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::state_on_s3::all_is_saved;
use testkit::client;
use testkit::daemon::{Daemon, Place, gitlab, holds, minutes, until};
use testkit::s3_servers::{KEY, Rclone, SECRET};

const FIRST: &str = "first-secret-of-the-hook";
const SECOND: &str = "second-secret-of-the-hook";
const BODY: &str = r#"{"object_kind":"push"}"#;

/// The status of the answer to a webhook with this token.
async fn with_token(daemon: &Daemon, token: &str) -> u16 {
    let url = format!("http://{}/hooks/gitlab", daemon.address());
    let request = client()
        .post(url)
        .header("X-Gitlab-Token", token)
        .body(BODY);
    request.send().await.unwrap().status().as_u16()
}

/// The status of the answer to a webhook that is signed with this key.
async fn signed(daemon: &Daemon, key: &[u8], id: &str, now: i64) -> u16 {
    let mut code = Hmac::<Sha256>::new_from_slice(key).unwrap();
    code.update(format!("{id}.{now}.{BODY}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()));
    let url = format!("http://{}/hooks/gitlab", daemon.address());
    let request = client()
        .post(url)
        .header("webhook-id", id)
        .header("webhook-timestamp", now.to_string())
        .header("webhook-signature", signature)
        .body(BODY);
    request.send().await.unwrap().status().as_u16()
}

async fn takes(daemon: &Daemon, token: &str) {
    until("the secret", async || {
        let status = with_token(daemon, token).await;
        holds(status == 202, status)
    })
    .await;
}

/// As Kubernetes and `mv` do.
fn replace(path: &PathBuf, text: impl AsRef<[u8]>) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[tokio::test]
async fn a_replaced_secret_of_a_webhook_is_taken_and_the_former_one_is_refused() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project("acme/shop"));
    let place = Place::new(gitlab.url(), "projects: [acme/shop]");
    let [all, one] = ["of-all", "of-one"].map(|name| place.config().with_file_name(name));
    fs::write(&all, FIRST).unwrap();
    fs::write(&one, "secret-of-the-project").unwrap();
    place.configure_also(
        "webhooks: {gitlab: {token_file: of-all, secrets: [{project: acme/shop, token_file: of-one}]}}\n",
    );
    let daemon = place.start().await;
    assert_eq!(with_token(&daemon, FIRST).await, 202);
    assert_eq!(with_token(&daemon, SECOND).await, 401);

    replace(&all, SECOND);
    takes(&daemon, SECOND).await;
    assert_eq!(with_token(&daemon, FIRST).await, 401);
    assert_eq!(with_token(&daemon, "secret-of-the-project").await, 202);
    replace(&one, "another-one-of-the-project");
    takes(&daemon, "another-one-of-the-project").await;
    let log = daemon.log();
    assert_eq!(log.matches("has been replaced").count(), 2, "{log}");
    for secret in [FIRST, SECOND, "another-one"] {
        assert!(!log.contains(secret), "{log}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_secret_file_that_is_empty_missing_or_bad_leaves_the_last_secret_and_says_so_once() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project("acme/shop"));
    let place = Place::new(gitlab.url(), "projects: [acme/shop]");
    let file = place.config().with_file_name("hook-token");
    fs::write(&file, FIRST).unwrap();
    place.configure_also("webhooks: {gitlab: {token_file: hook-token}}\n");
    let daemon = place.start().await;
    for (text, words) in [
        (Some(""), "is empty"),
        (Some("short"), "easy to guess"),
        (None, "is missing"),
    ] {
        match text {
            Some(text) => replace(&file, text),
            None => fs::remove_file(&file).unwrap(),
        }
        until(words, async || {
            assert_eq!(with_token(&daemon, FIRST).await, 202);
            let log = daemon.log();
            holds(log.contains(words), log)
        })
        .await;
    }
    fs::write(&file, FIRST).unwrap();
    until("the end of it", async || {
        assert_eq!(with_token(&daemon, FIRST).await, 202);
        holds(daemon.log().contains("can be read again"), daemon.log())
    })
    .await;
    let log = daemon.log();
    assert_eq!(log.matches("so the last one stays").count(), 3, "{log}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_replaced_signing_key_is_taken() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project("acme/shop"));
    let place = Place::new(gitlab.url(), "projects: [acme/shop]");
    let file = place.config().with_file_name("hook-key");
    let token = |key: [u8; 24]| format!("whsec_{}", STANDARD.encode(key));
    fs::write(&file, token([1; 24])).unwrap();
    place.configure_also("webhooks: {gitlab: {signing_key_file: hook-key}}\n");
    let daemon = place.start().await;
    daemon.is_ready().await;
    let now = || gitlab.with(|world| world.now().unix());
    assert_eq!(signed(&daemon, &[1; 24], "one", now()).await, 202);
    assert_eq!(signed(&daemon, &[2; 24], "two", now()).await, 401);
    replace(&file, token([2; 24]));
    until("the new key", async || {
        let status = signed(&daemon, &[2; 24], "three", now()).await;
        holds(status == 202, status)
    })
    .await;
    assert_eq!(signed(&daemon, &[1; 24], "four", now()).await, 401);
    daemon.stop().await;
}

#[tokio::test]
async fn replaced_credentials_of_s3_are_taken_and_a_broken_file_leaves_the_last_ones() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("ci-state")).unwrap();
    let rclone = Rclone::serve(&data);
    let file = folder.path().join("credentials");
    let profile = |secret: &str| {
        format!("[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n")
    };
    fs::write(&file, profile(SECRET)).unwrap();
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(3));
    let place = Place::on_s3(
        gitlab.url(),
        "projects: [acme/mobile]",
        &rclone.url,
        "ci-state",
    );
    let place = place.with_environment(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_SHARED_CREDENTIALS_FILE", &file.to_string_lossy()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_saved(&daemon).await;
    for (text, words) in [
        (
            profile("not-the-secret"),
            "the credentials are not accepted",
        ),
        (profile(SECRET), "saved again"),
        (String::new(), "so the last ones stay"),
    ] {
        replace(&file, text);
        until(words, async || {
            // Nothing is sent where nothing changes.
            gitlab.advance(Duration::from_secs(5));
            holds(daemon.log().contains(words), daemon.log())
        })
        .await;
    }
    gitlab.advance(minutes(1));
    all_is_saved(&daemon).await;
    let log = daemon.log();
    assert_eq!(log.matches("so the last ones stay").count(), 1, "{log}");
    let errors = log.lines().filter(|line| line.contains(" ERROR "));
    assert_eq!(errors.count(), 1, "{log}");
    assert!(!log.contains("not-the-secret"), "{log}");
    daemon.stop().await;
}
