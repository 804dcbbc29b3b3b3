//! The status page, as text and in a browser.

use job_failure_exporter::http::{Limits, ProjectStatus};
use job_failure_exporter::model::{Figures, JobRow};
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
        }],
        ..Daemon::default()
    };
    Serving::start(daemon, Limits::default()).await
}

/// What a browser makes of the page, after any script of it ran.
async fn dom(url: &str) -> String {
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
        "<a href=\"https://gitlab.example/group/app/-/jobs/103\"><bdi>script failure</bdi></a>",
        "<a href=\"https://gitlab.example/group/app\"><bdi>group/app</bdi></a>",
        "<bdi>01234567</bdi>",
        "aria-label=\"failed\" title=\"failed, pipeline 10, commit 01234567, 2023-11-14T22:13:20Z\"",
        "answered 500: group/app",
        "10 s ago",
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
    assert!(page.contains("href=\"/?failing=1&amp;page=2\""));
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
async fn hostile_names_run_no_script_in_a_browser() {
    let mut figures: Figures = failing();
    let script = "javascript:document.title='owned'";
    figures.failing.as_mut().unwrap().web_url = Some(script.into());
    figures.failing.as_mut().unwrap().failure_reason = Some(HOSTILE.into());
    figures.window[0].web_url = Some(script.into());
    let long = "x".repeat(10_000);
    let jobs = vec![
        job(HOSTILE, figures),
        job(&long, failing()),
        job("harmless", failing()),
    ];
    let serving = serving(HOSTILE, jobs).await;
    let query = "%22%3E%3Cscript%3Edocument.title%3D%27owned%27%3C/script%3E";
    for (path, part) in [
        ("/".to_owned(), "<bdi class=\"job\">harmless</bdi>"),
        (format!("/?q={query}"), "No job matches."),
    ] {
        let dom = dom(&serving.url(&path)).await;
        assert!(dom.contains("<title>job-failure-exporter</title>"), "{dom}");
        assert!(dom.contains(part), "{dom}");
        assert!(
            !dom.contains("<script") && !dom.contains("href=\"javascript"),
            "{dom}"
        );
    }
}
