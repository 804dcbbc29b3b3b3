//! `retry` and `circuit`, against a running exporter.

use super::stage::{RULES, SHOP, Stage, broken_runner, flaky_runner};
use gitlab_simulator::JobPlan;

const NO_RULES: &str = "limits: {younger_than: 6h}";

async fn failing() -> Stage {
    let stage = Stage::new("act", NO_RULES).await;
    stage.ended([
        flaky_runner("lint"),
        flaky_runner("unit"),
        JobPlan::fails("docs"),
    ]);
    for job in ["lint", "unit", "docs"] {
        stage.decides(job, "no_rule", "").await;
    }
    stage
}

#[tokio::test]
async fn one_job_is_retried_after_a_trial_that_changes_nothing() {
    let stage = failing().await;
    let tried = stage
        .run(&["retry", SHOP, "unit", "--dry-run"])
        .await
        .done();
    assert_eq!(tried, "acme/shop  main  unit  would start\n");
    assert_eq!(stage.retries(), 0);
    let done = stage.run(&["retry", SHOP, "unit"]).await.done();
    assert_eq!(done, "acme/shop  main  unit  started\n");
    let again = stage.run(&["retry", SHOP, "unit"]).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.out.contains("not done: "), "{again:?}");
    stage.results_in_time(&["recovered"]).await;
    assert_eq!(stage.retries(), 1);
}

#[tokio::test]
async fn more_than_one_needs_a_yes() {
    let stage = failing().await;
    let all = [
        "retry",
        "--failed",
        "--class",
        "infrastructure",
        "--project",
        "acme/**",
    ];
    let refused = stage.run(&all).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .err
            .contains("2 actions would be started; give --yes"),
        "{refused:?}"
    );
    assert_eq!(stage.retries(), 0);
    let mut tried = all.to_vec();
    tried.push("--dry-run");
    let tried = stage.run(&tried).await.done();
    assert_eq!(tried.matches("would start").count(), 2, "{tried}");
    let mut with_yes = all.to_vec();
    with_yes.push("--yes");
    let done = stage.run(&with_yes).await.done();
    assert_eq!(done.matches("started").count(), 2, "{done}");
    stage.results_in_time(&["recovered", "recovered"]).await;
}

#[tokio::test]
async fn what_fits_nothing_is_told() {
    let stage = failing().await;
    for args in [
        &["retry", "--failed", "--class", "timeout"][..],
        &["retry", "--failed", "--project", "other/**"],
        &["retry", "--failed", "--ref", "feature"],
    ] {
        let told = stage.run(args).await.done();
        assert_eq!(told, "nothing fails that fits\n");
    }
    let unknown = stage.run(&["retry", SHOP, "no-such-job"]).await;
    assert!(
        unknown.out.contains("nothing failed lately that fits"),
        "{unknown:?}"
    );
    std::fs::write(
        stage.place.config().with_file_name("ops-token"),
        "wrong secret",
    )
    .unwrap();
    let refused = stage.run(&["circuit", "open", "--all"]).await.refused();
    assert!(refused.contains("401"), "{refused}");
}

#[tokio::test]
async fn circuits_are_listed_and_closed() {
    let stage = Stage::new("act", &format!("circuit: {{failures: 1}}, {RULES}")).await;
    let none = stage.run(&["circuit", "list"]).await.done();
    assert_eq!(none, "no circuit is open\n");
    stage.ended([broken_runner("unit")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    stage
        .shows("job_retry_circuit_open", &[("job_name", "unit")], 1.0)
        .await;
    let listed = stage.run(&["circuit", "list"]).await.done();
    assert!(
        listed.contains("acme/shop  main  -      unit  2026-01-05"),
        "{listed}"
    );
    let reset = ["circuit", "reset", SHOP, "unit", "--ref", "main"];
    let closed = stage.run(&reset).await.done();
    assert!(closed.contains("the circuit is closed"), "{closed}");
    let closed = stage.run(&reset).await.done();
    assert_eq!(closed, "the circuit was not open\n");
    let unknown = stage
        .run(&["circuit", "reset", "acme/none", "unit", "--ref", "main"])
        .await;
    assert!(
        unknown
            .refused()
            .contains("no watched project has the path")
    );
}

#[tokio::test]
async fn everything_is_stopped_and_resumed() {
    let stage = Stage::new("act", RULES).await;
    stage.run(&["circuit", "open", "--all"]).await.done();
    stage.ended([flaky_runner("unit")]);
    stage.decides("unit", "wait", "halted").await;
    let listed = stage.run(&["circuit", "list"]).await.done();
    assert!(
        listed.starts_with("everything is stopped, by ops\n"),
        "{listed}"
    );
    stage.run(&["circuit", "reset", "--all"]).await.done();
    stage.results_in_time(&["recovered"]).await;
}
