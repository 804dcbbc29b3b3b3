//! GitLab itself: away, slow, something else, old, without GraphQL. And the token that acts.

use std::fs;

use gitlab_simulator::{Options, Release, Role, Scope, start};
use testkit::daemon::Place;

use super::{Checked, gitlab, place, project};
use crate::gitlab_adapter::scripted::{Server, ok, reply};
use crate::gitlab_adapter::tls;

#[tokio::test]
async fn a_gitlab_that_is_away_is_an_error_and_nothing_else_is_asked() {
    let place = Place::new("http://127.0.0.1:1", "projects: [acme/app]");
    let checked = Checked::of(&place).await;
    checked.says("error", "gitlab", "no connection");
    assert_eq!(checked.level("error").len(), 1);
}

#[tokio::test]
async fn what_is_no_gitlab_is_told_from_one() {
    let page = || reply(200, "<html>Welcome").with("Content-Type", "text/html");
    let server = Server::start([page(), page()]).await;
    let place = Place::new(&server.url(""), "projects: [acme/app]");
    Checked::of(&place)
        .await
        .says("error", "gitlab", "the answer is no JSON");

    let nothing = || reply(404, r#"{"error":"404 Not Found"}"#);
    let server = Server::start([nothing(), nothing()]).await;
    let place = Place::new(&server.url("/wrong"), "projects: [acme/app]");
    Checked::of(&place)
        .await
        .says("error", "gitlab", "has no GitLab API");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_with_the_key_that_helps() {
    let (server, ca) = tls::start([ok(r#"{"version":"17.0.0-ee"}"#)]).await;
    let url = format!("https://localhost:{}", server.port());
    let place = Place::new(&url, "projects: [acme/app]");
    let checked = Checked::of(&place).await;
    checked
        .says("error", "gitlab", "is not trusted")
        .says("error", "gitlab", "`ca_file`");
    fs::write(place.config().with_file_name("ca.pem"), ca).unwrap();
    place.reconfigure("timeout: 5s", "timeout: 5s, ca_file: ca.pem");
    let checked = Checked::of(&place).await;
    checked.says("ok", "gitlab", "GitLab 17.0.0-ee");
}

#[tokio::test]
async fn the_time_is_bounded_and_what_was_found_until_then_is_told() {
    let server = Server::start([ok(r#"{"version":"17.0.0-ee"}"#), ok("").silent()]).await;
    let place = Place::new(&server.url(""), "projects: [acme/app]");
    let checked = Checked::with(&place, &["--timeout", "1s"]).await;
    checked.says("ok", "gitlab", "GitLab 17.0.0-ee").says(
        "error",
        "gitlab",
        "not everything was asked within 1s: raise --timeout",
    );
    assert_eq!(checked.report["online"]["complete"], false);
}

#[tokio::test]
async fn where_graphql_is_missing_the_cost_is_told() {
    let gitlab = gitlab().await;
    gitlab.with(|world| project(world, "acme/app", "main", "push"));
    gitlab.faults(|faults| faults.graphql.switched_off = true);
    let place = place(&gitlab, "projects: [acme/app]");
    let checked = Checked::of(&place).await;
    checked.passes().says("ok", "graphql", "it cannot be used");
    place.reconfigure("api: auto", "api: graphql");
    let checked = Checked::of(&place).await;
    checked
        .passes()
        .says("warning", "graphql", "a request for each project");
    place.reconfigure("api: graphql", "api: rest");
    let checked = Checked::of(&place).await;
    checked.passes().says("ok", "graphql", "not asked");
}

#[tokio::test]
async fn an_old_release_is_named_and_its_token_is_not_taken_for_a_wrong_one() {
    for (release, level, words) in [
        (Release::new(15, 0), "ok", "GitLab 15.0.0 at"),
        (Release::new(14, 10), "warning", "older than 15.0"),
        (Release::new(15, 2), "ok", "GitLab 15.2.0 at"),
    ] {
        let options = Options {
            release,
            ..Options::default()
        };
        let gitlab = start(options).await.unwrap();
        gitlab.with(|world| project(world, "acme/app", "main", "push"));
        let checked = Checked::of(&place(&gitlab, "projects: [acme/app]")).await;
        checked
            .passes()
            .says(level, "gitlab", words)
            .says("warning", "token", "older than 15.5")
            .says("ok", "project", "1 of 1");
    }
}

#[tokio::test]
async fn the_token_that_acts_needs_its_scope_its_role_and_the_protected_branch() {
    let gitlab = gitlab().await;
    let user = gitlab.with(|world| {
        let id = project(world, "acme/app", "main", "push");
        world.protect_ref(id, "main", Role::Maintainer);
        world.add_user("recovery", Role::Reporter)
    });
    let place = place(&gitlab, "projects: [acme/app]");
    fs::write(place.config().with_file_name("acts"), "glpat-acts").unwrap();
    place.configure_also(
        "remediation: {mode: act, token_file: acts, rules: [{name: a, match: {failure_classes: [infrastructure]}, action: recover}]}\n",
    );
    let set = |scope, role| {
        gitlab.with(|world| {
            world.add_token("glpat-acts", user, &[scope]);
            let id = world.project_by_path("acme/app").unwrap().id;
            world.set_role(user, id, Some(role));
        });
    };
    set(Scope::ReadApi, Role::Reporter);
    let checked = Checked::of(&place).await;
    checked
        .says("error", "remediation", "bringing jobs back needs `api`")
        .says(
            "error",
            "remediation",
            "acme/app: its user has the role Reporter; retrying jobs needs Developer",
        );
    set(Scope::Api, Role::Developer);
    let checked = Checked::of(&place).await;
    checked.passes().says(
        "warning",
        "remediation",
        "acme/app: the branch `main` is protected",
    );
    set(Scope::Api, Role::Maintainer);
    let checked = Checked::of(&place).await;
    checked
        .passes()
        .says("ok", "remediation", "it may retry jobs")
        .is_content_with("remediation");
    assert!(gitlab.with(|world| world.actions().is_empty()));
    place.reconfigure("mode: act, token_file: acts", "mode: report");
    Checked::of(&place)
        .await
        .passes()
        .says("ok", "remediation", "only reports");
}
