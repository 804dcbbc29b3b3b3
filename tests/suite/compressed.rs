//! Compressed documents, as the real program writes and reads them.

use std::fs;

use serde_json::{Value, json};
use testkit::daemon::{Place, holds, until};
use testkit::s3_servers::TestBucket;

use crate::state_import::{export, import, offline, offline_import, v2};

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A document whose text is longer than 64 KiB.
fn large() -> Value {
    let mut document = v2(50, 40);
    let job = document["jobs"]["build"].clone();
    let jobs = (0..60).map(|number| (format!("build {number}"), job.clone()));
    document["jobs"] = Value::Object(jobs.collect());
    document
}

fn bytes(place: &Place) -> Vec<u8> {
    fs::read(place.state().join("100/main.json")).unwrap()
}

#[tokio::test]
async fn a_large_document_is_compressed_and_every_command_reads_it() {
    let place = offline();
    import(&place, &large()).await;
    let packed = bytes(&place);
    assert!(
        packed.starts_with(&MAGIC) && packed.len() < 16 << 10,
        "{}",
        packed.len()
    );
    assert_eq!(export(&place, "datadog-v2").await, large());
    let shown = place.run(&["state", "show"]).await.done();
    assert!(shown.contains("build 59"), "{shown}");

    // A copy of the file, as a backup has it.
    let other = offline();
    let copy = place.state().join("100/main.json");
    let args = ["state", "import", copy.to_str().unwrap()];
    other.run(&args).await.done();
    assert_eq!(export(&other, "own").await, export(&place, "own").await);
}

#[tokio::test]
async fn a_compressed_document_that_was_changed_is_moved_aside() {
    let place = offline();
    import(&place, &large()).await;
    let mut packed = bytes(&place);
    packed[100] ^= 1;
    fs::write(place.state().join("100/main.json"), &packed).unwrap();
    import(&place, &json!({"pipeline_id": 1, "jobs": {}})).await;
    let aside = fs::read(place.state().join("100/main.json.broken-1")).unwrap();
    assert_eq!(aside, packed);
}

#[tokio::test]
async fn never_saves_compressed_documents_again_for_an_earlier_version() {
    let place = offline();
    import(&place, &large()).await;
    assert!(bytes(&place).starts_with(&MAGIC));
    place.reconfigure("store: {", "store: {compress: never, ");
    let daemon = place.start().await;
    until("a document as text", async || {
        let found = bytes(&place);
        holds(found.starts_with(b"{"), format!("{:?}", found.get(..9)))
    })
    .await;
    daemon.stop().await;
    let again = offline();
    again.reconfigure("store: {", "store: {compress: never, ");
    import(&again, &large()).await;
    let said = again
        .run(&offline_import(&again.state().join("100/main.json")))
        .await;
    assert!(said.refused().contains("give --force"));
    assert!(bytes(&again).starts_with(b"{"));
}

#[tokio::test]
async fn objects_in_a_bucket_are_compressed_merged_and_set_aside_like_files() {
    let bucket = TestBucket::create().await;
    let place = || {
        let (server, name) = (bucket.server, &bucket.name);
        Place::on_s3("http://127.0.0.1:9", "projects: [acme/app]", server, name)
    };
    let key = "state/100/main.json";
    let first = place();
    import(&first, &large()).await;
    let packed = bucket.get(key).await.unwrap();
    assert!(packed.starts_with(&MAGIC), "{:?}", packed.get(..9));
    assert_eq!(export(&place(), "datadog-v2").await, large());

    // A copy of the object, as a backup has it.
    let copy = first.config().with_file_name("copy.json");
    fs::write(&copy, &packed).unwrap();
    let other = offline();
    let args = ["state", "import", copy.to_str().unwrap()];
    other.run(&args).await.done();
    assert_eq!(export(&other, "own").await, export(&first, "own").await);

    // An object that was changed on its way.
    let mut broken = packed;
    broken[100] ^= 1;
    bucket.put(key, broken.clone()).await;
    import(&place(), &json!({"pipeline_id": 1, "jobs": {}})).await;
    let aside = bucket.keys().await;
    let aside: Vec<_> = aside.iter().filter(|it| it.contains("broken")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(bucket.get(aside[0]).await, Some(broken));

    // For an earlier version.
    bucket.remove(key).await;
    let plain = place();
    plain.reconfigure("store: {", "store: {compress: never, ");
    import(&plain, &large()).await;
    assert!(bucket.get(key).await.unwrap().starts_with(b"{"));
}
