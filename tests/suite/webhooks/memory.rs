//! What senders choose takes no memory beyond the documented limits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitlab_simulator::{Options, start};
use testkit::daemon::{Daemon, Place};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::admission::{KEY, signature};
use super::{PROJECT, TOKEN, place};

const MIB: f64 = 1024.0 * 1024.0;

async fn resident(exporter: &Daemon) -> f64 {
    let samples = exporter.scrape().await;
    samples.value("process_resident_memory_bytes", &[]).unwrap() / MIB
}

#[tokio::test]
async fn a_body_in_chunks_of_one_byte_takes_no_multiple_of_its_size() {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let place = place(&gitlab, "groups: [{path: acme}]");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let before = resident(&exporter).await;
    let mut stream = TcpStream::connect(exporter.address()).await.unwrap();
    let head = format!(
        "POST /hooks/gitlab HTTP/1.1\r\nHost: exporter\r\nX-Gitlab-Token: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        TOKEN.replace(' ', "-")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // As many as a slow machine reads in the time that a request may take: 512 KiB. Kept apart, they take 20 MiB.
    let some = "1\r\n \r\n".repeat(16 * 1024);
    for _ in 0..32 {
        stream.write_all(some.as_bytes()).await.unwrap();
    }
    let during = resident(&exporter).await;
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let grown = during.max(resident(&exporter).await) - before;
    assert!(grown < 12.0, "{grown} MiB for a body of 512 KiB");
    exporter.stop().await;
}

#[tokio::test]
async fn long_ids_of_signed_hooks_are_not_kept() {
    const HOOKS: usize = 4000;
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let key = format!("whsec_{}\n", STANDARD.encode(KEY));
    std::fs::write(place.config().with_file_name("key"), key).unwrap();
    place.configure_also("webhooks: {gitlab: {signing_key_file: key}}\n");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let now = gitlab.with(|world| world.now().unix());
    let before = resident(&exporter).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/hooks/gitlab", exporter.address());
    let body = r#"{"object_kind":"push"}"#;
    for number in 0..HOOKS {
        let id = format!("{number:08000}");
        let signature = signature(&id, now, body);
        let request = client.post(&url).header("webhook-id", id);
        let request = request.header("webhook-timestamp", now.to_string());
        let sent = request.header("webhook-signature", signature).body(body);
        assert_eq!(sent.send().await.unwrap().status(), 202);
    }
    let grown = resident(&exporter).await - before;
    assert!(grown < 16.0, "{grown} MiB for {HOOKS} ids of 8,000 bytes");
    exporter.stop().await;
}
