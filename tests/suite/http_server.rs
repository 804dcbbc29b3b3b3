//! The server over real HTTP.

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ci_history::JobRow;
use job_failure_exporter::base::listen_address::ListenAddress;
use job_failure_exporter::http::{BindError, Bound, Hosts, Limits, Server};
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use testkit::client;

use crate::http_serving::{Daemon, PATIENCE, Serving, read_to_close};
use crate::metrics_rows::{failing, job, timeline};

async fn serving(jobs: Vec<JobRow>) -> Serving {
    serving_with(jobs, Limits::default()).await
}

async fn serving_with(jobs: Vec<JobRow>, limits: Limits) -> Serving {
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", jobs)],
        ..Daemon::default()
    };
    Serving::start(daemon, limits).await
}

/// Limits with short times.
fn hasty() -> Limits {
    Limits {
        head_timeout: Duration::from_millis(200),
        request_timeout: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// A page that is larger than what the sockets' buffers take.
fn many_jobs() -> Vec<JobRow> {
    let long = "x".repeat(400);
    (0..800)
        .map(|n| job(&format!("{long}{n}"), failing()))
        .collect()
}

/// Asks for the plain metrics with next to no room for the answer, and reads its first bytes.
async fn slow_scrape(serving: &Serving) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(serving.address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn every_route_answers_with_its_kind_and_the_security_headers() {
    let serving = serving(vec![job("unit", failing())]).await;
    for (path, status, kind, part) in [
        ("/", 200, "text/html; charset=utf-8", "job-failure-exporter"),
        (
            "/metrics",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "job_consecutive_failures{",
        ),
        ("/-/healthy", 200, "text/plain; charset=utf-8", "healthy\n"),
        ("/-/ready", 200, "text/plain; charset=utf-8", "ready\n"),
        ("/style.css", 200, "text/css; charset=utf-8", ":root"),
        (
            "/nothing",
            404,
            "text/html; charset=utf-8",
            "href=\"/metrics\"",
        ),
        ("/metrics/", 404, "text/html; charset=utf-8", "href=\"/\""),
        ("/api/v1/jbos", 404, "application/json", " /api/v1/jobs,"),
        (
            "/alerts",
            200,
            "text/html; charset=utf-8",
            "<h1>Alerts</h1>",
        ),
        (
            "/remediation",
            200,
            "text/html; charset=utf-8",
            "<h1>Remediation</h1>",
        ),
        (
            "/api/v1/job?project=group/app&ref=main&job_name=unit",
            200,
            "application/json",
            "\"alerting\":null",
        ),
        (
            "/?falling=1",
            400,
            "text/html; charset=utf-8",
            "found the parameter `falling`, wanted q,",
        ),
        (
            "/jobs/group/app/-/main/-/unit?tracks=x",
            400,
            "text/plain; charset=utf-8",
            "wanted track\n",
        ),
        (
            "/api/v1/jobs?branch=x",
            400,
            "application/json",
            "{\"error\":\"found the parameter `branch`, wanted q,",
        ),
        (
            "/api/v1/remediations?ref=x",
            400,
            "application/json",
            "wanted project\"}",
        ),
        (
            "/metrics?x=y",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            "job_",
        ),
    ] {
        let answer = serving.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], kind, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none';"),
            "{path}: {policy}"
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[tokio::test]
async fn readiness_says_what_is_waited_for() {
    let serving = serving(Vec::new()).await;
    *serving.daemon.waiting_for.lock().unwrap() = Some("3 projects not polled yet".to_owned());
    let answer = serving.get("/-/ready").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.text().await.unwrap(),
        "not ready: 3 projects not polled yet\n"
    );
    assert_eq!(serving.get("/-/healthy").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_scrape_is_compressed_only_for_a_client_that_wants_it() {
    let serving = serving(vec![job("unit", failing())]).await;
    let get = |accepted: &'static str| {
        let request = client().get(serving.url("/metrics"));
        request.header("Accept-Encoding", accepted).send()
    };
    let answer = get("gzip").await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["vary"], "Accept-Encoding");
    let gzip = answer.bytes().await.unwrap();
    let mut text = String::new();
    flate2::bufread::GzDecoder::new(&*gzip)
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("job_name=\"unit\"}"), "{text}");
    let answer = get("gzip;q=0, identity").await.unwrap();
    assert!(!answer.headers().contains_key("content-encoding"));
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .starts_with("# HELP job_consecutive_failures ")
    );
}

#[tokio::test]
async fn pages_and_json_are_compressed_for_clients_that_want_it() {
    let serving = serving(many_jobs()).await;
    for path in ["/", "/api/v1/jobs", "/style.css"] {
        let get = |accepted: &'static str| {
            let request = client().get(serving.url(path));
            request.header("Accept-Encoding", accepted).send()
        };
        let plain = get("identity").await.unwrap();
        assert_eq!(plain.headers()["vary"], "Accept-Encoding", "{path}");
        assert!(!plain.headers().contains_key("content-encoding"), "{path}");
        let plain = plain.text().await.unwrap();
        let answer = get("br, gzip").await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{path}");
        let gzip = answer.bytes().await.unwrap();
        assert!(gzip.len() * 2 < plain.len(), "{path}");
        let mut text = String::new();
        let mut decoder = flate2::bufread::GzDecoder::new(&*gzip);
        decoder.read_to_string(&mut text).unwrap();
        assert_eq!(text, plain, "{path}");
    }
}

#[tokio::test]
async fn browsers_find_an_icon() {
    let serving = serving(Vec::new()).await;
    let answer = serving.get("/favicon.ico").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "image/x-icon");
    let icon = answer.bytes().await.unwrap();
    assert_eq!(&icon[..6], [0, 0, 1, 0, 1, 0], "the head of an icon file");
}

#[tokio::test]
async fn a_head_request_gets_the_headers_alone() {
    let serving = serving(vec![job("unit", failing())]).await;
    for path in ["/", "/metrics", "/-/healthy", "/-/ready"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = serving.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let serving = serving(Vec::new()).await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = client()
            .request(method, serving.url("/metrics"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
    }
}

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
async fn a_request_for_the_name_of_another_site_is_refused() {
    let address = ListenAddress::parse("127.0.0.1:0").unwrap();
    let daemon = Daemon::default();
    let hosts = Hosts::new(&address, None);
    let serving = Serving::start_for(daemon, Limits::default(), Some(hosts)).await;
    for path in ["/", "/metrics", "/api/v1/jobs", "/actions/retry"] {
        let request = client().get(serving.url(path));
        let answer = request.header("host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("`evil.example`, wanted localhost"), "{text}");
        assert!(text.contains("web.external_url"), "{text}");
    }
    assert_eq!(serving.get("/metrics").await.status(), StatusCode::OK);
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

#[tokio::test]
async fn a_search_beyond_its_bounds_is_refused_with_them() {
    let serving = serving(vec![job("unit", failing())]).await;
    let words = "j+".repeat(1_900);
    for path in ["/?q=", "/api/v1/jobs?q="] {
        let answer = serving.get(&format!("{path}{words}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = answer.text().await.unwrap();
        assert!(text.contains("at most 256"), "{text}");
    }
    let answer = serving.get("/?q=u+n+i+t+g+r+o+p").await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_shutdown_lets_a_running_scrape_end_and_takes_no_new_one() {
    let serving = serving(many_jobs()).await;
    let (address, idle) = (serving.address, serving.connect().await);
    let mut running = slow_scrape(&serving).await;
    let stopped = serving.stop();
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(!stopped.is_finished(), "ended with a scrape still running");
    let rest = read_to_close(&mut running).await;
    assert!(
        rest.ends_with("\r\n0\r\n\r\n"),
        "the page is cut: ..{}",
        &rest[rest.len() - 50..]
    );
    tokio::time::timeout(PATIENCE, stopped)
        .await
        .unwrap()
        .unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_shutdown_cuts_what_does_not_end_in_time() {
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", many_jobs())],
        ..Daemon::default()
    };
    let limits = Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    };
    let serving = Serving::start(daemon, limits).await;
    let mut stuck = slow_scrape(&serving).await;
    tokio::time::timeout(PATIENCE, serving.stop())
        .await
        .unwrap()
        .unwrap();
    assert!(!read_to_close(&mut stuck).await.ends_with("\r\n0\r\n\r\n"));
}

async fn bind(address: &str) -> Result<Bound, BindError> {
    Server::bind(&ListenAddress::parse(address).unwrap()).await
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = bind(&address).await.unwrap_err().to_string();
    let wanted = format!("cannot listen on `{address}`: Address already in use");
    assert!(error.starts_with(&wanted), "{error}");
    assert!(error.ends_with("with --web.listen-address"), "{error}");
}

#[tokio::test]
async fn an_address_without_a_host_listens_on_ipv4_and_ipv6() {
    let bound = bind(":0").await.unwrap();
    let address = bound.local_addr().unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, address.port()))
        .await
        .unwrap();
    if address.is_ipv6() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, address.port()))
            .await
            .unwrap();
    }
}
