//! Everything below a path: for scrapes, probes, webhooks, commands and after a reload.

use std::fs;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use reqwest::Client;
use reqwest::redirect::Policy;
use rustix::process::Signal;
use testkit::client;
use testkit::daemon::{Daemon, Place, Ran, holds, minutes, until};

/// An exporter with these further keys of `web`, and a failing job.
async fn exporter(web: &str) -> (Handle, Place, Daemon) {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        let plan = PipelinePlan::new([JobPlan::fails("unit")]).instant();
        world.push_pipeline(project, plan)
    });
    gitlab.advance(minutes(1));
    let place = Place::new(gitlab.url(), "projects: [acme/shop]");
    place.reconfigure("web: {", &format!("web: {{{web}, enable_lifecycle: true, "));
    fs::write(
        place.config().with_file_name("ops-token"),
        "0123456789abcdef",
    )
    .unwrap();
    place.configure_also(
        "webhooks: {gitlab: {token_file: ops-token}}\n\
         remediation: {mode: report, token_file: ops-token, callers: [{name: ops, token_file: ops-token}]}\n",
    );
    let daemon = place.start().await;
    (gitlab, place, daemon)
}

async fn status(daemon: &Daemon, path: &str) -> (u16, Option<String>) {
    let client = Client::builder().no_proxy().redirect(Policy::none());
    let url = format!("http://{}{path}", daemon.address());
    let answer = client.build().unwrap().get(url).send().await.unwrap();
    let to = answer.headers().get("location");
    let to = to.map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to)
}

#[tokio::test]
async fn scrapes_probes_webhooks_and_links_are_below_the_path_of_the_external_url() {
    let (_gitlab, _place, daemon) = exporter("external_url: 'http://127.0.0.1/ci/exporter/'").await;
    until("readiness below the path", async || {
        let (status, text) = daemon.get("/ci/exporter/-/ready").await;
        holds(status == 200, text)
    })
    .await;
    until("the job's address", async || {
        let (_, text) = daemon.get("/ci/exporter/metrics").await;
        let url = "job_url=\"http://127.0.0.1/ci/exporter/jobs/acme/shop/-/main/-/unit\"";
        holds(text.contains(url), text)
    })
    .await;
    assert_eq!(daemon.get("/ci/exporter/-/healthy").await.0, 200);
    for path in [
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/ci/exporterx/metrics",
        "/ci%2Fexporter/metrics",
    ] {
        let (status, text) = daemon.get(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(
            text.contains("wanted one below it, such as /ci/exporter/metrics"),
            "{text}"
        );
    }
    let hook = async |path: &str| {
        let asked = client().post(format!("http://{}{path}", daemon.address()));
        asked.body("{}").send().await.unwrap().status().as_u16()
    };
    // It asks for its secret.
    assert_eq!(hook("/ci/exporter/hooks/gitlab").await, 401);
    assert_eq!(hook("/ci/exporter/hooks/alertmanager").await, 401);
    assert_eq!(hook("/hooks/gitlab").await, 404);
    assert_eq!(hook("/hooks/alertmanager").await, 404);
    assert_eq!(hook("/-/reload").await, 404);
    assert_eq!(hook("/ci/exporter/-/reload").await, 200);
}

#[tokio::test]
async fn the_root_leads_below_the_path_and_a_reload_changes_it() {
    let (_gitlab, place, daemon) = exporter("route_prefix: /old").await;
    for path in ["/", "/old"] {
        assert_eq!(
            status(&daemon, path).await,
            (302, Some("/old/".to_owned())),
            "{path}"
        );
    }
    assert_eq!(status(&daemon, "/old/").await, (200, None));
    place.reconfigure("route_prefix: /old", "route_prefix: /new");
    daemon.signal(Signal::HUP);
    until("the new path", async || {
        let found = status(&daemon, "/new/").await;
        holds(found.0 == 200, format!("{found:?}"))
    })
    .await;
    assert_eq!(status(&daemon, "/").await, (302, Some("/new/".to_owned())));
    assert_eq!(status(&daemon, "/old/").await.0, 404);
}

#[tokio::test]
async fn a_proxy_that_removes_the_path_needs_the_root_and_commands_follow_the_address() {
    let external = "external_url: 'http://127.0.0.1/ci/'";
    let (_gitlab, _place, daemon) = exporter(&format!("{external}, route_prefix: /")).await;
    let (code, page) = daemon.get("/").await;
    assert_eq!(code, 200);
    assert!(
        page.contains("href=\"/ci/projects\"") && !page.contains("href=\"/p"),
        "{page}"
    );
    assert_eq!(daemon.get("/metrics").await.0, 200);

    let (_gitlab, place, daemon) = exporter(external).await;
    let asked = async |url: &str| {
        let args = ["circuit", "list", "--exporter.url", url];
        let mut command = tokio::process::Command::new(testkit::daemon::program());
        let command = command.args(args).arg("--exporter.token-file");
        let command = command.arg(place.config().with_file_name("ops-token"));
        Ran::of(&command.output().await.unwrap())
    };
    let address = format!("http://{}", daemon.address());
    for right in ["/ci", "/ci/"] {
        let ran = asked(&format!("{address}{right}")).await;
        assert_eq!(ran.code, Some(0), "{right}: {ran:?}");
    }
    let wrong = asked(&address).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("such as /ci/metrics"), "{wrong:?}");
}
