//! The simulated GitLab over real HTTP: its API, its faults, and the truth of its scenarios.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod api;
mod command;
mod faults;
mod graphql;
mod job_retry;
mod pace;
mod playing;
mod rights;
mod stage;
mod truth;
mod unclear;
mod whole_pipelines;

use std::time::Duration;

use gitlab_simulator::{Handle, Options, Scenario, start};
use reqwest::Response;
use serde_json::Value;

/// A simulator with a scenario. Its time stands still at the start.
async fn scenario(name: &str) -> Handle {
    let options = Options {
        scenario: Some(Scenario::named(name).unwrap()),
        ..Options::default()
    };
    start(options).await.unwrap()
}

/// A simulator with an empty world.
async fn empty() -> Handle {
    start(Options::default()).await.unwrap()
}

/// `GET /api/v4<path>` with the valid token.
async fn get(gitlab: &Handle, path: &str) -> Response {
    reqwest::Client::new()
        .get(format!("{}/api/v4{path}", gitlab.url()))
        .bearer_auth(gitlab.token())
        .send()
        .await
        .unwrap()
}

async fn get_json(gitlab: &Handle, path: &str) -> Value {
    let response = get(gitlab, path).await;
    assert_eq!(response.status(), 200, "{path}");
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.unwrap().to_str().unwrap().to_owned()
}

/// One field of every row of a list.
fn column<'a>(rows: &'a Value, field: &str) -> Vec<&'a Value> {
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| &row[field]).collect()
}

fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
