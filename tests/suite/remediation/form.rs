//! The buttons on a job's page, as a browser sends them.

use testkit::daemon::{holds, until};

use super::stage::{OPS, Stage, flaky_runner};

const NO_RULES: &str = "limits: {younger_than: 6h}";
const PAGE: &str = "/jobs/acme/shop/-/main/-/unit";

/// A failing job, and the fields of the form on its page.
async fn form(mode: &str) -> (Stage, Vec<(String, String)>) {
    let stage = Stage::new(mode, NO_RULES).await;
    stage.ended([flaky_runner("unit")]);
    let mut fields = stage.form_on(PAGE, "Retry the job").await;
    fields.push(("action".to_owned(), "recover".to_owned()));
    (stage, fields)
}

#[tokio::test]
async fn a_button_brings_the_job_back_and_the_page_tells_it() {
    let (stage, fields) = form("act").await;
    let answer = stage.post(&fields).send().await.unwrap();
    assert_eq!(answer.status(), 401, "the browser asks for name and secret");
    assert!(answer.headers().contains_key("www-authenticate"));
    let host = stage.url("");
    let request = stage.post(&fields).basic_auth("ops", Some(OPS));
    let request = request
        .header("origin", &host)
        .header("sec-fetch-site", "same-origin");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(text.contains("started") && text.contains(PAGE), "{text}");
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.retries(), 1);
    until("the action on the page", async || {
        let page = stage.get(PAGE).await;
        holds(page.contains("recovered") && page.contains("ops"), page)
    })
    .await;
}

#[tokio::test]
async fn a_form_of_another_site_or_an_older_page_does_nothing() {
    let (stage, fields) = form("act").await;
    let with = |name: &str, value: &str| {
        let mut fields = fields.clone();
        let field = fields.iter_mut().find(|(key, _)| key == name);
        value.clone_into(&mut field.unwrap().1);
        stage.post(&fields).basic_auth("ops", Some(OPS))
    };
    let right = || stage.post(&fields).basic_auth("ops", Some(OPS));
    for request in [
        with("token", ""),
        with("token", "0123456789"),
        with("action", "play"),
        with("job_id", "x"),
        right().header("origin", "https://evil.example"),
        right().header("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    // The token of another browser, which a reader may have got on a page of its own.
    let mut of_another = stage.form_on(PAGE, "Retry the job").await;
    of_another.push(("action".to_owned(), "recover".to_owned()));
    let _ = stage.form_on(PAGE, "Retry the job").await;
    let request = stage.post(&of_another).basic_auth("ops", Some(OPS));
    assert_eq!(request.send().await.unwrap().status(), 403);
    stage.stays(&[]).await;
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn in_the_mode_report_a_button_changes_nothing() {
    let (stage, fields) = form("report").await;
    let request = stage.post(&fields).basic_auth("ops", Some(OPS));
    let text = request.send().await.unwrap().text().await.unwrap();
    let says = "<code>remediation.mode</code> is <code>report</code>";
    assert!(text.contains(says), "{text}");
    assert_eq!(stage.sent(), 0);
}
