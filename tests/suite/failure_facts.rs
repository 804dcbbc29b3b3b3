//! What a message says about a failure: the first bad commit, and the pages to look at.

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::samples::Sample;

const PROJECT: &str = "acme/shop";
const UNIT: [(&str, &str); 1] = [("job_name", "unit")];

fn push(gitlab: &Handle, job: JobPlan, title: &str) -> u64 {
    let plan = PipelinePlan::new([job, JobPlan::passes("lint")]).instant();
    let pipeline = gitlab.with(|world| {
        let known = world.project_by_path(PROJECT).map(|project| project.id);
        let project = known.unwrap_or_else(|| world.create_project(PROJECT));
        let pipeline = world.push_pipeline(project, plan);
        world.set_title(pipeline, title);
        pipeline
    });
    gitlab.advance(minutes(1));
    pipeline
}

async fn label_is(
    daemon: &Daemon,
    family: &str,
    labels: &[(&str, &str)],
    wanted: (&str, &str),
) -> Sample {
    let (name, value) = wanted;
    let what = format!("{family} with {name} {value:?}");
    let samples = daemon
        .shows(&what, |samples| {
            let found = samples.one(family, labels);
            let found = found.map(|sample| sample.labels[name].clone());
            holds(found.as_deref() == Some(value), format!("{found:?}"))
        })
        .await;
    samples.one(family, labels).unwrap().clone()
}

#[tokio::test]
async fn a_failure_names_the_commit_that_broke_the_job_also_after_a_restart() {
    let gitlab = start(Options::default()).await.unwrap();
    push(&gitlab, JobPlan::passes("unit"), "Begin");
    let secret = "Use glpat-hunter2hunter2hunter2 of ada@example.com\u{202e}\n\"} 1";
    push(&gitlab, JobPlan::fails("unit"), secret);
    push(&gitlab, JobPlan::fails("unit"), "Another one");
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let listening = "web: {listen_address: ";
    place.reconfigure(
        listening,
        "web: {external_url: \"https://ci.example/app\", route_prefix: /, listen_address: ",
    );
    let title = ("commit_title", "Use [masked] of [masked] \"} 1");
    for family in ["job_failure_info", "pipeline_failure_info"] {
        let labels = if family.starts_with("job") {
            &UNIT[..]
        } else {
            &[]
        };
        let daemon = place.start().await;
        let info = label_is(&daemon, family, labels, title).await;
        assert_eq!(info.labels["commit_author"], "example-user");
        if family.starts_with("job") {
            let url = "https://ci.example/app/jobs/acme/shop/-/main/-/unit";
            assert_eq!(info.labels["job_url"], url);
        }
        let job = daemon
            .scrape()
            .await
            .one("job_info", &UNIT)
            .unwrap()
            .clone();
        assert_eq!(job.labels["tags"], "docker");
        // Also with what was saved alone.
        daemon.stop().await;
        gitlab.faults(|faults| faults.outage = Some(gitlab_simulator::Fault::Reset));
        let daemon = place.start().await;
        label_is(&daemon, family, labels, title).await;
        daemon.stop().await;
        gitlab.faults(|faults| faults.outage = None);
    }
    for (path, _) in place.documents() {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            !text.contains("hunter2") && !text.contains("example.com"),
            "{text}"
        );
    }
    push(&gitlab, JobPlan::passes("unit"), "Mend it");
    let daemon = place.start().await;
    let gone = |samples: &testkit::samples::Samples| {
        let info = samples.one("job_failure_info", &UNIT);
        holds(info.is_none(), format!("{info:?}"))
    };
    daemon.shows("no failure", gone).await;
    daemon.stop().await;
}
