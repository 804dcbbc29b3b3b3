//! Which pipelines moved, by GraphQL: the same histories as by REST with far fewer requests, and REST where GraphQL fails.

use std::collections::BTreeMap;
use std::time::Duration;

use gitlab_simulator::Handle;
use testkit::daemon::{Daemon, Place, gitlab, holds};
use testkit::samples::Samples;
use testkit::truth::{counters_are_true, equal, windows_are_saved};

const LISTING: &str = "GET /projects/:id/pipelines";
const SWEEP: &str = "graphql";
const STEP: Duration = Duration::from_secs(15);

fn place(gitlab: &Handle, api: &str) -> Place {
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.reconfigure("api: rest", &format!("api: {api}"));
    place
}

/// How often pipelines were listed by REST, and by GraphQL.
#[derive(Debug)]
struct Requests {
    listings: usize,
    sweeps: usize,
}

impl Requests {
    /// Whether sweeps spared the listings. Those of a loaded machine come late at times, and projects do not wait for
    /// them for ever.
    fn are_sweeps(&self) -> bool {
        self.listings <= 3 + self.sweeps / 4
    }
}

/// Lets some simulated minutes pass. Returns what was asked meanwhile.
async fn stays_true(gitlab: &Handle, daemon: &Daemon, steps: u32) -> Requests {
    gitlab.forget_requests();
    for step in 1..=steps {
        gitlab.advance(STEP);
        let truths = gitlab.truth();
        let what = format!("the truth of step {step}");
        daemon.shows(&what, |samples| equal(samples, &truths)).await;
    }
    let requests = gitlab.requests();
    let of = |endpoint: &str| requests.iter().filter(|it| it.endpoint == endpoint).count();
    Requests {
        listings: of(LISTING),
        sweeps: of(SWEEP),
    }
}

/// The saved histories by project, ref and job.
pub(crate) fn histories(place: &Place) -> BTreeMap<(String, String, String), serde_json::Value> {
    let mut found = BTreeMap::new();
    for (_, document) in place.documents() {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        for (job, history) in document["jobs"].as_object().unwrap() {
            let project = text(&document["project"]["path"]);
            let key = (project, text(&document["ref"]), job.clone());
            found.insert(key, history.clone());
        }
    }
    found
}

fn size(samples: &Samples) -> Option<f64> {
    samples.value("job_failure_exporter_sweep_size_projects", &[])
}

/// Waits until every project was read to the end, also what the first look had shown.
pub(crate) async fn past_is_read(daemon: &Daemon) {
    let past = |samples: &Samples| samples.value("job_failure_exporter_past_projects", &[]);
    daemon
        .shows("no past to read", |samples| {
            holds(past(samples) == Some(0.0), format!("{:?}", past(samples)))
        })
        .await;
}

/// Waits for a sweep that asked for so many projects at once.
async fn has_size(daemon: &Daemon, wanted: f64) {
    let what = format!("sweeps of {wanted} projects");
    daemon
        .shows(&what, |samples| {
            holds(size(samples) == Some(wanted), "another size")
        })
        .await;
}

#[tokio::test]
async fn every_gauge_is_true_and_no_project_is_listed_by_itself() {
    let gitlab = gitlab("demo").await;
    let place = place(&gitlab, "graphql");
    let daemon = place.start().await;
    daemon.is_ready().await;
    has_size(&daemon, 50.0).await;
    past_is_read(&daemon).await;
    let log = daemon.log();
    for told in [
        "config_file=",
        "state in ",
        "first round over",
        "the past of all projects is read",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
    let requests = stays_true(&gitlab, &daemon, 8).await;
    assert!(requests.are_sweeps(), "{requests:?}");
    counters_are_true(&daemon.scrape().await, &gitlab);
    daemon.stop().await;
    windows_are_saved(&place, &gitlab.truth());
}

#[tokio::test]
async fn child_pipelines_are_followed() {
    let gitlab = gitlab("child-pipelines").await;
    let place = place(&gitlab, "graphql");
    let daemon = place.start().await;
    daemon.is_ready().await;
    has_size(&daemon, 50.0).await;
    let requests = stays_true(&gitlab, &daemon, 6).await;
    assert!(requests.are_sweeps(), "{requests:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn the_documents_are_those_of_rest() {
    let gitlab = gitlab("demo").await;
    let (by_graphql, by_rest) = (place(&gitlab, "graphql"), place(&gitlab, "rest"));
    for place in [&by_graphql, &by_rest] {
        // Which failures are still the last ones when their logs are read is a matter of moments.
        place.configure_also("classification: {read_logs: false}");
    }
    let (one, other) = (by_graphql.start().await, by_rest.start().await);
    for daemon in [&one, &other] {
        daemon.is_ready().await;
        past_is_read(daemon).await;
    }
    for step in 1..=6 {
        gitlab.advance(STEP);
        let truths = gitlab.truth();
        for daemon in [&one, &other] {
            let what = format!("the truth of step {step}");
            daemon.shows(&what, |samples| equal(samples, &truths)).await;
        }
    }
    one.stop().await;
    other.stop().await;
    let (one, other) = (histories(&by_graphql), histories(&by_rest));
    assert!(one.len() > 20, "{one:?}");
    for (job, history) in &one {
        assert_eq!(Some(history), other.get(job), "{job:?}");
    }
    assert_eq!(one.len(), other.len());
}

#[tokio::test]
async fn fewer_projects_are_asked_for_where_gitlab_takes_too_long_or_refuses_the_score() {
    let gitlab = gitlab("demo").await;
    gitlab.faults(|faults| faults.graphql.largest_page = Some(2));
    let place = place(&gitlab, "graphql");
    let daemon = place.start().await;
    daemon.is_ready().await;
    let what = "smaller sweeps";
    daemon
        .shows(what, |samples| {
            holds(size(samples).is_some_and(|size| size <= 2.0), "larger ones")
        })
        .await;
    stays_true(&gitlab, &daemon, 8).await;
    gitlab.faults(|faults| faults.graphql.max_score = 10);
    // No question is small enough.
    has_size(&daemon, 0.0).await;
    let asked = stays_true(&gitlab, &daemon, 6).await;
    assert!(asked.listings > 4, "{asked:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_project_that_graphql_does_not_tell_of_is_listed_by_rest() {
    let gitlab = gitlab("demo").await;
    let slow = gitlab.with(|world| world.project_by_path("acme/shop").unwrap().id);
    gitlab.faults(|faults| {
        faults.graphql.slow_projects.insert(slow);
    });
    let place = place(&gitlab, "graphql");
    let daemon = place.start().await;
    daemon.is_ready().await;
    // It is found by asking for ever fewer.
    has_size(&daemon, 1.0).await;
    stays_true(&gitlab, &daemon, 4).await;
    let asked = stays_true(&gitlab, &daemon, 6).await;
    assert!(asked.listings > 4, "{asked:?}");
    let requests = gitlab.requests();
    let others = requests
        .iter()
        .filter(|request| request.endpoint == LISTING)
        .filter(|request| !request.target.contains(&format!("/projects/{slow}/")));
    let listings = others.count();
    assert!(Requests { listings, ..asked }.are_sweeps(), "{listings}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_gitlab_without_graphql_or_of_an_old_version_is_polled_by_rest_and_said_to_be() {
    for forgotten in [None, Some("Project.pipelines(updatedAfter)")] {
        let gitlab = gitlab("demo").await;
        gitlab.faults(|faults| match forgotten {
            None => faults.graphql.switched_off = true,
            Some(argument) => faults.graphql.forget(argument),
        });
        let place = place(&gitlab, "graphql");
        let daemon = place.start().await;
        daemon.is_ready().await;
        has_size(&daemon, 0.0).await;
        stays_true(&gitlab, &daemon, 6).await;
        let log = daemon.log();
        let told = log.matches("so each project is listed by REST").count();
        assert_eq!(told, 1, "{log}");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn few_projects_are_polled_by_rest_unless_graphql_is_asked_for() {
    let gitlab = gitlab("child-pipelines").await;
    let place = place(&gitlab, "auto");
    let daemon = place.start().await;
    daemon.is_ready().await;
    stays_true(&gitlab, &daemon, 4).await;
    let requests = gitlab.requests();
    assert!(requests.iter().all(|it| !it.endpoint.contains("graphql")));
    daemon.stop().await;
}
