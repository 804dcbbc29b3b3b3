//! The lists of jobs, projects and schedules, and the grid of a ref: as pages and as JSON.

use ci_history::{
    ExecutionState, FailureClass, Figures, Grid, GridCell, GridJob, GridPipeline, JobRow, Outcome,
};
use job_failure_exporter::http::{GridEntry, Limits, ProjectStatus, ScheduleEntry};
use job_failure_exporter::metrics::ScheduleRow;
use serde_json::Value;

use crate::http_serving::{Daemon, Serving};
use crate::metrics_rows::{HOSTILE, commit_info, failing, job, passing, time, timeline};

async fn serving(daemon: Daemon) -> Serving {
    Serving::start(daemon, Limits::default()).await
}

async fn jobs(jobs: Vec<JobRow>) -> Serving {
    serving(Daemon {
        timelines: vec![timeline("group/app", "main", jobs)],
        ..Daemon::default()
    })
    .await
}

/// The keys of an object, with those of the first of a list in it.
pub(crate) fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let keys = fields.iter().flat_map(|(name, value)| {
                let within = keys(value).into_iter();
                let within = within.map(move |key| format!("{name}.{key}"));
                [name.clone()].into_iter().chain(within).collect::<Vec<_>>()
            });
            keys.collect()
        }
        Value::Array(items) => items.first().map(keys).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The example of an endpoint in `docs/api.md`.
pub(crate) fn documented(endpoint: &str) -> Value {
    let docs = include_str!("../../docs/api.md");
    let section = docs.split(&format!("## `GET {endpoint}`\n")).nth(1);
    let example = section.unwrap().split("```json\n").nth(1).unwrap();
    serde_json::from_str(example.split("```").next().unwrap()).unwrap()
}

#[tokio::test]
async fn stuck_and_waiting_jobs_look_so_and_are_found_by_their_state() {
    // Half an hour and a second before the time of the tests.
    let since = time(1_700_003_600 - 1801);
    let stuck = Figures {
        running_since: since,
        usual_duration: passing(1).usual_duration.or(failing().usual_duration),
        ..passing(3)
    };
    let waiting = Figures {
        pending_since: since,
        ..passing(3)
    };
    let serving = jobs(vec![
        job("hangs", stuck),
        job("queues", waiting),
        job("calm", passing(3)),
    ])
    .await;
    let page = serving.text("/").await;
    for part in [
        "▶</span> Stuck</span><small>running for 30 min 1 s, usually 11 s</small>",
        "…</span> Waiting</span><small>for a runner for 30 min 1 s with the tags <bdi>docker,linux</bdi></small>",
        "<a href=\"/?state=stuck\"><b>1</b> stuck</a>",
        "<span class=\"faint\">Not failing</span>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    for (state, name) in [("stuck", "hangs"), ("waiting", "queues")] {
        let page = serving.text(&format!("/?state={state}")).await;
        assert_eq!(page.matches("<bdi class=\"job\">").count(), 1, "{page}");
        assert!(page.contains(&format!("<bdi class=\"job\">{name}</bdi>")));
        let listed = serving.text(&format!("/api/v1/jobs?state={state}")).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["jobs"][0]["job_name"], name);
        assert_eq!(listed["jobs"][0]["states"], serde_json::json!([state]));
    }
}

#[tokio::test]
async fn a_list_keeps_filters_and_order_in_its_addresses() {
    let names = (0..101).map(|n| job(&format!("job-{n:03}"), failing()));
    let serving = jobs(names.collect()).await;
    let page = serving
        .text("/?sort=job&order=desc&class=script&team=sre&q=job&track=")
        .await;
    let (first, second) = (page.find(">job-100<"), page.find(">job-099<"));
    assert!(first.unwrap() < second.unwrap(), "{page}");
    for part in [
        "aria-sort=\"descending\"><a class=\"sort\" href=\"/?q=job&amp;team=sre&amp;class=script&amp;sort=job\">Job",
        "href=\"/?q=job&amp;team=sre&amp;class=script&amp;sort=job&amp;order=desc&amp;page=2\" aria-label=\"Page 2\">2</a>",
        "<option value=\"script\" selected>script</option>",
        "<details open>",
        "1 to 100 of 101",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    let none = serving.text("/?project=group/ap").await;
    assert!(
        none.contains("Did you mean <a href=\"/?project=group%2Fapp\">")
            || none.contains("No project with the path <b><bdi>group/ap</bdi></b>"),
        "{none}"
    );
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_leaves_the_page_usable() {
    let serving = jobs(vec![job("calm", passing(3))]).await;
    for (query, said) in [
        (
            "?state=broken",
            "`state` is `broken`, one of these is wanted: ",
        ),
        (
            "?sort=colour&q=calm",
            "`sort` is `colour`, one of these is wanted",
        ),
        ("?page=x", "`page` is `x`, a whole number from 1 is wanted"),
        ("?stat=failing", "found the parameter `stat`, wanted q"),
        ("?state=%3Cscript%3E", "`state` is `&lt;script&gt;`"),
    ] {
        for path in ["/", "/projects", "/schedules", "/alerts", "/remediation"] {
            let answer = serving.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status(), 400, "{path}{query}");
            let page = answer.text().await.unwrap();
            assert!(page.contains(said), "{said} not in\n{page}");
            assert_eq!(page.matches("<script").count(), 1, "{page}");
        }
        let page = serving.text(&format!("/{query}")).await;
        assert!(
            page.contains("<bdi class=\"job\">calm</bdi>") && page.contains("<form"),
            "{page}"
        );
        for path in [
            "/api/v1/jobs",
            "/api/v1/projects",
            "/api/v1/schedules",
            "/api/v1/grid",
            "/api/v1/alerts",
            "/api/v1/remediation",
        ] {
            let answer = serving.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status(), 400, "{path}{query}");
            let error: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            assert!(error["error"].is_string(), "{error}");
        }
    }
}

#[tokio::test]
async fn projects_tell_how_their_polls_go_and_since_when_the_default_branch_is_red() {
    let mut rows = timeline("group/app", "main", vec![job("unit", failing())]);
    rows.pipelines = failing();
    let project = |path: &str, error: Option<&str>| ProjectStatus {
        path: path.into(),
        url: Some(format!("https://gitlab.example/{path}").into()),
        last_successful_poll: time(1_700_003_590),
        error: error.map(str::to_owned),
        failed_polls: 7,
        default_branch: Some("main".into()),
    };
    let serving = serving(Daemon {
        timelines: vec![rows],
        projects: vec![
            project("group/app", None),
            project("group/broken", Some("answered 500")),
        ],
        ..Daemon::default()
    })
    .await;
    let page = serving.text("/projects").await;
    assert!(page.find("group/<wbr>broken").unwrap() < page.find("group/<wbr>app").unwrap());
    for part in [
        "<h1>Projects</h1>",
        "<span class=\"badge bad\">✕ Failed</span> <small class=\"error\"><bdi>answered 500</bdi></small>",
        "10 s ago",
        "<a href=\"/grid/group/app/-/main?track=\"><bdi>main</bdi></a> <span class=\"badge bad\">✕ Red</span>",
        "58 min ago",
        "<a href=\"/projects\" aria-current=\"page\">Projects</a>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    let red: Value =
        serde_json::from_str(&serving.text("/api/v1/projects?state=red").await).unwrap();
    assert_eq!(keys(&red), keys(&documented("/api/v1/projects")));
    assert_eq!(
        (&red["matching"], &red["projects"][0]["project"]),
        (&1.into(), &"group/app".into())
    );
    assert_eq!(
        red["projects"][0]["default_branch_failing_since_timestamp_seconds"],
        1_700_000_100
    );
    let page = serving.text("/projects?q=500").await;
    assert!(
        page.contains("group/broken") && !page.contains("group/app"),
        "{page}"
    );
}

#[tokio::test]
async fn schedules_tell_when_they_ran_and_run_and_which_are_late_or_off() {
    let schedule = |id: u64, name: &str, next: i64| ScheduleEntry {
        project: "group/app".into(),
        project_url: None,
        row: ScheduleRow {
            id,
            description: name.into(),
            ref_name: "main".into(),
            next_run: time(next),
            last_run: time(1_700_000_000),
            missed: None,
            switched_off: None,
            active: true,
        },
    };
    let mut off = schedule(2, "weekly", 1_700_000_000);
    off.row.active = false;
    let mut switched_off = schedule(3, "hourly", 1_700_000_000);
    (switched_off.row.active, switched_off.row.switched_off) = (false, time(1_700_000_000));
    let serving = serving(Daemon {
        schedules: vec![
            schedule(1, "nightly", 1_700_003_600 - 901),
            off,
            switched_off,
            schedule(4, "monthly", 1_700_003_600 + 3600),
            schedule(5, HOSTILE, 1_700_003_600 - 900),
        ],
        ..Daemon::default()
    })
    .await;
    let page = serving.text("/schedules").await;
    for part in [
        "<span class=\"badge bad\">✕ Late</span><small>was due",
        "<span class=\"badge\">– Off</span>",
        "– Switched off by GitLab</span>",
        ">in 1 h</time>",
        "1 to 5 of 5",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert!(page.find("nightly").unwrap() < page.find("monthly").unwrap());
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    let listed = serving.text("/api/v1/schedules?state=late").await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(keys(&listed), keys(&documented("/api/v1/schedules")));
    assert_eq!(
        (&listed["matching"], &listed["schedules"][0]["id"]),
        (&1.into(), &1.into())
    );
}

fn grid(name: &str) -> GridEntry {
    let pipeline = |id: u64, outcome: Outcome| GridPipeline {
        id,
        commit: format!("{id:08x}ffff").into(),
        info: (outcome == Outcome::Failed).then(|| commit_info("Raise the limit", "ada")),
        state: ExecutionState::Ended(outcome),
        at: time(1_700_003_540),
    };
    let cell = |outcome: Outcome| {
        Some(GridCell {
            state: ExecutionState::Ended(outcome),
            flaky: false,
            failure_class: (outcome == Outcome::Failed).then_some(FailureClass::Script),
            web_url: Some("https://gitlab.example/group/app/-/jobs/103".into()),
        })
    };
    let row = |name: &str, broken_by: Option<u64>, cells: Vec<Option<GridCell>>| GridJob {
        name: name.into(),
        stage: "test".into(),
        consecutive_failures: u64::from(broken_by.is_some()),
        broken_by,
        cells,
    };
    GridEntry {
        project: "group/app".into(),
        project_url: Some("https://gitlab.example/group/app".into()),
        ref_name: name.into(),
        track: Some("nightly".into()),
        grid: Grid {
            pipelines: vec![pipeline(12, Outcome::Failed), pipeline(11, Outcome::Passed)],
            jobs: vec![
                row("calm", None, vec![None, cell(Outcome::Passed)]),
                row(
                    "lint",
                    Some(12),
                    vec![cell(Outcome::Failed), cell(Outcome::Passed)],
                ),
                row(
                    HOSTILE,
                    Some(12),
                    vec![cell(Outcome::Failed), cell(Outcome::Passed)],
                ),
            ],
        },
    }
}

#[tokio::test]
async fn a_grid_tells_which_commit_broke_which_jobs() {
    let name = "refs/merge-requests/7/head";
    let serving = serving(Daemon {
        timelines: vec![timeline("group/app", "main", vec![job("unit", failing())])],
        grid: Some(grid(name)),
        ..Daemon::default()
    })
    .await;
    let page = serving
        .text("/grid/group/app/-/refs/merge-requests/7/head?track=nightly")
        .await;
    for part in [
        "<h1>Grid of <bdi>refs/merge-requests/7/head</bdi> · <bdi>nightly</bdi></h1>",
        "<b>2 jobs</b> began to fail at <a href=\"https://gitlab.example/group/app/-/commit/0000000cffff\">",
        "“<bdi>Raise the limit</bdi>” by <b><bdi>ada</bdi></b>, ",
        "aria-label=\"failed (script), pipeline 12, commit 0000000c\"",
        "aria-label=\"not run\"",
        "<td class=\"broke\">",
        "href=\"/pipelines/group/app/-/12\" aria-label=\"Pipeline 12, commit 0000000c\"",
        "<a href=\"/grid/group/app/-/main?track=\"><bdi>main</bdi></a>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert!(page.rfind(">lint<").unwrap() < page.rfind(">calm<").unwrap());
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    let api = format!("/api/v1/grid?project=group/app&ref={name}&track=nightly&limit=1");
    let listed: Value = serde_json::from_str(&serving.text(&api).await).unwrap();
    assert_eq!(keys(&listed), keys(&documented("/api/v1/grid")));
    assert_eq!(
        (
            &listed["matching"],
            &listed["jobs"][0]["broken_by_pipeline_id"]
        ),
        (&3.into(), &12.into())
    );
}

#[tokio::test]
async fn a_grid_that_is_not_there_says_what_is() {
    let serving = serving(Daemon {
        timelines: vec![timeline("group/app", "main", vec![job("unit", failing())])],
        ..Daemon::default()
    })
    .await;
    for (path, said) in [
        (
            "/grid/group/app",
            "The address does not name a project and a ref",
        ),
        (
            "/grid/group/other/-/main",
            "No ref of a project <b><bdi>group/other</bdi></b>",
        ),
        (
            "/grid/group/app/-/mian",
            "No jobs of the ref <b><bdi>mian</bdi></b>",
        ),
        (
            "/grid/group/app/-/main?track=x",
            "has no track <b><bdi>x</bdi></b>",
        ),
    ] {
        let answer = serving.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(said), "{said} not in\n{page}");
    }
    let answer = serving.get("/api/v1/grid?project=group/app&ref=mian").await;
    assert_eq!(answer.status(), 404);
    let error: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(
        error["error"].as_str().unwrap().contains("`mian`"),
        "{error}"
    );
}
