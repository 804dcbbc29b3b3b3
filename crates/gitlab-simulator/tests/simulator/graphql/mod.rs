//! `POST /api/graphql`: answers, scores, rights, errors and faults.

mod answers;
mod faults;
mod queries;
mod scores;

use gitlab_simulator::Handle;
use reqwest::Response;
use serde_json::{Value, json};

/// What moved in these projects, with child pipelines.
const MOVED: &str = r#"
query Moved($ids: [ID!], $since: Time!, $n: Int) {
  projects(ids: $ids, first: 100) {
    nodes { id
      moved: pipelines(updatedAfter: $since, first: $n) {
        nodes { id iid status ref sha source createdAt updatedAt path } pageInfo { hasNextPage } }
      kids: pipelines(source: "parent_pipeline", updatedAfter: $since, first: $n) {
        nodes { id status updatedAt upstream { id } } pageInfo { hasNextPage } } }
    pageInfo { hasNextPage endCursor } } }
"#;

/// The start of simulated time.
const START: &str = "2026-01-05T08:00:00Z";

async fn send(gitlab: &Handle, token: &str, body: &Value) -> Response {
    reqwest::Client::new()
        .post(format!("{}/api/graphql", gitlab.url()))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The body of an answer with status 200.
async fn ask(gitlab: &Handle, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    let response = send(gitlab, gitlab.token(), &body).await;
    assert_eq!(response.status(), 200, "{query}");
    json_of(response).await
}

/// The answer of [`MOVED`] for these projects.
async fn moved(gitlab: &Handle, projects: &[u64], since: &str, rows: usize) -> Value {
    let ids = projects.iter().map(|id| project(*id));
    let ids: Vec<String> = ids.collect();
    ask(
        gitlab,
        MOVED,
        json!({ "ids": ids, "since": since, "n": rows }),
    )
    .await
}

fn project(id: u64) -> String {
    format!("gid://gitlab/Project/{id}")
}

fn pipeline(id: u64) -> String {
    format!("gid://gitlab/Ci::Pipeline/{id}")
}
