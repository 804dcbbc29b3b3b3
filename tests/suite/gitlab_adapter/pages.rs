//! Questions, pages and records.

use std::sync::Arc;
use std::time::Duration;

use ci_history::{Span, Status, Timestamp};
use gitlab_simulator::{JobPlan, Options as Simulated, PipelinePlan, start};
use job_failure_exporter::gitlab::{Client, Options, Order, PipelineQuery};

use super::scripted::{Server, ok, reply};
use super::{Heard, client, options, page, pipeline_ids};
use testkit::daemon::{holds, until};

const PIPELINES: &str = "/api/v4/projects/7/pipelines";

#[tokio::test]
async fn pages_are_followed_by_link() {
    let server = Server::start([]).await;
    let next = server.url(&format!("{PIPELINES}?cursor=abc&per_page=100"));
    server.then([
        ok(&page(201..=300))
            .next_link(&next)
            .with("X-Next-Page", "2"),
        ok(&page(150..=200)),
    ]);
    assert_eq!(pipeline_ids(&client(&server)).await.len(), 151);
    assert_eq!(
        server.paths()[1],
        format!("{PIPELINES}?cursor=abc&per_page=100")
    );
}

#[tokio::test]
async fn pages_are_followed_by_number_where_there_is_no_link() {
    let server = Server::start([
        ok(&page([3])).with("X-Next-Page", "2"),
        ok(&page([2])).with("X-Next-Page", "3"),
        ok(&page([1])).with("X-Next-Page", ""),
    ])
    .await;
    assert_eq!(pipeline_ids(&client(&server)).await, [3, 2, 1]);
    let paths = server.paths();
    assert!(!paths[0].contains("&page="), "{}", paths[0]);
    assert!(paths[1].ends_with("&per_page=100&page=2"), "{}", paths[1]);
    assert!(paths[2].ends_with("&per_page=100&page=3"), "{}", paths[2]);
}

#[tokio::test]
async fn an_announced_page_that_is_empty_is_asked_for_again() {
    let announced = || ok(&page([9])).with("X-Next-Page", "2");
    let empty = || ok("[]").with("X-Next-Page", "");
    let server = Server::start([announced(), empty(), ok(&page([4]))]).await;
    assert_eq!(pipeline_ids(&client(&server)).await, [9, 4]);
    assert_eq!(server.paths()[1], server.paths()[2]);
}

#[tokio::test]
async fn a_short_and_even_an_empty_page_with_a_next_link_is_followed() {
    let server = Server::start([]).await;
    let next = |number: u8| server.url(&format!("{PIPELINES}?page={number}"));
    server.then([
        ok(&page([9])).next_link(next(2)),
        ok("[]").next_link(next(3)),
        ok(&page([4])),
    ]);
    assert_eq!(pipeline_ids(&client(&server)).await, [9, 4]);
}

#[tokio::test]
async fn a_pipeline_that_moved_between_two_pages_comes_once() {
    let server = Server::start([
        ok(&page([9, 8])).with("X-Next-Page", "2"),
        ok(&page([8, 7])),
    ])
    .await;
    assert_eq!(pipeline_ids(&client(&server)).await, [9, 8, 7]);
}

fn jobs(ids: impl DoubleEndedIterator<Item = u64>, name: &str) -> String {
    let record = |id| format!(r#"{{"id":{id},"name":"{name}","status":"failed"}}"#);
    let records: Vec<String> = ids.rev().map(record).collect();
    format!("[{}]", records.join(","))
}

#[tokio::test]
async fn an_attempt_that_is_made_while_the_pages_are_read_is_not_missed() {
    let server = Server::start([
        ok(&jobs(2..=101, "first")).with("X-Next-Page", "2"),
        // A new one has moved all others.
        ok(&jobs(1..=2, "second")),
        ok(&jobs(3..=102, "third")).with("X-Next-Page", "2"),
    ])
    .await;
    let listing = client(&server).pipeline_jobs(7, 70).await.unwrap().jobs;
    let ids: Vec<u64> = listing.items.iter().map(|job| job.id).collect();
    assert_eq!(ids, (1..=102).rev().collect::<Vec<_>>());
    assert_eq!(&*listing.items[0].name, "third");
    assert_eq!(&*listing.items[1].name, "third", "what came last holds");
    assert_eq!(&*listing.items[100].name, "first");
    let paths = server.paths();
    assert_eq!((paths.len(), &paths[2]), (3, &paths[0]));
}

#[tokio::test]
async fn an_attempt_that_fails_and_is_retried_while_the_pages_are_read_comes_with_its_retry() {
    let gitlab = start(Simulated::default()).await.unwrap();
    let (project, pipeline, job) = gitlab.with(|world| {
        let project = world.create_project("acme/large");
        let first = JobPlan::held("first").retried(1);
        let others = (0..120).map(|n| JobPlan::held(format!("job-{n}")));
        let plan = PipelinePlan::new(std::iter::once(first).chain(others).collect::<Vec<_>>());
        let pipeline = world.push_pipeline(project, plan);
        let job = world.latest(pipeline, "first").unwrap().id;
        (project, pipeline, job)
    });
    // The first page is on its way while the job fails.
    gitlab.faults(|faults| faults.latency = Duration::from_millis(500));
    let options = Options::new(gitlab.url().parse().unwrap(), Some(gitlab.token().into()));
    let client = Client::new(options, Arc::new(())).unwrap();
    let reading = tokio::spawn(async move { client.pipeline_jobs(project, pipeline).await });
    until("the first page", async || {
        holds(!gitlab.requests().is_empty(), "nothing is asked")
    })
    .await;
    gitlab.with(|world| world.fail_job(job, "script_failure"));
    let jobs = reading.await.unwrap().unwrap().jobs.items;
    let attempts: Vec<_> = jobs.iter().filter(|job| &*job.name == "first").collect();
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(attempts[0].id > job && attempts[0].status != Status::Failed);
    assert_eq!(jobs.len(), 122);
}

#[tokio::test]
async fn pages_that_go_round_in_a_circle_are_an_error() {
    let server = Server::start([
        ok(&page([9])).with("X-Next-Page", "2"),
        ok(&page([8])).with("X-Next-Page", "2"),
    ])
    .await;
    let error = client(&server)
        .pipelines(7, &PipelineQuery::default())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "paging");
    assert_eq!(server.paths().len(), 2);
}

#[tokio::test]
async fn a_record_without_an_id_is_rejected_and_the_others_count() {
    let server = Server::start([ok(
        r#"[{"id":1,"name":"a","status":"failed"},{"name":"b","status":"failed"},{"id":3,"name":"c","status":"success"}]"#,
    )])
    .await;
    let jobs = client(&server).pipeline_jobs(7, 70).await.unwrap().jobs;
    assert_eq!(
        jobs.items.iter().map(|job| job.id).collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(
        jobs.rejected[0].to_string(),
        "job rejected, missing_id: `id` is missing, null or empty"
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_spoil_their_name_and_nothing_else() {
    let server =
        Server::start([ok(r#"[{"id":1,"name":"~","status":"failed"}]"#).spoiled(b'~')]).await;
    let jobs = client(&server).pipeline_jobs(7, 70).await.unwrap().jobs;
    assert_eq!(&*jobs.items[0].name, "\u{fffd}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_an_error_that_shows_its_start() {
    let server = Server::start([ok(r#"{"hello":"world"}"#)]).await;
    let error = client(&server).bridges(7, 70).await.unwrap_err();
    assert_eq!(error.reason(), "unexpected");
    assert!(
        error
            .to_string()
            .contains(r#"wanted a list, found {"hello":"world"}"#),
        "{error}"
    );
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn the_question_says_which_pipelines_are_wanted() {
    let server = Server::start([ok(&page([5, 4, 3])), ok("[]")]).await;
    let client = client(&server);
    let query = PipelineQuery {
        updated_after: Timestamp::from_unix(1_700_000_000),
        ref_name: Some("feature/a b".into()),
        order: Order::UpdatedAt,
        at_most: Some(2),
    };
    let listing = client.pipelines(7, &query).await.unwrap();
    assert_eq!(listing.items.len(), 2);
    let query = PipelineQuery {
        order: Order::Id,
        ..PipelineQuery::default()
    };
    client.pipelines(7, &query).await.unwrap();
    assert_eq!(
        server.paths(),
        [
            format!(
                "{PIPELINES}?ref=feature%2fa+b&updated_after=2023-11-14t22%3a13%3a20z&order_by=updated_at&sort=desc&per_page=2"
            ),
            format!("{PIPELINES}?order_by=id&sort=desc&per_page=100"),
        ]
    );
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_is_wanted() {
    let server = Server::start([]).await;
    let query = PipelineQuery {
        at_most: Some(0),
        ..PipelineQuery::default()
    };
    let listing = client(&server).pipelines(7, &query).await.unwrap();
    assert_eq!((listing.items.len(), server.paths().len()), (0, 0));
}

#[tokio::test]
async fn projects_are_found_by_path_by_id_and_by_group() {
    let project = r#"{"id":7,"path_with_namespace":"group/app","default_branch":"main","web_url":"https://git.example/group/app","archived":false}"#;
    let server = Server::start([ok(project), ok(project), ok(&format!("[{project}]"))]).await;
    let client = client(&server);
    let found = client.project("group/app").await.unwrap();
    assert_eq!((found.id, &*found.path), (7, "group/app"));
    assert_eq!(found.default_branch.as_deref(), Some("main"));
    assert_eq!(client.project("7").await.unwrap(), found);
    let listing = client.group_projects("group/sub", true).await.unwrap();
    assert_eq!(listing.items, [found]);
    let paths = server.paths();
    assert_eq!(
        paths[..2],
        ["/api/v4/projects/group%2fapp", "/api/v4/projects/7"]
    );
    assert_eq!(
        paths[2],
        "/api/v4/groups/group%2fsub/projects?archived=false&order_by=id&sort=asc&simple=true&with_shared=false&include_subgroups=true&per_page=100"
    );
}

#[tokio::test]
async fn jobs_come_with_every_attempt_and_the_time_the_pipeline_ran() {
    let attempt = |id: u64, start: &str, end: &str| {
        format!(
            r#"{{"id":{id},"name":"unit","status":"success","started_at":"2026-01-01T00:00:{start}Z","finished_at":"2026-01-01T00:00:{end}Z"}}"#
        )
    };
    let body = format!(
        "[{},{}]",
        attempt(2, "30.500", "40.625"),
        attempt(1, "00.000", "20.000")
    );
    let server = Server::start([ok(&body)]).await;
    let jobs = client(&server).pipeline_jobs(7, 70).await.unwrap();
    assert_eq!(jobs.jobs.items.len(), 2);
    assert_eq!(jobs.running_time, Span::from_seconds(10.125));
    let wanted = format!("{PIPELINES}/70/jobs?include_retried=true&per_page=100");
    assert_eq!(server.paths(), [wanted]);
}

#[tokio::test]
async fn a_gitlab_below_a_path_is_asked_below_that_path() {
    let server = Server::start([ok("[]")]).await;
    let client = Client::new(options(&server.url("/git/lab/")), Arc::new(())).unwrap();
    client.bridges(7, 70).await.unwrap();
    assert!(server.paths()[0].starts_with("/git/lab/api/v4/projects/7/pipelines/70/bridges?"));
}

#[tokio::test]
async fn compressed_answers_are_asked_for_and_read() {
    let server = Server::start([ok(&page(1..=99)).gzipped()]).await;
    assert_eq!(pipeline_ids(&client(&server)).await.len(), 99);
    assert!(server.requests()[0].contains("accept-encoding: gzip"));
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::start((0..20).map(|_| ok("[]"))).await;
    let client = client(&server);
    for _ in 0..20 {
        client.clone().bridges(7, 70).await.unwrap();
    }
    assert_eq!((server.paths().len(), server.connections()), (20, 1));
}

#[tokio::test]
async fn budget_and_clock_of_gitlab_are_told_with_every_answer() {
    let server = Server::start([reply(404, "{}")
        .with("RateLimit-Remaining", "1999")
        .with("RateLimit-Limit", "2000")
        .with("Date", "Tue, 05 Jan 2021 11:00:00 GMT")])
    .await;
    let heard = Arc::new(Heard::default());
    let client = Client::new(options(&server.url("")), heard.clone()).unwrap();
    client.project("7").await.unwrap_err();
    assert_eq!(
        heard.lines(),
        ["project 4xx", "remaining 1999", "date 1609844400"]
    );
}
