//! Tokens, rights, and faults on demand.

use gitlab_simulator::{Fault, Handle, JobPlan, PipelinePlan, Role, Scope};
use serde_json::{Value, json};

use super::queries::MINIMAL;
use super::{MOVED, START, ask, json_of, moved, project, send};
use crate::{empty, header, minutes, seconds};

/// A simulator with three projects of one pipeline each, and the ids of the projects.
async fn three() -> (Handle, [u64; 3]) {
    let gitlab = empty().await;
    let projects = gitlab.with(|world| {
        ["acme/api", "acme/shop", "acme/tools/web"].map(|path| {
            let project = world.create_project(path);
            world.push_pipeline(
                project,
                PipelinePlan::new([JobPlan::fails("test")]).instant(),
            );
            project
        })
    });
    (gitlab, projects)
}

/// The ids of the projects in an answer.
fn projects_of(answer: &Value) -> Vec<&Value> {
    let nodes = answer["data"]["projects"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| &node["id"]).collect()
}

fn counts(answer: &Value) -> Vec<Option<usize>> {
    let nodes = answer["data"]["projects"]["nodes"].as_array().unwrap();
    let rows = nodes.iter().map(|node| node["moved"]["nodes"].as_array());
    rows.map(|rows| rows.map(Vec::len)).collect()
}

#[tokio::test]
async fn a_wrong_token_is_401_and_a_token_that_reads_suffices() {
    let (gitlab, _) = three().await;
    let body = json!({ "query": "{ currentUser { username } }" });
    let refused = send(&gitlab, "wrong", &body).await;
    assert_eq!(refused.status(), 401);
    let expected = json!({ "errors": [{ "message": "Invalid token" }] });
    assert_eq!(json_of(refused).await, expected);
    gitlab.with(|world| {
        let reader = world.add_user("reader", Role::Reporter);
        world.add_token("glpat-reads", reader, &[Scope::ReadApi]);
    });
    let answer = json_of(send(&gitlab, "glpat-reads", &body).await).await;
    assert_eq!(answer["data"]["currentUser"]["username"], "reader");
    let asked = gitlab.requests();
    let users: Vec<_> = asked.iter().map(|request| request.user).collect();
    assert_eq!(users, [None, Some(2)]);
    assert_eq!(gitlab.count("graphql"), 2);
}

#[tokio::test]
async fn without_rights_a_project_has_no_pipelines_and_there_is_no_error() {
    let (gitlab, projects) = three().await;
    gitlab.with(|world| {
        let guest = world.add_user("guest", Role::Guest);
        world.add_token("glpat-guest", guest, &[Scope::ReadApi]);
        world.project_mut(projects[0]).unwrap().public_pipelines = false;
        world.project_mut(projects[1]).unwrap().ci_disabled = true;
    });
    let ids: Vec<String> = projects.iter().map(|id| project(*id)).collect();
    let variables = json!({ "ids": ids, "since": START, "n": 20 });
    let body = json!({ "query": MOVED, "variables": variables });
    let answer = json_of(send(&gitlab, "glpat-guest", &body).await).await;
    assert_eq!(counts(&answer), [Some(1), Some(0), Some(0)]);
    assert_eq!(answer.get("errors"), None);

    let one = "{ project(fullPath: \"acme/api\") { pipeline(iid: 1) { id }
        pipelineSchedules { nodes { id } } userPermissions { readCommitStatus } } }";
    let answer = json_of(send(&gitlab, "glpat-guest", &json!({ "query": one })).await).await;
    let expected = json!({ "project": {
        "pipeline": null, "pipelineSchedules": { "nodes": [] },
        "userPermissions": { "readCommitStatus": false },
    } });
    assert_eq!(answer, json!({ "data": expected }));
}

#[tokio::test]
async fn invisible_projects_are_dropped_after_the_page_was_cut() {
    let (gitlab, projects) = three().await;
    gitlab.with(|world| world.set_role(1, projects[1], None));
    let ids: Vec<String> = projects.iter().map(|id| project(*id)).collect();
    let query =
        "query($ids: [ID!], $after: String) { projects(ids: $ids, first: 2, after: $after) {
        nodes { id } pageInfo { hasNextPage endCursor } } }";
    let first = ask(&gitlab, query, json!({ "ids": ids })).await;
    assert_eq!(projects_of(&first), [&json!(project(projects[2]))]);
    let info = &first["data"]["projects"]["pageInfo"];
    assert_eq!(info["hasNextPage"], true);
    let after = json!({ "ids": ids, "after": info["endCursor"] });
    let second = ask(&gitlab, query, after).await;
    assert_eq!(projects_of(&second), [&json!(project(projects[0]))]);
    assert_eq!(second["data"]["projects"]["pageInfo"]["hasNextPage"], false);

    // A page of which nothing is left has no cursor to go on from.
    gitlab.with(|world| world.set_role(1, projects[2], None));
    let first = ask(&gitlab, query, json!({ "ids": ids })).await;
    let info = &first["data"]["projects"]["pageInfo"];
    assert_eq!(info, &json!({ "hasNextPage": true, "endCursor": null }));
}

#[tokio::test]
async fn a_project_bot_sees_no_group_and_nothing_but_its_project() {
    let (gitlab, projects) = three().await;
    gitlab.with(|world| {
        let bot = world.add_bot(projects[0], Role::Reporter);
        world.add_token("glpat-bot", bot, &[Scope::ReadApi]);
    });
    let query = "{ group(fullPath: \"acme\") { id } projects { nodes { id } }
        hidden: project(fullPath: \"acme/shop\") { id } }";
    let answer = json_of(send(&gitlab, "glpat-bot", &json!({ "query": query })).await).await;
    let expected = json!({
        "group": null, "projects": { "nodes": [{ "id": project(projects[0]) }] }, "hidden": null,
    });
    assert_eq!(answer, json!({ "data": expected }));
}

#[tokio::test]
async fn slow_projects_are_null_and_the_others_are_there() {
    let (gitlab, projects) = three().await;
    gitlab.faults(|faults| faults.graphql.slow_projects.extend([projects[1]]));
    let answer = moved(&gitlab, &projects, START, 20).await;
    assert_eq!(counts(&answer), [Some(1), None, Some(1)]);
    let errors = answer["errors"].as_array().unwrap();
    let paths: Vec<_> = errors.iter().map(|error| error["path"].clone()).collect();
    let path = |key: &str| json!(["projects", "nodes", 1, key]);
    assert_eq!(paths, [path("moved"), path("kids")]);
    assert_eq!(errors[0]["message"], "Timeout on Project.pipelines");
}

#[tokio::test]
async fn when_the_time_is_over_the_jobs_of_later_pipelines_are_null() {
    let (gitlab, projects) = three().await;
    gitlab.faults(|faults| faults.graphql.job_lists = Some(2));
    let ids: Vec<String> = projects.iter().map(|id| project(*id)).collect();
    let query = "query($ids: [ID!]) { projects(ids: $ids, first: 3) { nodes {
        pipelines(status: FAILED, first: 5) { nodes { jobs(first: 100) { nodes { name } } } } } } }";
    let answer = ask(&gitlab, query, json!({ "ids": ids })).await;
    let jobs = |at: usize| {
        answer["data"]["projects"]["nodes"][at]["pipelines"]["nodes"][0]["jobs"].clone()
    };
    assert_eq!(jobs(0), json!({ "nodes": [{ "name": "test" }] }));
    assert_eq!([jobs(1), jobs(2)], [jobs(0), Value::Null]);
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["message"], "Timeout on Pipeline.jobs");
}

#[tokio::test]
async fn schedules_of_a_second_project_can_be_refused() {
    let (gitlab, projects) = three().await;
    let ids: Vec<String> = projects.iter().map(|id| project(*id)).collect();
    let query = "query($ids: [ID!]) { projects(ids: $ids, first: 3) { nodes {
        pipelineSchedules(first: 1) { nodes { id } } } } }";
    let listed = async || {
        let answer = ask(&gitlab, query, json!({ "ids": ids })).await;
        let nodes = answer["data"]["projects"]["nodes"].as_array().unwrap();
        let lists = nodes
            .iter()
            .map(|node| node["pipelineSchedules"].is_object());
        (lists.collect::<Vec<_>>(), answer.get("errors").cloned())
    };
    assert_eq!(listed().await, (vec![true; 3], None));
    gitlab.faults(|faults| faults.graphql.schedules_of_one_project = true);
    let (lists, errors) = listed().await;
    assert_eq!(lists, [true, false, false]);
    assert_eq!(
        errors.unwrap()[0]["message"],
        "\"pipelineSchedules\" field can be requested only for 1 Project(s) at a time."
    );
}

#[tokio::test]
async fn a_page_of_too_many_projects_times_out_with_503() {
    let (gitlab, projects) = three().await;
    gitlab.faults(|faults| faults.graphql.largest_page = Some(2));
    let status = async |ids: &[u64]| {
        let ids: Vec<String> = ids.iter().map(|id| project(*id)).collect();
        let variables = json!({ "ids": ids, "since": START, "n": 20 });
        let body = json!({ "query": MINIMAL, "variables": variables });
        send(&gitlab, gitlab.token(), &body).await
    };
    let refused = status(&projects).await;
    assert_eq!(refused.status(), 503);
    let message = "Request timed out. Please try a less complex query or a smaller set of records.";
    assert_eq!(
        json_of(refused).await,
        json!({ "errors": [{ "message": message }] })
    );
    assert_eq!(status(&projects[..2]).await.status(), 200);
}

#[tokio::test]
async fn before_gitlab_17_nobody_lists_children() {
    let gitlab = empty().await;
    let shop = gitlab.with(|world| {
        let shop = world.create_project("acme/shop");
        let child = PipelinePlan::new([JobPlan::fails("inner")]).instant();
        let plan = PipelinePlan::new([JobPlan::triggers("deploy", child)]).instant();
        world.push_pipeline(shop, plan);
        shop
    });
    gitlab.faults(|faults| faults.graphql.lists_no_children = true);
    let answer = moved(&gitlab, &[shop], START, 20).await;
    let kids = &answer["data"]["projects"]["nodes"][0]["kids"];
    assert_eq!(
        kids,
        &json!({ "nodes": [], "pageInfo": { "hasNextPage": false } })
    );
}

#[tokio::test]
async fn graphql_can_be_off_while_rest_answers() {
    let (gitlab, _) = three().await;
    gitlab.faults(|faults| faults.graphql.switched_off = true);
    let body = json!({ "query": "{ metadata { version } }" });
    let answer = send(&gitlab, gitlab.token(), &body).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (404, "text/html".to_owned())
    );
    assert_eq!(crate::get(&gitlab, "/user").await.status(), 200);
}

#[tokio::test]
async fn faults_of_all_requests_have_the_form_of_graphql() {
    let (gitlab, _) = three().await;
    let body = json!({ "query": "{ metadata { version } }" });
    for (fault, status, expected) in [
        (Fault::InternalError, 500, "Internal server error"),
        (Fault::Forbidden, 403, "API not accessible for user"),
        (
            Fault::StatementTimeout,
            503,
            "Request timed out. Please try a less complex query or a smaller set of records.",
        ),
    ] {
        gitlab.faults(|faults| faults.inject_at("/graphql", fault));
        assert_eq!(crate::get(&gitlab, "/user").await.status(), 200);
        let answer = send(&gitlab, gitlab.token(), &body).await;
        assert_eq!(answer.status(), status);
        let message = json!({ "errors": [{ "message": expected }] });
        assert_eq!(json_of(answer).await, message);
    }
    gitlab.faults(|faults| faults.inject(Fault::Unavailable));
    let answer = send(&gitlab, gitlab.token(), &body).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (503, "text/html".to_owned())
    );
    gitlab.faults(|faults| faults.inject(Fault::TooManyRequests));
    let answer = send(&gitlab, gitlab.token(), &body).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "retry-after")),
        (429, "1".to_owned())
    );
    assert_eq!(answer.text().await.unwrap(), "Retry later\n");
}

#[tokio::test]
async fn a_request_can_hang_until_its_client_gives_up() {
    let (gitlab, _) = three().await;
    gitlab.faults(|faults| faults.inject(Fault::Hang));
    let request = reqwest::Client::new()
        .post(format!("{}/api/graphql", gitlab.url()))
        .bearer_auth(gitlab.token())
        .timeout(std::time::Duration::from_millis(100))
        .body("{}");
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(gitlab.requests().last().unwrap().status, 0);
    gitlab.shutdown().await;
}

#[tokio::test]
async fn one_query_is_one_request_of_the_rate_limit() {
    let (gitlab, projects) = three().await;
    gitlab.faults(|faults| faults.limit_rate(Some(1)));
    let body = json!({ "query": "{ metadata { version } }" });
    moved(&gitlab, &projects, START, 20).await;
    let refused = send(&gitlab, gitlab.token(), &body).await;
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "retry-after")),
        (429, "60".to_owned())
    );
    let requests = gitlab.requests();
    let costs: Vec<_> = requests.iter().map(|request| request.cost).collect();
    // Three projects with a pipeline each.
    assert_eq!(costs[0].unwrap().rows, 6);
    assert_eq!(costs[1], None);
}

#[tokio::test]
async fn a_replica_that_lags_and_hidden_pipelines_show_rows_late() {
    let (gitlab, projects) = three().await;
    let push = |hidden| {
        gitlab.with(|world| {
            let plan = PipelinePlan::new([JobPlan::passes("test")]).instant();
            world.push_pipeline(projects[0], plan.hidden_for(hidden))
        })
    };
    let found = async || counts(&moved(&gitlab, &projects[..1], START, 20).await)[0];
    gitlab.lag(&["graphql"], 2);
    push(seconds(0));
    assert_eq!((found().await, found().await), (Some(2), Some(1)));
    gitlab.catch_up();
    push(seconds(60));
    assert_eq!(found().await, Some(2));
    gitlab.advance(minutes(1));
    assert_eq!(found().await, Some(3));
}
