//! Why a job fails, whose it is and since when: from the simulated GitLab to metrics, page, API and words.

use gitlab_simulator::{Fault, Handle, JobPlan, Options, PipelinePlan, World, start};
use serde_json::Value;

use testkit::daemon::{Daemon, Place, holds, minutes, until};

const PROJECT: &str = "acme/shop";
const TRACE: &str = "GET /projects/:id/jobs/:jid/trace";
const FILE: &str = "GET /projects/:id/repository/files/:path/raw";
const UNIT: [(&str, &str); 1] = [("job_name", "unit: [a/b]")];
const PAGE: &str = "/jobs/acme/shop/-/main/-/unit:%20%5Ba%2Fb%5D";

/// What a runner leaves when the registry is away, with everything that must not be seen.
const LOG: &str = "section_start:1767600000:step\r\x1b[0K\x1b[36;1m$ make\x1b[0;m\n\
    export DEPLOY_PASSWORD=hunter2\ngit clone https://ci:hunter2@git.example/a.git\n\
    token glpat-hunter2hunter2hunter2\n<script>document.title='owned'</script>\n\
    net/http: TLS handshake timeout (manager.go:237:10s)\n\x1b[31;1mERROR: Job failed: exit code 1\x1b[0;m\n";

fn push(gitlab: &Handle, unit: JobPlan) -> u64 {
    let plan = PipelinePlan::new([unit, JobPlan::passes("lint")]).instant();
    let pipeline = gitlab.with(|world| {
        let known = world.project_by_path(PROJECT).map(|project| project.id);
        let project = known.unwrap_or_else(|| world.create_project(PROJECT));
        world.push_pipeline(project, plan)
    });
    gitlab.advance(minutes(1));
    pipeline
}

fn fails() -> JobPlan {
    JobPlan::fails(UNIT[0].1)
}

/// A GitLab in which the job passed once and then failed so often; the log of the last failure is `LOG`.
async fn gitlab_with_failures(count: usize) -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    push(&gitlab, JobPlan::passes(UNIT[0].1));
    for _ in 0..count {
        let pipeline = push(&gitlab, fails());
        gitlab.with(|world| {
            let job = world.latest(pipeline, UNIT[0].1).unwrap().id;
            world.set_log(job, LOG);
        });
    }
    gitlab
}

fn place(gitlab: &Handle, sections: &str) -> Place {
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.configure_also(sections);
    place
}

async fn class_is(daemon: &Daemon, wanted: &str) {
    let what = format!("class {wanted}");
    daemon
        .shows(&what, |samples| {
            let info = samples.one("job_failure_info", &UNIT);
            let class = info.map(|info| info.labels["failure_class"].clone());
            holds(class.as_deref() == Some(wanted), format!("{class:?}"))
        })
        .await;
}

async fn jobs(daemon: &Daemon, query: &str) -> Value {
    let (status, text) = daemon.get(&format!("/api/v1/jobs{query}")).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Waits until the state on disk has, or has no, excerpt.
async fn excerpt_is_saved(place: &Place, wanted: bool) {
    until("the saved excerpt", async || {
        let documents = place.documents();
        let job = documents.first().map(|(_, d)| d["jobs"][UNIT[0].1].clone());
        let job = job.unwrap_or_default();
        let there = job["excerpt"]["text"].is_string();
        holds(job.is_object() && there == wanted, job)
    })
    .await;
}

#[tokio::test]
async fn a_log_that_the_token_may_not_see_stops_no_other() {
    let gitlab = start(Options::default()).await.unwrap();
    // Its log is asked for first.
    let plan = PipelinePlan::new([JobPlan::fails("debug"), fails()]).instant();
    let debug = gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        let pipeline = world.push_pipeline(project, plan);
        let unit = world.latest(pipeline, UNIT[0].1).unwrap().id;
        world.set_log(unit, LOG);
        world.latest(pipeline, "debug").unwrap().id
    });
    gitlab.faults(|faults| faults.inject_at(&format!("/{debug}/trace"), Fault::Forbidden));
    let place = place(&gitlab, "classification: {log_reads_per_minute: 600}\n");
    let daemon = place.start().await;
    class_is(&daemon, "infrastructure").await;
    assert_eq!(gitlab.count(TRACE), 2);
    daemon.stop().await;
}

#[tokio::test]
async fn the_log_of_the_last_failure_tells_its_class_and_its_last_lines_without_secrets() {
    let gitlab = gitlab_with_failures(3).await;
    let place = place(&gitlab, "");
    let daemon = place.start().await;
    class_is(&daemon, "infrastructure").await;
    assert_eq!(
        gitlab.count(TRACE),
        1,
        "only the last failure's log is read"
    );

    let samples = daemon.scrape().await;
    let by_reason = [UNIT[0], ("failure_class", "script")];
    let counted = samples.value("job_failures_total", &by_reason);
    assert_eq!(counted, Some(3.0), "counters go by GitLab's reason");
    assert!((samples.sum("job_failures_total", &UNIT) - 3.0).abs() < 0.1);

    let answer = jobs(&daemon, "?failing=1&project=acme/shop").await;
    assert_eq!(
        (&answer["matching"], &answer["tracked"]),
        (&1.into(), &2.into())
    );
    let job = &answer["jobs"][0];
    assert_eq!(job["page"], PAGE);
    assert_eq!(job["consecutive_failures"], 3);
    let told = samples.one("job_failure_log_info", &UNIT).unwrap();
    let line = "net/http: TLS handshake timeout (manager.go:237:10s)";
    assert_eq!(told.labels["line"], line, "what the rule matched");
    let failing = &job["failing"];
    assert_eq!(failing["failure_class"], "infrastructure");
    let excerpt = failing["log_excerpt"]["text"].as_str().unwrap();
    assert_eq!(
        excerpt,
        "$ make\nexport DEPLOY_PASSWORD=[masked]\ngit clone https://[masked]git.example/a.git\n\
         token [masked]\n<script>document.title='owned'</script>\n\
         net/http: TLS handshake timeout (manager.go:237:10s)\nERROR: Job failed: exit code 1"
    );
    let compare = failing["compare_url"].as_str().unwrap();
    let commit = |key: &str| failing[key].as_str().unwrap().to_owned();
    let (passing, first) = (
        commit("last_passing_commit"),
        commit("first_failing_commit"),
    );
    assert_eq!(
        compare,
        format!("{}/acme/shop/-/compare/{passing}...{first}", gitlab.url())
    );

    let (status, page) = daemon.get(PAGE).await;
    assert_eq!(status, 200);
    for part in [
        "infrastructure",
        "3 executions failed in a row",
        compare,
        "DEPLOY_PASSWORD=[masked]",
        "&lt;script&gt;",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    let (_, home) = daemon.get("/").await;
    assert!(home.contains(&format!("href=\"{PAGE}\"")), "{home}");

    excerpt_is_saved(&place, true).await;
    let saved = place.documents()[0].1.to_string();
    for text in [&saved, &page, &daemon.log(), &answer.to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
    }

    // What was read once is not read again, also after a restart; the next failure is.
    daemon.stop().await;
    gitlab.forget_requests();
    let daemon = place.start().await;
    daemon.is_ready().await;
    assert_eq!(gitlab.count(TRACE), 0);
    class_is(&daemon, "infrastructure").await;
    push(&gitlab, fails());
    class_is(&daemon, "script").await;
    // The class comes with GitLab's reason, before the log is read.
    until("a look at the new log", async || {
        let looks = gitlab.count(TRACE);
        holds(looks == 1, format!("{looks} looks"))
    })
    .await;

    // Once the job passes, nothing of its logs is kept.
    push(&gitlab, JobPlan::passes(UNIT[0].1));
    excerpt_is_saved(&place, false).await;
    daemon.stop().await;
}

#[tokio::test]
async fn own_rules_come_first_and_logs_are_left_alone_where_they_are_switched_off() {
    let gitlab = gitlab_with_failures(1).await;
    let rules = "classification: {rules: [{match: 'handshake', class: dependency}]}\n";
    let ruled = place(&gitlab, rules);
    let daemon = ruled.start().await;
    class_is(&daemon, "dependency").await;
    daemon.stop().await;

    gitlab.forget_requests();
    let place = place(&gitlab, "classification: {read_logs: false}\n");
    let daemon = place.start().await;
    class_is(&daemon, "script").await;
    daemon.is_ready().await;
    assert_eq!(gitlab.count(TRACE), 0);
    daemon.stop().await;
}

#[tokio::test]
async fn an_infrastructure_failure_that_the_log_shows_leaves_the_window_where_such_do_not_count() {
    let gitlab = gitlab_with_failures(1).await;
    let place = place(&gitlab, "counting: {infrastructure_failures: ignore}\n");
    let daemon = place.start().await;
    daemon
        .shows("no streak, one execution", |samples| {
            let value = |family| samples.value(family, &UNIT);
            let found = (
                value("job_consecutive_failures"),
                value("job_window_executions"),
            );
            holds(
                found == (Some(0.0), Some(1.0)) && gitlab.count(TRACE) == 1,
                format!("{found:?}"),
            )
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn an_erased_log_says_nothing_and_an_empty_one_is_an_infrastructure_failure() {
    const JOB: &str = "GET /projects/:id/jobs/:jid";
    let gitlab = gitlab_with_failures(2).await;
    let unit = |world: &World, pipeline| world.latest(pipeline, UNIT[0].1).unwrap().id;
    let pipeline = push(&gitlab, fails());
    gitlab.with(|world| world.erase_log(unit(world, pipeline)));
    let ignoring = place(&gitlab, "counting: {infrastructure_failures: ignore}\n");
    let daemon = ignoring.start().await;
    class_is(&daemon, "script").await;
    until("the question whether the log was erased", async || {
        holds(gitlab.count(JOB) == 1, gitlab.count(JOB))
    })
    .await;
    let value = daemon.scrape().await;
    assert_eq!(value.value("job_consecutive_failures", &UNIT), Some(3.0));
    daemon.stop().await;

    // It ended just now: GitLab may not have stored its log yet.
    let pipeline = push(&gitlab, fails());
    gitlab.with(|world| world.set_log(unit(world, pipeline), ""));
    let sections = "classification: {log_reads_per_minute: 600}\n";
    let counting = place(&gitlab, sections);
    let daemon = counting.start().await;
    let asked = gitlab.count(JOB);
    until("the first reading", async || {
        holds(gitlab.count(JOB) > asked, gitlab.count(JOB))
    })
    .await;
    class_is(&daemon, "script").await;
    daemon.stop().await;

    gitlab.advance(minutes(10));
    let read = gitlab.count(TRACE);
    let daemon = counting.start().await;
    class_is(&daemon, "infrastructure").await;
    assert_eq!(gitlab.count(TRACE), read + 2);
    daemon.stop().await;

    // Its log may have fallen to a retention.
    gitlab.advance(minutes(24 * 60));
    let late = place(&gitlab, sections);
    let daemon = late.start().await;
    until("the reading", async || {
        holds(gitlab.count(TRACE) == read + 3, gitlab.count(TRACE))
    })
    .await;
    daemon.is_ready().await;
    let missing = [("result", "missing")];
    daemon
        .shows("a log that says nothing", |samples| {
            let found = samples.value("job_failure_exporter_log_reads_total", &missing);
            holds(found == Some(1.0), format!("{found:?}"))
        })
        .await;
    class_is(&daemon, "script").await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_log_that_is_stored_late_is_read_when_it_is_there() {
    let gitlab = gitlab_with_failures(1).await;
    let pipeline = push(&gitlab, fails());
    let job = gitlab.with(|world| world.latest(pipeline, UNIT[0].1).unwrap().id);
    gitlab.with(|world| world.set_log(job, ""));
    gitlab.advance(minutes(10));
    // Slow enough that the log arrives between two readings.
    let place = place(&gitlab, "classification: {log_reads_per_minute: 60}\n");
    let daemon = place.start().await;
    until("the first reading", async || {
        holds(gitlab.count(TRACE) == 1, gitlab.count(TRACE))
    })
    .await;
    gitlab.with(|world| world.set_log(job, "$ make\n1 test failed\n"));
    excerpt_is_saved(&place, true).await;
    class_is(&daemon, "script").await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_team_comes_from_rules_else_from_the_repository_else_from_the_local_file() {
    let gitlab = gitlab_with_failures(1).await;
    let other = gitlab.with(|world| {
        let shop = world.project_by_path(PROJECT).unwrap().id;
        world.set_file(
            shop,
            ".gitlab/JOBOWNERS",
            "# ours\nunit* @shop/qa\nbad[ @x\ndeploy @ops\n",
        );
        let other = world.create_project("acme/other");
        world.push_pipeline(
            other,
            PipelinePlan::new([JobPlan::passes("lint")]).instant(),
        );
        world.push_pipeline(
            world.project_by_path(PROJECT).unwrap().id,
            PipelinePlan::new([JobPlan::passes("deploy")]).instant(),
        );
        other
    });
    gitlab.advance(minutes(1));
    let place = place(
        &gitlab,
        "owners: {file: OWNERS, repository_file: /.gitlab/JOBOWNERS, rules: [{jobs: deploy, team: sre}]}\n",
    );
    std::fs::write(place.config().with_file_name("OWNERS"), "* @everyone\n").unwrap();
    let daemon = place.start().await;
    for (project, job, team) in [
        (PROJECT, UNIT[0].1, "shop/qa"),
        (PROJECT, "lint", "everyone"),
        (PROJECT, "deploy", "sre"),
        ("acme/other", "lint", "everyone"),
    ] {
        let labels = [("project", project), ("job_name", job)];
        daemon
            .shows(team, |samples| {
                let info = samples.one("job_info", &labels);
                let found = info.map(|info| info.labels["team"].clone());
                holds(
                    found.as_deref() == Some(team),
                    format!("{labels:?}: {found:?}"),
                )
            })
            .await;
    }
    daemon
        .says("left out of .gitlab/JOBOWNERS: line 3: `bad[` is not a pattern")
        .await;
    until("a look into both repositories", async || {
        let asked = gitlab.requests().into_iter().filter(|r| r.endpoint == FILE);
        let asked: Vec<_> = asked.map(|request| request.target).collect();
        let is_asked = asked
            .iter()
            .any(|target| target.contains(&format!("/{other}/")));
        holds(is_asked && asked.len() == 2, format!("{asked:?}"))
    })
    .await;
    assert_eq!(jobs(&daemon, "?q=shop/qa").await["matching"], 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_is_explained_while_the_exporter_runs() {
    let gitlab = gitlab_with_failures(3).await;
    let place = place(
        &gitlab,
        "owners: {rules: [{jobs: 'unit*', team: payments}]}\n",
    );
    let daemon = place.start().await;
    class_is(&daemon, "infrastructure").await;
    excerpt_is_saved(&place, true).await;
    let text = place.run(&["explain", PROJECT, UNIT[0].1]).await.done();
    for words in [
        "unit: [a/b] of acme/shop (id 100), ref main\n",
        "Failing: 3 executions in a row failed up to the newest one (pipeline 1004, job ",
        "Why: infrastructure; GitLab's reason is script_failure, its log was looked at.\n",
        "  | export DEPLOY_PASSWORD=[masked]\n",
        "Since: 2026-01-05 08:01, commit ",
        "  Compare: http",
        "Whose: payments.\n",
        "\nFigures:\nstreak                3\n",
        "\nAlerts:\n- Prometheus was not asked for thresholds and alerts: give --prometheus.url, or ",
        "\nPIPELINE  JOB    OUTCOME  FINISHED          COMMIT\n1001 ",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let text = place
        .run(&["explain", "100", "lint", "--ref", "main"])
        .await
        .done();
    assert!(
        text.contains("\nNot failing: its newest execution (pipeline 1004, job "),
        "{text}"
    );
    let said = place.run(&["explain", PROJECT, "lnt"]).await.refused();
    assert!(
        said.contains("no job `lnt` is saved; did you mean `lint`?"),
        "{said}"
    );
    daemon.stop().await;
}
