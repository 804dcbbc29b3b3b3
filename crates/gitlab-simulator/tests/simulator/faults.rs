//! Faults on demand.

use gitlab_simulator::{Fault, Handle};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::{get, header, minutes, scenario, seconds};

const PIPELINES: &str = "/projects/acme%2Fshop/pipelines";

async fn shop() -> Handle {
    let gitlab = scenario("breaks-and-is-fixed").await;
    gitlab.advance(minutes(5));
    gitlab
}

async fn attempt(gitlab: &Handle) -> reqwest::Result<Response> {
    let url = format!("{}/api/v4{PIPELINES}", gitlab.url());
    let request = reqwest::Client::new().get(url);
    request.bearer_auth(gitlab.token()).send().await
}

#[tokio::test]
async fn an_injected_error_affects_one_request() {
    let gitlab = shop().await;
    for (fault, status) in [
        (Fault::InternalError, StatusCode::INTERNAL_SERVER_ERROR),
        (Fault::BadGateway, StatusCode::BAD_GATEWAY),
        (Fault::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (Fault::OriginError, StatusCode::from_u16(520).unwrap()),
        (Fault::ProxyNotFound, StatusCode::NOT_FOUND),
        (Fault::TooManyRequests, StatusCode::TOO_MANY_REQUESTS),
        (Fault::TooManyRequestsBare, StatusCode::TOO_MANY_REQUESTS),
    ] {
        gitlab.faults(|faults| faults.inject(fault));
        let answer = get(&gitlab, PIPELINES).await;
        assert_eq!(answer.status(), status);
        let told = answer.headers().contains_key("retry-after");
        assert_eq!(told, fault == Fault::TooManyRequests);
        assert_eq!(get(&gitlab, PIPELINES).await.status(), 200);
    }
}

#[tokio::test]
async fn a_truncated_body_breaks_off_and_invalid_json_arrives_whole_but_broken() {
    let gitlab = shop().await;
    gitlab.faults(|faults| faults.inject(Fault::TruncatedBody));
    let answer = get(&gitlab, PIPELINES).await;
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap_err();
    gitlab.faults(|faults| faults.inject(Fault::InvalidJson));
    let body = get(&gitlab, PIPELINES).await.bytes().await.unwrap();
    assert!(body.starts_with(b"[{"));
    serde_json::from_slice::<Value>(&body).unwrap_err();
}

#[tokio::test]
async fn a_reset_gives_no_answer_at_all() {
    let gitlab = shop().await;
    gitlab.faults(|faults| faults.inject(Fault::Reset));
    let error = attempt(&gitlab).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(gitlab.requests().last().unwrap().status, 0);
}

#[tokio::test]
async fn a_record_without_id_is_added_to_the_true_ones() {
    let gitlab = shop().await;
    gitlab.faults(|faults| faults.inject_at("/pipelines", Fault::RecordWithoutId));
    assert_eq!(get(&gitlab, "/user").await.status(), 200);
    let body = get(&gitlab, PIPELINES).await.bytes().await.unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let without = rows.iter().filter(|row| row.get("id").is_none()).count();
    assert_eq!((rows.len(), without), (7, 1));
}

#[tokio::test]
async fn an_outage_affects_every_request_until_it_ends() {
    let gitlab = shop().await;
    gitlab.faults(|faults| faults.outage = Some(Fault::Unavailable));
    for _ in 0..3 {
        assert_eq!(get(&gitlab, PIPELINES).await.status(), 503);
    }
    gitlab.faults(|faults| faults.outage = None);
    assert_eq!(get(&gitlab, PIPELINES).await.status(), 200);
}

#[tokio::test]
async fn an_outage_is_started_and_ended_over_http() {
    let gitlab = shop().await;
    let switch = async |query: &str| {
        let url = format!("{}/-/outage{query}", gitlab.url());
        let answer = reqwest::Client::new().post(url).send().await.unwrap();
        answer.status()
    };
    assert_eq!(switch("?kind=unavailable").await, 200);
    assert_eq!(get(&gitlab, PIPELINES).await.status(), 503);
    assert_eq!(switch("").await, 200);
    assert_eq!(get(&gitlab, PIPELINES).await.status(), 200);
    assert_eq!(switch("?kind=flood").await, 400);
}

#[tokio::test]
async fn the_rate_limit_counts_down_refuses_and_restarts_with_the_minute() {
    let gitlab = shop().await;
    gitlab.faults(|faults| faults.limit_rate(Some(2)));
    let first = get(&gitlab, PIPELINES).await;
    assert_eq!(header(&first, "ratelimit-remaining"), "1");
    assert_eq!(get(&gitlab, PIPELINES).await.status(), 200);
    gitlab.advance(seconds(20));
    let refused = get(&gitlab, PIPELINES).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "retry-after"), "40");
    assert_eq!(header(&refused, "ratelimit-observed"), "3");
    assert_eq!(refused.text().await.unwrap(), "Retry later\n");
    gitlab.advance(seconds(40));
    assert_eq!(get(&gitlab, PIPELINES).await.status(), 200);
}

#[tokio::test]
async fn a_replica_that_lags_shows_what_was_there_before_and_gives_its_share_of_the_answers() {
    let gitlab = shop().await;
    let listed = async || -> Vec<Value> {
        let text = get(&gitlab, PIPELINES).await.text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let before = listed().await;
    gitlab.lag(&["GET /projects/:id/pipelines"], 2);
    gitlab.advance(minutes(60));
    let (fresh, stale) = (listed().await, listed().await);
    assert_eq!(stale, before);
    assert!(
        fresh.len() > stale.len(),
        "{} and {}",
        fresh.len(),
        stale.len()
    );
    gitlab.catch_up();
    assert_eq!((listed().await, listed().await), (fresh.clone(), fresh));
}

#[tokio::test]
async fn a_deleted_pipeline_takes_its_jobs_with_it() {
    let gitlab = shop().await;
    let (pipeline, job) = gitlab.with(|world| {
        let project = world.project_by_path("acme/shop").unwrap().id;
        let pipeline = world.visible_pipelines(project).next().unwrap().id;
        let job = world.jobs_of(pipeline).next().unwrap().id;
        world.delete_pipeline(pipeline);
        (pipeline, job)
    });
    for path in [format!("pipelines/{pipeline}"), format!("jobs/{job}")] {
        let answer = get(&gitlab, &format!("/projects/acme%2Fshop/{path}")).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn one_seed_always_gives_the_same_faults() {
    let course = async || {
        let gitlab = shop().await;
        gitlab.faults(|faults| faults.probability = 0.5);
        for _ in 0..40 {
            // Some answers are cut off; they count as answered.
            drop(attempt(&gitlab).await);
        }
        let requests = gitlab.requests();
        requests
            .iter()
            .map(|request| request.fault)
            .collect::<Vec<_>>()
    };
    let first = course().await;
    assert_eq!(first, course().await);
    let hit = first.iter().filter(|fault| fault.is_some()).count();
    assert!((10..=30).contains(&hit), "{hit} of 40");
}
