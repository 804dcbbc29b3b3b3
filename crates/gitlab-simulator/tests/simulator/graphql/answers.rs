//! What queries find.

use gitlab_simulator::{Ending, Handle, JobPlan, PipelinePlan};
use serde_json::{Value, json};

use super::queries::{BUSY, JOB, OF_GROUP, SCHEDULES, jobs_of};
use super::{START, ask, moved, pipeline, project};
use crate::{column, empty, minutes, seconds};

#[tokio::test]
async fn moved_pipelines_and_children_of_all_projects_come_in_one_answer() {
    let gitlab = empty().await;
    let (shop, web, parent) = gitlab.with(|world| {
        let shop = world.create_project("acme/shop");
        let web = world.create_project("acme/web");
        let child = PipelinePlan::new([JobPlan::fails("inner")]).instant();
        let plan = PipelinePlan::new([JobPlan::triggers("deploy", child)]).instant();
        (shop, web, world.push_pipeline(shop, plan))
    });
    gitlab.advance(minutes(1));
    let answer = moved(&gitlab, &[shop, web], START, 20).await;
    let child = parent + 1;
    let sha = gitlab.with(|world| world.pipeline(parent).unwrap().sha.clone());
    let expected = json!({ "data": { "projects": {
        "nodes": [
            {
                "id": project(web),
                "moved": { "nodes": [], "pageInfo": { "hasNextPage": false } },
                "kids": { "nodes": [], "pageInfo": { "hasNextPage": false } },
            },
            {
                "id": project(shop),
                "moved": {
                    "nodes": [{
                        "id": pipeline(parent), "iid": "1", "status": "FAILED", "ref": "main",
                        "sha": sha, "source": "push", "createdAt": START, "updatedAt": START,
                        "path": format!("/acme/shop/-/pipelines/{parent}"),
                    }],
                    "pageInfo": { "hasNextPage": false },
                },
                "kids": {
                    "nodes": [{
                        "id": pipeline(child), "status": "FAILED", "updatedAt": START,
                        "upstream": { "id": pipeline(parent) },
                    }],
                    "pageInfo": { "hasNextPage": false },
                },
            },
        ],
        "pageInfo": { "hasNextPage": false, "endCursor": "eyJpZCI6IjEwMCJ9" },
    } } });
    assert_eq!(answer, expected);
}

/// A project with so many pipelines, a minute apart, and their ids, newest first.
async fn pipelines(count: usize) -> (Handle, u64, Vec<u64>) {
    let gitlab = empty().await;
    let shop = gitlab.with(|world| world.create_project("acme/shop"));
    let mut ids = Vec::new();
    for _ in 0..count {
        let plan = PipelinePlan::new([JobPlan::passes("test")]).instant();
        ids.insert(0, gitlab.with(|world| world.push_pipeline(shop, plan)));
        gitlab.advance(minutes(1));
    }
    (gitlab, shop, ids)
}

/// The ids of the pipelines that these arguments find.
async fn found(gitlab: &Handle, arguments: &str) -> Vec<String> {
    let query = format!(
        "{{ project(fullPath: \"acme/shop\") {{ pipelines({arguments}) {{ nodes {{ id }} }} }} }}"
    );
    let answer = ask(gitlab, &query, json!({})).await;
    let nodes = &answer["data"]["project"]["pipelines"]["nodes"];
    let ids = column(nodes, "id").into_iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pipelines_come_newest_first_from_updated_after_on() {
    let (gitlab, _, ids) = pipelines(4).await;
    let ids: Vec<String> = ids.into_iter().map(pipeline).collect();
    let second = r#"updatedAfter: "2026-01-05T08:01:00Z""#;
    assert_eq!(found(&gitlab, second).await, ids[..3]);
    let between = format!(r#"{second}, updatedBefore: "2026-01-05T09:02:00+01:00""#);
    assert_eq!(found(&gitlab, &between).await, ids[1..3]);
    assert_eq!(found(&gitlab, "first: 1").await, ids[..1]);
    assert_eq!(found(&gitlab, "last: 1").await, ids[3..]);
    assert_eq!(found(&gitlab, "status: FAILED").await, Vec::<String>::new());
    assert_eq!(found(&gitlab, "scope: FINISHED, ref: \"main\"").await, ids);
}

#[tokio::test]
async fn pages_have_at_most_100_rows_and_go_on_from_their_cursors() {
    let (gitlab, shop, ids) = pipelines(103).await;
    let query = r"query($ids: [ID!], $after: String, $n: Int) { projects(ids: $ids) { nodes {
        pipelines(first: $n, after: $after) { count edges { cursor node { id } }
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }";
    let page = async |after: &Value, rows: usize| {
        let variables = json!({ "ids": [project(shop)], "after": after, "n": rows });
        let answer = ask(&gitlab, query, variables).await;
        answer["data"]["projects"]["nodes"][0]["pipelines"].clone()
    };
    let first = page(&Value::Null, 500).await;
    let second = page(&first["pageInfo"]["endCursor"], 2).await;
    let third = page(&second["pageInfo"]["endCursor"], 2).await;
    let sizes = [&first, &second, &third].map(|page| page["edges"].as_array().unwrap().len());
    assert_eq!(sizes, [100, 2, 1]);
    let next = [&first, &second, &third].map(|page| page["pageInfo"]["hasNextPage"].clone());
    assert_eq!(next, [json!(true), json!(true), json!(false)]);
    assert_eq!(first["count"], 103);
    let last = &third["edges"][0];
    assert_eq!(last["node"]["id"], pipeline(ids[102]).as_str());
    assert_eq!(last["cursor"], third["pageInfo"]["startCursor"]);

    // The row of the cursor is deleted in between: the pages go on behind it.
    gitlab.with(|world| world.delete_pipeline(ids[101]));
    let third = page(&second["pageInfo"]["endCursor"], 2).await;
    assert_eq!(column(&third["edges"], "cursor"), [&last["cursor"]]);

    let broken = page(&json!("bm9uZQ"), 2).await;
    assert_eq!(broken, Value::Null);
}

#[tokio::test]
async fn a_child_is_found_by_iid_and_not_by_id() {
    let gitlab = empty().await;
    let parent = gitlab.with(|world| {
        let shop = world.create_project("acme/shop");
        let child = PipelinePlan::new([JobPlan::fails("inner")]).instant();
        let plan = PipelinePlan::new([JobPlan::triggers("deploy", child)]).instant();
        world.push_pipeline(shop, plan)
    });
    let child = parent + 1;
    let query = r#"query($parent: CiPipelineID, $child: CiPipelineID) { project(fullPath: "acme/shop") {
        byId: pipeline(id: $parent) { downstream { nodes { id child } } }
        lost: pipeline(id: $child) { id }
        byIid: pipeline(iid: "2") { id source upstream { id } sourceJob { name } }
        head: pipeline { id } } }"#;
    let ids = json!({ "parent": pipeline(parent), "child": pipeline(child) });
    let answer = ask(&gitlab, query, ids).await;
    let expected = json!({
        "byId": { "downstream": { "nodes": [{ "id": pipeline(child), "child": true }] } },
        "lost": null,
        "byIid": {
            "id": pipeline(child), "source": "parent_pipeline",
            "upstream": { "id": pipeline(parent) }, "sourceJob": { "name": "deploy" },
        },
        "head": { "id": pipeline(parent) },
    });
    assert_eq!(answer, json!({ "data": { "project": expected } }));
}

#[tokio::test]
async fn jobs_and_bridges_are_in_one_list_with_every_attempt() {
    let gitlab = empty().await;
    let (shop, parent) = gitlab.with(|world| {
        let shop = world.create_project("acme/shop");
        let child = PipelinePlan::new([JobPlan::passes("inner")]).instant();
        let test = JobPlan::new(
            "test",
            [Ending::fails(), Ending::Fails("api_failure".to_owned())],
        );
        let plan = PipelinePlan::new([
            test.retried(1).taking(seconds(4), seconds(130)),
            JobPlan::triggers("deploy", child).taking(seconds(0), seconds(0)),
        ]);
        (shop, world.push_pipeline(shop, plan))
    });
    gitlab.advance(minutes(10));
    let answer = ask(&gitlab, &jobs_of(&[1]), json!({ "path": "acme/shop" })).await;
    let found = &answer["data"]["project"]["p1"];
    let jobs = &found["jobs"]["nodes"];
    assert_eq!(column(jobs, "name"), ["test", "deploy", "test"]);
    assert_eq!(column(jobs, "kind"), ["BUILD", "BRIDGE", "BUILD"]);
    assert_eq!(column(jobs, "retried"), [false, false, true]);
    let oldest = gitlab.with(|world| world.jobs_of(parent).next().unwrap().id);
    let test = json!({
        "id": format!("gid://gitlab/Ci::Build/{oldest}"), "name": "test", "kind": "BUILD",
        "status": "FAILED", "allowFailure": false, "retried": true, "failureMessage": null,
        "createdAt": START, "startedAt": "2026-01-05T08:00:04Z",
        "finishedAt": "2026-01-05T08:02:14Z", "duration": 130, "queuedDuration": 4.0,
        "webPath": format!("/acme/shop/-/jobs/{oldest}"), "stage": { "name": "test" },
        "downstreamPipeline": null,
    });
    assert_eq!(jobs[2], test);
    assert_eq!(
        jobs[0]["failureMessage"],
        "There has been an API failure, please try again"
    );
    let child = parent + 1;
    let bridge = &jobs[1];
    assert_eq!(
        bridge["id"],
        format!("gid://gitlab/Ci::Bridge/{}", oldest + 1).as_str()
    );
    assert_eq!(bridge["webPath"], Value::Null);
    let started = json!({
        "id": pipeline(child), "iid": "2", "status": "SUCCESS", "source": "parent_pipeline",
        "updatedAt": START, "path": format!("/acme/shop/-/pipelines/{child}"),
        "project": { "id": project(shop) },
    });
    assert_eq!(bridge["downstreamPipeline"], started);

    let kinds = r#"{ project(fullPath: "acme/shop") { pipeline(iid: 1) {
        latest: jobs(retried: false) { count } old: jobs(retried: true) { count }
        bridges: jobs(jobKind: BRIDGE) { count } failed: jobs(statuses: [FAILED]) { count } } } }"#;
    let answer = ask(&gitlab, kinds, json!({})).await;
    let counts = &answer["data"]["project"]["pipeline"];
    let counts = ["latest", "old", "bridges", "failed"].map(|key| counts[key]["count"].clone());
    assert_eq!(counts, [2, 1, 1, 2].map(|count| json!(count)));
}

#[tokio::test]
async fn busy_projects_come_with_pipelines_and_jobs_and_a_group_with_its_subgroups() {
    let gitlab = empty().await;
    let (shop, web) = gitlab.with(|world| {
        let [shop, web] = ["acme/shop", "acme/tools/web"].map(|path| world.create_project(path));
        world.push_pipeline(web, PipelinePlan::new([JobPlan::fails("test")]).instant());
        (shop, web)
    });
    let sizes =
        json!({ "ids": [project(shop), project(web)], "since": START, "p": 5, "n": 5, "j": 100 });
    let busy = ask(&gitlab, &format!("{BUSY} {JOB}"), sizes).await;
    let nodes = &busy["data"]["projects"]["nodes"];
    assert_eq!(
        column(nodes, "id"),
        [&json!(project(web)), &json!(project(shop))]
    );
    let jobs = &nodes[0]["pipelines"]["nodes"][0]["jobs"]["nodes"];
    assert_eq!(column(jobs, "status"), ["FAILED"]);

    let variables = json!({ "g": "acme", "since": START, "n": 20 });
    let group = ask(&gitlab, OF_GROUP, variables).await;
    let nodes = &group["data"]["group"]["projects"]["nodes"];
    assert_eq!(column(nodes, "fullPath"), ["acme/tools/web", "acme/shop"]);
    assert_eq!(nodes[0]["moved"]["nodes"][0]["status"], "FAILED");
    let direct = r#"{ group(fullPath: "acme") { projects { nodes { fullPath } } }
        none: group(fullPath: "acme/none") { id } }"#;
    let answer = ask(&gitlab, direct, json!({})).await;
    let expected = json!({ "group": { "projects": { "nodes": [{ "fullPath": "acme/shop" }] } }, "none": null });
    assert_eq!(answer["data"], expected);
}

#[tokio::test]
async fn schedules_have_their_last_pipeline() {
    let gitlab = empty().await;
    let schedule = gitlab.with(|world| {
        let shop = world.create_project("acme/shop");
        let plan = PipelinePlan::new([JobPlan::passes("nightly")]).instant();
        world.create_schedule(shop, "nightly", minutes(60), plan)
    });
    gitlab.advance(minutes(60));
    let answer = ask(&gitlab, SCHEDULES, json!({ "path": "acme/shop" })).await;
    let expected = json!({
        "id": format!("gid://gitlab/Ci::PipelineSchedule/{schedule}"), "description": "nightly",
        "refForDisplay": "main", "active": true, "nextRunAt": "2026-01-05T10:00:00Z",
        "realNextRun": "2026-01-05T10:00:00Z", "cron": "0 3 * * *", "cronTimezone": "UTC",
        "lastPipeline": {
            "id": pipeline(1001), "iid": "1", "status": "SUCCESS",
            "createdAt": "2026-01-05T09:00:00Z",
        },
    });
    assert_eq!(
        answer["data"]["project"]["pipelineSchedules"]["nodes"],
        json!([expected])
    );
}

#[tokio::test]
async fn a_wrong_class_of_id_is_an_error_of_its_field() {
    let (gitlab, shop, _) = pipelines(1).await;
    let query = "query($ids: [ID!]) { metadata { version } projects(ids: $ids) { nodes { id } } }";
    let answer = ask(
        &gitlab,
        query,
        json!({ "ids": [project(shop), pipeline(shop)] }),
    )
    .await;
    let message = format!("{} is not a valid ID for Project.", pipeline(shop));
    assert_eq!(answer["errors"][0]["message"], message.as_str());
    assert_eq!(answer["errors"][0]["path"], json!(["projects"]));
    let data = json!({ "metadata": { "version": "18.4.0" }, "projects": null });
    assert_eq!(answer["data"], data);
}

#[tokio::test]
async fn jobs_of_a_whole_project_are_for_one_project_at_a_time() {
    let (gitlab, shop, _) = pipelines(2).await;
    let web = gitlab.with(|world| world.create_project("acme/web"));
    let query = "query($ids: [ID!]) { projects(ids: $ids) { nodes { jobs { nodes { name } } } } }";
    let one = ask(&gitlab, query, json!({ "ids": [project(shop)] })).await;
    let jobs = &one["data"]["projects"]["nodes"][0]["jobs"]["nodes"];
    assert_eq!(column(jobs, "name"), ["test", "test"]);
    let two = ask(
        &gitlab,
        query,
        json!({ "ids": [project(shop), project(web)] }),
    )
    .await;
    let message = "\"jobs\" field can be requested only for 1 Project(s) at a time.";
    assert_eq!(two["errors"][0]["message"], message);
    assert_eq!(two["data"]["projects"]["nodes"][1]["jobs"], Value::Null);
}
