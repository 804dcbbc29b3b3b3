//! The configuration is loaded again while the exporter runs: counters and histories go on, mistakes change nothing.

use std::time::Duration;

use gitlab_simulator::Handle;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use testkit::client;
use testkit::daemon::{Daemon, PATIENCE, Place, gitlab, holds, minutes, until};
use testkit::samples::Samples;
use testkit::truth::equal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

const LOADED: &str = "job_failure_exporter_config_last_load_successful";

const DONE: &str = "the configuration was loaded again";

fn place(gitlab: &Handle) -> Place {
    Place::new(gitlab.url(), "groups: [{path: acme}]")
}

async fn start(place: &Place, gitlab: &Handle) -> Daemon {
    let daemon = place.start().await;
    daemon.is_ready().await;
    is_true(&daemon, gitlab).await;
    daemon
}

async fn is_true(daemon: &Daemon, gitlab: &Handle) -> Samples {
    let truths = gitlab.truth();
    daemon
        .shows("the truth", |samples| equal(samples, &truths))
        .await
}

/// Sends SIGHUP and waits until the reload with this number is done.
async fn reload(daemon: &Daemon, number: usize) {
    daemon.signal(Signal::HUP);
    until("a reload", async || {
        let log = daemon.log();
        holds(log.matches(DONE).count() >= number, log)
    })
    .await;
}

async fn post(daemon: &Daemon, headers: &[(&str, &str)]) -> (u16, String) {
    let url = format!("http://{}/-/reload", daemon.address());
    let mut request = client().post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_new_configuration_takes_effect_while_counters_and_histories_go_on() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(10));
    let place = place(&gitlab);
    let daemon = start(&place, &gitlab).await;
    let before = daemon.scrape().await;
    let of_platform = |samples: &Samples| {
        samples
            .iter()
            .filter(|it| it.name == "job_window_executions")
            .filter(|it| it.labels["project"].starts_with("acme/platform/"))
            .count()
    };
    let wanted = of_platform(&before);
    assert!(wanted > 0 && wanted < before.of("job_window_executions", &[]).len());

    place.reconfigure("{path: acme}", "{path: acme/platform}");
    place.configure_also("counting: {window: 2}\n");
    reload(&daemon, 1).await;
    daemon.says("changed=counting.window, watch.groups").await;
    let look = |samples: &Samples| {
        let windows = samples.of("job_window_executions", &[]);
        let is_small = windows.iter().all(|it| it.value <= 2.0);
        let is_right = is_small && windows.len() == wanted && of_platform(samples) == wanted;
        holds(is_right, format!("{windows:?}"))
    };
    let after = daemon
        .shows("only the group, with small windows", look)
        .await;
    for name in [
        "process_start_time_seconds",
        "job_failure_exporter_build_info",
        LOADED,
    ] {
        assert_eq!(after.value(name, &[]), before.value(name, &[]), "{name}");
    }
    for counter in [
        "job_failure_exporter_api_requests_total",
        "job_failure_exporter_state_saves_total",
    ] {
        let (before, after) = (before.sum(counter, &[]), after.sum(counter, &[]));
        assert!(
            before > 0.0 && before <= after,
            "{counter}: {before} {after}"
        );
    }
    for sample in after.of("job_executions_total", &[]) {
        let labels: Vec<_> = sample.labels.iter().map(|(k, v)| (&**k, &**v)).collect();
        let before = before.value("job_executions_total", &labels).unwrap();
        assert!(sample.value >= before, "{sample:?}");
    }

    // The other projects come back with their histories, and what happened meanwhile.
    place.reconfigure("{path: acme/platform}", "{path: acme}");
    place.reconfigure("window: 2", "window: 10");
    gitlab.advance(minutes(5));
    reload(&daemon, 2).await;
    is_true(&daemon, &gitlab).await;
    daemon.stop().await;
}

#[tokio::test]
async fn no_scrape_misses_a_job_while_the_configuration_is_loaded() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(10));
    let place = place(&gitlab);
    let daemon = start(&place, &gitlab).await;
    let others = |samples: &Samples| {
        [
            "project_last_successful_poll_timestamp_seconds",
            "project_info",
            "project_last_successful_schedules_read_timestamp_seconds",
        ]
        .map(|name| samples.of(name, &[]).len())
    };
    let all = |samples: &Samples| {
        let counts = others(samples);
        holds(counts.iter().all(|count| *count > 0), format!("{counts:?}"))
    };
    let before = daemon.shows("polls, projects and schedules", all).await;
    let (wanted, wanted_others) = (before.kept(), others(&before));
    let scrapes = async {
        let mut scrapes = 0;
        // Not all schedules have been read yet.
        let mut known = wanted_others;
        while daemon.log().matches(DONE).count() < 5 {
            let samples = daemon.scrape().await;
            assert_eq!(samples.kept(), wanted);
            let now = others(&samples);
            let misses = now.iter().zip(&known).any(|(now, known)| now < known);
            assert!(!misses, "{now:?}, and before {known:?}");
            known = now;
            assert_eq!(daemon.get("/-/ready").await.0, 200);
            scrapes += 1;
        }
        scrapes
    };
    let reloads = async {
        for number in 1..=5 {
            reload(&daemon, number).await;
        }
    };
    let (scrapes, ()) = tokio::join!(scrapes, reloads);
    assert!(scrapes > 5, "{scrapes}");
    assert!(daemon.log().contains("no key changed"), "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test]
async fn a_configuration_with_mistakes_changes_nothing_until_it_is_right() {
    let gitlab = gitlab("demo").await;
    let place = place(&gitlab);
    place.reconfigure("web: {", "web: {enable_lifecycle: true, ");
    let daemon = start(&place, &gitlab).await;
    place.reconfigure("groups:", "grupps:");
    daemon.signal(Signal::HUP);
    let is_refused = |samples: &Samples| {
        let value = samples.value(LOADED, &[]);
        holds(value == Some(0.0), format!("{value:?}"))
    };
    daemon.shows("a refused configuration", is_refused).await;
    daemon.says("did you mean `groups`?").await;
    let (status, text) = post(&daemon, &[]).await;
    assert_eq!(status, 500, "{text}");
    assert!(
        text.contains("config.yml:2") && text.contains("watch.grupps"),
        "{text}"
    );
    // The one before is at work.
    gitlab.advance(minutes(3));
    is_true(&daemon, &gitlab).await;

    place.reconfigure("grupps:", "groups:");
    let (status, text) = post(&daemon, &[]).await;
    assert_eq!((status, &*text), (200, "the configuration is in force\n"));
    let samples = daemon.scrape().await;
    assert_eq!(samples.value(LOADED, &[]), Some(1.0));
    gitlab.advance(minutes(3));
    is_true(&daemon, &gitlab).await;
    daemon.stop().await;
}

#[tokio::test]
async fn reloads_over_http_are_switched_on_and_off_and_never_asked_for_by_a_page() {
    let gitlab = gitlab("demo").await;
    let place = place(&gitlab);
    let daemon = start(&place, &gitlab).await;
    let (status, text) = post(&daemon, &[]).await;
    assert_eq!(status, 403, "{text}");
    assert!(text.contains("web.enable_lifecycle"), "{text}");

    place.reconfigure("web: {", "web: {enable_lifecycle: true, ");
    reload(&daemon, 1).await;
    let (status, text) = post(&daemon, &[("origin", "https://elsewhere.test")]).await;
    assert_eq!(status, 403, "{text}");
    assert_eq!(daemon.get("/-/reload").await.0, 405);
    let asked = (0..6).map(|_| post(&daemon, &[]));
    for (status, text) in futures_util::future::join_all(asked).await {
        assert!(status == 200 || status == 503, "{status} {text}");
    }
    place.reconfigure("enable_lifecycle: true", "enable_lifecycle: false");
    assert_eq!(post(&daemon, &[]).await.0, 200);
    assert_eq!(post(&daemon, &[]).await.0, 403);
    daemon.stop().await;
}

#[tokio::test]
async fn what_holds_for_the_life_of_the_process_stays_and_is_told() {
    let gitlab = gitlab("demo").await;
    let place = place(&gitlab);
    let daemon = start(&place, &gitlab).await;
    place.reconfigure("127.0.0.1:0", "127.0.0.1:1");
    let elsewhere = place.state().join("elsewhere");
    let here = format!("directory: '{}'", place.state().display());
    place.reconfigure(&here, &format!("directory: '{}'", elsewhere.display()));
    reload(&daemon, 1).await;
    daemon
        .says("restart to change them: store, web.listen_address")
        .await;
    gitlab.advance(minutes(3));
    is_true(&daemon, &gitlab).await;
    assert!(!elsewhere.exists());
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_not_saved_survives_a_reload() {
    let gitlab = gitlab("demo").await;
    gitlab.advance(minutes(5));
    let place = place(&gitlab);
    // A file that is too large is an error and no signal.
    let under = ["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let daemon = place.start_under(&under).await;
    daemon.is_ready().await;
    is_true(&daemon, &gitlab).await;
    let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
    let limit = getrlimit(Resource::Fsize);
    let set = |current| {
        let maximum = limit.maximum;
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    // No file takes a byte.
    set(Some(0));
    gitlab.advance(minutes(5));
    is_true(&daemon, &gitlab).await;
    daemon.says("cannot save").await;
    let kept = daemon.scrape().await.kept();
    reload(&daemon, 1).await;
    daemon.says("the last changes are not saved yet").await;
    assert_eq!(daemon.scrape().await.kept(), kept);

    set(limit.current);
    let saved = |samples: &Samples| {
        let unsaved = samples.value("job_failure_exporter_state_unsaved_timelines", &[]);
        holds(unsaved == Some(0.0), format!("{unsaved:?}"))
    };
    daemon.shows("everything saved", saved).await;
    // Without GitLab, so that only the documents can tell.
    daemon.kill().await;
    let url = gitlab.url().to_owned();
    drop(gitlab);
    let daemon = place.start().await;
    assert_eq!(daemon.scrape().await.kept(), kept, "{url}");
    daemon.kill().await;
}

#[tokio::test]
async fn systemd_is_told_of_the_start_of_reloads_of_life_and_of_the_end() {
    let gitlab = gitlab("demo").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let place = place(&gitlab).with_environment(&[
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ]);
    let next = async |wanted: &str| {
        let mut heard = Vec::new();
        let listen = async {
            loop {
                let mut bytes = [0; 512];
                let length = socket.recv(&mut bytes).await.unwrap();
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let found = text.lines().any(|line| line == wanted);
                heard.push(text);
                if found {
                    return;
                }
            }
        };
        let heard_it = timeout(PATIENCE, listen).await;
        assert!(heard_it.is_ok(), "{wanted} is not in {heard:?}");
        heard
    };
    let daemon = place.start().await;
    assert_eq!(next("READY=1").await.len(), 1);
    for _ in 0..3 {
        next("WATCHDOG=1").await;
    }
    daemon.signal(Signal::HUP);
    let heard = next("RELOADING=1").await;
    assert!(
        heard.last().unwrap().contains("MONOTONIC_USEC="),
        "{heard:?}"
    );
    next("READY=1").await;
    daemon.signal(Signal::TERM);
    next("STOPPING=1").await;
    let (status, log) = timeout(Duration::from_secs(30), daemon.ended())
        .await
        .unwrap();
    assert!(status.success(), "{log}");
}
