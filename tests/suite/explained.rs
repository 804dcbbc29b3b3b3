//! What `explain` tells of a job, by real and by broken servers of Prometheus and Alertmanager.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use ci_history::clock::{Clock as _, SystemClock};
use gitlab_simulator::{JobPlan, PipelinePlan, World};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::client;
use testkit::daemon::{Place, holds, until};
use tokio::net::TcpListener;

use crate::end_to_end::{Chain, gitlab, push};
use crate::monitoring::Shipped;
use crate::silence_link::{matchers, of_job};
use crate::state_import::{import, offline, v2};

const PROJECT: &str = "acme/payments/api";

/// Each fails this often in a row; `canary` has a threshold of 10, `sandbox` of `Inf`.
const STREAKS: [(&str, usize); 6] = [
    ("unit", 3),
    ("lint", 3),
    ("deploy", 6),
    ("docs", 2),
    ("canary", 4),
    ("sandbox", 4),
];

const OVERRIDES: &str = "
      - record: ci_job_override:consecutive_failures:threshold
        expr: '10'
        labels: {severity: warning, project: acme/payments/api, job_name: canary}
      - record: ci_job_override:consecutive_failures:threshold
        expr: 'Inf'
        labels: {severity: warning, project: acme/payments/api, job_name: sandbox}
";

/// Six pipelines. Enough jobs pass that the failing ones are no mass failure.
fn fill(world: &mut World) {
    for pipeline in 1..=6 {
        let mut jobs: Vec<_> = (0..20)
            .map(|n| JobPlan::passes(format!("ok-{n}")))
            .collect();
        jobs.extend(STREAKS.map(|(name, streak)| {
            if pipeline > 6 - streak {
                JobPlan::fails(name)
            } else {
                JobPlan::passes(name)
            }
        }));
        push(world, PROJECT, jobs);
    }
}

/// The flags of both servers.
fn flags(prometheus: &str, alertmanager: &str) -> [String; 2] {
    [
        format!("--prometheus.url={prometheus}"),
        format!("--alertmanager.url={alertmanager}"),
    ]
}

async fn explained(place: &Place, job: &str, more: &[&str]) -> String {
    let project = if job == "build" { "acme/app" } else { PROJECT };
    let args = [&["explain", project, job][..], more].concat();
    place.run(&args).await.done()
}

/// Silences all alerts on a job for an hour; gives the silence's id.
async fn silence(alertmanager: SocketAddr, job: &str) -> String {
    let now = jiff::Timestamp::try_from(SystemClock.now()).unwrap();
    let body = json!({
        "matchers": [{"name": "job_name", "value": job, "isRegex": false}],
        "startsAt": now.to_string(),
        "endsAt": (now + Duration::from_hours(1)).to_string(),
        "createdBy": "ann",
        "comment": "fix is on its way",
    });
    let url = format!("http://{alertmanager}/api/v2/silences");
    let request = client()
        .post(url)
        .header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    answer["silenceID"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn explain_tells_who_hears_of_each_alert_and_why_nobody_does() {
    let gitlab = gitlab(fill).await;
    let shipped = Shipped::copy();
    shipped.append("alert-rules/thresholds.yml", OVERRIDES);
    let chain = Chain::start_with(&gitlab, shipped).await;
    let [prometheus, alertmanager] = [&chain.prometheus, &chain.alertmanager];
    let id = silence(alertmanager.address, "lint").await;
    let flags = flags(
        &format!("http://{}", prometheus.address),
        &format!("http://{}/", alertmanager.address),
    );
    let flags = flags.each_ref().map(|flag| &**flag);
    let tells = async |job: &str, words: &[&str]| {
        until(job, async || {
            let text = explained(&chain.place, job, &flags).await;
            let missing = words.iter().find(|words| !text.contains(**words));
            holds(missing.is_none(), format!("{missing:?} is not in:\n{text}"))
        })
        .await;
    };
    tells(
        "unit",
        &[
            "unit of acme/payments/api (id ",
            "\nFailing: 3 executions in a row failed",
            "\nWhose: payments.\n",
            "\nconsecutive_failures (warning)   3 (default)\n",
            "\nfailure_ratio (warning)          50 % (default)\n",
            "\n- CIJobFailingRepeatedly (warning) fires since 20",
            ", and goes to team-payments.\n",
            "\nfailing_for_long (critical)      3 (default)\n",
            "\n- CIJobFailingForLong (critical) does not fire: ",
            " of failing, the threshold is 4 h (default); 3 failures in a row, the threshold is 3 (default).\n",
            "\n- CIJobFailingRepeatedly (critical) does not fire: 3 failures in a row, the threshold is 6 (default).\n",
            "\n- CIJobFailureRatioHigh (warning) does not fire: 50 % of the window failed, the threshold is 50 % (default); 3 failures in the window, the threshold is 5 (default).\n",
            "\n- CIJobStuck (warning) does not fire: it does not run now, ",
        ],
    )
    .await;
    let silenced = format!(" by ann (fix is on its way; silence {id}).\n");
    tells("lint", &[", but is silenced until 20", &silenced]).await;
    let inhibited = ", but is inhibited by CIJobFailingRepeatedly (critical) of deploy.\n";
    tells(
        "deploy",
        &[inhibited, "team-payments-pager, team-payments.\n"],
    )
    .await;
    let below = "2 failures in a row, the threshold is 3 (default).\n";
    tells("docs", &[below]).await;
    let own = "4 failures in a row, the threshold is 10 (job).\n";
    tells(
        "canary",
        &[own, "\nconsecutive_failures (warning)   10 (job)\n"],
    )
    .await;
    let off = "(warning) is switched off: the threshold is Inf (job).\n";
    tells("sandbox", &[off]).await;

    json_is_the_same_everywhere(&chain, &flags).await;
    pages_tell_the_same(&chain, &id).await;

    // Without Prometheus Alertmanager tells what fires.
    let alone = ["--prometheus.url=http://127.0.0.1:9", flags[1]];
    let text = explained(&chain.place, "unit", &alone).await;
    let fires = "\n- CIJobFailingRepeatedly (warning) fires since 20";
    assert!(
        text.contains("- Prometheus at http://127.0.0.1:9 does not answer"),
        "{text}"
    );
    assert!(
        text.contains(fires) && text.contains(", and goes to team-payments.\n"),
        "{text}"
    );

    // The exporter of another place is not scraped by this Prometheus.
    let elsewhere = offline();
    import(&elsewhere, &v2(5, 3)).await;
    let text = explained(&elsewhere, "build", &flags).await;
    let missing =
        "Prometheus has no series of this job: the exporters that it scrapes do not expose it";
    assert!(text.contains(missing), "{text}");
    let args = [&["explain", "acme/app", "biuld"][..], &flags].concat();
    let said = elsewhere.run(&args).await.refused();
    assert!(
        said.contains("did you mean `build`?\nPrometheus has no series of this job"),
        "{said}"
    );
    chain.end().await;
}

async fn json_is_the_same_everywhere(chain: &Chain, flags: &[&str]) {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let text = explained(&chain.place, "unit", &[&["--json"], flags].concat()).await;
    let explained = &parse(&text)[0];
    let alerts = explained["alerts"].as_array().unwrap();
    let firing = alerts
        .iter()
        .find(|alert| alert["state"] == "firing")
        .unwrap();
    assert_eq!(firing["labels"]["alertname"], "CIJobFailingRepeatedly");
    assert_eq!(firing["delivery"]["receivers"], json!(["team-payments"]));
    assert_eq!(explained["prometheus"]["error"], Value::Null);
    assert!(
        explained["conclusions"].as_array().unwrap().len() > 4,
        "{text}"
    );
    let args = ["state", "show", "--json", "--job", "unit"];
    let shown = &parse(&chain.place.run(&args).await.done())[0]["jobs"][0];
    let (_, served) = chain.exporter().get("/api/v1/jobs?q=unit").await;
    let mut served = parse(&served)["jobs"][0].take();
    // Only the exporter tells states: they are of this moment.
    let states = served.as_object_mut().unwrap().remove("states");
    assert_eq!(states, Some(json!(["failing"])));
    assert_eq!(*shown, served);
    assert_eq!(explained["job"], served);
}

/// The exporter gets the addresses while it runs, and asks the same servers for its pages.
async fn pages_tell_the_same(chain: &Chain, silence: &str) {
    chain.place.configure_also(&format!(
        "prometheus: {{url: 'http://{}'}}\nalertmanager: {{url: 'http://{}'}}\n",
        chain.prometheus.address, chain.alertmanager.address
    ));
    let exporter = chain.exporter();
    exporter.signal(Signal::HUP);
    let tells = async |path: &str, words: &[&str]| {
        until(path, async || {
            let (_, page) = exporter.get(path).await;
            let missing = words.iter().find(|words| !page.contains(**words));
            holds(missing.is_none(), format!("{missing:?} is not in:\n{page}"))
        })
        .await;
    };
    let unit = "<a href=\"/jobs/acme/payments/api/-/main/-/unit\">";
    tells(
        "/alerts?q=unit",
        &[unit, "<bdi>team-payments</bdi>", "✕ Firing", ">Runbook</a>"],
    )
    .await;
    let silenced = ["by <bdi>ann</bdi>: <bdi>fix is on its way</bdi>"];
    tells(
        "/alerts?state=silenced&project=acme/payments/api",
        &silenced,
    )
    .await;
    let inhibited =
        ["by <bdi>CIJobFailingRepeatedly</bdi> (<bdi>critical</bdi>) of <bdi>deploy</bdi>"];
    tells(
        "/alerts?state=inhibited&q=deploy&severity=warning",
        &inhibited,
    )
    .await;
    let page = "/jobs/acme/payments/api/-/main/-/canary";
    let own = "data-label=\"Fires at\">10</td><td data-label=\"Level\">job</td>";
    tells(
        page,
        &[own, "Silence all alerts on this job</a>", "✓ None</span>"],
    )
    .await;
    let query = "project=acme/payments/api&ref=main&job_name=lint";
    let (_, body) = exporter.get(&format!("/api/v1/job?{query}")).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let alert = &body["alerting"]["alerts"][0];
    assert_eq!(alert["delivery"]["silences"][0]["id"], silence);
    // The link of the page silences the same as that of the message.
    let link = |url: &Value| matchers(url.as_str().unwrap());
    assert_eq!(
        link(&body["alerting"]["silence_url"]),
        link(&alert["silence_url"])
    );
    assert_eq!(link(&alert["silence_url"]), of_job(&alert["labels"]));
}

/// A server that answers by the first part of the path, whatever is asked of it.
async fn broken_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let serving = http1::Builder::new().serve_connection(
                TokioIo::new(stream),
                service_fn(async |request| Ok::<_, Infallible>(broken(&request))),
            );
            tokio::spawn(serving);
        }
    });
    address
}

/// An alert on `unit` on its nightly track, and one on its pushes.
const TRACKS: &str = r#"{"status": "success", "data": {"groups": [{"rules": [{
    "name": "CIJobFailingRepeatedly", "query": "ci_job:consecutive_failures > 1", "duration": 0, "alerts": [
        {"state": "firing", "activeAt": "2026-01-05T08:00:00Z", "labels": {
            "project": "acme/payments/api", "ref": "main", "track": "nightly", "job_name": "unit",
            "severity": "critical"}},
        {"state": "firing", "activeAt": "2026-01-05T08:00:00Z", "labels": {
            "project": "acme/payments/api", "ref": "main", "job_name": "unit", "severity": "warning"}}
    ]}]}]}}"#;

fn broken(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let (status, kind, body) = match path.split('/').nth(1).unwrap() {
        "html" => (200, "text/html", "<html>"),
        "login" => (401, "text/plain", "who are you?"),
        "moved" => (302, "text/plain", ""),
        "other" => (200, "application/json", "[1]"),
        "fails" => (
            503,
            "application/json",
            "{\"error\": \"too many\\nqueries\"}",
        ),
        "tracks" if path.ends_with("rules") => (200, "application/json", TRACKS),
        "bare" if path.ends_with("rules") => {
            let body = "{\"status\": \"success\", \"data\": {\"groups\": []}}";
            (200, "application/json", body)
        }
        _ => (200, "application/json", "{\"data\": {\"result\": []}}"),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", kind);
    response.body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn a_server_that_does_not_tell_is_named_with_what_to_do_and_the_figures_are_printed() {
    let place = offline();
    import(&place, &v2(5, 3)).await;
    let server = broken_server().await;
    let without = explained(&place, "build", &[]).await;
    for words in ["give --prometheus.url, or", "give --alertmanager.url, or"] {
        assert!(without.contains(words), "{words:?} is not in:\n{without}");
    }
    for (path, found, to_do) in [
        ("html", "answered text/html, wanted JSON", "itself"),
        (
            "login",
            "answered 401 Unauthorized",
            "https://user:password@host",
        ),
        (
            "moved",
            "answered 302 Found",
            "the redirection or the login",
        ),
        (
            "other",
            "answered JSON that is not of its API",
            "the right server",
        ),
        (
            "fails",
            "answered 503 Service Unavailable: too manyqueries",
            "log",
        ),
    ] {
        let url = format!("http://me:secret@{server}/{path}");
        let flags = flags(&url, &url);
        let text = explained(&place, "build", &[&flags[0], &flags[1]]).await;
        for name in ["Prometheus", "Alertmanager"] {
            let line = format!("- {name} at http://{server}/{path} {found}");
            let line = text.lines().find(|it| it.starts_with(&line));
            let line = line.unwrap_or_else(|| panic!("{name} {found} is not in:\n{text}"));
            assert!(line.contains(to_do), "{line}");
        }
        assert!(text.contains("\nstreak                3\n"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    let flag = format!("--prometheus.url=http://{server}/bare");
    let text = explained(&place, "build", &[&flag]).await;
    assert!(
        text.contains("has none of the shipped rules: add the files"),
        "{text}"
    );

    let nobody = flags("http://127.0.0.1:9", "http://127.0.0.1:9");
    let text = explained(&place, "build", &[&nobody[0], &nobody[1], "--json"]).await;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["job"]["consecutive_failures"], 3);
    for (name, server) in [
        ("Prometheus", "prometheus"),
        ("Alertmanager", "alertmanager"),
    ] {
        let error = json[0][server]["error"].as_str().unwrap();
        let wanted = format!("{name} at http://127.0.0.1:9 does not answer: Connection refused");
        assert!(error.starts_with(&wanted), "{error}");
        assert!(error.contains(&format!("--{server}.url")), "{error}");
    }
}

#[tokio::test]
async fn alerts_of_another_track_are_not_taken_for_those_of_the_job() {
    let gitlab = gitlab(|world| {
        for source in ["push", "schedule"] {
            let project = world.project_by_path(PROJECT).map(|project| project.id);
            let project = project.unwrap_or_else(|| world.create_project(PROJECT));
            let plan = PipelinePlan::new([JobPlan::fails("unit")]).from_source(source);
            world.push_pipeline(project, plan.instant());
        }
    })
    .await;
    let tracks = "tracks: [{name: nightly, sources: [schedule]}]";
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}], {tracks}"));
    let daemon = place.start().await;
    daemon
        .shows("both tracks", |samples| {
            let found = samples.of("job_consecutive_failures", &[("job_name", "unit")]);
            holds(found.len() == 2, found.len())
        })
        .await;
    daemon.stop().await;
    let server = broken_server().await;
    let flags = flags(
        &format!("http://{server}/tracks"),
        &format!("http://{server}/none"),
    );
    for (track, severity, other) in [
        ("nightly", "critical", "warning"),
        ("", "warning", "critical"),
    ] {
        let args = ["--track", track, &flags[0], &flags[1]];
        let text = explained(&place, "unit", &args).await;
        let fires = |severity: &str| format!("- CIJobFailingRepeatedly ({severity}) fires since");
        assert!(text.contains(&fires(severity)), "{text}");
        assert!(!text.contains(&fires(other)), "{text}");
        assert_eq!(text.contains("track nightly"), track == "nightly", "{text}");
    }
    let both = explained(&place, "unit", &[&flags[0], &flags[1]]).await;
    assert_eq!(both.matches("fires since").count(), 2, "{both}");
}

#[tokio::test]
async fn the_addresses_come_from_the_configuration_too() {
    let place = offline();
    import(&place, &v2(5, 3)).await;
    place.configure_also("prometheus: {url: 'http://127.0.0.1:9/prom'}\n");
    let text = explained(&place, "build", &[]).await;
    assert!(
        text.contains("- Prometheus at http://127.0.0.1:9/prom does not answer"),
        "{text}"
    );
}
