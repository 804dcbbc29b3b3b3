//! The same metrics from each release of GitLab that is said to work, although older ones lack fields, routes and parts of
//! GraphQL. `docs/gitlab-versions.md` has the differences with their sources.

use std::collections::BTreeSet;
use std::fs;

use gitlab_simulator::{Handle, Options, Release, Scenario, start};
use testkit::daemon::{Place, holds, minutes};
use testkit::samples::Samples;
use testkit::truth::{counters_are_true, equal};

use crate::tools::at_root;

/// The lowest release, and the first ones with all that came with their major version.
const RELEASES: [Release; 6] = [
    Release::new(15, 0),
    Release::new(15, 5),
    Release::new(16, 0),
    Release::new(17, 0),
    Release::new(18, 0),
    Release::new(19, 0),
];

/// Series that tell of this exporter, its requests and its polls.
const OWN: [&str; 3] = ["job_failure_exporter_", "project_last_", "process_"];

/// A GitLab of this release that has everything the exporter counts.
async fn gitlab(release: Release) -> Handle {
    let scenario = Some(Scenario::named("demo").unwrap());
    let options = Options {
        release,
        scenario,
        ..Options::default()
    };
    start(options).await.unwrap()
}

/// What is exposed of jobs, pipelines, schedules and projects after some minutes, without the address of the GitLab.
async fn exposed(release: Release) -> BTreeSet<String> {
    let gitlab = gitlab(release).await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.reconfigure("api: rest", "api: graphql");
    // Which logs are read first depends on the moment.
    place.configure_also("classification: {read_logs: false}\n");
    let daemon = place.start().await;
    daemon.is_ready().await;
    gitlab.advance(minutes(4));
    let truths = gitlab.truth();
    let what = format!("the truth of GitLab {release}");
    daemon.shows(&what, |samples| equal(samples, &truths)).await;
    let past = |samples: &Samples| samples.value("job_failure_exporter_past_projects", &[]);
    let whole = |samples: &Samples| {
        let rejected = samples.sum("job_failure_exporter_records_rejected_total", &[]);
        holds(
            past(samples) == Some(0.0) && rejected < 1.0,
            format!("past {:?}, rejected {rejected}", past(samples)),
        )
    };
    let samples = daemon.shows("all that is to be read", whole).await;
    counters_are_true(&samples, &gitlab);
    let version = samples.value(
        "job_failure_exporter_gitlab_token_expiry_timestamp_seconds",
        &[],
    );
    assert_eq!(
        version.is_some(),
        release >= Release::new(15, 5),
        "{release}"
    );
    let (_, page) = daemon.get("/metrics").await;
    let (_, status) = daemon.get("/api/v1/status").await;
    assert!(status.contains(&format!("\"{release}\"")), "{status}");
    daemon.stop().await;
    let own = |line: &&str| !OWN.iter().any(|prefix| line.starts_with(prefix));
    let lines = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter(own);
    lines.map(|line| line.replace(gitlab.url(), "")).collect()
}

#[tokio::test]
async fn every_release_gives_the_same_metrics() {
    let newest = RELEASES[RELEASES.len() - 1];
    let (wanted, others) = tokio::join!(exposed(newest), async {
        let mut others = Vec::new();
        for release in &RELEASES[..RELEASES.len() - 1] {
            others.push((release, exposed(*release).await));
        }
        others
    });
    assert!(wanted.iter().any(|line| line.starts_with("job_info{")));
    for (release, found) in others {
        let missing: Vec<_> = wanted.difference(&found).take(5).collect();
        let beyond: Vec<_> = found.difference(&wanted).take(5).collect();
        assert!(
            missing.is_empty() && beyond.is_empty(),
            "GitLab {release}: missing {missing:#?}, beyond {beyond:#?}"
        );
    }
}

#[test]
fn the_docs_name_the_releases_that_are_tested() {
    let page = fs::read_to_string(at_root("docs/gitlab-versions.md")).unwrap();
    let names = RELEASES.map(|Release { major, minor }| format!("{major}.{minor}"));
    assert!(page.contains(&format!("The lowest release is **{}**", names[0])));
    let (last, others) = names.split_last().unwrap();
    let sentence = format!("answers as {} and {last}:", others.join(", "));
    assert!(page.contains(&sentence), "{sentence}");
}
