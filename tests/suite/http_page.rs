//! The status page, as text and in a browser.

use ci_history::{Figures, JobRow, LogExcerpt};
use job_failure_exporter::http::{Limits, ProjectStatus};
use serde_json::Value;
use tokio::process::Command;

use crate::http_serving::{Daemon, PATIENCE, Serving};
use crate::metrics_rows::{HOSTILE, failing, job, passing, time, timeline};

async fn serving(project: &str, jobs: Vec<JobRow>) -> Serving {
    let daemon = Daemon {
        timelines: vec![timeline(project, project, jobs)],
        projects: vec![ProjectStatus {
            path: project.into(),
            url: None,
            last_successful_poll: time(1_700_003_590),
            error: Some(format!("answered 500: {project}")),
            ..ProjectStatus::default()
        }],
        ..Daemon::default()
    };
    Serving::start(daemon, Limits::default()).await
}

/// What a browser makes of the page, after any script of it ran.
pub(crate) async fn dom(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let browser = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, browser)
        .await
        .expect("the browser ends");
    let output = output
        .unwrap_or_else(|error| panic!("chromium: {error}; `make install-tools` installs it"));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn failing_jobs_come_first_with_their_streak_reason_and_link() {
    let jobs = vec![job("calm", passing(12)), job("unit", failing())];
    let page = serving("group/app", jobs).await.text("/").await;
    let (unit, calm) = (page.find(">unit<").unwrap(), page.find(">calm<").unwrap());
    assert!(unit < calm, "{page}");
    for part in [
        "<b>1</b> failing",
        "<b>2</b> jobs",
        ">3</td>",
        ">75 %</td>",
        "58 min ago",
        "<span class=\"badge failing\"><span aria-hidden=\"true\">✕</span> Failing</span>",
        "aria-sort=\"descending\"><a class=\"sort\" href=\"/?sort=streak&amp;order=asc\">",
        "<small><a href=\"/grid/group/app/-/group%2Fapp?track=\"><bdi>group/app</bdi></a></small>",
        "As of <time datetime=\"2023-11-14T23:13:20Z\"",
        "<a href=\"https://gitlab.example/group/app/-/jobs/103\"><bdi>script failure</bdi></a>",
        "<a href=\"/?project=group%2Fapp\"><bdi>group/<wbr>app</bdi></a>",
        "<bdi>01234567</bdi>",
        "aria-label=\"failed\" title=\"failed, pipeline 10, commit 01234567, 2023-11-14T22:13:20Z\"",
        "<b>1</b> with a failed poll",
        "Ready",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert_eq!(page.matches("aria-label=\"passed\"").count(), 1 + 10);
}

#[tokio::test]
async fn the_filter_narrows_the_list_and_stays_in_the_form() {
    let jobs = vec![job("calm", passing(12)), job("unit", failing())];
    let serving = serving("group/app", jobs).await;
    let page = serving.text("/?failing=1").await;
    assert!(
        page.contains(">unit<") && !page.contains(">calm<"),
        "{page}"
    );
    let page = serving.text("/?q=CALM+group").await;
    assert!(
        page.contains(">calm<") && !page.contains(">unit<"),
        "{page}"
    );
    assert!(page.contains("value=\"CALM group\""), "{page}");
    assert!(
        serving
            .text("/?q=nothing")
            .await
            .contains("No job matches.")
    );
}

#[tokio::test]
async fn a_page_shows_a_hundred_jobs_and_leads_to_the_next() {
    let jobs = (0..250)
        .map(|n| job(&format!("job-{n:03}"), failing()))
        .collect();
    let serving = serving("group/app", jobs).await;
    let page = serving.text("/?failing=1").await;
    assert_eq!(page.matches("<bdi class=\"job\">").count(), 100);
    assert!(page.contains("1 to 100 of 250"));
    assert!(page.contains("href=\"/?state=failing&amp;page=2\""));
    let page = serving.text("/?failing=1&page=3").await;
    assert!(
        page.contains("job-249") && page.contains("201 to 250 of 250"),
        "{page}"
    );
    assert!(!page.contains("rel=\"next\""));
    assert!(
        serving
            .text("/?page=99")
            .await
            .contains("href=\"/?page=3\"")
    );
}

#[tokio::test]
async fn without_jobs_the_page_says_what_is_going_on() {
    let serving = Serving::start(Daemon::default(), Limits::default()).await;
    assert!(serving.text("/").await.contains("No project is watched."));
    *serving.daemon.waiting_for.lock().unwrap() = Some("state is being loaded".to_owned());
    let page = serving.text("/").await;
    assert!(page.contains("Not ready: state is being loaded"), "{page}");
    assert!(
        page.contains("Jobs appear here after the first poll. Reload"),
        "{page}"
    );
}

#[tokio::test]
async fn the_page_of_a_job_tells_why_since_when_and_whose() {
    let mut figures = failing();
    figures.failing.as_mut().unwrap().excerpt = Some(Box::new(LogExcerpt::of_text(
        102,
        "left: 3\n<b>right</b>: 2".into(),
    )));
    let jobs = vec![job("unit/one", figures), job("calm", passing(12))];
    let serving = serving("group/app", jobs).await;
    let page = serving
        .text("/jobs/group/app/-/group%2Fapp/-/unit%2Fone")
        .await;
    for part in [
        "<title>unit/one · group/app</title>",
        "3 executions failed in a row",
        "<bdi>script failure</bdi> in <a href=\"https://gitlab.example/group/app/-/jobs/103\">job 103</a>",
        "(of the earlier job 102)",
        "left: 3\n&lt;b&gt;right&lt;/b&gt;: 2",
        "href=\"https://gitlab.example/group/app/-/compare/beef...feed\"",
        "href=\"https://gitlab.example/group/app/-/commit/feed\"",
        " of pipeline <a href=\"/pipelines/group/app/-/10\">10</a>",
        "<a href=\"/pipelines/group/app/-/10\">10</a> <small><a href=\"https://gitlab.example/group/app/-/pipelines/10\">in GitLab</a>",
        "Team <b><bdi>sre</bdi></b>",
        "<dt>Ran for</dt><dd>12 s</dd>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    // As somebody would type it.
    let page = serving.text("/jobs/group/app/-/group/app/-/calm").await;
    assert!(
        page.contains("Not failing") && !page.contains("<h2>Why"),
        "{page}"
    );
    let none = serving.get("/jobs/group/app/-/main/-/unit").await;
    assert_eq!(none.status(), 404);
    assert!(none.text().await.unwrap().contains("No such job"));
}

#[tokio::test]
async fn the_api_gives_the_jobs_in_parts_and_refuses_what_it_cannot_read() {
    let jobs = vec![job("calm", passing(12)), job("unit", failing())];
    let serving = serving("group/app", jobs).await;
    let answer = serving.get("/api/v1/jobs?limit=1&offset=1").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["jobs"].as_array().unwrap().len(), 1);
    let job = &answer["jobs"][0];
    assert_eq!(
        (&job["job_name"], &job["team"], &job["failing"]),
        (&"calm".into(), &"sre".into(), &Value::Null)
    );
    assert_eq!(
        (&answer["matching"], &answer["failing"], &answer["limit"]),
        (&2.into(), &1.into(), &1.into())
    );
    // The documented fields, and no other.
    let docs = include_str!("../../docs/api.md");
    let example = docs
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let documented: Value = serde_json::from_str(example).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let text = serving.text("/api/v1/jobs?q=unit").await;
    let served: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&served), keys(&documented));
    let (served, documented) = (&served["jobs"][0], &documented["jobs"][0]);
    assert_eq!(keys(served), keys(documented));
    for part in ["failing", "executions_total", "failures_total"] {
        assert_eq!(keys(&served[part]), keys(&documented[part]));
    }
    assert_eq!(keys(&served["window"][0]), keys(&documented["window"][0]));

    let refused = serving.get("/api/v1/jobs?limit=many").await;
    assert_eq!(refused.status(), 400);
    let said = refused.text().await.unwrap();
    assert_eq!(
        said,
        "{\"error\":\"`limit` is `many`, a whole number from 1 to 1000 is wanted\"}\n"
    );
    let none = serving.text("/api/v1/jobs?project=group").await;
    assert!(none.contains("\"jobs\":[],"), "{none}");
}

/// Whether there is another script than the exporter's own.
fn has_foreign_script(page: &str) -> bool {
    page.replacen("<script src=\"/script.js?v=", "", 1)
        .contains("<script")
}

#[tokio::test]
async fn hostile_names_run_no_script_in_a_browser() {
    let mut figures: Figures = failing();
    let script = "javascript:document.title='owned'";
    figures.failing.as_mut().unwrap().web_url = Some(script.into());
    figures.failing.as_mut().unwrap().failure_reason = Some(HOSTILE.into());
    figures.failing.as_mut().unwrap().first_failing_commit = Some(HOSTILE.into());
    figures.failing.as_mut().unwrap().excerpt =
        Some(Box::new(LogExcerpt::of_text(1, HOSTILE.into())));
    figures.window[0].own_url = Some(script.into());
    let long = "x".repeat(10_000);
    let jobs = vec![
        job(HOSTILE, figures),
        job(&long, failing()),
        job("harmless", failing()),
    ];
    let serving = serving(HOSTILE, jobs).await;
    let api = serving.text("/api/v1/jobs?q=forged").await;
    let api: Value = serde_json::from_str(&api).unwrap();
    let page = api["jobs"][0]["page"].as_str().unwrap();
    let page = dom(&serving.url(page)).await;
    assert!(
        page.contains("Since when") && !page.contains("<title>owned"),
        "{page}"
    );
    assert!(
        !has_foreign_script(&page) && !page.contains("href=\"javascript"),
        "{page}"
    );
    let query = "%22%3E%3Cscript%3Edocument.title%3D%27owned%27%3C/script%3E";
    for (path, part) in [
        ("/".to_owned(), "<bdi class=\"job\">harmless</bdi>"),
        (format!("/?q={query}"), "No job matches."),
    ] {
        let dom = dom(&serving.url(&path)).await;
        assert!(dom.contains("<title>job-failure-exporter</title>"), "{dom}");
        assert!(dom.contains(part), "{dom}");
        assert!(
            !has_foreign_script(&dom) && !dom.contains("href=\"javascript"),
            "{dom}"
        );
    }
}
