//! From exec to the first probe and to a complete scrape with gzip, against reading and scanning the same files.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::scene::{Exporter, Scene, exporters, shown_jobs};
use flate2::bufread::GzDecoder;
use http::header::ACCEPT_ENCODING;
use serde::de::IgnoredAny;
use testkit::client;
use testkit::figures::{figure_of, median};

/// Starts of each exporter.
const STARTS: usize = 3;

/// Most times as long as reading and scanning.
const FACTOR: f64 = 3.0;

/// Latest answer to a probe after exec.
const PROBED: Duration = Duration::from_secs(1);

/// The times of one start.
#[derive(Clone, Copy)]
struct Start {
    probed: Duration,
    complete: Duration,
}

pub(super) async fn measure(scene: &Scene) -> bool {
    println!(
        "\n| exporter | first probe | complete scrape | reading and scanning | ratio |\n| --- | --- | --- | --- | --- |"
    );
    let documents = scene.documents();
    let mut kept = true;
    let mut starts: Vec<_> = exporters()
        .into_iter()
        .map(|it| (it, Vec::new(), Vec::new()))
        .collect();
    for _ in 0..STARTS {
        for (exporter, times, scans) in &mut starts {
            scans.push(scan(&documents));
            times.push(start(scene, exporter).await);
        }
    }
    for (exporter, times, scans) in starts {
        let probed = median(times.iter().map(|it| it.probed).collect());
        let complete = median(times.iter().map(|it| it.complete).collect());
        let scan = median(scans);
        let ratio = complete.as_secs_f64() / scan.as_secs_f64();
        println!(
            "| {} | {probed:.1?} | {complete:.1?} | {scan:.1?} | {ratio:.1} |",
            exporter.name
        );
        let name = exporter.name;
        figure_of(
            name,
            "exec to first probe",
            format!("{probed:.0?}"),
            format!("{PROBED:.0?}"),
        );
        let measured = format!("{complete:.1?}, {ratio:.1} times reading and scanning");
        figure_of(
            name,
            "exec to complete scrape",
            measured,
            format!("{FACTOR} times"),
        );
        kept &= !exporter.is_ours || (ratio <= FACTOR && probed < PROBED);
    }
    kept
}

/// Reads all documents, uncompresses them and looks at each byte of the JSON, on all cores.
fn scan(documents: &[PathBuf]) -> Duration {
    let begun = Instant::now();
    let cores = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for part in documents.chunks(documents.len().div_ceil(cores)) {
            scope.spawn(move || {
                for path in part {
                    scan_one(&std::fs::read(path).unwrap());
                }
            });
        }
    });
    begun.elapsed()
}

fn scan_one(document: &[u8]) {
    let mut text = Vec::new();
    let json = if GzDecoder::new(document).read_to_end(&mut text).is_ok() {
        &text
    } else {
        document
    };
    serde_json::from_slice::<IgnoredAny>(json).unwrap();
}

async fn start(scene: &Scene, exporter: &Exporter) -> Start {
    let place = scene.place(exporter);
    let begun = Instant::now();
    let daemon = place.start().await;
    while daemon.get("/-/healthy").await.0 != 200 {}
    let probed = begun.elapsed();
    loop {
        // Small, so that it does not hold up the loading.
        let (_, list) = daemon.get("/api/v1/jobs?limit=1").await;
        if !list.contains(&format!(":{}", scene.jobs)) {
            assert!(begun.elapsed() < Duration::from_mins(5), "{list}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        // As Prometheus asks.
        let request = client().get(format!("http://{}/metrics", daemon.address()));
        let answer = request.header(ACCEPT_ENCODING, "gzip").send().await;
        let answer = answer.unwrap().error_for_status().unwrap();
        let page = answer.bytes().await.unwrap();
        let complete = begun.elapsed();
        let mut text = String::new();
        GzDecoder::new(&*page).read_to_string(&mut text).unwrap();
        if shown_jobs(&text) == scene.jobs {
            daemon.kill().await;
            return Start { probed, complete };
        }
    }
}
