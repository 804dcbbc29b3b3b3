//! Scrapes of all jobs, against the same bytes from memory.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use testkit::figures::{figure_of, median};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::static_page::StaticPage;
use crate::scene::{Scene, exporters};

/// Scrapes of each kind.
const SCRAPES: usize = 15;

/// Most times as long as the same bytes from memory: compressed and plain.
const FACTORS: [(&str, f64); 2] = [("gzip", 1.5), ("identity", 2.0)];

pub(super) async fn measure(scene: &Scene) -> bool {
    println!(
        "\n| exporter | coding | bytes | scrape | from memory | ratio |\n| --- | --- | --- | --- | --- | --- |"
    );
    let mut kept = true;
    for exporter in exporters() {
        let place = scene.place(&exporter);
        let daemon = place.start().await;
        scene.is_shown_by(daemon.address()).await;
        for (coding, factor) in FACTORS {
            let (_, page) = scrape(daemon.address(), coding).await;
            let size = page.len();
            let from_memory = StaticPage::serve(page).await;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..SCRAPES {
                ours.push(scrape(daemon.address(), coding).await.0);
                theirs.push(scrape(from_memory.address, coding).await.0);
            }
            let (ours, theirs) = (median(ours), median(theirs));
            let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
            println!(
                "| {} | {coding} | {size} | {ours:.1?} | {theirs:.1?} | {ratio:.2} |",
                exporter.name
            );
            figure_of(
                exporter.name,
                &format!("scrape, {coding}"),
                format!("{ours:.0?}, {ratio:.2} times the bytes from memory"),
                format!("{factor} times"),
            );
            kept &= !exporter.is_ours || ratio <= factor;
        }
        daemon.kill().await;
    }
    kept
}

/// Time of a scrape on a connection of its own, and the body as it came.
async fn scrape(address: SocketAddr, coding: &str) -> (Duration, Bytes) {
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n"
    );
    // Room for the whole answer, so that reading it costs as little as can be.
    let mut answer = Vec::with_capacity(1 << 28);
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    let took = begun.elapsed();
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let body = Bytes::from(answer).slice(head.unwrap() + 4..);
    (took, body)
}
