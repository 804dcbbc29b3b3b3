//! What bad input gets while the exporter runs: a message, a metric, and everything else goes on.

use std::fs;
use std::path::Path;

use gitlab_simulator::{Fault, Handle, JobPlan, Options, PipelinePlan, Scenario, start};

use testkit::daemon::{Daemon, Place, folder, gitlab, holds, minutes};
use testkit::samples::Samples;
use testkit::truth::{differences, equal};

const ERRORS: &str = "project_poll_errors_total";

fn has_errors(samples: &Samples, what: &str, reason: &str) -> Result<(), String> {
    let found = samples.value(ERRORS, &[("project", what), ("reason", reason)]);
    holds(
        found.is_some_and(|count| count >= 1.0),
        format!("{ERRORS} of {what}, {reason}: {found:?}"),
    )
}

/// Waits until everything GitLab has is served.
async fn all_is_told(daemon: &Daemon, gitlab: &Handle) -> Samples {
    let truths = gitlab.truth();
    let look = |samples: &Samples| equal(samples, &truths);
    daemon.shows("the truth", look).await
}

#[tokio::test]
async fn a_wrong_token_is_told_with_the_scope_that_is_needed_and_the_exporter_goes_on() {
    let gitlab = gitlab("flaky").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]").with_token("glpat-wrong-one");
    let daemon = place.start().await;
    daemon
        .shows("the error", |s| has_errors(s, "acme", "unauthorized"))
        .await;
    let (status, text) = daemon.get("/-/ready").await;
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("no project could be polled yet; acme"),
        "{text}"
    );
    assert_eq!(daemon.get("/-/healthy").await.0, 200);
    let (_, page) = daemon.get("/").await;
    let log = daemon.log();
    for told in [&text, &page, &log] {
        assert!(told.contains("read_api"), "{told}");
        assert!(!told.contains("glpat-wrong-one"), "{told}");
    }
    assert_eq!(log.matches("not polled").count(), 1, "said once: {log}");
    daemon.stop().await;
}

#[tokio::test]
async fn an_unknown_project_is_named_and_the_one_beside_it_is_served() {
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(3));
    let place = Place::new(gitlab.url(), "projects: [acme/no-such, acme/mobile]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_told(&daemon, &gitlab).await;
    daemon
        .shows("the error", |s| has_errors(s, "acme/no-such", "not_found"))
        .await;
    let log = daemon.log();
    let mut told = log.lines().filter(|line| line.contains("acme/no-such"));
    let is_warned = told.any(|line| line.contains("404") && line.contains("WARN"));
    assert!(is_warned, "{log}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_gitlab_that_is_down_at_the_start_is_polled_as_soon_as_it_is_up() {
    let at_first = gitlab("flaky").await;
    let (address, url) = (at_first.address(), at_first.url().to_owned());
    at_first.shutdown().await;
    let place = Place::new(&url, "projects: [acme/mobile]");
    let daemon = place.start().await;
    daemon
        .shows("the error", |s| has_errors(s, "acme/mobile", "connection"))
        .await;
    let (status, text) = daemon.get("/-/ready").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("is GitLab up"), "{text}");

    let gitlab = start(Options {
        listen: address,
        scenario: Scenario::named("flaky"),
        ..Options::default()
    });
    let gitlab = gitlab.await.unwrap();
    gitlab.advance(minutes(2));
    daemon.is_ready().await;
    all_is_told(&daemon, &gitlab).await;
    daemon.stop().await;
}

/// A project's answers are spoiled so often that its cycle fails.
async fn goes_on_after(fault: Fault, below: &str, message: &str) {
    let gitlab = gitlab("outage").await;
    gitlab.advance(minutes(2));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    let before = all_is_told(&daemon, &gitlab).await;

    let spoiled = "acme/platform/auth";
    let id = gitlab.with(|world| world.project_by_path(spoiled).unwrap().id);
    let newest = gitlab.with(|world| world.visible_pipelines(id).last().unwrap().id);
    let path = format!("/projects/{id}{}", below.replace("ID", &newest.to_string()));
    let attempts = 4;
    gitlab.faults(|faults| (0..attempts).for_each(|_| faults.inject_at(&path, fault)));
    gitlab.advance(minutes(1) / 2);
    let during = daemon
        .shows("the error", |s| has_errors(s, spoiled, "invalid_answer"))
        .await;
    let retries = |samples: &Samples| samples.sum("job_failure_exporter_api_retries_total", &[]);
    assert!(retries(&during) >= retries(&before) + f64::from(attempts - 1));
    // The others went on meanwhile, and what was known of this one stays.
    let job = [("project", spoiled), ("job_name", "unit")];
    assert!(during.value("job_consecutive_failures", &job).is_some());
    let others = gitlab.truth().into_iter();
    let others: Vec<_> = others.filter(|job| job.project != spoiled).collect();
    let look = |samples: &Samples| {
        let mut found = differences(samples, &others);
        found.retain(|line| !line.contains(spoiled));
        holds(found.is_empty(), found.join("\n"))
    };
    daemon.shows("the truth on the others", look).await;
    daemon.says(message).await;
    // And it comes back by itself.
    all_is_told(&daemon, &gitlab).await;
    daemon.says("polled again").await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_malformed_page_fails_one_cycle_of_one_project() {
    goes_on_after(
        Fault::InvalidJson,
        "/pipelines",
        "the answer was cut off: the JSON ends",
    )
    .await;
}

#[tokio::test]
async fn a_truncated_answer_fails_one_cycle_of_one_project() {
    let jobs = "/pipelines/ID/jobs";
    goes_on_after(Fault::TruncatedBody, jobs, "the answer was cut off").await;
}

#[tokio::test]
async fn a_record_without_an_id_is_left_out_and_its_neighbours_count() {
    let gitlab = gitlab("matrix").await;
    gitlab.advance(minutes(4));
    let id = gitlab.with(|world| {
        let project = world.project_by_path("acme/compiler").unwrap().id;
        world.visible_pipelines(project).next().unwrap().id
    });
    gitlab.faults(|faults| {
        faults.inject_at(&format!("/pipelines/{id}/jobs"), Fault::RecordWithoutId);
    });
    let place = Place::new(gitlab.url(), "projects: [acme/compiler]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    let samples = all_is_told(&daemon, &gitlab).await;
    let rejected = [("kind", "job"), ("reason", "missing_id")];
    let name = "job_failure_exporter_records_rejected_total";
    assert_eq!(samples.value(name, &rejected), Some(1.0));
    assert!(samples.sum(ERRORS, &[]) < 0.5, "no poll failed");
    daemon.says("job rejected, missing_id").await;
    daemon.stop().await;
}

/// Two refs of a project and one of another are saved; then the document of one ref is changed.
async fn is_set_aside(change: impl Fn(&Path), message: &str) {
    let gitlab = two_refs().await;
    let watch = "projects: [acme/shop, acme/other], refs: ['.*']";
    let place = Place::new(gitlab.url(), watch);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let before = daemon.scrape().await.kept();
    daemon.stop().await;

    let shop = gitlab.with(|world| world.project_by_path("acme/shop").unwrap().id);
    let document = place.state().join(format!("{shop}/main.json"));
    change(&document);
    let broken = fs::read(&document).unwrap();
    let daemon = place.start().await;
    daemon.says(message).await;
    daemon.says("loaded 2 timelines").await;
    let aside = "job_failure_exporter_state_documents_set_aside_total";
    let samples = daemon.scrape().await;
    assert_eq!(samples.value(aside, &[]), Some(1.0));
    // Nothing of it is lost, and its history is read from GitLab again.
    let kept = document.with_file_name("main.json.broken-1");
    assert_eq!(
        fs::read(&kept).unwrap(),
        broken,
        "{:?}",
        folder(kept.parent().unwrap())
    );
    let same = |samples: &Samples| {
        let now = samples.kept();
        holds(now == before, format!("{now}\ninstead of\n{before}"))
    };
    daemon.shows("what was there before", same).await;
    daemon.stop().await;
}

async fn two_refs() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    for (project, branches) in [
        ("acme/shop", &["main", "next"][..]),
        ("acme/other", &["main"]),
    ] {
        let id = gitlab.with(|world| world.create_project(project));
        for _ in 0..4 {
            for branch in branches {
                let plan = PipelinePlan::new([JobPlan::fails("unit"), JobPlan::passes("lint")]);
                gitlab.with(|world| world.push_pipeline(id, plan.on(branch)));
            }
            gitlab.advance(minutes(7));
        }
    }
    gitlab
}

#[tokio::test]
async fn a_document_of_a_newer_version_keeps_the_exporter_from_starting_and_stays() {
    let place = Place::new("http://127.0.0.1:1", "projects: [a/b]");
    let document = place.state().join("7/main.json");
    fs::create_dir_all(document.parent().unwrap()).unwrap();
    fs::write(&document, r#"{"version": 5}"#).unwrap();
    fs::write(document.with_file_name("cut.json"), "{").unwrap();
    let said = place.refused(&[]).await;
    let wanted = format!(
        "{}: the document is of version 5, this program reads versions up to 4: \
         run the version that wrote it, or a newer one; or move the document away",
        document.display()
    );
    assert!(said.contains(&wanted), "{said}");
    assert_eq!(fs::read(&document).unwrap(), br#"{"version": 5}"#);
    assert_eq!(
        fs::read(document.with_file_name("cut.json")).unwrap(),
        b"{",
        "nothing else is moved either"
    );
}

#[tokio::test]
async fn a_document_cut_in_half_is_set_aside_and_the_others_are_loaded() {
    let cut = |path: &Path| {
        let text = fs::read(path).unwrap();
        fs::write(path, &text[..text.len() / 2]).unwrap();
    };
    is_set_aside(cut, "not a readable state document").await;
}
