//! What proxies in front of GitLab do to its answers.

use std::sync::Arc;

use job_failure_exporter::gitlab::{Client, Order, PipelineQuery};

use super::scripted::{Reply, Server, ok, reply};
use super::{client, options, page, pipeline, pipeline_ids};

/// A page of a proxy.
fn html(status: u16) -> Reply {
    reply(status, "<!DOCTYPE html><title>Just a moment</title>").with("Content-Type", "text/html")
}

#[tokio::test]
async fn no_answer_of_a_proxy_is_a_fact_about_what_was_asked() {
    let faults = [520, 521, 524, 530, 501, 505, 511].map(|status| reply(status, ""));
    let pages = [200, 400, 401, 403, 404, 503, 520].map(html);
    let texts = [
        reply(404, "default backend - 404"),
        reply(403, "RBAC: access denied"),
    ];
    for fault in faults.into_iter().chain(pages).chain(texts) {
        let schedule = r#"[{"id":1,"ref":"main","active":true}]"#;
        let server = Server::start([fault.clone(), ok(schedule)]).await;
        let schedules = client(&server).schedules(7).await.unwrap();
        assert_eq!(schedules.items.len(), 1);
        let server = Server::start((0..9).map(|_| fault.clone())).await;
        let error = client(&server).bridges(7, 70).await.unwrap_err();
        assert!(error.is_retryable() && !error.is_refusal(), "{error}");
        assert!(!error.is_not_found() && !error.is_of_the_token(), "{error}");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_neither_a_log_nor_a_missing_one() {
    for fault in [html(200), html(404), html(403), reply(522, "")] {
        let server = Server::start([fault, ok("make: *** [test] Error 1\n")]).await;
        let log = client(&server).job_log(7, 70).await.unwrap().unwrap();
        assert!(log.bytes.starts_with(b"make"));
    }
    let refused = r#"{"message":"403 Forbidden"}"#;
    let server = Server::start([reply(403, refused), reply(404, "{}")]).await;
    let client = client(&server);
    let error = client.job_log(7, 70).await.unwrap_err();
    assert!(error.is_refusal() && !error.is_of_the_token(), "{error}");
    assert!(client.job_log(7, 71).await.unwrap().is_none());
}

#[tokio::test]
async fn full_pages_without_headers_about_pages_are_followed() {
    let server = Server::start([
        ok(&page(201..=300)),
        ok(&page(101..=200)),
        ok(&page(90..=100)),
    ])
    .await;
    assert_eq!(pipeline_ids(&client(&server)).await.len(), 211);
    let paths = server.paths();
    assert!(paths[1].ends_with("&per_page=100&page=2"), "{}", paths[1]);
    assert!(paths[2].ends_with("&per_page=100&page=3"), "{}", paths[2]);

    let repeating = Server::start((0..9).map(|_| ok(&page(1..=100)))).await;
    assert_eq!(pipeline_ids(&client(&repeating)).await.len(), 100);
    assert_eq!(repeating.paths().len(), 2, "pages are not numbered there");

    let last = ok(&page(1..=100)).with("X-Next-Page", "");
    let told = Server::start([last]).await;
    assert_eq!(pipeline_ids(&client(&told)).await.len(), 100);
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
    let size = page(151..=200).len() + 10;
    let server = Server::start([
        ok(&page(101..=200)),
        ok(&page(151..=200)).with("X-Next-Page", "2"),
        ok(&page(101..=150)).with("X-Next-Page", "3"),
        ok(&page(51..=100)).with("X-Next-Page", ""),
    ])
    .await;
    let mut options = options(&server.url(""));
    options.max_response_bytes = size;
    let client = Client::new(options, Arc::new(())).unwrap();
    assert_eq!(pipeline_ids(&client).await.len(), 150);
    let paths = server.paths();
    assert!(paths[1].ends_with("per_page=50"), "{}", paths[1]);
    assert!(paths[3].ends_with("per_page=50&page=3"), "{}", paths[3]);
    // The next time it begins with the size that fitted.
    server.then([ok("[]")]);
    assert!(pipeline_ids(&client).await.is_empty());
    assert!(server.paths()[4].ends_with("per_page=50"));
}

#[tokio::test]
async fn a_later_page_that_is_too_large_goes_on_where_it_began() {
    let long = pipeline(100).replace("main", &"x".repeat(10_000));
    let large = format!("[{long},{}", &page(1..=99)[1..]);
    let server = Server::start([
        ok(&page(101..=200)).with("X-Next-Page", "2"),
        ok(&large),
        ok(&page(51..=100)).with("X-Next-Page", "4"),
        ok(&page(1..=50)),
        ok("[]"),
    ])
    .await;
    let mut options = options(&server.url(""));
    options.max_response_bytes = 10_000;
    let client = Client::new(options, Arc::new(())).unwrap();
    assert_eq!(pipeline_ids(&client).await.len(), 200);
    let paths = server.paths();
    assert!(paths[2].ends_with("per_page=50&page=3"), "{}", paths[2]);
}

#[tokio::test]
async fn an_order_that_gitlab_refuses_or_cannot_keep_up_with_is_replaced_for_its_project() {
    let refused = r#"{"error":"order_by does not have a valid value"}"#;
    for (fault, attempts) in [
        (reply(400, refused), 1),
        (reply(500, "{}"), 4),
        (reply(524, ""), 4),
    ] {
        let server = Server::start((0..attempts).map(|_| fault.clone())).await;
        server.then([ok(&page([2])), ok(&page([3])), ok(&page([4]))]);
        let client = client(&server);
        assert_eq!(pipeline_ids(&client).await, [2]);
        assert_eq!(pipeline_ids(&client).await, [3]);
        let other = client.pipelines(8, &PipelineQuery::default()).await;
        assert_eq!(other.unwrap().items[0].id, 4);
        let paths = server.paths();
        let orders: Vec<bool> = paths.iter().map(|p| p.contains("order_by=id")).collect();
        let before = vec![false; attempts];
        assert_eq!(orders, [before, vec![true, true, false]].concat());
    }
}

#[tokio::test]
async fn a_gitlab_that_fails_in_any_order_is_no_reason_to_change_the_order() {
    let server = Server::start((0..8).map(|_| reply(500, "{}"))).await;
    let client = client(&server);
    let query = PipelineQuery::default();
    assert_eq!(query.order, Order::UpdatedAt);
    let error = client.pipelines(7, &query).await.unwrap_err();
    assert_eq!((error.reason(), server.paths().len()), ("server_error", 8));
    server.then([ok(&page([1]))]);
    assert_eq!(pipeline_ids(&client).await, [1]);
    assert!(server.paths()[8].contains("order_by=updated_at"));
}
