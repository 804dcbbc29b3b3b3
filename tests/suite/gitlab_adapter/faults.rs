//! What goes wrong on the way, and what is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use job_failure_exporter::gitlab::{Client, Error, Options, Order, PipelineQuery};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::scripted::{Reply, Server, ok, reply};
use super::{Heard, client, options, page, pipeline_ids};

/// Asks once with a client of these options.
async fn ask(options: Options) -> Result<usize, Error> {
    let client = Client::new(options, Arc::new(())).unwrap();
    // The order for which there is no other one to try.
    let query = PipelineQuery {
        order: Order::Id,
        ..PipelineQuery::default()
    };
    let listing = client.pipelines(7, &query).await?;
    Ok(listing.items.len())
}

/// The error of a server that answers so every time, and how often it was asked.
async fn error_of(reply: Reply) -> (Error, usize) {
    let server = Server::start((0..9).map(|_| reply.clone())).await;
    let error = ask(options(&server.url(""))).await.unwrap_err();
    (error, server.paths().len())
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    for (fault, reason) in [
        (reply(500, "{}"), "server_error"),
        (reply(502, "<html>"), "server_error"),
        (reply(503, ""), "server_error"),
        (reply(504, ""), "server_error"),
        (reply(429, "Retry later"), "rate_limited"),
        (ok(&page(1..=50)).cut(), "truncated"),
        (ok(&page(1..=50)).gzipped().cut(), "truncated"),
        (ok(r#"[{"id":1,"#), "truncated"),
        (ok(""), "truncated"),
        (ok("<html>sign in</html>"), "invalid_json"),
        (ok("[]").closed(), "connection"),
        (ok("[]").reset(), "connection"),
    ] {
        let server = Server::start([fault, ok(&page([1]))]).await;
        let heard = Arc::new(Heard::default());
        let client = Client::new(options(&server.url("")), heard.clone()).unwrap();
        assert_eq!(pipeline_ids(&client).await, [1], "{reason}");
        let again = format!("pipelines again: {reason}");
        assert!(heard.lines().contains(&again), "{:?}", heard.lines());
    }
}

#[tokio::test]
async fn what_does_not_pass_by_itself_is_asked_once() {
    for (status, reason) in [
        (400, "refused"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
    ] {
        let (error, requests) = error_of(reply(status, "{}")).await;
        assert_eq!((error.reason(), requests), (reason, 1));
    }
}

#[tokio::test]
async fn missing_rights_are_explained_with_scope_and_project() {
    for (status, body, wanted) in [
        (
            401,
            r#"{"message":"401 Unauthorized"}"#,
            "the token is wrong, expired or revoked",
        ),
        (
            403,
            r#"{"error":"insufficient_scope"}"#,
            "(\"insufficient_scope\")",
        ),
        (
            404,
            r#"{"message":"404 Project Not Found"}"#,
            "does not exist or is hidden",
        ),
    ] {
        let server = Server::start([reply(status, body)]).await;
        let error = client(&server).project("group/app").await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("GET /api/v4/projects/group%2Fapp: 40"),
            "{text}"
        );
        for part in [wanted, "project group/app", "`read_api`"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[tokio::test]
async fn attempts_are_bounded_and_counted_in_the_message() {
    let (error, requests) =
        error_of(reply(500, r#"{"message":"500 Internal Server Error"}"#)).await;
    assert_eq!((requests, error.attempts()), (4, 4));
    assert!(
        error
            .to_string()
            .ends_with("GitLab has a problem (4 attempts)"),
        "{error}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_429_waits_as_long_as_gitlab_says() {
    let date = ("Date", "Tue, 05 Jan 2021 11:00:00 GMT");
    for (name, value) in [
        ("RateLimit-Reset", "1"),
        ("Retry-After", "1"),
        ("Retry-After", "Tue, 05 Jan 2021 11:00:01 GMT"),
        ("RateLimit-Reset", "1609844401"),
    ] {
        let limited = reply(429, "Retry later")
            .with(date.0, date.1)
            .with(name, value);
        let server = Server::start([limited, ok(&page([1]))]).await;
        let start = Instant::now();
        assert_eq!(pipeline_ids(&client(&server)).await, [1]);
        assert!(start.elapsed() >= Duration::from_secs(1), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_429_without_headers_backs_off() {
    let body = include_str!("../../data/gitlab/error_rate_limited_application.json");
    let server = Server::start([reply(429, body), reply(429, body), ok(&page([1]))]).await;
    assert_eq!(pipeline_ids(&client(&server)).await, [1]);
}

#[tokio::test]
async fn a_429_holds_the_other_requests_of_the_client_too() {
    let server = Server::start([reply(429, "").with("Retry-After", "1"), ok("[]")]).await;
    let mut options = options(&server.url(""));
    options.max_attempts = 1;
    let client = Client::new(options, Arc::new(())).unwrap();
    let start = Instant::now();
    let error = client.bridges(7, 70).await.unwrap_err();
    assert_eq!(error.reason(), "rate_limited");
    client.clone().bridges(7, 71).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.paths().len(), 2);
}

#[tokio::test]
async fn a_wait_longer_than_allowed_is_an_error_at_once_and_holds_what_follows() {
    let server = Server::start([reply(429, "").with("Retry-After", "500")]).await;
    let client = client(&server);
    let held_back = "not sent, because GitLab answered 429 Too Many Requests before: it is asked again in 500 s";
    for (sent, words) in [(1, "GitLab wants 500 s"), (0, held_back)] {
        let error = client.bridges(7, 70).await.unwrap_err();
        assert_eq!((error.reason(), error.attempts()), ("rate_limited", sent));
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_after_the_timeout() {
    let server = Server::start([ok("[]").silent(), ok(&page([1]))]).await;
    let mut options = options(&server.url(""));
    options.timeout = Duration::from_millis(150);
    assert_eq!(ask(options.clone()).await.unwrap(), 1);

    options.max_attempts = 1;
    server.then([ok("[]").silent()]);
    let error = ask(options).await.unwrap_err();
    assert_eq!(error.reason(), "timeout");
    assert!(
        error.to_string().contains("not answered within 0.15 s"),
        "{error}"
    );
}

#[tokio::test]
async fn a_gitlab_that_is_down_does_not_stop_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ask(options(&url)).await.unwrap_err();
    assert_eq!((error.reason(), error.attempts()), ("connection", 4));
    assert!(error.to_string().contains("is GitLab up"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(&format!("https://{}", listener.local_addr().unwrap()));
    options.max_attempts = 1;
    // As nginx answers on a port without TLS.
    let answering = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        connection.write_all(answer).await.unwrap();
        connection.shutdown().await.unwrap();
    };
    let (error, ()) = tokio::join!(ask(options), answering);
    let error = error.unwrap_err();
    assert!(
        error.to_string().contains("in place of https://"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let large = page(1..=100);
    for reply in [ok(&large), ok(&large).gzipped()] {
        let server = Server::start((0..9).map(|_| reply.clone())).await;
        let mut options = options(&server.url(""));
        options.max_response_bytes = 1000;
        let error = ask(options).await.unwrap_err();
        let sizes = server.paths().len();
        assert_eq!(
            (error.reason(), sizes),
            ("too_large", 5),
            "100, 50, 25, 5, 1"
        );
        assert!(error.to_string().contains("1000 bytes"), "{error}");
    }
}
