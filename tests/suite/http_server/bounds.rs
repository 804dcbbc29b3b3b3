//! Bounds on what a client takes: size, time and connections.

use std::time::Duration;

use job_failure_exporter::http::Limits;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::{hasty, many_jobs, serving, serving_with, slow_scrape};
use crate::http_serving::{Daemon, PATIENCE, Serving, read_to_close};
use crate::metrics_rows::timeline;

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_and_the_next_one_answered() {
    let serving = serving(Vec::new()).await;
    let long = "x".repeat(5_000);
    let longer = "x".repeat(40_000);
    let crowd = "A: b\r\n".repeat(200);
    for (request, status) in [
        (
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n".to_owned(),
            "413 ",
        ),
        (
            format!("GET /?q={long} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "414 ",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nA: {longer}\r\n\r\n"),
            "431 ",
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{crowd}\r\n"), "431 "),
        ("NONSENSE\r\n\r\n".to_owned(), "400 "),
    ] {
        let answer = serving.raw(request.as_bytes()).await;
        let wanted = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&wanted), "{status}: {answer}");
        assert_eq!(serving.text("/-/healthy").await, "healthy\n");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let serving = Serving::start(Daemon::default(), hasty()).await;
    let mut stream = serving.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    let answer = read_to_close(&mut stream).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let daemon = || Daemon {
        timelines: vec![timeline("group/app", "main", many_jobs())],
        ..Daemon::default()
    };
    let patient = Serving::start(daemon(), Limits::default()).await;
    let whole = patient.text("/metrics").await.len();
    let serving = Serving::start(daemon(), hasty()).await;
    let mut stream = slow_scrape(&serving).await;
    // Nothing shows from outside that the time is over but that the server closes.
    let closed = async {
        while stream.write_all(b"\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    assert!(read_to_close(&mut stream).await.len() < whole);
}

const STATUS_PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const HEALTHY: &[u8] = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn silent_connections_make_room_for_a_request() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let serving = Serving::start(Daemon::default(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(serving.connect().await);
    }
    let answer = serving.raw(HEALTHY).await;
    assert!(answer.ends_with("ealthy\n"), "{answer}");
    // The oldest ones were closed.
    assert_eq!(read_to_close(&mut silent[0]).await, "");
}

/// Asks for all jobs with next to no room for the answer.
async fn slow_list(serving: &Serving) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(serving.address).await.unwrap();
    let request = b"GET /api/v1/jobs?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream
}

#[tokio::test]
async fn scrapes_and_probes_get_through_while_all_connections_are_busy() {
    let limits = Limits {
        connections: 4,
        reserved_connections: 2,
        ..Limits::default()
    };
    let serving = serving_with(many_jobs(), limits).await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = slow_list(&serving).await;
        let mut first = [0; 15];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        busy.push(stream);
    }
    let mut refused = serving.connect().await;
    refused.write_all(STATUS_PAGE).await.unwrap();
    for path in ["/-/healthy", "/-/ready", "/metrics"] {
        let answer = serving.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let answer = read_to_close(&mut refused).await;
    let is_refused = answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n");
    // One of the four may have stalled for a second meanwhile.
    assert!(
        is_refused || answer.starts_with("HTTP/1.1 200 "),
        "{answer}"
    );
}

#[tokio::test]
async fn of_clients_that_do_not_read_their_answers_the_slowest_are_cut_for_others() {
    let limits = Limits {
        held_bytes: 3 << 20,
        ..Limits::default()
    };
    let serving = serving_with(many_jobs(), limits).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(slow_list(&serving).await);
    }
    let answered = async {
        loop {
            let answer = serving.get("/api/v1/jobs?limit=1000").await;
            if answer.status() == StatusCode::OK {
                break answer.text().await.unwrap();
            }
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()["retry-after"], "5");
        }
    };
    let text = tokio::time::timeout(PATIENCE, answered).await.unwrap();
    assert!(text.ends_with("\"tracked\":800}\n"), "{}", text.len());
    let counted = serving.text("/metrics").await;
    let bytes = "job_failure_exporter_http_limited_total{limit=\"bytes\"} ";
    let (_, count) = counted.split_once(bytes).unwrap();
    assert_ne!(count.lines().next(), Some("0"));
}

#[tokio::test]
async fn a_connection_that_never_sends_a_request_is_closed_early() {
    let limits = Limits {
        first_head_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let serving = Serving::start(Daemon::default(), limits).await;
    let mut silent = serving.connect().await;
    assert_eq!(read_to_close(&mut silent).await, "");
}

#[tokio::test]
async fn of_many_clients_that_do_not_read_their_page_the_oldest_are_cut() {
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", many_jobs())],
        ..Daemon::default()
    };
    let limits = Limits {
        pages: 2,
        ..Limits::default()
    };
    let serving = Serving::start(daemon, limits).await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        slow.push(slow_scrape(&serving).await);
    }
    // A scrape of each moment cuts one that has not progressed for a second.
    let cut = async {
        while slow[0].write_all(b"\r\n").await.is_ok() {
            serving.text("/metrics").await;
        }
    };
    tokio::time::timeout(PATIENCE, cut).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n0\r\n\r\n") {
        let part = tokio::time::timeout(PATIENCE, slow[2].read_buf(&mut read)).await;
        assert_ne!(part.unwrap().unwrap(), 0, "the newest was cut as well");
    }
}
