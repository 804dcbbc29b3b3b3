//! The token goes to GitLab and nowhere else.

use std::sync::Arc;

use job_failure_exporter::gitlab::{Client, PipelineQuery};
use reqwest::Certificate;

use super::scripted::{Server, ok, reply};
use super::tls;
use super::{SECRET, client, options, page, pipeline_ids};

#[tokio::test]
async fn the_token_is_sent_as_a_bearer() {
    let server = Server::start([ok("[]")]).await;
    client(&server).bridges(7, 70).await.unwrap();
    let head = &server.requests()[0];
    assert!(
        head.contains(&format!("authorization: bearer {SECRET}")),
        "{head}"
    );
    assert!(head.contains("user-agent: job-failure-exporter/"), "{head}");
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_asked() {
    let elsewhere = Server::start([]).await;
    let server = Server::start([ok(&page([1])).next_link(elsewhere.url("/api/v4/x?page=2"))]).await;
    let error = client(&server)
        .pipelines(7, &PipelineQuery::default())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "paging");
    assert!(error.to_string().contains("not followed"), "{error}");
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_next_page_on_another_host_with_a_number_is_asked_here() {
    let elsewhere = Server::start([]).await;
    let server = Server::start([
        ok(&page([2]))
            .next_link(elsewhere.url("/api/v4/x?page=2"))
            .with("X-Next-Page", "2"),
        ok(&page([1])),
    ])
    .await;
    assert_eq!(pipeline_ids(&client(&server)).await, [2, 1]);
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_moved_project_is_followed_on_the_same_host() {
    let project = r#"{"id":7,"path_with_namespace":"new/app"}"#;
    let server = Server::start([]).await;
    server.then([
        reply(301, "").with("Location", server.url("/api/v4/projects/7")),
        ok(project),
    ]);
    let found = client(&server).project("old/app").await.unwrap();
    assert_eq!(&*found.path, "new/app");
    assert!(server.requests()[1].contains("authorization: bearer"));
}

#[tokio::test]
async fn a_redirect_to_elsewhere_is_an_error_and_is_not_followed() {
    let elsewhere = Server::start([]).await;
    let server = Server::start([]).await;
    for target in [
        elsewhere.url("/api/v4/projects/7"),
        server.url("/users/sign_in"),
        format!("https://127.0.0.1:{}/api/v4/projects/7", server.port()),
    ] {
        server.then([reply(302, "").with("Location", &target)]);
        let error = client(&server).project("7").await.unwrap_err();
        assert_eq!(error.reason(), "redirect");
        assert!(error.to_string().contains(&target), "{error}");
    }
    assert_eq!((elsewhere.connections(), server.paths().len()), (0, 3));
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = Server::start([]).await;
    let here = server.url("/api/v4/projects/7");
    server.then((0..20).map(|_| reply(301, "").with("Location", &here)));
    let error = client(&server).project("7").await.unwrap_err();
    assert_eq!(error.reason(), "redirect");
    assert!(server.paths().len() < 6);
}

#[tokio::test]
async fn no_error_repeats_the_token_even_if_gitlab_does() {
    let echo = format!(r#"{{"message":"your token {SECRET} is bad"}}"#);
    let there = format!("https://elsewhere.example/{SECRET}");
    for answer in [
        reply(401, &echo),
        reply(403, &echo),
        reply(404, &echo),
        reply(418, &echo),
        reply(500, &echo),
        reply(302, "").with("Location", &there),
        ok(&echo),
        ok(SECRET),
        ok("[]").next_link(&there),
        ok("[]").closed(),
        ok(&echo).cut(),
    ] {
        let server = Server::start((0..4).map(|_| answer.clone())).await;
        let client = client(&server);
        let error = client.bridges(7, 70).await.unwrap_err();
        let text = format!("{error} {error:?} {:?} {client:?}", error.kind());
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_private_ca_is_trusted_that_is_given() {
    let (server, ca) = tls::start([ok("[]"), ok("[]")]).await;
    // Several certificates, of which the second is the right one.
    let pem = format!("{}{ca}", tls::other_ca());
    let mut options = options(&format!("https://localhost:{}", server.port()));

    let client = Client::new(options.clone(), Arc::new(())).unwrap();
    let error = client.bridges(7, 70).await.unwrap_err();
    assert_eq!((error.reason(), error.attempts()), ("certificate", 1));
    assert!(
        error.to_string().contains("name its CA in `ca_file`"),
        "{error}"
    );
    assert!(server.requests().is_empty());

    options.certificates = Certificate::from_pem_bundle(pem.as_bytes()).unwrap();
    let client = Client::new(options, Arc::new(())).unwrap();
    client.bridges(7, 70).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_token_that_cannot_be_sent_is_refused_without_repeating_it() {
    for token in ["secret\n", "secret\u{0}"] {
        let mut options = options("https://127.0.0.1:1");
        options.token = Some(token.into());
        let refused = Client::new(options, Arc::new(())).unwrap_err().to_string();
        assert!(refused.contains("copy it again from GitLab"), "{refused}");
        assert!(!refused.contains("secr"), "{refused}");
    }
}
