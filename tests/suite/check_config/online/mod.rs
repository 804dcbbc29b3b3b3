//! `check-config --online`: what the real program says of servers that are as they should be, and of those that are not.

mod gitlab;
mod monitoring;
mod projects;
mod store;
mod token;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, World, start};
use serde_json::Value;
use testkit::daemon::{Place, Ran};

/// The result of a check as JSON.
pub(super) struct Checked {
    code: Option<i32>,
    report: Value,
    all: String,
}

impl Checked {
    pub(super) async fn of(place: &Place) -> Self {
        Self::with(place, &[]).await
    }

    pub(super) async fn with(place: &Place, flags: &[&str]) -> Self {
        let args = [&["check-config", "--online", "--json"], flags].concat();
        let Ran { code, out, err } = place.run(&args).await;
        let report = serde_json::from_str(&out);
        let report: Value = report.unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        let errors = report["online"]["errors"].as_u64().unwrap();
        assert_eq!(code, Some(i32::from(errors > 0)), "{report:#}");
        Self {
            code,
            report,
            all: format!("{out}{err}"),
        }
    }

    /// The findings of this level, as `about: subjects: message`.
    pub(super) fn level(&self, level: &str) -> Vec<String> {
        let findings = self.report["online"]["findings"].as_array().unwrap();
        let findings = findings.iter().filter(|it| it["level"] == level);
        let told = findings.map(|it| {
            let subjects = it["subjects"].as_array().unwrap().iter();
            let subjects: Vec<_> = subjects.map(|it| it.as_str().unwrap()).collect();
            let (about, message) = (it["about"].as_str(), it["message"].as_str());
            let (about, message) = (about.unwrap(), message.unwrap());
            format!("{about}: {}: {message}", subjects.join(", "))
        });
        told.collect()
    }

    /// One finding of this level begins with `about` and has these words.
    #[track_caller]
    pub(super) fn says(&self, level: &str, about: &str, words: &str) -> &Self {
        let found = self.level(level);
        let is_it = |it: &String| it.starts_with(&format!("{about}: ")) && it.contains(words);
        assert!(
            found.iter().any(is_it),
            "{level} {about} {words}\n{:#}",
            self.report["online"]
        );
        self
    }

    /// There are no errors.
    #[track_caller]
    pub(super) fn passes(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{:#}", self.report["online"]);
        self
    }

    /// There are neither errors nor warnings about this part.
    #[track_caller]
    pub(super) fn is_content_with(&self, about: &str) -> &Self {
        for level in ["error", "warning"] {
            let mut found = self.level(level).into_iter();
            let found = found.find(|it| it.starts_with(about));
            assert_eq!(found, None);
        }
        self
    }
}

/// An empty GitLab.
pub(super) async fn gitlab() -> Handle {
    start(Options::default()).await.unwrap()
}

/// A project with a pipeline of this source on a ref.
pub(super) fn project(world: &mut World, path: &str, ref_name: &str, source: &str) -> u64 {
    let id = world.create_project(path);
    let plan = PipelinePlan::new([JobPlan::passes("unit")]);
    world.push_pipeline(id, plan.on(ref_name).from_source(source).instant());
    id
}

/// A configuration that watches, by GraphQL where it is needed.
pub(super) fn place(gitlab: &Handle, watch: &str) -> Place {
    let place = Place::new(gitlab.url(), watch);
    place.reconfigure("api: rest", "api: auto");
    place
}

#[tokio::test]
async fn where_all_is_well_every_part_says_so_and_nothing_is_changed() {
    let gitlab = gitlab().await;
    let token = gitlab.token().to_owned();
    gitlab.with(|world| {
        for number in 0..12 {
            let path = format!("acme/app-{number}");
            project(world, &path, "main", "push");
        }
        project(world, "acme/old/app", "main", "push");
        let user = world.add_user("ann", gitlab_simulator::Role::Reporter);
        world.add_token(&token, user, &[gitlab_simulator::Scope::ReadApi]);
    });
    let place = place(
        &gitlab,
        "projects: [acme/app-3], groups: [{path: acme, exclude: ['acme/old/**']}]",
    );
    let checked = Checked::of(&place).await;
    checked
        .passes()
        .says("ok", "gitlab", "GitLab 18.4.0 at http://127.0.0.1")
        .says("ok", "token", "its scopes suffice: read_api")
        .says("ok", "token", "in 89 days")
        .says("ok", "token", "a token of the user ann")
        .says(
            "ok",
            "group",
            "acme (with subgroups): 13 projects, 12 after `exclude`",
        )
        .says("ok", "project", "the pipelines of 12 of 12 projects")
        .says("ok", "graphql", "in one request")
        .says(
            "ok",
            "rate",
            "requests a second are allowed, and 12 projects",
        )
        .says("ok", "store", "will be created")
        .says("ok", "prometheus", "`prometheus.url` is not set");
    assert_eq!(checked.level("warning"), Vec::<String>::new());
    assert!(!checked.all.contains(&token), "{}", checked.all);
    assert!(!place.state().exists());
    let requests = gitlab.requests();
    assert!(requests.len() < 40, "{}", requests.len());
    assert!(
        requests.iter().all(|it| !it.endpoint.starts_with("POST")),
        "{requests:#?}"
    );
    assert!(gitlab.with(|world| world.actions().is_empty()));
}

#[tokio::test]
async fn people_get_a_line_for_each_finding_and_a_sum() {
    let gitlab = gitlab().await;
    gitlab.with(|world| project(world, "acme/app", "main", "push"));
    let place = place(&gitlab, "projects: [acme/app, acme/apq]");
    let ran = place.run(&["check-config", "--online"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for line in [
        "The configuration can be used.",
        "error    project       acme/apq: GitLab answers 404: it does not exist, or",
        "warning  token         its scopes are api, read_api; `read_api` is enough",
        "1 error, ",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    // Elsewhere than on a terminal no progress is shown.
    assert!(!ran.err.contains("asking for"), "{}", ran.err);
}
