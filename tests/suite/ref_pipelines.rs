//! The pipelines of a ref, as a page and as JSON.

use ci_history::{ExecutionState, JobCounts, Outcome, PipelineSummary, Span};
use job_failure_exporter::http::{Limits, PipelineListing, RefPipelines};
use serde_json::Value;

use crate::http_serving::{Daemon, Serving};
use crate::list_pages::{documented, keys};
use crate::metrics_rows::{HOSTILE, commit_info, failing, job, time, timeline};

fn ref_pipelines(count: u64) -> RefPipelines {
    let listing = |id: u64| {
        let has_failed = id.is_multiple_of(2);
        let outcome = if has_failed {
            Outcome::Failed
        } else {
            Outcome::Passed
        };
        PipelineListing {
            summary: PipelineSummary {
                id,
                commit: format!("{id:08x}ffff").into(),
                info: has_failed.then(|| commit_info("Raise the limit", HOSTILE)),
                source: Some("merge_request_event".into()),
                state: ExecutionState::Ended(outcome),
                at: time(1_700_003_000),
                duration: Span::from_seconds(125.0),
            },
            counts: JobCounts {
                jobs: 57,
                failed: usize::from(has_failed),
            },
        }
    };
    RefPipelines {
        project: "group/app".into(),
        project_url: Some("https://gitlab.example/group/app".into()),
        ref_name: "feature/1".into(),
        track: Some("nightly".into()),
        pipelines: (1..=count).rev().map(listing).collect(),
    }
}

#[tokio::test]
async fn the_pipelines_of_a_ref_tell_commit_result_and_since_when_it_is_red() {
    let mut rows = timeline("group/app", "feature/1", vec![job("unit", failing())]);
    rows.track = Some("nightly".into());
    rows.pipelines = failing();
    let daemon = Daemon {
        timelines: vec![rows],
        ref_pipelines: Some(ref_pipelines(102)),
        ..Daemon::default()
    };
    let serving = Serving::start(daemon, Limits::default()).await;
    let page = serving
        .text("/refs/group/app/-/feature/1?track=nightly&q=raise")
        .await;
    for part in [
        "<h1>Pipelines of <bdi>feature/1</bdi> · <bdi>nightly</bdi></h1>",
        "✕ Red</span> 3 failed pipelines in a row, since <time",
        "<a href=\"/grid/group/app/-/feature%2F1?track=nightly\">Grid</a>",
        "<a href=\"/pipelines/group/app/-/102\">102</a>",
        "<a href=\"https://gitlab.example/group/app/-/pipelines/102\">in GitLab</a>",
        "<bdi>Raise the limit</bdi> by <bdi>",
        "<bdi>merge request event</bdi>",
        "2 min 5 s",
        "1 of 57",
        "10 min ago",
        "<input type=\"hidden\" name=\"track\" value=\"nightly\">",
        "<a class=\"clear\" href=\"/refs/group/app/-/feature/1?track=nightly\">Clear</a>",
        "1 to 51 of 51",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    assert!(page.find(">102</a>").unwrap() < page.find(">2</a>").unwrap());
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    let all = serving
        .text("/refs/group/app/-/feature/1?track=nightly")
        .await;
    assert!(
        all.contains("href=\"/refs/group/app/-/feature/1?track=nightly&amp;page=2\"")
            && all.contains("1 to 100 of 102"),
        "{all}"
    );
    let api =
        "/api/v1/pipelines?project=group/app&ref=feature/1&track=nightly&state=failed&limit=1";
    let listed: Value = serde_json::from_str(&serving.text(api).await).unwrap();
    assert_eq!(keys(&listed), keys(&documented("/api/v1/pipelines")));
    let (matching, total) = (&listed["matching"], &listed["total"]);
    assert_eq!((matching, total), (&51.into(), &102.into()));
    assert_eq!(listed["failing_since_timestamp_seconds"], 1_700_000_100);
    for (query, status, said) in [
        (
            "ref=main",
            400,
            "`project` is missing, wanted for example /api/v1/pipelines?project=",
        ),
        ("project=group/app&ref=", 400, "`ref` is missing"),
        (
            "project=group/app&ref=main",
            404,
            "no pipelines of the ref `main`",
        ),
        (
            "project=a&ref=b&sort=x",
            400,
            "`sort` is `x`, one of these is wanted",
        ),
        (
            "project=a&refs=b",
            400,
            "found the parameter `refs`, wanted project, ref, track, q",
        ),
    ] {
        let answer = serving.get(&format!("/api/v1/pipelines?{query}")).await;
        assert_eq!(answer.status(), status, "{query}");
        let error: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(error["error"].as_str().unwrap().contains(said), "{error}");
    }
    for (path, said) in [
        ("/refs/group/app", "does not name a project and a ref"),
        (
            "/refs/group/app/-/mian",
            "No pipelines of the ref <b><bdi>mian</bdi></b>",
        ),
        (
            "/refs/group/app/-/feature/1?track=",
            "are kept on this track.",
        ),
    ] {
        let answer = serving.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(said), "{said} not in\n{page}");
    }
}
