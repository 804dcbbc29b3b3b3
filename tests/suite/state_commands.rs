//! `state show` and `state export` as the real program, also beside an exporter that runs.

use serde_json::Value;

use crate::state_import::{export, import, offline, offline_import, v2, write};
use testkit::daemon::{Place, gitlab, holds, minutes, until};
use testkit::s3_servers::TestBucket;
use testkit::truth::equal;

#[tokio::test]
async fn while_an_exporter_runs_its_state_can_be_looked_at_and_not_replaced() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(10));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the truth", |now| equal(now, &truths)).await;
    until("a saved state", async || {
        let ran = place.run(&["state", "show"]).await;
        let there = ran.out.contains("import");
        holds(there, format!("{ran:?}"))
    })
    .await;
    assert_eq!(export(&place, "own").await["version"], 4);
    let file = write(&place, "v2.json", &v2(5, 3).to_string());
    let said = place.run(&offline_import(&file)).await.refused();
    assert!(said.contains("is in use by process"), "{said}");
    assert!(said.contains(&daemon.id().to_string()), "{said}");
    daemon.stop().await;
}

/// What `state show` prints of a state that is always the same.
async fn shown(args: &[&str]) -> String {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(10));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.run(&["backfill", "--since", "1d"]).await.done();
    place.run(&[&["state", "show"], args].concat()).await.done()
}

#[tokio::test]
async fn the_table_tells_streaks_since_when_and_the_last_success() {
    assert_eq!(
        shown(&[]).await,
        "\
acme/warehouse (id 100), ref main: 3 jobs, up to pipeline 1010
STREAK  RATIO  FAILED  FLAKY  SINCE             LAST SUCCESS      LAST EXECUTIONS  JOB
9       0.90   9/10    0      2026-01-05 08:01  2026-01-05 08:00  +xxxxxxxxx       import
0       0.00   0/10    0      -                 2026-01-05 08:09  ++++++++++       check
0       0.00   0/1     0      -                 2026-01-05 08:00  +                report

Last executions, oldest first: + passed, x failed, a allowed failure, f flaky. Times are UTC.
"
    );
}

#[tokio::test]
async fn one_job_is_told_with_each_execution_of_its_window() {
    let text = shown(&["--job", "import"]).await;
    for words in [
        "import of acme/warehouse (id 100), ref main\n",
        "streak                9\n",
        "ratio                 0.90 (9/10 failed)\n",
        "failing since         2026-01-05 08:01\n",
        "reason                script_failure\n",
        "class                 script\n",
        "\nPIPELINE  JOB    OUTCOME  FINISHED          COMMIT\n1001 ",
        "\n1010 ",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn the_machine_form_has_the_figures_under_the_names_of_the_metrics() {
    let shown: Value = serde_json::from_str(&shown(&["--json"]).await).unwrap();
    let timeline = &shown[0];
    assert_eq!(timeline["project"], "acme/warehouse");
    assert_eq!(timeline["ref"], "main");
    let jobs = timeline["jobs"].as_array().unwrap();
    let job = jobs.iter().find(|job| job["job_name"] == "import").unwrap();
    assert_eq!(job["consecutive_failures"], 9);
    assert_eq!(job["window"].as_array().unwrap().len(), 10);
    assert_eq!(job["executions_total"]["failed"], 9);
    assert_eq!(job["failures_total"]["script"], 9);
    assert_eq!(job["failing"]["since_timestamp_seconds"], 1_767_600_082);
    assert_eq!(timeline["pipelines"]["window_executions"], 10);
}

#[tokio::test]
async fn what_is_not_saved_is_not_shown_and_the_message_says_what_is() {
    let place = offline();
    let said = place.run(&["state", "show"]).await.refused();
    assert!(said.contains("there is no state directory"), "{said}");
    assert!(said.contains("nothing was saved there yet"), "{said}");
    import(&place, &v2(5, 3)).await;
    let said = place
        .run(&["state", "show", "--project", "acme/x"])
        .await
        .refused();
    assert!(
        said.contains("there are\nacme/app (id 100), ref main"),
        "{said}"
    );
    let said = place
        .run(&["state", "show", "--job", "biuld"])
        .await
        .refused();
    assert!(
        said.contains("no job `biuld` is saved; did you mean `build`?"),
        "{said}"
    );
    for (args, wanted) in [
        (["--job", "zzz"], "no job `zzz` is saved; there are build"),
        (
            ["--project", "acme/ap"],
            "is of project `acme/ap`; did you mean `acme/app`? there are\nacme/app (id 100), ref main",
        ),
        (
            ["--ref", "mian"],
            "is of ref `mian`; there are\nacme/app (id 100), ref main",
        ),
    ] {
        let said = place.run(&[&["state", "show"][..], &args].concat()).await;
        let said = said.refused();
        assert!(said.contains(wanted), "{said}");
    }
    for selection in [["--project", "100"], ["--ref", "main"]] {
        let args = [&["state", "export"][..], &selection].concat();
        place.run(&args).await.done();
    }
    let file = write(&place, "v2.json", &v2(5, 3).to_string());
    let mut args = offline_import(&file);
    args[4] = "next";
    place.run(&args).await.done();
    let said = place.run(&["state", "export"]).await.refused();
    assert!(
        said.contains("which one?") && said.contains("ref next"),
        "{said}"
    );
}

#[tokio::test]
async fn an_unreadable_document_is_told_and_left_where_it_is() {
    let place = offline();
    import(&place, &v2(5, 3)).await;
    let broken = place.state().join("100/broken.json");
    std::fs::write(&broken, "{").unwrap();
    let ran = place.run(&["state", "show"]).await;
    assert!(
        ran.err.contains("left out: ") && ran.err.contains("broken.json"),
        "{ran:?}"
    );
    assert!(ran.done().contains("build"));
    assert!(broken.exists());
}

#[tokio::test]
async fn a_bucket_is_looked_at_without_writing_into_it() {
    let bucket = TestBucket::create().await;
    let place = Place::on_s3(
        "http://127.0.0.1:9",
        "projects: [acme/app]",
        bucket.server,
        &bucket.name,
    );
    let said = place.run(&["state", "show"]).await.refused();
    assert!(said.contains("there is no saved state in s3://"), "{said}");
    assert_eq!(bucket.keys().await, Vec::<String>::new());
    import(&place, &v2(5, 3)).await;
    let file = write(&place, "document.json", &v2(6, 1).to_string());
    let mut args = offline_import(&file);
    assert!(place.run(&args).await.refused().contains("give --force"));
    let keys = bucket.keys().await;
    let text = place.run(&["state", "show"]).await.done();
    assert!(text.contains("3       1.00   3/3"), "{text}");
    assert_eq!(export(&place, "datadog-v2").await, v2(5, 3));
    assert_eq!(bucket.keys().await, keys);
    // Replaced, and not merged with what was there.
    args.push("--force");
    place.run(&args).await.done();
    assert_eq!(export(&place, "datadog-v2").await, v2(6, 1));
}
