//! What queries find.

use gitlab_simulator::{JobPlan, PipelinePlan};
use serde_json::json;

use super::{START, moved, pipeline, project};
use crate::{empty, minutes};

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
