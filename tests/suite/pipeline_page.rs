//! The page of a pipeline, as text and in a browser.

use std::time::{Duration, Instant};

use ci_history::{
    ExecutionRow, ExecutionState, FailureClass, Outcome, PipelineRow, Span, Timestamp,
};
use job_failure_exporter::http::{Limits, PipelineEntry, ProjectStatus};

use crate::http_page::dom;
use crate::http_serving::{Daemon, Serving};
use crate::metrics_rows::{HOSTILE, time};

fn execution(name: &str, id: u64, outcome: Outcome) -> ExecutionRow {
    let failed = outcome == Outcome::Failed;
    ExecutionRow {
        job_name: name.into(),
        stage: "test".into(),
        state: ExecutionState::Ended(outcome),
        flaky: false,
        is_newest_failure: failed,
        attempts: 1,
        job_id: id,
        failure_class: failed.then_some(FailureClass::Infrastructure),
        failure_reason: failed.then(|| "runner_system_failure".into()),
        log_rule: None,
        duration: Span::from_seconds(62.0),
        at: time(1_700_000_000),
        web_url: Some(format!("https://gitlab.example/group/app/-/jobs/{id}").into()),
    }
}

fn pipeline(project: &str, jobs: Vec<ExecutionRow>) -> PipelineEntry {
    PipelineEntry {
        project: project.into(),
        project_url: Some("https://gitlab.example/group/app".into()),
        ref_name: "release/1.0".into(),
        track: Some("nightly".into()),
        row: PipelineRow {
            id: 10,
            commit: "0123456789abcdef".into(),
            state: Some(ExecutionState::Ended(Outcome::Failed)),
            is_config_error: false,
            at: Timestamp::from_unix(1_700_000_000),
            duration: Span::from_seconds(125.0),
            jobs,
        },
    }
}

async fn serving(pipeline: PipelineEntry) -> Serving {
    let daemon = Daemon {
        projects: vec![ProjectStatus {
            path: pipeline.project.clone(),
            url: pipeline.project_url.clone(),
            ..ProjectStatus::default()
        }],
        pipelines: vec![pipeline],
        ..Daemon::default()
    };
    Serving::start(daemon, Limits::default()).await
}

#[tokio::test]
async fn the_page_tells_what_ran_how_it_ended_and_which_jobs_failed() {
    let retried = ExecutionRow {
        flaky: true,
        attempts: 3,
        ..execution("retried", 7, Outcome::Passed)
    };
    let running = ExecutionRow {
        state: ExecutionState::Running,
        duration: None,
        ..execution("runs", 9, Outcome::Passed)
    };
    let failed = ExecutionRow {
        log_rule: Some("mirror-down".into()),
        ..execution("unit/one", 8, Outcome::Failed)
    };
    let jobs = vec![
        execution("calm", 6, Outcome::Passed),
        retried,
        failed,
        running,
    ];
    let page = serving(pipeline("group/app", jobs)).await;
    let page = page.text("/pipelines/group/app/-/10").await;
    for part in [
        "<title>Pipeline 10 · group/app</title>",
        "<a href=\"https://gitlab.example/group/app\"><bdi>group/app</bdi></a> / <a href=\"/refs/group/app/-/release%2F1.0?track=nightly\"><bdi>release/1.0</bdi> · <bdi>nightly</bdi></a>",
        "<span class=\"badge bad\">Failed</span> ended <time",
        "60 min ago",
        "href=\"https://gitlab.example/group/app/-/commit/0123456789abcdef\"",
        "<a href=\"https://gitlab.example/group/app/-/pipelines/10\">This pipeline in GitLab</a>",
        "<dt>Ran for</dt><dd>2 min 5 s</dd>",
        "<dt>failed</dt><dd>1</dd>",
        "<dt>passed on a retry</dt><dd>1</dd>",
        "<a href=\"/jobs/group/app/-/release%2F1.0/-/unit%2Fone?track=nightly\"><bdi class=\"job\">unit/one</bdi></a><small><bdi>test</bdi></small>",
        "<span class=\"badge\">infrastructure</span> <bdi>runner system failure</bdi>, log rule <bdi>mirror-down</bdi>",
        "<td class=\"number\" data-label=\"Attempts\">3</td>",
        "<td data-label=\"Since\">since <time",
        "<a href=\"https://gitlab.example/group/app/-/jobs/8\">8</a>",
    ] {
        let part = part.replace("60 min ago", "1 h ago");
        assert!(page.contains(&part), "{part} not in\n{page}");
    }
    let places = ["unit/one<", "runs<", "calm<", "retried<"].map(|name| page.find(name).unwrap());
    assert!(places.is_sorted(), "{page}");
    assert!(!page.contains("<form"), "remediation is off:\n{page}");
}

#[tokio::test]
async fn a_pipeline_without_jobs_or_result_says_so() {
    let mut without = pipeline("group/app", vec![]);
    without.row.is_config_error = true;
    let serving = serving(without.clone()).await;
    let page = serving.text("/pipelines/group/app/-/10").await;
    assert!(
        page.contains("CI configuration of this commit is invalid"),
        "{page}"
    );
    assert!(page.contains("No execution of a watched job"), "{page}");
    without.row = PipelineRow {
        state: None,
        at: None,
        duration: None,
        is_config_error: false,
        ..without.row
    };
    let serving = self::serving(without).await;
    let page = serving.text("/pipelines/group/app/-/10").await;
    assert!(page.contains("Result no longer kept"), "{page}");
}

#[tokio::test]
async fn an_address_without_a_pipeline_says_what_was_found_and_what_to_do() {
    let serving = serving(pipeline("group/app", vec![])).await;
    let long = format!("/pipelines/{}", "ü".repeat(500));
    for (path, parts) in [
        (
            "/pipelines/group/app/-/11",
            &[
                "Nothing is kept of pipeline 11 of <b><bdi>group/app</bdi></b>",
                "<a href=\"https://gitlab.example/group/app/-/pipelines/11\">",
                "<a href=\"/?project=group%2Fapp\">Jobs of this project</a>",
            ][..],
        ),
        (
            "/pipelines/group/other/-/10",
            &["No project with the path <b><bdi>group/other</bdi></b> is watched here"],
        ),
        (
            "/pipelines/group/app/-/latest",
            &[
                "<bdi>/pipelines/group/app/-/latest</bdi>",
                "does not name a project and the number of a pipeline",
                "/pipelines/&lt;project&gt;/-/&lt;number&gt;",
            ],
        ),
        ("/pipelines/", &["does not name"]),
        ("/pipelines/10", &["does not name"]),
        (
            "/pipelines/group/app/-/99999999999999999999",
            &["does not name"],
        ),
        (&long, &["…"]),
    ] {
        let answer = serving.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let page = answer.text().await.unwrap();
        for part in parts {
            assert!(page.contains(part), "{part} not in\n{page}");
        }
        assert!(page.contains("<a href=\"/\">All jobs</a>"), "{page}");
    }
    let long = format!("/pipelines/{}/-/1", "x".repeat(5000));
    assert_eq!(serving.get(&long).await.status(), 414);
    let answer = testkit::client()
        .post(serving.url("/pipelines/group/app/-/10"))
        .send();
    assert_eq!(answer.await.unwrap().status(), 405);
}

#[tokio::test]
async fn hostile_names_of_gitlab_run_no_script_on_the_page_of_a_pipeline() {
    let hostile = ExecutionRow {
        stage: HOSTILE.into(),
        failure_reason: Some(HOSTILE.into()),
        log_rule: Some(HOSTILE.into()),
        web_url: Some("javascript:document.title='owned'".into()),
        ..execution(HOSTILE, 1, Outcome::Failed)
    };
    let names = ["x".repeat(10_000), "ü☃'\"<b>&amp;\u{202e}".repeat(100)];
    let mut jobs = vec![hostile];
    jobs.extend(
        (2..)
            .zip(&names)
            .map(|(id, name)| execution(name, id, Outcome::Failed)),
    );
    let mut entry = pipeline("group/<script>document.title='owned'</script>", jobs);
    entry.ref_name = HOSTILE.into();
    entry.track = Some(HOSTILE.into());
    entry.row.commit = HOSTILE.into();
    entry.project_url = Some("javascript:document.title='owned'//".into());
    let serving = serving(entry).await;
    let project = "group/%3Cscript%3Edocument.title%3D%27owned%27%3C%2Fscript%3E";
    for (path, part) in [
        (
            format!("/pipelines/{project}/-/10"),
            "Jobs of this pipeline",
        ),
        (format!("/pipelines/{project}/-/11"), "Nothing is kept"),
        (format!("/pipelines/{project}/-/x"), "does not name"),
    ] {
        let dom = dom(&serving.url(&path)).await;
        assert!(dom.contains(part) && !dom.contains("<title>owned"), "{dom}");
        assert!(
            dom.matches("<script").count() == 1 && !dom.contains("href=\"javascript"),
            "{dom}"
        );
    }
}

#[tokio::test]
async fn a_pipeline_of_a_thousand_jobs_is_shown_whole_and_of_more_in_part() {
    let failed = |count| {
        let name = |n: u64| format!("build-and-test: [linux, {n}]");
        let jobs = (0..count).map(|n| execution(&name(n), n, Outcome::Failed));
        pipeline("group/app", jobs.collect())
    };
    let thousand = serving(failed(1000)).await;
    let begun = Instant::now();
    let page = thousand.text("/pipelines/group/app/-/10").await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(page.matches("<bdi class=\"job\">").count(), 1000);
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    let more = serving(failed(2001)).await;
    let page = more.text("/pipelines/group/app/-/10").await;
    assert_eq!(page.matches("<bdi class=\"job\">").count(), 2000);
    assert!(page.contains("1 more jobs did not fit here"), "{page}");
}
