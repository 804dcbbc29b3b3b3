//! Projects, groups and refs: not found, without rights, without anything that counts.

use gitlab_simulator::{Role, Scope};

use super::{Checked, gitlab, place, project};

#[tokio::test]
async fn a_guest_reads_pipelines_only_where_everybody_may() {
    let gitlab = gitlab().await;
    let token = gitlab.token().to_owned();
    gitlab.with(|world| {
        let user = world.add_user("ann", Role::Guest);
        world.add_token(&token, user, &[Scope::ReadApi]);
        project(world, "acme/public", "main", "push");
        let id = project(world, "acme/private", "main", "push");
        world.project_mut(id).unwrap().public_pipelines = false;
        let id = project(world, "acme/hidden", "main", "push");
        world.set_role(user, id, None);
    });
    let place = place(
        &gitlab,
        "projects: [acme/public, acme/private, acme/hidden]",
    );
    Checked::of(&place)
        .await
        .says(
            "warning",
            "project",
            "acme/public: the token's user has the role Guest",
        )
        .says(
            "error",
            "project",
            "acme/private: the token may not read pipelines: its user has the role Guest",
        )
        .says("error", "project", "acme/hidden: GitLab answers 404")
        .says("ok", "project", "1 of 3 projects");
}

#[tokio::test]
async fn projects_where_nothing_can_count_are_told_with_the_reason() {
    let gitlab = gitlab().await;
    gitlab.with(|world| {
        let id = project(world, "acme/archived", "main", "push");
        world.project_mut(id).unwrap().archived = true;
        let id = project(world, "acme/off", "main", "push");
        world.project_mut(id).unwrap().ci_disabled = true;
        let id = project(world, "acme/secret", "main", "push");
        world.project_mut(id).unwrap().hides_default_branch = true;
        let id = world.create_project("acme/empty");
        world.project_mut(id).unwrap().default_branch.clear();
        world.create_project("acme/new");
        project(world, "acme/elsewhere", "develop", "push");
        project(world, "acme/reviews", "main", "merge_request_event");
    });
    let all = "archived, off, secret, empty, new, elsewhere, reviews";
    let projects = all.split(", ").map(|name| format!("acme/{name}"));
    let projects: Vec<_> = projects.collect();
    let place = place(&gitlab, &format!("projects: [{}]", projects.join(", ")));
    Checked::of(&place)
        .await
        .says("warning", "project", "acme/archived: archived")
        .says("warning", "project", "acme/off: CI/CD is switched off")
        .says("error", "project", "acme/secret: GitLab hides its default branch")
        .says("warning", "project", "acme/empty: it has no default branch yet")
        .says("warning", "project", "acme/new: it has no pipelines yet")
        .says("warning", "project", "acme/elsewhere: none of its newest pipelines is on a watched ref: they are on `develop`")
        .says("warning", "project", "acme/reviews: none of its newest pipelines on watched refs counts: `merge_request_event`");
}

#[tokio::test]
async fn groups_are_told_with_their_projects_and_useless_excludes() {
    let gitlab = gitlab().await;
    gitlab.with(|world| {
        project(world, "acme/app", "main", "push");
        project(world, "attic/app", "main", "push");
        world.create_group("empty");
    });
    let groups = "{path: acme, exclude: ['app', 'acme/old/.*']}, {path: attic, exclude: ['attic/**']}, {path: empty}, {path: acne}";
    let checked = Checked::of(&place(&gitlab, &format!("groups: [{groups}]"))).await;
    checked
        .says("ok", "group", "acme (with subgroups): 1 project")
        .says(
            "warning",
            "group",
            "acme: the exclude pattern `app` excludes none",
        )
        .says(
            "warning",
            "group",
            "attic (with subgroups): 1 project, and `exclude` leaves out all",
        )
        .says(
            "warning",
            "group",
            "empty (with subgroups): GitLab lists no projects",
        )
        .says("error", "group", "acne: GitLab answers 404");
    let warnings = checked.report["warnings"].to_string();
    assert!(
        warnings.contains("looks like a regular expression"),
        "{warnings}"
    );
    assert!(warnings.contains("watch.groups[0].exclude"), "{warnings}");
}

#[tokio::test]
async fn a_shard_without_a_project_is_told() {
    let gitlab = gitlab().await;
    let id = gitlab.with(|world| project(world, "acme/app", "main", "push"));
    let place = place(&gitlab, "groups: [{path: acme}]");
    for shard in ["1/2", "2/2"] {
        let checked = Checked::with(&place, &["--shard", shard]).await;
        if ci_history::Shard::parse(shard).unwrap().owns(id) {
            checked.passes().is_content_with("group");
        } else {
            checked.says("warning", "group", "none of the 1 projects is of the shard");
        }
    }
}

#[tokio::test]
async fn ref_patterns_that_match_nothing_are_told_with_what_was_meant() {
    let gitlab = gitlab().await;
    gitlab.with(|world| {
        let id = project(world, "acme/app", "main", "push");
        // Older than what is looked at of pipelines.
        for _ in 0..100 {
            let plan = gitlab_simulator::PipelinePlan::new([]);
            world.push_pipeline(id, plan.instant());
        }
        project(world, "acme/lib", "release/1.0", "push");
    });
    let refs = "[default, 'release/.*', 'release/*', '/^main$/', 'stable-\\d+', main]";
    let place = place(
        &gitlab,
        &format!("projects: [acme/app, acme/lib], refs: {refs}"),
    );
    Checked::of(&place)
        .await
        .passes()
        .says("ok", "ref", "release/.*: matches 1 of the refs")
        .says("ok", "ref", "main: matches 1 of the refs")
        .says("warning", "ref", "release/*: matches nothing")
        .says("warning", "ref", "Write `release/.*`")
        .says("warning", "ref", "Write `^main$`")
        .says("warning", "ref", "stable-\\d+: matches nothing");
}

#[tokio::test]
async fn many_projects_are_looked_at_in_part_and_their_problems_told_together() {
    let gitlab = gitlab().await;
    gitlab.with(|world| {
        for number in 0..120 {
            world.create_project(&format!("acme/app-{number}"));
        }
    });
    let checked = Checked::of(&place(&gitlab, "groups: [{path: acme}]")).await;
    checked.says("ok", "project", "120 projects are watched, and ");
    let warnings = checked.level("warning");
    let told: Vec<_> = warnings
        .iter()
        .filter(|it| it.contains("no pipelines yet"))
        .collect();
    assert_eq!(told.len(), 1, "{warnings:#?}");
    let requests = gitlab.requests().len();
    assert!(requests < 2 * 50 + 30, "{requests}");
}
