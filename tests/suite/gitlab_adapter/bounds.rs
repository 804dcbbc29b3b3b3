//! What a list may have: bytes of all its pages, and records on one page.

use std::sync::Arc;

use job_failure_exporter::gitlab::{Client, PipelineQuery};

use super::scripted::{Reply, Server, ok};
use super::{Heard, client, options, page};

fn jobs(first: u64, last: u64) -> String {
    let record = |id| format!(r#"{{"id":{id},"name":"job {id}","status":"failed"}}"#);
    let records: Vec<String> = (first..=last).rev().map(record).collect();
    format!("[{}]", records.join(","))
}

/// Pages that have as many bytes as are allowed, and would go on.
fn endless(body: &str) -> impl Iterator<Item = Reply> {
    let page = |number: u32, body: &str| ok(body).with("X-Next-Page", (number + 1).to_string());
    let body = body.to_owned();
    (1..=3).map(move |number| {
        page(
            number,
            &body.replace("\"id\":", &format!("\"id\":{number}")),
        )
    })
}

async fn bounded(body: &str) -> (Server, Client, Arc<Heard>) {
    let server = Server::start(endless(body)).await;
    let mut options = options(&server.url(""));
    options.max_listing_bytes = 2 * body.len();
    let heard = Arc::new(Heard::default());
    let client = Client::new(options, heard.clone()).unwrap();
    (server, client, heard)
}

#[tokio::test]
async fn of_the_jobs_of_a_pipeline_the_newest_are_read_and_the_others_are_said_to_miss() {
    let (server, client, heard) = bounded(&jobs(100, 199)).await;
    let found = client.pipeline_jobs(7, 1).await.unwrap();
    assert!(found.is_cut && found.running_time.is_none());
    assert_eq!(found.jobs.items.len(), 200);
    assert_eq!(server.paths().len(), 2);
    let cut = "cut: pipeline 1 of project 7".to_owned();
    assert!(heard.lines().contains(&cut), "{:?}", heard.lines());
}

#[tokio::test]
async fn a_list_that_is_of_use_only_as_a_whole_is_an_error_that_names_the_limit() {
    let body = page(100..=199);
    let (server, client, _) = bounded(&body).await;
    let error = client.pipelines(7, &PipelineQuery::default()).await;
    let error = error.unwrap_err();
    assert_eq!(error.reason(), "listing_too_large");
    assert!(
        error.to_string().contains("`limits.listing_bytes`"),
        "{error}"
    );
    assert!(!error.is_retryable() && !error.is_refusal());
    assert_eq!(server.paths().len(), 2);

    let schedule = r#"[{"id":1,"ref":"main","active":true}]"#;
    let (_server, client, _) = bounded(schedule).await;
    let error = client.schedules(7).await.unwrap_err();
    assert_eq!(error.reason(), "listing_too_large");

    let project = r#"[{"id":1,"path_with_namespace":"acme/shop"}]"#;
    let (_server, client, _) = bounded(project).await;
    let error = client.group_projects("acme", true).await.unwrap_err();
    assert_eq!(error.reason(), "listing_too_large");
}

#[tokio::test]
async fn a_list_that_ends_with_the_last_byte_allowed_is_whole() {
    let body = page(1..=9);
    let server = Server::start([ok(&body)]).await;
    let mut options = options(&server.url(""));
    options.max_listing_bytes = body.len();
    let client = Client::new(options, Arc::new(())).unwrap();
    let listing = client.pipelines(7, &PipelineQuery::default()).await;
    assert_eq!(listing.unwrap().items.len(), 9);
}

#[tokio::test]
async fn a_page_of_countless_records_is_refused() {
    for record in ["{}", "0", r#"{"id":1}"#, "[]"] {
        let records = vec![record; 10_001].join(",");
        let server = Server::start([ok(&format!("[{records}]"))]).await;
        let error = client(&server).pipeline_jobs(7, 1).await.unwrap_err();
        assert!(
            error.to_string().contains("more than 10000 records"),
            "{error}"
        );
    }
}
