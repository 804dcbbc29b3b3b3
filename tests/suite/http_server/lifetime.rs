//! The beginning and the end of the server.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use job_failure_exporter::base::listen_address::ListenAddress;
use job_failure_exporter::http::{BindError, Bound, Limits, Server};
use tokio::net::{TcpListener, TcpStream};

use super::{many_jobs, serving, slow_scrape};
use crate::http_serving::{Daemon, PATIENCE, Serving, read_to_close};
use crate::metrics_rows::timeline;

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

#[tokio::test]
async fn a_burst_of_connections_waits_to_be_accepted() {
    let bound = bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().unwrap();
    // What finds no room tries again after a second.
    let soon = Duration::from_millis(500);
    let connect = |_| std::net::TcpStream::connect_timeout(&address, soon);
    let waiting: Result<Vec<_>, _> = (0..300).map(connect).collect();
    assert_eq!(waiting.unwrap().len(), 300);
}
