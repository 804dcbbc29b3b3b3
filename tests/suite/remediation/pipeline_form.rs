//! The page of a pipeline with its buttons, as a browser sends them.

use gitlab_simulator::{ActionKind, JobPlan};
use testkit::daemon::{holds, minutes, until};

use super::stage::{OPS, RULES, SHOP, Stage, broken_runner, flaky_runner};

const NO_RULES: &str = "limits: {younger_than: 6h}";
const RECOVER: &str = "Recover the failed jobs of this pipeline";
const RESTART: &str = "Restart: a new pipeline on the head of the ref";

fn page_of(pipeline: u64) -> String {
    format!("/pipelines/{SHOP}/-/{pipeline}")
}

/// Two failing jobs and one that passed, their pipeline, and the fields of the form on its page.
async fn form(mode: &str, action: &str) -> (Stage, u64, Vec<(String, String)>) {
    let stage = Stage::new(mode, NO_RULES).await;
    let jobs = [
        flaky_runner("lint"),
        flaky_runner("unit"),
        JobPlan::passes("docs"),
    ];
    let pipeline = stage.ended(jobs);
    stage.decides("unit", "no_rule", "").await;
    stage.decides("lint", "no_rule", "").await;
    let mut fields = stage.form_on(&page_of(pipeline), RECOVER).await;
    fields.push(("action".to_owned(), action.to_owned()));
    (stage, pipeline, fields)
}

async fn shows(stage: &Stage, page: &str, parts: &[&str]) {
    until(&format!("{parts:?} on {page}"), async || {
        let page = stage.get(page).await;
        holds(parts.iter().all(|part| page.contains(part)), page)
    })
    .await;
}

#[tokio::test]
async fn a_job_leads_to_its_pipeline_whose_button_recovers_every_failed_job() {
    let (stage, pipeline, fields) = form("act", "recover").await;
    let of_pipeline = page_of(pipeline);
    let job = stage.get("/jobs/acme/shop/-/main/-/unit").await;
    assert!(job.contains(&format!("href=\"{of_pipeline}\"")), "{job}");
    let page = stage.get(&of_pipeline).await;
    for part in [
        RESTART,
        "No rule brings back <code><bdi>lint</bdi></code>, <code><bdi>unit</bdi></code>.",
        "href=\"/jobs/acme/shop/-/main/-/docs\"",
        "<dt>failed</dt><dd>2</dd>",
        "<dt>passed</dt><dd>1</dd>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    let answer = stage.post(&fields).send().await.unwrap();
    assert_eq!(answer.status(), 401, "the browser asks for name and secret");
    let request = stage.post(&fields).basic_auth("ops", Some(OPS));
    let request = request.header("origin", stage.url(""));
    let answer = request.header("sec-fetch-site", "same-origin").send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert_eq!(text.matches(": started, as job ").count(), 2, "{text}");
    assert!(text.contains(&format!("href=\"{of_pipeline}\"")), "{text}");
    stage.results_in_time(&["recovered", "recovered"]).await;
    assert_eq!(stage.retries(), 2);
    let parts = [
        "passed on a retry",
        "nothing to bring back",
        "<code><bdi>lint</bdi></code> · <a",
        ">recovered · <a",
        "<bdi>ops</bdi>",
    ];
    shows(&stage, &of_pipeline, &parts).await;
    assert!(!stage.get(&of_pipeline).await.contains("<form"));
}

#[tokio::test]
async fn the_other_button_starts_one_pipeline_whose_page_tells_where_it_comes_from() {
    let (stage, pipeline, fields) = form("act", "restart").await;
    let request = stage.post(&fields).basic_auth("ops", Some(OPS));
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("on the head of <code><bdi>main</bdi></code>: started, as pipeline "),
        "{text}"
    );
    assert!(!text.contains("Not done"), "{text}");
    assert_eq!(stage.done(), [(ActionKind::CreatePipeline, None)]);
    let started = stage.record().await["actions"][0]["started"].as_u64();
    stage.results_in_time(&["recovered"]).await;
    let origin = format!(
        "<b><bdi>ops</bdi></b> started this pipeline in place of <a href=\"{}\">",
        page_of(pipeline)
    );
    shows(&stage, &page_of(started.unwrap()), &[&origin]).await;
}

#[tokio::test]
async fn a_form_of_another_site_or_an_older_page_or_of_no_pipeline_does_nothing() {
    let (stage, _, fields) = form("act", "recover").await;
    let with = |name: &str, value: &str| {
        let mut fields = fields.clone();
        let field = fields.iter_mut().find(|(key, _)| key == name);
        value.clone_into(&mut field.unwrap().1);
        stage.post(&fields).basic_auth("ops", Some(OPS))
    };
    let right = || stage.post(&fields).basic_auth("ops", Some(OPS));
    let without_project: Vec<_> = (fields.iter().filter(|(key, _)| key != "project"))
        .cloned()
        .collect();
    for request in [
        with("token", ""),
        with("token", "0123456789"),
        with("action", "play"),
        with("pipeline_id", "x"),
        with("pipeline_id", ""),
        stage.post(&without_project).basic_auth("ops", Some(OPS)),
        right().header("origin", "https://evil.example"),
        right().header("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    for wrong in [with("pipeline_id", "1"), with("project", "acme/<b>")] {
        let text = wrong.send().await.unwrap().text().await.unwrap();
        assert!(text.contains("Not done: nothing failed lately"), "{text}");
        assert!(!text.contains("<b>"), "{text}");
    }
    stage.stays(&[]).await;
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn in_the_mode_report_the_buttons_change_nothing() {
    for (action, words) in [
        (
            "recover",
            "This would recover <code><bdi>lint</bdi></code>, <code><bdi>unit</bdi></code>, but",
        ),
        (
            "restart",
            "This would start a new pipeline for <code><bdi>lint</bdi></code>, <code><bdi>unit</bdi></code>, but",
        ),
    ] {
        let (stage, _, fields) = form("report", action).await;
        let request = stage.post(&fields).basic_auth("ops", Some(OPS));
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains(words), "{text}");
        assert_eq!(stage.retries(), 0);
    }
}

#[tokio::test]
async fn without_callers_or_without_a_newest_failure_there_are_no_buttons() {
    let stage = Stage::without_daemon("act", RULES).await;
    let callers = "callers: [{name: ops, token_file: ops-token}], ";
    stage.place.reconfigure(callers, "");
    stage.start().await;
    let pipeline = stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "act", "").await;
    let page = stage.get(&page_of(pipeline)).await;
    assert!(page.contains("Bringing its jobs back"), "{page}");
    assert!(!page.contains("<form"), "{page}");

    let (stage, older, _) = form("act", "recover").await;
    stage.gitlab.advance(minutes(1));
    stage.ended([JobPlan::passes("lint"), JobPlan::passes("unit")]);
    shows(&stage, &page_of(older), &["nothing to bring back"]).await;
    assert!(!stage.get(&page_of(older)).await.contains("<form"));
}

#[tokio::test]
async fn a_refusal_is_told_once_for_all_jobs_with_it() {
    let circuit = format!("circuit: {{failures: 1}}, {RULES}");
    let stage = Stage::new("act", &circuit).await;
    let pipeline = stage.ended([broken_runner("lint"), broken_runner("unit")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    stage.decides("lint", "refuse", "circuit_open").await;
    let of_pipeline = page_of(pipeline);
    let given_up = "given up after too many failures in a row: <code><bdi>lint</bdi></code>, <code><bdi>unit</bdi></code>";
    shows(&stage, &of_pipeline, &[given_up]).await;
    let mut fields = stage.form_on(&of_pipeline, RECOVER).await;
    fields.push(("action".to_owned(), "recover".to_owned()));
    let request = stage.post(&fields).basic_auth("ops", Some(OPS));
    let text = request.send().await.unwrap().text().await.unwrap();
    let refusal = "Not done for <code><bdi>lint</bdi></code>, <code><bdi>unit</bdi></code>: its circuit is open";
    assert!(text.contains(refusal), "{text}");
    assert_eq!(stage.sent(), 0);
}
