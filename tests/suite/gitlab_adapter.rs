//! The GitLab adapter against a scripted server over real HTTP.

mod bounds;
mod faults;
mod moving;
mod pages;
mod proxies;
pub(crate) mod scripted;
mod secrecy;
pub(crate) mod tls;
mod token;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ci_history::Timestamp;
use job_failure_exporter::base::api::Endpoint;
use job_failure_exporter::base::backoff::Backoff;
use job_failure_exporter::base::label::Label as _;
use job_failure_exporter::gitlab::{Client, Options, PipelineQuery, TransportMetrics};
use scripted::Server;

const SECRET: &str = "glpat-top-secret";

/// Writes down what it hears.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn hear(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl TransportMetrics for Heard {
    fn answered(&self, endpoint: Endpoint, status_class: &'static str, _: Duration) {
        self.hear(format!("{} {status_class}", endpoint.as_str()));
    }

    fn retried(&self, endpoint: Endpoint, reason: &'static str) {
        self.hear(format!("{} again: {reason}", endpoint.as_str()));
    }

    fn budget_remaining(&self, remaining: u64) {
        self.hear(format!("remaining {remaining}"));
    }

    fn listing_cut(&self, subject: &str) {
        self.hear(format!("cut: {subject}"));
    }

    fn server_date(&self, date: Timestamp) {
        self.hear(format!("date {}", date.unix()));
    }
}

fn options(url: &str) -> Options {
    let mut options = Options::new(url.parse().unwrap(), Some(SECRET.into()));
    options.requests_per_second = f64::INFINITY;
    options.backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
    options
}

fn client(server: &Server) -> Client {
    Client::new(options(&server.url("")), Arc::new(())).unwrap()
}

fn pipeline(id: u64) -> String {
    format!(r#"{{"id":{id},"ref":"main","sha":"abc","status":"success"}}"#)
}

fn page(ids: impl IntoIterator<Item = u64>) -> String {
    let records: Vec<String> = ids.into_iter().map(pipeline).collect();
    format!("[{}]", records.join(","))
}

async fn pipeline_ids(client: &Client) -> Vec<u64> {
    let listing = client
        .pipelines(7, &PipelineQuery::default())
        .await
        .unwrap();
    listing.items.iter().map(|pipeline| pipeline.id).collect()
}
