//! The token: refused, ended, of the wrong kind or scope.

use gitlab_simulator::{Handle, Role, Scope};
use testkit::daemon::{Place, minutes};

use super::{Checked, gitlab, place, project};

/// A GitLab with a project, and a token of a user with this scope.
async fn with_scope(scope: Scope) -> (Handle, Place) {
    let gitlab = gitlab().await;
    let token = gitlab.token().to_owned();
    gitlab.with(|world| {
        project(world, "acme/app", "main", "push");
        let user = world.add_user("ann", Role::Reporter);
        world.add_token(&token, user, &[scope]);
    });
    let place = place(&gitlab, "projects: [acme/app]");
    (gitlab, place)
}

#[tokio::test]
async fn a_wrong_token_is_an_error_that_does_not_show_it() {
    let (_gitlab, place) = with_scope(Scope::ReadApi).await;
    let place = place.with_token("glpat-0123456789abcdef0123");
    let checked = Checked::of(&place).await;
    checked.says("error", "token", "the token is wrong, expired or revoked");
    assert_eq!(checked.level("error").len(), 1);
    assert!(!checked.all.contains("0123456789"), "{}", checked.all);
}

#[tokio::test]
async fn an_ended_token_is_an_error_and_one_that_ends_soon_a_warning() {
    let (gitlab, place) = with_scope(Scope::ReadApi).await;
    let token = gitlab.token().to_owned();
    let end = gitlab.with(|world| {
        let end = world.now() + minutes(5 * 24 * 60);
        world.set_token_expiry(&token, end);
        end
    });
    Checked::of(&place)
        .await
        .passes()
        .says("warning", "token", "renew it");
    gitlab.with(|world| world.advance_to(end));
    let checked = Checked::of(&place).await;
    checked.says("error", "token", "Token is expired");
}

#[tokio::test]
async fn scopes_are_told_with_what_is_needed() {
    let (_gitlab, place) = with_scope(Scope::ReadUser).await;
    let checked = Checked::of(&place).await;
    checked
        .says(
            "error",
            "token",
            "its scopes are read_user; wanted `read_api`",
        )
        .says("error", "project", "acme/app");
    let (_gitlab, place) = with_scope(Scope::Api).await;
    let checked = Checked::of(&place).await;
    checked
        .passes()
        .says("warning", "token", "`read_api` is enough");
}

#[tokio::test]
async fn secrets_that_open_no_api_are_named() {
    let (gitlab, place) = with_scope(Scope::ReadApi).await;
    for (secret, words) in [
        ("glcbt-64_0123456789abcdef", "a job token (CI_JOB_TOKEN)"),
        ("gldt-0123456789abcdef", "a deploy token"),
    ] {
        gitlab.with(|world| {
            let user = world.add_user("someone", Role::Reporter);
            world.add_token(secret, user, &[Scope::ReadApi]);
        });
        let checked = Checked::of(&place_with(&gitlab, secret)).await;
        checked.says("error", "token", words);
    }
    drop(place);
}

fn place_with(gitlab: &Handle, token: &str) -> Place {
    place(gitlab, "projects: [acme/app]").with_token(token)
}

#[tokio::test]
async fn without_a_token_only_public_projects_can_be_watched() {
    let (gitlab, _) = with_scope(Scope::ReadApi).await;
    let checked = Checked::of(&place_with(&gitlab, "")).await;
    checked
        .says("ok", "gitlab", "only to those who have a token")
        .says("warning", "token", "only public projects");
}

#[tokio::test]
async fn a_project_access_token_sees_no_group() {
    let gitlab = gitlab().await;
    let token = gitlab.token().to_owned();
    let id = gitlab.with(|world| {
        let id = project(world, "acme/app", "main", "push");
        let bot = world.add_bot(id, Role::Reporter);
        world.add_token(&token, bot, &[Scope::ReadApi]);
        id
    });
    let checked = Checked::of(&place(
        &gitlab,
        "groups: [{path: acme}], projects: [acme/app]",
    ))
    .await;
    checked
        .says(
            "ok",
            "token",
            &format!("a project access token of project {id}"),
        )
        .says("error", "group", "sees its project")
        .says("ok", "project", "1 of 1 projects");
}

#[tokio::test]
async fn a_token_file_that_cannot_be_read_is_an_error_of_the_online_check() {
    let gitlab = gitlab().await;
    let place = place(&gitlab, "projects: [acme/app]");
    place.reconfigure("timeout: 5s", "timeout: 5s, token_file: missing");
    let checked = Checked::of(&place).await;
    checked.says("error", "token", "GitLab is not asked without the token");
    assert!(gitlab.requests().is_empty());
}
