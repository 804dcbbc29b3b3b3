//! The truth of every scenario in figures.

use std::time::Duration;

use gitlab_simulator::truth::JobTruth;
use gitlab_simulator::{CiStatus, Handle, Options, Scenario, start};

use super::{minutes, scenario, seconds};

/// Streak and window (`p`assed, `f`ailed, `a`llowed failure) of a job.
fn told(gitlab: &Handle, project: &str, job: &str) -> String {
    let truth = gitlab.truth_of(project, job).unwrap();
    let window: String = truth.window.iter().map(|outcome| &outcome[..1]).collect();
    format!("{} {window}", truth.consecutive_failures)
}

/// Advances time to a number of minutes after the start.
fn reach(gitlab: &Handle, minute: u64, second: u64) {
    let target = minutes(minute) + seconds(second);
    let passed = gitlab.with(|world| world.now().seconds_since(world.started()));
    gitlab.advance(target.saturating_sub(Duration::from_secs_f64(passed)));
}

#[tokio::test]
async fn a_job_that_breaks_has_a_streak_of_three_in_minute_five_and_none_in_minute_seven() {
    let gitlab = scenario("breaks-and-is-fixed").await;
    let unit = |minute| {
        reach(&gitlab, minute, 0);
        told(&gitlab, "acme/shop", "unit-tests")
    };
    assert_eq!(unit(2), "0 pp");
    assert_eq!(unit(5), "3 ppfff");
    assert_eq!(unit(6), "4 ppffff");
    let broken = gitlab.truth_of("acme/shop", "unit-tests").unwrap();
    assert!((broken.failure_ratio - 4.0 / 6.0).abs() < 1e-12);
    assert_eq!(broken.failing_since, Some(1_767_600_000 + 154));
    assert_eq!(broken.last_success, Some(1_767_600_000 + 94));
    assert_eq!(broken.failure_reason.as_deref(), Some("script_failure"));
    let commit = |iid| {
        gitlab.with(|world| {
            let project = world.project_by_path("acme/shop").unwrap().id;
            let mut pipelines = world.visible_pipelines(project);
            pipelines.find(|p| p.iid == iid).map(|p| p.sha.clone())
        })
    };
    assert_eq!(broken.first_failing_commit, commit(3));
    assert_eq!(broken.last_passing_commit, commit(2));
    assert_eq!(unit(7), "0 ppffffp");
    assert_eq!(told(&gitlab, "acme/shop", "deploy"), "0 ppp");
}

#[tokio::test]
async fn a_job_that_stays_broken_has_a_streak_longer_than_the_window_until_it_is_fixed() {
    let gitlab = scenario("stays-broken").await;
    reach(&gitlab, 26, 0);
    assert_eq!(told(&gitlab, "acme/warehouse", "import"), "25 ffffffffff");
    reach(&gitlab, 27, 0);
    assert_eq!(told(&gitlab, "acme/warehouse", "import"), "0 fffffffffp");
}

#[tokio::test]
async fn a_flaky_job_never_fails_and_every_second_execution_is_flaky() {
    let gitlab = scenario("flaky").await;
    reach(&gitlab, 10, 0);
    assert_eq!(told(&gitlab, "acme/mobile", "ui-tests"), "0 pppppppppp");
    let truth = gitlab.truth_of("acme/mobile", "ui-tests").unwrap();
    assert_eq!(truth.window_flaky, 5);
}

#[tokio::test]
async fn a_failure_counts_until_its_retry_is_queued_and_is_a_pass_afterwards() {
    let gitlab = scenario("retry-then-pass").await;
    let tests = |minute, second| {
        reach(&gitlab, minute, second);
        told(&gitlab, "acme/api", "integration-tests")
    };
    assert_eq!(tests(4, 0), "1 pppf");
    assert_eq!(tests(4, 29), "0 pppfp");
    assert_eq!(tests(4, 31), "0 pppp");
    assert_eq!(tests(5, 0), "0 ppppp");
    let truth = gitlab.truth_of("acme/api", "integration-tests").unwrap();
    assert_eq!((truth.window_failures, truth.window_flaky), (0, 1));
    assert_eq!(told(&gitlab, "acme/api", "publish"), "0 pppp");
    reach(&gitlab, 5, 10);
    assert_eq!(told(&gitlab, "acme/api", "publish"), "0 ppppp");
}

#[tokio::test]
async fn three_failed_attempts_of_one_execution_are_one_failure() {
    let gitlab = scenario("retry-then-fail").await;
    let tests = |minute, second| {
        reach(&gitlab, minute, second);
        told(&gitlab, "acme/billing", "contract-tests")
    };
    assert_eq!(tests(2, 30), "0 pp");
    assert_eq!(tests(3, 0), "1 ppf");
    assert_eq!(tests(3, 40), "0 pp");
    assert_eq!(tests(5, 0), "1 ppf");
    assert_eq!(tests(6, 0), "0 ppfp");
}

#[tokio::test]
async fn an_allowed_failure_is_recorded_and_breaks_the_streak() {
    let gitlab = scenario("allowed-failure").await;
    reach(&gitlab, 4, 0);
    assert_eq!(told(&gitlab, "acme/docs", "spell-check"), "2 ppff");
    reach(&gitlab, 5, 0);
    assert_eq!(told(&gitlab, "acme/docs", "spell-check"), "0 ppffa");
    assert_eq!(told(&gitlab, "acme/docs", "link-check"), "0 pppaa");
    let link = gitlab.truth_of("acme/docs", "link-check").unwrap();
    assert_eq!(link.window_failures, 0);
}

#[tokio::test]
async fn each_job_of_a_matrix_counts_separately() {
    let gitlab = scenario("matrix").await;
    reach(&gitlab, 9, 0);
    assert_eq!(told(&gitlab, "acme/compiler", "test 2/3"), "6 pppffffff");
    assert_eq!(told(&gitlab, "acme/compiler", "test 1/3"), "0 ppppppppp");
    let arm = told(&gitlab, "acme/compiler", "build: [linux, arm64]");
    assert_eq!(arm, "1 ppppppppf");
}

#[tokio::test]
async fn a_canceled_execution_has_no_outcome_and_replaces_the_earlier_one() {
    let gitlab = scenario("canceled").await;
    let e2e = |minute, second| {
        reach(&gitlab, minute, second);
        told(&gitlab, "acme/website", "e2e")
    };
    assert_eq!(e2e(3, 0), "0 pp");
    assert_eq!(e2e(4, 30), "2 ppff");
    assert_eq!(e2e(4, 55), "1 ppf");
    assert_eq!(e2e(6, 0), "0 ppfp");
    assert_eq!(told(&gitlab, "acme/website", "lint"), "0 pppppp");
}

#[tokio::test]
async fn late_pipelines_take_their_place_by_id() {
    let gitlab = scenario("late-pipelines").await;
    let etl = |minute, second| {
        reach(&gitlab, minute, second);
        told(&gitlab, "acme/data", "etl")
    };
    assert_eq!(etl(3, 30), "0 ppp");
    assert_eq!(etl(4, 0), "0 ppfp");
    assert_eq!(etl(7, 0), "1 ppfppf");
    assert_eq!(etl(7, 15), "1 ppfpppf");
    assert_eq!(etl(7, 30), "2 ppfpppff");
    assert_eq!(etl(9, 25), "0 ppfpppffp");
    assert_eq!(etl(9, 35), "0 ppfpppfffp");
    assert_eq!(etl(10, 30), "0 ppfpppfffp");
    assert_eq!(etl(10, 45), "0 pfpppfffpp");
}

#[tokio::test]
async fn a_stuck_job_keeps_its_start_while_later_ones_pass() {
    let gitlab = scenario("stuck").await;
    reach(&gitlab, 10, 0);
    let start = 1_767_600_000;
    let train = gitlab.truth_of("acme/ml", "train").unwrap();
    assert_eq!(train.running_start, Some(start + 62));
    assert_eq!(told(&gitlab, "acme/ml", "train"), "0 ppppppppp");
    let gpu = gitlab.truth_of("acme/ml", "gpu-tests").unwrap();
    assert_eq!(
        (gpu.running_start, gpu.pending_since),
        (None, Some(start + 180))
    );
}

#[tokio::test]
async fn an_outage_fails_forty_five_jobs_at_once_and_is_over_two_minutes_later() {
    let gitlab = scenario("outage").await;
    let failing = |minute| {
        reach(&gitlab, minute, 0);
        let failing = |job: &JobTruth| {
            job.consecutive_failures > 0
                && job.failure_reason.as_deref() == Some("runner_system_failure")
        };
        gitlab.truth().iter().filter(|job| failing(job)).count()
    };
    assert_eq!([3, 4, 5, 6].map(failing), [0, 45, 45, 0]);
}

#[tokio::test]
async fn the_demo_contains_every_scenario_and_a_seed_always_gives_the_same_events() {
    let demo = async |seed, steps: &[u64]| {
        let options = Options {
            scenario: Scenario::named("demo"),
            seed,
            ..Options::default()
        };
        let gitlab = start(options).await.unwrap();
        for step in steps {
            gitlab.advance(minutes(*step));
        }
        gitlab.truth()
    };
    let truth = demo(7, &[60]).await;
    let projects: std::collections::BTreeSet<_> = truth.iter().map(|job| &job.project).collect();
    assert_eq!(projects.len(), 16);
    assert!(!projects.contains(&"acme/attic".to_owned()));
    assert_eq!(truth, demo(7, &[1, 9, 13, 37]).await);
    assert_ne!(truth, demo(8, &[60]).await);
}

#[tokio::test]
async fn the_truth_is_served_and_time_can_be_moved_over_http() {
    let gitlab = scenario("breaks-and-is-fixed").await;
    let client = reqwest::Client::new();
    let advance = format!("{}/-/advance?seconds=300", gitlab.url());
    let advanced = client.post(advance).send().await.unwrap();
    assert_eq!(
        advanced.text().await.unwrap(),
        r#"{"now":"2026-01-05T08:05:00.000Z"}"#
    );
    let truth = client.get(format!("{}/-/truth", gitlab.url()));
    let truth = truth.send().await.unwrap().bytes().await.unwrap();
    let jobs: Vec<serde_json::Value> = serde_json::from_slice(&truth).unwrap();
    let unit = jobs
        .iter()
        .find(|job| job["job_name"] == "unit-tests")
        .unwrap();
    assert_eq!(unit["consecutive_failures"], 3);
    assert_eq!(unit["ref"], "main");
}

#[tokio::test]
async fn the_comebacks_pass_on_the_first_on_the_second_and_on_no_retry() {
    let gitlab = scenario("comebacks").await;
    reach(&gitlab, 12, 0);
    let failed = |gitlab: &Handle| {
        let names = ["integration", "e2e", "contract"];
        names.map(|job| {
            gitlab
                .truth_of("acme/payments", job)
                .unwrap()
                .window_failures
        })
    };
    assert_eq!(failed(&gitlab), [3, 2, 8]);
    let mut after = Vec::new();
    for _ in 0..2 {
        gitlab.with(|world| {
            let project = world.project_by_path("acme/payments").unwrap().id;
            let pipelines: Vec<u64> = world.visible_pipelines(project).map(|p| p.id).collect();
            for pipeline in pipelines {
                for name in ["integration", "e2e", "contract"] {
                    let job = world.latest(pipeline, name).unwrap();
                    let (job, failed) = (job.id, job.status == CiStatus::Failed);
                    if failed {
                        world.retry_job(job).unwrap();
                    }
                }
            }
        });
        gitlab.advance(minutes(1));
        after.push(failed(&gitlab));
    }
    assert_eq!(after, [[0, 2, 8], [0, 0, 8]]);
}
