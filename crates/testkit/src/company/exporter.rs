//! Exporters of the synthetic company: the real rendering, behind real HTTP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use ci_history::{TimelineKey, TimelineRows};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use job_failure_exporter::metrics::{Build, Exposition, ExpositionOptions, Page, Telemetry};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::rows::{self, Scene};

/// One target of Prometheus.
pub struct Exporter {
    address: SocketAddr,
    shown: Arc<Shown>,
    projects: Vec<u64>,
    _serving: JoinSet<()>,
}

struct Shown {
    exposition: Exposition,
    projects: Vec<Arc<str>>,
}

impl Shown {
    /// Says that everything was polled just now.
    fn poll(&self) {
        let now = rows::now();
        for project in &self.projects {
            self.exposition.poll_succeeded(project, now, now);
            self.exposition.schedules_read(project, now);
        }
    }
}

impl Exporter {
    async fn start(projects: Vec<u64>) -> Self {
        let build = Build {
            version: "0",
            revision: "0",
        };
        let page = |rows: &TimelineRows, job: &str| {
            let (project, ref_name) = (&rows.project, &rows.ref_name);
            Some(format!(
                "https://exporter.example/job/{project}/{ref_name}/{job}"
            ))
        };
        let options = ExpositionOptions::default().with_job_urls(page);
        let shown = Arc::new(Shown {
            exposition: Exposition::with_options(Telemetry::new(build).unwrap(), options),
            projects: projects
                .iter()
                .map(|project| rows::project_path(*project))
                .collect(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&shown)));
        let exporter = Self {
            address,
            shown,
            projects,
            _serving: serving,
        };
        exporter.show(Scene::Usual);
        exporter
    }

    /// What Prometheus scrapes.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces everything that is exposed.
    pub fn show(&self, scene: Scene) {
        let now = rows::now();
        let exposition = &self.shown.exposition;
        for project in &self.projects {
            for rows in rows::timelines(*project, scene, now) {
                let key = TimelineKey::new(rows.project_id, rows.ref_name.clone());
                let key = key.with_track(rows.track.clone());
                exposition.publish(key, &rows, &|project, _| rows::team(project));
            }
            let path = rows::project_path(*project);
            exposition.publish_schedules(&path, &rows::schedules(*project, now));
        }
        self.shown.poll();
    }

    /// What a scrape gets.
    pub async fn page(&self) -> String {
        let page = self.shown.exposition.snapshot().identity();
        let bytes = page.collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }
}

/// Exporters of a company with so many jobs: shards that share its projects, each with as many replicas.
pub async fn start(jobs: u64, shards: u64, replicas: usize) -> Vec<Exporter> {
    let mut exporters = Vec::new();
    for shard in 0..shards {
        let projects = rows::projects(jobs).filter(|project| project % shards == shard);
        let projects: Vec<_> = projects.collect();
        for _ in 0..replicas {
            exporters.push(Exporter::start(projects.clone()).await);
        }
    }
    exporters
}

async fn serve(listener: TcpListener, shown: Arc<Shown>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shown = Arc::clone(&shown);
        let service = service_fn(move |_: Request<Incoming>| {
            let answer = scrape(&shown);
            async move { Ok::<_, Infallible>(answer) }
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // Prometheus may close it whenever it likes.
            serving.await.ok();
        });
    }
}

fn scrape(shown: &Shown) -> Response<Page> {
    shown.poll();
    let response = Response::builder()
        .header(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")
        .header(CONTENT_ENCODING, "gzip");
    response.body(shown.exposition.snapshot().gzip()).unwrap()
}
