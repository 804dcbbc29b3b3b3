//! Routes, paging, filters and payloads.

use gitlab_simulator::{CiStatus, JobPlan, Options, PipelinePlan, start};
use serde_json::json;

use super::{column, empty, get, get_json, header, minutes, scenario, seconds};

#[tokio::test]
async fn a_wrong_token_is_401_and_an_unknown_project_404_with_gitlabs_words() {
    let gitlab = empty().await;
    let client = reqwest::Client::new();
    let url = format!("{}/api/v4/user", gitlab.url());
    let refused = client.get(&url).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(
        refused.text().await.unwrap(),
        r#"{"message":"401 Unauthorized"}"#
    );
    let private = client.get(&url).header("PRIVATE-TOKEN", gitlab.token());
    assert_eq!(private.send().await.unwrap().status(), 200);

    let missing = get(&gitlab, "/projects/acme%2Fnothing").await;
    assert_eq!(missing.status(), 404);
    assert_eq!(
        missing.text().await.unwrap(),
        r#"{"message":"404 Project Not Found"}"#
    );
    assert_eq!(get(&gitlab, "/nowhere").await.status(), 404);
}

#[tokio::test]
async fn a_project_is_found_by_path_and_by_number_also_below_a_prefix() {
    let options = Options {
        prefix: "/gitlab".to_owned(),
        ..Options::default()
    };
    let gitlab = start(options).await.unwrap();
    let id = gitlab.with(|world| world.create_project("acme/shop"));
    let by_path = get_json(&gitlab, "/projects/acme%2Fshop").await;
    assert_eq!(by_path, get_json(&gitlab, &format!("/projects/{id}")).await);
    assert_eq!(by_path["default_branch"], "main");
    assert_eq!(
        by_path["web_url"],
        format!("{}/acme/shop", gitlab.url()).as_str()
    );
}

#[tokio::test]
async fn the_pages_of_a_list_are_complete_and_their_headers_give_the_position() {
    let gitlab = empty().await;
    gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        for _ in 0..5 {
            world.push_pipeline(project, PipelinePlan::new([JobPlan::passes("a")]).instant());
        }
    });
    let path = "/projects/acme%2Fshop/pipelines?order_by=id&per_page=2";
    let first = get(&gitlab, path).await;
    for (name, value) in [
        ("x-page", "1"),
        ("x-next-page", "2"),
        ("x-per-page", "2"),
        ("x-total", "5"),
        ("x-total-pages", "3"),
    ] {
        assert_eq!(header(&first, name), value, "{name}");
    }
    let link = header(&first, "link");
    assert!(link.contains("page=2&per_page=2>; rel=\"next\""), "{link}");
    assert!(link.contains("page=3&per_page=2>; rel=\"last\""), "{link}");
    assert!(link.starts_with(&format!("<{}/api/v4", gitlab.url())));

    let mut ids = Vec::new();
    for page in 1..=3 {
        let rows = get_json(&gitlab, &format!("{path}&page={page}")).await;
        ids.extend(column(&rows, "id").into_iter().cloned());
    }
    assert_eq!(ids, [1005, 1004, 1003, 1002, 1001].map(|id| json!(id)));
    let last = get(&gitlab, &format!("{path}&page=3")).await;
    assert_eq!(header(&last, "x-next-page"), "");
    assert!(!header(&last, "link").contains("next"));
}

#[tokio::test]
async fn updated_after_and_before_include_their_own_moment() {
    let gitlab = scenario("breaks-and-is-fixed").await;
    gitlab.advance(minutes(3));
    let path = "/projects/acme%2Fshop/pipelines?order_by=updated_at";
    let all = get_json(&gitlab, path).await;
    let moment = all[1]["updated_at"].as_str().unwrap();
    let after = get_json(&gitlab, &format!("{path}&updated_after={moment}")).await;
    assert_eq!(column(&after, "id"), column(&all, "id")[..2]);
    let before = get_json(&gitlab, &format!("{path}&updated_before={moment}")).await;
    assert_eq!(column(&before, "id"), column(&all, "id")[1..]);
    let bad = get(&gitlab, &format!("{path}&updated_after=soon")).await;
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn a_retry_makes_a_new_id_moves_the_pipeline_and_keeps_the_old_attempt() {
    let gitlab = empty().await;
    let (pipeline, job) = gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        let plan = PipelinePlan::new([JobPlan::fails("test"), JobPlan::passes("lint")]);
        let pipeline = world.push_pipeline(project, plan);
        (pipeline, world.latest(pipeline, "test").unwrap().id)
    });
    gitlab.advance(minutes(1));
    let base = format!("/projects/acme%2Fshop/pipelines/{pipeline}");
    let ended = get_json(&gitlab, &base).await;
    assert_eq!(ended["status"], "failed");
    gitlab.advance(minutes(1));

    let url = format!("{}/api/v4/projects/acme%2Fshop/jobs", gitlab.url());
    let retry = || {
        let client = reqwest::Client::new();
        let request = client.post(format!("{url}/{job}/retry"));
        request.bearer_auth(gitlab.token()).send()
    };
    assert_eq!(retry().await.unwrap().status(), 201);
    let again = retry().await.unwrap();
    assert_eq!(again.status(), 403);
    assert!(again.text().await.unwrap().contains("Job is not retryable"));

    let running = get_json(&gitlab, &base).await;
    assert_eq!(running["status"], "running");
    assert_eq!(running["finished_at"], ended["finished_at"]);
    assert_eq!(running["updated_at"], "2026-01-05T08:02:00.000Z");
    let latest = get_json(&gitlab, &format!("{base}/jobs")).await;
    assert_eq!(column(&latest, "name"), ["test", "lint"]);
    let every = get_json(&gitlab, &format!("{base}/jobs?include_retried=true")).await;
    assert_eq!(column(&every, "name"), ["test", "lint", "test"]);
    assert_eq!(every[2]["failure_reason"], "script_failure");
    assert_eq!(every[0].get("failure_reason"), None);
}

#[tokio::test]
async fn an_automatic_retry_exists_the_moment_its_job_fails() {
    let gitlab = scenario("flaky").await;
    gitlab.advance(minutes(1) + seconds(12));
    let pipelines = get_json(&gitlab, "/projects/acme%2Fmobile/pipelines").await;
    assert_eq!(pipelines[0]["status"], "running");
    let path = format!(
        "/projects/acme%2Fmobile/pipelines/{}/jobs?include_retried=true",
        pipelines[0]["id"]
    );
    let jobs = get_json(&gitlab, &path).await;
    assert_eq!(column(&jobs, "name"), ["ui-tests", "lint", "ui-tests"]);
    assert_eq!(column(&jobs, "status"), ["pending", "success", "failed"]);
}

#[tokio::test]
async fn a_pipelines_updated_at_moves_with_its_own_status_only() {
    let gitlab = empty().await;
    let project = gitlab.with(|world| world.create_project("acme/shop"));
    let plan = || {
        let short = JobPlan::passes("short").taking(seconds(0), seconds(5));
        PipelinePlan::new([short, JobPlan::passes("long")])
    };
    gitlab.with(|world| world.push_pipeline(project, plan()));
    let updated = async |time| {
        gitlab.advance(seconds(time));
        let rows = get_json(&gitlab, "/projects/acme%2Fshop/pipelines").await;
        rows[0]["updated_at"].as_str().unwrap()[14..19].to_owned()
    };
    assert_eq!(updated(1).await, "00:00", "running since the first second");
    assert_eq!(updated(10).await, "00:00", "a job's end leaves it");
    assert_eq!(updated(20).await, "00:22", "its own end moves it");
}

#[tokio::test]
async fn the_status_of_a_pipeline_may_lag_behind_its_jobs() {
    let gitlab = empty().await;
    let pipeline = gitlab.with(|world| {
        world.set_status_lag(seconds(7));
        let project = world.create_project("acme/shop");
        world.push_pipeline(project, PipelinePlan::new([JobPlan::fails("test")]))
    });
    let status = || gitlab.with(|world| world.pipeline(pipeline).unwrap().status);
    gitlab.advance(seconds(23));
    let job = gitlab.with(|world| world.latest(pipeline, "test").unwrap().status);
    assert_eq!((job, status()), (CiStatus::Failed, CiStatus::Running));
    gitlab.advance(seconds(7));
    assert_eq!(status(), CiStatus::Failed);
}

#[tokio::test]
async fn a_failed_job_skips_later_stages_and_an_allowed_failure_does_not() {
    let gitlab = empty().await;
    let run = |first: JobPlan| {
        gitlab.with(|world| {
            let project = world.create_project("acme/shop");
            let deploy = JobPlan::passes("deploy").in_stage("deploy");
            let plan = PipelinePlan::new([first, deploy]).instant();
            let pipeline = world.push_pipeline(project, plan);
            world.advance(seconds(0));
            let status = world.pipeline(pipeline).unwrap().status;
            (status, world.latest(pipeline, "deploy").unwrap().status)
        })
    };
    let failed = run(JobPlan::fails("test"));
    assert_eq!(failed, (CiStatus::Failed, CiStatus::Skipped));
    let allowed = run(JobPlan::fails("test").allowed_to_fail());
    assert_eq!(allowed, (CiStatus::Success, CiStatus::Success));
}

#[tokio::test]
async fn a_held_job_takes_the_status_that_is_set() {
    let gitlab = empty().await;
    let (pipeline, job) = gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        let pipeline = world.push_pipeline(project, PipelinePlan::new([JobPlan::held("test")]));
        (pipeline, world.latest(pipeline, "test").unwrap().id)
    });
    let status = || gitlab.with(|world| world.pipeline(pipeline).unwrap().status);
    assert_eq!(status(), CiStatus::Pending);
    gitlab.with(|world| world.set_job_status(job, CiStatus::Running));
    assert_eq!(status(), CiStatus::Running);
    gitlab.with(|world| world.fail_job(job, "stuck_or_timeout_failure"));
    assert_eq!(status(), CiStatus::Failed);
    let shown = get_json(&gitlab, &format!("/projects/acme%2Fshop/jobs/{job}")).await;
    assert_eq!(shown["failure_reason"], "stuck_or_timeout_failure");
}

#[tokio::test]
async fn a_group_lists_subgroups_shared_and_archived_projects_as_asked() {
    let gitlab = empty().await;
    gitlab.with(|world| {
        world.create_project("acme/shop");
        world.create_project("acme/platform/auth");
        let attic = world.create_project("acme/attic");
        world.project_mut(attic).unwrap().archived = true;
        let guest = world.create_project("other/guest");
        let acme = world.create_group("acme");
        world.project_mut(guest).unwrap().shared_with = vec![acme];
    });
    let list = async |query: &str| {
        let rows = get_json(&gitlab, &format!("/groups/acme/projects?{query}")).await;
        let names = column(&rows, "path_with_namespace").into_iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(list("").await, "other/guest acme/attic acme/shop");
    assert_eq!(
        list("include_subgroups=true&with_shared=false&archived=false").await,
        "acme/platform/auth acme/shop"
    );
    assert_eq!(get(&gitlab, "/groups/none/projects").await.status(), 404);
}

#[tokio::test]
async fn a_child_pipeline_is_listed_only_by_its_source_and_found_through_its_bridge() {
    let gitlab = scenario("child-pipelines").await;
    gitlab.advance(minutes(2));
    let base = "/projects/acme%2Fmonorepo/pipelines";
    let parents = get_json(&gitlab, base).await;
    let children = get_json(&gitlab, &format!("{base}?source=parent_pipeline")).await;
    assert!(
        column(&parents, "source")
            .iter()
            .all(|source| *source == "push")
    );
    let parent = &parents[1]["id"];
    let bridges = get_json(&gitlab, &format!("{base}/{parent}/bridges")).await;
    assert_eq!(bridges[0]["status"], "failed");
    assert_eq!(bridges[0]["downstream_pipeline"]["id"], children[1]["id"]);
    let jobs = get_json(&gitlab, &format!("{base}/{parent}/jobs")).await;
    assert_eq!(column(&jobs, "name"), ["lint"]);
    let jobs = get_json(&gitlab, &format!("{base}/{}/jobs", children[1]["id"])).await;
    assert_eq!(column(&jobs, "status"), ["failed"]);
}

#[tokio::test]
async fn deleting_a_project_deletes_its_pipelines() {
    let gitlab = scenario("breaks-and-is-fixed").await;
    gitlab.advance(minutes(2));
    gitlab.with(|world| {
        let project = world.project_by_path("acme/shop").unwrap().id;
        world.delete_project(project);
    });
    gitlab.advance(minutes(30));
    assert_eq!(get(&gitlab, "/projects/acme%2Fshop").await.status(), 404);
    assert_eq!(gitlab.truth(), []);
}

#[tokio::test]
async fn answers_are_compressed_on_request_and_have_the_simulated_date() {
    let gitlab = scenario("breaks-and-is-fixed").await;
    gitlab.advance(minutes(1));
    let url = format!("{}/api/v4/projects/acme%2Fshop/pipelines", gitlab.url());
    let plain = reqwest::Client::builder().gzip(false).build().unwrap();
    let asked = plain.get(&url).header("accept-encoding", "gzip");
    let answer = asked.bearer_auth(gitlab.token()).send().await.unwrap();
    assert_eq!(header(&answer, "content-encoding"), "gzip");
    assert_eq!(header(&answer, "date"), "Mon, 05 Jan 2026 08:01:00 GMT");
    assert!(answer.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
}

#[tokio::test]
async fn every_request_is_counted_under_its_endpoint() {
    let gitlab = scenario("breaks-and-is-fixed").await;
    get(&gitlab, "/projects/acme%2Fshop").await;
    get(&gitlab, "/projects/acme%2Fshop/pipelines?page=1").await;
    get(&gitlab, "/projects/acme%2Fshop/pipelines?page=2").await;
    assert_eq!(gitlab.count("GET /projects/:id"), 1);
    assert_eq!(gitlab.count("GET /projects/:id/pipelines"), 2);
    assert!(gitlab.requests()[2].target.ends_with("?page=2"));
}
