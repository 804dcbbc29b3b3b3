//! Compressed documents, as the real program writes and reads them.

use std::fs;

use serde_json::{Value, json};
use testkit::daemon::{Place, holds, until};

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
